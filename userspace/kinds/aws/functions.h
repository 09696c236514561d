/*
 * Which functions, versions and aliases a region has (ListFunctions with
 * FunctionVersion=ALL, ListAliases), asked for again and again. One question at
 * a time; whatever fails, what was known stays. Functions are told as soon as
 * all pages of them are read, aliases as they come. Private to kinds/aws/.
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
/* While aliases come they are told that often. */
#define AWS_FUNCTIONS_TELL_MS 5000

struct aws_api;
struct aws_counts;
struct aws_functions;
struct loop;
struct table;

/* "name" (of $LATEST), "name:version", "name:alias", sorted; and of what there
 * may be more: "name:*", aliases of that function; "*", anything. Valid during
 * the call. */
struct aws_functions_known {
	const char *const *names, *const *open;
	size_t count, open_count;
};

struct aws_functions_options {
	struct loop *loop;
	struct aws_api *api;
	struct aws_counts *counts;
	/* What was told before, in one list, sorted: it stays known until
	 * functions are read, beside whatever else there may be ("*"), which
	 * is told at once. Copied; NULL: nothing was. */
	const char *const *former;
	size_t former_count;
	/* Whether they are others or not. */
	void (*listed)(const struct aws_functions_known *known, void *arg);
	/* Adds, as keys, the functions whose aliases are asked for first. */
	void (*wanted)(struct table *functions, void *arg);
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
/* As they were told last, sorted. */
const char *const *aws_functions_names(
	const struct aws_functions *f, size_t *count);
/* Keys of its own into to: how many, how old, what is wrong. */
void aws_functions_show(const struct aws_functions *f, struct doc *to);

#endif
