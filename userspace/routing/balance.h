/*
 * Which endpoint gets the next request. Pure: the caller says how many
 * requests each endpoint has in work. Default: of two drawn at random, by
 * weight, the one with fewer requests in work for its weight (the first drawn
 * if equal, so that weights also hold when idle); endpoints that are not up
 * are left out unless all are.
 */
#ifndef ROUTING_BALANCE_H
#define ROUTING_BALANCE_H

#include <stddef.h>
#include <stdint.h>

struct balance_candidate {
	uint32_t active; /* requests in work */
	uint16_t weight;
	uint8_t health; /* enum endpoint_health */
	uint8_t tried;  /* in this request, avoid */
};

#define BALANCE_NONE ((size_t)-1)

/* random: two independent 32-bit numbers in one. BALANCE_NONE if count is 0 */
size_t balance_pick(const struct balance_candidate *c, size_t count,
	uint64_t random);
/* xorshift; the worker's own state, never 0. */
uint64_t balance_random(uint64_t *state);

#endif
