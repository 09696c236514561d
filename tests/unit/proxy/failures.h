/*
 * A proxy before three origins that fail as they are told, and what asks it:
 * for the tests of what becomes of a request when an endpoint does not answer
 * as it should. Bytes at the client and at the origins, and counters.
 */
#ifndef TESTS_UNIT_PROXY_FAILURES_H
#define TESTS_UNIT_PROXY_FAILURES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/body.h"
#include "tests/lib/rig.h"

#define CHARS(text) ((char *)(uintptr_t)(text))
#define OK(body)    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" body
#define E500        "HTTP/1.1 500 Odd\r\nContent-Length: 1\r\n\r\ne"
#define E503        "HTTP/1.1 503 Busy\r\nContent-Length: 1\r\n\r\ne"
#define GET(path)                                                              \
	"GET " path " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
#define ADDED                                                                  \
	"x-forwarded-for: 127.0.0.1\r\nx-forwarded-proto: http\r\n"            \
	"x-request-id: ID\r\n"
#define TIMED "x-envoy-expected-rq-timeout-ms: 15000\r\n"
#define END_OF_LIST                                                            \
	{                                                                      \
		.bytes = NULL                                                  \
	}

static const struct rig_answer always_ok[] = { { OK("a"), 0, 0 }, END_OF_LIST };
static const struct rig_answer always_ok_b[] = { { OK("b"), 0, 0 },
	END_OF_LIST };
static const struct rig_answer always_ok_c[] = { { OK("c"), 0, 0 },
	END_OF_LIST };
static const struct rig_answer always_503[] = { { E503, 0, 0 }, END_OF_LIST };
static const struct rig_answer always_500[] = { { E500, 0, 0 }, END_OF_LIST };
static const struct rig_answer busy_once[] = { { E503, 0, 0 },
	{ OK("a"), 0, 0 }, END_OF_LIST };
static const struct rig_answer silent[] = { { "", RIG_SILENT, 0 },
	END_OF_LIST };
static const struct rig_answer silent_once[] = { { "", RIG_SILENT, 0 },
	{ OK("a"), 0, 0 }, END_OF_LIST };
static const struct rig_answer closed_once[] = { { "", RIG_CLOSE, 0 },
	{ OK("a"), 0, 0 }, END_OF_LIST };

/* ---- the upstreams and routes of all tests */

enum {
	UP_ONE = 10, /* a, one request on a connection */
	UP_DEAD,     /* nobody listens */
	UP_TWO,      /* a and b, one request on a connection */
	UP_LEAN,     /* the same, but a is asked a hundred times as often */
	UP_KEPT,     /* a */
	UP_PAIR,     /* a and b, in turn */
	UP_HALF,     /* nobody and b */
	UP_NOWHERE,  /* an address that cannot be tried at all, and b */
	UP_BUDGET,
	UP_FREE,
	UP_NARROW, /* a, one connection */
	UP_NONE_WAITS,
	UP_ONE_WAITS,
	UP_ONE_REQUEST,
	UP_ONE_RETRY,
	UP_HEALTH,  /* a, b and c, in turn, one request on a connection */
	UP_SQUEEZE, /* a and b, one connection */
	UP_RING,    /* a, b and c */
	UP_MAGLEV,
	UP_OUTLIER,
	UP_OUTLIER_1,
	UP_STORM,
	UP_ALONE, /* of one test, which sets its endpoint */
	UP_PARTS, /* a, b and c, in turn, in the subsets that a test says */
	UP_LEAST, /* the same, but who has the fewest requests in work */
	UP_END,
};

#define BREAKERS(c, p, r, t)                                                   \
	&(const struct policy_breakers)                                        \
	{                                                                      \
		.connections = (c), .pending = (p), .requests = (r),           \
		.retries = (t)                                                 \
	}
#define MANY 1000
#define STREAK(...)                                                            \
	&(const struct policy_outlier)                                         \
	{                                                                      \
		__VA_ARGS__                                                    \
	}

