/* Tests userspace/filter/limit_table.c and gcra.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "filter/limit_table.h"
#include "model/limit.h"

#define EPOCH_MS 5000000

static void *memory;
static struct limit_table *table;

static void
table_make(uint32_t entries)
{
	size_t size = limit_memory_size(entries);
	struct error err = ERROR_INIT;

	memory = aligned_alloc(64, (size + 63) / 64 * 64);
	assert_non_null(memory);
	memset(memory, 0, size);
	limit_memory_format(memory, entries, 42, EPOCH_MS);
	table = limit_table_new(memory, size, &err);
	assert_non_null(table);
}

static void
table_drop(void)
{
	limit_table_free(table);
	free(memory);
}

static struct gcra
rule(uint32_t rate, uint32_t unit_s, uint32_t burst)
{
	struct gcra g;

	limit_units(rate, unit_s, &g.per_ms, &g.cost);
	g.most = (uint64_t)burst * g.cost;
	return g;
}

static uint64_t
key(uint64_t n)
{
	return limit_table_key(table, 1, &n, sizeof(n));
}

/* ---- one key */

static void
n_pass_at_once_and_no_more(void **state)
{
	static const struct {
		uint32_t rate, unit_s, burst;
		uint64_t retry_ms;
	} rows[] = {
		{ 100, 60, 100, 600 },
		{ 1, 1, 1, 1000 },
		{ 1, 86400, 1, 86400000 },
		{ 7, 1, 7, 143 }, /* 1000 / 7 = 142.86, rounded up */
		{ 7, 60, 3, 8572 },
		{ 999983, 1, 1000, 1 },
		{ 1000000, 1, 1000000, 1 },
		{ 10, 1, 50, 100 }, /* a burst of its own */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gcra g = rule(
			rows[i].rate, rows[i].unit_s, rows[i].burst);
		struct gcra_verdict v;

		table_make(1024);
		for (uint32_t n = 0; n < rows[i].burst; n++) {
			v = limit_table_take(
				table, key(1), &g, EPOCH_MS + 100, false);
			if (!v.passed || v.remaining != rows[i].burst - n - 1)
				fail_msg("row %zu: request %u", i, n);
		}
		v = limit_table_take(table, key(1), &g, EPOCH_MS + 100, false);
		assert_false(v.passed);
		assert_int_equal(v.remaining, 0);
		if (v.retry_ms != rows[i].retry_ms)
			fail_msg("row %zu: retry in %lu ms", i,
				(unsigned long)v.retry_ms);
		/* Exact to the millisecond, and neighbours are not touched. */
		assert_false(limit_table_take(table, key(1), &g,
			EPOCH_MS + 99 + v.retry_ms, false)
				     .passed);
		assert_true(limit_table_take(table, key(1), &g,
			EPOCH_MS + 100 + v.retry_ms, false)
				    .passed);
		assert_true(limit_table_take(
			table, key(2), &g, EPOCH_MS + 100, false)
				    .passed);
		table_drop();
	}
}

/* A rate that no millisecond divides: over an hour not one too many, and not
 * one too few. */
static void
over_time_exactly_the_rate_passes(void **state)
{
	struct gcra g = rule(7, 1, 7);
	uint64_t passed = 0;

	(void)state;
	table_make(1024);
	for (uint64_t ms = 0; ms < 3600000; ms++)
		passed += limit_table_take(
			table, key(1), &g, EPOCH_MS + ms, false)
				  .passed;
	/* burst + rate * t, t up to the last millisecond. */
	assert_int_equal(passed, 7 + 7 * 3599999 / 1000);
	table_drop();
}

static void
refused_requests_cost_only_if_said(void **state)
{
	struct gcra g = rule(1, 1, 2);

	(void)state;
	for (int counted = 0; counted < 2; counted++) {
		uint64_t passed = 0;

		table_make(1024);
		/* Twice the rate for a minute. */
		for (uint64_t ms = 0; ms < 60000; ms += 500)
			passed += limit_table_take(table, key(1), &g,
				EPOCH_MS + ms, counted != 0)
					  .passed;
		assert_int_equal(passed, counted ? 3 : 61);
		table_drop();
	}
}

static void
what_is_given_back_is_there_again(void **state)
{
	struct gcra g = rule(1, 60, 1);

	(void)state;
	table_make(1024);
	assert_true(
		limit_table_take(table, key(1), &g, EPOCH_MS, false).passed);
	limit_table_give_back(table, key(1), &g);
	assert_true(
		limit_table_take(table, key(1), &g, EPOCH_MS, false).passed);
	assert_false(
		limit_table_take(table, key(1), &g, EPOCH_MS, false).passed);
	limit_table_give_back(table, key(99), &g); /* of nobody */
	table_drop();
}

