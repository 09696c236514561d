/*
 * A proxy whose routes lead to functions: upstreams of the kind "calls", before
 * an origin that answers as a test says.
 */
#ifndef TESTS_UNIT_PROXY_CALL_RIG_H
#define TESTS_UNIT_PROXY_CALL_RIG_H

#include <setjmp.h>
#include <stdarg.h>
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
#include "tests/unit/proxy/call_dialect.h"

#define CHARS(text) ((char *)(uintptr_t)(text))
#define END_OF_LIST                                                            \
	{                                                                      \
		.bytes = NULL                                                  \
	}
/* What an endpoint answers: the step, what it tells, a body. */
#define ANSWER(step, more, length, body)                                       \
	"HTTP/1.1 200 OK\r\nX-Step: " step "\r\n" more                         \
	"Content-Length: " length "\r\n\r\n" body
#define GET(path)                                                              \
	"GET " path " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

enum {
	UP_CALLS = 10, /* 1000 bytes of a request, 2000 of an answer */
	UP_ANEW,       /* the same, bodies are made anew */
	UP_LARGE,      /* 8 MB of either, one request on a connection */
	UP_LARGE_ANEW,
	UP_BROKEN,  /* its settings are no use */
	UP_ONCE,    /* as UP_CALLS, one request on a connection; one failure of
		     * its endpoint is told */
	UP_SKEWED,  /* of one test */
	UP_GUARDED, /* of one test: credentials */
	UP_GONE,    /* of one test: it is forgotten */
	UP_TWO,     /* two endpoints, the first a dead port */
	UP_LIMITED, /* two requests in work */
	UP_STEADY,  /* of one test, as its endpoint: 30 MB */
	UP_STRICT,  /* of one test: it needs credentials */
	UP_END,
};

static const char *const call_settings[UP_END] = {
	[UP_CALLS] = "1000 2000 0",
	[UP_ANEW] = "1000 2000 1",
	[UP_LARGE] = "8000000 8000000 0",
	[UP_LARGE_ANEW] = "8000000 8000000 1",
	[UP_BROKEN] = "broken",
	[UP_ONCE] = "1000 2000 0",
	[UP_SKEWED] = "1000 2000 0",
	[UP_GUARDED] = "1000 2000 0",
	[UP_GONE] = "1000 2000 0",
	[UP_TWO] = "1000 2000 0",
	[UP_LIMITED] = "1000 2000 0",
	[UP_STEADY] = "30000000 2000 0",
	[UP_STRICT] = "1000 2000 2",
};

static const struct policy_breakers two_requests = {
	.connections = 100, .pending = 100, .requests = 2, .retries = 100
};

static const struct policy_outlier one_failure = { .gateway_errors = 1 };

static struct image_build_upstream upstreams[] = {
	{ .id = UP_CALLS, .name = "g.calls" },
	{ .id = UP_ANEW, .name = "g.anew" },
	{ .id = UP_LARGE, .name = "g.large", .max_requests_per_connection = 1 },
	{ .id = UP_LARGE_ANEW, .name = "g.large-anew" },
	{ .id = UP_BROKEN, .name = "g.broken" },
	{ .id = UP_ONCE,
		.name = "g.once",
		.max_requests_per_connection = 1,
		.outlier = &one_failure },
	{ .id = UP_SKEWED, .name = "g.skewed" },
	{ .id = UP_GUARDED, .name = "g.guarded" },
	{ .id = UP_GONE, .name = "g.gone" },
	{ .id = UP_TWO, .name = "g.two", .balance.type = POLICY_ROUND_ROBIN },
	{ .id = UP_LIMITED, .name = "g.limited", .breakers = &two_requests },
	{ .id = UP_STEADY, .name = "g.steady" },
	{ .id = UP_STRICT, .name = "g.strict" },
};

static struct model_retries retries_5xx = {
	.policy = { .attempts = 2,
		.on = POLICY_RETRY_5XX,
		.backoff_ms = 1,
		.backoff_max_ms = 1,
		.budget_ttl_ms = 10000,
		.budget_min_per_s = 100000 },
};
static struct model_retries retries_connect = {
	.policy = { .attempts = 2,
		.on = POLICY_RETRY_CONNECT_FAILURE,
		.backoff_ms = 1,
		.backoff_max_ms = 1,
		.budget_ttl_ms = 10000,
		.budget_min_per_s = 100000 },
};

static struct model_header_value request_add[] = {
	{ CHARS("x-added"), CHARS("1"), false },
};
static char *request_remove[] = { CHARS("x-secret") };
static struct model_header_value response_add[] = {
	{ CHARS("x-answer"), CHARS("2"), false },
};
static char *response_remove[] = { CHARS("x-made") };
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

