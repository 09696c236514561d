/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the XDP program and the daemon share: map names, keys, values, limits,
 * and the reasons under which packets are counted. Network order ends in _be;
 * padding is named and zero; every layout is asserted on both sides.
 */
#ifndef BPF_CONTRACT_H
#define BPF_CONTRACT_H

#include <linux/types.h>

/* Grows when a layout below or its meaning changes; the daemon writes it into
 * gg_cfg, and takes over no maps with another one. */
#define GG_CONTRACT_VERSION 2

#define GG_PROGRAM "gg_gateway"
#define GG_SECTION "xdp"

/* Its maps, and what one entry is: see the structs below. */
#define GG_MAP_CFG          "gg_cfg"
#define GG_MAP_VIP          "gg_vip"
#define GG_MAP_REASON       "gg_reason"
#define GG_MAP_LIMIT        "gg_limit"
#define GG_MAP_RL4          "gg_rl4"
#define GG_MAP_RL6          "gg_rl6"
#define GG_MAP_SKETCH       "gg_sketch"
#define GG_MAP_MARK         "gg_mark"
#define GG_MAP_LIST         "gg_list"
#define GG_MAP_LIST_HITS    "gg_list_hits"
#define GG_MAP_BLOCK        "gg_block"
#define GG_MAP_EVENTS       "gg_events"
#define GG_MAP_RING         "gg_ring"
#define GG_MAP_BACKEND      "gg_backend"
#define GG_MAP_BACKEND_HITS "gg_backend_hits"
#define GG_MAP_SERVICE      "gg_service"
#define GG_MAP_REVERSE      "gg_reverse"
#define GG_MAP_CT4          "gg_ct4"
#define GG_MAP_CT6          "gg_ct6"
#define GG_MAP_NAT4         "gg_nat4"
#define GG_MAP_NAT6         "gg_nat6"
#define GG_MAP_FRAGMENT     "gg_fragment"
#define GG_MAP_TX           "gg_tx"

/*
 * Slots name what packets are counted and limited under: 0 is the box, then
 * the listeners of the proxy, then the services that XDP steers by itself.
 */
#define GG_LISTENERS_MAX 64 /* 1..63 */
#define GG_SLOTS_MAX 256    /* services: 64..255 */
#define GG_VIPS_MAX 4096
#define GG_VLANS_MAX 2
#define GG_EXT_HEADERS_MAX 6 /* what RFC 8200 4.1 recommends at most */

/*
 * Name, what is counted. Every packet is counted once, under one slot and one
 * reason. Packets that no listener claims belong to slot 0. What begins with
 * pass_ went to the stack of the box, forward_ to a backend or back from one,
 * answer_ back to its sender with an answer of ours; drop_ was dropped.
 */
