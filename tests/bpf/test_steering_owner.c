/*
 * An address passes from one owner to another: the connections of the former
 * are given up, nobody else's move, and what is not known is no evidence.
 */
#include "steering_lab.h"

#define WHO   "10.9.0.11"
#define OTHER "10.9.0.10"

static const struct gg_flow4 flow = {
	.from = { 10, 8, 0, 0 },
	.to = { 10, 9, 0, 200 },
	.l4_proto = IPPROTO_TCP,
};

static struct gg_flow4
flow_of(uint8_t n)
{
	struct gg_flow4 key = flow;

	key.from[3] = n;
	key.from_port_be = htons(4000);
	key.to_port_be = htons(80);
	return key;
}

static void
keep(uint32_t index, uint8_t n)
{
	const struct gg_flow4 key = flow_of(n);
	const struct gg_connection value = {
		.backend = (uint16_t)index,
		.ring_slot_low = 1,
		.seen_s = (uint32_t)(clock_monotonic_ms() / 1000) & 0x7fffffff,
	};

	put("gg_ct4", &key, &value);
}

static bool
is_kept(uint8_t n)
{
	const struct gg_flow4 key = flow_of(n);
	struct gg_connection value;

	return look("gg_ct4", &key, &value) == 0;
}

/* Who has the address now; index_of() may find the former as well. */
static uint32_t
holder_of(const char *ip)
{
	struct addr addr;

	assert_int_equal(addr_parse_ip(ip, 0, &addr), 0);
	for (uint32_t i = 1; i < GG_BACKENDS_MAX; i++) {
		struct gg_backend at = row(i);

		if (at.slot != 0 && !(at.flags & GG_BACKEND_FORMER) &&
			memcmp(at.ip, addr.ip, 16) == 0)
			return i;
	}
	return 0;
}

/* The ring is as before, but that the one is where the other was; and where
 * that one only had older connections, nobody has them. */
static void
only_the_owner_changed(const struct gg_ring_slot *before, uint32_t was,
	uint32_t is)
{
	struct gg_ring_slot *now = ring_read(SLOT);
	uint32_t count = 0;

	for (uint32_t i = 0; i < GG_RING_SLOTS; i++) {
		struct gg_ring_slot want = before[i];

		if (want.base == was && want.current != was) {
			want.base = want.current;
			want.flags = GG_RING_PINNED;
		}
		if (want.current == was)
			want.current = (uint16_t)is;
		if (want.base == was)
			want.base = (uint16_t)is;
		if (now[i].current != want.current ||
			now[i].base != want.base || now[i].flags != want.flags)
			fail_msg("slot %u of the ring moved", i);
		count += now[i].current == is;
	}
	assert_true(count > 0);
	free(now);
}

static struct asked *
owned_service(enum gg_mode mode)
{
	struct asked *a = service_of(mode, 4);

	for (uint64_t i = 0; i < 4; i++)
		a->backends[i].owner = 100 + i;
	return a;
}

static void
test_another_owner(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = owned_service(GG_MODE_DSR_L2);
	struct gg_ring_slot *before;
	uint32_t was, is, other;

	(void)state;
	a->service.flags = GG_SERVICE_ALWAYS;
	set_ok(f, a);
	before = ring_read(SLOT);
	was = holder_of(WHO);
	other = holder_of(OTHER);
	keep(was, 1);
	keep(other, 2);
	a->backends[1].owner = 999;
	set_ok(f, a);
	is = holder_of(WHO);
	assert_int_not_equal(is, was);
	assert_int_equal(row(was).flags, GG_BACKEND_DOWN | GG_BACKEND_FORMER);
	assert_int_equal(row(is).flags, 0);
	assert_int_equal(row(is).ifindex, row(other).ifindex);
	assert_int_equal(holder_of(OTHER), other);
	only_the_owner_changed(before, was, is);
	walk(f);
	assert_false(is_kept(1));
	assert_true(is_kept(2));
	/* Nothing names the former any more. */
	assert_int_equal(row(was).slot, 0);
	assert_int_equal(fastpath_service_state(f, SLOT)->backend_count, 4);
	free(before);
	free(a);
	fastpath_close(f, true);
}

/* The connections of one that drains go on while a third one's owner changes,
 * and those that are kept stay. */
static void
test_slots_that_move_go_on(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = owned_service(GG_MODE_DSR_L2);
	struct gg_ring_slot *before;
	uint32_t was, drained;

	(void)state;
	set_ok(f, a);
	drained = holder_of(OTHER);
	a->backends[0].state = FASTPATH_BACKEND_DRAINING;
	set_ok(f, a);
	before = ring_read(SLOT);
	was = holder_of(WHO);
	assert_true(shares(SLOT).base[drained] > 0);
	a->backends[1].owner = 999;
	set_ok(f, a);
	/* Of slots that left the one that drains, base is that one still. */
	only_the_owner_changed(before, was, holder_of(WHO));
	free(before);
	free(a);
	fastpath_close(f, true);
}

