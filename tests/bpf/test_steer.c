/* Steering by the loaded XDP program: the packet table, tables, floods. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "tests/lib/load.h"
#include "tests/lib/packet.h"
#include "tests/lib/packet_model.h"
#include "tests/lib/steer_rows.h"
#include "tests/lib/steer_world.h"

#define PACKET_LEAST 14
#define FLAGS_ALL    (GG_CFG_STEER | GG_CFG_NAT | GG_CFG_ROUTE)

static struct gateway_bpf *gateway;

/* ---- the table */

static void
assert_out(const struct steer_row *row, struct world_verdict v,
	struct packet *out)
{
	if (v.length == out->length &&
		memcmp(v.data, packet_data(out), v.length) == 0)
		return;
	packet_print("came out", v.data, v.length);
	packet_print("instead of", packet_data(out), out->length);
	fail_msg("%s: another packet", row->what);
}

static void
row_run(const struct steer_row *row, unsigned port)
{
	uint64_t before = world_count(row->slot, row->reason);
	struct world_verdict v;
	struct packet p;

	steer_row_build(&p, row->in, port);
	v = world_run(packet_data(&p), p.length);
	if (world_count(row->slot, row->reason) != before + 1) {
		for (int r = 0; r < GG_REASON_COUNT; r++)
			if (world_count(row->slot, (enum gg_reason)r) != 0)
				fprintf(stderr, "  slot %u: %s\n", row->slot,
					packet_reason_name((enum gg_reason)r));
		fail_msg("%s: not counted as %s of slot %u (verdict %u)",
			row->what, packet_reason_name(row->reason), row->slot,
			v.action);
	}
	if (v.action != row->action)
		fail_msg("%s: verdict %u", row->what, v.action);
	if (row->out != NULL)
		steer_row_build(&p, row->out, port);
	if (row->action != XDP_DROP)
		assert_out(row, v, &p);
}

static void
test_rows(void **state)
{
	uint64_t before = world_packets(), rows = 0;
	struct packet p;
	unsigned port = 0;

	(void)state;
	for (const struct steer_row *row = steer_rows; row->what != NULL;
		row++, rows++) {
		if (row->what[0] != '+') {
			world_forget();
			steer_row_build(&p, row->in, 0);
			port = world_nat_port(&p);
		}
		row_run(row, port);
	}
	/* Each once, under one reason. */
	assert_int_equal(world_packets() - before, rows);
}

static void
test_cut_at_every_byte(void **state)
{
	uint64_t before = world_packets(), runs = 0;
	struct world_verdict v;
	struct packet p;

	(void)state;
	for (const struct steer_row *row = steer_rows; row->what != NULL;
		row++) {
		steer_row_build(&p, row->in, 2000);
		if (strstr(row->in, "pad=") != NULL)
			continue;
		for (size_t n = PACKET_LEAST; n < p.length;
			n += n < 160 ? 1 : 97, runs++) {
			v = world_run(packet_data(&p), n);
			/* What is not all there goes nowhere. */
			if (v.action != XDP_PASS || v.length != n ||
				memcmp(v.data, packet_data(&p), n) != 0)
				fail_msg("%s, cut to %zu: verdict %u",
					row->what, n, v.action);
		}
	}
	assert_int_equal(world_packets() - before, runs);
}

/* ---- slots of the ring */

#define FIRST  200 /* backends of slot 64 in these tests */
#define SECOND 201
#define THIRD  202

static struct gg_ring_slot *ring;

static void
ring_set(uint16_t current, uint16_t base, uint16_t flags)
{
	for (size_t i = 0; i < GG_RING_SLOTS; i++)
		ring[i] = (struct gg_ring_slot){ current, base, flags, 1 };
}

static void
backend_set(uint32_t index, uint16_t flags)
{
	struct gg_backend b = { .slot = 64,
		.ifindex = 1,
		.to_mac = { 2, 0, 0, 0, 9, (uint8_t)index },
		.from_mac = { 2, 0, 0, 0, 2, 1 },
		.flags = flags };

	world_backend(index, &b);
}

