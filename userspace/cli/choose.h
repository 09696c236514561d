/* Which object is meant: by name, by rule, or by asking. */
#ifndef CLI_CHOOSE_H
#define CLI_CHOOSE_H

#include <stdbool.h>

#include "base/doc.h"
#include "base/error.h"
#include "cli/command.h"

/* The flags of a command whose object choose_name finds, by type. */
extern const struct cli_flag choose_flags[MODEL_TYPE_COUNT][2];

/* The name that was given, else asked for with -i among those that there are;
 * NULL and err otherwise. The caller's. */
char *choose_name(const struct cli *cli, enum model_type type,
	const char *question, struct error *err);
/* The answer to a question for a namespace: those are offered in which there is
 * something. */
int choose_namespace(const struct cli *cli, const char *question, char **answer,
	struct error *err);
/* The answer to a kind's question for a secret, "ns.name": one of those of its
 * type that there are, or "" for none; where there are none, or nobody
 * answers, any. */
int choose_secret(const struct cli *cli, const char *kind,
	const struct kind_prompt *p, char **answer, struct error *err);
/*
 * The virtual service for a route: the one named, else the first with the
 * domain "*". NULL and no error: there is none with that domain. *selected is
 * set to its name (the caller's) when the rule chose it.
 */
struct doc *choose_virtual_service(const struct cli *cli, const char *name,
	char **selected, struct error *err);

/* As change_edit's read: a struct choose_target first at arg. Says once which
 * one the rule chose; that there is none is an error. */
struct choose_target {
	char *name; /* NULL: by the rule */
	bool said;
};

struct doc *choose_target_read(
	const struct cli *cli, void *arg, struct error *err);

#endif
