/* x-envoy-expected-rq-timeout-ms: how long the answer is waited for. */
#include "filter/parts.h"

#define DIGITS_MAX 10

size_t
filter_timeout_room(const struct filter_request *r)
{
	(void)r;
	return DIGITS_MAX;
}

void
filter_timeout_apply(struct filter_request *r)
{
	static const struct slice name = { "x-envoy-expected-rq-timeout-ms",
		30 };
	size_t start = r->scratch->length;

	if (r->match->route == NULL || r->match->route->timeout_ms == 0)
		return;
	str_put_number(r->scratch, r->match->route->timeout_ms);
	head_edit_remove_name(&r->edit, r->head, name);
	head_edit_add(&r->edit, name, scratch_since(r, start));
}
