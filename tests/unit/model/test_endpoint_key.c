/* Which endpoints of a set are in the next one too. */
#include "model/endpoint_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/endpoint.h"

#define MANY 8

struct side {
	size_t count;
	struct addr addrs[MANY];
	struct endpoint_key keys[MANY];
};

/* "a1 a2 b0": the address and its owner, each a character. */
static void
side_make(struct side *s, const char *text)
{
	s->count = 0;
	for (; *text != '\0'; text += text[2] == ' ' ? 3 : 2) {
		struct addr *addr = &s->addrs[s->count];

		addr_parse_ip("10.0.0.1", (uint16_t)text[0], addr);
		s->keys[s->count] = (struct endpoint_key){ addr,
			(uint64_t)(text[1] - '0'), (uint32_t)s->count };
		s->count++;
	}
	endpoint_keys_sort(s->keys, s->count);
}

static const struct row {
	const char *had, *want, *from; /* '-': it is new */
} rows[] = {
	{ "", "", "" },
	{ "", "a1", "-" },
	{ "a1", "", "" },
	{ "a1 b2", "b2 a1", "10" },
	/* Another owner is another endpoint. */
	{ "a1", "a2", "-" },
	{ "a1 b1", "a2 b1", "-1" },
	{ "a1", "b1", "-" },
	/* Not to know is no evidence. */
	{ "a0", "a0", "0" },
	{ "a0", "a7", "0" },
	{ "a7", "a0", "0" },
	/* The same address more than once. */
	{ "a0 a0", "a0 a0", "01" },
	{ "a0 a0", "a0", "0" },
	{ "a0", "a0 a0", "0-" },
	{ "a1 a2", "a2 a1", "10" },
	{ "a1 a2", "a2 a3", "1-" },
	{ "a1 a2", "a0", "0" },
	{ "a1 a2", "a2 a0", "10" },
	{ "a2 a0", "a1 a2", "10" },
	{ "a0 a0 a1", "a1 a3 a4 a5", "201-" },
	{ "a1 a2 a3", "a0 a3 a0 a0", "021-" },
	{ "c1 b0 a9 a0", "a9 b4 d1 c2 a8", "21--3" },
};

static void
those_that_stay_are_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct side had, want;
		uint32_t from[MANY];
		char got[MANY + 1] = "";

		side_make(&had, rows[i].had);
		side_make(&want, rows[i].want);
		endpoint_keys_match(
			had.keys, had.count, want.keys, want.count, from);
		for (size_t k = 0; k < want.count; k++)
			got[k] = (char)(from[k] == ENDPOINT_KEY_NONE
						? '-'
						: '0' + (int)from[k]);
		if (strcmp(got, rows[i].from) != 0)
			fail_msg("\"%s\" to \"%s\": %s, not %s", rows[i].had,
				rows[i].want, got, rows[i].from);
	}
}

/* Whatever the sets: who is paired fits, nobody is given twice, and nobody is
 * new who could have been somebody that is left. */
static void
pairs_are_right_whatever_comes(void **state)
{
	uint32_t random = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct side sides[2];
		struct addr *a = sides[0].addrs, *b = sides[1].addrs;
		uint64_t owners[2][MANY];
		uint32_t from[MANY];
		bool used[MANY] = { false };

		for (int s = 0; s < 2; s++) {
			sides[s].count = (random = random * 1664525 +
							    1013904223) >>
					 29;
			for (size_t i = 0; i < sides[s].count; i++) {
				random = random * 1664525 + 1013904223;
				addr_parse_ip("10.0.0.1",
					(uint16_t)(80 + (random >> 30) / 2),
					&sides[s].addrs[i]);
				owners[s][i] = random >> 20 & 3;
				sides[s].keys[i] = (struct endpoint_key){
					&sides[s].addrs[i], owners[s][i],
					(uint32_t)i
				};
			}
			endpoint_keys_sort(sides[s].keys, sides[s].count);
		}
		endpoint_keys_match(sides[0].keys, sides[0].count,
			sides[1].keys, sides[1].count, from);
		for (size_t k = 0; k < sides[1].count; k++) {
			uint32_t i = from[k];

			if (i == ENDPOINT_KEY_NONE)
				continue;
			assert_true(i < sides[0].count && !used[i]);
			used[i] = true;
			assert_true(addr_equal(&a[i], &b[k]));
			assert_true(endpoint_owner_fits(
				owners[0][i], owners[1][k]));
		}
		for (size_t k = 0; k < sides[1].count; k++)
			for (size_t i = 0; i < sides[0].count; i++)
				assert_false(from[k] == ENDPOINT_KEY_NONE &&
					     !used[i] &&
					     addr_equal(&a[i], &b[k]) &&
					     endpoint_owner_fits(owners[0][i],
						     owners[1][k]));
	}
}

static void
the_first_of_an_address_is_found(void **state)
{
	struct side s;
	struct addr addr;

	(void)state;
	side_make(&s, "c1 a2 a1 e0");
	addr_parse_ip("10.0.0.1", 'a', &addr);
	assert_int_equal(endpoint_keys_find(s.keys, s.count, &addr), 0);
	assert_int_equal(s.keys[0].owner, 1);
	addr_parse_ip("10.0.0.1", 'd', &addr);
	assert_int_equal(endpoint_keys_find(s.keys, s.count, &addr), 3);
	addr_parse_ip("10.0.0.1", 'f', &addr);
	assert_int_equal(endpoint_keys_find(s.keys, s.count, &addr), 4);
	assert_int_equal(endpoint_keys_find(NULL, 0, &addr), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(those_that_stay_are_found),
		cmocka_unit_test(pairs_are_right_whatever_comes),
		cmocka_unit_test(the_first_of_an_address_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
