/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads a frame's headers: pure, compiled into the XDP program and, for tests,
 * on the host. Never reads outside [data, end).
 */
#ifndef BPF_PARSE_H
#define BPF_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/contract.h"

#define PARSE_IP4_FRAGMENT 0x3fff /* "more fragments" or an offset */
#define PARSE_IP6_FRAGMENT 0xfff9
#define PARSE_EXT_MORE     0x7ff /* 255 * 8 and below */

/* What a parsing step returns when nothing ends the walk. */
#define PARSE_ON GG_REASON_COUNT

struct parsed {
	/* ip and l4_proto from L3, port_be from L4 */
	struct gg_vip_key from, to;
	__u8 family; /* 4, 6; 0: neither, or its header is wrong */
	bool has_ports;   /* TCP or UDP, its header whole and consistent */
	bool tcp_request; /* SYN without ACK */
};

struct cursor {
	const __u8 *pos;
	const __u8 *end; /* of the frame */
	__u32 left;      /* bytes that belong to the packet, by its IP header */
};

struct parse_vlan {
	__be16 tci_be;
	__be16 type_be;
};

/* The part that all extension headers but Fragment begin with. */
struct parse_ext {
	__u8 next;
	__u8 length; /* beyond these 8 bytes, in 8 bytes; AH: in 4 bytes */
	__u8 body[6];
};

struct parse_fragment {
	__u8 next;
	__u8 pad;
	__be16 offset_be;
	__be32 id_be;
};

struct parse_icmp {
	__u8 type, code;
	__be16 checksum_be;
	__be32 rest_be;
};

/* The next size bytes of the frame, or NULL if it ends before; moves on. */
static __always_inline const void *
cursor_take(struct cursor *c, __u32 size)
{
	const __u8 *pos = c->pos;

	if (pos + size > c->end)
		return NULL;
	c->pos = pos + size;
	return pos;
}

/* The same within what the IP header says the packet has. */
static __always_inline const void *
cursor_take_within(struct cursor *c, __u32 size)
{
	if (c->left < size)
		return NULL;
	c->left -= size;
	return cursor_take(c, size);
}

static __always_inline enum gg_reason
parse_ethernet(struct cursor *c, __be16 *type_be)
{
	const struct ethhdr *eth = cursor_take(c, sizeof(*eth));
	const struct parse_vlan *vlan;

	if (eth == NULL)
		return GG_REASON_pass_malformed_eth;
	*type_be = eth->h_proto;
#pragma GCC unroll 3
	for (int i = 0; i <= GG_VLANS_MAX; i++) {
		if (*type_be != bpf_htons(ETH_P_8021Q) &&
			*type_be != bpf_htons(ETH_P_8021AD))
			return PARSE_ON;
		if (i == GG_VLANS_MAX)
			break;
		vlan = cursor_take(c, sizeof(*vlan));
		if (vlan == NULL)
			return GG_REASON_pass_malformed_eth;
		*type_be = vlan->type_be;
	}
	return GG_REASON_pass_too_many_vlans;
}

static __always_inline enum gg_reason
parse_tcp(struct cursor *c, struct parsed *p)
{
	__u32 length = c->left;
	const struct tcphdr *tcp = cursor_take_within(c, sizeof(*tcp));

	if (tcp == NULL || tcp->doff < 5 || tcp->doff * 4u > length)
		return GG_REASON_pass_malformed_l4;
	p->from.port_be = tcp->source;
	p->to.port_be = tcp->dest;
	p->has_ports = true;
	p->tcp_request = tcp->syn && !tcp->ack;
	return GG_REASON_pass_no_vip_tcp;
}

static __always_inline enum gg_reason
parse_udp(struct cursor *c, struct parsed *p)
{
	__u32 length = c->left;
	const struct udphdr *udp = cursor_take_within(c, sizeof(*udp));

	if (udp == NULL || bpf_ntohs(udp->len) < sizeof(*udp) ||
		bpf_ntohs(udp->len) > length)
		return GG_REASON_pass_malformed_l4;
	p->from.port_be = udp->source;
	p->to.port_be = udp->dest;
	p->has_ports = true;
	return GG_REASON_pass_no_vip_udp;
}

static __always_inline enum gg_reason
parse_icmp(struct cursor *c, enum gg_reason whole)
{
	if (cursor_take_within(c, sizeof(struct parse_icmp)) == NULL)
		return GG_REASON_pass_malformed_l4;
	return whole;
}

