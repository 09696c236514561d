/*
 * A service as it is asked for fills the maps: addresses, ring, backends, the
 * way back; of every program that runs, also of one that comes later.
 */
#include <net/if.h>

#include <bpf/btf.h>

#include "steering_lab.h"

static void
test_a_service_fills_the_maps(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service_of(GG_MODE_NAT, 3);
	const struct fastpath_service_state *shown;
	struct gg_service flags;
	struct bpf_devmap_val tx;
	struct gg_backend at;
	struct shares s;
	uint32_t ifindex = if_nametoindex("v0");

	(void)state;
	a->service.flags = GG_SERVICE_ALWAYS;
	a->backends[2].weight = 2;
	assert_int_equal(cfg_flags(), 0);
	set_ok(f, a);
	assert_true(vip_is("10.9.0.200", 80, IPPROTO_TCP,
		(struct gg_vip){ SLOT, GG_MODE_NAT, 0, 0 }));
	assert_true(vip_is("10.9.0.200", 0, 0,
		(struct gg_vip){ 0, GG_MODE_PASS, GG_VIP_ADDRESS, 0 }));
	assert_int_equal(cfg_flags(), GG_CFG_STEER | GG_CFG_NAT);
	at = row(index_of("10.9.0.11"));
	assert_int_equal(at.slot, SLOT);
	assert_int_equal(at.port_be, htons(8080));
	assert_int_equal(at.ifindex, ifindex);
	assert_int_equal(at.mtu, 1500);
	assert_int_equal(at.flags, 0);
	assert_memory_equal(at.to_mac, "\2\0\0\0\11\13", 6);
	assert_memory_equal(at.source_ip + 12, "\12\11\0\1", 4);
	s = shares(SLOT);
	assert_int_equal(s.stable, GG_RING_SLOTS);
	assert_in_range(s.current[index_of("10.9.0.10")], 16384 - 164,
		16384 + 164);
	assert_in_range(s.current[index_of("10.9.0.12")], 32768 - 328,
		32768 + 328);
	assert_int_equal(look("gg_service", &(uint32_t){ SLOT }, &flags), 0);
	assert_int_equal(flags.flags, GG_SERVICE_ALWAYS);
	assert_int_equal(flags.idle_s, FASTPATH_UDP_IDLE_S_DEFAULT);
	assert_int_equal(look("gg_tx", &ifindex, &tx), 0);
	shown = fastpath_service_state(f, SLOT);
	assert_int_equal(shown->backend_count, 3);
	assert_int_equal(shown->unreachable, 0);
	assert_string_equal(shown->problem, "");
	assert_int_equal(fastpath_service_slot(f, &a->service.addr,
				 IPPROTO_TCP),
		SLOT);
	assert_int_equal(fastpath_service_slot(f, &a->service.addr,
				 IPPROTO_UDP),
		0);
	set_none(f);
	assert_null(fastpath_service_state(f, SLOT));
	assert_false(vip_exists("10.9.0.200", 80, IPPROTO_TCP));
	assert_false(vip_exists("10.9.0.200", 0, 0));
	assert_int_equal(cfg_flags(), 0);
	assert_int_equal(look("gg_ring", &(uint32_t){ SLOT }, &(uint32_t){ 0 }),
		-1);
	walk(f);
	assert_int_equal(index_of("10.9.0.11"), 0);
	free(a);
	fastpath_close(f, true);
}

static void
test_a_wildcard_is_expanded(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service(SLOT, "::", 53, IPPROTO_UDP, GG_MODE_NAT);
	const struct gg_vip wanted = { SLOT, GG_MODE_NAT, 0, 0 };

	(void)state;
	backend(a, "10.9.0.10", 53);
	set_ok(f, a);
	assert_true(vip_is("10.9.0.1", 53, IPPROTO_UDP, wanted));
	assert_true(vip_exists("10.9.0.1", 0, 0));
	assert_false(vip_exists("127.0.0.1", 53, IPPROTO_UDP));
	assert_false(vip_exists("fd09::1", 53, IPPROTO_UDP));
	must("ip addr add 10.9.0.2/24 dev v0");
	fastpath_network_changed(f);
	assert_true(vip_is("10.9.0.2", 53, IPPROTO_UDP, wanted));
	must("ip addr del 10.9.0.2/24 dev v0");
	fastpath_network_changed(f);
	assert_false(vip_exists("10.9.0.2", 53, IPPROTO_UDP));
	assert_false(vip_exists("10.9.0.2", 0, 0));
	free(a);
	fastpath_close(f, true);
}

