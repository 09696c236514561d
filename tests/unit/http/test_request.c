/* Heads of requests: lists A 1-4, 8-11, B 12-16, C 17-19, D 23, 24, 26. */
#include "http/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/http/feed.h"

#define BYTES(text)    text, sizeof(text) - 1
#define LINE           "GET /x HTTP/1.1\r\n"
#define HOST           "Host: a.example\r\n"
#define TAKEN(text)    HTTP_REFUSE_NONE, text, NULL
#define REFUSED(why)   HTTP_REFUSE_##why, NULL, NULL
#define FIELD(text)    BYTES(LINE HOST text "\r\n\r\n")
#define FIELD_10(text) BYTES("GET /x HTTP/1.0\r\n" HOST text "\r\n\r\n")
#define POST(text)     BYTES("POST /x HTTP/1.1\r\n" HOST text "\r\n\r\n")
#define HOST_IS(text)  BYTES(LINE "Host: " text "\r\n\r\n")
#define TARGET(text)   BYTES("GET " text " HTTP/1.1\r\n" HOST "\r\n")

struct row {
	const char *what;
	const char *bytes;
	size_t length;
	enum http_refusal why;
	/* method target authority version keep|close framing [expect]
	 * [upgrade] [rest=bytes behind the head] */
	const char *want;
	const char *dropped; /* names of hop-by-hop fields; NULL: any */
};

