/* The endpoints of upstreams as people see them. */
#include "control/endpoints.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "control/discovery.h"
#include "control/functions.h"
#include "control/health.h"
#include "control/supervise.h"

/* Counters are untrusted. */
static struct doc *
number(uint64_t value)
{
	return doc_new_integer(value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

static struct doc *
in_use_print(struct doc *to, const char *key, uint64_t now, uint32_t limit)
{
	struct doc *d = doc_set(to, key, doc_new_map());

	doc_set(d, "now", number(now));
	doc_set(d, "limit", number(limit));
	return d;
}

static void
breakers_print(const struct object *o, const struct counters_upstream *sums,
	struct doc *to)
{
	const struct policy_breakers *most = o->model->upstream->breakers;
	struct doc *d = doc_set(to, "inUse", doc_new_map());
	struct doc *connections;

	if (most == NULL)
		most = &policy_breakers_default;
	connections = in_use_print(
		d, "connections", sums->connections_open, most->connections);
	doc_set(connections, "idle", number(sums->idle_open));
	in_use_print(d, "pending", sums->pending_active, most->pending);
	in_use_print(d, "requests", sums->requests_active, most->requests);
	in_use_print(d, "retries", sums->retries_active, most->retries);
}

static void
retries_print(const struct counters_upstream *sums, struct doc *to)
{
	struct doc *d = doc_set(to, "retries", doc_new_map());

	doc_set(d, "made", number(sums->retried));
	doc_set(d, "budgetUsedUp", number(sums->retry_budget_used_up));
	doc_set(d, "overMaxRetries", number(sums->retry_overflow));
}

/* Of an endpoint that is up: what keeps its share small. */
static void
slow_start_print(
	struct doc *to, const struct policy_balance *p, uint64_t age_ms)
{
	char text[64];

	if (age_ms >= p->slow_start_ms)
		return;
	snprintf(text, sizeof(text), "slow start, %llu s left",
		(unsigned long long)(p->slow_start_ms - age_ms + 999) / 1000);
	doc_set_string(to, "why", text);
}

static void
time_print(struct doc *to, const char *key, uint64_t at_ms)
{
	time_t seconds = (time_t)(at_ms / 1000);
	char text[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	doc_set_string(to, key, text);
}

static uint64_t
age_of(uint64_t at_ms)
{
	uint64_t now = clock_realtime_ms();

	return now > at_ms ? now - at_ms : 0;
}

static void
endpoint_print(struct doc *to, const struct object *o, const struct endpoint *e,
	size_t i)
{
	struct doc *d = doc_add(to, doc_new_map());
	uint64_t age_ms;
	struct health_view view;
	char text[ENDPOINT_TEXT_MAX];

	health_view(discovery_health(o->discovery), i, &view);
	age_ms = age_of(view.since_ms);
	doc_set_string(d, "address", endpoint_format(e, text));
	doc_set(d, "weight", number(e->weight));
	doc_set_string(
		d, "health", health_name((enum endpoint_health)e->health));
	time_print(d, "since", view.since_ms);
	doc_set(d, "seconds", number(age_ms / 1000));
	if (view.why[0] != '\0')
		doc_set_string(d, "why", view.why);
	else if (e->health == ENDPOINT_UP)
		slow_start_print(d, &o->model->upstream->balance, age_ms);
	if (view.problem != NULL)
		doc_set_string(d, "problem", view.problem);
	if (e->host[0] != '\0' && e->host[0] != '/')
		doc_set_string(d, "host", e->host);
}

static void
set_print(struct doc *to, const struct object *o, size_t limit)
{
	struct doc *list = doc_set(to, "endpoints", doc_new_list());
	size_t count;
	const struct endpoint *set =
		health_endpoints(discovery_health(o->discovery), &count);

	for (int up = 0; up < 2; up++)
		for (size_t i = 0; i < count && doc_count(list) < limit; i++)
			if ((set[i].health == ENDPOINT_UP) == up)
				endpoint_print(list, o, &set[i], i);
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
	doc_set(to, "ejectionsWithheld", number(counts.ejections_withheld));
}

/* The functions that were found, if it is known which there are;
 * "functionsOpen": true where there may be others. */
static void
function_names_print(struct doc *to, const struct discovery *d)
{
	size_t count;
	const char *const *names = discovery_functions(d, &count);
	struct doc *list;
	bool open = false;

	if (names == NULL)
		return;
	list = doc_set(to, "functions", doc_new_list());
	for (size_t i = 0; i < count; i++)
		if (functions_is_name(names[i]))
			doc_add(list, doc_new_string(names[i]));
		else
			open = true;
	if (open)
		doc_set(to, "functionsOpen", doc_new_bool(true));
}

/* When the set last changed, and whether there may be a newer one. */
static void
discovery_print(struct doc *to, const struct discovery *d)
{
	uint64_t changed = discovery_changed_ms(d), since;
	const char *problem = discovery_problem(d, &since);

	if (changed != 0) {
		time_print(to, "changed", changed);
		doc_set(to, "changedSeconds", number(age_of(changed) / 1000));
	}
	discovery_show(d, to);
	if (problem == NULL)
		return;
	time_print(to, "staleSince", since);
	doc_set_string(to, "staleReason", problem);
}

static void
upstream_print(const struct control *c, const struct object *o, struct doc *to,
	size_t limit)
{
	struct counters_upstream sums;

	supervisor_sum_upstream(c->supervisor, o->id, &sums);
	doc_set_string(to, "namespace", o->ns);
	doc_set_string(to, "name", o->name);
	discovery_print(to, o->discovery);
	function_names_print(to, o->discovery);
	counts_print(to, discovery_health(o->discovery));
	breakers_print(o, &sums, to);
	retries_print(&sums, to);
	set_print(to, o, limit);
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

		if (o->model == NULL ||
			discovery_health(o->discovery) == NULL ||
			(ns != NULL && strcmp(ns, o->ns) != 0) ||
			(name != NULL && strcmp(name, o->name) != 0))
			continue;
		upstream_print(c, o, doc_add(items, doc_new_map()), limit);
	}
	return d;
}
