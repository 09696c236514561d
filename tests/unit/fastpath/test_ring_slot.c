/*
 * Slots of a ring: each step, and then a random churn of backends with 10^5
 * connections, sent as the XDP program sends them, of which none may move while
 * its backend lives.
 */
#include "fastpath/ring_slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "routing/ring.h"

#define M GG_RING_MOVED
#define P GG_RING_PINNED

/* ---- steps */

struct step {
	const char *what;
	struct gg_ring_slot before;
	uint16_t owner;
	bool base_lost;
	enum ring_keeping keeping;
	struct gg_ring_slot after; /* epoch 1: as it was, 2: now */
};

static const struct step steps[] = {
	{ "the same owner changes nothing", { 5, 5, 0, 1 }, 5, false,
		RING_KEEPS_ALL, { 5, 5, 0, 1 } },
	{ "another owner: moved, base is the old one", { 5, 5, 0, 1 }, 6, false,
		RING_KEEPS_ALL, { 6, 5, M, 2 } },
	{ "nobody to take new ones: the old keep theirs", { 5, 5, 0, 1 }, 0,
		false, RING_KEEPS_ALL, { 0, 5, M, 2 } },
	{ "the old one is dead: stable at once", { 5, 5, 0, 1 }, 6, true,
		RING_KEEPS_ALL, { 6, 6, 0, 2 } },
	{ "nobody had it: stable at once", { 0, 0, 0, 1 }, 6, false,
		RING_KEEPS_ALL, { 6, 6, 0, 2 } },
	{ "further changes move current only, the window goes on",
		{ 6, 5, M, 1 }, 7, false, RING_KEEPS_ALL, { 7, 5, M, 1 } },
	{ "nothing new while moved", { 6, 5, M, 1 }, 6, false, RING_KEEPS_ALL,
		{ 6, 5, M, 1 } },
	{ "back to base: who was kept elsewhere is looked up", { 6, 5, M, 1 },
		5, false, RING_KEEPS_ALL, { 5, 5, P, 2 } },
	{ "base dies while moved: those that are kept stay", { 6, 5, M, 1 }, 6,
		true, RING_KEEPS_ALL, { 6, 6, P, 2 } },
	{ "base dies, and another owner", { 6, 5, M, 1 }, 7, true,
		RING_KEEPS_ALL, { 7, 7, P, 2 } },
	{ "pinned, another owner: the window begins", { 6, 6, P, 1 }, 7, false,
		RING_KEEPS_ALL, { 7, 6, M, 2 } },
	{ "pinned, the same owner", { 6, 6, P, 1 }, 6, false, RING_KEEPS_ALL,
		{ 6, 6, P, 1 } },
	{ "pinned, its owner dies: those that are kept stay", { 6, 6, P, 1 }, 7,
		true, RING_KEEPS_ALL, { 7, 7, P, 2 } },
	{ "all known: no window", { 5, 5, 0, 1 }, 6, false, RING_KEEPS_KNOWN,
		{ 6, 6, P, 2 } },
	{ "all known, dead: stable", { 5, 5, 0, 1 }, 6, true, RING_KEEPS_KNOWN,
		{ 6, 6, 0, 2 } },
	{ "all known, the same owner", { 5, 5, 0, 1 }, 5, false,
		RING_KEEPS_KNOWN, { 5, 5, 0, 1 } },
	{ "nothing kept: it goes", { 5, 5, 0, 1 }, 6, false, RING_KEEPS_NONE,
		{ 6, 6, 0, 2 } },
	{ "nothing kept any more", { 6, 5, M, 1 }, 6, false, RING_KEEPS_NONE,
		{ 6, 6, 0, 2 } },
};

static void
assert_slot(const char *what, struct gg_ring_slot got,
	struct gg_ring_slot wanted)
{
	if (!ring_slot_equal(got, wanted))
		fail_msg("%s: {%u, %u, %u, %u} instead of {%u, %u, %u, %u}",
			what, got.current, got.base, got.flags, got.epoch,
			wanted.current, wanted.base, wanted.flags,
			wanted.epoch);
}

