/*
 * How many retries an upstream may get: at most a share of the requests of the
 * last seconds, and a few per second when there are hardly any. A failing
 * upstream is so never asked much more than it would be without retries.
 * Counted by whole seconds, by each worker for itself. Pure: the clock is an
 * argument.
 */
#ifndef ROUTING_BUDGET_H
#define ROUTING_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "model/policy.h"

#define BUDGET_SECONDS 64 /* more than POLICY_BUDGET_TTL_MS_MAX */

struct budget {          /* all zero: nothing was asked yet */
	uint64_t newest; /* second */
	struct {
		uint32_t requests, retries;
	} second[BUDGET_SECONDS];
};

void budget_request(struct budget *b, uint64_t now_ms);
/* Takes one retry if there is one left; workers: who share the minimum. */
bool budget_retry(struct budget *b, const struct policy_retries *policy,
	uint32_t workers, uint64_t now_ms);

#endif
