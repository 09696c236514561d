/*
 * What becomes of a request when an endpoint does not answer as it should:
 * retries, breakers, times, hashes, health and streaks of failures, as bytes
 * at the client and at the origins, and as counters.
 */
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

struct route_row {
	const char *path;
	int upstream;
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
	{ .path = "/patient", .upstream = UP_ONE, .retries = &patient },
	{ .path = "/overdue",
		.upstream = UP_ONE,
		.retries = &patient,
		.timeout = { true, 150 } },
	{ .path = "/kept", .upstream = UP_KEPT, .retries = &nothing_left },
	{ .path = "/pair", .upstream = UP_PAIR },
	{ .path = "/budget", .upstream = UP_BUDGET, .retries = &half },
	{ .path = "/free", .upstream = UP_FREE, .retries = &nothing_left },
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
	{ .path = "/idle",
		.upstream = UP_ONE,
		.timeout = { true, 0 },
		.idle = { true, 300 } },
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
static struct model_destination destinations[UP_END];
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
};

/* Soon, and as often as they like. */
static void
retries_complete(struct model_retries *r)
{
	if (r->policy.backoff_ms == 0)
		r->policy.backoff_ms = r->policy.backoff_max_ms = 1;
	if (r->policy.budget_ttl_ms > 0)
		return;
	r->policy.budget_ttl_ms = 10000;
	r->policy.budget_min_per_s = 100000;
}

static void
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
	if (row->retries != NULL)
		retries_complete(row->retries);
	r->options.retries = row->retries;
	r->options.timeout = row->timeout;
	r->options.idle_timeout = row->idle;
	r->options.hash = row->hash;
	r->options.hash_count = row->hash_count;
}

static void
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
	word_retries[2 * i + 1].policy.try_timeout_ms = 250;
	for (size_t k = 0; k < 3; k++) {
		char *path = paths[3 * i + k];

		snprintf(path, sizeof(paths[0]), "/%s/%s", kinds[k],
			words[i].text);
		route_add(&(const struct route_row){ .path = path,
			.upstream = to[k],
			.retries = &word_retries[2 * i + (k == 2)] });
	}
}

static void
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

static struct rig_endpoint
at(uint16_t port)
{
	return (struct rig_endpoint){ NULL, port, ENDPOINT_UP, 1 };
}

static struct rig_endpoint
at_origin(const struct rig_origin *o)
{
	return at(rig_origin_port(o));
}

static void
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
static void
generation_next(void)
{
	rig_image(&rig, routes, route_count);
}

/* ---- asking */

static struct counters_upstream
counted(uint32_t id)
{
	return rig_upstream_counters(&rig, id);
}

static int
client_send(const char *request)
{
	int fd = rig_client(&rig);

	rig_client_send(fd, request, strlen(request));
	return fd;
}

/* All that comes until the end. */
static void
client_read(int fd, struct str *got)
{
	str_clear(got);
	if (!rig_client_read(fd, got, SIZE_MAX, RIG_WAIT_MS))
		fail_msg("no end after\n%s", got->data);
	close(fd);
}

static void
ask(const char *request, struct str *got)
{
	client_read(client_send(request), got);
	rig_settled(&rig);
}

static void
begins(const char *what, const struct str *got, const char *with)
{
	if (strncmp(got->data, with, strlen(with)) != 0)
		fail_msg("%s: got\n%s\n--- and not\n%s", what, got->data, with);
}

static void
ends(const char *what, const struct str *got, const char *with)
{
	size_t n = strlen(with);

	if (got->length < n ||
		memcmp(got->data + got->length - n, with, n) != 0)
		fail_msg("%s: got\n%s\n--- and not at its end\n%s", what,
			got->data, with);
}

static void
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
static char
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

static bool
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

static void
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

static void
gauges_are_zero(uint32_t id)
{
	struct counters_upstream u = counted(id);

	assert_int_equal(u.requests_active, 0);
	assert_int_equal(u.pending_active, 0);
	assert_int_equal(u.retries_active, 0);
}

/* ---- retryOn */

struct outcome {
	const char *what;
	struct rig_answer answer;
	const char *kind, *passed_on;
	uint32_t on; /* the words that retry it */
};

/* As Envoy documents them: "5xx" is any such status and no answer at all;
 * "gateway-error" is 502 to 504, and what becomes a 502 to 504; "reset" is no
 * answer at all; "connect-failure" is no connection. */
#define NO_ANSWER                                                              \
	(POLICY_RETRY_5XX | POLICY_RETRY_GATEWAY_ERROR | POLICY_RETRY_RESET)

static const struct outcome outcomes[] = {
	{ "500", { E500, 0, 0 }, "word", "HTTP/1.1 500 ", POLICY_RETRY_5XX },
	{ "501", { "HTTP/1.1 501 No\r\nContent-Length: 0\r\n\r\n", 0, 0 },
		"word", "HTTP/1.1 501 ", POLICY_RETRY_5XX },
	{ "502", { "HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", 0, 0 },
		"word", "HTTP/1.1 502 ",
		POLICY_RETRY_5XX | POLICY_RETRY_GATEWAY_ERROR },
	{ "503", { E503, 0, 0 }, "word", "HTTP/1.1 503 ",
		POLICY_RETRY_5XX | POLICY_RETRY_GATEWAY_ERROR },
	{ "504", { "HTTP/1.1 504 No\r\nContent-Length: 0\r\n\r\n", 0, 0 },
		"word", "HTTP/1.1 504 ",
		POLICY_RETRY_5XX | POLICY_RETRY_GATEWAY_ERROR },
	{ "505", { "HTTP/1.1 505 No\r\nContent-Length: 0\r\n\r\n", 0, 0 },
		"word", "HTTP/1.1 505 ", POLICY_RETRY_5XX },
	{ "409", { "HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n", 0, 0 },
		"word", "HTTP/1.1 409 ", POLICY_RETRY_4XX },
	{ "404", { "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", 0, 0 },
		"word", "HTTP/1.1 404 ", 0 },
	{ "a listed status",
		{ "HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n", 0, 0 },
		"word", "HTTP/1.1 429 ", POLICY_RETRY_STATUS },
	{ "200", { OK("x"), 0, 0 }, "word", "HTTP/1.1 200 ", 0 },
	{ "503 after a 100", { "HTTP/1.1 100 Continue\r\n\r\n" E503, 0, 0 },
		"word", "HTTP/1.1 503 ",
		POLICY_RETRY_5XX | POLICY_RETRY_GATEWAY_ERROR },
	{ "the end before the head", { "", RIG_CLOSE, 0 }, "word",
		"HTTP/1.1 502 ", NO_ANSWER },
	{ "a reset before the head", { "", RIG_RESET, 0 }, "word",
		"HTTP/1.1 502 ", NO_ANSWER },
	{ "the end within the head", { "HTTP/1.1 200 OK\r\nCon", RIG_CLOSE, 0 },
		"word", "HTTP/1.1 502 ", NO_ANSWER },
	{ "a malformed head", { "hello\r\n\r\n", 0, 0 }, "word",
		"HTTP/1.1 502 ", NO_ANSWER },
	{ "no answer in time", { "", RIG_SILENT, 0 }, "timed", "HTTP/1.1 504 ",
		NO_ANSWER },
};

