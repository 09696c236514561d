/* The table of an upstream's subsetSpec. */
#include "model/subset_spec.h"

#include <string.h>

#include "model/tables.h"

static int
key_check(const char *text, struct error *err)
{
	if (text[0] == '\0')
		return error_set(err, ERROR_CONFIG, "must not be empty");
	return model_text_check(text, err);
}

/* An endpoint has one value of a label. */
static int
selector_check(void *base, struct error *err)
{
	const struct subset_selector *s = base;

	for (size_t i = 0; i < s->key_count; i++) {
		for (size_t k = 0; k < i; k++) {
			if (strcmp(s->keys[i], s->keys[k]) != 0)
				continue;
			error_set(err, ERROR_CONFIG,
				"\"%.64s\" is given twice", s->keys[i]);
			return error_prefix(err, ".keys[%zu]", i);
		}
	}
	return 0;
}

static const struct schema_field selector_fields[] = {
	{ .name = "keys",
		.type = SCHEMA_STRINGS,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_ARRAY_AT(subset_selector, keys, key_count),
		.min = 1,
		.max = SUBSET_KEYS_MAX,
		.check = key_check },
	SCHEMA_NOT_YET("singleHostPerSubset"),
	{ .name = NULL },
};

static const struct schema selector_schema = {
	.fields = selector_fields,
	.size = sizeof(struct subset_selector),
	.check = selector_check,
};

static const struct schema_field spec_fields[] = {
	{ .name = "selectors",
		.type = SCHEMA_LIST,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_ARRAY_AT(subset_spec, selectors, selector_count),
		.min = 1,
		.max = SUBSETS_MAX,
		.sub = &selector_schema },
	SCHEMA_NOT_YET("defaultSubset"),
	SCHEMA_NOT_YET("fallbackPolicy"),
	{ .name = NULL },
};

const struct schema subset_spec_schema = {
	.fields = spec_fields,
	.size = sizeof(struct subset_spec),
};
