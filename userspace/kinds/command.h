/*
 * A program that prints a secret for us (a credential plugin of Kubernetes, a
 * credential_process of AWS): started without a shell, without capabilities and
 * with no descriptor of ours. On the loop; its time and what it prints are
 * bounded. Private to kinds/.
 */
#ifndef KINDS_COMMAND_H
#define KINDS_COMMAND_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define COMMAND_OUTPUT_MAX (1u << 20)
#define COMMAND_TIMEOUT_MS 30000

struct command;
struct loop;

struct command_line {
	char *const *argv; /* argv[0]: a path, or looked for in $PATH */
	char *const *env;
	uint64_t timeout_ms; /* 0: COMMAND_TIMEOUT_MS */
};

/* How it ended. All is valid during the call; output is overwritten then. */
struct command_result {
	struct slice output; /* on standard output */
	const char *problem; /* "ended with status 4"; NULL: with 0, in time */
	/* ": " and the first line of what it said on standard error, if that
	 * is fit to be shown; else "". */
	const char *complaint;
};
/* It is freed afterwards. */
typedef void command_f(const struct command_result *result, void *arg);

/* 0: cb is called once, later, unless cancelled. Otherwise an errno: it could
 * not be started, and *out is NULL. */
int command_start(struct loop *loop, const struct command_line *line,
	command_f *cb, void *arg, struct command **out);
/* Kills it, with all that it started. NULL is fine. */
void command_cancel(struct command *c);

#endif
