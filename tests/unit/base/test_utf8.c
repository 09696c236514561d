/* Tests userspace/base/utf8.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

static void
test_what_is_a_character(void **state)
{
	static const struct {
		struct slice text;
		size_t length;
	} rows[] = {
		{ { "a", 1 }, 1 },
		{ { "\0", 1 }, 1 },
		{ { "\x7f", 1 }, 1 },
		{ { "\xc3\xa4!", 3 }, 2 },
		{ { "\xe2\x82\xac", 3 }, 3 },
		{ { "\xf0\x9f\x98\x80", 4 }, 4 },
		{ { "\xf4\x8f\xbf\xbf", 4 }, 4 },
		{ { "\x80", 1 }, 0 },
		{ { "\xc0\x80", 2 }, 0 },         /* overlong */
		{ { "\xe0\x9f\xbf", 3 }, 0 },     /* overlong */
		{ { "\xf0\x8f\xbf\xbf", 4 }, 0 }, /* overlong */
		{ { "\xed\xa0\x80", 3 }, 0 },     /* surrogate */
		{ { "\xf4\x90\x80\x80", 4 }, 0 }, /* past the last one */
		{ { "\xff", 1 }, 0 },
		{ { "\xc3", 1 }, 0 }, /* cut */
		{ { "\xe2\x82", 2 }, 0 },
		{ { "\xe2\x28\xac", 3 }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(
			utf8_length(rows[i].text.data, rows[i].text.length),
			rows[i].length);
}

/* Every code point that there is: written, it is one character again. */
static void
test_all_codes(void **state)
{
	(void)state;
	for (unsigned code = 0; code < 0x110010; code++) {
		bool good = code < 0x110000 && (code < 0xd800 || code > 0xdfff);
		struct str out;

		str_init(&out);
		utf8_put_code(&out, code);
		assert_int_equal(utf8_length(out.data, out.length), out.length);
		if (!good)
			assert_string_equal(out.data, "\xef\xbf\xbd");
		else if (code >= 0x800 && code < 0x10000)
			assert_int_equal(
				(unsigned)(out.data[0] & 0xf) << 12 |
					(unsigned)(out.data[1] & 0x3f) << 6 |
					(unsigned)(out.data[2] & 0x3f),
				code);
		str_fini(&out);
	}
}

/* A wrong byte is found wherever it stands, and only it is replaced. */
static void
test_texts(void **state)
{
	char text[40], want[48];
	struct str out;

	(void)state;
	str_init(&out);
	assert_true(utf8_is_valid("", 0));
	for (size_t length = 1; length < sizeof(text); length++) {
		memset(text, 'x', length);
		assert_true(utf8_is_valid(text, length));
		for (size_t at = 0; at < length; at++) {
			text[at] = '\xff';
			assert_false(utf8_is_valid(text, length));
			memset(want, 'x', sizeof(want));
			memcpy(want + at, "\xef\xbf\xbd", 3);
			str_clear(&out);
			utf8_put_valid(&out, text, length);
			assert_int_equal(out.length, length + 2);
			assert_memory_equal(out.data, want, length + 2);
			text[at] = 'x';
		}
	}
	str_clear(&out);
	utf8_put_valid(&out, "\xc3\xa4\xe2\x82|\xc3", 6);
	assert_string_equal(
		out.data, "\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd");
	str_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_a_character),
		cmocka_unit_test(test_all_codes),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