struct route_row {
	const char *path;
	uint32_t upstream;
	struct model_retries *retries;
	uint32_t timeout_ms, idle_ms;
	const char *prefix_rewrite, *host_rewrite;
	enum model_path path_type;
	struct model_header_manipulation *headers;
	bool partial; /* another destination is missing */
};

static const struct route_row rows[] = {
	{ .path = "/exact",
		.upstream = UP_CALLS,
		.path_type = MODEL_PATH_EXACT },
	{ .path = "/regex/.*",
		.upstream = UP_CALLS,
		.path_type = MODEL_PATH_REGEX },
	{ .path = "/plain", .upstream = 1 },
	{ .path = "/partly", .upstream = 1, .partial = true },
	{ .path = "/calls", .upstream = UP_CALLS },
	{ .path = "/anew", .upstream = UP_ANEW },
	{ .path = "/large", .upstream = UP_LARGE },
	{ .path = "/wrapped", .upstream = UP_LARGE_ANEW },
	{ .path = "/broken", .upstream = UP_BROKEN },
	{ .path = "/once", .upstream = UP_ONCE },
	{ .path = "/skewed", .upstream = UP_SKEWED },
	{ .path = "/guarded", .upstream = UP_GUARDED },
	{ .path = "/gone", .upstream = UP_GONE },
	{ .path = "/two", .upstream = UP_TWO },
	{ .path = "/limited", .upstream = UP_LIMITED },
	{ .path = "/retried", .upstream = UP_CALLS, .retries = &retries_5xx },
	{ .path = "/unheard",
		.upstream = UP_CALLS,
		.retries = &retries_connect },
	{ .path = "/brief", .upstream = UP_CALLS, .timeout_ms = 300 },
	{ .path = "/steady", .upstream = UP_STEADY, .idle_ms = 2500 },
	{ .path = "/strict",
		.upstream = UP_STRICT,
		.retries = &retries_5xx },
	{ .path = "/impatient", .upstream = UP_GUARDED, .timeout_ms = 300 },
	{ .path = "/filtered",
		.upstream = UP_CALLS,
		.prefix_rewrite = "/new/",
		.host_rewrite = "rewritten.example",
		.headers = &manipulation },
};

static struct model_route routes[ARRAY_SIZE(rows)];
static struct model_matcher matchers[ARRAY_SIZE(rows)];
static struct model_destination destinations[UP_END];
/* Upstream 1 and one that is not there. */
static struct model_destination partial[2] = {
	{ .upstream.name = CHARS("1"), .weight = 1 },
	{ .upstream.name = CHARS("0"), .weight = 1 },
};
static char numbers[UP_END][12];
static struct rig rig;

static const struct wire_settings settings = {
	.workers = 1,
	.orphan_timeout_ms = 60000,
	.head_timeout_ms = 3000,
	.idle_timeout_ms = 3000,
	.upstream_idle_ms = 10000,
	.body_idle_ms = 30000,
	.stream_idle_ms = 3000,
	.fields = 20,
	.call_bytes = 12 << 20,
};

static inline const char *
call_of(uint32_t upstream)
{
	return upstream < UP_END ? call_settings[upstream] : NULL;
}

static inline void
routes_make(void)
{
	for (int i = 0; i < UP_END; i++) {
		snprintf(numbers[i], sizeof(numbers[i]), "%d", i);
		destinations[i].upstream.name = numbers[i];
		destinations[i].weight = 1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(upstreams); i++) {
		upstreams[i].kind = "calls";
		upstreams[i].connect_timeout_ms = 2000;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct model_route *r = &routes[i];

		matchers[i] =
			(struct model_matcher){ .path_type = rows[i].path_type,
				.path = CHARS(rows[i].path) };
		*r = (struct model_route){ .name = CHARS(rows[i].path + 1),
			.matchers = &matchers[i],
			.matcher_count = 1,
			.destinations = &destinations[rows[i].upstream],
			.destination_count = 1 };
		if (rows[i].partial) {
			r->destinations = partial;
			r->destination_count = ARRAY_SIZE(partial);
		}
		r->options.retries = rows[i].retries;
		r->options.prefix_rewrite = CHARS(rows[i].prefix_rewrite);
		r->options.host_rewrite = CHARS(rows[i].host_rewrite);
		r->options.headers = rows[i].headers;
		if (rows[i].idle_ms > 0)
			r->options.idle_timeout =
				(struct model_duration){ .given = true,
					.ms = rows[i].idle_ms };
		if (rows[i].timeout_ms > 0)
			r->options.timeout =
				(struct model_duration){ .given = true,
					.ms = rows[i].timeout_ms };
	}
}

