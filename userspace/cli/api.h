/* The admin API in the words of glooctl: objects, lists, verdicts. */
#ifndef CLI_API_H
#define CLI_API_H

#include "base/doc.h"
#include "base/error.h"
#include "base/str.h"
#include "cli/command.h"

/* "upstream", "virtual service", "gateway", "secret" */
const char *api_word(enum model_type type);

/* The JSON at path; NULL and err (a sentence of the daemon's) otherwise.
 * *status, if given, is the answer's or -1. */
struct doc *api_get(const struct cli *cli, const char *path, const char *query,
	int *status, struct error *err);
/* As it is. */
int api_get_text(const struct cli *cli, const char *path, struct str *out,
	struct error *err);
/* All objects of the type, of one namespace unless ns is NULL: a list. */
struct doc *api_list(const struct cli *cli, enum model_type type,
	const char *ns, struct error *err);
/* The upstreams that discovery would make, by name: a list. */
struct doc *api_preview(const struct cli *cli, struct error *err);
/* NULL and *status 404 with a sentence that offers the nearest name. */
struct doc *api_object(const struct cli *cli, enum model_type type,
	const char *ns, const char *name, int *status, struct error *err);

/*
 * A change. The status of the answer, -1 without one. *verdict is set for 200,
 * 202 and 422; otherwise err has the daemon's sentence.
 */
int api_put(const struct cli *cli, enum model_type type, const char *ns,
	const char *name, const struct doc *object, struct doc **verdict,
	struct error *err);
int api_delete(const struct cli *cli, enum model_type type, const char *ns,
	const char *name, struct doc **verdict, struct error *err);
/* The daemon reads its settings and files again; -1 and err: it cannot, and
 * what ran goes on. */
int api_reload(const struct cli *cli, struct error *err);

#endif
