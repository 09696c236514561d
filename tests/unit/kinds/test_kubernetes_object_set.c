/* Tests userspace/kinds/kubernetes/object_set.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "kinds/kubernetes/object_set.h"

static struct str said; /* "+d/a@1 -d/b " */

static void
on_put(const struct doc *object, void *arg)
{
	const struct doc *meta = doc_get(object, "metadata");

	assert_ptr_equal(arg, &said);
	str_printf(&said, "+%s/%s@%s ", doc_get_text(meta, "namespace"),
		doc_get_text(meta, "name"),
		doc_get_text(meta, "resourceVersion"));
	assert_null(doc_get(meta, "managedFields"));
}

static void
on_gone(const char *ns, const char *name, void *arg)
{
	(void)arg;
	str_printf(&said, "-%s/%s ", ns, name);
}

static const struct object_set_events events = { on_put, on_gone };

static int
set_up(void **state)
{
	str_init(&said);
	*state = object_set_new(&events, &said);
	return 0;
}

static int
tear_down(void **state)
{
	object_set_free(*state);
	str_fini(&said);
	return 0;
}

static void
expect(const char *text)
{
	assert_string_equal(said.data, text);
	str_clear(&said);
}

static struct doc *
object(const char *name, const char *version)
{
	struct doc *d = doc_new_map();
	struct doc *meta = doc_set(d, "metadata", doc_new_map());

	doc_set_string(meta, "namespace", "d");
	doc_set_string(meta, "name", name);
	doc_set_string(meta, "resourceVersion", version);
	return d;
}

static void
put(struct object_set *s, const char *name, const char *version)
{
	struct doc *d = object(name, version);

	assert_int_equal(object_set_put(s, d, NULL), 0);
	doc_free(d);
}

static void
gone(struct object_set *s, const char *name)
{
	struct doc *d = object(name, "9");

	assert_int_equal(object_set_remove(s, d, NULL), 0);
	doc_free(d);
}

static void
collect(struct object_set *s, const char *name, const char *version)
{
	struct doc *d = object(name, version);

	doc_set(doc_get(d, "metadata"), "managedFields", doc_new_list());
	assert_int_equal(object_set_collect(s, d, 100, NULL), 0);
}

static void
test_only_what_differs_is_said(void **state)
{
	struct object_set *s = *state;

	put(s, "a", "1");
	put(s, "a", "1");
	put(s, "a", "2");
	gone(s, "b");
	gone(s, "a");
	gone(s, "a");
	expect("+d/a@1 +d/a@2 -d/a ");
	/* Without a version nobody knows whether it is the same. */
	put(s, "c", "");
	put(s, "c", "");
	expect("+d/c@ +d/c@ ");
}

static void
test_swap_is_a_difference(void **state)
{
	struct object_set *s = *state;

	put(s, "a", "1");
	put(s, "b", "1");
	str_clear(&said);
	collect(s, "a", "1");
	collect(s, "c", "3");
	expect("");
	/* What is new first: nobody is without an endpoint in between. */
	object_set_swap(s, false);
	expect("+d/c@3 -d/b ");
	assert_int_equal(object_set_count(s), 2);
	put(s, "c", "3");
	expect("");
	/* Nothing is left over for the next. */
	collect(s, "a", "1");
	object_set_swap(s, false);
	expect("-d/c ");
}

static void
test_missing_ones_are_kept_if_asked(void **state)
{
	struct object_set *s = *state;

	put(s, "a", "1");
	collect(s, "b", "1");
	str_clear(&said);
	object_set_swap(s, true);
	expect("+d/b@1 ");
	assert_int_equal(object_set_count(s), 2);
}

static void
test_abandoned(void **state)
{
	struct object_set *s = *state;
	struct doc *d = object("x", "1");

	put(s, "a", "1");
	collect(s, "b", "1");
	object_set_abandon(s);
	collect(s, "a", "1");
	collect(s, "x", "1");
	assert_int_equal(object_set_uncollect(s, d, NULL), 0);
	doc_free(d);
	str_clear(&said);
	object_set_swap(s, false);
	expect("");
	assert_int_equal(object_set_count(s), 1);
}

static void
test_twice_in_one_set(void **state)
{
	struct object_set *s = *state;

	collect(s, "a", "1");
	collect(s, "a", "2");
	object_set_swap(s, false);
	expect("+d/a@2 ");
}

static void
test_emptied_and_forgotten(void **state)
{
	struct object_set *s = *state;

	put(s, "a", "1");
	object_set_forget(s);
	put(s, "a", "1");
	expect("+d/a@1 +d/a@1 ");
	object_set_forget(s);
	object_set_empty(s);
	expect("-d/a ");
	assert_int_equal(object_set_count(s), 0);
}

static void
test_what_is_no_object(void **state)
{
	static const char *const bad[] = { "null", "7", "[]", "{}",
		"{\"metadata\":null}", "{\"metadata\":{\"name\":null}}",
		"{\"metadata\":{\"name\":7}}",
		"{\"metadata\":{\"name\":\"\"}}",
		"{\"metadata\":{\"name\":\"a\",\"namespace\":\"b/c\"}}" };
	struct object_set *s = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err = ERROR_INIT;
		struct doc *d = json_doc_read(bad[i], strlen(bad[i]), &err);

		if (d == NULL)
			fail_msg("%s: %s", bad[i], err.text);
		assert_int_equal(object_set_put(s, d, &err), -1);
		assert_int_equal(err.code, ERROR_CONFIG);
		assert_int_equal(object_set_remove(s, d, NULL), -1);
		assert_int_equal(object_set_uncollect(s, d, NULL), -1);
		assert_int_equal(object_set_collect(s, d, 1, NULL), -1);
	}
	assert_int_equal(object_set_put(s, NULL, NULL), -1);
	object_set_swap(s, false);
	expect("");
}

static void
test_bounded(void **state)
{
	struct object_set *s = *state;
	struct error err = ERROR_INIT;

	collect(s, "a", "1");
	assert_int_equal(object_set_collect(s, object("b", "1"),
				 OBJECT_SET_BYTES_MAX, &err),
		-1);
	assert_int_equal(err.code, ERROR_LIMIT);
	object_set_abandon(s);
	assert_int_equal(object_set_collect(s, object("b", "1"),
				 OBJECT_SET_BYTES_MAX, NULL),
		0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(test_only_what_differs_is_said),
		T(test_swap_is_a_difference),
		T(test_missing_ones_are_kept_if_asked),
		T(test_abandoned),
		T(test_twice_in_one_set),
		T(test_emptied_and_forgotten),
		T(test_what_is_no_object),
		T(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
