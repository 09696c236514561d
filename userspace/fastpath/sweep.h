/*
 * A walk over the connections of all sets of maps: gg_ct4, gg_ct6, gg_nat4,
 * gg_nat6, batch by batch, so that no step takes long. What was in a table for
 * the whole time of the walk was seen by it.
 */
#ifndef FASTPATH_SWEEP_H
#define FASTPATH_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/contract.h"
#include "fastpath/sets.h"

/* True: take it out. A key is a gg_flow4 or gg_flow6. */
struct sweep_judge {
	bool (*connection)(uint8_t l4_proto, const struct gg_connection *c,
		void *arg);
	/* peer: its other direction; NULL: that is gone. Asked for entries
	 * that want_peer is true for; what is taken out goes as a pair. */
	bool (*want_peer)(uint8_t l4_proto, const struct gg_nat *nat,
		void *arg);
	bool (*nat)(uint8_t l4_proto, const struct gg_nat *nat,
		const struct gg_nat *peer, void *arg);
	void *arg;
};

struct sweep {
	bool running;
	bool failed; /* the kernel did not show a table: not all was seen */
	bool within; /* within a table */
	size_t set;
	unsigned table;
	uint32_t place; /* the kernel's, within a table */
	void *keys, *values;
};

void sweep_begin(struct sweep *s);
/* True when the walk is over. Stops at deadline_us of clock_monotonic_us(), but
 * takes one batch at least. */
bool sweep_step(struct sweep *s, const struct sets *sets,
	const struct sweep_judge *judge, uint64_t deadline_us);
void sweep_stop(struct sweep *s);

#endif
