/* The table of an UpstreamGroup. */
#include <stddef.h>

#include "model/model.h"
#include "model/tables.h"

static int
group_check(void *base, struct error *err)
{
	const struct model_upstream_group *g = base;

	if (model_weights_check(g->destinations, g->destination_count, err) ==
		0)
		return 0;
	return error_prefix(err, ".destinations");
}

static const struct schema_field group_fields[] = {
	{ .name = "destinations",
		.type = SCHEMA_LIST,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_ARRAY_AT(model_upstream_group, destinations,
			destination_count),
		.min = 1,
		.max = MODEL_DESTINATIONS_MAX,
		.sub = &model_weighted_schema },
	{ .name = "metadata",
		.type = SCHEMA_STRUCT,
		.flags = SCHEMA_REQUIRED | SCHEMA_KEEP,
		SCHEMA_AT(model_upstream_group, meta),
		.sub = &model_meta_schema },
	{ .name = "namespacedStatuses", .type = SCHEMA_SKIPPED },
	{ .name = "status", .type = SCHEMA_SKIPPED },
	{ .name = NULL },
};

const struct schema model_upstream_group_schema = {
	.fields = group_fields,
	.size = sizeof(struct model_upstream_group),
	.check = group_check,
};
