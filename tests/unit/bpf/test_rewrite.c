/* bpf/rewrite.h on the host: against sums computed anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "bpf/rewrite.h"
#include "tests/lib/packet.h"
#include "tests/lib/packet_model.h"

#define PACKETS   1000000
#define DATA_MOST 41

/* One packet without its link header, the headers at even places. */
struct sample {
	_Alignas(8) uint8_t bytes[40 + 20 + DATA_MOST];
	bool is4, is_tcp;
	size_t l4, length;
};

/* Random bytes, but often those where sums turn over. */
static void
fill(uint8_t *to, size_t size, uint64_t *state)
{
	uint64_t r = packet_random(state);

	for (size_t i = 0; i < size; i++) {
		uint8_t byte = (uint8_t)packet_random(state);

		to[i] = r % 4 == 0 ? 0 : r % 4 == 1 ? 0xff : byte;
	}
}

static uint32_t
pseudo(const struct sample *s)
{
	size_t place = s->is4 ? 12 : 8, size = s->is4 ? 8 : 32;
	uint16_t addresses = packet_checksum(s->bytes + place, size, 0);

	return (uint16_t)~addresses + (s->is_tcp ? 6u : 17u) +
		(uint32_t)(s->length - s->l4);
}

static uint16_t *
l4_sum(struct sample *s)
{
	return (uint16_t *)(void *)(s->bytes + s->l4 + (s->is_tcp ? 16 : 6));
}

/* As a sender computes it. */
static uint16_t
l4_sum_anew(const struct sample *s)
{
	struct sample copy = *s;
	uint16_t sum;

	*l4_sum(&copy) = 0;
	sum = packet_checksum(copy.bytes + copy.l4, copy.length - copy.l4,
		pseudo(&copy));
	return htons(sum == 0 && !s->is_tcp ? 0xffff : sum);
}

static void
sample_make(struct sample *s, uint64_t *state)
{
	uint64_t r = packet_random(state);

	memset(s, 0, sizeof(*s));
	s->is4 = r & 1;
	s->is_tcp = r & 2;
	s->l4 = s->is4 ? 20 : 40;
	s->length = s->l4 + (s->is_tcp ? 20 : 8) + (r >> 8) % DATA_MOST;
	fill(s->bytes + s->l4, s->length - s->l4, state);
	fill(s->bytes + (s->is4 ? 12 : 8), s->is4 ? 8 : 32, state);
	if (s->is4) {
		fill(s->bytes + 4, 2, state);
		s->bytes[0] = 0x45;
		s->bytes[8] = (uint8_t)(2 + (r >> 16) % 254);
		s->bytes[9] = s->is_tcp ? 6 : 17;
		*(uint16_t *)(void *)(s->bytes + 10) =
			htons(packet_checksum(s->bytes, 20, 0));
	}
	*l4_sum(s) = l4_sum_anew(s);
}

static void
sample_rewrite(struct sample *s, const struct rewrite_ends *ends)
{
	uint16_t *sum = l4_sum(s);
	uint64_t diff;

	if (s->is4) {
		diff = rewrite_ip4((void *)s->bytes, ends);
		rewrite_ttl4((void *)s->bytes);
	} else {
		diff = rewrite_ip6((void *)s->bytes, ends);
	}
	diff += rewrite_ports((void *)(s->bytes + s->l4), ends);
	if (s->is_tcp)
		checksum_update(sum, diff);
	else
		checksum_update_udp(sum, diff);
}

static void
test_sums_are_those_computed_anew(void **state)
{
	uint64_t random = 1624;
	struct rewrite_ends ends;
	struct sample s;

	(void)state;
	for (int i = 0; i < PACKETS; i++) {
		sample_make(&s, &random);
		fill((uint8_t *)&ends, sizeof(ends), &random);
		sample_rewrite(&s, &ends);
		if (*l4_sum(&s) != l4_sum_anew(&s))
			fail_msg("packet %d: %04x instead of %04x", i,
				*l4_sum(&s), l4_sum_anew(&s));
		if (s.is4)
			assert_int_equal(packet_checksum(s.bytes, 20, 0), 0);
		assert_memory_equal(s.bytes + s.l4, &ends.from_port_be, 4);
	}
}

static void
test_no_checksum_stays_none(void **state)
{
	uint64_t random = 1;
	struct rewrite_ends ends;
	struct sample s;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		do
			sample_make(&s, &random);
		while (s.is_tcp);
		*l4_sum(&s) = 0;
		fill((uint8_t *)&ends, sizeof(ends), &random);
		sample_rewrite(&s, &ends);
		assert_int_equal(*l4_sum(&s), 0);
	}
}

/* The word that makes a datagram's sum come out as 0. */
static void
test_a_sum_of_0_is_written_0xffff(void **state)
{
	struct rewrite_ends ends = { 0 };
	uint64_t random = 2;
	struct sample s;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		do
			sample_make(&s, &random);
		while (s.is_tcp || *l4_sum(&s) == 0xffff);
		memcpy(ends.from + 12, s.bytes + 12, 4);
		memcpy(ends.to + 12, s.bytes + 16, 4);
		if (!s.is4)
			memcpy(ends.from, s.bytes + 8, 32);
		memcpy(&ends.from_port_be, s.bytes + s.l4, 4);
		/* One word more by what is missing: the sum becomes 0. */
		ends.to_port_be = checksum_fold(
			(uint64_t)ends.to_port_be + *l4_sum(&s));
		sample_rewrite(&s, &ends);
		assert_int_equal(*l4_sum(&s), 0xffff);
		assert_int_equal(*l4_sum(&s), l4_sum_anew(&s));
	}
}

static void
test_what_was_wrong_stays_wrong(void **state)
{
	uint64_t random = 3;
	struct rewrite_ends ends;
	struct sample s;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		sample_make(&s, &random);
		*l4_sum(&s) ^= 0x0101;
		if (*l4_sum(&s) == 0)
			continue;
		fill((uint8_t *)&ends, sizeof(ends), &random);
		sample_rewrite(&s, &ends);
		assert_int_not_equal(*l4_sum(&s), l4_sum_anew(&s));
	}
}

static void
test_link_addresses(void **state)
{
	_Alignas(2) const uint8_t to[6] = { 1, 2, 3, 4, 5, 6 }, from[6] = { 7 };
	_Alignas(2) struct ethhdr eth = { 0 };

	(void)state;
	rewrite_macs(&eth, to, from);
	assert_memory_equal(eth.h_dest, to, 6);
	rewrite_macs_swapped(&eth);
	assert_memory_equal(eth.h_dest, from, 6);
	assert_memory_equal(eth.h_source, to, 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums_are_those_computed_anew),
		cmocka_unit_test(test_no_checksum_stays_none),
		cmocka_unit_test(test_a_sum_of_0_is_written_0xffff),
		cmocka_unit_test(test_what_was_wrong_stays_wrong),
		cmocka_unit_test(test_link_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
