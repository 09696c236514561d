/*
 * The adaptive slots against a random churn of backends: 10^5 connections of
 * one service, whose ring this test writes as the daemon does. No connection
 * may move unless its backend died.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "base/mem.h"
#include "tests/lib/load.h"
#include "tests/lib/packet.h"
#include "tests/lib/packet_model.h"
#include "tests/lib/steer_model.h"
#include "tests/lib/steer_world.h"

#define SERVICE      64
#define FLOWS        100000
#define BACKENDS     20
#define FIRST        300 /* index of a backend: of a byte and a bit */
#define CHANGES      24
#define TCP_FIN 1
#define TCP_SYN 2
#define TCP_RST 4
#define TCP_ACK 16
#define WINDOW       4 /* changes until those of before are pinned */

struct flow {
	uint8_t backend; /* it has to stay with; BACKENDS: it died */
	bool open;
};

struct churn {
	struct gateway_bpf *gateway;
	struct gg_ring_slot *ring;
	struct flow *flows;
	struct packet frame;
	bool present[BACKENDS];
	uint64_t random;
	uint64_t packets, moved_slots;
	size_t kept_most;
};

static struct churn churn;

static uint32_t
draw(uint32_t below)
{
	return (uint32_t)(packet_random(&churn.random) >> 33) % below;
}

/* ---- what the daemon does */

/* By highest random weight: as Maglev, it moves little more than it must. */
static uint16_t
owner(uint32_t slot)
{
	uint64_t best = 0, state;
	uint16_t found = 0;

	for (uint32_t i = 0; i < BACKENDS; i++) {
		state = ((uint64_t)slot << 32) + i;
		uint64_t weight = packet_random(&state) | 1;

		if (churn.present[i] && weight > best) {
			best = weight;
			found = (uint16_t)(FIRST + i);
		}
	}
	return found;
}

static void
slot_write(uint32_t i, struct gg_ring_slot slot)
{
	uint64_t word;

	memcpy(&word, &slot, sizeof(word));
	__atomic_store_n((uint64_t *)(void *)&churn.ring[i], word,
		__ATOMIC_RELEASE);
}

/* dead: an index that died, 0: none. */
static void
ring_change(uint16_t dead)
{
	for (uint32_t i = 0; i < GG_RING_SLOTS; i++) {
		struct gg_ring_slot slot = churn.ring[i];
		uint16_t to = owner(i);

		if (to != slot.current) {
			if (!(slot.flags & GG_RING_MOVED)) {
				slot.base = slot.current;
				slot.flags = GG_RING_MOVED;
			}
			slot.current = to;
			slot.epoch++;
			churn.moved_slots++;
		}
		if (dead != 0 && slot.base == dead)
			slot.base = slot.current;
		if (memcmp(&slot, &churn.ring[i], sizeof(slot)) != 0)
			slot_write(i, slot);
	}
}

static void
window_end(void)
{
	for (uint32_t i = 0; i < GG_RING_SLOTS; i++) {
		struct gg_ring_slot slot = churn.ring[i];

		if (!(slot.flags & GG_RING_MOVED))
			continue;
		slot.base = slot.current;
		slot.flags = GG_RING_PINNED;
		slot_write(i, slot);
	}
}

/* What is with its slot's owner anyway is forgotten; a slot of which nothing
 * is kept elsewhere is stable. */
static void
sweep(void)
{
	int fd = bpf_map__fd(churn.gateway->maps.gg_ct4);
	uint8_t *elsewhere = xcalloc(GG_RING_SLOTS, 1);
	struct gg_flow4 *keys = xcalloc(WORLD_CONNECTIONS, sizeof(*keys));
	struct gg_connection c;
	size_t count = 0;

	while (count < WORLD_CONNECTIONS &&
		bpf_map_get_next_key(fd, count == 0 ? NULL : &keys[count - 1],
			&keys[count]) == 0)
		count++;
	if (count > churn.kept_most)
		churn.kept_most = count;
	for (size_t i = 0; i < count; i++) {
		uint32_t slot = steer_model_index4(&keys[i], WORLD_SEED);

		assert_int_equal(bpf_map_lookup_elem(fd, &keys[i], &c), 0);
		assert_int_equal(c.ring_slot_low, slot & 0xffff);
		if (!(churn.ring[slot].flags & GG_RING_PINNED))
			continue;
		if (c.backend == churn.ring[slot].current)
			bpf_map_delete_elem(fd, &keys[i]);
		else
			elsewhere[slot] = 1;
	}
	for (uint32_t i = 0; i < GG_RING_SLOTS; i++) {
		struct gg_ring_slot slot = churn.ring[i];

		if (!(slot.flags & GG_RING_PINNED) || elsewhere[i])
			continue;
		slot.flags = 0;
		slot_write(i, slot);
	}
	free(keys);
	free(elsewhere);
}

static void
backend_write(uint32_t i, uint16_t flags)
{
	struct gg_backend b = { .slot = SERVICE,
		.ifindex = 1,
		.to_mac = { 2, 0, 0, 0, 9, (uint8_t)i },
		.flags = flags };

	world_backend(FIRST + i, &b);
}

/* ---- what clients do */

