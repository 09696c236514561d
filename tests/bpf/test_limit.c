/*
 * Limits, prefixes, blocks and samples: what the fastpath writes into the maps
 * and what the loaded XDP program makes of it.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <netinet/in.h>

#include "base/mem.h"
#include "bpf/contract.h"
#include "fastpath/blocks.h"
#include "fastpath/events.h"
#include "fastpath/inner.h"
#include "fastpath/limits.h"
#include "fastpath/prefixes.h"
#include "fastpath/sources.h"
#include "gateway.skel.h"
#include "tests/lib/packet.h"
#include "tests/lib/packet_model.h"

#define EXIT_SKIPPED 77
#define HOUR 3600
#define TCP4 1 /* slots of packet_listeners */
#define TCP6 2
#define UDP4 3
#define FROM4 26 /* of the source address in "eth ip4" */

static struct gateway_bpf *gateway;
static struct fastpath *fastpath;

/* ---- the program, and the fastpath over its maps */

static void
cfg_set(uint32_t admit_shift, uint32_t sample)
{
	const uint32_t zero = 0;
	int fd = bpf_map__fd(gateway->maps.gg_cfg);
	struct gg_cfg cfg;

	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &cfg), 0);
	cfg.admit_shift = admit_shift;
	cfg.sample = sample;
	cfg.seed = 12345;
	assert_int_equal(bpf_map_update_elem(fd, &zero, &cfg, BPF_ANY), 0);
}

static void
listen_all(void)
{
	struct fastpath_listener set[16] = { 0 };
	struct error err = ERROR_INIT;
	size_t count = 0;

	for (const struct packet_listener *l = packet_listeners; l->ip != NULL;
		l++) {
		if (l->slot >= GG_SLOTS_MAX)
			continue;
		set[count].slot = l->slot;
		set[count].l4_proto = l->l4_proto;
		assert_int_equal(addr_parse_ip(l->ip, l->port,
					 &set[count++].addr), 0);
	}
	if (fastpath_listeners_set(fastpath, set, count, &err) != 0)
		fail_msg("%s", err.text);
}

static void
maps_take_all(struct maps *maps)
{
	struct error err = ERROR_INIT;
	struct bpf_map *map;

	maps_init(maps);
	for (int i = 0; i < MAP_COUNT; i++) {
		map = bpf_object__find_map_by_name(gateway->obj, map_names[i]);
		/* one test has another type of table */
		maps->fd[i] = dup(bpf_map__fd(map));
		assert_true(maps->fd[i] >= 0);
	}
	assert_int_equal(maps_configure(maps, 0, &err), 0);
}

/* max_entries of gg_rl4; 0: as built. */
static void
load(uint32_t entries, enum bpf_map_type type)
{
	gateway = gateway_bpf__open();
	assert_non_null(gateway);
	if (entries != 0) {
		bpf_map__set_type(gateway->maps.gg_rl4, type);
		bpf_map__set_max_entries(gateway->maps.gg_rl4, entries);
	}
	assert_int_equal(gateway_bpf__load(gateway), 0);
	fastpath = xcalloc(1, sizeof(*fastpath));
	fastpath->watch_fd = -1;
	fastpath->sets.list = xcalloc(1, sizeof(*fastpath->sets.list));
	fastpath->sets.count = 1;
	maps_take_all(&fastpath->sets.list[0].maps);
	listen_all();
	cfg_set(1, 0);
}

static int
setup(void **state)
{
	(void)state;
	load(0, 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fastpath_close(fastpath, false);
	gateway_bpf__destroy(gateway);
	return 0;
}

/* One at a time: for more the kernel waits for a grace period each time. */
static uint32_t
run(const void *data, size_t length)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = data,
		.data_size_in = (uint32_t)length, .repeat = 1);
	int rc = bpf_prog_test_run_opts(
		bpf_program__fd(gateway->progs.gg_gateway), &options);

	if (rc != 0)
		fail_msg("test run: %s", strerror(errno));
	return options.retval;
}

static struct gg_counters
counters(uint32_t slot)
{
	struct gg_counters sum = { 0 };

	assert_int_equal(maps_count(&fastpath->sets.list[0].maps, slot, &sum),
		0);
	return sum;
}

static struct gg_count
count_of(uint32_t slot, enum gg_reason reason)
{
	struct gg_counters all = counters(slot);
	struct gg_count counts[GG_REASON_COUNT];

	memcpy(counts, &all, sizeof(counts));
	return counts[reason];
}

/* How many of them passed; each that did not was counted under reason. */
static uint64_t
send_some(const char *text, uint32_t slot, enum gg_reason reason,
	uint32_t packets)
{
	uint64_t before = count_of(slot, reason).packets, dropped = 0;
	struct packet p;

	packet_build(&p, text);
	for (uint32_t i = 0; i < packets; i++) {
		uint32_t verdict = run(packet_data(&p), p.length);

		assert_true(verdict == XDP_PASS || verdict == XDP_DROP);
		dropped += verdict == XDP_DROP;
	}
	assert_int_equal(count_of(slot, reason).packets - before, dropped);
	return packets - dropped;
}

/* ---- policies */