static void
three_backends(void)
{
	world_forget();
	ring = world_ring(64);
	for (uint32_t i = FIRST; i <= THIRD; i++)
		backend_set(i, 0);
	ring_set(FIRST, FIRST, 0);
}

static void
assert_goes_to(const char *text, unsigned backend)
{
	struct world_verdict v;
	struct packet p;

	packet_build(&p, text);
	v = world_run(packet_data(&p), p.length);
	assert_int_equal(v.action, XDP_TX);
	assert_int_equal(v.data[4], 9);
	assert_int_equal(v.data[5], backend);
}

static size_t
kept(void)
{
	return world_entries(gateway->maps.gg_ct4, sizeof(struct gg_flow4));
}

#define FLOW(port, flags) \
	"eth ip4 to=198.51.100.10 tcp from=" #port " to=80 flags=" flags

static void
test_stable_slots_keep_nothing(void **state)
{
	(void)state;
	three_backends();
	assert_goes_to(FLOW(1000, "S"), FIRST);
	assert_goes_to(FLOW(1000, "A"), FIRST);
	assert_int_equal(kept(), 0);
}

static void
test_moved_slots(void **state)
{
	(void)state;
	three_backends();
	ring_set(SECOND, FIRST, GG_RING_MOVED);
	/* An old connection is pinned by its first packet. */
	assert_goes_to(FLOW(1000, "A"), FIRST);
	assert_int_equal(kept(), 1);
	/* A new one goes to the new owner. */
	assert_goes_to(FLOW(1001, "S"), SECOND);
	assert_int_equal(kept(), 2);
	/* The ends of unknown ones go to the old owner and are not kept. */
	assert_goes_to(FLOW(1002, "R"), FIRST);
	assert_goes_to(FLOW(1003, "FA"), FIRST);
	assert_int_equal(kept(), 2);
	/* A further change moves new ones only. */
	ring_set(THIRD, FIRST, GG_RING_MOVED);
	assert_goes_to(FLOW(1000, "A"), FIRST);
	assert_goes_to(FLOW(1001, "A"), SECOND);
	assert_goes_to(FLOW(1001, "FA"), SECOND);
	assert_goes_to(FLOW(1004, "S"), THIRD);
	/* SYN moves nothing that is open; a tuple used again is another one. */
	assert_goes_to(FLOW(1000, "S"), FIRST);
	assert_goes_to(FLOW(1000, "FA"), FIRST);
	assert_goes_to(FLOW(1000, "A"), FIRST);
	assert_goes_to(FLOW(1000, "S"), THIRD);
	assert_goes_to(FLOW(1000, "A"), THIRD);
}

static void
test_pinned_slots(void **state)
{
	(void)state;
	three_backends();
	ring_set(SECOND, FIRST, GG_RING_MOVED);
	assert_goes_to(FLOW(1000, "A"), FIRST);
	ring_set(SECOND, SECOND, GG_RING_PINNED);
	assert_goes_to(FLOW(1000, "A"), FIRST);
	assert_goes_to(FLOW(1001, "A"), SECOND);
	assert_goes_to(FLOW(1002, "S"), SECOND);
	assert_goes_to(FLOW(1003, "R"), SECOND);
	assert_int_equal(kept(), 1);
}

static void
test_a_dead_backend_loses_its_own(void **state)
{
	(void)state;
	three_backends();
	ring_set(SECOND, FIRST, GG_RING_MOVED);
	assert_goes_to(FLOW(1000, "A"), FIRST);
	assert_goes_to(FLOW(1001, "S"), SECOND);
	/* FIRST is down: its slots have no old owner any more. */
	backend_set(FIRST, GG_BACKEND_DOWN);
	ring_set(SECOND, SECOND, GG_RING_MOVED);
	assert_goes_to(FLOW(1000, "A"), SECOND);
	assert_goes_to(FLOW(1001, "A"), SECOND);
	/* And they stay there when it comes back. */
	backend_set(FIRST, 0);
	ring_set(FIRST, SECOND, GG_RING_MOVED);
	assert_goes_to(FLOW(1000, "A"), SECOND);
}

