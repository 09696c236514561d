/*
 * A Consul agent and names in the test's hands: questions are answered when it
 * says so, and what the kind tells its program is written down:
 * "agent warning: why", "found web {...spec...}", "gone web", "settled".
 */
#ifndef TESTS_UNIT_KINDS_CONSUL_FAKE_H
#define TESTS_UNIT_KINDS_CONSUL_FAKE_H

#include "fake_host.h"
#include "fake_program.h"
#include "fake_watched.h"
#include "told.h"

#include <stdio.h>

#include "base/json.h"
#include "base/table.h"
#include "kinds/consul/agent.h"
#include "tests/unit/net/fake_time.h"

extern const struct upstream_kind upstream_kind_consul;

/* ---- the agent */

#define CATALOG "/v1/catalog/services"
#define OWN     "/v1/health/service/consul"

struct consul_agent {
	size_t queries;
};

struct consul_query {
	struct consul_query *next;
	struct consul_agent *agent;
	char *path, *datacenter;
	uint8_t consistency;
	bool use_cache;
	struct consul_events events;
	void *arg;
};

static struct consul_query *fake_questions; /* the youngest first */
static bool fake_filtered;                  /* the next answers say so */

struct consul_agent *
consul_agent_new(struct loop *loop, struct http_client *http,
	const struct consul_settings *settings, const char *folder)
{
	(void)loop, (void)http, (void)settings, (void)folder;
	return xcalloc(1, sizeof(struct consul_agent));
}

void
consul_agent_free(struct consul_agent *a)
{
	assert_int_equal(a->queries, 0);
	free(a);
}

void
consul_agent_counts(
	const struct consul_agent *a, struct consul_agent_counts *out)
{
	(void)a;
	*out = (struct consul_agent_counts){ 0 };
}

struct consul_query *
consul_query_new(struct consul_agent *a, const struct consul_question *q,
	const struct consul_events *events, void *arg)
{
	struct consul_query *one = xcalloc(1, sizeof(*one));

	*one = (struct consul_query){ fake_questions, a, xstrdup(q->path),
		q->datacenter == NULL ? NULL : xstrdup(q->datacenter),
		q->consistency, q->use_cache, *events, arg };
	fake_questions = one;
	a->queries++;
	return one;
}

void
consul_query_free(struct consul_query *q)
{
	struct consul_query **at = &fake_questions;

	if (q == NULL)
		return;
	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	q->agent->queries--;
	free(q->path);
	free(q->datacenter);
	free(q);
}

/* where: "/v1/...", or "dc2 /v1/...". NULL: it is not asked. */
static inline struct consul_query *
question(const char *where)
{
	for (struct consul_query *q = fake_questions; q != NULL; q = q->next) {
		char *text = xasprintf("%s%s%s",
			q->datacenter == NULL ? "" : q->datacenter,
			q->datacenter == NULL ? "" : " ", q->path);
		bool same = strcmp(text, where) == 0;

		free(text);
		if (same)
			return q;
	}
	return NULL;
}

/* To all who ask that. */
static inline int
answer_to(const char *where, const char *json, struct error *err)
{
	struct consul_query *q = question(where);
	struct consul_answer answer = {
		.body = slice_of(json),
		.index = 7,
		.filtered = fake_filtered,
		.answered_us = fake_now_ms * 1000,
	};

	if (q == NULL)
		fail_msg("nobody asks for %s", where);
	return q->events.answer(&answer, q->arg, err);
}

static inline void
says(const char *where, const char *json)
{
	struct error err = ERROR_INIT;

	if (answer_to(where, json, &err) != 0)
		fail_msg("%s: %s", where, err.text);
}

static inline void
says_filtered(const char *where, const char *json)
{
	fake_filtered = true;
	says(where, json);
	fake_filtered = false;
}

/* why NULL: it works again. */
static inline void
fails(const char *where, const char *why)
{
	struct consul_query *q = question(where);

	if (q == NULL)
		fail_msg("nobody asks for %s", where);
	q->events.failed(why, clock_realtime_ms(), q->arg);
}

/* ---- the program */