static struct image_build_upstream upstreams[] = {
	{ .id = UP_ONE, .name = "g.one", .max_requests_per_connection = 1 },
	{ .id = UP_DEAD, .name = "g.dead" },
	{ .id = UP_TWO,
		.name = "g.two",
		.max_requests_per_connection = 1,
		.balance.type = POLICY_ROUND_ROBIN },
	{ .id = UP_LEAN, .name = "g.lean", .max_requests_per_connection = 1 },
	{ .id = UP_KEPT, .name = "g.kept" },
	{ .id = UP_PAIR, .name = "g.pair", .balance.type = POLICY_ROUND_ROBIN },
	{ .id = UP_HALF, .name = "g.half", .balance.type = POLICY_ROUND_ROBIN },
	{ .id = UP_NOWHERE,
		.name = "g.nowhere",
		.balance.type = POLICY_ROUND_ROBIN },
	{ .id = UP_BUDGET,
		.name = "g.budget",
		.max_requests_per_connection = 1 },
	{ .id = UP_FREE, .name = "g.free" },
	{ .id = UP_NARROW,
		.name = "g.narrow",
		.breakers = BREAKERS(1, MANY, MANY, MANY) },
	{ .id = UP_NONE_WAITS,
		.name = "g.nonewaits",
		.breakers = BREAKERS(1, 0, MANY, MANY) },
	{ .id = UP_ONE_WAITS,
		.name = "g.onewaits",
		.breakers = BREAKERS(1, 1, MANY, MANY) },
	{ .id = UP_ONE_REQUEST,
		.name = "g.onerequest",
		.breakers = BREAKERS(MANY, MANY, 1, MANY) },
	{ .id = UP_ONE_RETRY,
		.name = "g.oneretry",
		.max_requests_per_connection = 1,
		.breakers = BREAKERS(MANY, MANY, MANY, 1) },
	{ .id = UP_HEALTH,
		.name = "g.health",
		.max_requests_per_connection = 1,
		.balance.type = POLICY_ROUND_ROBIN },
	{ .id = UP_SQUEEZE,
		.name = "g.squeeze",
		.breakers = BREAKERS(1, MANY, MANY, MANY),
		.balance = { .type = POLICY_RING_HASH,
			.ring_min = 1024,
			.ring_max = 4096 } },
	{ .id = UP_RING,
		.name = "g.ring",
		.balance = { .type = POLICY_RING_HASH,
			.ring_min = 1024,
			.ring_max = 4096 } },
	{ .id = UP_MAGLEV, .name = "g.maglev", .balance.type = POLICY_MAGLEV },
	{ .id = UP_OUTLIER,
		.name = "g.outlier",
		.max_requests_per_connection = 1,
		.outlier = STREAK(.errors = 3) },
	{ .id = UP_OUTLIER_1,
		.name = "g.outlier1",
		.max_requests_per_connection = 1,
		.outlier = STREAK(.gateway_errors = 1) },
	{ .id = UP_STORM,
		.name = "g.storm",
		.breakers = BREAKERS(10, 8, 64, 5),
		.outlier = STREAK(.errors = 3, .gateway_errors = 2) },
	{ .id = UP_ALONE, .name = "g.alone" },
	{ .id = UP_LEAST,
		.name = "g.least",
		.max_requests_per_connection = 1,
		.balance = { .type = POLICY_LEAST_REQUEST, .choices = POLICY_CHOICES_MAX } },
	{ .id = UP_PARTS,
		.name = "g.parts",
		.max_requests_per_connection = 1,
		.balance.type = POLICY_ROUND_ROBIN },
};

/* retries_complete says the rest. */
#define RETRIES(...)                                                           \
	{                                                                      \
		.policy = { __VA_ARGS__ }                                      \
	}
#define BUSY  .on = POLICY_RETRY_GATEWAY_ERROR
#define NEVER (UINT32_MAX - 1) /* ms */

static uint32_t listed[] = { 200, 429 };

static const struct word {
	const char *text;
	uint32_t bit;
} words[] = {
	{ "5xx", POLICY_RETRY_5XX },
	{ "gateway-error", POLICY_RETRY_GATEWAY_ERROR },
	{ "reset", POLICY_RETRY_RESET },
	{ "connect-failure", POLICY_RETRY_CONNECT_FAILURE },
	{ "retriable-4xx", POLICY_RETRY_4XX },
	{ "retriable-status-codes", POLICY_RETRY_STATUS },
	{ "refused-stream", POLICY_RETRY_REFUSED_STREAM },
};