static void
service_set(uint32_t slot, uint32_t flags, uint32_t idle_s)
{
	struct gg_service service = { flags, idle_s };

	world_put(gateway->maps.gg_service, slot, &service);
}

static void
test_services_that_keep_all(void **state)
{
	(void)state;
	three_backends();
	service_set(64, GG_SERVICE_ALWAYS, 0);
	assert_goes_to(FLOW(1000, "S"), FIRST);
	assert_goes_to(FLOW(1001, "A"), FIRST);
	assert_goes_to(FLOW(1002, "R"), FIRST);
	assert_int_equal(kept(), 2);
	/* Even a swap without a window moves no connection. */
	ring_set(SECOND, SECOND, 0);
	assert_goes_to(FLOW(1000, "A"), FIRST);
	assert_goes_to(FLOW(1001, "FA"), FIRST);
	assert_goes_to(FLOW(1003, "S"), SECOND);
	service_set(64, 0, 0);
}

#define DATAGRAM(port) "eth ip4 to=198.51.100.10 udp from=" #port " to=53"

static void
test_sticky_datagrams(void **state)
{
	struct gg_backend b = { .ifindex = 1, .slot = 65 };
	struct gg_connection c = { .backend = FIRST };
	struct gg_flow4 flow = { .from = { 192, 0, 2, 1 },
		.to = { 198, 51, 100, 10 },
		.from_port_be = htons(1000),
		.to_port_be = htons(53),
		.l4_proto = IPPROTO_UDP };
	int fd = bpf_map__fd(gateway->maps.gg_ct4);

	(void)state;
	three_backends();
	ring = world_ring(65);
	for (uint8_t i = FIRST; i <= SECOND; i++) {
		memcpy(b.to_mac, (uint8_t[]){ 2, 0, 0, 0, 9, i }, 6);
		world_backend(i, &b);
	}
	/* Without a word of the service they follow the ring. */
	ring_set(SECOND, FIRST, GG_RING_MOVED);
	assert_goes_to(DATAGRAM(1000), SECOND);
	assert_int_equal(kept(), 0);
	ring_set(FIRST, FIRST, 0);
	service_set(65, GG_SERVICE_STICKY, 30);
	assert_goes_to(DATAGRAM(1000), FIRST);
	assert_int_equal(kept(), 1);
	ring_set(SECOND, SECOND, 0);
	assert_goes_to(DATAGRAM(1000), FIRST);
	assert_goes_to(DATAGRAM(1001), SECOND);
	/* One that was idle for too long begins anew. */
	assert_int_equal(bpf_map_lookup_elem(fd, &flow, &c), 0);
	c.seen_s -= 32;
	assert_int_equal(bpf_map_update_elem(fd, &flow, &c, BPF_EXIST), 0);
	assert_goes_to(DATAGRAM(1000), SECOND);
	service_set(65, 0, 0);
}

/* ---- floods and failures */

/* SYN to a port of the service's address, from a thousand ports. */
static void
flood(unsigned port)
{
	char text[256];
	struct packet p;

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text),
			"eth ip4 to=198.51.100.10 tcp from=%u to=%u flags=S",
			2000 + i, port);
		packet_build(&p, text);
		world_run(packet_data(&p), p.length);
	}
}

static void
test_flood_guard_keeps_no_more(void **state)
{
	uint64_t notes = world_notes(64, GG_NOTE_flood_guard);
	uint64_t forwarded = world_count(64, GG_REASON_forward_syn);

	(void)state;
	three_backends();
	ring_set(SECOND, FIRST, GG_RING_MOVED);
	world_cfg(FLAGS_ALL, 100);
	flood(80);
	/* A second may have ended meanwhile, and the CPU changed. */
	assert_in_range(kept(), 100, 400);
	assert_int_equal(world_count(64, GG_REASON_forward_syn) - forwarded,
		1000);
	assert_int_equal(world_notes(64, GG_NOTE_flood_guard) - notes,
		1000 - kept());
	world_cfg(FLAGS_ALL, 0);
}