#define GG_REASONS(X)                                                          \
	X(pass_listener, "to a listener")                                      \
	X(pass_listener_syn, "to a listener: TCP connection requests")         \
	X(pass_no_vip_tcp, "TCP to a port of no listener")                     \
	X(pass_no_vip_udp, "UDP to a port of no listener")                     \
	X(pass_icmp, "ICMP")                                                   \
	X(pass_icmpv6, "ICMPv6")                                               \
	X(pass_other_l4, "neither TCP, UDP nor ICMP")                          \
	X(pass_fragment, "fragments; not the first one to a listener")         \
	X(pass_not_ip, "neither IPv4 nor IPv6")                                \
	X(pass_too_many_vlans, "more than two VLAN tags")                      \
	X(pass_ext_header_limit, "IPv6 with more than six extension headers")  \
	X(pass_malformed_eth, "cut in the Ethernet header or a VLAN tag")      \
	X(pass_malformed_ip4, "IPv4 header cut or contradicting itself")       \
	X(pass_malformed_ip6, "IPv6 headers cut or contradicting themselves")  \
	X(pass_malformed_l4, "TCP, UDP or ICMP header cut or contradictory")   \
	X(pass_bypass, "not looked at: GG_CFG_BYPASS is set")                  \
	X(forward, "to a backend")                                             \
	X(forward_syn, "to a backend: TCP connection requests")                \
	X(forward_reverse, "from a backend back to its client")                \
	X(forward_icmp, "ICMP errors, to the side whose packet caused them")   \
	X(forward_fragment, "fragments after the first, to its backend")       \
	X(answer_echo, "ICMP echo requests to a service's address, answered")  \
	X(answer_too_big, "too big for the way on: the sender was told")       \
	X(drop_denied, "from a prefix that is denied")                         \
	X(drop_blocked, "new connections of a source that is blocked")         \
	X(drop_limit_packets, "beyond the limit of packets of its source")     \
	X(drop_limit_bytes, "beyond the limit of bytes of its source")         \
	X(drop_limit_connections, "beyond the limit of new connections")       \
	X(drop_limit_contended, "lost a race for its source's bucket thrice")  \
	X(drop_tcp_flags, "to a service, with TCP flags that nobody sends")    \
	X(drop_no_backend, "to a service that has no backend")                 \
	X(drop_no_neighbour, "to a backend whose next hop has no address yet") \
	X(drop_ttl, "to a service, with a TTL or hop limit of 1")              \
	X(drop_too_big, "too big for the way on, and not to be answered")      \
	X(drop_fragment, "to a service: fragments whose first was not seen")   \
	X(drop_icmp, "ICMP errors about no connection of ours")                \
	X(drop_nat_ports, "no port was free for another connection")           \
	X(drop_nat_unknown, "to a service in mode nat: of no connection")      \
	X(drop_flood_guard, "new to a service in nat: the flood guard acts")    \
	X(drop_no_headroom, "to a backend, with no room for one more header")   \
	X(drop_nat_table, "the table of mode nat took no other connection")     \
	X(drop_malformed, "to a service, but not to be forwarded as it is")

/*
 * Name, what is counted. Beside the reason, for packets that went on all the
 * same: what would have happened, or what could not be done.
 */
#define GG_NOTES(X)                                                            \
	X(shadow_packets, "beyond a limit of packets in shadow")               \
	X(shadow_bytes, "beyond a limit of bytes in shadow")                   \
	X(shadow_connections, "beyond a limit of new connections in shadow")   \
	X(source_not_kept, "the table of sources took no entry: sketch alone") \
	X(connection_not_kept, "the table of connections took no entry")       \
	X(flood_guard, "connection requests not kept: the flood guard acts")   \
	X(path_mtu, "ICMP errors by which the MTU of a way was learnt")

enum gg_reason {
#define X(name, help) GG_REASON_##name,
	GG_REASONS(X)
#undef X
	GG_REASON_COUNT,
};

enum gg_note {
#define X(name, help) GG_NOTE_##name,
	GG_NOTES(X)
#undef X
	GG_NOTE_COUNT,
};

/* Value of gg_reason: named fields, so that `bpftool map dump` reads well.
 * The program writes it as an array of struct gg_count, then one of u64. */
struct gg_counters {
#define X(name, help) __u64 name, name##_bytes;
	GG_REASONS(X)
#undef X
#define X(name, help) __u64 note_##name;
	GG_NOTES(X)
#undef X
};

struct gg_count {
	__u64 packets, bytes;
};

_Static_assert(sizeof(struct gg_count) == 16, "layout is ABI");
_Static_assert(sizeof(struct gg_counters) ==
		GG_REASON_COUNT * sizeof(struct gg_count) + 8 * GG_NOTE_COUNT,
	"one gg_count per reason, one u64 per note");
_Static_assert(__builtin_offsetof(struct gg_counters, drop_malformed_bytes) ==
		GG_REASON_drop_malformed * sizeof(struct gg_count) + 8,
	"fields stand in the order of the enum");

/* Keys begin at a word, or clang copies them byte by byte. */
#define GG_WORDS __attribute__((aligned(4)))

/* Key of gg_vip; an IPv4 address stands in its IPv4-mapped form. */
struct gg_vip_key {
	__u8 ip[16];
	__be16 port_be;
	__u8 l4_proto;
	__u8 pad;
} GG_WORDS;

