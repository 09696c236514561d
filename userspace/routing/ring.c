/* Maglev tables and hash rings. */
#include "routing/ring.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

struct point {
	uint64_t hash;
	uint32_t member;
};

struct ring {
	uint32_t slots;
	uint32_t *members;     /* Maglev: by slot; NULL otherwise */
	struct point points[]; /* hash ring: by hash */
};

/* splitmix64's finish: every bit of x moves every bit of the result. */
static uint64_t
mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static uint32_t
weight_of(const struct ring_member *m)
{
	return m->weight > 0 ? m->weight : 1;
}

/* ---- Maglev */

struct walker { /* a member on its way through the slots */
	uint64_t identity;
	uint32_t member, at, skip;
	uint64_t weight, due; /* its turn comes when round * weight >= due */
};

static int
walker_compare(const void *a, const void *b)
{
	const struct walker *x = a, *y = b;

	return x->identity < y->identity ? -1 : x->identity > y->identity;
}

static uint64_t
walkers_init(struct walker *w, const struct ring_member *members, size_t count,
	uint32_t slots)
{
	uint64_t heaviest = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t h = mix(members[i].identity);

		w[i].identity = members[i].identity;
		w[i].member = (uint32_t)i;
		w[i].weight = weight_of(&members[i]);
		w[i].at = (uint32_t)(h % slots);
		w[i].skip =
			slots > 1 ? (uint32_t)(mix(h) % (slots - 1)) + 1 : 0;
		if (w[i].weight > heaviest)
			heaviest = w[i].weight;
	}
	/* Whoever comes first takes a contested slot. */
	qsort(w, count, sizeof(*w), walker_compare);
	for (size_t i = 0; i < count; i++)
		w[i].due = heaviest;
	return heaviest;
}

/* The first that is free on w's way; most of the work of a table. taken has a
 * bit for each slot, so that it stays in the nearest cache. */
static uint32_t
slot_take(struct walker *w, uint64_t *taken, uint32_t count)
{
	uint32_t at = w->at;

	while (taken[at / 64] >> at % 64 & 1) {
		at += w->skip;
		if (at >= count)
			at -= count;
	}
	taken[at / 64] |= UINT64_C(1) << at % 64;
	w->at = at;
	return at;
}

struct ring *
ring_new_maglev(const struct ring_member *members, size_t count, uint32_t slots)
{
	struct ring *r = xcalloc(1, sizeof(*r));
	struct walker *w = xcalloc(count, sizeof(*w));
	uint64_t *taken = xcalloc(slots / 64 + 1, sizeof(*taken));
	uint64_t heaviest = walkers_init(w, members, count, slots);
	uint32_t filled = 0;

	assert(count > 0 && slots > 0);
	r->slots = slots;
	r->members = xcalloc(slots, sizeof(*r->members));
	for (uint64_t turn = 1; filled < slots; turn++) {
		for (size_t i = 0; i < count && filled < slots; i++) {
			if (turn * w[i].weight < w[i].due)
				continue;
			w[i].due += heaviest;
			r->members[slot_take(&w[i], taken, slots)] =
				w[i].member;
			filled++;
		}
	}
	free(taken);
	free(w);
	return r;
}

/* ---- hash ring */

static int
point_compare(const void *a, const void *b)
{
	const struct point *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->member < y->member ? -1 : x->member > y->member;
}

/* How many points the lightest gets: a power of two, so that those who stay
 * keep theirs when others come or go. */
static uint64_t
points_of_lightest(
	uint64_t lightest, uint64_t total, uint32_t least, uint32_t most)
{
	uint64_t points = 1;

	while (points * total < least * lightest &&
		2 * points * total <= most * lightest)
		points *= 2;
	return points;
}

struct ring *
ring_new_points(const struct ring_member *members, size_t count, uint32_t least,
	uint32_t most)
{
	uint64_t total = 0, lightest = UINT64_MAX, made = 0, one, all;
	struct ring *r;

	assert(count > 0);
	for (size_t i = 0; i < count; i++) {
		total += weight_of(&members[i]);
		if (weight_of(&members[i]) < lightest)
			lightest = weight_of(&members[i]);
	}
	one = points_of_lightest(lightest, total, least, most);
	all = one * total / lightest;
	if (all > most) /* weights too far apart: the light get one each */
		all = most;
	r = xcalloc(1, sizeof(*r) + (all + count) * sizeof(r->points[0]));
	for (size_t i = 0; i < count; i++) {
		uint64_t points = weight_of(&members[i]) * all / total;

		for (uint64_t k = 0; k < points || k == 0; k++)
			r->points[made++] = (struct point){
				mix(members[i].identity ^ mix(k)), (uint32_t)i
			};
	}
	r->slots = (uint32_t)made;
	qsort(r->points, made, sizeof(r->points[0]), point_compare);
	return r;
}

/* ---- both */

void
ring_free(struct ring *r)
{
	if (r == NULL)
		return;
	free(r->members);
	free(r);
}

uint32_t
ring_slots(const struct ring *r)
{
	return r->slots;
}

uint32_t
ring_find(const struct ring *r, uint64_t hash)
{
	uint32_t low = 0, high = r->slots;

	hash = mix(hash);
	if (r->members != NULL)
		return (uint32_t)(hash % r->slots);
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (r->points[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low == r->slots ? 0 : low;
}

uint32_t
ring_member_at(const struct ring *r, uint32_t slot)
{
	return r->members != NULL ? r->members[slot] : r->points[slot].member;
}
