/* A DNS name that is kept resolved. */
#include "net/watched_name.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/table.h"
#include "net/loop.h"
#include "net/resolver.h"

#define DENIALS        2  /* in a row empty what was known */
#define AHEAD_PERCENT  10 /* of the TTL: so long before it ends */
#define JITTER_PERCENT 5  /* to both sides */

/* Whom services lead to: a name that is watched itself. */
struct host {
	struct watched_name *parent;
	char *name;
	struct watched_name *watched;
	bool wanted; /* by the services as they are now */
};

struct watched_name {
	struct resolver *resolver;
	char *name;
	enum watched_type type;
	watched_name_f *cb;
	void *arg;

	struct resolver_query *query; /* NULL: none is on its way */
	struct resolver_wait *wait;   /* while it cannot be resolved */
	struct loop_timer *timer;     /* asks */
	uint64_t seed;                /* of the jitter */
	uint64_t retry_ms;
	uint64_t pace_ms; /* 0: by TTL */
	unsigned denials; /* in a row */

	/* Of the name itself, without its hosts. */
	bool answered;
	char *problem;
	uint64_t stale_since_ms;
	uint64_t kept_since_ms; /* the targets are of former services, as
				 * nobody could say whom the new ones lead to;
				 * 0: they are not */
	struct addr *addrs; /* WATCHED_ADDRESSES */
	size_t addr_count;
	struct resolver_service *services; /* WATCHED_SERVICES */
	size_t service_count;
	struct host **hosts; /* of services, and of former ones while not all
			      * of the new ones are known, or nobody can say
			      * anything of any of them */
	size_t host_count;

	/* What was told, or will be. */
	struct watched_state state;
	struct watched_target *targets; /* state's; sorted */
	char *told_problem;             /* state's */
};

/* ---- hosts of services */

static void state_settle(struct watched_name *n);

static void
host_changed(const struct watched_state *state, void *arg)
{
	struct host *h = arg;

	(void)state;
	state_settle(h->parent);
}

static void
host_free(struct host *h)
{
	watched_name_free(h->watched);
	free(h->name);
	free(h);
}

static struct host *
host_find(const struct watched_name *n, const char *name)
{
	for (size_t i = 0; i < n->host_count; i++)
		if (strcasecmp(n->hosts[i]->name, name) == 0)
			return n->hosts[i];
	return NULL;
}

static struct host *
host_new(struct watched_name *n, const char *name)
{
	struct host *h = xcalloc(1, sizeof(*h));
	/* The search list is for what people write. */
	char *whole = xasprintf("%s.", name);

	h->parent = n;
	h->name = xstrdup(name);
	h->watched = watched_name_new(
		n->resolver, whole, WATCHED_ADDRESSES, host_changed, h);
	free(whole);
	watched_name_pace(h->watched, n->pace_ms);
	n->hosts = xreallocarray(
		n->hosts, n->host_count + 1, sizeof(struct host *));
	n->hosts[n->host_count++] = h;
	return h;
}

static void
hosts_want(struct watched_name *n)
{
	for (size_t i = 0; i < n->host_count; i++)
		n->hosts[i]->wanted = false;
	for (size_t i = 0; i < n->service_count; i++) {
		struct host *h = host_find(n, n->services[i].host);

		if (h == NULL)
			h = host_new(n, n->services[i].host);
		h->wanted = true;
	}
}

static bool
hosts_are_answered(const struct watched_name *n)
{
	for (size_t i = 0; i < n->host_count; i++)
		if (n->hosts[i]->wanted &&
			!watched_name_state(n->hosts[i]->watched)->answered)
			return false;
	return true;
}

static bool
host_is_told(const struct watched_name *n, const struct host *h)
{
	for (size_t i = 0; i < n->state.count; i++)
		if (n->targets[i].host == h->name)
			return true;
	return false;
}

/* But those that the state still has something of. */
static void
hosts_drop_unwanted(struct watched_name *n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n->host_count; i++) {
		if (n->hosts[i]->wanted || host_is_told(n, n->hosts[i]))
			n->hosts[kept++] = n->hosts[i];
		else
			host_free(n->hosts[i]);
	}
	n->host_count = kept;
}

