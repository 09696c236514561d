/* Tests userspace/control/functions.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/mem.h"
#include "control/functions.h"

static void
test_known_and_not(void **state)
{
	static const char *const two[] = { "f", "g" };
	static const char *const other[] = { "f", "h" };
	struct functions *f = functions_new();
	const char *const *names;
	size_t count = 7;

	(void)state;
	assert_null(functions_get(f, &count));
	assert_int_equal(count, 0);
	assert_null(functions_print(f));
	assert_false(functions_replace(f, NULL, 0));
	/* None at all is known, too. */
	assert_true(functions_replace(f, two, 0));
	assert_non_null(functions_get(f, &count));
	assert_int_equal(count, 0);
	assert_false(functions_replace(f, two, 0));
	assert_true(functions_replace(f, two, 2));
	assert_false(functions_replace(f, two, 2));
	assert_true(functions_replace(f, two, 1));
	assert_true(functions_replace(f, two, 2));
	assert_true(functions_replace(f, other, 2));
	names = functions_get(f, &count);
	assert_int_equal(count, 2);
	assert_string_equal(names[1], "h");
	assert_true(functions_replace(f, NULL, 0));
	assert_null(functions_get(f, &count));
	functions_free(f);
	functions_free(NULL);
}

static void
test_restored(void **state)
{
	static const char *const two[] = { "a", "b" };
	struct functions *f = functions_new();
	struct doc *d = doc_new_list(), *back;
	size_t count;

	(void)state;
	functions_restore(f, NULL);
	assert_null(functions_get(f, &count));
	doc_add(d, doc_new_string("b"));
	doc_add(d, doc_new_integer(7));
	doc_add(d, doc_new_string("a"));
	functions_restore(f, d);
	assert_false(functions_replace(f, two, 2));
	doc_free(d);
	back = functions_print(f);
	assert_int_equal(doc_count(back), 2);
	assert_string_equal(doc_string(doc_at(back, 0)), "a");
	doc_free(back);
	functions_free(f);
}

static void
test_most(void **state)
{
	size_t count = FUNCTIONS_KEPT_MAX + 1;
	const char **names = xcalloc(count, sizeof(*names));
	struct functions *f = functions_new();

	(void)state;
	for (size_t i = 0; i < count; i++)
		names[i] = "f";
	assert_true(functions_replace(f, names, count));
	assert_false(functions_replace(f, names, count));
	functions_get(f, &count);
	assert_int_equal(count, FUNCTIONS_KEPT_MAX);
	functions_free(f);
	free(names);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_and_not),
		cmocka_unit_test(test_restored),
		cmocka_unit_test(test_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