static void
limit_slots(const struct fastpath_rule *rules, uint32_t count)
{
	struct fastpath_limits set[] = {
		{ .slot = TCP4, .count = count },
		{ .slot = TCP6, .count = count },
		{ .slot = UDP4, .count = count },
	};
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < 3; i++)
		memcpy(set[i].rules, rules, count * sizeof(*rules));
	if (fastpath_limits_set(fastpath, set, 3, &err) != 0)
		fail_msg("%s", err.text);
}

static void
list_set(const struct packet_prefix *prefixes)
{
	struct fastpath_prefix set[16] = { 0 };
	struct error err = ERROR_INIT;
	size_t count = 0;

	for (; prefixes[count].prefix != NULL; count++) {
		assert_int_equal(addr_prefix_parse(prefixes[count].prefix,
					 &set[count].prefix, &err), 0);
		set[count].deny = prefixes[count].deny;
	}
	if (fastpath_prefixes_set(fastpath, set, count, &err) != 0)
		fail_msg("%s", err.text);
}

static void
block_set(const struct packet_block *blocks, uint32_t ms)
{
	struct error err = ERROR_INIT;
	struct addr a;

	for (; blocks->ip != NULL; blocks++) {
		assert_int_equal(addr_parse_ip(blocks->ip, 0, &a), 0);
		if (fastpath_block(fastpath, blocks->slot, &a, ms, &err) != 0)
			fail_msg("%s", err.text);
	}
}

/* ---- rows */

#define R(name) GG_REASON_##name
/* An hour's worth at once: nothing comes back while the test runs. */
#define AT_ONCE(n) { (n), HOUR, (n) }
#define PACKETS(n) { .packets = AT_ONCE(n), .plen4 = 32, .plen6 = 64 }

