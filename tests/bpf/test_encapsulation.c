/*
 * Modes ipip and gue of the loaded XDP program: the packet table, that the
 * inner packet stays whole, the outer checksum summed anew, ports by the flow,
 * drains, and frames without room.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "tests/lib/encapsulation_rows.h"
#include "tests/lib/load.h"
#include "tests/lib/packet.h"
#include "tests/lib/packet_model.h"
#include "tests/lib/steer_model.h"
#include "tests/lib/steer_world.h"

#define IPIP   85 /* services of the world over IPv4 */
#define GUE    89
#define ETHER  14
#define IP4    20
#define UDP    8
#define FLOWS  4096
#define PORTS  16384
#define FIRST  200 /* backends of service IPIP while it drains */
#define SECOND 201

static struct gateway_bpf *gateway;

/* ---- the table */

static uint64_t
hash_of(struct packet *p)
{
	return steer_model_hash(packet_data(p), p->length, WORLD_SEED);
}

static bool
went_on(const struct steer_row *row)
{
	return row->out != NULL && row->reason != GG_REASON_answer_too_big;
}

static void
row_run(const struct steer_row *row, uint64_t hash)
{
	uint64_t before = world_count(row->slot, row->reason);
	struct world_verdict v;
	struct packet p;

	packet_build(&p, row->in);
	v = world_run(packet_data(&p), p.length);
	if (world_count(row->slot, row->reason) != before + 1)
		fail_msg("%s: not counted as %s of slot %u (verdict %u)",
			row->what, packet_reason_name(row->reason), row->slot,
			v.action);
	if (v.action != row->action)
		fail_msg("%s: verdict %u", row->what, v.action);
	if (row->action == XDP_DROP)
		return;
	if (row->out != NULL)
		encapsulation_row_build(&p, row->out, hash);
	if (v.length == p.length &&
		memcmp(v.data, packet_data(&p), v.length) == 0)
		return;
	packet_print("came out", v.data, v.length);
	packet_print("instead of", packet_data(&p), p.length);
	fail_msg("%s: another packet", row->what);
}

static void
test_rows(void **state)
{
	uint64_t before = world_packets(), rows = 0, hash = 0;
	struct packet p;

	(void)state;
	for (const struct steer_row *row = encapsulation_rows;
		row->what != NULL; row++, rows++) {
		if (row->what[0] != '+') {
			world_forget();
			packet_build(&p, row->in);
			hash = hash_of(&p);
		}
		row_run(row, hash);
	}
	/* Each once, under one reason. */
	assert_int_equal(world_packets() - before, rows);
}

/* ---- the inner packet */

/* In front of the IP header. */
static size_t
link_size(const uint8_t *frame)
{
	size_t at = 12;

	while ((frame[at] == 0x81 && frame[at + 1] == 0) ||
		(frame[at] == 0x88 && frame[at + 1] == 0xa8))
		at += 4;
	return at + 2;
}

/* But for its TTL, and the checksum that covers it in IPv4. */
static void
hop_forget(uint8_t *ip)
{
	if (ip[0] >> 4 == 4)
		ip[8] = ip[10] = ip[11] = 0;
	else
		ip[7] = 0;
}

static void
test_the_inner_packet_is_whole(void **state)
{
	struct world_verdict v;
	struct packet p;
	size_t more, at, count = 0;

	(void)state;
	for (const struct steer_row *row = encapsulation_rows;
		row->what != NULL; row++) {
		if (row->what[0] != '+')
			world_forget();
		packet_build(&p, row->in);
		v = world_run(packet_data(&p), p.length);
		if (!went_on(row))
			continue;
		more = v.length - p.length;
		at = link_size(packet_data(&p));
		hop_forget(packet_data(&p) + at);
		hop_forget(v.data + at + more);
		if (memcmp(packet_data(&p) + at, v.data + at + more,
			    p.length - at) != 0)
			fail_msg("%s: the inner packet is another", row->what);
		count++;
	}
	assert_true(count > 30);
}

