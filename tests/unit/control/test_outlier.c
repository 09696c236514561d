/* Tests userspace/control/outlier.c. */
#include "control/outlier.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define ENDPOINTS 10

struct fixture {
	struct outlier o;
	struct ejection e[ENDPOINTS];
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->o = (struct outlier){
		.policy = { .interval_ms = 10,
			.ejection_ms = 100,
			.ejection_max_ms = 250,
			.errors = 5,
			.gateway_errors = 3,
			.errors_enforced = 100,
			.gateway_errors_enforced = 0,
			.ejected_max_percent = 20 },
		.workers = 2,
	};
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ENDPOINTS; i++)
		ejection_fini(&f->e[i], &f->o);
	assert_int_equal(f->o.ejected, 0);
	free(f);
	return 0;
}

static bool
report(struct fixture *f, size_t i, uint32_t worker, uint32_t errors,
	uint32_t gateway_errors, uint64_t now_ms)
{
	const uint32_t streaks[OUTLIER_STREAKS] = { errors, gateway_errors };

	return outlier_report(
		&f->o, &f->e[i], ENDPOINTS, worker, streaks, now_ms);
}

static void
test_sum(void **state)
{
	struct fixture *f = *state;

	assert_false(report(f, 0, 0, 3, 0, 1000));
	assert_false(report(f, 0, 1, 1, 0, 1000));
	assert_false(report(f, 0, 0, 0, 0, 1000)); /* a good answer */
	assert_false(report(f, 0, 1, 4, 0, 1000));
	assert_false(report(f, 1, 0, 1, 0, 1000)); /* of another one */
	assert_true(report(f, 0, 0, 1, 0, 1000));
	assert_false(report(f, 0, 0, 9, 9, 1000)); /* it is out already */
	assert_int_equal(f->o.ejected, 1);
	assert_int_equal(f->o.ejections, 1);
	/* No such worker; the largest numbers. */
	assert_false(report(f, 1, 2, UINT32_MAX, 0, 1000));
	assert_true(report(f, 1, 1, UINT32_MAX, UINT32_MAX, 1000));
}

/* A worker that gets no more requests says nothing more. */
static void
test_old_reports(void **state)
{
	struct fixture *f = *state;

	assert_false(report(f, 0, 0, 4, 0, 1000));
	assert_false(report(f, 0, 1, 1, 0, 1011)); /* no longer in a row */
	assert_false(report(f, 0, 1, 4, 0, 1012));
	/* Its own run goes on, however slowly. */
	assert_true(report(f, 0, 0, 5, 0, 2000));
	/* Within the interval they are one run. */
	assert_false(report(f, 1, 0, 4, 0, 1000));
	assert_true(report(f, 1, 1, 1, 0, 1010));
	/* A success of one does not end that of another. */
	assert_true(outlier_look(&f->o, &f->e[1], 2000));
	assert_false(report(f, 1, 0, 4, 0, 3000));
	assert_false(report(f, 1, 1, 0, 0, 3001));
	assert_true(report(f, 1, 1, 1, 0, 3002));
}

static void
test_times(void **state)
{
	/* Longer each time, up to the most; shorter after quiet intervals. */
	static const uint64_t lengths[] = { 100, 200, 250, 250 };
	struct fixture *f = *state;
	struct ejection *e = &f->e[0];
	uint64_t now = 1000;

	for (size_t i = 0; i < 4; i++) {
		assert_true(report(f, 0, 0, 5, 0, now));
		now += lengths[i] - 1;
		assert_false(outlier_look(&f->o, e, now));
		assert_true(outlier_look(&f->o, e, ++now));
		assert_int_equal(f->o.ejected, 0);
		/* What was counted before is forgotten. */
		assert_false(report(f, 0, 1, 4, 0, now));
		assert_false(report(f, 0, 1, 0, 0, now));
	}
	assert_false(outlier_look(&f->o, e, now));
	assert_false(outlier_look(&f->o, e, now));
	assert_true(ejection_is_remembered(e));
	assert_false(outlier_look(&f->o, e, now));
	assert_false(ejection_is_remembered(e));
	assert_true(report(f, 0, 0, 5, 0, now));
	assert_true(outlier_look(&f->o, e, now + 100));
}

static void
test_percent(void **state)
{
	struct fixture *f = *state;

	assert_true(report(f, 0, 0, 5, 0, 1));
	assert_true(report(f, 1, 0, 5, 0, 1));
	assert_false(report(f, 2, 0, 5, 0, 1));
	assert_int_equal(f->o.withheld, 1);
	/* One comes back, and the next failure of the third is enough. */
	assert_true(outlier_look(&f->o, &f->e[0], 101));
	assert_true(report(f, 2, 0, 6, 0, 101));
	/* One may always be. */
	f->o.policy.ejected_max_percent = 0;
	assert_false(report(f, 3, 0, 5, 0, 101));
	for (size_t i = 1; i < 3; i++)
		outlier_look(&f->o, &f->e[i], 1000);
	assert_true(report(f, 3, 0, 5, 0, 1000));
}

static void
test_enforcing(void **state)
{
	struct fixture *f = *state;

	/* Gateway failures are seen, not enforced: counted once for a run. */
	assert_false(report(f, 0, 0, 3, 3, 1));
	assert_false(report(f, 0, 0, 4, 4, 1));
	assert_int_equal(f->o.withheld, 1);
	assert_false(report(f, 0, 0, 0, 0, 1));
	assert_false(report(f, 0, 0, 3, 3, 1));
	assert_int_equal(f->o.withheld, 2);
	/* 0 failures: not looked at. */
	f->o.policy.errors = 0;
	assert_false(report(f, 0, 0, 100, 100, 1));
	f->o.policy.gateway_errors_enforced = 100;
	assert_false(report(f, 0, 0, 0, 0, 1));
	assert_true(report(f, 0, 0, 3, 3, 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(test_sum),
		CASE(test_old_reports),
		CASE(test_times),
		CASE(test_percent),
		CASE(test_enforcing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
