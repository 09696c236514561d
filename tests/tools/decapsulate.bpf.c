/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The end of modes ipip and gue at a backend, where tests run on a kernel that
 * has neither ipip nor fou devices: takes the outer headers away and lets the
 * inner packet pass. Written from the RFCs and shares nothing with bpf/. Counts
 * what it took, and what it had to let alone.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define PORT 6080

enum { TAKEN_IPIP, TAKEN_GUE, LET_ALONE, COUNTS };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, COUNTS);
	__type(key, __u32);
	__type(value, __u64);
} decapsulated SEC(".maps");

static __always_inline void
count(__u32 what)
{
	__u64 *n = bpf_map_lookup_elem(&decapsulated, &what);

	if (n != NULL)
		__sync_fetch_and_add(n, 1);
}

/* Bytes of outer headers; 0: it is no packet in a packet. */
static __always_inline __u32
outer_size(const void *data, const void *end, bool *gue)
{
	const struct ethhdr *eth = data;
	const struct iphdr *ip4 = (const void *)(eth + 1);
	const struct ipv6hdr *ip6 = (const void *)(eth + 1);
	const struct udphdr *udp;
	__u8 protocol;

	if ((const void *)(eth + 1) > end)
		return 0;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		if ((const void *)(ip4 + 1) > end || ip4->ihl != 5)
			return 0;
		protocol = ip4->protocol;
		udp = (const void *)(ip4 + 1);
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		if ((const void *)(ip6 + 1) > end)
			return 0;
		protocol = ip6->nexthdr;
		udp = (const void *)(ip6 + 1);
	} else {
		return 0;
	}
	*gue = protocol == IPPROTO_UDP;
	if (protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6)
		return (const char *)udp - (const char *)(eth + 1);
	if (!*gue || (const void *)(udp + 1) > end ||
		udp->dest != bpf_htons(PORT))
		return 0;
	return (const char *)(udp + 1) - (const char *)(eth + 1);
}

SEC("xdp")
int
decapsulate(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr link, *eth;
	bool gue = false;
	__u32 size = outer_size(data, end, &gue);
	__u8 *inner;

	if (size == 0 || data + sizeof(link) > end) {
		count(LET_ALONE);
		return XDP_PASS;
	}
	__builtin_memcpy(&link, data, sizeof(link));
	if (bpf_xdp_adjust_head(ctx, (int)size) != 0)
		return XDP_ABORTED;
	eth = (void *)(long)ctx->data;
	inner = (void *)(eth + 1);
	if ((void *)(inner + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	link.h_proto = bpf_htons(*inner >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6);
	__builtin_memcpy(eth, &link, sizeof(link));
	count(gue ? TAKEN_GUE : TAKEN_IPIP);
	return XDP_PASS;
}

char gg_license[] SEC("license") = "Dual BSD/GPL";
