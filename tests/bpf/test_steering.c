/*
 * Services as control asks for them, in the maps of a loaded program: rings,
 * backends and their next hops, windows, sweeps, restarts. In a network
 * namespace of its own; whoever is to answer lives in another, behind a veth.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <linux/bpf.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "bpf/contract.h"
#include "fastpath/fastpath.h"
#include "fastpath/steering.h"
#include "tests/lib/child.h"
#include "tests/lib/command.h"
#include "tests/lib/control.h"
#include "tests/lib/load.h"
#include "tests/lib/netns.h"

#define SLOT         70
#define WAIT_MS      5000
#define BACKENDS_MOST 4096 /* of a service here */
#define RING_OF       100

static struct netns netns;
static uint64_t now_ms; /* the lab's time; goes on from the machine's */

/* ---- the lab */

/* 10.9.0.0/24 and fd09::/64 on v0; its peer is in namespace far. */
static int
lab_open(void **state)
{
	(void)state;
	now_ms = 0;
	return command("ip netns add far && ip link set lo up &&"
		       "ip link add v0 type veth peer name v1 netns far &&"
		       "ip addr add 10.9.0.1/24 dev v0 &&"
		       "ip addr add fd09::1/64 dev v0 nodad &&"
		       "ip link set v0 up && ip -n far link set lo up &&"
		       "ip -n far link set v1 up");
}

static int
lab_close(void **state)
{
	(void)state;
	command("ip link del v0 2>/dev/null; ip netns del far; rm -rf %s",
		netns.pin_path);
	return 0;
}

static struct fastpath *
open_v0(void)
{
	return control_open(netns.pin_path, "v0");
}

/* ---- what is asked for */

struct asked {
	struct fastpath_service service;
	struct fastpath_backend backends[BACKENDS_MOST];
};

static struct asked *
service(uint32_t slot, const char *ip, uint16_t port, uint8_t l4_proto,
	enum gg_mode mode)
{
	struct asked *a = xcalloc(1, sizeof(*a));

	a->service.slot = slot;
	a->service.l4_proto = l4_proto;
	a->service.mode = (uint8_t)mode;
	a->service.backends = a->backends;
	assert_int_equal(addr_parse_ip(ip, port, &a->service.addr), 0);
	return a;
}

static struct fastpath_backend *
backend(struct asked *a, const char *ip, uint16_t port)
{
	struct fastpath_backend *b = &a->backends[a->service.backend_count++];

	b->weight = 1;
	assert_int_equal(addr_parse_ip(ip, port, &b->addr), 0);
	return b;
}

/* With backends 10.9.0.10, .11, ... on port 8080, whose MACs are known. */
static struct asked *
service_of(enum gg_mode mode, unsigned backends)
{
	struct asked *a =
		service(SLOT, "10.9.0.200", 80, IPPROTO_TCP, mode);
	char ip[32];

	for (unsigned i = 0; i < backends; i++) {
		snprintf(ip, sizeof(ip), "10.9.0.%u", 10 + i);
		backend(a, ip, 8080);
		must("ip neigh replace %s dev v0 lladdr 02:00:00:00:09:%02x"
		     " nud permanent",
			ip, 10 + i);
	}
	return a;
}

static void
set_ok(struct fastpath *f, const struct asked *a)
{
	struct error err = ERROR_INIT;
	const struct fastpath_service_state *state;

	if (fastpath_services_set(f, &a->service, 1, &err) != 0)
		fail_msg("%s", err.text);
	state = fastpath_service_state(f, a->service.slot);
	assert_non_null(state);
	assert_true(state->enforced);
}

static void
set_none(struct fastpath *f)
{
	struct error err = ERROR_INIT;

	assert_int_equal(fastpath_services_set(f, NULL, 0, &err), 0);
}

/* ---- what the kernel holds */

static int
map(const char *name)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/maps/%s", netns.pin_path, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}

/* 0, or -1 when the map has no such key. */
static int
look(const char *name, const void *key, void *value)
{
	int fd = map(name);
	int rc = bpf_map_lookup_elem(fd, key, value) == 0 ? 0 : -1;

	close(fd);
	return rc;
}

static void
put(const char *name, const void *key, const void *value)
{
	int fd = map(name);

	assert_int_equal(bpf_map_update_elem(fd, key, value, BPF_ANY), 0);
	close(fd);
}

static struct gg_backend
row(uint32_t index)
{
	struct gg_backend value;

	assert_int_equal(look("gg_backend", &index, &value), 0);
	return value;
}

