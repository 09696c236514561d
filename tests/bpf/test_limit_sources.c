/* Buckets of sources as userspace sees and changes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "fastpath/sources.h"
#include "tests/lib/limit_world.h"

static void
source_take(const struct fastpath_source *source, void *arg)
{
	*(struct fastpath_source *)arg = *source;
}

static struct fastpath_source
source_seen(void)
{
	struct fastpath_source seen = { 0 };

	assert_int_equal(fastpath_sources_each(limited.fastpath, source_take,
		&seen),
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
	limited_slots(rules, 1);
	limited_send("eth ip4 tcp to=80 flags=S", TCP4, R(drop_limit_packets),
		8);
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
	limited_send("eth ip4 tcp to=80", TCP4, R(drop_limit_packets), 33);
	s = source_seen();
	assert_int_equal(s.packets.left, 0);
	assert_int_equal(s.dropped, 31);
	fastpath_limit_forget(limited.fastpath, TCP4);
	assert_int_equal(source_seen().slot, 0);
	limited_cfg(0, 0);
	limited_send("eth ip6 udp to=53", 4, R(drop_limit_packets), 1);
	limited_send("eth ip6 tcp to=80", TCP6, R(drop_limit_packets), 1);
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
	limited_slots(rules, 1);
	limited_send("eth ip4 tcp to=80", TCP4, R(drop_limit_packets), 200);
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
	limited_slots(rules, 1);
	assert_int_equal(limited_send(tcp, TCP4, R(drop_limit_packets), 20),
		10);
	limited_slots(rules, 1); /* the same: what is spent stays spent */
	limited_listen();
	assert_int_equal(limited_send(tcp, TCP4, R(drop_limit_packets), 20), 0);
	rules[0].packets.rate = rules[0].packets.burst = 40;
	limited_slots(rules, 1); /* another: begins anew */
	assert_int_equal(limited_send(tcp, TCP4, R(drop_limit_packets), 100),
		40);
	/* What is wrong changes nothing. */
	wrong.rules[0] = rules[0];
	wrong.rules[0].plen4 = 33;
	assert_int_equal(fastpath_limits_set(limited.fastpath, &wrong, 1, &err),
		-1);
	assert_string_equal(err.text,
		"rules[0]: an IPv4 prefix of 33 bits is out of 1..32");
	assert_int_equal(limited_send(tcp, TCP4, R(drop_limit_packets), 5), 0);
	/* None any more. */
	assert_int_equal(fastpath_limits_set(limited.fastpath, NULL, 0, &err),
		0);
	assert_int_equal(limited_send(tcp, TCP4, R(drop_limit_packets), 100),
		100);
	assert_int_equal(source_seen().slot, 0);
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
	limited_slots(rules, 1);
	limited_send("eth ip4 tcp to=80", TCP4, R(drop_limit_packets), 20);
	assert_int_equal(bpf_obj_get_info_by_fd(
				 bpf_map__fd(limited.gateway->maps.gg_rl4),
					&info,
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

int
main(void)
{
#define T(name)                                                                \
	cmocka_unit_test_setup_teardown(name, limited_setup, limited_teardown)
	const struct CMUnitTest tests[] = {
		T(test_sources_are_seen),
		T(test_tokens_left_are_those_of_now),
		T(test_limits_by_difference),
		T(test_dumps_are_readable),
	};
#undef T

	if (!limited_may_load())
		return LIMITED_SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
