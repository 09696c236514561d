/*
 * A client's connection: reads requests one after the other and gives each to
 * an exchange. Private to proxy/.
 */
#ifndef PROXY_SESSION_H
#define PROXY_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "http/body.h"
#include "model/counters.h"
#include "net/conn.h"
#include "net/wheel.h"
#include "proxy/worker.h"

struct exchange;

enum session_state {
	SESSION_HEAD,    /* between requests, or within a head */
	SESSION_BODY,    /* an exchange takes the body */
	SESSION_WAIT,    /* the request is complete, its answer is not */
	SESSION_DISCARD, /* answered; what is left of the body is thrown away */
	SESSION_FLUSH,   /* answered for the last time; bytes wait */
	SESSION_LINGER,  /* all is sent; the client may still be sending */
	SESSION_CLOSED,
};

/* How it goes on after an answer. */
enum session_next {
	SESSION_NEXT_REQUEST,
	SESSION_NEXT_CLOSE,
	SESSION_NEXT_LINGER, /* close, but let the client read the answer */
	SESSION_NEXT_RESET,  /* close so that the client sees the cut */
};

struct session {
	struct conn conn; /* must be first */
	struct worker *worker;
	struct session *next, **at;
	struct exchange *exchange; /* BODY, WAIT */
	struct counters_listener *counts;
	struct wheel_timer timer;
	struct worker_later later;
	struct addr peer;
	uint32_t slot, place;  /* place: in the census */
	struct http_body body; /* of the request at hand */
	uint64_t body_max;     /* what held when its head came; 0: none */
	uint64_t input_ms;     /* when body bytes came last */
	/* Since then the rate of the body is watched; its bytes by then. */
	uint64_t rate_ms, rate_bytes;
	uint32_t seen; /* bytes of an unfinished head that were parsed */
	uint32_t discarded;
	uint8_t state;                /* enum session_state */
	uint8_t after;                /* FLUSH: enum session_next */
	bool pumping, again, started; /* started: bytes of a head came */
};

/* Takes fd, which was accepted on that listener, and its place. */
void session_open(struct worker *w, int fd, const struct addr *peer,
	uint32_t slot, uint32_t place);
/* Reads and works off what there is. */
void session_pump(struct session *s);
/* The exchange has answered; it no longer belongs to the session. */
void session_answered(struct session *s, enum session_next next);
/* Something was queued: the client must not stall for ever. */
void session_watch_output(struct session *s);
/* Draining: one that waits for a request is closed soon. */
void session_drain(struct session *s);
/* Another request may come on it after this answer. */
static inline bool
session_stays(const struct session *s)
{
	return !s->worker->draining && !s->worker->left[s->slot];
}

/* Ends it as it is, an exchange in work included. */
void session_kill(struct session *s);

#endif
