/*
 * A generator sends out of v0, the program under test receives on v1. What it
 * sends back is counted and dropped at v0, which is the end of the way then.
 * All of it runs on one CPU: in the generator's thread and in ksoftirqd.
 */
#include "tests/bench/xdp_live.h"

#include <dirent.h>
#include <err.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "tests/bench/xdp_gateway.h"
#include "tests/bench/xdp_gateway_slots.h"
#include "tests/bench/xdp_root.h"
#include "xdp_reference.skel.h"

#define FRAMES     2000000
#define WARM_UP    100000
#define SOURCE     0x0a000000u
#define SETTLE_MAX 2000 /* milliseconds */

struct live {
	struct root *root;
	struct gateway *gateway;
	struct xdp_reference *reference;
	unsigned from, to; /* interfaces */
	char schedstat[64]; /* of ksoftirqd */
};

static void
pair_make(struct live *l)
{
	if (system("ip link add v0 type veth peer name v1 &&"
		   "ip link set v0 addrgenmode none &&"
		   "ip link set v1 addrgenmode none &&"
		   "ip link set v0 up && ip link set v1 up") != 0)
		errx(1, "no veth pair; is this a network namespace of its own?");
	l->from = if_nametoindex("v0");
	l->to = if_nametoindex("v1");
}

static void
attach(unsigned ifindex, int program_fd)
{
	/* Away first: two kinds of it can be there. */
	bpf_xdp_detach((int)ifindex, XDP_FLAGS_DRV_MODE, NULL);
	if (bpf_xdp_attach((int)ifindex, program_fd, XDP_FLAGS_DRV_MODE,
		    NULL) != 0)
		err(1, "attaching to a veth interface");
}

static void
ksoftirqd_find(struct live *l, int cpu)
{
	DIR *proc = opendir("/proc");
	char wanted[32], path[300], comm[32];
	struct dirent *entry;

	snprintf(wanted, sizeof(wanted), "ksoftirqd/%d\n", cpu);
	while (proc != NULL && (entry = readdir(proc)) != NULL) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		f = fopen(path, "r");
		if (f == NULL)
			continue;
		if (fgets(comm, sizeof(comm), f) != NULL &&
			strcmp(comm, wanted) == 0)
			snprintf(l->schedstat, sizeof(l->schedstat),
				"/proc/%.16s/schedstat", entry->d_name);
		fclose(f);
	}
	if (proc != NULL)
		closedir(proc);
	if (l->schedstat[0] == '\0')
		errx(1, "no ksoftirqd/%d is seen", cpu);
}

static uint64_t
cpu_ns(const struct live *l)
{
	FILE *f = fopen(l->schedstat, "r");
	uint64_t ns;

	if (f == NULL || fscanf(f, "%" SCNu64, &ns) != 1)
		err(1, "%s", l->schedstat);
	fclose(f);
	return ns + thread_cpu_ns();
}

static uint64_t
received(const struct live *l)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t *counts = calloc((size_t)cpus, sizeof(*counts)), sum = 0;
	uint32_t key = 0;

	if (counts == NULL ||
		bpf_map_lookup_elem(bpf_map__fd(l->reference->maps.received),
			&key, counts) != 0)
		err(1, "the receiver's counter");
	for (int i = 0; i < cpus; i++)
		sum += counts[i];
	free(counts);
	return sum;
}

/* What is under way arrives without the sender; lost frames never do. */
static uint64_t
settle(const struct live *l, uint64_t wanted)
{
	const struct timespec millisecond = { .tv_nsec = 1000000 };
	uint64_t now = received(l);

	for (int i = 0; i < SETTLE_MAX && now < wanted; i++) {
		nanosleep(&millisecond, NULL);
		now = received(l);
	}
	return now;
}

static void
send_some(const struct live *l, const struct load *load, uint32_t frames,
	uint64_t *arrived)
{
	uint64_t before = received(l);

	root_load(l->root, load);
	root_send(l->root, l->from, frames);
	*arrived = settle(l, before + frames) - before;
}

static void
row(const struct live *l, const char *name, int program_fd, uint32_t flows)
{
	const struct load load = { .kind = ROOT_TCP4, .flows = flows,
		.source = SOURCE, .flags = "A", .port = GATEWAY_PORT,
		.to = slot_get(SLOT_DSR4)->address };
	uint64_t arrived, begin;

	attach(l->to, program_fd);
	send_some(l, &load, WARM_UP, &arrived);
	begin = cpu_ns(l);
	send_some(l, &load, FRAMES, &arrived);
	printf("{\"live\": \"%s\", \"sent\": %d, \"arrived\": %" PRIu64
	       ", \"cpu_ns\": %" PRIu64 "}\n",
		name, FRAMES, arrived, cpu_ns(l) - begin);
}

void
live_run(int rounds, int cpu)
{
	struct live l = { 0 };
	int drop, turn, ours;

	thread_on_cpu(cpu);
	pair_make(&l);
	ksoftirqd_find(&l, cpu);
	l.root = root_new();
	l.gateway = gateway_new(true, l.to);
	l.reference = xdp_reference__open_and_load();
	if (l.reference == NULL)
		err(1, "the reference programs do not load");
	drop = bpf_program__fd(l.reference->progs.receive_drop);
	turn = bpf_program__fd(l.reference->progs.receive_turn);
	ours = gateway_program(l.gateway);
	attach(l.from, drop);
	for (int i = 0; i < rounds; i++) {
		row(&l, "drop 1", drop, 1);
		row(&l, "drop 1m", drop, 1u << 20);
		row(&l, "turn 1", turn, 1);
		row(&l, "dsr 1", ours, 1);
		row(&l, "dsr 1m", ours, 1u << 20);
		fflush(stdout);
	}
	xdp_reference__destroy(l.reference);
	gateway_free(l.gateway);
	root_free(l.root);
}