static size_t
nat_entries(void)
{
	return world_entries(gateway->maps.gg_nat4, sizeof(struct gg_flow4));
}

static void
test_flood_guard_of_nat(void **state)
{
	uint64_t dropped = world_count(72, GG_REASON_drop_flood_guard);
	struct packet p;

	(void)state;
	world_forget();
	packet_build(&p, "eth ip4 to=198.51.100.10 tcp to=82 flags=S");
	world_run(packet_data(&p), p.length);
	world_cfg(FLAGS_ALL, 100);
	flood(82);
	assert_in_range(nat_entries(), 202, 802);
	assert_int_equal(
		world_count(72, GG_REASON_drop_flood_guard) - dropped,
		1000 - (nat_entries() - 2) / 2);
	/* What is there goes on. */
	packet_build(&p, "eth ip4 to=198.51.100.10 tcp to=82 data=1");
	assert_int_equal(world_run(packet_data(&p), p.length).action, XDP_TX);
	world_cfg(FLAGS_ALL, 0);
}

/* Takes the n-th port that the flow of p would try. */
static void
port_take(const struct packet *p, unsigned n)
{
	struct gg_flow4 flow = { .from = { 10, 0, 0, 72 },
		.to = { 10, 0, 0, 1 },
		.from_port_be = htons(8080),
		.l4_proto = IPPROTO_TCP };
	struct gg_nat4 taken = { .way = { .reverse = 1, .slot = 72 } };
	unsigned place = (world_nat_port(p) - GG_NAT_PORT_FIRST + n * 3967) %
		GG_NAT_PORTS;

	flow.to_port_be = htons((uint16_t)(GG_NAT_PORT_FIRST + place));
	assert_int_equal(bpf_map_update_elem(
				 bpf_map__fd(gateway->maps.gg_nat4), &flow,
				 &taken, BPF_NOEXIST),
		0);
}

static void
test_nat_ports_run_out(void **state)
{
	uint64_t dropped = world_count(72, GG_REASON_drop_nat_ports);
	struct world_verdict v;
	struct packet p;

	(void)state;
	world_forget();
	packet_build(&p, "eth ip4 to=198.51.100.10 tcp to=82 flags=S");
	for (unsigned n = 0; n < 7; n++)
		port_take(&p, n);
	v = world_run(packet_data(&p), p.length);
	assert_int_equal(v.action, XDP_TX); /* the eighth is free */
	assert_int_equal(v.data[34] << 8 | v.data[35],
		GG_NAT_PORT_FIRST + (world_nat_port(&p) - GG_NAT_PORT_FIRST +
					    7 * 3967) % GG_NAT_PORTS);
	world_forget();
	for (unsigned n = 0; n < 8; n++)
		port_take(&p, n);
	v = world_run(packet_data(&p), p.length);
	assert_int_equal(v.action, XDP_DROP);
	assert_int_equal(world_count(72, GG_REASON_drop_nat_ports) - dropped,
		1);
	assert_int_equal(nat_entries(), 8);
}

/* The interface of the clients gets another MTU than lo has. */
static void
client_mtu_set(uint16_t mtu)
{
	int fd = bpf_map__fd(gateway->maps.gg_nat4);
	struct gg_flow4 key, *last = NULL;
	struct gg_nat4 entry;

	for (; bpf_map_get_next_key(fd, last, &key) == 0; last = &key) {
		assert_int_equal(bpf_map_lookup_elem(fd, &key, &entry), 0);
		assert_int_equal(entry.way.mtu, 0xffff);
		entry.way.mtu = mtu;
		assert_int_equal(bpf_map_update_elem(fd, &key, &entry,
					 BPF_EXIST),
			0);
	}
}

#define ANSWER                                                                 \
	"eth from=2:0:0:0:1:83 to=2:0:0:0:2:1 ip4 from=10.0.0.83 "             \
	"to=10.0.0.1 df=1 tcp from=8080 to=%u data=%u"

static struct world_verdict
answer_run(struct packet *p, unsigned port, unsigned data)
{
	char text[256];

	snprintf(text, sizeof(text), ANSWER, port, data);
	packet_build(p, text);
	return world_run(packet_data(p), p->length);
}

