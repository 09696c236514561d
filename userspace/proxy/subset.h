/*
 * Subsets of an upstream's endpoints, as destinations name them: each is
 * balanced by itself, over those of its endpoints alone. One is made when a
 * request first asks for it, and goes with the set of endpoints that it was
 * made of. What an endpoint has in work counts in all of its subsets. Private
 * to proxy/.
 */
#ifndef PROXY_SUBSET_H
#define PROXY_SUBSET_H

#include <stddef.h>
#include <stdint.h>

struct backend;
struct balance;
struct upstream;

struct subset {
	uint64_t identity;
	struct balance *balance;
	uint32_t *members; /* which of the upstream's backends, by candidate */
};

/* Where a backend stands in a subset that was made. */
struct subset_place {
	const struct subset *subset;
	uint32_t index; /* of its candidate */
};

/* Without endpoints if none is in it. Valid until the set is another. */
const struct subset *subset_get(struct upstream *u, uint64_t identity);
/* Before the set of endpoints is another, or the upstream goes. */
void subsets_drop(struct upstream *u);
/* b has more or less in work. */
void subset_note_active(const struct backend *b);
/* b's candidate has another health, or serves since another time. */
void subset_note_health(const struct backend *b);

#endif
