/* Which endpoint gets the next request. */
#include "routing/balance.h"

#include <stdbool.h>

#include "model/endpoint.h"

/* How much a candidate may be left out: the first that has any members. */
enum group {
	GROUP_UP_FRESH,
	GROUP_UP,
	GROUP_FRESH,
	GROUP_ALL,
	GROUP_COUNT,
};

static bool
group_has(enum group g, const struct balance_candidate *c)
{
	switch (g) {
	case GROUP_UP_FRESH:
		return c->health == ENDPOINT_UP && !c->tried;
	case GROUP_UP:
		return c->health == ENDPOINT_UP;
	case GROUP_FRESH:
		return !c->tried;
	default:
		return true;
	}
}

static uint32_t
weight_of(const struct balance_candidate *c)
{
	return c->weight > 0 ? c->weight : 1;
}

/* Where point, counted along the weights of the group, comes to lie. */
static size_t
group_at(enum group g, const struct balance_candidate *c, size_t count,
	uint64_t point)
{
	size_t last = BALANCE_NONE;

	for (size_t i = 0; i < count; i++) {
		if (!group_has(g, &c[i]))
			continue;
		last = i;
		if (point < weight_of(&c[i]))
			break;
		point -= weight_of(&c[i]);
	}
	return last;
}

size_t
balance_pick(const struct balance_candidate *c, size_t count, uint64_t random)
{
	uint64_t total[GROUP_COUNT] = { 0 };
	enum group g = GROUP_UP_FRESH;
	size_t a, b;

	if (count == 0)
		return BALANCE_NONE;
	for (size_t i = 0; i < count; i++)
		for (enum group k = GROUP_UP_FRESH; k < GROUP_COUNT; k++)
			if (group_has(k, &c[i]))
				total[k] += weight_of(&c[i]);
	while (total[g] == 0)
		g++;
	a = group_at(g, c, count, (random >> 32) * total[g] >> 32);
	b = group_at(g, c, count, (random & UINT32_MAX) * total[g] >> 32);
	/* Equally busy ones: the first drawn, so that weights hold when idle.
	 */
	return (uint64_t)c[b].active * weight_of(&c[a]) <
			       (uint64_t)c[a].active * weight_of(&c[b])
		       ? b
		       : a;
}

uint64_t
balance_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * UINT64_C(0x2545f4914f6cdd1d);
}
