/* The loaded XDP program with services of every mode. */
#include "tests/lib/steer_world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <netinet/in.h>

#include "base/mem.h"
#include "tests/lib/packet.h"
#include "tests/lib/steer_model.h"

#define VIP4 "::ffff:198.51.100.10"
#define VIP6 "2001:db8::10"
#define NAT  GG_MODE_NAT
#define DSR  GG_MODE_DSR_L2
#define WAY  GG_MODE_ROUTE
#define IPIP GG_MODE_IPIP
#define GUE  GG_MODE_GUE

const struct world_service world_services[] = {
	{ 64, VIP4, 80, IPPROTO_TCP, DSR, 0, 1 },
	{ 65, VIP4, 53, IPPROTO_UDP, DSR, 0, 1 },
	{ 66, VIP6, 80, IPPROTO_TCP, DSR, 0, 1 },
	{ 67, VIP6, 53, IPPROTO_UDP, DSR, 0, 1 },
	{ 68, VIP4, 81, IPPROTO_TCP, WAY, 0, 1 },
	{ 69, VIP4, 54, IPPROTO_UDP, WAY, 0, 1 },
	{ 70, VIP6, 81, IPPROTO_TCP, WAY, 0, 1 },
	{ 71, VIP6, 54, IPPROTO_UDP, WAY, 0, 1 },
	{ 72, VIP4, 82, IPPROTO_TCP, NAT, 0, 1 },
	{ 73, VIP4, 55, IPPROTO_UDP, NAT, 0, 1 },
	{ 74, VIP6, 82, IPPROTO_TCP, NAT, 0, 1 },
	{ 75, VIP6, 55, IPPROTO_UDP, NAT, 0, 1 },
	{ 76, VIP4, 90, IPPROTO_TCP, DSR, 0, 1 }, /* its ring is empty */
	{ 77, VIP4, 91, IPPROTO_TCP, DSR, 0, 0 },
	{ 78, VIP4, 92, IPPROTO_TCP, DSR, 1400, 1 },
	{ 79, VIP6, 92, IPPROTO_TCP, WAY, 1400, 1 },
	{ 80, VIP4, 93, IPPROTO_TCP, DSR, 0, 2 },
	{ 81, VIP4, 94, IPPROTO_TCP, DSR, 0, 3 },
	{ 82, VIP4, 83, IPPROTO_TCP, NAT, 0, 1 }, /* at 72's backend */
	{ 83, VIP4, 84, IPPROTO_TCP, NAT, 1400, 1 },
	{ 84, VIP4, 95, IPPROTO_TCP, WAY, 0, 1 }, /* clients: one next hop */
	{ 85, VIP4, 100, IPPROTO_TCP, IPIP, 0, 1 },
	{ 86, VIP4, 56, IPPROTO_UDP, IPIP, 0, 1 },
	{ 87, VIP6, 100, IPPROTO_TCP, IPIP, 0, 1 },
	{ 88, VIP6, 56, IPPROTO_UDP, IPIP, 0, 1 },
	{ 89, VIP4, 101, IPPROTO_TCP, GUE, 0, 1 },
	{ 90, VIP4, 57, IPPROTO_UDP, GUE, 0, 1 },
	{ 91, VIP6, 101, IPPROTO_TCP, GUE, 0, 1 },
	{ 92, VIP6, 57, IPPROTO_UDP, GUE, 0, 1 },
	{ 93, VIP4, 102, IPPROTO_TCP, IPIP, 1400, 1 },
	{ 94, VIP6, 102, IPPROTO_TCP, GUE, 1400, 1 },
	{ 95, VIP4, 103, IPPROTO_TCP, IPIP, 0, 1 },
	{ 96, VIP6, 103, IPPROTO_TCP, GUE, 0, 1 },
	{ 97, VIP6, 104, IPPROTO_TCP, GUE, 1300, 1 },
	{ 98, VIP4, 104, IPPROTO_TCP, IPIP, 0, 2 },
	{ 99, VIP4, 105, IPPROTO_TCP, IPIP, 0, 0 },
	{ 0, NULL, 0, 0, GG_MODE_PASS, 0, 0 },
};

static struct gateway_bpf *gateway;

