/* A client's connection. */
#include "proxy/session.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/head.h"
#include "http/target.h"
#include "net/loop.h"
#include "proxy/census.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"

#define PIPELINE_MAX  (16u << 10) /* read while an answer is awaited */
#define DISCARD_MAX   (64u << 10)
#define LINGER_MAX    (256u << 10)
#define LINGER_MS     2000
#define DRAIN_IDLE_MS 1000

/* ---- end */

static void
session_close(struct session *s, bool cut)
{
	struct worker *w = s->worker;

	if (s->state == SESSION_CLOSED)
		return;
	s->state = SESSION_CLOSED;
	wheel_timer_remove(w->wheel, &s->timer);
	worker_later_remove(w, &s->later);
	if (cut)
		conn_reset(&s->conn);
	else
		conn_fini(&s->conn);
	*s->at = s->next;
	if (s->next != NULL)
		s->next->at = s->at;
	s->next = w->ended_sessions;
	w->ended_sessions = s;
	s->counts->connections_closed++;
	s->counts->connections_open--;
	census_leave(w->census, s->place);
	worker_session_gone(w);
}

static void
timer_set(struct session *s, uint32_t ms)
{
	if (ms > 0)
		wheel_timer_set(s->worker->wheel, &s->timer,
			worker_now(s->worker) + ms);
	else
		wheel_timer_clear(&s->timer);
}

/* The connection is lost, or not worth anything more. */
static void
session_lost(struct session *s)
{
	if (s->exchange != NULL)
		exchange_client_gone(s->exchange);
	else
		session_close(s, false);
}

void
session_kill(struct session *s)
{
	if (s->exchange != NULL)
		exchange_client_gone(s->exchange);
	else
		session_close(s, true);
}

static void
session_linger(struct session *s)
{
	s->state = SESSION_LINGER;
	s->discarded = 0;
	timer_set(s, LINGER_MS);
	if (s->conn.ended)
		session_close(s, false);
	else
		session_pump(s);
}

/* All is sent, or goes with the end. Unread bytes would make of a plain close a
 * reset, which takes the answer away from the client. */
static void
session_finish(struct session *s)
{
	conn_shut(&s->conn);
	if (s->after == SESSION_NEXT_LINGER || s->conn.readable ||
		conn_kept(&s->conn) > 0)
		session_linger(s);
	else
		session_close(s, false);
}

void
session_watch_output(struct session *s)
{
	if (!wheel_timer_is_set(&s->timer))
		timer_set(s, s->worker->settings.body_idle_ms / 2);
}

static void
session_rest(struct session *s)
{
	s->state = SESSION_HEAD;
	s->started = false;
	s->seen = 0;
	timer_set(s, s->worker->settings.idle_timeout_ms);
	if (s->worker->draining)
		session_drain(s);
}

void
session_answered(struct session *s, enum session_next next)
{
	if (s->state == SESSION_CLOSED)
		return;
	if (next == SESSION_NEXT_RESET || s->conn.failed) {
		session_close(s, next == SESSION_NEXT_RESET);
		return;
	}
	if (next == SESSION_NEXT_REQUEST) {
		if (s->body.done) {
			session_rest(s);
		} else {
			s->state = SESSION_DISCARD;
			s->discarded = 0;
			timer_set(s, s->worker->settings.body_idle_ms);
		}
		if (s->conn.readable || s->conn.ended ||
			conn_kept(&s->conn) > 0)
			session_pump(s);
		return;
	}
	s->after = (uint8_t)next;
	/* Within a turn of reading it is seen at its end what is unread. */
	s->state = SESSION_FLUSH;
	timer_set(s, s->worker->settings.body_idle_ms);
	if (!s->pumping && conn_queued(&s->conn) == 0)
		session_finish(s);
	else
		s->again = true;
}

/* It ends, when what was answered before is sent. */
static void
close_behind_answers(struct session *s)
{
	if (conn_queued(&s->conn) > 0)
		session_answered(s, SESSION_NEXT_CLOSE);
	else
		session_close(s, false);
}

void
session_drain(struct session *s)
{
	if (s->state == SESSION_HEAD && !s->started &&
		(!wheel_timer_is_set(&s->timer) ||
			s->timer.deadline_ms >
				worker_now(s->worker) + DRAIN_IDLE_MS))
		timer_set(s, DRAIN_IDLE_MS);
}

/* ---- the pace of a body */

static void
rate_begin(struct session *s, uint64_t now)
{
	s->rate_ms = now;
	s->rate_bytes = s->body.total;
}

