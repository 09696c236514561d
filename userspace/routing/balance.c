/* Which endpoint gets the next request. */
#include "routing/balance.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/endpoint.h"
#include "routing/ring.h"

#define DRAWS_MAX 8 /* until a draw is taken that would be passed over */
#define STRIDE    (UINT64_C(1) << 32)

struct balance {
	size_t count;
	struct balance_candidate *candidates;
	bool stale; /* what follows must be made anew */

	uint32_t *usable; /* numbers of candidates that may be picked */
	bool *is_usable;  /* by number */
	size_t usable_count;
	uint64_t *sums; /* of the weights up to usable[i] */
	uint8_t panic_percent;

	/* round robin: a heap of usable places, the next due first */
	uint32_t *heap;
	uint64_t *due; /* by number of the candidate */

	struct ring *ring; /* made when first needed */
	struct policy_balance ring_policy;
};

struct balance *
balance_new(size_t count)
{
	struct balance *b = xcalloc(1, sizeof(*b));

	b->count = count;
	b->candidates = xcalloc(count + 1, sizeof(*b->candidates));
	b->usable = xcalloc(count + 1, sizeof(*b->usable));
	b->is_usable = xcalloc(count + 1, sizeof(*b->is_usable));
	b->sums = xcalloc(count + 1, sizeof(*b->sums));
	b->stale = true;
	return b;
}

void
balance_free(struct balance *b)
{
	if (b == NULL)
		return;
	ring_free(b->ring);
	free(b->candidates);
	free(b->usable);
	free(b->is_usable);
	free(b->sums);
	free(b->heap);
	free(b->due);
	free(b);
}

size_t
balance_count(const struct balance *b)
{
	return b->count;
}

struct balance_candidate *
balance_candidate(struct balance *b, size_t i)
{
	return &b->candidates[i];
}

void
balance_changed(struct balance *b)
{
	b->stale = true;
}

uint64_t
balance_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * UINT64_C(0x2545f4914f6cdd1d);
}

/* A number below limit, which has at most 32 bits more often than not. */
static uint64_t
random_below(uint64_t *state, uint64_t limit)
{
	if (limit <= UINT32_MAX)
		return (balance_random(state) >> 32) * limit >> 32;
	return balance_random(state) % limit;
}

static uint64_t
weight_of(const struct balance_candidate *c)
{
	return c->weight > 0 ? c->weight : 1;
}

/* ---- who may be picked */

static void
usable_find(struct balance *b, uint8_t panic_percent)
{
	size_t up = 0;
	uint64_t sum = 0;
	bool all;

	for (size_t i = 0; i < b->count; i++)
		up += b->candidates[i].health == ENDPOINT_UP;
	all = up == 0 || up * 100 < b->count * panic_percent;
	b->usable_count = 0;
	for (size_t i = 0; i < b->count; i++) {
		b->is_usable[i] = all || b->candidates[i].health == ENDPOINT_UP;
		if (!b->is_usable[i])
			continue;
		sum += weight_of(&b->candidates[i]);
		b->usable[b->usable_count] = (uint32_t)i;
		b->sums[b->usable_count++] = sum;
	}
	b->panic_percent = panic_percent;
	free(b->heap);
	b->heap = NULL;
	b->stale = false;
}

/* What its share has come to in its slow start, in 1/256. */
static uint64_t
share_of(const struct balance_candidate *c, const struct policy_balance *p,
	uint64_t now_ms)
{
	uint64_t age = now_ms - c->up_ms, least = p->slow_min_percent;
	uint64_t share;

	if (p->slow_start_ms == 0 || age >= p->slow_start_ms)
		return 256;
	share = age * 256 / p->slow_start_ms;
	return share * 100 < least * 256 ? least * 256 / 100 : share;
}

/* One of the usable, by weight. */
static size_t
draw(const struct balance *b, uint64_t *random)
{
	uint64_t point = random_below(random, b->sums[b->usable_count - 1]);
	size_t low = 0, high = b->usable_count - 1;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (point < b->sums[middle])
			high = middle;
		else
			low = middle + 1;
	}
	return b->usable[low];
}

/* Any but the one to be avoided. There are two at least. */
static size_t
draw_other(const struct balance *b, const struct balance_request *r)
{
	size_t i = random_below(r->random, b->usable_count);

	if (b->usable[i] == r->avoid)
		i = (i + 1) % b->usable_count;
	return b->usable[i];
}

static size_t
draw_settled(const struct balance *b, const struct policy_balance *p,
	const struct balance_request *r)
{
	size_t at = draw(b, r->random);

	for (int i = 0; i < DRAWS_MAX; i++) {
		uint64_t share = share_of(&b->candidates[at], p, r->now_ms);

		if (at != r->avoid &&
			(share == 256 || random_below(r->random, 256) < share))
			break;
		at = draw(b, r->random);
	}
	/* One that weighs nearly all is drawn again and again. */
	return at != r->avoid ? at : draw_other(b, r);
}