static void
another_process_goes_on_with_it(void **state)
{
	struct gcra g = rule(2, 60, 2);
	struct error err = ERROR_INIT;
	size_t size = limit_memory_size(1024);

	(void)state;
	table_make(1024);
	for (int i = 0; i < 2; i++)
		limit_table_take(table, key(1), &g, EPOCH_MS, false);
	limit_table_free(table);
	assert_null(limit_table_new(memory, size - 64, &err));
	assert_string_equal(
		err.text, "the table of rate limits is of another shape");
	table = limit_table_new(memory, size, NULL);
	assert_non_null(table);
	assert_false(
		limit_table_take(table, key(1), &g, EPOCH_MS, false).passed);
	table_drop();
}

/* As two proxies at once can leave it: the key of one, the state of another. */
static void
a_place_that_contradicts_itself_is_put_right(void **state)
{
	struct gcra g = rule(1, 60, 1);
	size_t words = limit_memory_size(1024) / sizeof(uint64_t), at = 0;
	uint64_t *word = NULL, wanted;

	(void)state;
	table_make(1024);
	word = memory;
	wanted = key(1);
	assert_true(
		limit_table_take(table, wanted, &g, EPOCH_MS, false).passed);
	while (at < words && word[at] != wanted)
		at++;
	assert_true(at + 8 < words);
	word[at + 8] ^= UINT64_C(1) << 60; /* its state, a line further */
	assert_true(
		limit_table_take(table, wanted, &g, EPOCH_MS, false).passed);
	assert_false(
		limit_table_take(table, wanted, &g, EPOCH_MS, false).passed);
	table_drop();
}

/* ---- many threads, one key */

#define THREADS 4
#define ROUNDS  50000

static struct gcra shared_rule;
static _Atomic uint64_t shared_passed;
static pthread_barrier_t start;

static void *
worker(void *arg)
{
	uint64_t passed = 0;

	(void)arg;
	for (uint64_t n = 0; n < ROUNDS; n++) {
		/* Each millisecond anew, so that time moves under them. */
		if (n % 1000 == 0)
			pthread_barrier_wait(&start);
		passed += limit_table_take(table, key(7), &shared_rule,
			EPOCH_MS + n / 1000, false)
				  .passed;
	}
	atomic_fetch_add(&shared_passed, passed);
	return NULL;
}