static void
test_route_has_its_way_back(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service_of(GG_MODE_ROUTE, 2);
	struct gg_vip_key key = vip_key("10.9.0.11", 8080, IPPROTO_TCP);
	struct gg_reverse value;

	(void)state;
	set_ok(f, a);
	assert_int_equal(cfg_flags(), GG_CFG_STEER | GG_CFG_ROUTE);
	assert_int_equal(look("gg_reverse", &key, &value), 0);
	assert_int_equal(value.slot, SLOT);
	assert_int_equal(value.port_be, htons(80));
	assert_memory_equal(value.ip, a->service.addr.ip, 16);
	assert_memory_equal(value.own_ip + 12, "\12\11\0\1", 4);
	/* The box gets another address on the way there. */
	must("ip route add 10.9.0.11 dev v0 src 10.9.0.1 &&"
	     " ip addr add 10.9.0.3/32 dev v0 &&"
	     " ip route replace 10.9.0.11 dev v0 src 10.9.0.3");
	fastpath_network_changed(f);
	tick(f, 0);
	assert_int_equal(look("gg_reverse", &key, &value), 0);
	assert_memory_equal(value.own_ip + 12, "\12\11\0\3", 4);
	/* Its answers are still answers while it drains. */
	a->service.backend_count = 1;
	set_ok(f, a);
	assert_int_equal(look("gg_reverse", &key, &value), 0);
	set_none(f);
	assert_int_equal(look("gg_reverse", &key, &value), -1);
	free(a);
	fastpath_close(f, true);
}

static void
test_a_dump_of_a_ring_has_names(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service_of(GG_MODE_NAT, 1);
	struct bpf_map_info info = { 0 };
	uint32_t id, length = sizeof(info);
	const struct btf_type *type;
	struct btf *btf;
	int fd;

	(void)state;
	set_ok(f, a);
	assert_int_equal(look("gg_ring", &(uint32_t){ SLOT }, &id), 0);
	fd = bpf_map_get_fd_by_id(id);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &length), 0);
	close(fd);
	btf = btf__load_from_kernel_by_id(info.btf_id);
	assert_non_null(btf);
	type = btf__type_by_id(btf, info.btf_value_type_id);
	assert_string_equal(btf__name_by_offset(btf, type->name_off),
		"gg_ring_slot");
	assert_string_equal(btf__name_by_offset(btf,
				    btf_members(type)[3].name_off),
		"epoch");
	btf__free(btf);
	free(a);
	fastpath_close(f, true);
}

/* ---- several programs, each with maps of its own */

static uint32_t
map_of_program(uint32_t program_id, const char *name)
{
	uint32_t ids[64];
	struct bpf_prog_info info = { .nr_map_ids = ARRAY_SIZE(ids),
		.map_ids = (uintptr_t)ids };
	uint32_t length = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(program_id);

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &length), 0);
	close(fd);
	for (uint32_t i = 0; i < info.nr_map_ids; i++) {
		struct bpf_map_info map = { 0 };

		length = sizeof(map);
		fd = bpf_map_get_fd_by_id(ids[i]);
		assert_int_equal(bpf_obj_get_info_by_fd(fd, &map, &length), 0);
		close(fd);
		if (strcmp(map.name, name) == 0)
			return map.id;
	}
	fail_msg("program %u has no map %s", program_id, name);
	return 0;
}

static void
look_in(uint32_t program_id, const char *name, const void *key, void *value)
{
	int fd = bpf_map_get_fd_by_id(map_of_program(program_id, name));

	assert_int_equal(bpf_map_lookup_elem(fd, key, value), 0);
	close(fd);
}

