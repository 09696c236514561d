/*
 * Backends come, drain, go down and leave: which slots of the ring move, which
 * are pinned for whom, and when they settle.
 */
#include "steering_lab.h"

static void
keep(const char *ip, uint32_t ring_slot, uint32_t n, uint32_t seen_s)
{
	const struct gg_flow4 key = {
		.from = { 10, 8, (uint8_t)(n >> 8), (uint8_t)n },
		.to = { 10, 9, 0, 200 },
		.from_port_be = htons(4000),
		.to_port_be = htons(80),
		.l4_proto = IPPROTO_TCP,
	};
	const struct gg_connection value = {
		.backend = (uint16_t)index_of(ip),
		.ring_slot_low = (uint16_t)ring_slot,
		.seen_s = seen_s,
	};

	put("gg_ct4", &key, &value);
}

/* The first slot of the ring with this owner and base. */
static uint32_t
slot_with(uint32_t current, uint32_t base, uint32_t from)
{
	struct gg_ring_slot *slots = ring_read(SLOT);
	uint32_t i = from;

	while (i < GG_RING_SLOTS &&
		(slots[i].current != current || slots[i].base != base))
		i++;
	free(slots);
	assert_true(i < GG_RING_SLOTS);
	return i;
}

static void
test_slots_move_are_pinned_and_settle(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service_of(GG_MODE_DSR_L2, 4);
	uint32_t gone, heir, slot, mine;
	struct shares before, s;

	(void)state;
	a->service.drain_ms = 60000;
	set_ok(f, a);
	before = shares(SLOT);
	gone = index_of("10.9.0.11");
	heir = index_of("10.9.0.10");
	mine = before.current[gone];
	a->backends[1].state = FASTPATH_BACKEND_DRAINING;
	set_ok(f, a);
	s = shares(SLOT);
	assert_int_equal(s.current[gone], 0);
	assert_int_equal(s.base[gone], mine);
	/* Few move beside those whose owner left. */
	assert_in_range(s.moved, mine, mine + GG_RING_SLOTS / 50);
	assert_int_equal(fastpath_service_state(f, SLOT)->moved_slots, s.moved);
	/* Two connections of it are kept, one of them for long. */
	slot = slot_with(heir, gone, 0);
	tick(f, 0);
	keep("10.9.0.11", slot, 1, (uint32_t)(now_ms / 1000) + 80);
	keep("10.9.0.11", slot_with(heir, gone, slot + 1), 2,
		(uint32_t)(now_ms / 1000) - 3 * 3600);
	/* It leaves the set: nothing changes for those that it has. */
	a->backends[1] = a->backends[--a->service.backend_count];
	set_ok(f, a);
	tick(f, 30000);
	assert_int_equal(shares(SLOT).base[gone], mine);
	tick(f, 31000);
	s = shares(SLOT);
	assert_int_equal(s.moved, 0);
	assert_int_equal(s.base[gone], 0);
	assert_true(s.pinned >= mine);
	walk(f);
	s = shares(SLOT);
	assert_int_equal(s.pinned, 1);
	assert_int_equal(s.stable, GG_RING_SLOTS - 1);
	assert_int_equal(fastpath_service_state(f, SLOT)->kept, 1);
	assert_int_equal(fastpath_service_state(f, SLOT)->pinned_slots, 1);
	assert_int_equal(fastpath_service_state(f, SLOT)->backend_count, 4);
	/* Its index is its own until the last one is over. */
	assert_int_equal(row(gone).slot, SLOT);
	backend(a, "10.9.0.50", 8080);
	set_ok(f, a);
	assert_int_not_equal(index_of("10.9.0.50"), gone);
	tick(f, 61000);
	tick(f, 2 * 3600 * 1000);
	walk(f);
	assert_int_equal(shares(SLOT).stable, GG_RING_SLOTS);
	assert_int_equal(row(gone).slot, 0);
	assert_int_equal(fastpath_service_state(f, SLOT)->backend_count, 4);
	backend(a, "10.9.0.51", 8080);
	set_ok(f, a);
	assert_int_equal(index_of("10.9.0.51"), gone);
	free(a);
	fastpath_close(f, true);
}