_Static_assert(sizeof(struct gg_vip_key) == 20, "layout is ABI");

#define GG_GUE_PORT 6080

/* What a packet to this address and port is for. */
enum gg_mode {
	GG_MODE_PASS,   /* to the box's own stack: a listener of the proxy */
	GG_MODE_NAT,    /* both addresses rewritten; works with any backend */
	GG_MODE_DSR_L2, /* MAC rewritten; the backend has the address too */
	GG_MODE_ROUTE,  /* destination rewritten; the box is the way back */
	GG_MODE_IPIP,   /* in another IP packet; the backend has the address */
	GG_MODE_GUE,    /* and in UDP, to GG_GUE_PORT */
	GG_MODE_COUNT,
};

/*
 * An address that services (mode other than GG_MODE_PASS) have gets an entry of
 * its own: port 0, protocol 0, slot 0, GG_MODE_PASS, GG_VIP_ADDRESS. By it the
 * program knows which ICMP and which fragments are its business.
 */
#define GG_VIP_LIMITED (1u << 0) /* gg_limit has rules for the slot */
#define GG_VIP_ADDRESS (1u << 1) /* the entry of an address */
#define GG_VIP_RELAYED (1u << 2) /* steered; the stack has connections too */
#define GG_VIP_LEAVING (1u << 3) /* as well: new ones go to the stack */

struct gg_vip {
	__u32 slot; /* 1..GG_SLOTS_MAX-1; GG_VIP_ADDRESS: 0 */
	__u8 mode;  /* enum gg_mode */
	__u8 flags; /* GG_VIP_* */
	__u16 pad;
};

_Static_assert(sizeof(struct gg_vip) == 8, "layout is ABI");

#define GG_CFG_BYPASS (1u << 0) /* pass all at once, as pass_bypass */
#define GG_CFG_LIST   (1u << 1) /* gg_list has entries */
#define GG_CFG_BLOCK  (1u << 2) /* gg_block has entries */
/* What traffic to no listener and no service is looked up for. */
#define GG_CFG_STEER (1u << 3) /* gg_vip has services and their addresses */
#define GG_CFG_NAT   (1u << 4) /* one of them is in mode nat */
#define GG_CFG_ROUTE (1u << 5) /* one in mode route: gg_reverse has entries */

/* The one value of gg_cfg. All zero is safe: `ip link` loads it so. */
struct gg_cfg {
	__u32 contract; /* GG_CONTRACT_VERSION; 0: no daemon was here yet */
	__u32 flags;    /* GG_CFG_* */
	__u32 hz;       /* of the kernel's tick */
	__u32 seed;     /* of the hash of flows; boxes may share it */
	/* A source gets an entry in gg_rl4 or gg_rl6 once it used more than
	 * burst >> admit_shift; 0: with its first packet. */
	__u32 admit_shift;
	/* New connections a second and CPU beyond which none is kept in
	 * gg_ct4, gg_ct6 and, in mode nat, none begins; 0: no bound. */
	__u32 flood_guard;
	/* One of so many drops of a slot, reason and CPU goes to gg_events, the
	 * first one too, and one a second of each CPU; a power of two.
	 * 0: none. */
	__u32 sample;
	/* Entries of gg_rl4 and gg_rl6 that a CPU makes in one tick: beyond,
	 * the sketch alone decides. 0: no bound. */
	__u32 source_guard;
	/* Where in gg_sketch sources are: random, and of this box alone, so
	 * that nobody can aim at the cells of another. */
	__u64 salt;
};

_Static_assert(sizeof(struct gg_cfg) == 40, "layout is ABI");

/*
 * ---- limits
 *
 * A bucket is one word: tokens left and the tick when it was last filled. The
 * unit of tokens is chosen so that both the refill per tick and the cost are
 * whole numbers: rate r per second at HZ ticks is a refill of r and a cost of
 * HZ, both divided by their greatest common divisor. Nothing is rounded.
 */
