/*
 * A request and the rate limits: asks them, refuses, says in the answer how
 * much is left, and tells control of a source that goes on far beyond a limit.
 * Private to proxy/.
 */
#ifndef PROXY_THROTTLE_H
#define PROXY_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

struct exchange;
struct http_head;
struct http_write;

struct throttle_report { /* to the main thread; the reader frees */
	uint32_t slot;
	struct addr addr; /* the socket's peer */
	uint64_t rule;    /* limit_rule_identity */
};

/* False: it was refused, the exchange is over. */
bool throttle_pass(struct exchange *x, const struct http_head *head);
/* RateLimit-Limit, -Remaining and -Reset, unless the answer has such of its
 * own; Retry-After if it was refused. */
void throttle_fields_write(const struct exchange *x,
	const struct http_head *answer, struct http_write *w);

#endif
