/* A request that is a call of a function, until its answer comes. */
#include "proxy/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/write.h"
#include "model/kind.h"
#include "proxy/answer.h"
#include "proxy/attempt.h"
#include "proxy/call_credentials.h"
#include "proxy/call_target.h"
#include "proxy/exchange.h"
#include "proxy/forward.h"
#include "proxy/generation.h"
#include "proxy/link.h"
#include "proxy/session.h"
#include "proxy/upstream.h"
#include "proxy/worker.h"

#define BODY_GUESS   (64u << 10) /* is made room for on a client's word */
#define SEND_ONCE    (128u << 10)
#define HOLD_BACK_MS 50 /* whether other credentials have come */

/* ---- memory */

static size_t
bytes_max(const struct worker *w)
{
	uint64_t most = w->settings.call_bytes;

	return most > 0 ? most : CALL_BYTES_DEFAULT;
}

static void
held_set(struct exchange *x, size_t bytes)
{
	struct call *c = x->call;

	x->worker->call_bytes += bytes - c->held;
	/* As a gauge: by this worker alone, the others read it. */
	__atomic_store_n(&x->counts->call_bytes_active,
		x->counts->call_bytes_active + bytes - c->held,
		__ATOMIC_RELAXED);
	c->held = bytes;
}

bool
call_hold(struct exchange *x, size_t bytes)
{
	held_set(x, x->call->held + bytes);
	if (x->worker->call_bytes <= bytes_max(x->worker))
		return true;
	x->counts->calls_overflow++;
	exchange_fail(x, 503, "calls_overflow",
		"as many bytes of calls are in memory as limits.callBytes "
		"allows");
	return false;
}

static bool
lies_in(struct slice made, const struct str *of)
{
	uintptr_t at = (uintptr_t)made.data, from = (uintptr_t)of->data;

	return made.length == 0 || (at >= from && at < from + of->length);
}

bool
call_hold_made(struct exchange *x, struct slice made, const struct str *of)
{
	return lies_in(made, of) || call_hold(x, made.length);
}

void
call_message_drop(struct exchange *x)
{
	struct call *c = x->call;

	if (c->sent < c->message.length)
		return;
	held_set(x, c->held - c->body.length);
	str_fini(&c->body);
	str_init(&c->body);
	c->message = (struct slice){ NULL, 0 };
	c->sent = 0;
	if (c->state != CALL_PASSES)
		return;
	held_set(x, c->held - c->made_held);
	c->target->dialect->call_free(c->made);
	c->made = NULL;
}

/* ---- birth and end */

static struct call *
call_new(const struct call_target *target)
{
	struct call *c = xcalloc(1, sizeof(*c));

	c->target = target;
	c->made = target->dialect->call_new(target->made);
	str_init(&c->body);
	str_init(&c->answer);
	return c;
}

void
call_free(struct exchange *x)
{
	struct call *c = x->call;

	held_set(x, 0);
	if (c->made != NULL)
		c->target->dialect->call_free(c->made);
	str_fini(&c->body);
	str_fini(&c->answer);
	free(c);
	x->call = NULL;
}

/* ---- refusals */

void
call_detail(struct exchange *x, const char *fmt, ...)
{
	struct call *c = x->call;
	size_t length = strlen(c->detail);
	va_list ap;

	if (length > 0)
		length += (size_t)snprintf(
			c->detail + length, sizeof(c->detail) - length, "; ");
	if (length >= sizeof(c->detail))
		return;
	va_start(ap, fmt);
	vsnprintf(c->detail + length, sizeof(c->detail) - length, fmt, ap);
	va_end(ap);
	x->detail = c->detail;
}

static void
refusal_settle(struct call_refusal *r)
{
	if (r->status < 400 || r->status > 599)
		r->status = 502;
	if (r->word == NULL)
		r->word = "call_refused";
	r->sentence[sizeof(r->sentence) - 1] = '\0';
	if (r->sentence[0] == '\0')
		snprintf(r->sentence, sizeof(r->sentence),
			"it could not be called");
	text_defuse(r->sentence);
}

