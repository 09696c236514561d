/* How many retries there may be. */
#include "routing/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

/* All that can be had at once. */
static unsigned
retries_left(struct budget *b, const struct policy_retries *p, uint32_t workers,
	uint64_t now_ms)
{
	unsigned n = 0;

	while (n < 100000 && budget_retry(b, p, workers, now_ms))
		n++;
	return n;
}

static void
rows_hold(void **state)
{
	static const struct {
		const char *what;
		struct policy_retries policy;
		uint32_t workers;
		unsigned requests;
		uint64_t later_ms; /* after the requests */
		unsigned left;
	} rows[] = {
		{ "a fifth of the requests",
			{ .budget_permille = 200, .budget_ttl_ms = 10000 }, 1,
			1000, 0, 200 },
		{ "and a few in any case",
			{ .budget_permille = 200,
				.budget_min_per_s = 3,
				.budget_ttl_ms = 10000 },
			1, 1000, 0, 230 },
		{ "those that workers share, rounded up",
			{ .budget_min_per_s = 3, .budget_ttl_ms = 10000 }, 4, 0,
			0, 8 },
		{ "nothing without requests",
			{ .budget_permille = 1000, .budget_ttl_ms = 10000 }, 1,
			0, 0, 0 },
		{ "requests count as long as ttl says",
			{ .budget_permille = 1000, .budget_ttl_ms = 10000 }, 1,
			50, 9000, 50 },
		{ "and no longer",
			{ .budget_permille = 1000, .budget_ttl_ms = 10000 }, 1,
			50, 10000, 0 },
		{ "nor after a long silence",
			{ .budget_permille = 1000, .budget_ttl_ms = 60000 }, 1,
			50, 100000000, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct budget b = { 0 };
		unsigned left;

		for (unsigned k = 0; k < rows[i].requests; k++)
			budget_request(&b, 5000);
		left = retries_left(&b, &rows[i].policy, rows[i].workers,
			5000 + rows[i].later_ms);
		if (left != rows[i].left)
			fail_msg("%s: %u", rows[i].what, left);
	}
}

/* What was spent comes back when it is as old as ttl. */
static void
spent_ones_come_back(void **state)
{
	const struct policy_retries p = { .budget_min_per_s = 1,
		.budget_ttl_ms = 5000 };
	struct budget b = { 0 };

	(void)state;
	assert_int_equal(retries_left(&b, &p, 1, 1000), 5);
	assert_int_equal(retries_left(&b, &p, 1, 5999), 0);
	assert_int_equal(retries_left(&b, &p, 1, 6000), 5);
	assert_int_equal(retries_left(&b, &p, 1, 6000), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_hold),
		cmocka_unit_test(spent_ones_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
