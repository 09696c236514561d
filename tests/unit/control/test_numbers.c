/* Numbers that stay with a name. */
#include "control/numbers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
on_released(uint32_t number, void *arg)
{
	uint32_t *last = arg;

	*last = number;
}

static void
test_stays(void **state)
{
	struct numbers *r = numbers_new(8);
	uint32_t a = numbers_take(r, "a"), b = numbers_take(r, "b");

	(void)state;
	assert_int_not_equal(a, 0);
	assert_int_not_equal(a, b);
	assert_int_equal(numbers_take(r, "a"), a);
	assert_int_equal(numbers_get(r, "b"), b);
	assert_int_equal(numbers_get(r, "c"), 0);
	numbers_free(r);
}

/* A number rests until no image that used it is in force. */
static void
test_retired(void **state)
{
	struct numbers *r = numbers_new(3);
	uint32_t a = numbers_take(r, "a"), b = numbers_take(r, "b");
	uint32_t released = 0;

	(void)state;
	assert_int_equal(numbers_take(r, "c"), 0);
	numbers_retire(r, "a", 10);
	assert_int_equal(numbers_get(r, "a"), 0);
	assert_int_equal(numbers_take(r, "c"), 0);
	numbers_release(r, 9, on_released, &released);
	assert_int_equal(released, 0);
	assert_int_equal(numbers_take(r, "c"), 0);
	numbers_release(r, 10, on_released, &released);
	assert_int_equal(released, a);
	assert_int_equal(numbers_take(r, "c"), a);
	assert_int_equal(numbers_get(r, "b"), b);
	numbers_free(r);
}

static void
test_comes_back(void **state)
{
	struct numbers *r = numbers_new(8);
	uint32_t a = numbers_take(r, "a"), released = 0;

	(void)state;
	numbers_retire(r, "a", 5);
	assert_int_equal(numbers_take(r, "a"), a);
	numbers_release(r, 100, on_released, &released);
	assert_int_equal(released, 0);
	assert_int_equal(numbers_get(r, "a"), a);
	numbers_free(r);
}

static void
test_restore(void **state)
{
	static const struct {
		const char *what, *name;
		uint32_t number;
		int rc;
	} rows[] = {
		{ "a number of an earlier run", "a", 5, 0 },
		{ "taken by another name", "b", 5, -1 },
		{ "a name that has one", "a", 6, -1 },
		{ "none", "c", 0, -1 },
		{ "beyond the limit", "c", 8, -1 },
	};
	struct numbers *r = numbers_new(8);
	uint64_t version = numbers_version(r);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (numbers_restore(r, rows[i].name, rows[i].number) !=
			rows[i].rc)
			fail_msg("%s", rows[i].what);
	assert_int_not_equal(numbers_version(r), version);
	assert_int_equal(numbers_take(r, "a"), 5);
	assert_int_equal(numbers_take(r, "d"), 6);
	numbers_free(r);
}

/* The number given last is the last to be given again. */
static void
test_rests(void **state)
{
	struct numbers *r = numbers_new(4);
	uint32_t first = numbers_take(r, "a"), released;

	(void)state;
	numbers_retire(r, "a", 1);
	numbers_release(r, 1, on_released, &released);
	assert_int_not_equal(numbers_take(r, "b"), first);
	numbers_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stays),
		cmocka_unit_test(test_retired),
		cmocka_unit_test(test_comes_back),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_rests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