void
call_refuse(struct exchange *x)
{
	struct call *c = x->call;

	refusal_settle(&c->refusal);
	if (c->refusal.status == 413)
		x->counts->calls_too_large++;
	else
		x->counts->calls_refused++;
	call_detail(x, "%s", c->refusal.sentence);
	if (x->head_sent) {
		exchange_drop(x, c->refusal.word);
		return;
	}
	c->refused = true;
	exchange_fail(
		x, c->refusal.status, c->refusal.word, c->refusal.sentence);
}

static const void *
credentials_of(const struct upstream *u)
{
	return u != NULL && u->credentials != NULL ? u->credentials->made
						   : NULL;
}

/* False: answered. What cannot be asked costs nobody a connection. */
static bool
credentials_suffice(struct exchange *x)
{
	struct call *c = x->call;
	const struct upstream *u = attempt_upstream(x);

	if (u == NULL || c->target->dialect->ready(c->made, credentials_of(u),
				 &c->refusal) == 0)
		return true;
	call_refuse(x);
	return false;
}

/* ---- the client's body */

bool
call_collects(const struct exchange *x)
{
	return x->call != NULL && x->call->state == CALL_TAKES;
}

/* What would not fit if it were the only call is larger than may be, too. */
static size_t
body_max(const struct exchange *x)
{
	size_t most = x->call->target->request_max;
	size_t room = bytes_max(x->worker);

	return most < room ? most : room;
}

static void
refuse_too_large(struct exchange *x)
{
	x->counts->calls_too_large++;
	x->client_keeps = false;
	exchange_fail(x, 413, "call_too_large",
		body_max(x) < x->call->target->request_max
			? "the body of the request is larger than "
			  "limits.callBytes allows"
			: "the body of the request is larger than its "
			  "functions take");
}

static void
call_ready(struct exchange *x)
{
	x->call->state = CALL_WAITS;
	if (credentials_suffice(x))
		attempt_start(x);
}

void
call_begin(struct exchange *x, const struct image_destination *d)
{
	const struct call_target *target =
		generation_call_target(x->generation, d);
	const struct http_body *body = &x->session->body;

	if (target == NULL || target->made == NULL) {
		x->detail = target != NULL ? target->problem
					   : "the route's function is not known";
		exchange_fail(x, 503, "route_unavailable", x->detail);
		return;
	}
	x->call = call_new(target);
	if (x->request_done) {
		call_ready(x);
		return;
	}
	if (body->framing == HTTP_BODY_LENGTH &&
		body->left > body_max(x)) {
		refuse_too_large(x);
		return;
	}
	if (body->framing == HTTP_BODY_LENGTH)
		str_reserve(&x->call->body,
			body->left < BODY_GUESS ? body->left : BODY_GUESS);
	x->call->state = CALL_TAKES;
}

/* False: answered. */
static bool
body_add(struct exchange *x, struct slice run)
{
	struct call *c = x->call;
	size_t most = body_max(x);

	if (run.length > most || c->body.length > most - run.length) {
		refuse_too_large(x);
		return false;
	}
	str_append(&c->body, run.data, run.length);
	return call_hold(x, run.length);
}

size_t
call_take_body(struct exchange *x, const char *bytes, size_t length)
{
	struct session *s = x->session;
	struct slice run;
	size_t at = 0, n;

	if (x->expects && length == 0)
		exchange_continue(x);
	for (;;) {
		switch (http_body_read(
			&s->body, bytes + at, length - at, &run, &n)) {
		case HTTP_BODY_DATA:
			x->expects = false;
			at += n;
			/* The session sees to that. */
			if (s->body_max > 0 && s->body.total > s->body_max)
				return at;
			if (!body_add(x, run))
				return at;
			exchange_moved(x);
			continue;
		case HTTP_BODY_MORE:
			return at + n;
		case HTTP_BODY_DONE:
			exchange_request_complete(x);
			call_ready(x);
			return at + n;
		case HTTP_BODY_BAD:
			exchange_body_bad(x);
			return length;
		}
	}
}

/* ---- the message */

