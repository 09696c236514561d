/* An upstream of kind aws as it was written (spec/gloo.md 1.1), and what it
 * needs beyond. */
#ifndef KINDS_AWS_SPEC_H
#define KINDS_AWS_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/model.h"

enum aws_invocation {
	AWS_SYNC,
	AWS_ASYNC,
	AWS_DRY_RUN,
};

struct aws_function {
	char *logical_name, *function_name, *qualifier;
};

/* Of a destination, or (destinationOverrides) of all of an upstream. What is
 * not given there is as the upstream has it. */
struct aws_destination {
	char *logical_name;
	struct model_bool request_transformation, response_transformation;
	struct model_bool unwrap_alb, unwrap_api_gateway, wrap_api_gateway;
	bool invocation_given;
	uint8_t invocation; /* enum aws_invocation */
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

/* "lambda.us-east-1.amazonaws.com": by region, partition, FIPS, dual stack; of
 * endpointUrl where there is one. *port and *tls too. */
void aws_endpoint(const struct aws_spec *spec, const char *service,
	struct str *host, uint16_t *port, bool *tls);

#endif
