/* The listeners and services that the cases of `scripts/bench xdp` need. */
#ifndef TESTS_BENCH_XDP_GATEWAY_SLOTS_H
#define TESTS_BENCH_XDP_GATEWAY_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "bpf/contract.h"

enum {
	SLOT_BOX,
	SLOT_LISTENER,
	SLOT_HOT,     /* a limit that its source does not reach */
	SLOT_MANY,    /* the same, for many sources */
	SLOT_FLOOD,   /* a limit as usual, for sources that never come back */
	SLOT_REFUSED, /* a limit that is reached at once */
	SLOT_WORDS,   /* of packets, bytes and connections, none reached */
	SLOT_FINE,    /* as SLOT_HOT, by the fine clock */
	SLOT_EXACT,   /* whose every packet is accounted for */
	SLOT_DSR4 = GG_LISTENERS_MAX,
	SLOT_DSR6,
	SLOT_ROUTE4,
	SLOT_ROUTE6,
	SLOT_NAT4_1,   /* one connection; 64 k; 1 M */
	SLOT_NAT4_64K,
	SLOT_NAT4_1M,
	SLOT_NAT4_FLOOD,
	SLOT_DSR4_MOVED, /* 5 % of its ring in transition */
	SLOT_ROUTE4_MOVED,
	SLOT_DSR4_BELOW, /* a limit of whose sources none gets an entry */
	SLOT_DSR4_KEYED, /* a limit of whose sources all have one */
	SLOT_END,
};

#define GATEWAY_BACKENDS 100 /* of each service */
#define GATEWAY_PORT     80

struct slot {
	const char *address;
	enum gg_mode mode;
	bool limited;
	bool moved; /* see SLOT_DSR4_MOVED */
	struct {
		uint32_t rate, burst; /* a second; burst 0: not limited */
	} packets, bytes, connections;
};

/* NULL: the slot is not used. */
const struct slot *slot_get(uint32_t slot);
uint32_t slot_number(const struct slot *s);
struct gg_rule slot_rule(const struct slot *s);
void slot_backend(const struct slot *s, uint32_t index, struct addr *a);
/* What a backend in mode nat sees as its client. */
void slot_box_address(const struct slot *s, struct addr *a);
/* Ticks of the kernel a second. */
uint32_t kernel_hz(void);

#endif
