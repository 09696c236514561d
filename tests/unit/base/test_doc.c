/* Tests userspace/base/doc.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/doc.h"

static void
test_scalars(void **state)
{
	struct doc *s = doc_new_string_n("abcdef", 3);
	struct doc *i = doc_new_integer(INT64_MIN);
	struct doc *r = doc_new_real(2.5);
	struct doc *b = doc_new_bool(true);

	(void)state;
	assert_string_equal(doc_string(s), "abc");
	assert_true(doc_integer(i) == INT64_MIN);
	assert_true(doc_real(r) == 2.5);
	assert_true(doc_bool(b));
	/* A wrong type is nothing. */
	assert_null(doc_string(i));
	assert_int_equal(doc_integer(r), 0);
	assert_false(doc_bool(s));
	assert_true(doc_real(s) == 0.0);
	assert_true(doc_real(i) == (double)INT64_MIN);
	assert_int_equal(doc_count(s), 0);
	assert_null(doc_get(s, "a"));
	assert_null(doc_at(s, 0));
	assert_int_equal(doc_type(NULL), DOC_NULL);
	assert_int_equal(doc_line(NULL), 0);
	assert_string_equal(doc_type_name(DOC_LIST), "a list");
	doc_free(s);
	doc_free(i);
	doc_free(r);
	doc_free(b);
	doc_free(NULL);
}

static void
test_lists(void **state)
{
	struct doc *list = doc_new_list();
	struct doc *stolen;

	(void)state;
	doc_add(list, doc_new_integer(1));
	doc_add(list, doc_new_integer(3));
	doc_insert(list, 1, doc_new_integer(2));
	doc_insert(list, 0, doc_new_integer(0));
	assert_int_equal(doc_count(list), 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(doc_integer(doc_at(list, i)), i);
	assert_null(doc_at(list, 4));
	stolen = doc_steal_at(list, 1);
	assert_int_equal(doc_integer(stolen), 1);
	doc_free(stolen);
	assert_int_equal(doc_integer(doc_at(list, 1)), 2);
	assert_null(doc_steal_at(list, 3));
	doc_free(list);
}

static void
test_maps_keep_their_order(void **state)
{
	struct doc *map = doc_new_map();
	struct doc *stolen;

	(void)state;
	doc_set_string(map, "b", "1");
	doc_set_string(map, "a", "2");
	doc_set_string(map, "c", "3");
	doc_set_string(map, "b", "4");
	assert_int_equal(doc_count(map), 3);
	assert_string_equal(doc_key_at(map, 0), "b");
	assert_string_equal(doc_string(doc_value_at(map, 0)), "4");
	assert_string_equal(doc_key_at(map, 1), "a");
	assert_null(doc_key_at(map, 3));
	stolen = doc_steal(map, "a");
	assert_string_equal(doc_string(stolen), "2");
	doc_free(stolen);
	assert_null(doc_get(map, "a"));
	assert_null(doc_steal(map, "a"));
	assert_string_equal(doc_key_at(map, 1), "c");
	doc_free(map);
}

static void
test_large_maps(void **state)
{
	struct doc *map = doc_new_map();
	char key[32];

	(void)state;
	for (int i = 0; i < 100000; i++) {
		snprintf(key, sizeof(key), "key-%d", i);
		doc_set(map, key, doc_new_integer(i));
	}
	for (int i = 0; i < 100000; i += 997) {
		snprintf(key, sizeof(key), "key-%d", i);
		assert_int_equal(doc_integer(doc_get(map, key)), i);
	}
	doc_free(doc_steal(map, "key-7"));
	assert_null(doc_get(map, "key-7"));
	assert_int_equal(doc_integer(doc_get(map, "key-8")), 8);
	doc_set_string(map, "key-7", "new");
	assert_string_equal(doc_get_string(map, "key-7"), "new");
	assert_int_equal(doc_integer(doc_get(map, "key-99999")), 99999);
	assert_string_equal(doc_key_at(map, 99999), "key-7");
	doc_free(map);
}

static void
test_find(void **state)
{
	struct doc *map = doc_new_map();
	struct doc *inner = doc_set(map, "metadata", doc_new_map());

	(void)state;
	doc_set_string(inner, "name", "petstore");
	assert_string_equal(doc_string(doc_find(map, "metadata", "name", NULL)),
		"petstore");
	assert_ptr_equal(doc_find(map, "metadata", NULL), inner);
	assert_null(doc_find(map, "metadata", "name", "deeper", NULL));
	assert_null(doc_find(map, "spec", "name", NULL));
	assert_null(doc_find(NULL, "spec", NULL));
	doc_free(map);
}

static struct doc *
sample(void)
{
	struct doc *map = doc_new_map();
	struct doc *list = doc_set(map, "list", doc_new_list());

	doc_add(list, doc_new_null());
	doc_add(list, doc_new_real(0.1));
	doc_add(list, doc_new_bool(false));
	doc_set_string(map, "text", "abc");
	doc_set_line(list, 7);
	return map;
}

static void
test_copy_and_equal(void **state)
{
	struct doc *a = sample();
	struct doc *b = doc_copy(a);
	struct doc *text;

	(void)state;
	assert_true(doc_equal(a, b));
	assert_int_equal(doc_line(doc_get(b, "list")), 7);
	doc_set_line(doc_get(b, "list"), 9);
	assert_true(doc_equal(a, b));
	/* The order of keys is no difference, that of a list is. */
	text = doc_steal(b, "list");
	doc_set(b, "list", text);
	assert_true(doc_equal(a, b));
	doc_add(text, doc_steal_at(text, 0));
	assert_false(doc_equal(a, b));
	doc_free(b);
	b = doc_copy(a);
	doc_set(b, "more", doc_new_null());
	assert_false(doc_equal(a, b));
	doc_free(b);
	assert_true(doc_equal(NULL, NULL));
	assert_false(doc_equal(a, NULL));
	assert_null(doc_copy(NULL));
	doc_free(a);
}

static void
test_shortest_reals(void **state)
{
	static const struct {
		double value;
		const char *text;
	} rows[] = {
		{ 0.1, "0.1" },
		{ 2.0, "2.0" },
		{ -0.0, "-0.0" },
		{ 1e300, "1e+300" },
		{ 1.0 / 3, "0.3333333333333333" },
		{ 0.1 + 0.2, "0.30000000000000004" },
		{ 1e15, "1e+15" },
		{ 123456789012.5, "123456789012.5" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[DOC_REAL_TEXT_MAX];

		assert_string_equal(doc_real_format(rows[i].value, text),
			rows[i].text);
		assert_true(strtod(text, NULL) == rows[i].value);
	}
}

static void
test_wipe(void **state)
{
	struct doc *d = doc_new_map();

	(void)state;
	doc_set_string(d, "a", "secret");
	doc_add(doc_set(d, "b", doc_new_list()), doc_new_string("secret"));
	doc_set(d, "c", doc_new_integer(7));
	doc_wipe(d);
	assert_string_equal(doc_get_string(d, "a"), "");
	assert_string_equal(doc_string(doc_at(doc_get(d, "b"), 0)), "");
	assert_int_equal(doc_get_integer(d, "c"), 7);
	doc_wipe(NULL);
	doc_free_wiped(NULL);
	doc_free_wiped(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_maps_keep_their_order),
		cmocka_unit_test(test_large_maps),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_copy_and_equal),
		cmocka_unit_test(test_shortest_reals),
		cmocka_unit_test(test_wipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