static bool
is_kept(uint32_t n)
{
	const struct gg_flow4 key = {
		.from = { 10, 8, (uint8_t)(n >> 8), (uint8_t)n },
		.to = { 10, 9, 0, 200 },
		.from_port_be = htons(4000),
		.to_port_be = htons(80),
		.l4_proto = IPPROTO_TCP,
	};
	struct gg_connection value;

	return look("gg_ct4", &key, &value) == 0;
}

/* What would be believed at the next change does not stay behind. */
static void
test_nothing_is_left_in_stable_slots(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service_of(GG_MODE_DSR_L2, 3);
	uint32_t one, two, at, now_s = (uint32_t)(clock_monotonic_ms() / 1000);

	(void)state;
	a->service.flags = GG_SERVICE_ALWAYS;
	set_ok(f, a);
	one = index_of("10.9.0.10");
	two = index_of("10.9.0.11");
	at = slot_with(one, one, 1);
	keep("10.9.0.10", at, 1, now_s);
	keep("10.9.0.11", slot_with(one, one, at + 1), 2, now_s);
	keep("10.9.0.12", slot_with(two, two, 1), 3, now_s);
	walk(f);
	assert_true(is_kept(1) && is_kept(2) && is_kept(3));
	assert_int_equal(fastpath_service_state(f, SLOT)->kept, 3);
	/* They are not kept for being there any more: who is where its slot
	 * sends it is forgotten, the others are looked up as before. */
	a->service.flags = 0;
	set_ok(f, a);
	assert_int_equal(shares(SLOT).pinned, GG_RING_SLOTS);
	walk(f);
	assert_false(is_kept(1));
	assert_true(is_kept(2) && is_kept(3));
	assert_int_equal(shares(SLOT).pinned, 2);
	/* Of a backend that is down nothing stays. */
	a->backends[2].state = FASTPATH_BACKEND_DOWN;
	set_ok(f, a);
	walk(f);
	assert_true(is_kept(2));
	assert_false(is_kept(3));
	free(a);
	fastpath_close(f, true);
}

/* The slots that share their low bits cannot be told apart. */
static void
test_the_two_slots_of_one_number(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service_of(GG_MODE_DSR_L2, 5);
	struct gg_ring_slot *slots;
	uint32_t now_s = (uint32_t)(clock_monotonic_ms() / 1000);
	char ip[32];

	(void)state;
	a->service.flags = GG_SERVICE_ALWAYS;
	set_ok(f, a);
	slots = ring_read(SLOT);
	a->service.flags = 0;
	set_ok(f, a);
	/* Where slot 0 leads, but perhaps of the last one. */
	snprintf(ip, sizeof(ip), "10.9.0.%d", row(slots[0].current).ip[15]);
	keep(ip, GG_RING_SLOTS - 1, 1, now_s);
	walk(f);
	assert_int_not_equal(slots[0].current,
		slots[GG_RING_SLOTS - 1].current);
	assert_true(is_kept(1));
	assert_int_equal(shares(SLOT).pinned, 2);
	free(slots);
	free(a);
	fastpath_close(f, true);
}

static void
test_the_order_of_backends_says_nothing(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service_of(GG_MODE_DSR_L2, 7);
	struct gg_ring_slot *before, *after;
	struct fastpath_backend first = a->backends[0];

	(void)state;
	set_ok(f, a);
	before = ring_read(SLOT);
	a->backends[0] = a->backends[5];
	a->backends[5] = first;
	set_ok(f, a);
	after = ring_read(SLOT);
	assert_memory_equal(before, after, GG_RING_SLOTS * sizeof(*after));
	free(before);
	free(after);
	free(a);
	fastpath_close(f, true);
}