static const struct row rows[] = {
	{ "a plain request", BYTES(LINE HOST "\r\n"),
		TAKEN("GET /x a.example 1.1 keep none") },
	{ "many fields, values trimmed",
		BYTES("GET /a?b=c HTTP/1.1\r\nHost: \t a.example:8080 \t\r\n"
		      "Accept:*/*\r\nX-Empty:\r\nX-Blank: \t \r\n\r\n"),
		TAKEN("GET /a?b=c a.example:8080 1.1 keep none") },

	/* A 1 */
	{ "A1 Content-Length and Transfer-Encoding",
		POST("Content-Length: 5\r\nTransfer-Encoding: chunked"),
		REFUSED(FRAMING) },
	{ "A1 Transfer-Encoding, then Content-Length",
		POST("Transfer-Encoding: chunked\r\nContent-Length: 5"),
		REFUSED(FRAMING) },
	{ "A1 Transfer-Encoding and Content-Length 0",
		POST("Transfer-Encoding: chunked\r\nContent-Length: 0"),
		REFUSED(FRAMING) },
	/* A 2 */
	{ "A2 chunked", POST("Transfer-Encoding: chunked"),
		TAKEN("POST /x a.example 1.1 keep chunked") },
	{ "A2 chunked in capitals", POST("transfer-encoding:CHUNKED"),
		TAKEN("POST /x a.example 1.1 keep chunked") },
	{ "A2 a list", POST("Transfer-Encoding: gzip, chunked"), REFUSED(TE) },
	{ "A2 chunked twice in a list",
		POST("Transfer-Encoding: chunked, chunked"), REFUSED(TE) },
	{ "A2 chunked not last", POST("Transfer-Encoding: chunked, gzip"),
		REFUSED(TE) },
	{ "A2 a parameter", POST("Transfer-Encoding: chunked;a=b"),
		REFUSED(TE) },
	{ "A2 quotes", POST("Transfer-Encoding: \"chunked\""), REFUSED(TE) },
	{ "A2 empty", POST("Transfer-Encoding:"), REFUSED(TE) },
	{ "A2 identity", POST("Transfer-Encoding: identity"), REFUSED(TE) },
	{ "A2 gzip", POST("Transfer-Encoding: gzip"), REFUSED(TE) },
	{ "A2 xchunked", POST("Transfer-Encoding: xchunked"), REFUSED(TE) },
	{ "A2 chunkedx", POST("Transfer-Encoding: chunkedx"), REFUSED(TE) },
	{ "A2 VT before", POST("Transfer-Encoding: \vchunked"),
		REFUSED(SYNTAX) },
	{ "A2 NUL behind", POST("Transfer-Encoding: chunked\0"),
		REFUSED(SYNTAX) },
	{ "A2 NBSP behind", POST("Transfer-Encoding: chunked\xa0"),
		REFUSED(TE) },
	{ "A2 a leading comma", POST("Transfer-Encoding: ,chunked"),
		REFUSED(TE) },
	{ "A2 a trailing comma", POST("Transfer-Encoding: chunked,"),
		REFUSED(TE) },
	{ "A2 obs-fold", POST("Transfer-Encoding:\r\n chunked"), REFUSED(TE) },
	{ "A2 obs-fold behind", POST("Transfer-Encoding: chunked\r\n , x"),
		REFUSED(SYNTAX) },
	{ "A2 two fields",
		POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: "
		     "chunked"),
		REFUSED(FRAMING) },
	{ "A2 two fields, the second identity",
		POST("Transfer-Encoding: chunked\r\ntransfer-encoding: "
		     "identity"),
		REFUSED(FRAMING) },
	{ "A2 space before the colon", POST("Transfer-Encoding : chunked"),
		REFUSED(SYNTAX) },
	/* A 3 */
	{ "A3 chunked in HTTP/1.0", FIELD_10("Transfer-Encoding: chunked"),
		REFUSED(FRAMING) },
	/* A 4 */
	{ "A4 a length", POST("Content-Length: 5"),
		TAKEN("POST /x a.example 1.1 keep length=5") },
	{ "A4 length 0", POST("Content-Length: 0"),
		TAKEN("POST /x a.example 1.1 keep length=0") },
	{ "A4 leading zeros", POST("Content-Length: 0005"),
		TAKEN("POST /x a.example 1.1 keep length=5") },
	{ "A4 the largest", POST("Content-Length: 9223372036854775807"),
		TAKEN("POST /x a.example 1.1 keep "
		      "length=9223372036854775807") },
	{ "A4 2^63", POST("Content-Length: 9223372036854775808"),
		REFUSED(FRAMING) },
	{ "A4 2^64 + 5", POST("Content-Length: 18446744073709551621"),
		REFUSED(FRAMING) },
	{ "A4 40 digits",
		POST("Content-Length: "
		     "1000000000000000000000000000000000000000"),
		REFUSED(FRAMING) },
	{ "A4 plus", POST("Content-Length: +5"), REFUSED(FRAMING) },
	{ "A4 minus", POST("Content-Length: -5"), REFUSED(FRAMING) },
	{ "A4 hex", POST("Content-Length: 0x5"), REFUSED(FRAMING) },
	{ "A4 a fraction", POST("Content-Length: 5.0"), REFUSED(FRAMING) },
	{ "A4 an exponent", POST("Content-Length: 5e0"), REFUSED(FRAMING) },
	{ "A4 quotes", POST("Content-Length: \"5\""), REFUSED(FRAMING) },
	{ "A4 a semicolon", POST("Content-Length: 5;"), REFUSED(FRAMING) },
	{ "A4 two numbers", POST("Content-Length: 5 5"), REFUSED(FRAMING) },
	{ "A4 empty", POST("Content-Length:"), REFUSED(FRAMING) },
	{ "A4 blank", POST("Content-Length:  \t "), REFUSED(FRAMING) },
	{ "A4 a leading comma", POST("Content-Length: ,5"), REFUSED(FRAMING) },
	{ "A4 a trailing comma", POST("Content-Length: 5,"), REFUSED(FRAMING) },
	{ "A4 NUL", POST("Content-Length: 5\0"), REFUSED(SYNTAX) },
	{ "A4 superscript two", POST("Content-Length: \xc2\xb2"),
		REFUSED(FRAMING) },
	{ "A4 two values", POST("Content-Length: 5\r\nContent-Length: 6"),
		REFUSED(FRAMING) },
	{ "A4 a list of two values", POST("Content-Length: 5, 6"),
		REFUSED(FRAMING) },
	{ "A4 a list of equal values", POST("Content-Length: 5, 5"),
		REFUSED(FRAMING) },
	{ "A4 two equal fields are one",
		POST("Content-Length: 5\r\nContent-Length: 5"),
		TAKEN("POST /x a.example 1.1 keep length=5") },
	/* A 8 */
	{ "A8 a body on GET is a body", FIELD("Content-Length: 7"),
		TAKEN("GET /x a.example 1.1 keep length=7") },
	{ "A8 a body on HEAD is a body",
		BYTES("HEAD /x HTTP/1.1\r\n" HOST
		      "Transfer-Encoding: chunked\r\n\r\n"),
		TAKEN("HEAD /x a.example 1.1 keep chunked") },
	{ "A8 a body on DELETE is a body",
		BYTES("DELETE /x HTTP/1.1\r\n" HOST
		      "Content-Length: 1\r\n\r\n"),
		TAKEN("DELETE /x a.example 1.1 keep length=1") },
	{ "A8 a body on OPTIONS is a body",
		BYTES("OPTIONS * HTTP/1.1\r\n" HOST
		      "Content-Length: 1\r\n\r\n"),
		TAKEN("OPTIONS * a.example 1.1 keep length=1") },
	/* A 9 */
	{ "A9 the next request is not touched",
		BYTES(LINE HOST "\r\nGET /y HTTP/1.1\r\nHos"),
		TAKEN("GET /x a.example 1.1 keep none rest=20") },
	{ "A9 binary behind a head is not its fault",
		BYTES(LINE HOST "\r\n\x16\x03\x01"),
		TAKEN("GET /x a.example 1.1 keep none rest=3") },
	/* A 10 */
	{ "A10 Expect", POST("Content-Length: 5\r\nExpect: 100-continue"),
		TAKEN("POST /x a.example 1.1 keep length=5 expect") },
	{ "A10 Expect without regard to case",
		POST("Content-Length: 5\r\nexpect: 100-Continue"),
		TAKEN("POST /x a.example 1.1 keep length=5 expect") },
	{ "A10 Expect twice",
		POST("Content-Length: 5\r\nExpect: 100-continue\r\n"
		     "Expect: 100-continue"),
		TAKEN("POST /x a.example 1.1 keep length=5 expect") },
	{ "A10 another expectation", POST("Expect: 200-ok"), REFUSED(EXPECT) },
	{ "A10 an empty expectation", POST("Expect:"), REFUSED(EXPECT) },
	{ "A10 more than 100-continue", POST("Expect: 100-continue, x"),
		REFUSED(EXPECT) },
	{ "A10 Expect in HTTP/1.0 is ignored, and not passed on",
		FIELD_10("Expect: 100-continue"), HTTP_REFUSE_NONE,
		"GET /x a.example 1.0 close none", "Expect" },
	/* A 11: that each beginning of a good head is MORE, feed_all shows */

	/* B 12 */
	{ "B12 bare CR in a value", FIELD("X: a\rb"), REFUSED(SYNTAX) },
	{ "B12 bare CR at the end of a line", BYTES(LINE HOST "X: a\rY: b\r\n"),
		REFUSED(SYNTAX) },
	{ "B12 LF CR", BYTES("GET / HTTP/1.1\n\rHost: a\n\r\n\r"),
		REFUSED(SYNTAX) },
	{ "B12 only CR", BYTES("GET / HTTP/1.1\rHost: a\r\r"),
		REFUSED(SYNTAX) },
	{ "B12 only LF", BYTES("GET / HTTP/1.1\nHost: a\n\n"),
		REFUSED(SYNTAX) },
	{ "B12 LF after a field", BYTES(LINE HOST "X: a\nY: b\r\n\r\n"),
		REFUSED(SYNTAX) },
	{ "B12 LF as the empty line", BYTES(LINE HOST "\n"), REFUSED(SYNTAX) },
	{ "B12 CR CR LF", BYTES(LINE HOST "X: a\r\r\n\r\n"), REFUSED(SYNTAX) },
	{ "B12 CR alone as the empty line", BYTES(LINE HOST "\rX: a\r\n\r\n"),
		REFUSED(SYNTAX) },
	/* B 13 */
	{ "B13 space before the colon", FIELD("X : a"), REFUSED(SYNTAX) },
	{ "B13 tab before the colon", FIELD("X\t: a"), REFUSED(SYNTAX) },
	{ "B13 an empty name", FIELD(": a"), REFUSED(SYNTAX) },
	{ "B13 no colon", FIELD("X"), REFUSED(SYNTAX) },
	{ "B13 no colon but a space", FIELD("X a"), REFUSED(SYNTAX) },
	{ "B13 a name in brackets", FIELD("X[1]: a"), REFUSED(SYNTAX) },
	{ "B13 a slash in a name", FIELD("X/Y: a"), REFUSED(SYNTAX) },
	{ "B13 8 bit in a name", FIELD("X\xc3\xa4: a"), REFUSED(SYNTAX) },
	{ "B13 NUL in a name", FIELD("X\0Y: a"), REFUSED(SYNTAX) },
	{ "B13 NUL in a value", FIELD("X: a\0b"), REFUSED(SYNTAX) },
	{ "B13 VT in a value", FIELD("X: a\vb"), REFUSED(SYNTAX) },
	{ "B13 escape in a long value",
		FIELD("X: 0123456789abcdef0123456789abcdef\x1b[0m"),
		REFUSED(SYNTAX) },
	{ "B13 DEL in a value", FIELD("X: a\x7f"), REFUSED(SYNTAX) },
	{ "B13 8 bit in a value is kept", FIELD("X: \xc3\xa4\xff"),
		TAKEN("GET /x a.example 1.1 keep none") },
	{ "B13 a tab in a value is kept",
		FIELD("X: 0123456789\tabcdef0123456789\tabcdef0123456789"),
		TAKEN("GET /x a.example 1.1 keep none") },
	{ "B13 space before the first field",
		BYTES(LINE " X: a\r\n" HOST "\r\n"), REFUSED(SYNTAX) },
	{ "B13 a tab before the first field",
		BYTES(LINE "\tX: a\r\n" HOST "\r\n"), REFUSED(SYNTAX) },
	{ "B13 obs-fold", FIELD("X: a\r\n b"), REFUSED(SYNTAX) },
	{ "B13 obs-fold with a tab", FIELD("X: a\r\n\tb"), REFUSED(SYNTAX) },
	/* B 14 */
	{ "B14 two spaces behind the method",
		BYTES("GET  / HTTP/1.1\r\n" HOST "\r\n"), REFUSED(SYNTAX) },
	{ "B14 two spaces behind the target",
		BYTES("GET /  HTTP/1.1\r\n" HOST "\r\n"), REFUSED(SYNTAX) },
	{ "B14 a tab behind the method",
		BYTES("GET\t/ HTTP/1.1\r\n" HOST "\r\n"), REFUSED(SYNTAX) },
	{ "B14 a tab behind the target",
		BYTES("GET /\tHTTP/1.1\r\n" HOST "\r\n"), REFUSED(SYNTAX) },
	{ "B14 a space before the method",
		BYTES(" GET / HTTP/1.1\r\n" HOST "\r\n"), REFUSED(SYNTAX) },
	{ "B14 a space behind the version",
		BYTES("GET / HTTP/1.1 \r\n" HOST "\r\n"), REFUSED(SYNTAX) },
	{ "B14 no version", BYTES("GET /\r\n" HOST "\r\n"), REFUSED(SYNTAX) },
	{ "B14 no version but a space", BYTES("GET / \r\n" HOST "\r\n"),
		REFUSED(SYNTAX) },
	{ "B14 a target with a space",
		BYTES("GET /a b HTTP/1.1\r\n" HOST "\r\n"), REFUSED(SYNTAX) },
	{ "B14 HTTP/1.2x", BYTES("GET / HTTP/1.2x\r\n" HOST "\r\n"),
		REFUSED(VERSION) },
	{ "B14 HTTP/1.2", BYTES("GET / HTTP/1.2\r\n" HOST "\r\n"),
		REFUSED(VERSION) },
	{ "B14 HTTP/1.1x", BYTES("GET / HTTP/1.1x\r\n" HOST "\r\n"),
		REFUSED(SYNTAX) },
	{ "B14 HTTP/1.10", BYTES("GET / HTTP/1.10\r\n" HOST "\r\n"),
		REFUSED(SYNTAX) },
	{ "B14 HTTP/01.1", BYTES("GET / HTTP/01.1\r\n" HOST "\r\n"),
		REFUSED(SYNTAX) },
	{ "B14 HTTP/1", BYTES("GET / HTTP/1\r\n" HOST "\r\n"),
		REFUSED(SYNTAX) },
	{ "B14 HTTP/2.0 as text", BYTES("GET / HTTP/2.0\r\n" HOST "\r\n"),
		REFUSED(VERSION) },
	{ "B14 HTTP/0.9", BYTES("GET / HTTP/0.9\r\n" HOST "\r\n"),
		REFUSED(VERSION) },
	{ "B14 http/1.1 in small letters",
		BYTES("GET / http/1.1\r\n" HOST "\r\n"), REFUSED(SYNTAX) },
	{ "B14 ICAP", BYTES("GET / ICAP/1.0\r\n" HOST "\r\n"),
		REFUSED(SYNTAX) },
	{ "B14 NUL in the target", TARGET("/\0x"), REFUSED(SYNTAX) },
	{ "B14 ESC in the target", TARGET("/a\x1b"), REFUSED(SYNTAX) },
	{ "B14 ESC in a long target",
		TARGET("/0123456789abcdef0123456789abcdef\x1b"),
		REFUSED(SYNTAX) },
	{ "B14 DEL in the target", TARGET("/\x7f"), REFUSED(SYNTAX) },
	{ "B14 8 bit in the target", TARGET("/\xc3\xa4"), REFUSED(SYNTAX) },
	{ "B14 # in the target", TARGET("/a#b"), REFUSED(SYNTAX) },
	{ "B14 no leading slash", TARGET("x"), REFUSED(TARGET_FORM) },
	{ "B14 only a query", TARGET("?x"), REFUSED(TARGET_FORM) },
	{ "B14 * without OPTIONS", TARGET("*"), REFUSED(TARGET_FORM) },
	{ "B14 ** with OPTIONS", BYTES("OPTIONS ** HTTP/1.1\r\n" HOST "\r\n"),
		REFUSED(TARGET_FORM) },
	{ "B14 OPTIONS *", BYTES("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"),
		TAKEN("OPTIONS * a.example 1.1 keep none") },
	{ "B14 a method in small letters is another one",
		BYTES("get / HTTP/1.1\r\n" HOST "\r\n"),
		TAKEN("other:get / a.example 1.1 keep none") },
	{ "B14 a method nobody knows",
		BYTES("M-SEARCH / HTTP/1.1\r\n" HOST "\r\n"),
		TAKEN("other:M-SEARCH / a.example 1.1 keep none") },
	{ "B14 a method that is no token",
		BYTES("G@T / HTTP/1.1\r\n" HOST "\r\n"), REFUSED(SYNTAX) },
	{ "B14 a colon in the method", BYTES("GET: / HTTP/1.1\r\n" HOST "\r\n"),
		REFUSED(SYNTAX) },
	{ "B14 one empty line before", BYTES("\r\n" LINE HOST "\r\n"),
		TAKEN("GET /x a.example 1.1 keep none skipped=2") },
	{ "B14 two empty lines before", BYTES("\r\n\r\n" LINE HOST "\r\n"),
		TAKEN("GET /x a.example 1.1 keep none skipped=4") },
	{ "B14 three empty lines before",
		BYTES("\r\n\r\n\r\n" LINE HOST "\r\n"), REFUSED(SYNTAX) },
	{ "B14 LF before", BYTES("\n" LINE HOST "\r\n"), REFUSED(SYNTAX) },
	{ "B14 CR before", BYTES("\r" LINE HOST "\r\n"), REFUSED(SYNTAX) },
	/* B 15: see the tests of limits below */
	{ "B15 a method of 32 bytes",
		BYTES("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.0\r\n\r\n"),
		TAKEN("other:ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / - 1.0 close "
		      "none") },
	{ "B15 a method of 33 bytes",
		BYTES("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.0\r\n\r\n"),
		REFUSED(METHOD) },
	/* B 16 */
	{ "B16 the preface of HTTP/2",
		BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), REFUSED(PROTOCOL) },
	{ "B16 a TLS hello", BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc"),
		REFUSED(PROTOCOL) },
	{ "B16 an SSLv2 hello", BYTES("\x80\x2e\x01\x00\x02"),
		REFUSED(PROTOCOL) },
	{ "B16 a PROXY header",
		BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" LINE HOST
		      "\r\n"),
		REFUSED(PROTOCOL) },
	{ "B16 a PROXY header, version 2",
		BYTES("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"),
		REFUSED(PROTOCOL) },
	{ "B16 zeros", BYTES("\0\0\0\0"), REFUSED(PROTOCOL) },

	/* C 17 */
	{ "C17 no Host", BYTES(LINE "\r\n"), REFUSED(HOST) },
	{ "C17 no Host in HTTP/1.0", BYTES("GET /x HTTP/1.0\r\n\r\n"),
		TAKEN("GET /x - 1.0 close none") },
	{ "C17 two Hosts", FIELD("Host: b.example"), REFUSED(HOST) },
	{ "C17 two equal Hosts", FIELD("Host: a.example"), REFUSED(HOST) },
	{ "C17 two Hosts in HTTP/1.0", FIELD_10("Host: b"), REFUSED(HOST) },
	{ "C17 an empty Host", HOST_IS(""), REFUSED(HOST) },
	{ "C17 a port alone", HOST_IS(":80"), REFUSED(HOST) },
	{ "C17 a slash", HOST_IS("a/b"), REFUSED(HOST) },
	{ "C17 a question mark", HOST_IS("a?b"), REFUSED(HOST) },
	{ "C17 a hash", HOST_IS("a#b"), REFUSED(HOST) },
	{ "C17 userinfo", HOST_IS("a@b"), REFUSED(HOST) },
	{ "C17 a backslash", HOST_IS("a\\b"), REFUSED(HOST) },
	{ "C17 less", HOST_IS("a<b"), REFUSED(HOST) },
	{ "C17 greater", HOST_IS("a>b"), REFUSED(HOST) },
	{ "C17 a space", HOST_IS("a b"), REFUSED(HOST) },
	{ "C17 a comma", HOST_IS("a,b"), REFUSED(HOST) },
	{ "C17 two ports", HOST_IS("a:80:81"), REFUSED(HOST) },
	{ "C17 port 65535", HOST_IS("a:65535"),
		TAKEN("GET /x a:65535 1.1 keep none") },
	{ "C17 port 65536", HOST_IS("a:65536"), REFUSED(HOST) },
	{ "C17 a port of letters", HOST_IS("a:http"), REFUSED(HOST) },
	{ "C17 a negative port", HOST_IS("a:-1"), REFUSED(HOST) },
	{ "C17 an empty port", HOST_IS("a:"), REFUSED(HOST) },
	{ "C17 an open bracket", HOST_IS("[::1"), REFUSED(HOST) },
	{ "C17 IPv6", HOST_IS("[::1]:80"),
		TAKEN("GET /x [::1]:80 1.1 keep none") },
	{ "C17 IPv6 without brackets", HOST_IS("::1"), REFUSED(HOST) },
	{ "C17 IPv6 with a zone", HOST_IS("[fe80::1%25eth0]"), REFUSED(HOST) },
	{ "C17 NUL", HOST_IS("a\0b"), REFUSED(SYNTAX) },
	{ "C17 8 bit", HOST_IS("a\xc3\xa4"), REFUSED(HOST) },
	/* C 18 */
	{ "C18 the authority of the target replaces Host",
		TARGET("http://b.example:81/y?z"),
		TAKEN("GET /y?z b.example:81 1.1 keep none") },
	{ "C18 https", TARGET("https://b.example/"), REFUSED(TARGET_FORM) },
	{ "C18 the scheme without regard to case", TARGET("HtTp://b.example/y"),
		TAKEN("GET /y b.example 1.1 keep none") },
	{ "C18 an empty path", TARGET("http://b.example"),
		TAKEN("GET / b.example 1.1 keep none") },
	{ "C18 a query without a path", TARGET("http://b.example?x"),
		REFUSED(TARGET_FORM) },
	{ "C18 absolute-form in HTTP/1.0 without Host",
		BYTES("GET http://b/y HTTP/1.0\r\n\r\n"),
		TAKEN("GET /y b 1.0 close none") },
	{ "C18 absolute-form without Host",
		BYTES("GET http://b/y HTTP/1.1\r\n\r\n"), REFUSED(HOST) },
	{ "C18 absolute-form with a bad Host",
		BYTES("GET http://b/y HTTP/1.1\r\nHost: a@b\r\n\r\n"),
		REFUSED(HOST) },
	{ "C18 userinfo", TARGET("http://u:p@b.example/"),
		REFUSED(TARGET_FORM) },
	{ "C18 no authority", TARGET("http:///x"), REFUSED(TARGET_FORM) },
	{ "C18 one slash", TARGET("http:/x"), REFUSED(TARGET_FORM) },
	{ "C18 another scheme", TARGET("ftp://b.example/"),
		REFUSED(TARGET_FORM) },
	{ "C18 a file", TARGET("file:///etc/passwd"), REFUSED(TARGET_FORM) },
	{ "C18 javascript", TARGET("javascript:alert(1)"),
		REFUSED(TARGET_FORM) },
	{ "C18 a bad port in the target", TARGET("http://b:99999/"),
		REFUSED(TARGET_FORM) },
	{ "C18 authority-form without CONNECT", TARGET("b.example:443"),
		REFUSED(TARGET_FORM) },
	/* C 19 */
	{ "C19 CONNECT",
		BYTES("CONNECT b.example:443 HTTP/1.1\r\n" HOST "\r\n"),
		REFUSED(CONNECT) },
	{ "C19 TRACE", BYTES("TRACE / HTTP/1.1\r\n" HOST "\r\n"),
		REFUSED(CONNECT) },

	/* D 23 */
	{ "D23 Connection and what it names",
		FIELD("Connection: X-Foo , x-bar\r\nX-FOO: 1\r\nX-Bar: 2\r\n"
		      "X-Baz: 3\r\nx-foo: 4"),
		HTTP_REFUSE_NONE, "GET /x a.example 1.1 keep none",
		"Connection,X-FOO,X-Bar,x-foo" },
	{ "D23 Connection that comes behind what it names",
		FIELD("X-Foo: 1\r\nConnection: close, x-foo"), HTTP_REFUSE_NONE,
		"GET /x a.example 1.1 close none", "X-Foo,Connection" },
	{ "D23 the fixed ones",
		FIELD("Keep-Alive: timeout=5\r\nProxy-Connection: "
		      "keep-alive\r\n"
		      "TE: trailers\r\nTrailer: X\r\nUpgrade: websocket\r\n"
		      "Date: x\r\nServer: y"),
		HTTP_REFUSE_NONE, "GET /x a.example 1.1 keep none upgrade",
		"Keep-Alive,Proxy-Connection,TE,Trailer,Upgrade" },
	{ "D23 the framing is written anew", FIELD("Content-Length: 3"),
		HTTP_REFUSE_NONE, "GET /x a.example 1.1 keep length=3",
		"Content-Length" },
	{ "D23 what is ours is not stripped",
		FIELD("Connection: Host, Content-Length, X-Forwarded-For, "
		      "x-forwarded-port, Authorization, Cookie, X-Request-Id, "
		      "x-envoy-peer\r\n"
		      "X-Forwarded-For: 1\r\nX-Forwarded-Port: 2\r\n"
		      "Authorization: z\r\nCookie: c\r\nX-Request-Id: r\r\n"
		      "X-Envoy-Peer: p"),
		HTTP_REFUSE_NONE, "GET /x a.example 1.1 keep none",
		"Connection" },
	{ "D23 close", FIELD("Connection: close"),
		TAKEN("GET /x a.example 1.1 close none") },
	{ "D23 close without regard to case, in a list",
		FIELD("Connection: , foo,,CLOSE"),
		TAKEN("GET /x a.example 1.1 close none") },
	{ "D23 close in a second field",
		FIELD("Connection: keep-alive\r\nConnection: close"),
		TAKEN("GET /x a.example 1.1 close none") },
	{ "D23 what is no option ends the connection",
		FIELD("Connection: \"close\""),
		TAKEN("GET /x a.example 1.1 close none") },
	{ "D23 HTTP/1.0 closes", FIELD_10("X: y"),
		TAKEN("GET /x a.example 1.0 close none") },
	{ "D23 HTTP/1.0 with keep-alive", FIELD_10("Connection: Keep-Alive"),
		TAKEN("GET /x a.example 1.0 keep none") },
	{ "D23 HTTP/1.0 with both", FIELD_10("Connection: keep-alive, close"),
		TAKEN("GET /x a.example 1.0 close none") },
	/* D 24 */
	{ "D24 h2c is not forwarded",
		FIELD("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
		      "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
		HTTP_REFUSE_NONE, "GET /x a.example 1.1 keep none upgrade",
		"Connection,Upgrade,HTTP2-Settings" },
	{ "D24 nor when Connection does not name it",
		FIELD("http2-settings: AAMAAABkAARAAAAAAAIAAAAA"),
		HTTP_REFUSE_NONE, "GET /x a.example 1.1 keep none",
		"http2-settings" },
	/* D 26 */
	{ "D26 twins with an underscore are dropped",
		FIELD("X_Forwarded_For: 1\r\nX-Forwarded_Proto: 2\r\n"
		      "x_real_ip: 3\r\nX_Request_Id: 4\r\nContent_Length: 5\r\n"
		      "Transfer_Encoding: chunked\r\nX_Forwarded_Anything: "
		      "6\r\n"
		      "x_envoy_expected_rq_timeout_ms: 7\r\nx_foo: 8"),
		HTTP_REFUSE_NONE, "GET /x a.example 1.1 keep none",
		"X_Forwarded_For,X-Forwarded_Proto,x_real_ip,X_Request_Id,"
		"Content_Length,Transfer_Encoding,X_Forwarded_Anything,"
		"x_envoy_expected_rq_timeout_ms" },
};