static struct model_retries once = RETRIES(BUSY, .attempts = 1);
static struct model_retries thrice = RETRIES(BUSY, .attempts = 3);
static struct model_retries ten_soon = RETRIES(BUSY, .attempts = 10);
static struct model_retries impatient =
	RETRIES(BUSY, .attempts = 2, .try_timeout_ms = 150);
static struct model_retries impatient_none =
	RETRIES(BUSY, .try_timeout_ms = 150);
static struct model_retries steady =
	RETRIES(BUSY, .attempts = 2, .try_timeout_ms = 2000);
static struct model_retries patient = RETRIES(
	BUSY, .attempts = 1, .backoff_ms = NEVER, .backoff_max_ms = NEVER);
static struct model_retries leisurely =
	RETRIES(BUSY, .attempts = 1, .backoff_ms = 300, .backoff_max_ms = 300);
static struct model_retries half = RETRIES(
	BUSY, .attempts = 1, .budget_permille = 500, .budget_ttl_ms = 10000);
static struct model_retries nothing_left =
	RETRIES(BUSY, .attempts = 1, .budget_ttl_ms = 10000);
static struct model_retries storm = RETRIES(.on = ~0u, .attempts = 3,
	.try_timeout_ms = 60, .budget_permille = 500, .budget_min_per_s = 50,
	.budget_ttl_ms = 10000);

static struct model_hash_policy by_header[] = {
	{ .source = MODEL_HASH_HEADER, .name = CHARS("x-user") },
};
static struct model_hash_policy by_two[] = {
	{ .source = MODEL_HASH_HEADER, .name = CHARS("x-user") },
	{ .source = MODEL_HASH_HEADER, .name = CHARS("x-more") },
};
static struct model_hash_policy by_first[] = {
	{ .source = MODEL_HASH_HEADER,
		.name = CHARS("x-user"),
		.terminal = true },
	{ .source = MODEL_HASH_HEADER, .name = CHARS("x-more") },
};
static struct model_hash_policy by_cookie[] = {
	{ .source = MODEL_HASH_COOKIE,
		.name = CHARS("stay"),
		.path = CHARS("/cookie"),
		.ttl = { true, 60000 } },
};
static struct model_hash_policy by_source[] = {
	{ .source = MODEL_HASH_SOURCE_IP, .source_ip = true },
};

static struct model_pair version_1[] = { { CHARS("version"), CHARS("v1") } };
static struct model_pair version_2[] = { { CHARS("version"), CHARS("v2") } };
static struct model_pair version_3[] = { { CHARS("version"), CHARS("v3") } };

struct route_row {
	const char *path;
	int upstream;
	struct model_pair *subset; /* of one */
	struct model_retries *retries;
	struct model_duration timeout, idle;
	struct model_hash_policy *hash;
	size_t hash_count;
};

#define HASH(list) .hash = (list), .hash_count = ARRAY_SIZE(list)

