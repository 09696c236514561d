/* A change and its verdict: what the daemon made of it is printed, and becomes
 * the exit status. */
#ifndef CLI_CHANGE_H
#define CLI_CHANGE_H

#include "base/doc.h"
#include "base/error.h"
#include "cli/command.h"

struct change_place {     /* where the object was written, for the message */
	const char *file; /* or NULL */
	const struct doc *source; /* with lines; or NULL */
};

/* Stores object, prints it as the daemon has it now, and the verdict. */
int change_store(const struct cli *cli, enum model_type type,
	const struct doc *object, const struct change_place *place);
/* As change_store; *refused, if given, becomes the sentence of a rejection
 * (the caller's), which is then not printed. */
int change_store_or(const struct cli *cli, enum model_type type,
	const struct doc *object, const struct change_place *place,
	char **refused);
int change_delete(
	const struct cli *cli, enum model_type type, const char *name);
/* error unless no such object is there. */
int change_is_new(const struct cli *cli, enum model_type type, const char *ns,
	const char *name, struct error *err);

/*
 * Reads, edits, stores; again from the start when somebody else was faster.
 * read gives the object (NULL and err: it cannot), edit changes it: 0, 1 when
 * there is nothing to do (the object is printed as it is), -1 and err.
 */
struct change_edit {
	struct doc *(*read)(
		const struct cli *cli, void *arg, struct error *err);
	int (*edit)(const struct cli *cli, struct doc *object, void *arg,
		struct error *err);
	void *arg;
};

int change_edit(const struct cli *cli, enum model_type type,
	const struct change_edit *e);

#endif
