/*
 * Which endpoint gets the next request. Pure: the caller says how many
 * requests each endpoint has in work, what time it is and what was drawn at
 * random. Endpoints that are not up are left out, unless fewer are up than the
 * panic threshold says (or none is): then all are used.
 *
 * Least request, the default: of a few drawn at random, by weight, the one
 * with the fewest requests in work for its weight (the first drawn if equal,
 * so that weights also hold when idle). Round robin: by earliest deadline, so
 * that weights hold over any stretch. Ring hash and Maglev: by the request's
 * hash; without one, at random. An endpoint in its slow start is passed over
 * in proportion to what its share lacks.
 */
#ifndef ROUTING_BALANCE_H
#define ROUTING_BALANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/policy.h"

struct balance_candidate {
	uint64_t identity; /* of its address; for rings */
	uint64_t up_ms;    /* since when it may serve; for slow start */
	uint32_t active;   /* requests in work */
	uint16_t weight;   /* 0 counts as 1 */
	uint8_t health;    /* enum endpoint_health */
};

struct balance_request {
	uint64_t now_ms;
	uint64_t *random; /* state of balance_random */
	uint64_t hash;
	bool hashed;  /* there is a hash */
	size_t avoid; /* if another can be had; BALANCE_NONE */
};

#define BALANCE_NONE ((size_t)-1)

struct balance;

/* count candidates, all zero: to be filled in, then balance_changed. */
struct balance *balance_new(size_t count);
void balance_free(struct balance *b);
size_t balance_count(const struct balance *b);
/* Borrowed; active may be changed at any time, the rest with
 * balance_changed. */
struct balance_candidate *balance_candidate(struct balance *b, size_t i);
/* Health or up_ms of a candidate is another. */
void balance_changed(struct balance *b);
/* The number of the candidate; BALANCE_NONE if there is none. */
size_t balance_pick(struct balance *b, const struct policy_balance *policy,
	const struct balance_request *r);

/* xorshift; the worker's own state, never 0. */
uint64_t balance_random(uint64_t *state);

#endif
