/* Indices of backends: stable, given to another only when free, read back. */
#include "fastpath/backends.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#define SLOT 64

static struct addr
addr_of(unsigned n)
{
	struct addr addr = { .port_be = htons(80) };

	addr.ip[10] = addr.ip[11] = 0xff;
	addr.ip[12] = 10;
	addr.ip[14] = (uint8_t)(n >> 8);
	addr.ip[15] = (uint8_t)n;
	return addr;
}

static uint16_t
take(struct backends *b, uint32_t slot, unsigned n)
{
	const struct addr addr = addr_of(n);

	return backends_take(b, slot, &addr, 0);
}

static uint16_t
take_of(struct backends *b, unsigned n, uint64_t owner)
{
	const struct addr addr = addr_of(n);

	return backends_take(b, SLOT, &addr, owner);
}

static uint16_t
find(struct backends *b, uint32_t slot, unsigned n)
{
	const struct addr addr = addr_of(n);

	return backends_find(b, slot, &addr);
}

static void
an_index_is_of_a_service_and_an_address(void **state)
{
	struct backends *b = xcalloc(1, sizeof(*b));

	(void)state;
	assert_int_equal(find(b, SLOT, 1), 0);
	assert_int_equal(take(b, SLOT, 1), 1);
	assert_int_equal(take(b, SLOT, 2), 2);
	assert_int_equal(take(b, SLOT + 1, 1), 3); /* another's, too */
	assert_int_equal(take(b, SLOT, 1), 1);
	assert_int_equal(b->count, 3);
	backends_release(b, 2);
	assert_int_equal(find(b, SLOT, 2), 0);
	assert_int_equal(find(b, SLOT + 1, 1), 3);
	assert_int_equal(take(b, SLOT, 9), 2); /* it was free */
	assert_int_equal(b->count, 3);
	free(b);
}

static void
all_indices_are_found_again(void **state)
{
	struct backends *b = xcalloc(1, sizeof(*b));

	(void)state;
	for (unsigned n = 1; n < GG_BACKENDS_MAX; n++)
		assert_int_equal(take(b, SLOT + n % 7, n), n);
	assert_int_equal(take(b, SLOT, 5000), 0); /* none is left */
	for (unsigned n = 1; n < GG_BACKENDS_MAX; n += 2)
		backends_release(b, (uint16_t)n);
	for (unsigned n = 1; n < GG_BACKENDS_MAX; n++)
		assert_int_equal(find(b, SLOT + n % 7, n), n % 2 ? 0 : n);
	assert_int_equal(take(b, SLOT, 5000), 1);
	free(b);
}

static void
another_owner_has_an_index_of_its_own(void **state)
{
	struct backends *b = xcalloc(1, sizeof(*b));
	struct backends *again = xcalloc(1, sizeof(*again));
	struct gg_backend *rows = xcalloc(GG_BACKENDS_MAX, sizeof(*rows));

	(void)state;
	assert_int_equal(take_of(b, 1, 0), 1);
	/* It becomes known, and is not said any more. */
	assert_int_equal(take_of(b, 1, 70), 1);
	assert_int_equal(take_of(b, 1, 0), 1);
	assert_true(backends_is_owner(b, 1, 70));
	assert_false(backends_is_owner(b, 1, 71));
	assert_false(b->list[1].former);
	assert_int_equal(take_of(b, 1, 71), 2);
	assert_true(b->list[1].former && b->list[1].removed);
	assert_int_equal(b->list[1].state, FASTPATH_BACKEND_DOWN);
	assert_int_equal(b->count, 2);
	assert_int_equal(find(b, SLOT, 1), 2);
	/* Who comes back is another one still. */
	assert_int_equal(take_of(b, 1, 70), 3);
	for (uint16_t i = 1; i <= 3; i++)
		backend_row(&b->list[i], &rows[i]);
	assert_int_equal(
		rows[1].flags, GG_BACKEND_DOWN | GG_BACKEND_FORMER);
	assert_int_equal(rows[3].flags, 0);
	backends_restore(again, rows);
	assert_int_equal(find(again, SLOT, 1), 3);
	assert_true(again->list[2].former);
	assert_int_equal(again->list[2].state, FASTPATH_BACKEND_DOWN);
	assert_int_equal(take_of(again, 1, 70), 3); /* it was not known */
	/* That a former one goes is nothing to who has the address. */
	backends_release(b, 1);
	backends_release(b, 2);
	assert_int_equal(find(b, SLOT, 1), 3);
	assert_int_equal(take_of(b, 2, 0), 1);
	backends_release(b, 3);
	assert_int_equal(find(b, SLOT, 1), 0);
	free(rows);
	free(again);
	free(b);
}

