/* A service that changes hands between XDP and the relay. */
#include "control/handover.h"

#include <netinet/in.h>
#include <string.h>

/* One that was accepted a moment ago may not be counted yet. */
#define KEPT_TICKS 2

void
handover_turn(struct handover *h, bool relay, uint64_t now_ms)
{
	if (!relay || !h->asked)
		h->leaves_ms = 0;
	else if (h->leaves_ms == 0)
		h->leaves_ms = now_ms + h->last.drain_ms;
	else if (h->leaves_ms <= now_ms)
		h->leaves_ms = 0;
}

void
handover_ask(struct handover *h, struct fastpath_service *s)
{
	bool leaving = handover_is_leaving(h);

	if (leaving) {
		s->mode = h->last.mode;
		s->flags = h->last.flags;
		s->drain_ms = h->last.drain_ms;
	}
	if (s->l4_proto == IPPROTO_TCP && (leaving || !h->asked))
		h->kept = KEPT_TICKS;
	s->leaving = leaving;
	s->relayed = h->kept > 0;
	h->asked = true;
	h->last = *s;
	h->last.backends = NULL;
	h->last.backend_count = 0;
}

void
handover_end(struct handover *h)
{
	memset(h, 0, sizeof(*h));
}

bool
handover_tick(struct handover *h, bool relays, uint64_t now_ms)
{
	if (handover_is_leaving(h))
		return h->leaves_ms <= now_ms;
	if (h->kept == 0 || relays)
		return false;
	return --h->kept == 0;
}
