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
	refused(f, &a->service, 1, SLOT, "there is no route to 192.0.2.1");
	must("ip route add 192.0.2.0/24 via 10.9.0.10");
	refused(f, &a->service, 1, SLOT,
		"192.0.2.1 is behind a gateway: mode dsr-l2 needs it on a link"
		" of this box");
	must("ip tuntap add t0 mode tun &&"
	     " ip link set t0 up && ip route replace 192.0.2.0/24 dev t0");
	refused(f, &a->service, 1, SLOT,
		"the way to 192.0.2.1 leads over t0, which has no Ethernet"
		" address");
	must("ip link del t0 && ip route add 192.0.2.0/24 via 10.9.0.10");
	a->service.backend_count--;
	backend(a, "10.9.0.1", 80);
	refused(f, &a->service, 1, SLOT,
		"10.9.0.1 is an address of this box: XDP cannot send to it");
	after = shares(SLOT);
	assert_memory_equal(&before, &after, sizeof(after));
	assert_true(vip_exists("10.9.0.200", 80, IPPROTO_TCP));
	/* What it has is cared for all the same: one is down. */
	a->backends[0].state = FASTPATH_BACKEND_DOWN;
	refused(f, &a->service, 1, SLOT,
		"10.9.0.1 is an address of this box: XDP cannot send to it");
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
		LAB(test_what_is_wrong_is_refused),
	};
	int rc;

	if (!lab_may_run())
		return EXIT_SKIPPED;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	netns_close(&netns);
	return rc;
}
