/*
 * A proxy before an origin that answers as it is told, and what asks it, as
 * bytes: what the client sent, what the origin answered, what reached either.
 * With the counters and the access log of all of it.
 */
#ifndef TESTS_UNIT_PROXY_EXCHANGE_ROWS_H
#define TESTS_UNIT_PROXY_EXCHANGE_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/lib/rig.h"

#define CHARS(text) ((char *)(uintptr_t)(text))
#define ANSWERS_MAX 4
#define OK_A        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"
#define OK_B        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb"
/* As a client gets them. */
#define GOT_A "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na"
#define GOT_B "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nb"
/* What every request gets on its way. */
#define ADDED                                                                  \
	"x-forwarded-for: 127.0.0.1\r\nx-forwarded-proto: http\r\n"            \
	"x-request-id: ID\r\n"
#define TIMED "x-envoy-expected-rq-timeout-ms: 15000\r\n"
/* On a connection that nothing was sent on before. */
#define GET_1  "GET /once HTTP/1.1\r\nHost: h\r\n\r\n"
#define SENT_1 "GET /once HTTP/1.1\r\nhost: h\r\n" ADDED TIMED "\r\n"
#define GET_A  "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
#define SENT_A "GET /a HTTP/1.1\r\nhost: h\r\n" ADDED TIMED "\r\n"
#define REPLY(line, length, more, body)                                        \
	"HTTP/1.1 " line "\r\ncontent-type: text/plain\r\n"                    \
	"content-length: " length "\r\n" more "\r\n" body "\n"
#define CLOSED "connection: close\r\n"

enum row_flag {
	SHUT = 1,  /* the client shuts its side after sending */
	ENDS = 2,  /* the connection must end after the answer */
	SPLIT = 4, /* also run with the client's bytes one by one */
};

struct row {
	const char *what;
	const char *client;
	struct rig_answer answers[ANSWERS_MAX];
	const char *origin, *got;
	unsigned flags;
};

static struct rig rig;
/* Longer than this program may be held up. Who waits for one of them to pass
 * sets it shorter. */
static const struct wire_settings unhurried = {
	.workers = 1,
	.orphan_timeout_ms = 60000,
	.head_timeout_ms = 3000,
	.idle_timeout_ms = 3000,
	.upstream_idle_ms = 10000,
	.body_idle_ms = 3000,
};

/* ---- the routes of all tests */

static inline struct model_matcher
prefix(const char *path)
{
	return (struct model_matcher){ .path_type = MODEL_PATH_PREFIX,
		.path = CHARS(path) };
}

static struct model_destination to_1[] = {
	{ { CHARS("1"), NULL }, 1, NULL, NULL, 0 },
};
static struct model_destination to_2[] = {
	{ { CHARS("2"), NULL }, 1, NULL, NULL, 0 },
};
static struct model_destination to_3[] = {
	{ { CHARS("3"), NULL }, 1, NULL, NULL, 0 },
};
static struct model_destination to_4[] = {
	{ { CHARS("4"), NULL }, 1, NULL, NULL, 0 },
};
static struct model_destination to_5[] = {
	{ { CHARS("5"), NULL }, 1, NULL, NULL, 0 },
};
static struct model_destination to_6[] = {
	{ { CHARS("6"), NULL }, 1, NULL, NULL, 0 },
};
static struct model_destination to_7[] = {
	{ { CHARS("7"), NULL }, 1, NULL, NULL, 0 },
};
static struct model_destination to_none[] = { { { CHARS("none"), NULL }, 1,
	NULL, NULL, 0 } };

static struct model_header_value request_add[] = {
	{ CHARS("x-added"), CHARS("1"), false },
};
static char *request_remove[] = { CHARS("x-secret") };
static struct model_header_value response_add[] = {
	{ CHARS("x-answer"), CHARS("2"), false },
};
static char *response_remove[] = { CHARS("server") };
static struct model_header_manipulation manipulation = {
	.request_add = request_add,
	.request_add_count = 1,
	.request_remove = request_remove,
	.request_remove_count = 1,
	.response_add = response_add,
	.response_add_count = 1,
	.response_remove = response_remove,
	.response_remove_count = 1,
};

#define ROUTES 16

static inline size_t
routes_make(struct model_route *routes, struct model_matcher *matchers)
{
	struct {
		const char *path;
		struct model_destination *to;
	} plain[] = {
		{ "/a", to_1 },
		{ "/half", to_2 },
		{ "/empty", to_3 },
		{ "/dead", to_4 },
		{ "/twice", to_5 },
		{ "/once", to_7 },
		{ "/off", to_6 },
		{ "/none", to_none },
		{ "/rewrite", to_1 },
		{ "/headers", to_1 },
		{ "/soon", to_1 },
		{ "/later", to_1 },
		{ "/patient", to_1 },
		{ "/host", to_1 },
		{ "/redirect", NULL },
		{ "/direct", NULL },
	};
	size_t n = ARRAY_SIZE(plain);

	memset(routes, 0, ROUTES * sizeof(*routes));
	for (size_t i = 0; i < n; i++) {
		struct model_route *r = &routes[i];

		matchers[i] = prefix(plain[i].path);
		r->name = CHARS(plain[i].path + 1);
		r->matchers = &matchers[i];
		r->matcher_count = 1;
		r->destinations = plain[i].to;
		r->destination_count = plain[i].to != NULL;
		if (strcmp(r->name, "rewrite") == 0)
			r->options.prefix_rewrite = CHARS("/");
		if (strcmp(r->name, "headers") == 0)
			r->options.headers = &manipulation;
		if (strcmp(r->name, "soon") == 0)
			r->options.timeout =
				(struct model_duration){ true, 100 };
		if (strcmp(r->name, "later") == 0)
			r->options.timeout =
				(struct model_duration){ true, 2000 };
		if (strcmp(r->name, "patient") == 0)
			r->options.timeout = (struct model_duration){ true, 0 };
		if (strcmp(r->name, "host") == 0)
			r->options.auto_host_rewrite =
				(struct model_bool){ true, true };
	}
	routes[n - 2].action = MODEL_ACTION_REDIRECT;
	routes[n - 2].redirect.status = 302;
	routes[n - 2].redirect.host_redirect = CHARS("new.example");
	routes[n - 1].action = MODEL_ACTION_DIRECT_RESPONSE;
	routes[n - 1].direct.status = 418;
	routes[n - 1].direct.body = CHARS("short and stout");
	return n;
}

