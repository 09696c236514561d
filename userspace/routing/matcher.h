/*
 * Compiled regexes (PCRE2, JIT where the system allows it), kept by pattern
 * and counted, and the limited way in which they are run: a pattern that goes
 * on for too long has not matched. Patterns must match the whole text.
 */
#ifndef ROUTING_MATCHER_H
#define ROUTING_MATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "routing/router.h"

struct matcher;     /* one compiled regex, immutable */
struct matcher_run; /* what running them needs; each worker's own */

struct matcher *matcher_cache_take(
	struct matcher_cache *c, struct slice pattern, struct error *err);
void matcher_release(struct matcher *m); /* NULL is fine */

struct matcher_run *matcher_run_new(void);
void matcher_run_free(struct matcher_run *r);
bool matcher_matches(
	const struct matcher *m, struct matcher_run *r, struct slice text);
uint64_t matcher_run_limited(const struct matcher_run *r);

/* The text that every match of pattern begins with, into out (room for the
 * pattern's length). Less than there is, or nothing, where a pattern is not
 * simple. Returns the length. */
size_t matcher_literal(struct slice pattern, char *out);

#endif
