/*
 * What a matcher asks of a request besides the path: method, header fields,
 * query parameters. All of them must hold. A condition on a field or parameter
 * that is there several times holds if one of them fulfils it; inverted, it
 * holds if none does; a field that does not count (http_field_counts) is not
 * there. x-forwarded-proto has the one value that http_scheme says.
 * MATCHER_LIMITED: the others hold, and it hangs on a regex that was given up
 * for its limits. Parameters are compared decoded (%XX; "+" is "+").
 */
#ifndef ROUTING_CONDITION_H
#define ROUTING_CONDITION_H

#include <stdbool.h>

#include "base/str.h"
#include "model/image.h"
#include "routing/matcher.h"
#include "routing/router.h"

struct condition_run {
	const struct image_vhost *vhost;
	struct matcher *const *regexes; /* of the vhost */
	struct matcher_run *matchers;
	struct str *text; /* room for decoded parameters */
};

enum matcher_verdict conditions_hold(const struct condition_run *run,
	const struct image_matcher *m, const struct router_request *request);

#endif
