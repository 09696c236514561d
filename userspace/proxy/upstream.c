/* Upstreams, their endpoints and who is in work there. */
#include "proxy/upstream.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/shm.h"
#include "proxy/link.h"
#include "proxy/worker.h"
#include "routing/balance.h"

struct upstream {
	uint32_t id;
	uint32_t count;
	struct backend **backends;
	struct balance_candidate *candidates; /* the same order */
};

struct registry {
	struct worker *worker;
	struct upstream *by_id[UPSTREAMS_MAX];
};

/* ---- sets */

struct endpoint_set *
endpoint_set_new(int fd, uint32_t count, uint64_t version, struct error *err)
{
	struct endpoint_set *s;
	const void *bytes = NULL;
	size_t length = 0;

	if (count > ENDPOINTS_MAX) {
		error_set(err, ERROR_LIMIT, "%u endpoints are too many", count);
		return NULL;
	}
	if (count > 0) {
		bytes = shm_map_sealed(fd, &length, err);
		if (bytes == NULL)
			return NULL;
		if (length != count * sizeof(struct endpoint)) {
			error_set(err, ERROR_CONFIG,
				"%zu bytes are not %u endpoints", length,
				count);
			shm_unmap(bytes, length);
			return NULL;
		}
	}
	s = xmalloc(sizeof(*s) + length);
	atomic_init(&s->refs, 1);
	s->count = count;
	s->version = version;
	if (count > 0) {
		memcpy(s->items, bytes, length);
		shm_unmap(bytes, length);
	}
	for (uint32_t i = 0; i < count; i++)
		s->items[i].host[ENDPOINT_HOST_MAX - 1] = '\0';
	return s;
}

