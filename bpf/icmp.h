/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ICMP about services: echo requests to their addresses are answered here, and
 * errors go to the side whose packet caused them, with that packet in them as
 * that side sent it.
 */
#ifndef BPF_ICMP_H
#define BPF_ICMP_H

#include "bpf/nat.h"

#define ICMP_ECHO_TTL 64

/* The packet that an error quotes: it went from .. to, so the flow that a
 * service knows is the other way round. */
struct quoted {
	struct gg_vip_key from, to;
	__u16 l3, l4; /* where in the frame */
	bool has_sum; /* the checksum of its TCP header is there */
	__u8 pad[3];
};

static __always_inline bool
icmp_is_echo(const struct packet *p, __u8 type)
{
	return packet_is4(p) ? type == ICMP4_ECHO : type == ICMP6_ECHO;
}

static __always_inline bool
icmp_is_too_big(const struct packet *p, const struct parse_icmp *icmp)
{
	if (packet_is4(p))
		return icmp->type == ICMP4_UNREACHABLE &&
			icmp->code == ICMP4_FRAG_NEEDED;
	return icmp->type == ICMP6_TOO_BIG;
}

static __always_inline bool
icmp_is_error(const struct packet *p, __u8 type)
{
	if (packet_is4(p))
		return type == ICMP4_UNREACHABLE ||
			type == ICMP4_TIME_EXCEEDED || type == ICMP4_PARAMETER;
	return type >= ICMP6_UNREACHABLE && type <= ICMP6_PARAMETER;
}

/* ---- echo */

static __always_inline enum gg_reason
icmp_answer(struct xdp_md *ctx, struct packet *p, enum gg_reason reason)
{
	struct parse_icmp *icmp;
	struct rewrite_ends ends;
	struct ethhdr *eth;
	struct iphdr *ip;
	__be16 old, new;
	__u64 diff = 0;

	if (!packet_is_to_service_address(p))
		return reason;
	ends_set_from(&ends, p->at.to.ip, 0);
	ends_set_to(&ends, p->at.from.ip, 0);
	/* A way of its own begins: what the request came with is no matter. */
	if (packet_is4(p)) {
		ip = packet_bytes(ctx, p->at.l3, sizeof(*ip));
		if (ip == NULL)
			return reason;
		__builtin_memcpy(&old, &ip->ttl, 2);
		ip->ttl = ICMP_ECHO_TTL;
		__builtin_memcpy(&new, &ip->ttl, 2);
		checksum_update(&ip->check, diff16(old, new));
		rewrite_ip4(ip, &ends);
	} else {
		struct ipv6hdr *ip6 =
			packet_bytes(ctx, p->at.l3, sizeof(*ip6));

		if (ip6 == NULL)
			return reason;
		ip6->hop_limit = ICMP_ECHO_TTL;
		diff = rewrite_ip6(ip6, &ends);
	}
	icmp = packet_bytes(ctx, p->at.l4, sizeof(*icmp));
	eth = packet_bytes(ctx, 0, sizeof(*eth));
	if (icmp == NULL || eth == NULL)
		return GG_REASON_drop_malformed;
	__builtin_memcpy(&old, &icmp->type, 2);
	icmp->type = packet_is4(p) ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY;
	__builtin_memcpy(&new, &icmp->type, 2);
	checksum_update(&icmp->checksum_be, diff + diff16(old, new));
	rewrite_macs_swapped(eth);
	p->action = XDP_TX;
	return GG_REASON_answer_echo;
}

/* ---- the packet in an error */

enum quoted_kind {
	QUOTED_FLOW,  /* its ports were read */
	QUOTED_OTHER, /* nothing that services are sent or send */
	QUOTED_CUT,   /* the ports of TCP or UDP, or all of it, are not there */
};

static __always_inline bool
quoted_has_ports(__u8 l4_proto)
{
	return l4_proto == IPPROTO_TCP || l4_proto == IPPROTO_UDP;
}

static __always_inline enum quoted_kind
quoted_set_ports(struct xdp_md *ctx, const struct packet *p,
	struct quoted *q, __u8 l4_proto)
{
	__u32 end = p->at.l3 + p->at.length;
	const __be16 *ports = packet_bytes(ctx, q->l4, 8);

	q->from.l4_proto = q->to.l4_proto = l4_proto;
	if (!quoted_has_ports(l4_proto))
		return QUOTED_OTHER;
	/* RFC 792 promises 8 bytes of it, no more. */
	if (ports == NULL || q->l4 + 8u > end)
		return QUOTED_CUT;
	q->from.port_be = ports[0];
	q->to.port_be = ports[1];
	q->has_sum = q->l4 + 18u <= end;
	return QUOTED_FLOW;
}

