/*
 * Tests userspace/net/http_client.c: what is asked for and what is answered.
 * Time, TLS, HTTP/2 and the calls themselves have programs of their own
 * (test_http_client_*.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fake_names.h"
#include "http_calls.h"
#include "tests/lib/command.h"

static void
test_answers(void **state)
{
	static const struct {
		const char *method, *path, *order, *body, *field, *value;
		const char *problem;
	} rows[] = {
		{ NULL, "/hello", "head 200, done", "hello", "content-length",
			"5", NULL },
		{ "HEAD", "/x", "head 200, done", "", "X-HEAD", "yes", NULL },
		{ NULL, "/status/404", "head 404, done", "status", "x-none",
			NULL, NULL },
		{ NULL, "/status/503", "head 503, done", "status", NULL, NULL,
			NULL },
		{ NULL, "/status/302", "head 302, done", "status", "location",
			"/hello", NULL },
		{ NULL, "/status/401", "head 401, done", "status", NULL, NULL,
			NULL },
		{ NULL, "/drip/3", "head 200, done", "tick\ntick\ntick\n", NULL,
			NULL, NULL },
		{ NULL, "/interim", "head 200, done", "hello", "x-final",
			"two  words", NULL },
		{ NULL, "/interim", "head 200, done", "hello", "x-early", NULL,
			NULL },
		{ NULL, "/interim", "head 200, done", "hello", "x-empty", "",
			NULL },
		{ NULL, "/trailers", "head 200, done", "hello", "x-late", NULL,
			NULL },
		{ NULL, "/last", "head 200, done", "hello", NULL, NULL, NULL },
		/* This one's connection was kept and is closed by now. */
		{ NULL, "/hello", "head 200, done", "hello", NULL, NULL, NULL },
		{ NULL, "/cut", "head 200, done", "half", NULL, NULL,
			"96 bytes remaining" },
		{ NULL, "/garbage", "done", "", NULL, NULL, "HTTP/0.9" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_request r = request_to(rows[i].path);
		struct seen seen = { .header_wanted = rows[i].field };

		r.method = rows[i].method;
		exchange(&seen, &r, false);
		if (strcmp(seen.order.data, rows[i].order) != 0 ||
			strcmp(seen.body.data, rows[i].body) != 0)
			fail_msg("%s: %s: %s", rows[i].path, seen.order.data,
				seen.body.data);
		if (rows[i].value == NULL)
			assert_null(seen.header);
		else
			assert_string_equal(seen.header, rows[i].value);
		expect_problem(&seen, rows[i].problem);
		assert_false(seen.timed_out);
		seen_fini(&seen);
	}
}