/* As much as may be queued; false: the connection failed. */
static bool
message_send(struct exchange *x, struct slice head)
{
	struct call *c = x->call;
	struct conn *conn = &x->link->conn;

	while (head.length > 0 || (c->sent < c->message.length &&
					  conn_queued(conn) < WORKER_HIGH)) {
		size_t left = c->message.length - c->sent;
		size_t n = left < SEND_ONCE ? left : SEND_ONCE;
		struct iovec iov[2] = {
			{ (void *)(uintptr_t)head.data, head.length },
			{ (void *)(uintptr_t)(c->message.data + c->sent), n },
		};
		int from = head.length == 0, count = n > 0 ? 2 : 1;

		if (n == 0)
			iov[1].iov_base = NULL;
		c->sent += n;
		head.length = 0;
		if (conn_send(conn, iov + from, count - from) < 0)
			return false;
		x->heard = true;
	}
	return true;
}

static void
message_go(struct exchange *x, struct slice head)
{
	if (!message_send(x, head))
		attempt_send_failed(x);
}

void
call_link_drained(struct exchange *x)
{
	struct session *s = x->session;

	if (x->call->sent == x->call->message.length)
		return;
	exchange_moved(x);
	message_go(x, (struct slice){ NULL, 0 });
	/* It was answered before all of it was sent. */
	if (s->exchange == x && x->head_sent)
		call_message_drop(x);
}

/* The message is made once more: nothing of an attempt before is left. */
static void
attempt_forget(struct exchange *x)
{
	struct call *c = x->call;

	held_set(x, c->body.length);
	str_fini(&c->answer);
	str_init(&c->answer);
	c->message = (struct slice){ NULL, 0 };
	c->sent = 0;
	c->status = 0;
	c->refusal = (struct call_refusal){ 0 };
	c->detail[0] = '\0';
	x->detail = NULL;
}

static enum http_method
method_of(const struct http_write *head)
{
	const char *space = memchr(head->out, ' ', head->length);

	if (space == NULL)
		return HTTP_METHOD_OTHER;
	return http_method_of(
		(struct slice){ head->out, (size_t)(space - head->out) });
}

/* Nothing is sent on it: the next one may have it. */
static void
link_give_back(struct exchange *x)
{
	x->upstream_keeps = true;
	answer_link_done(x, true);
}

static void
refuse_unwritable(struct exchange *x)
{
	link_give_back(x);
	if (x->worker->filter.escapes)
		exchange_refuse(x, 400, "bad_target",
			"the path leaves what its prefix stands for");
	else
		exchange_fail(x, 500, "head_too_large",
			"the request could not be passed on");
}

/* What would not fit if it were the only call never will. False: answered. */
static bool
message_hold(struct exchange *x)
{
	struct call *c = x->call;

	if (lies_in(c->message, &c->body) ||
		c->held + c->message.length <= bytes_max(x->worker))
		return call_hold_made(x, c->message, &c->body);
	link_give_back(x);
	x->counts->calls_too_large++;
	exchange_fail(x, 413, "call_too_large",
		"the request with what is made of it is larger than "
		"limits.callBytes allows");
	return false;
}

/* The dialect's message, head in *head. False: answered. */
static bool
message_make(
	struct exchange *x, struct call_request *r, struct http_write *head)
{
	struct call *c = x->call;
	struct upstream *u = attempt_upstream(x);

	c->skew_ms = u != NULL ? u->skew_ms : 0;
	c->credentials = u != NULL ? u->credentials_count : 0;
	r->body = (struct slice){ c->body.data, c->body.length };
	r->now_ms = clock_realtime_ms() + (uint64_t)c->skew_ms;
	if (c->target->dialect->request(c->made, credentials_of(u), r,
		    head, &c->message, &c->refusal) < 0) {
		link_give_back(x);
		call_refuse(x);
		return false;
	}
	if (!message_hold(x))
		return false;
	c->made_held = c->held - c->body.length;
	c->method = (uint8_t)method_of(head);
	if (c->message.length > 0 ||
		(c->method != HTTP_GET && c->method != HTTP_HEAD))
		http_write_field_number(
			head, "content-length", c->message.length);
	http_write_end(head);
	if (!http_write_ok(head)) {
		refuse_unwritable(x);
		return false;
	}
	return true;
}