static void
test_cut_at_every_byte(void **state)
{
	struct world_verdict v;
	struct packet p;

	(void)state;
	for (const struct steer_row *row = encapsulation_rows;
		row->what != NULL; row++) {
		packet_build(&p, row->in);
		if (strstr(row->in, "pad=") != NULL)
			continue;
		for (size_t n = ETHER; n < p.length; n += n < 160 ? 1 : 97) {
			v = world_run(packet_data(&p), n);
			/* What is not all there goes nowhere. */
			if (v.action != XDP_PASS || v.length != n ||
				memcmp(v.data, packet_data(&p), n) != 0)
				fail_msg("%s, cut to %zu: verdict %u",
					row->what, n, v.action);
		}
	}
}

/* ---- the outer headers */

static uint16_t
read16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static struct world_verdict
flow_run(unsigned client, unsigned from, unsigned to, unsigned data)
{
	char text[128];
	struct packet p;

	snprintf(text, sizeof(text),
		"eth ip4 from=192.0.2.%u to=198.51.100.10 tcp from=%u to=%u "
		"data=%u",
		client, from, to, data);
	packet_build(&p, text);
	return world_run(packet_data(&p), p.length);
}

static void
test_the_outer_checksum_summed_anew(void **state)
{
	struct world_verdict v;

	(void)state;
	for (unsigned data = 0; data < 1400; data++) {
		v = flow_run(1, 1000 + data, data % 2 ? 100 : 101, data);
		assert_int_equal(v.action, XDP_TX);
		assert_int_equal(packet_checksum(v.data + ETHER, IP4, 0), 0);
		assert_int_equal(read16(v.data + ETHER + 2), v.length - ETHER);
		if (data % 2)
			continue;
		assert_int_equal(read16(v.data + ETHER + IP4 + 4),
			v.length - ETHER - IP4);
		assert_int_equal(read16(v.data + ETHER + IP4 + 6), 0);
	}
}

static unsigned
source_port(unsigned client, unsigned from, unsigned data)
{
	return read16(flow_run(client, from, 101, data).data + ETHER + IP4);
}

/* So many balls in 64 boxes: none has twice or half its share. */
static void
test_flows_have_ports_of_their_own(void **state)
{
	static unsigned char taken[PORTS];
	unsigned boxes[64] = { 0 }, distinct = 0, port;

	(void)state;
	memset(taken, 0, sizeof(taken));
	for (unsigned i = 0; i < FLOWS; i++) {
		port = source_port(1 + i / 1024, 2000 + i % 1024, 0);
		assert_in_range(port, 65536 - PORTS, 65535);
		port -= 65536 - PORTS;
		distinct += !taken[port];
		taken[port] = 1;
		boxes[port % 64]++;
	}
	/* By chance alone 3624 of 4096 are. */
	assert_in_range(distinct, 3450, FLOWS);
	for (size_t i = 0; i < 64; i++)
		assert_in_range(boxes[i], FLOWS / 64 / 2, FLOWS / 64 * 2);
	/* One flow has one. */
	port = source_port(1, 2000, 0);
	for (unsigned data = 0; data < 100; data++)
		assert_int_equal(source_port(1, 2000, data), port);
}

/* ---- what routers on the way say */

#define WAY_MTU 1400 /* of service NARROW */
#define NARROW  93

static void
error_run(unsigned mtu, const char *from, const char *to, unsigned quote,
	const char *inner)
{
	uint64_t before = world_count(0, GG_REASON_pass_icmp);
	struct world_verdict v;
	char text[512];
	struct packet p;

	snprintf(text, sizeof(text),
		"eth ip4 from=10.9.9.9 to=%s icmp type=3 code=4 mtu=%u "
		"quote=%u ip4 from=%s to=%s %s data=1400",
		from, mtu, quote, from, to, inner);
	packet_build(&p, text);
	v = world_run(packet_data(&p), p.length);
	assert_int_equal(v.action, XDP_PASS);
	assert_int_equal(world_count(0, GG_REASON_pass_icmp), before + 1);
}

#define INNER "ip4 to=198.51.100.10 tcp to=102"

/* The most bytes of IP that go to the backend. */
static unsigned
most(void)
{
	unsigned data = 1500;

	while (data > 0 && flow_run(1, 40000, 102, data).data[ETHER + 9] != 4)
		data--;
	return 40 + data;
}

static struct gg_backend
backend_get(uint32_t index)
{
	struct gg_backend b;

	assert_int_equal(
		bpf_map_lookup_elem(bpf_map__fd(gateway->maps.gg_backend),
			&index, &b),
		0);
	return b;
}