static void
outcome_run(const struct outcome *o, const struct word *w)
{
	struct counters_upstream before = counted(UP_ONE), now;
	struct rig_answer script[] = { o->answer, { OK("a"), 0, 0 },
		END_OF_LIST };
	bool again = o->on & w->bit;
	char what[128], request[256];
	struct str got, want;

	str_init(&got);
	str_init(&want);
	snprintf(what, sizeof(what), "%s with %s", o->what, w->text);
	snprintf(request, sizeof(request),
		"GET /%s/%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
		o->kind, w->text);
	rig_origin_script(a, script);
	ask(request, &got);
	begins(what, &got, again ? "HTTP/1.1 200 OK\r\n" : o->passed_on);
	if (again)
		ends(what, &got, "\r\n\r\na");
	for (int i = 0; i < 1 + again; i++)
		str_printf(&want,
			"GET /%s/%s HTTP/1.1\r\nhost: h\r\n" ADDED TIMED "\r\n",
			o->kind, w->text);
	seen_is(what, a, want.data);
	str_fini(&want);
	now = counted(UP_ONE);
	assert_int_equal(now.retried - before.retried, again);
	assert_int_equal(now.requests - before.requests, 1 + again);
	gauges_are_zero(UP_ONE);
	str_fini(&got);
}

static void
words_decide(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
		for (size_t k = 0; k < WORDS; k++)
			outcome_run(&outcomes[i], &words[k]);
}

static void
no_connection_is_tried_again(void **state)
{
	(void)state;
	for (size_t k = 0; k < WORDS; k++) {
		bool again = words[k].bit &
			     (NO_ANSWER | POLICY_RETRY_CONNECT_FAILURE);
		struct counters_upstream before = counted(UP_DEAD), now;
		char request[256];

		snprintf(request, sizeof(request),
			"GET /dead/%s HTTP/1.1\r\nHost: h\r\n"
			"Connection: close\r\n\r\n",
			words[k].text);
		ask_for(request, 502);
		now = counted(UP_DEAD);
		assert_int_equal(now.retried - before.retried, again);
		assert_int_equal(
			now.connect_failed - before.connect_failed, 1 + again);
		assert_int_equal(now.connections_open, 0);
		gauges_are_zero(UP_DEAD);
	}
}

/* Found at once or later, and then over a new connection or a kept one. */
static void
the_other_endpoint_gets_one_request(void **state)
{
	static const struct {
		const char *request;
		uint32_t id;
	} to[] = { { GET("/half"), UP_HALF }, { GET("/nowhere"), UP_NOWHERE } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
		struct counters_upstream before = counted(to[i].id), now;
		struct str want;

		str_init(&want);
		rig_origin_script(b, always_ok_b);
		for (int k = 0; k < 6; k++) {
			assert_int_equal(ask_who(to[i].request), 'b');
			str_printf(&want,
				"GET %s HTTP/1.1\r\nhost: h\r\n" ADDED TIMED
				"\r\n",
				i == 0 ? "/half" : "/nowhere");
		}
		seen_is(to[i].request, b, want.data);
		now = counted(to[i].id);
		assert_true(now.connect_failed > before.connect_failed);
		assert_int_equal(now.requests - before.requests, 6);
		assert_int_equal(now.responses_2xx - before.responses_2xx, 6);
		assert_int_equal(now.connections_open, 1);
		gauges_are_zero(to[i].id);
		str_fini(&want);
	}
}

/* ---- how often and where */

static void
the_last_answer_is_passed_on(void **state)
{
	struct counters_upstream before = counted(UP_ONE), now;
	struct str got;

	(void)state;
	str_init(&got);
	rig_origin_script(a, always_503);
	ask(GET("/busy/thrice"), &got);
	begins("thrice", &got, "HTTP/1.1 503 ");
	ends("thrice", &got, "\r\n\r\ne");
	now = counted(UP_ONE);
	assert_int_equal(now.requests - before.requests, 4);
	assert_int_equal(now.retried - before.retried, 3);
	/* They did come, each of them. */
	assert_int_equal(now.responses_5xx - before.responses_5xx, 4);
	ask(GET("/busy/ten"), &got);
	assert_int_equal(counted(UP_ONE).retried - now.retried, 10);
	gauges_are_zero(UP_ONE);
	str_fini(&got);
}

static void
another_endpoint_is_asked(void **state)
{
	static const struct {
		const char *path;
		uint32_t id;
	} to[] = { { "/busy/two", UP_TWO }, { "/busy/lean", UP_LEAN },
		{ "/busy/ring", UP_RING }, { "/busy/maglev", UP_MAGLEV } };

	(void)state;
	rig_origin_script(a, always_503);
	rig_origin_script(b, always_ok_b);
	rig_origin_script(c, always_ok_c);
	for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
		struct counters_upstream before = counted(to[i].id), now;
		char request[256];

		for (int k = 0; k < 40; k++) {
			snprintf(request, sizeof(request),
				"GET %s HTTP/1.1\r\nHost: h\r\nX-User: %d\r\n"
				"Connection: close\r\n\r\n",
				to[i].path, k);
			ask_for(request, 200);
		}
		now = counted(to[i].id);
		assert_true(now.retried > before.retried);
		gauges_are_zero(to[i].id);
	}
}

static void
a_budget_ends_retries(void **state)
{
	static const int again[] = { 0, 1, 0, 1, 0, 1 };
	struct counters_upstream before, now;

	(void)state;
	/* Half as many retries as requests, and none to begin with. */
	for (size_t i = 0; i < ARRAY_SIZE(again); i++) {
		before = counted(UP_BUDGET);
		rig_origin_script(a, busy_once);
		ask_for(GET("/budget"), again[i] ? 200 : 503);
		now = counted(UP_BUDGET);
		assert_int_equal(now.retried - before.retried, again[i]);
		assert_int_equal(
			now.retry_budget_used_up - before.retry_budget_used_up,
			!again[i]);
	}
	gauges_are_zero(UP_BUDGET);
}

static void
an_idle_race_costs_no_budget(void **state)
{
	static const struct rig_answer answers[] = {
		{ OK("a"), RIG_SHUT_IDLE, 0 }, { OK("b"), 0, 0 }, END_OF_LIST
	};
	struct counters_upstream before, now;

	(void)state;
	rig_origin_script(a, answers);
	before = counted(UP_FREE);
	assert_int_equal(ask_who(GET("/free")), 'a');
	assert_int_equal(ask_who(GET("/free")), 'b');
	now = counted(UP_FREE);
	assert_int_equal(now.retried_idle - before.retried_idle, 1);
	assert_int_equal(now.retried - before.retried, 0);
	assert_int_equal(now.retry_budget_used_up, 0);
	assert_int_equal(now.connections_open, 1);
	gauges_are_zero(UP_FREE);
}

