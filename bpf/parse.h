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
#define PARSE_IP4_OFFSET   0x1fff
#define PARSE_IP6_FRAGMENT 0xfff9
#define PARSE_IP6_OFFSET   0xfff8
#define PARSE_FRAGMENT_MIN 8 /* bytes: offsets count in these */
#define PARSE_EXT_MORE     0x7ff /* 255 * 8 and below */

/*
 * Addresses in our structs and in IP headers begin at a word, but a memcpy does
 * not believe it: clang would copy them byte by byte.
 */
typedef __u32 __attribute__((may_alias)) address_word;

static __always_inline __u32
address_get(const void *ip, int word)
{
	return ((const address_word *)ip)[word];
}

static __always_inline void
address_put4(void *ip, __u32 word)
{
	*(address_word *)ip = word;
}

static __always_inline void
address_copy(void *to, const void *from)
{
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++)
		((address_word *)to)[i] = address_get(from, i);
}

/* The mapped form (RFC 4291, 2.5.5.2). to is all 0. */
static __always_inline void
address_map4(void *to, __u32 word)
{
	((address_word *)to)[2] = bpf_htonl(0xffff);
	((address_word *)to)[3] = word;
}

/* What a parsing step returns when nothing ends the walk. */
#define PARSE_ON GG_REASON_COUNT

enum parse_fragment_kind {
	PARSE_WHOLE,
	PARSE_FIRST, /* its ports are in from and to */
	PARSE_SHORT, /* so are those of this first one, but no flags of TCP */
	PARSE_LATER, /* or a first one without ports */
};

struct parsed {
	/* ip and l4_proto from L3, port_be from L4 */
	struct gg_vip_key from, to;
	__be32 fragment_id_be;
	__u32 length; /* of the IP packet, in bytes */
	__u16 l3, l4; /* where the IP and TCP, UDP or ICMP headers begin */
	__u8 family;  /* 4, 6; 0: neither, or its header is wrong */
	__u8 ttl;     /* or hop limit */
	__u8 tcp_flags; /* as on the wire: FIN 1, SYN 2, RST 4, PSH 8, ACK 16 */
	__u8 fragment;  /* enum parse_fragment_kind */
	/* Nobody may change its addresses: they are authenticated, or a routing
	 * header has others to come. */
	bool bound;
	bool has_ports;   /* TCP or UDP, its header whole and consistent */
	bool tcp_request; /* SYN without ACK */
	__u8 pad;
};

_Static_assert(sizeof(struct parsed) == 60, "no hole: BPF functions share it");

