/*
 * Who an endpoint is: its address and whose that is. Which endpoints of a set
 * are in the next one too. Pure.
 */
#ifndef MODEL_ENDPOINT_KEY_H
#define MODEL_ENDPOINT_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct endpoint_key {
	const struct addr *addr; /* borrowed */
	uint64_t owner;          /* 0: not known */
	uint32_t index;          /* in its set */
};

#define ENDPOINT_KEY_NONE UINT32_MAX

/* By address, then owner, then index; the functions below want that order. */
void endpoint_keys_sort(struct endpoint_key *keys, size_t count);
/* The place of the first with that address, or where it would stand. */
size_t endpoint_keys_find(const struct endpoint_key *keys, size_t count,
	const struct addr *addr);
/* from, by the index of want: the index of had that it was, or
 * ENDPOINT_KEY_NONE: it is new. None of had is given twice. Of equal addresses
 * those of the same owner find each other first; then one whose owner is not
 * known is whoever is left. */
void endpoint_keys_match(const struct endpoint_key *had, size_t had_count,
	const struct endpoint_key *want, size_t want_count, uint32_t *from);

#endif