/* ---- rows */

static inline void
same(const char *what, const char *where, const struct str *got,
	const char *want)
{
	if (strlen(want) == got->length &&
		memcmp(got->data, want, got->length) == 0)
		return;
	fail_msg("%s: %s got\n%s\n--- and not\n%s\n---", what, where, got->data,
		want);
}

static inline void
row_run(const struct row *row, bool split)
{
	size_t want = strlen(row->got), length = strlen(row->client);
	struct str got, seen;
	bool ended;
	int fd;

	str_init(&got);
	str_init(&seen);
	rig_origin_script(rig.origin, row->answers);
	fd = rig_client(&rig);
	for (size_t i = 0; split && i < length; i++)
		rig_client_send(fd, row->client + i, 1);
	if (!split)
		rig_client_send(fd, row->client, length);
	if (row->flags & SHUT)
		shutdown(fd, SHUT_WR);
	ended = rig_client_read(fd, &got,
		row->flags & ENDS ? want + 1
		: want > 0        ? want
				  : 1,
		row->flags & ENDS ? RIG_WAIT_MS
		: want > 0        ? RIG_WAIT_MS
				  : 50);
	if (row->origin[0] != '\0')
		rig_origin_wait(rig.origin, 1);
	close(fd);
	rig_settled(&rig);
	rig_origin_seen(rig.origin, &seen);
	same(row->what, "the client", &got, row->got);
	same(row->what, "the origin", &seen, row->origin);
	if ((row->flags & ENDS) && !ended)
		fail_msg("%s: the connection goes on", row->what);
	str_fini(&got);
	str_fini(&seen);
}

/* A kept connection to the origin must not outlive its row. */
static inline void
origin_forget(void)
{
	static const struct rig_answer none[] = { { .bytes = NULL } };

	rig_origin_script(rig.origin, none);
}

static inline void
rows_run(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		row_run(&rows[i], false);
		if (rows[i].flags & SPLIT)
			row_run(&rows[i], true);
	}
	origin_forget();
}

/* ---- what rows do not say */

static inline void
client_get(int fd, struct str *got, const char *bytes, const char *want)
{
	str_clear(got);
	rig_client_send(fd, bytes, strlen(bytes));
	rig_client_read(fd, got, strlen(want), RIG_WAIT_MS);
	same(bytes, "the client", got, want);
}

/* ---- counters and log */

static inline struct counters_listener
counters_that_add_up(void)
{
	struct counters_listener c;

	rig_settled(&rig);
	c = rig_counters(&rig);
	assert_int_equal(c.connections_accepted,
		c.connections_open + c.connections_closed);
	assert_int_equal(c.requests, c.responses_2xx + c.responses_3xx +
					     c.responses_4xx + c.responses_5xx +
					     c.responses_aborted +
					     c.requests_active);
	assert_int_equal(c.requests_active, 0);
	assert_int_equal(c.connections_open, 0);
	assert_int_equal(rig_upstream_counters(&rig, 1).requests_active, 0);
	return c;
}

/* Until each request has its line; each of the words must be a reason there. */
static inline void
log_read(struct str *text, const char *const *words, size_t count)
{
	struct counters_listener c = rig_counters(&rig);
	uint64_t until = clock_monotonic_ms() + RIG_WAIT_MS, lines = 0;
	char buffer[65536], want[128];

	while (lines < c.requests && clock_monotonic_ms() < until) {
		FILE *f = fopen(rig.log_path, "r");
		size_t n;

		str_clear(text);
		while ((n = fread(buffer, 1, sizeof(buffer), f)) > 0)
			str_append(text, buffer, n);
		fclose(f);
		lines = 0;
		for (size_t i = 0; i < text->length; i++)
			lines += text->data[i] == '\n';
	}
	assert_int_equal(lines, c.requests);
	for (size_t i = 0; i < count; i++) {
		snprintf(want, sizeof(want), "\"reason\":\"%s\"", words[i]);
		if (strstr(text->data, want) == NULL)
			fail_msg("no line has %s", want);
	}
}

/* The same, where the lines say nothing else of interest. */
static inline void
log_has(const char *const *words, size_t count)
{
	struct str text;

	str_init(&text);
	log_read(&text, words, count);
	str_fini(&text);
}

static inline int
group_start_with(const struct wire_settings *settings)
{
	struct model_route routes[ROUTES];
	struct model_matcher matchers[ROUTES];
	size_t count = routes_make(routes, matchers);

	rig_start(&rig, settings, routes, count);
	return 0;
}

static inline int
group_start(void **state)
{
	(void)state;
	return group_start_with(&unhurried);
}

static inline int
group_stop(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

#endif