struct cursor {
	const __u8 *start; /* of the frame */
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

/* <linux/icmp.h> wants the C library. */
enum parse_icmp_type {
	ICMP4_ECHO_REPLY = 0,
	ICMP4_UNREACHABLE = 3,
	ICMP4_ECHO = 8,
	ICMP4_TIME_EXCEEDED = 11,
	ICMP4_PARAMETER = 12,
	ICMP6_UNREACHABLE = 1, /* the first of the errors */
	ICMP6_TOO_BIG = 2,
	ICMP6_PARAMETER = 4, /* the last of them */
	ICMP6_ECHO = 128,
	ICMP6_ECHO_REPLY = 129,
};

#define ICMP4_FRAG_NEEDED 4 /* a code of ICMP4_UNREACHABLE */

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

static __always_inline void
parse_tcp_header(const struct tcphdr *tcp, struct parsed *p)
{
	p->from.port_be = tcp->source;
	p->to.port_be = tcp->dest;
	p->tcp_flags = ((const __u8 *)tcp)[13];
	p->tcp_request = tcp->syn && !tcp->ack;
	p->has_ports = true;
}

static __always_inline enum gg_reason
parse_tcp(struct cursor *c, struct parsed *p)
{
	__u32 length = c->left;
	const struct tcphdr *tcp;

	p->l4 = (__u16)(c->pos - c->start);
	tcp = cursor_take_within(c, sizeof(*tcp));
	if (tcp == NULL || tcp->doff < 5 || tcp->doff * 4u > length)
		return GG_REASON_pass_malformed_l4;
	parse_tcp_header(tcp, p);
	return GG_REASON_pass_no_vip_tcp;
}

static __always_inline enum gg_reason
parse_udp(struct cursor *c, struct parsed *p)
{
	__u32 length = c->left;
	const struct udphdr *udp;

	p->l4 = (__u16)(c->pos - c->start);
	udp = cursor_take_within(c, sizeof(*udp));
	if (udp == NULL || bpf_ntohs(udp->len) < sizeof(*udp) ||
		bpf_ntohs(udp->len) > length)
		return GG_REASON_pass_malformed_l4;
	p->from.port_be = udp->source;
	p->to.port_be = udp->dest;
	p->has_ports = true;
	return GG_REASON_pass_no_vip_udp;
}

/* Only the ports stand in the 8 bytes that the smallest fragment has. */
static __always_inline void
parse_short_tcp(struct cursor *c, struct parsed *p)
{
	const struct tcphdr *tcp = cursor_take_within(c, PARSE_FRAGMENT_MIN);

	if (tcp == NULL)
		return;
	p->from.port_be = tcp->source;
	p->to.port_be = tcp->dest;
	p->fragment = PARSE_SHORT;
}

/* Of the first fragment of several; its header may go on in a later one. */
static __always_inline enum gg_reason
parse_first_fragment(struct cursor *c, struct parsed *p)
{
	const struct tcphdr *tcp;
	const struct udphdr *udp;

	p->l4 = (__u16)(c->pos - c->start);
	p->fragment = PARSE_LATER;
	if (p->to.l4_proto == IPPROTO_TCP && c->left < sizeof(*tcp)) {
		parse_short_tcp(c, p);
	} else if (p->to.l4_proto == IPPROTO_TCP) {
		tcp = cursor_take_within(c, sizeof(*tcp));
		if (tcp != NULL)
			parse_tcp_header(tcp, p);
	} else if (p->to.l4_proto == IPPROTO_UDP) {
		udp = cursor_take_within(c, sizeof(*udp));
		if (udp != NULL) {
			p->from.port_be = udp->source;
			p->to.port_be = udp->dest;
			p->has_ports = true;
		}
	}
	if (p->has_ports)
		p->fragment = PARSE_FIRST;
	return GG_REASON_pass_fragment;
}

static __always_inline enum gg_reason
parse_icmp(struct cursor *c, struct parsed *p, enum gg_reason whole)
{
	p->l4 = (__u16)(c->pos - c->start);
	if (cursor_take_within(c, sizeof(struct parse_icmp)) == NULL)
		return GG_REASON_pass_malformed_l4;
	return whole;
}

static __always_inline enum gg_reason
parse_ip4(struct cursor *c, struct parsed *p)
{
	const struct iphdr *ip;
	__u32 header, total;

	p->l3 = (__u16)(c->pos - c->start);
	ip = cursor_take(c, sizeof(*ip));
	if (ip == NULL || ip->version != 4 || ip->ihl < 5)
		return GG_REASON_pass_malformed_ip4;
	header = ip->ihl * 4u;
	total = bpf_ntohs(ip->tot_len);
	/* A frame longer than its packet is padded; a shorter one is cut. */
	if (total < header ||
		total > (__u64)(c->end - (const __u8 *)ip))
		return GG_REASON_pass_malformed_ip4;
	address_map4(p->from.ip, ip->saddr);
	p->from.l4_proto = ip->protocol;
	address_map4(p->to.ip, ip->daddr);
	p->to.l4_proto = ip->protocol;
	p->family = 4;
	p->ttl = ip->ttl;
	p->length = total;
	c->pos = (const __u8 *)ip + header;
	c->left = total - header;
	if (ip->frag_off & bpf_htons(PARSE_IP4_FRAGMENT)) {
		p->fragment_id_be = ip->id;
		if ((ip->frag_off & bpf_htons(PARSE_IP4_OFFSET)) == 0)
			return parse_first_fragment(c, p);
		p->fragment = PARSE_LATER;
		return GG_REASON_pass_fragment;
	}
	switch (ip->protocol) {
	case IPPROTO_TCP:
		return parse_tcp(c, p);
	case IPPROTO_UDP:
		return parse_udp(c, p);
	case IPPROTO_ICMP:
		return parse_icmp(c, p, GG_REASON_pass_icmp);
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
parse_fragment_header(struct cursor *c, struct parsed *p, __u8 *next)
{
	const struct parse_fragment *fragment =
		cursor_take_within(c, sizeof(*fragment));

	if (fragment == NULL)
		return GG_REASON_pass_malformed_ip6;
	*next = fragment->next;
	/* An "atomic" fragment is the whole packet (RFC 6946). */
	if ((fragment->offset_be & bpf_htons(PARSE_IP6_FRAGMENT)) == 0)
		return PARSE_ON;
	p->fragment_id_be = fragment->id_be;
	p->from.l4_proto = p->to.l4_proto = fragment->next;
	p->fragment = PARSE_LATER;
	if ((fragment->offset_be & bpf_htons(PARSE_IP6_OFFSET)) != 0)
		return GG_REASON_pass_fragment;
	/* Further headers may stand before the ports. */
	p->fragment = PARSE_FIRST;
	return PARSE_ON;
}

static __always_inline enum gg_reason
parse_ext_header(struct cursor *c, struct parsed *p, __u8 *next)
{
	const struct parse_ext *ext = cursor_take_within(c, sizeof(*ext));
	__u32 more;

	if (ext == NULL)
		return GG_REASON_pass_malformed_ip6;
	more = ext->length * (*next == IPPROTO_AH ? 4u : 8u);
	/* body[1] of a routing header: segments left */
	if (*next == IPPROTO_AH ||
		(*next == IPPROTO_ROUTING && ext->body[1] != 0))
		p->bound = true;
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
parse_ext_headers(struct cursor *c, struct parsed *p, __u8 *next)
{
	enum gg_reason reason;

#pragma GCC unroll 8
	for (int i = 0; i <= GG_EXT_HEADERS_MAX; i++) {
		if (!parse_is_ext(*next))
			return PARSE_ON;
		if (i == GG_EXT_HEADERS_MAX)
			break;
		reason = *next == IPPROTO_FRAGMENT ?
			parse_fragment_header(c, p, next) :
			parse_ext_header(c, p, next);
		if (reason != PARSE_ON)
			return reason;
	}
	return GG_REASON_pass_ext_header_limit;
}

static __always_inline enum gg_reason
parse_ip6(struct cursor *c, struct parsed *p)
{
	const struct ipv6hdr *ip;
	enum gg_reason reason;
	__u8 next;

	p->l3 = (__u16)(c->pos - c->start);
	ip = cursor_take(c, sizeof(*ip));
	if (ip == NULL || ip->version != 6)
		return GG_REASON_pass_malformed_ip6;
	c->left = bpf_ntohs(ip->payload_len);
	if (c->left > (__u64)(c->end - c->pos))
		return GG_REASON_pass_malformed_ip6;
	address_copy(p->from.ip, &ip->saddr);
	address_copy(p->to.ip, &ip->daddr);
	p->family = 6;
	p->ttl = ip->hop_limit;
	p->length = (__u32)sizeof(*ip) + c->left;
	next = ip->nexthdr;
	reason = parse_ext_headers(c, p, &next);
	if (reason != PARSE_ON)
		return reason;
	p->from.l4_proto = p->to.l4_proto = next;
	if (p->fragment == PARSE_FIRST)
		return parse_first_fragment(c, p);
	switch (next) {
	case IPPROTO_TCP:
		return parse_tcp(c, p);
	case IPPROTO_UDP:
		return parse_udp(c, p);
	case IPPROTO_ICMPV6:
		return parse_icmp(c, p, GG_REASON_pass_icmpv6);
	default:
		return GG_REASON_pass_other_l4;
	}
}

/* The reason under which the packet is counted if no listener claims it;
 * *p must be zero. */
static __always_inline enum gg_reason
parse_packet(const void *data, const void *end, struct parsed *p)
{
	struct cursor c = { .start = data, .pos = data, .end = end };
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
