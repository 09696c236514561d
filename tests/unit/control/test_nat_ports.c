/* Whose ports are both mode nat's and the box's own. */
#include "control/nat_ports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
test_ranges_apart(void **state)
{
	(void)state;
	assert_int_equal(nat_ports_clash("32768\t60999\n", "\n"), 0);
	assert_int_equal(nat_ports_clash("100 1023", ""), 0);
}

static void
test_ranges_that_meet(void **state)
{
	(void)state;
	assert_int_equal(nat_ports_clash("32767\t60999\n", "\n"), 32767);
	assert_int_equal(nat_ports_clash("1024\t65535\n", "\n"), 1024);
	assert_int_equal(nat_ports_clash("1 2000", ""), 1024);
	assert_int_equal(nat_ports_clash("1 1024", ""), 1024);
}

static void
test_reserved_ports_are_nobodys(void **state)
{
	(void)state;
	assert_int_equal(nat_ports_clash("1024 65535", "1024-32767\n"), 0);
	assert_int_equal(
		nat_ports_clash("1024 65535", "80,1000-2000,2001-40000\n"), 0);
	assert_int_equal(
		nat_ports_clash("1024 65535", "1024-2000,2002-32767\n"), 2001);
	assert_int_equal(nat_ports_clash("32760 60999", "32760-32766"), 32767);
	assert_int_equal(nat_ports_clash("32767 60999", "8080,32767\n"), 0);
}

static void
test_what_cannot_be_read_says_nothing(void **state)
{
	(void)state;
	assert_int_equal(nat_ports_clash("", ""), 0);
	assert_int_equal(nat_ports_clash("x", "y"), 0);
	assert_int_equal(nat_ports_clash("1024 65535", "junk"), 1024);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges_apart),
		cmocka_unit_test(test_ranges_that_meet),
		cmocka_unit_test(test_reserved_ports_are_nobodys),
		cmocka_unit_test(test_what_cannot_be_read_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
