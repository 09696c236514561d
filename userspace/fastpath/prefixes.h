/*
 * Prefixes of sources that are denied or allowed, brought into gg_list by
 * difference. Of those that hold an address the longest decides: denied, all
 * its packets are dropped; allowed, no limit and no block applies to it. As
 * everywhere, IPv4 stands below ::ffff:0:0/96, so ::/0 holds it too.
 */
#ifndef FASTPATH_PREFIXES_H
#define FASTPATH_PREFIXES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"

struct fastpath;

struct fastpath_prefix {
	struct addr_prefix prefix;
	bool deny; /* else allow */
};

/* Exactly these count from now on. A prefix that stays keeps its hits, also
 * over a restart. Bits beyond the length do not matter; err names a prefix
 * that stands in the set twice. */
int fastpath_prefixes_set(struct fastpath *f,
	const struct fastpath_prefix *set, size_t count, struct error *err);

/* The packets that the prefix decided, over all CPUs. */
typedef void fastpath_prefix_f(const struct fastpath_prefix *prefix,
	uint64_t hits, void *arg);
int fastpath_prefix_hits(const struct fastpath *f, fastpath_prefix_f *cb,
	void *arg);

#endif