/* Full, so that all probe past each other, and anybody leaves at any time. */
static void
who_is_left_is_found_whoever_leaves(void **state)
{
	struct backends *b = xcalloc(1, sizeof(*b));
	uint16_t *index = xcalloc(2 * GG_BACKENDS_MAX, sizeof(*index));
	uint32_t random = 1;

	(void)state;
	for (int step = 0; step < 60000; step++) {
		unsigned n;

		random = random * 1664525 + 1013904223;
		n = random / (UINT32_MAX / (2 * GG_BACKENDS_MAX) + 1);
		assert_int_equal(find(b, SLOT, n), index[n]);
		if (index[n] != 0) {
			backends_release(b, index[n]);
			index[n] = 0;
		} else {
			index[n] = take(b, SLOT, n);
			assert_true(index[n] != 0 ||
				    b->count == GG_BACKENDS_MAX - 1);
		}
	}
	for (unsigned n = 0; n < 2 * GG_BACKENDS_MAX; n++)
		assert_int_equal(find(b, SLOT, n), index[n]);
	assert_true(b->count > GG_BACKENDS_MAX / 2);
	free(index);
	free(b);
}

static void
rows_are_read_back(void **state)
{
	struct backends *b = xcalloc(1, sizeof(*b));
	struct backends *again = xcalloc(1, sizeof(*again));
	struct gg_backend *rows = xcalloc(GG_BACKENDS_MAX, sizeof(*rows));
	struct backend *two;
	struct gg_backend row;

	(void)state;
	take(b, SLOT, 1);
	two = &b->list[take(b, SLOT + 3, 2)];
	two->way = (struct way){
		.ifindex = 7,
		.mtu = 1400,
		.from_mac = { 2, 0, 0, 0, 0, 1 },
		.to_mac = { 2, 0, 0, 0, 0, 2 },
		.reachable = true,
	};
	backend_row(&b->list[1], &rows[1]);
	backend_row(two, &rows[2]);
	assert_int_equal(rows[1].ifindex, 0);
	assert_int_equal(rows[2].ifindex, 7);
	rows[9].slot = 3; /* of a listener: nobody wrote that */
	backends_restore(again, rows);
	assert_int_equal(again->count, 2);
	assert_int_equal(find(again, SLOT, 1), 1);
	assert_int_equal(find(again, SLOT + 3, 2), 2);
	assert_true(again->list[2].removed && again->list[2].way.stale);
	/* Until its way was asked for anew, packets go where they went. */
	backend_row(&again->list[2], &row);
	assert_memory_equal(&row, &rows[2], sizeof(row));
	assert_int_equal(take(again, SLOT, 3), 3);
	two->way.reachable = false;
	backend_row(two, &row);
	assert_int_equal(row.ifindex, 0);
	assert_int_equal(row.slot, SLOT + 3);
	free(rows);
	free(again);
	free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_index_is_of_a_service_and_an_address),
		cmocka_unit_test(all_indices_are_found_again),
		cmocka_unit_test(another_owner_has_an_index_of_its_own),
		cmocka_unit_test(who_is_left_is_found_whoever_leaves),
		cmocka_unit_test(rows_are_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
