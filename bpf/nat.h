/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Mode nat: a connection has an entry for each direction, which says what its
 * packets become. The reverse one is made first, so that a port belongs to one
 * connection at a time.
 */
#ifndef BPF_NAT_H
#define BPF_NAT_H

#include <linux/errno.h>

#include "bpf/forward.h"
#include "bpf/fragment.h"

#define NAT_PROBES 8

static __always_inline struct gg_nat *
nat_find(bool is4, const union flow *f)
{
	/* The two values begin alike. */
	if (is4)
		return bpf_map_lookup_elem(&gg_nat4, &f->v4);
	return bpf_map_lookup_elem(&gg_nat6, &f->v6);
}

/* The key of the other direction: what an entry makes of a packet, answered. */
static __always_inline void
nat_other(bool is4, const struct gg_nat *way, union flow *f)
{
	if (is4) {
		const struct gg_flow4 *to = &((const struct gg_nat4 *)way)->to;

		f->v4 = *to;
		address_put4(f->v4.from, address_get(to->to, 0));
		address_put4(f->v4.to, address_get(to->from, 0));
		f->v4.from_port_be = to->to_port_be;
		f->v4.to_port_be = to->from_port_be;
	} else {
		const struct gg_flow6 *to = &((const struct gg_nat6 *)way)->to;

		f->v6 = *to;
		address_copy(f->v6.from, to->to);
		address_copy(f->v6.to, to->from);
		f->v6.from_port_be = to->to_port_be;
		f->v6.to_port_be = to->from_port_be;
	}
}

static __always_inline void
nat_ends(bool is4, const struct gg_nat *way, struct rewrite_ends *ends)
{
	if (is4) {
		const struct gg_flow4 *to = &((const struct gg_nat4 *)way)->to;

		address_put4(ends->from + 12, address_get(to->from, 0));
		address_put4(ends->to + 12, address_get(to->to, 0));
		ends->from_port_be = to->from_port_be;
		ends->to_port_be = to->to_port_be;
	} else {
		const struct gg_flow6 *to = &((const struct gg_nat6 *)way)->to;

		address_copy(ends->from, to->from);
		address_copy(ends->to, to->to);
		ends->from_port_be = to->from_port_be;
		ends->to_port_be = to->to_port_be;
	}
}

/* The entry of the other direction; its key is in room->flow then. */
static __always_inline struct gg_nat *
nat_find_other(bool is4, const struct gg_nat *way, struct nat_room *room)
{
	nat_other(is4, way, (union flow *)&room->flow);
	return nat_find(is4, (union flow *)&room->flow);
}

static __always_inline struct nat_room *
nat_room(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&gg_room, &zero);
}

/* What a packet says about how long its connection is still there. */
static __always_inline void
nat_note(const struct packet *p, bool is4, struct gg_nat *way)
{
	__u32 now_s = clock_s();
	struct nat_room *room;
	struct gg_nat *other;
	__u8 closing;

	/* A line that many read is written once a second at most. */
	if (way->seen_s != now_s)
		way->seen_s = now_s;
	if (p->at.to.l4_proto != IPPROTO_TCP ||
		!(p->at.tcp_flags & (TCP_FIN | TCP_RST)))
		return;
	closing = way->reverse ? GG_NAT_CLOSING_BACKEND :
				 GG_NAT_CLOSING_CLIENT;
	if (p->at.tcp_flags & TCP_RST)
		closing = GG_NAT_CLOSING_BACKEND | GG_NAT_CLOSING_CLIENT;
	closing |= way->closing;
	way->closing = closing;
	room = nat_room();
	if (room == NULL)
		return;
	other = nat_find_other(is4, way, room);
	if (other != NULL)
		other->closing = closing;
}

/* Of the interface that the packet came in by. */
static __always_inline __u16
nat_ingress_mtu(struct xdp_md *ctx)
{
	__u32 mtu = 0;

	if (bpf_check_mtu(ctx, 0, &mtu, 0, 0) < 0)
		return 0;
	return mtu > 0xffff ? 0xffff : (__u16)mtu;
}

