/* Which endpoint gets the next request. */
#include "routing/balance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/endpoint.h"

enum {
	DRAWS = 100000,
	UP = ENDPOINT_UP,
	DRAIN = ENDPOINT_DRAINING,
	DOWN = ENDPOINT_DOWN,
	NONE = -1,
};

static uint64_t state = 1;

struct one { /* what the rows say of a candidate */
	uint32_t active;
	uint16_t weight;
	uint8_t health;
};

static struct balance *
balance_of(const struct one *c, size_t count)
{
	struct balance *b = balance_new(count);

	for (size_t i = 0; i < count; i++)
		*balance_candidate(b, i) = (struct balance_candidate){
			.identity = (i + 1) * UINT64_C(0x9e3779b97f4a7c15),
			.active = c[i].active,
			.weight = c[i].weight,
			.health = c[i].health,
		};
	balance_changed(b);
	return b;
}

static struct balance_request
request(size_t avoid)
{
	return (struct balance_request){
		.now_ms = 1000000, .random = &state, .avoid = avoid
	};
}

/* How often each of three is picked, in percent. */
static void
draw(struct balance *b, const struct policy_balance *p,
	const struct balance_request *r, unsigned percent[3])
{
	unsigned drawn[3] = { 0 };

	for (unsigned i = 0; i < DRAWS; i++) {
		size_t at = balance_pick(b, p, r);

		assert_true(at < balance_count(b));
		drawn[at]++;
	}
	for (size_t i = 0; i < 3; i++)
		percent[i] = (drawn[i] * 100 + DRAWS / 2) / DRAWS;
}

#define LEAST                                                                  \
	{                                                                      \
		.type = POLICY_BALANCE_DEFAULT                                 \
	}
#define TURNS                                                                  \
	{                                                                      \
		.type = POLICY_ROUND_ROBIN                                     \
	}
#define RANDOM                                                                 \
	{                                                                      \
		.type = POLICY_RANDOM                                          \
	}

static void
shares_are_as_they_should(void **unused)
{
	static const struct {
		const char *what;
		struct policy_balance policy;
		struct one c[3];
		int avoid;
		unsigned percent[3];
	} rows[] = {
		{ "equal ones", LEAST,
			{ { 0, 1, UP }, { 0, 1, UP }, { 0, 1, UP } }, NONE,
			{ 33, 33, 33 } },
		{ "weights when idle", LEAST,
			{ { 0, 1, UP }, { 0, 2, UP }, { 0, 7, UP } }, NONE,
			{ 10, 20, 70 } },
		{ "the busiest only against itself", LEAST,
			{ { 5, 1, UP }, { 0, 1, UP }, { 0, 1, UP } }, NONE,
			{ 11, 44, 44 } },
		{ "of more choices the busiest comes up less",
			{ .type = POLICY_LEAST_REQUEST, .choices = 3 },
			{ { 5, 1, UP }, { 0, 1, UP }, { 0, 1, UP } }, NONE,
			{ 4, 48, 48 } },
		{ "busy for its weight", LEAST,
			{ { 10, 10, UP }, { 5, 10, UP }, { 10, 10, UP } }, NONE,
			{ 22, 56, 22 } },
		{ "at random the busy are not looked at", RANDOM,
			{ { 9, 1, UP }, { 0, 1, UP }, { 0, 2, UP } }, NONE,
			{ 25, 25, 50 } },
		{ "one is down", LEAST,
			{ { 0, 1, DOWN }, { 3, 1, UP }, { 3, 1, UP } }, NONE,
			{ 0, 50, 50 } },
		{ "one is draining", LEAST,
			{ { 0, 1, DRAIN }, { 3, 1, UP }, { 3, 1, UP } }, NONE,
			{ 0, 50, 50 } },
		{ "none is up", LEAST,
			{ { 0, 1, DOWN }, { 0, 1, DRAIN }, { 0, 1, DOWN } },
			NONE, { 33, 33, 33 } },
		{ "fewer are up than the panic threshold",
			{ .type = POLICY_RANDOM, .panic_percent = 50 },
			{ { 0, 1, DOWN }, { 0, 1, DOWN }, { 0, 1, UP } }, NONE,
			{ 33, 33, 33 } },
		{ "as many are up as the panic threshold",
			{ .type = POLICY_RANDOM, .panic_percent = 66 },
			{ { 0, 1, UP }, { 0, 1, DOWN }, { 0, 1, UP } }, NONE,
			{ 50, 0, 50 } },
		{ "one is avoided", LEAST,
			{ { 0, 1, UP }, { 9, 1, UP }, { 9, 1, UP } }, 0,
			{ 0, 50, 50 } },
		{ "the only one that is up is not avoided", LEAST,
			{ { 0, 1, UP }, { 0, 1, DOWN }, { 0, 1, DOWN } }, 0,
			{ 100, 0, 0 } },
		{ "no weight counts as one", LEAST,
			{ { 0, 0, UP }, { 0, 1, UP }, { 0, 2, UP } }, NONE,
			{ 25, 25, 50 } },
		{ "in turn, by weight", TURNS,
			{ { 9, 1, UP }, { 0, 2, UP }, { 0, 7, UP } }, NONE,
			{ 10, 20, 70 } },
		{ "in turn, one is down", TURNS,
			{ { 0, 5, DOWN }, { 0, 1, UP }, { 0, 1, UP } }, NONE,
			{ 0, 50, 50 } },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct balance *b = balance_of(rows[i].c, 3);
		struct balance_request r =
			request(rows[i].avoid == NONE ? BALANCE_NONE
						      : (size_t)rows[i].avoid);
		unsigned percent[3];

		draw(b, &rows[i].policy, &r, percent);
		for (size_t k = 0; k < 3; k++)
			if (percent[k] + 1 < rows[i].percent[k] ||
				percent[k] > rows[i].percent[k] + 1)
				fail_msg("%s: [%zu] %u, not %u", rows[i].what,
					k, percent[k], rows[i].percent[k]);
		balance_free(b);
	}
}

