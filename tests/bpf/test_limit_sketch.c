/* Floods of sources: the sketch, what it is there for, and eviction. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <netinet/in.h>

#include "base/mem.h"
#include "fastpath/marks.h"
#include "fastpath/sources.h"
#include "fastpath/inner.h"
#include "tests/lib/limit_world.h"

static size_t
entries(void)
{
	return limited_entries(bpf_map__fd(limited.gateway->maps.gg_rl4));
}

static void
test_a_flood_of_sources_makes_no_entries(void **state)
{
	const struct fastpath_rule rules[] = {
		{ .packets = { 1000, 1, 1000 }, .plen4 = 32, .plen6 = 64 },
	};
	uint64_t random = 3;
	struct packet p;

	(void)state;
	limited_slots(rules, 1);
	packet_build(&p, "eth ip4 tcp to=80");
	for (int i = 0; i < 100000; i++) {
		limited_from(&p, (uint32_t)packet_random(&random));
		assert_int_equal(limited_run(packet_data(&p), p.length),
			XDP_PASS);
	}
	assert_int_equal(entries(), 0);
}

/* l4-xdp 2.4: sources that come twice and more push entries out. */
static void
test_eviction_attack(void **state)
{
	const struct fastpath_rule rules[] = {
		PACKETS(20),
	};
	uint64_t random = 3, admitted = 0;
	struct packet p;

	(void)state;
	limited_load(4096, BPF_MAP_TYPE_LRU_HASH);
	limited_slots(rules, 1);
	packet_build(&p, "eth ip4 tcp to=80");
	for (int i = 0; i < 20000; i++) {
		limited_from(&p,
			0x0b000000u | (packet_random(&random) & 0xffffff));
		for (int n = 0; n < 15; n++)
			limited_run(packet_data(&p), p.length);
		if (i % 100 != 0)
			continue;
		limited_from(&p, 0x0a000001);
		admitted += limited_run(packet_data(&p), p.length) == XDP_PASS;
		admitted += limited_run(packet_data(&p), p.length) == XDP_PASS;
	}
	/* 400 packets of a source whose burst is 20: it was never lost. */
	assert_int_equal(admitted, 20);
	assert_in_range(entries(), 1000,
		4096);
	limited_teardown(NULL);
}

static void
test_a_full_table_leaves_the_sketch(void **state)
{
	const struct fastpath_rule rules[] = {
		PACKETS(20),
	};
	struct packet p;

	(void)state;
	/* A table that refuses where an LRU forgets. */
	limited_load(1, BPF_MAP_TYPE_HASH);
	limited_slots(rules, 1);
	packet_build(&p, "eth ip4 tcp to=80");
	for (int i = 0; i < 50; i++)
		limited_run(packet_data(&p), p.length);
	assert_int_equal(entries(), 1);
	assert_int_equal(limited_count(TCP4, R(drop_limit_packets)).packets,
		30);
	for (uint32_t host = 1; host <= 200; host++) {
		limited_from(&p, 0x0a000000u + host);
		for (int i = 0; i < 40; i++) {
			bool passed = limited_run(packet_data(&p), p.length) ==
				XDP_PASS;

			/* not all dropped, not without limit */
			if (i < 11 && !passed)
				fail_msg("packet %d of source %u dropped", i,
					host);
			if (i >= 20 && passed)
				fail_msg("packet %d of source %u passed", i,
					host);
		}
	}
	assert_true(limited_counters(TCP4).note_source_not_kept > 1000);
	limited_teardown(NULL);
}

/* ---- marks: which sources are looked up in the table */

static const struct maps *
maps(void)
{
	return &limited.fastpath->sets.list[0].maps;
}

static void
rebuild(void)
{
	struct error err = ERROR_INIT;

	if (marks_rebuild(maps(), &err) != 0)
		fail_msg("%s", err.text);
}

