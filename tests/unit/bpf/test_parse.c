/* bpf/parse.h on the host: the packet table, cuts at every byte, noise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "bpf/contract.h"
#include "tests/lib/packet.h"
#include "tests/lib/packet_model.h"

/* The verdict on a copy that ends where its allocation ends, so that the
 * sanitizer sees a step beyond. */
static struct packet_verdict
judge(const void *data, size_t length)
{
	uint8_t *room = xmalloc(PACKET_SHIFT + length);
	struct packet_verdict verdict;

	memcpy(room + PACKET_SHIFT, data, length);
	verdict = packet_model(room + PACKET_SHIFT, length);
	free(room);
	return verdict;
}

static void
test_rows(void **state)
{
	struct packet p;
	struct packet_verdict verdict;

	(void)state;
	for (const struct packet_row *row = packet_rows; row->what != NULL;
		row++) {
		packet_build(&p, row->packet);
		verdict = judge(packet_data(&p), p.length);
		if (verdict.reason != row->reason || verdict.slot != row->slot)
			fail_msg("%s (%s): slot %u, %s", row->what, row->packet,
				verdict.slot,
				packet_reason_name(verdict.reason));
	}
}

static int
is_cut_reason(enum gg_reason reason)
{
	return reason == GG_REASON_pass_malformed_eth ||
		reason == GG_REASON_pass_malformed_ip4 ||
		reason == GG_REASON_pass_malformed_ip6;
}

/* Whoever promises more bytes than there are is never counted as whole. */
static void
test_cut_at_every_byte(void **state)
{
	struct packet p;
	struct packet_verdict verdict;

	(void)state;
	for (const struct packet_row *row = packet_rows; row->what != NULL;
		row++) {
		packet_build(&p, row->packet);
		for (size_t n = 0; n < p.length; n++) {
			verdict = judge(packet_data(&p), n);
			assert_true(verdict.reason < GG_REASON_COUNT);
			if (row->reason != GG_REASON_pass_listener ||
				strstr(row->packet, "pad=") != NULL)
				continue;
			if (!is_cut_reason(verdict.reason))
				fail_msg("%s, cut to %zu: %s", row->what, n,
					packet_reason_name(verdict.reason));
		}
	}
}

static void
test_mutated_packets(void **state)
{
	struct packet p;
	uint64_t random = 1;
	size_t rows = 0;

	(void)state;
	while (packet_rows[rows].what != NULL)
		rows++;
	for (int i = 0; i < 100000; i++) {
		struct packet_verdict verdict;

		packet_build(&p,
			packet_rows[packet_random(&random) % rows].packet);
		packet_mutate(packet_data(&p), &p.length, &random);
		verdict = judge(packet_data(&p), p.length);
		assert_true(verdict.reason < GG_REASON_COUNT);
		assert_true(verdict.slot < GG_SLOTS_MAX);
	}
}

/* The sum over a header that carries its own right sum is 0. */
static void
assert_sum(struct packet *p, size_t start, size_t length, uint32_t pseudo)
{
	assert_int_equal(
		packet_checksum(packet_data(p) + start, length, pseudo), 0);
}

static void
test_builder_makes_right_sums(void **state)
{
	struct packet p;

	(void)state;
	packet_build(&p, "eth ip4 udp data=3 fill=ff");
	assert_int_equal(p.length, 14 + 20 + 8 + 3);
	assert_sum(&p, 14, 20, 0);
	/* pseudo header: addresses, protocol, length */
	assert_sum(&p, 34, 11,
		0xc000 + 0x0201 + 0xc633 + 0x6401 + 17 + 11);
	packet_build(&p, "eth ip6 tcp data=1");
	assert_sum(&p, 54, 21,
		2 * (0x2001 + 0xdb8) + 1 + 2 + 6 + 21);
	packet_build(&p, "eth ip4 icmp data=8");
	assert_sum(&p, 34, 16, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_cut_at_every_byte),
		cmocka_unit_test(test_mutated_packets),
		cmocka_unit_test(test_builder_makes_right_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