/* Over any stretch of a round, nobody is more than one turn off his share. */
static void
turns_are_even(void **unused)
{
	static const struct one c[] = { { 0, 1, UP }, { 0, 2, UP },
		{ 0, 5, UP } };
	const struct policy_balance p = TURNS;
	const struct balance_request r = request(BALANCE_NONE);
	struct balance *b = balance_of(c, 3);
	unsigned got[3] = { 0 };

	(void)unused;
	for (unsigned i = 1; i <= 8000; i++) {
		got[balance_pick(b, &p, &r)]++;
		for (size_t k = 0; k < 3; k++) {
			unsigned wanted = i * c[k].weight;

			assert_true(got[k] * 8 <= wanted + 8);
			assert_true(got[k] * 8 + 8 >= wanted);
		}
	}
	balance_free(b);
}

/* With a hundredth of its share a turn counts 128 times, which brings the end
 * of the 64 bits near: beyond it turns are as even as before. */
static void
turns_stay_even(void **unused)
{
	static const struct one c[] = { { 0, 1, UP }, { 0, 1, UP } };
	const struct policy_balance p = { .type = POLICY_ROUND_ROBIN,
		.slow_start_ms = 1000,
		.slow_min_percent = 1 };
	const struct balance_request r = request(BALANCE_NONE);
	struct balance *b = balance_of(c, 2);
	size_t ahead = 0;

	(void)unused;
	balance_candidate(b, 0)->up_ms = r.now_ms;
	balance_candidate(b, 1)->up_ms = r.now_ms;
	for (uint32_t i = 0; i < (UINT32_C(1) << 26) + 1000; i += 2) {
		ahead = balance_pick(b, &p, &r);
		if (balance_pick(b, &p, &r) + ahead != 1)
			fail_msg("[%zu] twice after %u turns", ahead, i);
	}
	balance_free(b);
}

