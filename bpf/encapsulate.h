/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * To a backend inside another packet: mode ipip (RFC 2003, RFC 4213, RFC 2473)
 * and mode gue, where UDP stands in between and the inner packet right behind
 * it: GUE's variant 1, as fou of Linux takes it. The packet stays as it is but
 * for the hop that it takes. The outer one goes from the box's address on the
 * way there to the backend's; the families of the two may differ.
 */
#ifndef BPF_ENCAPSULATE_H
#define BPF_ENCAPSULATE_H

#include "bpf/forward.h"

#define ENCAPSULATE_TTL 64

/* Sources in UDP, by the hash of the flow: the ports that are nobody's, as
 * RFC 8085 (5.1.1) wants them. */
#define ENCAPSULATE_PORT_FIRST 49152
#define ENCAPSULATE_PORTS      16384

/* Of the outer packet, behind its link header. */
struct outer {
	__u32 length; /* of all of it, in bytes */
	__u32 hash;
	__u8 protocol; /* that the IP header names */
	__u8 traffic; /* DSCP and ECN, those of the inner one (RFC 6040) */
};

/*
 * No router may cut it: the id would have to tell apart what comes within a
 * packet's lifetime (RFC 6864), and the inner one, whose sender must learn of
 * it, often says so as well.
 */
static __always_inline bool
outer_put4(struct xdp_md *ctx, __u32 at, const struct outer *o,
	const struct gg_backend *b)
{
	struct iphdr *to = packet_bytes(ctx, at, sizeof(*to));
	struct iphdr ip = { .version = 4,
		.ihl = 5,
		.tos = o->traffic,
		.tot_len = bpf_htons((__u16)o->length),
		.frag_off = bpf_htons(0x4000),
		.ttl = ENCAPSULATE_TTL,
		.protocol = o->protocol,
		.saddr = address_get(b->source_ip, 3),
		.daddr = address_get(b->ip, 3) };

	if (to == NULL)
		return false;
	ip.check = (__u16)~checksum_fold(checksum_sum(&ip, sizeof(ip)));
	*to = ip;
	return true;
}

/* The flow label lets routers and the backend's queues tell flows apart
 * (RFC 6438). */
static __always_inline bool
outer_put6(struct xdp_md *ctx, __u32 at, const struct outer *o,
	const struct gg_backend *b)
{
	struct ipv6hdr *ip = packet_bytes(ctx, at, sizeof(*ip));

	if (ip == NULL)
		return false;
	address_put4(ip, bpf_htonl(6u << 28 | (__u32)o->traffic << 20 |
		(o->hash & 0xfffff)));
	ip->payload_len = bpf_htons((__u16)(o->length - sizeof(*ip)));
	ip->nexthdr = o->protocol;
	ip->hop_limit = ENCAPSULATE_TTL;
	address_copy(&ip->saddr, b->source_ip);
	address_copy(&ip->daddr, b->ip);
	return true;
}

/* Without a checksum, which would have to be summed over the whole packet; the
 * inner one has its own. In IPv6 a tunnel may (RFC 6935), and fou takes it. */
static __always_inline bool
outer_put_udp(struct xdp_md *ctx, __u32 at, __u32 length, __u32 hash)
{
	struct udphdr *udp = packet_bytes(ctx, at, sizeof(*udp));

	if (udp == NULL)
		return false;
	udp->source = bpf_htons((__u16)(ENCAPSULATE_PORT_FIRST +
		hash % ENCAPSULATE_PORTS));
	udp->dest = bpf_htons(GG_GUE_PORT);
	udp->len = bpf_htons((__u16)length);
	udp->check = 0;
	return true;
}

static __always_inline bool
outer_put_type(struct xdp_md *ctx, const struct packet *p, bool is4)
{
	__be16 *type = packet_bytes(ctx, p->at.l3 - 2u, sizeof(*type));

	if (type == NULL)
		return false;
	*type = bpf_htons(is4 ? ETH_P_IP : ETH_P_IPV6);
	return true;
}

static __always_inline bool
outer_put(struct xdp_md *ctx, const struct packet *p, struct outer *o,
	const struct gg_backend *b)
{
	bool is4 = address_is4(b->ip);
	__u32 ip_size = is4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);

	if (p->mode == GG_MODE_GUE) {
		o->protocol = IPPROTO_UDP;
		if (!outer_put_udp(ctx, p->at.l3 + ip_size,
			    o->length - ip_size, o->hash))
			return false;
	}
	if (!outer_put_type(ctx, p, is4))
		return false;
	return is4 ? outer_put4(ctx, p->at.l3, o, b) :
		     outer_put6(ctx, p->at.l3, o, b);
}

static __always_inline bool
traffic_get(struct xdp_md *ctx, const struct packet *p, __u8 *traffic)
{
	const __be32 *word = packet_bytes(ctx, p->at.l3, sizeof(*word));

	if (word == NULL)
		return false;
	*traffic = (__u8)(bpf_ntohl(*word) >> (packet_is4(p) ? 16 : 20));
	return true;
}

static __always_inline bool
encapsulate_is_error(const struct packet *p)
{
	return p->at.to.l4_proto == IPPROTO_ICMP ||
		p->at.to.l4_proto == IPPROTO_ICMPV6;
}

static __always_inline enum gg_reason
encapsulate_reason(const struct packet *p)
{
	if (encapsulate_is_error(p))
		return GG_REASON_forward_icmp;
	if (p->at.tcp_request)
		return GG_REASON_forward_syn;
	return p->at.fragment == PARSE_LATER ? GG_REASON_forward_fragment :
					       GG_REASON_forward;
}

/* The packet with another one around it; its offsets are good no more. */
static __always_inline enum gg_reason
encapsulate_change(struct xdp_md *ctx, const struct packet *p,
	const struct gg_backend *b)
{
	__u32 size = encapsulation_size(p->mode, b);
	struct outer o = { .length = p->at.length + size,
		.hash = (__u32)p->hash,
		.protocol = packet_is4(p) ? IPPROTO_IPIP : IPPROTO_IPV6 };
	__u64 nothing = 0;

	if (!traffic_get(ctx, p, &o.traffic) ||
		!packet_change_l3(ctx, p, NULL, &nothing))
		return GG_REASON_drop_malformed;
	if (bpf_xdp_adjust_head(ctx, -(int)size) != 0)
		return GG_REASON_drop_no_headroom;
	if (!packet_move_link(ctx, p->at.l3, size) ||
		!outer_put(ctx, p, &o, b))
		return GG_REASON_drop_malformed;
	return GG_REASON_forward;
}

/* To p->backend. Returns an enum gg_reason. */
__attribute__((noinline)) int
encapsulate(struct xdp_md *ctx, struct packet *p)
{
	const struct gg_backend *b;
	enum gg_reason reason;
	__u32 index;

	if (p == NULL)
		return GG_REASON_drop_malformed;
	index = p->backend;
	b = bpf_map_lookup_elem(&gg_backend, &index);
	if (b == NULL)
		return GG_REASON_drop_no_backend;
	reason = encapsulate_change(ctx, p, b);
	if (reason != GG_REASON_forward)
		return reason;
	reason = packet_send(ctx, p, b->ifindex, b->to_mac, b->from_mac,
		encapsulate_reason(p));
	if (reason != GG_REASON_drop_no_neighbour && !encapsulate_is_error(p))
		count_hit(index, p->bytes, p->at.tcp_request);
	return reason;
}

#endif