static void
retries_in_work_are_limited(void **state)
{
	static const struct rig_answer answers[] = { { E503, 0, 0 },
		{ "", RIG_SILENT, 0 }, { E503, 0, 0 }, END_OF_LIST };
	struct counters_upstream before = counted(UP_ONE_RETRY), now;
	int fd;

	(void)state;
	rig_origin_script(a, answers);
	fd = client_send(GET("/oneretry"));
	assert_true(rig_await(&rig, UP_ONE_RETRY, "requests", 2));
	assert_int_equal(counted(UP_ONE_RETRY).retries_active, 1);
	{
		struct str got;

		str_init(&got);
		client_read(client_send(GET("/oneretry")), &got);
		begins("beyond maxRetries", &got, "HTTP/1.1 503 ");
		ends("beyond maxRetries", &got, "\r\n\r\ne");
		str_fini(&got);
	}
	now = counted(UP_ONE_RETRY);
	assert_int_equal(now.retry_overflow - before.retry_overflow, 1);
	assert_int_equal(now.retried - before.retried, 1);
	rig_client_reset(fd);
	rig_settled(&rig);
	gauges_are_zero(UP_ONE_RETRY);
}

/* ---- bodies */

static void
body_is_replayed(const char *what, const char *request, bool split)
{
	size_t length = strlen(request);
	struct str got, seen;
	int fd;

	str_init(&got);
	str_init(&seen);
	rig_origin_script(a, busy_once);
	fd = rig_client(&rig);
	for (size_t i = 0; split && i < length; i++)
		rig_client_send(fd, request + i, 1);
	if (!split)
		rig_client_send(fd, request, length);
	client_read(fd, &got);
	rig_settled(&rig);
	begins(what, &got, "HTTP/1.1 200 OK\r\n");
	rig_origin_seen(a, &seen);
	/* Twice the same. */
	assert_int_equal(seen.length % 2, 0);
	if (memcmp(seen.data, seen.data + seen.length / 2, seen.length / 2) !=
		0)
		fail_msg("%s: the origin got\n%s", what, seen.data);
	begins(what, &seen, "POST /busy/once HTTP/1.1\r\nhost: h\r\n");
	if (strstr(request, "chunked") != NULL)
		ends(what, &seen, "\r\n0\r\n\r\n");
	else
		ends(what, &seen, strstr(request, "\r\n\r\n"));
	str_fini(&got);
	str_fini(&seen);
}

static void
bodies_are_sent_again(void **state)
{
	static const char *const requests[] = {
		"POST /busy/once HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		"Content-Length: 11\r\n\r\nhello world",
		"POST /busy/once HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		"Content-Length: 0\r\n\r\n",
		"POST /busy/once HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		"Transfer-Encoding: chunked\r\n\r\n"
		"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nT: 1\r\n\r\n",
		"POST /busy/once HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		body_is_replayed(requests[i], requests[i], false);
		body_is_replayed(requests[i], requests[i], true);
	}
}

/* The body's bytes, out of the last request that the origin got. */
static void
body_decode(const struct str *seen, struct str *out)
{
	const char *at = seen->data, *next;
	struct http_body body;
	struct slice run;
	size_t left, n;

	while ((next = strstr(at + 1, "PUT /kept ")) != NULL)
		at = next;
	at = strstr(at, "\r\n\r\n");
	assert_non_null(at);
	at += 4;
	left = seen->length - (size_t)(at - seen->data);
	http_body_init(&body, HTTP_BODY_CHUNKED, 0);
	while (http_body_read(&body, at, left, &run, &n) == HTTP_BODY_DATA) {
		str_append(out, run.data, run.length);
		at += n;
		left -= n;
	}
	assert_true(body.done);
}

/* More chunks at once than go out in one piece, and a kept connection that is
 * found to be dead when the first go out. */
static void
a_body_survives_a_reset_in_its_middle(void **state)
{
	struct str request, want, body, seen, got;
	struct counters_upstream before = counted(UP_KEPT);
	size_t head, part;
	int fd;

	(void)state;
	str_init(&request);
	str_init(&want);
	str_init(&body);
	str_init(&seen);
	str_init(&got);
	str_puts(&request, "PUT /kept HTTP/1.1\r\nHost: h\r\n"
			   "Connection: close\r\n"
			   "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 25; i++) {
		str_printf(&request, "5dc\r\n");
		for (int k = 0; k < 1500; k++) {
			str_putc(&request, (char)('a' + (i + k) % 26));
			str_putc(&want, (char)('a' + (i + k) % 26));
		}
		str_puts(&request, "\r\n");
	}
	str_puts(&request, "0\r\n\r\n");
	rig_origin_script(a, always_ok);
	ask_for(GET("/kept"), 200);
	rig_origin_script(a, always_ok);
	head = (size_t)(strstr(request.data, "\r\n\r\n") + 4 - request.data);
	fd = rig_client(&rig);
	part = request.length - 700; /* within the last chunk */
	rig_client_send(fd, request.data, head);
	assert_true(rig_origin_wait(a, head));
	/* The body is there before the reset is. */
	kill(rig.pid, SIGSTOP);
	assert_int_equal(waitpid(rig.pid, NULL, WUNTRACED), rig.pid);
	rig_client_send(fd, request.data + head, part - head);
	rig_origin_reset(a);
	kill(rig.pid, SIGCONT);
	assert_true(rig_await(
		&rig, UP_KEPT, "retried_idle", before.retried_idle + 1));
	rig_client_send(fd, request.data + part, request.length - part);
	client_read(fd, &got);
	begins("many chunks", &got, "HTTP/1.1 200 OK\r\n");
	rig_origin_seen(a, &seen);
	body_decode(&seen, &body);
	assert_int_equal(body.length, want.length);
	assert_memory_equal(body.data, want.data, want.length);
	rig_settled(&rig);
	gauges_are_zero(UP_KEPT);
	str_fini(&request);
	str_fini(&want);
	str_fini(&body);
	str_fini(&seen);
	str_fini(&got);
}

/* The answer came when half of the body was on its way. */
static void
a_body_that_still_comes_is_sent_again(void **state)
{
	static const struct rig_answer early[] = { { E503, RIG_EARLY, 0 },
		{ OK("a"), 0, 0 }, END_OF_LIST };
	static const char sent[] =
		"POST /busy/once HTTP/1.1\r\nhost: h\r\n" ADDED TIMED
		"content-length: 10\r\n\r\n";
	struct str got, want;
	int fd;

	(void)state;
	str_init(&got);
	str_init(&want);
	str_printf(&want, "%shello%shello", sent, sent);
	rig_origin_script(a, early);
	fd = client_send("POST /busy/once HTTP/1.1\r\nHost: h\r\n"
			 "Connection: close\r\nContent-Length: 10\r\n\r\n"
			 "hello");
	/* "ID" stands for 36 bytes in either. */
	assert_true(rig_origin_wait(a, want.length + 2 * 34));
	seen_is("half a body", a, want.data);
	rig_client_send(fd, "world", 5);
	client_read(fd, &got);
	begins("half a body", &got, "HTTP/1.1 200 OK\r\n");
	str_puts(&want, "world");
	seen_is("half a body", a, want.data);
	rig_settled(&rig);
	gauges_are_zero(UP_ONE);
	str_fini(&got);
	str_fini(&want);
}

