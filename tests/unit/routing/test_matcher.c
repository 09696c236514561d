/* Compiled regexes: whole matches, limits, the cache. */
#include "routing/matcher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static void
whole_texts_match(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} rows[] = {
		{ "a", "a", true },
		{ "a", "ab", false },
		{ "a", "ba", false },
		{ "a|ab", "ab", true },
		{ "^a$", "a", true },
		{ "a", "a\n", false },
		{ "", "", true },
		{ "a*", "", true },
		{ "(a)\\1", "aa", true },
		{ "(?i)AbC", "aBc", true },
		{ "[^/]+", "\xc3\xa4", true },
	};
	struct matcher_cache *c = matcher_cache_new();
	uint64_t limited = 0;
	struct matcher_run *run = matcher_run_new(&limited);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct matcher *m =
			matcher_cache_take(c, slice_of(rows[i].pattern), NULL);

		assert_non_null(m);
		if (matcher_matches(m, run, slice_of(rows[i].text)) !=
			(rows[i].matches ? MATCHER_YES : MATCHER_NO))
			fail_msg("%s on %s", rows[i].pattern, rows[i].text);
		matcher_release(m);
	}
	assert_int_equal(limited, 0);
	matcher_run_free(run);
	matcher_cache_free(c);
}

/* Steps are limited, so each of these comes back, whatever the machine; what
 * is given up is counted. */
static void
patterns_without_end_are_given_up(void **state)
{
	static const char *const evil[] = { "(a+)+b", "(a|aa)+b", "(a|a)*b",
		"(.*a){25}b", "(a*)*(a*)*b", "(a?){40}a{40}b",
		"(([a-z])+.)+b" };
	struct matcher_cache *c = matcher_cache_new();
	uint64_t limited = 0;
	struct matcher_run *run = matcher_run_new(&limited);
	char text[4096];

	(void)state;
	memset(text, 'a', sizeof(text));
	/* Without a b it would be known at once that nothing can match. */
	memcpy(text + sizeof(text) - 2, "bc", 2);
	for (size_t i = 0; i < ARRAY_SIZE(evil); i++) {
		struct matcher *m =
			matcher_cache_take(c, slice_of(evil[i]), NULL);
		enum matcher_verdict verdict = matcher_matches(
			m, run, (struct slice){ text, sizeof(text) });

		if (verdict != MATCHER_LIMITED || limited != i + 1)
			fail_msg("%s: verdict %d, limited %d", evil[i],
				(int)verdict, (int)limited);
		matcher_release(m);
	}
	matcher_run_free(run);
	matcher_cache_free(c);
}

static void
patterns_are_checked(void **state)
{
	static const char *const bad[] = { "(", "[", "a{2,1}", "\\C", "(*UTF)a",
		"*", "(?<n>a)(?<n>b)" };
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		err = (struct error)ERROR_INIT;
		assert_int_equal(matcher_check(bad[i], &err), -1);
		assert_non_null(strstr(err.text, " is wrong at character "));
	}
	assert_int_equal(matcher_check("/a.*", &err), 0);
}

static void
equal_patterns_are_one(void **state)
{
	struct matcher_cache *c = matcher_cache_new();
	struct matcher *a = matcher_cache_take(c, slice_of("x+"), NULL);
	struct matcher *b = matcher_cache_take(c, slice_of("x+"), NULL);

	(void)state;
	assert_ptr_equal(a, b);
	matcher_release(a);
	matcher_cache_trim(c);
	assert_ptr_equal(matcher_cache_take(c, slice_of("x+"), NULL), b);
	matcher_release(b);
	matcher_release(b);
	matcher_cache_trim(c);
	assert_null(matcher_cache_take(c, (struct slice){ "a\0b", 3 }, NULL));
	matcher_cache_free(c);
	matcher_cache_free(NULL);
	matcher_run_free(NULL);
	matcher_release(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_texts_match),
		cmocka_unit_test(patterns_without_end_are_given_up),
		cmocka_unit_test(patterns_are_checked),
		cmocka_unit_test(equal_patterns_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
