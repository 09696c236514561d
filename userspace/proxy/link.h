/*
 * A connection to an endpoint. It serves one exchange at a time and waits in
 * its endpoint's pool in between; whatever happens to it there ends it.
 * Private to proxy/.
 */
#ifndef PROXY_LINK_H
#define PROXY_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "net/conn.h"
#include "net/wheel.h"
#include "proxy/worker.h"

struct backend;
struct exchange;
struct secure;

enum link_state {
	LINK_CONNECTING,
	LINK_BUSY,
	LINK_IDLE,
	LINK_CLOSED,
};

struct link {
	struct conn conn; /* must be first */
	struct worker *worker;
	struct backend *backend;
	struct exchange *exchange; /* CONNECTING, BUSY */
	struct secure *secure;     /* it speaks TLS; NULL: it does not */
	struct link *next, **at;   /* IDLE: in the pool; CLOSED: next only */
	struct wheel_timer timer;  /* connect timeout, idle */
	struct worker_later later;
	uint32_t requests;
	uint8_t state;                /* enum link_state */
	bool pumping, again, shaking; /* shaking: CONNECTING, with TLS */
	bool trickles;                /* little came at a time */
	bool settled;                 /* secure_settle is done */
	bool full;           /* CONNECTING, its queue is: see connect_start */
	uint64_t give_up_ms; /* connecting; UINT64_MAX: never */
};

/* x was meant to go by TLS, which is no longer spoken there: it goes on no
 * connection at all, rather than in the clear. */
bool link_is_barred(const struct backend *b, const struct exchange *x);
/* A new connection for x; NULL and errno if it cannot even be begun: EPROTO
 * where it is TLS that cannot, and the endpoint's secure says why, or x is
 * barred. */
struct link *link_open(struct worker *w, struct backend *b,
	uint32_t connect_timeout_ms, struct exchange *x);
/* An idle connection for x, or NULL. */
struct link *link_reuse(struct backend *b, struct exchange *x);
/* Back to the pool. */
void link_rest(struct link *l);
void link_close(struct link *l); /* NULL is fine */
/* Reads what there is, if the exchange wants it. */
void link_pump(struct link *l);
/* Its peer takes nothing any more; what it said before is read to its end. */
void link_send_failed(struct link *l);

static inline bool
link_is_reused(const struct link *l)
{
	return l->requests > 1;
}

#endif
