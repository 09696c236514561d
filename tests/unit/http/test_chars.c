/* The table of byte classes against the grammar; fast scans against slow. */
#include "http/chars.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/http/feed.h"

static bool
is_alnum(int c)
{
	return c < 128 && isalnum(c);
}

static bool
is_one_of(int c, const char *set)
{
	return c != 0 && c < 128 && strchr(set, c);
}

static unsigned
classes_of(int c)
{
	bool target = c > 0x20 && c < 0x7f && c != '#';
	bool plain = target && !is_one_of(c, "\"<>\\^`{|}");
	unsigned all = 0;

	if (is_alnum(c) || is_one_of(c, "!#$%&'*+-.^_`|~"))
		all |= HTTP_CHAR_TOKEN;
	if (c == '\t' || (c >= 0x20 && c != 0x7f))
		all |= HTTP_CHAR_VALUE;
	if (target)
		all |= HTTP_CHAR_TARGET;
	if (plain)
		all |= HTTP_CHAR_PLAIN;
	if (is_alnum(c) || is_one_of(c, "-._~"))
		all |= HTTP_CHAR_UNRESERVED;
	if (is_alnum(c) || is_one_of(c, "-._"))
		all |= HTTP_CHAR_HOST;
	if (plain && !is_one_of(c, "%?."))
		all |= HTTP_CHAR_PATH;
	if (c == '_')
		all |= HTTP_CHAR_UNDERSCORE;
	return all;
}

static void
test_table(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++)
		if (http_chars[c] != classes_of(c))
			fail_msg("byte %02x", (unsigned)c);
}

/* Every byte at every place of a run that ends before a forbidden page. */
static void
test_scans(void **state)
{
	char text[40];

	(void)state;
	for (size_t length = 0; length <= sizeof(text); length++) {
		for (size_t at = 0; at < length; at++) {
			for (int c = 0; c < 256; c++) {
				const char *p, *end, *v, *t;

				memset(text, 'a', length);
				text[at] = (char)c;
				p = guard_put(text, length);
				end = p + length;
				v = classes_of(c) & HTTP_CHAR_VALUE ? end
								    : p + at;
				t = classes_of(c) & HTTP_CHAR_TARGET ? end
								     : p + at;
				assert_ptr_equal(http_skip_value(p, end), v);
				assert_ptr_equal(http_skip_target(p, end), t);
			}
		}
	}
}

static void
test_hex(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		const char *digits = "0123456789abcdef", *found = NULL;

		if (c > 0 && c < 128)
			found = strchr(digits, tolower(c));
		assert_int_equal(
			http_char_hex((char)c), found ? found - digits : -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_scans),
		cmocka_unit_test(test_hex),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
