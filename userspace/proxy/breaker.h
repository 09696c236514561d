/*
 * The circuit breakers of an upstream: limits for all workers together. Each
 * time the parts of all workers, in the shared counters, are added up: one line
 * of memory for each. No worker has a share that is its own without a look at
 * the others, who may have used all of it. Workers that ask at the same moment
 * may so be one too many each. Private to proxy/.
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
