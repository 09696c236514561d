/* The tables of metadata and of references. */
#include "model/tables.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "model/model.h"

#define VERSION_DIGITS 18
#define VERSION_MAX    999999999999999999 /* of that many digits */

static int
version_read(const struct doc *d, void *base, struct error *err)
{
	struct model_meta *meta = base;
	const char *text = doc_string(d);
	uint64_t value = 0;

	if (doc_type(d) == DOC_INTEGER && doc_integer(d) >= 0 &&
		doc_integer(d) <= VERSION_MAX) {
		meta->resource_version = (uint64_t)doc_integer(d);
		return 0;
	}
	if (text == NULL || strlen(text) > VERSION_DIGITS ||
		strspn(text, "0123456789") != strlen(text))
		return error_set(err, ERROR_CONFIG,
			"expected a number of at most %d digits, or a string "
			"of one",
			VERSION_DIGITS);
	if (text[0] != '\0')
		value = strtoull(text, NULL, 10);
	meta->resource_version = value;
	return 0;
}

static struct doc *
version_print(const void *base)
{
	const struct model_meta *meta = base;
	char text[32];

	if (meta->resource_version == 0)
		return NULL;
	snprintf(text, sizeof(text), "%" PRIu64, meta->resource_version);
	return doc_new_string(text);
}

static const struct schema_custom version = {
	.read = version_read,
	.print = version_print,
};

static int
created_read(const struct doc *d, void *base, struct error *err)
{
	struct model_meta *meta = base;
	const char *text = doc_string(d);

	if (text != NULL && clock_parse(text, &meta->created_ms) == 0)
		return 0;
	return error_set(err, ERROR_CONFIG,
		"expected a time such as \"2026-11-26T13:08:33Z\"");
}

static struct doc *
created_print(const void *base)
{
	const struct model_meta *meta = base;
	char text[CLOCK_TEXT_MAX];

	if (meta->created_ms == 0)
		return NULL;
	return doc_new_string(clock_format(meta->created_ms, text));
}

static const struct schema_custom created = {
	.read = created_read,
	.print = created_print,
};

static const struct schema_field meta_fields[] = {
	{ .name = "annotations",
		.type = SCHEMA_PAIRS,
		SCHEMA_ARRAY_AT(model_meta, annotations, annotation_count) },
	{ .name = "creationTimestamp",
		.type = SCHEMA_CUSTOM,
		SCHEMA_AT(model_meta, created_ms),
		.custom = &created },
	{ .name = "labels",
		.type = SCHEMA_PAIRS,
		SCHEMA_ARRAY_AT(model_meta, labels, label_count),
		.check = model_text_check },
	{ .name = "name",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(model_meta, name),
		.check = model_name_check },
	{ .name = "namespace",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_meta, ns),
		.fallback_text = MODEL_NAMESPACE_DEFAULT,
		.check = model_name_check },
	{ .name = "resourceVersion",
		.type = SCHEMA_CUSTOM,
		SCHEMA_AT(model_meta, resource_version),
		.custom = &version },
	SCHEMA_NOT_YET("ownerReferences"),
	{ .name = NULL },
};

const struct schema model_meta_schema = {
	.fields = meta_fields,
	.size = sizeof(struct model_meta),
};

static const struct schema_field ref_fields[] = {
	{ .name = "name",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(model_ref, name),
		.check = model_name_check },
	{ .name = "namespace",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_ref, ns),
		.fallback_text = MODEL_NAMESPACE_DEFAULT,
		.check = model_name_check },
	{ .name = NULL },
};

const struct schema model_ref_schema = {
	.fields = ref_fields,
	.size = sizeof(struct model_ref),
};
