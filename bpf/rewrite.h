/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Changes headers in place and keeps their checksums right by the difference
 * (RFC 1624, equation 3), so that what was wrong before is just as wrong after.
 * Pure; the caller has checked the bounds.
 */
#ifndef BPF_REWRITE_H
#define BPF_REWRITE_H

#include "bpf/parse.h"

#define REWRITE_MAC 6

/* Both ends of a packet; an IPv4 address stands in the last four bytes. */
struct rewrite_ends {
	__u8 from[16], to[16];
	__be16 from_port_be, to_port_be;
} GG_WORDS;

/*
 * A difference is a sum in ones' complement of what changed, ~old + new by 16
 * bits, not yet folded. It is the same in both byte orders.
 */
static __always_inline __u64
diff16(__be16 old, __be16 new)
{
	return (__u64)(__u16)~old + new;
}

static __always_inline __u64
diff32(__be32 old, __be32 new)
{
	return (__u64)(__u32)~old + new;
}

static __always_inline __u16
checksum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

static __always_inline void
checksum_update(__u16 *sum, __u64 diff)
{
	*sum = (__u16)~checksum_fold((__u16)~*sum + diff);
}

/* 0 says "no checksum" and stays; one that comes out as 0 is written 0xffff. */
static __always_inline void
checksum_update_udp(__u16 *sum, __u64 diff)
{
	if (*sum == 0)
		return;
	checksum_update(sum, diff);
	if (*sum == 0)
		*sum = 0xffff;
}

/* The sum of size bytes, an even number, to be folded and inverted. */
static __always_inline __u64
checksum_sum(const void *data, __u32 size)
{
	const __u16 *word = data;
	__u64 sum = 0;

	for (__u32 i = 0; i < size / 2; i++)
		sum += word[i];
	return sum;
}

static __always_inline __u64
rewrite_address4(__be32 *ip, const __u8 *new)
{
	__be32 old = *ip;

	*ip = address_get(new, 3);
	return diff32(old, *ip);
}

static __always_inline __u64
rewrite_address6(struct in6_addr *ip, const __u8 *new)
{
	__u64 diff = 0;

#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		__be32 word = address_get(new, i);

		diff += diff32(ip->s6_addr32[i], word);
		ip->s6_addr32[i] = word;
	}
	return diff;
}

/* Returns what the checksum above has to take in; so do the following. */
static __always_inline __u64
rewrite_ip4(struct iphdr *ip, const struct rewrite_ends *ends)
{
	__u64 diff = rewrite_address4(&ip->saddr, ends->from) +
		rewrite_address4(&ip->daddr, ends->to);

	checksum_update(&ip->check, diff);
	return diff;
}

static __always_inline __u64
rewrite_ip6(struct ipv6hdr *ip, const struct rewrite_ends *ends)
{
	return rewrite_address6(&ip->saddr, ends->from) +
		rewrite_address6(&ip->daddr, ends->to);
}

/* ports are the first four bytes of a TCP or UDP header. */
static __always_inline __u64
rewrite_ports(__be16 *ports, const struct rewrite_ends *ends)
{
	__u64 diff = diff16(ports[0], ends->from_port_be) +
		diff16(ports[1], ends->to_port_be);

	ports[0] = ends->from_port_be;
	ports[1] = ends->to_port_be;
	return diff;
}

/* One hop less; the caller has seen that it is more than 1. */
static __always_inline void
rewrite_ttl4(struct iphdr *ip)
{
	__be16 old, new;

	__builtin_memcpy(&old, &ip->ttl, 2);
	ip->ttl--;
	__builtin_memcpy(&new, &ip->ttl, 2);
	checksum_update(&ip->check, diff16(old, new));
}

/* Link addresses begin at even places; a memcpy would not believe it. */
typedef __u16 __attribute__((may_alias)) rewrite_half;

static __always_inline void
rewrite_mac(__u8 *mac, const __u8 *new)
{
	for (int i = 0; i < REWRITE_MAC / 2; i++)
		((rewrite_half *)mac)[i] = ((const rewrite_half *)new)[i];
}

static __always_inline void
rewrite_macs(struct ethhdr *eth, const __u8 *to, const __u8 *from)
{
	rewrite_mac(eth->h_dest, to);
	rewrite_mac(eth->h_source, from);
}

static __always_inline void
rewrite_macs_swapped(struct ethhdr *eth)
{
	_Alignas(2) __u8 to[REWRITE_MAC];

	rewrite_mac(to, eth->h_dest);
	rewrite_mac(eth->h_dest, eth->h_source);
	rewrite_mac(eth->h_source, to);
}

#endif
