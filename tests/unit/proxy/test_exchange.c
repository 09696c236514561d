/*
 * Requests and answers through the proxy, as bytes: what the client sent, what
 * the origin answered, what reached either.
 */
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
#define BAD    REPLY("400 Bad Request", "12", CLOSED, "Bad Request")
#define RESET                                                                  \
	REPLY("502 Bad Gateway", "71", "",                                     \
		"upstream gloo-system.once: it closed the connection before "  \
		"it answered")
#define MALFORMED                                                              \
	REPLY("502 Bad Gateway", "53", "",                                     \
		"upstream gloo-system.origin: its answer is malformed")

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
static const struct wire_settings quick = {
	.workers = 1,
	.orphan_timeout_ms = 60000,
	.head_timeout_ms = 200,
	.idle_timeout_ms = 400,
	.upstream_idle_ms = 10000,
	.body_idle_ms = 300,
};

/* ---- the routes of all tests */

static struct model_matcher
prefix(const char *path)
{
	return (struct model_matcher){ .path_type = MODEL_PATH_PREFIX,
		.path = CHARS(path) };
}

static struct model_destination to_1[] = { { { CHARS("1"), NULL }, 1, NULL } };
static struct model_destination to_2[] = { { { CHARS("2"), NULL }, 1, NULL } };
static struct model_destination to_3[] = { { { CHARS("3"), NULL }, 1, NULL } };
static struct model_destination to_4[] = { { { CHARS("4"), NULL }, 1, NULL } };
static struct model_destination to_5[] = { { { CHARS("5"), NULL }, 1, NULL } };
static struct model_destination to_6[] = { { { CHARS("6"), NULL }, 1, NULL } };
static struct model_destination to_7[] = { { { CHARS("7"), NULL }, 1, NULL } };
static struct model_destination to_none[] = { { { CHARS("none"), NULL }, 1,
	NULL } };

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

static size_t
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

static void
same(const char *what, const char *where, const struct str *got,
	const char *want)
{
	if (strlen(want) == got->length &&
		memcmp(got->data, want, got->length) == 0)
		return;
	fail_msg("%s: %s got\n%s\n--- and not\n%s\n---", what, where, got->data,
		want);
}

static void
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
static void
origin_forget(void)
{
	static const struct rig_answer none[] = { { .bytes = NULL } };

	rig_origin_script(rig.origin, none);
}

static void
rows_run(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		row_run(&rows[i], false);
		if (rows[i].flags & SPLIT)
			row_run(&rows[i], true);
	}
	origin_forget();
}

