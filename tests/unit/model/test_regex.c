/* The text that every match of a regex begins with. */
#include "model/regex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static void
literals_are_what_must_be_there(void **state)
{
	static const char *const rows[][2] = {
		{ "/svc1/v[0-9]+/users", "/svc1/v" },
		{ "/plain", "/plain" },
		{ "^/anchored$", "/anchored" },
		{ "/a\\.b\\/c\\d", "/a.b/c" },
		{ "/ab?c", "/a" },
		{ "/ab*c", "/a" },
		{ "/ab+c", "/ab" },
		{ "/ab{2}", "/a" },
		{ "/a\\.*", "/a" },
		{ "/a(b|c)", "/a" },
		{ "/a(?:b|c)?d", "/a" },
		{ "/a(?=b)", "/a" },
		{ "/a|/b", "" },
		{ "/a(b)|c", "" },
		{ "/a[|]b", "/a" },
		{ "/a[]|]b", "/a" },
		{ "/a[^]|]b", "/a" },
		{ "/a[\\]|]b", "/a" },
		{ "/a\\|b", "/a|b" },
		{ "/a[[:alpha:]]|b", "" },
		{ "(?i)/a", "" },
		{ "/a(?i)b", "" },
		{ "/a(?i:b)", "" },
		{ "(*UTF)/a", "" },
		{ "/a(?#|)b", "" },
		{ "\\Q/a|b\\E", "" },
		{ "/x\\x41", "/x" },
		{ ".*", "" },
		{ "", "" },
		{ "\\", "" },
		{ "/a\\", "/a" },
		{ "/(", "/" },
		{ "/[", "/" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char out[64] = "";
		size_t length = regex_literal(slice_of(rows[i][0]), out);

		if (length != strlen(rows[i][1]) ||
			memcmp(out, rows[i][1], length) != 0)
			fail_msg("%s: \"%.*s\"", rows[i][0], (int)length, out);
	}
}

static void
a_mark_for_no_case_is_cut(void **state)
{
	struct slice marked = slice_of("(?i)/a"), other = slice_of("/(?i)a");

	(void)state;
	assert_true(regex_cut_nocase(&marked));
	assert_int_equal(marked.length, 2);
	assert_memory_equal(marked.data, "/a", 2);
	assert_false(regex_cut_nocase(&other));
	assert_int_equal(other.length, 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literals_are_what_must_be_there),
		cmocka_unit_test(a_mark_for_no_case_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
