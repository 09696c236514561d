/*
 * Services that cannot be steered are refused with a sentence, and harm neither
 * what they had nor the others.
 */
#include <net/if.h>
#include <sys/utsname.h>

#include "steering_lab.h"

/* What comes in by w0 goes out by v0: a veth whose other end has neither GRO nor
 * a program loses such frames. */
static void
test_a_way_that_loses_redirected_frames(void **state)
{
	const struct fastpath_interface_option interfaces[] = {
		{ "v0", FASTPATH_NATIVE },
		{ "w0", FASTPATH_NATIVE },
	};
	const struct fastpath_options options = {
		.pin_path = netns.pin_path,
		.interfaces = interfaces,
		.interface_count = 2,
	};
	struct asked *a = service_of(GG_MODE_NAT, 1);
	struct error err = ERROR_INIT;
	struct utsname kernel;
	struct fastpath *f;
	int major, minor;

	(void)state;
	assert_int_equal(uname(&kernel), 0);
	assert_int_equal(sscanf(kernel.release, "%d.%d", &major, &minor), 2);
	if (major * 1000 + minor < 6003) /* it would not say */
		skip();
	must("ip netns exec far ethtool -K v1 gro off");
	f = open_v0();
	/* XDP_TX is no redirect: of that the kernel says nothing. */
	set_ok(f, a);
	fastpath_close(f, true);
	must("ip link add w0 type veth peer name w1 && ip link set w0 up &&"
	     " ip link set w1 up");
	f = fastpath_open(&options);
	assert_int_equal(fastpath_services_set(f, &a->service, 1, &err), -1);
	assert_string_equal(err.text,
		"the way to 10.9.0.10 is over v0, which takes no frames that "
		"XDP redirects (ndo_xdp_xmit)");
	assert_false(fastpath_service_state(f, SLOT)->enforced);
	must("ip netns exec far ethtool -K v1 gro on");
	set_ok(f, a);
	assert_true(fastpath_service_state(f, SLOT)->enforced);
	free(a);
	fastpath_close(f, true);
	command("ip link del w0");
}

/* The service is steered all the same. */
static void
left_out(struct fastpath *f, const struct asked *a, const char *text)
{
	struct error err = ERROR_INIT;
	const struct fastpath_service_state *shown;

	if (fastpath_services_set(f, &a->service, 1, &err) != -1)
		fail_msg("not left out: %s", text);
	assert_string_equal(err.text, text);
	shown = fastpath_service_state(f, SLOT);
	assert_true(shown->enforced);
	assert_string_equal(shown->problem, text);
}

/* One that comes and cannot be sent to keeps nobody who left in the ring, and
 * none of the others out of it. */
static void
test_a_wrong_backend_is_left_out(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service_of(GG_MODE_NAT, 3);
	struct asked *now = service(SLOT, "10.9.0.200", 80, IPPROTO_TCP,
		GG_MODE_NAT);
	struct shares at;

	(void)state;
	set_ok(f, a);
	backend(now, "10.9.0.12", 8080);
	backend(now, "10.9.0.13", 8080);
	backend(now, "192.0.2.1", 8080);
	left_out(f, now,
		"a backend is left out: there is no route to 192.0.2.1");
	at = shares(SLOT);
	assert_int_equal(at.current[index_of("10.9.0.10")], 0);
	assert_int_equal(at.current[index_of("10.9.0.11")], 0);
	assert_true(at.current[index_of("10.9.0.13")] > 0);
	assert_int_equal(at.current[index_of("10.9.0.12")] +
			at.current[index_of("10.9.0.13")],
		GG_RING_SLOTS);
	assert_int_equal(index_of("192.0.2.1"), 0);
	backend(now, "fd09::7", 8080);
	left_out(f, now,
		"2 backends are left out, the first: [fd09::7]:8080 is of "
		"another family (IPv4, IPv6) than the service's address");
	/* It is asked for no less: when there is a route, it is taken. */
	now->service.backend_count--;
	left_out(f, now,
		"a backend is left out: there is no route to 192.0.2.1");
	must("ip route add 192.0.2.0/24 via 10.9.0.10");
	fastpath_network_changed(f);
	fastpath_steering_tick(f, clock_monotonic_ms());
	assert_string_not_equal(fastpath_service_state(f, SLOT)->problem,
		"a backend is left out: there is no route to 192.0.2.1");
	assert_int_not_equal(index_of("192.0.2.1"), 0);
	at = shares(SLOT);
	assert_true(at.current[index_of("192.0.2.1")] > 0);
	/* Nobody whom the service wants can be sent to. */
	must("ip route del 192.0.2.0/24");
	now->service.backend_count = 0;
	backend(now, "192.0.2.7", 8080);
	refused(f, &now->service, 1, SLOT, "there is no route to 192.0.2.7");
	at = shares(SLOT);
	assert_int_equal(at.current[0], GG_RING_SLOTS);
	free(a);
	free(now);
	fastpath_close(f, true);
}

