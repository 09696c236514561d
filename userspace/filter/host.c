/* The Host that the upstream sees: hostRewrite, autoHostRewrite (also by the
 * endpoint's own default), the client's. */
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
	else if (r->endpoint_host.length > 0 &&
		 (route->auto_host_rewrite == IMAGE_HOST_ENDPOINT ||
			 (route->auto_host_rewrite == IMAGE_HOST_AS_ENDPOINT &&
				 r->endpoint_rewrites)))
		r->host = r->endpoint_host;
}
