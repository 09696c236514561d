/* prefixRewrite, and the path as it was in x-envoy-original-path. */
#include "filter/parts.h"

#include "model/model.h"

static bool
is_rewritten(const struct filter_request *r)
{
	return r->match->route != NULL &&
	       r->match->route->prefix_rewrite.offset != 0 &&
	       r->match->path_type != MODEL_PATH_REGEX;
}

size_t
filter_rewrite_room(const struct filter_request *r)
{
	if (!is_rewritten(r))
		return 0;
	/* New path with at most two slashes more, old path, "?", query. */
	return 2 * r->target->path.length + r->target->query.length +
	       r->match->route->prefix_rewrite.length + 3;
}

static void
original_path_set(struct filter_request *r)
{
	static const struct slice name = { "x-envoy-original-path", 21 };
	size_t start = r->scratch->length;

	str_append(r->scratch, r->target->path.data, r->target->path.length);
	if (r->target->query.data != NULL) {
		str_putc(r->scratch, '?');
		str_append(r->scratch, r->target->query.data,
			r->target->query.length);
	}
	head_edit_remove_name(&r->edit, r->head, name);
	head_edit_add(&r->edit, name, scratch_since(r, start));
}

void
filter_rewrite_apply(struct filter_request *r)
{
	r->path = r->target->path;
	r->query = r->target->query;
	r->escapes = false;
	str_clear(r->scratch);
	if (!is_rewritten(r))
		return;
	http_path_replace_prefix(r->target->path, r->match->prefix_length,
		route_text(r, r->match->route->prefix_rewrite), r->scratch);
	r->path = scratch_since(r, 0);
	/* "/a../x" under "/a" becomes "/b/../x": not what "/b/" stands for. */
	r->escapes = !http_path_is_resolved(r->path);
	original_path_set(r);
}