static void
test_requests(void **state)
{
	static const char *const fields[] = { "Authorization: Bearer xyz",
		"Content-Type: application/merge-patch+json",
		"Accept: application/json", NULL };
	static const struct {
		const char *method, *body;
		bool fields;
		const char *line, *parts[3], *lacks[2];
	} rows[] = {
		{ NULL, NULL, false, "GET /a/../b?x=%2F&y=a+b HTTP/1.1\r\n",
			{ "\r\nUser-Agent: gloo-gateway\r\n" },
			{ "Content-", "Accept-Encoding" } },
		{ NULL, NULL, true, "GET /a/../b?x=%2F&y=a+b HTTP/1.1\r\n",
			{ "\r\nAuthorization: Bearer xyz\r\n",
				"\r\nAccept: application/json\r\n" },
			{ "Accept: */*" } },
		{ "PATCH", "{\"a\":1}", true, "PATCH ",
			{ "\r\nContent-Length: 7\r\n",
				"\r\nContent-Type: "
				"application/merge-patch+json",
				"\r\n\r\n{\"a\":1}" },
			{ "form", "Expect" } },
		{ "POST", NULL, false, "POST ", { "\r\nContent-Length: 0\r\n" },
			{ "Content-Type", "Expect" } },
		{ "PUT", "x", false, "PUT ", { "\r\n\r\nx" },
			{ "Content-Type", "Expect" } },
		{ "DELETE", NULL, false, "DELETE ", { "\r\nHost: 127.0.0.1:" },
			{ "Content-", "Expect" } },
		{ "DELETE", "{}", false, "DELETE ", { "\r\n\r\n{}" },
			{ "Expect" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_request r = request_to("/a/../b?x=%2F&y=a+b");
		struct seen seen = { .call = NULL };

		r.method = rows[i].method;
		r.headers = rows[i].fields ? fields : NULL;
		if (rows[i].body != NULL)
			r.body = slice_of(rows[i].body);
		exchange(&seen, &r, false);
		expect_problem(&seen, NULL);
		if (strncmp(seen.body.data, rows[i].line,
			    strlen(rows[i].line)) != 0)
			fail_msg("%s", seen.body.data);
		for (size_t k = 0; k < 3 && rows[i].parts[k] != NULL; k++)
			if (strstr(seen.body.data, rows[i].parts[k]) == NULL)
				fail_msg("no \"%s\" in %s", rows[i].parts[k],
					seen.body.data);
		for (size_t k = 0; k < 2 && rows[i].lacks[k] != NULL; k++)
			if (strstr(seen.body.data, rows[i].lacks[k]) != NULL)
				fail_msg("\"%s\" in %s", rows[i].lacks[k],
					seen.body.data);
		seen_fini(&seen);
	}
}

static void
test_large_bodies_go_out(void **state)
{
	struct http_request r = request_to("/echo");
	struct seen seen = { .call = NULL };
	size_t length = 3u << 20;
	char *big = xmalloc(length);

	(void)state;
	memset(big, 'z', length);
	r.method = "POST";
	r.body = (struct slice){ big, length };
	seen_begin(&seen, &r, false);
	free(big); /* it was copied */
	run();
	expect_problem(&seen, NULL);
	assert_true(seen.body.length > length);
	assert_memory_equal(seen.body.data + seen.body.length - 3, "zzz", 3);
	seen_fini(&seen);
}

static void
test_bodies_come_as_they_come(void **state)
{
	struct http_request r = request_to("/drip/200");
	struct seen seen = { .header_wanted = "transfer-encoding" };

	(void)state;
	exchange(&seen, &r, true);
	assert_string_equal(seen.order.data, "head 200, body, done");
	assert_string_equal(seen.header, "chunked");
	assert_int_equal(seen.body.length, 1000);
	/* The server takes its time between them. */
	assert_true(seen.pieces > 5);
	seen_fini(&seen);
	/* A large one, whole and in order. */
	r.url = url_of("http", "127.0.0.1", &plain, "/size/9000000");
	exchange(&seen, &r, true);
	expect_problem(&seen, NULL);
	assert_int_equal(seen.body.length, 9000000);
	seen_fini(&seen);
}

static void
test_answers_are_bounded(void **state)
{
	static const struct {
		const char *path;
		size_t body_max;
		const char *problem;
		bool stream;
	} rows[] = {
		{ "/size/1000", 1000, NULL, false },
		{ "/size/1001", 1000, "the answer is too large", false },
		{ "/drip/100", 20, "the answer is too large", false },
		{ "/size/1001", 1000, NULL, true },
		{ "/head/100000", 0, NULL, false },
		{ "/head/290000", 0, "the head of the answer is too large",
			false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_request r = request_to(rows[i].path);
		struct seen seen = { .call = NULL };

		r.body_max = rows[i].body_max;
		exchange(&seen, &r, rows[i].stream);
		expect_problem(&seen, rows[i].problem);
		if (!rows[i].stream && rows[i].body_max > 0)
			assert_true(seen.body.length <= rows[i].body_max);
		seen_fini(&seen);
	}
}

static void
test_what_cannot_be_asked(void **state)
{
	static const char *const broken[] = { "A: b\r\nC: d", NULL };
	static const struct {
		const char *url;
		const char *const *headers;
		const char *problem;
	} rows[] = {
		{ "", NULL, "" },
		{ "127.0.0.1:80/x", NULL, "127.0.0.1:80/x: " },
		{ "http://", NULL, "http://: " },
		{ "ftp://127.0.0.1/", NULL, "ftp" },
		{ "file:///etc/passwd", NULL, "file" },
		{ "http://127.0.0.1:99999/", NULL, "99999" },
		{ "http://127.0.0.1:1/", NULL, "http://127.0.0.1:1: " },
		{ "http://nobody.test/", NULL, "nobody.test" },
		{ "http://127.0.0.1/", broken, "a line break in a header" },
		{ "http://user:secret@127.0.0.1:1/", NULL, "the request: " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_request r = { .url = rows[i].url,
			.headers = rows[i].headers };
		struct seen seen = { .call = NULL };

		exchange(&seen, &r, false);
		assert_string_equal(seen.order.data, "done");
		assert_int_equal(seen.status, 0);
		expect_problem(&seen, rows[i].problem);
		assert_null(strstr(seen.problem, "secret"));
		assert_null(strchr(seen.problem, '\n'));
		seen_fini(&seen);
	}
}

static void
test_the_unix_socket(void **state)
{
	char folder[] = "/tmp/test-http-client-XXXXXX";
	char path[100];
	struct http_request r = { .url = "http://localhost/echo",
		.unix_socket = path };
	struct seen seen = { .call = NULL };
	struct https_server local;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	https_server_start(
		&local, &(struct https_server_options){ .unix_socket = path });
	exchange(&seen, &r, false);
	expect_problem(&seen, NULL);
	assert_non_null(strstr(seen.body.data, "\r\nHost: localhost\r\n"));
	seen_fini(&seen);
	snprintf(path, sizeof(path), "%s/none", folder);
	exchange(&seen, &r, false);
	expect_problem(&seen, "http://localhost: ");
	seen_fini(&seen);
	https_server_stop(&local);
	must("rm -r %s", folder);
}

static void
test_proxies(void **state)
{
	static const char *const vars[] = { "http_proxy", "HTTP_PROXY",
		"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" };
	struct http_request r = request_to("/hello");
	struct seen seen = { .call = NULL };
	char proxy[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vars); i++)
		setenv(vars[i], "http://127.0.0.1:1", 1);
	exchange(&seen, &r, false);
	expect_problem(&seen, NULL);
	seen_fini(&seen);
	/* One that was asked for is used, whatever the environment excepts. */
	setenv("no_proxy", "*", 1);
	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", plain.port);
	r.url = "http://elsewhere.test/x";
	r.proxy = proxy;
	exchange(&seen, &r, false);
	expect_problem(&seen, NULL);
	assert_non_null(strstr(
		seen.body.data, "GET http://elsewhere.test/x HTTP/1.1\r\n"));
	seen_fini(&seen);
	for (size_t i = 0; i < ARRAY_SIZE(vars); i++)
		unsetenv(vars[i]);
	unsetenv("no_proxy");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CALL_TEST(test_answers),
		CALL_TEST(test_requests),
		CALL_TEST(test_large_bodies_go_out),
		CALL_TEST(test_bodies_come_as_they_come),
		CALL_TEST(test_answers_are_bounded),
		CALL_TEST(test_what_cannot_be_asked),
		CALL_TEST(test_the_unix_socket),
		CALL_TEST(test_proxies),
	};

	return cmocka_run_group_tests(tests, plain_setup, plain_teardown);
}
