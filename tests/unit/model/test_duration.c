/* Durations in Go's form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/duration.h"

static void
test_parse(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: refused */
	} rows[] = {
		{ "15s", 15000 },
		{ "1m30s", 90000 },
		{ "250ms", 250 },
		{ "0s", 0 },
		{ "0", 0 },
		{ "0.5s", 500 },
		{ "1.5h", 5400000 },
		{ ".5s", 500 },
		{ "2.s", 2000 },
		{ "1000us", 1 },
		{ "1000\xc2\xb5s", 1 },
		{ "24h", 86400000 },
		{ "23h59m60s", 86400000 },
		{ "24h1ms", -1 },
		{ "99999999999999999999h", -1 },
		{ "1us", -1 },
		{ "0.0001s", -1 },
		{ "", -1 },
		{ "15", -1 },
		{ "s", -1 },
		{ "-1s", -1 },
		{ "+1s", -1 },
		{ "1 s", -1 },
		{ "1s ", -1 },
		{ "1.5.s", -1 },
		{ ".s", -1 },
		{ "1d", -1 },
		{ "1S", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t ms = 77;
		int rc = duration_parse(rows[i].text, &ms);

		if (rc != (rows[i].ms < 0 ? -1 : 0) ||
			(rc == 0 && (int64_t)ms != rows[i].ms))
			fail_msg("\"%s\" gave %d, %llu", rows[i].text, rc,
				(unsigned long long)ms);
	}
}

static void
test_print(void **state)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} rows[] = {
		{ 0, "0s" },
		{ 1, "1ms" },
		{ 999, "999ms" },
		{ 1000, "1s" },
		{ 1500, "1.5s" },
		{ 1050, "1.05s" },
		{ 60000, "1m0s" },
		{ 90000, "1m30s" },
		{ 3600000, "1h0m0s" },
		{ 86400000, "24h0m0s" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text = duration_print(rows[i].ms);
		uint64_t back = 0;

		assert_string_equal(text, rows[i].text);
		assert_int_equal(duration_parse(text, &back), 0);
		assert_int_equal(back, rows[i].ms);
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