static void
test_nat_tells_the_backend_what_the_clients_take(void **state)
{
	uint64_t told = world_count(83, GG_REASON_answer_too_big);
	struct world_verdict v;
	struct packet p, wanted;
	char text[512];
	unsigned port;

	(void)state;
	world_forget();
	packet_build(&p, "eth ip4 to=198.51.100.10 tcp to=84 flags=S");
	port = world_nat_port(&p);
	assert_int_equal(world_run(packet_data(&p), p.length).action, XDP_TX);
	client_mtu_set(1300);
	answer_run(&p, port, 1260);
	assert_int_equal(world_count(83, GG_REASON_forward_reverse), 1);
	v = answer_run(&p, port, 1261);
	assert_int_equal(world_count(83, GG_REASON_answer_too_big) - told, 1);
	snprintf(text, sizeof(text),
		"eth to=2:0:0:0:1:83 from=2:0:0:0:2:1 ip4 from=10.0.0.1 "
		"to=10.0.0.83 id=0 df=1 icmp type=3 code=4 mtu=1300 quote=128 "
		"ip4 from=10.0.0.83 to=10.0.0.1 df=1 tcp from=8080 to=%u "
		"data=1261",
		port);
	packet_build(&wanted, text);
	assert_int_equal(v.action, XDP_TX);
	assert_int_equal(v.length, wanted.length);
	assert_memory_equal(v.data, packet_data(&wanted), v.length);
}

static void
test_nat_looks_at_no_mtu_in_generic_mode(void **state)
{
	uint64_t told = world_count(72, GG_REASON_answer_too_big);
	struct packet p;
	char text[256];

	/* The backend of this service has an MTU of 0. */
	(void)state;
	world_forget();
	packet_build(&p, "eth ip4 to=198.51.100.10 tcp to=82 flags=S");
	snprintf(text, sizeof(text),
		"eth ip4 from=10.0.0.72 to=10.0.0.1 tcp from=8080 to=%u "
		"data=1400",
		world_nat_port(&p));
	assert_int_equal(world_run(packet_data(&p), p.length).action, XDP_TX);
	client_mtu_set(1300);
	packet_build(&p, text);
	assert_int_equal(world_run(packet_data(&p), p.length).action, XDP_TX);
	assert_int_equal(world_count(72, GG_REASON_answer_too_big), told);
}

static void
test_nat_leaves_the_ports_of_listeners(void **state)
{
	const struct gg_vip listener = { .slot = 2 };
	struct gg_vip_key key = { .l4_proto = IPPROTO_TCP };
	int fd = bpf_map__fd(gateway->maps.gg_vip);
	struct world_verdict v;
	struct packet p;

	(void)state;
	world_forget();
	packet_build(&p, "eth ip4 to=198.51.100.10 tcp to=82 flags=S");
	world_address("::ffff:10.0.0.1", key.ip);
	key.port_be = htons((uint16_t)world_nat_port(&p));
	assert_int_equal(bpf_map_update_elem(fd, &key, &listener, BPF_ANY), 0);
	v = world_run(packet_data(&p), p.length);
	assert_int_equal(v.action, XDP_TX);
	assert_int_not_equal(v.data[34] << 8 | v.data[35], world_nat_port(&p));
	assert_int_equal(bpf_map_delete_elem(fd, &key), 0);
}

static unsigned
port_of(const char *text)
{
	struct world_verdict v;
	struct packet p;

	packet_build(&p, text);
	v = world_run(packet_data(&p), p.length);
	assert_int_equal(v.action, XDP_TX);
	return (unsigned)(v.data[34] << 8 | v.data[35]);
}

