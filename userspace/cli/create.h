/* What the commands below `create` share. */
#ifndef CLI_CREATE_H
#define CLI_CREATE_H

#include "base/doc.h"
#include "base/error.h"
#include "cli/command.h"

/* With its metadata. */
struct doc *create_object_new(const char *ns, const char *name);
/* Stores what must not be there yet, unless replace. Takes object. */
int create_object_store(const struct cli *cli, enum model_type type,
	struct doc *object, bool replace);
/* The name and the namespace, asked for unless given; the caller's. */
int create_names_ask(
	const struct cli *cli, char **ns, char **name, struct error *err);

/* In create_secret.c: `create secret`. */
extern const struct cli_command create_secret_command;

#endif
