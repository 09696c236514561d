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
	uint64_t earlier = (uint64_t)time(NULL);
	uint64_t wall = clock_realtime_ms() / 1000;
	uint64_t later = (uint64_t)time(NULL);

	(void)state;
	assert_true(before <= after);
	assert_in_range(ms, before / 1000, after / 1000);
	/* time() reads the coarse clock. */
	assert_in_range(wall, earlier, later + 1);
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
	assert_int_equal(
		clock_parse_http("Thu, 26 Nov 2026 13:08:33 GMT", &ms), 0);
	assert_true(ms == 1795698513000);
	assert_int_equal(
		clock_parse_http("Thu, 26 Nov 2026 13:08:33 CET", &ms), -1);
	assert_int_equal(
		clock_parse_http("Thu, 26 Nov 2026 13:08:33 GMT ", &ms), -1);
	assert_int_equal(
		clock_parse_http("Thu, 01 Jan 1970 00:00:00 GMT", &ms), -1);
	assert_int_equal(clock_parse_http("", &ms), -1);
}

static void
test_parse_rfc3339(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms; /* 0: it is none */
	} cases[] = {
		{ "2026-11-26T13:00:00Z", UINT64_C(1795698000000) },
		{ "2026-11-26T13:00:00z", UINT64_C(1795698000000) },
		{ "2026-11-26T13:00:00.999Z", UINT64_C(1795698000000) },
		{ "2026-11-26T14:00:00+01:00", UINT64_C(1795698000000) },
		{ "2026-11-26T07:30:00-05:30", UINT64_C(1795698000000) },
		{ "2026-11-26T13:00:00", 0 },
		{ "2026-11-26T13:00:00 Z", 0 },
		{ "2026-11-26T13:00:00+0100", 0 },
		{ "2026-11-26T13:00:00+24:00", 0 },
		{ "1970-01-01T00:00:00+00:01", 0 },
		{ "tomorrow", 0 },
		{ "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t ms = 0;
		int rc = clock_parse_rfc3339(cases[i].text, &ms);

		if ((rc == 0) != (cases[i].ms != 0) || ms != cases[i].ms)
			fail_msg("\"%s\": %d, %llu", cases[i].text, rc,
				(unsigned long long)ms);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_rfc3339),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
