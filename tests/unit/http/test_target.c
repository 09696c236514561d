/* Targets and authorities: lists C 17, 21, 22. */
#include "http/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/http/feed.h"

#define BYTES(text) text, sizeof(text) - 1

static const struct {
	const char *what;
	const char *target;
	size_t length;
	const char *path;  /* NULL: refused */
	const char *query; /* NULL: none */
} targets[] = {
	{ "the root", BYTES("/"), "/", NULL },
	{ "a path", BYTES("/a/b.c/~d"), "/a/b.c/~d", NULL },
	{ "a query", BYTES("/a?b=c&d"), "/a", "b=c&d" },
	{ "an empty query", BYTES("/a?"), "/a", "" },
	{ "a second ? is of the query", BYTES("/a?b?c"), "/a", "b?c" },
	{ "a star", BYTES("*"), "*", NULL },
	{ "all that may stand raw", BYTES("/:@!$&'()*+,;=-_~[]x"),
		"/:@!$&'()*+,;=-_~[]x", NULL },
	{ "brackets, coded", BYTES("/%5ba%5D?%5b"), "/[a]", "%5b" },
	{ "dots that are no dot segments", BYTES("/a./.b/..c/.../a..b"),
		"/a./.b/..c/.../a..b", NULL },
	{ "C22 the path keeps its case", BYTES("/Ab/aB"), "/Ab/aB", NULL },
	{ "C21 unreserved bytes are decoded", BYTES("/%61%2D%2e%5F%7e%41%30x"),
		"/a-._~A0x", NULL },
	{ "C21 others stay, in capitals", BYTES("/%3f%20%25%2a%3b%5e"),
		"/%3F%20%25%2A%3B%5E", NULL },
	{ "C21 once only: %2541 is not A", BYTES("/%2541/%252e%252e/x"),
		"/%2541/%252e%252e/x", NULL },
	{ "C21 UTF-8", BYTES("/%c3%a4/%E2%82%AC/%f0%9f%98%80"),
		"/%C3%A4/%E2%82%AC/%F0%9F%98%80", NULL },
	{ "C21 empty segments are kept", BYTES("//a///b//"), "//a///b//",
		NULL },
	{ "C21 .", BYTES("/a/./b"), "/a/b", NULL },
	{ "C21 . at the end", BYTES("/a/."), "/a/", NULL },
	{ "C21 . alone", BYTES("/."), "/", NULL },
	{ "C21 ..", BYTES("/a/b/../c"), "/a/c", NULL },
	{ "C21 .. at the end", BYTES("/a/b/.."), "/a/", NULL },
	{ "C21 .. to the root", BYTES("/a/.."), "/", NULL },
	{ "C21 .. and a slash to the root", BYTES("/a/../"), "/", NULL },
	{ "C21 .. takes an empty segment", BYTES("/a//../b"), "/a/b", NULL },
	{ "C21 two ..", BYTES("/a/b/c/../../d"), "/a/d", NULL },
	{ "C21 coded ..", BYTES("/a/%2e%2E/b"), "/b", NULL },
	{ "C21 half coded ..", BYTES("/a/.%2e/b"), "/b", NULL },
	{ "C21 coded .", BYTES("/a/%2e/b"), "/a/b", NULL },
	{ "C21 .. before a query", BYTES("/a/..?/.."), "/", "/.." },
	{ "C21 the query is kept", BYTES("/?a=%2f%41%00&b=/../"), "/",
		"a=%2f%41%00&b=/../" },
	{ "C21 a parameter is kept", BYTES("/a;x=1/b"), "/a;x=1/b", NULL },

	{ "empty", BYTES(""), NULL, NULL },
	{ "no leading slash", BYTES("a/b"), NULL, NULL },
	{ "** ", BYTES("**"), NULL, NULL },
	{ "*?x", BYTES("*?x"), NULL, NULL },
	{ "C21 .. above the root", BYTES("/.."), NULL, NULL },
	{ "C21 .. above the root, then on", BYTES("/../a"), NULL, NULL },
	{ "C21 .. above the root, later", BYTES("/a/../../b"), NULL, NULL },
	{ "C21 coded .. above the root", BYTES("/%2e%2e/"), NULL, NULL },
	{ "C21 .. with a parameter", BYTES("/a/..;/b"), NULL, NULL },
	{ "C21 .. with a parameter at the end", BYTES("/a/..;x"), NULL, NULL },
	{ "C21 . with a parameter", BYTES("/a/.;x/b"), NULL, NULL },
	{ "C21 coded .. with a parameter", BYTES("/a/%2e%2e;/b"), NULL, NULL },
	{ "C21 %2f", BYTES("/a%2fb"), NULL, NULL },
	{ "C21 %2F in dots", BYTES("/a/..%2F..%2Fb"), NULL, NULL },
	{ "C21 %5c", BYTES("/a%5cb"), NULL, NULL },
	{ "C21 a backslash", BYTES("/a\\b"), NULL, NULL },
	{ "C21 %00", BYTES("/a%00b"), NULL, NULL },
	{ "C21 %0d%0a", BYTES("/a%0d%0ab"), NULL, NULL },
	{ "C21 %7f", BYTES("/a%7f"), NULL, NULL },
	{ "C21 % alone", BYTES("/a%"), NULL, NULL },
	{ "C21 % and one digit", BYTES("/a%4"), NULL, NULL },
	{ "C21 % and no digits", BYTES("/a%zz"), NULL, NULL },
	{ "C21 % and half a digit", BYTES("/a%4g"), NULL, NULL },
	{ "C21 %u", BYTES("/a%u0041"), NULL, NULL },
	{ "C21 a % before a ?", BYTES("/a%4?1"), NULL, NULL },
	{ "C21 overlong slash", BYTES("/a%c0%afb"), NULL, NULL },
	{ "C21 overlong dot", BYTES("/a/%c0%ae%c0%ae/b"), NULL, NULL },
	{ "C21 overlong in three bytes", BYTES("/%e0%80%af"), NULL, NULL },
	{ "C21 overlong in four bytes", BYTES("/%f0%80%80%af"), NULL, NULL },
	{ "C21 a surrogate", BYTES("/%ed%a0%80"), NULL, NULL },
	{ "C21 above U+10FFFF", BYTES("/%f4%90%80%80"), NULL, NULL },
	{ "C21 %ff", BYTES("/%ff"), NULL, NULL },
	{ "C21 a lone follower", BYTES("/%80"), NULL, NULL },
	{ "C21 a character cut by the end", BYTES("/%c3"), NULL, NULL },
	{ "C21 a character cut by a letter", BYTES("/%c3a"), NULL, NULL },
	{ "C21 a character cut by a coded letter", BYTES("/%c3%61"), NULL,
		NULL },
	{ "C21 a character cut by a slash", BYTES("/%e2%82/x"), NULL, NULL },
	{ "C21 a character cut by the query", BYTES("/%c3?%a4"), NULL, NULL },
	{ "raw 8 bit", BYTES("/\xc3\xa4"), NULL, NULL },
	{ "a raw control byte", BYTES("/a\x01"), NULL, NULL },
	{ "raw NUL", BYTES("/a\0b"), NULL, NULL },
	{ "a space", BYTES("/a b"), NULL, NULL },
	{ "a quote", BYTES("/a\"b"), NULL, NULL },
	{ "less", BYTES("/a<b"), NULL, NULL },
	{ "greater", BYTES("/a>b"), NULL, NULL },
	{ "a caret", BYTES("/a^b"), NULL, NULL },
	{ "a backtick", BYTES("/a`b"), NULL, NULL },
	{ "braces", BYTES("/a{b}"), NULL, NULL },
	{ "a bar", BYTES("/a|b"), NULL, NULL },
	{ "a hash", BYTES("/a#b"), NULL, NULL },
	{ "what browsers send raw in a query", BYTES("/a?{b}|c^`\\"), "/a",
		"{b}|c^`\\" },
	{ "a hash in the query", BYTES("/a?b#c"), NULL, NULL },
	{ "a control byte in the query", BYTES("/a?b\x01"), NULL, NULL },
	{ "8 bit in the query", BYTES("/a?b\xff"), NULL, NULL },
	{ "a space in the query", BYTES("/a?b c"), NULL, NULL },
	{ "C21 a bad % in the query", BYTES("/a?b=%2"), NULL, NULL },
	{ "C21 a bad % in the query of a coded path", BYTES("/%61?b=%g1"), NULL,
		NULL },
};