static const struct row {
	const char *what;
	struct fastpath_rule rules[GG_RULES_MAX];
	uint32_t rule_count;
	struct packet_prefix prefixes[4];
	struct packet_block block[2];
	const char *packet;
	uint32_t slot;
	enum gg_reason reason; /* under which the rest is dropped */
	uint32_t sent, admitted;
} rows[] = {
	{ .what = "no policy", .packet = "eth ip4 tcp to=80 flags=S",
		.slot = TCP4, .reason = R(drop_denied), .sent = 20,
		.admitted = 20 },
	{ .what = "a denied prefix", .prefixes = { { "192.0.2.0/24", 1 } },
		.packet = "eth ip4 tcp to=80", .reason = R(drop_denied),
		.sent = 5 },
	{ .what = "a denied prefix holds for all protocols",
		.prefixes = { { "192.0.2.0/24", 1 } },
		.packet = "eth ip4 icmp data=8", .reason = R(drop_denied),
		.sent = 5 },
	{ .what = "and for fragments", .prefixes = { { "192.0.2.0/24", 1 } },
		.packet = "eth ip4 offset=185 raw proto=17 data=3",
		.reason = R(drop_denied), .sent = 5 },
	{ .what = "and behind VLAN tags", .prefixes = { { "192.0.2.1", 1 } },
		.packet = "eth vlan vlan ip4 udp to=53",
		.reason = R(drop_denied), .sent = 5 },
	{ .what = "another prefix is not denied",
		.prefixes = { { "192.0.3.0/24", 1 } },
		.packet = "eth ip4 tcp to=80", .reason = R(drop_denied),
		.sent = 5, .admitted = 5 },
	{ .what = "a denied IPv6 prefix",
		.prefixes = { { "2001:db8::/32", 1 } },
		.packet = "eth ip6 tcp to=80", .reason = R(drop_denied),
		.sent = 5 },
	{ .what = "what cannot be parsed has no source",
		.prefixes = { { "::/0", 1 } },
		.packet = "eth ip4 ihl=4 tcp", .reason = R(drop_denied),
		.sent = 5, .admitted = 5 },
	{ .what = "ARP is never denied", .prefixes = { { "::/0", 1 } },
		.packet = "eth type=0806 data=28", .reason = R(drop_denied),
		.sent = 5, .admitted = 5 },
	{ .what = "a longer allowed prefix beats a denied one",
		.prefixes = { { "192.0.2.0/24", 1 }, { "192.0.2.1/32", 0 } },
		.packet = "eth ip4 tcp to=80", .reason = R(drop_denied),
		.sent = 5, .admitted = 5 },
	{ .what = "a longer denied prefix beats an allowed one",
		.prefixes = { { "192.0.0.0/8", 0 }, { "192.0.2.0/25", 1 } },
		.packet = "eth ip4 tcp to=80", .reason = R(drop_denied),
		.sent = 5 },
	{ .what = "no limit applies to an allowed source",
		.rules = { PACKETS(3) },
		.rule_count = 1, .prefixes = { { "192.0.2.1/32", 0 } },
		.packet = "eth ip4 tcp to=80", .slot = TCP4,
		.reason = R(drop_limit_packets), .sent = 20, .admitted = 20 },
	{ .what = "a blocked source opens no connection",
		.block = { { "192.0.2.1", TCP4 } },
		.packet = "eth ip4 tcp to=80 flags=S", .slot = TCP4,
		.reason = R(drop_blocked), .sent = 5 },
	{ .what = "but goes on with those it has",
		.block = { { "192.0.2.1", TCP4 } },
		.packet = "eth ip4 tcp to=80 flags=A", .slot = TCP4,
		.reason = R(drop_blocked), .sent = 5, .admitted = 5 },
	{ .what = "and is not blocked elsewhere",
		.block = { { "192.0.2.1", UDP4 } },
		.packet = "eth ip4 tcp to=80 flags=S", .slot = TCP4,
		.reason = R(drop_blocked), .sent = 5, .admitted = 5 },
	{ .what = "another source is not blocked",
		.block = { { "192.0.2.2", TCP4 } },
		.packet = "eth ip4 tcp to=80 flags=S", .slot = TCP4,
		.reason = R(drop_blocked), .sent = 5, .admitted = 5 },
	{ .what = "a blocked IPv6 source", .block = { { "2001:db8::1", TCP6 } },
		.packet = "eth ip6 tcp to=80 flags=S", .slot = TCP6,
		.reason = R(drop_blocked), .sent = 5 },
	{ .what = "an allowed source is not blocked",
		.prefixes = { { "192.0.2.1/32", 0 } },
		.block = { { "192.0.2.1", TCP4 } },
		.packet = "eth ip4 tcp to=80 flags=S", .slot = TCP4,
		.reason = R(drop_blocked), .sent = 5, .admitted = 5 },
	{ .what = "a limit of packets",
		.rules = { PACKETS(10) },
		.rule_count = 1, .packet = "eth ip4 tcp to=80", .slot = TCP4,
		.reason = R(drop_limit_packets), .sent = 200, .admitted = 10 },
	{ .what = "a limit of one packet",
		.rules = { PACKETS(1) },
		.rule_count = 1, .packet = "eth ip4 udp to=53", .slot = UDP4,
		.reason = R(drop_limit_packets), .sent = 20, .admitted = 1 },
	{ .what = "a limit of packets over IPv6",
		.rules = { PACKETS(10) },
		.rule_count = 1, .packet = "eth ip6 tcp to=80", .slot = TCP6,
		.reason = R(drop_limit_packets), .sent = 200, .admitted = 10 },
	{ .what = "a limit of bytes counts frames of 1514",
		.rules = { { .bytes = AT_ONCE(15140), .plen4 = 32,
			.plen6 = 64 } },
		.rule_count = 1, .packet = "eth ip4 tcp to=80 data=1460",
		.slot = TCP4, .reason = R(drop_limit_bytes), .sent = 50,
		.admitted = 10 },
	{ .what = "a limit of bytes counts frames of 54",
		.rules = { { .bytes = AT_ONCE(5400), .plen4 = 32,
			.plen6 = 64 } },
		.rule_count = 1, .packet = "eth ip4 tcp to=80", .slot = TCP4,
		.reason = R(drop_limit_bytes), .sent = 150, .admitted = 100 },
	{ .what = "a frame longer than the burst never passes",
		.rules = { { .bytes = AT_ONCE(1514), .plen4 = 32,
			.plen6 = 64 } },
		.rule_count = 1, .packet = "eth ip4 tcp to=80 data=1461",
		.slot = TCP4, .reason = R(drop_limit_bytes), .sent = 5 },
	{ .what = "a limit of connections counts SYNs",
		.rules = { { .connections = AT_ONCE(4), .plen4 = 32,
			.plen6 = 64 } },
		.rule_count = 1, .packet = "eth ip4 tcp to=80 flags=S",
		.slot = TCP4, .reason = R(drop_limit_connections), .sent = 20,
		.admitted = 4 },
	{ .what = "and nothing else of TCP",
		.rules = { { .connections = AT_ONCE(4), .plen4 = 32,
			.plen6 = 64 } },
		.rule_count = 1, .packet = "eth ip4 tcp to=80 flags=SA",
		.slot = TCP4, .reason = R(drop_limit_connections), .sent = 20,
		.admitted = 20 },
	{ .what = "and no UDP",
		.rules = { { .connections = AT_ONCE(4), .plen4 = 32,
			.plen6 = 64 } },
		.rule_count = 1, .packet = "eth ip4 udp to=53", .slot = UDP4,
		.reason = R(drop_limit_connections), .sent = 20,
		.admitted = 20 },
	{ .what = "of three limits the closest one refuses",
		.rules = { { .packets = AT_ONCE(100), .bytes = AT_ONCE(5400),
			.connections = AT_ONCE(7), .plen4 = 32, .plen6 = 64 } },
		.rule_count = 1, .packet = "eth ip4 tcp to=80 flags=S",
		.slot = TCP4, .reason = R(drop_limit_connections), .sent = 20,
		.admitted = 7 },
	{ .what = "of two rules the wider one refuses",
		.rules = { PACKETS(10),
			{ .packets = AT_ONCE(6), .plen4 = 24, .plen6 = 48 } },
		.rule_count = 2, .packet = "eth ip4 tcp to=80", .slot = TCP4,
		.reason = R(drop_limit_packets), .sent = 50, .admitted = 6 },
	{ .what = "of two rules of one length the smaller one refuses",
		.rules = { PACKETS(10),
			PACKETS(3) },
		.rule_count = 2, .packet = "eth ip6 udp to=53", .slot = 4,
		.reason = R(drop_limit_packets), .sent = 50, .admitted = 50 },
	{ .what = "the same where the slot is limited",
		.rules = { PACKETS(10),
			PACKETS(3) },
		.rule_count = 2, .packet = "eth ip4 udp to=53", .slot = UDP4,
		.reason = R(drop_limit_packets), .sent = 50, .admitted = 3 },
	{ .what = "shadow drops nothing",
		.rules = { { .packets = AT_ONCE(5), .plen4 = 32, .plen6 = 64,
			.shadow = true } },
		.rule_count = 1, .packet = "eth ip4 tcp to=80", .slot = TCP4,
		.reason = R(drop_limit_packets), .sent = 50, .admitted = 50 },
	{ .what = "a rule beside one in shadow drops",
		.rules = { { .packets = AT_ONCE(2), .plen4 = 32, .plen6 = 64,
				   .shadow = true },
			PACKETS(9) },
		.rule_count = 2, .packet = "eth ip4 tcp to=80", .slot = TCP4,
		.reason = R(drop_limit_packets), .sent = 50, .admitted = 9 },
	{ .what = "to no listener, nothing is limited",
		.rules = { PACKETS(1) },
		.rule_count = 1, .packet = "eth ip4 tcp to=81",
		.reason = R(drop_limit_packets), .sent = 5, .admitted = 5 },
};

