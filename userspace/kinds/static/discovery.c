/* The endpoints of a static upstream: names are resolved again by TTL. */
#include "kinds/static/static.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/table.h"
#include "net/loop.h"
#include "net/resolver.h"

#define TTL_MIN_S      1
#define TTL_MAX_S      300
#define RETRY_MIN_MS   1000
#define RETRY_MAX_MS   30000
#define JITTER_PERCENT 10

struct static_state;

/* One entry of hosts: a literal address, or a name and what it led to. */
struct static_entry {
	struct static_state *state;
	char *name; /* NULL: literal */
	uint16_t port, weight;

	struct addr *addrs; /* kept when a later resolution fails */
	size_t addr_count;

	struct resolver_query *query;
	struct loop_timer *timer;
	uint64_t retry_ms;
	char *failure; /* NULL: the last resolution succeeded */
	bool answered; /* at least once, well or badly */
};

struct static_state {
	struct kind_host *host;
	struct static_entry *entries;
	size_t count;
	uint64_t seed; /* of the jitter */

	struct endpoint *reported;
	size_t reported_count;
	bool condition_told;
	char *condition; /* the reason told last; NULL: ok */
};

/* ---- reporting */

static size_t
entry_endpoints(const struct static_entry *e, struct table *seen,
	struct endpoint *out, size_t room)
{
	size_t count = 0;

	for (size_t i = 0; i < e->addr_count && count < room; i++) {
		struct endpoint *one = &out[count];
		char text[ADDR_TEXT_MAX];

		memset(one, 0, sizeof(*one));
		one->addr = e->addrs[i];
		one->addr.port_be = htons(e->port);
		one->weight = e->weight;
		one->health = ENDPOINT_UP;
		if (e->name != NULL)
			snprintf(one->host, sizeof(one->host), "%s", e->name);
		addr_format(&one->addr, text);
		if (table_get(seen, text) != NULL)
			continue;
		table_set(seen, text, one);
		count++;
	}
	return count;
}

/* All entries' endpoints in order, each address once. */
static struct endpoint *
state_endpoints(const struct static_state *s, size_t *count)
{
	struct table *seen = table_new(NULL);
	struct endpoint *all;
	size_t room = 0;

	for (size_t i = 0; i < s->count; i++)
		room += s->entries[i].addr_count;
	if (room > ENDPOINTS_MAX)
		room = ENDPOINTS_MAX;
	all = xcalloc(room + 1, sizeof(*all));
	*count = 0;
	for (size_t i = 0; i < s->count; i++)
		*count += entry_endpoints(
			&s->entries[i], seen, all + *count, room - *count);
	table_free(seen);
	return all;
}

/* Nothing known at all is not reported: it would empty what an earlier run
 * of the gateway knew. */
static void
endpoints_report(struct static_state *s)
{
	size_t count;
	struct endpoint *all = state_endpoints(s, &count);

	if (count == 0 ||
		(count == s->reported_count &&
			memcmp(all, s->reported, count * sizeof(*all)) == 0)) {
		free(all);
		return;
	}
	free(s->reported);
	s->reported = all;
	s->reported_count = count;
	s->host->endpoints_replace(s->host, all, count);
}

static void
condition_tell(struct static_state *s, char *reason)
{
	bool same = s->condition_told &&
		    (reason == NULL || s->condition == NULL
				    ? reason == s->condition
				    : strcmp(reason, s->condition) == 0);

	free(s->condition);
	s->condition = reason;
	s->condition_told = true;
	if (!same)
		s->host->condition_set(s->host, reason == NULL, reason);
}

static void
condition_report(struct static_state *s)
{
	bool pending = false;

	for (size_t i = 0; i < s->count; i++) {
		const struct static_entry *e = &s->entries[i];

		if (e->failure != NULL) {
			condition_tell(s, xasprintf("cannot resolve \"%s\": %s",
						  e->name, e->failure));
			return;
		}
		pending |= e->name != NULL && !e->answered;
	}
	if (!pending)
		condition_tell(s, NULL);
}

/* ---- resolving */