static const struct route_row plain[] = {
	{ .path = "/busy/once", .upstream = UP_ONE, .retries = &once },
	{ .path = "/busy/thrice", .upstream = UP_ONE, .retries = &thrice },
	{ .path = "/busy/ten", .upstream = UP_ONE, .retries = &ten_soon },
	{ .path = "/busy/two", .upstream = UP_TWO, .retries = &once },
	{ .path = "/busy/lean", .upstream = UP_LEAN, .retries = &once },
	{ .path = "/busy/ring",
		.upstream = UP_RING,
		.retries = &once,
		HASH(by_header) },
	{ .path = "/busy/maglev",
		.upstream = UP_MAGLEV,
		.retries = &once,
		HASH(by_header) },
	{ .path = "/nowhere", .upstream = UP_NOWHERE },
	{ .path = "/half", .upstream = UP_HALF },
	{ .path = "/try/one", .upstream = UP_ONE, .retries = &impatient },
	{ .path = "/try/pair",
		.upstream = UP_PAIR,
		.retries = &impatient,
		.timeout = { true, 0 } },
	{ .path = "/try/none", .upstream = UP_ONE, .retries = &impatient_none },
	{ .path = "/try/steady", .upstream = UP_ONE, .retries = &steady },
	{ .path = "/patient", .upstream = UP_ONE, .retries = &patient },
	{ .path = "/overdue",
		.upstream = UP_ONE,
		.retries = &patient,
		.timeout = { true, 1500 } },
	{ .path = "/kept", .upstream = UP_KEPT, .retries = &nothing_left },
	{ .path = "/pair", .upstream = UP_PAIR },
	{ .path = "/budget", .upstream = UP_BUDGET, .retries = &half },
	{ .path = "/free", .upstream = UP_FREE, .retries = &nothing_left },
	{ .path = "/narrow/hasty",
		.upstream = UP_NARROW,
		.timeout = { true, 2000 } },
	{ .path = "/narrow", .upstream = UP_NARROW },
	{ .path = "/nonewaits", .upstream = UP_NONE_WAITS },
	{ .path = "/onewaits", .upstream = UP_ONE_WAITS },
	{ .path = "/onerequest", .upstream = UP_ONE_REQUEST },
	{ .path = "/oneretry", .upstream = UP_ONE_RETRY, .retries = &once },
	{ .path = "/health", .upstream = UP_HEALTH },
	{ .path = "/squeeze/again",
		.upstream = UP_SQUEEZE,
		.retries = &leisurely,
		HASH(by_header) },
	{ .path = "/squeeze", .upstream = UP_SQUEEZE, HASH(by_header) },
	{ .path = "/header", .upstream = UP_RING, HASH(by_header) },
	{ .path = "/maglev", .upstream = UP_MAGLEV, HASH(by_header) },
	{ .path = "/two", .upstream = UP_RING, HASH(by_two) },
	{ .path = "/first", .upstream = UP_RING, HASH(by_first) },
	{ .path = "/cookie", .upstream = UP_RING, HASH(by_cookie) },
	{ .path = "/source", .upstream = UP_RING, HASH(by_source) },
	{ .path = "/outlier3", .upstream = UP_OUTLIER },
	{ .path = "/outlier1", .upstream = UP_OUTLIER_1 },
	{ .path = "/alone", .upstream = UP_ALONE },
	{ .path = "/least/v1", .upstream = UP_LEAST, .subset = version_1 },
	{ .path = "/least/v2", .upstream = UP_LEAST, .subset = version_2 },
	{ .path = "/parts/v1", .upstream = UP_PARTS, .subset = version_1 },
	{ .path = "/parts/v2",
		.upstream = UP_PARTS,
		.subset = version_2,
		.retries = &thrice },
	{ .path = "/parts/none", .upstream = UP_PARTS, .subset = version_3 },
	{ .path = "/parts/all", .upstream = UP_PARTS },
	{ .path = "/endless",
		.upstream = UP_ONE,
		.timeout = { true, 0 } },
	{ .path = "/idle",
		.upstream = UP_ONE,
		.timeout = { true, 0 },
		.idle = { true, 300 } },
	{ .path = "/steady",
		.upstream = UP_ONE,
		.timeout = { true, 0 },
		.idle = { true, 2000 } },
	{ .path = "/storm",
		.upstream = UP_STORM,
		.retries = &storm,
		.timeout = { true, 400 } },
};

#define WORDS        ARRAY_SIZE(words)
#define ROUTES       (ARRAY_SIZE(plain) + 3 * WORDS)
#define DESTINATIONS UP_END

static struct model_retries word_retries[2 * WORDS];
static struct model_route routes[ROUTES];
static struct model_matcher matchers[ROUTES];
static char paths[3 * WORDS][64];
static char numbers[UP_END][16];
static struct model_destination destinations[UP_END], parts[ROUTES];
static size_t route_count;

static struct rig rig;
static struct rig_origin *a, *b, *c;