/* It moved last at that time; earlier its rate may be due. */
static void
body_timer_set(struct session *s, uint64_t moved_ms)
{
	const struct wire_settings *limits = &s->worker->settings;
	uint64_t due = moved_ms + limits->body_idle_ms;
	uint64_t rate_due = s->rate_ms + limits->body_rate_grace_ms;

	if (limits->body_rate > 0 && rate_due < due)
		due = rate_due;
	wheel_timer_set(s->worker->wheel, &s->timer, due);
}

static void
body_watch(struct session *s)
{
	uint64_t now = worker_now(s->worker);

	s->input_ms = now;
	rate_begin(s, now);
	body_timer_set(s, now);
}

/* ---- heads */

static void
refuse(struct session *s, int status, const char *word)
{
	struct exchange *x = exchange_new(s, NULL);

	s->body = (struct http_body){ 0 }; /* what comes next is not known */
	exchange_refuse(x, status, word, http_status_reason(status));
}

static void
head_refuse(struct session *s, enum http_refusal why)
{
	int status = http_refusal_status(why);

	switch (why) {
	case HTTP_REFUSE_TARGET:
		s->counts->limit_target++;
		break;
	case HTTP_REFUSE_HEAD_SIZE:
		s->counts->limit_head++;
		break;
	case HTTP_REFUSE_FIELDS:
		s->counts->limit_fields++;
		break;
	default:
		s->counts->bad_requests++;
	}
	if (status == 0)
		close_behind_answers(s);
	else
		refuse(s, status, http_refusal_word(why));
}

static bool
body_is_too_large(const struct session *s)
{
	uint64_t bytes = s->body.total;

	if (s->body.framing == HTTP_BODY_LENGTH)
		bytes += s->body.left;
	return s->body_max > 0 && bytes > s->body_max;
}

static void
body_refuse(struct session *s)
{
	struct exchange *x = s->exchange;

	s->counts->limit_body++;
	x->client_keeps = false;
	exchange_refuse(x, 413, "body_too_large",
		"the body of the request is too large");
}

static void
head_take(struct session *s, const struct http_head *head)
{
	struct worker *w = s->worker;
	struct http_target target;
	struct exchange *x;

	s->seen = 0;
	s->started = false;
	http_body_init(&s->body, head->framing, head->content_length);
	s->body_max = w->settings.body_bytes;
	x = exchange_new(s, head);
	if (!s->body.done)
		body_watch(s);
	if (!http_target_normalise(head->target, w->path, &target)) {
		s->counts->bad_requests++;
		x->client_keeps = false;
		exchange_refuse(x, 400, "bad_target", "Bad Request");
		return;
	}
	if (body_is_too_large(s)) {
		body_refuse(s);
		return;
	}
	exchange_begin(x, head, &target);
}

/* Returns what it used; the state tells whether a head was complete. */
static size_t
head_read(struct session *s, const char *bytes, size_t length)
{
	struct worker *w = s->worker;
	enum http_refusal why;
	size_t skipped;

	if (conn_queued(&s->conn) >= WORKER_HIGH)
		return 0;
	if (!s->started) {
		s->started = true;
		timer_set(s, w->settings.head_timeout_ms);
	}
	switch (http_request_parse(bytes, length, s->seen, &w->limits,
		&w->request, &skipped, &why)) {
	case HTTP_PARSE_MORE:
		s->seen = (uint32_t)length;
		return 0;
	case HTTP_PARSE_BAD:
		head_refuse(s, why);
		return length;
	case HTTP_PARSE_DONE:
		break;
	}
	skipped += w->request.length;
	head_take(s, &w->request);
	return skipped;
}

/* ---- input */

/* What is left of the body after an answer; too much of it ends the
 * connection. */
static size_t
body_discard(struct session *s, const char *bytes, size_t length)
{
	struct slice run;
	size_t at = 0, n;

	for (;;) {
		switch (http_body_read(
			&s->body, bytes + at, length - at, &run, &n)) {
		case HTTP_BODY_DATA:
			at += n;
			continue;
		case HTTP_BODY_MORE:
			s->discarded += (uint32_t)length;
			if (s->discarded > DISCARD_MAX)
				session_answered(s, SESSION_NEXT_LINGER);
			return length;
		case HTTP_BODY_DONE:
			session_rest(s);
			return at + n;
		case HTTP_BODY_BAD:
			session_answered(s, SESSION_NEXT_LINGER);
			return length;
		}
	}
}