static void
requests_are_forwarded(void **state)
{
	static const struct row rows[] = {
		{ "a request", GET_A, { { OK_A, 0, 0 } }, SENT_A, GOT_A,
			SPLIT },
		{ "two on a kept connection, pipelined", GET_A GET_A,
			{ { OK_A, 0, 0 }, { OK_B, 0, 0 } }, SENT_A SENT_A,
			GOT_A GOT_B, SPLIT },
		{ "HTTP/1.0 is answered and closed", "GET /a HTTP/1.0\r\n\r\n",
			{ { OK_A, 0, 0 } }, NULL,
			"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n" CLOSED
			"\r\na",
			ENDS },
		{ "HTTP/1.0 with keep-alive",
			"GET /a HTTP/1.0\r\nHost: h\r\n"
			"Connection: keep-alive\r\n\r\n",
			{ { OK_A, 0, 0 } }, SENT_A,
			"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n"
			"connection: keep-alive\r\n\r\na",
			0 },
		{ "Connection: close",
			"GET /a HTTP/1.1\r\nHost: h\r\n"
			"Connection: close\r\n\r\n" GET_A,
			{ { OK_A, 0, 0 } }, SENT_A,
			"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n" CLOSED
			"\r\na",
			ENDS },
		{ "a client that shuts its side after the request", GET_A,
			{ { OK_A, 0, 0 } }, SENT_A, GOT_A, SHUT | ENDS },
		{ "half a second request does not hold up the first",
			GET_A "GET /a HT", { { OK_A, 0, 0 } }, SENT_A, GOT_A,
			0 },
		{ "an absolute target replaces Host",
			"GET http://other/a HTTP/1.1\r\nHost: h\r\n\r\n",
			{ { OK_A, 0, 0 } },
			"GET /a HTTP/1.1\r\nhost: other\r\n" ADDED TIMED "\r\n",
			GOT_A, 0 },
		{ "a path is forwarded in normal form",
			"GET /a/%7euser/./x/../y?q=%2f HTTP/1.1\r\n"
			"Host: h\r\n\r\n",
			{ { OK_A, 0, 0 } },
			"GET /a/~user/y?q=%2f HTTP/1.1\r\nhost: h\r\n" ADDED
				TIMED "\r\n",
			GOT_A, SPLIT },
		{ "rewritten", "GET /rewrite/x?y HTTP/1.1\r\nHost: h\r\n\r\n",
			{ { OK_A, 0, 0 } },
			"GET /x?y HTTP/1.1\r\nhost: h\r\n"
			"x-envoy-original-path: /rewrite/x?y\r\n" ADDED TIMED
			"\r\n",
			GOT_A, 0 },
		{ "fields are added and removed both ways",
			"GET /headers HTTP/1.1\r\nHost: h\r\nX-Secret: s\r\n"
			"Accept: */*\r\n\r\n",
			{ { "HTTP/1.1 200 OK\r\nServer: s\r\nDate: d\r\n"
			    "Content-Length: 0\r\n\r\n",
				0, 0 } },
			"GET /headers HTTP/1.1\r\nhost: h\r\nAccept: "
			"*/*\r\n" ADDED TIMED "x-added: 1\r\n\r\n",
			"HTTP/1.1 200 OK\r\nDate: d\r\nx-answer: 2\r\n"
			"content-length: 0\r\n\r\n",
			0 },
		{ "the endpoint's name as Host",
			"GET /host HTTP/1.1\r\nHost: h\r\n\r\n",
			{ { OK_A, 0, 0 } },
			"GET /host HTTP/1.1\r\nhost: origin.example\r\n" ADDED
				TIMED "\r\n",
			GOT_A, 0 },
		{ "hop-by-hop fields stay, a named id goes on",
			"GET /a HTTP/1.1\r\nHost: h\r\n"
			"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\n"
			"Keep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\n"
			"HTTP2-Settings: x\r\nProxy-Connection: y\r\n"
			"X-Request-Id: mine\r\nX-Forwarded-For: 9.9.9.9\r\n"
			"\r\n",
			{ { "HTTP/1.1 200 OK\r\nConnection: X-Back\r\n"
			    "X-Back: 1\r\nContent-Length: 0\r\n\r\n",
				0, 0 } },
			"GET /a HTTP/1.1\r\nhost: h\r\n"
			"x-forwarded-for: 127.0.0.1\r\n"
			"x-forwarded-proto: http\r\n"
			"x-request-id: mine\r\n" TIMED "\r\n",
			"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 0 },
		{ "no timeout, no timeout field",
			"GET /patient HTTP/1.1\r\nHost: h\r\n\r\n",
			{ { OK_A, 0, 0 } },
			"GET /patient HTTP/1.1\r\nhost: h\r\n" ADDED "\r\n",
			GOT_A, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct row row = rows[i];
		char made[512];

		if (row.origin == NULL) {
			/* Without Host it is the endpoint's address. */
			snprintf(made, sizeof(made),
				"GET /a HTTP/1.1\r\nhost: 127.0.0.1:%u\r\n"
				"%s\r\n",
				rig_origin_port(rig.origin), ADDED TIMED);
			row.origin = made;
		}
		rows_run(&row, 1);
	}
}

static void
bodies_are_forwarded(void **state)
{
	static const struct row rows[] = {
		{ "a body with a length",
			"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
			"\r\nhello",
			{ { OK_A, 0, 0 } },
			"POST /a HTTP/1.1\r\nhost: h\r\n" ADDED TIMED
			"content-length: 5\r\n\r\nhello",
			GOT_A, 0 },
		{ "a length of 0 stays",
			"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n"
			"\r\n",
			{ { OK_A, 0, 0 } },
			"POST /a HTTP/1.1\r\nhost: h\r\n" ADDED TIMED
			"content-length: 0\r\n\r\n",
			GOT_A, SPLIT },
		{ "chunks, their extensions and trailers dropped",
			"POST /a HTTP/1.1\r\nHost: h\r\n"
			"Transfer-Encoding: chunked\r\n\r\n"
			"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n",
			{ { OK_A, 0, 0 } },
			"POST /a HTTP/1.1\r\nhost: h\r\n" ADDED TIMED
			"transfer-encoding: chunked\r\n\r\n"
			"5\r\nabcde\r\n0\r\n\r\n",
			GOT_A, 0 },
		{ "a request after a body",
			"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
			"\r\nhi" GET_A,
			{ { OK_A, 0, 0 }, { OK_B, 0, 0 } },
			"POST /a HTTP/1.1\r\nhost: h\r\n" ADDED TIMED
			"content-length: 2\r\n\r\nhi" SENT_A,
			GOT_A GOT_B, SPLIT },
		{ "a GET with a body",
			"GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
			"\r\nhi",
			{ { OK_A, 0, 0 } },
			"GET /a HTTP/1.1\r\nhost: h\r\n" ADDED TIMED
			"content-length: 2\r\n\r\nhi",
			GOT_A, SPLIT },
		{ "an answer in chunks", GET_A,
			{ { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
			    "\r\n\r\n3\r\nabc\r\n2;e\r\nde\r\n0\r\nT: "
			    "x\r\n\r\n",
				0, 0 } },
			SENT_A,
			"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
			"5\r\nabcde\r\n0\r\n\r\n",
			0 },
		{ "an answer in chunks for HTTP/1.0",
			"GET /a HTTP/1.0\r\nHost: h\r\n"
			"Connection: keep-alive\r\n\r\n",
			{ { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
			    "\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
				0, 0 } },
			SENT_A, "HTTP/1.1 200 OK\r\n" CLOSED "\r\nabc", ENDS },
		{ "an answer that ends with the connection", GET_1 GET_A,
			{ { "HTTP/1.1 200 OK\r\n\r\nabc", RIG_CLOSE, 0 },
				{ OK_B, 0, 0 } },
			SENT_1 SENT_A,
			"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
			"3\r\nabc\r\n0\r\n\r\n" GOT_B,
			0 },
		{ "an answer that ends with the connection, HTTP/1.0",
			"GET /a HTTP/1.0\r\nHost: h\r\n\r\n",
			{ { "HTTP/1.1 200 OK\r\n\r\nabc", RIG_CLOSE, 0 } },
			SENT_A, "HTTP/1.1 200 OK\r\n" CLOSED "\r\nabc", ENDS },
		{ "HEAD has no body, whatever its length",
			"HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n" GET_A,
			{ { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 0,
				  0 },
				{ OK_B, 0, 0 } },
			"HEAD /a HTTP/1.1\r\nhost: h\r\n" ADDED TIMED
			"\r\n" SENT_A,
			"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n" GOT_B,
			0 },
		{ "204 and 304 have none", GET_A GET_A,
			{ { "HTTP/1.1 204 No Content\r\n\r\n", 0, 0 },
				{ "HTTP/1.1 304 Not Modified\r\n"
				  "Content-Length: 7\r\n\r\n",
					0, 0 } },
			SENT_A SENT_A,
			"HTTP/1.1 204 No Content\r\n\r\n"
			"HTTP/1.1 304 Not Modified\r\n"
			"content-length: 7\r\n\r\n",
			0 },
		{ "the origin answers byte by byte", GET_A GET_A,
			{ { "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 3\r\n"
			    "\r\nabc",
				  RIG_BYTEWISE, 0 },
				{ OK_B, RIG_BYTEWISE, 0 } },
			SENT_A SENT_A,
			"HTTP/1.1 200 OK\r\nX: y\r\ncontent-length: 3\r\n\r\n"
			"abc" GOT_B,
			0 },
		{ "100s of the upstream are passed over", GET_A,
			{ { "HTTP/1.1 100 Continue\r\n\r\n"
			    "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK_A,
				0, 0 } },
			SENT_A, GOT_A, 0 },
		{ "a client that expects 100-continue",
			"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
			"Expect: 100-continue\r\n\r\nhi",
			{ { OK_A, 0, 0 } },
			"POST /a HTTP/1.1\r\nhost: h\r\n" ADDED TIMED
			"content-length: 2\r\n\r\nhi",
			GOT_A, 0 },
	};

	(void)state;
	rows_run(rows, ARRAY_SIZE(rows));
}

static void
answers_of_our_own(void **state)
{
	static const struct row rows[] = {
		{ "no route", "GET /zzz HTTP/1.1\r\nHost: h\r\n\r\n" GET_A,
			{ { OK_A, 0, 0 } }, SENT_A,
			REPLY("404 Not Found", "30", "",
				"no route matches this request") GOT_A,
			SPLIT },
		{ "no route for HEAD", "HEAD /zzz HTTP/1.1\r\nHost: h\r\n\r\n",
			{ { OK_A, 0, 0 } }, "",
			"HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\n"
			"content-length: 30\r\n\r\n",
			0 },
		{ "no route, and a small body that is read",
			"POST /zzz HTTP/1.1\r\nHost: h\r\n"
			"Content-Length: 2\r\n\r\nhi" GET_A,
			{ { OK_A, 0, 0 } }, SENT_A,
			REPLY("404 Not Found", "30", "",
				"no route matches this request") GOT_A,
			SPLIT },
		{ "no route, and chunks that are read",
			"POST /zzz HTTP/1.1\r\nHost: h\r\n"
			"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"
			"0\r\n\r\n" GET_A,
			{ { OK_A, 0, 0 } }, SENT_A,
			REPLY("404 Not Found", "30", "",
				"no route matches this request") GOT_A,
			SPLIT },
		{ "no route, and a body that is too long to be read",
			"POST /zzz HTTP/1.1\r\nHost: h\r\n"
			"Content-Length: 99999999\r\n\r\nhi",
			{ { OK_A, 0, 0 } }, "",
			REPLY("404 Not Found", "30", CLOSED,
				"no route matches this request"),
			ENDS },
		{ "no route, and a body that waits for 100-continue",
			"POST /zzz HTTP/1.1\r\nHost: h\r\n"
			"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n",
			{ { OK_A, 0, 0 } }, "",
			REPLY("404 Not Found", "30", CLOSED,
				"no route matches this request"),
			ENDS },
		{ "a redirect",
			"GET /redirect/x?y HTTP/1.1\r\nHost: h\r\n\r\n" GET_A,
			{ { OK_A, 0, 0 } }, SENT_A,
			"HTTP/1.1 302 Found\r\n"
			"location: http://new.example/redirect/x?y\r\n"
			"content-length: 0\r\n\r\n" GOT_A,
			SPLIT },
		{ "a direct response",
			"GET /direct HTTP/1.1\r\nHost: h\r\n\r\n",
			{ { OK_A, 0, 0 } }, "",
			"HTTP/1.1 418 \r\ncontent-type: text/plain\r\n"
			"content-length: 15\r\n\r\nshort and stout",
			0 },
		{ "an upstream that does not exist",
			"GET /none HTTP/1.1\r\nHost: h\r\n\r\n",
			{ { OK_A, 0, 0 } }, "",
			REPLY("503 Service Unavailable", "28", "",
				"no upstream is named \"none\""),
			0 },
		{ "an upstream that is not served",
			"GET /off HTTP/1.1\r\nHost: h\r\n\r\n",
			{ { OK_A, 0, 0 } }, "",
			REPLY("503 Service Unavailable", "41", "",
				"upstream gloo-system.off: not served yet"),
			0 },
		{ "an upstream without endpoints",
			"GET /empty HTTP/1.1\r\nHost: h\r\n\r\n",
			{ { OK_A, 0, 0 } }, "",
			REPLY("503 Service Unavailable", "47", "",
				"upstream gloo-system.empty: it has no "
				"endpoint"),
			0 },
		{ "an upstream that refuses connections",
			"GET /dead HTTP/1.1\r\nHost: h\r\n\r\n" GET_A,
			{ { OK_A, 0, 0 } }, SENT_A,
			REPLY("502 Bad Gateway", "51", "",
				"upstream gloo-system.dead: it could not be "
				"reached") GOT_A,
			0 },
		{ "an upstream that refuses connections, with a body",
			"POST /dead HTTP/1.1\r\nHost: h\r\n"
			"Content-Length: 2\r\n\r\nhi" GET_A,
			{ { OK_A, 0, 0 } }, SENT_A,
			REPLY("502 Bad Gateway", "51", "",
				"upstream gloo-system.dead: it could not be "
				"reached") GOT_A,
			0 },
	};

	(void)state;
	rows_run(rows, ARRAY_SIZE(rows));
}

static void
the_other_endpoint_is_tried(void **state)
{
	static const struct row row = { "one endpoint of two is dead",
		"GET /half HTTP/1.1\r\nHost: h\r\n\r\n", { { OK_A, 0, 0 } },
		"GET /half HTTP/1.1\r\nhost: h\r\n" ADDED TIMED "\r\n", GOT_A,
		0 };
	struct counters_upstream before = rig_upstream_counters(&rig, 2), c;

	(void)state;
	for (int i = 0; i < 20; i++)
		row_run(&row, false);
	c = rig_upstream_counters(&rig, 2);
	assert_int_equal(c.responses_2xx - before.responses_2xx, 20);
	assert_true(c.connect_failed > before.connect_failed);
}

static void
hostile_requests(void **state)
{
	static const struct row rows[] = {
		{ "length and chunks",
			"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
			"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" GET_A,
			{ { OK_A, 0, 0 } }, "", BAD, ENDS },
		{ "no Host", "GET /a HTTP/1.1\r\n\r\n" GET_A,
			{ { OK_A, 0, 0 } }, "", BAD, ENDS | SPLIT },
		{ "a bare line feed", "GET /a HTTP/1.1\nHost: h\n\n",
			{ { OK_A, 0, 0 } }, "", BAD, ENDS | SPLIT },
		{ "an encoded slash",
			"GET /a%2fb HTTP/1.1\r\nHost: h\r\n\r\n" GET_A,
			{ { OK_A, 0, 0 } }, "", BAD, ENDS },
		{ "above the root",
			"GET /a/../../b HTTP/1.1\r\nHost: h\r\n\r\n",
			{ { OK_A, 0, 0 } }, "", BAD, ENDS },
		{ "CONNECT", "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n",
			{ { OK_A, 0, 0 } }, "",
			REPLY("405 Method Not Allowed", "19", CLOSED,
				"Method Not Allowed"),
			ENDS },
		{ "gzip as transfer coding",
			"POST /a HTTP/1.1\r\nHost: h\r\n"
			"Transfer-Encoding: gzip, chunked\r\n\r\n",
			{ { OK_A, 0, 0 } }, "",
			REPLY("501 Not Implemented", "16", CLOSED,
				"Not Implemented"),
			ENDS },
		{ "the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
			{ { OK_A, 0, 0 } }, "", "", ENDS | SPLIT },
		{ "a TLS hello", "\x16\x03\x01\x02\x01\x01", { { OK_A, 0, 0 } },
			"", "", ENDS },
		{ "a head that ends early", "GET /a HTTP/1.1\r\nHos",
			{ { OK_A, 0, 0 } }, "", "", SHUT | ENDS | SPLIT },
		{ "a head that does not come", "GET /a HTTP/1.1\r\nHos",
			{ { OK_A, 0, 0 } }, "",
			REPLY("408 Request Timeout", "16", CLOSED,
				"Request Timeout"),
			ENDS },
		{ "a connection on which nothing comes", "", { { OK_A, 0, 0 } },
			"", "", ENDS },
		{ "a bad chunk after a good one",
			"POST /once HTTP/1.1\r\nHost: h\r\n"
			"Transfer-Encoding: chunked\r\n\r\n"
			"2\r\nhi\r\n-1\r\n",
			{ { OK_A, 0, 0 } }, "",
			REPLY("400 Bad Request", "37", CLOSED,
				"the body of the request is malformed"),
			ENDS },
	};

	(void)state;
	rows_run(rows, ARRAY_SIZE(rows));
}

static void
hostile_answers(void **state)
{
	static const char *const bad[] = {
		"HTTP/1.1 099 Odd\r\n\r\n",
		"HTTP/1.1 600 Odd\r\n\r\n",
		"HTTP/2.0 200 OK\r\n\r\n",
		"hello\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
		"Content-Length: 2\r\n\r\na",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
		"Transfer-Encoding: chunked\r\n\r\na",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\na",
		"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: \x01\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct row row = { bad[i], GET_A GET_A,
			{ { bad[i], 0, 0 }, { OK_B, 0, 0 } }, SENT_A SENT_A,
			MALFORMED GOT_B, 0 };

		rows_run(&row, 1);
	}
}

static void
broken_answers(void **state)
{
	static const struct row rows[] = {
		{ "the end before the head", GET_1, { { "", RIG_CLOSE, 0 } },
			SENT_1, RESET, 0 },
		{ "the end within the head", GET_1,
			{ { "HTTP/1.1 200 OK\r\nCon", RIG_CLOSE, 0 } }, SENT_1,
			RESET, 0 },
		{ "a reset before the head", GET_1, { { "", RIG_RESET, 0 } },
			SENT_1, RESET, 0 },
		{ "a body that is short of its length", GET_A,
			{ { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
				RIG_CLOSE, 0 } },
			SENT_A,
			"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab",
			ENDS },
		{ "chunks without an end", GET_A,
			{ { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
			    "\r\n\r\n2\r\nab\r\n",
				RIG_CLOSE, 0 } },
			SENT_A,
			"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
			"2\r\nab\r\n",
			ENDS },
		{ "a bad chunk", GET_A,
			{ { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
			    "\r\n\r\n2\r\nab\r\nx\r\n",
				0, 0 } },
			SENT_A,
			"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
			"2\r\nab\r\n",
			ENDS },
		{ "bytes after an answer are nobody's answer", GET_A GET_A,
			{ { OK_A "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
				 "evil",
				  0, 0 },
				{ OK_B, 0, 0 } },
			SENT_A SENT_A, GOT_A GOT_B, 0 },
		{ "a body in the answer to HEAD is nobody's answer",
			"HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n" GET_A,
			{ { "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
				  0, 0 },
				{ OK_B, 0, 0 } },
			"HEAD /a HTTP/1.1\r\nhost: h\r\n" ADDED TIMED
			"\r\n" SENT_A,
			"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n" GOT_B,
			0 },
		{ "a body behind a 204 is nobody's answer", GET_A GET_A,
			{ { "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK"
			    "\r\nContent-Length: 4\r\n\r\nevil",
				  0, 0 },
				{ OK_B, 0, 0 } },
			SENT_A SENT_A, "HTTP/1.1 204 No Content\r\n\r\n" GOT_B,
			0 },
		{ "an answer before the body is there",
			"POST /a HTTP/1.1\r\nHost: h\r\n"
			"Content-Length: 99\r\n\r\npart",
			{ { "HTTP/1.1 413 Content Too Large\r\n"
			    "Content-Length: 2\r\n\r\nno",
				RIG_EARLY, 0 } },
			"POST /a HTTP/1.1\r\nhost: h\r\n" ADDED TIMED
			"content-length: 99\r\n\r\npart",
			"HTTP/1.1 413 Content Too Large\r\n"
			"content-length: 2\r\n" CLOSED "\r\nno",
			ENDS },
	};

	(void)state;
	rows_run(rows, ARRAY_SIZE(rows));
}

/* ---- what rows do not say */

static void
client_get(int fd, struct str *got, const char *bytes, const char *want)
{
	str_clear(got);
	rig_client_send(fd, bytes, strlen(bytes));
	rig_client_read(fd, got, strlen(want), RIG_WAIT_MS);
	same(bytes, "the client", got, want);
}

static void
connections_are_reused(void **state)
{
	static const struct rig_answer answers[] = { { OK_A, 0, 0 },
		{ .bytes = NULL } };
	struct counters_upstream before, c;
	struct str got;
	int fd;

	(void)state;
	str_init(&got);
	rig_origin_script(rig.origin, answers);
	before = rig_upstream_counters(&rig, 1);
	for (int i = 0; i < 5; i++) {
		fd = rig_client(&rig);
		client_get(fd, &got, GET_A, GOT_A);
		client_get(fd, &got, GET_A, GOT_A);
		close(fd);
		rig_settled(&rig);
	}
	c = rig_upstream_counters(&rig, 1);
	assert_int_equal(c.requests - before.requests, 10);
	assert_true(rig_origin_connections(rig.origin) <= 1);
	assert_true(c.connections_reused - before.connections_reused >= 9);
	/* No more than two requests on one connection. */
	fd = rig_client(&rig);
	for (int i = 0; i < 6; i++)
		client_get(fd, &got, "GET /twice HTTP/1.1\r\nHost: h\r\n\r\n",
			GOT_A);
	close(fd);
	c = rig_upstream_counters(&rig, 5);
	assert_int_equal(c.connections_opened, 3);
	str_fini(&got);
}

static void
a_closed_idle_connection_costs_nothing(void **state)
{
	/* The origin closes as the next request comes; then answers. */
	static const struct rig_answer answers[] = { { OK_A, RIG_SHUT_IDLE, 0 },
		{ OK_B, RIG_SHUT_IDLE, 0 }, { OK_A, 0, 0 }, { .bytes = NULL } };
	static const struct rig_answer shut[] = { { OK_A, RIG_SHUT_IDLE, 0 },
		{ .bytes = NULL } };
	static const char post[] = "POST /a HTTP/1.1\r\nHost: h\r\n"
				   "Content-Length: 2\r\n\r\nhi";
	struct counters_upstream before, c;
	struct str got;
	int fd;

	(void)state;
	str_init(&got);
	fd = rig_client(&rig);
	/* Whatever connection is kept from before is used up. */
	rig_origin_script(rig.origin, answers);
	client_get(fd, &got, GET_A, GOT_A);
	before = rig_upstream_counters(&rig, 1);
	client_get(fd, &got, GET_A, GOT_B);
	c = rig_upstream_counters(&rig, 1);
	assert_int_equal(c.retried_idle - before.retried_idle, 1);
	/* A body that has been sent is sent again; a POST is not when the
	 * origin's system has taken it. */
	client_get(fd, &got,
		"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi",
		GOT_A);
	c = rig_upstream_counters(&rig, 1);
	assert_int_equal(c.retried_idle - before.retried_idle, 2);
	rig_origin_script(rig.origin, shut);
	client_get(fd, &got, GET_A, GOT_A);
	rig_client_send(fd, post, strlen(post));
	str_clear(&got);
	rig_client_read(fd, &got, 24, RIG_WAIT_MS);
	assert_string_equal(got.data, "HTTP/1.1 502 Bad Gateway");
	c = rig_upstream_counters(&rig, 1);
	assert_int_equal(c.retried_idle - before.retried_idle, 2);
	close(fd);
	rig_settled(&rig);
	origin_forget();
	str_fini(&got);
}

static void
silence_ends(void **state)
{
	static const struct rig_answer silent[] = { { "", RIG_SILENT, 0 },
		{ .bytes = NULL } };
	static const struct rig_answer half[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", 0, 0 },
		{ .bytes = NULL }
	};
	static const char want_half[] =
		"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab";
	struct str got;
	int fd;

	(void)state;
	str_init(&got);
	fd = rig_client(&rig);
	rig_origin_script(rig.origin, silent);
	client_get(fd, &got, "GET /soon HTTP/1.1\r\nHost: h\r\n\r\n",
		REPLY("504 Gateway Timeout", "55", "",
			"upstream gloo-system.origin: it did not answer in "
			"time"));
	rig_origin_script(rig.origin, half);
	client_get(
		fd, &got, "GET /soon HTTP/1.1\r\nHost: h\r\n\r\n", want_half);
	assert_true(rig_client_read(fd, &got, 4096, RIG_WAIT_MS));
	close(fd);
	/* Without a timeout of the route: a body must move all the same. */
	fd = rig_client(&rig);
	client_get(fd, &got, "GET /patient HTTP/1.1\r\nHost: h\r\n\r\n",
		want_half);
	assert_true(rig_client_read(fd, &got, 4096, RIG_WAIT_MS));
	close(fd);
	/* A request body that stops coming. */
	rig_origin_script(rig.origin, silent);
	fd = rig_client(&rig);
	client_get(fd, &got,
		"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhi",
		REPLY("408 Request Timeout", "45", CLOSED,
			"the body of the request did not come in time"));
	assert_true(rig_client_read(fd, &got, 4096, RIG_WAIT_MS));
	close(fd);
	assert_true(rig_origin_wait_closed(rig.origin, 1));
	rig_settled(&rig);
	str_fini(&got);
}

static void
a_client_that_leaves_takes_the_upstream_along(void **state)
{
	static const struct rig_answer silent[] = { { "", RIG_SILENT, 0 },
		{ .bytes = NULL } };
	static const char part[] = "POST /a HTTP/1.1\r\nHost: h\r\n"
				   "Content-Length: 9\r\n\r\nhi";
	struct counters_listener before, c;
	int fd;

	(void)state;
	rig_settled(&rig);
	before = rig_counters(&rig);
	rig_origin_script(rig.origin, silent);
	fd = rig_client(&rig);
	rig_client_send(fd, GET_A, strlen(GET_A));
	assert_true(rig_origin_wait(rig.origin, 1));
	close(fd);
	assert_true(rig_origin_wait_closed(rig.origin, 1));
	fd = rig_client(&rig);
	rig_origin_script(rig.origin, silent);
	rig_client_send(fd, part, strlen(part));
	assert_true(rig_origin_wait(rig.origin, 1));
	close(fd);
	assert_true(rig_origin_wait_closed(rig.origin, 1));
	rig_settled(&rig);
	c = rig_counters(&rig);
	assert_int_equal(c.responses_aborted - before.responses_aborted, 2);
}

static void
a_100_is_sent_when_it_is_waited_for(void **state)
{
	static const struct rig_answer answers[] = { { OK_A, 0, 0 },
		{ .bytes = NULL } };
	struct str got;
	int fd;

	(void)state;
	str_init(&got);
	rig_origin_script(rig.origin, answers);
	fd = rig_client(&rig);
	client_get(fd, &got,
		"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
		"Expect: 100-continue\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n");
	client_get(fd, &got, "hi", GOT_A);
	client_get(fd, &got, GET_A, GOT_A);
	close(fd);
	str_fini(&got);
}

static void
a_flood_of_100s_is_cut(void **state)
{
	struct rig_answer answers[2] = { { .flags = 0 } };
	struct str flood, got;
	int fd;

	(void)state;
	str_init(&flood);
	str_init(&got);
	for (int i = 0; i < 40; i++)
		str_puts(&flood, "HTTP/1.1 100 Continue\r\n\r\n");
	str_puts(&flood, OK_A);
	answers[0].bytes = flood.data;
	rig_origin_script(rig.origin, answers);
	fd = rig_client(&rig);
	client_get(fd, &got, GET_A, MALFORMED);
	close(fd);
	rig_settled(&rig);
	origin_forget();
	str_fini(&flood);
	str_fini(&got);
}

static void
limits_of_heads(void **state)
{
	static const struct rig_answer answers[] = { { OK_A, 0, 0 },
		{ .bytes = NULL } };
	struct counters_listener before = rig_counters(&rig), c;
	struct str text, got;
	int fd;

	(void)state;
	str_init(&text);
	str_init(&got);
	rig_origin_script(rig.origin, answers);
	str_puts(&text, "GET /a HTTP/1.1\r\nHost: h\r\nX: ");
	while (text.length < 59000)
		str_puts(&text, "0123456789");
	str_puts(&text, "\r\n\r\n");
	fd = rig_client(&rig);
	client_get(fd, &got, text.data, GOT_A);
	str_consume(&text, 0);
	text.length -= 4;
	while (text.length < 62000)
		str_puts(&text, "0123456789");
	str_puts(&text, "\r\n\r\n");
	client_get(fd, &got, text.data,
		REPLY("431 Request Header Fields Too Large", "32", CLOSED,
			"Request Header Fields Too Large"));
	assert_true(rig_client_read(fd, &got, 4096, RIG_WAIT_MS));
	close(fd);
	rig_settled(&rig);
	c = rig_counters(&rig);
	assert_int_equal(c.limit_head - before.limit_head, 1);
	str_fini(&text);
	str_fini(&got);
}

static void
counters_add_up(void **state)
{
	struct counters_listener c;
	struct counters_upstream u;

	(void)state;
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
	assert_true(c.no_route > 0 && c.bad_requests > 0);
	assert_true(c.idle_closed > 0 && c.limit_head_timeout > 0);
	u = rig_upstream_counters(&rig, 1);
	assert_int_equal(u.requests_active, 0);
	assert_true(u.reset > 0 && u.bad_response > 0);
}

static void
every_request_is_logged(void **state)
{
	static const char *const words[] = { "no_route", "redirect",
		"direct_response", "route_unavailable", "no_endpoint",
		"connect_failed", "bad_response", "unasked_upgrade",
		"upstream_reset", "upstream_timeout", "client_abort",
		"head_timeout", "body_timeout", "bad_framing", "bad_target",
		"head_too_large", "-" };
	struct counters_listener c = rig_counters(&rig);
	uint64_t until = clock_monotonic_ms() + RIG_WAIT_MS, lines = 0;
	struct str text;
	char buffer[65536], want[128];

	(void)state;
	str_init(&text);
	while (lines < c.requests && clock_monotonic_ms() < until) {
		FILE *f = fopen(rig.log_path, "r");
		size_t n;

		str_clear(&text);
		while ((n = fread(buffer, 1, sizeof(buffer), f)) > 0)
			str_append(&text, buffer, n);
		fclose(f);
		lines = 0;
		for (size_t i = 0; i < text.length; i++)
			lines += text.data[i] == '\n';
	}
	assert_int_equal(lines, c.requests);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		snprintf(want, sizeof(want), "\"reason\":\"%s\"}\n", words[i]);
		if (strstr(text.data, want) == NULL)
			fail_msg("no line has %s", want);
	}
	assert_non_null(strstr(text.data,
		"\"method\":\"GET\",\"path\":\"/a\",\"host\":\"h\","
		"\"status\":200,"));
	assert_non_null(strstr(text.data, "\"upstream\":\"gloo-system.origin\","
					  "\"endpoint\":\"127.0.0.1:"));
	assert_non_null(strstr(text.data, "\"route\":\"a\",\"virtual_service\":"
					  "\"gloo-system.default\","));
	str_fini(&text);
}

static int
group_start(void **state)
{
	struct model_route routes[ROUTES];
	struct model_matcher matchers[ROUTES];
	size_t count = routes_make(routes, matchers);

	(void)state;
	rig_start(&rig, &quick, routes, count);
	return 0;
}

static int
group_stop(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_forwarded),
		cmocka_unit_test(bodies_are_forwarded),
		cmocka_unit_test(answers_of_our_own),
		cmocka_unit_test(the_other_endpoint_is_tried),
		cmocka_unit_test(hostile_requests),
		cmocka_unit_test(hostile_answers),
		cmocka_unit_test(broken_answers),
		cmocka_unit_test(connections_are_reused),
		cmocka_unit_test(a_closed_idle_connection_costs_nothing),
		cmocka_unit_test(silence_ends),
		cmocka_unit_test(a_client_that_leaves_takes_the_upstream_along),
		cmocka_unit_test(a_100_is_sent_when_it_is_waited_for),
		cmocka_unit_test(a_flood_of_100s_is_cut),
		cmocka_unit_test(limits_of_heads),
		cmocka_unit_test(counters_add_up),
		cmocka_unit_test(every_request_is_logged),
	};

	return cmocka_run_group_tests(tests, group_start, group_stop);
}