static const struct wire_settings settings = {
	.workers = 1,
	.orphan_timeout_ms = 60000,
	.head_timeout_ms = 3000,
	.idle_timeout_ms = 3000,
	.upstream_idle_ms = 10000,
	.body_idle_ms = 3000,
	.stream_idle_ms = 1500,
};

/* Soon, and as often as they like. */
static inline void
retries_complete(struct model_retries *r)
{
	if (r->policy.backoff_ms == 0)
		r->policy.backoff_ms = r->policy.backoff_max_ms = 1;
	if (r->policy.budget_ttl_ms > 0)
		return;
	r->policy.budget_ttl_ms = 10000;
	r->policy.budget_min_per_s = 100000;
}

static inline void
route_add(const struct route_row *row)
{
	struct model_route *r = &routes[route_count];
	struct model_matcher *m = &matchers[route_count++];

	*m = (struct model_matcher){ .path_type = MODEL_PATH_PREFIX,
		.path = CHARS(row->path) };
	*r = (struct model_route){ .name = CHARS(row->path + 1),
		.matchers = m,
		.matcher_count = 1,
		.destinations = &destinations[row->upstream],
		.destination_count = 1 };
	if (row->subset != NULL) {
		r->destinations = &parts[route_count];
		*r->destinations = destinations[row->upstream];
		r->destinations->subset = row->subset;
		r->destinations->subset_count = 1;
	}
	if (row->retries != NULL)
		retries_complete(row->retries);
	r->options.retries = row->retries;
	r->options.timeout = row->timeout;
	r->options.idle_timeout = row->idle;
	r->options.hash = row->hash;
	r->options.hash_count = row->hash_count;
}

static inline void
word_routes_add(size_t i)
{
	static const char *const kinds[] = { "word", "dead", "timed" };
	static const int to[] = { UP_ONE, UP_DEAD, UP_ONE };

	for (size_t k = 0; k < 2; k++) {
		struct model_retries *r = &word_retries[2 * i + k];

		r->policy.attempts = 1;
		r->policy.on = words[i].bit;
		if (words[i].bit == POLICY_RETRY_STATUS) {
			r->codes = listed + 1;
			r->code_count = 1;
		}
	}
	word_retries[2 * i + 1].policy.try_timeout_ms = 2000;
	for (size_t k = 0; k < 3; k++) {
		char *path = paths[3 * i + k];

		snprintf(path, sizeof(paths[0]), "/%s/%s", kinds[k],
			words[i].text);
		route_add(&(const struct route_row){ .path = path,
			.upstream = to[k],
			.retries = &word_retries[2 * i + (k == 2)] });
	}
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
		upstreams[i].kind = "static";
		upstreams[i].connect_timeout_ms = 2000;
	}
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		route_add(&plain[i]);
	for (size_t i = 0; i < WORDS; i++)
		word_routes_add(i);
}

static inline struct rig_endpoint
at(uint16_t port)
{
	return (struct rig_endpoint){ .port = port,
		.health = ENDPOINT_UP,
		.weight = 1 };
}

static inline struct rig_endpoint
at_origin(const struct rig_origin *o)
{
	return at(rig_origin_port(o));
}

static inline void
endpoints_send(void)
{
	struct rig_endpoint all[] = { at_origin(a), at_origin(b),
		at_origin(c) };
	struct rig_endpoint dead[] = { at(rig_dead_port()), at_origin(b) };
	struct rig_endpoint lean[] = { at_origin(a), at_origin(b) };

	lean[0].weight = 1000;
	for (uint32_t i = UP_ONE; i < UP_END; i++)
		rig_endpoints(&rig, i, all, 1);
	rig_endpoints(&rig, UP_DEAD, dead, 1);
	rig_endpoints(&rig, UP_HALF, dead, 2);
	dead[0].ip = "224.0.0.1";
	rig_endpoints(&rig, UP_NOWHERE, dead, 2);
	rig_endpoints(&rig, UP_TWO, all, 2);
	rig_endpoints(&rig, UP_PAIR, all, 2);
	rig_endpoints(&rig, UP_LEAN, lean, 2);
	rig_endpoints(&rig, UP_SQUEEZE, all, 2);
	rig_endpoints(&rig, UP_HEALTH, all, 3);
	rig_endpoints(&rig, UP_RING, all, 3);
	rig_endpoints(&rig, UP_MAGLEV, all, 3);
}