static void
assert_row(const struct row *row, uint32_t shift)
{
	struct error err = ERROR_INIT;
	uint64_t admitted;
	struct addr a;

	cfg_set(shift, 0);
	assert_int_equal(fastpath_limits_set(fastpath, NULL, 0, &err), 0);
	if (row->rule_count > 0)
		limit_slots(row->rules, row->rule_count);
	list_set(row->prefixes);
	block_set(row->block, 60000);
	admitted = send_some(row->packet, row->slot, row->reason, row->sent);
	if (admitted != row->admitted)
		fail_msg("%s: %u of %u passed instead of %u (admit_shift %u)",
			row->what, (unsigned)admitted, row->sent,
			row->admitted, shift);
	if (row->block[0].ip != NULL) {
		assert_int_equal(addr_parse_ip(row->block[0].ip, 0, &a), 0);
		fastpath_unblock(fastpath, row->block[0].slot, &a);
	}
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_row(&rows[i], 1);
		if (rows[i].rule_count > 0) {
			assert_row(&rows[i], 0);
			assert_row(&rows[i], 3);
		}
	}
}

static void
test_ipv6_sources_are_prefixes(void **state)
{
	const struct fastpath_rule rules[] = {
		{ .packets = AT_ONCE(10), .plen4 = 24, .plen6 = 64 },
	};

	(void)state;
	limit_slots(rules, 1);
	assert_int_equal(send_some("eth ip6 from=2001:db8:1:2::1 tcp to=80",
				 TCP6, R(drop_limit_packets), 8), 8);
	assert_int_equal(send_some("eth ip6 from=2001:db8:1:2:f::9 tcp to=80",
				 TCP6, R(drop_limit_packets), 8), 2);
	assert_int_equal(send_some("eth ip6 from=2001:db8:1:3::1 tcp to=80",
				 TCP6, R(drop_limit_packets), 8), 8);
	assert_int_equal(send_some("eth ip4 from=192.0.2.1 tcp to=80", TCP4,
				 R(drop_limit_packets), 8), 8);
	assert_int_equal(send_some("eth ip4 from=192.0.2.77 tcp to=80", TCP4,
				 R(drop_limit_packets), 8), 2);
}

static void
test_shadow_is_noted(void **state)
{
	const struct fastpath_rule rules[] = {
		{ .packets = AT_ONCE(5), .bytes = AT_ONCE(100000),
			.plen4 = 32, .plen6 = 64, .shadow = true },
	};

	(void)state;
	limit_slots(rules, 1);
	send_some("eth ip4 tcp to=80", TCP4, R(drop_limit_packets), 50);
	assert_int_equal(counters(TCP4).note_shadow_packets, 45);
	assert_int_equal(counters(TCP4).note_shadow_bytes, 0);
	assert_int_equal(count_of(TCP4, R(pass_listener)).packets, 50);
}

/* ---- blocks end */

static void
block_take(const struct fastpath_block *block, void *arg)
{
	*(struct fastpath_block *)arg = *block;
}

