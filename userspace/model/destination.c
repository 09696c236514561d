/* The tables of a destination: where a route or an upstream group leads to. */
#include <stddef.h>
#include <stdint.h>

#include "model/model.h"
#include "model/subset_spec.h"
#include "model/tables.h"

#define WEIGHT_MAX 1000000

static const struct schema_field subset_fields[] = {
	{ .name = "values",
		.type = SCHEMA_PAIRS,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_ARRAY_AT(model_destination, subset, subset_count),
		.min = 1,
		.max = SUBSET_KEYS_MAX,
		.check = model_text_check },
	{ .name = NULL },
};

static const struct schema subset_schema = {
	.fields = subset_fields,
	.size = sizeof(struct model_destination),
};

static const struct schema_field destination_fields[] = {
	{ .name = "destinationSpec",
		.type = SCHEMA_DOC,
		SCHEMA_AT(model_destination, spec) },
	{ .name = "subset", .type = SCHEMA_STRUCT, .sub = &subset_schema },
	{ .name = "upstream",
		.type = SCHEMA_STRUCT,
		.flags = SCHEMA_REQUIRED | SCHEMA_KEEP,
		SCHEMA_AT(model_destination, upstream),
		.sub = &model_ref_schema },
	SCHEMA_NOT_YET("consul"),
	SCHEMA_NOT_YET("kube"),
	{ .name = NULL },
};

static const struct schema destination_schema = {
	.fields = destination_fields,
	.size = sizeof(struct model_destination),
};

static int
single_check(void *base, struct error *err)
{
	struct model_destination *d = base;

	(void)err;
	d->weight = 1;
	return 0;
}

const struct schema model_single_schema = {
	.fields = destination_fields,
	.size = sizeof(struct model_destination),
	.check = single_check,
};

static const struct schema_field weighted_fields[] = {
	{ .name = "destination",
		.type = SCHEMA_STRUCT,
		.flags = SCHEMA_REQUIRED | SCHEMA_KEEP,
		.sub = &destination_schema },
	{ .name = "weight",
		.type = SCHEMA_NUMBER,
		.flags = SCHEMA_REQUIRED | SCHEMA_KEEP,
		SCHEMA_AT(model_destination, weight),
		.max = WEIGHT_MAX },
	SCHEMA_NOT_YET("options"),
	SCHEMA_NOT_YET("weightedDestinationPlugins"),
	{ .name = NULL },
};

const struct schema model_weighted_schema = {
	.fields = weighted_fields,
	.size = sizeof(struct model_destination),
};

int
model_weights_check(const struct model_destination *destinations, size_t count,
	struct error *err)
{
	uint64_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += destinations[i].weight;
	if (total == 0)
		return error_set(err, ERROR_CONFIG,
			"the weights of all destinations are 0");
	return 0;
}
