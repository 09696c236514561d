/*
 * Two CPUs send from one source at once, much more than its limit. From a full
 * bucket, burst + rate * t must pass, t being the ticks of the kernel between
 * the first packet and the last.
 */
#include "tests/bench/xdp_exact.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "tests/bench/xdp_gateway.h"
#include "tests/bench/xdp_gateway_slots.h"
#include "tests/bench/xdp_root.h"

#define CPUS     2
#define LOOPBACK 1
#define SOURCE   0x0a630001u /* 10.99.0.1 */
#define CHUNK    100000
#define RUN_NS   UINT64_C(1000000000)
#define TAIL_MAX 100

struct sender {
	struct root *root;
	pthread_barrier_t *start;
	const struct load *load;
	uint64_t packets;
	int cpu;
};

struct counted {
	uint64_t passed, refused, contended;
};

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *
sender_run(void *arg)
{
	struct sender *s = arg;
	uint64_t end;

	thread_on_cpu(s->cpu);
	pthread_barrier_wait(s->start);
	end = now_ns() + RUN_NS;
	while (now_ns() < end) {
		root_run(s->root, s->load, CHUNK);
		s->packets += CHUNK;
	}
	return NULL;
}

static struct counted
counted(const struct gateway *g)
{
	return (struct counted){
		gateway_count(g, SLOT_EXACT, GG_REASON_pass_listener),
		gateway_count(g, SLOT_EXACT, GG_REASON_drop_limit_packets),
		gateway_count(g, SLOT_EXACT, GG_REASON_drop_limit_contended),
	};
}

/* The source's bucket must be full before, which takes burst / rate. */
static void
bucket_refill(const struct slot *s)
{
	struct timespec t = { .tv_sec = 1 + s->packets.burst / s->packets.rate };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
		;
}

/* Until the last tick's share is spent as well. */
static bool
tail_run(const struct gateway *g, struct sender *s, uint32_t cost)
{
	struct gg_source source;
	uint64_t first, last;

	for (int i = 0; i < TAIL_MAX; i++) {
		root_run(s->root, s->load, CHUNK);
		s->packets += CHUNK;
		if (!gateway_source(g, SLOT_EXACT, SOURCE, &source))
			return false;
		root_ticks(s->root, &first, &last);
		if (source.packets.stamp == (uint32_t)last &&
			source.packets.tokens < cost)
			return true;
	}
	return false;
}

static void
result_print(const struct sender *senders, const struct counted *before,
	const struct counted *after, const struct slot *s)
{
	uint64_t first = UINT64_MAX, last = 0, packets = 0, from, to;
	struct gg_rule rule = slot_rule(s);

	for (int i = 0; i < CPUS; i++) {
		root_ticks(senders[i].root, &from, &to);
		first = from < first ? from : first;
		last = to > last ? to : last;
		packets += senders[i].packets;
	}
	printf("{\"exact\": %" PRIu64 ", \"ticks\": %" PRIu64
	       ", \"due\": %" PRIu64 ", \"passed\": %" PRIu64
	       ", \"refused\": %" PRIu64 ", \"contended\": %" PRIu64 "}\n",
		packets, last - first,
		(rule.packets.burst + (last - first) * rule.packets.refill) /
			rule.packets.cost,
		after->passed - before->passed,
		after->refused - before->refused,
		after->contended - before->contended);
}

static void
once(struct gateway *g, struct sender *senders, const struct load *l)
{
	const struct slot *s = slot_get(SLOT_EXACT);
	struct counted before, after;
	pthread_barrier_t start;
	pthread_t threads[CPUS];

	bucket_refill(s);
	before = counted(g);
	pthread_barrier_init(&start, NULL, CPUS);
	for (int i = 0; i < CPUS; i++) {
		senders[i].start = &start;
		senders[i].packets = 0;
		root_load(senders[i].root, l);
		if (pthread_create(
			    &threads[i], NULL, sender_run, &senders[i]) != 0)
			err(1, "a thread");
	}
	for (int i = 0; i < CPUS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&start);
	if (!tail_run(g, &senders[0], slot_rule(s).packets.cost)) {
		puts("{\"exact\": 0, \"problem\": \"the source has no bucket\"}");
		return;
	}
	after = counted(g);
	result_print(senders, &before, &after, s);
}

void
exact_run(int times)
{
	const struct load l = { .kind = ROOT_TIMED, .flows = 1,
		.source = SOURCE, .flags = "A", .port = GATEWAY_PORT,
		.to = slot_get(SLOT_EXACT)->address };
	struct gateway *g = gateway_new(true, LOOPBACK);
	struct sender senders[CPUS];

	gateway_admit_all(g, true);
	for (int i = 0; i < CPUS; i++) {
		senders[i] = (struct sender){ .root = root_new(), .cpu = i,
			.load = &l };
		root_calls(senders[i].root, gateway_program(g));
	}
	/* The source gets its entry. */
	root_load(senders[0].root, &l);
	root_run(senders[0].root, &l, 1);
	gateway_admit_all(g, false);
	for (int i = 0; i < times; i++)
		once(g, senders, &l);
	for (int i = 0; i < CPUS; i++)
		root_free(senders[i].root);
	gateway_free(g);
}