struct gg_rate {
	__u32 refill; /* tokens a tick */
	__u32 cost;   /* tokens a packet, a byte or a connection */
	__u32 burst;  /* tokens at most; 0: this is not limited */
	__u32 flags;  /* GG_RATE_* */
	/* For the sketch, in ticks << GG_SKETCH_SHIFT, rounded up: how long
	 * the refill takes to pay one cost, and the burst. */
	__u64 cost_time, burst_time;
};

#define GG_RATE_FINE (1u << 0) /* ticks of GG_FINE_TICK_NS, not jiffies */

#define GG_FINE_TICK_SHIFT 10 /* of the nanoseconds since boot */
#define GG_FINE_TICK_NS    (1u << GG_FINE_TICK_SHIFT)

/* Tokens that a bucket holds at most: adding two such bursts still fits. */
#define GG_BURST_MAX 0x7fffffffu

_Static_assert(sizeof(struct gg_rate) == 32, "layout is ABI");

#define GG_RULES_MAX   2
#define GG_RULE_SHADOW (1u << 0) /* count what would be dropped */
#define GG_RULE_FINE   (1u << 1) /* a rate of it is GG_RATE_FINE */

/* One bucket of each kind per source, a source being a prefix of that many
 * bits. */
struct gg_rule {
	struct gg_rate packets, bytes, connections;
	__u8 plen4, plen6; /* 1..32, 1..128 */
	__u8 flags;        /* GG_RULE_* */
	__u8 pad;
	__u32 pad2;
};

_Static_assert(sizeof(struct gg_rule) == 104, "layout is ABI");

/* Value of gg_limit, by slot. */
struct gg_limit {
	__u32 count; /* rules in use */
	__u32 epoch; /* another one for other rules: the sketch begins anew */
	struct gg_rule rules[GG_RULES_MAX];
};

_Static_assert(sizeof(struct gg_limit) == 216, "layout is ABI");

/* Keys of gg_rl4 and gg_rl6; bits of the address beyond plen are 0. */
struct gg_rl4_key {
	__u16 slot;
	__u8 rule; /* index in gg_limit.rules */
	__u8 plen;
	__u8 ip[4];
} GG_WORDS;

struct gg_rl6_key {
	__u16 slot;
	__u8 rule;
	__u8 plen;
	__u8 ip[16];
} GG_WORDS;

_Static_assert(sizeof(struct gg_rl4_key) == 8, "layout is ABI");
_Static_assert(sizeof(struct gg_rl6_key) == 20, "layout is ABI");

union gg_bucket {
	__u64 word;
	struct {
		__u32 tokens; /* left at stamp */
		__u32 stamp;  /* low bits of the clock, in ticks */
	};
};

/* What a source has left. dropped counts what was refused, in shadow what
 * would have been: exact up to GG_DROPPED_EXACT, then by sampling in steps of
 * as many, so that of refused packets about one of so many writes here. */
#define GG_DROPPED_EXACT 64

struct gg_source {
	union gg_bucket packets, bytes, connections;
	__u64 dropped;
};

_Static_assert(sizeof(struct gg_source) == 32, "layout is ABI");

/*
 * Values of gg_rl4 and gg_rl6. In an LRU_HASH an entry is 48 bytes, then its
 * key, then its value: both make it two cache lines, and the first one ends
 * with the bucket of packets of an IPv4 source.
 */
struct gg_rl4 {
	struct gg_source source;
	__u64 pad[5];
};

struct gg_rl6 {
	struct gg_source source;
	__u64 pad[3];
};

_Static_assert(48 + sizeof(struct gg_rl4_key) + sizeof(struct gg_rl4) == 128,
	"two cache lines");
_Static_assert(48 + 24 + sizeof(struct gg_rl6) == 128,
	"two cache lines; a key fills words");

/*
 * gg_mark says which sources may have an entry in gg_rl4 or gg_rl6, so that
 * those of a flood are not looked up there. A mark is a bit in each half of a
 * word; who makes an entry sets both before, and one of them is enough to be
 * looked up. The program never clears one. userspace does, a half at a time,
 * and sets in it again what has an entry before it turns to the other half.
 * The mark is the key's alone: nothing that may change is in it.
 */
