/*
 * rateLimits of stage http: whether a request passes those of its listener and
 * of its virtual host. All of them count it; one that is refused is taken out
 * of the others again.
 */
#ifndef FILTER_LIMIT_H
#define FILTER_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/str.h"
#include "http/head.h"
#include "model/image.h"
#include "routing/router.h"

struct limit_table;

struct filter_limit_request {
	const struct http_head *head;
	const struct router_match *match;
	const struct image *image;
	const struct addr *client; /* whose request it is */
	uint64_t now_ms;
	uint32_t worker;
};

struct filter_limit_verdict {
	/* The rule that refused, else the one with the least left, or NULL. */
	const struct image_limit *rule;
	uint32_t remaining; /* requests that would pass now */
	uint32_t reset_s, retry_s; /* rounded up; retry_s: when refused */
	bool refused;
	/* Its source is far beyond it, see model_limit_promotion. */
	bool far_beyond;
	/* The name of the rule that refused, or would have, in shadow; or
	 * empty. In the image. */
	struct slice name;
};

static inline bool
filter_is_limited(const struct router_match *m)
{
	return (m->vhost != NULL && m->vhost->limits.count > 0) ||
	       (m->listener != NULL && m->listener->limits.count > 0);
}

void filter_limit_apply(struct limit_table *t,
	const struct filter_limit_request *r, struct filter_limit_verdict *out);

#endif
