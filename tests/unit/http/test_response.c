/* Heads of responses: list F 38, A 1-4 and D 23 in that direction. */
#include "http/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/unit/http/feed.h"

#define BYTES(text)      text, sizeof(text) - 1
#define OK_WITH(text)    BYTES("HTTP/1.1 200 OK\r\n" text "\r\n\r\n")
#define OK_10_WITH(text) BYTES("HTTP/1.0 200 OK\r\n" text "\r\n\r\n")
#define TAKEN(text)      HTTP_REFUSE_NONE, text
#define REFUSED(why)     HTTP_REFUSE_##why, NULL

struct row {
	const char *what;
	enum http_method method;
	const char *bytes;
	size_t length;
	enum http_refusal why;
	const char *want; /* status version keep|close framing [of=N] [upgrade]
			   * [rest=bytes behind the head] */
};

static const struct row rows[] = {
	{ "a length", HTTP_GET, OK_WITH("Content-Length: 5"),
		TAKEN("200 1.1 keep length of=5") },
	{ "chunked", HTTP_GET, OK_WITH("Transfer-Encoding: Chunked"),
		TAKEN("200 1.1 keep chunked") },
	{ "neither: until the connection ends", HTTP_GET, OK_WITH("X: y"),
		TAKEN("200 1.1 close until-close") },
	{ "no fields at all", HTTP_GET, BYTES("HTTP/1.1 200 OK\r\n\r\n"),
		TAKEN("200 1.1 close until-close") },
	{ "Connection: close", HTTP_GET,
		OK_WITH("Content-Length: 5\r\nConnection: close"),
		TAKEN("200 1.1 close length of=5") },
	{ "HTTP/1.0 closes", HTTP_GET, OK_10_WITH("Content-Length: 5"),
		TAKEN("200 1.0 close length of=5") },
	{ "HTTP/1.0 with keep-alive", HTTP_GET,
		OK_10_WITH("Content-Length: 5\r\nConnection: keep-alive"),
		TAKEN("200 1.0 keep length of=5") },
	{ "the answer to HEAD has no body", HTTP_HEAD,
		OK_WITH("Content-Length: 5"), TAKEN("200 1.1 keep none of=5") },
	{ "nor has a chunked one", HTTP_HEAD,
		OK_WITH("Transfer-Encoding: chunked"),
		TAKEN("200 1.1 keep none") },
	{ "nor one without a length", HTTP_HEAD, OK_WITH("X: y"),
		TAKEN("200 1.1 keep none") },
	{ "a 304 has no body", HTTP_GET,
		BYTES("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
		TAKEN("304 1.1 keep none of=5") },
	{ "a 204 has no body", HTTP_GET,
		BYTES("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"),
		TAKEN("204 1.1 keep none of=5") },
	{ "a 204 that says chunked has none either", HTTP_GET,
		BYTES("HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n"),
		TAKEN("204 1.1 keep none") },
	{ "a 100, the final answer behind it", HTTP_POST,
		BYTES("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"),
		TAKEN("100 1.1 keep none rest=17") },
	{ "a 103 with fields", HTTP_GET,
		BYTES("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
		TAKEN("103 1.1 keep none") },
	{ "a 101", HTTP_GET,
		BYTES("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"
		      "Connection: upgrade\r\n\r\n"),
		TAKEN("101 1.1 keep none upgrade") },
	{ "no reason but the space", HTTP_GET,
		BYTES("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"),
		TAKEN("200 1.1 keep length of=0") },
	{ "no reason and no space", HTTP_GET,
		BYTES("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
		TAKEN("200 1.1 keep length of=0") },
	{ "a reason of 8 bit and tabs", HTTP_GET,
		BYTES("HTTP/1.1 200 \xc3\xa4\t!\r\nContent-Length: 0\r\n\r\n"),
		TAKEN("200 1.1 keep length of=0") },
	{ "status 599", HTTP_GET,
		BYTES("HTTP/1.1 599 x\r\nContent-Length: 0\r\n\r\n"),
		TAKEN("599 1.1 keep length of=0") },
	{ "Host and Expect mean nothing in a response", HTTP_GET,
		OK_WITH("Content-Length: 0\r\nHost: a@b\r\nHost: c\r\n"
			"Expect: x"),
		TAKEN("200 1.1 keep length of=0") },

	{ "F38 status 99", HTTP_GET, BYTES("HTTP/1.1 099 x\r\n\r\n"),
		REFUSED(SYNTAX) },
	{ "F38 status 000", HTTP_GET, BYTES("HTTP/1.1 000 x\r\n\r\n"),
		REFUSED(SYNTAX) },
	{ "F38 status 600", HTTP_GET, BYTES("HTTP/1.1 600 x\r\n\r\n"),
		REFUSED(SYNTAX) },
	{ "F38 status 999", HTTP_GET, BYTES("HTTP/1.1 999 x\r\n\r\n"),
		REFUSED(SYNTAX) },
	{ "F38 four digits", HTTP_GET, BYTES("HTTP/1.1 2000 x\r\n\r\n"),
		REFUSED(SYNTAX) },
	{ "F38 two digits", HTTP_GET, BYTES("HTTP/1.1 20 x\r\n\r\n"),
		REFUSED(SYNTAX) },
	{ "F38 a status of letters", HTTP_GET, BYTES("HTTP/1.1 2xx x\r\n\r\n"),
		REFUSED(SYNTAX) },
	{ "F38 a negative status", HTTP_GET, BYTES("HTTP/1.1 -20 x\r\n\r\n"),
		REFUSED(SYNTAX) },
	{ "F38 no status", HTTP_GET, BYTES("HTTP/1.1\r\n\r\n"),
		REFUSED(SYNTAX) },
	{ "F38 two spaces", HTTP_GET, BYTES("HTTP/1.1  200 OK\r\n\r\n"),
		REFUSED(SYNTAX) },
	{ "F38 a tab", HTTP_GET, BYTES("HTTP/1.1\t200 OK\r\n\r\n"),
		REFUSED(SYNTAX) },
	{ "F38 HTTP/2.0", HTTP_GET, BYTES("HTTP/2.0 200 OK\r\n\r\n"),
		REFUSED(VERSION) },
	{ "F38 HTTP/1.2", HTTP_GET, BYTES("HTTP/1.2 200 OK\r\n\r\n"),
		REFUSED(VERSION) },
	{ "F38 HTTP/0.9 with a version", HTTP_GET,
		BYTES("HTTP/0.9 200 OK\r\n\r\n"), REFUSED(VERSION) },
	{ "F38 HTTP/0.9", HTTP_GET, BYTES("<html>hello</html>"),
		REFUSED(SYNTAX) },
	{ "F38 HTTP/1.10", HTTP_GET, BYTES("HTTP/1.10 200 OK\r\n\r\n"),
		REFUSED(SYNTAX) },
	{ "F38 http in small letters", HTTP_GET,
		BYTES("http/1.1 200 OK\r\n\r\n"), REFUSED(SYNTAX) },
	{ "F38 ICY", HTTP_GET, BYTES("ICY 200 OK\r\n\r\n"), REFUSED(SYNTAX) },
	{ "F38 garbage", HTTP_GET, BYTES("\x15\x03\x01\0\x02\x02"),
		REFUSED(SYNTAX) },
	{ "F38 an SSH banner", HTTP_GET, BYTES("SSH-2.0-OpenSSH_9.2\r\n"),
		REFUSED(SYNTAX) },
	{ "F38 an empty line before", HTTP_GET,
		BYTES("\r\nHTTP/1.1 200 OK\r\n\r\n"), REFUSED(SYNTAX) },
	{ "F38 a control byte in the reason", HTTP_GET,
		BYTES("HTTP/1.1 200 O\x01K\r\n\r\n"), REFUSED(SYNTAX) },
	{ "F38 NUL in the reason", HTTP_GET, BYTES("HTTP/1.1 200 O\0K\r\n\r\n"),
		REFUSED(SYNTAX) },
	{ "F38 bare CR in the reason", HTTP_GET,
		BYTES("HTTP/1.1 200 O\rK\r\n\r\n"), REFUSED(SYNTAX) },
	{ "F38 only LF", HTTP_GET,
		BYTES("HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
		REFUSED(SYNTAX) },
	{ "F38 a line without colon", HTTP_GET, OK_WITH("nonsense"),
		REFUSED(SYNTAX) },
	{ "F38 an empty name", HTTP_GET, OK_WITH(": x"), REFUSED(SYNTAX) },
	{ "F38 space before the colon", HTTP_GET, OK_WITH("Content-Length : 5"),
		REFUSED(SYNTAX) },
	{ "F38 obs-fold", HTTP_GET, OK_WITH("X: a\r\n b"), REFUSED(SYNTAX) },
	{ "F38 NUL in a value", HTTP_GET, OK_WITH("X: a\0b"), REFUSED(SYNTAX) },
	{ "F38 NUL in a name", HTTP_GET, OK_WITH("X\0: a"), REFUSED(SYNTAX) },
	{ "F38 Content-Length and chunked", HTTP_GET,
		OK_WITH("Content-Length: 5\r\nTransfer-Encoding: chunked"),
		REFUSED(FRAMING) },
	{ "F38 both in the answer to HEAD", HTTP_HEAD,
		OK_WITH("Transfer-Encoding: chunked\r\nContent-Length: 5"),
		REFUSED(FRAMING) },
	{ "F38 both in a 304", HTTP_GET,
		BYTES("HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n"
		      "Content-Length: 5\r\n\r\n"),
		REFUSED(FRAMING) },
	{ "F38 two lengths", HTTP_GET,
		OK_WITH("Content-Length: 5\r\nContent-Length: 6"),
		REFUSED(FRAMING) },
	{ "F38 a negative length", HTTP_GET, OK_WITH("Content-Length: -1"),
		REFUSED(FRAMING) },
	{ "F38 a bad length in the answer to HEAD", HTTP_HEAD,
		OK_WITH("Content-Length: 5x"), REFUSED(FRAMING) },
	{ "F38 a length of 2^64", HTTP_GET,
		OK_WITH("Content-Length: 18446744073709551616"),
		REFUSED(FRAMING) },
	{ "F38 an empty length", HTTP_GET, OK_WITH("Content-Length:"),
		REFUSED(FRAMING) },
	{ "F38 a coding we cannot undo", HTTP_GET,
		OK_WITH("Transfer-Encoding: gzip, chunked"), REFUSED(TE) },
	{ "F38 identity", HTTP_GET, OK_WITH("Transfer-Encoding: identity"),
		REFUSED(TE) },
	{ "F38 chunked twice", HTTP_GET,
		OK_WITH("Transfer-Encoding: chunked\r\n"
			"Transfer-Encoding: chunked"),
		REFUSED(FRAMING) },
	{ "F38 chunked in HTTP/1.0", HTTP_GET,
		OK_10_WITH("Transfer-Encoding: chunked"), REFUSED(FRAMING) },
};

static void
describe(const struct feed *f, size_t length, char *out, size_t size)
{
	static const char *const framings[] = { "none", "length", "chunked",
		"until-close" };
	const struct http_head *h = &f->head;
	int n;

	n = snprintf(out, size, "%d 1.%d %s %s", h->status, h->version_minor,
		h->keep_alive ? "keep" : "close", framings[h->framing]);
	if (http_head_find(h, HTTP_FIELD_CONTENT_LENGTH))
		n += snprintf(out + n, size - (size_t)n, " of=%llu",
			(unsigned long long)h->content_length);
	if (h->upgrade)
		n += snprintf(out + n, size - (size_t)n, " upgrade");
	if (length > h->length)
		snprintf(out + n, size - (size_t)n, " rest=%zu",
			length - h->length);
}

static void
test_rows(void **state)
{
	struct feed_parser parser = { .response = true,
		.limits = &http_limits_default };
	static struct feed got;
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];
		enum http_parse want =
			row->want ? HTTP_PARSE_DONE : HTTP_PARSE_BAD;

		parser.request_method = row->method;
		if (!feed_all(&parser, row->bytes, row->length, 1, &got))
			fail_msg("%s: cuts change the result", row->what);
		if (got.verdict != want || got.why != row->why)
			fail_msg("%s: verdict %d, %s", row->what, got.verdict,
				http_refusal_word(got.why));
		if (!row->want)
			continue;
		describe(&got, row->length, text, sizeof(text));
		if (strcmp(text, row->want) != 0)
			fail_msg("%s: %s", row->what, text);
	}
}

/* Both directions drop the same fields (list D 23). */
static void
test_hop_by_hop(void **state)
{
	static const char bytes[] = "HTTP/1.1 200 OK\r\nX-Hop: 1\r\n"
				    "Connection: x-hop, Set-Cookie-Not\r\n"
				    "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n"
				    "Keep-Alive: timeout=5\r\nServer: x\r\n"
				    "Date: y\r\nTrailer: Z\r\n"
				    "Content-Length: 0\r\n\r\n";
	static const bool want[] = { true, true, false, false, true, false,
		false, true, true };
	struct feed_parser parser = { .response = true,
		.request_method = HTTP_GET,
		.limits = &http_limits_default };
	static struct feed got;

	(void)state;
	assert_true(feed_all(&parser, bytes, sizeof(bytes) - 1, 1, &got));
	assert_int_equal(got.verdict, HTTP_PARSE_DONE);
	assert_int_equal(got.head.field_count, sizeof(want) / sizeof(*want));
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++)
		assert_int_equal(got.head.fields[i].hop_by_hop, want[i]);
}

static void
test_limits(void **state)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n";
	struct http_limits limits = {
		.target_bytes = 1, .head_bytes = sizeof(head) - 1, .fields = 2
	};
	struct feed_parser parser = { .response = true, .limits = &limits };
	static struct feed got;

	(void)state;
	assert_true(feed_all(&parser, head, sizeof(head) - 1, 1, &got));
	assert_int_equal(got.verdict, HTTP_PARSE_DONE);
	limits.fields = 1;
	assert_true(feed_all(&parser, head, sizeof(head) - 1, 1, &got));
	assert_int_equal(got.why, HTTP_REFUSE_FIELDS);
	limits.fields = 2;
	limits.head_bytes--;
	assert_true(feed_all(&parser, head, sizeof(head) - 1, 1, &got));
	assert_int_equal(got.why, HTTP_REFUSE_HEAD_SIZE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_hop_by_hop),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