static __always_inline void
nat_set_client(struct xdp_md *ctx, const struct ethhdr *eth,
	struct gg_nat *way)
{
	way->mtu = nat_ingress_mtu(ctx);
	way->ifindex = ctx->ingress_ifindex;
	rewrite_mac(way->to_mac, eth->h_source);
	rewrite_mac(way->from_mac, eth->h_dest);
}

/* A client's next hop may change, as when its router fails over: what comes
 * back follows. */
static __always_inline void
nat_follow(struct xdp_md *ctx, bool is4, struct gg_nat *way)
{
	const struct ethhdr *eth = packet_bytes(ctx, 0, sizeof(*eth));
	struct nat_room *room;
	struct gg_nat *other;

	if (eth == NULL ||
		(macs_equal(way->to_mac, eth->h_source) &&
			way->ifindex == ctx->ingress_ifindex))
		return;
	nat_set_client(ctx, eth, way);
	room = nat_room();
	if (room == NULL)
		return;
	other = nat_find_other(is4, way, room);
	if (other != NULL)
		nat_set_client(ctx, eth, other);
}

/* ---- a new connection */

static __always_inline void
nat_forget(bool is4, const union flow *f)
{
	if (is4)
		bpf_map_delete_elem(&gg_nat4, &f->v4);
	else
		bpf_map_delete_elem(&gg_nat6, &f->v6);
}

static __always_inline long
nat_add(bool is4, const struct nat_room *room)
{
	if (is4)
		return bpf_map_update_elem(&gg_nat4, &room->flow, &room->entry,
			BPF_NOEXIST);
	return bpf_map_update_elem(&gg_nat6, &room->flow, &room->entry,
		BPF_NOEXIST);
}

/* Where the entry's own "to" lies, as the type that the family has. */
static __always_inline union flow *
nat_room_to(bool is4, struct nat_room *room)
{
	return is4 ? (union flow *)&((struct gg_nat4 *)&room->entry)->to :
		     (union flow *)&room->entry.to;
}

static __always_inline void
flow_set(bool is4, union flow *f, const struct gg_vip_key *from,
	const struct gg_vip_key *to)
{
	if (is4)
		flow4_set(&f->v4, from, to);
	else
		flow6_set(&f->v6, from, to);
}

/* A port that a listener or service of this box has is nobody else's. */
static __always_inline bool
nat_port_is_taken(const struct gg_vip_key *source)
{
	return bpf_map_lookup_elem(&gg_vip, source) != NULL;
}

/* Makes the reverse entry under the first of some ports that is free. */
static __always_inline enum gg_reason
nat_add_reverse(bool is4, const struct packet *p, struct nat_room *room)
{
	struct gg_vip_key *source = &room->source;
	__u32 place = (__u32)p->hash % GG_NAT_PORTS;
	long rc;

	for (int i = 0; i < NAT_PROBES; i++) {
		source->port_be = bpf_htons((__u16)(GG_NAT_PORT_FIRST + place));
		/* Odd and no divisor of the number of ports: all come up. */
		place = (place + 3967) % GG_NAT_PORTS;
		if (nat_port_is_taken(source))
			continue;
		flow_set(is4, (union flow *)&room->flow, &room->backend,
			source);
		rc = nat_add(is4, room);
		if (rc == 0)
			return PARSE_ON;
		if (rc != -EEXIST) {
			count_note(p->slot, GG_NOTE_connection_not_kept);
			return GG_REASON_drop_nat_table;
		}
	}
	return GG_REASON_drop_nat_ports;
}

static __always_inline bool
nat_fill(struct xdp_md *ctx, const struct packet *p, struct gg_nat *way)
{
	const struct ethhdr *eth = packet_bytes(ctx, 0, sizeof(*eth));

	if (eth == NULL)
		return false;
	way->seen_s = clock_s();
	nat_set_client(ctx, eth, way);
	way->slot = (__u16)p->slot;
	way->reverse = 1;
	way->closing = 0;
	return true;
}

