/* The text that every match of a regex begins with. */
#include "routing/matcher.h"

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
		size_t length = matcher_literal(slice_of(rows[i][0]), out);

		if (length != strlen(rows[i][1]) ||
			memcmp(out, rows[i][1], length) != 0)
			fail_msg("%s: \"%.*s\"", rows[i][0], (int)length, out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literals_are_what_must_be_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
