/* Objects on standard output, in the form that -o asks for. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "base/doc.h"
#include "base/error.h"
#include "cli/command.h"

int output_parse(const char *word, enum cli_output *form, struct error *err);
/* items: a list of canonical documents. one: a single object was asked for, so
 * that JSON is an object and not an array. */
int output_objects(const struct cli *cli, enum model_type type,
	const struct doc *items, bool one, struct error *err);
/* A document of no resource type, as YAML or JSON; false for other forms. */
bool output_document(const struct cli *cli, const struct doc *d);
/* Lists of anything: JSON an array, YAML documents between "---". */
bool output_documents(const struct cli *cli, const struct doc *list);

#endif