static uint32_t
index_of(const char *ip)
{
	struct addr addr;
	struct gg_backend at;

	assert_int_equal(addr_parse_ip(ip, 0, &addr), 0);
	for (uint32_t i = 1; i < GG_BACKENDS_MAX; i++) {
		at = row(i);
		if (at.slot != 0 && memcmp(at.ip, addr.ip, 16) == 0)
			return i;
	}
	return 0;
}

static struct gg_ring_slot *
ring_read(uint32_t slot)
{
	struct gg_ring_slot *slots = xcalloc(GG_RING_SLOTS, sizeof(*slots));
	uint32_t id, count = GG_RING_SLOTS, next;
	uint32_t *keys = xcalloc(GG_RING_SLOTS, sizeof(*keys));
	int fd;

	if (look("gg_ring", &slot, &id) != 0)
		fail_msg("slot %u has no ring", slot);
	fd = bpf_map_get_fd_by_id(id);
	assert_true(fd >= 0);
	if (bpf_map_lookup_batch(fd, NULL, &next, keys, slots, &count, NULL) !=
			0 &&
		errno != ENOENT)
		fail_msg("ring: %s", strerror(errno));
	assert_int_equal(count, GG_RING_SLOTS);
	close(fd);
	free(keys);
	return slots;
}

struct shares {
	unsigned current[GG_BACKENDS_MAX], base[GG_BACKENDS_MAX];
	unsigned stable, moved, pinned;
};

static struct shares
shares(uint32_t slot)
{
	struct gg_ring_slot *slots = ring_read(slot);
	static struct shares s;

	memset(&s, 0, sizeof(s));
	for (uint32_t i = 0; i < GG_RING_SLOTS; i++) {
		s.current[slots[i].current]++;
		s.base[slots[i].base]++;
		s.stable += slots[i].flags == 0 &&
			slots[i].current == slots[i].base;
		s.moved += slots[i].flags == GG_RING_MOVED;
		s.pinned += slots[i].flags == GG_RING_PINNED;
	}
	free(slots);
	return s;
}

static struct gg_vip_key
vip_key(const char *ip, uint16_t port, uint8_t l4_proto)
{
	struct gg_vip_key key = { .port_be = htons(port),
		.l4_proto = l4_proto };
	struct addr addr;

	assert_int_equal(addr_parse_ip(ip, port, &addr), 0);
	memcpy(key.ip, addr.ip, 16);
	return key;
}

static bool
vip_is(const char *ip, uint16_t port, uint8_t l4_proto, struct gg_vip wanted)
{
	struct gg_vip_key key = vip_key(ip, port, l4_proto);
	struct gg_vip value;

	return look("gg_vip", &key, &value) == 0 &&
		memcmp(&value, &wanted, sizeof(value)) == 0;
}

static bool
vip_exists(const char *ip, uint16_t port, uint8_t l4_proto)
{
	struct gg_vip_key key = vip_key(ip, port, l4_proto);
	struct gg_vip value;

	return look("gg_vip", &key, &value) == 0;
}

static uint32_t
cfg_flags(void)
{
	struct gg_cfg cfg;
	uint32_t key = 0;

	assert_int_equal(look("gg_cfg", &key, &cfg), 0);
	return cfg.flags & (GG_CFG_STEER | GG_CFG_NAT | GG_CFG_ROUTE);
}

/* ---- time */

static void
tick(struct fastpath *f, uint64_t ms)
{
	if (now_ms == 0)
		now_ms = clock_monotonic_ms();
	now_ms += ms;
	fastpath_steering_tick(f, now_ms);
}

/* Until a walk over the tables that begins now is over. */
static void
walk(struct fastpath *f)
{
	for (int i = 0; i < 40; i++)
		tick(f, 1000);
}

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

/* ---- filling */

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

/* ---- refusing */