static bool
cfg_has(uint32_t flag)
{
	const uint32_t zero = 0;
	struct gg_cfg cfg;

	assert_int_equal(bpf_map_lookup_elem(
				 bpf_map__fd(gateway->maps.gg_cfg), &zero,
				 &cfg), 0);
	return cfg.flags & flag;
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
	block_set(block, 1500);
	assert_true(cfg_has(GG_CFG_BLOCK));
	assert_int_equal(send_some(syn, TCP4, R(drop_blocked), 3), 0);
	assert_int_equal(fastpath_blocks_each(fastpath, block_take, &seen), 0);
	assert_int_equal(seen.slot, TCP4);
	assert_int_equal(seen.dropped, 3);
	assert_in_range(seen.left_ms, 1, 1500);
	while (send_some(syn, TCP4, R(drop_blocked), 1) == 0)
		poll(NULL, 0, 1);
	clock_gettime(CLOCK_MONOTONIC, &now);
	assert_true((now.tv_sec - begin.tv_sec) * 1000 +
			(now.tv_nsec - begin.tv_nsec) / 1000000 >= 1499);
	assert_int_equal(fastpath_blocks_sweep(fastpath), 0);
	assert_false(cfg_has(GG_CFG_BLOCK));
	/* Taken away before its time. */
	block_set(block, 60000);
	assert_int_equal(send_some(syn, TCP4, R(drop_blocked), 3), 0);
	assert_int_equal(fastpath_blocks_sweep(fastpath), 1);
	assert_int_equal(addr_parse_ip("192.0.2.1", 0, &a), 0);
	fastpath_unblock(fastpath, TCP4, &a);
	assert_int_equal(send_some(syn, TCP4, R(drop_blocked), 3), 3);
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

	assert_int_equal(fastpath_prefix_hits(fastpath, hits_take, &h), 0);
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
	list_set(first);
	assert_true(cfg_has(GG_CFG_LIST));
	send_some("eth ip4 tcp to=80", 0, R(drop_denied), 7);
	send_some("eth ip6 tcp to=80", 0, R(drop_denied), 4);
	assert_int_equal(hits_of("192.0.2.0/24"), 7);
	assert_int_equal(hits_of("2001:db8::/32"), 4);
	list_set(second);
	assert_int_equal(hits_of("192.0.2.0/24"), 7);
	assert_int_equal(hits_of("2001:db8::/32"), UINT64_MAX);
	assert_int_equal(hits_of("10.0.0.0/8"), 0);
	assert_int_equal(hits_of("203.0.113.0/24"), 0);
	assert_int_equal(send_some("eth ip4 tcp to=80", 0, R(drop_denied), 2),
		2);
	assert_int_equal(send_some("eth ip6 tcp to=80", 0, R(drop_denied), 2),
		2);
	assert_int_equal(hits_of("192.0.2.0/24"), 9);
	/* The place of what went is free again, and begins at 0. */
	list_set(first);
	assert_int_equal(hits_of("2001:db8::/32"), 0);
	/* A longer prefix in place of a shorter one that holds it. */
	list_set(longer);
	assert_int_equal(send_some("eth ip4 tcp to=80", 0, R(drop_denied), 2),
		0);
	assert_int_equal(hits_of("192.0.2.1/32"), 2);
	list_set(none);
	assert_false(cfg_has(GG_CFG_LIST));
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
		if (fastpath_prefixes_set(fastpath, set, GG_LIST_MAX, &err) !=
			0)
			fail_msg("%s", err.text);
	}
	assert_int_equal(fastpath_prefixes_set(fastpath, set, GG_LIST_MAX + 1,
				 &err), -1);
	assert_string_equal(err.text,
		"16385 prefixes; the kernel half holds 16384");
	assert_int_equal(send_some("eth ip4 from=64.0.1.9 tcp to=80", 0,
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
	assert_int_equal(fastpath_prefixes_set(fastpath, set, 2, &err), -1);
	assert_string_equal(err.text,
		"the prefix 10.0.0.0/8 stands there twice");
}

/* ---- limits by difference, and what a source has */

static void
source_take(const struct fastpath_source *source, void *arg)
{
	*(struct fastpath_source *)arg = *source;
}

static struct fastpath_source
source_seen(void)
{
	struct fastpath_source seen = { 0 };

	assert_int_equal(fastpath_sources_each(fastpath, source_take, &seen),
		0);
	return seen;
}

static void
test_sources_are_seen(void **state)
{
	const struct fastpath_rule rules[] = {
		{ .packets = AT_ONCE(10), .connections = AT_ONCE(100),
			.plen4 = 24, .plen6 = 56 },
	};
	struct fastpath_source s;
	char text[ADDR_TEXT_MAX];

	(void)state;
	limit_slots(rules, 1);
	send_some("eth ip4 tcp to=80 flags=S", TCP4, R(drop_limit_packets), 8);
	s = source_seen();
	assert_string_equal(addr_prefix_format(&s.prefix, text),
		"192.0.2.0/24");
	assert_int_equal(s.slot, TCP4);
	assert_int_equal(s.rule, 0);
	assert_true(s.packets.limited && !s.bytes.limited);
	assert_int_equal(s.packets.left, 2);
	assert_int_equal(s.packets.burst, 10);
	assert_int_equal(s.connections.left, 92);
	assert_int_equal(s.dropped, 0);
	send_some("eth ip4 tcp to=80", TCP4, R(drop_limit_packets), 33);
	s = source_seen();
	assert_int_equal(s.packets.left, 0);
	assert_int_equal(s.dropped, 31);
	fastpath_limit_forget(fastpath, TCP4);
	assert_int_equal(source_seen().slot, 0);
	cfg_set(0, 0);
	send_some("eth ip6 udp to=53", 4, R(drop_limit_packets), 1);
	send_some("eth ip6 tcp to=80", TCP6, R(drop_limit_packets), 1);
	s = source_seen();
	assert_string_equal(addr_prefix_format(&s.prefix, text),
		"2001:db8::/56");
	assert_int_equal(s.slot, TCP6);
	assert_int_equal(s.packets.left, 9);
}

static void
test_tokens_left_are_those_of_now(void **state)
{
	const struct fastpath_rule rules[] = {
		{ .packets = { 100, 1, 20 }, .plen4 = 32, .plen6 = 64 },
	};
	uint64_t left, last = 0;

	(void)state;
	limit_slots(rules, 1);
	send_some("eth ip4 tcp to=80", TCP4, R(drop_limit_packets), 200);
	do { /* nobody sends, and it fills up to the burst */
		left = source_seen().packets.left;
		assert_true(left >= last && left <= 20);
		last = left;
	} while (left < 20);
}

static void
test_limits_by_difference(void **state)
{
	struct fastpath_rule rules[] = {
		PACKETS(10),
	};
	struct error err = ERROR_INIT;
	struct fastpath_limits wrong = { .slot = TCP4, .count = 1 };
	const char *tcp = "eth ip4 tcp to=80";

	(void)state;
	limit_slots(rules, 1);
	assert_int_equal(send_some(tcp, TCP4, R(drop_limit_packets), 20), 10);
	limit_slots(rules, 1); /* the same: what is spent stays spent */
	listen_all();
	assert_int_equal(send_some(tcp, TCP4, R(drop_limit_packets), 20), 0);
	rules[0].packets.rate = rules[0].packets.burst = 40;
	limit_slots(rules, 1); /* another: begins anew */
	assert_int_equal(send_some(tcp, TCP4, R(drop_limit_packets), 100),
		40);
	/* What is wrong changes nothing. */
	wrong.rules[0] = rules[0];
	wrong.rules[0].plen4 = 33;
	assert_int_equal(fastpath_limits_set(fastpath, &wrong, 1, &err), -1);
	assert_string_equal(err.text,
		"rules[0]: an IPv4 prefix of 33 bits is out of 1..32");
	assert_int_equal(send_some(tcp, TCP4, R(drop_limit_packets), 5), 0);
	/* None any more. */
	assert_int_equal(fastpath_limits_set(fastpath, NULL, 0, &err), 0);
	assert_int_equal(send_some(tcp, TCP4, R(drop_limit_packets), 100), 100);
	assert_int_equal(source_seen().slot, 0);
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

static void
test_samples_of_drops(void **state)
{
	const struct packet_prefix deny[] = { { "192.0.2.0/24", 1 }, { 0 } };
	struct fastpath_events *reader;
	struct error err = ERROR_INIT;
	struct events seen = { 0 };
	char text[ADDR_TEXT_MAX];
	cpu_set_t one;

	(void)state;
	CPU_ZERO(&one); /* the first of each CPU is a sample */
	CPU_SET(0, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	list_set(deny);
	cfg_set(1, 16);
	send_some("eth ip4 tcp from=1 to=80", 0, R(drop_denied), 3);
	reader = fastpath_events_open(fastpath, &err);
	assert_non_null(reader);
	assert_int_equal(fastpath_events_read(reader, event_take, &seen), 0);
	send_some("eth ip4 tcp from=4711 to=80 data=6", 0, R(drop_denied), 62);
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
	cfg_set(1, 0);
	send_some("eth ip4 tcp to=80", 0, R(drop_denied), 200);
	assert_int_equal(fastpath_events_read(reader, event_take, &seen), 0);
	fastpath_events_close(reader);
}

/* ---- floods */

static void
from_set(struct packet *p, uint32_t host)
{
	uint32_t be = htonl(host);

	memcpy(packet_data(p) + FROM4, &be, 4);
}

static size_t
entries_in(int fd)
{
	struct gg_rl4_key key;
	size_t count = 0;
	void *last = NULL;

	while (bpf_map_get_next_key(fd, last, &key) == 0) {
		last = &key;
		count++;
	}
	return count;
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
	limit_slots(rules, 1);
	packet_build(&p, "eth ip4 tcp to=80");
	for (int i = 0; i < 100000; i++) {
		from_set(&p, (uint32_t)packet_random(&random));
		assert_int_equal(run(packet_data(&p), p.length), XDP_PASS);
	}
	assert_int_equal(entries_in(bpf_map__fd(gateway->maps.gg_rl4)), 0);
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
	load(4096, BPF_MAP_TYPE_LRU_HASH);
	limit_slots(rules, 1);
	packet_build(&p, "eth ip4 tcp to=80");
	for (int i = 0; i < 20000; i++) {
		from_set(&p, 0x0b000000u | (packet_random(&random) & 0xffffff));
		for (int n = 0; n < 15; n++)
			run(packet_data(&p), p.length);
		if (i % 100 != 0)
			continue;
		from_set(&p, 0x0a000001);
		admitted += run(packet_data(&p), p.length) == XDP_PASS;
		admitted += run(packet_data(&p), p.length) == XDP_PASS;
	}
	/* 400 packets of a source whose burst is 20: it was never lost. */
	assert_int_equal(admitted, 20);
	assert_in_range(entries_in(bpf_map__fd(gateway->maps.gg_rl4)), 1000,
		4096);
	teardown(NULL);
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
	load(1, BPF_MAP_TYPE_HASH);
	limit_slots(rules, 1);
	packet_build(&p, "eth ip4 tcp to=80");
	for (int i = 0; i < 50; i++)
		run(packet_data(&p), p.length);
	assert_int_equal(entries_in(bpf_map__fd(gateway->maps.gg_rl4)), 1);
	assert_int_equal(count_of(TCP4, R(drop_limit_packets)).packets, 30);
	for (uint32_t host = 1; host <= 200; host++) {
		from_set(&p, 0x0a000000u + host);
		for (int i = 0; i < 40; i++) {
			bool passed = run(packet_data(&p), p.length) ==
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
	assert_true(counters(TCP4).note_source_not_kept > 1000);
	teardown(NULL);
}

/* ---- two CPUs on one source */

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
		run(packet_data(&p), p.length);
		s->sent++;
	}
	return NULL;
}

static union gg_bucket
bucket_of(uint32_t host)
{
	struct gg_rl4_key key = { .slot = TCP4, .plen = 32 };
	struct gg_source value;
	uint32_t be = htonl(host);

	memcpy(key.ip, &be, 4);
	assert_int_equal(bpf_map_lookup_elem(
				 bpf_map__fd(gateway->maps.gg_rl4), &key,
				 &value), 0);
	return value.packets;
}

/* The tick of now: the stamp of a source that comes now. */
static uint32_t
tick_now(uint32_t host)
{
	struct packet p;
	uint32_t stamp;

	cfg_set(0, 0);
	packet_build(&p, "eth ip4 tcp to=80");
	from_set(&p, host);
	run(packet_data(&p), p.length);
	stamp = bucket_of(host).stamp;
	cfg_set(1, 0);
	return stamp;
}

/* excess: the burst outlasts what a busy machine keeps both from sending. */
static void
race(uint64_t rate, uint64_t burst, bool excess)
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

	setup(NULL);
	limit_slots(rules, 1);
	assert_int_equal(bpf_map_lookup_elem(
				 bpf_map__fd(gateway->maps.gg_limit), &zero,
				 &limit), 0);
	before = tick_now(0x0a000001);
	for (int i = 0; i < 2; i++) {
		senders[i].stop = &stop;
		assert_int_equal(pthread_create(&senders[i].thread, NULL,
					 send_all_the_time, &senders[i]), 0);
	}
	packet_build(&p, "eth ip4 tcp to=80");
	while (count_of(TCP4, R(drop_limit_packets)).packets == 0)
		sched_yield();
	after = tick_now(0x0a000002);
	poll(NULL, 0, 1000);
	stop = true;
	for (int i = 0; i < 2; i++) {
		pthread_join(senders[i].thread, NULL);
		sent += senders[i].sent;
	}
	passed = count_of(TCP4, R(pass_listener));
	passed.packets -= 2; /* those of tick_now() */
	contended = count_of(TCP4, R(drop_limit_contended));
	assert_int_equal(sent, passed.packets + contended.packets +
		count_of(TCP4, R(drop_limit_packets)).packets);
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
	teardown(NULL);
}

static void
test_two_cpus_admit_burst_and_rate(void **state)
{
	(void)state;
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip();
	race(1000, 1000, true);
	race(100, 50, true);
	race(50000, 50000, true);
	race(10000, 81, false);
}

/* ---- people read the maps */

static void
test_dumps_are_readable(void **state)
{
	static const char *const fields[] = { "\"slot\"", "\"rule\"",
		"\"plen\"", "\"ip\"", "\"packets\"", "\"tokens\"",
		"\"stamp\"", "\"dropped\"" };
	const struct fastpath_rule rules[] = {
		PACKETS(10),
	};
	struct bpf_map_info info = { 0 };
	uint32_t length = sizeof(info);
	char command[96], text[8192];
	FILE *dump;
	size_t size;

	(void)state;
	limit_slots(rules, 1);
	send_some("eth ip4 tcp to=80", TCP4, R(drop_limit_packets), 20);
	assert_int_equal(bpf_obj_get_info_by_fd(
				 bpf_map__fd(gateway->maps.gg_rl4), &info,
				 &length), 0);
	snprintf(command, sizeof(command), "bpftool map dump id %u", info.id);
	dump = popen(command, "r");
	assert_non_null(dump);
	size = fread(text, 1, sizeof(text) - 1, dump);
	text[size] = '\0';
	assert_int_equal(pclose(dump), 0);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strstr(text, fields[i]) == NULL)
			fail_msg("no %s in %s", fields[i], text);
	}
}