static void
describe(const struct feed *f, size_t length, char *out, size_t size)
{
	static const char *const framings[] = { "none", "length", "chunked",
		"until-close" };
	const struct http_head *h = &f->head;
	bool other = h->method == HTTP_METHOD_OTHER;
	size_t rest = length - f->skipped - h->length;
	int n;

	n = snprintf(out, size, "%s%.*s %.*s %.*s 1.%d %s %s",
		other ? "other:" : "",
		(int)(other ? h->method_text.length
			    : strlen(http_method_name(h->method))),
		other ? h->method_text.data : http_method_name(h->method),
		(int)h->target.length, h->target.data,
		h->authority.data ? (int)h->authority.length : 1,
		h->authority.data ? h->authority.data : "-", h->version_minor,
		h->keep_alive ? "keep" : "close", framings[h->framing]);
	if (h->framing == HTTP_BODY_LENGTH)
		n += snprintf(out + n, size - (size_t)n, "=%llu",
			(unsigned long long)h->content_length);
	if (h->expect_continue)
		n += snprintf(out + n, size - (size_t)n, " expect");
	if (h->upgrade)
		n += snprintf(out + n, size - (size_t)n, " upgrade");
	if (f->skipped)
		n += snprintf(
			out + n, size - (size_t)n, " skipped=%zu", f->skipped);
	if (rest)
		snprintf(out + n, size - (size_t)n, " rest=%zu", rest);
}