static void
a_large_body_is_sent_once(void **state)
{
	static const struct {
		size_t length;
		int status;
	} rows[] = { { 65536, 200 }, { 65537, 503 }, { 200000, 503 } };
	struct str got, request;

	(void)state;
	str_init(&got);
	str_init(&request);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct counters_upstream before = counted(UP_ONE);
		char line[32];

		rig_origin_script(a, busy_once);
		str_clear(&request);
		str_printf(&request,
			"POST /busy/once HTTP/1.1\r\nHost: h\r\n"
			"Connection: close\r\nContent-Length: %zu\r\n\r\n",
			rows[i].length);
		for (size_t k = 0; k < rows[i].length; k++)
			str_putc(&request, (char)('a' + k % 23));
		ask(request.data, &got);
		snprintf(line, sizeof(line), "HTTP/1.1 %d ", rows[i].status);
		begins("a large body", &got, line);
		assert_int_equal(counted(UP_ONE).retried - before.retried,
			rows[i].status == 200);
	}
	str_fini(&got);
	str_fini(&request);
}

static void
nothing_follows_a_head_that_went_out(void **state)
{
	static const struct rig_answer cut[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", RIG_CLOSE,
			0 },
		{ OK("a"), 0, 0 }, END_OF_LIST
	};
	struct counters_upstream before = counted(UP_ONE), now;
	struct str got;

	(void)state;
	str_init(&got);
	rig_origin_script(a, cut);
	ask(GET("/word/5xx"), &got);
	ends("a cut answer", &got, "\r\n\r\nabc");
	now = counted(UP_ONE);
	assert_int_equal(now.requests - before.requests, 1);
	assert_int_equal(now.retried - before.retried, 0);
	gauges_are_zero(UP_ONE);
	str_fini(&got);
}

/* ---- times */

/* Paces what a test sends; nothing depends on how exact it is. */
static void
pace(int ms)
{
	poll(NULL, 0, ms);
}

/* A body of a length, in small pieces that take longer than any timeout. */
static void
body_send_slowly(int fd, int length)
{
	for (int i = 0; i < length; i++) {
		pace(50);
		rig_client_send(fd, "x", 1);
	}
}

static void
each_try_has_its_time(void **state)
{
	struct counters_upstream before, now;
	struct str got;
	int fd;

	(void)state;
	str_init(&got);
	rig_origin_script(a, silent_once);
	before = counted(UP_ONE);
	ask(GET("/try/one"), &got);
	begins("the second answers", &got, "HTTP/1.1 200 ");
	now = counted(UP_ONE);
	assert_int_equal(now.try_timeout - before.try_timeout, 1);
	rig_origin_script(a, silent);
	ask(GET("/try/one"), &got);
	begins("none answers", &got, "HTTP/1.1 504 ");
	ends("none answers", &got, "it did not answer within perTryTimeout\n");
	assert_int_equal(counted(UP_ONE).try_timeout - now.try_timeout, 3);
	now = counted(UP_ONE);
	ask(GET("/try/none"), &got);
	begins("without retries", &got, "HTTP/1.1 504 ");
	ends("without retries", &got,
		"it did not answer within perTryTimeout\n");
	assert_int_equal(counted(UP_ONE).try_timeout - now.try_timeout, 1);
	assert_int_equal(counted(UP_ONE).retried - now.retried, 0);
	/* It begins when the request is complete. */
	rig_origin_script(a, always_ok);
	now = counted(UP_ONE);
	fd = client_send("POST /try/none HTTP/1.1\r\nHost: h\r\n"
			 "Connection: close\r\nContent-Length: 8\r\n\r\n");
	body_send_slowly(fd, 8);
	client_read(fd, &got);
	begins("a slow body", &got, "HTTP/1.1 200 ");
	assert_int_equal(counted(UP_ONE).try_timeout - now.try_timeout, 0);
	rig_settled(&rig);
	gauges_are_zero(UP_ONE);
	str_fini(&got);
}

/* A kept connection is no reason to wait longer. */
static void
each_try_has_its_time_on_a_kept_connection(void **state)
{
	struct counters_upstream before;
	struct str got;

	(void)state;
	str_init(&got);
	rig_origin_script(a, always_ok);
	rig_origin_script(b, always_ok_b);
	ask_for(GET("/pair"), 200);
	ask_for(GET("/pair"), 200);
	assert_true(rig_await(&rig, UP_PAIR, "connections_open", 2));
	before = counted(UP_PAIR);
	rig_origin_script(a, silent);
	rig_origin_script(b, silent);
	ask(GET("/try/pair"), &got);
	begins("kept connections", &got, "HTTP/1.1 504 ");
	assert_int_equal(counted(UP_PAIR).try_timeout - before.try_timeout, 3);
	gauges_are_zero(UP_PAIR);
	str_fini(&got);
}

static void
the_time_of_the_route_covers_all(void **state)
{
	struct counters_upstream before = counted(UP_ONE), now;
	struct str got;

	(void)state;
	str_init(&got);
	rig_origin_script(a, busy_once);
	ask(GET("/overdue"), &got);
	begins("overdue in back-off", &got, "HTTP/1.1 504 ");
	ends("overdue in back-off", &got, "it did not answer in time\n");
	now = counted(UP_ONE);
	assert_int_equal(now.request_timeout - before.request_timeout, 1);
	assert_int_equal(now.retried - before.retried, 1);
	assert_int_equal(now.requests - before.requests, 1);
	assert_int_equal(now.connections_open, 0);
	gauges_are_zero(UP_ONE);
	str_fini(&got);
}

static void
a_client_may_leave_in_back_off(void **state)
{
	struct counters_upstream before = counted(UP_ONE);
	int fd;

	(void)state;
	for (int i = 0; i < 3; i++) {
		rig_origin_script(a, busy_once);
		fd = client_send(GET("/patient"));
		assert_true(rig_await(&rig, UP_ONE, "retries_active", 1));
		/* Nothing is held meanwhile. */
		assert_true(rig_await(&rig, UP_ONE, "connections_open", 0));
		assert_true(rig_await(&rig, UP_ONE, "requests_active", 0));
		rig_client_reset(fd);
		rig_settled(&rig);
		gauges_are_zero(UP_ONE);
	}
	assert_int_equal(counted(UP_ONE).requests - before.requests, 3);
}

static void
silence_has_its_time(void **state)
{
	static const struct rig_answer partial[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", 0, 0 },
		END_OF_LIST
	};
	static const char post[] = "POST /idle HTTP/1.1\r\nHost: h\r\n"
				   "Connection: close\r\n"
				   "Content-Length: 12\r\n\r\n";
	struct counters_upstream before = counted(UP_ONE);
	struct str got;
	int fd;

	(void)state;
	str_init(&got);
	rig_origin_script(a, silent);
	ask(GET("/idle"), &got);
	begins("no answer", &got, "HTTP/1.1 504 ");
	ends("no answer", &got, "for longer than the idle timeout\n");
	rig_origin_script(a, partial);
	ask(GET("/idle"), &got);
	ends("half an answer", &got, "\r\n\r\nabc");
	/* A body that stops coming. */
	rig_origin_script(a, always_ok);
	client_read(client_send(post), &got);
	begins("no body", &got, "HTTP/1.1 504 ");
	assert_int_equal(
		counted(UP_ONE).request_timeout - before.request_timeout, 3);
	/* One that comes slowly, but comes. */
	fd = client_send(post);
	body_send_slowly(fd, 12);
	client_read(fd, &got);
	begins("a slow body", &got, "HTTP/1.1 200 ");
	rig_settled(&rig);
	gauges_are_zero(UP_ONE);
	str_fini(&got);
}

/* ---- breakers */

/* Requests to path/1, path/2 ...: the first is in work at a, which does not
 * look at it; the others wait. */
static void
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

