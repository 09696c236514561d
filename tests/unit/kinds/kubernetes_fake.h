/*
 * What the writers of the Kubernetes kind stand on, in the test's hands: time
 * that passes when it is told to, calls that the test answers, and a line for
 * whatever the program is told.
 */
#ifndef TESTS_UNIT_KINDS_KUBERNETES_FAKE_H
#define TESTS_UNIT_KINDS_KUBERNETES_FAKE_H

#include "fake_program.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "kinds/kubernetes/cluster.h"
#include "net/loop.h"
#include "tests/unit/net/fake_time.h"

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

struct loop {
	bool stopped;
};

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

/* ---- the end */

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