static __always_inline enum quoted_kind
quoted_read4(struct xdp_md *ctx, const struct packet *p, struct quoted *q)
{
	const struct iphdr *ip = packet_bytes(ctx, q->l3, sizeof(*ip));

	if (ip == NULL || ip->version != 4 || ip->ihl < 5)
		return QUOTED_CUT;
	if (ip->frag_off & bpf_htons(PARSE_IP4_OFFSET))
		return quoted_has_ports(ip->protocol) ? QUOTED_CUT :
							QUOTED_OTHER;
	address_map4(q->from.ip, ip->saddr);
	address_map4(q->to.ip, ip->daddr);
	q->l4 = (__u16)(q->l3 + ip->ihl * 4u);
	return quoted_set_ports(ctx, p, q, ip->protocol);
}

/* Past one extension header; false: its end is not there. *later: it says that
 * a later fragment follows. */
static __always_inline bool
quoted_skip(struct xdp_md *ctx, const struct packet *p, struct quoted *q,
	__u8 *next, bool *later)
{
	const struct parse_ext *ext = packet_bytes(ctx, q->l4, sizeof(*ext));
	const struct parse_fragment *fragment = (const void *)ext;

	if (ext == NULL)
		return false;
	q->l4 += sizeof(*ext);
	if (*next == IPPROTO_FRAGMENT)
		*later = fragment->offset_be & bpf_htons(PARSE_IP6_OFFSET);
	else
		q->l4 += ext->length * (*next == IPPROTO_AH ? 4u : 8u);
	*next = ext->next;
	return q->l4 <= p->at.l3 + p->at.length;
}

/* What cannot be walked to its end may be about anything. */
static __always_inline enum quoted_kind
quoted_read6(struct xdp_md *ctx, const struct packet *p, struct quoted *q)
{
	const struct ipv6hdr *ip = packet_bytes(ctx, q->l3, sizeof(*ip));
	bool later = false;
	__u8 next;

	if (ip == NULL || ip->version != 6)
		return QUOTED_CUT;
	address_copy(q->from.ip, &ip->saddr);
	address_copy(q->to.ip, &ip->daddr);
	q->l4 = (__u16)(q->l3 + sizeof(*ip));
	next = ip->nexthdr;
#pragma GCC unroll 8
	for (int i = 0; i < GG_EXT_HEADERS_MAX; i++) {
		if (later || !parse_is_ext(next))
			break;
		if (!quoted_skip(ctx, p, q, &next, &later))
			return QUOTED_OTHER;
	}
	if (later)
		return quoted_has_ports(next) ? QUOTED_CUT : QUOTED_OTHER;
	return quoted_set_ports(ctx, p, q, next);
}

static __always_inline enum quoted_kind
quoted_read(struct xdp_md *ctx, const struct packet *p, struct quoted *q)
{
	q->l3 = (__u16)(p->at.l4 + sizeof(struct parse_icmp));
	return packet_is4(p) ? quoted_read4(ctx, p, q) :
			       quoted_read6(ctx, p, q);
}

/* What modes ipip and gue put around packets. */
static __always_inline bool
quoted_is_outer(const struct quoted *q)
{
	__u8 l4_proto = q->to.l4_proto;

	return l4_proto == IPPROTO_IPIP || l4_proto == IPPROTO_IPV6 ||
		(l4_proto == IPPROTO_UDP &&
			q->to.port_be == bpf_htons(GG_GUE_PORT));
}

/* What the ports and the checksum of the quote change, added to *diff;
 * addresses is what its addresses changed. */
static __always_inline bool
quoted_change_l4(struct xdp_md *ctx, const struct quoted *q,
	const struct rewrite_ends *ends, __u64 addresses, __u64 *diff)
{
	__be16 *l4 = packet_bytes(ctx, q->l4, 8);
	__u64 ports;
	__u16 old;

	if (l4 == NULL)
		return false;
	ports = rewrite_ports(l4, ends);
	*diff += ports;
	if (q->to.l4_proto == IPPROTO_UDP) {
		old = l4[3];
		checksum_update_udp(l4 + 3, addresses + ports);
		*diff += diff16(old, l4[3]);
		return true;
	}
	if (!q->has_sum)
		return true;
	l4 = packet_bytes(ctx, q->l4, 18);
	if (l4 == NULL)
		return false;
	old = l4[8];
	checksum_update(l4 + 8, addresses + ports);
	*diff += diff16(old, l4[8]);
	return true;
}