static void
answered(int fd, const char *with)
{
	struct str got;

	str_init(&got);
	client_read(fd, &got);
	begins("a client that waited", &got, with);
	str_fini(&got);
}

static void
narrow_again(void)
{
	struct rig_endpoint only = at_origin(a);

	rig_settled(&rig);
	gauges_are_zero(UP_NARROW);
	rig_endpoints(&rig, UP_NARROW, NULL, 0);
	rig_endpoints(&rig, UP_NARROW, &only, 1);
	generation_next();
	assert_true(rig_await(&rig, UP_NARROW, "connections_open", 0));
}

static void
those_who_wait_are_served_in_order(void **state)
{
	struct counters_upstream before = counted(UP_NARROW), now;
	char want[2048] = "";
	int fds[3];

	(void)state;
	rig_origin_script(a, always_ok);
	clients_wait("/narrow", UP_NARROW, fds, 3);
	rig_origin_pause(a, false);
	for (int i = 0; i < 3; i++) {
		answered(fds[i], "HTTP/1.1 200 ");
		snprintf(want + strlen(want), 512,
			"GET /narrow/%d HTTP/1.1\r\nhost: h\r\n" ADDED TIMED
			"\r\n",
			i + 1);
	}
	seen_is("in order", a, want);
	now = counted(UP_NARROW);
	assert_int_equal(now.connections_opened - before.connections_opened, 1);
	assert_int_equal(now.connections_reused - before.connections_reused, 2);
	assert_int_equal(rig_origin_connections(a), 1);
	narrow_again();
}

static void
a_dead_connection_lets_others_through(void **state)
{
	int fds[3];

	(void)state;
	rig_origin_script(a, closed_once);
	clients_wait("/narrow", UP_NARROW, fds, 3);
	rig_origin_pause(a, false);
	answered(fds[0], "HTTP/1.1 502 ");
	answered(fds[1], "HTTP/1.1 200 ");
	answered(fds[2], "HTTP/1.1 200 ");
	assert_int_equal(rig_origin_connections(a), 2);
	narrow_again();
}

static void
those_who_wait_may_leave(void **state)
{
	int fds[4];

	(void)state;
	rig_origin_script(a, always_ok);
	clients_wait("/narrow", UP_NARROW, fds, 4);
	/* From the middle, the end, and while it is in work. */
	rig_client_reset(fds[2]);
	assert_true(rig_await(&rig, UP_NARROW, "pending_active", 2));
	rig_client_reset(fds[3]);
	assert_true(rig_await(&rig, UP_NARROW, "pending_active", 1));
	rig_client_reset(fds[0]);
	assert_true(rig_await(&rig, UP_NARROW, "pending_active", 0));
	rig_origin_pause(a, false);
	answered(fds[1], "HTTP/1.1 200 ");
	narrow_again();
}

static void
those_who_wait_go_where_the_endpoints_are(void **state)
{
	struct rig_endpoint elsewhere = at_origin(b);
	int fds[2];

	(void)state;
	rig_origin_script(a, always_ok);
	rig_origin_script(b, always_ok_b);
	clients_wait("/narrow", UP_NARROW, fds, 2);
	rig_endpoints(&rig, UP_NARROW, &elsewhere, 1);
	generation_next();
	rig_origin_pause(a, false);
	answered(fds[0], "HTTP/1.1 200 ");
	answered(fds[1], "HTTP/1.1 200 ");
	assert_false(is_unseen(b));
	narrow_again();
}

static void
those_who_wait_for_nobody_are_refused(void **state)
{
	struct wire_message forget = rig_message(WIRE_ENDPOINTS_FORGET);
	int fds[3];

	(void)state;
	rig_origin_script(a, always_ok);
	clients_wait("/narrow", UP_NARROW, fds, 3);
	rig_endpoints(&rig, UP_NARROW, NULL, 0);
	answered(fds[1], "HTTP/1.1 503 ");
	answered(fds[2], "HTTP/1.1 503 ");
	rig_origin_pause(a, false);
	answered(fds[0], "HTTP/1.1 200 ");
	narrow_again();
	/* The same when the upstream is gone altogether. */
	clients_wait("/narrow", UP_NARROW, fds, 3);
	forget.endpoints.upstream = UP_NARROW;
	rig_send(&rig, &forget, NULL, 0);
	answered(fds[1], "HTTP/1.1 503 ");
	answered(fds[2], "HTTP/1.1 503 ");
	rig_origin_pause(a, false);
	answered(fds[0], "HTTP/1.1 200 ");
	narrow_again();
}

/* A user whose requests get that status. */
static void
user_find(int status, char *request, size_t size)
{
	char line[32];
	struct str got;

	str_init(&got);
	snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
	for (int i = 0; i < 100; i++) {
		snprintf(request, size,
			"GET /squeeze/ HTTP/1.1\r\nHost: h\r\nX-User: %d\r\n"
			"Connection: close\r\n\r\n",
			i);
		ask(request, &got);
		if (strncmp(got.data, line, strlen(line)) == 0)
			break;
	}
	begins("a user", &got, line);
	str_fini(&got);
}

static void
a_retry_that_waited_goes_elsewhere(void **state)
{
	char refused[256], served[256], again[256];
	int fds[2];

	(void)state;
	rig_origin_script(a, always_503);
	rig_origin_script(b, always_ok_b);
	user_find(503, refused, sizeof(refused));
	user_find(200, served, sizeof(served));
	snprintf(again, sizeof(again), "GET /squeeze/again%s",
		strstr(refused, " HTTP/1.1"));
	rig_origin_pause(b, true);
	fds[0] = client_send(again);
	assert_true(rig_await(&rig, UP_SQUEEZE, "retries_active", 1));
	fds[1] = client_send(served);
	/* Either of them; the other has the connection to b. */
	assert_true(rig_await(&rig, UP_SQUEEZE, "pending_active", 1));
	rig_origin_pause(b, false);
	answered(fds[0], "HTTP/1.1 200 ");
	answered(fds[1], "HTTP/1.1 200 ");
	rig_settled(&rig);
	gauges_are_zero(UP_SQUEEZE);
}

static void
not_all_may_wait(void **state)
{
	struct counters_upstream now;
	struct str got;
	int fds[2];

	(void)state;
	str_init(&got);
	rig_origin_script(a, always_ok);
	clients_wait("/nonewaits", UP_NONE_WAITS, fds, 1);
	client_read(client_send(GET("/nonewaits")), &got);
	begins("none may wait", &got, "HTTP/1.1 503 ");
	ends("none may wait", &got, "as maxPendingRequests allows\n");
	now = counted(UP_NONE_WAITS);
	assert_int_equal(now.pending_overflow, 1);
	assert_int_equal(now.requests_overflow, 0);
	rig_origin_pause(a, false);
	answered(fds[0], "HTTP/1.1 200 ");
	ask_for(GET("/nonewaits"), 200);

	clients_wait("/onewaits", UP_ONE_WAITS, fds, 2);
	client_read(client_send(GET("/onewaits")), &got);
	begins("one may wait", &got, "HTTP/1.1 503 ");
	assert_int_equal(counted(UP_ONE_WAITS).pending_overflow, 1);
	rig_origin_pause(a, false);
	answered(fds[0], "HTTP/1.1 200 ");
	answered(fds[1], "HTTP/1.1 200 ");

	clients_wait("/onerequest", UP_ONE_REQUEST, fds, 1);
	client_read(client_send(GET("/onerequest")), &got);
	begins("one request", &got, "HTTP/1.1 503 ");
	ends("one request", &got, "as maxRequests allows\n");
	assert_int_equal(counted(UP_ONE_REQUEST).requests_overflow, 1);
	rig_origin_pause(a, false);
	answered(fds[0], "HTTP/1.1 200 ");
	rig_settled(&rig);
	ask_for(GET("/onerequest"), 200);
	gauges_are_zero(UP_NONE_WAITS);
	gauges_are_zero(UP_ONE_WAITS);
	gauges_are_zero(UP_ONE_REQUEST);
	str_fini(&got);
}

