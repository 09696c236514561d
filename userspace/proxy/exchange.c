/* One request and its answer. */
#include "proxy/exchange.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/endpoint.h"
#include "net/loop.h"
#include "proxy/access.h"
#include "proxy/forward.h"
#include "proxy/generation.h"
#include "proxy/link.h"
#include "proxy/reply.h"
#include "proxy/session.h"
#include "proxy/upstream.h"
#include "proxy/worker.h"

#define TEXT(t) ((struct slice){ (t), sizeof(t) - 1 })

#define REPLAY_MAX        (16u << 10)
#define DISCARD_MAX       (64u << 10)
#define HALF_CLOSED_MS    2000
#define INFORMATIONAL_MAX 32

static void on_timer(struct wheel_timer *t);
static void exchange_fail(
	struct exchange *x, int status, const char *word, const char *sentence);

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
	uint64_t half[2] = { worker_random(x->worker),
		worker_random(x->worker) };
	char *out = x->id;

	half[0] = (half[0] & ~UINT64_C(0xf000)) | 0x4000;
	half[1] = (half[1] >> 2) | UINT64_C(1) << 63;
	for (unsigned i = 0; i < 32; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20)
			*out++ = '-';
		*out++ = hex[half[i / 16] >> (60 - i % 16 * 4) & 15];
	}
	*out = '\0';
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
	/* The timer may still be filed, so it stays as it is; so does replay,
	 * which is empty. */
	memset(x, 0, offsetof(struct exchange, timer));
	memset((char *)x + offsetof(struct exchange, head), 0,
		offsetof(struct exchange, head_room) -
			offsetof(struct exchange, head));
	memset((char *)x + offsetof(struct exchange, tried), 0,
		sizeof(*x) - offsetof(struct exchange, tried));
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
		.client = &x->session->peer,
		.method = head_text(x, x->method),
		.path = head_text(x, x->path),
		.host = head_text(x, x->host),
		.user_agent = head_text(x, x->agent),
		.request_id = slice_of(x->id),
		.status = x->status,
		.bytes_sent = x->bytes_sent,
		.bytes_received = x->head_length + x->session->body.total,
		.duration_ms = worker_now(x->worker) - x->began_ms,
		.endpoint = x->used.port_be != 0 ? &x->used : NULL,
		.reason = x->reason != NULL || !aborted ? x->reason : "aborted",
	};

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

static void
backend_drop(struct exchange *x)
{
	if (x->backend != NULL)
		backend_end(x->backend);
	x->backend = NULL;
}

static void
link_drop(struct exchange *x)
{
	link_close(x->link);
	x->link = NULL;
	gather_reset(&x->worker->up);
}