static void
test_down_moves_at_once_and_back_leaves_others_alone(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service_of(GG_MODE_DSR_L2, 3);
	uint32_t one, mine;
	struct shares s;

	(void)state;
	set_ok(f, a);
	one = index_of("10.9.0.10");
	mine = shares(SLOT).current[one];
	a->backends[0].state = FASTPATH_BACKEND_DOWN;
	set_ok(f, a);
	s = shares(SLOT);
	assert_int_equal(s.current[one], 0);
	assert_int_equal(s.base[one], 0);
	/* Its own are stable; others that Maglev moved are not. */
	assert_true(s.moved < GG_RING_SLOTS / 50);
	assert_int_equal(row(one).flags, GG_BACKEND_DOWN);
	a->backends[0].state = FASTPATH_BACKEND_UP;
	set_ok(f, a);
	s = shares(SLOT);
	assert_int_equal(s.current[one], mine);
	assert_int_equal(s.base[one], 0);
	assert_in_range(s.moved, mine, mine + GG_RING_SLOTS / 50);
	assert_int_equal(row(one).flags, 0);
	/* None at all: nobody gets new ones. */
	for (size_t i = 0; i < 3; i++)
		a->backends[i].state = FASTPATH_BACKEND_DOWN;
	set_ok(f, a);
	assert_int_equal(shares(SLOT).current[0], GG_RING_SLOTS);
	free(a);
	fastpath_close(f, true);
}

static void
test_nat_moves_nothing_apart(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service_of(GG_MODE_NAT, 3);

	(void)state;
	set_ok(f, a);
	a->backends[0].state = FASTPATH_BACKEND_DRAINING;
	set_ok(f, a);
	assert_int_equal(shares(SLOT).stable, GG_RING_SLOTS);
	free(a);
	fastpath_close(f, true);
}

static void
test_udp_asks_nobody_that_it_does_not_know(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service_of(GG_MODE_ROUTE, 3);
	uint32_t one;

	(void)state;
	a->service.l4_proto = IPPROTO_UDP;
	set_ok(f, a);
	one = shares(SLOT).current[index_of("10.9.0.10")];
	a->backends[0].state = FASTPATH_BACKEND_DRAINING;
	set_ok(f, a);
	assert_int_equal(shares(SLOT).stable, GG_RING_SLOTS);
	/* Sticky: each flow is kept from its first packet on. */
	a->backends[0].state = FASTPATH_BACKEND_UP;
	a->service.flags = GG_SERVICE_STICKY;
	set_ok(f, a);
	assert_true(shares(SLOT).pinned >= one);
	assert_int_equal(shares(SLOT).moved, 0);
	walk(f);
	assert_int_equal(shares(SLOT).stable, GG_RING_SLOTS);
	free(a);
	fastpath_close(f, true);
}

/* A service that is told to be elsewhere is another one. */
static void
test_another_address_or_mode_begins_anew(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service_of(GG_MODE_DSR_L2, 3);

	(void)state;
	set_ok(f, a);
	a->backends[0].state = FASTPATH_BACKEND_DRAINING;
	set_ok(f, a);
	assert_true(shares(SLOT).moved > 0);
	addr_parse_ip("10.9.0.201", 80, &a->service.addr);
	for (size_t i = 0; i < a->service.backend_count; i++)
		a->backends[i].addr.port_be = htons(80);
	set_ok(f, a);
	assert_int_equal(shares(SLOT).stable, GG_RING_SLOTS);
	assert_true(vip_exists("10.9.0.201", 80, IPPROTO_TCP));
	assert_false(vip_exists("10.9.0.200", 80, IPPROTO_TCP));
	assert_false(vip_exists("10.9.0.200", 0, 0));
	a->service.mode = GG_MODE_NAT;
	set_ok(f, a);
	assert_true(vip_is("10.9.0.201", 80, IPPROTO_TCP,
		(struct gg_vip){ SLOT, GG_MODE_NAT, 0, 0 }));
	free(a);
	fastpath_close(f, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(test_slots_move_are_pinned_and_settle),
		LAB(test_nothing_is_left_in_stable_slots),
		LAB(test_the_two_slots_of_one_number),
		LAB(test_the_order_of_backends_says_nothing),
		LAB(test_down_moves_at_once_and_back_leaves_others_alone),
		LAB(test_nat_moves_nothing_apart),
		LAB(test_udp_asks_nobody_that_it_does_not_know),
		LAB(test_another_address_or_mode_begins_anew),
	};
	int rc;

	if (!lab_may_run())
		return EXIT_SKIPPED;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	netns_close(&netns);
	return rc;
}
