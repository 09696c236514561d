/*
 * What a Lambda function is given and what it gives back, where that is not the
 * body as it is: the events of an Application Load Balancer, of API Gateway
 * REST (format 1.0) and of HTTP APIs and function URLs (format 2.0), and the
 * object that such functions answer with. Pure; any bytes may come.
 */
#ifndef KINDS_AWS_EVENT_H
#define KINDS_AWS_EVENT_H

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

/* The event for a request, appended: JSON. target_group_arn for ALB, account
 * and stage for the others may be "". */
struct aws_event_context {
	const char *function_arn, *account, *region, *stage, *api_id;
	const char *domain; /* the client's authority */
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
/* ALB and v1: must have a statusCode; v2: anything may come (no statusCode:
 * 200, application/json, the whole value as the body). Values may be numbers or
 * booleans; multiValueHeaders win; cookies become Set-Cookie each; hop-by-hop
 * fields, Content-Length and what is no field are left out. -1 and err (one
 * sentence that says what is wrong, where): 502. */
int aws_event_unwrap(enum aws_event_shape shape, struct slice answer,
	struct aws_event_answer *out, struct error *err);
void aws_event_answer_fini(struct aws_event_answer *a);

#endif