#define GG_MARKS           (1u << 20)
#define GG_MARK_WORDS      (GG_MARKS / 32)
#define GG_MARK_WORD(mark) ((mark) / 32)
#define GG_MARK_BITS(mark) (0x100000001ull << (mark) % 32)

/* Of a key in words as they stand in memory: 8 bytes, or 8, 8 and 4. */
#define GG_MARK_MIX(a) ((__u32)((a)*0x9e3779b97f4a7c15ull >> 44))
/* The address comes down first: the high half of a product has little of what
 * only stands in the high half of a factor. */
#define GG_MARK4(a) GG_MARK_MIX((a) ^ (a) >> 32)
#define GG_MARK6(a, b, c)                                                      \
	GG_MARK4((a) ^ (b)*0xd6e8feb86659fd93ull ^ (c)*0xff51afd7ed558ccdull)

/*
 * Value of gg_sketch: a cache line of eight cells. A source has two of them
 * (one of 0..3 for row 0, one of 4..7 for row 1) for each of its buckets. A
 * cell is a time up to which its sources have spent, in ticks << 24: sources
 * of different rates can share one, and sharing only makes it stricter.
 * Lines from GG_SKETCH_LINES on are those of rates with GG_RATE_FINE.
 */
#define GG_SKETCH_LINES 32768
#define GG_SKETCH_CELLS 8
#define GG_SKETCH_SHIFT 24

struct gg_sketch_line {
	__u64 cells[GG_SKETCH_CELLS];
};

/* Key of gg_list: prefixes that are denied or allowed, the longest counts. */
struct gg_list_key {
	__u32 plen; /* of the IPv4-mapped form: 96 and more for IPv4 */
	__u8 ip[16];
};

enum gg_list_action { GG_LIST_ALLOW = 1, GG_LIST_DENY };

#define GG_LIST_MAX 16384

struct gg_list {
	__u32 action; /* enum gg_list_action; allowed: no limit applies */
	__u32 index;  /* of its hits in gg_list_hits */
};

/* Key of gg_block: sources whose new connections to a listener are dropped
 * because of what they did there (control writes them). */
struct gg_block_key {
	__u8 ip[16]; /* of IPv6 the /64: the rest is 0 */
	__u32 slot;
};

struct gg_block {
	__u64 until_ns; /* CLOCK_MONOTONIC */
	__u64 dropped;
};

#define GG_BLOCKS_MAX 16384

/* What gg_events carries: a sample of the packets that were dropped. */
struct gg_event {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 ifindex;
	__u16 slot;
	__u16 reason; /* enum gg_reason */
	__u8 from[16], to[16];
	__be16 from_port_be, to_port_be;
	__u16 length; /* of the frame, in bytes */
	__u8 l4_proto;
	__u8 pad;
};

_Static_assert(sizeof(struct gg_event) == 56, "layout is ABI");

/*
 * ---- steering
 *
 * gg_ring holds a Maglev ring per service. A slot of it is stable when current
 * and base are the same and no flag is set: its packets need no lookup of their
 * connection. When the ring changes, current is the new owner and base the one
 * whose connections are still there.
 *
 * A slot is written by one 64-bit store. It becomes MOVED with its first
 * change, PINNED (base = current) when its window is over, and stable when all
 * that was kept of it is with current and has been deleted from gg_ct4 and
 * gg_ct6: an entry left behind would be believed at the next change. A backend
 * that is down is replaced in current and base at once.
 */
#define GG_RING_SLOTS 65537

#define GG_RING_MOVED  (1u << 0) /* new ones are kept, others go to base */
#define GG_RING_PINNED (1u << 1) /* only what was kept goes elsewhere */

struct gg_ring_slot {
	__u16 current, base; /* indices of gg_backend; 0: none */
	__u16 flags;         /* GG_RING_* */
	__u16 epoch; /* of the last change: low bits of CLOCK_MONOTONIC in s */
};