/* Who left gets no new connection for as long as the others are refused. */
static void
test_who_left_drains_though_the_rest_is_refused(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service_of(GG_MODE_NAT, 3);
	struct fastpath_listener listener = { .slot = 3,
		.l4_proto = IPPROTO_TCP };
	const struct fastpath_service_state *shown;
	struct error err = ERROR_INIT;
	struct shares at;

	(void)state;
	set_ok(f, a);
	listener.addr = a->service.addr;
	fastpath_listeners_set(f, &listener, 1, &err);
	a->service.backend_count = 1;
	refused(f, &a->service, 1, SLOT,
		"10.9.0.200:80/tcp is a listener's already");
	at = shares(SLOT);
	assert_int_equal(at.current[index_of("10.9.0.10")], GG_RING_SLOTS);
	shown = fastpath_service_state(f, SLOT);
	for (size_t i = 0; i < shown->backend_count; i++) {
		const struct fastpath_backend_status *b = &shown->backends[i];

		assert_int_equal(b->removed,
			!addr_equal(&b->addr, &a->backends[0].addr));
		assert_int_equal(b->state,
			b->removed ? FASTPATH_BACKEND_DRAINING :
				     FASTPATH_BACKEND_UP);
	}
	free(a);
	fastpath_close(f, true);
}

static void
test_what_is_wrong_is_refused(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service_of(GG_MODE_DSR_L2, 2);
	struct asked *b =
		service(SLOT + 1, "10.9.0.201", 80, IPPROTO_TCP, GG_MODE_NAT);
	struct fastpath_listener listener = { .slot = 3,
		.l4_proto = IPPROTO_TCP };
	struct fastpath_service both[2];
	struct error err = ERROR_INIT;
	struct shares before, after;

	(void)state;
	set_ok(f, a);
	before = shares(SLOT);
	backend(a, "192.0.2.1", 80);
	left_out(f, a, "a backend is left out: there is no route to 192.0.2.1");
	must("ip route add 192.0.2.0/24 via 10.9.0.10");
	left_out(f, a,
		"a backend is left out: 192.0.2.1 is behind a gateway: mode dsr-l2 needs it on a link"
		" of this box");
	must("ip tuntap add t0 mode tun &&"
	     " ip link set t0 up && ip route replace 192.0.2.0/24 dev t0");
	left_out(f, a,
		"a backend is left out: the way to 192.0.2.1 leads over t0, which has no Ethernet"
		" address");
	must("ip link del t0 && ip route add 192.0.2.0/24 via 10.9.0.10");
	a->service.backend_count--;
	backend(a, "10.9.0.1", 80);
	left_out(f, a,
		"a backend is left out: 10.9.0.1 is an address of this box: XDP cannot send to it");
	after = shares(SLOT);
	assert_memory_equal(&before, &after, sizeof(after));
	assert_true(vip_exists("10.9.0.200", 80, IPPROTO_TCP));
	/* What it has is cared for all the same: one is down. */
	a->backends[0].state = FASTPATH_BACKEND_DOWN;
	left_out(f, a,
		"a backend is left out: 10.9.0.1 is an address of this box: XDP cannot send to it");
	after = shares(SLOT);
	assert_int_equal(after.current[index_of("10.9.0.10")], 0);
	assert_int_equal(row(index_of("10.9.0.10")).flags, GG_BACKEND_DOWN);
	a->service.backend_count--;
	/* The others are brought up. */
	backend(b, "192.0.2.9", 80);
	must("ip route del 192.0.2.0/24");
	both[0] = a->service;
	both[1] = b->service;
	refused(f, both, 2, SLOT + 1, "there is no route to 192.0.2.9");
	assert_true(fastpath_service_state(f, SLOT)->enforced);
	/* And that one, too, when there is a route. */
	must("ip route add 192.0.2.0/24 via 10.9.0.10");
	fastpath_network_changed(f);
	fastpath_steering_tick(f, clock_monotonic_ms());
	assert_true(fastpath_service_state(f, SLOT + 1)->enforced);
	/* Addresses that are taken. */
	b->service.addr = a->service.addr;
	both[1] = b->service;
	refused(f, both, 2, SLOT + 1,
		"10.9.0.200:80/tcp is another service's already");
	assert_true(fastpath_service_state(f, SLOT)->enforced);
	assert_true(vip_exists("10.9.0.201", 80, IPPROTO_TCP));
	addr_parse_ip("10.9.0.7", 80, &listener.addr);
	assert_int_equal(fastpath_listeners_set(f, &listener, 1, &err), 0);
	b->service.addr = listener.addr;
	both[1] = b->service;
	refused(f, both, 2, SLOT + 1,
		"10.9.0.7:80/tcp is a listener's already");
	assert_int_equal(fastpath_service_check(f, &b->service, &err), -1);
	b->service.slot = SLOT + 2;
	addr_parse_ip("10.9.0.8", 80, &b->service.addr);
	err = (struct error)ERROR_INIT;
	assert_int_equal(fastpath_service_check(f, &b->service, &err), 0);
	assert_false(vip_exists("10.9.0.8", 80, IPPROTO_TCP));
	free(a);
	free(b);
	fastpath_close(f, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(test_a_way_that_loses_redirected_frames),
		LAB(test_a_wrong_backend_is_left_out),
		LAB(test_who_left_drains_though_the_rest_is_refused),
		LAB(test_what_is_wrong_is_refused),
	};
	int rc;

	if (!lab_may_run())
		return EXIT_SKIPPED;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	netns_close(&netns);
	return rc;
}
