/* The shipped program, its maps filled for the cases of `scripts/bench xdp`. */
#include "tests/bench/xdp_gateway.h"

#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/addr.h"
#include "base/mem.h"
#include "gateway.skel.h"
#include "tests/bench/xdp_gateway_slots.h"

#define SOURCES     (1u << 20) /* gg_rl4, gg_ct4 of a full box */
#define CONNECTIONS (3u << 20) /* gg_nat4: two entries each */
#define BATCH       65536u
#define LISTED      100
#define ADMIT_SHIFT 1
#define FLOOD_GUARD 20000 /* new connections a second and CPU */
#define SEED        0x5eedu
#define CLIENT_PORT 40000

struct gateway {
	struct gateway_bpf *skel;
	uint32_t first[SLOT_END]; /* backend of each service */
	uint32_t next_backend;
};

static void
put(const struct bpf_map *map, const void *key, const void *value)
{
	if (bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY) != 0)
		err(1, "%s", bpf_map__name(map));
}

/* ---- settings */

static struct gg_cfg
cfg_get(const struct gateway *g)
{
	const uint32_t key = 0;
	struct gg_cfg cfg = { 0 };

	bpf_map_lookup_elem(bpf_map__fd(g->skel->maps.gg_cfg), &key, &cfg);
	return cfg;
}

static void
cfg_put(struct gateway *g, const struct gg_cfg *cfg)
{
	const uint32_t key = 0;

	put(g->skel->maps.gg_cfg, &key, cfg);
}

void
gateway_lists(struct gateway *g, bool on)
{
	struct gg_cfg cfg = cfg_get(g);

	cfg.flags = on ? cfg.flags | GG_CFG_LIST : cfg.flags & ~GG_CFG_LIST;
	cfg_put(g, &cfg);
}

void
gateway_admit_all(struct gateway *g, bool on)
{
	struct gg_cfg cfg = cfg_get(g);

	cfg.admit_shift = on ? 0 : ADMIT_SHIFT;
	cfg_put(g, &cfg);
}

void
gateway_flood_guard(struct gateway *g, bool on)
{
	struct gg_cfg cfg = cfg_get(g);

	cfg.flood_guard = on ? FLOOD_GUARD : 0;
	cfg_put(g, &cfg);
}

static void
cfg_fill(struct gateway *g)
{
	const struct gg_cfg cfg = {
		.contract = GG_CONTRACT_VERSION,
		.hz = kernel_hz(),
		.flags = GG_CFG_STEER | GG_CFG_NAT | GG_CFG_ROUTE,
		.seed = SEED,
		.salt = SEED,
		.admit_shift = ADMIT_SHIFT,
	};

	cfg_put(g, &cfg);
}

/* Prefixes that none of the sources is in. */
static void
lists_fill(struct gateway *g)
{
	for (uint32_t i = 0; i < LISTED; i++) {
		struct gg_list_key key = { .plen = 96 + 24 };
		const struct gg_list list = { GG_LIST_DENY, i };

		key.ip[10] = key.ip[11] = 0xff;
		key.ip[12] = 203;
		key.ip[13] = (uint8_t)(i * 37);
		key.ip[14] = (uint8_t)(i * 101);
		put(g->skel->maps.gg_list, &key, &list);
	}
}

/* ---- listeners and services */

static void
vip_put(struct gateway *g, const struct slot *s, uint16_t port, uint8_t proto,
	const struct gg_vip *vip)
{
	struct gg_vip_key key = { .l4_proto = proto };
	struct addr a;

	if (addr_parse_ip(s->address, port, &a) != 0)
		errx(1, "%s is no address", s->address);
	memcpy(key.ip, a.ip, sizeof(key.ip));
	key.port_be = a.port_be;
	put(g->skel->maps.gg_vip, &key, vip);
}

