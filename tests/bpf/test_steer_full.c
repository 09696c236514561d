/* Steering when a table takes no more: what goes on, what is dropped, and that
 * both are counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "tests/lib/load.h"
#include "tests/lib/packet.h"
#include "tests/lib/steer_world.h"

#define ENTRIES 1 /* that each table takes */
#define NOT_KEPT GG_NOTE_connection_not_kept

static struct gateway_bpf *gateway;

static uint32_t
verdict(const char *text)
{
	struct packet p;

	packet_build(&p, text);
	return world_run(packet_data(&p), p.length).action;
}

/* One packet, counted as reason of slot, with so many notes. */
static void
assert_counted(const char *text, uint32_t action, uint32_t slot,
	enum gg_reason reason, unsigned notes)
{
	uint64_t counted = world_count(slot, reason);
	uint64_t noted = world_notes(slot, NOT_KEPT);

	assert_int_equal(verdict(text), action);
	assert_int_equal(world_count(slot, reason) - counted, 1);
	assert_int_equal(world_notes(slot, NOT_KEPT) - noted, notes);
}

/* ---- connections */

static void
always_keep(uint32_t slot)
{
	const struct gg_service service = { GG_SERVICE_ALWAYS, 0 };

	world_put(gateway->maps.gg_service, slot, &service);
}

static void
test_connections_that_are_not_kept_go_on(void **state)
{
	(void)state;
	world_forget();
	always_keep(64);
	always_keep(66);
	assert_counted("eth ip4 to=198.51.100.10 tcp from=1 to=80 flags=S",
		XDP_TX, 64, GG_REASON_forward_syn, 0);
	assert_counted("eth ip4 to=198.51.100.10 tcp from=2 to=80 flags=S",
		XDP_TX, 64, GG_REASON_forward_syn, 1);
	/* The one that is kept is looked up, not made again. */
	assert_counted("eth ip4 to=198.51.100.10 tcp from=1 to=80", XDP_TX, 64,
		GG_REASON_forward, 0);
	assert_counted("eth ip6 to=2001:db8::10 tcp from=1 to=80 flags=S",
		XDP_TX, 66, GG_REASON_forward_syn, 0);
	assert_counted("eth ip6 to=2001:db8::10 tcp from=2 to=80 flags=S",
		XDP_TX, 66, GG_REASON_forward_syn, 1);
}

/* ---- nat: there is none without its two entries */

static void
assert_nat_entries(size_t each)
{
	assert_int_equal(
		world_entries(gateway->maps.gg_nat4, sizeof(struct gg_flow4)),
		each);
	assert_int_equal(
		world_entries(gateway->maps.gg_nat6, sizeof(struct gg_flow6)),
		each);
}

static void
test_nat_without_room_for_its_second_entry(void **state)
{
	(void)state;
	world_forget();
	assert_counted("eth ip4 to=198.51.100.10 tcp to=82 flags=S", XDP_DROP,
		72, GG_REASON_drop_nat_table, 1);
	assert_counted("eth ip6 to=2001:db8::10 tcp to=82 flags=S", XDP_DROP,
		74, GG_REASON_drop_nat_table, 1);
	/* The first one does not stay behind. */
	assert_nat_entries(0);
}

static void
test_nat_without_room_for_its_first_entry(void **state)
{
	const struct gg_flow4 flow4 = { .l4_proto = IPPROTO_TCP };
	const struct gg_flow6 flow6 = { .l4_proto = IPPROTO_TCP };
	const struct gg_nat4 taken4 = { .way = { .slot = 72 } };
	const struct gg_nat6 taken6 = { .way = { .slot = 74 } };

	(void)state;
	world_forget();
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(gateway->maps.gg_nat4),
				 &flow4, &taken4, BPF_ANY),
		0);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(gateway->maps.gg_nat6),
				 &flow6, &taken6, BPF_ANY),
		0);
	assert_counted("eth ip4 to=198.51.100.10 tcp to=82 flags=S", XDP_DROP,
		72, GG_REASON_drop_nat_table, 1);
	assert_counted("eth ip6 to=2001:db8::10 tcp to=82 flags=S", XDP_DROP,
		74, GG_REASON_drop_nat_table, 1);
	assert_nat_entries(1);
}

/* ---- fragments */

static void
test_fragments_whose_first_was_not_kept(void **state)
{
	uint64_t noted;

	(void)state;
	world_forget();
	noted = world_notes(0, NOT_KEPT);
	assert_counted("eth ip4 to=198.51.100.10 id=7 mf=1 udp to=53 data=16",
		XDP_TX, 65, GG_REASON_forward, 0);
	assert_int_equal(world_notes(0, NOT_KEPT) - noted, 0);
	/* It has its ports by itself. */
	assert_counted("eth ip4 to=198.51.100.10 id=8 mf=1 udp to=53 data=16",
		XDP_TX, 65, GG_REASON_forward, 0);
	assert_int_equal(world_notes(0, NOT_KEPT) - noted, 1);
	assert_counted("eth ip4 to=198.51.100.10 id=7 offset=3 raw proto=17 "
		       "data=5",
		XDP_TX, 65, GG_REASON_forward_fragment, 0);
	assert_counted("eth ip4 to=198.51.100.10 id=8 offset=3 raw proto=17 "
		       "data=5",
		XDP_DROP, 0, GG_REASON_drop_fragment, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connections_that_are_not_kept_go_on),
		cmocka_unit_test(test_nat_without_room_for_its_second_entry),
		cmocka_unit_test(test_nat_without_room_for_its_first_entry),
		cmocka_unit_test(test_fragments_whose_first_was_not_kept),
	};
	int rc;

	load_quietly();
	gateway = world_open_full(ENTRIES);
	if (gateway == NULL)
		return load_failed();
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	world_close();
	return rc;
}
