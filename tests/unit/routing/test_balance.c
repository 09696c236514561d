/* Which endpoint gets the next request. */
#include "routing/balance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/endpoint.h"

enum {
	DRAWS = 100000
};

/* How often each of three is drawn, in percent. */
static void
draw(const struct balance_candidate *c, size_t count, unsigned percent[3])
{
	uint64_t state = 1;
	unsigned drawn[3] = { 0 };

	for (unsigned i = 0; i < DRAWS; i++) {
		size_t at = balance_pick(c, count, balance_random(&state));

		assert_true(at < count);
		drawn[at]++;
	}
	for (size_t i = 0; i < 3; i++)
		percent[i] = (drawn[i] * 100 + DRAWS / 2) / DRAWS;
}

static void
shares_are_as_they_should(void **state)
{
	enum {
		UP = ENDPOINT_UP,
		DRAIN = ENDPOINT_DRAINING,
		DOWN = ENDPOINT_DOWN
	};
	static const struct {
		const char *what;
		struct balance_candidate c[3];
		unsigned percent[3];
	} rows[] = {
		{ "equal ones",
			{ { 0, 1, UP, 0 }, { 0, 1, UP, 0 }, { 0, 1, UP, 0 } },
			{ 33, 33, 33 } },
		{ "weights when idle",
			{ { 0, 1, UP, 0 }, { 0, 2, UP, 0 }, { 0, 7, UP, 0 } },
			{ 10, 20, 70 } },
		{ "the busiest only against itself",
			{ { 5, 1, UP, 0 }, { 0, 1, UP, 0 }, { 0, 1, UP, 0 } },
			{ 11, 44, 44 } },
		{ "busy for its weight",
			{ { 10, 10, UP, 0 }, { 5, 10, UP, 0 },
				{ 10, 10, UP, 0 } },
			{ 22, 56, 22 } },
		{ "one is down",
			{ { 0, 1, DOWN, 0 }, { 3, 1, UP, 0 }, { 3, 1, UP, 0 } },
			{ 0, 50, 50 } },
		{ "one is draining",
			{ { 0, 1, DRAIN, 0 }, { 3, 1, UP, 0 },
				{ 3, 1, UP, 0 } },
			{ 0, 50, 50 } },
		{ "none is up",
			{ { 0, 1, DOWN, 0 }, { 0, 1, DRAIN, 0 },
				{ 0, 1, DOWN, 0 } },
			{ 33, 33, 33 } },
		{ "one was tried",
			{ { 0, 1, UP, 1 }, { 9, 1, UP, 0 }, { 9, 1, UP, 0 } },
			{ 0, 50, 50 } },
		{ "all that are up were tried",
			{ { 0, 1, UP, 1 }, { 0, 1, DOWN, 0 },
				{ 0, 1, DOWN, 0 } },
			{ 100, 0, 0 } },
		{ "none is up, one was tried",
			{ { 0, 1, DOWN, 1 }, { 0, 1, DOWN, 0 },
				{ 0, 1, DOWN, 0 } },
			{ 0, 50, 50 } },
		{ "all were tried",
			{ { 0, 1, DOWN, 1 }, { 0, 1, DOWN, 1 },
				{ 0, 1, DOWN, 1 } },
			{ 33, 33, 33 } },
		{ "no weight counts as one",
			{ { 0, 0, UP, 0 }, { 0, 1, UP, 0 }, { 0, 2, UP, 0 } },
			{ 25, 25, 50 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned percent[3];

		draw(rows[i].c, 3, percent);
		for (size_t k = 0; k < 3; k++)
			if (percent[k] + 1 < rows[i].percent[k] ||
				percent[k] > rows[i].percent[k] + 1)
				fail_msg("%s: [%zu] %u, not %u", rows[i].what,
					k, percent[k], rows[i].percent[k]);
	}
}

static void
extremes_are_in_range(void **state)
{
	static const struct balance_candidate c[] = { { UINT32_MAX, UINT16_MAX,
							      ENDPOINT_UP, 0 },
		{ UINT32_MAX, 1, ENDPOINT_UP, 0 } };

	(void)state;
	assert_int_equal(balance_pick(NULL, 0, 7), BALANCE_NONE);
	assert_int_equal(balance_pick(c, 1, UINT64_MAX), 0);
	assert_true(balance_pick(c, 2, UINT64_MAX) < 2);
	assert_true(balance_pick(c, 2, 0) < 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_are_as_they_should),
		cmocka_unit_test(extremes_are_in_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
