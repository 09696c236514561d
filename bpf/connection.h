/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections that are kept: those that are not where their slot of the ring
 * would send them, and those of services that keep all.
 */
#ifndef BPF_CONNECTION_H
#define BPF_CONNECTION_H

#include "bpf/count.h"
#include "bpf/packet.h"

union flow {
	struct gg_flow4 v4;
	struct gg_flow6 v6;
};

static __always_inline void
flow4_set(struct gg_flow4 *f, const struct gg_vip_key *from,
	const struct gg_vip_key *to)
{
	address_put4(f->from, address_get(from->ip, 3));
	address_put4(f->to, address_get(to->ip, 3));
	f->from_port_be = from->port_be;
	f->to_port_be = to->port_be;
	f->l4_proto = to->l4_proto;
	f->pad[0] = f->pad[1] = f->pad[2] = 0;
}

static __always_inline void
flow6_set(struct gg_flow6 *f, const struct gg_vip_key *from,
	const struct gg_vip_key *to)
{
	address_copy(f->from, from->ip);
	address_copy(f->to, to->ip);
	f->from_port_be = from->port_be;
	f->to_port_be = to->port_be;
	f->l4_proto = to->l4_proto;
	f->pad[0] = f->pad[1] = f->pad[2] = 0;
}

/* CLOCK_MONOTONIC, asked for once a tick: it costs as much as the rest. */
static __always_inline __u32
clock_s(void)
{
	__u64 jiffies = bpf_jiffies64();
	struct this_cpu *cpu;
	__u32 zero = 0;

	cpu = bpf_map_lookup_elem(&gg_cpu, &zero);
	if (cpu == NULL)
		return 0;
	if (cpu->jiffies != jiffies) {
		cpu->jiffies = jiffies;
		cpu->now_s = (__u32)(bpf_ktime_get_coarse_ns() / 1000000000);
	}
	return cpu->now_s;
}

/* Counts a new connection; true: more than this CPU should take in a second. */
static __always_inline bool
flood_guard_acts(const struct packet *p, __u32 now_s)
{
	__u32 zero = 0;
	struct this_cpu *cpu = bpf_map_lookup_elem(&gg_cpu, &zero);

	if (cpu == NULL || p->flood_guard == 0)
		return false;
	if (cpu->guard_s != now_s) {
		cpu->guard_s = now_s;
		cpu->new_ones = 0;
	}
	cpu->new_ones += 1;
	return cpu->new_ones > p->flood_guard;
}

/* It acted in this second already. */
static __always_inline bool
flood_guard_stands(const struct packet *p, __u32 now_s)
{
	__u32 zero = 0;
	const struct this_cpu *cpu = bpf_map_lookup_elem(&gg_cpu, &zero);

	return cpu != NULL && p->flood_guard != 0 && cpu->guard_s == now_s &&
		cpu->new_ones > p->flood_guard;
}

static __always_inline struct gg_connection *
connection_find(bool is4, const union flow *f)
{
	if (is4)
		return bpf_map_lookup_elem(&gg_ct4, &f->v4);
	return bpf_map_lookup_elem(&gg_ct6, &f->v6);
}

static __always_inline void
connection_add(const struct packet *p, const union flow *f,
	const struct gg_connection *c)
{
	long rc;

	if (flood_guard_acts(p, c->seen_s)) {
		count_note(p->slot, GG_NOTE_flood_guard);
		return;
	}
	rc = packet_is4(p) ? bpf_map_update_elem(&gg_ct4, &f->v4, c, BPF_ANY) :
			     bpf_map_update_elem(&gg_ct6, &f->v6, c, BPF_ANY);
	if (rc != 0)
		count_note(p->slot, GG_NOTE_connection_not_kept);
}

/* The backend that it was kept for, if that one still takes it; 0 otherwise. */
static __always_inline __u16
connection_kept(const struct packet *p, struct gg_connection *c,
	const struct gg_service *service, enum steer_kind kind, __u32 now_s)
{
	__u32 index = c->backend;
	const struct gg_backend *b = bpf_map_lookup_elem(&gg_backend, &index);

	if (b == NULL || b->slot != p->slot || b->flags & GG_BACKEND_DOWN)
		return 0;
	if (kind == STEER_NEW && c->closing)
		return 0;
	if (kind == STEER_DATAGRAM && service->idle_s != 0 &&
		(__s32)(now_s - c->seen_s) > (__s32)service->idle_s)
		return 0;
	return (__u16)index;
}

/* A line that many read is written once a second at most. */
static __always_inline void
connection_touch(struct gg_connection *c, enum steer_kind kind, __u32 now_s)
{
	if (c->seen_s != now_s)
		c->seen_s = now_s;
	if (kind == STEER_END && !c->closing)
		c->closing = 1;
}

static __always_inline __u16
connection_look_up(const struct packet *p, const struct gg_vip_key *from,
	const struct gg_vip_key *to, const struct gg_ring_slot *ring,
	const struct gg_service *service, enum steer_kind kind, bool may_keep)
{
	struct gg_connection new = { .ring_slot_low =
					     (__u16)steer_index(p->hash),
		.seen_s = clock_s(),
		.closing = kind == STEER_END };
	struct steer_choice choice;
	struct gg_connection *c;
	union flow f;
	__u16 kept = 0;

	if (packet_is4(p))
		flow4_set(&f.v4, from, to);
	else
		flow6_set(&f.v6, from, to);
	c = connection_find(packet_is4(p), &f);
	if (c != NULL)
		kept = connection_kept(p, c, service, kind, new.seen_s);
	choice = steer_choose(ring, service->flags, kind, kept);
	if (c != NULL && choice.backend == kept)
		connection_touch(c, kind, new.seen_s);
	if (!may_keep || choice.backend == 0 || choice.backend == kept)
		return choice.backend;
	new.backend = choice.backend;
	/* One that lost its backend is where it went now, should that come
	 * back. */
	if (c != NULL)
		*c = new;
	else if (choice.keep)
		connection_add(p, &f, &new);
	return choice.backend;
}

/*
 * The backend for a packet of that kind from there to the service p->slot, 0:
 * none. p->hash is that of the flow.
 */
static __always_inline __u16
connection_backend(const struct packet *p, const struct gg_vip_key *from,
	const struct gg_vip_key *to, enum steer_kind kind, bool may_keep)
{
	__u32 slot = p->slot, index = steer_index(p->hash);
	const struct gg_service *service;
	union {
		__u64 word;
		struct gg_ring_slot slot;
	} ring;
	const __u64 *found;
	void *inner;

	inner = bpf_map_lookup_elem(&gg_ring, &slot);
	if (inner == NULL)
		return 0;
	found = bpf_map_lookup_elem(inner, &index);
	service = bpf_map_lookup_elem(&gg_service, &slot);
	if (found == NULL || service == NULL)
		return 0;
	/* Written by one store: what is read belongs together. */
	ring.word = *(volatile const __u64 *)found;
	if (!steer_looks_up(&ring.slot, service->flags, kind))
		return ring.slot.current;
	return connection_look_up(p, from, to, &ring.slot, service, kind,
		may_keep);
}

#endif
