/*
 * Control ends and begins again: it goes on with the rings, windows and
 * backends that it finds in the maps.
 */
#include "tests/lib/child.h"
#include "steering_lab.h"

static void
test_a_restart_finds_what_was_there(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service_of(GG_MODE_DSR_L2, 5);
	struct gg_ring_slot *before, *after;
	struct fastpath_listener listener = { .slot = 3,
		.l4_proto = IPPROTO_TCP };
	struct error err = ERROR_INIT;
	uint32_t leaving;

	(void)state;
	set_ok(f, a);
	a->backends[1].state = FASTPATH_BACKEND_DRAINING;
	set_ok(f, a);
	leaving = index_of("10.9.0.13");
	a->backends[3] = a->backends[--a->service.backend_count];
	set_ok(f, a);
	before = ring_read(SLOT);
	fastpath_close(f, false);

	f = open_v0();
	/* Listeners come first; services wait for their say. */
	addr_parse_ip("10.9.0.1", 443, &listener.addr);
	assert_int_equal(fastpath_listeners_set(f, &listener, 1, &err), 0);
	fastpath_steering_tick(f, clock_monotonic_ms());
	assert_true(vip_exists("10.9.0.200", 80, IPPROTO_TCP));
	assert_true(vip_exists("10.9.0.200", 0, 0));
	assert_int_equal(cfg_flags(), GG_CFG_STEER);
	assert_int_equal(fastpath_service_slot(f, &a->service.addr,
				 IPPROTO_TCP),
		SLOT);
	set_ok(f, a);
	after = ring_read(SLOT);
	assert_memory_equal(before, after, GG_RING_SLOTS * sizeof(*after));
	assert_int_equal(row(leaving).slot, SLOT);
	/* The window goes on from where it was. */
	now_ms = 0;
	tick(f, FASTPATH_DRAIN_MS_DEFAULT - 60000);
	assert_true(shares(SLOT).moved > 0);
	tick(f, 61000);
	assert_int_equal(shares(SLOT).moved, 0);
	walk(f);
	assert_int_equal(shares(SLOT).stable, GG_RING_SLOTS);
	assert_int_equal(row(leaving).slot, 0);
	free(before);
	free(after);
	fastpath_close(f, false);

	/* Under that slot something else is wanted: it begins anew. */
	f = open_v0();
	addr_parse_ip("10.9.0.202", 80, &a->service.addr);
	set_ok(f, a);
	assert_int_equal(shares(SLOT).stable, GG_RING_SLOTS);
	assert_false(vip_exists("10.9.0.200", 80, IPPROTO_TCP));
	fastpath_close(f, false);

	/* And now nothing. */
	f = open_v0();
	set_none(f);
	assert_false(vip_exists("10.9.0.202", 80, IPPROTO_TCP));
	assert_int_equal(look("gg_ring", &(uint32_t){ SLOT }, &(uint32_t){ 0 }),
		-1);
	assert_int_equal(cfg_flags(), 0);
	free(a);
	fastpath_close(f, true);
}

struct moved {
	const struct asked *asked;
	uint32_t slots;
};

/* As control runs; 0: it went on with the moved slots that were there. */
static int
frugal(const void *arg)
{
	const struct moved *moved = arg;
	struct error err = ERROR_INIT;
	struct fastpath *f;
	bool fine;

	if (child_lower_sys_admin() != 0 || bpf_map_get_fd_by_id(1) != -EPERM)
		return 2;
	f = open_v0();
	fine = fastpath_services_set(f, &moved->asked->service, 1, &err) ==
			0 &&
		fastpath_service_state(f, SLOT)->moved_slots ==
			moved->slots &&
		bpf_map_get_fd_by_id(1) == -EPERM;
	fastpath_close(f, false);
	return fine ? 0 : 1;
}

static void
test_a_restart_without_sys_admin(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service_of(GG_MODE_DSR_L2, 5);
	struct moved moved = { .asked = a };

	(void)state;
	set_ok(f, a);
	a->backends[1].state = FASTPATH_BACKEND_DRAINING;
	set_ok(f, a);
	moved.slots = fastpath_service_state(f, SLOT)->moved_slots;
	assert_true(moved.slots > 0);
	fastpath_close(f, false);
	child_run(frugal, &moved);
	free(a);
	fastpath_close(open_v0(), true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(test_a_restart_finds_what_was_there),
		LAB(test_a_restart_without_sys_admin),
	};
	int rc;

	if (!lab_may_run())
		return EXIT_SKIPPED;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	netns_close(&netns);
	return rc;
}
