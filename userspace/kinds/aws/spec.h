/* An upstream of kind aws as it was written (spec/gloo.md 1.1), and what it
 * needs beyond. */
#ifndef KINDS_AWS_SPEC_H
#define KINDS_AWS_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "model/model.h"

struct schema;

enum aws_invocation { /* how a function is called; AWS_SYNC is the default */
	AWS_INVOCATION_UNSAID,
	AWS_SYNC,
	AWS_ASYNC,   /* it runs later, AWS answers 202 */
	AWS_DRY_RUN, /* it does not run, AWS says whether it might: 204 */
};

/* Which of API Gateway's events and answers; AWS_PAYLOAD_1_0 is the default. */
enum aws_payload {
	AWS_PAYLOAD_UNSAID,
	AWS_PAYLOAD_1_0, /* REST APIs */
	AWS_PAYLOAD_2_0, /* HTTP APIs, function URLs */
};

struct aws_function {
	char *logical_name, *function_name, *qualifier;
	/* Not of this one: where in the array the one is that comes in this
	 * place by logical name. */
	size_t by_name;
};

/* Of a destination, or (destinationOverrides) of all of an upstream. What is
 * not given there is as the upstream has it. Beside Gloo's names: wrapAsAlb,
 * multiValueHeaders (of an event for ALB), payloadFormatVersion,
 * responseStreaming, propagateOriginalRouting (Gloo has it in its Settings:
 * x-envoy-original-path and -method go with the call), logTail (AWS is asked
 * for the end of the function's log, for the milliseconds that it bills). */
struct aws_destination {
	char *logical_name;
	struct model_bool request_transformation, response_transformation;
	struct model_bool unwrap_alb, unwrap_api_gateway;
	struct model_bool wrap_alb, wrap_api_gateway, multi_value_headers;
	struct model_bool streaming, original_routing, log_tail;
	uint8_t invocation; /* enum aws_invocation */
	uint8_t payload;    /* enum aws_payload */
};

struct aws_spec {
	char *region, *role_arn, *account_id;
	struct model_ref *secret;
	struct aws_function *functions;
	size_t function_count;
	bool no_role_chaining;
	struct aws_destination *overrides; /* or NULL */
	char *endpoint_url; /* instead of lambda.<region>.<suffix>; or NULL */
	bool fips, dual_stack;
};

extern const struct schema aws_spec_schema, aws_destination_schema;

/* Of that logical name; NULL: lambdaFunctions has none. */
const struct aws_function *aws_spec_function(
	const struct aws_spec *spec, const char *logical_name);

/* In endpoint.c: */
#define AWS_LAMBDA "lambda" /* the services */
#define AWS_STS    "sts"

/* "lambda.us-east-1.amazonaws.com": by region, partition, FIPS, dual stack; of
 * endpointUrl where there is one and the service is Lambda. Appended to host:
 * an IPv6 address has no brackets. *port and *tls too. */
void aws_endpoint(const struct aws_spec *spec, const char *service,
	struct str *host, uint16_t *port, bool *tls);
/* The authority of that: the port if it is not the scheme's own, brackets. */
void aws_endpoint_authority(
	const struct aws_spec *spec, const char *service, struct str *out);
/* "aws", "aws-cn", "aws-us-gov", ...: where ARNs of that region begin. */
const char *aws_partition(const char *region);
/* Is that an endpointUrl? "https://host[:port]", nothing behind it. */
int aws_endpoint_check(const char *url, struct error *err);

#endif
