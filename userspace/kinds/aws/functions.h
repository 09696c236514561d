/*
 * Which functions, versions and aliases a region has (ListFunctions with
 * FunctionVersion=ALL, ListAliases), asked for again and again. One question at
 * a time; whatever fails, what was known stays. Private to kinds/aws/.
 */
#ifndef KINDS_AWS_FUNCTIONS_H
#define KINDS_AWS_FUNCTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "base/doc.h"

/* Between two passes, at random; longer after passes that were throttled. */
#define AWS_FUNCTIONS_REST_MIN_MS 30000
#define AWS_FUNCTIONS_REST_MAX_MS 60000
#define AWS_FUNCTIONS_MAX         20000 /* names of one upstream */

struct aws_api;
struct aws_counts;
struct aws_functions;
struct loop;

struct aws_functions_options {
	struct loop *loop;
	struct aws_api *api;
	struct aws_counts *counts;
	/* After a pass, whether they are others or not: "name" (of $LATEST),
	 * "name:version", "name:alias", sorted; valid until the next one. */
	void (*listed)(const char *const *names, size_t count, void *arg);
	/* Once when it changes; NULL: all is well. A sentence. */
	void (*problem)(const char *sentence, void *arg);
	/* The credentials are not taken. */
	void (*refused)(void *arg);
	void *arg;
};

/* Asks nothing before it is woken. */
struct aws_functions *aws_functions_new(const struct aws_functions_options *o);
void aws_functions_free(struct aws_functions *f); /* NULL is fine */
/* There are credentials, or others: it begins unless it is at work or did well
 * with the former. */
void aws_functions_wake(struct aws_functions *f);
/* As they were listed last. */
const char *const *aws_functions_names(
	const struct aws_functions *f, size_t *count);
/* Keys of its own into to: how many, how old, what is wrong. */
void aws_functions_show(const struct aws_functions *f, struct doc *to);

#endif
