/* Heads as they are written: list D 27. */
#include "http/write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/http/feed.h"

static const struct slice none;

/* A whole request head into size bytes before a forbidden page. */
static bool
write_request(size_t size, struct http_write *w)
{
	http_write_init(w, guard_memory() + GUARD_SIZE - size, size);
	http_write_request_line(
		w, slice_of("GET"), slice_of("/a"), slice_of("b=c"));
	http_write_field(w, slice_of("Host"), slice_of("a.example"));
	http_write_field_number(w, "Content-Length", 1234567890);
	http_write_field(w, slice_of("X-Empty"), none);
	http_write_end(w);
	return http_write_ok(w);
}

static void
test_request(void **state)
{
	static const char want[] = "GET /a?b=c HTTP/1.1\r\nHost: a.example\r\n"
				   "Content-Length: 1234567890\r\n"
				   "X-Empty: \r\n\r\n";
	size_t all = sizeof(want) - 1;
	struct http_write w;

	(void)state;
	assert_true(write_request(all, &w));
	assert_int_equal(w.length, all);
	assert_memory_equal(w.out, want, all);
	for (size_t size = 0; size < all; size++) {
		assert_false(write_request(size, &w));
		assert_true(w.length <= size);
	}
}

static const struct {
	const char *what;
	const char *path;
	size_t path_length;
	const char *query; /* NULL: none */
	size_t query_length;
	const char *want; /* NULL: nothing may be sent */
} lines[] = {
	{ "no query", "/a", 2, NULL, 0, "/a" },
	{ "an empty query", "/a", 2, "", 0, "/a?" },
	{ "a star", "*", 1, NULL, 0, "*" },
	{ "D27 CRLF", "/a\r\nX: y", 8, NULL, 0, "/a%0D%0AX:%20y" },
	{ "D27 NUL", "/a\0b", 4, NULL, 0, "/a%00b" },
	{ "D27 8 bit and DEL", "/\xc3\xa4\x7f", 4, NULL, 0, "/%C3%A4%7F" },
	{ "D27 ? and # in a path", "/a?b#c", 6, NULL, 0, "/a%3Fb%23c" },
	{ "D27 what may not stand raw", "/\"<>\\^`{|}", 10, NULL, 0,
		"/%22%3C%3E%5C%5E%60%7B%7C%7D" },
	{ "brackets", "/[a]", 4, "b[]=c", 5, "/%5Ba%5D?b[]=c" },
	{ "an escape stays", "/%2B", 4, NULL, 0, "/%2B" },
	{ "D27 CRLF in a query", "/", 1, "a\r\nb?#", 6, "/?a%0D%0Ab?%23" },
	{ "no path", "", 0, NULL, 0, NULL },
	{ "a path without slash", "a", 1, NULL, 0, NULL },
	{ "an absolute-form", "http://a/", 9, NULL, 0, NULL },
};

static void
test_targets(void **state)
{
	char out[128], want[128];
	struct http_write w;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		http_write_init(&w, out, sizeof(out));
		http_write_request_line(&w, slice_of("PUT"),
			(struct slice){ lines[i].path, lines[i].path_length },
			(struct slice){
				lines[i].query, lines[i].query_length });
		if (http_write_ok(&w) != (lines[i].want != NULL))
			fail_msg("%s: ok %d", lines[i].what, http_write_ok(&w));
		if (!lines[i].want)
			continue;
		snprintf(want, sizeof(want), "PUT %s HTTP/1.1\r\n",
			lines[i].want);
		if (!slice_equal(
			    (struct slice){ out, w.length }, slice_of(want)))
			fail_msg("%s: %.*s", lines[i].what, (int)w.length, out);
	}
}

static const struct {
	const char *what;
	const char *name;
	size_t name_length;
	const char *value;
	size_t value_length;
	bool ok;
} fields[] = {
	{ "a field", "X", 1, "y", 1, true },
	{ "tab and 8 bit", "X", 1, "a\t\xc3\xa4", 4, true },
	{ "D27 CR in a value", "X", 1, "a\rb", 3, false },
	{ "D27 LF in a value", "X", 1, "a\nb", 3, false },
	{ "D27 CRLF in a value", "X", 1, "a\r\nY: z", 7, false },
	{ "D27 NUL in a value", "X", 1, "a\0b", 3, false },
	{ "D27 DEL in a value", "X", 1, "a\x7f", 2, false },
	{ "D27 CRLF late in a long value", "X", 1,
		"0123456789abcdef0123456789abcdef\r\nY: z", 38, false },
	{ "D27 an empty name", "", 0, "y", 1, false },
	{ "D27 a colon in a name", "X:", 2, "y", 1, false },
	{ "D27 CRLF in a name", "X\r\nY", 4, "y", 1, false },
};

static void
test_fields(void **state)
{
	char out[128];
	struct http_write w;

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		http_write_init(&w, out, sizeof(out));
		http_write_field(&w,
			(struct slice){ fields[i].name, fields[i].name_length },
			(struct slice){
				fields[i].value, fields[i].value_length });
		if (http_write_ok(&w) != fields[i].ok)
			fail_msg("%s", fields[i].what);
		/* What failed stays failed. */
		http_write_end(&w);
		assert_int_equal(http_write_ok(&w), fields[i].ok);
	}
	http_write_init(&w, out, sizeof(out));
	http_write_request_line(&w, slice_of("GET /"), slice_of("/"), none);
	assert_false(http_write_ok(&w));
}

static void
test_status(void **state)
{
	static const struct {
		int status;
		const char *want;
	} status[] = {
		{ 100, "HTTP/1.1 100 Continue\r\n" },
		{ 404, "HTTP/1.1 404 Not Found\r\n" },
		{ 299, "HTTP/1.1 299 \r\n" },
		{ 599, "HTTP/1.1 599 \r\n" },
		{ 99, NULL },
		{ 600, NULL },
		{ -404, NULL },
	};
	char out[64];
	struct http_write w;

	(void)state;
	for (size_t i = 0; i < sizeof(status) / sizeof(*status); i++) {
		http_write_init(&w, out, sizeof(out));
		http_write_status_line(&w, status[i].status);
		assert_int_equal(http_write_ok(&w), status[i].want != NULL);
		if (status[i].want)
			assert_true(slice_equal((struct slice){ out, w.length },
				slice_of(status[i].want)));
	}
}

static void
test_numbers(void **state)
{
	static const struct {
		uint64_t n;
		const char *want;
	} numbers[] = {
		{ 0, "N: 0\r\n" },
		{ 10, "N: 10\r\n" },
		{ UINT64_MAX, "N: 18446744073709551615\r\n" },
	};
	char out[64];
	struct http_write w;

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		http_write_init(&w, out, sizeof(out));
		http_write_field_number(&w, "N", numbers[i].n);
		assert_true(slice_equal((struct slice){ out, w.length },
			slice_of(numbers[i].want)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