static void
threads_on_one_key_pass_exactly_as_much(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	table_make(1024);
	shared_rule = rule(100000, 1, 500);
	atomic_store(&shared_passed, 0);
	pthread_barrier_init(&start, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, worker, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	/* 49 ms later: 100 a millisecond, 4000 are asked for. */
	assert_int_equal(atomic_load(&shared_passed), 500 + 49 * 100);
	pthread_barrier_destroy(&start);
	table_drop();
}

static void *
newcomer(void *arg)
{
	uint64_t passed = 0;

	(void)arg;
	for (uint64_t n = 0; n < 2000; n++) {
		pthread_barrier_wait(&start);
		passed += limit_table_take(
			table, key(1000 + n), &shared_rule, EPOCH_MS, false)
				  .passed;
	}
	atomic_fetch_add(&shared_passed, passed);
	return NULL;
}

/* All of them see a key for the first time at once: one place is made. */
static void
a_new_key_is_made_once(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	table_make(65536);
	shared_rule = rule(1, 3600, 1);
	atomic_store(&shared_passed, 0);
	pthread_barrier_init(&start, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, newcomer, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(limit_table_replaced(table), 0);
	assert_int_equal(atomic_load(&shared_passed), 2000);
	pthread_barrier_destroy(&start);
	table_drop();
}

/* ---- a full table */

static void
the_most_indebted_stay(void **state)
{
	struct gcra hour = rule(60, 3600, 60), second = rule(10, 1, 10);

	(void)state;
	table_make(1024);
	/* A hundred that have used all they have, then a flood of others. */
	for (uint64_t n = 0; n < 100; n++)
		for (int i = 0; i < 60; i++)
			assert_true(limit_table_take(
				table, key(n), &hour, EPOCH_MS, false)
					    .passed);
	for (uint64_t n = 0; n < 200000; n++)
		if (!limit_table_take(table, key(1000000 + n), &second,
			     EPOCH_MS + n / 1000, false)
				.passed)
			fail_msg("a new key was refused");
	assert_true(limit_table_replaced(table) > 0);
	for (uint64_t n = 0; n < 100; n++)
		assert_false(limit_table_take(
			table, key(n), &hour, EPOCH_MS + 200, false)
				     .passed);
	table_drop();
}

static void
who_has_paid_makes_room(void **state)
{
	struct gcra second = rule(10, 1, 10);

	(void)state;
	table_make(1024);
	/* A second later, all that was there has paid. */
	for (uint64_t n = 0; n < 100000; n++)
		limit_table_take(table, key(n), &second,
			EPOCH_MS + n / 100 * 1000, false);
	assert_int_equal(limit_table_replaced(table), 0);
	assert_int_equal(limit_table_entries(table), 1024);
	table_drop();
}

/* ---- far beyond */

/* True: it came to it within so many seconds of that many refused each. */
static bool
goes_beyond(uint32_t many, uint64_t per_s, uint64_t seconds)
{
	struct gcra g = rule(1, 60, 1);
	bool beyond = false;

	table_make(1024);
	limit_table_take(table, key(1), &g, EPOCH_MS, false);
	for (uint64_t n = 0; n < per_s * seconds; n++)
		beyond |= limit_table_refused(table, key(1), many, 3000,
			EPOCH_MS + n * 1000 / per_s);
	table_drop();
	return beyond;
}

static void
only_who_goes_on_is_far_beyond(void **state)
{
	(void)state;
	assert_true(goes_beyond(45, 15, 4));
	assert_true(goes_beyond(45, 1000, 4));
	assert_false(goes_beyond(45, 14, 60)); /* not often enough */
	assert_false(goes_beyond(45, 1000, 2)); /* not long enough */
	assert_false(limit_far_beyond(&(struct limit_rule){ 0 }) > 0);
}

static void
a_pause_begins_anew(void **state)
{
	struct gcra g = rule(1, 60, 1);

	(void)state;
	table_make(1024);
	limit_table_take(table, key(1), &g, EPOCH_MS, false);
	for (uint64_t n = 0; n < 100; n++)
		assert_false(limit_table_refused(
			table, key(1), 45, 3000, EPOCH_MS + n));
	/* A hundred, but in a minute. */
	assert_false(limit_table_refused(
		table, key(1), 45, 3000, EPOCH_MS + 60000));
	table_drop();
}

/* ---- rules */

static bool
is_even(uint64_t identity, void *arg)
{
	(void)arg;
	return identity % 2 == 0;
}

static void
rules_are_counted_by_worker_and_forgotten(void **state)
{
	uint64_t sums[LIMIT_TALLY_COUNT];

	(void)state;
	table_make(1024);
	for (uint32_t w = 0; w < 3; w++) {
		limit_table_count(table, 10, w, LIMIT_PASSED);
		limit_table_count(table, 11, w, LIMIT_REFUSED);
	}
	limit_table_sums(table, 10, sums);
	assert_int_equal(sums[LIMIT_PASSED], 3);
	assert_int_equal(sums[LIMIT_REFUSED], 0);
	limit_table_forget(table, is_even, NULL);
	limit_table_sums(table, 10, sums);
	assert_int_equal(sums[LIMIT_PASSED], 3);
	limit_table_sums(table, 11, sums);
	assert_int_equal(sums[LIMIT_REFUSED], 0);
	/* More than there is room for: those are not counted, no more. */
	for (uint64_t i = 1; i < 20000; i++)
		limit_table_count(table, i * 512, 0, LIMIT_PASSED);
	table_drop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(n_pass_at_once_and_no_more),
		cmocka_unit_test(over_time_exactly_the_rate_passes),
		cmocka_unit_test(refused_requests_cost_only_if_said),
		cmocka_unit_test(what_is_given_back_is_there_again),
		cmocka_unit_test(another_process_goes_on_with_it),
		cmocka_unit_test(a_place_that_contradicts_itself_is_put_right),
		cmocka_unit_test(threads_on_one_key_pass_exactly_as_much),
		cmocka_unit_test(a_new_key_is_made_once),
		cmocka_unit_test(the_most_indebted_stay),
		cmocka_unit_test(who_has_paid_makes_room),
		cmocka_unit_test(only_who_goes_on_is_far_beyond),
		cmocka_unit_test(a_pause_begins_anew),
		cmocka_unit_test(rules_are_counted_by_worker_and_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
