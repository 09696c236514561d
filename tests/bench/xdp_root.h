/*
 * The root program: which frames it writes, which program it calls, and what
 * a packet then costs.
 */
#ifndef TESTS_BENCH_XDP_ROOT_H
#define TESTS_BENCH_XDP_ROOT_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/bench/xdp_scene.h"

enum root_kind { ROOT_TCP4, ROOT_UDP4, ROOT_TCP6, ROOT_TIMED, ROOT_KINDS };

/* What comes to the program under test. */
struct load {
	enum root_kind kind;
	enum scene_draw draw;
	uint32_t flows; /* a power of two, but for SCENE_LISTED */
	uint32_t listed_from; /* SCENE_LISTED: where they are in the list */
	uint32_t source; /* of flow 0, host order */
	const char *to;
	uint16_t port;
	const char *flags; /* of TCP, as tests/lib/packet.h has them; or NULL */
};

struct root;

/* Ends the program with a message when it cannot be loaded, as all here. */
struct root *root_new(void);
void root_free(struct root *r);

void root_calls(struct root *r, int program_fd);
void root_load(struct root *r, const struct load *l);
/* Where SCENE_LISTED takes its flows from: SCENE_LISTED_MAX of them. */
struct scene_flow *root_list(struct root *r);
/* Nanoseconds of CPU time a packet. */
double root_run(struct root *r, const struct load *l, uint32_t packets);
/* Whether what it writes is a whole frame with right checksums; the program
 * that it calls must leave frames alone. */
bool root_frames_are_right(struct root *r, const struct load *l);
/* Of ROOT_TIMED since root_load(): false when none came. */
bool root_ticks(const struct root *r, uint64_t *first, uint64_t *last);
/* Live frames out of an interface, 64 at a time. */
void root_send(struct root *r, unsigned ifindex, uint32_t packets);

void thread_on_cpu(int cpu);
uint64_t thread_cpu_ns(void);

#endif
