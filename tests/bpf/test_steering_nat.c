/*
 * Connections of mode nat in the table: swept when they are over, and their
 * backend has its index until then.
 */
#include "steering_lab.h"

static void
nat_pair(uint32_t n, const char *ip, uint8_t closing, uint32_t seen_s,
	uint32_t seen_back_s)
{
	const struct gg_flow4 client = {
		.from = { 10, 8, 0, (uint8_t)n },
		.to = { 10, 9, 0, 200 },
		.from_port_be = htons(4000),
		.to_port_be = htons(80),
		.l4_proto = IPPROTO_TCP,
	};
	const struct gg_flow4 backend_side = {
		.from = { 10, 9, 0, 10 },
		.to = { 10, 9, 0, 1 },
		.from_port_be = htons(8080),
		.to_port_be = htons((uint16_t)(2000 + n)),
		.l4_proto = IPPROTO_TCP,
	};
	struct gg_nat4 there = {
		.way = { .seen_s = seen_s,
			.backend = (uint16_t)index_of(ip),
			.slot = SLOT,
			.closing = closing },
		.to = { .from = { 10, 9, 0, 1 },
			.to = { 10, 9, 0, 10 },
			.from_port_be = htons((uint16_t)(2000 + n)),
			.to_port_be = htons(8080),
			.l4_proto = IPPROTO_TCP },
	};
	struct gg_nat4 back = {
		.way = { .seen_s = seen_back_s,
			.backend = (uint16_t)index_of(ip),
			.slot = SLOT,
			.closing = closing,
			.reverse = 1 },
		.to = { .from = { 10, 9, 0, 200 },
			.to = { 10, 8, 0, (uint8_t)n },
			.from_port_be = htons(80),
			.to_port_be = htons(4000),
			.l4_proto = IPPROTO_TCP },
	};

	put("gg_nat4", &client, &there);
	put("gg_nat4", &backend_side, &back);
}

static void
test_connections_that_are_over_leave_nat(void **state)
{
	const uint8_t both = GG_NAT_CLOSING_CLIENT | GG_NAT_CLOSING_BACKEND;
	struct fastpath *f = open_v0();
	struct asked *a = service_of(GG_MODE_NAT, 2);
	const struct fastpath_service_state *shown;
	uint32_t now_s;

	(void)state;
	set_ok(f, a);
	now_ms = 0;
	tick(f, 0);
	walk(f);
	now_s = (uint32_t)(now_ms / 1000) + 40; /* when the next walk ends */
	nat_pair(1, "10.9.0.10", 0, now_s, now_s);
	nat_pair(2, "10.9.0.10", 0, now_s - 3 * 3600, now_s); /* one way */
	nat_pair(3, "10.9.0.10", 0, now_s, now_s - 3 * 3600);
	nat_pair(4, "10.9.0.10", 0, now_s - 3 * 3600, now_s - 3 * 3600);
	nat_pair(5, "10.9.0.10", both, now_s - 200, now_s - 200);
	nat_pair(6, "10.9.0.10", both, now_s, now_s);
	nat_pair(7, "10.9.0.11", GG_NAT_CLOSING_CLIENT, now_s - 200,
		now_s - 200);
	nat_pair(8, "10.9.0.11", GG_NAT_CLOSING_CLIENT, now_s - 900,
		now_s - 900);
	assert_int_equal(entries("gg_nat4"), 16);
	walk(f);
	assert_int_equal(entries("gg_nat4"), 10);
	shown = fastpath_service_state(f, SLOT);
	assert_int_equal(shown->nat, 5);
	assert_int_equal(shown->nat_expired, 3);
	/* A backend that left has its index while it has connections. */
	a->service.backend_count = 1;
	set_ok(f, a);
	walk(f);
	assert_int_not_equal(index_of("10.9.0.11"), 0);
	tick(f, 3600 * 1000);
	walk(f);
	assert_int_equal(index_of("10.9.0.11"), 0);
	/* And the service's own are over with it. */
	set_none(f);
	walk(f);
	assert_int_equal(entries("gg_nat4"), 0);
	free(a);
	fastpath_close(f, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(test_connections_that_are_over_leave_nat),
	};
	int rc;

	if (!lab_may_run())
		return EXIT_SKIPPED;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	netns_close(&netns);
	return rc;
}