static bool
slice_is(struct slice s, const char *text)
{
	return text ? s.data && slice_equal(s, slice_of(text)) : !s.data;
}

static void
test_normalise(void **state)
{
	char scratch[256], again[256];
	struct http_target got, twice;

	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
		size_t n = targets[i].length;
		struct slice raw = { guard_put(targets[i].target, n), n };
		const char *what = targets[i].what, *path = targets[i].path;
		bool ok = http_target_normalise(raw, scratch, &got);

		if (ok != (path != NULL))
			fail_msg("%s: taken %d", what, ok);
		if (!ok)
			continue;
		if (!slice_is(got.path, path) ||
			!slice_is(got.query, targets[i].query))
			fail_msg("%s: %.*s", what, (int)got.path.length,
				got.path.data);
		n -= got.query.data ? got.query.length + 1 : 0;
		if ((n == strlen(path) && memcmp(raw.data, path, n) == 0) !=
			(got.path.data == raw.data))
			fail_msg("%s: copied or not", what);
		if (!http_target_normalise(got.path, again, &twice) ||
			!slice_equal(got.path, twice.path))
			fail_msg("%s: not stable", what);
	}
}

/* Scratch of exactly the length of the target is enough. */
static void
test_scratch(void **state)
{
	const char *text = "/%c3%a4/a/../%2e/%3f%3F%41//..?%41";
	size_t n = strlen(text);
	char *scratch = guard_memory() + GUARD_SIZE - n;
	struct http_target got;

	(void)state;
	assert_true(http_target_normalise(slice_of(text), scratch, &got));
	assert_true(slice_is(got.path, "/%C3%A4/%3F%3FA/"));
}

