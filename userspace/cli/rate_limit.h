/* Gloo's flags for the rate limit of a virtual service (ratelimitBasic). */
#ifndef CLI_RATE_LIMIT_H
#define CLI_RATE_LIMIT_H

#include <stdbool.h>

#include "base/doc.h"
#include "base/error.h"
#include "cli/command.h"

#define CLI_FLAGS_RATE_LIMIT                                                   \
	{ .name = "enable-rate-limiting",                                      \
		.help = "limit the requests of each client address; =false "   \
			"ends that" },                                         \
		{ .name = "rate-limit-requests",                               \
			.argument = "number",                                  \
			.fallback = "100",                                     \
			.help = "requests per unit, all of which may come at " \
				"once" },                                      \
	{                                                                      \
		.name = "rate-limit-time-unit", .argument = "unit",            \
		.fallback = "MINUTE", .help = "SECOND, MINUTE, HOUR or DAY",   \
		.complete = "SECOND|MINUTE|HOUR|DAY"                           \
	}

/* Is any of them given? */
bool rate_limit_given(const struct cli *cli);
/* What they say of a virtual service. 0: it is changed; 1: it was so. */
int rate_limit_apply(
	const struct cli *cli, struct doc *object, struct error *err);

#endif