/* ---- the state */

static int
target_compare(const void *a, const void *b)
{
	const struct watched_target *x = a, *y = b;
	int order;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	order = memcmp(x->addr.ip, y->addr.ip, sizeof(x->addr.ip));
	if (order == 0 && x->addr.port_be != y->addr.port_be)
		order = addr_port(&x->addr) < addr_port(&y->addr) ? -1 : 1;
	if (order == 0 && x->weight != y->weight)
		order = x->weight < y->weight ? -1 : 1;
	if (order == 0 && x->host != NULL && y->host != NULL)
		order = strcasecmp(x->host, y->host);
	return order;
}

static struct watched_target *
targets_of_services(const struct watched_name *n, size_t *count)
{
	struct watched_target *all =
		xcalloc(WATCHED_NAME_TARGETS_MAX, sizeof(*all));

	*count = 0;
	for (size_t i = 0; i < n->service_count; i++) {
		const struct resolver_service *s = &n->services[i];
		const struct host *h = host_find(n, s->host);
		const struct watched_state *its =
			watched_name_state(h->watched);

		for (size_t k = 0;
			k < its->count && *count < WATCHED_NAME_TARGETS_MAX;
			k++) {
			struct watched_target *t = &all[(*count)++];

			t->addr = its->targets[k].addr;
			t->addr.port_be = htons(s->port);
			t->priority = s->priority;
			t->weight = s->weight;
			t->host = h->name;
		}
	}
	return all;
}

static struct watched_target *
targets_of_addresses(const struct watched_name *n, size_t *count)
{
	struct watched_target *all = xcalloc(n->addr_count + 1, sizeof(*all));

	*count = n->addr_count < WATCHED_NAME_TARGETS_MAX
			 ? n->addr_count
			 : WATCHED_NAME_TARGETS_MAX;
	for (size_t i = 0; i < *count; i++)
		all[i].addr = n->addrs[i];
	return all;
}

/* True: they are others than those of the state, whose they become. */
static bool
targets_set(struct watched_name *n)
{
	size_t count;
	struct watched_target *all = n->type == WATCHED_SERVICES
					     ? targets_of_services(n, &count)
					     : targets_of_addresses(n, &count);
	bool same = count == n->state.count;

	if (count > 0)
		qsort(all, count, sizeof(*all), target_compare);
	for (size_t i = 0; same && i < count; i++)
		same = target_compare(&all[i], &n->targets[i]) == 0;
	/* Even the same: hosts that their texts are of may be about to go. */
	free(n->targets);
	n->targets = all;
	n->state.targets = all;
	n->state.count = count;
	return !same;
}

static const char *
problem_find(const struct watched_name *n, uint64_t *stale_since_ms)
{
	const char *problem = n->problem;

	*stale_since_ms = n->stale_since_ms;
	if (*stale_since_ms == 0)
		*stale_since_ms = n->kept_since_ms;
	for (size_t i = 0; i < n->host_count; i++) {
		const struct watched_state *its =
			watched_name_state(n->hosts[i]->watched);

		if (!n->hosts[i]->wanted || its->problem == NULL)
			continue;
		if (problem == NULL)
			problem = its->problem;
		if (its->stale_since_ms != 0 &&
			(*stale_since_ms == 0 ||
				its->stale_since_ms < *stale_since_ms))
			*stale_since_ms = its->stale_since_ms;
	}
	return problem;
}

static bool
text_is_same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* True: it is another. */
static bool
problem_set(struct watched_name *n)
{
	const char *problem = problem_find(n, &n->state.stale_since_ms);

	if (text_is_same(problem, n->told_problem))
		return false;
	free(n->told_problem);
	n->told_problem = problem == NULL ? NULL : xstrdup(problem);
	n->state.problem = n->told_problem;
	return true;
}

/* Every target of the services said that it has no address. */
static bool
hosts_are_gone(const struct watched_name *n)
{
	bool gone = n->service_count > 0;

	for (size_t i = 0; gone && i < n->host_count; i++)
		gone = !n->hosts[i]->wanted ||
		       watched_name_state(n->hosts[i]->watched)->gone;
	return gone;
}