/* Two services of one backend: the same client port at both. */
static void
test_nat_of_two_services_sharing_a_backend(void **state)
{
	unsigned first, second, third;

	(void)state;
	world_forget();
	for (unsigned i = 0; i < 2000; i++) {
		char text[2][128];

		snprintf(text[0], sizeof(text[0]),
			"eth ip4 to=198.51.100.10 tcp from=%u to=82 flags=S",
			3000 + i);
		snprintf(text[1], sizeof(text[1]),
			"eth ip4 to=198.51.100.10 tcp from=%u to=83 flags=S",
			3000 + i);
		first = port_of(text[0]);
		second = port_of(text[1]);
		third = port_of(text[0]);
		assert_int_not_equal(first, second);
		assert_int_equal(first, third);
	}
	/* No two connections share a port. */
	assert_int_equal(nat_entries(), 8000);
}

static void
ring_of_nat(struct gg_ring_slot *slots, uint16_t backend)
{
	for (size_t i = 0; i < GG_RING_SLOTS; i++)
		slots[i] = (struct gg_ring_slot){ backend, backend, 0, 1 };
}

static unsigned
backend_of(const char *text)
{
	struct world_verdict v;
	struct packet p;

	packet_build(&p, text);
	v = world_run(packet_data(&p), p.length);
	return v.action == XDP_TX ? v.data[33] : 0;
}

#define NAT_FLOW(flags) \
	"eth ip4 to=198.51.100.10 tcp to=82 flags=" flags

static void
test_nat_tuple_used_again(void **state)
{
	struct gg_ring_slot *slots = world_ring(72);
	struct gg_backend b;
	uint32_t key = 72;
	unsigned port;

	(void)state;
	world_forget();
	ring_of_nat(slots, 72);
	port = port_of(NAT_FLOW("S"));
	assert_int_equal(
		bpf_map_lookup_elem(bpf_map__fd(gateway->maps.gg_backend),
			&key, &b),
		0);
	b.ip[15] = 99;
	world_backend(FIRST, &b);
	/* While it is open, the ring's change does not matter. */
	ring_of_nat(slots, FIRST);
	assert_int_equal(backend_of(NAT_FLOW("S")), 72);
	/* After its end the tuple is free for another backend. */
	assert_int_equal(backend_of(NAT_FLOW("FA")), 72);
	assert_int_equal(backend_of(NAT_FLOW("A")), 72);
	assert_int_equal(backend_of(NAT_FLOW("S")), 99);
	assert_int_equal(nat_entries(), 2);
	/* With the same backend it is the same connection to it, TIME_WAIT
	 * and all. */
	ring_of_nat(slots, 72);
	port = port_of(NAT_FLOW("R"));
	ring_of_nat(slots, FIRST);
	assert_int_equal(port_of(NAT_FLOW("S")), port);
	assert_int_equal(nat_entries(), 2);
	/* A backend that is down gives up those that begin anew. */
	b.flags = GG_BACKEND_DOWN;
	world_backend(FIRST, &b);
	ring_of_nat(slots, 72);
	assert_int_equal(backend_of(NAT_FLOW("A")), 99);
	assert_int_equal(backend_of(NAT_FLOW("S")), 72);
	assert_int_equal(nat_entries(), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_cut_at_every_byte),
		cmocka_unit_test(test_stable_slots_keep_nothing),
		cmocka_unit_test(test_moved_slots),
		cmocka_unit_test(test_pinned_slots),
		cmocka_unit_test(test_a_dead_backend_loses_its_own),
		cmocka_unit_test(test_services_that_keep_all),
		cmocka_unit_test(test_sticky_datagrams),
		cmocka_unit_test(test_flood_guard_keeps_no_more),
		cmocka_unit_test(test_flood_guard_of_nat),
		cmocka_unit_test(test_nat_ports_run_out),
		cmocka_unit_test(
			test_nat_tells_the_backend_what_the_clients_take),
		cmocka_unit_test(test_nat_looks_at_no_mtu_in_generic_mode),
		cmocka_unit_test(test_nat_leaves_the_ports_of_listeners),
		cmocka_unit_test(test_nat_of_two_services_sharing_a_backend),
		cmocka_unit_test(test_nat_tuple_used_again),
	};
	int rc;

	load_quietly();
	gateway = world_open();
	if (gateway == NULL)
		return load_failed();
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	world_close();
	return rc;
}
