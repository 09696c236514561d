/* Tests userspace/base/error.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/error.h"

static void
test_first_error_wins(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(error_set(&err, ERROR_CONFIG, "port %d", 70000), -1);
	assert_int_equal(error_set(&err, ERROR_LIMIT, "later"), -1);
	assert_int_equal(error_errno(&err, EIO, "later still"), -1);
	assert_int_equal(err.code, ERROR_CONFIG);
	assert_string_equal(err.text, "port 70000");
}

static void
test_errno_text(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(error_errno(&err, ENOENT, "cannot open %s", "x"), -1);
	assert_int_equal(err.code, ERROR_SYSTEM);
	assert_string_equal(err.text,
		"cannot open x: No such file or directory");
}

static void
test_places_join(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	error_set(&err, ERROR_CONFIG, "no upstream is named \"billing\"");
	error_prefix(&err, ".upstream");
	error_prefix(&err, "routes[%d]", 3);
	assert_string_equal(err.text,
		"routes[3].upstream: no upstream is named \"billing\"");
	error_prefix(&err, "virtual service a.b");
	assert_string_equal(err.text, "virtual service a.b: "
				      "routes[3].upstream: no upstream is "
				      "named \"billing\"");
}

static void
test_no_error_to_fill(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(error_set(NULL, ERROR_CONFIG, "x"), -1);
	assert_int_equal(error_errno(NULL, EIO, "x"), -1);
	assert_int_equal(error_prefix(NULL, "x"), -1);
	assert_int_equal(error_prefix(&err, "place"), -1);
	assert_string_equal(err.text, "");
}

static void
test_long_texts_are_cut(void **state)
{
	struct error err = ERROR_INIT;
	char longer[1000];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	error_errno(&err, EIO, "%s", longer);
	error_prefix(&err, "%s", "place");
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_memory_equal(err.text, "place: xxx", 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_error_wins),
		cmocka_unit_test(test_errno_text),
		cmocka_unit_test(test_places_join),
		cmocka_unit_test(test_no_error_to_fill),
		cmocka_unit_test(test_long_texts_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
