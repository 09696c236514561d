/* Tests userspace/base/table.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"

#define MANY 5000

static int freed;

static void
count_free(void *value)
{
	freed++;
	free(value);
}

static void
test_set_get_remove(void **state)
{
	struct table *t = table_new(count_free);
	char *mine;

	(void)state;
	freed = 0;
	assert_null(table_get(t, "a"));
	assert_false(table_remove(t, "a"));
	assert_null(table_steal(t, "a"));
	table_set(t, "a", xstrdup("1"));
	table_set(t, "b", xstrdup("2"));
	table_set(t, "", xstrdup("3"));
	assert_int_equal(table_count(t), 3);
	assert_string_equal(table_get(t, "a"), "1");
	assert_string_equal(table_get(t, ""), "3");
	table_set(t, "a", xstrdup("4"));
	assert_int_equal(freed, 1);
	assert_int_equal(table_count(t), 3);
	assert_string_equal(table_get(t, "a"), "4");
	mine = table_steal(t, "a");
	assert_string_equal(mine, "4");
	assert_int_equal(freed, 1);
	free(mine);
	assert_true(table_remove(t, "b"));
	assert_int_equal(freed, 2);
	assert_int_equal(table_count(t), 1);
	table_free(t);
	assert_int_equal(freed, 3);
	table_free(NULL);
}

static void
fill(struct table *t, int from, int to)
{
	char key[32];

	for (int i = from; i < to; i++) {
		snprintf(key, sizeof(key), "key-%d", i);
		table_set(t, key, (void *)(intptr_t)(i + 1));
	}
}

static void
test_many_keys_come_and_go(void **state)
{
	struct table *t = table_new(NULL);
	char key[32];

	(void)state;
	fill(t, 0, MANY);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < MANY; i += 2) {
			snprintf(key, sizeof(key), "key-%d", i);
			assert_true(table_remove(t, key));
		}
		assert_int_equal(table_count(t), MANY / 2);
		fill(t, 0, MANY);
	}
	for (int i = 0; i < MANY; i++) {
		snprintf(key, sizeof(key), "key-%d", i);
		assert_int_equal((intptr_t)table_get(t, key), i + 1);
	}
	assert_null(table_get(t, "key-5000"));
	table_free(t);
}

static void
test_walk_removing_what_was_seen(void **state)
{
	struct table *t = table_new(NULL);
	bool seen[MANY] = { false };
	size_t place = 0, count = 0;
	const char *key;
	void *value;

	(void)state;
	assert_false(table_next(t, &place, &key, &value));
	fill(t, 0, MANY);
	while (table_next(t, &place, &key, &value)) {
		int i = (int)(intptr_t)value - 1;
		char copy[32];

		assert_false(seen[i]);
		seen[i] = true;
		count++;
		snprintf(copy, sizeof(copy), "%s", key);
		if (i % 3 == 0)
			assert_true(table_remove(t, copy));
	}
	assert_int_equal(count, MANY);
	assert_int_equal(table_count(t), MANY - (MANY + 2) / 3);
	table_free(t);
}

static void
test_hash_depends_on_all_of_it(void **state)
{
	(void)state;
	assert_true(hash_bytes("abc", 3, 0) == hash_bytes("abc", 3, 0));
	assert_true(hash_bytes("abc", 3, 0) != hash_bytes("abd", 3, 0));
	assert_true(hash_bytes("abc", 3, 0) != hash_bytes("abc", 2, 0));
	assert_true(hash_bytes("abc", 3, 0) != hash_bytes("abc", 3, 1));
	assert_true(hash_bytes("\0", 1, 0) != hash_bytes("\0\0", 2, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_get_remove),
		cmocka_unit_test(test_many_keys_come_and_go),
		cmocka_unit_test(test_walk_removing_what_was_seen),
		cmocka_unit_test(test_hash_depends_on_all_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