static void
must(int rc, const char *what)
{
	if (rc == 0)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

void
world_address(const char *text, uint8_t ip[16])
{
	must(inet_pton(AF_INET6, text, ip) == 1 ? 0 : -1, text);
}

void
world_put(const struct bpf_map *map, uint32_t key, const void *value)
{
	must(bpf_map_update_elem(bpf_map__fd(map), &key, value, BPF_ANY),
		bpf_map__name(map));
}

void
world_cfg(uint32_t flags, uint32_t flood_guard)
{
	struct gg_cfg cfg = { .contract = GG_CONTRACT_VERSION,
		.flags = flags,
		.hz = 250,
		.seed = WORLD_SEED,
		.flood_guard = flood_guard };

	world_put(gateway->maps.gg_cfg, 0, &cfg);
}

struct gg_ring_slot *
world_ring(uint32_t slot)
{
	LIBBPF_OPTS(bpf_map_create_opts, options,
		.map_flags = BPF_F_MMAPABLE);
	size_t size = GG_RING_SLOTS * sizeof(struct gg_ring_slot);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "ring", 4,
		sizeof(struct gg_ring_slot), GG_RING_SLOTS, &options);
	void *memory;

	must(fd < 0 ? -1 : 0, "a ring");
	world_put(gateway->maps.gg_ring, slot, &fd);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(memory == MAP_FAILED ? -1 : 0, "memory of a ring");
	return memory;
}

static void
mac_make(uint8_t mac[6], uint8_t fifth, unsigned last)
{
	const uint8_t to[6] = { 2, 0, 0, 0, fifth,
		(uint8_t)(last / 10 * 16 + last % 10) };

	memcpy(mac, to, sizeof(to));
}

/* A backend as the head of this file's header describes it. */
static void
backend_make(const struct world_service *s, struct gg_backend *b)
{
	bool other = s->slot == 95 || s->slot == 96;
	bool is4 = (strcmp(s->ip, VIP4) == 0) != other;
	unsigned name = s->slot == 82 ? 72 : s->slot;
	char text[64];

	memset(b, 0, sizeof(*b));
	snprintf(text, sizeof(text), is4 ? "::ffff:10.0.0.%u" : "fd00::%u",
		name);
	world_address(text, b->ip);
	world_address(is4 ? "::ffff:10.0.0.1" : "fd00::1", b->source_ip);
	b->port_be = htons(8080);
	b->slot = (uint16_t)s->slot;
	b->ifindex = s->ifindex;
	b->mtu = s->mtu;
	mac_make(b->to_mac, 1, name);
	mac_make(b->from_mac, 2, 1);
}

static void
vip_put(const char *ip, uint16_t port, uint8_t l4_proto,
	const struct gg_vip *vip)
{
	struct gg_vip_key key = { .port_be = htons(port),
		.l4_proto = l4_proto };

	world_address(ip, key.ip);
	must(bpf_map_update_elem(bpf_map__fd(gateway->maps.gg_vip), &key, vip,
		     BPF_ANY),
		"gg_vip");
}

void
world_reverse(const struct world_service *s, const struct gg_backend *b)
{
	struct gg_vip_key key = { .port_be = b->port_be,
		.l4_proto = s->l4_proto };
	struct gg_reverse reverse = { .port_be = htons(s->port),
		.slot = (uint16_t)s->slot };

	memcpy(key.ip, b->ip, 16);
	memcpy(reverse.own_ip, b->source_ip, 16);
	world_address(s->ip, reverse.ip);
	if (s->slot == 84) {
		reverse.ifindex = 1;
		mac_make(reverse.to_mac, 3, 1);
		mac_make(reverse.from_mac, 0, 2);
	}
	must(bpf_map_update_elem(bpf_map__fd(gateway->maps.gg_reverse), &key,
		     &reverse, BPF_ANY),
		"gg_reverse");
}

void
world_backend(uint32_t index, struct gg_backend *b)
{
	world_put(gateway->maps.gg_backend, index, b);
}

static void
service_fill(const struct world_service *s)
{
	struct gg_vip vip = { .slot = s->slot, .mode = (uint8_t)s->mode };
	struct gg_ring_slot *ring = world_ring(s->slot);
	struct gg_backend b;

	backend_make(s, &b);
	world_backend(s->slot, &b);
	for (size_t i = 0; s->slot != 76 && i < GG_RING_SLOTS; i++)
		ring[i].current = ring[i].base = (uint16_t)s->slot;
	munmap(ring, GG_RING_SLOTS * sizeof(*ring));
	if (s->mode == GG_MODE_ROUTE)
		world_reverse(s, &b);
	vip_put(s->ip, s->port, s->l4_proto, &vip);
}

static void
world_fill(void)
{
	const struct gg_vip address = { .flags = GG_VIP_ADDRESS };
	const struct gg_vip listener = { .slot = 1 };
	const struct bpf_devmap_val way = { .ifindex = 1 };

	for (const struct world_service *s = world_services; s->ip != NULL; s++)
		service_fill(s);
	vip_put(VIP4, 0, 0, &address);
	vip_put(VIP6, 0, 0, &address);
	vip_put(VIP4, 443, IPPROTO_TCP, &listener);
	world_put(gateway->maps.gg_tx, 2, &way);
	world_cfg(GG_CFG_STEER | GG_CFG_NAT | GG_CFG_ROUTE, 0);
}

