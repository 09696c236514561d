/* Denied and allowed prefixes, blocks and samples of what is dropped, in the
 * loaded XDP program. */
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <bpf/libbpf.h>
#include <netinet/in.h>

#include "base/clock.h"
#include "base/mem.h"
#include "fastpath/events.h"
#include "tests/lib/limit_world.h"

/* ---- blocks end */

static void
block_take(const struct fastpath_block *block, void *arg)
{
	*(struct fastpath_block *)arg = *block;
}

static void
test_a_block_ends_by_itself(void **state)
{
	const struct packet_block block[] = { { "192.0.2.1", TCP4 }, { 0 } };
	const char *syn = "eth ip4 tcp to=80 flags=S";
	struct fastpath_block seen = { 0 };
	struct timespec begin, now;
	struct addr a;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	limited_block(block, 4000);
	assert_true(limited_cfg_has(GG_CFG_BLOCK));
	assert_int_equal(limited_send(syn, TCP4, R(drop_blocked), 3), 0);
	assert_int_equal(fastpath_blocks_each(limited.fastpath, block_take,
		&seen), 0);
	assert_int_equal(seen.slot, TCP4);
	assert_int_equal(seen.dropped, 3);
	assert_in_range(seen.left_ms, 1, 4000);
	while (limited_send(syn, TCP4, R(drop_blocked), 1) == 0)
		poll(NULL, 0, 1);
	clock_gettime(CLOCK_MONOTONIC, &now);
	assert_true((now.tv_sec - begin.tv_sec) * 1000 +
			    (now.tv_nsec - begin.tv_nsec) / 1000000 >=
		    3999);
	assert_int_equal(fastpath_blocks_sweep(limited.fastpath), 0);
	assert_false(limited_cfg_has(GG_CFG_BLOCK));
	/* Taken away before its time. */
	limited_block(block, 60000);
	assert_int_equal(limited_send(syn, TCP4, R(drop_blocked), 3), 0);
	assert_int_equal(fastpath_blocks_sweep(limited.fastpath), 1);
	assert_int_equal(addr_parse_ip("192.0.2.1", 0, &a), 0);
	fastpath_unblock(limited.fastpath, TCP4, &a);
	assert_int_equal(limited_send(syn, TCP4, R(drop_blocked), 3), 3);
}

/* ---- prefixes keep their hits */

struct hits {
	const char *prefix;
	uint64_t hits;
	int deny;
};

static void
hits_take(const struct fastpath_prefix *prefix, uint64_t hits, void *arg)
{
	struct hits *h = arg;
	char text[ADDR_TEXT_MAX];

	if (strcmp(addr_prefix_format(&prefix->prefix, text), h->prefix) != 0)
		return;
	h->hits = hits;
	h->deny = prefix->deny;
}

static uint64_t
hits_of(const char *prefix)
{
	struct hits h = { .prefix = prefix, .hits = UINT64_MAX };

	assert_int_equal(fastpath_prefix_hits(limited.fastpath, hits_take, &h),
		0);
	return h.hits;
}

static void
test_prefixes_by_difference(void **state)
{
	const struct packet_prefix first[] = { { "192.0.2.0/24", 1 },
		{ "2001:db8::/32", 1 }, { 0 } };
	const struct packet_prefix second[] = { { "10.0.0.0/8", 1 },
		{ "192.0.2.0/24", 0 }, { "203.0.113.0/24", 1 }, { 0 } };
	const struct packet_prefix longer[] = { { "192.0.2.1", 1 }, { 0 } };
	const struct packet_prefix none[] = { { 0 } };

	(void)state;
	limited_list(first);
	assert_true(limited_cfg_has(GG_CFG_LIST));
	limited_send("eth ip4 tcp to=80", 0, R(drop_denied), 7);
	limited_send("eth ip6 tcp to=80", 0, R(drop_denied), 4);
	assert_int_equal(hits_of("192.0.2.0/24"), 7);
	assert_int_equal(hits_of("2001:db8::/32"), 4);
	limited_list(second);
	assert_int_equal(hits_of("192.0.2.0/24"), 7);
	assert_int_equal(hits_of("2001:db8::/32"), UINT64_MAX);
	assert_int_equal(hits_of("10.0.0.0/8"), 0);
	assert_int_equal(hits_of("203.0.113.0/24"), 0);
	assert_int_equal(limited_send("eth ip4 tcp to=80", 0, R(drop_denied),
		2),
		2);
	assert_int_equal(limited_send("eth ip6 tcp to=80", 0, R(drop_denied),
		2),
		2);
	assert_int_equal(hits_of("192.0.2.0/24"), 9);
	/* The place of what went is free again, and begins at 0. */
	limited_list(first);
	assert_int_equal(hits_of("2001:db8::/32"), 0);
	/* A longer prefix in place of a shorter one that holds it. */
	limited_list(longer);
	assert_int_equal(limited_send("eth ip4 tcp to=80", 0, R(drop_denied),
		2),
		0);
	assert_int_equal(hits_of("192.0.2.1/32"), 2);
	limited_list(none);
	assert_false(limited_cfg_has(GG_CFG_LIST));
}

