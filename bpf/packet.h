/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A packet on its way through the program: what was read of it, what was
 * decided, and how it is changed and sent on.
 *
 * The steps that not all packets take are global functions: the kernel verifies
 * them once and by themselves, whatever calls them. They share this struct. All
 * are called by the program itself, never by each other, since the stacks of a
 * chain of calls may have 512 bytes together.
 */
#ifndef BPF_PACKET_H
#define BPF_PACKET_H

#include "bpf/maps.h"
#include "bpf/rewrite.h"
#include "bpf/steer.h"

struct packet {
	struct parsed at;
	__u32 slot;   /* it is counted and limited under */
	__u64 hash;   /* of its flow; set where it is steered */
	__u32 action; /* XDP_* */
	__u32 bytes;  /* of the frame */
	__u32 seed, flood_guard, cfg_flags; /* of gg_cfg */
	union {
		__u16 mtu; /* that it is too big for; with answer_too_big */
		__u16 backend; /* with PACKET_ENCAPSULATE */
	};
	__u8 mode; /* enum gg_mode */
	__u8 vip_flags; /* GG_VIP_* */
};

_Static_assert(sizeof(struct packet) == 96, "no hole: BPF functions share it");

/* What a step returns for a packet that encapsulate() is to go on with, and for
 * an error that path_mtu_learn() is to look at. */
#define PACKET_ENCAPSULATE (GG_REASON_COUNT + 1)
#define PACKET_PATH_MTU    (GG_REASON_COUNT + 2)

/* Offsets are below this; the verifier wants to see it. */
#define PACKET_OFFSET_MAX 0x3fff

/* size bytes at offset, or NULL where the frame ends before. */
static __always_inline void *
packet_bytes(struct xdp_md *ctx, __u32 offset, __u32 size)
{
	__u8 *data = (__u8 *)(long)ctx->data;
	__u8 *end = (__u8 *)(long)ctx->data_end;

	offset &= PACKET_OFFSET_MAX;
	data += offset;
	return data + size > end ? NULL : data;
}

static __always_inline bool
packet_is4(const struct packet *p)
{
	return p->at.family == 4;
}

static __always_inline bool
address_is4(const __u8 *ip)
{
	return address_get(ip, 2) == bpf_htonl(0xffff) &&
		address_get(ip, 1) == 0 && address_get(ip, 0) == 0;
}

/* The checksum of the TCP or UDP header at l4 takes in diff and new ports. */
static __always_inline bool
packet_change_l4(struct xdp_md *ctx, const struct packet *p,
	const struct rewrite_ends *ends, __u64 diff)
{
	__be16 *l4;

	if (p->at.to.l4_proto == IPPROTO_TCP) {
		l4 = packet_bytes(ctx, p->at.l4, 18);
		if (l4 == NULL)
			return false;
		diff += rewrite_ports(l4, ends);
		checksum_update(l4 + 8, diff);
		return true;
	}
	l4 = packet_bytes(ctx, p->at.l4, sizeof(struct udphdr));
	if (l4 == NULL)
		return false;
	diff += rewrite_ports(l4, ends);
	checksum_update_udp(l4 + 3, diff);
	return true;
}

/* Both ends as said, or as they are where ends is NULL; one hop less. */
static __always_inline bool
packet_change_l3(struct xdp_md *ctx, const struct packet *p,
	const struct rewrite_ends *ends, __u64 *diff)
{
	struct iphdr *ip4;
	struct ipv6hdr *ip6;

	if (packet_is4(p)) {
		ip4 = packet_bytes(ctx, p->at.l3, sizeof(*ip4));
		if (ip4 == NULL)
			return false;
		if (ends != NULL)
			*diff = rewrite_ip4(ip4, ends);
		rewrite_ttl4(ip4);
		return true;
	}
	ip6 = packet_bytes(ctx, p->at.l3, sizeof(*ip6));
	if (ip6 == NULL)
		return false;
	if (ends != NULL)
		*diff = rewrite_ip6(ip6, ends);
	ip6->hop_limit--;
	return true;
}

static __always_inline bool
packet_change_macs(struct xdp_md *ctx, const __u8 *to, const __u8 *from)
{
	struct ethhdr *eth = packet_bytes(ctx, 0, sizeof(*eth));

	if (eth == NULL)
		return false;
	rewrite_macs(eth, to, from);
	return true;
}

/* The Ethernet header and VLAN tags, size bytes, moved up to the new start. */
static __always_inline bool
packet_move_link(struct xdp_md *ctx, __u32 size, __u32 by)
{
	__u8 *to = packet_bytes(ctx, 0, 24), *from = packet_bytes(ctx, by, 24);

	if (to == NULL || from == NULL)
		return false;
	__builtin_memcpy(to, from, sizeof(struct ethhdr));
	if (size > sizeof(struct ethhdr))
		__builtin_memcpy(to + 14, from + 14, 4);
	if (size > sizeof(struct ethhdr) + 4)
		__builtin_memcpy(to + 18, from + 18, 4);
	return true;
}

static __always_inline bool
packet_change(struct xdp_md *ctx, const struct packet *p,
	const struct rewrite_ends *ends)
{
	__u64 diff = 0;

	if (!packet_change_l3(ctx, p, ends, &diff))
		return false;
	/* What is not in this fragment is right in the first one. */
	if (ends == NULL || p->at.fragment == PARSE_LATER)
		return true;
	return packet_change_l4(ctx, p, ends, diff);
}

/* Out of ifindex, counted as reason, to and from these link addresses. */
static __always_inline enum gg_reason
packet_send(struct xdp_md *ctx, struct packet *p, __u32 ifindex,
	const __u8 *to, const __u8 *from, enum gg_reason reason)
{
	if (!packet_change_macs(ctx, to, from))
		return GG_REASON_drop_malformed;
	if (ifindex == ctx->ingress_ifindex) {
		p->action = XDP_TX;
		return reason;
	}
	p->action = (__u32)bpf_redirect_map(&gg_tx, ifindex, XDP_DROP);
	return p->action == XDP_REDIRECT ? reason :
					   GG_REASON_drop_no_neighbour;
}

/* What a backend in mode route answers as. Linux 6.1 takes no key that a global
 * function was given. */
static __always_inline const struct gg_reverse *
reverse_find(const struct gg_vip_key *backend)
{
	struct gg_vip_key key = *backend;

	return bpf_map_lookup_elem(&gg_reverse, &key);
}

/* The address itself, not a port of it, belongs to services. */
static __always_inline bool
packet_is_to_service_address(const struct packet *p)
{
	struct gg_vip_key key = {};
	const struct gg_vip *vip;

	address_copy(key.ip, p->at.to.ip);
	vip = bpf_map_lookup_elem(&gg_vip, &key);
	return vip != NULL && vip->flags & GG_VIP_ADDRESS;
}

#endif
