/*
 * Listeners as control asks for them, in the map of addresses: by difference,
 * as many as there is room for, and with the addresses of the box.
 */
#include "fastpath_lab.h"

static int
vip_slot(const char *ip, uint16_t port, uint8_t l4_proto)
{
	struct gg_vip_key key = { .l4_proto = l4_proto };
	struct gg_vip value;
	struct addr a;
	char path[160];
	int fd, rc;

	snprintf(path, sizeof(path), "%s/maps/gg_vip", netns.pin_path);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	assert_int_equal(addr_parse_ip(ip, port, &a), 0);
	memcpy(key.ip, a.ip, 16);
	key.port_be = a.port_be;
	rc = bpf_map_lookup_elem(fd, &key, &value);
	close(fd);
	return rc == 0 ? (int)value.slot : 0;
}

static void
test_listeners_by_difference(void **state)
{
	struct fastpath *f = open_v0();
	struct error err = ERROR_INIT;
	struct fastpath_listener set[3];

	(void)state;
	set[0] = listener("0.0.0.0", 80, IPPROTO_TCP, 1);
	set[1] = listener("10.9.0.1", 80, IPPROTO_TCP, 2);
	set[2] = listener("::", 80, IPPROTO_TCP, 3);
	assert_int_equal(fastpath_listeners_set(f, set, 3, &err), 0);
	assert_int_equal(vip_slot("10.9.0.1", 80, IPPROTO_TCP), 2);
	assert_int_equal(vip_slot("127.0.0.1", 80, IPPROTO_TCP), 1);
	assert_int_equal(vip_slot("::1", 80, IPPROTO_TCP), 3);
	assert_int_equal(vip_slot("10.9.0.1", 80, IPPROTO_UDP), 0);

	set[1].slot = 7;
	assert_int_equal(fastpath_listeners_set(f, set + 1, 1, &err), 0);
	assert_int_equal(vip_slot("10.9.0.1", 80, IPPROTO_TCP), 7);
	assert_int_equal(vip_slot("127.0.0.1", 80, IPPROTO_TCP), 0);
	assert_int_equal(vip_slot("::1", 80, IPPROTO_TCP), 0);

	set[1].slot = GG_SLOTS_MAX;
	assert_int_equal(fastpath_listeners_set(f, set + 1, 1, &err), -1);
	assert_non_null(strstr(err.text, "out of 1..255"));
	assert_int_equal(vip_slot("10.9.0.1", 80, IPPROTO_TCP), 7);
	assert_int_equal(fastpath_listeners_set(f, NULL, 0, &err), 0);
	assert_int_equal(vip_slot("10.9.0.1", 80, IPPROTO_TCP), 0);
	fastpath_close(f, true);
}

static void
test_more_listeners_than_the_map_holds(void **state)
{
	static struct fastpath_listener set[GG_VIPS_MAX + 1];
	struct fastpath *f = open_v0();
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < GG_VIPS_MAX + 1; i++)
		set[i] = listener("10.9.0.1", (uint16_t)(i + 1), IPPROTO_TCP,
			1);
	assert_int_equal(
		fastpath_listeners_set(f, set, GG_VIPS_MAX + 1, &err), -1);
	assert_int_equal(fastpath_listeners_set(f, set, GG_VIPS_MAX, &err), 0);
	assert_int_equal(vip_slot("10.9.0.1", GG_VIPS_MAX, IPPROTO_TCP), 1);
	/* Full, and every entry another one. */
	for (size_t i = 0; i < GG_VIPS_MAX; i++)
		set[i].l4_proto = IPPROTO_UDP;
	assert_int_equal(fastpath_listeners_set(f, set, GG_VIPS_MAX, &err), 0);
	assert_int_equal(vip_slot("10.9.0.1", 1, IPPROTO_TCP), 0);
	assert_int_equal(vip_slot("10.9.0.1", 1, IPPROTO_UDP), 1);
	fastpath_close(f, true);
}

/* Other news may come first. */
static void
wait_for_vip(struct fastpath *f, const char *address, int slot)
{
	struct pollfd watch = { .fd = fastpath_watch_fd(f), .events = POLLIN };

	while (vip_slot(address, 9999, IPPROTO_UDP) != slot) {
		assert_int_equal(poll(&watch, 1, WAIT_MS), 1);
		fastpath_network_changed(f);
	}
}

static void
test_follows_addresses(void **state)
{
	struct fastpath *f = open_v0();

	(void)state;
	listen_all(f);
	assert_int_equal(vip_slot("10.9.0.2", 9999, IPPROTO_UDP), 0);
	must("ip addr add 10.9.0.2/24 dev v0");
	wait_for_vip(f, "10.9.0.2", SLOT);
	must("ip addr add 2001:db8::5/64 dev v0 nodad");
	wait_for_vip(f, "2001:db8::5", SLOT);
	must("ip addr del 10.9.0.2/24 dev v0");
	wait_for_vip(f, "10.9.0.2", 0);
	assert_int_equal(vip_slot("10.9.0.1", 9999, IPPROTO_UDP), SLOT);
	fastpath_close(f, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(test_listeners_by_difference),
		LAB(test_more_listeners_than_the_map_holds),
		LAB(test_follows_addresses),
	};
	int rc;

	if (!lab_may_run())
		return EXIT_SKIPPED;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	netns_close(&netns);
	return rc;
}