/* ---- noise */

#define MUTATED 200000

static const struct packet_prefix noise_prefixes[] = {
	{ "192.0.0.0/12", 1 },
	{ "192.0.2.0/24", 0 },
	{ "192.0.2.1/32", 1 },
	{ "192.0.2.0/27", 0 },
	{ "192.0.2.0/28", 1 },
	{ NULL, 0 },
};

static const struct packet_block noise_blocks[] = {
	{ "2001:db8::1", TCP6 },
	{ NULL, 0 },
};

static void
noise_limits(struct packet_policy *policy)
{
	struct fastpath_limits set[GG_SLOTS_MAX] = { 0 };
	struct error err = ERROR_INIT;
	size_t count = 0;

	for (uint32_t slot = 0; slot < GG_SLOTS_MAX; slot++) {
		struct fastpath_limits *l = &set[count];

		for (uint32_t i = 0; i < GG_RULES_MAX; i++) {
			const struct packet_rule *r = &policy->rules[slot][i];

			if (r->plen4 == 0)
				break;
#define RATE(n) { (n), 24 * HOUR, (n) }
			l->rules[i] = (struct fastpath_rule){
				.packets = RATE(r->bursts[0]),
				.bytes = RATE(r->bursts[1]),
				.connections = RATE(r->bursts[2]),
				.plen4 = r->plen4,
				.plen6 = r->plen6,
			};
#undef RATE
			l->slot = slot;
			l->count = i + 1;
		}
		count += l->count > 0;
	}
	if (fastpath_limits_set(fastpath, set, count, &err) != 0)
		fail_msg("%s", err.text);
}

