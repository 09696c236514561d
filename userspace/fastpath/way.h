/*
 * The way to a backend: route, interface, and the MAC of the next hop, as the
 * kernel knows them. XDP looks none of it up: it stands in gg_backend.
 */
#ifndef FASTPATH_WAY_H
#define FASTPATH_WAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"

struct way {
	uint32_t ifindex; /* 0: there is no route */
	uint8_t hop[16];  /* the gateway, or the address itself */
	uint8_t source[16]; /* that this box has on the way there */
	bool on_link;       /* no gateway in between */
	uint16_t mtu;       /* in bytes of IP */
	uint8_t from_mac[6], to_mac[6];
	bool reachable; /* to_mac is known */
	bool stale;     /* something changed: to be asked anew */
	uint64_t provoked_ms; /* when its resolution was last asked for */
};

/* Route and interface, into all but to_mac and reachable; -1: err says why
 * nothing can be sent to the address that way. The rest of *way stays. */
int way_find(int netlink, struct way *way, const struct addr *to,
	struct error *err);
/* The MAC of the next hop, as it is now. Where it is not known, or was not
 * confirmed for long, the kernel is made to ask for it, once a second. */
void way_meet(int netlink, struct way *way, uint64_t now_ms);

#endif
