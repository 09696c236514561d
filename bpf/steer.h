/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which backend a packet belongs to: the hash of its flow, its slot of the
 * ring, and what the state of that slot makes of what was kept. Pure.
 */
#ifndef BPF_STEER_H
#define BPF_STEER_H

#include "bpf/parse.h"

/* As on the wire, in the 14th byte of a TCP header. */
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20

/* What a packet is to its connection. */
enum steer_kind {
	STEER_NEW,      /* TCP: asks for one */
	STEER_MIDDLE,   /* TCP: of one that is there */
	STEER_END,      /* TCP: FIN or RST; what is not kept need not be now */
	STEER_DATAGRAM, /* UDP: new or not, nobody can tell */
};

struct steer_choice {
	__u16 backend; /* 0: none */
	bool keep;     /* the connection, as this backend's */
};

/* Constants without structure; xored with the seed of the box or its group. */
#define STEER_KEY_1 0x9e3779b97f4a7c15u
#define STEER_KEY_2 0xbf58476d1ce4e5b9u
#define STEER_KEY_3 0x94d049bb133111ebu
#define STEER_KEY_4 0xd6e8feb86659fd93u
#define STEER_KEY_5 0xa0761d6478bd642fu
#define STEER_MIX   0xe7037ed1a0b428dbu

/* One step of NH (UMAC, RFC 4418): who does not know the seed cannot aim. */
static __always_inline __u64
steer_pair(__u32 a, __u32 b, __u32 seed, __u64 key)
{
	a += (__u32)key ^ seed;
	b += (__u32)(key >> 32) ^ seed;
	return (__u64)a * b;
}

/* The same for every packet of a flow in that direction. */
static __always_inline __u64
steer_hash(const struct gg_vip_key *from, const struct gg_vip_key *to,
	bool is4, __u32 seed)
{
	const __u8 *a = from->ip, *b = to->ip;
	__u32 ports = (__u32)from->port_be << 16 | to->port_be;
	__u64 h = steer_pair(ports, to->l4_proto, seed, STEER_KEY_1);

	h += steer_pair(address_get(a, 3), address_get(b, 3), seed,
		STEER_KEY_2);
	if (!is4) {
		h += steer_pair(address_get(a, 0), address_get(a, 1), seed,
			STEER_KEY_3);
		h += steer_pair(address_get(a, 2), address_get(b, 2), seed,
			STEER_KEY_4);
		h += steer_pair(address_get(b, 0), address_get(b, 1), seed,
			STEER_KEY_5);
	}
	h ^= h >> 32;
	h *= STEER_MIX;
	return h ^ h >> 29;
}

/* The ring's index takes the high half; mode nat its ports from the low one. */
static __always_inline __u32
steer_index(__u64 hash)
{
	return (__u32)((hash >> 32) * GG_RING_SLOTS >> 32);
}

static __always_inline enum steer_kind
steer_kind_of(const struct parsed *p)
{
	if (p->to.l4_proto != IPPROTO_TCP)
		return STEER_DATAGRAM;
	if (p->tcp_flags & (TCP_FIN | TCP_RST))
		return STEER_END;
	return p->tcp_request ? STEER_NEW : STEER_MIDDLE;
}

/* Combinations that no stack sends, and that scanners do. */
static __always_inline bool
steer_flags_are_sane(__u8 flags)
{
	if ((flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_PSH | TCP_ACK |
		     TCP_URG)) == 0)
		return false;
	if (flags & TCP_SYN && flags & (TCP_FIN | TCP_RST))
		return false;
	/* With it FIN, PSH and URG together without ACK. */
	return !(flags & TCP_FIN) || flags & TCP_ACK;
}

static __always_inline bool
steer_is_stable(const struct gg_ring_slot *slot)
{
	return slot->flags == 0 && slot->current == slot->base;
}

/* Whether what was kept has a say: flags are those of the service. */
static __always_inline bool
steer_looks_up(const struct gg_ring_slot *slot, __u32 flags,
	enum steer_kind kind)
{
	if (kind == STEER_DATAGRAM)
		return flags & (GG_SERVICE_STICKY | GG_SERVICE_ALWAYS);
	return flags & GG_SERVICE_ALWAYS || !steer_is_stable(slot);
}

/* The owner of connections that were there before the slot changed; a dead one
 * is replaced in the ring. */
static __always_inline __u16
steer_old_owner(const struct gg_ring_slot *slot)
{
	if (slot->flags & GG_RING_PINNED || slot->base == 0)
		return slot->current;
	return slot->base;
}

/*
 * The backend of a packet that steer_looks_up() wants looked up; kept is what
 * was found, 0: nothing.
 */
static __always_inline struct steer_choice
steer_choose(const struct gg_ring_slot *slot, __u32 flags,
	enum steer_kind kind, __u16 kept)
{
	bool always = flags & GG_SERVICE_ALWAYS;
	bool pinned = slot->flags & GG_RING_PINNED;
	struct steer_choice choice = { kept, false };

	switch (kind) {
	case STEER_NEW:
		/* Sent again, or by somebody who wants to move it. */
		if (kept != 0)
			return choice;
		choice.backend = slot->current;
		choice.keep = always || !pinned;
		return choice;
	case STEER_DATAGRAM:
		if (kept != 0)
			return choice;
		choice.backend = slot->current;
		choice.keep = true;
		return choice;
	case STEER_MIDDLE:
		if (kept != 0)
			return choice;
		choice.backend = steer_old_owner(slot);
		choice.keep = always || !pinned;
		return choice;
	case STEER_END:
		if (kept == 0)
			choice.backend = steer_old_owner(slot);
		return choice;
	}
	return choice;
}

#endif