/* Works off bytes; returns how many were used. */
static size_t
session_take(struct session *s, const char *bytes, size_t length)
{
	size_t at = 0, n;

	for (;;) {
		switch ((enum session_state)s->state) {
		case SESSION_HEAD:
			if (at == length)
				return at;
			n = head_read(s, bytes + at, length - at);
			at += n;
			if (s->state == SESSION_HEAD && n == 0)
				return at;
			break;
		case SESSION_BODY:
			n = exchange_take_body(
				s->exchange, bytes + at, length - at);
			at += n;
			if (n > 0)
				s->input_ms = worker_now(s->worker);
			if (s->exchange != NULL && body_is_too_large(s))
				body_refuse(s);
			if (s->state == SESSION_BODY)
				return at;
			break;
		case SESSION_DISCARD:
			at += body_discard(s, bytes + at, length - at);
			if (s->state == SESSION_DISCARD)
				return at;
			break;
		case SESSION_WAIT:
			return at;
		case SESSION_FLUSH:
		case SESSION_LINGER:
			s->discarded += (uint32_t)(length - at);
			return length;
		case SESSION_CLOSED:
			return length;
		}
		/* A head goes out with the first of its body. */
		if (s->exchange != NULL &&
			(s->state != SESSION_BODY || at == length))
			exchange_flush(s->exchange);
	}
}

static bool
session_wants(const struct session *s, size_t have)
{
	switch ((enum session_state)s->state) {
	case SESSION_HEAD:
		return have < WORKER_KEEP &&
		       conn_queued(&s->conn) < WORKER_HIGH;
	case SESSION_BODY:
		/* It may leave while its request waits for a connection. */
		if (exchange_waits(s->exchange))
			return have < PIPELINE_MAX;
		return have < WORKER_KEEP && exchange_wants_body(s->exchange);
	case SESSION_WAIT:
		return have < PIPELINE_MAX;
	case SESSION_DISCARD:
	case SESSION_FLUSH:
	case SESSION_LINGER:
		return true;
	case SESSION_CLOSED:
		break;
	}
	return false;
}

/* The client has shut its side and all it sent has been looked at. */
static void
session_ended(struct session *s)
{
	if (s->conn.failed && s->state != SESSION_LINGER) {
		session_lost(s);
		return;
	}
	switch ((enum session_state)s->state) {
	case SESSION_WAIT:
		exchange_client_half_closed(s->exchange);
		break;
	case SESSION_BODY:
		if (exchange_waits(s->exchange))
			exchange_client_half_closed(s->exchange);
		else if (exchange_wants_body(s->exchange))
			session_lost(s);
		break;
	case SESSION_HEAD:
		/* Answers to earlier requests are still on their way. */
		if (conn_queued(&s->conn) >= WORKER_HIGH)
			break;
		close_behind_answers(s);
		break;
	case SESSION_FLUSH:
		break;
	case SESSION_DISCARD:
	case SESSION_LINGER:
		close_behind_answers(s);
		break;
	case SESSION_CLOSED:
		break;
	}
}

static void
session_turn(struct session *s)
{
	char *bytes = s->worker->session_in;
	size_t have = conn_take(&s->conn, bytes), used, n = 0;

	if (s->conn.readable && session_wants(s, have)) {
		conn_receive(&s->conn, bytes + have,
			worker_receive_size(&s->body), &n);
		have += n;
		if (s->conn.readable)
			s->again = true;
	}
	used = session_take(s, bytes, have);
	if (s->state == SESSION_CLOSED)
		return;
	conn_keep(&s->conn, bytes + used, have - used);
	if (s->exchange != NULL)
		exchange_flush(s->exchange);
	if (s->conn.ended && s->state != SESSION_CLOSED) {
		session_ended(s);
	} else if (n > 0 && !s->conn.readable &&
		   (used < have || (s->exchange != NULL && !s->body.done))) {
		/* As in link_turn: a request that goes on looks again. */
		s->conn.readable = true;
		s->again = true;
	}
	if (s->state == SESSION_LINGER && s->discarded > LINGER_MAX)
		session_close(s, false);
}

void
session_pump(struct session *s)
{
	int turns = WORKER_TURNS;

	if (s->pumping) {
		s->again = true;
		return;
	}
	s->pumping = true;
	do {
		if (turns-- == 0) {
			worker_later_add(s->worker, &s->later);
			break;
		}
		s->again = false;
		session_turn(s);
	} while (s->again && s->state != SESSION_CLOSED &&
		 s->state != SESSION_FLUSH &&
		 (session_wants(s, conn_kept(&s->conn)) ||
			 conn_kept(&s->conn) > 0));
	s->pumping = false;
	if (s->state == SESSION_FLUSH && conn_queued(&s->conn) == 0)
		session_finish(s);
}

static void
on_later(struct worker_later *later)
{
	session_pump(
		(struct session *)(void *)((char *)later -
					   offsetof(struct session, later)));
}

/* ---- events */