static void
noise(const struct packet_prefix *prefixes, uint32_t shift, int packets)
{
	struct packet_policy policy = {
		.prefixes = prefixes,
		.blocks = noise_blocks,
		.rules = {
			[TCP4] = { { { 2000, 300000, 40 }, 32, 64 },
				{ { 3000, 0, 60 }, 24, 48 } },
			[TCP6] = { { { 400, 0, 0 }, 32, 64 } },
			[UDP4] = { { { 0, 90000, 0 }, 20, 64 } },
			[4] = { { { 200, 0, 0 }, 32, 127 } },
		},
	};
	uint64_t random = 42 + shift, seen[GG_REASON_COUNT] = { 0 };
	struct packet_verdict verdict;
	size_t row_count = 0;
	struct packet p;
	uint32_t got, want;

	setup(NULL);
	cfg_set(shift, 4);
	list_set(prefixes);
	block_set(noise_blocks, 600000);
	noise_limits(&policy);
	while (packet_rows[row_count].what != NULL)
		row_count++;
	for (int i = 0; i < packets; i++) {
		packet_build(&p, packet_rows[packet_random(&random) %
					 row_count].packet);
		packet_mutate(packet_data(&p), &p.length, &random);
		if (p.length < 14)
			continue;
		verdict = packet_model_policed(packet_data(&p), p.length,
			&policy);
		seen[verdict.reason]++;
		want = verdict.reason >= GG_REASON_drop_denied ? XDP_DROP :
								 XDP_PASS;
		got = run(packet_data(&p), p.length);
		if (got != want)
			fail_msg("packet %d: verdict %u instead of %s", i, got,
				packet_reason_name(verdict.reason));
	}
	for (int r = 0; r < GG_REASON_COUNT; r++) {
		uint64_t counted = 0;

		for (uint32_t slot = 0; slot < GG_SLOTS_MAX; slot++)
			counted += count_of(slot, (enum gg_reason)r).packets;
		if (counted != seen[r])
			fail_msg("%s: %llu counted instead of %llu",
				packet_reason_name((enum gg_reason)r),
				(unsigned long long)counted,
				(unsigned long long)seen[r]);
	}
	if (prefixes[0].prefix != NULL)
		assert_true(seen[R(drop_denied)] > 1000);
	else
		assert_true(seen[R(drop_limit_packets)] > 0 &&
			seen[R(drop_limit_bytes)] > 0 &&
			seen[R(drop_limit_connections)] > 0 &&
			seen[R(drop_blocked)] > 0);
	packet_policy_free(&policy);
	teardown(NULL);
}

