/* Rates and bursts in the kernel's tokens: exact, rounded down, or refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fastpath/rate.h"

#define MINUTE 60
#define HOUR   3600
#define DAY    86400

static struct gg_rate
make(uint64_t rate, uint32_t unit_s, uint64_t burst, uint32_t hz)
{
	const struct fastpath_rate r = { rate, unit_s, burst };
	struct error err = ERROR_INIT;
	struct gg_rate out;

	if (rate_make(&r, hz, &out, &err) != 0)
		fail_msg("%s", err.text);
	return out;
}

static void
test_whole_numbers(void **state)
{
	static const struct {
		const char *what;
		uint64_t rate;
		uint32_t unit_s;
		uint64_t burst;
		uint32_t hz, refill, cost, tokens;
	} rows[] = {
		{ "a multiple of the tick", 1000, 1, 1000, 250, 4, 1, 1000 },
		{ "below the tick", 100, 1, 100, 250, 2, 5, 500 },
		{ "one a second", 1, 1, 1, 250, 1, 250, 250 },
		{ "a rate prime to the tick", 997, 1, 997, 250, 997, 250,
			249250 },
		{ "100 a minute", 100, MINUTE, 100, 250, 1, 150, 15000 },
		{ "ten an hour", 10, HOUR, 10, 250, 1, 90000, 900000 },
		{ "one a day", 1, DAY, 5, 250, 1, 21600000, 108000000 },
		{ "another tick", 100, 1, 100, 1000, 1, 10, 1000 },
		{ "a slow tick", 1000, 1, 1000, 100, 10, 1, 1000 },
		{ "a gigabyte a second", 1000000000, 1, 1000000000, 250,
			4000000, 1, 1000000000 },
		{ "the largest burst", 1000, 1, GG_BURST_MAX, 250, 4, 1,
			GG_BURST_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gg_rate r = make(rows[i].rate, rows[i].unit_s,
			rows[i].burst, rows[i].hz);

		if (r.refill != rows[i].refill || r.cost != rows[i].cost ||
			r.burst != rows[i].tokens || r.flags != 0)
			fail_msg("%s: refill %u cost %u burst %u flags %u",
				rows[i].what, r.refill, r.cost, r.burst,
				r.flags);
	}
}

static void
test_not_limited(void **state)
{
	const struct gg_rate none = { 0 };
	struct gg_rate r = make(0, 0, 0, 250);

	(void)state;
	assert_memory_equal(&r, &none, sizeof(r));
}

static void
test_fine_clock_below_two_ticks(void **state)
{
	struct gg_rate r;

	(void)state;
	/* 100 000 a second are 800 in two ticks of 4 ms. */
	assert_int_equal(make(100000, 1, 800, 250).flags, 0);
	r = make(100000, 1, 799, 250);
	assert_int_equal(r.flags, GG_RATE_FINE);
	/* 102.4 in 1024 us */
	assert_int_equal(r.refill, 64);
	assert_int_equal(r.cost, 625);
	assert_int_equal(r.burst, 799 * 625);
	assert_int_equal(make(100000, 1, 200, 1000).flags, 0);
	assert_int_equal(make(1, 1, 1, 250).flags, 0);
}

/* The promise: not above, and less than 1 in 10 000 below. */
static void
assert_close(const struct gg_rate *r, uint64_t rate, uint32_t unit_s,
	uint32_t hz)
{
	__uint128_t ticks = (__uint128_t)unit_s * hz;
	__uint128_t have, want = (__uint128_t)rate * r->cost;

	if (r->flags & GG_RATE_FINE) {
		ticks = (__uint128_t)unit_s * 1000000000;
		want *= GG_FINE_TICK_NS;
	}
	have = r->refill * ticks;
	assert_true(have <= want);
	assert_true((want - have) * 10000 <= want);
}