/* The session hears of it from the caller, who must not use x afterwards. */
static void
exchange_end(struct exchange *x, bool aborted)
{
	struct worker *w = x->worker;

	link_drop(x);
	backend_drop(x);
	gather_reset(&w->down);
	answer_count(x, aborted);
	if (access_is_on(w->access))
		exchange_log(x, aborted);
	if (x->generation != NULL)
		worker_generation_put(w, x->generation);
	wheel_timer_clear(&x->timer);
	if (x->head != x->head_room)
		free(x->head);
	x->head = x->head_room;
	str_clear(&x->replay);
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
	link_drop(x);
	x->reason = word;
	x->keep = x->client_keeps && !x->worker->draining &&
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

static void
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

/* ---- to the upstream */

static void
timeout_start(struct exchange *x)
{
	uint32_t ms = x->match.route->timeout_ms;

	if (ms > 0 && !x->half_closed)
		wheel_timer_set(x->worker->wheel, &x->timer,
			worker_now(x->worker) + ms);
}

static void
request_complete(struct exchange *x)
{
	x->request_done = true;
	x->expects = false;
	x->session->state = SESSION_WAIT;
	wheel_timer_clear(&x->session->timer);
	timeout_start(x);
}

/* The head is gathered; body and flush come next. */
static void
request_send(struct exchange *x, const struct http_head *head,
	const struct http_target *target)
{
	struct gather *g = &x->worker->up;

	gather_reset(g);
	g->head = forward_request(x, head, target);
	if (g->head.data == NULL) {
		gather_reset(g);
		if (x->worker->filter.escapes)
			exchange_refuse(x, 400, "bad_target",
				"the path leaves what its prefix stands for");
		else
			exchange_fail(x, 500, "head_too_large",
				"the request could not be passed on");
		return;
	}
	x->counts->requests++;
}

/* Once more from the kept head: after connecting, or for another attempt. */
static void
request_send_again(struct exchange *x)
{
	static const struct http_limits limits = { WORKER_KEEP, WORKER_KEEP,
		HTTP_FIELDS_MAX };
	struct worker *w = x->worker;
	struct http_target target;
	enum http_refusal why;
	size_t skipped;

	if (http_request_parse(x->head, x->head_length, 0, &limits, &w->request,
		    &skipped, &why) != HTTP_PARSE_DONE ||
		!http_target_normalise(w->request.target, w->path, &target)) {
		exchange_fail(x, 500, "internal",
			"the request could not be passed on");
		return;
	}
	request_send(x, &w->request, &target);
}

static void
connection_get(struct exchange *x, struct backend *b)
{
	backend_begin(b);
	x->backend = b;
	x->used = b->addr;
}

static void
connection_open(struct exchange *x)
{
	x->link = link_open(
		x->worker, x->backend, x->upstream->connect_timeout_ms, x);
	if (x->link == NULL)
		exchange_connect_failed(x, errno);
}

static uint32_t
destination_pick(struct exchange *x)
{
	const struct image_route *r = x->match.route;
	const struct image_destination *d =
		image_at(x->match.vhost, r->destinations.offset);
	uint64_t point;

	if (r->destinations.count == 0)
		return 0;
	if (r->destinations.count == 1 || r->total_weight == 0)
		return d[0].upstream;
	point = (worker_random(x->worker) >> 32) * r->total_weight >> 32;
	for (uint32_t i = 0; i < r->destinations.count; i++) {
		if (point < d[i].weight)
			return d[i].upstream;
		point -= d[i].weight;
	}
	return d[r->destinations.count - 1].upstream;
}

static void
dispatch(struct exchange *x, const struct http_head *head,
	const struct http_target *target)
{
	struct worker *w = x->worker;
	const struct image *image = x->generation->image;
	uint32_t id = destination_pick(x);
	struct backend *b;

	x->upstream = image_upstream_get(image, id);
	if (x->upstream == NULL || id >= UPSTREAMS_MAX) {
		x->upstream = NULL;
		exchange_fail(x, 503, "route_unavailable",
			"the upstream of this route is not known");
		return;
	}
	if (x->upstream->unavailable.length > 0) {
		exchange_fail(x, 503, "route_unavailable",
			image_text(image, x->upstream->unavailable).data);
		return;
	}
	x->counts = &w->counters->upstream[id];
	b = upstream_pick(
		registry_get(w->registry, id), NULL, worker_random(w));
	if (b == NULL) {
		x->counts->no_endpoint++;
		exchange_fail(x, 503, "no_endpoint", "it has no endpoint");
		return;
	}
	connection_get(x, b);
	x->link = link_reuse(b, x);
	if (x->link != NULL)
		request_send(x, head, target);
	else
		connection_open(x);
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
	request.host.data = w->host;
	request.host.length = http_authority_host(head->authority, w->host);
	router_find(
		x->generation->router, w->router_scratch, &request, &x->match);
	if (x->match.route == NULL) {
		s->counts->no_route++;
		exchange_refuse(
			x, 404, "no_route", "no route matches this request");
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
			request_complete(x);
		dispatch(x, head, target);
		return;
	case IMAGE_ACTION_UNAVAILABLE:
		break;
	}
	exchange_refuse(x, 503, "route_unavailable",
		image_text(x->match.vhost, x->match.route->reason).data);
}

static bool
link_is_ready(const struct exchange *x)
{
	return x->link != NULL && x->link->state == LINK_BUSY;
}

bool
exchange_wants_body(const struct exchange *x)
{
	return link_is_ready(x) && conn_queued(&x->link->conn) < WORKER_HIGH;
}

/* Some clients wait for this before they send their body. */
static void
continue_send(struct exchange *x)
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
		return 0;
	if (x->expects && length == 0)
		continue_send(x);
	g->chunked = s->body.framing == HTTP_BODY_CHUNKED;
	for (;;) {
		switch (http_body_read(
			&s->body, bytes + at, length - at, &run, &n)) {
		case HTTP_BODY_DATA:
			x->expects = false;
			while (!gather_add(g, run)) {
				exchange_flush(x);
				if (s->exchange != x || !link_is_ready(x))
					return at;
				g->chunked =
					s->body.framing == HTTP_BODY_CHUNKED;
			}
			at += n;
			continue;
		case HTTP_BODY_MORE:
			return at + n;
		case HTTP_BODY_DONE:
			g->last = g->chunked;
			request_complete(x);
			return at + n;
		case HTTP_BODY_BAD:
			s->counts->bad_requests++;
			x->client_keeps = false;
			exchange_refuse(x, 400, "bad_body",
				"the body of the request is malformed");
			return length;
		}
	}
}

