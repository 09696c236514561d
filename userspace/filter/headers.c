/*
 * headerManipulation. Fields are removed before others are added. Those that
 * delimit messages are not in the lists: vhost_build leaves them out.
 */
#include "filter/parts.h"

static void
list_remove(const struct image_vhost *vhost, struct image_array list,
	const struct http_head *head, struct head_edit *edit)
{
	const struct image_header *h = image_at(vhost, list.offset);

	for (uint32_t i = 0; i < list.count; i++)
		head_edit_remove_name(edit, head, image_text(vhost, h[i].name));
}

static void
list_add(const struct image_vhost *vhost, struct image_array list,
	const struct http_head *head, struct head_edit *edit)
{
	const struct image_header *h = image_at(vhost, list.offset);

	for (uint32_t i = 0; i < list.count; i++) {
		struct slice name = image_text(vhost, h[i].name);

		if (!h[i].append)
			head_edit_remove_name(edit, head, name);
		head_edit_add(edit, name, image_text(vhost, h[i].value));
	}
}

static void
manipulate(const struct image_vhost *vhost, uint32_t offset,
	enum filter_direction direction, const struct http_head *head,
	struct head_edit *edit)
{
	const struct image_headers *h = image_at(vhost, offset);

	if (offset == 0)
		return;
	if (direction == FILTER_REQUEST) {
		list_remove(vhost, h->request_remove, head, edit);
		list_add(vhost, h->request_add, head, edit);
	} else {
		list_remove(vhost, h->response_remove, head, edit);
		list_add(vhost, h->response_add, head, edit);
	}
}

void
filter_headers_apply(const struct router_match *match,
	enum filter_direction direction, const struct http_head *head,
	struct head_edit *edit)
{
	if (match->vhost == NULL)
		return;
	if (match->route != NULL)
		manipulate(match->vhost, match->route->headers, direction, head,
			edit);
	manipulate(match->vhost, match->vhost->headers, direction, head, edit);
}
