/* Tests userspace/kinds/kubernetes/object_glimpse.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "kinds/kubernetes/object_glimpse.h"

#define WORDS                                                                  \
	"{\"metadata\":{\"name\":\"a\",\"namespace\":\"d\","                   \
	"\"resourceVersion\":\"7\"}}"

static void
test_rows(void **state)
{
	static const struct {
		bool event;
		const char *text, *want; /* want NULL: no name */
	} rows[] = {
		{ false,
			"{\"spec\":{\"x\":[\"\xff}\",{\"\\u0000\":-1.5e3}],"
			"\"n\":null} ,\n \"metadata\" : {\"annotations\":{"
			"\"name\":\"other\",\"q\":\"\\\"}\xfe\"},\"name\":"
			"\"a\",\"namespace\":\"d\",\"resourceVersion\":\"7\"}}",
			WORDS },
		{ false, "{\"metadata\":{\"name\":\"a\"},\"spec\":\"\xff\"}",
			"{\"metadata\":{\"name\":\"a\"}}" },
		/* The beginning of one that is too large. */
		{ true,
			"{\"type\":\"ADDED\",\"object\":{\"metadata\":{"
			"\"name\":\"a\",\"namespace\":\"d\","
			"\"resourceVersion\":\"7\"},\"data\":\"xx",
			"{\"object\":" WORDS ",\"type\":\"ADDED\"}" },
		/* The namespace may come yet. */
		{ false, "{\"metadata\":{\"name\":\"a\",\"x\":\"", NULL },
		{ false, "{\"metadata\":{\"name\":\"a\xff\"}}", NULL },
		{ false, "{\"metadata\":{\"name\":\"a\\u0000\"}}", NULL },
		{ false, "{\"metadata\":{\"name\":7}}", NULL },
		{ false, "{\"metadata\":{\"name\":\"a\",\"namespace\":7}}",
			NULL },
		{ false, "{\"data\":\"\xff", NULL },
		{ false, "{\"spec\":\"\xff\"}", NULL },
		{ false, "{\"metadata\":\"\xff\"}", NULL },
		{ false, "", NULL },
		{ false, "7", NULL },
		{ true, WORDS, NULL },
		{ true, "{\"type\":\"ADDED\"}", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct doc *d = object_glimpse(
			slice_of(rows[i].text), rows[i].event);
		struct str text;

		str_init(&text);
		if (d != NULL)
			json_doc_write(d, 0, &text);
		assert_string_equal(
			text.data, rows[i].want == NULL ? "" : rows[i].want);
		str_fini(&text);
		doc_free(d);
	}
}

/* Cut anywhere, and ending at the end of its allocation. */
static void
test_cut(void **state)
{
	static const char text[] =
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\","
		"\"namespace\":\"d\"},\"data\":\"\\\xff\",\"n\":1}}";

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++) {
		char *copy = xmalloc(i + 1);
		struct doc *d;

		memcpy(copy + 1, text, i);
		d = object_glimpse((struct slice){ copy + 1, i }, true);
		assert_true(d == NULL || i >= strlen("{\"type\":\"ADDED\","
						     "\"object\":{\"metadata\":"
						     "{\"name\":\"a\","
						     "\"namespace\":\"d\"}"));
		doc_free(d);
		free(copy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
