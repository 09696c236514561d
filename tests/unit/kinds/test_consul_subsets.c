/* subsetTags: which subsets an instance is in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>

#include "base/mem.h"
#include "kinds/consul/subsets.h"
#include "model/model.h"

static bool
is_in(const uint64_t subsets[SUBSETS_MAX], const struct model_pair *pairs,
	size_t count)
{
	uint64_t wanted = subset_identity(pairs, count);

	for (size_t i = 0; i < SUBSETS_MAX; i++)
		if (subsets[i] == wanted)
			return true;
	return false;
}

#define PAIR(name, is)                                                         \
	{                                                                      \
		.key = (char *)(name), .value = (char *)(is)                   \
	}

static void
test_list(void **state)
{
	static char *tags[] = { (char *)"v2", (char *)"canary", (char *)"v2" };
	static char *has[] = { (char *)"x", (char *)"canary" };
	static const struct model_pair canary[] = { PAIR("tag_canary", "1") };
	static const struct model_pair stable[] = { PAIR("tag_canary", "0") };
	static const struct model_pair old[] = { PAIR("tag_v2", "0") };
	static const struct model_pair both[] = { PAIR("tag_v2", "0"),
		PAIR("tag_canary", "1") };
	static const struct model_pair other[] = { PAIR("tag_x", "1") };
	struct consul_subsets *s = consul_subsets_new(tags, ARRAY_SIZE(tags));
	const struct subset_selector *selectors;
	uint64_t subsets[SUBSETS_MAX];
	size_t count;

	(void)state;
	selectors = consul_subsets_selectors(s, &count);
	assert_int_equal(count, 3);
	assert_string_equal(selectors[0].keys[0], "tag_canary");
	assert_string_equal(selectors[1].keys[0], "tag_v2");
	assert_int_equal(selectors[2].key_count, 2);
	consul_subsets_list(s, has, ARRAY_SIZE(has), subsets);
	assert_true(is_in(subsets, canary, 1));
	assert_false(is_in(subsets, stable, 1));
	assert_true(is_in(subsets, old, 1));
	assert_true(is_in(subsets, both, 2));
	assert_false(is_in(subsets, other, 1));
	assert_int_equal(subsets[3], 0);
	consul_subsets_list(s, NULL, 0, subsets);
	assert_true(is_in(subsets, stable, 1));
	consul_subsets_free(s);
}

static void
test_none_and_most(void **state)
{
	static char *tags[] = { (char *)"a", (char *)"b", (char *)"c",
		(char *)"d", (char *)"e", (char *)"f", (char *)"g" };
	struct consul_subsets *none = consul_subsets_new(NULL, 0);
	struct consul_subsets *most =
		consul_subsets_new(tags, CONSUL_SUBSET_TAGS_MAX);
	uint64_t subsets[SUBSETS_MAX];
	size_t count;

	(void)state;
	assert_int_equal(ARRAY_SIZE(tags), CONSUL_SUBSET_TAGS_MAX);
	consul_subsets_list(none, tags, ARRAY_SIZE(tags), subsets);
	assert_int_equal(subsets[0], 0);
	consul_subsets_selectors(most, &count);
	assert_int_equal(count, SUBSETS_MAX);
	consul_subsets_list(most, tags, ARRAY_SIZE(tags), subsets);
	for (size_t i = 0; i < SUBSETS_MAX; i++)
		assert_int_not_equal(subsets[i], 0);
	consul_subsets_free(none);
	consul_subsets_free(most);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_none_and_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
