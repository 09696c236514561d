/* Tests userspace/cli/route.c: the order of routes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/yaml.h"
#include "cli/describe.h"
#include "cli/route.h"

static const struct {
	const char *what;
	const char *routes; /* YAML: a list of matchers, one per route */
	const char *sorted; /* the paths, each with a space after it */
	size_t moved;
} cases[] = {
	{ "nothing to sort", "[]", "", 0 },
	{ "exact paths come first",
		"[{prefix: /abc}, {regex: /ab}, {exact: /a}]", "/a /abc /ab ",
		3 },
	{ "the longest prefix first, whatever its letters",
		"[{prefix: /zz}, {prefix: /}, {prefix: /aaaa}, {prefix: /b}]",
		"/aaaa /zz /b / ", 4 },
	{ "a regex comes before the prefix that would hide it",
		"[{prefix: /api}, {regex: \"/api/v[0-9]+\"}]",
		"/api/v[0-9]+ /api ", 2 },
	{ "a wide regex does not hide a longer prefix",
		"[{regex: \"/.*\"}, {prefix: /api}]", "/api /.* ", 2 },
	{ "a repeated character is not something it begins with",
		"[{regex: \"/ab*c\"}, {prefix: /ab}]", "/ab /ab*c ", 2 },
	{ "alternatives may begin with anything",
		"[{regex: \"/aaaa|/\"}, {prefix: /b}]", "/b /aaaa|/ ", 2 },
	{ "of the same path the one with more conditions",
		"[{prefix: /a}, {prefix: /a, methods: [GET]}, {prefix: /a, "
		"headers: [{name: x}], queryParameters: [{name: y}]}]",
		"/a /a /a ", 3 },
	{ "methods before headers before parameters",
		"[{prefix: /a, queryParameters: [{name: y}, {name: z}]}, "
		"{prefix: /a, headers: [{name: x}]}, "
		"{prefix: /a, methods: [GET]}]",
		"/a /a /a ", 2 },
	{ "an anchor, a mark for no case and escapes are no text",
		"[{prefix: /ab}, {regex: \"^/a\\\\.b.*\"}, "
		"{regex: \"(?i)/abcde.*\"}, {prefix: /abc}]",
		"(?i)/abcde.* ^/a\\.b.* /abc /ab ", 3 },
	{ "alternatives behind a group",
		"[{regex: \"/aaaa(b)|/\"}, {prefix: /b}]", "/b /aaaa(b)|/ ",
		2 },
	{ "case that counts before case that does not",
		"[{prefix: /AB, caseSensitive: false}, {prefix: /ab}]",
		"/ab /AB ", 2 },
	{ "equal ones keep their order",
		"[{prefix: /a}, {prefix: /b}, {prefix: /c}]", "/a /b /c ", 0 },
};

static void
test_sort(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct doc *matchers = yaml_doc_read(
			cases[i].routes, strlen(cases[i].routes), NULL);
		struct doc *routes = doc_new_list();
		struct str paths;
		size_t moved;

		assert_non_null(matchers);
		while (doc_count(matchers) > 0) {
			struct doc *route = doc_add(routes, doc_new_map());

			doc_add(doc_set(route, "matchers", doc_new_list()),
				doc_steal_at(matchers, 0));
		}
		moved = route_sort(routes);
		str_init(&paths);
		for (size_t r = 0; r < doc_count(routes); r++) {
			describe_matchers(doc_at(routes, r), &paths);
			str_putc(&paths, ' ');
		}
		if (strcmp(paths.data, cases[i].sorted) != 0 ||
			moved != cases[i].moved)
			fail_msg("%s: %s(%zu moved)", cases[i].what, paths.data,
				moved);
		str_fini(&paths);
		doc_free(routes);
		doc_free(matchers);
	}
}

/* The widest of a route's matchers says where it stands. */
static void
test_sort_widest(void **state)
{
	static const char text[] =
		"[{matchers: [{exact: /aaa}, {prefix: /}]}, {matchers: "
		"[{prefix: /b}]}, {}]";
	struct doc *routes = yaml_doc_read(text, strlen(text), NULL);

	(void)state;
	assert_int_equal(route_sort(routes), 2);
	assert_string_equal(
		doc_get_string(
			doc_at(doc_get(doc_at(routes, 0), "matchers"), 0),
			"prefix"),
		"/b");
	assert_int_equal(doc_count(doc_at(routes, 2)), 0);
	doc_free(routes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sort),
		cmocka_unit_test(test_sort_widest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
