/* One request and its answer. */
#include "proxy/exchange.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"
#include "proxy/access.h"
#include "proxy/answer.h"
#include "proxy/attempt.h"
#include "proxy/call.h"
#include "proxy/client.h"
#include "proxy/forward.h"
#include "proxy/generation.h"
#include "proxy/link.h"
#include "proxy/reply.h"
#include "proxy/session.h"
#include "proxy/throttle.h"
#include "proxy/upstream.h"
#include "proxy/worker.h"

#define TEXT(t) ((struct slice){ (t), sizeof(t) - 1 })

#define DISCARD_MAX    (64u << 10)
#define HALF_CLOSED_MS 2000
#define REPLAY_SPARE   4096

static void on_timer(struct wheel_timer *t);

/* ---- birth and end */

static struct exchange_text
text_within(const struct http_head *head, struct slice s)
{
	if (s.length == 0)
		return (struct exchange_text){ 0, 0 };
	return (struct exchange_text){ (uint32_t)(s.data - head->bytes),
		(uint32_t)s.length };
}

static void
head_keep(struct exchange *x, const struct http_head *head)
{
	x->head_length = head->length;
	if (head->length > EXCHANGE_HEAD_ROOM)
		x->head = xmalloc(head->length);
	memcpy(x->head, head->bytes, head->length);
	x->method = text_within(head, head->method_text);
	x->path = text_within(head, head->target);
	x->host = text_within(head, head->authority);
	x->request_method = head->method;
	x->version_10 = head->version_minor == 0;
	x->client_keeps = head->keep_alive;
	x->expects = head->expect_continue;
	if (access_is_on(x->worker->access)) {
		const struct http_field *f =
			http_head_find(head, HTTP_FIELD_USER_AGENT);

		if (f != NULL)
			x->agent = text_within(head, http_field_value(head, f));
	}
}

/* A random UUID, version 4 (RFC 9562). */
static void
id_make(struct exchange *x)
{
	static const char hex[] = "0123456789abcdef";
	/* Where the 16 bytes go, between the hyphens. */
	static const uint8_t places[16] = { 0, 2, 4, 6, 9, 11, 14, 16, 19, 21,
		24, 26, 28, 30, 32, 34 };
	uint64_t half[2] = { worker_random(x->worker),
		worker_random(x->worker) };
	uint8_t bytes[16];

	memcpy(bytes, half, sizeof(bytes));
	bytes[6] = (bytes[6] & 0x0f) | 0x40;
	bytes[8] = (bytes[8] & 0x3f) | 0x80;
	for (unsigned i = 0; i < 16; i++) {
		x->id[places[i]] = hex[bytes[i] >> 4];
		x->id[places[i] + 1] = hex[bytes[i] & 15];
	}
	x->id[8] = x->id[13] = x->id[18] = x->id[23] = '-';
	x->id[36] = '\0';
}

static struct exchange *
exchange_alloc(struct worker *w)
{
	struct exchange *x = w->spare_exchanges;

	if (x == NULL) {
		x = xcalloc(1, sizeof(*x));
		str_init(&x->replay);
		wheel_timer_init(&x->timer, on_timer);
		return x;
	}
	w->spare_exchanges = x->next;
	w->spare_exchange_count--;
	memset(x, 0, offsetof(struct exchange, head_room));
	return x;
}

struct exchange *
exchange_new(struct session *s, const struct http_head *head)
{
	struct worker *w = s->worker;
	struct exchange *x = exchange_alloc(w);

	x->worker = w;
	x->session = s;
	x->head = x->head_room;
	x->client = s->peer;
	x->replayable = true;
	x->began_ms = worker_now(w);
	s->exchange = x;
	s->counts->requests++;
	s->counts->requests_active++;
	id_make(x);
	if (head != NULL)
		head_keep(x, head);
	return x;
}

void
exchange_free(struct exchange *x)
{
	if (x == NULL)
		return;
	wheel_timer_remove(x->worker->wheel, &x->timer);
	str_fini(&x->replay);
	free(x);
}

static struct slice
head_text(const struct exchange *x, struct exchange_text t)
{
	return (struct slice){ x->head + t.offset, t.length };
}

static void
exchange_log(const struct exchange *x, bool aborted)
{
	const struct image_vhost *vhost = x->match.vhost;
	const struct image_route *route = x->match.route;
	struct access_line line = {
		.client = &x->client,
		.method = head_text(x, x->method),
		.host = head_text(x, x->host),
		.user_agent = head_text(x, x->agent),
		.request_id = slice_of(x->id),
		.status = x->status,
		.bytes_sent = x->bytes_sent,
		.bytes_received = x->head_length + x->session->body.total,
		.duration_ms = worker_now(x->worker) - x->began_ms,
		.endpoint = x->used.port_be != 0 ? &x->used : NULL,
		.reason = x->reason != NULL || !aborted ? x->reason : "aborted",
		.detail = x->detail,
		.limit = x->limit.name,
	};

	line.path = call_target_logged(x, head_text(x, x->path));
	if (vhost != NULL)
		line.virtual_service = image_text(vhost, vhost->name);
	if (route != NULL)
		line.route = image_text(vhost, route->name);
	if (x->upstream != NULL)
		line.upstream =
			image_text(x->generation->image, x->upstream->name);
	access_write(x->worker->access, &line);
}

