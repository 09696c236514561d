/* Which fields of a head are left out and which are added. */
#include "filter/filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
fields_come_and_go(void **state)
{
	static const char text[] = "a"
				   "B"
				   "b";
	struct http_head h = { .bytes = text, .field_count = 3 };
	struct head_edit e;

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		h.fields[i].name = i;
		h.fields[i].name_length = 1;
	}
	head_edit_init(&e);
	head_edit_add(&e, slice_of("b"), slice_of("1"));
	head_edit_add(&e, slice_of("c"), slice_of("2"));
	head_edit_add(&e, slice_of("B"), slice_of("3"));
	head_edit_remove_name(&e, &h, slice_of("b"));
	assert_false(head_edit_is_removed(&e, 0));
	assert_true(head_edit_is_removed(&e, 1));
	assert_true(head_edit_is_removed(&e, 2));
	assert_int_equal(e.added_count, 1);
	assert_true(slice_equal(e.added[0].name, slice_of("c")));
}

static void
limits_hold(void **state)
{
	struct head_edit e;

	(void)state;
	head_edit_init(&e);
	head_edit_remove(&e, 0);
	head_edit_remove(&e, HTTP_FIELDS_MAX - 1);
	head_edit_remove(&e, HTTP_FIELDS_MAX);
	assert_true(head_edit_is_removed(&e, 0));
	assert_true(head_edit_is_removed(&e, HTTP_FIELDS_MAX - 1));
	assert_false(head_edit_is_removed(&e, HTTP_FIELDS_MAX));
	assert_false(head_edit_is_removed(&e, 64));
	for (size_t i = 0; i < EDIT_FIELDS_MAX; i++)
		head_edit_add(&e, slice_of("a"), slice_of(""));
	assert_false(e.overflow);
	head_edit_add(&e, slice_of("a"), slice_of(""));
	assert_true(e.overflow);
	assert_int_equal(e.added_count, EDIT_FIELDS_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_come_and_go),
		cmocka_unit_test(limits_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
