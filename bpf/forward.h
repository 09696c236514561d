/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * To a backend without a table of connections: modes dsr-l2 (link addresses
 * alone change) and route (the destination changes, and the source of what
 * comes back). Modes ipip and gue begin here and go on in encapsulate.h.
 */
#ifndef BPF_FORWARD_H
#define BPF_FORWARD_H

#include "bpf/connection.h"

static __always_inline void
ends_set_from(struct rewrite_ends *ends, const __u8 *ip, __be16 port_be)
{
	address_copy(ends->from, ip);
	ends->from_port_be = port_be;
}

static __always_inline void
ends_set_to(struct rewrite_ends *ends, const __u8 *ip, __be16 port_be)
{
	address_copy(ends->to, ip);
	ends->to_port_be = port_be;
}

/* The backend, if this service may send a packet there now; else *reason. */
static __always_inline const struct gg_backend *
backend_find(const struct packet *p, __u32 index, enum gg_reason *reason)
{
	const struct gg_backend *b = bpf_map_lookup_elem(&gg_backend, &index);

	*reason = GG_REASON_drop_no_backend;
	if (index == 0 || b == NULL || b->slot != p->slot)
		return NULL;
	*reason = GG_REASON_drop_no_neighbour;
	return b->ifindex == 0 ? NULL : b;
}

/* The answer to the sender is then for the program to make. */
static __always_inline bool
backend_is_too_small(struct packet *p, const struct gg_backend *b)
{
	p->mtu = b->mtu;
	return b->mtu != 0 && p->at.length > b->mtu;
}

/* To b with both ends as said (NULL: as they are), counted as its packet. */
static __always_inline enum gg_reason
backend_send(struct xdp_md *ctx, struct packet *p, __u32 index,
	const struct gg_backend *b, const struct rewrite_ends *ends)
{
	bool new = p->at.tcp_request;
	enum gg_reason reason;

	if (!packet_change(ctx, p, ends))
		return GG_REASON_drop_malformed;
	reason = packet_send(ctx, p, b->ifindex, b->to_mac, b->from_mac,
		new ? GG_REASON_forward_syn : GG_REASON_forward);
	if (reason == GG_REASON_forward && p->at.fragment == PARSE_LATER)
		reason = GG_REASON_forward_fragment;
	if (reason != GG_REASON_drop_no_neighbour)
		count_hit(index, p->bytes, new);
	return reason;
}

/* Bytes that stand before a packet for this backend. */
static __always_inline __u32
encapsulation_size(__u8 mode, const struct gg_backend *b)
{
	__u32 size = address_is4(b->ip) ? sizeof(struct iphdr) :
					  sizeof(struct ipv6hdr);

	return mode == GG_MODE_GUE ? size + sizeof(struct udphdr) : size;
}

/* Of the way to it, by its first link and by what routers said. */
static __always_inline __u32
backend_path_mtu(const struct gg_backend *b)
{
	__u32 mtu = b->mtu != 0 ? b->mtu : 0xffff;

	if (b->path_mtu == 0 || b->path_mtu > mtu ||
		clock_s() - b->path_mtu_s > GG_PATH_MTU_S)
		return mtu;
	return b->path_mtu;
}

/*
 * The packet goes into another one in a step of its own. Of IPv6 no sender
 * makes packets smaller than FORWARD_MTU6 (RFC 2473, 7.1), and nobody can cut
 * them here.
 */
#define FORWARD_MTU6 1280

static __always_inline enum gg_reason
encapsulation_begin(struct packet *p, __u32 index, const struct gg_backend *b)
{
	__u32 mtu = backend_path_mtu(b) - encapsulation_size(p->mode, b);

	if (p->at.length <= mtu) {
		p->backend = (__u16)index;
		return PACKET_ENCAPSULATE;
	}
	if (!packet_is4(p) && mtu < FORWARD_MTU6) {
		if (p->at.length <= FORWARD_MTU6)
			return GG_REASON_drop_too_big;
		mtu = FORWARD_MTU6;
	}
	p->mtu = (__u16)mtu;
	return GG_REASON_answer_too_big;
}

/* Returns an enum gg_reason, as do all such functions. */
__attribute__((noinline)) int
forward(struct xdp_md *ctx, struct packet *p)
{
	const struct gg_backend *b;
	struct rewrite_ends ends;
	enum gg_reason reason;
	__u32 index;

	if (p == NULL)
		return GG_REASON_drop_malformed;
	index = connection_backend(p, &p->at.from, &p->at.to,
		steer_kind_of(&p->at), true);
	b = backend_find(p, index, &reason);
	if (b == NULL)
		return reason;
	if (p->mode >= GG_MODE_IPIP)
		return encapsulation_begin(p, index, b);
	if (backend_is_too_small(p, b))
		return GG_REASON_answer_too_big;
	if (p->mode == GG_MODE_DSR_L2)
		return backend_send(ctx, p, index, b, NULL);
	if (p->at.bound || address_is4(b->ip) != packet_is4(p))
		return GG_REASON_drop_malformed;
	ends_set_from(&ends, p->at.from.ip, p->at.from.port_be);
	ends_set_to(&ends, b->ip, b->port_be);
	return backend_send(ctx, p, index, b, &ends);
}

static __always_inline bool
addresses_equal(const __u8 *a, const __u8 *b)
{
	return address_get(a, 0) == address_get(b, 0) &&
		address_get(a, 1) == address_get(b, 1) &&
		address_get(a, 2) == address_get(b, 2) &&
		address_get(a, 3) == address_get(b, 3);
}

/* On from a backend to its client, whose next hop is known or is found by the
 * box's stack. */
static __always_inline enum gg_reason
route_send_back(struct xdp_md *ctx, struct packet *p,
	const struct gg_reverse *reverse, enum gg_reason reason)
{
	if (reverse->ifindex == 0)
		return reason;
	return packet_send(ctx, p, reverse->ifindex, reverse->to_mac,
		reverse->from_mac, reason);
}

/*
 * What a backend in mode route answers: it comes from the service. Returns
 * PARSE_ON for what is none of that.
 */
static __always_inline enum gg_reason
route_back(struct xdp_md *ctx, struct packet *p)
{
	const struct gg_reverse *reverse;
	struct rewrite_ends ends;

	reverse = reverse_find(&p->at.from);
	if (reverse == NULL || reverse->slot >= GG_SLOTS_MAX ||
		p->at.bound || address_is4(reverse->ip) != packet_is4(p) ||
		addresses_equal(reverse->own_ip, p->at.to.ip))
		return PARSE_ON;
	p->slot = reverse->slot;
	if (p->at.ttl <= 1)
		return GG_REASON_drop_ttl;
	ends_set_from(&ends, reverse->ip, reverse->port_be);
	ends_set_to(&ends, p->at.to.ip, p->at.to.port_be);
	if (!packet_change(ctx, p, &ends))
		return GG_REASON_drop_malformed;
	return route_send_back(ctx, p, reverse, GG_REASON_forward_reverse);
}

#endif