_Static_assert(sizeof(struct gg_ring_slot) == 8, "layout is ABI");

#define GG_SERVICE_ALWAYS  (1u << 0) /* all are kept and looked up */
#define GG_SERVICE_STICKY  (1u << 1) /* UDP: every flow is kept */

/* Value of gg_service, by slot. */
struct gg_service {
	__u32 flags; /* GG_SERVICE_* */
	__u32 idle_s; /* a UDP flow is over after so long without a packet */
};

#define GG_BACKENDS_MAX 4096 /* 1..4095 */

/* Its kept connections leave it: those of gg_ct4 and gg_ct6 for the owner of
 * their slot, those of gg_nat4 and gg_nat6 when they begin anew. */
#define GG_BACKEND_DOWN (1u << 0)
/* Its address is another's now, who has an index of its own: it is down for
 * good, and here until nothing names it. For userspace. */
#define GG_BACKEND_FORMER (1u << 1)

/* How long a path_mtu is believed (RFC 1191, 6.3), and the least that must be
 * left for packets: less would take senders below what they believe. */
#define GG_PATH_MTU_S     600
#define GG_PATH_MTU_INNER 1280

/* A cache line each. An index whose slot is another service's is none. */
struct gg_backend {
	__u8 ip[16];        /* IPv4-mapped */
	__u8 source_ip[16]; /* the box's address on the way there: source of
			     * what it gets in modes nat, ipip and gue */
	__be16 port_be;
	__u16 slot;    /* of its service */
	__u32 ifindex; /* of the way there; 0: no next hop is known */
	__u8 to_mac[6], from_mac[6];
	__u16 mtu; /* of the way there, in bytes of IP; 0: not looked at, as in
		    * generic mode, where the stack has merged packets */
	__u16 flags; /* GG_BACKEND_* */
	/* Modes ipip and gue, the program's own: what a router on the way said
	 * that fits, and when (CLOCK_MONOTONIC). */
	__u16 path_mtu; /* 0: none did */
	__u16 pad;
	__u32 path_mtu_s;
};

_Static_assert(sizeof(struct gg_backend) == 64, "layout is ABI");

struct gg_backend_hits {
	__u64 packets, bytes, connections;
};

/*
 * Value of gg_reverse, whose key is a backend as struct gg_vip_key: mode route,
 * what its answers get as source. Where all clients are behind one next hop, it
 * stands here and the answers go there; ifindex 0: the box's stack forwards
 * them, and takes them only with sysctl accept_local where the address is its
 * own.
 */
struct gg_reverse {
	__u8 ip[16];
	__u8 own_ip[16]; /* the box's on the way there: its probes' answers */
	__be16 port_be;
	__u16 slot;
	__u32 ifindex;
	__u8 to_mac[6], from_mac[6];
	__u32 pad;
};

_Static_assert(sizeof(struct gg_reverse) == 56, "layout is ABI");

struct gg_flow4 {
	__u8 from[4], to[4];
	__be16 from_port_be, to_port_be;
	__u8 l4_proto;
	__u8 pad[3];
} GG_WORDS;

struct gg_flow6 {
	__u8 from[16], to[16];
	__be16 from_port_be, to_port_be;
	__u8 l4_proto;
	__u8 pad[3];
} GG_WORDS;

_Static_assert(sizeof(struct gg_flow4) == 16, "layout is ABI");
_Static_assert(sizeof(struct gg_flow6) == 40, "layout is ABI");

/* Value of gg_ct4 and gg_ct6: a connection that is not where its slot of the
 * ring would send it, or of a service that keeps all. */
struct gg_connection {
	__u16 backend;
	__u16 ring_slot_low; /* low bits of the slot of the ring */
	__u32 seen_s : 31;   /* CLOCK_MONOTONIC, some ticks coarse */
	__u32 closing : 1;   /* FIN or RST was seen: a SYN begins another one */
};

_Static_assert(sizeof(struct gg_connection) == 8, "layout is ABI");

/*
 * Value of gg_nat4 and gg_nat6: what the packet becomes. Each connection has
 * two entries, one for each direction; the sweeper looks at both, since a flow
 * may go one way only.
 */