/* Keeps what goes out on a connection that may turn out to be closed. */
static void
replay_keep(struct exchange *x, const struct gather *g, size_t bytes)
{
	int first = g->head.length > 0;

	bytes -= g->head.length;
	if (!x->replayable || bytes == 0)
		return;
	if (!link_is_reused(x->link) || x->replay.length + bytes > REPLAY_MAX) {
		x->replayable = false;
		str_clear(&x->replay);
		return;
	}
	for (int i = first; i < g->iov_count; i++)
		str_append(&x->replay, g->iov[i].iov_base, g->iov[i].iov_len);
}

/* Nothing can be sent; an answer may be there all the same. */
static void
link_send_failed(struct exchange *x)
{
	struct session *s = x->session;
	struct link *l = x->link;

	l->conn.readable = true;
	link_pump(l);
	if (s->exchange == x && x->link == l)
		exchange_answer_ended(x);
}

void
exchange_flush(struct exchange *x)
{
	struct gather *g = &x->worker->up;
	size_t bytes;
	int rc;

	if (!link_is_ready(x) || gather_is_empty(g))
		return;
	bytes = gather_lay(g);
	replay_keep(x, g, bytes);
	rc = conn_send(&x->link->conn, g->iov, g->iov_count);
	gather_reset(g);
	if (rc < 0)
		link_send_failed(x);
	else
		x->heard = true;
}

void
exchange_connected(struct exchange *x)
{
	struct session *s = x->session;

	s->input_ms = worker_now(x->worker);
	request_send_again(x);
	if (s->exchange == x && x->replay.length > 0) {
		/* It went out before, as it is. */
		gather_add(&x->worker->up,
			(struct slice){ x->replay.data, x->replay.length });
		x->replayable = false;
		exchange_flush(x);
	} else if (s->exchange == x && x->request_done) {
		exchange_flush(x);
	}
	if (s->state == SESSION_BODY)
		session_pump(s);
}

void
exchange_link_drained(struct exchange *x)
{
	if (x->link->conn.failed)
		link_send_failed(x);
	else if (x->session->state == SESSION_BODY &&
		 conn_queued(&x->link->conn) < WORKER_LOW)
		session_pump(x->session);
}

/* ---- when it does not work */

static bool
is_idempotent(const struct exchange *x)
{
	switch (x->request_method) {
	case HTTP_GET:
	case HTTP_HEAD:
	case HTTP_PUT:
	case HTTP_DELETE:
	case HTTP_OPTIONS:
		return true;
	default:
		return false;
	}
}

void
exchange_connect_failed(struct exchange *x, int problem)
{
	struct upstream *u = x->backend->upstream;
	struct backend *other = NULL;

	if (problem == ETIMEDOUT)
		x->counts->connect_timeout++;
	else
		x->counts->connect_failed++;
	link_drop(x);
	if (!x->tried_other) {
		x->tried_other = true;
		x->tried = x->backend->addr;
		other = upstream_pick(u, &x->tried, worker_random(x->worker));
	}
	if (other == NULL) {
		if (problem == ETIMEDOUT)
			exchange_fail(x, 502, "connect_timeout",
				"it could not be reached in time");
		else
			exchange_fail(x, 502, "connect_failed",
				"it could not be reached");
		return;
	}
	backend_drop(x);
	connection_get(x, other);
	connection_open(x);
}

