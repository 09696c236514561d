/* The table of kinds, searched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/kind.h"

static void
test_find(void **state)
{
	static const struct upstream_kind one = { .key = "one" };
	static const struct upstream_kind two = { .key = "two" };
	static const struct upstream_kind *const kinds[] = { &one, &two, NULL };

	(void)state;
	assert_ptr_equal(kind_find(kinds, "two"), &two);
	assert_null(kind_find(kinds, "three"));
	assert_null(kind_find(NULL, "one"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_find) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
