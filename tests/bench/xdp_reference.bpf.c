/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What `scripts/bench xdp` compares with: programs that do one thing each. All
 * but the empty one make a 16-byte key of the frame's addresses and ports, as
 * reference_parse does and nothing else. Then the receivers of live frames.
 */
#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/contract.h"

#define TUPLE_AT     26 /* IPv4 addresses, then ports */
#define TUPLE_LENGTH 12
#define PROTOCOL_AT  23

struct bucket {
	struct bpf_spin_lock lock;
	__u32 stamp;
	__u64 tokens;
};

#define MAP(map_name, map_type, entries, value_type)                           \
	struct {                                                               \
		__uint(type, map_type);                                        \
		__uint(max_entries, entries);                                  \
		__type(key, struct gg_flow4);                                  \
		__type(value, value_type);                                     \
	} map_name SEC(".maps")

MAP(lru_64k, BPF_MAP_TYPE_LRU_HASH, 2 << 20, __u64);
MAP(lru_1m, BPF_MAP_TYPE_LRU_HASH, 2 << 20, __u64);
MAP(lru_full, BPF_MAP_TYPE_LRU_HASH, 1 << 20, __u64);
MAP(buckets, BPF_MAP_TYPE_HASH, 1 << 20, struct bucket);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} received SEC(".maps");

__u64 misses; /* of lookups that were to hit */
__u64 sink;

static __always_inline bool
tuple_read(struct xdp_md *ctx, struct gg_flow4 *f)
{
	const __u8 *data = (const __u8 *)(long)ctx->data;

	if (data + TUPLE_AT + TUPLE_LENGTH > (const __u8 *)(long)ctx->data_end)
		return false;
	__builtin_memcpy(f, data + TUPLE_AT, TUPLE_LENGTH);
	f->l4_proto = data[PROTOCOL_AT];
	return true;
}

SEC("xdp")
int
reference_empty(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp")
int
reference_parse(struct xdp_md *ctx)
{
	struct gg_flow4 f = {};

	if (!tuple_read(ctx, &f))
		return XDP_ABORTED;
	/* As a lookup would: the key must be in memory. */
	asm volatile("" : : "r"(&f) : "memory");
	return XDP_PASS;
}

static __always_inline int
lookup(struct xdp_md *ctx, void *map)
{
	struct gg_flow4 f = {};
	__u64 *value;

	if (!tuple_read(ctx, &f))
		return XDP_ABORTED;
	value = bpf_map_lookup_elem(map, &f);
	if (value == NULL) {
		misses++;
		return XDP_ABORTED;
	}
	sink = *value;
	return XDP_PASS;
}

static __always_inline int
insert(struct xdp_md *ctx, void *map)
{
	struct gg_flow4 f = {};
	__u64 value = 1;

	if (!tuple_read(ctx, &f))
		return XDP_ABORTED;
	if (bpf_map_update_elem(map, &f, &value, BPF_ANY) != 0)
		misses++;
	return XDP_PASS;
}

SEC("xdp")
int
reference_lookup(struct xdp_md *ctx)
{
	return lookup(ctx, &lru_64k);
}

SEC("xdp")
int
reference_lookup_1m(struct xdp_md *ctx)
{
	return lookup(ctx, &lru_1m);
}

SEC("xdp")
int
fill_lookup(struct xdp_md *ctx)
{
	return insert(ctx, &lru_64k);
}

SEC("xdp")
int
fill_lookup_1m(struct xdp_md *ctx)
{
	return insert(ctx, &lru_1m);
}

SEC("xdp")
int
reference_insert(struct xdp_md *ctx)
{
	return insert(ctx, &lru_full);
}

SEC("xdp")
int
fill_buckets(struct xdp_md *ctx)
{
	struct bucket b = { .tokens = 1ull << 60 };
	struct gg_flow4 f = {};

	if (!tuple_read(ctx, &f))
		return XDP_ABORTED;
	if (bpf_map_update_elem(&buckets, &f, &b, BPF_ANY) != 0)
		misses++;
	return XDP_PASS;
}

/* A token bucket as it is usually written, the clock free of charge. */
SEC("xdp")
int
reference_bucket(struct xdp_md *ctx)
{
	__u32 now = bpf_jiffies64();
	struct gg_flow4 f = {};
	struct bucket *b;
	bool pass;

	if (!tuple_read(ctx, &f))
		return XDP_ABORTED;
	b = bpf_map_lookup_elem(&buckets, &f);
	if (b == NULL) {
		misses++;
		return XDP_ABORTED;
	}
	bpf_spin_lock(&b->lock);
	b->tokens += (__u64)(now - b->stamp) * 1000;
	if (b->tokens > 1ull << 60)
		b->tokens = 1ull << 60;
	b->stamp = now;
	pass = b->tokens >= 250;
	if (pass)
		b->tokens -= 250;
	bpf_spin_unlock(&b->lock);
	return pass ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int
reference_ktime(struct xdp_md *ctx)
{
	struct gg_flow4 f = {};

	if (!tuple_read(ctx, &f))
		return XDP_ABORTED;
	asm volatile("" : : "r"(&f) : "memory");
	sink = bpf_ktime_get_ns();
	return XDP_PASS;
}

SEC("xdp")
int
reference_jiffies(struct xdp_md *ctx)
{
	struct gg_flow4 f = {};

	if (!tuple_read(ctx, &f))
		return XDP_ABORTED;
	asm volatile("" : : "r"(&f) : "memory");
	sink = bpf_jiffies64();
	return XDP_PASS;
}

/* ---- receivers of live frames */

static __always_inline void
receive(struct xdp_md *ctx)
{
	const __u8 *data = (const __u8 *)(long)ctx->data;
	__u32 zero = 0;
	__u64 *count;

	/* What the box says by itself is none of ours: TCP alone counts. */
	if (data + TUPLE_AT > (const __u8 *)(long)ctx->data_end ||
		data[PROTOCOL_AT] != 6)
		return;
	count = bpf_map_lookup_elem(&received, &zero);
	if (count != NULL)
		*count += 1;
}

SEC("xdp")
int
receive_drop(struct xdp_md *ctx)
{
	receive(ctx);
	return XDP_DROP;
}

SEC("xdp")
int
receive_turn(struct xdp_md *ctx)
{
	__u8 *data = (__u8 *)(long)ctx->data;
	__u16 word;

	if (data + 12 > (__u8 *)(long)ctx->data_end)
		return XDP_DROP;
#pragma GCC unroll 3
	for (int i = 0; i < 3; i++) {
		word = ((__u16 *)data)[i];
		((__u16 *)data)[i] = ((__u16 *)data)[i + 3];
		((__u16 *)data)[i + 3] = word;
	}
	return XDP_TX;
}

char _license[] SEC("license") = "Dual BSD/GPL";