/* A kept connection that the upstream closed before it saw the request. */
static bool
retry_is_free(const struct exchange *x)
{
	return !x->retried && x->replayable && x->seen == 0 &&
	       x->informational == 0 && link_is_reused(x->link) &&
	       (is_idempotent(x) || !x->heard);
}

static void
retry(struct exchange *x)
{
	x->retried = true;
	x->counts->retried_idle++;
	link_drop(x);
	connection_open(x);
}

/* The upstream's connection is over. */
void
exchange_answer_ended(struct exchange *x)
{
	if (x->head_sent && http_body_end(&x->body) && !x->link->conn.failed) {
		struct session *s = x->session;

		x->body.done = true;
		exchange_take_answer(x, "", 0);
		if (s->exchange != x)
			return;
	}
	if (!x->head_sent && retry_is_free(x)) {
		retry(x);
		return;
	}
	x->counts->reset++;
	exchange_fail(x, 502, "upstream_reset",
		"it closed the connection before it answered");
}

static void
on_timer(struct wheel_timer *t)
{
	struct exchange *x =
		(struct exchange *)(void *)((char *)t -
					    offsetof(struct exchange, timer));
	struct worker *w = x->worker;
	uint32_t idle_ms = w->settings.body_idle_ms;

	if (x->half_closed && !x->head_sent) {
		exchange_client_gone(x);
	} else if (x->head_sent && x->match.route->timeout_ms == 0 &&
		   !exchange_wants_answer(x)) {
		/* It is the client that does not read. */
		wheel_timer_set(w->wheel, t, worker_now(w) + idle_ms);
	} else {
		x->counts->request_timeout++;
		exchange_fail(x, 504, "upstream_timeout",
			"it did not answer in time");
	}
	worker_leave(w);
}

void
exchange_client_gone(struct exchange *x)
{
	struct session *s = x->session;

	x->reason = "client_abort";
	exchange_end(x, true);
	session_answered(s, SESSION_NEXT_RESET);
}

void
exchange_client_half_closed(struct exchange *x)
{
	uint64_t at = worker_now(x->worker) + HALF_CLOSED_MS;

	if (x->half_closed || x->head_sent)
		return;
	x->half_closed = true;
	if (!wheel_timer_is_set(&x->timer) || x->timer.deadline_ms > at)
		wheel_timer_set(x->worker->wheel, &x->timer, at);
}