static void
on_output(struct session *s)
{
	if (s->conn.failed && s->state != SESSION_LINGER) {
		session_lost(s);
		return;
	}
	if (s->state == SESSION_FLUSH) {
		if (conn_queued(&s->conn) == 0)
			session_finish(s);
		return;
	}
	if (s->exchange != NULL)
		exchange_client_drained(s->exchange);
	else if (s->state == SESSION_HEAD && conn_queued(&s->conn) < WORKER_LOW)
		session_pump(s);
}

static void
on_event(struct conn *c, unsigned what)
{
	struct session *s = (struct session *)c;
	struct worker *w = s->worker;

	if (what & LOOP_WRITE)
		on_output(s);
	if (s->state != SESSION_CLOSED && (what & (LOOP_READ | LOOP_CLOSED)))
		session_pump(s);
	worker_leave(w);
}

/* Queued bytes that move begin it anew. */
static bool
output_stalled(struct session *s)
{
	const struct wire_settings *limits = &s->worker->settings;
	uint64_t due;

	if (limits->body_idle_ms == 0)
		return false;
	if (conn_is_stalled(
		    &s->conn, limits->body_idle_ms, limits->body_rate, &due))
		return true;
	if (due != 0)
		wheel_timer_set(s->worker->wheel, &s->timer, due);
	return false;
}

/* Fewer bytes than wanted came while the upstream would have taken more. */
static bool
body_is_slow(struct session *s, uint64_t now)
{
	const struct wire_settings *limits = &s->worker->settings;
	uint64_t ms = now - s->rate_ms;
	bool slow;

	if (limits->body_rate == 0 || ms < limits->body_rate_grace_ms)
		return false;
	slow = exchange_body_moved(s->exchange) == 0 &&
	       (s->body.total - s->rate_bytes) * 1000 < limits->body_rate * ms;
	rate_begin(s, now);
	return slow;
}

static void
on_body_timer(struct session *s)
{
	uint64_t moved = exchange_body_moved(s->exchange);
	uint64_t now = worker_now(s->worker);
	uint64_t last = moved > s->input_ms ? moved : s->input_ms;

	if (last + s->worker->settings.body_idle_ms > now &&
		!body_is_slow(s, now)) {
		body_timer_set(s, last);
		return;
	}
	if (moved == 0)
		s->counts->limit_body_slow++;
	exchange_body_stalled(s->exchange);
}

static void
on_head_timer(struct session *s)
{
	if (s->started) {
		s->counts->limit_head_timeout++;
		refuse(s, 408, "head_timeout");
		return;
	}
	/* A request may be there that has not been looked at. */
	s->conn.readable = true;
	session_pump(s);
	if (s->state == SESSION_HEAD && !s->started) {
		s->counts->idle_closed++;
		session_close(s, false);
	}
}

static void
on_timer(struct wheel_timer *t)
{
	struct session *s =
		(struct session *)(void *)((char *)t -
					   offsetof(struct session, timer));
	struct worker *w = s->worker;

	if (output_stalled(s)) {
		s->counts->limit_answer_slow++;
		if (s->exchange != NULL)
			exchange_client_gone(s->exchange);
		else
			session_close(s, true);
	} else {
		switch ((enum session_state)s->state) {
		case SESSION_HEAD:
			if (!wheel_timer_is_set(t))
				on_head_timer(s);
			break;
		case SESSION_BODY:
			if (!wheel_timer_is_set(t))
				on_body_timer(s);
			break;
		case SESSION_DISCARD:
		case SESSION_LINGER:
			close_behind_answers(s);
			break;
		case SESSION_FLUSH:
		case SESSION_WAIT:
		case SESSION_CLOSED:
			break;
		}
	}
	worker_leave(w);
}

static struct session *
session_alloc(struct worker *w)
{
	struct session *s = w->spare_sessions;

	if (s == NULL)
		return xcalloc(1, sizeof(*s));
	w->spare_sessions = s->next;
	w->spare_session_count--;
	memset(s, 0, sizeof(*s));
	return s;
}

void
session_open(struct worker *w, int fd, const struct addr *peer, uint32_t slot,
	uint32_t place)
{
	struct session *s = session_alloc(w);

	s->worker = w;
	s->peer = *peer;
	s->slot = slot;
	s->place = place;
	s->counts = &w->counters->listener[slot];
	conn_init(&s->conn, w->pool, fd, false, on_event);
	s->conn.received = &s->counts->bytes_received;
	s->conn.sent = &s->counts->bytes_sent;
	wheel_timer_init(&s->timer, on_timer);
	s->later.run = on_later;
	s->body.done = true;
	s->next = w->sessions;
	s->at = &w->sessions;
	if (s->next != NULL)
		s->next->at = &s->next;
	w->sessions = s;
	w->session_count++;
	s->counts->connections_accepted++;
	s->counts->connections_open++;
	session_rest(s);
}
