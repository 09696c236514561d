/*
 * Mutated packets through the loaded program and through the same program on
 * the host: both must agree to the byte, never abort, count each packet once,
 * and leave no checksum wronger than it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "tests/lib/captures.h"
#include "tests/lib/encapsulation_rows.h"
#include "tests/lib/host_program.h"
#include "tests/lib/load.h"
#include "tests/lib/packet.h"
#include "tests/lib/packet_model.h"
#include "tests/lib/steer_model.h"
#include "tests/lib/steer_rows.h"
#include "tests/lib/steer_world.h"

#define PACKET_LEAST 14
#define PACKET_MOST  3400 /* what a test run takes in one piece */
#define PACKETS      300000

static struct gateway_bpf *gateway;
static uint64_t seen[GG_REASON_COUNT];

/* ---- the host gets what the kernel has */

static void
map_copy(const struct bpf_map *map)
{
	uint8_t key[64], next[64], value[256];
	int fd = bpf_map__fd(map);

	for (int rc = bpf_map_get_next_key(fd, NULL, next); rc == 0;
		rc = bpf_map_get_next_key(fd, key, next)) {
		memcpy(key, next, bpf_map__key_size(map));
		assert_int_equal(bpf_map_lookup_elem(fd, key, value), 0);
		host_program_put(bpf_map__name(map), key, value);
	}
}

static void
ring_copy(uint32_t slot)
{
	size_t size = GG_RING_SLOTS * sizeof(struct gg_ring_slot);
	uint32_t id;
	void *memory;
	int fd;

	assert_int_equal(
		bpf_map_lookup_elem(bpf_map__fd(gateway->maps.gg_ring), &slot,
			&id),
		0);
	fd = bpf_map_get_fd_by_id(id);
	assert_true(fd >= 0);
	memory = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	memcpy(host_program_ring(slot), memory, size);
	munmap(memory, size);
	close(fd);
}

static void
host_fill(void)
{
	map_copy(gateway->maps.gg_cfg);
	map_copy(gateway->maps.gg_vip);
	map_copy(gateway->maps.gg_service);
	map_copy(gateway->maps.gg_backend);
	map_copy(gateway->maps.gg_reverse);
	map_copy(gateway->maps.gg_tx);
	for (const struct world_service *s = world_services; s->ip != NULL; s++)
		ring_copy(s->slot);
}

static void
tables_empty(void)
{
	static const char *const names[] = { GG_MAP_CT4, GG_MAP_CT6,
		GG_MAP_NAT4, GG_MAP_NAT6, GG_MAP_FRAGMENT };

	world_forget();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		host_program_empty(names[i]);
}

/* ---- both */

static void __attribute__((noreturn))
differ(const char *what, const struct packet *in, struct world_verdict k,
	struct host_verdict h)
{
	packet_print("in", in->room + PACKET_SHIFT, in->length);
	packet_print("kernel", k.data, k.length);
	packet_print("host", h.data, h.length);
	fail_msg("%s: verdict %u, on the host %u (%s of slot %u)", what,
		k.action, h.action, packet_reason_name(h.reason), h.slot);
	abort();
}

/* Of the packet inside, where it is longer than it was. */
static uint32_t
wrongness_after(const struct world_verdict *k, size_t length)
{
	if (k->length > length)
		return steer_model_wrongness_inside(k->data, k->length,
			k->length - length);
	return steer_model_wrongness(k->data, k->length);
}

static struct host_verdict
both_run(struct packet *p)
{
	struct world_verdict k = world_run(packet_data(p), p->length);
	struct host_verdict h = host_program_run(packet_data(p), p->length);

	if (k.action == XDP_ABORTED || k.action > XDP_REDIRECT)
		differ("aborted", p, k, h);
	if (h.reason == GG_REASON_COUNT)
		differ("not counted once", p, k, h);
	if (k.action != h.action || k.length != h.length)
		differ("another verdict", p, k, h);
	if (k.action != XDP_DROP && memcmp(k.data, h.data, k.length) != 0)
		differ("another packet", p, k, h);
	if (h.reason != GG_REASON_answer_too_big && k.action != XDP_DROP &&
		steer_model_wrongness(packet_data(p), p->length) !=
			wrongness_after(&k, p->length))
		differ("a checksum", p, k, h);
	if (h.reason == GG_REASON_answer_too_big &&
		steer_model_wrongness(k.data, k.length) != 0)
		differ("a checksum of an answer", p, k, h);
	seen[h.reason]++;
	return h;
}

static void
rows_run(const struct steer_row *rows)
{
	unsigned port = 0;
	struct packet p;

	for (const struct steer_row *row = rows; row->what != NULL; row++) {
		steer_row_build(&p, row->in, port);
		if (row->what[0] != '+') {
			tables_empty();
			port = world_nat_port(&p);
		}
		assert_int_equal(both_run(&p).reason, row->reason);
	}
}