static void
assert_times_cover(const struct gg_rate *r)
{
	/* Rounded up, and by less than one. */
	__uint128_t cost = (__uint128_t)r->cost << GG_SKETCH_SHIFT;
	__uint128_t burst = (__uint128_t)r->burst << GG_SKETCH_SHIFT;

	assert_true((__uint128_t)r->cost_time * r->refill >= cost);
	assert_true((__uint128_t)(r->cost_time - 1) * r->refill < cost);
	assert_true((__uint128_t)r->burst_time * r->refill >= burst);
	assert_true((__uint128_t)(r->burst_time - 1) * r->refill < burst);
}

static void
test_every_rate_is_close_or_refused(void **state)
{
	static const uint32_t units[] = { 1, 7, MINUTE, HOUR, DAY, 30 * DAY };
	static const uint32_t ticks[] = { 100, 250, 300, 1000, 1024 };
	uint64_t random = 7, refused = 0, made = 0;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct fastpath_rate r;
		struct error err = ERROR_INIT;
		struct gg_rate out;
		uint32_t hz;

		random = random * 6364136223846793005u + 1442695040888963407u;
		r.rate = 1 + (random >> 20) % (UINT64_C(1) << (random >> 59));
		r.unit_s = units[(random >> 16) % 6];
		r.burst = r.rate * (1 + (random >> 12) % 3);
		hz = ticks[(random >> 8) % 5];
		if (rate_make(&r, hz, &out, &err) != 0) {
			assert_int_equal(err.code, ERROR_CONFIG);
			refused++;
			continue;
		}
		made++;
		assert_close(&out, r.rate, r.unit_s, hz);
		assert_times_cover(&out);
		assert_int_equal(out.burst, r.burst * out.cost);
		assert_true(out.burst <= GG_BURST_MAX);
	}
	assert_true(made > 1000);
	assert_true(refused > 0);
}

static void
assert_refused(uint64_t rate, uint32_t unit_s, uint64_t burst, uint32_t hz,
	const char *text)
{
	const struct fastpath_rate r = { rate, unit_s, burst };
	struct error err = ERROR_INIT;
	struct gg_rate out;

	assert_int_equal(rate_make(&r, hz, &out, &err), -1);
	assert_string_equal(err.text, text);
}

static void
test_refusals_say_what_would_do(void **state)
{
	(void)state;
	assert_refused(5, 1, 0, 250, "a burst of 0 lets nothing pass");
	assert_refused(5, 0, 5, 250,
		"a unit of 0 seconds is out of 1..31622400");
	assert_refused(5, 1, 5, 0,
		"the kernel does not tell how long its tick is");
	assert_refused(1, DAY, 100, 250,
		"a burst of 100 is too large for a rate of 1 in 86400 s: at "
		"most 99");
	make(1, DAY, 99, 250);
	assert_refused(1000, 1, UINT64_C(1) << 31, 250,
		"a burst of 2147483648 is too large for a rate of 1000 in 1 s: "
		"at most 2147483647");
	assert_refused(10000000, 1, 20, 250,
		"a burst of 20 is too small for a rate of 10000000 in 1 s: at "
		"least 21");
	make(10000000, 1, 21, 250);
	assert_refused((UINT64_C(1) << 40) + 1, 1, 1, 250,
		"a rate of 1099511627777 is more than the kernel half can "
		"count, 1099511627776");
	assert_refused(1, RATE_UNIT_MAX_S, 1, 250,
		"a rate of 1 in 31622400 s is out of what the kernel half can "
		"count");
}

static void
test_rounds_down_where_tokens_do_not_fit(void **state)
{
	/* 1 000 000 007 a second with its second as burst: the cost would be
	 * 250 tokens, which 31 bits do not hold. */
	struct gg_rate r = make(1000000007, 1, 1000000007, 250);

	(void)state;
	assert_true(r.cost <= 2);
	assert_close(&r, 1000000007, 1, 250);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_numbers),
		cmocka_unit_test(test_not_limited),
		cmocka_unit_test(test_fine_clock_below_two_ticks),
		cmocka_unit_test(test_every_rate_is_close_or_refused),
		cmocka_unit_test(test_refusals_say_what_would_do),
		cmocka_unit_test(test_rounds_down_where_tokens_do_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
