/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tells a sender that its packet is too big for the way on: the packet becomes
 * the answer. Without "don't fragment" the sender is told as well, since nobody
 * can cut a packet here; it then cuts by itself.
 */
#ifndef BPF_TOO_BIG_H
#define BPF_TOO_BIG_H

#include "bpf/packet.h"

#define TOO_BIG_QUOTE 128 /* bytes of the packet; divisible by 4 */
#define TOO_BIG_TTL   64

struct too_big4 {
	struct iphdr ip;
	struct parse_icmp icmp;
	__u8 quote[TOO_BIG_QUOTE];
};

struct too_big6 {
	struct ipv6hdr ip;
	struct parse_icmp icmp;
	__u8 quote[TOO_BIG_QUOTE];
};

static __always_inline void
too_big4_fill(struct too_big4 *answer, __be32 from, __be32 to, __u16 mtu)
{
	struct iphdr ip = { .version = 4,
		.ihl = 5,
		.tot_len = bpf_htons(sizeof(*answer)),
		.frag_off = bpf_htons(0x4000),
		.ttl = TOO_BIG_TTL,
		.protocol = IPPROTO_ICMP,
		.saddr = from,
		.daddr = to };
	struct parse_icmp icmp = { .type = ICMP4_UNREACHABLE,
		.code = ICMP4_FRAG_NEEDED,
		.rest_be = bpf_htonl(mtu) };

	ip.check = (__u16)~checksum_fold(checksum_sum(&ip, sizeof(ip)));
	answer->ip = ip;
	answer->icmp = icmp;
	answer->icmp.checksum_be = (__u16)~checksum_fold(checksum_sum(
		&answer->icmp, sizeof(icmp) + TOO_BIG_QUOTE));
}

static __always_inline void
too_big6_fill(struct too_big6 *answer, const struct in6_addr *from,
	const struct in6_addr *to, __u16 mtu)
{
	struct parse_icmp icmp = { .type = ICMP6_TOO_BIG,
		.rest_be = bpf_htonl(mtu) };
	__u32 length = sizeof(icmp) + TOO_BIG_QUOTE;
	__u64 sum;

	__builtin_memset(&answer->ip, 0, sizeof(answer->ip));
	answer->ip.version = 6;
	answer->ip.payload_len = bpf_htons((__u16)length);
	answer->ip.nexthdr = IPPROTO_ICMPV6;
	answer->ip.hop_limit = TOO_BIG_TTL;
	answer->ip.saddr = *from;
	answer->ip.daddr = *to;
	answer->icmp = icmp;
	sum = checksum_sum(&answer->ip.saddr, 2 * sizeof(*from)) +
		bpf_htonl(length) + bpf_htonl(IPPROTO_ICMPV6);
	sum += checksum_sum(&answer->icmp, length);
	answer->icmp.checksum_be = (__u16)~checksum_fold(sum);
}

/* Back to where it came from. */
static __always_inline bool
too_big_move_link(struct xdp_md *ctx, __u32 size, __u32 by)
{
	struct ethhdr *eth;

	if (!packet_move_link(ctx, size, by))
		return false;
	eth = packet_bytes(ctx, 0, sizeof(*eth));
	if (eth == NULL)
		return false;
	rewrite_macs_swapped(eth);
	return true;
}

static __always_inline bool
too_big4(struct xdp_md *ctx, const struct packet *p)
{
	struct too_big4 *answer = packet_bytes(ctx, p->at.l3, sizeof(*answer));
	const struct iphdr *ip;

	if (answer == NULL)
		return false;
	ip = (const struct iphdr *)answer->quote;
	too_big4_fill(answer, ip->daddr, ip->saddr, p->mtu);
	return true;
}

static __always_inline bool
too_big6(struct xdp_md *ctx, const struct packet *p)
{
	struct too_big6 *answer = packet_bytes(ctx, p->at.l3, sizeof(*answer));
	const struct ipv6hdr *ip;

	if (answer == NULL)
		return false;
	ip = (const struct ipv6hdr *)answer->quote;
	too_big6_fill(answer, &ip->daddr, &ip->saddr, p->mtu);
	return true;
}

/* Returns an enum gg_reason. */
__attribute__((noinline)) int
too_big_answer(struct xdp_md *ctx, struct packet *p)
{
	__u32 headers, length, frame;

	if (p == NULL)
		return GG_REASON_drop_too_big;
	headers = packet_is4(p) ?
		sizeof(struct too_big4) - TOO_BIG_QUOTE :
		sizeof(struct too_big6) - TOO_BIG_QUOTE;
	length = p->at.l3 + headers + TOO_BIG_QUOTE;
	frame = p->bytes + headers;
	if (p->at.fragment == PARSE_LATER || p->at.length < TOO_BIG_QUOTE ||
		frame < length)
		return GG_REASON_drop_too_big;
	if (bpf_xdp_adjust_head(ctx, -(int)headers) != 0 ||
		bpf_xdp_adjust_tail(ctx, (int)(length - frame)) != 0 ||
		!too_big_move_link(ctx, p->at.l3, headers))
		return GG_REASON_drop_too_big;
	if (packet_is4(p) ? !too_big4(ctx, p) : !too_big6(ctx, p))
		return GG_REASON_drop_too_big;
	p->action = XDP_TX;
	return GG_REASON_answer_too_big;
}

#endif