static void
listen_fill(struct gateway *g, const struct slot *s)
{
	const struct gg_vip vip = { .slot = slot_number(s),
		.mode = (uint8_t)s->mode,
		.flags = s->limited ? GG_VIP_LIMITED : 0 };
	const struct gg_vip address = { .flags = GG_VIP_ADDRESS };

	vip_put(g, s, GATEWAY_PORT, IPPROTO_TCP, &vip);
	vip_put(g, s, GATEWAY_PORT, IPPROTO_UDP, &vip);
	if (s->mode != GG_MODE_PASS)
		vip_put(g, s, 0, 0, &address);
}

static void
limit_fill(struct gateway *g, const struct slot *s)
{
	struct gg_limit limit = { .count = 1 };
	uint32_t key = slot_number(s);

	limit.rules[0] = slot_rule(s);
	put(g->skel->maps.gg_limit, &key, &limit);
}

static void
backend_fill(struct gateway *g, const struct slot *s, uint32_t index,
	unsigned ifindex)
{
	struct gg_backend b = {
		.slot = (uint16_t)slot_number(s),
		.ifindex = ifindex,
		.to_mac = { 2, 0, 0, 0, 2, (uint8_t)index },
		.from_mac = { 2, 0, 0, 0, 1, 1 },
		.mtu = 1500,
	};
	struct gg_vip_key key = { .l4_proto = IPPROTO_TCP };
	struct gg_reverse reverse = { .slot = (uint16_t)slot_number(s),
		.ifindex = ifindex,
		.to_mac = { 2, 0, 0, 0, 3, 1 },
		.from_mac = { 2, 0, 0, 0, 1, 1 } };
	struct addr a;

	slot_backend(s, index, &a);
	memcpy(b.ip, a.ip, sizeof(b.ip));
	b.port_be = s->mode == GG_MODE_DSR_L2 ? htons(GATEWAY_PORT) : a.port_be;
	slot_box_address(s, &a);
	memcpy(b.source_ip, a.ip, sizeof(b.source_ip));
	put(g->skel->maps.gg_backend, &index, &b);
	if (s->mode != GG_MODE_ROUTE)
		return;
	memcpy(key.ip, b.ip, sizeof(key.ip));
	key.port_be = b.port_be;
	if (addr_parse_ip(s->address, GATEWAY_PORT, &a) != 0)
		errx(1, "%s", s->address);
	memcpy(reverse.ip, a.ip, sizeof(reverse.ip));
	reverse.port_be = a.port_be;
	put(g->skel->maps.gg_reverse, &key, &reverse);
}

/* Slots of the ring in turn to the backends; of those that moved, base is the
 * backend before. */
static void
ring_fill(struct gateway *g, const struct slot *s, uint32_t first)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	const size_t size = GG_RING_SLOTS * sizeof(struct gg_ring_slot);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "gg_ring_inner",
		sizeof(uint32_t), sizeof(struct gg_ring_slot), GG_RING_SLOTS,
		&opts);
	uint32_t key = slot_number(s);
	struct gg_ring_slot *ring;

	if (fd < 0)
		err(1, "a ring");
	ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring == MAP_FAILED)
		err(1, "a ring's memory");
	for (uint32_t i = 0; i < GG_RING_SLOTS; i++) {
		uint32_t at = i % GATEWAY_BACKENDS;
		bool moved = s->moved && i % 20 == 0;

		ring[i].current = (uint16_t)(first + at);
		ring[i].base = (uint16_t)(first +
			(moved ? (at + 1) % GATEWAY_BACKENDS : at));
		ring[i].flags = moved ? GG_RING_MOVED : 0;
	}
	munmap(ring, size);
	put(g->skel->maps.gg_ring, &key, &fd);
	close(fd); /* the outer map holds it */
}

static void
service_fill(struct gateway *g, const struct slot *s, unsigned ifindex)
{
	const struct gg_service service = { .idle_s = 30 };
	uint32_t key = slot_number(s), first = g->next_backend;

	put(g->skel->maps.gg_service, &key, &service);
	for (uint32_t i = 0; i < GATEWAY_BACKENDS; i++)
		backend_fill(g, s, first + i, ifindex);
	g->first[key] = first;
	g->next_backend += GATEWAY_BACKENDS;
	ring_fill(g, s, first);
}