/* All that was said before is known to the worker after this. */
static inline void
generation_next(void)
{
	rig_image(&rig, routes, route_count);
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

/* Paces what a test sends; nothing depends on how exact it is. */
static inline void
pace(int ms)
{
	poll(NULL, 0, ms);
}

/* A body of a length, in single bytes, each of them after so long. */
static inline void
body_send_slowly(int fd, int length, int ms)
{
	for (int i = 0; i < length; i++) {
		pace(ms);
		rig_client_send(fd, "x", 1);
	}
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

static inline void
ask_for(const char *request, int status)
{
	struct str got;
	char line[32];

	str_init(&got);
	ask(request, &got);
	snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
	begins(request, &got, line);
	str_fini(&got);
}

/* The origin that answered with its letter. */
static inline char
ask_who(const char *request)
{
	struct str got;
	char who;

	str_init(&got);
	ask(request, &got);
	begins(request, &got, "HTTP/1.1 200 OK\r\n");
	who = got.data[got.length - 1];
	str_fini(&got);
	return who;
}

static inline bool
is_unseen(struct rig_origin *o)
{
	struct str seen;
	bool unseen;

	str_init(&seen);
	rig_origin_seen(o, &seen);
	unseen = seen.length == 0;
	str_fini(&seen);
	return unseen;
}

static inline void
seen_is(const char *what, struct rig_origin *o, const char *want)
{
	struct str seen;

	str_init(&seen);
	rig_origin_seen(o, &seen);
	if (strcmp(seen.data, want) != 0)
		fail_msg("%s: the origin got\n%s\n--- and not\n%s", what,
			seen.data, want);
	str_fini(&seen);
}

static inline void
gauges_are_zero(uint32_t id)
{
	struct counters_upstream u = counted(id);

	assert_int_equal(u.requests_active, 0);
	assert_int_equal(u.pending_active, 0);
	assert_int_equal(u.retries_active, 0);
}

/* Requests to path/1, path/2 ...: the first is in work at a, which does not
 * look at it; the others wait. */
static inline void
clients_wait(const char *path, uint32_t id, int *fds, int count)
{
	char request[128];

	rig_origin_pause(a, true);
	for (int i = 0; i < count; i++) {
		snprintf(request, sizeof(request),
			"GET %s/%d HTTP/1.1\r\nHost: h\r\n"
			"Connection: close\r\n\r\n",
			path, i + 1);
		fds[i] = client_send(request);
		if (i == 0)
			assert_true(rig_await(&rig, id, "requests_active", 1));
		else
			assert_true(rig_await(
				&rig, id, "pending_active", (uint64_t)i));
	}
}

static inline void
answered(int fd, const char *with)
{
	struct str got;

	str_init(&got);
	client_read(fd, &got);
	begins("a client that waited", &got, with);
	str_fini(&got);
}

/* ---- who answers */

static inline void
origins_answer_by_name(void)
{
	rig_origin_script(a, always_ok);
	rig_origin_script(b, always_ok_b);
	rig_origin_script(c, always_ok_c);
}

static inline void
turns(const char *request, int count, int want_a, int want_b, int want_c)
{
	int got[3] = { 0 };

	for (int i = 0; i < count; i++)
		got[ask_who(request) - 'a']++;
	assert_int_equal(got[0], want_a);
	assert_int_equal(got[1], want_b);
	assert_int_equal(got[2], want_c);
}

static inline int
group_start(void **state)
{
	(void)state;
	routes_make();
	rig_start(&rig, &settings, routes, route_count);
	rig.upstreams = upstreams;
	rig.upstream_count = ARRAY_SIZE(upstreams);
	a = rig.origin;
	b = rig_origin_new();
	c = rig_origin_new();
	endpoints_send();
	generation_next();
	return 0;
}

static inline int
group_stop(void **state)
{
	(void)state;
	rig_stop(&rig);
	rig_origin_free(b);
	rig_origin_free(c);
	return 0;
}

#endif
