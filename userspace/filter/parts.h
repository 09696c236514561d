/*
 * The parts that filter.c puts in order, a file each. Each edits r->edit; made
 * texts go to r->scratch, which has as much room as the parts ask for.
 */
#ifndef FILTER_PARTS_H
#define FILTER_PARTS_H

#include "filter/filter.h"

#define SLICE(text) ((struct slice){ (text), sizeof(text) - 1 })

size_t filter_client_room(const struct filter_request *r);
void filter_client_apply(struct filter_request *r);

/* Empties the scratch first, so it must come first. */
size_t filter_rewrite_room(const struct filter_request *r);
void filter_rewrite_apply(struct filter_request *r);

size_t filter_timeout_room(const struct filter_request *r);
void filter_timeout_apply(struct filter_request *r);

void filter_host_apply(struct filter_request *r);

/* Of route, then of virtual host. */
enum filter_direction {
	FILTER_REQUEST,
	FILTER_RESPONSE,
};
void filter_headers_apply(const struct router_match *match,
	enum filter_direction direction, const struct http_head *head,
	struct head_edit *edit);

/* What was appended to the scratch since it had length start. */
static inline struct slice
scratch_since(const struct filter_request *r, size_t start)
{
	return (struct slice){ r->scratch->data + start,
		r->scratch->length - start };
}

/* The route's own text, data NULL where it has none. */
static inline struct slice
route_text(const struct filter_request *r, struct image_str s)
{
	if (s.offset == 0)
		return (struct slice){ NULL, 0 };
	return image_text(r->match->vhost, s);
}

#endif
