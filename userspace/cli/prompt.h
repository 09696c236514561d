/*
 * Questions to the operator, in the form "? question answer". Questions go to
 * standard error, answers are lines of standard input, which may be a pipe.
 * -1 and err when the input ends before the questions do.
 */
#ifndef CLI_PROMPT_H
#define CLI_PROMPT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* The answer is the caller's; an empty line gives fallback, "" without. */
int prompt_text(const char *question, const char *fallback, char **answer,
	struct error *err);
/* As prompt_text; the choices are shown, but it may be another one. */
int prompt_offer(const char *question, const char *const *choices, size_t count,
	const char *fallback, char **answer, struct error *err);
/* A text that is not shown while it is typed, "..." afterwards; "" for an empty
 * line. */
int prompt_secret(const char *question, char **answer, struct error *err);
/* Asked again until it is one of the choices (or a beginning that only one of
 * them has). fallback: the index for an empty line, or count for none. */
int prompt_choice(const char *question, const char *const *choices,
	size_t count, size_t fallback, size_t *chosen, struct error *err);
int prompt_yes_no(
	const char *question, bool fallback, bool *yes, struct error *err);

#endif
