/* Two CPUs on one source: the burst and the rate, and no packet more. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>

#include "tests/lib/limit_world.h"

struct sender {
	pthread_t thread;
	int cpu;
	uint64_t sent;
	volatile bool *stop;
};

static void *
send_all_the_time(void *arg)
{
	struct sender *s = arg;
	struct packet p;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(s->cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
	packet_build(&p, "eth ip4 tcp to=80");
	while (!*s->stop) {
		limited_run(packet_data(&p), p.length);
		s->sent++;
	}
	return NULL;
}

static union gg_bucket
bucket_of(uint32_t host)
{
	struct gg_rl4_key key = { .slot = TCP4, .plen = 32 };
	struct gg_rl4 value;
	uint32_t be = htonl(host);

	memcpy(key.ip, &be, 4);
	assert_int_equal(bpf_map_lookup_elem(
				 bpf_map__fd(limited.gateway->maps.gg_rl4),
					&key,
				 &value), 0);
	return value.source.packets;
}

/* The tick of now: the stamp of a source that comes now. */
static uint32_t
tick_now(uint32_t host)
{
	struct packet p;
	uint32_t stamp;

	limited_cfg(0, 0);
	packet_build(&p, "eth ip4 tcp to=80");
	limited_from(&p, host);
	limited_run(packet_data(&p), p.length);
	stamp = bucket_of(host).stamp;
	limited_cfg(1, 0);
	return stamp;
}

/* fine: by that clock. excess: the burst outlasts what a busy machine keeps both
 * from sending. */
static void
race(uint64_t rate, uint64_t burst, bool fine, bool excess)
{
	const struct fastpath_rule rules[] = {
		{ .packets = { rate, 1, burst }, .plen4 = 32, .plen6 = 64 },
	};
	struct sender senders[2] = { { .cpu = 0 }, { .cpu = 1 } };
	uint32_t before, after, zero = TCP4;
	volatile bool stop = false;
	struct gg_count passed, contended;
	struct gg_limit limit;
	union gg_bucket end;
	uint64_t sent = 0, most, least;
	struct packet p;

	limited_setup(NULL);
	limited_slots(rules, 1);
	assert_int_equal(bpf_map_lookup_elem(
				 bpf_map__fd(limited.gateway->maps.gg_limit),
					&zero,
				 &limit), 0);
	assert_int_equal(limit.rules[0].packets.flags & GG_RATE_FINE,
		fine ? GG_RATE_FINE : 0);
	before = tick_now(0x0a000001);
	for (int i = 0; i < 2; i++) {
		senders[i].stop = &stop;
		assert_int_equal(pthread_create(&senders[i].thread, NULL,
					 send_all_the_time, &senders[i]), 0);
	}
	packet_build(&p, "eth ip4 tcp to=80");
	while (limited_count(TCP4, R(drop_limit_packets)).packets == 0)
		sched_yield();
	after = tick_now(0x0a000002);
	poll(NULL, 0, 1000);
	stop = true;
	for (int i = 0; i < 2; i++) {
		pthread_join(senders[i].thread, NULL);
		sent += senders[i].sent;
	}
	passed = limited_count(TCP4, R(pass_listener));
	passed.packets -= 2; /* those of tick_now() */
	contended = limited_count(TCP4, R(drop_limit_contended));
	assert_int_equal(sent, passed.packets + contended.packets +
		limited_count(TCP4, R(drop_limit_packets)).packets);
	/* Both sent until the end, so what is in the bucket is what came since
	 * its stamp. It began between before and after. */
	end = bucket_of(0xc0000201);
	most = burst + ((uint64_t)(end.stamp - before) *
				limit.rules[0].packets.refill - end.tokens) /
			limit.rules[0].packets.cost;
	least = burst + ((uint64_t)(end.stamp - after) *
				 limit.rules[0].packets.refill - end.tokens) /
			limit.rules[0].packets.cost;
	print_message("%llu/s burst %llu: %llu of %llu..%llu admitted, %llu "
		      "contended, %llu sent\n",
		(unsigned long long)rate, (unsigned long long)burst,
		passed.packets, (unsigned long long)least,
		(unsigned long long)most, contended.packets,
		(unsigned long long)sent);
	assert_true(passed.packets <= most);
	assert_true(!excess || passed.packets + contended.packets >= least);
	limited_teardown(NULL);
}

static void
test_two_cpus_admit_burst_and_rate(void **state)
{
	(void)state;
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip();
	race(1000, 2500, false, true);
	race(100, 250, false, true);
	race(50000, 100000, false, true);
	race(10000, 81, false, false);
	race(10000, 20, true, false);
	race(100000, 300, true, false);
}

int
main(void)
{
#define T(name)                                                                \
	cmocka_unit_test_setup_teardown(name, limited_setup, limited_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_cpus_admit_burst_and_rate),
	};
#undef T

	if (!limited_may_load())
		return LIMITED_SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