/* There are services, and nobody can say where: that is no evidence against
 * what was known before. */
static bool
hosts_are_unknown(const struct watched_name *n)
{
	if (n->service_count == 0 || hosts_are_gone(n))
		return false;
	for (size_t i = 0; i < n->host_count; i++)
		if (n->hosts[i]->wanted &&
			watched_name_state(n->hosts[i]->watched)->count > 0)
			return false;
	return true;
}

/* True: they are others. */
static bool
targets_settle(struct watched_name *n)
{
	if (!hosts_are_unknown(n) || n->state.count == 0) {
		n->kept_since_ms = 0;
		return targets_set(n);
	}
	if (n->kept_since_ms == 0)
		n->kept_since_ms = clock_realtime_ms();
	return false;
}

/* New hosts are waited for, so that nothing goes before what follows it is
 * there. The last that is done: the callback may free n. */
static void
state_settle(struct watched_name *n)
{
	bool gone, changed;

	if (!n->answered || !hosts_are_answered(n))
		return;
	changed = targets_settle(n);
	hosts_drop_unwanted(n);
	changed |= problem_set(n);
	gone = n->denials >= DENIALS || hosts_are_gone(n);
	changed |= gone != n->state.gone;
	n->state.gone = gone;
	n->state.answered = true;
	if (changed)
		n->cb(&n->state, n->arg);
}

/* ---- asking */

/* Many names must not be asked for all at once again. */
static uint64_t
jitter(struct watched_name *n, uint64_t ms)
{
	uint64_t width = ms * JITTER_PERCENT / 100;

	n->seed = hash_bytes(&n->seed, sizeof(n->seed), clock_monotonic_us());
	return ms - width + n->seed % (2 * width + 1);
}

static void
ask_in(struct watched_name *n, uint64_t ms)
{
	loop_timer_start(n->timer, ms);
	n->state.due_ms = clock_monotonic_ms() + ms;
}

static void
ask_by_ttl(struct watched_name *n, uint32_t ttl_s)
{
	uint64_t ms;

	n->state.ttl_s = ttl_s;
	if (n->pace_ms > 0) {
		ask_in(n, jitter(n, n->pace_ms));
		return;
	}
	if (ttl_s < WATCHED_NAME_TTL_MIN_S)
		ttl_s = WATCHED_NAME_TTL_MIN_S;
	if (ttl_s > WATCHED_NAME_TTL_MAX_S)
		ttl_s = WATCHED_NAME_TTL_MAX_S;
	ms = UINT64_C(1000) * ttl_s;
	ms = jitter(n, ms - ms * AHEAD_PERCENT / 100);
	if (ms < 1000 * WATCHED_NAME_TTL_MIN_S)
		ms = 1000 * WATCHED_NAME_TTL_MIN_S;
	ask_in(n, ms);
}

static void
on_servers(void *arg)
{
	struct watched_name *n = arg;

	n->retry_ms = WATCHED_NAME_RETRY_MIN_MS;
	if (n->query == NULL)
		ask_in(n, 0);
}

static void
problem_take(struct watched_name *n, const char *problem)
{
	free(n->problem);
	n->problem = xstrdup(problem);
	if (n->addr_count + n->service_count == 0)
		n->stale_since_ms = 0;
	else if (n->stale_since_ms == 0)
		n->stale_since_ms = clock_realtime_ms();
	if (n->wait == NULL)
		n->wait = resolver_wait_new(n->resolver, on_servers, n);
	ask_in(n, jitter(n, n->retry_ms));
	n->retry_ms *= 2;
	if (n->retry_ms > WATCHED_NAME_RETRY_MAX_MS)
		n->retry_ms = WATCHED_NAME_RETRY_MAX_MS;
}

static void
found_free(struct watched_name *n)
{
	for (size_t i = 0; i < n->service_count; i++)
		free((char *)n->services[i].host);
	free(n->services);
	n->services = NULL;
	n->service_count = 0;
	free(n->addrs);
	n->addrs = NULL;
	n->addr_count = 0;
}

