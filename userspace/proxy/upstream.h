/*
 * The worker's upstreams by id, the endpoints of each and the idle
 * connections to them. An endpoint that is in the next set too keeps its
 * connections; one that is not loses the idle ones, and those in use finish.
 * Private to proxy/.
 */
#ifndef PROXY_UPSTREAM_H
#define PROXY_UPSTREAM_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"
#include "model/counters.h"
#include "model/endpoint.h"

#define BACKEND_IDLE_MAX 1024

struct link;
struct registry;
struct upstream;
struct worker;

/* A set as it came from control, shared by the workers, counted. */
struct endpoint_set {
	_Atomic uint32_t refs;
	uint32_t count;
	uint64_t version;
	struct endpoint items[];
};

/* Born with one reference; fd holds count endpoints (not looked at if 0). */
struct endpoint_set *endpoint_set_new(
	int fd, uint32_t count, uint64_t version, struct error *err);
struct endpoint_set *endpoint_set_ref(struct endpoint_set *s);
void endpoint_set_unref(struct endpoint_set *s);

struct backend {                   /* one endpoint, as this worker knows it */
	struct upstream *upstream; /* NULL: no longer in the set */
	uint32_t index;            /* in the set */
	struct addr addr;
	char *host;
	struct counters_upstream *counts;
	struct link *idle; /* the last used first */
	uint32_t idle_count, links, active;
};

struct registry *registry_new(struct worker *w);
void registry_free(struct registry *r);
void registry_set(
	struct registry *r, uint32_t id, const struct endpoint_set *set);
void registry_forget(struct registry *r, uint32_t id);
struct upstream *registry_get(const struct registry *r, uint32_t id);
void registry_close_idle(struct registry *r);

/* The endpoint for the next request, but not the one at tried (or NULL).
 * NULL: there is none. */
struct backend *upstream_pick(
	struct upstream *u, const struct addr *tried, uint64_t random);

/* A request more or less in work there. */
void backend_begin(struct backend *b);
void backend_end(struct backend *b);
/* A connection more or less; the last one out frees what left the set. */
void backend_link(struct backend *b);
void backend_unlink(struct backend *b);

#endif