static void
test_mutated_packets(void **state)
{
	const struct packet_prefix none[] = { { 0 } };

	(void)state;
	noise(none, 1, MUTATED / 2);
	noise(none, 0, MUTATED / 4);
	noise(noise_prefixes, 1, MUTATED / 4);
}

static int
print_nothing(enum libbpf_print_level level, const char *fmt, va_list args)
{
	(void)level;
	(void)fmt;
	(void)args;
	return 0;
}

static bool
may_load(void)
{
	gateway = gateway_bpf__open_and_load();
	if (gateway != NULL) {
		gateway_bpf__destroy(gateway);
		return true;
	}
	return errno != EPERM && errno != ENOSYS;
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_rows),
		T(test_ipv6_sources_are_prefixes),
		T(test_shadow_is_noted),
		T(test_a_block_ends_by_itself),
		T(test_prefixes_by_difference),
		T(test_as_many_prefixes_as_there_is_room_for),
		T(test_a_prefix_twice_is_refused),
		T(test_sources_are_seen),
		T(test_tokens_left_are_those_of_now),
		T(test_limits_by_difference),
		T(test_samples_of_drops),
		T(test_a_flood_of_sources_makes_no_entries),
		cmocka_unit_test(test_eviction_attack),
		cmocka_unit_test(test_a_full_table_leaves_the_sketch),
		cmocka_unit_test(test_two_cpus_admit_burst_and_rate),
		T(test_dumps_are_readable),
		cmocka_unit_test(test_mutated_packets),
	};
#undef T

	libbpf_set_print(print_nothing);
	if (!may_load()) {
		printf("skipped: the kernel does not let this user load BPF "
		       "programs: %s\n",
			strerror(errno));
		return EXIT_SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
