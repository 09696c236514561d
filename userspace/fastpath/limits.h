/*
 * Limits per source, enforced by the XDP program: what is wanted of a slot
 * (a listener or an L4 service), brought into gg_limit by difference.
 */
#ifndef FASTPATH_LIMITS_H
#define FASTPATH_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "bpf/contract.h"

struct fastpath;

/* rate per unit_s seconds, burst at once. A rate of 0: not limited. */
struct fastpath_rate {
	uint64_t rate;
	uint32_t unit_s;
	uint64_t burst;
};

/* A source is a prefix of plen4 or plen6 bits; each has buckets of its own. */
struct fastpath_rule {
	struct fastpath_rate packets, bytes, connections; /* TCP: SYNs */
	uint8_t plen4, plen6; /* 1..32, 1..128 */
	bool shadow; /* count what would be dropped, and let it pass */
};

struct fastpath_limits {
	uint32_t slot; /* 1..GG_SLOTS_MAX-1, each once */
	struct fastpath_rule rules[GG_RULES_MAX]; /* all must admit */
	uint32_t count;
};

/* Whether the kernel can hold these rules exactly (rates to 1 in 10 000, never
 * above). err names the rule and, where the burst is too large, the largest. */
int fastpath_limits_check(const struct fastpath_limits *limits,
	struct error *err);
/* Exactly these slots are limited from now on, as said; what is in the buckets
 * of a slot whose rules stay the same stays, others begin full. 0 when the
 * kernel holds it (or there is no kernel half); -1 and err else: what was
 * wrong is not applied, and nothing of it. */
int fastpath_limits_set(struct fastpath *f,
	const struct fastpath_limits *set, size_t count, struct error *err);

#endif