static void
list_dropped(const struct http_head *h, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < h->field_count; i++) {
		struct slice name = http_field_name(h, &h->fields[i]);

		if (h->fields[i].hop_by_hop)
			n += (size_t)snprintf(out + n, size - n, "%s%.*s",
				n ? "," : "", (int)name.length, name.data);
	}
}

static void
test_rows(void **state)
{
	struct feed_parser parser = { .limits = &http_limits_default };
	static struct feed got;
	char text[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];
		enum http_parse want =
			row->want ? HTTP_PARSE_DONE : HTTP_PARSE_BAD;

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
		if (got.decided_at != got.skipped + got.head.length)
			fail_msg("%s: decided at %zu", row->what,
				got.decided_at);
		list_dropped(&got.head, text, sizeof(text));
		if (row->dropped && strcmp(text, row->dropped) != 0)
			fail_msg("%s: dropped %s", row->what, text);
	}
}

/* Long input for the limits; what the parser makes of it, however cut. */
static char long_bytes[128 << 10];

static size_t
long_put(size_t at, const char *text)
{
	memcpy(long_bytes + at, text, strlen(text));
	return at + strlen(text);
}

static size_t
long_fill(size_t at, char c, size_t n)
{
	memset(long_bytes + at, c, n);
	return at + n;
}

