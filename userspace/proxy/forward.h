/*
 * The heads that are passed on, made from parsed parts and the filters' edits;
 * the fields that frame the message are ours. Private to proxy/.
 */
#ifndef PROXY_FORWARD_H
#define PROXY_FORWARD_H

#include <stdbool.h>

#include "base/str.h"
#include "http/head.h"
#include "http/target.h"

struct call_field;
struct call_request;
struct exchange;

/* What the filters see of the request, in the worker's filter. */
void forward_prepare(struct exchange *x, const struct http_head *head,
	const struct http_target *target);
/* Into the worker's head_up and head_down; data NULL if it cannot be. */
struct slice forward_request(struct exchange *x, const struct http_head *head,
	const struct http_target *target);
struct slice forward_answer(struct exchange *x, const struct http_head *answer);

/* What a call is made of: the request as the filters leave it, its fields in
 * fields, which has room for CALL_FIELDS_MAX. body, skew and so on are the
 * caller's. False: it cannot be; the worker's filter says whether the path
 * escapes. */
bool forward_call(struct exchange *x, const struct http_head *head,
	const struct http_target *target, struct call_request *r,
	struct call_field *fields);

#endif
