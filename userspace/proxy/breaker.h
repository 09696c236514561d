/*
 * The circuit breakers of an upstream: limits for all workers together. A
 * worker whose own part of a gauge is within its share asks nobody; beyond it
 * the parts of the others, in the shared counters, are added up. Two workers
 * that ask at the same moment may so be one too many. Private to proxy/.
 */
#ifndef PROXY_BREAKER_H
#define PROXY_BREAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/counters.h"

struct worker;

/* gauge: offset in struct counters_upstream. True: one more is within most. */
bool breaker_allows(
	const struct worker *w, uint32_t upstream, size_t gauge, uint32_t most);

/* Of this worker, by this worker alone; the others read it meanwhile. */
static inline void
gauge_up(uint64_t *gauge)
{
	__atomic_store_n(gauge, *gauge + 1, __ATOMIC_RELAXED);
}

static inline void
gauge_down(uint64_t *gauge)
{
	__atomic_store_n(gauge, *gauge - 1, __ATOMIC_RELAXED);
}

#define BREAKER_ALLOWS(w, upstream, gauge, most)                               \
	breaker_allows(                                                        \
		w, upstream, offsetof(struct counters_upstream, gauge), most)

#endif
