/* The circuit breakers of an upstream. */
#include "proxy/breaker.h"

#include "proxy/worker.h"

static uint64_t
gauge_of(const struct counters_worker *c, uint32_t upstream, size_t gauge)
{
	const uint64_t *at = (const uint64_t *)(const void
			*)((const char *)&c->upstream[upstream] + gauge);

	return __atomic_load_n(at, __ATOMIC_RELAXED);
}

bool
breaker_allows(
	const struct worker *w, uint32_t upstream, size_t gauge, uint32_t most)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < w->workers; i++)
		sum += gauge_of(&w->all_counters[i], upstream, gauge);
	return sum < most;
}
