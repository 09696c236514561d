/*
 * What the writers of the Kubernetes kind stand on, in the test's hands: time
 * that passes when it is told to, calls that the test answers, and a line for
 * whatever the program is told.
 */
#ifndef TESTS_UNIT_KINDS_KUBERNETES_FAKE_H
#define TESTS_UNIT_KINDS_KUBERNETES_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "kinds/kubernetes/cluster.h"
#include "net/loop.h"

/* ---- time */

struct loop_timer {
	loop_timer_f *cb;
	void *arg;
	bool started;
	uint64_t due_ms;
	struct loop_timer *next;
};

struct loop {
	bool stopped;
};

static uint64_t fake_now_ms = 1000000;
static struct loop_timer *fake_timers;

uint64_t
loop_now_ms(struct loop *l)
{
	(void)l;
	return fake_now_ms;
}

uint64_t
clock_monotonic_ms(void)
{
	return fake_now_ms;
}

uint64_t
clock_monotonic_us(void)
{
	return fake_now_ms * 1000;
}

uint64_t
clock_realtime_ms(void)
{
	return 1795698000000 + fake_now_ms;
}

struct loop_timer *
loop_timer_new(struct loop *l, loop_timer_f *cb, void *arg)
{
	struct loop_timer *t = xcalloc(1, sizeof(*t));

	(void)l;
	*t = (struct loop_timer){ .cb = cb, .arg = arg, .next = fake_timers };
	fake_timers = t;
	return t;
}

void
loop_timer_start(struct loop_timer *t, uint64_t delay_ms)
{
	t->started = true;
	t->due_ms = fake_now_ms + delay_ms;
}

void
loop_timer_stop(struct loop_timer *t)
{
	t->started = false;
}

bool
loop_timer_pending(const struct loop_timer *t)
{
	return t->started;
}

void
loop_timer_free(struct loop_timer *t)
{
	struct loop_timer **at = &fake_timers;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	free(t);
}

static inline struct loop_timer *
fake_timer_next(void)
{
	struct loop_timer *first = NULL;

	for (struct loop_timer *t = fake_timers; t != NULL; t = t->next)
		if (t->started && (first == NULL || t->due_ms < first->due_ms))
			first = t;
	return first;
}

/* Lets so much time pass; timers run off in their order. */
static inline void
pass(uint64_t ms)
{
	uint64_t until_ms = fake_now_ms + ms;
	struct loop_timer *t;

	while ((t = fake_timer_next()) != NULL && t->due_ms <= until_ms) {
		if (t->due_ms > fake_now_ms)
			fake_now_ms = t->due_ms;
		t->started = false;
		t->cb(t->arg);
	}
	fake_now_ms = until_ms;
}

/* ---- calls */

struct kubernetes_api {
	bool temporary; /* made by the code under test */
};

struct kubernetes_call {
	struct kubernetes_api *api;
	char *method, *path, *type;
	bool urgent;
	struct doc *body;
	kubernetes_answer_f *cb;
	void *arg;
	struct kubernetes_call *next;
};

static struct kubernetes_call *fake_calls; /* the oldest first */
static size_t fake_call_count;             /* of all time */

struct kubernetes_call *
kubernetes_api_call(struct kubernetes_api *api,
	const struct kubernetes_request *r, kubernetes_answer_f *cb, void *arg)
{
	struct kubernetes_call *call = xcalloc(1, sizeof(*call));
	struct kubernetes_call **at = &fake_calls;
	struct error err = ERROR_INIT;

	call->api = api;
	call->urgent = r->urgent;
	call->method = xstrdup(r->method == NULL ? "GET" : r->method);
	call->path = xstrdup(r->path);
	call->type = xstrdup(r->content_type == NULL ? "application/json"
						     : r->content_type);
	if (r->body.length > 0) {
		call->body = json_doc_read(r->body.data, r->body.length, &err);
		assert_non_null(call->body);
	}
	call->cb = cb;
	call->arg = arg;
	while (*at != NULL)
		at = &(*at)->next;
	*at = call;
	fake_call_count++;
	return call;
}

static inline void
fake_call_free(struct kubernetes_call *call)
{
	struct kubernetes_call **at = &fake_calls;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	free(call->method);
	free(call->path);
	free(call->type);
	doc_free(call->body);
	free(call);
}

void
kubernetes_call_cancel(struct kubernetes_call *call)
{
	fake_call_free(call);
}

/* What the next answers say of the server's clock; 0: nothing. */
static uint64_t fake_date_ms;

