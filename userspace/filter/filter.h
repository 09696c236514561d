/*
 * Route features, one file each, applied in a fixed order to the head that is
 * being made. A filter is pure: it sees the parsed request (or response), the
 * route, and edits a head_edit, from which the proxy writes the new head with
 * http/write. It runs once for each attempt, when the endpoint is known: what
 * may refuse a request (limit.h) is asked before.
 */
#ifndef FILTER_FILTER_H
#define FILTER_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/str.h"
#include "http/head.h"
#include "http/target.h"
#include "model/image.h"
#include "routing/router.h"

#define EDIT_FIELDS_MAX 64

/* Which fields of the parsed head are left out and which are added. */
struct head_edit {
	uint64_t removed[(HTTP_FIELDS_MAX + 63) / 64]; /* by field index */
	uint32_t added_count;
	struct {
		struct slice name, value;
	} added[EDIT_FIELDS_MAX];
	bool overflow; /* more than EDIT_FIELDS_MAX: refuse with 500 */
};

void head_edit_init(struct head_edit *e);
void head_edit_remove(struct head_edit *e, size_t field);
bool head_edit_is_removed(const struct head_edit *e, size_t field);
/* The slices must live until the head is written. */
void head_edit_add(struct head_edit *e, struct slice name, struct slice value);
/* Removes every field of that name, parsed and added, and parsed ones that have
 * "_" where name has "-". */
void head_edit_remove_name(struct head_edit *e, const struct http_head *h,
	struct slice name);

/* What the request filters get to see and what they leave behind. */
struct filter_request {
	const struct http_head *head;
	const struct http_target *target;
	const struct router_match *match;
	const struct addr *peer; /* the socket's */
	bool peer_trusted;
	bool tls;
	const char *request_id; /* made by the proxy if the client sent none */
	struct slice endpoint_host; /* for autoHostRewrite; may be empty */
	bool endpoint_rewrites;     /* where the route says nothing of it */

	/* out */
	struct head_edit edit;
	struct slice path, query; /* of the upstream's request line */
	struct slice host;        /* Host to the upstream */
	bool escapes; /* the path leaves what its prefix is rewritten to: it
			 must not be sent */
	struct str *scratch;      /* where made texts live; reserved so that it
				     never moves while slices point into it */
};

/* The order: hop-by-hop removal, rewrite (path, x-envoy-original-path), client
 * fields (x-forwarded-*, x-request-id, internal x-envoy-* from outside
 * dropped), timeout field (x-envoy-expected-rq-timeout-ms), host,
 * headerManipulation of route, then of virtual host. */
void filter_request_apply(struct filter_request *r);

/* Hop-by-hop removal and headerManipulation of a response. */
void filter_response_apply(const struct router_match *match,
	const struct http_head *head, struct head_edit *edit);

/* The answer of a redirect route: Location into out (percent-coded where the
 * path brings bytes that may not stand there). Returns the status. */
int filter_redirect(const struct filter_request *r, struct str *location);

#endif