static void
answer_count(struct exchange *x, bool aborted)
{
	struct counters_listener *c = x->session->counts;

	c->requests_active--;
	if (aborted)
		c->responses_aborted++;
	else if (x->status < 300)
		c->responses_2xx++;
	else if (x->status < 400)
		c->responses_3xx++;
	else if (x->status < 500)
		c->responses_4xx++;
	else
		c->responses_5xx++;
}

void
exchange_link_drop(struct exchange *x)
{
	link_close(x->link);
	x->link = NULL;
	gather_reset(&x->worker->up);
}

/* A spare exchange keeps no more than a little. */
static void
replay_drop(struct exchange *x)
{
	if (x->replay.capacity <= REPLAY_SPARE) {
		str_clear(&x->replay);
		return;
	}
	str_fini(&x->replay);
	str_init(&x->replay);
}

/* The session hears of it from the caller, who must not use x afterwards. */
static void
exchange_end(struct exchange *x, bool aborted)
{
	struct worker *w = x->worker;

	attempt_end(x);
	gather_reset(&w->down);
	answer_count(x, aborted);
	if (access_is_on(w->access))
		exchange_log(x, aborted);
	if (x->call != NULL)
		call_free(x);
	if (x->generation != NULL)
		worker_generation_put(w, x->generation);
	wheel_timer_clear(&x->timer);
	if (x->head != x->head_room)
		free(x->head);
	x->head = x->head_room;
	replay_drop(x);
	x->session->exchange = NULL;
	x->next = w->ended_exchanges;
	w->ended_exchanges = x;
}

/* The answer was cut, or is not given: the client sees the connection end. */
static void
exchange_abort(struct exchange *x, const char *word)
{
	struct session *s = x->session;
	enum session_next next =
		x->until_close ? SESSION_NEXT_RESET : SESSION_NEXT_CLOSE;

	x->reason = word;
	exchange_end(x, true);
	session_answered(s, next);
}

/* ---- answers of our own */

static bool
rest_is_small(const struct exchange *x)
{
	const struct http_body *b = &x->session->body;

	return !x->expects &&
	       (b->framing == HTTP_BODY_CHUNKED || b->left <= DISCARD_MAX);
}

static void
exchange_reply(struct exchange *x, int status, const char *word,
	struct slice location, struct slice body)
{
	struct session *s = x->session;
	enum session_next next = SESSION_NEXT_REQUEST;

	if (x->head_sent) {
		exchange_abort(x, word);
		return;
	}
	exchange_link_drop(x);
	x->reason = word;
	x->keep = x->client_keeps && session_stays(s) &&
		  (x->request_done || rest_is_small(x));
	if (reply_send(x, status, location, body) < 0) {
		exchange_client_gone(x);
		return;
	}
	if (!x->keep)
		next = x->request_done ? SESSION_NEXT_CLOSE
				       : SESSION_NEXT_LINGER;
	exchange_end(x, false);
	session_answered(s, next);
}

void
exchange_refuse(
	struct exchange *x, int status, const char *word, const char *sentence)
{
	struct str *text = &x->worker->text;

	str_clear(text);
	str_puts(text, sentence);
	str_putc(text, '\n');
	exchange_reply(x, status, word, TEXT(""),
		(struct slice){ text->data, text->length });
}

void
exchange_fail(
	struct exchange *x, int status, const char *word, const char *sentence)
{
	char text[512];

	if (x->upstream != NULL) {
		struct slice name =
			image_text(x->generation->image, x->upstream->name);

		snprintf(text, sizeof(text), "upstream %.*s: %s",
			(int)name.length, name.data, sentence);
		sentence = text;
	}
	exchange_refuse(x, status, word, sentence);
}

static void
redirect(struct exchange *x, const struct http_head *head,
	const struct http_target *target)
{
	struct str *location = &x->worker->text;
	int status;

	forward_prepare(x, head, target);
	status = filter_redirect(&x->worker->filter, location);
	exchange_reply(x, status, "redirect",
		(struct slice){ location->data, location->length }, TEXT(""));
}

static void
direct_answer(struct exchange *x)
{
	exchange_reply(x, x->match.route->status, "direct_response", TEXT(""),
		image_text(x->match.vhost, x->match.route->body));
}

/* ---- the request */