/* ---- health and hashes */

static void
origins_answer_by_name(void)
{
	rig_origin_script(a, always_ok);
	rig_origin_script(b, always_ok_b);
	rig_origin_script(c, always_ok_c);
}

static void
turns(const char *request, int count, int want_a, int want_b, int want_c)
{
	int got[3] = { 0 };

	for (int i = 0; i < count; i++)
		got[ask_who(request) - 'a']++;
	assert_int_equal(got[0], want_a);
	assert_int_equal(got[1], want_b);
	assert_int_equal(got[2], want_c);
}

static void
who_is_down_gets_nothing(void **state)
{
	struct rig_origin *all[] = { a, b, c };

	(void)state;
	origins_answer_by_name();
	turns(GET("/health"), 9, 3, 3, 3);
	rig_health(&rig, UP_HEALTH, rig_origin_port(b), ENDPOINT_DOWN);
	generation_next();
	turns(GET("/health"), 10, 5, 0, 5);
	rig_health(&rig, UP_HEALTH, rig_origin_port(a), ENDPOINT_DRAINING);
	generation_next();
	turns(GET("/health"), 5, 0, 0, 5);
	/* All down is as good as none. */
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		rig_health(&rig, UP_HEALTH, rig_origin_port(all[i]),
			ENDPOINT_DOWN);
	generation_next();
	turns(GET("/health"), 9, 3, 3, 3);
	rig_health(&rig, UP_HEALTH, rig_origin_port(b), ENDPOINT_UP);
	generation_next();
	turns(GET("/health"), 5, 0, 5, 0);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		rig_health(
			&rig, UP_HEALTH, rig_origin_port(all[i]), ENDPOINT_UP);
	generation_next();
	turns(GET("/health"), 9, 3, 3, 3);
}

static void
request_with(char *out, size_t size, const char *path, const char *name,
	const char *value, int number)
{
	snprintf(out, size,
		"GET %s HTTP/1.1\r\nHost: h\r\n%s: %s%d\r\n"
		"Connection: close\r\n\r\n",
		path, name, value, number);
}

static void
header_leads(const char *path)
{
	int got[3] = { 0 };
	char request[256], who[30];

	for (int i = 0; i < 30; i++) {
		request_with(request, sizeof(request), path, "X-User", "u", i);
		who[i] = ask_who(request);
		got[who[i] - 'a']++;
	}
	assert_true(got[0] > 0 && got[1] > 0 && got[2] > 0);
	generation_next();
	for (int i = 0; i < 30; i++) {
		request_with(request, sizeof(request), path, "x-user", "u", i);
		assert_int_equal(ask_who(request), who[i]);
	}
	/* Without the header there is nothing to go by. */
	request_with(request, sizeof(request), path, "x-other", "u", 1);
	ask_who(request);
}

static void
a_header_leads_to_an_endpoint(void **state)
{
	(void)state;
	origins_answer_by_name();
	header_leads("/header");
	header_leads("/maglev");
}

static bool
second_header_counts(const char *path)
{
	int got[3] = { 0 };
	char request[256];

	for (int i = 0; i < 30; i++) {
		request_with(request, sizeof(request), path,
			"X-User: same\r\nX-More", "m", i);
		got[ask_who(request) - 'a']++;
	}
	return got[0] < 30 && got[1] < 30 && got[2] < 30;
}

static void
a_terminal_policy_is_the_last(void **state)
{
	char request[256];

	(void)state;
	origins_answer_by_name();
	assert_true(second_header_counts("/two"));
	assert_false(second_header_counts("/first"));
	/* It ends the list only when it gives a hash. */
	request_with(request, sizeof(request), "/first", "X-More", "m", 1);
	turns(request, 1, ask_who(request) == 'a', ask_who(request) == 'b',
		ask_who(request) == 'c');
}

static void
a_source_leads_to_an_endpoint(void **state)
{
	char who;

	(void)state;
	origins_answer_by_name();
	who = ask_who(GET("/source"));
	turns(GET("/source"), 12, who == 'a' ? 12 : 0, who == 'b' ? 12 : 0,
		who == 'c' ? 12 : 0);
}

static void
a_cookie_brings_a_client_back(void **state)
{
	static const char name[] = "\r\nset-cookie: stay=";
	static const char rest[] = "; Max-Age=60; Path=/cookie; HttpOnly\r\n";
	int got_by[3] = { 0 };
	struct str got;

	(void)state;
	str_init(&got);
	origins_answer_by_name();
	for (int i = 0; i < 12; i++) {
		char request[256], value[17];
		const char *set;
		char who;

		ask(GET("/cookie"), &got);
		who = got.data[got.length - 1];
		got_by[who - 'a']++;
		set = strstr(got.data, name);
		assert_non_null(set);
		set += strlen(name);
		assert_int_equal(strcspn(set, ";"), 16);
		assert_memory_equal(set + 16, rest, strlen(rest));
		memcpy(value, set, 16);
		value[16] = '\0';
		snprintf(request, sizeof(request),
			"GET /cookie/x HTTP/1.1\r\nHost: h\r\n"
			"Cookie: other=1; stay=%s; stay2=z\r\n"
			"Connection: close\r\n\r\n",
			value);
		for (int k = 0; k < 3; k++) {
			ask(request, &got);
			assert_null(strstr(got.data, "set-cookie"));
			assert_int_equal(got.data[got.length - 1], who);
		}
	}
	assert_true(got_by[0] < 12 && got_by[1] < 12 && got_by[2] < 12);
	str_fini(&got);
}

/* ---- streaks of failures */

static struct wire_message
streak_receive(uint32_t id)
{
	struct wire_message m;

	do {
		if (!rig_receive(&rig, WIRE_OUTLIER, &m, NULL))
			fail_msg("no message of a streak at %u", id);
	} while (m.outlier.upstream != id);
	assert_int_equal(m.outlier.worker, 0);
	return m;
}

static void
streaks_are_told(void **state)
{
	struct wire_message m;
	uint32_t last = 0;

	(void)state;
	rig_origin_script(a, always_500);
	for (int i = 0; i < 3; i++)
		ask_for(GET("/outlier3"), 500);
	do {
		m = streak_receive(UP_OUTLIER);
		assert_true(m.outlier.errors > last);
		assert_int_equal(m.outlier.gateway_errors, 0);
		assert_int_equal(
			addr_port(&m.outlier.addr), rig_origin_port(a));
		last = m.outlier.errors;
	} while (last < 3);
	rig_origin_script(a, always_ok);
	ask_for(GET("/outlier3"), 200);
	m = streak_receive(UP_OUTLIER);
	assert_int_equal(m.outlier.errors, 0);
	assert_int_equal(m.outlier.gateway_errors, 0);
}

