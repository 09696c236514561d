/*
 * What becomes of one slot of a service's ring, as steps from one value to the
 * next. No step moves a connection whose backend is alive:
 *
 *   stable   current == base, no flag: whatever comes goes to current.
 *   moved    current takes what begins, which is kept (gg_ct4, gg_ct6) from
 *            its first packet; what is not kept is of base, and kept from then
 *            on. Ends when all that base still has was heard of: the window.
 *   pinned   current == base again: what is kept goes where it was, what is not
 *            goes to current. Ends when none is kept that is elsewhere.
 */
#ifndef FASTPATH_RING_SLOT_H
#define FASTPATH_RING_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/contract.h"

/* What is known of the connections of a slot that gets another owner. */
enum ring_keeping {
	RING_KEEPS_NONE,  /* gg_nat4 and gg_nat6 hold them, or they may move */
	RING_KEEPS_KNOWN, /* each is kept from its first packet on */
	RING_KEEPS_ALL,   /* the old owner has some that nobody heard of yet */
};

/* now_s everywhere: the low bits of CLOCK_MONOTONIC in seconds. */

/* Of a service that is new: there is nothing to keep. */
struct gg_ring_slot ring_slot_first(uint16_t owner, uint16_t now_s);
/* The ring gives the slot to owner (0: nobody), perhaps the one it had.
 * base_lost: the backend of base is dead, and so are its connections. */
struct gg_ring_slot ring_slot_give(struct gg_ring_slot slot, uint16_t owner,
	bool base_lost, enum ring_keeping keeping, uint16_t now_s);
/* True when the window of a moved slot is over. */
bool ring_slot_is_due(struct gg_ring_slot slot, uint16_t window_s,
	uint16_t now_s);
/* The window of a moved slot ends. */
struct gg_ring_slot ring_slot_pin(struct gg_ring_slot slot, uint16_t now_s);
/* Nothing that is kept of a pinned slot is elsewhere. */
struct gg_ring_slot ring_slot_settle(struct gg_ring_slot slot, uint16_t now_s);

static inline bool
ring_slot_equal(struct gg_ring_slot a, struct gg_ring_slot b)
{
	return a.current == b.current && a.base == b.base &&
		a.flags == b.flags && a.epoch == b.epoch;
}

#endif
