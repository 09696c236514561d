/* Bodies: lists A 5-7. */
#include "http/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/unit/http/feed_body.h"

#define BYTES(text)      text, sizeof(text) - 1
#define CHUNKED(text)    HTTP_BODY_CHUNKED, 0, BYTES(text)
#define DONE(data, rest) HTTP_BODY_DONE, data, rest
#define MORE(data)       HTTP_BODY_MORE, data, 0
#define BAD              HTTP_BODY_BAD, NULL, 0

struct row {
	const char *what;
	enum http_framing framing;
	uint64_t content_length;
	const char *bytes;
	size_t length;
	enum http_body_state state;
	const char *data;
	size_t rest; /* bytes behind the body */
};

static const struct row rows[] = {
	{ "no body leaves all bytes", HTTP_BODY_NONE, 0, BYTES("GET /"),
		DONE("", 5) },
	{ "a length of 0", HTTP_BODY_LENGTH, 0, BYTES("GET /"), DONE("", 5) },
	{ "a length", HTTP_BODY_LENGTH, 5, BYTES("helloGET /"),
		DONE("hello", 5) },
	{ "a length that is not reached", HTTP_BODY_LENGTH, 9, BYTES("hello"),
		MORE("hello") },
	{ "until the connection ends", HTTP_BODY_CLOSE, 0, BYTES("hello"),
		MORE("hello") },
	{ "chunks", CHUNKED("5\r\nhello\r\n06\r\n world\r\n0\r\n\r\nGET /"),
		DONE("hello world", 5) },
	{ "hex in both cases",
		CHUNKED("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"),
		DONE("01234567890123456789", 0) },
	{ "CRLF in the data is data", CHUNKED("4\r\n\r\n\r\n\r\n0\r\n\r\n"),
		DONE("\r\n\r\n", 0) },
	{ "an empty chunked body", CHUNKED("0\r\n\r\n"), DONE("", 0) },
	{ "many zeros end it too", CHUNKED("0000000000000000\r\n\r\nx"),
		DONE("", 1) },
	{ "no last chunk", CHUNKED("5\r\nhello\r\n"), MORE("hello") },
	{ "no final empty line", CHUNKED("5\r\nhello\r\n0\r\n"),
		MORE("hello") },

	{ "A5 plus", CHUNKED("+5\r\nhello\r\n0\r\n\r\n"), BAD },
	{ "A5 minus", CHUNKED("-5\r\nhello\r\n0\r\n\r\n"), BAD },
	{ "A5 0x", CHUNKED("0x5\r\nhello\r\n0\r\n\r\n"), BAD },
	{ "A5 an underscore", CHUNKED("0_5\r\nhello\r\n0\r\n\r\n"), BAD },
	{ "A5 a leading space", CHUNKED(" 5\r\nhello\r\n0\r\n\r\n"), BAD },
	{ "A5 an inner space", CHUNKED("0 5\r\nhello\r\n0\r\n\r\n"), BAD },
	{ "A5 a trailing space", CHUNKED("5 \r\nhello\r\n0\r\n\r\n"), BAD },
	{ "A5 a tab", CHUNKED("5\t\r\nhello\r\n0\r\n\r\n"), BAD },
	{ "A5 a letter that is no digit", CHUNKED("g\r\n"), BAD },
	{ "A5 17 digits", CHUNKED("00000000000000005\r\nhello\r\n"), BAD },
	{ "A5 16 digits", CHUNKED("0000000000000005\r\nhello\r\n0\r\n\r\n"),
		DONE("hello", 0) },
	{ "A5 2^64 + 5", CHUNKED("10000000000000005\r\nhello\r\n"), BAD },
	{ "A5 2^64 - 1", CHUNKED("ffffffffffffffff\r\nhello\r\n"), BAD },
	{ "A5 2^63", CHUNKED("8000000000000000\r\nhello\r\n"), BAD },
	{ "A5 2^63 - 1", CHUNKED("7fffffffffffffff\r\nhello"), MORE("hello") },
	{ "A5 no size", CHUNKED("\r\nhello\r\n"), BAD },
	{ "A5 no size but an extension", CHUNKED(";a\r\nhello\r\n"), BAD },
	{ "A5 data that is too long", CHUNKED("4\r\nhello\r\n0\r\n\r\n"), BAD },
	{ "A5 data that is too short", CHUNKED("6\r\nhello\r\n0\r\n\r\n"),
		BAD },
	{ "A5 data ended by LF", CHUNKED("5\r\nhello\n0\r\n\r\n"), BAD },
	{ "A5 data ended by CR", CHUNKED("5\r\nhello\r0\r\n\r\n"), BAD },
	{ "A5 data ended by nothing", CHUNKED("5\r\nhello0\r\n\r\n"), BAD },
	{ "A5 LF behind the size", CHUNKED("5\nhello\r\n0\r\n\r\n"), BAD },
	{ "A5 CR behind the size", CHUNKED("5\rhello\r\n0\r\n\r\n"), BAD },
	{ "A5 CR CR LF behind the size", CHUNKED("5\r\r\nhello\r\n"), BAD },
	{ "A5 LF behind the last size", CHUNKED("0\n\n"), BAD },
	{ "A5 LF as the final line", CHUNKED("0\r\n\n"), BAD },
	{ "A5 CR as the final line", CHUNKED("0\r\n\rx"), BAD },
	{ "A5 NUL", CHUNKED("5\0\r\nhello\r\n0\r\n\r\n"), BAD },

	{ "A6 extensions are dropped",
		CHUNKED("5;a=b;c=\"d \xc3\xa4\";e\r\nhello\r\n0;x\r\n\r\n"),
		DONE("hello", 0) },
	{ "A6 a tab is white space", CHUNKED("5;\ta\r\nhello\r\n0\r\n\r\n"),
		DONE("hello", 0) },
	{ "A6 quotes hide semicolons and escaped quotes",
		CHUNKED("5;a=\"b\\\";;\" ; c\r\nhello\r\n0\r\n\r\n"),
		DONE("hello", 0) },
	{ "A6 an open quote", CHUNKED("5;a=\"b\r\nhello\r\n0\r\n\r\n"), BAD },
	{ "A6 CRLF in quotes", CHUNKED("5;a=\"\r\nhello\r\n0\r\n\r\n\"\r\n"),
		BAD },
	{ "A6 an escaped CR", CHUNKED("5;a=\"\\\r\nhello\r\n"), BAD },
	{ "A6 no name", CHUNKED("5;\r\nhello\r\n0\r\n\r\n"), BAD },
	{ "A6 no second name", CHUNKED("5;a; \r\nhello\r\n0\r\n\r\n"), BAD },
	{ "A6 a name that is no token", CHUNKED("5;=a\r\nhello\r\n"), BAD },
	{ "A6 NUL", CHUNKED("5;a\0\r\nhello\r\n0\r\n\r\n"), BAD },
	{ "A6 a control byte", CHUNKED("5;a\x01\r\nhello\r\n0\r\n\r\n"), BAD },
	{ "A6 DEL", CHUNKED("5;a\x7f\r\nhello\r\n0\r\n\r\n"), BAD },
	{ "A6 bare LF", CHUNKED("5;a\nhello\r\n0\r\n\r\n"), BAD },
	{ "A6 LF in an extension, then CRLF",
		CHUNKED("5;\n\r\nhello\r\n0\r\n\r\n"), BAD },
	{ "A6 bare CR", CHUNKED("5;a\rb\r\nhello\r\n0\r\n\r\n"), BAD },

	{ "A7 trailers are dropped",
		CHUNKED("0\r\nX-Sum: 1\r\nx-b:\r\nY: \xc3\xa4\t!\r\n\r\nx"),
		DONE("", 1) },
	{ "A7 Content-Length", CHUNKED("0\r\ncontent-LENGTH: 1\r\n\r\n"), BAD },
	{ "A7 Transfer-Encoding",
		CHUNKED("0\r\nTransfer-Encoding: chunked\r\n\r\n"), BAD },
	{ "A7 Host", CHUNKED("0\r\nA: b\r\nHost: a\r\n\r\n"), BAD },
	{ "A7 Authorization", CHUNKED("0\r\nAuthorization: a\r\n\r\n"), BAD },
	{ "A7 Connection", CHUNKED("0\r\nConnection: a\r\n\r\n"), BAD },
	{ "A7 a pseudo-field", CHUNKED("0\r\n:path: /\r\n\r\n"), BAD },
	{ "A7 only alike",
		CHUNKED("0\r\nHos: a\r\nHosts: b\r\nHosta: c\r\n"
			"XHost: d\r\nconnectioN-x: e\r\n\r\n"),
		DONE("", 0) },
	{ "A7 no colon", CHUNKED("0\r\nfoo\r\n\r\n"), BAD },
	{ "A7 space before the colon", CHUNKED("0\r\nfoo : a\r\n\r\n"), BAD },
	{ "A7 a leading space", CHUNKED("0\r\n foo: a\r\n\r\n"), BAD },
	{ "A7 obs-fold", CHUNKED("0\r\nfoo: a\r\n b\r\n\r\n"), BAD },
	{ "A7 a control byte", CHUNKED("0\r\nfoo: a\x01\r\n\r\n"), BAD },
	{ "A7 bare LF", CHUNKED("0\r\nfoo: a\n\r\n"), BAD },
	{ "A7 bare CR", CHUNKED("0\r\nfoo: a\rb\r\n\r\n"), BAD },
	{ "A7 NUL in a name", CHUNKED("0\r\nf\0o: a\r\n\r\n"), BAD },
};

