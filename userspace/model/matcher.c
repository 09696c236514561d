/* The table of a matcher. */
#include <stdbool.h>
#include <stddef.h>

#include "model/model.h"
#include "model/tables.h"

#define REGEX_MAX 4096

static int
regex_check(const char *text, struct error *err)
{
	if (text[0] == '\0')
		return error_set(err, ERROR_CONFIG, "must not be empty");
	return 0;
}

static int
header_matcher_check(void *base, struct error *err)
{
	const struct model_header_matcher *h = base;

	if (h->regex && (h->value == NULL || h->value[0] == '\0'))
		return error_set(err, ERROR_CONFIG,
			"\"regex\" needs a pattern in \"value\"");
	return 0;
}

static int
query_matcher_check(void *base, struct error *err)
{
	const struct model_query_matcher *q = base;

	if (q->name[0] == '\0')
		return error_set(
			err, ERROR_CONFIG, "\"name\" must not be empty");
	if (q->regex && (q->value == NULL || q->value[0] == '\0'))
		return error_set(err, ERROR_CONFIG,
			"\"regex\" needs a pattern in \"value\"");
	return 0;
}

static const struct schema_field header_matcher_fields[] = {
	{ .name = "invertMatch",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(model_header_matcher, invert_match) },
	{ .name = "name",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(model_header_matcher, name),
		.check = model_token_check },
	{ .name = "regex",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(model_header_matcher, regex) },
	{ .name = "value",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_header_matcher, value),
		.check = model_text_check },
	{ .name = NULL },
};

static const struct schema header_matcher_schema = {
	.fields = header_matcher_fields,
	.size = sizeof(struct model_header_matcher),
	.check = header_matcher_check,
};

static const struct schema_field query_matcher_fields[] = {
	{ .name = "name",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(model_query_matcher, name),
		.check = model_text_check },
	{ .name = "regex",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(model_query_matcher, regex) },
	{ .name = "value",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_query_matcher, value),
		.check = model_text_check },
	{ .name = NULL },
};

static const struct schema query_matcher_schema = {
	.fields = query_matcher_fields,
	.size = sizeof(struct model_query_matcher),
	.check = query_matcher_check,
};

static const struct schema_field matcher_fields[] = {
	{ .name = "caseSensitive",
		.type = SCHEMA_BOOL_GIVEN,
		SCHEMA_AT(model_matcher, case_sensitive) },
	{ .name = "exact",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_matcher, path),
		SCHEMA_CHOICE_AT(model_matcher, path_type, MODEL_PATH_EXACT),
		.check = model_path_check },
	{ .name = "headers",
		.type = SCHEMA_LIST,
		SCHEMA_ARRAY_AT(model_matcher, headers, header_count),
		.sub = &header_matcher_schema },
	{ .name = "methods",
		.type = SCHEMA_STRINGS,
		SCHEMA_ARRAY_AT(model_matcher, methods, method_count),
		.check = model_token_check },
	{ .name = "prefix",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_matcher, path),
		SCHEMA_CHOICE_AT(model_matcher, path_type, MODEL_PATH_PREFIX),
		.check = model_path_check },
	{ .name = "queryParameters",
		.type = SCHEMA_LIST,
		SCHEMA_ARRAY_AT(model_matcher, query, query_count),
		.sub = &query_matcher_schema },
	{ .name = "regex",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_matcher, path),
		SCHEMA_CHOICE_AT(model_matcher, path_type, MODEL_PATH_REGEX),
		.max = REGEX_MAX,
		.check = regex_check },
	SCHEMA_NOT_YET("connectMatcher"),
	{ .name = NULL },
};

const struct schema model_matcher_schema = {
	.fields = matcher_fields,
	.size = sizeof(struct model_matcher),
	.choice_needed = true,
};