static void
test_as_many_prefixes_as_there_is_room_for(void **state)
{
	struct fastpath_prefix *set = xcalloc(GG_LIST_MAX + 1, sizeof(*set));
	struct error err = ERROR_INIT;

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i <= GG_LIST_MAX; i++) {
			uint32_t be = htonl(i << 8 | (round == 0 ? 0 :
							   1u << 30));

			set[i].deny = true;
			set[i].prefix.bits = 120;
			set[i].prefix.ip[10] = set[i].prefix.ip[11] = 0xff;
			memcpy(set[i].prefix.ip + 12, &be, 4);
		}
		if (fastpath_prefixes_set(limited.fastpath, set, GG_LIST_MAX,
			&err) !=
			0)
			fail_msg("%s", err.text);
	}
	assert_int_equal(fastpath_prefixes_set(limited.fastpath, set,
		GG_LIST_MAX + 1,
				 &err), -1);
	assert_string_equal(err.text,
		"16385 prefixes; the kernel half holds 16384");
	assert_int_equal(limited_send("eth ip4 from=64.0.1.9 tcp to=80", 0,
				 R(drop_denied), 3), 0);
	assert_int_equal(hits_of("64.0.1.0/24"), 3);
	free(set);
}

static void
test_a_prefix_twice_is_refused(void **state)
{
	struct fastpath_prefix set[2] = { 0 };
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(addr_prefix_parse("10.1.2.3/8", &set[0].prefix, NULL),
		0);
	assert_int_equal(addr_prefix_parse("10.0.0.0/8", &set[1].prefix, NULL),
		0);
	set[0].deny = true;
	assert_int_equal(fastpath_prefixes_set(limited.fastpath, set, 2, &err),
		-1);
	assert_string_equal(err.text,
		"the prefix 10.0.0.0/8 stands there twice");
}

/* ---- samples */

struct events {
	size_t count;
	struct fastpath_event last;
};

static void
event_take(const struct fastpath_event *event, void *arg)
{
	struct events *e = arg;

	e->count++;
	e->last = *event;
}

/* The first drop of each is a sample. */
static void
cpu_keep(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
}

static void
test_samples_of_drops(void **state)
{
	const struct packet_prefix deny[] = { { "192.0.2.0/24", 1 }, { 0 } };
	struct fastpath_events *reader;
	struct error err = ERROR_INIT;
	struct events seen = { 0 };
	char text[ADDR_TEXT_MAX];

	(void)state;
	cpu_keep();
	limited_list(deny);
	limited_cfg(1, 16);
	limited_cfg_hz(UINT32_MAX); /* no sample for the sake of a second */
	limited_send("eth ip4 tcp from=1 to=80", 0, R(drop_denied), 3);
	reader = fastpath_events_open(limited.fastpath, &err);
	assert_non_null(reader);
	assert_int_equal(fastpath_events_read(reader, event_take, &seen), 0);
	limited_send("eth ip4 tcp from=4711 to=80 data=6", 0, R(drop_denied),
		62);
	assert_int_equal(fastpath_events_read(reader, event_take, &seen), 4);
	assert_int_equal(seen.count, 4);
	assert_string_equal(seen.last.reason, "drop_denied");
	assert_string_equal(addr_format(&seen.last.from, text),
		"192.0.2.1:4711");
	assert_string_equal(addr_format(&seen.last.to, text),
		"198.51.100.1:80");
	assert_int_equal(seen.last.l4_proto, IPPROTO_TCP);
	assert_int_equal(seen.last.length, 60);
	assert_int_equal(seen.last.slot, 0);
	limited_cfg(1, 0);
	limited_send("eth ip4 tcp to=80", 0, R(drop_denied), 200);
	assert_int_equal(fastpath_events_read(reader, event_take, &seen), 0);
	fastpath_events_close(reader);
}

/* Of a client that is dropped once in a while there is a sample each second. */
static void
test_rare_drops_are_seen(void **state)
{
	const struct packet_prefix deny[] = { { "192.0.2.0/24", 1 }, { 0 } };
	uint64_t end_ms = clock_monotonic_ms() + 20000;
	struct fastpath_events *reader;
	struct error err = ERROR_INIT;
	struct events seen = { 0 };

	(void)state;
	cpu_keep();
	limited_list(deny);
	limited_cfg(1, 1u << 31);
	limited_send("eth ip4 tcp to=80", 0, R(drop_denied), 1);
	reader = fastpath_events_open(limited.fastpath, &err);
	assert_non_null(reader);
	while (seen.count < 2 && clock_monotonic_ms() < end_ms) {
		limited_send("eth ip4 tcp to=80", 0, R(drop_denied), 1);
		fastpath_events_read(reader, event_take, &seen);
	}
	assert_int_equal(seen.count, 2);
	fastpath_events_close(reader);
}

int
main(void)
{
#define T(name)                                                                \
	cmocka_unit_test_setup_teardown(name, limited_setup, limited_teardown)
	const struct CMUnitTest tests[] = {
		T(test_rare_drops_are_seen),
		T(test_a_block_ends_by_itself),
		T(test_prefixes_by_difference),
		T(test_as_many_prefixes_as_there_is_room_for),
		T(test_a_prefix_twice_is_refused),
		T(test_samples_of_drops),
	};
#undef T

	if (!limited_may_load())
		return LIMITED_SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