#define GG_NAT_CLOSING_CLIENT  (1u << 0) /* FIN of the client */
#define GG_NAT_CLOSING_BACKEND (1u << 1) /* FIN of the backend; RST: both */

struct gg_nat {
	__u32 seen_s;  /* CLOCK_MONOTONIC */
	/* To the client, the same in both: whence its last packet came. To the
	 * backend: gg_backend has it. */
	__u32 ifindex;
	__u8 to_mac[6], from_mac[6];
	__u16 backend;
	__u16 slot;
	__u8 reverse; /* 1: from the backend to the client */
	__u8 closing; /* GG_NAT_CLOSING_*, the same in both */
	__u16 mtu;    /* of ifindex, in bytes of IP; 0: not known */
};

/* With its key it is two cache lines in an LRU_HASH. */
struct gg_nat4 {
	struct gg_nat way;
	struct gg_flow4 to;
	__u32 pad[5];
};

struct gg_nat6 {
	struct gg_nat way;
	struct gg_flow6 to;
	__u32 pad;
};

_Static_assert(sizeof(struct gg_nat) == 28, "layout is ABI");
_Static_assert(sizeof(struct gg_nat4) == 64, "layout is ABI");
_Static_assert(sizeof(struct gg_nat6) == 72, "layout is ABI");

/* Ports that mode nat gives away: below those that Linux takes by itself. */
#define GG_NAT_PORT_FIRST 1024
#define GG_NAT_PORTS      31744

struct gg_fragment_key {
	__u8 from[16], to[16];
	__be32 id_be;
	__u8 l4_proto;
	__u8 pad[3];
};

/* A fragment without a first one within so long has none. */
#define GG_FRAGMENT_S 30

/* What its first fragment said. */
struct gg_fragment {
	__be16 from_port_be, to_port_be;
	__u32 seen_s;
};

_Static_assert(sizeof(struct gg_fragment_key) == 40, "layout is ABI");
_Static_assert(sizeof(struct gg_fragment) == 8, "layout is ABI");

/*
 * ---- sockets
 *
 * sockets.bpf.c, an object of its own beside the XDP program: which listening
 * socket a new connection gets. gg_socket holds the sockets of each listener's
 * workers.
 */
#define GG_PROGRAM_WORKER "gg_worker" /* of groups of SO_REUSEPORT */
#define GG_PROGRAM_LOOKUP "gg_lookup" /* of the network namespace */

#define GG_MAP_SOCKET   "gg_socket"
#define GG_MAP_LISTENER "gg_listener"
#define GG_MAP_BIND     "gg_bind"

#define GG_WORKERS_MAX 64
#define GG_SOCKETS_MAX (GG_LISTENERS_MAX * GG_WORKERS_MAX)
#define GG_SOCKET_KEY(slot, worker) ((slot)*GG_WORKERS_MAX + (worker))

/* Value of gg_listener, whose key is the address that its sockets are bound
 * to, as struct gg_vip_key. */
struct gg_listener {
	__u32 slot;
	__u32 workers; /* CPU n goes to worker n % workers; 0: by hash */
};

_Static_assert(sizeof(struct gg_listener) == 8, "layout is ABI");

/* Key of gg_bind: further addresses of listeners; the longest counts. */
struct gg_bind_key {
	__u32 plen; /* GG_BIND_PLEN */
	__u8 l4_proto;
	__u8 pad;
	__be16 port_be;
	__u8 ip[16]; /* IPv4-mapped */
};

_Static_assert(sizeof(struct gg_bind_key) == 24, "layout is ABI");

#define GG_BIND_PLEN(bits) (32 + (bits))
#define GG_BINDS_MAX       4096

struct gg_bind {
	__u32 slot;
	__u32 pad;
	__u64 connections; /* requests that were brought to the listener */
	__u64 no_socket;   /* it had none: as if the entry were not there */
};

_Static_assert(sizeof(struct gg_bind) == 24, "layout is ABI");

#endif
