/* The loaded XDP program against the packet table and against bpf/parse.h. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "base/mem.h"
#include "bpf/contract.h"
#include "gateway.skel.h"
#include "tests/lib/load.h"
#include "tests/lib/packet.h"
#include "tests/lib/packet_model.h"

#define PACKET_LEAST 14 /* BPF_PROG_TEST_RUN wants an Ethernet header */
#define MUTATED 100000

struct counted {
	struct gg_count of[GG_SLOTS_MAX][GG_REASON_COUNT];
};

static struct gateway_bpf *gateway;

static void
counters_read(struct counted *sum)
{
	int cpus = libbpf_num_possible_cpus();
	struct gg_counters *values = xcalloc((size_t)cpus, sizeof(*values));

	memset(sum, 0, sizeof(*sum));
	for (uint32_t slot = 0; slot < GG_SLOTS_MAX; slot++) {
		assert_int_equal(
			bpf_map_lookup_elem(
				bpf_map__fd(gateway->maps.gg_reason), &slot,
				values),
			0);
		for (int i = 0; i < cpus * GG_REASON_COUNT; i++) {
			const struct gg_count *from =
				(const struct gg_count *)&values[i / GG_REASON_COUNT] +
				i % GG_REASON_COUNT;
			struct gg_count *to =
				&sum->of[slot][i % GG_REASON_COUNT];

			to->packets += from->packets;
			to->bytes += from->bytes;
		}
	}
	free(values);
}

static void
expect(struct counted *sum, struct packet_verdict verdict, size_t bytes)
{
	sum->of[verdict.slot][verdict.reason].packets++;
	sum->of[verdict.slot][verdict.reason].bytes += bytes;
}

static void
assert_counted(const struct counted *expected, const char *what)
{
	struct counted now;

	counters_read(&now);
	for (uint32_t s = 0; s < GG_SLOTS_MAX; s++) {
		for (int r = 0; r < GG_REASON_COUNT; r++) {
			if (memcmp(&now.of[s][r], &expected->of[s][r],
				    sizeof(now.of[s][r])) == 0)
				continue;
			fail_msg("%s: slot %u %s: %llu packets, %llu bytes "
				 "instead of %llu, %llu",
				what, s, packet_reason_name((enum gg_reason)r),
				now.of[s][r].packets, now.of[s][r].bytes,
				expected->of[s][r].packets,
				expected->of[s][r].bytes);
		}
	}
}

/* Must come back as it went in, with XDP_PASS. */
static void
run(const void *data, size_t length, const char *what)
{
	static uint8_t out[PACKET_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = data,
		.data_size_in = (uint32_t)length, .data_out = out,
		.data_size_out = sizeof(out), .repeat = 1);
	int rc = bpf_prog_test_run_opts(
		bpf_program__fd(gateway->progs.gg_gateway), &options);

	if (rc != 0)
		fail_msg("%s: test run of %zu bytes: %s", what, length,
			strerror(errno));
	if (options.retval != XDP_PASS)
		fail_msg("%s: verdict %u", what, options.retval);
	if (options.data_size_out != length || memcmp(out, data, length) != 0)
		fail_msg("%s: the packet was changed", what);
}

static void
test_rows(void **state)
{
	struct counted expected;
	struct packet p;

	(void)state;
	counters_read(&expected);
	for (const struct packet_row *row = packet_rows; row->what != NULL;
		row++) {
		packet_build(&p, row->packet);
		run(packet_data(&p), p.length, row->what);
		expect(&expected,
			(struct packet_verdict){ row->slot, row->reason },
			p.length);
		assert_counted(&expected, row->what);
	}
}

static void
test_cut_at_every_byte(void **state)
{
	struct counted expected;
	struct packet p;

	(void)state;
	counters_read(&expected);
	for (const struct packet_row *row = packet_rows; row->what != NULL;
		row++) {
		packet_build(&p, row->packet);
		for (size_t n = PACKET_LEAST; n < p.length; n++) {
			run(packet_data(&p), n, row->what);
			expect(&expected, packet_model(packet_data(&p), n), n);
		}
		assert_counted(&expected, row->what);
	}
}

