/* What proxies count: the memory for it, and the sums over all of them. */
#include "control/supervise.h"

#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "control/proxy_process.h"
#include "net/shm.h"

struct counters *
supervisor_counters_map(
	int fd, uint32_t workers, size_t *length, struct error *err)
{
	struct counters *counters = shm_map_shared(fd, length, err);

	if (counters == NULL)
		return NULL;
	if (*length == counters_size(workers) &&
		counters->magic == COUNTERS_MAGIC &&
		counters->workers == workers)
		return counters;
	error_set(err, ERROR_SYSTEM, "its counters are of another shape");
	shm_unmap(counters, *length);
	return NULL;
}

int
supervisor_counters_make(struct supervisor *s, struct error *err)
{
	uint32_t workers = s->control->workers;
	int fd = shm_new_shared("gg-counters", counters_size(workers), err);

	if (fd < 0)
		return -1;
	s->counters = shm_map_shared(fd, &s->counters_length, err);
	if (s->counters == NULL) {
		close(fd);
		return -1;
	}
	s->counters->magic = COUNTERS_MAGIC;
	s->counters->workers = workers;
	s->counters_fd = fd;
	return 0;
}

static void
row_add(uint64_t *to, const uint64_t *row, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] += row[i];
}

#define NUMBERS(type) (sizeof(struct type) / sizeof(uint64_t))

void
supervisor_counters_keep(struct supervisor *s, struct counters *of)
{
	struct counters_worker *past;

	counters_settle(of);
	if (s->past == NULL) {
		s->past = xcalloc(1, counters_size(1));
		s->past->workers = 1;
	}
	past = &s->past->worker[0];
	for (uint32_t slot = 0; slot < SLOTS_MAX; slot++) {
		struct counters_listener sum;

		counters_sum_listener(of, slot, &sum);
		row_add((uint64_t *)&past->listener[slot],
			(const uint64_t *)&sum, NUMBERS(counters_listener));
	}
	for (uint32_t id = 0; id < UPSTREAMS_MAX; id++) {
		struct counters_upstream sum;

		counters_sum_upstream(of, id, &sum);
		row_add((uint64_t *)&past->upstream[id], (const uint64_t *)&sum,
			NUMBERS(counters_upstream));
	}
}

static void
listener_add(const struct counters *from, uint32_t slot,
	struct counters_listener *out)
{
	struct counters_listener sum;

	if (from == NULL)
		return;
	counters_sum_listener(from, slot, &sum);
	row_add((uint64_t *)out, (const uint64_t *)&sum,
		NUMBERS(counters_listener));
}

void
supervisor_sum_listener(const struct supervisor *s, uint32_t slot,
	struct counters_listener *out)
{
	memset(out, 0, sizeof(*out));
	listener_add(s->counters, slot, out);
	listener_add(s->past, slot, out);
	for (const struct proxy_process *p = s->draining; p != NULL;
		p = p->next)
		listener_add(p->counters, slot, out);
}

static void
upstream_add(
	const struct counters *from, uint32_t id, struct counters_upstream *out)
{
	struct counters_upstream sum;

	if (from == NULL)
		return;
	counters_sum_upstream(from, id, &sum);
	row_add((uint64_t *)out, (const uint64_t *)&sum,
		NUMBERS(counters_upstream));
}

void
supervisor_sum_upstream(
	const struct supervisor *s, uint32_t id, struct counters_upstream *out)
{
	memset(out, 0, sizeof(*out));
	upstream_add(s->counters, id, out);
	upstream_add(s->past, id, out);
	for (const struct proxy_process *p = s->draining; p != NULL;
		p = p->next)
		upstream_add(p->counters, id, out);
}