void
exchange_request_complete(struct exchange *x)
{
	x->request_done = true;
	x->expects = false;
	x->session->state = SESSION_WAIT;
	wheel_timer_clear(&x->session->timer);
	attempt_request_complete(x);
}

static void
refuse_no_route(struct exchange *x)
{
	if (x->match.limited) {
		exchange_refuse(x, 500, "regex_limited",
			"a regex of a route takes too many steps on this "
			"request");
		return;
	}
	x->session->counts->no_route++;
	exchange_refuse(x, 404, "no_route", "no route matches this request");
}

void
exchange_begin(struct exchange *x, const struct http_head *head,
	const struct http_target *target)
{
	struct worker *w = x->worker;
	struct session *s = x->session;
	struct router_request request = {
		.listener = s->slot, .head = head, .target = *target
	};

	s->state = SESSION_BODY;
	x->request_done = s->body.done;
	if (w->generation == NULL) {
		exchange_refuse(
			x, 503, "not_ready", "there is no configuration yet");
		return;
	}
	x->generation = w->generation;
	x->generation->use[w->index].count++;
	x->peer_trusted =
		client_address(x->generation, &s->peer, head, &x->client);
	request.peer_trusted = x->peer_trusted;
	request.host.data = w->host;
	request.host.length = http_authority_host(head->authority, w->host);
	router_find(
		x->generation->router, w->router_scratch, &request, &x->match);
	if (filter_is_limited(&x->match) && !throttle_pass(x, head))
		return;
	if (x->match.route == NULL) {
		refuse_no_route(x);
		return;
	}
	switch ((enum image_action)x->match.route->action) {
	case IMAGE_ACTION_REDIRECT:
		redirect(x, head, target);
		return;
	case IMAGE_ACTION_DIRECT:
		direct_answer(x);
		return;
	case IMAGE_ACTION_ROUTE:
		if (x->request_done)
			exchange_request_complete(x);
		exchange_moved(x);
		attempt_begin(x, head, target);
		return;
	case IMAGE_ACTION_UNAVAILABLE:
		break;
	}
	x->detail = image_text(x->match.vhost, x->match.route->reason).data;
	exchange_refuse(x, 503, "route_unavailable", x->detail);
}

static bool
link_is_ready(const struct exchange *x)
{
	return x->link != NULL && x->link->state == LINK_BUSY;
}

bool
exchange_waits(const struct exchange *x)
{
	return !link_is_ready(x) && !call_collects(x);
}

bool
exchange_wants_body(const struct exchange *x)
{
	if (!link_is_ready(x))
		return call_collects(x);
	return conn_queued(&x->link->conn) < WORKER_HIGH;
}

void
exchange_body_bad(struct exchange *x)
{
	x->session->counts->bad_requests++;
	x->client_keeps = false;
	exchange_refuse(
		x, 400, "bad_body", "the body of the request is malformed");
}

void
exchange_continue(struct exchange *x)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	const struct iovec iov = { (void *)(uintptr_t)text, sizeof(text) - 1 };

	x->expects = false;
	if (!x->head_sent)
		conn_send(&x->session->conn, &iov, 1);
}

size_t
exchange_take_body(struct exchange *x, const char *bytes, size_t length)
{
	struct session *s = x->session;
	struct gather *g = &x->worker->up;
	struct slice run;
	size_t at = 0, n;

	if (!link_is_ready(x))
		return call_collects(x) ? call_take_body(x, bytes, length) : 0;
	if (x->expects && length == 0)
		exchange_continue(x);
	for (;;) {
		/* First: a run that was read cannot be left for later. */
		if (!gather_has_room(g))
			exchange_flush(x);
		if (s->exchange != x || !link_is_ready(x))
			return at;
		g->chunked = s->body.framing == HTTP_BODY_CHUNKED;
		switch (http_body_read(
			&s->body, bytes + at, length - at, &run, &n)) {
		case HTTP_BODY_DATA:
			x->expects = false;
			gather_add(g, run);
			at += n;
			exchange_moved(x);
			continue;
		case HTTP_BODY_MORE:
			return at + n;
		case HTTP_BODY_DONE:
			g->last = g->chunked;
			exchange_request_complete(x);
			return at + n;
		case HTTP_BODY_BAD:
			exchange_body_bad(x);
			return length;
		}
	}
}

void
exchange_flush(struct exchange *x)
{
	if (!link_is_ready(x) || gather_is_empty(&x->worker->up))
		return;
	if (attempt_send(x) < 0)
		attempt_send_failed(x);
	else
		x->heard = true;
}

void
exchange_link_drained(struct exchange *x)
{
	if (x->link->conn.failed)
		attempt_send_failed(x);
	else if (conn_queued(&x->link->conn) >= WORKER_LOW)
		return;
	else if (x->session->state == SESSION_BODY)
		session_pump(x->session);
	else if (x->call != NULL)
		call_link_drained(x);
}