/* ---- the whole */

static void
maps_enlarge(const struct gateway_bpf *skel)
{
	if (bpf_map__set_max_entries(skel->maps.gg_rl4, SOURCES) != 0 ||
		bpf_map__set_max_entries(skel->maps.gg_ct4, SOURCES) != 0 ||
		bpf_map__set_max_entries(skel->maps.gg_nat4, CONNECTIONS) != 0)
		errx(1, "the maps cannot be enlarged");
}

struct gateway *
gateway_new(bool small, unsigned ifindex)
{
	struct gateway *g = xcalloc(1, sizeof(*g));

	g->next_backend = 1;
	g->skel = gateway_bpf__open();
	if (g->skel == NULL)
		err(1, "the gateway's program");
	if (!small)
		maps_enlarge(g->skel);
	if (gateway_bpf__load(g->skel) != 0)
		err(1, "the gateway's program does not load");
	cfg_fill(g);
	lists_fill(g);
	for (uint32_t i = 0; i < SLOT_END; i++) {
		const struct slot *s = slot_get(i);

		if (s == NULL)
			continue;
		if (s->limited)
			limit_fill(g, s);
		if (s->mode != GG_MODE_PASS)
			service_fill(g, s, ifindex);
		listen_fill(g, s);
	}
	return g;
}

void
gateway_free(struct gateway *g)
{
	gateway_bpf__destroy(g->skel);
	free(g);
}

int
gateway_program(const struct gateway *g)
{
	return bpf_program__fd(g->skel->progs.gg_gateway);
}

/* ---- what was counted */

static void
counters_read(const struct gateway *g, uint32_t slot, struct gg_counters *sum)
{
	int cpus = libbpf_num_possible_cpus();
	struct gg_counters *each = xcalloc((size_t)cpus, sizeof(*each));
	uint64_t *total = (uint64_t *)sum;

	if (bpf_map_lookup_elem(bpf_map__fd(g->skel->maps.gg_reason), &slot,
		    each) != 0)
		err(1, GG_MAP_REASON);
	memset(sum, 0, sizeof(*sum));
	for (int cpu = 0; cpu < cpus; cpu++) {
		const uint64_t *words = (const uint64_t *)&each[cpu];

		for (size_t i = 0; i < sizeof(*sum) / sizeof(*words); i++)
			total[i] += words[i];
	}
	free(each);
}

uint64_t
gateway_count(const struct gateway *g, uint32_t slot, enum gg_reason reason)
{
	struct gg_counters c;

	counters_read(g, slot, &c);
	return ((const struct gg_count *)&c)[reason].packets;
}

void
gateway_counts(const struct gateway *g, uint32_t slot,
	uint64_t counts[GG_REASON_COUNT])
{
	struct gg_counters c;

	counters_read(g, slot, &c);
	for (int i = 0; i < GG_REASON_COUNT; i++)
		counts[i] = ((const struct gg_count *)&c)[i].packets;
}

const char *
gateway_reason_name(enum gg_reason reason)
{
	static const char *const names[] = {
#define X(name, help) #name,
		GG_REASONS(X)
#undef X
	};

	return names[reason];
}

static uint64_t
map_entries(const struct bpf_map *map)
{
	uint8_t key[64];
	void *previous = NULL;
	uint64_t count = 0;

	while (bpf_map_get_next_key(bpf_map__fd(map), previous, key) == 0) {
		previous = key;
		count++;
	}
	return count;
}

uint64_t
gateway_entries(const struct gateway *g)
{
	return map_entries(g->skel->maps.gg_rl4) +
		map_entries(g->skel->maps.gg_ct4);
}