static void
a_slot_is_given(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		assert_slot(steps[i].what,
			ring_slot_give(steps[i].before, steps[i].owner,
				steps[i].base_lost, steps[i].keeping, 2),
			steps[i].after);
}

static void
a_window_ends(void **state)
{
	const struct gg_ring_slot moved = { 6, 5, M, 65530 };

	(void)state;
	assert_false(ring_slot_is_due(moved, 10, 65530));
	assert_false(ring_slot_is_due(moved, 10, 3)); /* the clock wrapped */
	assert_true(ring_slot_is_due(moved, 10, 4));
	assert_true(ring_slot_is_due(moved, 10, 5000));
	assert_false(ring_slot_is_due(
		(struct gg_ring_slot){ 6, 6, P, 0 }, 10, 5000));
	assert_slot("pinned", ring_slot_pin(moved, 4),
		(struct gg_ring_slot){ 6, 6, P, 4 });
	assert_slot("settled",
		ring_slot_settle((struct gg_ring_slot){ 6, 6, P, 4 }, 9),
		(struct gg_ring_slot){ 6, 6, 0, 9 });
	assert_slot("new", ring_slot_first(6, 9),
		(struct gg_ring_slot){ 6, 6, 0, 9 });
}

/* ---- churn against a model of what the XDP program does */

#define BACKENDS 40 /* indices 1..; each used once */
#define FLOWS    100000
#define CHANGES  200
#define WINDOW_S 60

struct flow {
	uint32_t slot;
	uint16_t home; /* the backend that accepted it; 0: not begun */
	uint16_t kept; /* its entry in gg_ct4; 0: none */
};

struct world {
	struct gg_ring_slot ring[GG_RING_SLOTS];
	struct flow flows[FLOWS];
	enum { AWAY, UP, DRAINING, DEAD } state[BACKENDS + 1];
	uint64_t random;
	uint16_t now_s;
	unsigned moved, lost, refused;
};

static uint32_t
chance(struct world *w, uint32_t of)
{
	w->random = w->random * UINT64_C(6364136223846793005) +
		UINT64_C(1442695040888963407);
	return (uint32_t)((w->random >> 33) % of);
}

/* As spec'd by contract.h: where a packet goes, and what is kept of it. */
static uint16_t
packet_steer(struct world *w, struct flow *flow, bool request)
{
	struct gg_ring_slot slot = w->ring[flow->slot];

	if (slot.flags == 0)
		return slot.current;
	if (request) {
		if (slot.flags & GG_RING_MOVED)
			flow->kept = slot.current;
		else
			flow->kept = 0;
		return slot.current;
	}
	if (flow->kept != 0)
		return flow->kept;
	if (slot.flags & GG_RING_MOVED)
		flow->kept = slot.base;
	return slot.base;
}

static void
flow_begin(struct world *w, struct flow *flow)
{
	flow->slot = chance(w, GG_RING_SLOTS);
	flow->kept = 0;
	flow->home = packet_steer(w, flow, true);
	w->refused += flow->home == 0;
}

static void
flow_send(struct world *w, struct flow *flow)
{
	uint16_t to;

	if (flow->home == 0)
		return;
	to = packet_steer(w, flow, false);
	if (to == flow->home)
		return;
	if (w->state[flow->home] == DEAD)
		w->lost++;
	else
		w->moved++;
	flow->home = 0;
}

static void
ring_change(struct world *w)
{
	struct ring_member members[BACKENDS];
	uint16_t index[BACKENDS];
	struct ring *ring = NULL;
	size_t count = 0;

	for (uint16_t i = 1; i <= BACKENDS; i++) {
		if (w->state[i] != UP)
			continue;
		members[count] = (struct ring_member){ i * 7919u, 1 + i % 3 };
		index[count++] = i;
	}
	if (count > 0)
		ring = ring_new_maglev(members, count, RING_MAGLEV_SLOTS);
	for (uint32_t i = 0; i < GG_RING_SLOTS; i++)
		w->ring[i] = ring_slot_give(w->ring[i],
			ring == NULL ? 0 : index[ring_member_at(ring, i)],
			w->state[w->ring[i].base] == DEAD, RING_KEEPS_ALL,
			w->now_s);
	ring_free(ring);
}

