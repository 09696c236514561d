/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The root of `scripts/bench xdp`: writes the whole frame for the next flow
 * over whatever the last run left, then calls the program under test. Also the
 * generator of live frames, which sends what it wrote.
 */
#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tests/bench/xdp_scene.h"

#define IP4_SUM_AT   24
#define SOURCE_AT    26 /* IPv4's source; of IPv6's, bytes 4 to 7 */
#define TO_AT        30
#define IP4_PORTS_AT 34
#define IP6_PORTS_AT 54
#define TCP_SUM_AT   16
#define UDP_SUM_AT   6

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} under_test SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SCENE_LISTED_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct scene_flow);
} scene_list SEC(".maps");

struct scene scene;

static __always_inline __u64
random_next(void)
{
	scene.state = scene.state * 6364136223846793005ull +
		1442695040888963407ull;
	return scene.state;
}

static __always_inline void
flow_number(struct scene_flow *f, __u32 number)
{
	f->from_be = bpf_htonl(scene.source + number);
	f->from_port_be =
		bpf_htons(SCENE_PORT_FIRST + (number & SCENE_PORT_MASK));
}

static __always_inline void
flow_listed(struct scene_flow *f)
{
	const struct scene_flow *listed;
	__u32 i = scene.next;

	scene.next = i + 1 < scene.listed_to ? i + 1 : scene.listed_from;
	listed = bpf_map_lookup_elem(&scene_list, &i);
	if (listed != NULL)
		*f = *listed;
}

static __always_inline void
flow_next(struct scene_flow *f)
{
	__u64 random;

	switch (scene.draw) {
	case SCENE_RANDOM:
		flow_number(f, random_next() >> 33 & scene.mask);
		break;
	case SCENE_NEXT:
		flow_number(f, scene.next++ & scene.mask);
		break;
	case SCENE_NEW:
		random = random_next();
		f->from_be = random >> 32;
		f->from_port_be = random >> 16;
		break;
	default:
		flow_listed(f);
	}
}

static __always_inline __u32
sum_of(__u32 word_be)
{
	return (word_be & 0xffff) + (word_be >> 16);
}

static __always_inline __u16
sum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

static __always_inline void
flow_put(__u8 *data, const struct scene_flow *f, bool ip4, __u32 ports_at,
	__u32 sum_at)
{
	__u32 addresses = sum_of(f->from_be) + sum_of(f->to_be);
	__u16 sum;

	*(__u32 *)(data + SOURCE_AT) = f->from_be;
	*(__u16 *)(data + ports_at) = f->from_port_be;
	if (f->to_be != 0) {
		*(__u32 *)(data + TO_AT) = f->to_be;
		*(__u16 *)(data + ports_at + 2) = f->to_port_be;
	}
	if (ip4)
		*(__u16 *)(data + IP4_SUM_AT) =
			sum_fold(scene.ip_sum + addresses);
	sum = sum_fold(scene.l4_sum + addresses + f->from_port_be +
		f->to_port_be);
	if (sum_at == UDP_SUM_AT && sum == 0)
		sum = 0xffff;
	*(__u16 *)(data + ports_at + sum_at) = sum;
}

/* False: not such a frame. */
static __always_inline bool
frame_write(struct xdp_md *ctx, bool ip4, __u32 sum_at)
{
	const __u32 length = ip4 ? SCENE_IP4_LENGTH : SCENE_IP6_LENGTH;
	struct scene_flow f = {};
	long more = (long)ctx->data_end - (long)ctx->data - length;
	__u8 *data;

	/* The last run put a header in front, or took one away. */
	if (more != 0 && bpf_xdp_adjust_head(ctx, more) != 0)
		return false;
	data = (__u8 *)(long)ctx->data;
	if (data + length > (__u8 *)(long)ctx->data_end)
		return false;
#pragma GCC unroll 10
	for (__u32 i = 0; i < SCENE_FRAME_MAX / 8; i++) {
		if (8 * i + 8 <= length)
			((__u64 *)data)[i] = scene.frame[i];
	}
	if (!ip4)
		*(__u16 *)(data + 72) = scene.frame[9];
	flow_next(&f);
	flow_put(data, &f, ip4, ip4 ? IP4_PORTS_AT : IP6_PORTS_AT, sum_at);
	return true;
}

static __always_inline int
root(struct xdp_md *ctx, bool ip4, __u32 sum_at)
{
	if (frame_write(ctx, ip4, sum_at))
		bpf_tail_call(ctx, &under_test, 0);
	return XDP_ABORTED;
}

SEC("xdp")
int
root_tcp4(struct xdp_md *ctx)
{
	return root(ctx, true, TCP_SUM_AT);
}

SEC("xdp")
int
root_udp4(struct xdp_md *ctx)
{
	return root(ctx, true, UDP_SUM_AT);
}

SEC("xdp")
int
root_tcp6(struct xdp_md *ctx)
{
	return root(ctx, false, TCP_SUM_AT);
}

/* Says when the first and the last packet came, for what counts in ticks. */
SEC("xdp")
int
root_timed(struct xdp_md *ctx)
{
	__u64 now = bpf_jiffies64();

	if (scene.first_tick == 0)
		scene.first_tick = now;
	scene.last_tick = now;
	return root(ctx, true, TCP_SUM_AT);
}

SEC("xdp")
int
generate_tcp4(struct xdp_md *ctx)
{
	return frame_write(ctx, true, TCP_SUM_AT) ? XDP_TX : XDP_ABORTED;
}

char _license[] SEC("license") = "Dual BSD/GPL";
