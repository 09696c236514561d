/*
 * A TCP service that changes hands between XDP and the relay of the proxy: new
 * connections go the new way, older ones stay where they are. What XDP begins
 * to steer may have relayed connections, which the kernel is told to leave
 * alone until the last has ended; what XDP is to steer no more it goes on
 * steering, but for new connections, until its drain is over. Pure.
 */
#ifndef CONTROL_HANDOVER_H
#define CONTROL_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "fastpath/steering.h"

struct handover { /* of one slot; all zero: XDP was not asked */
	bool asked;    /* XDP is asked to steer it */
	uint8_t kept;  /* ticks until there are no relayed connections */
	uint64_t leaves_ms; /* then XDP is asked no more; 0: it is not leaving */
	struct fastpath_service last; /* what was asked, without backends */
};

/* Before each commit. relay: XDP is not to have it. */
void handover_turn(struct handover *h, bool relay, uint64_t now_ms);
/* XDP is asked for s, which takes what the handover adds. */
void handover_ask(struct handover *h, struct fastpath_service *s);
/* XDP is not asked. */
void handover_end(struct handover *h);
/* Each second; relays: there are relayed connections. True: XDP is to be told
 * anew. */
bool handover_tick(struct handover *h, bool relays, uint64_t now_ms);

static inline bool
handover_is_leaving(const struct handover *h)
{
	return h->leaves_ms != 0;
}

#endif