static void
test_rows(void **state)
{
	static struct feed_body got, cut;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];

		if (!feed_body_all(row->framing, row->content_length,
			    row->bytes, row->length, &got))
			fail_msg("%s: cuts change the result", row->what);
		for (size_t step = 1; step < row->length; step++)
			if (!feed_body(row->framing, row->content_length,
				    row->bytes, row->length, step, &cut) ||
				!feed_body_equal(&got, &cut))
				fail_msg(
					"%s: cut at each %zu", row->what, step);
		if (got.state != row->state)
			fail_msg("%s: state %d", row->what, got.state);
		if (row->state == HTTP_BODY_BAD)
			continue;
		if (got.length != strlen(row->data) ||
			memcmp(got.data, row->data, got.length) != 0)
			fail_msg("%s: %.*s", row->what, (int)got.length,
				got.data);
		if (row->length - got.consumed != row->rest)
			fail_msg("%s: consumed %zu", row->what, got.consumed);
	}
}

/* What the end of the connection means after each number of bytes. */
static void
test_end(void **state)
{
	static const char chunked[] = "3\r\nabc\r\n0\r\nX: y\r\n\r\n";
	static struct feed_body got;
	size_t all = sizeof(chunked) - 1;

	(void)state;
	for (size_t n = 0; n <= all; n++) {
		assert_true(
			feed_body(HTTP_BODY_CHUNKED, 0, chunked, n, 1, &got));
		assert_int_equal(got.complete, n == all);
	}
	for (size_t n = 0; n <= 3; n++) {
		assert_true(feed_body(HTTP_BODY_LENGTH, 3, "abc", n, 1, &got));
		assert_int_equal(got.complete, n == 3);
	}
	assert_true(feed_body(HTTP_BODY_CLOSE, 0, "abc", 2, 1, &got));
	assert_true(got.complete);
	assert_true(feed_body(HTTP_BODY_NONE, 0, "", 0, 1, &got));
	assert_true(got.complete);
}

