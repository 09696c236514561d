/*
 * Requests and answers that are hostile, malformed or broken off, through the
 * proxy: none reaches the other side as something that it is not.
 */
#include "exchange_rows.h"

#define BAD REPLY("400 Bad Request", "12", CLOSED, "Bad Request")
#define RESET                                                                  \
	REPLY("502 Bad Gateway", "71", "",                                     \
		"upstream gloo-system.once: it closed the connection before "  \
		"it answered")
#define MALFORMED                                                              \
	REPLY("502 Bad Gateway", "53", "",                                     \
		"upstream gloo-system.origin: its answer is malformed")

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
	struct counters_listener c = counters_that_add_up();
	struct counters_upstream u = rig_upstream_counters(&rig, 1);

	(void)state;
	assert_true(c.bad_requests > 0);
	assert_true(u.reset > 0 && u.bad_response > 0);
}

static void
every_request_is_logged(void **state)
{
	static const char *const words[] = { "bad_response", "unasked_upgrade",
		"upstream_reset", "bad_framing", "bad_target", "head_too_large",
		"-" };

	(void)state;
	log_has(words, ARRAY_SIZE(words));
}

/* ---- clients that say too little */

static int
silence_start(void **state)
{
	struct wire_settings settings = unhurried;

	(void)state;
	settings.head_timeout_ms = 200;
	settings.idle_timeout_ms = 400;
	return group_start_with(&settings);
}

static void
silent_clients(void **state)
{
	static const struct row rows[] = {
		{ "a head that does not come", "GET /a HTTP/1.1\r\nHos",
			{ { OK_A, 0, 0 } }, "",
			REPLY("408 Request Timeout", "16", CLOSED,
				"Request Timeout"),
			ENDS },
		{ "a connection on which nothing comes", "", { { OK_A, 0, 0 } },
			"", "", ENDS },
	};
	static const char *const words[] = { "head_timeout" };
	struct counters_listener c;

	(void)state;
	rows_run(rows, ARRAY_SIZE(rows));
	c = counters_that_add_up();
	assert_int_equal(c.limit_head_timeout, 1);
	assert_int_equal(c.idle_closed, 1);
	log_has(words, ARRAY_SIZE(words));
}

/* ---- where clients are held short */

#define LONG                                                                   \
	"0123456789012345678901234567890123456789012345678901234567890123"     \
	"0123456789012345678901234567890123456789012345678901234567890123"

static int
short_start(void **state)
{
	struct wire_settings settings = unhurried;

	(void)state;
	settings.head_bytes = 1024;
	settings.fields = 20;
	return group_start_with(&settings);
}

static void
fields_put(struct str *text, size_t count, const char *value)
{
	while (count-- > 0)
		str_printf(text, "x: %s\r\n", value);
}

static void
answers_have_their_own_limits(void **state)
{
	static const struct {
		size_t count;
		const char *value;
	} heads[] = { { 90, "1" }, { 10, LONG } };
	struct str bytes, want;

	(void)state;
	str_init(&bytes);
	str_init(&want);
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		struct row row = { "a larger head", GET_A, { { NULL, 0, 0 } },
			SENT_A, NULL, 0 };

		str_clear(&bytes);
		str_clear(&want);
		str_puts(&bytes, "HTTP/1.1 200 OK\r\n");
		str_puts(&want, bytes.data);
		fields_put(&bytes, heads[i].count, heads[i].value);
		fields_put(&want, heads[i].count, heads[i].value);
		str_puts(&bytes, "Content-Length: 1\r\n\r\na");
		str_puts(&want, "content-length: 1\r\n\r\na");
		row.answers[0].bytes = bytes.data;
		row.got = want.data;
		rows_run(&row, 1);
	}
	str_fini(&bytes);
	str_fini(&want);
}

static void
requests_are_held_short(void **state)
{
	struct row row = { "21 fields", NULL, { { OK_A, 0, 0 } }, "",
		REPLY("431 Request Header Fields Too Large", "32", CLOSED,
			"Request Header Fields Too Large"),
		ENDS };
	struct str text;

	(void)state;
	str_init(&text);
	str_puts(&text, "GET /a HTTP/1.1\r\nHost: h\r\n");
	fields_put(&text, 20, "1");
	str_puts(&text, "\r\n");
	row.client = text.data;
	rows_run(&row, 1);
	str_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_requests),
		cmocka_unit_test(hostile_answers),
		cmocka_unit_test(broken_answers),
		cmocka_unit_test(a_flood_of_100s_is_cut),
		cmocka_unit_test(limits_of_heads),
		cmocka_unit_test(counters_add_up),
		cmocka_unit_test(every_request_is_logged),
	};
	const struct CMUnitTest of_silence[] = {
		cmocka_unit_test(silent_clients),
	};
	const struct CMUnitTest of_short[] = {
		cmocka_unit_test(answers_have_their_own_limits),
		cmocka_unit_test(requests_are_held_short),
	};

	return cmocka_run_group_tests(tests, group_start, group_stop) +
	       cmocka_run_group_tests(of_silence, silence_start, group_stop) +
	       cmocka_run_group_tests(of_short, short_start, group_stop);
}
