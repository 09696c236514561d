/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps of the XDP program, nothing else. What `ip link` loads has these
 * sizes, 64 MiB in all at most; the daemon sets others (xdp.maps).
 */
#ifndef BPF_MAPS_H
#define BPF_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/contract.h"

#define MAP(map_name, map_type, entries, key_type, value_type, flags)          \
	struct {                                                               \
		__uint(type, map_type);                                        \
		__uint(max_entries, entries);                                  \
		__uint(map_flags, flags);                                      \
		__type(key, key_type);                                         \
		__type(value, value_type);                                     \
	} map_name SEC(".maps")

MAP(gg_cfg, BPF_MAP_TYPE_ARRAY, 1, __u32, struct gg_cfg, 0);
MAP(gg_vip, BPF_MAP_TYPE_HASH, GG_VIPS_MAX, struct gg_vip_key, struct gg_vip,
	0);
MAP(gg_reason, BPF_MAP_TYPE_PERCPU_ARRAY, GG_SLOTS_MAX, __u32,
	struct gg_counters, 0);

/* ---- limits; what is mmapable begins at a page, so lines stay lines */
MAP(gg_limit, BPF_MAP_TYPE_ARRAY, GG_SLOTS_MAX, __u32, struct gg_limit, 0);
MAP(gg_rl4, BPF_MAP_TYPE_LRU_HASH, 65536, struct gg_rl4_key, struct gg_rl4, 0);
MAP(gg_rl6, BPF_MAP_TYPE_LRU_HASH, 65536, struct gg_rl6_key, struct gg_rl6, 0);
MAP(gg_sketch, BPF_MAP_TYPE_ARRAY, 2 * GG_SKETCH_LINES, __u32,
	struct gg_sketch_line, BPF_F_MMAPABLE);
MAP(gg_mark, BPF_MAP_TYPE_ARRAY, GG_MARK_WORDS, __u32, __u64, BPF_F_MMAPABLE);
MAP(gg_list, BPF_MAP_TYPE_LPM_TRIE, GG_LIST_MAX, struct gg_list_key,
	struct gg_list, BPF_F_NO_PREALLOC);
MAP(gg_list_hits, BPF_MAP_TYPE_PERCPU_ARRAY, GG_LIST_MAX, __u32, __u64, 0);
MAP(gg_block, BPF_MAP_TYPE_LRU_HASH, GG_BLOCKS_MAX, struct gg_block_key,
	struct gg_block, 0);

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18); /* bytes */
} gg_events SEC(".maps");

/* ---- steering */
struct gg_ring_inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GG_RING_SLOTS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct gg_ring_slot));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, GG_SLOTS_MAX);
	__type(key, __u32);
	__array(values, struct gg_ring_inner);
} gg_ring SEC(".maps");

MAP(gg_service, BPF_MAP_TYPE_ARRAY, GG_SLOTS_MAX, __u32, struct gg_service, 0);
MAP(gg_backend, BPF_MAP_TYPE_ARRAY, GG_BACKENDS_MAX, __u32, struct gg_backend,
	BPF_F_MMAPABLE);
MAP(gg_backend_hits, BPF_MAP_TYPE_PERCPU_ARRAY, GG_BACKENDS_MAX, __u32,
	struct gg_backend_hits, 0);
MAP(gg_reverse, BPF_MAP_TYPE_HASH, GG_BACKENDS_MAX, struct gg_vip_key,
	struct gg_reverse, 0);
MAP(gg_ct4, BPF_MAP_TYPE_LRU_HASH, 65536, struct gg_flow4,
	struct gg_connection, 0);
MAP(gg_ct6, BPF_MAP_TYPE_LRU_HASH, 65536, struct gg_flow6,
	struct gg_connection, 0);
MAP(gg_nat4, BPF_MAP_TYPE_LRU_HASH, 65536, struct gg_flow4, struct gg_nat4, 0);
MAP(gg_nat6, BPF_MAP_TYPE_LRU_HASH, 65536, struct gg_flow6, struct gg_nat6, 0);
MAP(gg_fragment, BPF_MAP_TYPE_LRU_HASH, 4096, struct gg_fragment_key,
	struct gg_fragment, 0);
MAP(gg_tx, BPF_MAP_TYPE_DEVMAP_HASH, 64, __u32, struct bpf_devmap_val, 0);

/* ---- the program's own: made anew with each load, nobody else's business */
struct this_cpu {
	__u64 jiffies;  /* when now_s was asked for */
	__u32 now_s;    /* CLOCK_MONOTONIC */
	__u32 guard_s;  /* the second that new_ones counts in */
	__u32 new_ones; /* connections */
	__u32 new_sources;  /* entries made in sources_tick */
	__u64 sources_tick; /* jiffies */
	__u64 sampled_tick; /* of the last sample of a drop */
};

/* A NAT entry while it is made: too large for the stack beside the rest. */
struct nat_room {
	struct gg_flow6 flow;
	struct gg_nat6 entry;
	struct gg_vip_key backend, source; /* ends of the way to the backend */
};

MAP(gg_cpu, BPF_MAP_TYPE_PERCPU_ARRAY, 1, __u32, struct this_cpu, 0);
MAP(gg_room, BPF_MAP_TYPE_PERCPU_ARRAY, 1, __u32, struct nat_room, 0);

#endif
