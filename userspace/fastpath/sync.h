/* Brings gg_vip to what the listeners want, by difference. */
#ifndef FASTPATH_SYNC_H
#define FASTPATH_SYNC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "bpf/contract.h"
#include "fastpath/fastpath.h"
#include "fastpath/maps.h"

struct sync_entry {
	struct gg_vip_key key;
	struct gg_vip value;
	int rank; /* of entries with one key the highest counts */
};

/* One entry per listener and address, wildcards expanded into local; sorted by
 * key, each key once. A specific address beats 0.0.0.0, which beats "::".
 * limits, by slot, or NULL: says whose entries are GG_VIP_LIMITED. */
int sync_plan(const struct fastpath_listener *set, size_t count,
	const struct addr *local, size_t local_count,
	const struct gg_limit *limits,
	struct sync_entry **plan, size_t *plan_count, struct error *err);
/* Writes the difference, adding before removing, and reads the map back. */
int sync_apply(const struct maps *maps, const struct sync_entry *plan,
	size_t count, struct error *err);

#endif