static uint64_t
packets_in(const struct counted *c)
{
	uint64_t sum = 0;

	for (uint32_t s = 0; s < GG_SLOTS_MAX; s++) {
		for (int r = 0; r < GG_REASON_COUNT; r++)
			sum += c->of[s][r].packets;
	}
	return sum;
}

static void
test_mutated_packets(void **state)
{
	struct counted expected, now;
	struct packet p;
	uint64_t random = 20260101, before;
	size_t rows = 0;

	(void)state;
	while (packet_rows[rows].what != NULL)
		rows++;
	counters_read(&expected);
	before = packets_in(&expected);
	for (int i = 1; i <= MUTATED; i++) {
		packet_build(&p,
			packet_rows[packet_random(&random) % rows].packet);
		packet_mutate(packet_data(&p), &p.length, &random);
		run(packet_data(&p), p.length, "mutated");
		expect(&expected, packet_model(packet_data(&p), p.length),
			p.length);
		if (i % 1000 == 0)
			assert_counted(&expected, "mutated");
	}
	counters_read(&now);
	assert_int_equal(packets_in(&now) - before, MUTATED);
}

static void
test_bypass_counts_and_looks_at_nothing(void **state)
{
	const uint32_t key = 0;
	struct gg_cfg cfg = { .flags = GG_CFG_BYPASS };
	int fd = bpf_map__fd(gateway->maps.gg_cfg);
	struct counted expected;
	struct packet p;

	(void)state;
	counters_read(&expected);
	assert_int_equal(bpf_map_update_elem(fd, &key, &cfg, BPF_ANY), 0);
	packet_build(&p, "eth ip4 tcp to=80");
	run(packet_data(&p), p.length, "bypass");
	expect(&expected,
		(struct packet_verdict){ 0, GG_REASON_pass_bypass }, p.length);
	assert_counted(&expected, "bypass");
	cfg.flags = 0;
	assert_int_equal(bpf_map_update_elem(fd, &key, &cfg, BPF_ANY), 0);
}

static void
test_maps_tell_their_types(void **state)
{
	struct bpf_map *map;

	(void)state;
	bpf_object__for_each_map(map, gateway->obj)
	{
		assert_true(strlen(bpf_map__name(map)) <= 15);
		switch (bpf_map__type(map)) {
		case BPF_MAP_TYPE_RINGBUF: /* the kernel takes no types here */
		case BPF_MAP_TYPE_ARRAY_OF_MAPS:
		case BPF_MAP_TYPE_DEVMAP_HASH:
			continue;
		default:
			break;
		}
		assert_int_not_equal(bpf_map__btf_key_type_id(map), 0);
		assert_int_not_equal(bpf_map__btf_value_type_id(map), 0);
	}
}

static int
listeners_fill(void)
{
	struct gg_vip_key key;
	struct gg_vip value = { 0 };

	for (const struct packet_listener *l = packet_listeners; l->ip != NULL;
		l++) {
		packet_listener_key(l, &key);
		value.slot = l->slot;
		if (bpf_map_update_elem(bpf_map__fd(gateway->maps.gg_vip),
			    &key, &value, BPF_ANY) != 0)
			return -1;
	}
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_cut_at_every_byte),
		cmocka_unit_test(test_mutated_packets),
		cmocka_unit_test(test_bypass_counts_and_looks_at_nothing),
		cmocka_unit_test(test_maps_tell_their_types),
	};
	int rc;

	load_quietly();
	gateway = gateway_bpf__open_and_load();
	if (gateway == NULL)
		return load_failed();
	if (listeners_fill() != 0) {
		fprintf(stderr, "cannot fill gg_vip: %s\n", strerror(errno));
		return 1;
	}
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	gateway_bpf__destroy(gateway);
	return rc;
}