/* An entry that somebody else makes is no entry until it has a mark. */
static void
test_marks_are_made_of_the_entries(void **state)
{
	const struct fastpath_rule rules[] = { PACKETS(20) };
	struct gg_rl4_key key4 = { .slot = TCP4, .plen = 32,
		.ip = { 192, 0, 2, 1 } };
	struct gg_rl6_key key6 = { .slot = TCP6, .plen = 64,
		.ip = { 0x20, 0x01, 0x0d, 0xb8 } };
	const struct gg_rl4 empty4 = { 0 };
	const struct gg_rl6 empty6 = { 0 };
	struct error err = ERROR_INIT;

	(void)state;
	limited_slots(rules, 1);
	assert_int_equal(marks_count(maps()), 0);
	assert_int_equal(bpf_map_update_elem(maps()->fd[MAP_RL4], &key4,
				 &empty4, BPF_ANY), 0);
	assert_int_equal(bpf_map_update_elem(maps()->fd[MAP_RL6], &key6,
				 &empty6, BPF_ANY), 0);
	assert_int_equal(limited_send("eth ip4 tcp to=80", TCP4,
				 R(drop_limit_packets), 5), 5);
	assert_int_equal(marks_fill(maps(), &err), 0);
	assert_int_equal(marks_count(maps()), 2);
	/* The stamp of 0 was long ago: the bucket is full. */
	limited_send("eth ip4 tcp to=80", TCP4, R(drop_limit_packets), 100);
	limited_send("eth ip6 tcp to=80", TCP6, R(drop_limit_packets), 100);
	assert_int_equal(bpf_map_lookup_elem(maps()->fd[MAP_RL4], &key4,
				 (void *)&(struct gg_rl4){ 0 }), 0);
	rebuild();
	assert_int_equal(marks_count(maps()), 2);
	assert_int_equal(limited_send("eth ip4 tcp to=80", TCP4,
				 R(drop_limit_packets), 100), 0);
	assert_int_equal(limited_send("eth ip6 tcp to=80", TCP6,
				 R(drop_limit_packets), 100), 0);
	fastpath_limit_forget(limited.fastpath, TCP4);
	rebuild();
	assert_int_equal(marks_count(maps()), 1);
	assert_int_equal(limited_send("eth ip6 tcp to=80", TCP6,
				 R(drop_limit_packets), 100), 0);
	fastpath_limit_forget(limited.fastpath, TCP6);
	rebuild();
	assert_int_equal(marks_count(maps()), 0);
}

/* Once at first, then when there are many; one process at a time. */
static void
test_marks_are_looked_after(void **state)
{
	struct gg_rl4_key key = { .slot = TCP4, .plen = 32 };
	char folder[] = "/tmp/limit-marks-XXXXXX";
	const struct gg_rl4 empty = { 0 };
	int other;

	(void)state;
	assert_non_null(mkdtemp(folder));
	limited.fastpath->pin_path = xstrdup(folder);
	assert_int_equal(bpf_map_update_elem(maps()->fd[MAP_RL4], &key, &empty,
				 BPF_ANY), 0);
	other = open(folder, O_RDONLY | O_DIRECTORY);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	fastpath_marks_look(limited.fastpath, 1);
	assert_int_equal(marks_count(maps()), 0);
	close(other);
	fastpath_marks_look(limited.fastpath, 59999);
	assert_int_equal(marks_count(maps()), 0);
	fastpath_marks_look(limited.fastpath, 60001);
	assert_int_equal(marks_count(maps()), 1);
	/* Sources that came and went: their marks go when they are many. */
	for (uint32_t i = 0; i < GG_MARKS / 16; i++) {
		memcpy(key.ip, &i, sizeof(i));
		bpf_map_update_elem(maps()->fd[MAP_RL4], &key, &empty, BPF_ANY);
		if (i % 1024 == 1023) {
			struct error err = ERROR_INIT;

			assert_int_equal(marks_fill(maps(), &err), 0);
			fastpath_limit_forget(limited.fastpath, TCP4);
		}
	}
	assert_true(marks_count(maps()) > GG_MARKS / 20);
	fastpath_marks_look(limited.fastpath, 120000);
	assert_true(marks_count(maps()) > GG_MARKS / 20);
	fastpath_marks_look(limited.fastpath, 120001);
	assert_int_equal(marks_count(maps()), 0);
	rmdir(folder);
}

/* Another salt: all sources have other cells. */
static void
sketch_forget(uint64_t salt)
{
	const uint32_t zero = 0;
	struct gg_cfg cfg;

	assert_int_equal(bpf_map_lookup_elem(maps()->fd[MAP_CFG], &zero, &cfg),
		0);
	cfg.salt = salt;
	assert_int_equal(bpf_map_update_elem(maps()->fd[MAP_CFG], &zero, &cfg,
				 BPF_ANY), 0);
}

static bool
has_entry(uint32_t host)
{
	struct gg_rl4_key key = { .slot = TCP4, .plen = 32 };
	uint32_t be = htonl(host);
	struct gg_rl4 value;

	memcpy(key.ip, &be, sizeof(be));
	return bpf_map_lookup_elem(maps()->fd[MAP_RL4], &key, &value) == 0;
}

struct rebuilder {
	pthread_t thread;
	volatile bool stop;
	unsigned rounds;
	struct error err;
};

