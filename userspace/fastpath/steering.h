/*
 * Services that XDP steers by itself: control says which, fastpath fills the
 * maps and tends them: rings change slot by slot so that connections stay where
 * they are, next hops are followed, what is over is swept out. What the kernel
 * holds survives the daemon and is read back, never flushed.
 */
#ifndef FASTPATH_STEERING_H
#define FASTPATH_STEERING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"
#include "bpf/contract.h"
#include "fastpath/fastpath.h"

enum fastpath_backend_state {
	FASTPATH_BACKEND_UP,
	FASTPATH_BACKEND_DRAINING, /* keeps its connections, gets no new ones */
	FASTPATH_BACKEND_DOWN,     /* its connections are lost: moved at once */
};

struct fastpath_backend {
	struct addr addr; /* dsr-l2, ipip, gue: the port is the service's,
			     whatever this says */
	uint32_t weight;  /* 0: as draining */
	enum fastpath_backend_state state;
	/* Whose address it is; 0: not known. Another owner is another backend:
	 * the connections of the former are lost, the ring stays as it is. */
	uint64_t owner;
};

/* How long a slot of the ring that got another owner asks for the connections
 * of the old one. A connection that is idle all that time may be reset. */
#define FASTPATH_DRAIN_MS_DEFAULT (15 * 60 * 1000)
#define FASTPATH_DRAIN_MS_MAX     (8 * 60 * 60 * 1000)

#define FASTPATH_UDP_IDLE_S_DEFAULT 30

struct fastpath_service {
	uint32_t slot;    /* GG_LISTENERS_MAX..GG_SLOTS_MAX-1 */
	struct addr addr; /* a wildcard stands for the local addresses, as a
			     listener's does; not in GG_MODE_ROUTE */
	uint8_t l4_proto; /* IPPROTO_TCP, IPPROTO_UDP */
	uint8_t mode;     /* enum gg_mode, not GG_MODE_PASS */
	uint32_t flags;   /* GG_SERVICE_* */
	uint32_t idle_s;  /* of a UDP flow; 0: the default */
	uint64_t drain_ms; /* 0: the default */
	bool relayed; /* TCP: the stack may have connections to it, which stay
			 there */
	bool leaving; /* and it gets the new ones; the older ones are steered */
	const struct fastpath_backend *backends;
	size_t backend_count;
};

/*
 * Brings the maps to exactly this set, by difference, adding before removing.
 * A backend that is no longer named drains. Everything is copied. Until the
 * first call, which may be of none, what a former daemon left stays as it is.
 *
 * A backend that XDP cannot send to (no route, another family, ...) is left out
 * of its service. A service that is wrong (its address taken by another, all of
 * its backends left out, ...) is refused by itself: the kernel keeps what it had
 * of it, but for the state of its backends, and those that are not named any
 * more drain; the others are brought up. Then this returns -1, err has the first
 * sentence, and fastpath_service_state() has each. 0 without a kernel half:
 * nothing is enforced, which fastpath_state() says.
 */
int fastpath_services_set(struct fastpath *f,
	const struct fastpath_service *set, size_t count, struct error *err);
/* How often the maps of services were brought to what is wanted, since the
 * start. */
uint64_t fastpath_steering_commits(const struct fastpath *f);
/* What would be refused if it was set now, beside the others that are; changes
 * nothing. */
int fastpath_service_check(struct fastpath *f,
	const struct fastpath_service *service, struct error *err);

/* The slot under which the kernel steers this address, 0: it does not. For who
 * starts anew and must give services the slots that they had. */
uint32_t fastpath_service_slot(const struct fastpath *f,
	const struct addr *addr, uint8_t l4_proto);

struct fastpath_backend_status {
	struct addr addr;
	enum fastpath_backend_state state;
	bool removed;     /* not in the set: here until its connections ended */
	bool reachable;   /* its next hop's address is known */
	uint32_t ifindex; /* of the way there; 0: none */
	uint64_t packets, bytes, connections; /* since it became a backend */
	uint32_t ring_slots; /* that send it new connections */
	uint32_t kept; /* connections in gg_ct4 and gg_ct6, at the last sweep */
};

struct fastpath_service_state {
	uint32_t slot;
	bool enforced; /* the kernel holds what was asked for last, but for
			  backends that are left out, which problem says */
	char problem[256]; /* why not, or what else is wrong; or empty */
	uint32_t moved_slots, pinned_slots; /* of GG_RING_SLOTS */
	uint64_t kept; /* connections in gg_ct4, gg_ct6, at the last sweep */
	uint64_t nat;  /* connections in gg_nat4, gg_nat6, likewise */
	uint64_t nat_expired; /* idle for too long: taken out since the start */
	uint64_t changes; /* how often its backends, its ring or what else is
			     its alone were brought to another state */
	size_t unreachable;   /* backends whose next hop's address is unknown */
	const struct fastpath_backend_status *backends;
	size_t backend_count;
};

/* NULL: no service has the slot. Good until the next call of anything here. */
const struct fastpath_service_state *fastpath_service_state(
	struct fastpath *f, uint32_t slot);

/* What time brings: windows end, tables are swept, next hops are asked for. To
 * be called each second or more often; takes some milliseconds at most. */
void fastpath_steering_tick(struct fastpath *f, uint64_t now_ms);

#endif