static inline void
endpoints_send(void)
{
	/* As the kinds that have functions say of theirs. */
	struct rig_endpoint one = { .port = rig_origin_port(rig.origin),
		.health = ENDPOINT_UP,
		.weight = 1,
		.host_rewrite = true };
	struct rig_endpoint two[2] = { one, one };

	for (uint32_t i = UP_CALLS; i < UP_END; i++)
		rig_endpoints(&rig, i, &one, 1);
	two[0].port = rig_dead_port();
	rig_endpoints(&rig, UP_TWO, two, 2);
}

/* All that was said before is known to the worker after this. */
static inline void
generation_next(void)
{
	rig_image(&rig, routes, ARRAY_SIZE(rows));
}

/* Shorter for who waits for it to pass. */
static inline void
body_idle_set(uint32_t ms)
{
	struct wire_message m = rig_message(WIRE_SETTINGS);

	m.settings = settings;
	m.settings.body_idle_ms = ms;
	rig_send(&rig, &m, NULL, 0);
	generation_next();
}

/* ---- asking */

static inline struct counters_upstream
counted(uint32_t id)
{
	return rig_upstream_counters(&rig, id);
}

static inline int
client_send(const char *request)
{
	int fd = rig_client(&rig);

	rig_client_send(fd, request, strlen(request));
	return fd;
}

/* All that comes until the end. */
static inline void
client_read(int fd, struct str *got)
{
	str_clear(got);
	if (!rig_client_read(fd, got, SIZE_MAX, RIG_WAIT_MS))
		fail_msg("no end after\n%s", got->data);
	close(fd);
}

static inline void
ask(const char *request, struct str *got)
{
	client_read(client_send(request), got);
	rig_settled(&rig);
}

static inline void
has(const char *what, const struct str *got, const char *with)
{
	if (strstr(got->data, with) == NULL)
		fail_msg("%s: got\n%s\n--- and not in it\n%s", what, got->data,
			with);
}

static inline void
has_not(const char *what, const struct str *got, const char *with)
{
	if (strstr(got->data, with) != NULL)
		fail_msg("%s: got\n%s\n--- and in it\n%s", what, got->data,
			with);
}

static inline void
is(const char *what, const struct str *got, const char *want)
{
	if (strcmp(got->data, want) != 0)
		fail_msg("%s: got\n%s\n--- and not\n%s", what, got->data, want);
}

static inline void
begins(const char *what, const struct str *got, const char *with)
{
	if (strncmp(got->data, with, strlen(with)) != 0)
		fail_msg("%s: got\n%s\n--- and not\n%s", what, got->data, with);
}

static inline void
ends(const char *what, const struct str *got, const char *with)
{
	size_t n = strlen(with);

	if (got->length < n ||
		memcmp(got->data + got->length - n, with, n) != 0)
		fail_msg("%s: got\n%s\n--- and not at its end\n%s", what,
			got->data, with);
}

/* What reached the origin since its script was set. */
static inline void
seen(struct str *out)
{
	rig_origin_seen(rig.origin, out);
}

static inline size_t
times(const struct str *in, const char *text)
{
	const char *at = in->data;
	size_t count = 0;

	while ((at = strstr(at, text)) != NULL) {
		at += strlen(text);
		count++;
	}
	return count;
}

static inline void
log_read(struct str *out)
{
	FILE *f = fopen(rig.log_path, "r");
	char bytes[4096];
	size_t n;

	str_clear(out);
	while (f != NULL && (n = fread(bytes, 1, sizeof(bytes), f)) > 0)
		str_append(out, bytes, n);
	if (f != NULL)
		fclose(f);
}

/* Waits until the access log has it. */
static inline void
logged(const char *text)
{
	uint64_t until = clock_monotonic_ms() + RIG_WAIT_MS;
	struct str log;

	str_init(&log);
	do
		log_read(&log);
	while (strstr(log.data, text) == NULL && clock_monotonic_ms() < until);
	has("the access log", &log, text);
	str_fini(&log);
}

/* Nothing of a call is left when it is over. */
static inline void
nothing_is_held(void)
{
	rig_settled(&rig);
	for (uint32_t i = UP_CALLS; i < UP_END; i++) {
		struct counters_upstream u = counted(i);

		assert_int_equal(u.call_bytes_active, 0);
		assert_int_equal(u.requests_active, 0);
		assert_int_equal(u.pending_active, 0);
		assert_int_equal(u.retries_active, 0);
	}
}

static inline int
group_start(void **state)
{
	(void)state;
	routes_make();
	rig_kinds(calls_kinds);
	rig_start(&rig, &settings, routes, ARRAY_SIZE(rows));
	rig.upstreams = upstreams;
	rig.upstream_count = ARRAY_SIZE(upstreams);
	rig.call_of = call_of;
	endpoints_send();
	generation_next();
	return 0;
}

static inline int
group_stop(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

#endif
