/* Loads the root program, gives it a scene, runs it. */
#include "tests/bench/xdp_root.h"

#include <err.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "base/mem.h"
#include "tests/lib/packet.h"
#include "xdp_root.skel.h"

#define BATCH 64
#define SOME  1000 /* frames */
#define SEED  UINT64_C(0x9e3779b97f4a7c15)

struct root {
	struct xdp_root *skel;
	struct scene_flow *list;
	int programs[ROOT_KINDS];
};

static const struct {
	const char *l3, *l4;
	uint32_t length, ports_at, sum_at;
} kinds[ROOT_KINDS] = {
	[ROOT_TCP4] = { "ip4 from=0.0.0.0", "tcp", SCENE_IP4_LENGTH, 34, 50 },
	[ROOT_UDP4] = { "ip4 from=0.0.0.0", "udp", SCENE_IP4_LENGTH, 34, 40 },
	[ROOT_TCP6] = { "ip6 from=2001:db8::1", "tcp", SCENE_IP6_LENGTH, 54,
		70 },
	[ROOT_TIMED] = { "ip4 from=0.0.0.0", "tcp", SCENE_IP4_LENGTH, 34, 50 },
};

struct root *
root_new(void)
{
	struct root *r = xcalloc(1, sizeof(*r));
	void *list;

	r->skel = xdp_root__open_and_load();
	if (r->skel == NULL)
		err(1, "the root program does not load");
	r->programs[ROOT_TCP4] = bpf_program__fd(r->skel->progs.root_tcp4);
	r->programs[ROOT_UDP4] = bpf_program__fd(r->skel->progs.root_udp4);
	r->programs[ROOT_TCP6] = bpf_program__fd(r->skel->progs.root_tcp6);
	r->programs[ROOT_TIMED] = bpf_program__fd(r->skel->progs.root_timed);
	list = mmap(NULL, SCENE_LISTED_MAX * sizeof(*r->list),
		PROT_READ | PROT_WRITE, MAP_SHARED,
		bpf_map__fd(r->skel->maps.scene_list), 0);
	if (list == MAP_FAILED)
		err(1, "the list of flows");
	r->list = list;
	return r;
}

void
root_free(struct root *r)
{
	munmap(r->list, SCENE_LISTED_MAX * sizeof(*r->list));
	xdp_root__destroy(r->skel);
	free(r);
}

struct scene_flow *
root_list(struct root *r)
{
	return r->list;
}

void
root_calls(struct root *r, int program_fd)
{
	uint32_t slot = 0;

	if (bpf_map_update_elem(bpf_map__fd(r->skel->maps.under_test), &slot,
		    &program_fd, BPF_ANY) != 0)
		err(1, "the program under test cannot be called by the root");
}

/* What the template adds up to, its checksum being 0 and so is all that the
 * root will put in. */
static uint32_t
sum_take(uint8_t *frame, uint32_t at)
{
	uint16_t sum;

	memcpy(&sum, frame + at, 2);
	memset(frame + at, 0, 2);
	return (uint16_t)~sum;
}

void
root_load(struct root *r, const struct load *l)
{
	struct scene *s = &r->skel->bss->scene;
	bool listed = l->draw == SCENE_LISTED;
	uint8_t frame[SCENE_FRAME_MAX] = { 0 };
	uint32_t sum_at = kinds[l->kind].sum_at;
	uint64_t random;
	struct packet p;
	char text[256];

	snprintf(text, sizeof(text), "eth %s to=%s %s from=0 to=%u%s%s",
		kinds[l->kind].l3, listed ? "0.0.0.0" : l->to,
		kinds[l->kind].l4, listed ? 0 : l->port,
		l->flags == NULL ? "" : " flags=",
		l->flags == NULL ? "" : l->flags);
	packet_build(&p, text);
	memcpy(frame, packet_data(&p), p.length);
	random = s->state == 0 ? SEED : s->state;
	memset(s, 0, sizeof(*s));
	s->l4_sum = sum_take(frame, sum_at);
	if (l->kind != ROOT_TCP6)
		s->ip_sum = sum_take(frame, 24);
	memcpy(s->frame, frame, sizeof(frame));
	s->state = random; /* new sources must not come back */
	s->source = l->source;
	s->draw = l->draw;
	s->mask = l->flows - 1;
	s->listed_from = l->listed_from;
	s->next = listed ? l->listed_from : 0;
	s->listed_to = l->listed_from + l->flows;
}

uint64_t
thread_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void
thread_on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		err(1, "CPU %d", cpu);
}

double
root_run(struct root *r, const struct load *l, uint32_t packets)
{
	uint8_t frame[SCENE_FRAME_MAX] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
		.data_size_in = kinds[l->kind].length, .repeat = (int)packets);
	uint64_t begin = thread_cpu_ns();

	if (bpf_prog_test_run_opts(r->programs[l->kind], &opts) != 0)
		err(1, "BPF_PROG_TEST_RUN");
	return (double)(thread_cpu_ns() - begin) / packets;
}

/* The pseudo header of what is l4_length bytes long. */
static uint32_t
pseudo_sum(const uint8_t *frame, bool ip4, uint32_t l4_length)
{
	uint8_t pseudo[36] = { 0 };
	uint32_t size = ip4 ? 8 : 32;

	memcpy(pseudo, frame + (ip4 ? 26 : 22), size);
	pseudo[size + 1] = frame[ip4 ? 23 : 20];
	pseudo[size + 2] = (uint8_t)(l4_length >> 8);
	pseudo[size + 3] = (uint8_t)l4_length;
	return (uint16_t)~packet_checksum(pseudo, size + 4, 0);
}

bool
root_frames_are_right(struct root *r, const struct load *l)
{
	bool ip4 = l->kind != ROOT_TCP6;
	uint8_t frame[SCENE_FRAME_MAX] = { 0 }, out[SCENE_FRAME_MAX];
	uint32_t length, l4_at = kinds[l->kind].ports_at;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
		.data_size_in = kinds[l->kind].length, .data_out = out,
		.data_size_out = sizeof(out), .repeat = SOME);

	if (bpf_prog_test_run_opts(r->programs[l->kind], &opts) != 0)
		err(1, "BPF_PROG_TEST_RUN");
	length = ip4 ? (uint32_t)(out[16] << 8 | out[17]) - 20 :
		       (uint32_t)(out[18] << 8 | out[19]);
	if (opts.retval != XDP_PASS ||
		opts.data_size_out != kinds[l->kind].length ||
		l4_at + length > opts.data_size_out)
		return false;
	return (!ip4 || packet_checksum(out + 14, 20, 0) == 0) &&
		packet_checksum(out + l4_at, length,
			pseudo_sum(out, ip4, length)) == 0;
}

bool
root_ticks(const struct root *r, uint64_t *first, uint64_t *last)
{
	*first = r->skel->bss->scene.first_tick;
	*last = r->skel->bss->scene.last_tick;
	return *first != 0;
}

void
root_send(struct root *r, unsigned ifindex, uint32_t packets)
{
	uint8_t frame[SCENE_IP4_LENGTH] = { 0 };
	struct xdp_md ctx = { .data_end = sizeof(frame),
		.ingress_ifindex = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
		.data_size_in = sizeof(frame), .ctx_in = &ctx,
		.ctx_size_in = sizeof(ctx), .repeat = (int)packets,
		.flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);

	if (bpf_prog_test_run_opts(
		    bpf_program__fd(r->skel->progs.generate_tcp4), &opts) != 0)
		err(1, "live frames (BPF_F_TEST_XDP_LIVE_FRAMES, Linux 5.18)");
}
