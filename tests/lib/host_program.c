/* The XDP program compiled on the host. */
#include "tests/lib/host_program.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sys/mman.h>

/* Functions that the kernel verifies by themselves are global, and declared
 * nowhere else; a map is a type whose numbers are lengths of arrays. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wpedantic"
#define typeof __typeof__ /* libbpf takes GNU C for granted */
#include "bpf/gateway.bpf.c"
#pragma GCC diagnostic pop

#include "base/mem.h"

/* A packet is something else in the program than in tests/lib/packet.h. */
#define PACKET_MAX   9216
#define PACKET_SHIFT 2

#define HEADROOM  256
#define LOOPBACK  1 /* what BPF_PROG_TEST_RUN has as interface */
#define BUCKETS   65536
#define ROOM_SIZE (HEADROOM + PACKET_SHIFT + PACKET_MAX)

struct entry {
	struct entry *next;
	void *value;
	uint8_t key[];
};

struct host_map {
	const char *name;
	const void *map;
	size_t key_size, value_size, most;
	bool is_array;
	uint8_t *values;        /* array */
	struct entry **buckets; /* hash */
};

#define ARRAY(map)                                                             \
	{                                                                      \
		#map, &map, sizeof(*map.key), sizeof(*map.value),              \
			sizeof(*map.max_entries) / sizeof(int), true, NULL,    \
			NULL                                                   \
	}
#define HASH(map)                                                              \
	{                                                                      \
		#map, &map, sizeof(*map.key), sizeof(*map.value), 0, false,    \
			NULL, NULL                                             \
	}

static struct host_map maps[] = {
	ARRAY(gg_cfg),
	ARRAY(gg_service),
	ARRAY(gg_backend),
	ARRAY(gg_backend_hits),
	ARRAY(gg_cpu),
	ARRAY(gg_room),
	ARRAY(gg_icmp_room),
	HASH(gg_vip),
	HASH(gg_reverse),
	HASH(gg_ct4),
	HASH(gg_ct6),
	HASH(gg_nat4),
	HASH(gg_nat6),
	HASH(gg_fragment),
	HASH(gg_tx),
};

#define MAPS (sizeof(maps) / sizeof(maps[0]))

static struct host_map rings[GG_SLOTS_MAX];
static struct gg_counters counters;
static uint32_t counted_slot;
static uint8_t *room; /* below 4 GiB: struct xdp_md has 32 bits for it */

static struct host_map *
map_find(const void *map)
{
	if ((const struct host_map *)map >= rings &&
		(const struct host_map *)map < rings + GG_SLOTS_MAX)
		return (struct host_map *)(uintptr_t)map;
	for (size_t i = 0; i < MAPS; i++) {
		if (maps[i].map == map)
			return &maps[i];
	}
	fprintf(stderr, "a map that the host does not have\n");
	abort();
}

static struct entry **
bucket_of(const struct host_map *m, const void *key)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < m->key_size; i++)
		hash = (hash ^ ((const uint8_t *)key)[i]) * 16777619u;
	return &m->buckets[hash % BUCKETS];
}

static struct entry **
entry_find(const struct host_map *m, const void *key)
{
	struct entry **at = bucket_of(m, key);

	while (*at != NULL && memcmp((*at)->key, key, m->key_size) != 0)
		at = &(*at)->next;
	return at;
}

/* ---- helpers */

static void *
host_lookup(void *map, const void *key)
{
	struct host_map *m;
	struct entry *e;
	uint32_t index;

	if (map == &gg_reason) {
		memcpy(&counted_slot, key, sizeof(counted_slot));
		return counted_slot < GG_SLOTS_MAX ? &counters : NULL;
	}
	if (map == &gg_ring) {
		memcpy(&index, key, sizeof(index));
		return index < GG_SLOTS_MAX && rings[index].values != NULL ?
			&rings[index] :
			NULL;
	}
	m = map_find(map);
	if (m->is_array) {
		memcpy(&index, key, sizeof(index));
		return index < m->most ? m->values + index * m->value_size :
					 NULL;
	}
	e = *entry_find(m, key);
	return e == NULL ? NULL : e->value;
}

static long
host_update(void *map, const void *key, const void *value, __u64 flags)
{
	struct host_map *m = map_find(map);
	struct entry **at, *e;
	void *old;

	if (m->is_array) {
		old = host_lookup(map, key);
		if (old == NULL)
			return -E2BIG;
		memcpy(old, value, m->value_size);
		return 0;
	}
	at = entry_find(m, key);
	if (*at != NULL && flags == BPF_NOEXIST)
		return -EEXIST;
	if (*at == NULL) {
		e = xcalloc(1, sizeof(*e) + m->key_size);
		e->value = xcalloc(1, m->value_size);
		memcpy(e->key, key, m->key_size);
		*at = e;
	}
	memcpy((*at)->value, value, m->value_size);
	return 0;
}

static long
host_delete(void *map, const void *key)
{
	struct entry **at = entry_find(map_find(map), key), *e = *at;

	if (e == NULL)
		return -ENOENT;
	*at = e->next;
	free(e->value);
	free(e);
	return 0;
}

static __u64
host_coarse_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (__u64)now.tv_sec * 1000000000 + (__u64)now.tv_nsec;
}

