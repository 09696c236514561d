/* Rings: shares by weight, and how little moves. */
#include "routing/ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#define MEMBERS 100
#define HASHES  100000

static struct ring_member members[MEMBERS];

static struct ring *
ring_of(bool maglev, const struct ring_member *m, size_t count)
{
	return maglev ? ring_new_maglev(m, count, RING_MAGLEV_SLOTS)
		      : ring_new_points(m, count, 16384, 1 << 20);
}

static void
members_make(uint32_t weight_of_0)
{
	for (size_t i = 0; i < MEMBERS; i++)
		members[i] = (struct ring_member){ (i + 1) * 7919, 1 };
	members[0].weight = weight_of_0;
}

static uint32_t
member_of(const struct ring *r, uint64_t hash)
{
	return ring_member_at(r, ring_find(r, hash));
}

static void
shares_go_by_weight(void **state)
{
	(void)state;
	for (int maglev = 0; maglev < 2; maglev++) {
		unsigned got[MEMBERS] = { 0 };
		struct ring *r;

		members_make(11); /* a tenth of 110 */
		r = ring_of(maglev, members, MEMBERS);
		for (uint64_t h = 0; h < HASHES; h++)
			got[member_of(r, h)]++;
		assert_in_range(
			got[0], HASHES / 10 * 9 / 10, HASHES / 10 * 11 / 10);
		for (size_t i = 1; i < MEMBERS; i++)
			assert_in_range(got[i], HASHES / 110 * 6 / 10,
				HASHES / 110 * 15 / 10);
		ring_free(r);
	}
}

static void
every_slot_has_a_member(void **state)
{
	static const uint32_t sizes[] = { 2, 3, 251, RING_MAGLEV_SLOTS };

	(void)state;
	members_make(1);
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		for (size_t count = 1; count <= MEMBERS; count += 33) {
			struct ring *r =
				ring_new_maglev(members, count, sizes[s]);

			assert_int_equal(ring_slots(r), sizes[s]);
			for (uint32_t i = 0; i < sizes[s]; i++)
				assert_true(ring_member_at(r, i) < count);
			ring_free(r);
		}
	}
}

/* The order in which members are named does not matter. */
static void
order_does_not_matter(void **state)
{
	struct ring_member other[MEMBERS];

	(void)state;
	members_make(3);
	for (size_t i = 0; i < MEMBERS; i++)
		other[i] = members[MEMBERS - 1 - i];
	for (int maglev = 0; maglev < 2; maglev++) {
		struct ring *a = ring_of(maglev, members, MEMBERS);
		struct ring *b = ring_of(maglev, other, MEMBERS);

		for (uint64_t h = 0; h < HASHES; h++)
			assert_int_equal(
				member_of(a, h), MEMBERS - 1 - member_of(b, h));
		ring_free(a);
		ring_free(b);
	}
}

/* Gateways of one version and of the next send a flow to one backend. */
static void
maglev_is_the_same_in_every_version(void **state)
{
	const struct ring_member three[] = { { 0x1111, 1 }, { 0x2222, 3 },
		{ 0x3333, 2 } };
	struct ring *r = ring_new_maglev(three, 3, RING_MAGLEV_SLOTS);
	uint64_t print = 0;

	(void)state;
	for (uint32_t i = 0; i < RING_MAGLEV_SLOTS; i++)
		print = print * 31 + ring_member_at(r, i);
	assert_true(print == UINT64_C(0xf37897e3204e711b));
	ring_free(r);
}

/* One of a hundred goes: its own hashes move, and few others. */
static void
few_hashes_move(void **state)
{
	(void)state;
	members_make(1);
	for (int maglev = 0; maglev < 2; maglev++) {
		struct ring *a = ring_of(maglev, members, MEMBERS);
		struct ring *b = ring_of(maglev, members, MEMBERS - 1);
		unsigned moved = 0;

		for (uint64_t h = 0; h < HASHES; h++) {
			uint32_t was = member_of(a, h);

			moved += was != MEMBERS - 1 && was != member_of(b, h);
		}
		/* Of the others none on a hash ring, some with Maglev (its
		 * paper, 5.3). */
		assert_true(moved <= (maglev ? HASHES / 20 : 0));
		ring_free(a);
		ring_free(b);
	}
}

static void
rings_keep_their_size(void **state)
{
	struct ring *r;

	(void)state;
	members_make(1);
	r = ring_new_points(members, MEMBERS, 10, 50);
	assert_int_equal(ring_slots(r), MEMBERS); /* one for each */
	ring_free(r);
	r = ring_new_points(members, 1, 1000, 1000);
	assert_int_equal(ring_slots(r), 512);
	ring_free(r);
	r = ring_new_points(members, 3, 1000, 1 << 20);
	assert_int_equal(ring_slots(r), 3 * 512);
	ring_free(r);
	members[0].weight = UINT32_MAX;
	r = ring_new_points(members, 2, 64, 4096);
	assert_in_range(ring_slots(r), 4096, 4098);
	ring_free(r);
	r = ring_new_maglev(members, 2, 251);
	for (uint32_t i = 0; i < 251; i++)
		assert_int_equal(ring_member_at(r, i), 0);
	ring_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_go_by_weight),
		cmocka_unit_test(every_slot_has_a_member),
		cmocka_unit_test(order_does_not_matter),
		cmocka_unit_test(maglev_is_the_same_in_every_version),
		cmocka_unit_test(few_hashes_move),
		cmocka_unit_test(rings_keep_their_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
