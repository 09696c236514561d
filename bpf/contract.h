/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the XDP program and the daemon share: map names, keys, values, limits,
 * and the reasons under which packets are counted. Network order ends in _be;
 * padding is named and zero; every layout is asserted on both sides.
 */
#ifndef BPF_CONTRACT_H
#define BPF_CONTRACT_H

#include <linux/types.h>

/* Grows when a layout below changes; the daemon writes it into gg_cfg. */
#define GG_CONTRACT_VERSION 1

#define GG_PROGRAM "gg_gateway"
#define GG_SECTION "xdp"
#define GG_MAP_CFG "gg_cfg"
#define GG_MAP_VIP "gg_vip"
#define GG_MAP_REASON "gg_reason"

#define GG_LISTENERS_MAX 64 /* slots; 0 is the box, 1.. are listeners */
#define GG_VIPS_MAX 4096
#define GG_VLANS_MAX 2
#define GG_EXT_HEADERS_MAX 6 /* what RFC 8200 4.1 recommends at most */

/*
 * Name, what is counted. Every packet is counted once, under one slot and one
 * reason. Packets that no listener claims belong to slot 0.
 */
#define GG_REASONS(X)                                                          \
	X(pass_listener, "to a listener")                                      \
	X(pass_listener_syn, "to a listener: TCP connection requests")         \
	X(pass_no_vip_tcp, "TCP to a port of no listener")                     \
	X(pass_no_vip_udp, "UDP to a port of no listener")                     \
	X(pass_icmp, "ICMP")                                                   \
	X(pass_icmpv6, "ICMPv6")                                               \
	X(pass_other_l4, "neither TCP, UDP nor ICMP")                          \
	X(pass_fragment, "fragments, the first one included")                  \
	X(pass_not_ip, "neither IPv4 nor IPv6")                                \
	X(pass_too_many_vlans, "more than two VLAN tags")                      \
	X(pass_ext_header_limit, "IPv6 with more than six extension headers")  \
	X(pass_malformed_eth, "cut in the Ethernet header or a VLAN tag")      \
	X(pass_malformed_ip4, "IPv4 header cut or contradicting itself")       \
	X(pass_malformed_ip6, "IPv6 headers cut or contradicting themselves")  \
	X(pass_malformed_l4, "TCP, UDP or ICMP header cut or contradictory")   \
	X(pass_bypass, "not looked at: GG_CFG_BYPASS is set")

enum gg_reason {
#define X(name, help) GG_REASON_##name,
	GG_REASONS(X)
#undef X
	GG_REASON_COUNT,
};

/* Value of gg_reason: named fields, so that `bpftool map dump` reads well.
 * The program writes it as an array of struct gg_count. */
struct gg_counters {
#define X(name, help) __u64 name, name##_bytes;
	GG_REASONS(X)
#undef X
};

struct gg_count {
	__u64 packets, bytes;
};

_Static_assert(sizeof(struct gg_count) == 16, "layout is ABI");
_Static_assert(sizeof(struct gg_counters) ==
		GG_REASON_COUNT * sizeof(struct gg_count),
	"one gg_count per reason");
_Static_assert(__builtin_offsetof(struct gg_counters, pass_bypass_bytes) ==
		GG_REASON_pass_bypass * sizeof(struct gg_count) + 8,
	"fields stand in the order of the enum");

/* Key of gg_vip; an IPv4 address stands in its IPv4-mapped form. */
struct gg_vip_key {
	__u8 ip[16];
	__be16 port_be;
	__u8 l4_proto;
	__u8 pad;
};

_Static_assert(sizeof(struct gg_vip_key) == 20, "layout is ABI");

struct gg_vip {
	__u32 slot; /* 1..GG_LISTENERS_MAX-1 */
	__u32 pad;
};

_Static_assert(sizeof(struct gg_vip) == 8, "layout is ABI");

/* Pass every packet at once; it is counted as pass_bypass. */
#define GG_CFG_BYPASS (1u << 0)

/* The one value of gg_cfg. All zero is safe: `ip link` loads it so. */
struct gg_cfg {
	__u32 contract; /* GG_CONTRACT_VERSION; 0: no daemon was here yet */
	__u32 flags;    /* GG_CFG_* */
	__u32 hz;       /* of the kernel's tick */
	__u32 seed;     /* of the hashes of this box */
};

_Static_assert(sizeof(struct gg_cfg) == 16, "layout is ABI");

#endif
