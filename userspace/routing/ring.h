/*
 * A ring of slots that leads a hash to one of several members, so that few
 * hashes move when a member comes or goes. Two forms: Maglev (a table of prime
 * size, filled by the members in turn, each along its own permutation;
 * Eisenbud et al., NSDI 2016, 3.4) and a hash ring (points on a circle,
 * Karger et al. 1997). Both honour weights. Pure: the same members give the
 * same ring, in whatever order they come.
 */
#ifndef ROUTING_RING_H
#define ROUTING_RING_H

#include <stddef.h>
#include <stdint.h>

#define RING_MAGLEV_SLOTS 65537 /* prime */

struct ring_member {
	uint64_t identity; /* well mixed; two members differ */
	uint32_t weight;   /* 0 counts as 1 */
};

struct ring;

/* count > 0; slots must be prime. */
struct ring *ring_new_maglev(
	const struct ring_member *members, size_t count, uint32_t slots);
/* At least `least` points if `most` allows, of which each has one at least; as
 * many for a weight, whoever else is there. */
struct ring *ring_new_points(const struct ring_member *members, size_t count,
	uint32_t least, uint32_t most);
void ring_free(struct ring *r); /* NULL is fine */

uint32_t ring_slots(const struct ring *r);
/* Where a hash lies; the slots after it, wrapping round, are its next best. */
uint32_t ring_find(const struct ring *r, uint64_t hash);
uint32_t ring_member_at(const struct ring *r, uint32_t slot);

#endif