static void
test_unknown_is_no_evidence(void **state)
{
	static const uint64_t owners[] = { 0, 5, 0, 5 };
	struct fastpath *f = open_v0();
	struct asked *a = service_of(GG_MODE_DSR_L2, 4);
	struct gg_ring_slot *before;
	uint32_t index;

	(void)state;
	a->service.flags = GG_SERVICE_ALWAYS;
	set_ok(f, a);
	before = ring_read(SLOT);
	index = holder_of(WHO);
	keep(index, 1);
	for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
		a->backends[1].owner = owners[i];
		set_ok(f, a);
		assert_int_equal(holder_of(WHO), index);
		assert_int_equal(fastpath_service_state(f, SLOT)->backend_count,
			4);
	}
	only_the_owner_changed(before, index, index);
	walk(f);
	assert_true(is_kept(1));
	free(before);
	free(a);
	fastpath_close(f, true);
}

static void
nat_put(uint8_t n, uint32_t index, uint8_t last)
{
	const uint32_t now_s = (uint32_t)(clock_monotonic_ms() / 1000);
	struct gg_flow4 there = flow_of(n), back = flow_of(n);
	struct gg_nat4 entry = { .way = { .seen_s = now_s,
		.backend = (uint16_t)index,
		.slot = SLOT } };

	/* From the box's port to the backend, and turned round. */
	entry.to = (struct gg_flow4){ .from = { 10, 9, 0, 1 },
		.to = { 10, 9, 0, last },
		.from_port_be = htons((uint16_t)(2000 + n)),
		.to_port_be = htons(8080),
		.l4_proto = IPPROTO_TCP };
	put("gg_nat4", &there, &entry);
	back = (struct gg_flow4){ .from = { 10, 9, 0, last },
		.to = { 10, 9, 0, 1 },
		.from_port_be = htons(8080),
		.to_port_be = htons((uint16_t)(2000 + n)),
		.l4_proto = IPPROTO_TCP };
	entry.way.reverse = 1;
	entry.to = (struct gg_flow4){ .from = { 10, 9, 0, 200 },
		.to = { 10, 8, 0, n },
		.from_port_be = htons(80),
		.to_port_be = htons(4000),
		.l4_proto = IPPROTO_TCP };
	put("gg_nat4", &back, &entry);
}

static void
test_nat(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = owned_service(GG_MODE_NAT);
	struct gg_flow4 key;
	struct gg_nat4 value;
	uint32_t was;

	(void)state;
	set_ok(f, a);
	was = holder_of(WHO);
	nat_put(1, was, 11);
	nat_put(2, was, 11);
	nat_put(3, holder_of(OTHER), 10);
	a->backends[1].owner = 999;
	set_ok(f, a);
	walk(f);
	assert_int_equal(entries("gg_nat4"), 2);
	key = flow_of(3);
	assert_int_equal(look("gg_nat4", &key, &value), 0);
	assert_int_equal(row(was).slot, 0);
	free(a);
	fastpath_close(f, true);
}

static void
test_route(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = owned_service(GG_MODE_ROUTE);

	(void)state;
	set_ok(f, a);
	assert_int_equal(entries("gg_reverse"), 4);
	a->backends[1].owner = 999;
	set_ok(f, a);
	assert_int_equal(entries("gg_reverse"), 4);
	walk(f);
	assert_int_equal(entries("gg_reverse"), 4);
	a->service.backend_count = 1;
	set_ok(f, a);
	walk(f);
	tick(f, FASTPATH_DRAIN_MS_DEFAULT + 1000);
	walk(f);
	assert_int_equal(entries("gg_reverse"), 1);
	free(a);
	fastpath_close(f, true);
}

/* A daemon that is started anew finds both and does not mix them up. */
static void
test_restart(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = owned_service(GG_MODE_DSR_L2);
	struct gg_ring_slot *before;
	uint32_t was, is;

	(void)state;
	a->service.flags = GG_SERVICE_ALWAYS;
	set_ok(f, a);
	was = holder_of(WHO);
	keep(was, 1);
	a->backends[1].owner = 999;
	set_ok(f, a);
	is = holder_of(WHO);
	keep(is, 2);
	before = ring_read(SLOT);
	fastpath_close(f, false);
	f = open_v0();
	set_ok(f, a);
	assert_int_equal(holder_of(WHO), is);
	assert_int_equal(row(was).flags, GG_BACKEND_DOWN | GG_BACKEND_FORMER);
	only_the_owner_changed(before, is, is);
	walk(f);
	assert_false(is_kept(1));
	assert_true(is_kept(2));
	assert_int_equal(row(was).slot, 0);
	free(before);
	free(a);
	fastpath_close(f, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(test_another_owner),
		LAB(test_slots_that_move_go_on),
		LAB(test_unknown_is_no_evidence),
		LAB(test_nat),
		LAB(test_route),
		LAB(test_restart),
	};
	int rc;

	if (!lab_may_run())
		return EXIT_SKIPPED;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	netns_close(&netns);
	return rc;
}