static struct table *fake_said;  /* by name: what was found, in any run */
static const char *fake_refuses; /* an upstream of that name is by hand */
/* Consul's own service is in every whole catalog: it is not written down. */
static bool fake_own_found;

static inline void
doc_told(const struct doc *d)
{
	json_doc_write(d, 0, &told);
	str_putc(&told, '\n');
}

static void
doc_drop(void *value)
{
	doc_free(value);
}

static inline int
on_found(struct kind_program *p, struct doc *d, struct error *err)
{
	const struct doc *meta = doc_get(d, "metadata");
	const char *name = doc_get_text(meta, "name");

	(void)p;
	assert_string_equal(doc_get_text(meta, "namespace"), "found");
	assert_string_equal(
		doc_get_text(doc_get(meta, "labels"), "discovered_by"),
		"consulplugin");
	if (strcmp(name, "consul") == 0) {
		fake_own_found = true;
		doc_free(d);
		return 0;
	}
	str_printf(&told, "found %s ", name);
	doc_told(doc_find(d, "upstreamSpec", "consul", NULL));
	if (fake_refuses != NULL && strcmp(name, fake_refuses) == 0) {
		doc_free(d);
		return error_set(err, ERROR_CONFIG, "it was made by hand");
	}
	table_set(fake_said, name, d);
	return 0;
}

static inline void
on_gone(struct kind_program *p, const char *name)
{
	(void)p;
	if (strcmp(name, "consul") == 0) {
		fake_own_found = false;
		return;
	}
	str_printf(&told, "gone %s\n", name);
	table_remove(fake_said, name);
}

static inline const struct doc *
said(struct kind_program *p, const char *name)
{
	(void)p;
	return table_get(fake_said, name);
}

static int
name_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Of all that was ever said, what it is settled about. */
static inline void
on_settled(struct kind_program *p, kind_settled_f *settled, void *arg)
{
	const char *names[16], *key;
	size_t place = 0, count = 0;
	void *value;

	(void)p;
	str_puts(&told, "settled");
	while (table_next(fake_said, &place, &key, &value)) {
		if (!settled(value, arg))
			continue;
		assert_true(count < ARRAY_SIZE(names));
		names[count++] = key;
	}
	qsort(names, count, sizeof(names[0]), name_compare);
	for (size_t i = 0; i < count; i++)
		str_printf(&told, " %s", names[i]);
	str_putc(&told, '\n');
}

struct world {
	struct kind_program program;
	struct doc *settings;
	void *shared;
};

static struct world world;

/* What an earlier run said of the upstream of that name. */
static inline void
was_found(const char *name, const char *spec_yaml)
{
	struct doc *d = doc_new_map();

	doc_set(doc_set(d, "upstreamSpec", doc_new_map()), "consul",
		yaml(spec_yaml));
	table_set(fake_said, name, d);
}

static inline void
world_open(const char *settings_yaml)
{
	world.settings = yaml(settings_yaml);
	world.program = (struct kind_program){
		.settings = world.settings,
		.discovery_namespace = "found",
		.settings_folder = ".",
		.upstream_found = on_found,
		.upstream_gone = on_gone,
		.upstream_said = said,
		.upstreams_settled = on_settled,
		.condition_set = on_condition,
	};
	world.shared = upstream_kind_consul.open(&world.program);
	assert_non_null(world.shared);
}

static inline void
world_close(void)
{
	upstream_kind_consul.close(world.shared);
	doc_free(world.settings);
	memset(&world, 0, sizeof(world));
	fake_forget();
	assert_null(fake_questions);
	assert_null(fake_names);
	assert_null(fake_timers);
}

static inline int
world_setup(void **state)
{
	fake_said = table_new(doc_drop);
	return told_setup(state);
}

static inline int
world_teardown(void **state)
{
	table_free(fake_said);
	return told_teardown(state);
}

/* Each test begins with nothing found. */
static inline int
world_begin(void **state)
{
	(void)state;
	table_free(fake_said);
	fake_said = table_new(doc_drop);
	fake_refuses = NULL;
	fake_own_found = false;
	str_clear(&told);
	return 0;
}

#endif
