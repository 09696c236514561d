/* Which endpoints of a set are in the next one too. */
#include "model/endpoint_key.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/endpoint.h"

static int
addr_order(const struct addr *a, const struct addr *b)
{
	int order = memcmp(a->ip, b->ip, sizeof(a->ip));

	if (order != 0)
		return order;
	return (a->port_be > b->port_be) - (a->port_be < b->port_be);
}

static int
key_compare(const void *a, const void *b)
{
	const struct endpoint_key *x = a, *y = b;
	int order = addr_order(x->addr, y->addr);

	if (order != 0)
		return order;
	if (x->owner != y->owner)
		return x->owner < y->owner ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

void
endpoint_keys_sort(struct endpoint_key *keys, size_t count)
{
	if (count > 0)
		qsort(keys, count, sizeof(*keys), key_compare);
}

size_t
endpoint_keys_find(const struct endpoint_key *keys, size_t count,
	const struct addr *addr)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (addr_order(keys[middle].addr, addr) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Those of one address on both sides. */
struct group {
	const struct endpoint_key *had, *want;
	size_t had_count, want_count;
	bool *taken; /* of had */
	uint32_t *from;
};

static void
pair(const struct group *g, size_t i, size_t k)
{
	g->from[g->want[k].index] = g->had[i].index;
	g->taken[i] = true;
}

static void
match_owners(const struct group *g)
{
	size_t i = 0, k = 0;

	while (i < g->had_count && k < g->want_count) {
		uint64_t had = g->had[i].owner, want = g->want[k].owner;

		if (had == want)
			pair(g, i, k);
		i += had <= want;
		k += had >= want;
	}
}

/* What is left has unknown owners on one side at most, where they come first:
 * once two known ones meet, all are known. */
static void
match_unknown(const struct group *g)
{
	size_t i = 0, k = 0;

	while (i < g->had_count && k < g->want_count) {
		if (g->taken[i]) {
			i++;
		} else if (g->from[g->want[k].index] != ENDPOINT_KEY_NONE) {
			k++;
		} else if (endpoint_owner_fits(
				   g->had[i].owner, g->want[k].owner)) {
			pair(g, i++, k++);
		} else {
			return;
		}
	}
}

static size_t
group_end(const struct endpoint_key *keys, size_t at, size_t count)
{
	size_t end = at + 1;

	while (end < count && addr_order(keys[end].addr, keys[at].addr) == 0)
		end++;
	return end;
}

void
endpoint_keys_match(const struct endpoint_key *had, size_t had_count,
	const struct endpoint_key *want, size_t want_count, uint32_t *from)
{
	bool *taken = xcalloc(had_count + 1, sizeof(*taken));
	size_t i = 0, k = 0;

	for (size_t n = 0; n < want_count; n++)
		from[n] = ENDPOINT_KEY_NONE;
	while (i < had_count && k < want_count) {
		int order = addr_order(had[i].addr, want[k].addr);
		size_t had_end = group_end(had, i, had_count);
		size_t want_end = group_end(want, k, want_count);
		const struct group g = { &had[i], &want[k], had_end - i,
			want_end - k, &taken[i], from };

		if (order == 0) {
			match_owners(&g);
			match_unknown(&g);
		}
		if (order <= 0)
			i = had_end;
		if (order >= 0)
			k = want_end;
	}
	free(taken);
}
