/* Tests userspace/proxy/census.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "proxy/census.h"

static enum census_verdict
enter(struct census *c, const char *ip, uint32_t total, uint32_t source,
	uint32_t *place)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(ip, 0, &a), 0);
	return census_enter(c, a.ip, total, source, place);
}

static void
what_is_one_source(void **state)
{
	static const struct {
		const char *what, *first, *second;
		enum census_verdict verdict;
	} rows[] = {
		{ "an IPv4 address", "192.0.2.1", "192.0.2.1",
			CENSUS_SOURCE_FULL },
		{ "its mapped form", "192.0.2.1", "::ffff:192.0.2.1",
			CENSUS_SOURCE_FULL },
		{ "its neighbour", "192.0.2.1", "192.0.2.2", CENSUS_IN },
		{ "an IPv6 /64", "2001:db8:1:2::1", "2001:db8:1:2:ffff::9",
			CENSUS_SOURCE_FULL },
		{ "the next /64", "2001:db8:1:2::1", "2001:db8:1:3::1",
			CENSUS_IN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct census *c = census_new();
		uint32_t place;

		assert_int_equal(
			enter(c, rows[i].first, 0, 1, &place), CENSUS_IN);
		if (enter(c, rows[i].second, 0, 1, &place) != rows[i].verdict)
			fail_msg("%s", rows[i].what);
		census_free(c);
	}
}

static void
limits_hold_and_are_given_back(void **state)
{
	struct census *c = census_new();
	uint32_t a[2], b, refused;

	(void)state;
	assert_int_equal(enter(c, "192.0.2.1", 3, 2, &a[0]), CENSUS_IN);
	assert_int_equal(enter(c, "192.0.2.1", 3, 2, &a[1]), CENSUS_IN);
	assert_int_equal(
		enter(c, "192.0.2.1", 3, 2, &refused), CENSUS_SOURCE_FULL);
	assert_int_equal(census_total(c), 2);
	assert_int_equal(enter(c, "192.0.2.9", 3, 2, &b), CENSUS_IN);
	assert_int_equal(enter(c, "192.0.2.8", 3, 2, &refused), CENSUS_FULL);
	assert_int_equal(census_total(c), 3);
	census_leave(c, a[0]);
	assert_int_equal(enter(c, "192.0.2.1", 3, 2, &a[0]), CENSUS_IN);
	census_leave(c, a[0]);
	census_leave(c, a[1]);
	census_leave(c, b);
	assert_int_equal(census_total(c), 0);
	census_free(c);
}

static void
without_limits_all_come_in(void **state)
{
	struct census *c = census_new();
	uint32_t place;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		assert_int_equal(
			enter(c, "192.0.2.1", 0, 0, &place), CENSUS_IN);
		assert_int_equal(place, CENSUS_NOWHERE);
	}
	for (int i = 0; i < 5000; i++)
		census_leave(c, place);
	assert_int_equal(census_total(c), 0);
	census_free(c);
}

/* Sources beyond the table's room come in uncounted, and the others stay
 * right. */
static void
a_full_table_lets_in(void **state)
{
	enum {
		SOURCES = 400000
	};
	static uint32_t places[SOURCES];
	struct census *c = census_new();
	uint32_t uncounted = 0, place;
	uint8_t ip[16] = { 0x20, 0x01 };

	(void)state;
	for (uint32_t i = 0; i < SOURCES; i++) {
		memcpy(ip + 2, &i, sizeof(i));
		assert_int_equal(
			census_enter(c, ip, 0, 1, &places[i]), CENSUS_IN);
		uncounted += places[i] == CENSUS_NOWHERE;
	}
	assert_true(uncounted >= SOURCES - 262144);
	for (uint32_t i = 0; i < SOURCES; i++) {
		memcpy(ip + 2, &i, sizeof(i));
		if (places[i] != CENSUS_NOWHERE)
			assert_int_equal(census_enter(c, ip, 0, 1, &place),
				CENSUS_SOURCE_FULL);
	}
	for (uint32_t i = 0; i < SOURCES; i++)
		census_leave(c, places[i]);
	assert_int_equal(census_total(c), 0);
	census_free(c);
}

/* At the size that the limit of connections defaults to, hardly any source
 * goes uncounted. */
static void
the_table_is_roomy(void **state)
{
	struct census *c = census_new();
	uint32_t uncounted = 0, place;
	uint8_t ip[16] = { 0x20, 0x01 };

	(void)state;
	for (uint32_t i = 0; i < 50000; i++) {
		memcpy(ip + 2, &i, sizeof(i));
		census_enter(c, ip, 0, 1, &place);
		uncounted += place == CENSUS_NOWHERE;
	}
	assert_in_range(uncounted, 0, 50);
	census_free(c);
}

struct crowd {
	struct census *census;
	uint32_t refused;
};

/* Comes and goes, now and then as one source too many. */
static void *
come_and_go(void *arg)
{
	struct crowd *crowd = arg;
	uint32_t places[4];
	struct addr a;

	addr_parse_ip("192.0.2.1", 0, &a);
	for (int round = 0; round < 50000; round++) {
		int in = 0;

		for (int i = 0; i < 4; i++)
			if (census_enter(crowd->census, a.ip, 0, 6,
				    &places[in]) == CENSUS_IN)
				in++;
			else
				crowd->refused++;
		while (in > 0)
			census_leave(crowd->census, places[--in]);
	}
	return NULL;
}

static void
threads_count_exactly(void **state)
{
	struct crowd crowds[4] = { { .census = census_new() } };
	pthread_t threads[4];
	uint32_t place;

	(void)state;
	for (int i = 0; i < 4; i++) {
		crowds[i].census = crowds[0].census;
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go,
					 &crowds[i]),
			0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(census_total(crowds[0].census), 0);
	/* Nothing is left behind under the source either. */
	for (int i = 0; i < 6; i++)
		assert_int_equal(
			enter(crowds[0].census, "192.0.2.1", 0, 6, &place),
			CENSUS_IN);
	assert_int_equal(enter(crowds[0].census, "192.0.2.1", 0, 6, &place),
		CENSUS_SOURCE_FULL);
	census_free(crowds[0].census);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_one_source),
		cmocka_unit_test(limits_hold_and_are_given_back),
		cmocka_unit_test(without_limits_all_come_in),
		cmocka_unit_test(a_full_table_lets_in),
		cmocka_unit_test(the_table_is_roomy),
		cmocka_unit_test(threads_count_exactly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
