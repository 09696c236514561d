/* Subsets: who is in which, and how an upstream says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/yaml.h"
#include "model/model.h"
#include "model/subset_spec.h"

static struct model_pair
pair(const char *key, const char *value)
{
	return (struct model_pair){ (char *)(uintptr_t)key,
		(char *)(uintptr_t)value };
}

static void
test_identity(void **state)
{
	struct model_pair ab[] = { pair("a", "1"), pair("b", "2") };
	struct model_pair ba[] = { pair("b", "2"), pair("a", "1") };
	struct model_pair glued[] = { pair("a", "1b"), pair("", "2") };
	struct model_pair other[] = { pair("a", "1"), pair("b", "3") };
	uint64_t id = subset_identity(ab, 2);

	(void)state;
	assert_int_not_equal(id, 0);
	assert_true(id == subset_identity(ba, 2));
	assert_true(id != subset_identity(glued, 2));
	assert_true(id != subset_identity(other, 2));
	assert_true(id != subset_identity(ab, 1));
	assert_true(subset_identity(NULL, 0) != 0);
}

static int
spec_read(const char *text, struct subset_spec *out, struct error *err)
{
	struct doc *d = yaml_doc_read(text, strlen(text), err);
	int rc;

	assert_non_null(d);
	rc = schema_read(&subset_spec_schema, d, out, err);
	doc_free(d);
	schema_place_trim(err);
	return rc;
}

static void
test_members(void **state)
{
	struct error err = ERROR_INIT;
	struct subset_spec spec;
	struct model_pair labels[] = { pair("stage", "dev"),
		pair("version", "v1"), pair("zone", "z") };
	struct model_pair version[] = { pair("version", "v1") };
	struct model_pair both[] = { pair("version", "v1"),
		pair("stage", "dev") };
	uint64_t out[SUBSETS_MAX];

	(void)state;
	assert_int_equal(spec_read("selectors:\n"
				   "- keys: [missing]\n"
				   "- keys: [version]\n"
				   "- keys: [version, stage]\n",
				 &spec, &err),
		0);
	subset_list(spec.selectors, spec.selector_count, labels, 3, out);
	assert_true(out[0] == subset_identity(version, 1));
	assert_true(out[1] == subset_identity(both, 2));
	for (size_t i = 2; i < SUBSETS_MAX; i++)
		assert_true(out[i] == 0);

	subset_list(spec.selectors, spec.selector_count, labels, 1, out);
	assert_true(out[0] == 0);
	schema_fini(&subset_spec_schema, &spec);
}

static void
test_spec_wrong(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "{}", "the key \"selectors\" is missing" },
		{ "selectors: []", "selectors: at least 1 must be given" },
		{ "selectors: [{}]",
			"selectors[0]: the key \"keys\" is missing" },
		{ "selectors: [{ keys: [] }]",
			"selectors[0].keys: at least 1 must be given" },
		{ "selectors: [{ keys: [''] }]",
			"selectors[0].keys[0]: must not be empty" },
		{ "selectors: [{ keys: [a, b, a] }]",
			"selectors[0].keys[2]: \"a\" is given twice" },
		{ "selectors: [{ keys: [a], singleHostPerSubset: true }]",
			"selectors[0].singleHostPerSubset: is not supported "
			"yet" },
		{ "{ selectors: [{ keys: [a] }], fallbackPolicy: "
		  "ANY_ENDPOINT }",
			"fallbackPolicy: is not supported yet" },
		{ "selectors: [{keys: [a]},{keys: [b]},{keys: [c]},{keys: "
		  "[d]},{keys: [e]},{keys: [f]},{keys: [g]},{keys: [h]},{keys: "
		  "[i]}]",
			"selectors: 9 are too many, at most 8 are allowed" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err = ERROR_INIT;
		struct subset_spec spec;

		assert_int_equal(spec_read(rows[i].text, &spec, &err), -1);
		assert_non_null(strstr(err.text, rows[i].error));
	}
}

/* Exactly the keys of the selector, in any order. */
static void
pairs_are_of_a_selector(void **state)
{
	char version[] = "version", stage[] = "stage", v[] = "v1";
	char *keys[] = { version, stage };
	const struct subset_selector selector = { keys, 2 };
	const struct model_pair pairs[] = { { stage, v }, { version, v } };

	(void)state;
	assert_true(subset_is_of(&selector, pairs, 2));
	assert_false(subset_is_of(&selector, pairs, 1));
	assert_false(subset_is_of(
		&(struct subset_selector){ keys, 1 }, pairs, 1));
	assert_true(subset_is_of(
		&(struct subset_selector){ keys, 1 }, pairs + 1, 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_are_of_a_selector),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_spec_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
