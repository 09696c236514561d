/*
 * A command of glooctl: a row in a tree. Each cmd_<name>.c defines
 * `const struct cli_command cli_command_<name>`; the Makefile finds it.
 * What was typed is read into struct cli, which is handed to the command.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/str.h"
#include "cli/cli.h"
#include "model/kind.h"
#include "model/model.h"

#define CLI_DEPTH_MAX 6

struct cli;

typedef int cli_run_f(struct cli *cli); /* returns enum cli_exit */

struct cli_flag {
	const char *name;     /* NULL ends the list */
	char letter;          /* 0: none */
	const char *argument; /* "string"; NULL: a switch */
	const char *fallback; /* what cli_text answers when it is not given */
	const char *help;
	/* For completion: a type of names, "file", or words between '|'. */
	const char *complete;
	bool here; /* not of the children */
};

struct cli_command {
	const char *name;
	const char *aliases;          /* separated by spaces, or NULL */
	const char *arguments;        /* in the usage line: "[NAME]" */
	const char *summary;          /* one line of its parent's help */
	const char *about;            /* whole lines, or NULL */
	void (*about_put)(struct str *out); /* after about, or NULL */
	const char *examples;         /* whole lines, or NULL */
	const char *complete;         /* type of the names that it takes */
	enum model_type type;         /* of the objects that run is about */
	const struct cli_flag *flags; /* its children's as well */
	const struct cli_command *const *children; /* ends with NULL */
	/* NULL: a child is needed. */
	cli_run_f *run;
	/* Not NULL: it has a child for every kind of upstream, run by this. */
	cli_run_f *kind_run;
	size_t arguments_max;
	bool hidden;
};

enum cli_output {
	CLI_OUTPUT_TABLE,
	CLI_OUTPUT_WIDE,
	CLI_OUTPUT_YAML,
	CLI_OUTPUT_JSON,
	CLI_OUTPUT_KUBE_YAML,
	CLI_OUTPUT_NAME,
};

struct cli_value {
	const struct cli_flag *flag;
	const char *value; /* NULL: a switch without value */
};

struct cli {
	const struct upstream_kind *const *kinds;
	struct cli_command *kind_commands; /* one per kind, ends with no name */
	const struct cli_command *path[CLI_DEPTH_MAX]; /* [0] is glooctl */
	size_t depth;
	struct cli_value *values; /* in the order in which they were given */
	size_t value_count;
	const char **arguments; /* neither commands nor flags */
	size_t argument_count;

	const char *socket, *ns;
	enum cli_output output;
	bool interactive, dry_run;
};

extern const struct cli_command cli_root;

/* The kind whose command was given (create upstream <kind>), or NULL. */
const struct upstream_kind *cli_kind(const struct cli *cli);
const struct cli_command *cli_leaf(const struct cli *cli);
/* The i-th child, those for the kinds last; NULL after them. */
const struct cli_command *cli_child(
	const struct cli *cli, const struct cli_command *c, size_t i);

/* Is the flag of the command at that level of the path one of the leaf's? */
static inline bool
cli_flag_applies(const struct cli *cli, size_t level, const struct cli_flag *f)
{
	return !f->here || level + 1 == cli->depth;
}

/* ---- what was given */
bool cli_given(const struct cli *cli, const char *flag);
/* The last value, else the flag's fallback, else NULL. */
const char *cli_text(const struct cli *cli, const char *flag);
bool cli_switch(const struct cli *cli, const char *flag);
/* Each value in turn, start with *place = 0; NULL after the last. */
const char *cli_next(const struct cli *cli, const char *flag, size_t *place);
/* -1 and err when it is no whole number from 0 to max. */
int cli_number(const struct cli *cli, const char *flag, size_t max,
	size_t *number, struct error *err);
/* The i-th argument or NULL. */
const char *cli_argument(const struct cli *cli, size_t i);
/* The name of the object: the argument, else --name, else NULL. */
const char *cli_name(const struct cli *cli);

/* ---- sentences on standard error; each returns CLI_USAGE */
int cli_usage(const struct cli *cli, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int cli_error(const struct error *err);
/* A remark that is no result: `selected virtualservice default for route`. */
void cli_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- rows that many commands share */
/* A command about one object that there is. */
#define CLI_UPSTREAM                                                           \
	.name = "upstream", .aliases = "upstreams us u",                       \
	.type = MODEL_UPSTREAM, .complete = "upstreams",                       \
	.arguments_max = 1
#define CLI_UPSTREAM_GROUP                                                     \
	.name = "upstreamgroup", .aliases = "upstreamgroups ugs ug",           \
	.type = MODEL_UPSTREAM_GROUP, .complete = "upstreamgroups",            \
	.arguments_max = 1
#define CLI_VIRTUAL_SERVICE                                                    \
	.name = "virtualservice", .aliases = "virtualservices vs",             \
	.type = MODEL_VIRTUAL_SERVICE, .complete = "virtualservices",          \
	.arguments_max = 1
#define CLI_GATEWAY                                                            \
	.name = "gateway", .aliases = "gateways gw",                           \
	.type = MODEL_GATEWAY, .complete = "gateways",                         \
	.arguments_max = 1
#define CLI_SECRET                                                             \
	.name = "secret", .aliases = "secrets sec s",                          \
	.type = MODEL_SECRET, .complete = "secrets",                           \
	.arguments_max = 1
#define CLI_PROXY                                                              \
	.name = "proxy", .aliases = "proxies px p",                            \
	.arguments_max = 1

#define CLI_FLAG_NAME(what, type)                                              \
	{                                                                      \
		.name = "name", .argument = "string",                          \
		.help = "name of the " what, .complete = (type)                \
	}
#define CLI_FLAG_NAMESPACE                                                     \
	{                                                                      \
		.name = "namespace", .letter = 'n', .argument = "string",      \
		.fallback = MODEL_NAMESPACE_DEFAULT,                           \
		.help = "namespace of the resource"                            \
	}
#define CLI_FLAG_OUTPUT                                                        \
	{                                                                      \
		.name = "output", .letter = 'o', .argument = "form",           \
		.fallback = "table",                                           \
		.help = "table, wide, yaml, json, kube-yaml or name",          \
		.complete = "table|wide|yaml|json|kube-yaml|name"              \
	}
#define CLI_FLAG_DRY_RUN                                                       \
	{                                                                      \
		.name = "dry-run",                                             \
		.help = "let the daemon judge the change, store nothing"       \
	}
#define CLI_FLAG_END                                                           \
	{                                                                      \
		.name = NULL                                                   \
	}

#endif
