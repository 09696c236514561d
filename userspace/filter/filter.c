/* The order of the filters. */
#include "filter/filter.h"

#include "filter/parts.h"

static void
hop_by_hop_remove(const struct http_head *head, struct head_edit *edit)
{
	for (unsigned i = 0; i < head->field_count; i++)
		if (head->fields[i].hop_by_hop)
			head_edit_remove(edit, i);
}

/* From here on the scratch does not move: it has room for all made texts. */
static void
scratch_reserve(const struct filter_request *r)
{
	static const char zeros[256];
	size_t room = filter_client_room(r) + filter_rewrite_room(r) +
		      filter_timeout_room(r) + 1;

	str_clear(r->scratch);
	while (r->scratch->capacity < room)
		str_append(r->scratch, zeros, sizeof(zeros));
}

void
filter_request_apply(struct filter_request *r)
{
	head_edit_init(&r->edit);
	scratch_reserve(r);
	hop_by_hop_remove(r->head, &r->edit);
	filter_rewrite_apply(r);
	filter_client_apply(r);
	filter_timeout_apply(r);
	filter_host_apply(r);
	filter_headers_apply(r->match, FILTER_REQUEST, r->head, &r->edit);
}

void
filter_response_apply(const struct router_match *match,
	const struct http_head *head, struct head_edit *edit)
{
	head_edit_init(edit);
	hop_by_hop_remove(head, edit);
	filter_headers_apply(match, FILTER_RESPONSE, head, edit);
}
