/*
 * The backends of all services by their index in gg_backend. An index belongs
 * to a service and an address for as long as anything names it: the set that
 * was asked for, a slot of the ring, a connection that is kept. Only then it is
 * given to another.
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
	enum fastpath_backend_state state;
	bool removed; /* not in the set that was asked for last */
	struct way way;
	uint32_t ring_slots, ring_bases; /* slots with it as current, as base */
	uint32_t kept, nat; /* connections of it at the last sweep */
	bool unnamed; /* by any slot when the sweep that runs began */
};

#define BACKENDS_BUCKETS (2 * GG_BACKENDS_MAX)

struct backends {
	struct backend list[GG_BACKENDS_MAX]; /* 0 is nobody's */
	uint32_t count;                       /* in use */
	uint16_t buckets[BACKENDS_BUCKETS];   /* index by hash; 0: empty */
};

/* 0: there is none. */
uint16_t backends_find(struct backends *b, uint32_t slot,
	const struct addr *addr);
/* The index it has or a free one; 0: all are in use. */
uint16_t backends_take(struct backends *b, uint32_t slot,
	const struct addr *addr);
void backends_release(struct backends *b, uint16_t index);
/* What a map said that a former daemon filled; they count as removed until
 * they are asked for. */
void backends_restore(struct backends *b, const struct gg_backend *rows);
/* As gg_backend is to say it. */
void backend_row(const struct backend *backend, struct gg_backend *row);

#endif