static void
test_path_mtu(void **state)
{
	uint64_t learnt = world_notes(NARROW, GG_NOTE_path_mtu);
	struct gg_backend b = backend_get(NARROW), whole = b;

	(void)state;
	assert_int_equal(most(), WAY_MTU - IP4);
	/* Nobody is believed who says what cannot be, or does not know what
	 * goes to the backend. */
	error_run(WAY_MTU, "10.0.0.1", "10.0.0.93", 200, INNER);
	error_run(GG_PATH_MTU_INNER + IP4 - 1, "10.0.0.1", "10.0.0.93", 200,
		INNER);
	error_run(0, "10.0.0.1", "10.0.0.93", 200, INNER);
	error_run(1350, "10.0.0.1", "10.0.0.92", 200, INNER);
	error_run(1350, "10.0.0.2", "10.0.0.93", 200, INNER);
	error_run(1350, "10.0.0.1", "10.0.0.93", 47, INNER);
	error_run(1350, "10.0.0.1", "10.0.0.93", 200,
		"ip4 to=198.51.100.10 tcp to=999");
	error_run(1350, "10.0.0.1", "10.0.0.93", 200,
		"ip4 to=198.51.100.10 tcp to=80");
	assert_int_equal(world_notes(NARROW, GG_NOTE_path_mtu), learnt);
	assert_int_equal(most(), WAY_MTU - IP4);
	/* 20 bytes of each IP header and 8 of TCP are enough. */
	error_run(1350, "10.0.0.1", "10.0.0.93", 48, INNER);
	assert_int_equal(world_notes(NARROW, GG_NOTE_path_mtu), learnt + 1);
	assert_int_equal(most(), 1350 - IP4);
	/* Less yet, but not more. */
	error_run(1380, "10.0.0.1", "10.0.0.93", 200, INNER);
	assert_int_equal(most(), 1350 - IP4);
	error_run(GG_PATH_MTU_INNER + IP4, "10.0.0.1", "10.0.0.93", 200, INNER);
	assert_int_equal(most(), GG_PATH_MTU_INNER);
	/* It is asked for anew after a while. */
	b = backend_get(NARROW);
	assert_int_equal(b.path_mtu, GG_PATH_MTU_INNER + IP4);
	b.path_mtu_s -= GG_PATH_MTU_S + 1;
	world_backend(NARROW, &b);
	assert_int_equal(most(), WAY_MTU - IP4);
	error_run(1390, "10.0.0.1", "10.0.0.93", 200, INNER);
	assert_int_equal(most(), 1390 - IP4);
	world_backend(NARROW, &whole);
}

/* ---- drains */

static void
backend_set(uint32_t index, uint16_t flags)
{
	struct gg_backend b = { .slot = IPIP, .ifindex = 1, .flags = flags };
	char text[32];

	snprintf(text, sizeof(text), "::ffff:10.0.0.%u", (unsigned)index);
	world_address(text, b.ip);
	world_address("::ffff:10.0.0.1", b.source_ip);
	world_backend(index, &b);
}

static void
ring_set(struct gg_ring_slot *ring, uint16_t current, uint16_t base,
	uint16_t flags)
{
	for (size_t i = 0; i < GG_RING_SLOTS; i++)
		ring[i] = (struct gg_ring_slot){ current, base, flags, 1 };
}

static unsigned
backend_of(unsigned from, const char *flags)
{
	struct world_verdict v;
	char text[128];
	struct packet p;

	snprintf(text, sizeof(text),
		"eth ip4 to=198.51.100.10 tcp from=%u to=100 flags=%s", from,
		flags);
	packet_build(&p, text);
	v = world_run(packet_data(&p), p.length);
	assert_int_equal(v.action, XDP_TX);
	return v.data[ETHER + 19];
}