static const struct {
	const char *authority;
	size_t length;
	const char *host; /* NULL: not valid */
} authorities[] = {
	{ BYTES("a.example"), "a.example" },
	{ BYTES("A.eXample:80"), "a.example" },
	{ BYTES("a.example."), "a.example" },
	{ BYTES("A.example.:8080"), "a.example" },
	{ BYTES("under_score-1"), "under_score-1" },
	{ BYTES("127.0.0.1:65535"), "127.0.0.1" },
	{ BYTES("a:0"), "a" },
	{ BYTES("[::1]"), "[::1]" },
	{ BYTES("[2001:DB8::A]:443"), "[2001:db8::a]" },
	{ BYTES("[::ffff:192.0.2.1]:1"), "[::ffff:192.0.2.1]" },
	{ BYTES(""), NULL },
	{ BYTES("."), NULL },
	{ BYTES(".a"), NULL },
	{ BYTES("a..b"), NULL },
	{ BYTES("a.."), NULL },
	{ BYTES(":80"), NULL },
	{ BYTES("a:"), NULL },
	{ BYTES("a:65536"), NULL },
	{ BYTES("a:000080"), NULL },
	{ BYTES("a:99999999999999999999"), NULL },
	{ BYTES("a:+80"), NULL },
	{ BYTES("a:80:81"), NULL },
	{ BYTES("a:8x"), NULL },
	{ BYTES("u@a"), NULL },
	{ BYTES("u:p@a"), NULL },
	{ BYTES("a/b"), NULL },
	{ BYTES("a?b"), NULL },
	{ BYTES("a#b"), NULL },
	{ BYTES("a\\b"), NULL },
	{ BYTES("a b"), NULL },
	{ BYTES("a,b"), NULL },
	{ BYTES("a%2e"), NULL },
	{ BYTES("a\0"), NULL },
	{ BYTES("a\xff"), NULL },
	{ BYTES("*"), NULL },
	{ BYTES("::1"), NULL },
	{ BYTES("["), NULL },
	{ BYTES("[]"), NULL },
	{ BYTES("[::1"), NULL },
	{ BYTES("::1]"), NULL },
	{ BYTES("[::1]]"), NULL },
	{ BYTES("[::1]80"), NULL },
	{ BYTES("[::1]:"), NULL },
	{ BYTES("[::1\0]"), NULL },
	{ BYTES("[fe80::1%25e]"), NULL },
	{ BYTES("[v1.x]"), NULL },
	{ BYTES("[1.2.3.4]"), NULL },
	{ BYTES("[:::1]"), NULL },
	{ BYTES("[0000000000000000000000000000000000000000000000000::1]"),
		NULL },
};