static __always_inline bool
quoted_change(struct xdp_md *ctx, const struct packet *p,
	const struct quoted *q, const struct rewrite_ends *ends, __u64 *diff)
{
	struct iphdr *ip4;
	struct ipv6hdr *ip6;
	__u64 addresses;

	if (packet_is4(p)) {
		ip4 = packet_bytes(ctx, q->l3, sizeof(*ip4));
		if (ip4 == NULL)
			return false;
		/* The header's own checksum makes up for them. */
		addresses = rewrite_ip4(ip4, ends);
	} else {
		ip6 = packet_bytes(ctx, q->l3, sizeof(*ip6));
		if (ip6 == NULL)
			return false;
		addresses = rewrite_ip6(ip6, ends);
		*diff += addresses;
	}
	return quoted_change_l4(ctx, q, ends, addresses, diff);
}

/* The error and what it quotes get other ends; one hop less. */
static __always_inline bool
icmp_change(struct xdp_md *ctx, const struct packet *p,
	const struct quoted *q, const struct rewrite_ends *outer,
	const struct rewrite_ends *inner)
{
	struct parse_icmp *icmp;
	__u64 diff = 0, pseudo = 0;

	if (!quoted_change(ctx, p, q, inner, &diff) ||
		!packet_change_l3(ctx, p, outer, &pseudo))
		return false;
	icmp = packet_bytes(ctx, p->at.l4, sizeof(*icmp));
	if (icmp == NULL)
		return false;
	/* ICMP has no pseudo header, ICMPv6 has. */
	checksum_update(&icmp->checksum_be,
		packet_is4(p) ? diff : diff + pseudo);
	return true;
}

/* ---- errors */

/* What an error quotes, and what both become: too large for the stack. */
struct icmp_room {
	struct quoted quoted;
	struct rewrite_ends inner, outer;
	union flow flow;
};

MAP(gg_icmp_room, BPF_MAP_TYPE_PERCPU_ARRAY, 1, __u32, struct icmp_room, 0);

/* All modes but nat: to the backend that sent what is quoted. */
static __always_inline enum gg_reason
icmp_to_backend(struct xdp_md *ctx, struct packet *p, const struct quoted *q,
	struct icmp_room *room)
{
	struct rewrite_ends *inner = &room->inner, *outer = &room->outer;
	const struct gg_backend *b;
	enum gg_reason reason;
	__u64 nothing = 0;
	__u32 index;

	p->hash = steer_hash(&q->to, &q->from, packet_is4(p), p->seed);
	index = connection_backend(p, &q->to, &q->from,
		q->to.l4_proto == IPPROTO_UDP ? STEER_DATAGRAM : STEER_END,
		false);
	b = backend_find(p, index, &reason);
	if (b == NULL)
		return reason;
	if (p->mode >= GG_MODE_IPIP) {
		/* Nobody tells an error that it is too big. */
		reason = encapsulation_begin(p, index, b);
		return reason == GG_REASON_answer_too_big ?
			GG_REASON_drop_too_big :
			reason;
	}
	if (p->mode == GG_MODE_DSR_L2) {
		if (!packet_change_l3(ctx, p, NULL, &nothing))
			return GG_REASON_drop_malformed;
	} else {
		if (address_is4(b->ip) != packet_is4(p))
			return GG_REASON_drop_malformed;
		ends_set_from(inner, b->ip, b->port_be);
		ends_set_to(inner, q->to.ip, q->to.port_be);
		ends_set_from(outer, p->at.from.ip, 0);
		ends_set_to(outer, b->ip, 0);
		if (!icmp_change(ctx, p, q, outer, inner))
			return GG_REASON_drop_malformed;
	}
	return packet_send(ctx, p, b->ifindex, b->to_mac, b->from_mac,
		GG_REASON_forward_icmp);
}

/*
 * Mode nat, either way: the entry of the quoted flow's other direction says
 * what that direction becomes, so the quote becomes it turned round, and the
 * error comes from where such a packet comes. miss: without an entry.
 */
