/*
 * The backends of all services by their index in gg_backend. An index belongs
 * to a service, an address and the owner of that for as long as anything names
 * it: the set that was asked for, a slot of the ring, a connection that is
 * kept. Only then it is given to another.
 */
#ifndef FASTPATH_BACKENDS_H
#define FASTPATH_BACKENDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "bpf/contract.h"
#include "fastpath/steering.h"
#include "fastpath/way.h"

struct backend {
	uint32_t slot; /* of its service; 0: the index is free */
	struct addr addr;
	uint64_t owner; /* of addr; 0: not known */
	enum fastpath_backend_state state;
	bool removed; /* not in the set that was asked for last */
	bool former;  /* and its address has another index: another's now */
	struct way way;
	uint32_t ring_slots, ring_bases; /* slots with it as current, as base */
	uint32_t kept, nat; /* connections of it at the last sweep */
	bool unnamed; /* by any slot when the sweep that runs began */
};

#define BACKENDS_BUCKETS (2 * GG_BACKENDS_MAX)

struct backends {
	struct backend list[GG_BACKENDS_MAX]; /* 0 is nobody's */
	uint32_t count;                       /* in use */
	uint16_t lowest; /* none below is free */
	/* Index by hash, of all that are not former; 0: empty. */
	uint16_t buckets[BACKENDS_BUCKETS];
};

/* Who has the address now; 0: there is none. */
uint16_t backends_find(struct backends *b, uint32_t slot,
	const struct addr *addr);
/* Whether index, 0 or that of its address, is that owner's. */
bool backends_is_owner(const struct backends *b, uint16_t index,
	uint64_t owner);
/* The index it has or a free one; 0: all are in use. What another owner of the
 * address had becomes former: removed and down. */
uint16_t backends_take(struct backends *b, uint32_t slot,
	const struct addr *addr, uint64_t owner);
void backends_release(struct backends *b, uint16_t index);
/* What a map said that a former daemon filled; they count as removed until
 * they are asked for. */
void backends_restore(struct backends *b, const struct gg_backend *rows);
/* As gg_backend is to say it. */
void backend_row(const struct backend *backend, struct gg_backend *row);

#endif
