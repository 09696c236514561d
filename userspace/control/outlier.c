/* Who is left out for its answers. */
#include "control/outlier.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static uint64_t
streak_sum(const struct outlier *o, const struct ejection *e,
	enum outlier_streak which, uint64_t now_ms)
{
	uint64_t sum = 0;

	for (uint32_t w = 0; w < o->workers; w++) {
		const struct outlier_tally *t = &e->tallies[w];

		if (now_ms - t->at_ms <= o->policy.interval_ms)
			sum += t->streaks[which];
	}
	return sum;
}

/* One may always be ejected. */
static bool
has_room(const struct outlier *o, size_t count)
{
	return o->ejected == 0 ||
	       (o->ejected + 1) * 100 <= count * o->policy.ejected_max_percent;
}

static uint64_t
ejection_time_ms(const struct policy_outlier *p, uint32_t times)
{
	uint64_t most = p->ejection_max_ms > p->ejection_ms ? p->ejection_max_ms
							    : p->ejection_ms;

	return p->ejection_ms >= most / times ? most : p->ejection_ms * times;
}

static bool
is_too_much(const struct outlier *o, struct ejection *e,
	enum outlier_streak which, uint64_t now_ms)
{
	const struct policy_outlier *p = &o->policy;
	uint32_t most = which == OUTLIER_ERRORS ? p->errors : p->gateway_errors;

	if (most == 0)
		return false;
	if (streak_sum(o, e, which, now_ms) >= most)
		return true;
	e->spared[which] = false;
	return false;
}

/* Ejected only in so many of 100 cases; the others are seen, no more. */
static bool
is_enforced(
	const struct outlier *o, struct ejection *e, enum outlier_streak which)
{
	uint8_t percent = which == OUTLIER_ERRORS
				  ? o->policy.errors_enforced
				  : o->policy.gateway_errors_enforced;

	if (e->spared[which])
		return false;
	if (arc4random_uniform(100) < percent)
		return true;
	e->spared[which] = true;
	return false;
}

static bool
eject(struct outlier *o, struct ejection *e, uint64_t now_ms)
{
	/* Beyond the longest time it need not grow: it has to fall again. */
	if (e->times == 0 || ejection_time_ms(&o->policy, e->times) <
				     o->policy.ejection_max_ms)
		e->times++;
	e->until_ms = now_ms + ejection_time_ms(&o->policy, e->times);
	o->ejected++;
	o->ejections++;
	ejection_forget_streaks(e);
	return true;
}

bool
outlier_report(struct outlier *o, struct ejection *e, size_t count,
	uint32_t worker, const uint32_t streaks[OUTLIER_STREAKS],
	uint64_t now_ms)
{
	struct outlier_tally *tally;

	if (worker >= o->workers || e->until_ms != 0)
		return false;
	if (e->tallies == NULL)
		e->tallies = xcalloc(o->workers, sizeof(*e->tallies));
	tally = &e->tallies[worker];
	tally->at_ms = now_ms;
	memcpy(tally->streaks, streaks, sizeof(tally->streaks));
	for (int which = 0; which < OUTLIER_STREAKS; which++) {
		bool spared = e->spared[which];

		if (!is_too_much(o, e, (enum outlier_streak)which, now_ms))
			continue;
		if (!is_enforced(o, e, (enum outlier_streak)which)) {
			o->withheld += !spared;
			continue;
		}
		if (has_room(o, count))
			return eject(o, e, now_ms);
		o->withheld++;
	}
	return false;
}

bool
outlier_look(struct outlier *o, struct ejection *e, uint64_t now_ms)
{
	if (e->until_ms == 0) {
		/* A quiet interval: the next ejection is shorter again. */
		if (e->times > 0)
			e->times--;
		return false;
	}
	if (now_ms < e->until_ms)
		return false;
	e->until_ms = 0;
	o->ejected--;
	ejection_forget_streaks(e);
	return true;
}

bool
ejection_is_remembered(const struct ejection *e)
{
	return e->until_ms != 0 || e->times > 0;
}

void
ejection_forget_streaks(struct ejection *e)
{
	free(e->tallies);
	e->tallies = NULL;
	memset(e->spared, 0, sizeof(e->spared));
}

void
ejection_fini(struct ejection *e, struct outlier *o)
{
	if (e->until_ms != 0)
		o->ejected--;
	ejection_forget_streaks(e);
	e->until_ms = 0;
	e->times = 0;
}