static void
test_rows_are_the_same_on_the_host(void **state)
{
	(void)state;
	rows_run(steer_rows);
	rows_run(encapsulation_rows);
}

/* Of both tables, one after the other; NULL: no such row. */
static const struct steer_row *
row_at(size_t n)
{
	const struct steer_row *row = steer_rows;

	for (; row->what != NULL && n > 0; n--)
		row++;
	if (row->what != NULL)
		return row;
	for (row = encapsulation_rows; row->what != NULL && n > 0; n--)
		row++;
	return row->what != NULL ? row : NULL;
}

static size_t
rows_count(void)
{
	size_t count = 0;

	while (row_at(count) != NULL)
		count++;
	return count;
}

/* Whole groups of rows, so that answers and errors find their connection; one
 * packet in three is as it was. */
static void
noise(uint64_t seed, int packets)
{
	size_t rows = rows_count(), n = 0;
	const struct steer_row *row;
	unsigned port = 0;
	struct packet p;

	for (int i = 0; i < packets; i++) {
		if (n == 0)
			n = packet_random(&seed) % rows;
		row = row_at(n);
		steer_row_build(&p, row->in, port);
		if (row->what[0] != '+')
			port = world_nat_port(&p);
		if (packet_random(&seed) % 3 != 0)
			packet_mutate(packet_data(&p), &p.length, &seed);
		both_run(&p);
		row = row_at(++n);
		if (row == NULL || row->what[0] != '+')
			n = 0;
		/* Before a table is full: the two forget differently. */
		if (i % 10000 == 0)
			tables_empty();
	}
}

static void
test_mutated_packets(void **state)
{
	const char *soak = getenv("GG_NOISE");
	int packets = soak != NULL ? atoi(soak) : PACKETS;
	uint64_t before = world_packets();

	(void)state;
	memset(seen, 0, sizeof(seen));
	tables_empty();
	noise(20261126, packets);
	assert_int_equal(world_packets() - before, packets);
	/* All that can be, was. */
	for (int r = GG_REASON_forward; r <= GG_REASON_answer_too_big; r++) {
		if (seen[r] == 0)
			fail_msg("never: %s",
				packet_reason_name((enum gg_reason)r));
	}
}

static void
test_random_bytes(void **state)
{
	uint64_t random = 7;
	struct packet p;

	(void)state;
	for (int i = 0; i < 30000; i++) {
		memset(&p, 0, sizeof(p));
		p.length = PACKET_LEAST + packet_random(&random) % 200;
		for (size_t n = 0; n < p.length; n++)
			packet_data(&p)[n] = (uint8_t)packet_random(&random);
		memcpy(packet_data(&p) + 12,
			packet_random(&random) & 1 ? "\x08\x00" : "\x86\xdd",
			2);
		packet_data(&p)[14] = packet_data(&p)[12] == 8 ? 0x45 : 0x60;
		both_run(&p);
	}
}

struct captured {
	uint64_t packets, seed;
};

/* As it is, and twice as if it were for a service, in part changed. */
static void
captured_run(const char *file, const uint8_t *data, size_t length, void *arg)
{
	struct captured *c = arg;
	struct packet p;

	(void)file;
	if (length < PACKET_LEAST)
		return;
	if (length > PACKET_MOST)
		length = PACKET_MOST;
	for (int i = 0; i < 3; i++) {
		p.length = length;
		memcpy(packet_data(&p), data, length);
		if (i > 0 && length >= 34 && data[12] == 8 && data[13] == 0)
			memcpy(packet_data(&p) + 30, "\xc6\x33\x64\x0a", 4);
		if (i > 1)
			packet_mutate(packet_data(&p), &p.length, &c->seed);
		if (p.length < PACKET_LEAST)
			continue;
		both_run(&p);
		if (++c->packets % 10000 == 0)
			tables_empty();
	}
}

static void
test_captures(void **state)
{
	struct captured c = { .seed = 11 };
	unsigned files;

	(void)state;
	tables_empty();
	files = captures_each(captured_run, &c);
	if (files == 0)
		skip();
	print_message("%u captures, %llu packets\n", files,
		(unsigned long long)c.packets);
	assert_true(files > 300);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_the_same_on_the_host),
		cmocka_unit_test(test_mutated_packets),
		cmocka_unit_test(test_random_bytes),
		cmocka_unit_test(test_captures),
	};
	int rc;

	load_quietly();
	gateway = world_open();
	if (gateway == NULL)
		return load_failed();
	host_program_open();
	host_fill();
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	host_program_close();
	world_close();
	return rc;
}
