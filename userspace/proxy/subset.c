/* Subsets of an upstream's endpoints. */
#include "proxy/subset.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "proxy/upstream.h"
#include "routing/balance.h"

/* Routes come and go without the set being another: from so many on all are
 * made anew. */
#define SUBSETS_KEPT 4096

static void
subset_free(struct subset *s)
{
	balance_free(s->balance);
	free(s->members);
	free(s);
}

void
subsets_drop(struct upstream *u)
{
	size_t count = balance_count(u->balance);

	if (u->subset_count == 0)
		return;
	for (size_t i = 0; i < count; i++)
		u->backends[i]->place_count = 0;
	for (size_t i = 0; i < u->subset_count; i++)
		subset_free(u->subsets[i]);
	free(u->subsets);
	u->subsets = NULL;
	u->subset_count = 0;
}

static bool
is_member(const struct backend *b, uint64_t identity)
{
	for (size_t i = 0; b->subsets != NULL && i < SUBSETS_MAX; i++)
		if (b->subsets[i] == identity)
			return true;
	return false;
}

static void
place_add(struct backend *b, const struct subset *s, uint32_t index)
{
	if (b->places == NULL)
		b->places = xcalloc(SUBSETS_MAX, sizeof(*b->places));
	b->places[b->place_count++] = (struct subset_place){ s, index };
}

static struct subset *
subset_new(struct upstream *u, uint64_t identity)
{
	size_t all = balance_count(u->balance), count = 0;
	struct subset *s = xcalloc(1, sizeof(*s));

	s->identity = identity;
	for (size_t i = 0; i < all; i++)
		count += is_member(u->backends[i], identity);
	s->balance = balance_new(count);
	s->members = xcalloc(count + 1, sizeof(*s->members));
	count = 0;
	for (size_t i = 0; i < all; i++) {
		if (!is_member(u->backends[i], identity))
			continue;
		place_add(u->backends[i], s, (uint32_t)count);
		*balance_candidate(s->balance, count) =
			*balance_candidate(u->balance, i);
		s->members[count++] = (uint32_t)i;
	}
	return s;
}

/* Where it stands, or would stand. */
static size_t
place_find(const struct upstream *u, uint64_t identity)
{
	size_t low = 0, high = u->subset_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (u->subsets[middle]->identity < identity)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct subset *
subset_get(struct upstream *u, uint64_t identity)
{
	size_t at = place_find(u, identity);

	if (at < u->subset_count && u->subsets[at]->identity == identity)
		return u->subsets[at];
	if (u->subset_count == SUBSETS_KEPT) {
		subsets_drop(u);
		at = 0;
	}
	u->subsets = xreallocarray(
		u->subsets, u->subset_count + 1, sizeof(*u->subsets));
	memmove(u->subsets + at + 1, u->subsets + at,
		(u->subset_count - at) * sizeof(*u->subsets));
	u->subsets[at] = subset_new(u, identity);
	u->subset_count++;
	return u->subsets[at];
}

static struct balance_candidate *
candidate_at(const struct subset_place *p)
{
	return balance_candidate(p->subset->balance, p->index);
}

void
subset_note_active(const struct backend *b)
{
	for (uint32_t i = 0; i < b->place_count; i++)
		candidate_at(&b->places[i])->active = b->active;
}

void
subset_note_health(const struct backend *b)
{
	for (uint32_t i = 0; i < b->place_count; i++) {
		*candidate_at(&b->places[i]) =
			*balance_candidate(b->upstream->balance, b->index);
		balance_changed(b->places[i].subset->balance);
	}
}
