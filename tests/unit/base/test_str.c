/* Tests userspace/base/str.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/str.h"

static void
test_slices(void **state)
{
	static const struct {
		const char *what, *a, *b;
		bool equal, nocase, starts;
	} rows[] = {
		{ "two empty ones", "", "", true, true, true },
		{ "the same", "Host", "Host", true, true, true },
		{ "another case", "Host", "hOST", false, true, false },
		{ "a prefix", "Hostname", "Host", false, false, true },
		{ "an empty prefix", "Host", "", false, false, true },
		{ "longer than the text", "Ho", "Host", false, false, false },
		{ "only letters have case", "[", "{", false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice a = slice_of(rows[i].a), b = slice_of(rows[i].b);

		if (slice_equal(a, b) != rows[i].equal ||
			slice_equal_nocase(a, b) != rows[i].nocase ||
			slice_starts(a, b) != rows[i].starts)
			fail_msg("%s", rows[i].what);
	}
	assert_true(slice_equal((struct slice){ NULL, 0 }, slice_of("")));
}

static void
test_str_is_always_terminated(void **state)
{
	struct str s;

	(void)state;
	str_init(&s);
	assert_string_equal(s.data, "");
	str_append(&s, NULL, 0);
	str_clear(&s);
	assert_string_equal(s.data, "");
	str_puts(&s, "abc");
	str_putc(&s, 'd');
	str_append(&s, "e\0f", 3);
	assert_int_equal(s.length, 7);
	assert_memory_equal(s.data, "abcde\0f", 8);
	str_clear(&s);
	assert_int_equal(s.length, 0);
	assert_string_equal(s.data, "");
	str_fini(&s);
	assert_string_equal(s.data, "");
	str_fini(&s);
}

static void
test_str_printf_grows(void **state)
{
	struct str s;

	(void)state;
	str_init(&s);
	str_printf(&s, "%s", "");
	for (int i = 0; i < 1000; i++)
		str_printf(&s, "%04d,", i);
	assert_int_equal(s.length, 5000);
	assert_memory_equal(s.data, "0000,0001,", 10);
	assert_string_equal(s.data + 4990, "0998,0999,");
	str_fini(&s);
}

static void
test_str_consume(void **state)
{
	struct str s;

	(void)state;
	str_init(&s);
	str_consume(&s, 0);
	str_puts(&s, "GET / HTTP/1.1");
	str_consume(&s, 4);
	assert_string_equal(s.data, "/ HTTP/1.1");
	str_consume(&s, s.length);
	assert_string_equal(s.data, "");
	assert_int_equal(s.length, 0);
	str_fini(&s);
}

static void
test_str_steal(void **state)
{
	struct str s;
	char *text;

	(void)state;
	str_init(&s);
	text = str_steal(&s);
	assert_string_equal(text, "");
	free(text);
	str_puts(&s, "mine");
	text = str_steal(&s);
	assert_string_equal(text, "mine");
	assert_string_equal(s.data, "");
	str_puts(&s, "again");
	assert_string_equal(text, "mine");
	free(text);
	str_fini(&s);
}

static void
test_str_put_escaped(void **state)
{
	struct str s;

	(void)state;
	str_init(&s);
	str_put_escaped(&s, "");
	assert_string_equal(s.data, "");
	str_put_escaped(&s, "aZ09-._~");
	assert_string_equal(s.data, "aZ09-._~");
	str_clear(&s);
	str_put_escaped(&s, "a b/c?d&e=f#%+\xc3\xbc\x01");
	assert_string_equal(
		s.data, "a%20b%2Fc%3Fd%26e%3Df%23%25%2B%C3%BC%01");
	str_fini(&s);
}

static void
test_str_put_netstring(void **state)
{
	struct str s;

	(void)state;
	str_init(&s);
	str_put_netstring(&s, "ab,1:");
	str_put_netstring(&s, NULL);
	assert_string_equal(s.data, "5:ab,1:,0:,");
	str_fini(&s);
}

static void
test_text_is_same_but_digits(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "", "", true },
		{ "", "1", false },
		{ "no answer", "no answer", true },
		{ "no answer", "no answer ", false },
		{ "after 7 ms", "after 12345 ms", true },
		{ "after 7 ms", "after ms", false },
		{ "after 7 ms", "after 7 s", false },
		{ "7 ms", "8 ms", true },
		{ "status 7", "status 42", true },
		{ "at 2026-11-27T09:40:27Z", "at 2027-01-01T23:00:00Z", true },
		{ "function a", "function a2", false },
		{ "function a1", "function a2", false },
		{ "function a-1 (b_1)", "function a-1 (b_2)", false },
		/* of HTTP */
		{ "status 500", "status 401", false },
		{ "status 500; see x", "status 500; see x", true },
		{ "status 500 at 7", "status 500 at 8", true },
		{ "status 500", "status 42", false },
		{ "status 5000", "status 4010", true },
		{ "after 500 ms", "after 401 ms", true },
		/* ids */
		{ "Trace ID: 5f0c3e1a-77d1-4b3e-9a0c-0123456789ab (x)",
			"Trace ID: c0ffee00-aaaa-bbbb-cccc-f00dfaceca11 (x)",
			true },
		{ "(RequestId:4442587FB7D0A2F9)",
			"(RequestId:C0FFEE0FB7D0A2FA)", true },
		{ "id 0123abcd", "id ffff", false },
		{ "id 0123abcd", "id 4567abcd", true },
		{ "id 0123abcd", "id 4567bbcd", true },
		{ "id 0123abcdx", "id 4567bbcdx", false },
		{ "id x0123abcd", "id x4567bbcd", false },
		/* Words */
		{ "defaced effaced", "effaced defaced", false },
		{ "deadbeef", "beefdead", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (text_is_same_but_digits(rows[i].a, rows[i].b) !=
				rows[i].same ||
			text_is_same_but_digits(rows[i].b, rows[i].a) !=
				rows[i].same)
			fail_msg("%s, %s", rows[i].a, rows[i].b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slices),
		cmocka_unit_test(test_str_is_always_terminated),
		cmocka_unit_test(test_str_printf_grows),
		cmocka_unit_test(test_str_consume),
		cmocka_unit_test(test_str_steal),
		cmocka_unit_test(test_str_put_escaped),
		cmocka_unit_test(test_str_put_netstring),
		cmocka_unit_test(test_text_is_same_but_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