/* What is enough by itself is told at once, however soon it is over; again
 * within 50 ms it is not, or a flapping endpoint would flood the channel. */
static void
enough_is_told_at_once(void **state)
{
	static const struct rig_answer answers[] = { { E503, 0, 0 },
		{ OK("a"), 0, 0 }, { "", RIG_CLOSE, 0 }, { OK("a"), 0, 0 },
		{ "bad\r\n\r\n", 0, 0 }, { OK("a"), 0, 0 }, END_OF_LIST };
	struct wire_message m;

	(void)state;
	rig_origin_script(a, answers);
	for (int i = 0; i < 3; i++) {
		ask_for(GET("/outlier1"), i == 0 ? 503 : 502);
		ask_for(GET("/outlier1"), 200);
	}
	m = streak_receive(UP_OUTLIER_1);
	assert_int_equal(m.outlier.gateway_errors, 1);
	while (m.outlier.errors > 0) {
		m = streak_receive(UP_OUTLIER_1);
		assert_true(m.outlier.gateway_errors <= 1);
	}
}

static void
who_left_is_not_told_of(void **state)
{
	struct rig_endpoint here = at_origin(a), elsewhere = at_origin(b);
	int fd;

	(void)state;
	rig_origin_script(b, always_ok_b);
	for (int i = 0; i < 3; i++) {
		/* It goes while it is on the list of those to be told of. */
		rig_origin_script(a, always_500);
		ask_for(GET("/outlier3"), 500);
		rig_endpoints(&rig, UP_OUTLIER, NULL, 0);
		ask_for(GET("/outlier1"), 500);
		streak_receive(UP_OUTLIER_1);
		/* It fails when it has gone. */
		rig_endpoints(&rig, UP_OUTLIER, &here, 1);
		generation_next();
		rig_origin_script(a, closed_once);
		rig_origin_pause(a, true);
		fd = client_send(GET("/outlier3"));
		assert_true(rig_await(&rig, UP_OUTLIER, "requests_active", 1));
		rig_endpoints(&rig, UP_OUTLIER, &elsewhere, 1);
		generation_next();
		rig_origin_pause(a, false);
		answered(fd, "HTTP/1.1 502 ");
		assert_int_equal(ask_who(GET("/outlier3")), 'b');
		rig_origin_script(a, always_500);
		ask_for(GET("/outlier1"), 500);
		streak_receive(UP_OUTLIER_1);
		rig_endpoints(&rig, UP_OUTLIER, &here, 1);
		generation_next();
	}
	gauges_are_zero(UP_OUTLIER);
}

/* ---- all at once */

#define STORM_CLIENTS  20
#define STORM_REQUESTS 8000
#define STORM_SCRIPT   4096
#define STORM_MS       10000

static uint64_t
storm_random(void)
{
	static uint64_t x = 0x9e3779b97f4a7c15u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x >> 11;
}

static void
storm_script(struct rig_answer *script)
{
	static const struct rig_answer mix[] = {
		{ "", RIG_ECHO, 0 },
		{ "", RIG_ECHO, 0 },
		{ "", RIG_ECHO, 0 },
		{ "", RIG_ECHO | RIG_SHUT_IDLE, 0 },
		{ "", RIG_ECHO | RIG_BYTEWISE, 0 },
		{ OK("a") "x", 0, 0 },
		{ E503, 0, 0 },
		{ E503, RIG_EARLY, 0 },
		{ "", RIG_CLOSE, 0 },
		{ "", RIG_RESET, 0 },
		{ "", RIG_CLOSE | RIG_EARLY, 0 },
		{ "HTTP/1.1 200 OK\r\nCon", RIG_CLOSE, 0 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", RIG_RESET,
			0 },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		  "1\r\na\r\n0\r\n\r\n",
			0, 0 },
		{ "hello\r\n\r\n", 0, 0 },
		{ "", RIG_SILENT, 0 },
	};

	for (int i = 0; i < STORM_SCRIPT; i++)
		script[i] = mix[storm_random() % ARRAY_SIZE(mix)];
	script[STORM_SCRIPT] = (struct rig_answer)END_OF_LIST;
}

struct storm_client {
	int fd; /* -1: none */
	struct str got;
	char echo[64]; /* what an origin says of the request */
	bool leaves;   /* before the answer */
};

static void
storm_send(struct storm_client *k, unsigned number)
{
	struct str request;
	size_t body = storm_random() % 3000;

	str_init(&request);
	str_printf(&request,
		"%s /storm/%u HTTP/1.1\r\nHost: h\r\nConnection: close\r\n",
		number % 3 == 0 ? "GET" : "POST", number);
	if (number % 3 == 1)
		str_printf(&request, "Content-Length: %zu\r\n", body);
	if (number % 3 == 2)
		str_printf(&request,
			"Transfer-Encoding: chunked\r\n\r\n"
			"1\r\nx\r\n%zx\r\n",
			body + 1);
	else
		str_puts(&request, "\r\n");
	for (size_t i = 0; number % 3 != 0 && i < body + (number % 3 == 2); i++)
		str_putc(&request, 'x');
	if (number % 3 == 2)
		str_puts(&request, "\r\n0\r\n\r\n");
	snprintf(k->echo, sizeof(k->echo), "/storm/%u %zu", number,
		number % 3 == 0   ? 0
		: number % 3 == 1 ? body
				  : body + 2);
	k->fd = rig_client(&rig);
	k->leaves = storm_random() % 8 == 0;
	str_clear(&k->got);
	rig_client_send(k->fd, request.data, request.length);
	str_fini(&request);
}

/* Any status, but a sound head, and nobody else's answer; or nothing. */
static void
storm_end(struct storm_client *k)
{
	if (k->got.length > 0) {
		const char *body = strstr(k->got.data, "\r\n\r\n");

		begins("the storm", &k->got, "HTTP/1.1 ");
		assert_non_null(body);
		assert_null(strstr(k->got.data + 1, "HTTP/1.1 "));
		body += 4;
		/* It may have been cut by the route's timeout. */
		if (body[0] == '/')
			assert_memory_equal(body, k->echo,
				k->got.length - (size_t)(body - k->got.data));
	}
	close(k->fd);
	k->fd = -1;
}

static void
storm_turn(struct storm_client *clients)
{
	struct pollfd fds[STORM_CLIENTS];

	for (int i = 0; i < STORM_CLIENTS; i++)
		fds[i] = (struct pollfd){ clients[i].fd, POLLIN, 0 };
	poll(fds, STORM_CLIENTS, 2);
	for (int i = 0; i < STORM_CLIENTS; i++) {
		struct storm_client *k = &clients[i];
		char bytes[4096];
		ssize_t n;

		if (k->fd < 0 || (!fds[i].revents && !k->leaves))
			continue;
		if (k->leaves) {
			if (storm_random() % 4 != 0)
				continue;
			rig_client_reset(k->fd);
			k->fd = -1;
			continue;
		}
		n = recv(k->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n > 0)
			str_append(&k->got, bytes, (size_t)n);
		else
			storm_end(k);
	}
}