/* Both entries of the connection that p begins; f is its own flow. */
static __always_inline enum gg_reason
nat_begin(struct xdp_md *ctx, bool is4, const struct packet *p,
	const union flow *f, __u32 index, const struct gg_backend *b,
	struct nat_room *room)
{
	enum gg_reason reason;

	if (!nat_fill(ctx, p, &room->entry.way))
		return GG_REASON_drop_malformed;
	address_copy(room->backend.ip, b->ip);
	room->backend.port_be = b->port_be;
	room->backend.l4_proto = p->at.to.l4_proto;
	address_copy(room->source.ip, b->source_ip);
	room->source.l4_proto = p->at.to.l4_proto;
	room->entry.way.backend = (__u16)index;
	flow_set(is4, nat_room_to(is4, room), &p->at.to, &p->at.from);
	reason = nat_add_reverse(is4, p, room);
	if (reason != PARSE_ON)
		return reason;
	room->entry.way.reverse = 0;
	flow_set(is4, nat_room_to(is4, room), &room->source, &room->backend);
	if (is4)
		*(struct gg_flow4 *)&room->flow = f->v4;
	else
		room->flow = f->v6;
	if (nat_add(is4, room) == 0)
		return PARSE_ON;
	/* Another CPU was first, or the table takes nothing. */
	flow_set(is4, (union flow *)&room->flow, &room->backend, &room->source);
	nat_forget(is4, (union flow *)&room->flow);
	return PARSE_ON;
}

/* Not what a service left behind that had the address before. */
static __always_inline bool
nat_is_forward(const struct packet *p, const struct gg_nat *way)
{
	return !way->reverse && way->slot == p->slot;
}

/* Whether a packet to a connection that is there begins another one: a tuple
 * used again after FIN or RST, or one whose backend is gone. */
static __always_inline bool
nat_begins_anew(const struct packet *p, const struct gg_nat *way,
	enum steer_kind kind)
{
	const struct gg_backend *b;
	__u32 index = way->backend;

	if (kind != STEER_NEW && kind != STEER_DATAGRAM)
		return false;
	if (kind == STEER_NEW && way->closing != 0)
		return true;
	b = bpf_map_lookup_elem(&gg_backend, &index);
	return b == NULL || b->slot != p->slot || b->flags & GG_BACKEND_DOWN;
}

static __always_inline __u32
nat_new_backend(const struct packet *p)
{
	__u32 slot = p->slot, index = steer_index(p->hash);
	const struct gg_ring_slot *ring;
	void *inner = bpf_map_lookup_elem(&gg_ring, &slot);

	if (inner == NULL)
		return 0;
	ring = bpf_map_lookup_elem(inner, &index);
	return ring == NULL ? 0 : ring->current;
}

/* The entry of a new connection; else NULL and *reason. old is the one that
 * its tuple had before, or NULL. */
static __always_inline struct gg_nat *
nat_create(struct xdp_md *ctx, bool is4, const struct packet *p,
	const union flow *f, struct gg_nat *old, enum gg_reason *reason)
{
	struct nat_room *room = nat_room();
	const struct gg_backend *b;
	struct gg_nat *way;
	__u32 index;

	if (flood_guard_acts(p, clock_s())) {
		count_note(p->slot, GG_NOTE_flood_guard);
		*reason = GG_REASON_drop_flood_guard;
		return NULL;
	}
	index = nat_new_backend(p);
	b = backend_find(p, index, reason);
	if (b == NULL)
		return NULL;
	*reason = GG_REASON_drop_malformed;
	if (address_is4(b->ip) != is4 || address_is4(b->source_ip) != is4 ||
		room == NULL)
		return NULL;
	if (old != NULL) {
		way = nat_find_other(is4, old, room);
		/* It has the same tuple: TIME_WAIT is its business. */
		if (way != NULL && nat_is_forward(p, old) &&
			old->backend == index) {
			way->closing = old->closing = 0;
			return old;
		}
		nat_forget(is4, (union flow *)&room->flow);
		nat_forget(is4, f);
	}
	*reason = nat_begin(ctx, is4, p, f, index, b, room);
	if (*reason != PARSE_ON)
		return NULL;
	way = nat_find(is4, f);
	if (way == NULL) {
		count_note(p->slot, GG_NOTE_connection_not_kept);
		*reason = GG_REASON_drop_nat_table;
	}
	return way;
}