static void
expect_long(const char *what, size_t length, enum http_parse verdict,
	enum http_refusal why)
{
	struct feed_parser parser = { .limits = &http_limits_default };
	static struct feed got;

	if (!feed_all(&parser, long_bytes, length, 1001, &got))
		fail_msg("%s: cuts change the result", what);
	if (got.verdict != verdict || got.why != why)
		fail_msg("%s: verdict %d, %s", what, got.verdict,
			http_refusal_word(got.why));
}

static size_t
long_target(size_t target)
{
	return long_fill(long_put(0, "GET /"), 'a', target - 1);
}

static void
test_limit_target(void **state)
{
	size_t n;

	(void)state;
	n = long_put(long_target(8192), " HTTP/1.0\r\n\r\n");
	expect_long("a target of 8192", n, HTTP_PARSE_DONE, HTTP_REFUSE_NONE);
	n = long_put(long_target(8193), " HTTP/1.0\r\n\r\n");
	expect_long("a target of 8193", n, HTTP_PARSE_BAD, HTTP_REFUSE_TARGET);
	expect_long("8193 bytes of a target, unfinished", long_target(8193),
		HTTP_PARSE_BAD, HTTP_REFUSE_TARGET);
	expect_long("8192 bytes of a target, unfinished", long_target(8192),
		HTTP_PARSE_MORE, HTTP_REFUSE_NONE);
}

