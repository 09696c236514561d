/* Tests userspace/base/base64.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base64.h"
#include "base/mem.h"

/* RFC 4648, section 10. */
static const struct {
	const char *plain, *coded;
} rows[] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
	{ "\xff\xfe\xfd~?", "//79fj8=" },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct str coded, plain;

		str_init(&coded);
		str_init(&plain);
		base64_encode(rows[i].plain, strlen(rows[i].plain), &coded);
		assert_string_equal(coded.data, rows[i].coded);
		assert_int_equal(base64_decode(rows[i].coded,
					 strlen(rows[i].coded), &plain),
			0);
		assert_string_equal(plain.data, rows[i].plain);
		str_fini(&coded);
		str_fini(&plain);
	}
}

static void
test_broken_lines(void **state)
{
	struct str out;

	(void)state;
	str_init(&out);
	str_puts(&out, "> ");
	assert_int_equal(base64_decode(" Zm9v\r\n\tYmFy\n", 13, &out), 0);
	assert_string_equal(out.data, "> foobar");
	str_fini(&out);
}

static void
test_refused(void **state)
{
	static const struct slice bad[] = {
		{ "Zm9", 3 },
		{ "Zg=", 3 },
		{ "Z===", 4 },
		{ "====", 4 },
		{ "Zg==Zg==", 8 },
		{ "Zg==Zm9vZm9v", 12 },
		{ "Zm9vZm9*Zm9v", 12 },
		{ "Zm9vZ m9vZm=", 12 },
		{ "Zm=v", 4 },
		{ "Zm-_", 4 },
		{ "Zm\0v", 4 },
	};
	struct str out;

	(void)state;
	str_init(&out);
	str_puts(&out, "kept");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(base64_decode(bad[i].data, bad[i].length,
					 &out),
			-1);
		assert_string_equal(out.data, "kept");
		assert_int_equal(out.length, 4);
	}
	str_fini(&out);
}

/* Any bytes, and white space anywhere in their text. */
static void
test_round_trip(void **state)
{
	unsigned char bytes[100];
	struct str coded, plain, broken;

	(void)state;
	str_init(&coded);
	str_init(&plain);
	str_init(&broken);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * i * 7 + i);
	for (size_t length = 0; length <= sizeof(bytes); length++) {
		str_clear(&coded);
		base64_encode(bytes, length, &coded);
		assert_int_equal(coded.length, (length + 2) / 3 * 4);
		for (size_t at = 0; at <= coded.length; at++) {
			str_clear(&broken);
			str_append(&broken, coded.data, at);
			str_puts(&broken, at % 2 ? "\r\n" : " ");
			str_append(&broken, coded.data + at,
				coded.length - at);
			str_clear(&plain);
			assert_int_equal(base64_decode(broken.data,
						 broken.length, &plain),
				0);
			assert_int_equal(plain.length, length);
			assert_memory_equal(plain.data, bytes, length);
		}
	}
	str_fini(&coded);
	str_fini(&plain);
	str_fini(&broken);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_broken_lines),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
