/*
 * The worker's upstreams by id, the endpoints of each, the idle connections to
 * them and the requests that wait for one. An endpoint that is in the next set
 * too keeps its connections; one that is not loses the idle ones, and those in
 * use finish. Another owner of an address is another endpoint. Private to
 * proxy/.
 */
#ifndef PROXY_UPSTREAM_H
#define PROXY_UPSTREAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"
#include "model/counters.h"
#include "model/endpoint.h"
#include "net/wheel.h"
#include "proxy/subset.h"
#include "proxy/worker.h"
#include "routing/budget.h"

#define BACKEND_IDLE_MAX 1024

struct call_credentials;
struct exchange;
struct generation;
struct link;
struct registry;
struct secure;
struct trust;
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
	uint32_t id;               /* of the upstream */
	struct addr addr;
	uint64_t owner; /* of addr; 0: not known */
	char *host, *server_name;
	bool host_rewrite; /* as struct endpoint */
	struct secure *secure; /* NULL: no TLS */
	struct counters_upstream *counts;
	uint64_t *subsets; /* as in struct endpoint; NULL: it is in none */
	struct subset_place *places; /* in those of them that were made */
	uint32_t place_count;
	struct link *idle; /* the last used first */
	uint32_t idle_count, links, active;
	/* Failures in a row; see proxy/streak. */
	uint32_t errors, gateway_errors;
	bool told;        /* control knows of some */
	uint64_t told_ms; /* when it was last told at once */
	struct backend *tell_next, **tell_at; /* to be told of; at NULL: not */
};

struct upstream { /* for as long as it has an id */
	uint32_t id;
	struct worker *worker;
	struct backend **backends; /* in the order of balance */
	struct balance *balance;
	struct subset **subsets; /* that were asked for, by identity */
	size_t subset_count;
	struct budget budget;
	struct trust *trust; /* NULL: no TLS */
	uint32_t idle_count; /* connections that wait, of all its endpoints */
	/* Exchanges that wait for a connection, the first first. */
	struct exchange *waiting, **waiting_last;
	/* Of calls; NULL: none came. count: how often they changed. */
	struct call_credentials *credentials;
	uint64_t credentials_count;
	/* When the ones that are there were refused first, and when control was
	 * told so last; 0: never. */
	uint64_t refused_ms, refused_told_ms;
	int64_t skew_ms;           /* its clock is so far ahead of ours */
	struct worker_later later; /* serves them */
	struct wheel_timer look;   /* while there are any */
};

struct registry *registry_new(struct worker *w);
void registry_free(struct registry *r);
void registry_set(
	struct registry *r, uint32_t id, const struct endpoint_set *set);
void registry_health(struct registry *r, uint32_t id, const struct addr *addr,
	uint64_t owner, enum endpoint_health health);
/* How TLS is spoken to each, as that generation has it. older: the worker has
 * requests of generations before it. */
void registry_secure(
	struct registry *r, const struct generation *g, bool older);
/* What its calls come with from now on; a reference is taken. NULL: nothing. */
void registry_credentials(
	struct registry *r, uint32_t id, struct call_credentials *credentials);
void registry_forget(struct registry *r, uint32_t id);
struct upstream *registry_get(const struct registry *r, uint32_t id);
void registry_close_idle(struct registry *r);

/* The endpoint for the next request of x, but rather not the one at avoid (or
 * NULL). NULL: there is none. */
struct backend *upstream_pick(
	struct upstream *u, const struct exchange *x, const struct addr *avoid);
/* The same for what is no exchange: of that subset (0: of all), hash (or NULL)
 * decides on a ring. */
struct backend *upstream_choose(struct upstream *u,
	const struct policy_balance *policy, uint64_t subset,
	const uint64_t *hash, const struct addr *avoid);
/* A connection became free, or may be opened: those who wait are served when
 * this callback is over. NULL is fine. */
void upstream_wake(struct upstream *u);
/* Somebody has begun to wait. */
void upstream_look_later(struct upstream *u);
/* Closes one connection that waits; false: none does. */
bool upstream_close_one_idle(struct upstream *u);

/* Calls with the credentials that it has were refused: control is told, not too
 * often. */
void upstream_credentials_refused(struct upstream *u);

/* A request more or less in work there. */
void backend_begin(struct backend *b);
void backend_end(struct backend *b);
/* Something more or less in work there that is no request. */
void backend_use(struct backend *b);
void backend_release(struct backend *b);
/* A connection more or less; the last one out frees what left the set. */
void backend_link(struct backend *b);
void backend_unlink(struct backend *b);

#endif