static size_t
least_request(const struct balance *b, const struct policy_balance *p,
	const struct balance_request *r)
{
	size_t best = draw_settled(b, p, r);
	unsigned choices = p->choices > 2 ? p->choices : 2;

	while (--choices > 0) {
		size_t at = draw_settled(b, p, r);
		const struct balance_candidate *c = &b->candidates[at];
		const struct balance_candidate *d = &b->candidates[best];

		if (c->active * weight_of(d) < d->active * weight_of(c))
			best = at;
	}
	return best;
}

/* ---- round robin */

/* Deadlines wrap; they never lie half of their range apart. */
static bool
heap_before(const struct balance *b, uint32_t x, uint32_t y)
{
	int64_t apart = (int64_t)(b->due[x] - b->due[y]);

	return apart != 0 ? apart < 0 : x < y;
}

static void
heap_sink(struct balance *b, size_t i)
{
	for (;;) {
		size_t least = i;
		uint32_t moved = b->heap[i];

		for (size_t k = 2 * i + 1;
			k <= 2 * i + 2 && k < b->usable_count; k++)
			if (heap_before(b, b->heap[k], b->heap[least]))
				least = k;
		if (least == i)
			return;
		b->heap[i] = b->heap[least];
		b->heap[least] = moved;
		i = least;
	}
}

/* Everyone begins somewhere in its first round, so that workers do not walk
 * in step. */
static void
heap_make(struct balance *b, uint64_t *random)
{
	if (b->due == NULL)
		b->due = xcalloc(b->count, sizeof(*b->due));
	b->heap = xcalloc(b->usable_count, sizeof(*b->heap));
	for (size_t i = 0; i < b->usable_count; i++) {
		uint32_t at = b->usable[i];

		b->heap[i] = at;
		b->due[at] = random_below(
			random, STRIDE / weight_of(&b->candidates[at]));
	}
	for (size_t i = b->usable_count; i-- > 0;)
		heap_sink(b, i);
}

static size_t
round_robin(struct balance *b, const struct policy_balance *p,
	const struct balance_request *r)
{
	const struct balance_candidate *c;
	size_t i = 0, at;

	if (b->heap == NULL)
		heap_make(b, r->random);
	/* The one to be avoided keeps its turn; below it is the next. */
	if (b->heap[0] == r->avoid)
		i = b->usable_count > 2 &&
				    heap_before(b, b->heap[2], b->heap[1])
			    ? 2
			    : 1;
	at = b->heap[i];
	c = &b->candidates[at];
	b->due[at] += STRIDE * 256 / (weight_of(c) * share_of(c, p, r->now_ms));
	heap_sink(b, i);
	return at;
}

/* ---- rings */

static void
ring_make(struct balance *b, const struct policy_balance *p)
{
	struct ring_member *m = xcalloc(b->count, sizeof(*m));

	for (size_t i = 0; i < b->count; i++)
		m[i] = (struct ring_member){ b->candidates[i].identity,
			b->candidates[i].weight };
	ring_free(b->ring);
	b->ring = p->type == POLICY_MAGLEV
			  ? ring_new_maglev(m, b->count, RING_MAGLEV_SLOTS)
			  : ring_new_points(
				    m, b->count, p->ring_min, p->ring_max);
	b->ring_policy = *p;
	free(m);
}

/* Those that are left out are stepped over, so that only their own requests
 * move, and move back later. */
static size_t
ring_pick(struct balance *b, const struct policy_balance *p,
	const struct balance_request *r)
{
	uint32_t slot, slots;
	size_t at = BALANCE_NONE;

	if (b->ring == NULL || b->ring_policy.type != p->type ||
		b->ring_policy.ring_min != p->ring_min ||
		b->ring_policy.ring_max != p->ring_max)
		ring_make(b, p);
	slots = ring_slots(b->ring);
	slot = ring_find(b->ring, r->hash);
	for (uint32_t i = 0; i < slots; i++) {
		uint32_t member = ring_member_at(b->ring, slot);

		if (b->is_usable[member]) {
			at = member;
			if (at != r->avoid || b->usable_count == 1)
				break;
		}
		slot = slot + 1 == slots ? 0 : slot + 1;
	}
	/* A light member may have got no slot at all. */
	return at != BALANCE_NONE ? at : draw(b, r->random);
}

size_t
balance_pick(struct balance *b, const struct policy_balance *p,
	const struct balance_request *r)
{
	if (b->count == 0)
		return BALANCE_NONE;
	if (b->stale || b->panic_percent != p->panic_percent)
		usable_find(b, p->panic_percent);
	if (b->usable_count == 1)
		return b->usable[0];
	switch ((enum policy_balance_type)p->type) {
	case POLICY_ROUND_ROBIN:
		return round_robin(b, p, r);
	case POLICY_RANDOM:
		return draw_settled(b, p, r);
	case POLICY_RING_HASH:
	case POLICY_MAGLEV:
		if (r->hashed)
			return ring_pick(b, p, r);
		return draw_settled(b, p, r);
	case POLICY_BALANCE_DEFAULT:
	case POLICY_LEAST_REQUEST:
	case POLICY_BALANCE_COUNT:
		break;
	}
	return least_request(b, p, r);
}