uint64_t
exchange_body_moved(const struct exchange *x)
{
	if (!link_is_ready(x))
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

/* ---- the answer */

bool
exchange_wants_answer(const struct exchange *x)
{
	return conn_queued(&x->session->conn) < WORKER_HIGH;
}

void
exchange_client_drained(struct exchange *x)
{
	if (link_is_ready(x) && x->link->conn.readable &&
		conn_queued(&x->session->conn) < WORKER_LOW)
		link_pump(x->link);
}

/* False: the exchange is over. */
static bool
answer_flush(struct exchange *x)
{
	struct gather *g = &x->worker->down;
	struct session *s = x->session;
	int rc;

	if (gather_is_empty(g))
		return true;
	x->bytes_sent += gather_lay(g);
	rc = conn_send(&s->conn, g->iov, g->iov_count);
	gather_reset(g);
	if (rc < 0) {
		exchange_client_gone(x);
		return false;
	}
	if (conn_queued(&s->conn) > 0)
		session_watch_output(s);
	return true;
}

static void
upstream_answer_count(struct exchange *x)
{
	if (x->status < 300)
		x->counts->responses_2xx++;
	else if (x->status < 400)
		x->counts->responses_3xx++;
	else if (x->status < 500)
		x->counts->responses_4xx++;
	else
		x->counts->responses_5xx++;
}

/* The final head is there: what it means for both connections. */
static bool
answer_begin(struct exchange *x, const struct http_head *answer)
{
	struct gather *g = &x->worker->down;
	bool open_end = answer->framing == HTTP_BODY_CHUNKED ||
			answer->framing == HTTP_BODY_CLOSE;

	x->chunked = open_end && !x->version_10;
	x->until_close = open_end && x->version_10;
	x->keep = x->client_keeps && x->request_done && !x->until_close &&
		  !x->worker->draining;
	x->upstream_keeps = answer->keep_alive;
	http_body_init(&x->body, answer->framing, answer->content_length);
	gather_reset(g);
	g->head = forward_answer(x, answer);
	if (g->head.data == NULL) {
		gather_reset(g);
		x->until_close = false;
		x->counts->bad_response++;
		exchange_fail(x, 502, "bad_response",
			"its answer could not be passed on");
		return false;
	}
	x->status = answer->status;
	x->head_sent = true;
	upstream_answer_count(x);
	return true;
}

static void
answer_bad(struct exchange *x, const char *word)
{
	x->counts->bad_response++;
	exchange_fail(x, 502, word, "its answer is malformed");
}

/* True: the final head has been taken; *used counts all heads. */
static bool
answer_head(struct exchange *x, const char *bytes, size_t length, size_t *used)
{
	struct worker *w = x->worker;
	enum http_refusal why;

	for (;;) {
		if (*used == length)
			return false;
		switch (http_response_parse(bytes + *used, length - *used,
			x->seen, x->request_method, &w->limits, &w->answer,
			&why)) {
		case HTTP_PARSE_MORE:
			x->seen = (uint32_t)(length - *used);
			return false;
		case HTTP_PARSE_BAD:
			answer_bad(x, "bad_response");
			return false;
		case HTTP_PARSE_DONE:
			break;
		}
		*used += w->answer.length;
		x->seen = 0;
		if (w->answer.status >= 200)
			return answer_begin(x, &w->answer);
		if (w->answer.status == 101) {
			answer_bad(x, "unasked_upgrade");
			return false;
		}
		if (++x->informational > INFORMATIONAL_MAX) {
			answer_bad(x, "too_many_informational");
			return false;
		}
	}
}

static bool
link_may_rest(const struct exchange *x, bool clean)
{
	const struct link *l = x->link;
	uint32_t most = x->upstream->max_requests_per_connection;

	return clean && x->upstream_keeps && x->request_done &&
	       !x->worker->draining && conn_queued(&l->conn) == 0 &&
	       !l->conn.readable && !l->conn.closed && !l->conn.failed &&
	       (most == 0 || l->requests < most);
}

/* All of the answer has been passed on. */
static void
exchange_complete(struct exchange *x, bool clean)
{
	struct session *s = x->session;
	enum session_next next = SESSION_NEXT_REQUEST;

	if (link_may_rest(x, clean)) {
		link_rest(x->link);
		x->link = NULL;
	}
	if (!x->request_done)
		next = SESSION_NEXT_LINGER;
	else if (!x->keep)
		next = SESSION_NEXT_CLOSE;
	exchange_end(x, false);
	session_answered(s, next);
}

static void
idle_watch(struct exchange *x)
{
	uint32_t idle_ms = x->worker->settings.body_idle_ms;

	if (x->match.route->timeout_ms == 0 && idle_ms > 0)
		wheel_timer_set(x->worker->wheel, &x->timer,
			worker_now(x->worker) + idle_ms);
}

size_t
exchange_take_answer(struct exchange *x, const char *bytes, size_t length)
{
	struct gather *g = &x->worker->down;
	struct slice run;
	size_t at = 0, n;

	if (!x->head_sent) {
		x->replayable = false;
		if (!answer_head(x, bytes, length, &at))
			return at;
	}
	g->chunked = x->chunked;
	for (;;) {
		switch (http_body_read(
			&x->body, bytes + at, length - at, &run, &n)) {
		case HTTP_BODY_DATA:
			while (!gather_add(g, run)) {
				if (!answer_flush(x))
					return at;
				g->chunked = x->chunked;
			}
			at += n;
			continue;
		case HTTP_BODY_MORE:
			if (answer_flush(x))
				idle_watch(x);
			return at + n;
		case HTTP_BODY_DONE:
			at += n;
			g->last = x->chunked;
			if (answer_flush(x))
				exchange_complete(x, at == length);
			return at;
		case HTTP_BODY_BAD:
			if (answer_flush(x))
				answer_bad(x, "bad_response");
			return at;
		}
	}
}
