/* A rate and a burst in the tokens and ticks that the XDP program counts in. */
#include "fastpath/rate.h"

#include <stdbool.h>

#define SECOND_NS  UINT64_C(1000000000)
#define STEPS      10000 /* where rounding loses 1 in as many at most */
#define ERROR_MOST 1e-4

/* Tokens a tick over tokens an item, as a fraction. */
struct fraction {
	uint64_t refill, cost;
};

static uint64_t
gcd(uint64_t a, uint64_t b)
{
	while (b != 0) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static struct fraction
fraction_of(const struct fastpath_rate *rate, uint32_t hz, bool fine)
{
	struct fraction f = { rate->rate, (uint64_t)rate->unit_s * hz };
	uint64_t divisor;

	if (fine) {
		f.refill = rate->rate * GG_FINE_TICK_NS;
		f.cost = rate->unit_s * SECOND_NS;
	}
	divisor = gcd(f.refill, f.cost);
	f.refill /= divisor;
	f.cost /= divisor;
	return f;
}

static bool
fraction_fits(const struct fraction *f, uint64_t burst)
{
	return f->refill <= UINT32_MAX && f->cost <= GG_BURST_MAX / burst;
}

/* A fraction of small numbers that is not above the exact one. */
static struct fraction
fraction_below(const struct fraction *exact, uint64_t step)
{
	if (exact->refill < exact->cost)
		return (struct fraction){ step,
			(uint64_t)(((__uint128_t)step * exact->cost +
					   exact->refill - 1) /
				exact->refill) };
	return (struct fraction){
		(uint64_t)((__uint128_t)step * exact->refill / exact->cost),
		step
	};
}

static double
fraction_error(const struct fraction *exact, const struct fraction *f)
{
	return 1 - (double)f->refill / (double)f->cost *
			((double)exact->cost / (double)exact->refill);
}

/* Whether the best one that fits was found; *least_cost: with what the largest
 * burst is possible, 0: with nothing. */
static bool
fraction_round(struct fraction *f, uint64_t burst, uint64_t *least_cost)
{
	const struct fraction exact = *f;
	double error, best = ERROR_MOST;
	bool found = false;

	*least_cost = 0;
	for (uint64_t step = 1; step <= STEPS; step++) {
		struct fraction below = fraction_below(&exact, step);

		if (below.refill == 0 || !fraction_fits(&below, 1))
			break;
		error = fraction_error(&exact, &below);
		if (error > ERROR_MOST)
			continue;
		if (*least_cost == 0)
			*least_cost = below.cost;
		if (!fraction_fits(&below, burst) || (found && error >= best))
			continue;
		*f = below;
		best = error;
		found = true;
	}
	return found;
}

static int
rate_check(const struct fastpath_rate *rate, uint32_t hz, struct error *err)
{
	if (hz == 0)
		return error_set(err, ERROR_SYSTEM,
			"the kernel does not tell how long its tick is");
	if (rate->unit_s == 0 || rate->unit_s > RATE_UNIT_MAX_S)
		return error_set(err, ERROR_CONFIG,
			"a unit of %u seconds is out of 1..%u", rate->unit_s,
			RATE_UNIT_MAX_S);
	if (rate->rate > RATE_MAX)
		return error_set(err, ERROR_CONFIG,
			"a rate of %llu is more than the kernel half can "
			"count, %llu",
			(unsigned long long)rate->rate,
			(unsigned long long)RATE_MAX);
	if (rate->burst == 0)
		return error_set(err, ERROR_CONFIG,
			"a burst of 0 lets nothing pass");
	return 0;
}

static int
rate_refuse(const struct fastpath_rate *rate, uint64_t least_cost,
	struct error *err)
{
	if (least_cost == 0)
		return error_set(err, ERROR_CONFIG,
			"a rate of %llu in %u s is out of what the kernel half "
			"can count",
			(unsigned long long)rate->rate, rate->unit_s);
	return error_set(err, ERROR_CONFIG,
		"a burst of %llu is too large for a rate of %llu in %u s: at "
		"most %llu",
		(unsigned long long)rate->burst,
		(unsigned long long)rate->rate, rate->unit_s,
		(unsigned long long)(GG_BURST_MAX / least_cost));
}

/* So many come in two ticks: a smaller burst would cut the rate. */
static uint64_t
rate_in_two_ticks(const struct fastpath_rate *rate, uint64_t tick_ns)
{
	__uint128_t unit = (__uint128_t)rate->unit_s * SECOND_NS;
	__uint128_t items = (__uint128_t)rate->rate * 2 * tick_ns;

	return (uint64_t)((items + unit - 1) / unit);
}

static uint64_t
time_of(uint64_t tokens, uint32_t refill)
{
	return ((tokens << GG_SKETCH_SHIFT) + refill - 1) / refill;
}

int
rate_make(const struct fastpath_rate *rate, uint32_t hz, struct gg_rate *out,
	struct error *err)
{
	struct fraction f;
	uint64_t least_cost, least_burst;
	bool fine;

	*out = (struct gg_rate){ 0 };
	if (rate->rate == 0)
		return 0;
	if (rate_check(rate, hz, err) != 0)
		return -1;
	fine = rate->burst < rate_in_two_ticks(rate, SECOND_NS / hz);
	least_burst = rate_in_two_ticks(rate, GG_FINE_TICK_NS);
	if (rate->burst < least_burst)
		return error_set(err, ERROR_CONFIG,
			"a burst of %llu is too small for a rate of %llu in %u "
			"s: at least %llu",
			(unsigned long long)rate->burst,
			(unsigned long long)rate->rate, rate->unit_s,
			(unsigned long long)least_burst);
	f = fraction_of(rate, hz, fine);
	if (!fraction_fits(&f, rate->burst) &&
		!fraction_round(&f, rate->burst, &least_cost))
		return rate_refuse(rate, least_cost, err);
	out->refill = (uint32_t)f.refill;
	out->cost = (uint32_t)f.cost;
	out->burst = (uint32_t)(rate->burst * f.cost);
	out->flags = fine ? GG_RATE_FINE : 0;
	out->cost_time = time_of(out->cost, out->refill);
	out->burst_time = time_of(out->burst, out->refill);
	return 0;
}
