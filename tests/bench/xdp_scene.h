/*
 * What `scripts/bench xdp` tells its root program: which frame, and how the
 * next one differs from the last. Shared by the BPF and the C half.
 */
#ifndef TESTS_BENCH_XDP_SCENE_H
#define TESTS_BENCH_XDP_SCENE_H

#include <linux/types.h>

#define SCENE_IP4_LENGTH   64
#define SCENE_IP6_LENGTH   74
#define SCENE_FRAME_MAX    80
#define SCENE_PORT_FIRST   1024
#define SCENE_PORT_MASK    0x3fff
#define SCENE_LISTED_MAX   (3u << 20)

enum scene_draw {
	SCENE_RANDOM, /* one of mask + 1 flows, evenly */
	SCENE_NEXT,   /* the same flows, in turn: to fill tables */
	SCENE_NEW,    /* a random source and port: all but never seen before */
	SCENE_LISTED, /* the next of scene_list: both addresses and ports */
};

struct scene_flow {
	__be32 from_be, to_be;
	__be16 from_port_be, to_port_be;
	__u32 pad;
};

struct scene {
	/* Source, source port and checksums are put in; SCENE_LISTED: the
	 * destination as well. IPv6: what is put in are bytes 4 to 7. */
	__u64 frame[SCENE_FRAME_MAX / 8];
	__u64 state;       /* of the generator of random numbers */
	__u32 source;      /* of flow 0, host order */
	__u32 mask;        /* flows - 1, flows being a power of two */
	__u32 draw;        /* enum scene_draw */
	__u32 next;        /* of SCENE_NEXT and SCENE_LISTED */
	__u32 listed_from; /* a part of scene_list, */
	__u32 listed_to;   /* not included */
	__u32 ip_sum;      /* checksums of the rest, in memory's order, */
	__u32 l4_sum;      /* neither folded nor inverted */
	/* jiffies of the first and the last packet, of root_timed only */
	__u64 first_tick, last_tick;
};

#endif
