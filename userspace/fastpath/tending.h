/*
 * What time brings to the services that XDP steers: windows of moved slots end,
 * connections that are over are swept out and pinned slots settle, indices
 * become free, next hops are followed.
 */
#ifndef FASTPATH_TENDING_H
#define FASTPATH_TENDING_H

#include <stdint.h>

#include "fastpath/steered.h"

/* A TCP connection is over after so long without a packet; in mode nat also
 * when both sides closed it, or one did. */
#define TENDING_TCP_IDLE_S   (2 * 60 * 60)
#define TENDING_TCP_HALF_S   (10 * 60)
#define TENDING_TCP_CLOSED_S 60

void tending_tick(struct steered *s, uint64_t now_ms);
/* The entry of a neighbour changed: those whose next hop it is follow. */
void tending_neighbour(struct steered *s, uint32_t ifindex,
	const uint8_t ip[16], uint64_t now_ms);
/* Routes or interfaces changed: all ways are to be asked for anew. */
void tending_routes(struct steered *s);
/* Asks for those that are to be, and looks at some of the others. */
void tending_ways(struct steered *s, uint64_t now_ms);

#endif
