/* Policies, row by row and over noise: what the fastpath writes into the maps
 * and what the loaded XDP program makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "tests/lib/limit_world.h"

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
	{ .what = "nor any other address of its /64",
		.block = { { "2001:db8::5:6:7:8", TCP6 } },
		.packet = "eth ip6 from=2001:db8::ffff:0:0:1 tcp to=80 flags=S",
		.slot = TCP6, .reason = R(drop_blocked), .sent = 5 },
	{ .what = "one of another /64 is not blocked",
		.block = { { "2001:db8::5:6:7:8", TCP6 } },
		.packet = "eth ip6 from=2001:db8:0:1:5:6:7:8 tcp to=80 flags=S",
		.slot = TCP6, .reason = R(drop_blocked), .sent = 5,
		.admitted = 5 },
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
	{ .what = "a limit of connections counts SYNs whose options come in "
		  "another fragment",
		.rules = { { .connections = AT_ONCE(4), .plen4 = 32,
			.plen6 = 64 } },
		.rule_count = 1, .packet = "eth ip4 mf=1 tcp to=80 flags=S",
		.slot = TCP4, .reason = R(drop_limit_connections), .sent = 20,
		.admitted = 4 },
	{ .what = "and first fragments whose flags come in another one",
		.rules = { { .connections = AT_ONCE(4), .plen4 = 32,
			.plen6 = 64 } },
		.rule_count = 1,
		.packet = "eth ip4 len=28 mf=1 tcp to=80 cut=42",
		.slot = TCP4, .reason = R(drop_limit_connections), .sent = 20,
		.admitted = 4 },
	{ .what = "and over IPv6, with a header before the ports",
		.rules = { { .connections = AT_ONCE(4), .plen4 = 32,
			.plen6 = 64 } },
		.rule_count = 1,
		.packet = "eth ip6 frag mf=1 dest tcp to=80 flags=S",
		.slot = TCP6, .reason = R(drop_limit_connections), .sent = 20,
		.admitted = 4 },
	{ .what = "a limit of packets counts first fragments",
		.rules = { PACKETS(10) },
		.rule_count = 1, .packet = "eth ip4 mf=1 udp to=53 data=16",
		.slot = UDP4, .reason = R(drop_limit_packets), .sent = 50,
		.admitted = 10 },
	{ .what = "and no later ones, which have no ports",
		.rules = { PACKETS(10) },
		.rule_count = 1,
		.packet = "eth ip4 offset=185 raw proto=17 data=3",
		.slot = UDP4, .reason = R(drop_limit_packets), .sent = 50,
		.admitted = 50 },
	{ .what = "a blocked source begins no fragmented connection",
		.block = { { "192.0.2.1", TCP4 } },
		.packet = "eth ip4 mf=1 tcp to=80 flags=S", .slot = TCP4,
		.reason = R(drop_blocked), .sent = 5 },
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

	limited_cfg(shift, 0);
	assert_int_equal(fastpath_limits_set(limited.fastpath, NULL, 0, &err),
		0);
	if (row->rule_count > 0)
		limited_slots(row->rules, row->rule_count);
	limited_list(row->prefixes);
	limited_block(row->block, 60000);
	admitted = limited_send(row->packet, row->slot, row->reason, row->sent);
	if (admitted != row->admitted)
		fail_msg("%s: %u of %u passed instead of %u (admit_shift %u)",
			row->what, (unsigned)admitted, row->sent,
			row->admitted, shift);
	if (row->block[0].ip != NULL) {
		assert_int_equal(addr_parse_ip(row->block[0].ip, 0, &a), 0);
		fastpath_unblock(limited.fastpath, row->block[0].slot, &a);
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
	limited_slots(rules, 1);
	assert_int_equal(limited_send("eth ip6 from=2001:db8:1:2::1 tcp to=80",
				 TCP6, R(drop_limit_packets), 8), 8);
	assert_int_equal(limited_send("eth ip6 from=2001:db8:1:2:f::9 tcp to=80",
				 TCP6, R(drop_limit_packets), 8), 2);
	assert_int_equal(limited_send("eth ip6 from=2001:db8:1:3::1 tcp to=80",
				 TCP6, R(drop_limit_packets), 8), 8);
	assert_int_equal(limited_send("eth ip4 from=192.0.2.1 tcp to=80", TCP4,
				 R(drop_limit_packets), 8), 8);
	assert_int_equal(limited_send("eth ip4 from=192.0.2.77 tcp to=80", TCP4,
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
	limited_slots(rules, 1);
	limited_send("eth ip4 tcp to=80", TCP4, R(drop_limit_packets), 50);
	assert_int_equal(limited_counters(TCP4).note_shadow_packets, 45);
	assert_int_equal(limited_counters(TCP4).note_shadow_bytes, 0);
	assert_int_equal(limited_count(TCP4, R(pass_listener)).packets, 50);
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
	if (fastpath_limits_set(limited.fastpath, set, count, &err) != 0)
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

	limited_setup(NULL);
	limited_cfg(shift, 4);
	limited_list(prefixes);
	limited_block(noise_blocks, 600000);
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
		got = limited_run(packet_data(&p), p.length);
		if (got != want)
			fail_msg("packet %d: verdict %u instead of %s", i, got,
				packet_reason_name(verdict.reason));
	}
	for (int r = 0; r < GG_REASON_COUNT; r++) {
		uint64_t counted = 0;

		for (uint32_t slot = 0; slot < GG_SLOTS_MAX; slot++)
			counted += limited_count(slot,
				(enum gg_reason)r).packets;
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
	limited_teardown(NULL);
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

int
main(void)
{
#define T(name)                                                                \
	cmocka_unit_test_setup_teardown(name, limited_setup, limited_teardown)
	const struct CMUnitTest tests[] = {
		T(test_rows),
		T(test_ipv6_sources_are_prefixes),
		T(test_shadow_is_noted),
		cmocka_unit_test(test_mutated_packets),
	};
#undef T

	if (!limited_may_load())
		return LIMITED_SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