static struct gateway_bpf *
world_load(void)
{
	int rc = gateway_bpf__load(gateway);

	if (rc != 0) {
		world_close();
		errno = -rc;
		return NULL;
	}
	world_fill();
	return gateway;
}

struct gateway_bpf *
world_open(void)
{
	gateway = gateway_bpf__open();
	if (gateway == NULL)
		return NULL;
	bpf_map__set_max_entries(gateway->maps.gg_ct4, WORLD_CONNECTIONS);
	return world_load();
}

static void
map_limit(struct bpf_map *map, uint32_t entries)
{
	bpf_map__set_type(map, BPF_MAP_TYPE_HASH);
	bpf_map__set_max_entries(map, entries);
}

struct gateway_bpf *
world_open_full(uint32_t entries)
{
	gateway = gateway_bpf__open();
	if (gateway == NULL)
		return NULL;
	map_limit(gateway->maps.gg_ct4, entries);
	map_limit(gateway->maps.gg_ct6, entries);
	map_limit(gateway->maps.gg_nat4, entries);
	map_limit(gateway->maps.gg_nat6, entries);
	map_limit(gateway->maps.gg_fragment, entries);
	return world_load();
}

void
world_close(void)
{
	gateway_bpf__destroy(gateway);
	gateway = NULL;
}

static void
map_empty(const struct bpf_map *map)
{
	uint8_t key[64];
	int fd = bpf_map__fd(map);

	while (bpf_map_get_next_key(fd, NULL, key) == 0)
		bpf_map_delete_elem(fd, key);
}

void
world_forget(void)
{
	size_t size = bpf_map__value_size(gateway->maps.gg_cpu);
	void *cpus = xcalloc((size_t)libbpf_num_possible_cpus(),
		(size + 7) / 8 * 8);

	map_empty(gateway->maps.gg_ct4);
	map_empty(gateway->maps.gg_ct6);
	map_empty(gateway->maps.gg_nat4);
	map_empty(gateway->maps.gg_nat6);
	map_empty(gateway->maps.gg_fragment);
	world_put(gateway->maps.gg_cpu, 0, cpus);
	free(cpus);
}

unsigned
world_nat_port(const struct packet *p)
{
	uint64_t hash = steer_model_hash(p->room + PACKET_SHIFT, p->length,
		WORLD_SEED);

	return GG_NAT_PORT_FIRST + (uint32_t)hash % GG_NAT_PORTS;
}

struct world_verdict
world_run(const void *data, size_t length)
{
	static uint8_t room[PACKET_SHIFT + PACKET_MAX];
	uint8_t *out = room + PACKET_SHIFT;
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = data,
		.data_size_in = (uint32_t)length, .data_out = out,
		.data_size_out = PACKET_MAX, .repeat = 1);

	must(bpf_prog_test_run_opts(
		     bpf_program__fd(gateway->progs.gg_gateway), &options),
		"test run");
	return (struct world_verdict){ options.retval, out,
		options.data_size_out };
}

static uint64_t
counters_sum(uint32_t slot, size_t offset)
{
	int cpus = libbpf_num_possible_cpus();
	struct gg_counters *values = xcalloc((size_t)cpus, sizeof(*values));
	uint64_t sum = 0;

	must(bpf_map_lookup_elem(bpf_map__fd(gateway->maps.gg_reason), &slot,
		     values),
		"gg_reason");
	for (int i = 0; i < cpus; i++)
		sum += *(const uint64_t *)((const uint8_t *)&values[i] +
			offset);
	free(values);
	return sum;
}

uint64_t
world_count(uint32_t slot, enum gg_reason reason)
{
	return counters_sum(slot, reason * sizeof(struct gg_count));
}

uint64_t
world_notes(uint32_t slot, enum gg_note note)
{
	return counters_sum(slot,
		GG_REASON_COUNT * sizeof(struct gg_count) + 8 * note);
}

uint64_t
world_packets(void)
{
	uint64_t sum = 0;

	for (uint32_t slot = 0; slot < GG_SLOTS_MAX; slot++) {
		for (int r = 0; r < GG_REASON_COUNT; r++)
			sum += world_count(slot, (enum gg_reason)r);
	}
	return sum;
}

size_t
world_entries(const struct bpf_map *map, size_t key_size)
{
	uint8_t key[64], next[64];
	int fd = bpf_map__fd(map);
	size_t count = 0;

	for (int rc = bpf_map_get_next_key(fd, NULL, next); rc == 0;
		rc = bpf_map_get_next_key(fd, key, next)) {
		count++;
		memcpy(key, next, key_size);
	}
	return count;
}