void
call_send(struct exchange *x)
{
	static const struct http_limits limits = { WORKER_KEEP, WORKER_KEEP,
		HTTP_FIELDS_MAX };
	struct call_field fields[CALL_FIELDS_MAX];
	struct call_request r = { 0 };
	struct worker *w = x->worker;
	struct http_target target;
	struct http_write head;
	enum http_refusal why;
	size_t skipped;

	attempt_forget(x);
	if (http_request_parse(x->head, x->head_length, 0, &limits, &w->request,
		    &skipped, &why) != HTTP_PARSE_DONE ||
		!http_target_normalise(w->request.target, w->path, &target)) {
		exchange_fail(x, 500, "internal",
			"the request could not be passed on");
		return;
	}
	if (!forward_call(x, &w->request, &target, &r, fields)) {
		refuse_unwritable(x);
		return;
	}
	http_write_init(&head, w->head_up, WORKER_HEAD);
	if (message_make(x, &r, &head)) {
		x->call->state = CALL_ASKED;
		x->counts->requests++;
		if (x->call->correcting)
			x->counts->calls_corrected++;
		x->call->correcting = false;
		message_go(x, (struct slice){ head.out, head.length });
	}
	/* Keys stand in it, which may be gone before it is written over. */
	explicit_bzero(w->head_up, head.length);
}

/* ---- for the log */

/* Whether a dialect that knows secrets in queries may be meant: one of where it
 * leads, or any where that is not known. */
static bool
query_may_hide(const struct exchange *x)
{
	const struct image_route *r = x->match.route;
	const struct image_destination *d;

	if (r == NULL || r->destinations.count == 0 || r->partial)
		return true;
	d = image_at(x->match.vhost, r->destinations.offset);
	for (uint32_t i = 0; i < r->destinations.count; i++) {
		const struct call_target *t =
			d[i].call.length > 0
				? generation_call_target(x->generation, &d[i])
				: NULL;

		if (t != NULL && t->dialect->query_secret != NULL)
			return true;
	}
	return false;
}

static bool
is_hidden(const struct exchange *x, struct slice parameter)
{
	const struct upstream_kind *const *kind = x->worker->kinds;

	for (; *kind != NULL; kind++) {
		const struct dialect *d = (*kind)->dialect;

		if (d != NULL && d->query_secret != NULL &&
			d->query_secret(parameter))
			return true;
	}
	return false;
}

static size_t
length_until(struct slice text, char end)
{
	const char *at =
		text.length > 0 ? memchr(text.data, end, text.length) : NULL;

	return at != NULL ? (size_t)(at - text.data) : text.length;
}

struct slice
call_target_logged(const struct exchange *x, struct slice target)
{
	struct str *text = &x->worker->text;
	size_t path = length_until(target, '?');
	struct slice rest;

	if (path == target.length || !query_may_hide(x))
		return target;
	str_clear(text);
	str_append(text, target.data, path + 1);
	rest = (struct slice){ target.data + path + 1,
		target.length - path - 1 };
	for (;;) {
		struct slice one = { rest.data, length_until(rest, '&') };
		size_t name = length_until(one, '=');
		bool hidden = name < one.length && is_hidden(x, one);

		str_append(text, one.data, hidden ? name : one.length);
		if (hidden)
			str_puts(text, "=-");
		if (one.length == rest.length)
			break;
		str_putc(text, '&');
		rest.data += one.length + 1;
		rest.length -= one.length + 1;
	}
	return (struct slice){ text->data, text->length };
}

/* ---- another attempt */

bool
call_holds_back(struct exchange *x)
{
	struct call *c = x->call;
	const struct upstream *u = attempt_upstream(x);
	uint64_t now = worker_now(x->worker);

	if (c->hold_back_ms == 0 || u == NULL ||
		u->credentials_count != c->credentials) {
		c->hold_back_ms = 0;
		return !credentials_suffice(x);
	}
	if (now >= c->hold_back_ms) {
		call_refuse(x);
		return true;
	}
	x->due.retry_ms = now + HOLD_BACK_MS;
	exchange_timer_arm(x);
	return true;
}

void
call_client_drained(struct exchange *x)
{
	if (x->call->state == CALL_GIVES &&
		conn_queued(&x->session->conn) < WORKER_LOW)
		call_answer_give(x);
}
