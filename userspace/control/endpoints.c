/* The endpoints of upstreams as people see them. */
#include "control/endpoints.h"

#include <stdint.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "control/discovery.h"
#include "control/health.h"
#include "control/supervise.h"

/* Counters are untrusted. */
static struct doc *
number(uint64_t value)
{
	return doc_new_integer(value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

static void
in_use_print(struct doc *to, const char *key, uint64_t now, uint32_t limit)
{
	struct doc *d = doc_set(to, key, doc_new_map());

	doc_set(d, "now", number(now));
	doc_set(d, "limit", number(limit));
}

static void
breakers_print(const struct control *c, const struct object *o, struct doc *to)
{
	const struct policy_breakers *most = o->model->upstream->breakers;
	struct doc *d = doc_set(to, "inUse", doc_new_map());
	struct counters_upstream sums;

	if (most == NULL)
		most = &policy_breakers_default;
	supervisor_sum_upstream(c->supervisor, o->id, &sums);
	in_use_print(
		d, "connections", sums.connections_open, most->connections);
	in_use_print(d, "pending", sums.pending_active, most->pending);
	in_use_print(d, "requests", sums.requests_active, most->requests);
	in_use_print(d, "retries", sums.retries_active, most->retries);
}

static void
endpoint_print(struct doc *to, const struct health *h, const struct endpoint *e,
	size_t i)
{
	struct doc *d = doc_add(to, doc_new_map());
	uint64_t now = clock_realtime_ms();
	struct health_view view;
	char text[ADDR_TEXT_MAX];
	time_t seconds;
	struct tm tm;

	health_view(h, i, &view);
	seconds = (time_t)(view.since_ms / 1000);
	doc_set_string(d, "address", addr_format(&e->addr, text));
	doc_set(d, "weight", number(e->weight));
	doc_set_string(
		d, "health", health_name((enum endpoint_health)e->health));
	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	doc_set_string(d, "since", text);
	doc_set(d, "seconds",
		number(now > view.since_ms ? (now - view.since_ms) / 1000 : 0));
	if (view.why[0] != '\0')
		doc_set_string(d, "why", view.why);
	if (e->host[0] != '\0')
		doc_set_string(d, "host", e->host);
}

static void
set_print(struct doc *to, const struct health *h, size_t limit)
{
	struct doc *list = doc_set(to, "endpoints", doc_new_list());
	size_t count;
	const struct endpoint *set = health_endpoints(h, &count);

	for (int up = 0; up < 2; up++)
		for (size_t i = 0; i < count && doc_count(list) < limit; i++)
			if ((set[i].health == ENDPOINT_UP) == up)
				endpoint_print(list, h, &set[i], i);
}

static void
counts_print(struct doc *to, const struct health *h)
{
	struct health_counts counts;

	health_counts(h, &counts);
	doc_set(to, "count", number(counts.up + counts.draining + counts.down));
	doc_set(to, "up", number(counts.up));
	doc_set(to, "draining", number(counts.draining));
	doc_set(to, "down", number(counts.down));
	doc_set(to, "ejected", number(counts.ejected));
	doc_set(to, "ejections", number(counts.ejections));
}

struct doc *
endpoints_print(
	const struct control *c, const char *ns, const char *name, size_t limit)
{
	struct doc *d = doc_new_map();
	struct doc *items = doc_set(d, "items", doc_new_list());

	for (size_t i = 0; i < objects_count(c->objects, MODEL_UPSTREAM); i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_UPSTREAM, i);
		const struct health *h = discovery_health(o->discovery);
		struct doc *one;

		if (o->model == NULL || h == NULL ||
			(ns != NULL && strcmp(ns, o->ns) != 0) ||
			(name != NULL && strcmp(name, o->name) != 0))
			continue;
		one = doc_add(items, doc_new_map());
		doc_set_string(one, "namespace", o->ns);
		doc_set_string(one, "name", o->name);
		counts_print(one, h);
		breakers_print(c, o, one);
		set_print(one, h, limit);
	}
	return d;
}
