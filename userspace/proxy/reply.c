/* Answers of our own. */
#include "proxy/reply.h"

#include "filter/filter.h"
#include "http/write.h"
#include "net/conn.h"
#include "proxy/call.h"
#include "proxy/exchange.h"
#include "proxy/session.h"
#include "proxy/throttle.h"
#include "proxy/worker.h"

#define TEXT(t) ((struct slice){ (t), sizeof(t) - 1 })

/* Why a call was refused, for who asks; the client is not told more. */
static void
refusal_write(const struct call *c, struct http_write *w)
{
	if (!c->refused)
		return;
	http_write_field(
		w, TEXT("x-gloo-gateway-reason"), slice_of(c->refusal.word));
	if (c->refusal.retry_after_s > 0)
		http_write_field_number(
			w, "retry-after", c->refusal.retry_after_s);
}

static void
head_write(struct exchange *x, struct http_write *w, int status,
	struct slice location, size_t length)
{
	static const struct http_head nothing;
	struct head_edit *edit = &x->worker->filter.edit;

	filter_response_apply(&x->match, &nothing, edit);
	http_write_status_line(w, status);
	if (location.length > 0)
		http_write_field(w, TEXT("location"), location);
	if (length > 0)
		http_write_field(w, TEXT("content-type"), TEXT("text/plain"));
	for (uint32_t i = 0; i < edit->added_count; i++)
		http_write_field(w, edit->added[i].name, edit->added[i].value);
	throttle_fields_write(x, &nothing, w);
	if (x->call != NULL)
		refusal_write(x->call, w);
	if (status != 204 && status != 304)
		http_write_field_number(w, "content-length", length);
	if (!x->keep)
		http_write_field(w, TEXT("connection"), TEXT("close"));
	else if (x->version_10)
		http_write_field(w, TEXT("connection"), TEXT("keep-alive"));
	http_write_end(w);
}

int
reply_send(struct exchange *x, int status, struct slice location,
	struct slice body)
{
	struct http_write w;
	struct iovec iov[2];
	int count = 1;

	http_write_init(&w, x->worker->head_down, WORKER_HEAD);
	if (status == 204 || status == 304)
		body.length = 0;
	head_write(x, &w, status, location, body.length);
	if (!http_write_ok(&w)) {
		/* Only a Location can be too much. */
		status = 500;
		x->keep = false;
		http_write_init(&w, x->worker->head_down, WORKER_HEAD);
		head_write(x, &w, status, TEXT(""), body.length);
	}
	x->status = (uint16_t)status;
	x->head_sent = true;
	iov[0] = (struct iovec){ w.out, w.length };
	x->bytes_sent += w.length;
	if (body.length > 0 && x->request_method != HTTP_HEAD) {
		iov[count++] = (struct iovec){ (void *)(uintptr_t)body.data,
			body.length };
		x->bytes_sent += body.length;
	}
	x->session->conn.last = !x->keep;
	return conn_send(&x->session->conn, iov, count);
}
