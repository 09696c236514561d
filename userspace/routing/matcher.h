/*
 * Compiled regexes (PCRE2, JIT where the system allows it), kept by pattern
 * and counted, and the limited way in which they are run: a pattern that takes
 * more steps than MATCH_LIMIT is given up. Patterns must match the whole text.
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

enum matcher_verdict {
	MATCHER_NO,
	MATCHER_YES,
	MATCHER_LIMITED, /* given up: it is not known */
};

/* *limited counts what is given up; it stays the caller's. */
struct matcher_run *matcher_run_new(uint64_t *limited);
void matcher_run_free(struct matcher_run *r);
enum matcher_verdict matcher_matches(
	const struct matcher *m, struct matcher_run *r, struct slice text);

#endif