static void
storm_endpoints(uint16_t dead)
{
	struct rig_endpoint all[] = { at_origin(a), at_origin(b), at_origin(c),
		at(dead) };
	struct rig_endpoint set[4];
	uint32_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (storm_random() % 3 == 0)
			continue;
		set[count] = all[i];
		set[count].weight = (uint16_t)(storm_random() % 4);
		set[count++].health =
			(enum endpoint_health)(storm_random() % 3);
	}
	rig_endpoints(&rig, UP_STORM, set, count);
	rig_health(&rig, UP_STORM, all[storm_random() % 4].port,
		(enum endpoint_health)(storm_random() % 3));
}

static void
storm_policy(void)
{
	struct image_build_upstream *u = &upstreams[UP_STORM - UP_ONE];

	u->balance = (struct policy_balance){ .type = storm_random() % 6,
		.ring_min = 16,
		.ring_max = 64,
		.choices = 2,
		.slow_start_ms = storm_random() % 2 * 50,
		.slow_min_percent = 10,
		.panic_percent = storm_random() % 2 * 50 };
	u->max_requests_per_connection = storm_random() % 3;
}

static void
sums_hold(void)
{
	struct counters_listener l = rig_counters(&rig);

	assert_int_equal(l.connections_accepted, l.connections_closed);
	assert_int_equal(l.connections_open, 0);
	assert_int_equal(l.requests_active, 0);
	assert_int_equal(l.requests, l.responses_2xx + l.responses_3xx +
					     l.responses_4xx + l.responses_5xx +
					     l.responses_aborted);
}

static void
nothing_is_lost_in_a_storm(void **state)
{
	static struct rig_answer scripts[3][STORM_SCRIPT + 1];
	struct rig_origin *all[] = { a, b, c };
	struct storm_client clients[STORM_CLIENTS];
	struct counters_upstream before = counted(UP_STORM), now;
	struct rig_endpoint first = at_origin(a);
	uint64_t until = clock_monotonic_ms() + STORM_MS, change = 0;
	uint16_t dead = rig_dead_port();
	unsigned sent = 0, open = 0, changes = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		storm_script(scripts[i]);
		rig_origin_script(all[i], scripts[i]);
	}
	for (int i = 0; i < STORM_CLIENTS; i++) {
		clients[i].fd = -1;
		str_init(&clients[i].got);
	}
	do {
		uint64_t ms = clock_monotonic_ms();

		if (ms >= change) {
			change = ms + 20;
			storm_endpoints(dead);
			storm_policy();
			if (changes++ % 3 == 0)
				generation_next();
		}
		open = 0;
		for (int i = 0; i < STORM_CLIENTS; i++) {
			if (clients[i].fd < 0 && sent < STORM_REQUESTS &&
				ms < until)
				storm_send(&clients[i], sent++);
			open += clients[i].fd >= 0;
		}
		storm_turn(clients);
		assert_true(ms < until + RIG_WAIT_MS);
	} while (open > 0);
	rig_settled(&rig);
	now = counted(UP_STORM);
	print_message("%u requests, %u changes: %ju attempts, %ju tried again, "
		      "%ju resets, %ju too late, %ju waited in vain\n",
		sent, changes, (uintmax_t)(now.requests - before.requests),
		(uintmax_t)now.retried, (uintmax_t)now.reset,
		(uintmax_t)(now.try_timeout + now.request_timeout),
		(uintmax_t)now.pending_overflow);
	assert_true(now.retried > 0 && now.reset > 0 && now.bad_response > 0);
	assert_true(now.try_timeout > 0 && now.connect_failed > 0);
	rig_endpoints(&rig, UP_STORM, NULL, 0);
	assert_true(rig_await(&rig, UP_STORM, "connections_open", 0));
	gauges_are_zero(UP_STORM);
	sums_hold();
	/* And all goes on. */
	rig_endpoints(&rig, UP_STORM, &first, 1);
	generation_next();
	rig_origin_script(a, always_ok);
	ask_for(GET("/storm"), 200);
	for (int i = 0; i < STORM_CLIENTS; i++)
		str_fini(&clients[i].got);
}

/* The last: the proxy ends. */
static void
those_who_wait_are_served_before_the_end(void **state)
{
	struct wire_message drain = rig_message(WIRE_DRAIN);
	int fds[3];

	(void)state;
	rig_origin_script(a, always_ok);
	clients_wait("/narrow", UP_NARROW, fds, 3);
	drain.drain.deadline_ms = RIG_WAIT_MS;
	rig_send(&rig, &drain, NULL, 0);
	rig_origin_pause(a, false);
	for (int i = 0; i < 3; i++)
		answered(fds[i], "HTTP/1.1 200 ");
	assert_int_equal(rig_wait_exit(&rig), 0);
	for (uint32_t i = UP_ONE; i < UP_END; i++) {
		gauges_are_zero(i);
		assert_int_equal(counted(i).connections_open, 0);
	}
	sums_hold();
}

static int
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

static int
group_stop(void **state)
{
	(void)state;
	rig_stop(&rig);
	rig_origin_free(b);
	rig_origin_free(c);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_decide),
		cmocka_unit_test(no_connection_is_tried_again),
		cmocka_unit_test(the_other_endpoint_gets_one_request),
		cmocka_unit_test(the_last_answer_is_passed_on),
		cmocka_unit_test(another_endpoint_is_asked),
		cmocka_unit_test(a_budget_ends_retries),
		cmocka_unit_test(an_idle_race_costs_no_budget),
		cmocka_unit_test(retries_in_work_are_limited),
		cmocka_unit_test(bodies_are_sent_again),
		cmocka_unit_test(a_body_survives_a_reset_in_its_middle),
		cmocka_unit_test(a_body_that_still_comes_is_sent_again),
		cmocka_unit_test(a_large_body_is_sent_once),
		cmocka_unit_test(nothing_follows_a_head_that_went_out),
		cmocka_unit_test(each_try_has_its_time),
		cmocka_unit_test(each_try_has_its_time_on_a_kept_connection),
		cmocka_unit_test(the_time_of_the_route_covers_all),
		cmocka_unit_test(a_client_may_leave_in_back_off),
		cmocka_unit_test(silence_has_its_time),
		cmocka_unit_test(those_who_wait_are_served_in_order),
		cmocka_unit_test(a_dead_connection_lets_others_through),
		cmocka_unit_test(those_who_wait_may_leave),
		cmocka_unit_test(those_who_wait_go_where_the_endpoints_are),
		cmocka_unit_test(those_who_wait_for_nobody_are_refused),
		cmocka_unit_test(a_retry_that_waited_goes_elsewhere),
		cmocka_unit_test(not_all_may_wait),
		cmocka_unit_test(who_is_down_gets_nothing),
		cmocka_unit_test(a_header_leads_to_an_endpoint),
		cmocka_unit_test(a_terminal_policy_is_the_last),
		cmocka_unit_test(a_source_leads_to_an_endpoint),
		cmocka_unit_test(a_cookie_brings_a_client_back),
		cmocka_unit_test(streaks_are_told),
		cmocka_unit_test(enough_is_told_at_once),
		cmocka_unit_test(who_left_is_not_told_of),
		cmocka_unit_test(nothing_is_lost_in_a_storm),
		cmocka_unit_test(those_who_wait_are_served_before_the_end),
	};

	return cmocka_run_group_tests(tests, group_start, group_stop);
}
