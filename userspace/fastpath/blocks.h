/*
 * Sources whose new TCP connections to one slot are dropped for a bounded time
 * (gg_block), of an IPv6 one for its /64. Blocks outlive the daemon and end by themselves.
 */
#ifndef FASTPATH_BLOCKS_H
#define FASTPATH_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"

struct fastpath;

/* From now for ms; a block that stands is set anew. 0 when the kernel holds it
 * (or there is no kernel half). */
int fastpath_block(struct fastpath *f, uint32_t slot, const struct addr *addr,
	uint32_t ms, struct error *err);
/* Before its time; nothing happens when there is none. */
void fastpath_unblock(struct fastpath *f, uint32_t slot,
	const struct addr *addr);
/* Takes blocks away whose time is over (called each second by control); how
 * many still stand. */
size_t fastpath_blocks_sweep(struct fastpath *f);

struct fastpath_block {
	struct addr addr; /* port 0; of IPv6 the first of the /64 */
	uint32_t slot;
	uint64_t left_ms;
	uint64_t dropped; /* connection requests */
};

typedef void fastpath_block_f(const struct fastpath_block *block, void *arg);
int fastpath_blocks_each(const struct fastpath *f, fastpath_block_f *cb,
	void *arg);

#endif
