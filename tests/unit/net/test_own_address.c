/* Of this box there are only the loopback addresses that a test can know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/own_address.h"

static void
test_loopback(void **state)
{
	static const char *const rows[] = { "127.0.0.1", "::1" };
	char text[ADDR_TEXT_MAX];
	struct addr to, own;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(addr_parse_ip(rows[i], 9, &to), 0);
		assert_int_equal(own_address(&to, &own), 0);
		assert_string_equal(addr_format_ip(&own, text), rows[i]);
	}
}

static void
test_no_way(void **state)
{
	struct addr to, own;

	(void)state;
	/* Nobody may connect to a broadcast address unasked. */
	assert_int_equal(addr_parse_ip("255.255.255.255", 9, &to), 0);
	assert_true(own_address(&to, &own) < 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_no_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