/* A decoder that has said BAD or DONE stays there. */
static void
test_verdicts_stay(void **state)
{
	struct http_body b;
	struct slice data;
	size_t consumed;

	(void)state;
	http_body_init(&b, HTTP_BODY_CHUNKED, 0);
	assert_int_equal(
		http_body_read(&b, "x", 1, &data, &consumed), HTTP_BODY_BAD);
	assert_int_equal(http_body_read(&b, "0\r\n\r\n", 5, &data, &consumed),
		HTTP_BODY_BAD);
	assert_int_equal(
		http_body_read(&b, "", 0, &data, &consumed), HTTP_BODY_BAD);
	assert_false(http_body_end(&b));
	http_body_init(&b, HTTP_BODY_CHUNKED, 0);
	assert_int_equal(http_body_read(&b, "0\r\n\r\n", 5, &data, &consumed),
		HTTP_BODY_DONE);
	assert_int_equal(consumed, 5);
	assert_int_equal(http_body_read(&b, "0\r\n\r\n", 5, &data, &consumed),
		HTTP_BODY_DONE);
	assert_int_equal(consumed, 0);
}

/* Reads text n times (or until the verdict); the last state. */
static enum http_body_state
repeat(struct http_body *b, const char *text, size_t n)
{
	enum http_body_state got = HTTP_BODY_MORE;

	for (size_t i = 0; i < n && got != HTTP_BODY_BAD; i++) {
		const char *p = text, *end = text + strlen(text);

		do {
			struct slice data;
			size_t consumed;

			got = http_body_read(
				b, p, (size_t)(end - p), &data, &consumed);
			p += consumed;
		} while (got == HTTP_BODY_DATA);
	}
	return got;
}

