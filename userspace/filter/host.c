/* The Host that the upstream sees: hostRewrite, autoHostRewrite, the client's.
 */
#include "filter/parts.h"

void
filter_host_apply(struct filter_request *r)
{
	const struct image_route *route = r->match->route;

	for (unsigned i = 0; i < r->head->field_count; i++)
		if (r->head->fields[i].id == HTTP_FIELD_HOST)
			head_edit_remove(&r->edit, i);
	r->host = r->head->authority;
	if (route == NULL)
		return;
	if (route->host_rewrite.offset != 0)
		r->host = route_text(r, route->host_rewrite);
	else if (route->auto_host_rewrite && r->endpoint_host.length > 0)
		r->host = r->endpoint_host;
}