static void
test_authority(void **state)
{
	char host[64], name[300];

	(void)state;
	for (size_t i = 0; i < sizeof(authorities) / sizeof(*authorities);
		i++) {
		size_t n = authorities[i].length;
		struct slice a = { guard_put(authorities[i].authority, n), n };
		bool valid = http_authority_valid(a);

		if (valid != (authorities[i].host != NULL))
			fail_msg("%s: valid %d", authorities[i].authority,
				valid);
		if (!valid)
			continue;
		n = http_authority_host(a, host);
		if (!slice_is((struct slice){ host, n }, authorities[i].host))
			fail_msg("%.*s", (int)n, host);
	}
	memset(name, 'a', sizeof(name));
	assert_true(http_authority_valid((struct slice){ name, 255 }));
	assert_false(http_authority_valid((struct slice){ name, 256 }));
}

static const struct {
	const char *path, *prefix, *replacement, *want;
} rewrites[] = {
	{ "/httpbin/get", "/httpbin", "/", "/get" },
	{ "/httpbin", "/httpbin", "/", "/" },
	{ "/httpbin/", "/httpbin", "/", "/" },
	{ "/httpbin/get", "/httpbin/", "/", "/get" },
	{ "/a/x", "/a/", "/b", "/b/x" },
	{ "/a/x", "/a", "/b", "/b/x" },
	{ "/a/x", "/a", "/b/", "/b/x" },
	{ "/a/x", "/a/", "/b/", "/b/x" },
	{ "/a", "/a", "/b", "/b" },
	{ "/a/", "/a", "/b", "/b/" },
	{ "/ab", "/a", "/x", "/xb" },
	{ "/x", "/", "/b", "/b/x" },
	{ "/", "/", "/b", "/b" },
	{ "/a/x", "/a", "", "/x" },
	{ "/a", "/a", "", "/" },
	{ "/a/x", "/a", "b", "/b/x" },
	{ "/x", "", "/b", "/b/x" },
	{ "/a//evil.example", "/a", "/", "/evil.example" },
	{ "//evil.example", "/", "/", "/evil.example" },
	{ "/a//x", "/a", "/b", "/b/x" },
	{ "/a/x//y", "/a", "/", "/x//y" },
	{ "/a../x", "/a", "/b/", "/b/../x" },
};

static void
test_replace_prefix(void **state)
{
	struct str out;

	(void)state;
	str_init(&out);
	for (size_t i = 0; i < sizeof(rewrites) / sizeof(*rewrites); i++) {
		http_path_replace_prefix(slice_of(rewrites[i].path),
			strlen(rewrites[i].prefix),
			slice_of(rewrites[i].replacement), &out);
		assert_string_equal(out.data, rewrites[i].want);
	}
	http_path_replace_prefix(slice_of("/a"), 99, slice_of("/b"), &out);
	assert_string_equal(out.data, "/b");
	str_fini(&out);
}

static void
test_resolved(void **state)
{
	static const struct {
		const char *path;
		bool resolved;
	} rows[] = {
		{ "/", true },
		{ "/a/b", true },
		{ "//", true },
		{ "", true },
		{ "/a./b", true },
		{ "/.a/..b/...", true },
		{ "/a..", true },
		{ "/..", false },
		{ "/.", false },
		{ "/../a", false },
		{ "/./a", false },
		{ "/a/..", false },
		{ "/a/.", false },
		{ "/b/../x", false },
		{ "/b/..;x", false },
		{ "/.;/x", false },
		{ "/a/...;/..", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t n = strlen(rows[i].path);
		struct slice path = { guard_put(rows[i].path, n), n };

		if (http_path_is_resolved(path) != rows[i].resolved)
			fail_msg("%s", rows[i].path);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_normalise),
		cmocka_unit_test(test_scratch),
		cmocka_unit_test(test_authority),
		cmocka_unit_test(test_replace_prefix),
		cmocka_unit_test(test_resolved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