static __u64
host_jiffies64(void)
{
	return host_coarse_ns() / 4000000;
}

static long
host_redirect_map(void *map, __u64 key, __u64 flags)
{
	uint32_t index = (uint32_t)key;

	return host_lookup(map, &index) != NULL ? XDP_REDIRECT :
						  (long)(flags & 3);
}

static long
host_adjust_head(struct xdp_md *ctx, int delta)
{
	uint8_t *data = (uint8_t *)(uintptr_t)ctx->data + delta;

	if (data < room || data + 14 > (uint8_t *)(uintptr_t)ctx->data_end)
		return -EINVAL;
	ctx->data = (__u32)(uintptr_t)data;
	return 0;
}

/* That of the loopback interface. */
static long
host_check_mtu(void *ctx, __u32 ifindex, __u32 *mtu, __s32 length_diff,
	__u64 flags)
{
	(void)ctx;
	(void)ifindex;
	(void)length_diff;
	(void)flags;
	*mtu = 65536;
	return 0;
}

static long
host_adjust_tail(struct xdp_md *ctx, int delta)
{
	uint8_t *end = (uint8_t *)(uintptr_t)ctx->data_end + delta;

	if (end > room + ROOM_SIZE ||
		end < (uint8_t *)(uintptr_t)ctx->data + 14)
		return -EINVAL;
	ctx->data_end = (__u32)(uintptr_t)end;
	return 0;
}

/* ---- the rest of the world */

void
host_program_open(void)
{
	bpf_map_lookup_elem = host_lookup;
	bpf_map_update_elem = host_update;
	bpf_map_delete_elem = host_delete;
	bpf_ktime_get_coarse_ns = host_coarse_ns;
	bpf_jiffies64 = host_jiffies64;
	bpf_redirect_map = host_redirect_map;
	bpf_xdp_adjust_head = host_adjust_head;
	bpf_xdp_adjust_tail = host_adjust_tail;
	bpf_check_mtu = host_check_mtu;
	for (size_t i = 0; i < MAPS; i++) {
		if (maps[i].is_array)
			maps[i].values =
				xcalloc(maps[i].most, maps[i].value_size);
		else
			maps[i].buckets = xcalloc(BUCKETS,
				sizeof(*maps[i].buckets));
	}
	room = mmap(NULL, ROOM_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (room == MAP_FAILED) {
		perror("memory below 4 GiB");
		exit(1);
	}
}

static void
map_empty(struct host_map *m)
{
	struct entry *e;

	for (size_t i = 0; i < BUCKETS; i++) {
		while ((e = m->buckets[i]) != NULL) {
			m->buckets[i] = e->next;
			free(e->value);
			free(e);
		}
	}
}

void
host_program_close(void)
{
	for (size_t i = 0; i < MAPS; i++) {
		if (!maps[i].is_array)
			map_empty(&maps[i]);
		free(maps[i].values);
		free(maps[i].buckets);
	}
	for (size_t i = 0; i < GG_SLOTS_MAX; i++)
		free(rings[i].values);
	munmap(room, ROOM_SIZE);
}

static struct host_map *
map_named(const char *name)
{
	for (size_t i = 0; i < MAPS; i++) {
		if (strcmp(maps[i].name, name) == 0)
			return &maps[i];
	}
	fprintf(stderr, "the host has no map %s\n", name);
	exit(1);
}

void
host_program_put(const char *name, const void *key, const void *value)
{
	host_update((void *)(uintptr_t)map_named(name)->map, key, value,
		BPF_ANY);
}

void
host_program_empty(const char *name)
{
	map_empty(map_named(name));
}

struct gg_ring_slot *
host_program_ring(uint32_t slot)
{
	struct host_map *m = &rings[slot];

	if (m->values == NULL)
		*m = (struct host_map){ .name = "ring",
			.key_size = 4,
			.value_size = sizeof(struct gg_ring_slot),
			.most = GG_RING_SLOTS,
			.is_array = true,
			.values = xcalloc(GG_RING_SLOTS,
				sizeof(struct gg_ring_slot)) };
	return (struct gg_ring_slot *)(void *)m->values;
}

static enum gg_reason
counted_reason(void)
{
	const struct gg_count *counts = (const struct gg_count *)&counters;
	enum gg_reason found = GG_REASON_COUNT;

	for (int r = 0; r < GG_REASON_COUNT; r++) {
		if (counts[r].packets == 0)
			continue;
		if (counts[r].packets != 1 || found != GG_REASON_COUNT)
			return GG_REASON_COUNT;
		found = (enum gg_reason)r;
	}
	return found;
}

struct host_verdict
host_program_run(const void *data, size_t length)
{
	uint8_t *start = room + HEADROOM + PACKET_SHIFT;
	struct xdp_md ctx = { .data = (__u32)(uintptr_t)start,
		.data_end = (__u32)(uintptr_t)(start + length),
		.ingress_ifindex = LOOPBACK };
	struct host_verdict v;

	memset(&counters, 0, sizeof(counters));
	memcpy(start, data, length);
	v.action = (uint32_t)gg_gateway(&ctx);
	v.data = (uint8_t *)(uintptr_t)ctx.data;
	v.length = ctx.data_end - ctx.data;
	v.slot = counted_slot;
	v.reason = counted_reason();
	return v;
}