static void
windows_end(struct world *w)
{
	for (uint32_t i = 0; i < GG_RING_SLOTS; i++) {
		if (ring_slot_is_due(w->ring[i], WINDOW_S, w->now_s))
			w->ring[i] = ring_slot_pin(w->ring[i], w->now_s);
	}
}

/* Entries of dead backends and of flows that ended go, then pinned slots that
 * none of those left leads away from are stable again. */
static void
sweep(struct world *w)
{
	static bool elsewhere[GG_RING_SLOTS];

	memset(elsewhere, 0, sizeof(elsewhere));
	for (size_t i = 0; i < FLOWS; i++) {
		struct flow *flow = &w->flows[i];

		if (flow->home == 0 || w->state[flow->kept] == DEAD)
			flow->kept = 0;
		if (flow->kept != 0 &&
			flow->kept != w->ring[flow->slot].current)
			elsewhere[flow->slot] = true;
	}
	for (uint32_t i = 0; i < GG_RING_SLOTS; i++) {
		if (w->ring[i].flags == GG_RING_PINNED && !elsewhere[i])
			w->ring[i] = ring_slot_settle(w->ring[i], w->now_s);
	}
}

static void
backend_change(struct world *w)
{
	uint16_t i = (uint16_t)(1 + chance(w, BACKENDS));

	switch (w->state[i]) {
	case AWAY:
		w->state[i] = UP;
		break;
	case UP:
		w->state[i] = chance(w, 8) == 0 ? DEAD : DRAINING;
		break;
	case DRAINING:
		w->state[i] = chance(w, 8) == 0 ? DEAD : UP;
		break;
	case DEAD: /* what comes back is another */
		break;
	}
	ring_change(w);
}

/* All that live send within each half of a window, so that none is idle for
 * one; some end and others begin. */
static void
traffic(struct world *w)
{
	for (size_t i = 0; i < FLOWS; i++) {
		struct flow *flow = &w->flows[i];

		flow_send(w, flow);
		if (flow->home == 0 || chance(w, 20) == 0)
			flow_begin(w, flow);
	}
}

static unsigned
flags_count(const struct world *w, uint16_t flags)
{
	unsigned count = 0;

	for (uint32_t i = 0; i < GG_RING_SLOTS; i++)
		count += w->ring[i].flags == flags;
	return count;
}

static void
no_connection_moves_unless_its_backend_died(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	unsigned saw_moved = 0, saw_pinned = 0;

	(void)state;
	w->random = 20261126;
	for (uint16_t i = 1; i <= BACKENDS / 2; i++)
		w->state[i] = UP;
	ring_change(w);
	assert_int_equal(flags_count(w, 0), GG_RING_SLOTS);
	traffic(w);
	for (int n = 0; n < CHANGES; n++) {
		w->now_s = (uint16_t)(w->now_s + WINDOW_S / 2);
		windows_end(w);
		sweep(w);
		if (n % 3 != 2) /* now and then nothing changes */
			backend_change(w);
		saw_moved += flags_count(w, GG_RING_MOVED) > 0;
		saw_pinned += flags_count(w, GG_RING_PINNED) > 0;
		traffic(w);
	}
	assert_int_equal(w->moved, 0);
	/* The churn was one: some died, and each state was there often. */
	assert_true(w->lost > 1000);
	assert_true(saw_moved > CHANGES / 2 && saw_pinned > CHANGES / 4);
	/* It comes to rest: every connection ends once. */
	for (int n = 0; n < 4; n++) {
		w->now_s = (uint16_t)(w->now_s + WINDOW_S);
		for (size_t i = 0; i < FLOWS; i++)
			flow_send(w, &w->flows[i]);
		windows_end(w);
	}
	assert_int_equal(w->moved, 0);
	for (size_t i = 0; i < FLOWS; i++)
		w->flows[i].home = 0;
	sweep(w);
	assert_int_equal(flags_count(w, 0), GG_RING_SLOTS);
	free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slot_is_given),
		cmocka_unit_test(a_window_ends),
		cmocka_unit_test(no_connection_moves_unless_its_backend_died),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
