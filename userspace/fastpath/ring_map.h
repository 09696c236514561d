/*
 * The ring of one service in the kernel: an inner map of gg_ring, mapped into
 * memory. A slot is changed by one store of eight bytes, so a packet sees it
 * before or after, never in between.
 */
#ifndef FASTPATH_RING_MAP_H
#define FASTPATH_RING_MAP_H

#include <stdint.h>

#include "base/error.h"
#include "bpf/contract.h"

struct ring_map {
	int fd; /* -1: not open */
	uint32_t id;
	const struct gg_ring_slot *slots; /* GG_RING_SLOTS of them */
};

void ring_map_init(struct ring_map *r);
/* A new one, all of it nobody's, in no map yet. */
int ring_map_make(struct ring_map *r, struct error *err);
/* The one that stands in outer (gg_ring) under slot; 1: there is none. */
int ring_map_find(struct ring_map *r, int outer, uint32_t slot,
	struct error *err);
void ring_map_close(struct ring_map *r);
void ring_map_store(const struct ring_map *r, uint32_t at,
	struct gg_ring_slot value);
/* Makes outer name this ring under slot, if it does not yet. May put a copy in
 * its place, for kernels that are strict about it. */
int ring_map_name(struct ring_map *r, int outer, uint32_t slot,
	struct error *err);

#endif
