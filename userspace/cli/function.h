/* The functions of upstreams (AWS Lambda, Azure Functions): which there are,
 * and how a route names one. */
#ifndef CLI_FUNCTION_H
#define CLI_FUNCTION_H

#include <stdbool.h>

#include "base/doc.h"
#include "base/error.h"
#include "cli/command.h"

/* The key of an upstream's kind, "aws"; "" if it has none. */
const char *function_kind(const struct doc *upstream);
/* Its kind is one with functions. */
bool function_kind_has(const struct cli *cli, const struct doc *upstream);

/* Names of the functions that routes to the upstream may lead to, sorted: those
 * that it lists itself and those that were found. *found: it is known which
 * there are, so that another name is a mistake. */
struct doc *function_names(
	const struct cli *cli, const struct doc *upstream, bool *found);

/* The function that a destination names, or NULL. */
const char *function_of(const struct upstream_kind *const *kinds,
	const struct doc *destination);

/* As the daemon spells them, between '|'. */
#define FUNCTION_INVOCATION_STYLES "SYNC|ASYNC|DRY_RUN"
#define FUNCTION_PAYLOAD_VERSIONS  "1.0|2.0"

/* The flags of `add route` for functions, a part of its table. */
#define FUNCTION_FLAGS                                                         \
	{ .name = "function",                                                  \
		.argument = "name",                                            \
		.help = "function NAME[:QUALIFIER] of the upstream",           \
		.complete = "functions" },                                     \
		{ .name = "aws-function-name",                                 \
			.letter = 'a',                                         \
			.argument = "string",                                  \
			.help = "the same, of an AWS upstream",                \
			.complete = "functions" },                             \
		{ .name = "azure-function-name",                               \
			.argument = "string",                                  \
			.help = "the same, of an Azure upstream",              \
			.complete = "functions" },                             \
		{ .name = "aws-invocation-style",                              \
			.argument = "word",                                    \
			.help = "SYNC (default); ASYNC: it runs later, the "   \
				"client is answered 202; DRY_RUN: only "       \
				"whether it might run",                        \
			.complete = FUNCTION_INVOCATION_STYLES },              \
		{ .name = "aws-request-transformation",                        \
			.help = "the function is given method, path, query "   \
				"and headers too, in Gloo's event" },          \
		{ .name = "aws-alb-wrap",                                      \
			.help = "the same, in the event of a load balancer "   \
				"(ALB)" },                                     \
		{ .name = "aws-api-gw-wrap",                                   \
			.help = "the same, in API Gateway's event" },          \
		{ .name = "aws-payload-format-version",                        \
			.argument = "word",                                    \
			.help = "of that event and its answer: 1.0 (default) " \
				"or 2.0",                                      \
			.complete = FUNCTION_PAYLOAD_VERSIONS },               \
		{ .name = "aws-multi-value-headers",                           \
			.help = "the event of a load balancer has all values " \
				"of a header" },                               \
		{ .name = "aws-propagate-original-routing",                    \
			.help = "x-envoy-original-path and -method go with "   \
				"the call" },                                  \
		{ .name = "aws-unescape",                                      \
			.help = "make the answer of the JSON that the "        \
				"function answers, as --aws-api-gw-unwrap "    \
				"does" },                                      \
		{ .name = "aws-alb-unwrap",                                    \
			.help = "make the answer of statusCode, headers and "  \
				"body in that JSON, as a load balancer (ALB) " \
				"does" },                                      \
		{ .name = "aws-api-gw-unwrap",                                 \
			.help = "the same, as API Gateway does" },             \
		{ .name = "aws-response-streaming",                            \
			.help = "pass the answer on while the function makes " \
				"it" },                                        \
	{                                                                      \
		.name = "aws-log-tail",                                        \
		.help = "ask for the milliseconds that AWS bills, for the log" \
	}

/* One that names the function was given. */
bool function_named(const struct cli *cli);
/* The first of all of them that was given, or NULL. */
const char *function_flag_given(const struct cli *cli);
/* What they say into a destination to the upstream of that name. */
int function_read(const struct cli *cli, const char *ns, const char *name,
	struct doc *destination, struct error *err);

#endif
