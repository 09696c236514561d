/* Heads to the upstream and to the client. */
#include "proxy/forward.h"

#include <string.h>

#include "filter/filter.h"
#include "http/write.h"
#include "model/dialect.h"
#include "model/model.h"
#include "proxy/affinity.h"
#include "proxy/exchange.h"
#include "proxy/generation.h"
#include "proxy/session.h"
#include "proxy/throttle.h"
#include "proxy/upstream.h"
#include "proxy/worker.h"

#define TEXT(t) ((struct slice){ (t), sizeof(t) - 1 })

void
forward_prepare(struct exchange *x, const struct http_head *head,
	const struct http_target *target)
{
	struct filter_request *f = &x->worker->filter;

	f->head = head;
	f->target = target;
	f->match = &x->match;
	f->peer = &x->session->peer;
	f->peer_trusted = x->peer_trusted;
	f->tls = false;
	f->request_id = x->id;
	/* A path is nobody's name. */
	f->endpoint_host = x->backend != NULL && x->backend->host[0] != '/'
				   ? slice_of(x->backend->host)
				   : TEXT("");
	f->endpoint_rewrites =
		x->backend != NULL && x->backend->host_rewrite;
	f->scratch = &x->worker->texts;
}

static void
fields_write(struct http_write *w, const struct http_head *head,
	const struct head_edit *edit)
{
	for (unsigned i = 0; i < head->field_count; i++)
		if (!head_edit_is_removed(edit, i))
			http_write_field_parsed(w,
				http_field_name(head, &head->fields[i]),
				http_field_value(head, &head->fields[i]));
	for (uint32_t i = 0; i < edit->added_count; i++)
		http_write_field(w, edit->added[i].name, edit->added[i].value);
}

static struct slice
written(const struct http_write *w, const struct head_edit *edit)
{
	if (!http_write_ok(w) || edit->overflow)
		return (struct slice){ NULL, 0 };
	return (struct slice){ w->out, w->length };
}

/* The id that the upstream sees is the one to be logged. */
static inline void
id_keep(struct exchange *x, const struct head_edit *edit)
{
	static const struct slice name = { "x-request-id", 12 };

	for (uint32_t i = 0; i < edit->added_count; i++) {
		struct slice value = edit->added[i].value;

		if (!slice_equal(edit->added[i].name, name) ||
			value.data == x->id || value.length >= sizeof(x->id))
			continue;
		memcpy(x->id, value.data, value.length);
		x->id[value.length] = '\0';
		return;
	}
}

struct slice
forward_request(struct exchange *x, const struct http_head *head,
	const struct http_target *target)
{
	struct filter_request *f = &x->worker->filter;
	char address[ADDR_TEXT_MAX];
	struct http_write w;

	forward_prepare(x, head, target);
	filter_request_apply(f);
	if (f->escapes)
		return (struct slice){ NULL, 0 };
	http_write_init(&w, x->worker->head_up, WORKER_HEAD);
	http_write_request_line(&w, head->method_text, f->path, f->query);
	http_write_field(&w, TEXT("host"),
		f->host.length > 0
			? f->host
		: x->backend->host[0] == '/'
			? TEXT("localhost")
			: slice_of(addr_format(&x->backend->addr, address)));
	fields_write(&w, head, &f->edit);
	if (head->framing == HTTP_BODY_CHUNKED)
		http_write_field(
			&w, TEXT("transfer-encoding"), TEXT("chunked"));
	else if (head->framing == HTTP_BODY_LENGTH)
		http_write_field_number(
			&w, "content-length", head->content_length);
	http_write_end(&w);
	id_keep(x, &f->edit);
	return written(&w, &f->edit);
}

/* False: there are more than calls have. */
static bool
fields_list(const struct http_head *head, const struct head_edit *edit,
	struct call_field *fields, size_t *count)
{
	size_t n = 0;

	for (unsigned i = 0; i < head->field_count; i++)
		if (!head_edit_is_removed(edit, i))
			fields[n++] = (struct call_field){
				http_field_name(head, &head->fields[i]),
				http_field_value(head, &head->fields[i])
			};
	for (uint32_t i = 0; i < edit->added_count; i++) {
		if (n == CALL_FIELDS_MAX ||
			!http_is_token(edit->added[i].name) ||
			!http_is_field_value(edit->added[i].value))
			return false;
		fields[n++] = (struct call_field){ edit->added[i].name,
			edit->added[i].value };
	}
	*count = n;
	return true;
}

/* Of the path, what is the function's. */
static struct slice
rest_of(const struct exchange *x, const struct filter_request *f)
{
	struct slice rest = f->path;
	uint32_t taken = x->match.prefix_length;

	if (f->path.data != f->target->path.data)
		return rest;
	if (x->match.path_type == MODEL_PATH_REGEX || taken > rest.length)
		return (struct slice){ NULL, 0 };
	rest.data += taken;
	rest.length -= taken;
	return rest;
}

_Static_assert(HTTP_FIELDS_MAX + EDIT_FIELDS_MAX <= CALL_FIELDS_MAX,
	"a request may have more fields than a call");

bool
forward_call(struct exchange *x, const struct http_head *head,
	const struct http_target *target, struct call_request *r,
	struct call_field *fields)
{
	struct filter_request *f = &x->worker->filter;

	forward_prepare(x, head, target);
	/* The endpoint's name is for the dialect's Host; the function is told the
	 * client's. */
	f->endpoint_host = TEXT("");
	filter_request_apply(f);
	if (f->escapes)
		return false;
	if (f->edit.overflow ||
		!fields_list(head, &f->edit, fields, &r->field_count))
		return false;
	id_keep(x, &f->edit);
	r->method = head->method_text;
	r->path = f->path;
	r->query = f->query;
	r->rest = rest_of(x, f);
	r->target = head->target;
	r->host = f->host;
	r->fields = fields;
	r->client = x->client;
	r->tls = f->tls;
	r->request_id = x->id;
	return true;
}

static void
framing_write(const struct exchange *x, struct http_write *w,
	const struct http_head *answer)
{
	if (x->chunked)
		http_write_field(w, TEXT("transfer-encoding"), TEXT("chunked"));
	else if (answer->framing == HTTP_BODY_LENGTH ||
		 (answer->framing == HTTP_BODY_NONE && answer->status != 204 &&
			 http_head_find(answer, HTTP_FIELD_CONTENT_LENGTH)))
		http_write_field_number(
			w, "content-length", answer->content_length);
	if (!x->keep)
		http_write_field(w, TEXT("connection"), TEXT("close"));
	else if (x->version_10)
		http_write_field(w, TEXT("connection"), TEXT("keep-alive"));
}

static void
cookie_write(const struct exchange *x, struct http_write *w)
{
	struct str *text = &x->worker->text;

	str_clear(text);
	affinity_cookie_print(x, text);
	http_write_field(w, TEXT("set-cookie"),
		(struct slice){ text->data, text->length });
}

struct slice
forward_answer(struct exchange *x, const struct http_head *answer)
{
	struct head_edit *edit = &x->worker->filter.edit;
	struct http_write w;

	filter_response_apply(&x->match, answer, edit);
	http_write_init(&w, x->worker->head_down, WORKER_HEAD);
	http_write_status_line(&w, answer->status);
	fields_write(&w, answer, edit);
	throttle_fields_write(x, answer, &w);
	if (x->cookie_of != NULL)
		cookie_write(x, &w);
	framing_write(x, &w, answer);
	http_write_end(&w);
	return written(&w, edit);
}
