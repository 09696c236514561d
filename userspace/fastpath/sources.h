/*
 * The sources that the limiter keeps an entry for (gg_rl4, gg_rl6): those that
 * used a good part of their burst lately. Reading does not disturb which of
 * them the kernel forgets.
 */
#ifndef FASTPATH_SOURCES_H
#define FASTPATH_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct fastpath;

/* What a bucket has at this moment, in packets, bytes or connections. */
struct fastpath_left {
	bool limited;
	uint64_t left, burst;
};

struct fastpath_source {
	struct addr_prefix prefix;
	uint32_t slot, rule; /* rule: index in fastpath_limits.rules */
	bool shadow;
	struct fastpath_left packets, bytes, connections;
	/* Packets refused, in shadow those that would have been: exact up to
	 * 64, then in steps of 64. */
	uint64_t dropped;
};

typedef void fastpath_source_f(const struct fastpath_source *source, void *arg);
/* In no order. -1: the map cannot be read. */
int fastpath_sources_each(const struct fastpath *f, fastpath_source_f *cb,
	void *arg);
/* Forgets what the sources of a slot have used. */
void fastpath_limit_forget(struct fastpath *f, uint32_t slot);

#endif