static __always_inline enum gg_reason
parse_ip4(struct cursor *c, struct parsed *p)
{
	const struct iphdr *ip = cursor_take(c, sizeof(*ip));
	__u32 header, total;

	if (ip == NULL || ip->version != 4 || ip->ihl < 5)
		return GG_REASON_pass_malformed_ip4;
	header = ip->ihl * 4u;
	total = bpf_ntohs(ip->tot_len);
	/* A frame longer than its packet is padded; a shorter one is cut. */
	if (total < header ||
		total > (__u64)(c->end - (const __u8 *)ip))
		return GG_REASON_pass_malformed_ip4;
	p->family = 4;
	p->from.ip[10] = p->from.ip[11] = 0xff;
	__builtin_memcpy(p->from.ip + 12, &ip->saddr, 4);
	if (ip->frag_off & bpf_htons(PARSE_IP4_FRAGMENT))
		return GG_REASON_pass_fragment;
	p->to.ip[10] = p->to.ip[11] = 0xff;
	__builtin_memcpy(p->to.ip + 12, &ip->daddr, 4);
	p->to.l4_proto = ip->protocol;
	c->pos = (const __u8 *)ip + header;
	c->left = total - header;
	switch (ip->protocol) {
	case IPPROTO_TCP:
		return parse_tcp(c, p);
	case IPPROTO_UDP:
		return parse_udp(c, p);
	case IPPROTO_ICMP:
		return parse_icmp(c, GG_REASON_pass_icmp);
	default:
		return GG_REASON_pass_other_l4;
	}
}

static __always_inline bool
parse_is_ext(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING ||
		next == IPPROTO_DSTOPTS || next == IPPROTO_AH ||
		next == IPPROTO_FRAGMENT;
}

static __always_inline enum gg_reason
parse_fragment_header(struct cursor *c, __u8 *next)
{
	const struct parse_fragment *fragment =
		cursor_take_within(c, sizeof(*fragment));

	if (fragment == NULL)
		return GG_REASON_pass_malformed_ip6;
	if (fragment->offset_be & bpf_htons(PARSE_IP6_FRAGMENT))
		return GG_REASON_pass_fragment;
	/* An "atomic" fragment is the whole packet (RFC 6946). */
	*next = fragment->next;
	return PARSE_ON;
}

static __always_inline enum gg_reason
parse_ext_header(struct cursor *c, __u8 *next)
{
	const struct parse_ext *ext = cursor_take_within(c, sizeof(*ext));
	__u32 more;

	if (ext == NULL)
		return GG_REASON_pass_malformed_ip6;
	more = ext->length * (*next == IPPROTO_AH ? 4u : 8u);
	if (more > c->left)
		return GG_REASON_pass_malformed_ip6;
	/* Linux 6.1's verifier knows no bound of a product; clang does, and
	 * would drop the mask. */
	__asm__ volatile("" : "+r"(more));
	more &= PARSE_EXT_MORE;
	c->left -= more;
	c->pos += more;
	*next = ext->next;
	return PARSE_ON;
}

static __always_inline enum gg_reason
parse_ext_headers(struct cursor *c, __u8 *next)
{
	enum gg_reason reason;

#pragma GCC unroll 8
	for (int i = 0; i <= GG_EXT_HEADERS_MAX; i++) {
		if (!parse_is_ext(*next))
			return PARSE_ON;
		if (i == GG_EXT_HEADERS_MAX)
			break;
		reason = *next == IPPROTO_FRAGMENT ?
			parse_fragment_header(c, next) :
			parse_ext_header(c, next);
		if (reason != PARSE_ON)
			return reason;
	}
	return GG_REASON_pass_ext_header_limit;
}

static __always_inline enum gg_reason
parse_ip6(struct cursor *c, struct parsed *p)
{
	const struct ipv6hdr *ip = cursor_take(c, sizeof(*ip));
	enum gg_reason reason;
	__u8 next;

	if (ip == NULL || ip->version != 6)
		return GG_REASON_pass_malformed_ip6;
	c->left = bpf_ntohs(ip->payload_len);
	if (c->left > (__u64)(c->end - c->pos))
		return GG_REASON_pass_malformed_ip6;
	p->family = 6;
	__builtin_memcpy(p->from.ip, &ip->saddr, 16);
	__builtin_memcpy(p->to.ip, &ip->daddr, 16);
	next = ip->nexthdr;
	reason = parse_ext_headers(c, &next);
	if (reason != PARSE_ON)
		return reason;
	p->to.l4_proto = next;
	switch (next) {
	case IPPROTO_TCP:
		return parse_tcp(c, p);
	case IPPROTO_UDP:
		return parse_udp(c, p);
	case IPPROTO_ICMPV6:
		return parse_icmp(c, GG_REASON_pass_icmpv6);
	default:
		return GG_REASON_pass_other_l4;
	}
}

/* The reason under which the packet is counted if no listener claims it;
 * *p must be zero. */
static __always_inline enum gg_reason
parse_packet(const void *data, const void *end, struct parsed *p)
{
	struct cursor c = { .pos = data, .end = end };
	enum gg_reason reason;
	__be16 type_be = 0;

	reason = parse_ethernet(&c, &type_be);
	if (reason != PARSE_ON)
		return reason;
	if (type_be == bpf_htons(ETH_P_IP))
		return parse_ip4(&c, p);
	if (type_be == bpf_htons(ETH_P_IPV6))
		return parse_ip6(&c, p);
	return GG_REASON_pass_not_ip;
}

#endif
