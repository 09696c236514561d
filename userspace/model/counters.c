/* Names and sums of the counters. */
#include "model/counters.h"

#include <string.h>

#define ROW(structure, name, help)                                             \
	{                                                                      \
#name, help, offsetof(struct structure, name)                  \
	}

const struct counter_name counters_listener_names[] = {
#define X(name, help) ROW(counters_listener, name, help),
	COUNTERS_LISTENER(X)
#undef X
		{ NULL, NULL, 0 },
};

const struct counter_name counters_upstream_names[] = {
#define X(name, help) ROW(counters_upstream, name, help),
	COUNTERS_UPSTREAM(X)
#undef X
		{ NULL, NULL, 0 },
};

bool
counter_is_gauge(const char *name)
{
	const char *end = strrchr(name, '_');

	return end != NULL &&
	       (strcmp(end, "_active") == 0 || strcmp(end, "_open") == 0);
}

/* The number of workers stands in memory that the proxy can write. */
static uint32_t
worker_count(const struct counters *c)
{
	uint32_t workers = __atomic_load_n(&c->workers, __ATOMIC_RELAXED);

	return workers < COUNTERS_WORKERS_MAX ? workers : COUNTERS_WORKERS_MAX;
}

static void
row_add(uint64_t *out, const uint64_t *row, size_t numbers)
{
	for (size_t i = 0; i < numbers; i++)
		out[i] += __atomic_load_n(&row[i], __ATOMIC_RELAXED);
}

void
counters_sum_listener(
	const struct counters *c, uint32_t slot, struct counters_listener *out)
{
	memset(out, 0, sizeof(*out));
	if (slot >= SLOTS_MAX)
		return;
	for (uint32_t i = 0; i < worker_count(c); i++)
		row_add((uint64_t *)out,
			(const uint64_t *)&c->worker[i].listener[slot],
			sizeof(*out) / sizeof(uint64_t));
}

void
counters_sum_upstream(
	const struct counters *c, uint32_t id, struct counters_upstream *out)
{
	memset(out, 0, sizeof(*out));
	if (id >= UPSTREAMS_MAX)
		return;
	for (uint32_t i = 0; i < worker_count(c); i++)
		row_add((uint64_t *)out,
			(const uint64_t *)&c->worker[i].upstream[id],
			sizeof(*out) / sizeof(uint64_t));
}

/* An unwritten page stays unmade. */
static void
gauges_clear(struct counters_upstream *u)
{
	for (const struct counter_name *n = counters_upstream_names;
		n->name != NULL; n++) {
		uint64_t *at = (uint64_t *)(void *)((char *)u + n->offset);

		if (*at != 0 && counter_is_gauge(n->name))
			*at = 0;
	}
}

void
counters_settle(struct counters *c)
{
	for (uint32_t i = 0; i < worker_count(c); i++) {
		struct counters_worker *w = &c->worker[i];

		for (size_t s = 0; s < SLOTS_MAX; s++) {
			struct counters_listener *l = &w->listener[s];

			l->responses_aborted += l->requests_active;
			l->requests_active = 0;
			l->connections_closed += l->connections_open;
			l->connections_open = 0;
		}
		for (size_t u = 0; u < UPSTREAMS_MAX; u++) {
			gauges_clear(&w->upstream[u]);
		}
	}
}