static void
test_drain(void **state)
{
	struct gg_ring_slot *ring = world_ring(IPIP);

	(void)state;
	world_forget();
	backend_set(FIRST, 0);
	backend_set(SECOND, 0);
	ring_set(ring, FIRST, FIRST, 0);
	assert_int_equal(backend_of(1000, "S"), FIRST);
	assert_int_equal(world_entries(gateway->maps.gg_ct4,
				 sizeof(struct gg_flow4)),
		0);
	/* FIRST drains: it keeps what it has, and gets no new ones. */
	ring_set(ring, SECOND, FIRST, GG_RING_MOVED);
	assert_int_equal(backend_of(1000, "A"), FIRST);
	assert_int_equal(backend_of(1001, "S"), SECOND);
	ring_set(ring, SECOND, SECOND, GG_RING_PINNED);
	assert_int_equal(backend_of(1000, "A"), FIRST);
	assert_int_equal(backend_of(1001, "A"), SECOND);
	assert_int_equal(backend_of(1002, "A"), SECOND);
	/* It is down: what it had goes on elsewhere. */
	backend_set(FIRST, GG_BACKEND_DOWN);
	assert_int_equal(backend_of(1000, "A"), SECOND);
	ring_set(ring, IPIP, IPIP, 0);
	munmap(ring, GG_RING_SLOTS * sizeof(*ring));
}

/* ---- counters */

static struct gg_backend_hits
hits_of(uint32_t index)
{
	struct gg_backend_hits values[256], sum = { 0 };
	int cpus = libbpf_num_possible_cpus();

	assert_in_range(cpus, 1, 256);
	assert_int_equal(
		bpf_map_lookup_elem(bpf_map__fd(gateway->maps.gg_backend_hits),
			&index, values),
		0);
	for (int i = 0; i < cpus; i++) {
		sum.packets += values[i].packets;
		sum.bytes += values[i].bytes;
		sum.connections += values[i].connections;
	}
	return sum;
}

/* Bytes as they came in. */
static void
test_hits(void **state)
{
	struct gg_backend_hits before = hits_of(GUE), after;
	struct packet p;

	(void)state;
	packet_build(&p, "eth ip4 to=198.51.100.10 tcp to=101 flags=S data=46");
	world_run(packet_data(&p), p.length);
	flow_run(1, 40000, 101, 46);
	after = hits_of(GUE);
	assert_int_equal(after.packets - before.packets, 2);
	assert_int_equal(after.bytes - before.bytes, 200);
	assert_int_equal(after.connections - before.connections, 1);
}

/* ---- no room */

/* What stands as metadata in front of a frame takes its headroom. */
static int
run_with_metadata(unsigned size, uint32_t *verdict)
{
	static uint8_t in[PACKET_MAX], out[PACKET_MAX];
	struct xdp_md ctx = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = in, .data_out = out,
		.data_size_out = sizeof(out), .ctx_in = &ctx, .ctx_out = &ctx,
		.ctx_size_in = sizeof(ctx), .ctx_size_out = sizeof(ctx),
		.repeat = 1);
	struct packet p;
	int rc;

	packet_build(&p, "eth ip4 to=198.51.100.10 tcp to=101 data=46");
	memset(in, 0, size);
	memcpy(in + size, packet_data(&p), p.length);
	ctx.data = size;
	ctx.data_end = size + (uint32_t)p.length;
	options.data_size_in = ctx.data_end;
	rc = bpf_prog_test_run_opts(
		bpf_program__fd(gateway->progs.gg_gateway), &options);
	*verdict = options.retval;
	return rc;
}

static void
test_no_headroom(void **state)
{
	uint64_t before = world_count(GUE, GG_REASON_drop_no_headroom);
	uint32_t verdict;

	(void)state;
	assert_int_equal(run_with_metadata(4, &verdict), 0);
	assert_int_equal(verdict, XDP_TX);
	assert_int_equal(world_count(GUE, GG_REASON_drop_no_headroom), before);
	/* Before Linux 6.10 metadata had 32 bytes at most. */
	if (run_with_metadata(200, &verdict) != 0)
		skip();
	assert_int_equal(verdict, XDP_DROP);
	assert_int_equal(world_count(GUE, GG_REASON_drop_no_headroom),
		before + 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_the_inner_packet_is_whole),
		cmocka_unit_test(test_cut_at_every_byte),
		cmocka_unit_test(test_the_outer_checksum_summed_anew),
		cmocka_unit_test(test_flows_have_ports_of_their_own),
		cmocka_unit_test(test_path_mtu),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_hits),
		cmocka_unit_test(test_no_headroom),
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
