/*
 * A client of net/http_client.h on a loop, calls of it, and what each has come
 * to; and a server in the clear, for a group of tests. To be included once in
 * a test program.
 */
#ifndef TESTS_UNIT_NET_HTTP_CALLS_H
#define TESTS_UNIT_NET_HTTP_CALLS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/http_client.h"
#include "net/loop.h"
#include "tests/lib/https_server.h"

static struct loop *loop;
static struct http_client *client;
static size_t open_calls;
static struct https_server plain;

static inline int
plain_setup(void **state)
{
	(void)state;
	https_server_start(&plain, &(struct https_server_options){ NULL });
	return 0;
}

static inline int
plain_teardown(void **state)
{
	(void)state;
	https_server_stop(&plain);
	return 0;
}

static inline int
setup(void **state)
{
	(void)state;
	loop = loop_new();
	client = http_client_new(loop);
	open_calls = 0;
	return 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	http_client_free(client);
	loop_free(loop);
	return 0;
}

#define CALL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* What a call has come to. */
struct seen {
	struct http_call *call; /* NULL: it has ended or was cancelled */
	struct str order;       /* "head 200, body, body, done" */
	struct str body;
	char *problem, *header;
	const char *header_wanted; /* a field to look for */
	int status;
	bool timed_out;
	size_t pieces;
	uint64_t ended_ms; /* by the monotonic clock */
	/* What is done in a callback: */
	enum {
		GO_ON,
		CANCEL,
		CANCEL_OTHER,
		FREE_CLIENT,
		AGAIN,
		ENOUGH
	} deed;
	const char *when; /* "head", "body", "done" */
	struct seen *other;
	const struct http_request *again;
};

static const struct http_events events, events_stream;

static inline void
seen_begin(struct seen *seen, const struct http_request *r, bool stream)
{
	str_init(&seen->order);
	str_init(&seen->body);
	open_calls++;
	seen->call = http_call_new(
		client, r, stream ? &events_stream : &events, seen);
	assert_non_null(seen->call);
	/* Nothing is told before. */
	assert_int_equal(seen->order.length, 0);
}

static inline void
seen_fini(struct seen *seen)
{
	str_fini(&seen->order);
	str_fini(&seen->body);
	free(seen->problem);
	free(seen->header);
	seen->problem = seen->header = NULL;
}

/* One call less to wait for. */
static inline void
seen_over(struct seen *seen)
{
	seen->call = NULL;
	if (--open_calls == 0)
		loop_stop(loop);
}

static inline void
seen_cancel(struct seen *seen)
{
	struct http_call *call = seen->call;

	seen_over(seen);
	http_call_cancel(call);
}

/* In a callback; what is asked for in "done" must not end that call again. */
static inline int
seen_do(struct seen *seen, const char *where)
{
	if (seen->deed == GO_ON || strcmp(seen->when, where) != 0)
		return 0;
	switch (seen->deed) {
	case CANCEL:
		if (seen->call != NULL)
			seen_cancel(seen);
		break;
	case CANCEL_OTHER:
		if (seen->other->call != NULL)
			seen_cancel(seen->other);
		break;
	case FREE_CLIENT:
		http_client_free(client);
		client = NULL;
		open_calls = 1;
		seen_over(seen);
		break;
	case AGAIN:
		seen->deed = GO_ON;
		seen_begin(seen->other, seen->again, false);
		break;
	default:
		return 1;
	}
	return 0;
}

static inline void
on_head(struct http_call *call, int status, void *arg)
{
	struct seen *seen = arg;

	assert_ptr_equal(call, seen->call);
	seen->status = status;
	str_printf(&seen->order, "head %d, ", status);
	if (seen->header_wanted != NULL &&
		http_call_header(call, seen->header_wanted) != NULL)
		seen->header =
			xstrdup(http_call_header(call, seen->header_wanted));
	seen_do(seen, "head");
}

static inline int
on_body(struct http_call *call, const void *data, size_t length, void *arg)
{
	struct seen *seen = arg;

	assert_ptr_equal(call, seen->call);
	assert_true(length > 0);
	if (seen->pieces++ == 0)
		str_puts(&seen->order, "body, ");
	str_append(&seen->body, data, length);
	return seen_do(seen, "body");
}

static inline void
on_done(struct http_call *call, const struct http_result *result, void *arg)
{
	struct seen *seen = arg;

	assert_ptr_equal(call, seen->call);
	str_puts(&seen->order, "done");
	seen->ended_ms = clock_monotonic_ms();
	seen->status = result->status;
	seen->timed_out = result->timed_out;
	if (result->problem != NULL)
		seen->problem = xstrdup(result->problem);
	str_append(&seen->body, result->body.data, result->body.length);
	if (seen->deed == CANCEL && strcmp(seen->when, "done") == 0)
		http_call_cancel(call);
	seen_over(seen);
	seen_do(seen, "done");
}

static const struct http_events events = { .head = on_head, .done = on_done };
static const struct http_events events_stream = {
	.head = on_head, .body = on_body, .done = on_done
};

static inline void
on_guard(void *arg)
{
	(void)arg;
	fail_msg("%zu calls did not end", open_calls);
}

/* Until all calls are over. */
static inline void
run(void)
{
	struct loop_timer *guard = loop_timer_new(loop, on_guard, NULL);

	loop_timer_start(guard, 20000);
	if (open_calls > 0)
		loop_run(loop);
	loop_timer_free(guard);
}

static inline void
exchange(struct seen *seen, const struct http_request *r, bool stream)
{
	seen_begin(seen, r, stream);
	run();
}

static inline const char *
url_of(const char *scheme, const char *host, const struct https_server *s,
	const char *path)
{
	static char url[8][200];
	static unsigned next;
	char *out = url[next++ % ARRAY_SIZE(url)];

	snprintf(out, sizeof(url[0]), "%s://%s:%u%s", scheme, host, s->port,
		path);
	return out;
}

static inline struct http_request
request_to(const char *path)
{
	return (struct http_request){
		.url = url_of("http", "127.0.0.1", &plain, path),
	};
}

static inline void
expect_problem(const struct seen *seen, const char *part)
{
	if (part == NULL && seen->problem != NULL)
		fail_msg("%s", seen->problem);
	if (part != NULL &&
		(seen->problem == NULL || strstr(seen->problem, part) == NULL))
		fail_msg("\"%s\" has no \"%s\"",
			seen->problem == NULL ? "no problem" : seen->problem,
			part);
}

#endif
