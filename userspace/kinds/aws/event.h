/*
 * What a Lambda function is given and what it gives back, where that is not the
 * body as it is: the events of an Application Load Balancer, of API Gateway
 * REST (format 1.0) and of HTTP APIs and function URLs (format 2.0), and the
 * object that such functions answer with. Pure; any bytes may come.
 */
#ifndef KINDS_AWS_EVENT_H
#define KINDS_AWS_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "model/dialect.h"

enum aws_event_shape {
	AWS_EVENT_RAW,            /* the client's body, whatever it is */
	AWS_EVENT_GLOO,           /* Gloo's requestTransformation: headers,
				   * multiValueHeaders, httpMethod, path, ... */
	AWS_EVENT_ALB,
	AWS_EVENT_API_GATEWAY_V1,
	AWS_EVENT_API_GATEWAY_V2,
};

/* The event for a request, appended: JSON, UTF-8, no key twice. What is not
 * known may be NULL or "". */
struct aws_event_context {
	const char *function_arn, *account, *region, *stage, *api_id;
	const char *domain; /* the client's authority; else that of r */
	/* ALB: as its target group has lambda.multi_value_headers.enabled. Off:
	 * of what comes more than once the last value is given. */
	bool multi_value_headers;
};
void aws_event_wrap(enum aws_event_shape shape, const struct call_request *r,
	const struct aws_event_context *context, struct str *out);

/* The function's answer as an answer of HTTP. */
struct aws_event_answer {
	uint16_t status;
	struct call_field *fields; /* names and values are its own */
	size_t field_count;
	struct str body;
};
/* ALB, v1 and Gloo: must have a statusCode; v2: anything may come (no
 * statusCode: 200, application/json, the whole value as the body); raw: 200 and
 * the bytes. Values may be numbers or booleans; multiValueHeaders win; cookies
 * become Set-Cookie each; hop-by-hop fields, Content-Length and what is no field
 * are left out. Where the function says no type of its body it is the one that
 * AWS gives: v1 application/json, v2 text/plain, ALB application/octet-stream.
 * -1 and err (one sentence that says what is wrong, where): 502. */
int aws_event_unwrap(enum aws_event_shape shape, struct slice answer,
	struct aws_event_answer *out, struct error *err);
/* The same of a stream's prelude, which has no body: no statusCode is 200. */
int aws_event_unwrap_head(struct slice json, struct aws_event_answer *out,
	struct error *err);
void aws_event_answer_fini(struct aws_event_answer *a);

#endif
