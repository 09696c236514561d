/*
 * The way to a backend is followed: neighbours, routes, the interface's own
 * address.
 */
#include <poll.h>

#include "steering_lab.h"

#define WAIT_MS 5000

/* Word from the kernel, until done or time is up. */
static bool
wait_for(struct fastpath *f, bool (*done)(void *arg), void *arg)
{
	struct pollfd watch = { fastpath_watch_fd(f), POLLIN, 0 };
	uint64_t end = clock_monotonic_ms() + WAIT_MS;

	for (;;) {
		if (done(arg))
			return true;
		if (clock_monotonic_ms() > end)
			return false;
		if (poll(&watch, 1, 500) > 0)
			fastpath_network_changed(f);
		else /* control's tick */
			fastpath_steering_tick(f, clock_monotonic_ms());
	}
}

struct hop {
	const char *backend, *mac; /* NULL: none */
};

static bool
hop_is(void *arg)
{
	const struct hop *hop = arg;
	uint32_t index = index_of(hop->backend);
	struct gg_backend at = row(index);
	char text[32];

	if (hop->mac == NULL || at.ifindex == 0)
		return hop->mac == NULL && at.ifindex == 0;
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x",
		at.to_mac[0], at.to_mac[1], at.to_mac[2], at.to_mac[3],
		at.to_mac[4], at.to_mac[5]);
	return strcmp(text, hop->mac) == 0;
}

static void
assert_hop(struct fastpath *f, const char *ip, const char *mac)
{
	struct hop hop = { ip, mac };

	if (!wait_for(f, hop_is, &hop))
		fail_msg("%s is not reached by %s", ip,
			mac == NULL ? "nothing" : mac);
}

static void
test_next_hops_are_followed(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a =
		service(SLOT, "10.9.0.200", 80, IPPROTO_TCP, GG_MODE_NAT);
	struct asked *b = service(SLOT + 1, "fd09::200", 80, IPPROTO_TCP,
		GG_MODE_ROUTE);
	struct fastpath_service both[2];
	struct error err = ERROR_INIT;
	const struct fastpath_service_state *shown;

	(void)state;
	must("ip -n far link set v1 address 02:00:00:00:00:0a");
	backend(a, "10.9.0.10", 80);
	backend(b, "fd09::10", 80);
	both[0] = a->service;
	both[1] = b->service;
	assert_int_equal(fastpath_services_set(f, both, 2, &err), 0);
	/* Nobody there yet. */
	assert_int_equal(row(index_of("10.9.0.10")).ifindex, 0);
	shown = fastpath_service_state(f, SLOT);
	assert_int_equal(shown->unreachable, 1);
	assert_string_equal(shown->problem,
		"the next hop to 10.9.0.10 is not known");
	assert_true(shown->enforced);
	/* It appears, and is found without traffic. */
	must("ip -n far addr add 10.9.0.10/24 dev v1");
	must("ip -n far addr add fd09::10/64 dev v1 nodad");
	assert_hop(f, "10.9.0.10", "02:00:00:00:00:0a");
	assert_hop(f, "fd09::10", "02:00:00:00:00:0a");
	assert_int_equal(fastpath_service_state(f, SLOT)->unreachable, 0);
	/* Another machine takes its address, and says so. */
	must("ip link set v0 arp on && ip neigh replace 10.9.0.10 dev v0 lladdr"
	     " 02:00:00:00:00:0b nud reachable");
	assert_hop(f, "10.9.0.10", "02:00:00:00:00:0b");
	must("ip neigh replace fd09::10 dev v0 lladdr 02:00:00:00:00:0c"
	     " nud reachable");
	assert_hop(f, "fd09::10", "02:00:00:00:00:0c");
	/* It goes: nothing is sent to where it was. */
	must("ip -n far addr flush dev v1 && ip neigh flush dev v0");
	assert_hop(f, "10.9.0.10", NULL);
	assert_hop(f, "fd09::10", NULL);
	free(a);
	free(b);
	fastpath_close(f, true);
}

static void
test_routes_are_followed(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a =
		service(SLOT, "10.9.0.200", 80, IPPROTO_TCP, GG_MODE_NAT);
	struct asked *b =
		service(SLOT + 1, "fd09::200", 80, IPPROTO_TCP, GG_MODE_NAT);
	struct fastpath_service both[2];
	struct error err = ERROR_INIT;
	struct gg_backend at;

	(void)state;
	for (int i = 20; i < 22; i++) {
		must("ip neigh add 10.9.0.%d dev v0 lladdr 02:00:00:00:00:%d"
		     " nud permanent",
			i, i);
		must("ip neigh add fd09::%d dev v0 lladdr 02:00:00:00:06:%d"
		     " nud permanent",
			i, i);
	}
	must("ip route add 10.20.0.0/16 via 10.9.0.20 mtu 1400");
	must("ip route add fd20::/64 via fd09::20");
	backend(a, "10.20.0.5", 80);
	backend(b, "fd20::5", 80);
	both[0] = a->service;
	both[1] = b->service;
	if (fastpath_services_set(f, both, 2, &err) != 0)
		fail_msg("%s", err.text);
	assert_hop(f, "10.20.0.5", "02:00:00:00:00:20");
	assert_hop(f, "fd20::5", "02:00:00:00:06:20");
	at = row(index_of("10.20.0.5"));
	assert_int_equal(at.mtu, 1400);
	assert_memory_equal(at.source_ip + 12, "\12\11\0\1", 4);
	at = row(index_of("fd20::5"));
	assert_int_equal(at.source_ip[15], 1);
	assert_int_equal(at.source_ip[1], 9);
	must("ip route replace 10.20.0.0/16 via 10.9.0.21");
	must("ip route replace fd20::/64 via fd09::21");
	assert_hop(f, "10.20.0.5", "02:00:00:00:00:21");
	assert_hop(f, "fd20::5", "02:00:00:00:06:21");
	/* IPv4 by way of an IPv6 neighbour. */
	must("ip route replace 10.20.0.0/16 via inet6 fd09::20 dev v0");
	assert_hop(f, "10.20.0.5", "02:00:00:00:06:20");
	must("ip route del 10.20.0.0/16");
	assert_hop(f, "10.20.0.5", NULL);
	assert_true(fastpath_service_state(f, SLOT)->enforced);
	/* The interface's own address is part of the way. */
	must("ip link set v0 down && ip link set v0 address 02:00:00:00:00:99"
	     " && ip link set v0 up && ip addr add fd09::1/64 dev v0 nodad"
	     " && ip route add 10.20.0.0/16 via 10.9.0.20 &&"
	     " ip neigh replace 10.9.0.20 dev v0 lladdr 02:00:00:00:00:20"
	     " nud permanent");
	assert_hop(f, "10.20.0.5", "02:00:00:00:00:20");
	assert_memory_equal(row(index_of("10.20.0.5")).from_mac,
		"\2\0\0\0\0\231", 6);
	free(a);
	free(b);
	fastpath_close(f, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(test_next_hops_are_followed),
		LAB(test_routes_are_followed),
	};
	int rc;

	if (!lab_may_run())
		return EXIT_SKIPPED;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	netns_close(&netns);
	return rc;
}
