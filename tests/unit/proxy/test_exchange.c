/*
 * Tests userspace/proxy/exchange.c: requests and answers are forwarded, and
 * what the proxy answers itself.
 */
#include "exchange_rows.h"

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
counters_add_up(void **state)
{
	struct counters_listener c = counters_that_add_up();

	(void)state;
	assert_true(c.no_route > 0);
}

static void
every_request_is_logged(void **state)
{
	static const char *const words[] = { "no_route", "redirect",
		"direct_response", "route_unavailable", "no_endpoint",
		"connect_failed", "-" };
	struct str text;

	(void)state;
	str_init(&text);
	log_read(&text, words, ARRAY_SIZE(words));
	assert_non_null(strstr(text.data,
		"\"method\":\"GET\",\"path\":\"/a\",\"host\":\"h\","
		"\"status\":200,"));
	assert_non_null(strstr(text.data, "\"upstream\":\"gloo-system.origin\","
					  "\"endpoint\":\"127.0.0.1:"));
	assert_non_null(strstr(text.data, "\"route\":\"a\",\"virtual_service\":"
					  "\"gloo-system.default\","));
	str_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_forwarded),
		cmocka_unit_test(bodies_are_forwarded),
		cmocka_unit_test(answers_of_our_own),
		cmocka_unit_test(the_other_endpoint_is_tried),
		cmocka_unit_test(counters_add_up),
		cmocka_unit_test(every_request_is_logged),
	};

	return cmocka_run_group_tests(tests, group_start, group_stop);
}