static void *
rebuild_all_the_time(void *arg)
{
	struct rebuilder *r = arg;

	while (!r->stop && r->err.code == ERROR_NONE) {
		marks_rebuild(maps(), &r->err);
		__atomic_add_fetch(&r->rounds, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/* Sources come and come back while the marks are made anew: who spent its burst
 * gets nothing more, whichever half was just cleared. */
static void
test_no_entry_is_unseen_while_marks_are_made_anew(void **state)
{
	const struct fastpath_rule rules[] = { PACKETS(20) };
	struct rebuilder r = { .err = ERROR_INIT };
	uint32_t hosts = 0, admitted;
	struct packet p;

	(void)state;
	limited_slots(rules, 1);
	packet_build(&p, "eth ip4 tcp to=80");
	assert_int_equal(pthread_create(&r.thread, NULL, rebuild_all_the_time,
				 &r), 0);
	while (hosts < 3000 ||
		__atomic_load_n(&r.rounds, __ATOMIC_SEQ_CST) < 30) {
		/* As far from each other as marks are. */
		limited_from(&p, 0x0a000000u + hosts++ * 257);
		admitted = 0;
		for (int i = 0; i < 25; i++)
			admitted += limited_run(packet_data(&p), p.length) ==
				XDP_PASS;
		/* Less than 20 with cells that are others' too. */
		assert_in_range(admitted, 9, 20);
		assert_true(has_entry(0x0a000000u + (hosts - 1) * 257));
		/* Else the sketch would hide that an entry is unseen. */
		sketch_forget(hosts);
		for (uint32_t again = 1; again <= 10; again++) {
			limited_from(&p, 0x0a000000u +
				(hosts * again / 10 - 1) % hosts * 257);
			if (hosts > 10 &&
				limited_run(packet_data(&p), p.length) !=
					XDP_DROP)
				fail_msg("source %u of %u was not seen",
					hosts * again / 10 - 1, hosts);
		}
		if (hosts == 40000)
			break;
	}
	r.stop = true;
	pthread_join(r.thread, NULL);
	if (r.err.code != ERROR_NONE)
		fail_msg("%s", r.err.text);
	print_message("%u sources, %u times anew\n", hosts, r.rounds);
	assert_true(r.rounds >= 3);
}

/* Beyond its entries of a tick a CPU leaves sources to the sketch, which has
 * half a burst for each. */
static void
test_flood_guard_is_told(void **state)
{
	const uint32_t zero = 0;
	struct error err = ERROR_INIT;
	struct gg_cfg cfg;

	(void)state;
	assert_int_equal(fastpath_flood_guard_set(limited.fastpath, 4711, &err),
		0);
	assert_int_equal(bpf_map_lookup_elem(maps()->fd[MAP_CFG], &zero, &cfg),
		0);
	assert_int_equal(cfg.flood_guard, 4711);
}

static void
test_guard_bounds_entries(void **state)
{
	const struct fastpath_rule rules[] = { PACKETS(20) };
	const uint32_t zero = 0;
	uint32_t passed = 0, first = 0;
	struct error err = ERROR_INIT;
	struct gg_cfg cfg;
	struct packet p;

	(void)state;
	limited_slots(rules, 1);
	assert_int_equal(maps_configure(maps(), 0, 0, &err), 0);
	assert_int_equal(bpf_map_lookup_elem(maps()->fd[MAP_CFG], &zero, &cfg),
		0);
	assert_true(cfg.source_guard > 0 && cfg.source_guard <= 201);
	cfg.source_guard = 1;
	assert_int_equal(bpf_map_update_elem(maps()->fd[MAP_CFG], &zero, &cfg,
				 BPF_ANY), 0);
	packet_build(&p, "eth ip4 tcp to=80");
	for (uint32_t host = 0; host < 5000; host++) {
		limited_from(&p, 0x0a000000u + host * 257);
		for (int i = 0; i < 12; i++) {
			bool pass = limited_run(packet_data(&p), p.length) ==
				XDP_PASS;

			passed += pass;
			first += pass && i == 0;
		}
	}
	assert_in_range(entries(), 2, 4000);
	assert_true(limited_counters(TCP4).note_source_not_kept > 1000);
	/* Nearly all, but for those whose cells are others' too. */
	assert_in_range(first, 4900, 5000);
	assert_in_range(passed, 49000, 60000);
}

int
main(void)
{
#define T(name)                                                                \
	cmocka_unit_test_setup_teardown(name, limited_setup, limited_teardown)
	const struct CMUnitTest tests[] = {
		T(test_a_flood_of_sources_makes_no_entries),
		cmocka_unit_test(test_eviction_attack),
		cmocka_unit_test(test_a_full_table_leaves_the_sketch),
		T(test_marks_are_made_of_the_entries),
		T(test_no_entry_is_unseen_while_marks_are_made_anew),
		T(test_marks_are_looked_after),
		T(test_flood_guard_is_told),
		T(test_guard_bounds_entries),
	};
#undef T

	if (!limited_may_load())
		return LIMITED_SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