static size_t
long_head(size_t head)
{
	size_t n = long_put(0, LINE HOST "X: ");

	return long_put(long_fill(n, 'a', head - n - 4), "\r\n\r\n");
}

static void
test_limit_head(void **state)
{
	size_t limit = http_limits_default.head_bytes, n;

	(void)state;
	n = long_head(limit);
	assert_int_equal(n, limit);
	expect_long(
		"a head at its limit", n, HTTP_PARSE_DONE, HTTP_REFUSE_NONE);
	long_put(n, "body");
	expect_long("a head at its limit and a body", n + 4, HTTP_PARSE_DONE,
		HTTP_REFUSE_NONE);
	n = long_head(limit + 1);
	expect_long("a head above its limit", n, HTTP_PARSE_BAD,
		HTTP_REFUSE_HEAD_SIZE);
	expect_long("a head that will be too long", limit, HTTP_PARSE_BAD,
		HTTP_REFUSE_HEAD_SIZE);
	expect_long("a head that may still end", limit - 1, HTTP_PARSE_MORE,
		HTTP_REFUSE_NONE);
	n = long_put(0, "\r\n\r\n");
	n = long_put(n, LINE HOST "X: ");
	n = long_put(long_fill(n, 'a', limit - n), "\r\n\r\n");
	expect_long("empty lines do not count", n, HTTP_PARSE_DONE,
		HTTP_REFUSE_NONE);
	n = long_fill(long_put(0, LINE HOST), 'n', limit);
	expect_long(
		"a name without end", n, HTTP_PARSE_BAD, HTTP_REFUSE_HEAD_SIZE);
}