static void
refused(struct fastpath *f, const struct fastpath_service *set, size_t count,
	uint32_t slot, const char *text)
{
	struct error err = ERROR_INIT;
	const struct fastpath_service_state *shown;

	if (fastpath_services_set(f, set, count, &err) != -1)
		fail_msg("not refused: %s", text);
	assert_string_equal(err.text, text);
	shown = fastpath_service_state(f, slot);
	assert_false(shown->enforced);
	assert_string_equal(shown->problem, text);
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

/* ---- changing */

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

static uint32_t
cfg_seed(void)
{
	struct gg_cfg cfg;
	uint32_t key = 0;

	assert_int_equal(look("gg_cfg", &key, &cfg), 0);
	return cfg.seed;
}

static void
assert_seed(const struct fastpath *f, uint32_t seed, bool as_asked)
{
	struct str why;

	assert_int_equal(cfg_seed(), seed);
	str_init(&why);
	fastpath_hash_seed_explain(f, &why);
	if (as_asked)
		assert_int_equal(why.length, 0);
	else
		assert_non_null(strstr(why.data, "xdp.hashSeed"));
	str_fini(&why);
}

/* Another one would move every connection: not while there may be some. */
static void
test_another_hash_seed_waits_until_nothing_is_steered(void **state)
{
	struct fastpath *f = control_open_seeded(netns.pin_path, "v0", 7);
	struct asked *a = service_of(GG_MODE_DSR_L2, 2);
	struct error err = ERROR_INIT;

	(void)state;
	assert_seed(f, 7, true);
	assert_int_equal(fastpath_hash_seed_set(f, 8, &err), 0);
	assert_seed(f, 8, true);
	set_ok(f, a);
	assert_int_equal(fastpath_hash_seed_set(f, 9, &err), 0);
	assert_seed(f, 8, false);
	set_ok(f, a);
	assert_seed(f, 8, false);
	fastpath_close(f, false);
	f = control_open_seeded(netns.pin_path, "v0", 9);
	assert_seed(f, 8, false);
	set_ok(f, a);
	assert_seed(f, 8, false);
	assert_int_equal(fastpath_flood_guard_set(f, 4711, &err), 0);
	assert_seed(f, 8, false);
	set_none(f);
	assert_seed(f, 9, true);
	fastpath_close(f, true);
	free(a);
}

/* As it stands there, and at random when there is nothing. */
static void
test_without_a_hash_seed(void **state)
{
	struct fastpath *f = control_open_seeded(netns.pin_path, "v0", 7);
	struct error err = ERROR_INIT;
	uint32_t seed;

	(void)state;
	assert_int_equal(fastpath_hash_seed_set(f, 0, &err), 0);
	assert_seed(f, 7, true);
	fastpath_close(f, false);
	f = open_v0();
	assert_seed(f, 7, true);
	fastpath_close(f, true);
	f = open_v0();
	seed = cfg_seed();
	assert_int_not_equal(seed, 0);
	assert_int_not_equal(seed, 7);
	fastpath_close(f, true);
	f = open_v0();
	assert_int_not_equal(cfg_seed(), seed);
	fastpath_close(f, true);
}

/* ---- restart */

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

/* ---- connections of mode nat */

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

static unsigned
entries(const char *name)
{
	int fd = map(name);
	char key[64], next[64];
	unsigned count = 0;
	void *at = NULL;

	while (bpf_map_get_next_key(fd, at, next) == 0) {
		memcpy(key, next, sizeof(key));
		at = key;
		count++;
	}
	close(fd);
	return count;
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

/* ---- next hops */

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

/* ---- how long it takes */

/* Of this thread: others use the machine, too. */
static uint64_t
cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void
test_a_ring_of_100_backends_is_rebuilt_fast(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service_of(GG_MODE_DSR_L2, RING_OF);
	uint64_t begin, took, least = UINT64_MAX, most = 0;
	struct error err = ERROR_INIT;

	(void)state;
	set_ok(f, a);
	for (int i = 0; i < 10; i++) {
		a->backends[i].state = FASTPATH_BACKEND_DRAINING;
		begin = cpu_us();
		assert_int_equal(
			fastpath_services_set(f, &a->service, 1, &err), 0);
		took = cpu_us() - begin;
		least = took < least ? took : least;
		most = took > most ? took : most;
	}
	print_message("a change of one of %d backends: %llu to %llu us\n",
		RING_OF, (unsigned long long)least,
		(unsigned long long)most);
	assert_true(shares(SLOT).moved > GG_RING_SLOTS / 20);
	assert_true(least < 10000);
	free(a);
	fastpath_close(f, true);
}

/* Of which no call may take long, for control waits for it. */
#define STEP_US 50000

static void
test_full_tables_are_walked_in_steps(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service_of(GG_MODE_DSR_L2, 1);
	uint32_t now_s = (uint32_t)(clock_monotonic_ms() / 1000);
	uint64_t begin, most = 0;
	uint16_t backend_index;
	int fd, steps = 0;

	(void)state;
	a->service.flags = GG_SERVICE_ALWAYS;
	set_ok(f, a);
	backend_index = (uint16_t)index_of("10.9.0.10");
	fd = map("gg_ct4");
	for (uint32_t n = 0; n < 60000; n++) {
		const struct gg_flow4 key = {
			.from = { 10, 8, (uint8_t)(n >> 8), (uint8_t)n },
			.to = { 10, 9, 0, 200 },
			.l4_proto = IPPROTO_TCP,
		};
		const struct gg_connection value = {
			.backend = backend_index,
			.seen_s = n % 2 ? now_s : now_s - 3 * 3600,
		};

		assert_int_equal(bpf_map_update_elem(fd, &key, &value, BPF_ANY),
			0);
	}
	close(fd);
	while (fastpath_service_state(f, SLOT)->kept == 0) {
		begin = cpu_us();
		tick(f, 100);
		begin = cpu_us() - begin;
		most = begin > most ? begin : most;
		assert_true(++steps < 1000);
	}
	print_message("60000 connections: %d calls, at most %llu us each\n",
		steps, (unsigned long long)most);
	assert_int_equal(fastpath_service_state(f, SLOT)->kept, 30000);
	assert_int_equal(entries("gg_ct4"), 30000);
	assert_true(steps > 3 && most < STEP_US);
	free(a);
	fastpath_close(f, true);
}

static void
test_as_many_backends_as_there_are_indices(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service(SLOT, "10.9.0.200", 80, IPPROTO_TCP,
		GG_MODE_NAT);
	struct asked *b = service(SLOT + 1, "10.9.0.201", 80, IPPROTO_TCP,
		GG_MODE_NAT);
	struct fastpath_service both[2];
	uint64_t begin, first, second;
	struct error err = ERROR_INIT;
	char ip[32];

	(void)state;
	must("ip neigh add 10.9.0.20 dev v0 lladdr 02:00:00:00:00:20 nud"
	     " permanent && ip route add 10.20.0.0/16 via 10.9.0.20");
	for (int i = 0; i < 4090; i++) {
		snprintf(ip, sizeof(ip), "10.20.%d.%d", i / 200, 1 + i % 200);
		backend(a, ip, 80);
	}
	begin = cpu_us();
	set_ok(f, a);
	first = cpu_us() - begin;
	a->backends[7].state = FASTPATH_BACKEND_DOWN;
	begin = cpu_us();
	set_ok(f, a);
	second = cpu_us() - begin;
	print_message("4090 backends: %llu ms, a change of one %llu ms\n",
		(unsigned long long)first / 1000,
		(unsigned long long)second / 1000);
	assert_int_equal(fastpath_service_state(f, SLOT)->unreachable, 0);
	for (int i = 0; i < 5; i++) {
		snprintf(ip, sizeof(ip), "10.20.100.%d", 1 + i);
		backend(b, ip, 80);
	}
	both[0] = a->service;
	both[1] = b->service;
	if (fastpath_services_set(f, both, 2, &err) != 0)
		fail_msg("%s", err.text);
	backend(b, "10.20.100.6", 80);
	both[1] = b->service;
	refused(f, both, 2, SLOT + 1,
		"more than 4095 backends of all services, those that are"
		" drained included");
	free(a);
	free(b);
	fastpath_close(f, true);
}

/* ---- start */

#define LAB(test) cmocka_unit_test_setup_teardown(test, lab_open, lab_close)

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
		LAB(test_what_is_wrong_is_refused),
		LAB(test_slots_move_are_pinned_and_settle),
		LAB(test_nothing_is_left_in_stable_slots),
		LAB(test_the_two_slots_of_one_number),
		LAB(test_the_order_of_backends_says_nothing),
		LAB(test_down_moves_at_once_and_back_leaves_others_alone),
		LAB(test_nat_moves_nothing_apart),
		LAB(test_udp_asks_nobody_that_it_does_not_know),
		LAB(test_another_address_or_mode_begins_anew),
		LAB(test_another_hash_seed_waits_until_nothing_is_steered),
		LAB(test_without_a_hash_seed),
		LAB(test_a_restart_finds_what_was_there),
		LAB(test_a_restart_without_sys_admin),
		LAB(test_connections_that_are_over_leave_nat),
		LAB(test_next_hops_are_followed),
		LAB(test_routes_are_followed),
		LAB(test_a_ring_of_100_backends_is_rebuilt_fast),
		LAB(test_full_tables_are_walked_in_steps),
		LAB(test_as_many_backends_as_there_are_indices),
	};
	int rc;

	if (netns_open(&netns) != 0 ||
		netns_needs(&netns, load_map(BPF_MAP_TYPE_DEVMAP_HASH),
			"map of interfaces may be made") != 0)
		return EXIT_SKIPPED;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	netns_close(&netns);
	return rc;
}
