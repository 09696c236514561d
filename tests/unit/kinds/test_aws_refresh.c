/* Tests userspace/kinds/aws/refresh.c: the bounds of what is left to chance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "kinds/aws/refresh.h"

#define DRAWS  2000
#define NOW    UINT64_C(1795698000000)
#define MINUTE UINT64_C(60000)

static void
test_renewal(void **state)
{
	static const struct {
		uint64_t lives_ms, from_ms, to_ms, mandatory_ms; /* before it */
	} cases[] = {
		{ 6 * 60 * MINUTE, 15 * MINUTE, 12 * MINUTE + 30000,
			10 * MINUTE },
		{ 60 * MINUTE, 15 * MINUTE, 12 * MINUTE + 30000, 10 * MINUTE },
		{ 30 * MINUTE, 15 * MINUTE, 12 * MINUTE + 30000, 10 * MINUTE },
		{ 15 * MINUTE, 7 * MINUTE + 30000, 6 * MINUTE + 15000,
			5 * MINUTE },
		{ 6, 3, 3, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t expires = NOW + cases[i].lives_ms, low = UINT64_MAX,
			 high = 0;

		for (int k = 0; k < DRAWS; k++) {
			struct refresh_times t =
				refresh_times(expires, NOW, false, false);

			assert_int_equal(t.mandatory_ms,
				expires - cases[i].mandatory_ms);
			assert_in_range(t.renew_ms, expires - cases[i].from_ms,
				expires - cases[i].to_ms);
			low = t.renew_ms < low ? t.renew_ms : low;
			high = t.renew_ms > high ? t.renew_ms : high;
		}
		/* Chance uses most of what it is given. */
		assert_true(high - low >=
			    (cases[i].from_ms - cases[i].to_ms) * 9 / 10);
	}
}

static void
test_without_end(void **state)
{
	struct refresh_times t = refresh_times(0, NOW, false, false);

	(void)state;
	assert_true(t.renew_ms == UINT64_MAX && t.mandatory_ms == UINT64_MAX);
	for (int k = 0; k < DRAWS; k++) {
		t = refresh_times(0, NOW, k % 2 == 0, true);
		assert_in_range(t.renew_ms, NOW + 30000, NOW + 60000);
		assert_true(t.mandatory_ms == UINT64_MAX);
	}
}

/* The same again, and some that are over already: not at once. */
static void
test_not_yet(void **state)
{
	(void)state;
	for (int k = 0; k < DRAWS; k++) {
		struct refresh_times t =
			refresh_times(NOW + 6 * MINUTE, NOW, true, false);

		assert_in_range(t.renew_ms, NOW + 30000, NOW + 60000);
		t = refresh_times(NOW - MINUTE, NOW, false, false);
		assert_in_range(t.renew_ms, NOW + 30000, NOW + 60000);
	}
}

/* Asked before they are due, because they were refused: once, not every minute
 * for the hours that they last. */
static void
test_asked_early(void **state)
{
	(void)state;
	for (int k = 0; k < DRAWS; k++) {
		struct refresh_times t =
			refresh_times(NOW + 360 * MINUTE, NOW, true, false);

		assert_in_range(
			t.renew_ms, NOW + 345 * MINUTE, NOW + 348 * MINUTE);
		t = refresh_times(NOW + 15 * MINUTE, NOW, true, false);
		assert_in_range(t.renew_ms, NOW + 30000, NOW + 60000);
	}
}

static void
test_pauses(void **state)
{
	static const struct {
		enum aws_trouble trouble;
		unsigned n;
		uint64_t max_ms;
	} attempts[] = {
		{ AWS_TROUBLE_PASSES, 1, 100 },
		{ AWS_TROUBLE_PASSES, 2, 200 },
		{ AWS_TROUBLE_PASSES, 30, 20000 },
		{ AWS_TROUBLE_THROTTLED, 1, 2000 },
		{ AWS_TROUBLE_THROTTLED, 2, 4000 },
		{ AWS_TROUBLE_THROTTLED, 4000000000u, 20000 },
	};
	static const struct {
		unsigned n;
		uint64_t max_ms;
	} failures[] = { { 0, 5000 }, { 1, 5000 }, { 2, 10000 }, { 4, 40000 },
		{ 5, 60000 }, { 4000000000u, 60000 } };

	(void)state;
	for (int k = 0; k < DRAWS; k++) {
		for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
			assert_in_range(
				refresh_attempt_pause_ms(
					attempts[i].trouble, attempts[i].n),
				0, attempts[i].max_ms);
		for (size_t i = 0; i < ARRAY_SIZE(failures); i++)
			assert_in_range(refresh_failure_pause_ms(failures[i].n),
				1000, failures[i].max_ms);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_renewal),
		cmocka_unit_test(test_without_end),
		cmocka_unit_test(test_not_yet),
		cmocka_unit_test(test_asked_early),
		cmocka_unit_test(test_pauses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
