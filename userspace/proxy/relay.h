/*
 * A TCP connection that is relayed to an endpoint as it is: where XDP does not
 * steer a service, or is not to. Bytes go both ways with back-pressure: a side
 * is read only while nothing waits for the other. Each side's end is passed on
 * by itself (half-close); a cut on one side is seen as a cut on the other.
 * What an endpoint that cannot be reached did not get, another one may.
 *
 * A relay depends on its service, and its generation, only until it is
 * connected; then it lives until both sides have ended, one was cut, nothing
 * moved for the idle timeout, or the worker's draining is over. Private to
 * proxy/.
 */
#ifndef PROXY_RELAY_H
#define PROXY_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "model/counters.h"
#include "net/conn.h"
#include "net/wheel.h"
#include "proxy/worker.h"

struct backend;
struct generation;
struct image_service;
struct relay;

enum relay_state {
	RELAY_CONNECTING,
	RELAY_OPEN,
	RELAY_CLOSED,
};

struct relay_side {
	struct conn conn; /* must be first */
	struct relay *relay;
	uint64_t bytes; /* received from it */
	bool shut;      /* the other side's end was passed on to it */
};

struct relay {
	struct relay_side client, upstream;
	struct worker *worker;
	struct relay *next, **at;
	struct counters_listener *counts;
	struct counters_upstream *upstream_counts; /* NULL: no upstream */
	struct backend *backend;                   /* NULL: none at present */
	/* CONNECTING only. */
	struct generation *generation;
	const struct image_service *service;
	struct wheel_timer timer; /* connect timeout, idle timeout */
	struct worker_later later;
	struct addr peer, used; /* used: the endpoint; port 0: none yet */
	uint32_t slot, place;   /* place: in the census */
	uint32_t upstream_id, idle_ms, attempts; /* attempts: left */
	uint64_t began_ms;
	uint64_t give_up_ms;                /* CONNECTING */
	char *service_name, *upstream_name; /* for the access log, or NULL */
	uint8_t state;                      /* enum relay_state */
	bool full; /* CONNECTING, its queue is: see connect_start */
};

/* Takes fd, which was accepted on that service, and its place. */
void relay_open(struct worker *w, int fd, const struct addr *peer,
	uint32_t slot, uint32_t place);
/* Ends it as it is. */
void relay_kill(struct relay *r);

#endif
