/*
 * GCRA (the virtual scheduling form of a leaky bucket) in whole numbers. Time
 * runs in units of its rule, per_ms of them a millisecond, of which a request
 * costs `cost`: nothing is ever rounded. What is kept is one number, the time
 * at which all that was let pass will have been paid for.
 */
#ifndef FILTER_GCRA_H
#define FILTER_GCRA_H

#include <stdbool.h>
#include <stdint.h>

struct gcra {
	uint64_t most; /* that may be owed: burst * cost */
	uint32_t per_ms, cost;
};

struct gcra_verdict {
	bool passed;
	uint64_t paid; /* the new state */
	uint32_t remaining; /* requests that would pass now */
	uint64_t retry_ms;  /* until one passes */
	uint64_t reset_ms;  /* until all that is owed is paid */
};

static inline uint64_t
gcra_ms(const struct gcra *g, uint64_t units)
{
	return (units + g->per_ms - 1) / g->per_ms;
}

/* now: in units of the rule. Refused requests cost nothing, or with
 * count_rejected all that is left. */
static inline struct gcra_verdict
gcra_take(const struct gcra *g, uint64_t paid, uint64_t now,
	bool count_rejected)
{
	uint64_t from = paid > now ? paid : now, owed = from - now;
	struct gcra_verdict v = { .passed = owed + g->cost <= g->most };

	if (v.passed) {
		v.paid = from + g->cost;
		v.remaining = (uint32_t)((g->most - owed) / g->cost) - 1;
	} else if (count_rejected && owed < g->most) {
		v.paid = now + g->most;
	} else {
		v.paid = paid;
	}
	owed = v.paid > now ? v.paid - now : 0;
	if (owed + g->cost > g->most)
		v.retry_ms = gcra_ms(g, owed + g->cost - g->most);
	v.reset_ms = gcra_ms(g, owed);
	return v;
}

#endif