bool
gateway_source(const struct gateway *g, uint32_t slot, uint32_t source,
	struct gg_source *s)
{
	const uint32_t source_be = htonl(source);
	struct gg_rl4_key key = { .slot = (uint16_t)slot, .plen = 32 };
	struct gg_rl4 value;

	memcpy(key.ip, &source_be, sizeof(key.ip));
	if (bpf_map_lookup_elem(bpf_map__fd(g->skel->maps.gg_rl4), &key,
		    &value) != 0)
		return false;
	*s = value.source;
	return true;
}

static uint64_t
sketch_sum(const struct gateway *g)
{
	const struct bpf_map *map = g->skel->maps.gg_sketch;
	size_t size = bpf_map__max_entries(map) * sizeof(struct gg_sketch_line);
	const uint64_t *words = mmap(
		NULL, size, PROT_READ, MAP_SHARED, bpf_map__fd(map), 0);
	uint64_t sum = 0;

	if (words == MAP_FAILED)
		err(1, GG_MAP_SKETCH);
	for (size_t i = 0; i < size / sizeof(*words); i++)
		sum += words[i];
	munmap((void *)words, size);
	return sum;
}

uint64_t
gateway_limit_state(const struct gateway *g, uint32_t slot, uint32_t source,
	bool *has_entry)
{
	struct gg_source s = { 0 };

	*has_entry = gateway_source(g, slot, source, &s);
	return sketch_sum(g) * 31 + s.packets.word;
}

/* ---- connections through NAT */

static uint32_t
flows_add(const struct gg_flow4 *keys, const struct gg_nat4 *values,
	uint32_t read, uint32_t slot, struct scene_flow *flows, uint32_t most)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < read && count < most; i++) {
		struct scene_flow *f = &flows[count];

		if (values[i].way.slot != slot || !values[i].way.reverse)
			continue;
		memcpy(&f->from_be, keys[i].from, 4);
		memcpy(&f->to_be, keys[i].to, 4);
		f->from_port_be = keys[i].from_port_be;
		f->to_port_be = keys[i].to_port_be;
		count++;
	}
	return count;
}

/* The table's order is that of its memory. */
static void
flows_shuffle(struct scene_flow *flows, uint32_t count)
{
	uint64_t random = SEED;

	for (uint32_t i = count; i > 1; i--) {
		struct scene_flow swap = flows[i - 1];
		uint32_t k;

		random = random * UINT64_C(6364136223846793005) + 1;
		k = (uint32_t)((random >> 33) % i);
		flows[i - 1] = flows[k];
		flows[k] = swap;
	}
}

uint32_t
gateway_reverse_flows(const struct gateway *g, uint32_t slot,
	struct scene_flow *flows, uint32_t count)
{
	struct gg_flow4 *keys = xcalloc(BATCH, sizeof(*keys));
	struct gg_nat4 *values = xcalloc(BATCH, sizeof(*values));
	int fd = bpf_map__fd(g->skel->maps.gg_nat4), rc = 0;
	uint32_t place = 0, found = 0;
	void *in = NULL;

	while (rc == 0 && found < count) {
		uint32_t read = BATCH;

		rc = bpf_map_lookup_batch(fd, in, &place, keys, values, &read,
			NULL);
		if (rc != 0 && errno != ENOENT)
			err(1, GG_MAP_NAT4);
		found += flows_add(keys, values, read, slot, flows + found,
			count - found);
		in = &place;
	}
	flows_shuffle(flows, found);
	free(values);
	free(keys);
	return found;
}

struct scene_flow
gateway_answer(const struct gateway *g, uint32_t slot, uint32_t backend,
	uint32_t client)
{
	struct scene_flow f = { .to_be = htonl(client),
		.to_port_be = htons(CLIENT_PORT) };
	struct addr a;

	slot_backend(slot_get(slot), g->first[slot] + backend, &a);
	memcpy(&f.from_be, a.ip + 12, sizeof(f.from_be));
	f.from_port_be = a.port_be;
	return f;
}