struct endpoint_set *
endpoint_set_ref(struct endpoint_set *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void
endpoint_set_unref(struct endpoint_set *s)
{
	if (s != NULL && atomic_fetch_sub(&s->refs, 1) == 1)
		free(s);
}

/* ---- backends */

static struct backend *
backend_new(struct registry *r, uint32_t id, const struct endpoint *e)
{
	struct backend *b = xcalloc(1, sizeof(*b));

	b->addr = e->addr;
	b->host = xstrdup(e->host);
	b->counts = &r->worker->counters->upstream[id];
	return b;
}

static void
backend_free(struct backend *b)
{
	free(b->host);
	free(b);
}

static void
backend_free_if_done(struct backend *b)
{
	if (b->upstream == NULL && b->links == 0 && b->active == 0)
		backend_free(b);
}

static void
backend_leave(struct backend *b)
{
	b->links++; /* it must outlive the last idle connection */
	b->upstream = NULL;
	while (b->idle != NULL)
		link_close(b->idle);
	backend_unlink(b);
}

void
backend_begin(struct backend *b)
{
	b->active++;
	b->counts->requests_active++;
	if (b->upstream != NULL)
		b->upstream->candidates[b->index].active = b->active;
}

void
backend_end(struct backend *b)
{
	b->active--;
	b->counts->requests_active--;
	if (b->upstream != NULL)
		b->upstream->candidates[b->index].active = b->active;
	backend_free_if_done(b);
}

void
backend_link(struct backend *b)
{
	b->links++;
}

void
backend_unlink(struct backend *b)
{
	b->links--;
	backend_free_if_done(b);
}

/* ---- the registry */

struct registry *
registry_new(struct worker *w)
{
	struct registry *r = xcalloc(1, sizeof(*r));

	r->worker = w;
	return r;
}

static void
upstream_free(struct upstream *u)
{
	if (u == NULL)
		return;
	for (uint32_t i = 0; i < u->count; i++)
		if (u->backends[i] != NULL)
			backend_leave(u->backends[i]);
	free(u->backends);
	free(u->candidates);
	free(u);
}

void
registry_free(struct registry *r)
{
	if (r == NULL)
		return;
	for (uint32_t i = 0; i < UPSTREAMS_MAX; i++)
		upstream_free(r->by_id[i]);
	free(r);
}

struct by_addr {
	const struct addr *addr;
	uint32_t index;
};

static int
addr_order(const struct addr *a, const struct addr *b)
{
	int order = memcmp(a->ip, b->ip, sizeof(a->ip));

	if (order == 0)
		order = memcmp(&a->port_be, &b->port_be, sizeof(a->port_be));
	return order;
}

static int
by_addr_compare(const void *a, const void *b)
{
	return addr_order(((const struct by_addr *)a)->addr,
		((const struct by_addr *)b)->addr);
}

/* Moves what the old set shares with the new one; the rest stays behind. */
static void
backends_move(struct upstream *old, const struct endpoint_set *set,
	struct backend **to)
{
	struct by_addr *had, *want;
	uint32_t i = 0, k = 0;

	had = xcalloc(old->count + 1, sizeof(*had));
	want = xcalloc(set->count + 1, sizeof(*want));
	for (uint32_t n = 0; n < old->count; n++)
		had[n] = (struct by_addr){ &old->backends[n]->addr, n };
	for (uint32_t n = 0; n < set->count; n++)
		want[n] = (struct by_addr){ &set->items[n].addr, n };
	qsort(had, old->count, sizeof(*had), by_addr_compare);
	qsort(want, set->count, sizeof(*want), by_addr_compare);
	while (i < old->count && k < set->count) {
		int order = addr_order(had[i].addr, want[k].addr);

		if (order == 0) {
			to[want[k].index] = old->backends[had[i].index];
			old->backends[had[i].index] = NULL;
		}
		i += order <= 0;
		k += order >= 0;
	}
	free(had);
	free(want);
}

static void
backend_adopt(struct upstream *u, uint32_t index, const struct endpoint *e)
{
	struct backend *b = u->backends[index];

	if (strcmp(b->host, e->host) != 0) {
		free(b->host);
		b->host = xstrdup(e->host);
	}
	b->upstream = u;
	b->index = index;
	u->candidates[index] = (struct balance_candidate){
		.active = b->active,
		.weight = e->weight,
		.health = e->health,
	};
}

void
registry_set(struct registry *r, uint32_t id, const struct endpoint_set *set)
{
	struct upstream *u, *old;

	if (id == 0 || id >= UPSTREAMS_MAX)
		return;
	u = xcalloc(1, sizeof(*u));
	u->id = id;
	u->count = set->count;
	u->backends = xcalloc(set->count + 1, sizeof(*u->backends));
	u->candidates = xcalloc(set->count + 1, sizeof(*u->candidates));
	old = r->by_id[id];
	if (old != NULL)
		backends_move(old, set, u->backends);
	for (uint32_t i = 0; i < set->count; i++) {
		if (u->backends[i] == NULL)
			u->backends[i] = backend_new(r, id, &set->items[i]);
		backend_adopt(u, i, &set->items[i]);
	}
	r->by_id[id] = u;
	upstream_free(old);
}

void
registry_forget(struct registry *r, uint32_t id)
{
	if (id >= UPSTREAMS_MAX)
		return;
	upstream_free(r->by_id[id]);
	r->by_id[id] = NULL;
}

struct upstream *
registry_get(const struct registry *r, uint32_t id)
{
	return id < UPSTREAMS_MAX ? r->by_id[id] : NULL;
}

void
registry_close_idle(struct registry *r)
{
	for (uint32_t i = 0; i < UPSTREAMS_MAX; i++) {
		struct upstream *u = r->by_id[i];

		for (uint32_t k = 0; u != NULL && k < u->count; k++)
			while (u->backends[k]->idle != NULL)
				link_close(u->backends[k]->idle);
	}
}

static void
tried_mark(struct upstream *u, const struct addr *tried, uint8_t mark)
{
	for (uint32_t i = 0; i < u->count; i++)
		if (addr_equal(&u->backends[i]->addr, tried))
			u->candidates[i].tried = mark;
}

struct backend *
upstream_pick(struct upstream *u, const struct addr *tried, uint64_t random)
{
	size_t at;
	bool again;

	if (u == NULL || u->count == 0)
		return NULL;
	if (tried == NULL)
		return u->backends[u->count == 1 ? 0
						 : balance_pick(u->candidates,
							   u->count, random)];
	tried_mark(u, tried, 1);
	at = balance_pick(u->candidates, u->count, random);
	again = u->candidates[at].tried;
	tried_mark(u, tried, 0);
	return again ? NULL : u->backends[at];
}