static void
test_limits(void **state)
{
	struct http_body b;

	(void)state;
	http_body_init(&b, HTTP_BODY_CHUNKED, 0);
	assert_int_equal(repeat(&b, "1\r\nx\r\n", 1000000), HTTP_BODY_MORE);

	/* Small chunks whose size is written with 16 digits. */
	http_body_init(&b, HTTP_BODY_CHUNKED, 0);
	assert_int_equal(repeat(&b, "0000000000000001\r\nx\r\n", 1000000),
		HTTP_BODY_BAD);
	assert_in_range(b.wasted, 64 << 10, 1 << 20);

	/* Extensions: 4 KiB in total. */
	http_body_init(&b, HTTP_BODY_CHUNKED, 0);
	assert_int_equal(repeat(&b, "10;a=b\r\n0123456789abcdef\r\n", 1365),
		HTTP_BODY_MORE);
	assert_int_equal(
		repeat(&b, "10;a=b\r\n0123456789abcdef\r\n", 1), HTTP_BODY_BAD);
	http_body_init(&b, HTTP_BODY_CHUNKED, 0);
	assert_int_equal(repeat(&b, "1;", 1), HTTP_BODY_MORE);
	assert_int_equal(repeat(&b, "e", 4096), HTTP_BODY_MORE);
	assert_int_equal(repeat(&b, "e", 1), HTTP_BODY_BAD);

	/* Trailers: 100, 8 KiB in total. */
	http_body_init(&b, HTTP_BODY_CHUNKED, 0);
	assert_int_equal(repeat(&b, "0\r\n", 1), HTTP_BODY_MORE);
	assert_int_equal(repeat(&b, "X: y\r\n", 100), HTTP_BODY_MORE);
	assert_int_equal(repeat(&b, "X: y\r\n", 1), HTTP_BODY_BAD);
	http_body_init(&b, HTTP_BODY_CHUNKED, 0);
	assert_int_equal(repeat(&b, "0\r\nX: ", 1), HTTP_BODY_MORE);
	assert_int_equal(repeat(&b, "y", 8189), HTTP_BODY_MORE);
	assert_int_equal(repeat(&b, "y", 1), HTTP_BODY_BAD);
}

static void
test_large_length(void **state)
{
	struct http_body b;
	struct slice data;
	size_t consumed;

	(void)state;
	http_body_init(&b, HTTP_BODY_LENGTH, INT64_MAX);
	assert_int_equal(
		http_body_read(&b, "abc", 3, &data, &consumed), HTTP_BODY_DATA);
	assert_true(b.left == INT64_MAX - 3u);
	assert_int_equal(consumed, 3);
}

static void
test_chunk_head(void **state)
{
	static const uint64_t sizes[] = { 1, 9, 10, 15, 16, 255, 4096, 65535,
		1u << 31, UINT64_MAX >> 1, UINT64_MAX };
	char want[32], got[32];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		int n = snprintf(want, sizeof(want), "%llx\r\n",
			(unsigned long long)sizes[i]);

		assert_int_equal(http_chunk_head(got, sizes[i]), n);
		assert_memory_equal(got, want, (size_t)n);
	}
}

/* What goes by unseen counts as what is read. */
static void
test_passed_by(void **state)
{
	struct http_body b;
	struct slice data;
	size_t used;

	(void)state;
	http_body_init(&b, HTTP_BODY_LENGTH, 10);
	assert_int_equal(
		http_body_read(&b, "abc", 3, &data, &used), HTTP_BODY_DATA);
	http_body_pass(&b, 6);
	assert_int_equal(b.left, 1);
	assert_int_equal(b.total, 9);
	assert_false(b.done);
	http_body_pass(&b, 1);
	assert_true(b.done);
	assert_int_equal(
		http_body_read(&b, "next", 4, &data, &used), HTTP_BODY_DONE);
	assert_int_equal(used, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_verdicts_stay),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_large_length),
		cmocka_unit_test(test_chunk_head),
		cmocka_unit_test(test_passed_by),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
