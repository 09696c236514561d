/*
 * A box with a veth whose control asks for services, in a network namespace of
 * its own, and what the maps of the loaded program then hold. Whoever is to
 * answer lives in another namespace, behind the veth.
 */
#ifndef TESTS_BPF_STEERING_LAB_H
#define TESTS_BPF_STEERING_LAB_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bpf/contract.h"
#include "fastpath/fastpath.h"
#include "fastpath/steering.h"
#include "tests/lib/command.h"
#include "tests/lib/control.h"
#include "tests/lib/load.h"
#include "tests/lib/netns.h"

#define SLOT          70
#define BACKENDS_MOST 4096 /* of a service here */

static struct netns netns;
static uint64_t now_ms; /* the lab's time; goes on from the machine's */

/* ---- the lab */

/* 10.9.0.0/24 and fd09::/64 on v0; its peer is in namespace far. */
static inline int
lab_open(void **state)
{
	(void)state;
	now_ms = 0;
	return command("ip netns add far && ip link set lo up &&"
		       "ip link add v0 type veth peer name v1 netns far &&"
		       "ip addr add 10.9.0.1/24 dev v0 &&"
		       "ip addr add fd09::1/64 dev v0 nodad &&"
		       "ip link set v0 up && ip -n far link set lo up &&"
		       "ip -n far link set v1 up &&"
		       /* Else v0 takes no redirected frames. */
		       "ip netns exec far ethtool -K v1 gro on");
}

static inline int
lab_close(void **state)
{
	(void)state;
	command("ip link del v0 2>/dev/null; ip netns del far; rm -rf %s",
		netns.pin_path);
	return 0;
}

#define LAB(test) cmocka_unit_test_setup_teardown(test, lab_open, lab_close)

/* False: the tests are to be skipped, and it was said why. */
static inline bool
lab_may_run(void)
{
	return netns_open(&netns) == 0 &&
		netns_needs(&netns, load_map(BPF_MAP_TYPE_DEVMAP_HASH),
			"map of interfaces may be made") == 0;
}

static inline struct fastpath *
open_v0(void)
{
	return control_open(netns.pin_path, "v0");
}

/* ---- what is asked for */

struct asked {
	struct fastpath_service service;
	struct fastpath_backend backends[BACKENDS_MOST];
};

static inline struct asked *
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

static inline struct fastpath_backend *
backend(struct asked *a, const char *ip, uint16_t port)
{
	struct fastpath_backend *b = &a->backends[a->service.backend_count++];

	b->weight = 1;
	assert_int_equal(addr_parse_ip(ip, port, &b->addr), 0);
	return b;
}

/* With backends 10.9.0.10, .11, ... on port 8080, whose MACs are known. */
static inline struct asked *
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

static inline void
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

static inline void
set_none(struct fastpath *f)
{
	struct error err = ERROR_INIT;

	assert_int_equal(fastpath_services_set(f, NULL, 0, &err), 0);
}

static inline void
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

/* ---- what the kernel holds */

static inline int
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
static inline int
look(const char *name, const void *key, void *value)
{
	int fd = map(name);
	int rc = bpf_map_lookup_elem(fd, key, value) == 0 ? 0 : -1;

	close(fd);
	return rc;
}

static inline void
put(const char *name, const void *key, const void *value)
{
	int fd = map(name);

	assert_int_equal(bpf_map_update_elem(fd, key, value, BPF_ANY), 0);
	close(fd);
}

static inline struct gg_backend
row(uint32_t index)
{
	struct gg_backend value;

	assert_int_equal(look("gg_backend", &index, &value), 0);
	return value;
}

static inline uint32_t
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

static inline struct gg_ring_slot *
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

static inline struct shares
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

static inline struct gg_vip_key
vip_key(const char *ip, uint16_t port, uint8_t l4_proto)
{
	struct gg_vip_key key = { .port_be = htons(port),
		.l4_proto = l4_proto };
	struct addr addr;

	assert_int_equal(addr_parse_ip(ip, port, &addr), 0);
	memcpy(key.ip, addr.ip, 16);
	return key;
}

static inline bool
vip_is(const char *ip, uint16_t port, uint8_t l4_proto, struct gg_vip wanted)
{
	struct gg_vip_key key = vip_key(ip, port, l4_proto);
	struct gg_vip value;

	return look("gg_vip", &key, &value) == 0 &&
		memcmp(&value, &wanted, sizeof(value)) == 0;
}

static inline bool
vip_exists(const char *ip, uint16_t port, uint8_t l4_proto)
{
	struct gg_vip_key key = vip_key(ip, port, l4_proto);
	struct gg_vip value;

	return look("gg_vip", &key, &value) == 0;
}

static inline uint32_t
cfg_flags(void)
{
	struct gg_cfg cfg;
	uint32_t key = 0;

	assert_int_equal(look("gg_cfg", &key, &cfg), 0);
	return cfg.flags & (GG_CFG_STEER | GG_CFG_NAT | GG_CFG_ROUTE);
}

static inline unsigned
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

/* ---- time */

static inline void
tick(struct fastpath *f, uint64_t ms)
{
	if (now_ms == 0)
		now_ms = clock_monotonic_ms();
	now_ms += ms;
	fastpath_steering_tick(f, now_ms);
}

/* Until a walk over the tables that begins now is over. */
static inline void
walk(struct fastpath *f)
{
	for (int i = 0; i < 40; i++)
		tick(f, 1000);
}

#endif
