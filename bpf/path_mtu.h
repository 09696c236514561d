/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What modes ipip and gue learn of the way to a backend (RFC 2003, 5.1): a
 * router there says that one of our outer packets is too big. Only the box hears
 * of it, so it keeps it in gg_backend, and the senders of what does not fit are
 * told from then on. Nobody is believed who does not quote a packet that goes to
 * that backend, and nobody who would leave packets less than GG_PATH_MTU_INNER.
 */
#ifndef BPF_PATH_MTU_H
#define BPF_PATH_MTU_H

#include "bpf/icmp.h"

/* What an error quotes: ends of the outer packet, then those of the inner. */
struct path_quote {
	__u8 from[16], to[16]; /* IPv4-mapped */
	struct quoted inner;
};

/* Where the inner packet stands; 0: that is not in the quote. */
static __always_inline __u32
path_quote_outer4(struct xdp_md *ctx, __u32 at, struct path_quote *q)
{
	const struct iphdr *ip = packet_bytes(ctx, at, sizeof(*ip));

	if (ip == NULL || ip->version != 4 || ip->ihl != 5)
		return 0;
	address_map4(q->from, ip->saddr);
	address_map4(q->to, ip->daddr);
	return at + sizeof(*ip) +
		(ip->protocol == IPPROTO_UDP ? sizeof(struct udphdr) : 0);
}

static __always_inline __u32
path_quote_outer6(struct xdp_md *ctx, __u32 at, struct path_quote *q)
{
	const struct ipv6hdr *ip = packet_bytes(ctx, at, sizeof(*ip));

	if (ip == NULL || ip->version != 6)
		return 0;
	address_copy(q->from, &ip->saddr);
	address_copy(q->to, &ip->daddr);
	return at + sizeof(*ip) +
		(ip->nexthdr == IPPROTO_UDP ? sizeof(struct udphdr) : 0);
}

/* From here on p is of the inner packet's family. */
static __always_inline bool
path_quote_read(struct xdp_md *ctx, struct packet *p, struct path_quote *q)
{
	__u32 at = p->at.l4 + (__u32)sizeof(struct parse_icmp);
	const __u8 *first;

	at = packet_is4(p) ? path_quote_outer4(ctx, at, q) :
			     path_quote_outer6(ctx, at, q);
	if (at == 0)
		return false;
	q->inner.l3 = (__u16)at;
	first = packet_bytes(ctx, at, 1);
	if (first == NULL)
		return false;
	p->at.family = *first >> 4;
	if (p->at.family == 4)
		return quoted_read4(ctx, p, &q->inner) == QUOTED_FLOW;
	return p->at.family == 6 &&
		quoted_read6(ctx, p, &q->inner) == QUOTED_FLOW;
}

/* The backend that the quoted packet went to. */
static __always_inline struct gg_backend *
path_backend(struct packet *p, const struct path_quote *q)
{
	const struct quoted *flow = &q->inner;
	const struct gg_vip *vip = bpf_map_lookup_elem(&gg_vip, &flow->to);
	struct gg_backend *b;
	__u32 index;

	if (vip == NULL || vip->mode < GG_MODE_IPIP ||
		vip->mode >= GG_MODE_COUNT || vip->slot >= GG_SLOTS_MAX)
		return NULL;
	p->slot = vip->slot;
	p->mode = vip->mode;
	p->hash = steer_hash(&flow->from, &flow->to, packet_is4(p), p->seed);
	index = connection_backend(p, &flow->from, &flow->to,
		flow->to.l4_proto == IPPROTO_UDP ? STEER_DATAGRAM : STEER_END,
		false);
	b = bpf_map_lookup_elem(&gg_backend, &index);
	if (index == 0 || b == NULL || b->slot != p->slot ||
		!addresses_equal(b->source_ip, q->from) ||
		!addresses_equal(b->ip, q->to))
		return NULL;
	return b;
}

/* The error itself goes to the box's stack as any other. Returns 0. */
__attribute__((noinline)) int
path_mtu_learn(struct xdp_md *ctx, struct packet *p)
{
	const struct parse_icmp *icmp;
	struct path_quote q = {};
	struct gg_backend *b;
	__u32 mtu, slot;

	if (p == NULL)
		return 0;
	icmp = packet_bytes(ctx, p->at.l4, sizeof(*icmp));
	if (icmp == NULL)
		return 0;
	mtu = bpf_ntohl(icmp->rest_be);
	if (packet_is4(p))
		mtu &= 0xffff;
	if (!path_quote_read(ctx, p, &q))
		return 0;
	slot = p->slot;
	b = path_backend(p, &q);
	if (b != NULL && mtu < backend_path_mtu(b) &&
		mtu >= GG_PATH_MTU_INNER + encapsulation_size(p->mode, b)) {
		b->path_mtu_s = clock_s();
		b->path_mtu = (__u16)mtu;
		count_note(p->slot, GG_NOTE_path_mtu);
	}
	p->slot = slot;
	return 0;
}

#endif