static size_t
long_fields(unsigned count)
{
	size_t n = long_put(0, LINE HOST);

	for (unsigned i = 1; i < count; i++)
		n = long_put(n, "X: y\r\n");
	return n;
}

static void
test_limit_fields(void **state)
{
	size_t n;

	(void)state;
	n = long_put(long_fields(100), "\r\n");
	expect_long("100 fields", n, HTTP_PARSE_DONE, HTTP_REFUSE_NONE);
	n = long_put(long_fields(101), "\r\n");
	expect_long("101 fields", n, HTTP_PARSE_BAD, HTTP_REFUSE_FIELDS);
	n = long_put(long_fields(100), "X");
	expect_long(
		"a 101st field begins", n, HTTP_PARSE_BAD, HTTP_REFUSE_FIELDS);
	n = long_put(0, LINE HOST "Connection: ");
	for (int i = 0; i < 101; i++)
		n = long_put(n, "x,");
	n = long_put(n, "\r\n\r\n");
	expect_long("101 options of Connection", n, HTTP_PARSE_BAD,
		HTTP_REFUSE_FIELDS);
}

/* What is wrong is said as soon as the bytes allow, without the hint. */
static void
test_early(void **state)
{
	static const struct {
		const char *bytes;
		enum http_refusal why;
	} early[] = {
		{ "\x16", HTTP_REFUSE_PROTOCOL },
		{ "PROXY ", HTTP_REFUSE_PROTOCOL },
		{ "PRI * ", HTTP_REFUSE_PROTOCOL },
		{ "CONNECT ", HTTP_REFUSE_CONNECT },
		{ "GET x ", HTTP_REFUSE_TARGET_FORM },
		{ "GET / X", HTTP_REFUSE_SYNTAX },
		{ "GET / HTTP/2.0", HTTP_REFUSE_VERSION },
		{ LINE "X ", HTTP_REFUSE_SYNTAX },
		{ LINE "X: a\rb", HTTP_REFUSE_SYNTAX },
		{ LINE HOST "Host: b\r\n", HTTP_REFUSE_HOST },
		{ LINE "Content-Length: x\r\n", HTTP_REFUSE_FRAMING },
	};
	struct feed_parser parser = { .limits = &http_limits_default };
	static struct feed got;

	(void)state;
	for (size_t i = 0; i < sizeof(early) / sizeof(*early); i++) {
		size_t n = strlen(early[i].bytes);

		feed_once(&parser, guard_put(early[i].bytes, n), n, 0, &got);
		if (got.verdict != HTTP_PARSE_BAD || got.why != early[i].why)
			fail_msg("%s: %d", early[i].bytes, got.why);
		feed_once(&parser, guard_put(early[i].bytes, n - 1), n - 1, 0,
			&got);
		if (got.verdict != HTTP_PARSE_MORE)
			fail_msg("%s: refused too early", early[i].bytes);
	}
}

/* An untrue hint must not lead out of the bytes. */
static void
test_hint_out_of_range(void **state)
{
	struct feed_parser parser = { .limits = &http_limits_default };
	const char *bytes = LINE HOST "\r\n";
	static struct feed got;
	size_t n = strlen(bytes);

	(void)state;
	feed_once(&parser, guard_put(bytes, n), n, n + 100, &got);
	assert_int_equal(got.verdict, HTTP_PARSE_DONE);
	feed_once(&parser, guard_put(bytes, 0), 0, 0, &got);
	assert_int_equal(got.verdict, HTTP_PARSE_MORE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_limit_target),
		cmocka_unit_test(test_limit_head),
		cmocka_unit_test(test_limit_fields),
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_hint_out_of_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