/* ---- times */

void
exchange_timer_arm(struct exchange *x)
{
	const uint64_t all[] = { x->due.total_ms, x->due.try_ms, x->due.idle_ms,
		x->due.gone_ms, x->due.retry_ms };
	uint64_t due_ms = UINT64_MAX;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i] != 0 && all[i] < due_ms)
			due_ms = all[i];
	if (due_ms == UINT64_MAX)
		wheel_timer_clear(&x->timer);
	else
		wheel_timer_set(x->worker->wheel, &x->timer, due_ms);
}

/* The route's idleTimeout; without any timeout, the one of bodies when there
 * is an answer and the one of streams until then: without it a silent endpoint
 * would hold client and connection for ever. */
static uint32_t
idle_timeout_ms(const struct exchange *x)
{
	const struct image_route *r = x->match.route;
	const struct wire_settings *limits = &x->worker->settings;

	if (r->idle_timeout_ms > 0)
		return r->idle_timeout_ms;
	if (r->timeout_ms > 0)
		return 0;
	return x->head_sent ? limits->body_idle_ms : limits->stream_idle_ms;
}

void
exchange_moved(struct exchange *x)
{
	uint32_t ms = idle_timeout_ms(x);

	if (ms == 0)
		return;
	x->due.idle_ms = worker_now(x->worker) + ms;
	exchange_timer_arm(x);
}

static bool
is_past(uint64_t due_ms, uint64_t now_ms)
{
	return due_ms != 0 && due_ms <= now_ms;
}

static void
idle_too_long(struct exchange *x)
{
	if (conn_queued(&x->session->conn) > 0) {
		/* It is the client that does not read; the session sees to
		 * it. */
		exchange_moved(x);
		return;
	}
	x->counts->request_timeout++;
	exchange_fail(x, 504, "upstream_timeout",
		"nothing moved for longer than the idle timeout");
}

static void
on_timer(struct wheel_timer *t)
{
	struct exchange *x =
		(struct exchange *)(void *)((char *)t -
					    offsetof(struct exchange, timer));
	struct worker *w = x->worker;
	uint64_t now_ms = worker_now(w);

	if (is_past(x->due.gone_ms, now_ms)) {
		exchange_client_gone(x);
	} else if (is_past(x->due.total_ms, now_ms)) {
		attempt_overdue(x);
	} else if (is_past(x->due.retry_ms, now_ms)) {
		x->due.retry_ms = 0;
		exchange_timer_arm(x);
		attempt_again(x);
	} else if (is_past(x->due.try_ms, now_ms)) {
		x->due.try_ms = 0;
		exchange_timer_arm(x);
		attempt_timed_out(x);
	} else if (is_past(x->due.idle_ms, now_ms)) {
		idle_too_long(x);
	} else {
		exchange_timer_arm(x);
	}
	worker_leave(w);
}

/* ---- the client's side */

void
exchange_drop(struct exchange *x, const char *word)
{
	struct session *s = x->session;

	x->reason = word;
	exchange_end(x, true);
	session_answered(s, SESSION_NEXT_RESET);
}

void
exchange_client_gone(struct exchange *x)
{
	exchange_drop(x, "client_abort");
}

void
exchange_client_half_closed(struct exchange *x)
{
	if (x->due.gone_ms != 0 || x->head_sent)
		return;
	/* The worker's own time may be some ms old, and it shall not be less. */
	x->due.gone_ms = clock_monotonic_ms() + 1 + HALF_CLOSED_MS;
	exchange_timer_arm(x);
}

uint64_t
exchange_body_moved(const struct exchange *x)
{
	if (call_collects(x))
		return 0;
	/* No more of it is needed when the answer came before its end. */
	if (!link_is_ready(x) || x->link->conn.failed)
		return worker_now(x->worker);
	return conn_queued(&x->link->conn) > 0 ? x->link->conn.progress_ms : 0;
}

void
exchange_body_stalled(struct exchange *x)
{
	x->client_keeps = false;
	if (link_is_ready(x) && conn_queued(&x->link->conn) > 0) {
		x->counts->request_timeout++;
		exchange_fail(x, 504, "upstream_timeout",
			"it did not take the request in time");
	} else {
		exchange_refuse(x, 408, "body_timeout",
			"the body of the request did not come in time");
	}
}

void
exchange_client_drained(struct exchange *x)
{
	if (link_is_ready(x) && x->link->conn.readable &&
		conn_queued(&x->session->conn) < WORKER_LOW)
		link_pump(x->link);
	else if (x->call != NULL)
		call_client_drained(x);
}

void
exchange_complete(struct exchange *x, enum session_next next)
{
	struct session *s = x->session;

	exchange_end(x, false);
	session_answered(s, next);
}