static void
test_all_sets_of_maps_get_the_same(void **state)
{
	const struct fastpath_interface_option interfaces[] = {
		{ "v0", FASTPATH_AUTO },
		{ "w0", FASTPATH_AUTO },
	};
	const struct fastpath_options options = {
		.pin_path = netns.pin_path,
		.interfaces = interfaces,
		.interface_count = 2,
	};
	struct asked *a = service_of(GG_MODE_ROUTE, 2);
	struct gg_vip_key vip = vip_key("10.9.0.200", 80, IPPROTO_TCP);
	struct gg_vip_key back = vip_key("10.9.0.11", 8080, IPPROTO_TCP);
	uint32_t programs[2], rings[2], slot = SLOT, zero = 0, index;
	struct gg_backend rows[2], seen;
	struct gg_reverse reverse;
	struct gg_service flags;
	struct bpf_devmap_val tx;
	struct fastpath *f;
	struct gg_vip value;
	struct gg_cfg cfg;

	(void)state;
	must("ip link add w0 type veth peer name w1 && ip link set w0 up &&"
	     " ip link set w1 up");
	for (int i = 0; i < 2; i++)
		must("ip link set dev %s xdp obj %s sec xdp 2>/dev/null",
			interfaces[i].name, netns.object_path);
	a->service.flags = GG_SERVICE_ALWAYS;
	f = fastpath_open(&options);
	set_ok(f, a);
	index = index_of("10.9.0.11");
	for (int i = 0; i < 2; i++) {
		uint32_t id = fastpath_interface_get(f, i)->program_id;
		uint32_t w0 = if_nametoindex("w0");

		programs[i] = map_of_program(id, "gg_cfg");
		look_in(id, "gg_ring", &slot, &rings[i]);
		look_in(id, "gg_backend", &index, &rows[i]);
		look_in(id, "gg_vip", &vip, &value);
		assert_int_equal(value.slot, SLOT);
		look_in(id, "gg_reverse", &back, &reverse);
		assert_int_equal(reverse.slot, SLOT);
		look_in(id, "gg_service", &slot, &flags);
		assert_int_equal(flags.flags, GG_SERVICE_ALWAYS);
		look_in(id, "gg_cfg", &zero, &cfg);
		assert_true(cfg.flags & GG_CFG_ROUTE);
		look_in(id, "gg_tx", &w0, &tx); /* clients may be there */
		assert_int_equal(tx.ifindex, w0);
	}
	assert_int_not_equal(programs[0], programs[1]);
	assert_int_equal(rings[0], rings[1]);
	assert_memory_equal(&rows[0], &rows[1], sizeof(rows[0]));
	must("ip neigh replace 10.9.0.11 dev v0 lladdr 02:00:00:00:00:77 nud"
	     " permanent");
	fastpath_network_changed(f);
	for (int i = 0; i < 2; i++) {
		look_in(fastpath_interface_get(f, i)->program_id, "gg_backend",
			&index, &seen);
		assert_int_equal(seen.to_mac[5], 0x77);
	}
	/* One more comes later: it gets all of it. */
	must("ip link set dev w0 xdp off &&"
	     " ip link set dev w0 xdp obj %s sec xdp 2>/dev/null",
		netns.object_path);
	assert_true(fastpath_repair(f));
	look_in(fastpath_interface_get(f, 1)->program_id, "gg_ring", &slot,
		&rings[1]);
	assert_int_equal(rings[0], rings[1]);
	look_in(fastpath_interface_get(f, 1)->program_id, "gg_backend", &index,
		&rows[1]);
	assert_memory_equal(&seen, &rows[1], sizeof(seen));
	look_in(fastpath_interface_get(f, 1)->program_id, "gg_vip", &vip,
		&value);
	assert_int_equal(value.slot, SLOT);
	free(a);
	fastpath_close(f, true);
	command("ip link del w0");
}

static void
test_services_wait_for_an_interface(void **state)
{
	const struct fastpath_interface_option interfaces[] = {
		{ "w0", FASTPATH_AUTO },
	};
	const struct fastpath_options options = {
		.pin_path = netns.pin_path,
		.interfaces = interfaces,
		.interface_count = 1,
	};
	struct fastpath *f = fastpath_open(&options);
	struct asked *a = service_of(GG_MODE_DSR_L2, 2);
	struct error err = ERROR_INIT;

	/* The backends are on another link than the one that comes: only in
	 * this mode their answers need no program there. */
	(void)state;
	assert_int_equal(fastpath_services_set(f, &a->service, 1, &err), 0);
	assert_false(fastpath_service_state(f, SLOT)->enforced);
	assert_string_equal(fastpath_service_state(f, SLOT)->problem,
		"no XDP program runs");
	assert_int_equal(fastpath_service_slot(f, &a->service.addr,
				 IPPROTO_TCP),
		0);
	fastpath_steering_tick(f, clock_monotonic_ms());
	must("ip link add w0 type veth peer name w1 && ip link set w0 up &&"
	     " ip link set w1 up");
	assert_true(fastpath_repair(f));
	assert_true(fastpath_service_state(f, SLOT)->enforced);
	assert_true(vip_exists("10.9.0.200", 80, IPPROTO_TCP));
	assert_int_equal(shares(SLOT).stable, GG_RING_SLOTS);
	free(a);
	fastpath_close(f, true);
	command("ip link del w0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(test_a_service_fills_the_maps),
		LAB(test_a_wildcard_is_expanded),
		LAB(test_route_has_its_way_back),
		LAB(test_a_dump_of_a_ring_has_names),
		LAB(test_all_sets_of_maps_get_the_same),
		LAB(test_services_wait_for_an_interface),
	};
	int rc;

	if (!lab_may_run())
		return EXIT_SKIPPED;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	netns_close(&netns);
	return rc;
}
