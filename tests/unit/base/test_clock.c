/* Tests userspace/base/clock.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>

#include "base/clock.h"

static void
test_clocks(void **state)
{
	uint64_t before = clock_monotonic_us();
	uint64_t ms = clock_monotonic_ms();
	uint64_t after = clock_monotonic_us();
	uint64_t day = (uint64_t)time(NULL);

	(void)state;
	assert_true(before <= after);
	assert_in_range(ms, before / 1000, after / 1000);
	assert_in_range(clock_realtime_ms() / 1000, day - 1, day + 2);
}

static void
test_format(void **state)
{
	char text[CLOCK_TEXT_MAX];

	(void)state;
	assert_string_equal(clock_format(0, text), "1970-01-01T00:00:00Z");
	assert_string_equal(
		clock_format(1546870245999, text), "2019-01-07T14:10:45Z");
}

static void
test_parse(void **state)
{
	uint64_t ms = 7;
	char text[CLOCK_TEXT_MAX];

	(void)state;
	assert_int_equal(clock_parse("2026-11-26T13:08:33Z", &ms), 0);
	assert_string_equal(clock_format(ms, text), "2026-11-26T13:08:33Z");
	assert_int_equal(clock_parse("1970-01-01T00:00:00Z", &ms), 0);
	assert_int_equal(ms, 0);
	assert_int_equal(clock_parse("1969-12-31T23:59:59Z", &ms), -1);
	assert_int_equal(clock_parse("2026-11-26T13:08:33", &ms), -1);
	assert_int_equal(clock_parse("2026-11-26T13:08:33Zx", &ms), -1);
	assert_int_equal(clock_parse("", &ms), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