static __always_inline enum gg_reason
icmp_through_nat(struct xdp_md *ctx, struct packet *p,
	const struct quoted *q, struct icmp_room *room, enum gg_reason miss)
{
	struct rewrite_ends *inner = &room->inner, *outer = &room->outer;
	bool is4 = packet_is4(p);
	const struct gg_backend *b;
	enum gg_reason reason;
	struct gg_nat *way;

	flow_set(is4, &room->flow, &q->to, &q->from);
	way = nat_find(is4, &room->flow);
	if (way == NULL || way->slot >= GG_SLOTS_MAX)
		return miss;
	p->slot = way->slot;
	if (p->at.ttl <= 1)
		return GG_REASON_drop_ttl;
	b = backend_find(p, way->backend, &reason);
	if (b == NULL && !way->reverse)
		return reason;
	nat_ends(is4, way, outer);
	ends_set_from(inner, outer->to, outer->to_port_be);
	ends_set_to(inner, outer->from, outer->from_port_be);
	if (!icmp_change(ctx, p, q, outer, inner))
		return GG_REASON_drop_malformed;
	if (b != NULL && !way->reverse)
		return packet_send(ctx, p, b->ifindex, b->to_mac, b->from_mac,
			GG_REASON_forward_icmp);
	return packet_send(ctx, p, way->ifindex, way->to_mac, way->from_mac,
		GG_REASON_forward_icmp);
}

/* Mode route, about what went to a backend: its client knows the service. */
static __always_inline enum gg_reason
icmp_route_back(struct xdp_md *ctx, struct packet *p,
	const struct quoted *q, struct icmp_room *room, enum gg_reason reason)
{
	struct rewrite_ends *inner = &room->inner, *outer = &room->outer;
	const struct gg_reverse *reverse;

	reverse = reverse_find(&q->to);
	if (reverse == NULL || reverse->slot >= GG_SLOTS_MAX ||
		address_is4(reverse->ip) != packet_is4(p) ||
		addresses_equal(reverse->own_ip, p->at.to.ip))
		return reason;
	p->slot = reverse->slot;
	if (p->at.ttl <= 1)
		return GG_REASON_drop_ttl;
	ends_set_from(inner, q->from.ip, q->from.port_be);
	ends_set_to(inner, reverse->ip, reverse->port_be);
	ends_set_to(outer, p->at.to.ip, 0);
	/* A router on the way there is nobody's secret; the backend is. */
	if (addresses_equal(p->at.from.ip, q->to.ip))
		ends_set_from(outer, reverse->ip, 0);
	else
		ends_set_from(outer, p->at.from.ip, 0);
	if (!icmp_change(ctx, p, q, outer, inner))
		return GG_REASON_drop_malformed;
	return route_send_back(ctx, p, reverse, GG_REASON_forward_icmp);
}

static __always_inline enum gg_reason
icmp_error(struct xdp_md *ctx, struct packet *p, bool too_big,
	enum gg_reason reason)
{
	struct icmp_room *room;
	const struct gg_vip *vip;
	enum quoted_kind kind;
	struct quoted *q;
	__u32 zero = 0;

	room = bpf_map_lookup_elem(&gg_icmp_room, &zero);
	if (room == NULL)
		return reason;
	q = &room->quoted;
	__builtin_memset(q, 0, sizeof(*q));
	kind = quoted_read(ctx, p, q);
	if (too_big && quoted_is_outer(q))
		return PACKET_PATH_MTU;
	if (kind == QUOTED_CUT && packet_is_to_service_address(p))
		return GG_REASON_drop_icmp;
	if (kind != QUOTED_FLOW)
		return reason;
	vip = bpf_map_lookup_elem(&gg_vip, &q->from);
	if (vip != NULL && vip->mode != GG_MODE_PASS &&
		vip->mode < GG_MODE_COUNT && vip->slot < GG_SLOTS_MAX) {
		p->slot = vip->slot;
		p->mode = vip->mode;
		if (p->at.ttl <= 1)
			return GG_REASON_drop_ttl;
		if (p->mode != GG_MODE_NAT)
			return icmp_to_backend(ctx, p, q, room);
		return icmp_through_nat(ctx, p, q, room, GG_REASON_drop_icmp);
	}
	if (p->cfg_flags & GG_CFG_NAT && nat_has_port(q->from.port_be))
		reason = icmp_through_nat(ctx, p, q, room, reason);
	else if (p->cfg_flags & GG_CFG_ROUTE)
		reason = icmp_route_back(ctx, p, q, room, reason);
	return reason;
}

/* Returns an enum gg_reason; reason is that of the packet that is let alone. */
__attribute__((noinline)) int
icmp_handle(struct xdp_md *ctx, struct packet *p, int reason)
{
	const struct parse_icmp *icmp;

	if (p == NULL)
		return GG_REASON_pass_icmp;
	icmp = packet_bytes(ctx, p->at.l4, sizeof(*icmp));
	if (icmp == NULL || p->at.bound)
		return reason;
	if (icmp_is_echo(p, icmp->type))
		return icmp_answer(ctx, p, reason);
	if (icmp_is_error(p, icmp->type))
		return icmp_error(ctx, p, icmp_is_too_big(p, icmp), reason);
	return reason;
}

#endif
