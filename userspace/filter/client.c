/*
 * What the client says about itself and what we say about it:
 * x-forwarded-for, x-forwarded-proto, x-request-id. Only trusted peers may
 * speak for others; what only proxies set is dropped from the rest.
 */
#include "filter/parts.h"

#define REQUEST_ID_MAX 128

static void
internal_remove(struct filter_request *r)
{
	if (r->peer_trusted)
		return;
	for (unsigned i = 0; i < r->head->field_count; i++)
		if (http_field_is_of_proxies(r->head, &r->head->fields[i]))
			head_edit_remove(&r->edit, i);
}

/* Takes all fields of that id out; the only one, or NULL. */
static const struct http_field *
field_take(struct filter_request *r, enum http_field_id id)
{
	const struct http_field *only = NULL;
	unsigned count = 0;

	for (unsigned i = 0; i < r->head->field_count; i++) {
		if (r->head->fields[i].id != id)
			continue;
		only = &r->head->fields[i];
		head_edit_remove(&r->edit, i);
		count++;
	}
	return count == 1 ? only : NULL;
}

static void
forwarded_for_set(struct filter_request *r)
{
	size_t start = r->scratch->length;
	char ip[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < r->head->field_count; i++) {
		const struct http_field *f = &r->head->fields[i];

		if (f->id != HTTP_FIELD_X_FORWARDED_FOR)
			continue;
		head_edit_remove(&r->edit, i);
		if (!r->peer_trusted || f->value_length == 0)
			continue;
		str_append(
			r->scratch, r->head->bytes + f->value, f->value_length);
		str_append(r->scratch, ", ", 2);
	}
	str_puts(r->scratch, addr_format_ip(r->peer, ip));
	head_edit_add(
		&r->edit, SLICE("x-forwarded-for"), scratch_since(r, start));
}

static void
forwarded_proto_set(struct filter_request *r)
{
	field_take(r, HTTP_FIELD_X_FORWARDED_PROTO);
	head_edit_add(&r->edit, SLICE("x-forwarded-proto"),
		http_scheme(r->head, r->peer_trusted, r->tls));
}

static void
request_id_set(struct filter_request *r)
{
	const struct http_field *f = field_take(r, HTTP_FIELD_X_REQUEST_ID);
	struct slice value = slice_of(r->request_id);

	if (f != NULL && f->value_length <= REQUEST_ID_MAX &&
		http_is_token(http_field_value(r->head, f)))
		value = http_field_value(r->head, f);
	head_edit_add(&r->edit, SLICE("x-request-id"), value);
}

size_t
filter_client_room(const struct filter_request *r)
{
	size_t room = ADDR_TEXT_MAX;

	for (unsigned i = 0; i < r->head->field_count; i++)
		if (r->head->fields[i].id == HTTP_FIELD_X_FORWARDED_FOR)
			room += r->head->fields[i].value_length + 2;
	return room;
}

void
filter_client_apply(struct filter_request *r)
{
	internal_remove(r);
	forwarded_for_set(r);
	forwarded_proto_set(r);
	request_id_set(r);
}
