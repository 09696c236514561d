/* Upstream groups, as documents: out of flags and answers. */
#ifndef CLI_GROUP_H
#define CLI_GROUP_H

#include "base/doc.h"
#include "base/error.h"
#include "cli/command.h"

#define CLI_FLAG_WEIGHTED_UPSTREAMS                                            \
	{                                                                      \
		.name = "weighted-upstreams", .argument = "strings",           \
		.help = "upstreams and their weights, comma-separated "        \
			"namespace.name=weight"                                \
	}

/* The destinations that the flag names, or that were chosen with -i. NULL and
 * err otherwise. The caller's. */
struct doc *group_destinations(const struct cli *cli, struct error *err);

#endif