/* The answer of that call; json NULL: none. */
static inline void
answer(struct kubernetes_call *call, int status, const char *json)
{
	static char problem[64];
	static unsigned count;
	struct error err = ERROR_INIT;
	struct doc *d = json == NULL
				? NULL
				: json_doc_read(json, strlen(json), &err);
	struct kubernetes_answer a = {
		.status = status,
		.doc = d,
		.reason = "",
		.date_ms = fake_date_ms,
	};
	kubernetes_answer_f *cb = call->cb;
	void *arg = call->arg;

	if (json != NULL && d == NULL)
		fail_msg("%s: %s", json, err.text);
	snprintf(problem, sizeof(problem), "the server said %d", status);
	if (status == 0) /* other words each time, as libcurl's are */
		snprintf(problem, sizeof(problem), "no answer %u", ++count);
	if (status < 200 || status > 299)
		a.problem = problem;
	fake_call_free(call);
	cb(&a, arg);
	doc_free(d);
}

/* "PATCH /a/b {...}" of the oldest call. */
static inline void
call_is(const char *want)
{
	struct str text;

	assert_non_null(fake_calls);
	str_init(&text);
	str_printf(&text, "%s %s", fake_calls->method, fake_calls->path);
	if (fake_calls->body != NULL) {
		str_putc(&text, ' ');
		json_doc_write(fake_calls->body, 0, &text);
	}
	assert_string_equal(text.data, want);
	str_fini(&text);
}

/* ---- a loop of its own (lease.c, at the end) */

/* Answers what the code under test asks there, or lets it wait: false. */
static bool (*fake_serve)(struct kubernetes_call *call);

struct loop *
loop_new(void)
{
	return xcalloc(1, sizeof(struct loop));
}

void
loop_free(struct loop *l)
{
	free(l);
}

void
loop_stop(struct loop *l)
{
	l->stopped = true;
}

static inline bool
fake_serve_one(void)
{
	for (struct kubernetes_call *c = fake_calls; c != NULL; c = c->next)
		if (fake_serve != NULL && fake_serve(c))
			return true;
	return false;
}

void
loop_run(struct loop *l)
{
	while (!l->stopped) {
		struct loop_timer *t;

		if (fake_serve_one())
			continue;
		t = fake_timer_next();
		assert_non_null(t);
		pass(t->due_ms > fake_now_ms ? t->due_ms - fake_now_ms : 0);
	}
}

struct http_client *
http_client_new(struct loop *loop)
{
	(void)loop;
	return NULL;
}

void
http_client_free(struct http_client *c)
{
	(void)c;
}

struct kubernetes_api *
kubernetes_api_new(struct loop *loop, struct http_client *http,
	struct kubernetes_account *account)
{
	struct kubernetes_api *api = xcalloc(1, sizeof(*api));

	(void)loop;
	(void)http;
	(void)account;
	api->temporary = true;
	return api;
}

void
kubernetes_api_free(struct kubernetes_api *api)
{
	assert_true(api->temporary);
	free(api);
}

/* ---- the program: a line for what it is told, when it is something else */

#define FAKE_PARTS 8

static struct str told;
static struct {
	char *part;
	enum kind_level level;
	char *reason;
} fake_conditions[FAKE_PARTS];

static inline void
on_condition(struct kind_program *p, const char *part, enum kind_level level,
	const char *reason)
{
	static const char *const names[] = { "ok", "note", "warning", "error" };
	size_t i = 0;

	(void)p;
	if (reason == NULL)
		reason = "";
	while (fake_conditions[i].part != NULL &&
		strcmp(fake_conditions[i].part, part) != 0)
		assert_true(++i < FAKE_PARTS);
	if (fake_conditions[i].part == NULL) {
		fake_conditions[i].part = xstrdup(part);
		fake_conditions[i].reason = xstrdup("");
	}
	if (fake_conditions[i].level == level &&
		strcmp(fake_conditions[i].reason, reason) == 0)
		return;
	fake_conditions[i].level = level;
	free(fake_conditions[i].reason);
	fake_conditions[i].reason = xstrdup(reason);
	str_printf(&told, "%s %s", part, names[level]);
	if (reason[0] != '\0')
		str_printf(&told, ": %s", reason);
	str_putc(&told, '\n');
}

static inline void
told_is(const char *want)
{
	assert_string_equal(told.data, want);
	str_clear(&told);
}

static inline void
fake_forget(void)
{
	for (size_t i = 0; i < FAKE_PARTS; i++) {
		free(fake_conditions[i].part);
		free(fake_conditions[i].reason);
	}
	memset(fake_conditions, 0, sizeof(fake_conditions));
}

/* Nothing is left behind. */
static inline void
fake_end(void)
{
	fake_forget();
	str_fini(&told);
	fake_call_count = 0;
	assert_null(fake_calls);
	assert_null(fake_timers);
}

#endif
