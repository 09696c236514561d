/*
 * subsetSpec of an upstream, for the kinds that know labels of their endpoints:
 *
 *	subsetSpec:
 *	  selectors:
 *	  - keys: [version]
 *	  - keys: [version, stage]
 *
 * A kind embeds struct subset_spec in its spec, names it in its table with
 * SUBSET_SPEC, and fills endpoint.subsets with subset_list (model/subset.h).
 */
#ifndef MODEL_SUBSET_SPEC_H
#define MODEL_SUBSET_SPEC_H

#include "model/schema.h"
#include "model/subset.h"

#define SUBSET_KEYS_MAX 16 /* of one selector */

struct subset_spec {
	struct subset_selector *selectors;
	size_t selector_count;
};

extern const struct schema subset_spec_schema;

/* The row of a structure's table. */
#define SUBSET_SPEC(structure, member)                                         \
	{                                                                      \
		.name = "subsetSpec", .type = SCHEMA_STRUCT,                   \
		SCHEMA_AT(structure, member), .sub = &subset_spec_schema       \
	}

#endif