static void
a_new_one_begins_slowly(void **unused)
{
	static const struct one c[] = { { 0, 1, UP }, { 0, 1, UP },
		{ 0, 1, UP } };
	static const struct {
		uint64_t age_ms;
		unsigned type, least, most; /* its percent */
	} rows[] = {
		{ 0, POLICY_RANDOM, 2, 7 },
		{ 5000, POLICY_RANDOM, 17, 23 },
		{ 10000, POLICY_RANDOM, 32, 34 },
		{ 0, POLICY_ROUND_ROBIN, 3, 6 },
		{ 5000, POLICY_ROUND_ROBIN, 18, 22 },
		{ 10000, POLICY_ROUND_ROBIN, 32, 34 },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct policy_balance p = { .type = (uint8_t)rows[i].type,
			.slow_start_ms = 10000,
			.slow_min_percent = 10 };
		const struct balance_request r = request(BALANCE_NONE);
		struct balance *b = balance_of(c, 3);
		unsigned percent[3];

		balance_candidate(b, 1)->up_ms = r.now_ms - rows[i].age_ms;
		draw(b, &p, &r, percent);
		if (percent[1] < rows[i].least || percent[1] > rows[i].most)
			fail_msg("[%zu]: %u percent", i, percent[1]);
		balance_free(b);
	}
}

/* The same hash leads to the same one; when that goes down only its own hashes
 * move, and they come back. */
static void
hashes_stay(void **unused)
{
	static const uint8_t types[] = { POLICY_RING_HASH, POLICY_MAGLEV };
	static const struct one c[] = { { 0, 1, UP }, { 0, 1, UP },
		{ 0, 1, UP } };
	enum {
		HASHES = 3000
	};
	static size_t first[HASHES];

	(void)unused;
	for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
		const struct policy_balance p = {
			.type = types[t], .ring_min = 1024, .ring_max = 4096
		};
		struct balance_request r = request(BALANCE_NONE);
		struct balance *b = balance_of(c, 3);
		unsigned got[3] = { 0 };

		r.hashed = true;
		for (r.hash = 0; r.hash < HASHES; r.hash++) {
			first[r.hash] = balance_pick(b, &p, &r);
			got[first[r.hash]]++;
		}
		for (size_t k = 0; k < 3; k++)
			assert_in_range(got[k], 700, 1300);
		balance_candidate(b, 2)->health = DOWN;
		balance_changed(b);
		for (r.hash = 0; r.hash < HASHES; r.hash++) {
			size_t at = balance_pick(b, &p, &r);

			assert_int_not_equal(at, 2);
			if (first[r.hash] != 2)
				assert_int_equal(at, first[r.hash]);
		}
		balance_candidate(b, 2)->health = UP;
		balance_changed(b);
		for (r.hash = 0; r.hash < HASHES; r.hash++)
			assert_int_equal(
				balance_pick(b, &p, &r), first[r.hash]);
		r.hash = 7;
		r.avoid = first[7];
		assert_int_not_equal(balance_pick(b, &p, &r), first[7]);
		balance_free(b);
	}
}

static void
extremes_are_in_range(void **unused)
{
	static const struct one c[] = { { UINT32_MAX, UINT16_MAX, UP },
		{ UINT32_MAX, 1, UP } };
	struct balance_request r = request(BALANCE_NONE);

	(void)unused;
	for (uint8_t type = 0; type < POLICY_BALANCE_COUNT; type++) {
		const struct policy_balance p = {
			.type = type, .ring_min = 1, .ring_max = 1
		};
		struct balance *none = balance_of(c, 0);
		struct balance *two = balance_of(c, 2);

		r.hashed = true;
		assert_int_equal(balance_pick(none, &p, &r), BALANCE_NONE);
		for (r.hash = 0; r.hash < 100; r.hash++)
			assert_true(balance_pick(two, &p, &r) < 2);
		balance_free(none);
		balance_free(two);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_are_as_they_should),
		cmocka_unit_test(turns_are_even),
		cmocka_unit_test(turns_stay_even),
		cmocka_unit_test(a_new_one_begins_slowly),
		cmocka_unit_test(hashes_stay),
		cmocka_unit_test(extremes_are_in_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