/* Many upstreams must not ask all at once again. */
static uint64_t
jitter(struct static_state *s, uint64_t ms)
{
	uint64_t width = ms * JITTER_PERCENT / 100;

	s->seed = hash_bytes(&s->seed, sizeof(s->seed), clock_monotonic_us());
	return ms - width + s->seed % (2 * width + 1);
}

static void
answer_failed(struct static_entry *e, const char *failure)
{
	free(e->failure);
	e->failure = xstrdup(failure);
	loop_timer_start(e->timer, jitter(e->state, e->retry_ms));
	e->retry_ms *= 2;
	if (e->retry_ms > RETRY_MAX_MS)
		e->retry_ms = RETRY_MAX_MS;
}

static void
answer_taken(struct static_entry *e, const struct addr *addrs, size_t count,
	uint32_t ttl_s)
{
	uint64_t ms;

	free(e->addrs);
	e->addrs = xmemdup(addrs, count * sizeof(*addrs));
	e->addr_count = count;
	free(e->failure);
	e->failure = NULL;
	e->retry_ms = RETRY_MIN_MS;

	if (ttl_s < TTL_MIN_S)
		ttl_s = TTL_MIN_S;
	if (ttl_s > TTL_MAX_S)
		ttl_s = TTL_MAX_S;
	ms = jitter(e->state, UINT64_C(1000) * ttl_s);
	if (ms < 1000 * TTL_MIN_S)
		ms = 1000 * TTL_MIN_S;
	if (ms > 1000 * TTL_MAX_S)
		ms = 1000 * TTL_MAX_S;
	loop_timer_start(e->timer, ms);
}

static void
entry_answer(const struct addr *addrs, size_t count, uint32_t ttl_s,
	const char *failure, void *arg)
{
	struct static_entry *e = arg;

	e->query = NULL;
	e->answered = true;
	if (failure != NULL || count == 0)
		answer_failed(
			e, failure != NULL ? failure : "it has no address");
	else
		answer_taken(e, addrs, count, ttl_s);
	endpoints_report(e->state);
	condition_report(e->state);
}

static void
entry_ask(void *arg)
{
	struct static_entry *e = arg;

	e->query = resolver_query_new(
		e->state->host->resolver, e->name, entry_answer, e);
}

static void
entry_init(struct static_entry *e, const struct static_host *h,
	struct static_state *s)
{
	struct addr literal;
	size_t length = strlen(h->addr);

	e->state = s;
	e->port = h->port;
	e->weight = h->weight;
	e->retry_ms = RETRY_MIN_MS;
	if (addr_parse_ip(h->addr, h->port, &literal) == 0) {
		e->addrs = xmemdup(&literal, sizeof(literal));
		e->addr_count = 1;
		return;
	}
	if (h->addr[length - 1] == '.')
		length--;
	e->name = xstrndup(h->addr, length);
	e->timer = loop_timer_new(s->host->loop, entry_ask, e);
}

static void
entry_fini(struct static_entry *e)
{
	if (e->query != NULL)
		resolver_query_cancel(e->query);
	if (e->timer != NULL)
		loop_timer_free(e->timer);
	free(e->name);
	free(e->addrs);
	free(e->failure);
}

void *
static_watch(const void *data, struct kind_host *host)
{
	const struct static_spec *spec = data;
	struct static_state *s = xcalloc(1, sizeof(*s));

	s->host = host;
	s->seed = clock_monotonic_us() ^ (uint64_t)(uintptr_t)s;
	s->count = spec->host_count;
	s->entries = xcalloc(s->count, sizeof(*s->entries));
	for (size_t i = 0; i < s->count; i++)
		entry_init(&s->entries[i], &spec->hosts[i], s);
	endpoints_report(s);
	condition_report(s);
	for (size_t i = 0; i < s->count; i++)
		if (s->entries[i].name != NULL)
			entry_ask(&s->entries[i]);
	return s;
}

void
static_unwatch(void *state)
{
	struct static_state *s = state;

	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++)
		entry_fini(&s->entries[i]);
	free(s->entries);
	free(s->reported);
	free(s->condition);
	free(s);
}
