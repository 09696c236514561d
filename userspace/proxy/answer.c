/* The answer on its way to the client. */
#include "proxy/answer.h"

#include "proxy/attempt.h"
#include "proxy/call.h"
#include "proxy/exchange.h"
#include "proxy/forward.h"
#include "proxy/link.h"
#include "proxy/session.h"
#include "proxy/worker.h"

#define INFORMATIONAL_MAX 32
#define SPLICE_LEFT       (32u << 10) /* so much of a body is not copied */

bool
answer_is_wanted(const struct exchange *x)
{
	return conn_queued(&x->session->conn) < WORKER_HIGH;
}

bool
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

void
answer_count_status(struct exchange *x, uint16_t status)
{
	struct counters_upstream *c = x->counts;

	if (status < 300)
		c->responses_2xx++;
	else if (status < 400)
		c->responses_3xx++;
	else if (status < 500)
		c->responses_4xx++;
	else
		c->responses_5xx++;
}

/* What it means for both connections. */
bool
answer_begin(struct exchange *x, const struct http_head *answer)
{
	struct gather *g = &x->worker->down;
	bool open_end = answer->framing == HTTP_BODY_CHUNKED ||
			answer->framing == HTTP_BODY_CLOSE;

	x->chunked = open_end && !x->version_10;
	x->until_close = open_end && x->version_10;
	x->keep = x->client_keeps && x->request_done && !x->until_close &&
		  session_stays(x->session);
	x->upstream_keeps = answer->keep_alive;
	http_body_init(&x->body, answer->framing, answer->content_length);
	gather_reset(g);
	g->head = forward_answer(x, answer);
	if (g->head.data == NULL) {
		gather_reset(g);
		x->until_close = false;
		attempt_answer_bad(
			x, "bad_response", "its answer could not be passed on");
		return false;
	}
	x->status = answer->status;
	x->head_sent = true;
	x->replayable = false;
	x->due.gone_ms = 0;
	return true;
}

static void
answer_bad(struct exchange *x, const char *word)
{
	attempt_answer_bad(x, word, "its answer is malformed");
}

/* An answer that is tried again came all the same. */
static bool
answer_final(struct exchange *x, const struct http_head *answer)
{
	answer_count_status(x, answer->status);
	return !attempt_answered(x, answer->status) && answer_begin(x, answer);
}

bool
answer_head(struct exchange *x, enum http_method method, const char *bytes,
	size_t length, size_t *used)
{
	struct worker *w = x->worker;
	enum http_refusal why;

	for (;;) {
		if (*used == length)
			return false;
		switch (http_response_parse(bytes + *used, length - *used,
			x->seen, method, &http_limits_default, &w->answer,
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
			return true;
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

/* A read that filled its room has not told whether more came: one more does. */
static bool
nothing_is_behind(struct conn *c)
{
	return !c->readable || conn_is_quiet(c);
}

static bool
link_may_rest(struct exchange *x, bool clean)
{
	struct link *l = x->link;
	uint32_t most = x->upstream->max_requests_per_connection;

	return clean && x->upstream_keeps && x->request_done &&
	       !x->worker->draining && conn_queued(&l->conn) == 0 &&
	       !l->conn.closed && !l->conn.failed &&
	       (most == 0 || l->requests < most) && nothing_is_behind(&l->conn);
}

void
answer_link_done(struct exchange *x, bool clean)
{
	if (!link_may_rest(x, clean))
		return;
	link_rest(x->link);
	x->link = NULL;
}

void
answer_complete(struct exchange *x, bool clean)
{
	enum session_next next = SESSION_NEXT_REQUEST;

	answer_link_done(x, clean);
	if (!x->request_done)
		next = SESSION_NEXT_LINGER;
	else if (!x->keep)
		next = SESSION_NEXT_CLOSE;
	exchange_complete(x, next);
}

size_t
answer_pass(struct exchange *x, const char *bytes, size_t length, size_t at)
{
	struct gather *g = &x->worker->down;
	struct slice run;
	size_t n;

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
				exchange_moved(x);
			return at + n;
		case HTTP_BODY_DONE:
			at += n;
			g->last = x->chunked;
			x->session->conn.last = !x->keep;
			if (answer_flush(x))
				answer_complete(x, at == length);
			return at;
		case HTTP_BODY_BAD:
			if (answer_flush(x))
				answer_bad(x, "bad_response");
			return at;
		}
	}
}

/* In one piece, as if nobody else used the parts: they are on the path of every
 * answer. */
__attribute__((flatten)) size_t
answer_take(struct exchange *x, const char *bytes, size_t length)
{
	size_t at = 0;

	if (x->call != NULL)
		return call_answer_take(x, bytes, length);
	if (!x->head_sent &&
		(!answer_head(x, (enum http_method)x->request_method, bytes,
			 length, &at) ||
			!answer_final(x, &x->worker->answer)))
		return at;
	return answer_pass(x, bytes, length, at);
}

bool
answer_may_splice(const struct exchange *x)
{
	return x->head_sent && x->call == NULL &&
	       x->body.framing == HTTP_BODY_LENGTH &&
	       x->body.left >= SPLICE_LEFT &&
	       conn_can_splice(&x->link->conn, &x->session->conn);
}

size_t
answer_splice(struct exchange *x)
{
	struct conn *client = &x->session->conn;
	size_t n, most = x->body.left < WORKER_STREAM ? x->body.left
						      : WORKER_STREAM;

	conn_splice(&x->link->conn, client, most, &n);
	http_body_pass(&x->body, n);
	x->bytes_sent += n;
	if (client->failed) {
		exchange_client_gone(x);
		return n;
	}
	if (conn_queued(client) > 0)
		session_watch_output(x->session);
	if (x->body.done)
		answer_pass(x, "", 0, 0);
	else if (n > 0)
		exchange_moved(x);
	return n;
}

void
answer_ended(struct exchange *x)
{
	struct session *s = x->session;

	if (x->call != NULL) {
		call_answer_ended(x);
		return;
	}
	if (x->head_sent && http_body_end(&x->body) && !x->link->conn.failed) {
		x->body.done = true;
		answer_take(x, "", 0);
		if (s->exchange != x)
			return;
	}
	attempt_lost(x);
}