static void
services_take(struct watched_name *n, const struct resolver_answer *a)
{
	found_free(n);
	n->service_count = a->service_count;
	n->services =
		xmemdup(a->services, a->service_count * sizeof(*a->services));
	for (size_t i = 0; i < n->service_count; i++)
		n->services[i].host = xstrdup(a->services[i].host);
	hosts_want(n);
}

/* And what was known of a family that nobody could say anything of. */
static void
addrs_take(struct watched_name *n, const struct resolver_answer *a)
{
	struct addr *all =
		xcalloc(a->addr_count + n->addr_count + 1, sizeof(*all));
	size_t count = a->addr_count;

	memcpy(all, a->addrs, count * sizeof(*all));
	for (size_t i = 0; i < n->addr_count; i++)
		if (addr_is_v4(&n->addrs[i]) ? a->v4_failed : a->v6_failed)
			all[count++] = n->addrs[i];
	found_free(n);
	n->addrs = all;
	n->addr_count = count;
}

static void
found_take(struct watched_name *n, const struct resolver_answer *a)
{
	free(n->problem);
	n->problem = NULL;
	n->stale_since_ms = 0;
	n->denials = 0;
	n->retry_ms = WATCHED_NAME_RETRY_MIN_MS;
	resolver_wait_free(n->wait);
	n->wait = NULL;
	if (n->type == WATCHED_SERVICES)
		services_take(n, a);
	else
		addrs_take(n, a);
	ask_by_ttl(n, a->ttl_s);
}

static void
on_answer(const struct resolver_answer *a, void *arg)
{
	struct watched_name *n = arg;

	n->query = NULL;
	n->answered = true;
	switch (a->verdict) {
	case RESOLVER_FOUND:
		found_take(n, a);
		break;
	case RESOLVER_NO_NAME:
	case RESOLVER_NO_DATA:
		if (n->denials < DENIALS && ++n->denials == DENIALS) {
			found_free(n);
			hosts_want(n);
		}
		problem_take(n, a->failure);
		break;
	case RESOLVER_FAILED:
		/* What is gone stays so: nobody says that it is back. */
		if (n->denials < DENIALS)
			n->denials = 0;
		problem_take(n, a->failure);
		break;
	}
	state_settle(n);
}

static void
on_timer(void *arg)
{
	struct watched_name *n = arg;

	n->query = n->type == WATCHED_SERVICES
			   ? resolver_services_new(
				     n->resolver, n->name, on_answer, n)
			   : resolver_query_new(
				     n->resolver, n->name, on_answer, n);
	/* Asking may be what finds that the servers are others, and on_servers
	 * was called before there was a query: one of them is enough. */
	loop_timer_stop(n->timer);
}

/* ---- life */

struct watched_name *
watched_name_new(struct resolver *r, const char *name, enum watched_type type,
	watched_name_f *cb, void *arg)
{
	struct watched_name *n = xcalloc(1, sizeof(*n));

	n->resolver = r;
	n->name = xstrdup(name);
	n->type = type;
	n->cb = cb;
	n->arg = arg;
	n->retry_ms = WATCHED_NAME_RETRY_MIN_MS;
	n->seed = clock_monotonic_us() ^ (uint64_t)(uintptr_t)n;
	n->timer = loop_timer_new(resolver_loop(r), on_timer, n);
	on_timer(n);
	return n;
}

void
watched_name_pace(struct watched_name *n, uint64_t ms)
{
	n->pace_ms = ms;
	for (size_t i = 0; i < n->host_count; i++)
		watched_name_pace(n->hosts[i]->watched, ms);
}

void
watched_name_free(struct watched_name *n)
{
	if (n == NULL)
		return;
	resolver_query_cancel(n->query);
	resolver_wait_free(n->wait);
	loop_timer_free(n->timer);
	for (size_t i = 0; i < n->host_count; i++)
		host_free(n->hosts[i]);
	free(n->hosts);
	found_free(n);
	free(n->targets);
	free(n->problem);
	free(n->told_problem);
	free(n->name);
	free(n);
}

const struct watched_state *
watched_name_state(const struct watched_name *n)
{
	return &n->state;
}
