/* Route templates and queries: a row per rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "kinds/azure/query.h"
#include "kinds/azure/template.h"

static void
test_filled(void **state)
{
	static const struct {
		const char *template, *path, *filled;
	} rows[] = {
		/* No parameter: what the client adds follows. */
		{ "api/hello", "", "/api/hello" },
		{ "api/hello", "/", "/api/hello" },
		{ "api/hello", "/a/b", "/api/hello/a/b" },
		{ "api/hello", "a", "/api/hello/a" },
		{ "api/hello", "/a/", "/api/hello/a/" },
		{ "/api/hello/", "/%C3%A9%20x", "/api/hello/%C3%A9%20x" },
		{ "", "", "/" },
		{ "", "/a", "/a" },
		/* Parameters take the next segments. */
		{ "api/products/{category:alpha}/{id:int?}", "/books/7",
			"/api/products/books/7" },
		{ "api/products/{category:alpha}/{id:int?}", "/books",
			"/api/products/books" },
		{ "api/products/{category:alpha}/{id:int?}", "/books/",
			"/api/products/books" },
		{ "api/{a}/fixed/{b}", "/x/y", "/api/x/fixed/y" },
		{ "api/{a}", "/x/y/z", "/api/x/y/z" },
		{ "api/{a=5}", "", "/api" },
		{ "api/{a:int=5}", "/6", "/api/6" },
		{ "api/{a:length(1,2)=x}/{b?}", "", "/api" },
		/* A part of a segment. */
		{ "files/{name}.{ext?}", "/a.txt", "/files/a.txt" },
		{ "v{major}.{minor}/x", "/v1.2", "/v1.2/x" },
		/* Constraints with braces, slashes and signs in them. */
		{ "api/{a:regex(^\\d{{3}}/?=x$)}", "/123", "/api/123" },
		{ "api/{a:regex((?=x))}", "/x", "/api/x" },
		/* The rest. */
		{ "api/files/{*rest}", "/a/b/c", "/api/files/a/b/c" },
		{ "api/files/{**rest}", "", "/api/files" },
		{ "api/files/{**rest:minlength(1)}", "/", "/api/files" },
		/* Literals are coded. */
		{ "a b/{{x}}/%41", "", "/a%20b/%7Bx%7D/%2541" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;
		struct azure_template *t =
			azure_template_new(slice_of(rows[i].template), &err);
		const char *missing = "";
		struct str out;

		if (t == NULL)
			fail_msg("%s: %s", rows[i].template, err.text);
		str_init(&out);
		if (azure_template_fill(
			    t, slice_of(rows[i].path), &out, &missing) != 0)
			fail_msg("%s, %s: %s", rows[i].template, rows[i].path,
				missing);
		assert_string_equal(out.data, rows[i].filled);
		str_fini(&out);
		azure_template_free(t);
	}
	azure_template_free(NULL);
}

static void
test_missing(void **state)
{
	static const struct {
		const char *template, *path, *missing;
	} rows[] = {
		{ "api/{a}", "", "{a}" },
		{ "api/{a}", "/", "{a}" },
		{ "api/{a}/{b:int}", "/x", "{b:int}" },
		{ "api/{a}/{b:int}", "/x//", "{b:int}" },
		{ "v{a}.{b?}", "", "v{a}.{b?}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct azure_template *t =
			azure_template_new(slice_of(rows[i].template), NULL);
		const char *missing = "";
		struct str out;

		assert_non_null(t);
		str_init(&out);
		assert_int_equal(azure_template_fill(t, slice_of(rows[i].path),
					 &out, &missing),
			-1);
		assert_string_equal(missing, rows[i].missing);
		str_fini(&out);
		azure_template_free(t);
	}
}

static void
test_no_template(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "a//b", "\"a//b\" is no route template: a segment is empty" },
		{ "a/{b", "\"a/{b\" is no route template: a \"{\" has no "
			  "\"}\"" },
		{ "a/{", "\"a/{\" is no route template: a \"{\" has no \"}\"" },
		{ "a/}b", "\"a/}b\" is no route template: a byte may not stand "
			  "there as it is" },
		{ "a?b", "\"a?b\" is no route template: a byte may not stand "
			 "there as it is" },
		{ "a/{}", "\"a/{}\" is no route template: a parameter has no "
			  "name" },
		{ "{?}", "\"{?}\" is no route template: a parameter has no "
			 "name" },
		{ "{*}", "\"{*}\" is no route template: a parameter has no "
			 "name" },
		{ "{***a}", "\"{***a}\" is no route template: a parameter has "
			    "no name" },
		{ "{*a}/b", "\"{*a}/b\" is no route template: nothing may "
			    "follow what takes the rest" },
		{ "a/../b", "\"a/../b\" is no route template: \".\" and \"..\" "
			    "lead elsewhere" },
		{ "a\nb", "\"a\nb\" is no route template: a byte may not stand "
			  "there as it is" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;

		assert_null(azure_template_new(slice_of(rows[i].text), &err));
		assert_string_equal(err.text, rows[i].error);
	}
}

static void
test_bounds(void **state)
{
	char text[AZURE_TEMPLATE_MAX + 2];
	struct error err = ERROR_INIT;

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_null(azure_template_new(
		(struct slice){ text, AZURE_TEMPLATE_MAX + 1 }, &err));
	assert_string_equal(
		err.text, "a route template is longer than 1024 bytes");
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 == 0 ? 'a' : '/';
	err = (struct error)ERROR_INIT;
	assert_null(azure_template_new(
		(struct slice){ text, 2 * AZURE_TEMPLATE_SEGMENTS_MAX + 1 },
		&err));
	assert_non_null(strstr(err.text, "it has too many segments"));
}

static void
test_query(void **state)
{
	static const struct {
		const char *query, *stripped; /* NULL: none */
	} rows[] = {
		{ NULL, NULL },
		{ "", "" },
		{ "code=x", NULL },
		{ "code", NULL },
		{ "CODE=x&a=1", "a=1" },
		{ "a=1&code=x", "a=1" },
		{ "a=1&Code=x&b=2", "a=1&b=2" },
		{ "%63o%64e=x&a", "a" },
		{ "co%64%65&code=y", NULL },
		{ "code=x&&a=", "&a=" },
		/* These are others. */
		{ "codes=x&encode=y&a=code", "codes=x&encode=y&a=code" },
		{ "%2563ode=1&co+de=2&cod%=3", "%2563ode=1&co+de=2&cod%=3" },
		{ "code%00=x", "code%00=x" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct slice query = { NULL, 0 };
		struct str out;

		if (rows[i].query != NULL)
			query = slice_of(rows[i].query);
		str_init(&out);
		assert_int_equal(azure_query_strip(query, &out),
			rows[i].stripped != NULL);
		assert_string_equal(out.data,
			rows[i].stripped != NULL ? rows[i].stripped : "");
		str_fini(&out);
	}
}

static void
test_location(void **state)
{
	static const struct {
		const char *location, *stripped;
	} rows[] = {
		{ "", "" },
		{ "/a", "/a" },
		{ "/a?", "/a?" },
		{ "https://a.test/api/x?code=k", "https://a.test/api/x" },
		{ "/x?a=1&code=k&b=2#code=z", "/x?a=1&b=2#code=z" },
		{ "/x?code=k#f", "/x#f" },
		{ "/x#f?code=k", "/x#f?code=k" },
		{ "?code=k", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct str out;

		str_init(&out);
		azure_location_strip(slice_of(rows[i].location), &out);
		assert_string_equal(out.data, rows[i].stripped);
		str_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filled),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_no_template),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_location),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
