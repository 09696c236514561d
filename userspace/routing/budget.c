/* How many retries an upstream may get. */
#include "routing/budget.h"

#include <string.h>

/* Forgets what is too old; the place of this second. */
static uint64_t
budget_turn(struct budget *b, uint64_t now_ms)
{
	uint64_t now = now_ms / 1000;

	if (now >= b->newest + BUDGET_SECONDS) {
		memset(b->second, 0, sizeof(b->second));
		b->newest = now;
	}
	while (b->newest < now) {
		b->newest++;
		memset(&b->second[b->newest % BUDGET_SECONDS], 0,
			sizeof(b->second[0]));
	}
	return b->newest % BUDGET_SECONDS;
}

void
budget_request(struct budget *b, uint64_t now_ms)
{
	b->second[budget_turn(b, now_ms)].requests++;
}

bool
budget_retry(struct budget *b, const struct policy_retries *policy,
	uint32_t workers, uint64_t now_ms)
{
	uint64_t at = budget_turn(b, now_ms);
	uint64_t seconds = (policy->budget_ttl_ms + 999) / 1000;
	uint64_t requests = 0, retries = 0, least;

	if (seconds >= BUDGET_SECONDS)
		seconds = BUDGET_SECONDS - 1;
	for (uint64_t i = 0; i < seconds; i++) {
		uint64_t k = (at + BUDGET_SECONDS - i) % BUDGET_SECONDS;

		requests += b->second[k].requests;
		retries += b->second[k].retries;
	}
	least = (policy->budget_min_per_s * seconds + workers - 1) / workers;
	if (retries >= least + requests * policy->budget_permille / 1000)
		return false;
	b->second[at].retries++;
	return true;
}