/* ---- packets */

static __always_inline enum gg_reason
nat_forward(struct xdp_md *ctx, struct packet *p, bool is4)
{
	enum steer_kind kind = steer_kind_of(&p->at);
	struct rewrite_ends ends = {};
	const struct gg_backend *b;
	enum gg_reason reason;
	struct gg_nat *way;
	union flow f;
	__u32 index;

	if (p->at.bound)
		return GG_REASON_drop_malformed;
	/* Before the table is asked: in a flood that is most of the cost. The
	 * request of a connection that is there comes again if it got lost. */
	if (kind == STEER_NEW && flood_guard_stands(p, clock_s())) {
		count_note(p->slot, GG_NOTE_flood_guard);
		return GG_REASON_drop_flood_guard;
	}
	flow_set(is4, &f, &p->at.from, &p->at.to);
	way = nat_find(is4, &f);
	if (way == NULL || !nat_is_forward(p, way) ||
		nat_begins_anew(p, way, kind)) {
		if ((kind != STEER_NEW && kind != STEER_DATAGRAM) ||
			p->at.fragment == PARSE_LATER)
			return GG_REASON_drop_nat_unknown;
		way = nat_create(ctx, is4, p, &f, way, &reason);
		if (way == NULL)
			return reason;
	}
	index = way->backend;
	b = backend_find(p, index, &reason);
	if (b == NULL)
		return reason;
	if (backend_is_too_small(p, b))
		return GG_REASON_answer_too_big;
	nat_note(p, is4, way);
	nat_follow(ctx, is4, way);
	nat_ends(is4, way, &ends);
	return backend_send(ctx, p, index, b, &ends);
}

__attribute__((noinline)) int
nat_forward4(struct xdp_md *ctx, struct packet *p)
{
	return p == NULL ? GG_REASON_drop_malformed :
			   nat_forward(ctx, p, true);
}

__attribute__((noinline)) int
nat_forward6(struct xdp_md *ctx, struct packet *p)
{
	return p == NULL ? GG_REASON_drop_malformed :
			   nat_forward(ctx, p, false);
}

/* For the client's interface; the backend is then to be told. */
static __always_inline bool
nat_back_is_too_big(struct packet *p, const struct gg_nat *way)
{
	const struct gg_backend *b;
	__u32 index = way->backend;

	if (way->mtu == 0 || p->at.length <= way->mtu)
		return false;
	p->mtu = way->mtu;
	/* Where that of the backend is not looked at, nor is this. */
	b = bpf_map_lookup_elem(&gg_backend, &index);
	return b != NULL && b->mtu != 0;
}

/* What a backend answers. Returns PARSE_ON for what is none of that. */
static __always_inline enum gg_reason
nat_back(struct xdp_md *ctx, struct packet *p, bool is4)
{
	struct rewrite_ends ends = {};
	struct gg_nat *way;
	union flow f;

	if (p->at.bound || !nat_has_port(p->at.to.port_be))
		return PARSE_ON;
	flow_set(is4, &f, &p->at.from, &p->at.to);
	way = nat_find(is4, &f);
	if (way == NULL || !way->reverse || way->slot >= GG_SLOTS_MAX)
		return PARSE_ON;
	p->slot = way->slot;
	if (p->at.ttl <= 1)
		return GG_REASON_drop_ttl;
	if (nat_back_is_too_big(p, way))
		return GG_REASON_answer_too_big;
	nat_note(p, is4, way);
	nat_ends(is4, way, &ends);
	if (!packet_change(ctx, p, &ends))
		return GG_REASON_drop_malformed;
	return packet_send(ctx, p, way->ifindex, way->to_mac, way->from_mac,
		GG_REASON_forward_reverse);
}

#endif