static unsigned
flow_send(uint32_t i, uint8_t flags)
{
	uint8_t *data = packet_data(&churn.frame);
	struct world_verdict v;
	uint32_t from_be = htonl(0x0a000000 + i / 50);
	uint16_t port_be = htons((uint16_t)(1024 + i % 50 * 7));

	memcpy(data + 26, &from_be, 4);
	memcpy(data + 34, &port_be, 2);
	data[47] = flags;
	v = world_run(data, churn.frame.length);
	churn.packets++;
	assert_int_equal(v.action, XDP_TX);
	assert_int_equal(v.data[4], 9);
	assert_true(v.data[5] < BACKENDS);
	return v.data[5];
}

static void
flow_open(uint32_t i)
{
	unsigned backend = flow_send(i, TCP_SYN);

	if (!churn.present[backend])
		fail_msg("flow %u begins at backend %u, which is not there", i,
			backend);
	churn.flows[i] = (struct flow){ (uint8_t)backend, true };
}

static void
flow_go_on(uint32_t i, uint8_t flags)
{
	struct flow *flow = &churn.flows[i];
	unsigned backend = flow_send(i, flags);

	/* Whoever lost its backend has a new one from now on. */
	if (flow->backend == BACKENDS && !(flags & (TCP_FIN | TCP_RST)))
		flow->backend = (uint8_t)backend;
	else if (flow->backend != BACKENDS && backend != flow->backend)
		fail_msg("flow %u moved from backend %u to %u", i,
			flow->backend, backend);
	if (flags & (TCP_FIN | TCP_RST))
		flow->open = false;
}

/* Each flow says something with that many chances of 100; some end, and some
 * tuples are used again. */
static void
traffic(uint32_t percent)
{
	for (uint32_t i = 0; i < FLOWS; i++) {
		uint32_t r = draw(100);

		if (draw(100) >= percent)
			continue;
		if (!churn.flows[i].open)
			flow_open(i);
		else if (r < 3)
			flow_go_on(i, TCP_FIN | TCP_ACK);
		else if (r < 4)
			flow_go_on(i, TCP_RST);
		else
			flow_go_on(i, TCP_ACK);
	}
}

static uint32_t
backend_draw(bool present)
{
	uint32_t i;

	do
		i = draw(BACKENDS);
	while (churn.present[i] != present);
	return i;
}

static uint32_t
backends_present(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < BACKENDS; i++)
		count += churn.present[i];
	return count;
}

static void
backend_dies(uint32_t i)
{
	backend_write(i, GG_BACKEND_DOWN);
	churn.present[i] = false;
	ring_change((uint16_t)(FIRST + i));
	for (uint32_t f = 0; f < FLOWS; f++) {
		if (churn.flows[f].backend == i)
			churn.flows[f].backend = BACKENDS;
	}
}

static void
change(void)
{
	uint32_t count = backends_present(), r = draw(10), i;

	if (count == BACKENDS || (count > 5 && r < 5)) {
		i = backend_draw(true);
		if (r == 0) {
			backend_dies(i);
			return;
		}
		churn.present[i] = false; /* drained: it goes on serving */
	} else {
		i = backend_draw(false);
		backend_write(i, 0);
		churn.present[i] = true;
	}
	ring_change(0);
}

static void
test_no_flow_moves_unless_its_backend_died(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < BACKENDS; i++) {
		backend_write(i, 0);
		churn.present[i] = i < 15;
	}
	for (uint32_t i = 0; i < GG_RING_SLOTS; i++)
		slot_write(i,
			(struct gg_ring_slot){ owner(i), owner(i), 0, 0 });
	traffic(100);
	for (int n = 1; n <= CHANGES; n++) {
		change();
		traffic(50);
		if (n % WINDOW == 0) {
			/* Nobody is silent for a whole window. */
			traffic(100);
			window_end();
			traffic(30);
			sweep();
			traffic(30);
			sweep();
		}
	}
	print_message("%llu packets, %llu moves of slots, at most %zu "
		      "connections kept\n",
		(unsigned long long)churn.packets,
		(unsigned long long)churn.moved_slots, churn.kept_most);
	assert_true(churn.moved_slots > GG_RING_SLOTS);
	assert_in_range(churn.kept_most, 1000, FLOWS);
}

/* What dies, dies for good: the flows that it had are the only ones to move,
 * and its slots alone get another owner. */
static void
test_a_death_moves_only_its_own(void **state)
{
	uint64_t before;
	uint32_t i;

	(void)state;
	traffic(100);
	window_end();
	for (int n = 0; n < 3; n++) {
		i = backend_draw(true);
		before = churn.moved_slots;
		backend_dies(i);
		assert_in_range(churn.moved_slots - before, 1,
			2 * GG_RING_SLOTS / (backends_present() + 1));
		traffic(100);
		backend_write(i, 0);
		churn.present[i] = true;
		ring_change(0);
		traffic(100);
		window_end();
		sweep();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_flow_moves_unless_its_backend_died),
		cmocka_unit_test(test_a_death_moves_only_its_own),
	};
	int rc;

	load_quietly();
	churn.gateway = world_open();
	if (churn.gateway == NULL)
		return load_failed();
	churn.random = 5;
	churn.flows = xcalloc(FLOWS, sizeof(*churn.flows));
	churn.ring = world_ring(SERVICE);
	packet_build(&churn.frame, "eth ip4 to=198.51.100.10 tcp to=80");
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	free(churn.flows);
	world_close();
	return rc;
}
