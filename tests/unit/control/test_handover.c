/* Tests a service that changes hands between XDP and the relay. */
#include "control/handover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>

static struct fastpath_service
asked(struct handover *h, uint8_t mode)
{
	struct fastpath_service s = { .slot = 64,
		.l4_proto = IPPROTO_TCP,
		.mode = mode,
		.drain_ms = 5000 };

	handover_ask(h, &s);
	return s;
}

/* Whoever was relayed before is left alone until the last has ended. */
static void
test_to_xdp(void **state)
{
	struct handover h = { .asked = false };
	struct fastpath_service s;

	(void)state;
	handover_turn(&h, false, 1000);
	s = asked(&h, GG_MODE_NAT);
	assert_true(s.relayed);
	assert_false(s.leaving);
	for (int i = 0; i < 10; i++)
		assert_false(handover_tick(&h, true, 2000));
	assert_false(handover_tick(&h, false, 3000));
	assert_true(handover_tick(&h, false, 4000));
	s = asked(&h, GG_MODE_NAT);
	assert_false(s.relayed);
	/* What is relayed from now on came another way. */
	assert_false(handover_tick(&h, true, 5000));
	s = asked(&h, GG_MODE_NAT);
	assert_false(s.relayed);
}

static void
test_to_relay(void **state)
{
	struct handover h = { .asked = false };
	struct fastpath_service s;

	(void)state;
	asked(&h, GG_MODE_ROUTE);
	handover_tick(&h, false, 0);
	handover_tick(&h, false, 0);
	handover_turn(&h, true, 1000);
	assert_true(handover_is_leaving(&h));
	s = asked(&h, GG_MODE_NAT);
	assert_true(s.relayed && s.leaving);
	assert_int_equal(s.mode, GG_MODE_ROUTE);
	assert_false(handover_tick(&h, false, 5999));
	handover_turn(&h, true, 5999);
	assert_true(handover_is_leaving(&h));
	assert_true(handover_tick(&h, false, 6000));
	handover_turn(&h, true, 6000);
	assert_false(handover_is_leaving(&h));
	handover_end(&h);
	handover_turn(&h, true, 7000);
	assert_false(handover_is_leaving(&h));
}

/* Taken back before the drain is over: what was relayed meanwhile stays. */
static void
test_back(void **state)
{
	struct handover h = { .asked = false };
	struct fastpath_service s;

	(void)state;
	asked(&h, GG_MODE_NAT);
	handover_tick(&h, false, 0);
	handover_tick(&h, false, 0);
	handover_turn(&h, true, 1000);
	asked(&h, GG_MODE_NAT);
	handover_turn(&h, false, 2000);
	s = asked(&h, GG_MODE_DSR_L2);
	assert_true(s.relayed);
	assert_false(s.leaving);
	assert_int_equal(s.mode, GG_MODE_DSR_L2);
}

static void
test_udp(void **state)
{
	struct handover h = { .asked = false };
	struct fastpath_service s = { .slot = 64, .l4_proto = IPPROTO_UDP };

	(void)state;
	handover_ask(&h, &s);
	assert_false(s.relayed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_to_xdp),
		cmocka_unit_test(test_to_relay),
		cmocka_unit_test(test_back),
		cmocka_unit_test(test_udp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
