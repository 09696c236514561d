/* What comes back from a call. */
#include "proxy/call.h"

#include "http/write.h"
#include "proxy/answer.h"
#include "proxy/attempt.h"
#include "proxy/call_target.h"
#include "proxy/exchange.h"
#include "proxy/link.h"
#include "proxy/session.h"
#include "proxy/upstream.h"
#include "proxy/worker.h"

#define GIVE_ONCE (64u << 10)
/* What an answer that is cut, or no answer, is noted as. */
#define BAD_GATEWAY 502

static const struct dialect *
dialect_of(const struct exchange *x)
{
	return x->call->target->dialect;
}

/* ---- answers that are no use */

/* Something of an answer may have gone to the client: it must not take that for
 * all of it. */
static void
answer_bad(struct exchange *x, const char *sentence)
{
	if (!x->head_sent) {
		attempt_answer_bad(x, "bad_response", sentence);
		return;
	}
	x->counts->bad_response++;
	attempt_note(x, BAD_GATEWAY);
	call_detail(x, "%s", sentence);
	exchange_drop(x, "bad_response");
}

static void
answer_too_large(struct exchange *x)
{
	x->counts->calls_too_large++;
	exchange_fail(x, 502, "call_answer_too_large",
		"its answer is larger than answers of functions may be");
}

/* ---- what an answer told besides */

static void
news_take(struct exchange *x, const struct call_news *news)
{
	struct call *c = x->call;
	struct upstream *u = attempt_upstream(x);

	if (news->billed_ms > 0) {
		x->counts->calls_billed_ms += news->billed_ms;
		call_detail(x, "billed_ms=%u", news->billed_ms);
	}
	if (u == NULL)
		return;
	/* Of several that were on their way at once each says the same. */
	if (news->skewed)
		u->skew_ms = c->skew_ms + news->skew_ms;
	/* It may be that it has others by now. */
	if (news->credentials_refused && u->credentials_count == c->credentials)
		upstream_credentials_refused(u);
}

/* Clock or credentials are to be others: that is worth one attempt more, with
 * retries or without. */
static bool
corrected(struct exchange *x, const struct call_news *news)
{
	struct call *c = x->call;
	const struct upstream *u = attempt_upstream(x);

	if (c->corrected || u == NULL || x->head_sent ||
		!(news->skewed || news->credentials_refused))
		return false;
	c->corrected = c->correcting = true;
	if (news->credentials_refused && u->credentials_count == c->credentials)
		c->hold_back_ms = u->refused_ms + CALL_CREDENTIALS_MS;
	c->state = CALL_WAITS;
	attempt_once_more(x, 0);
	return true;
}

static void
again(struct exchange *x, const struct call_news *news)
{
	if (corrected(x, news))
		return;
	x->call->state = CALL_WAITS;
	if (!attempt_refused(x, x->call->status, news->nothing_ran))
		call_refuse(x);
}

/* ---- heads */

/* What is written, in the worker's answer. */
static bool
head_parse(struct exchange *x, struct http_write *head)
{
	struct worker *w = x->worker;
	enum http_refusal why;

	http_write_end(head);
	return http_write_ok(head) &&
	       http_response_parse(head->out, head->length, 0,
		       (enum http_method)x->request_method,
		       &http_limits_default, &w->answer,
		       &why) == HTTP_PARSE_DONE &&
	       w->answer.length == head->length && w->answer.status >= 200;
}

/* The answer to HEAD says how long that to GET would be. */
static bool
length_tell(struct exchange *x, struct http_write *head, uint64_t length)
{
	head->length -= 2; /* the empty line */
	http_write_field_number(head, "content-length", length);
	return head_parse(x, head);
}

/* What the dialect wrote, before a body that is delimited as said. False: it is
 * no head, or says itself how it is. */
static bool
head_read(struct exchange *x, struct http_write *head,
	enum http_framing framing, uint64_t length)
{
	struct http_head *a = &x->worker->answer;

	if (!head_parse(x, head) ||
		http_head_find(a, HTTP_FIELD_CONTENT_LENGTH) != NULL ||
		http_head_find(a, HTTP_FIELD_TRANSFER_ENCODING) != NULL)
		return false;
	if (a->framing == HTTP_BODY_CLOSE) {
		a->framing = (uint8_t)framing;
		a->content_length = length;
	} else if (framing == HTTP_BODY_LENGTH && a->status != 204 &&
		   a->status != 304) {
		return length_tell(x, head, length);
	}
	return true;
}

/* The client gets it, and then what x->body says. */
static bool
head_begin(struct exchange *x, struct http_write *head,
	enum http_framing framing, uint64_t length, bool keeps)
{
	struct http_head *a = &x->worker->answer;

	if (!head_read(x, head, framing, length)) {
		answer_bad(x, "what its answer comes to cannot be passed on");
		return false;
	}
	/* A body that the client does not get is not read either. */
	a->keep_alive = keeps && (a->framing == framing || x->body.done);
	if (!answer_begin(x, a))
		return false;
	call_message_drop(x);
	return true;
}

/* An answer to HEAD has the length of another. */
static void
framing_keep(struct exchange *x, const struct http_head *answer)
{
	struct call *c = x->call;

	c->framing = answer->framing;
	c->length = answer->content_length;
	if (answer->framing != HTTP_BODY_NONE)
		return;
	c->framing = HTTP_BODY_LENGTH;
	if (c->method != HTTP_HEAD || x->request_method != HTTP_HEAD)
		c->length = 0;
	else if (http_head_find(answer, HTTP_FIELD_CONTENT_LENGTH) == NULL)
		c->framing = HTTP_BODY_CLOSE;
}

/* The final head of the endpoint's answer is in the worker's answer. */
static void
head_take(struct exchange *x)
{
	struct http_head *answer = &x->worker->answer;
	struct call *c = x->call;
	struct call_news news = { 0 };
	struct http_write head;
	enum call_step step;

	c->status = answer->status;
	x->retried = true; /* it came too far for that */
	answer_count_status(x, answer->status);
	http_body_init(&x->body, (enum http_framing)answer->framing,
		answer->content_length);
	framing_keep(x, answer);
	/* Nobody reads the rest of a message that was answered before. */
	x->upstream_keeps = answer->keep_alive && c->sent == c->message.length;
	http_write_init(&head, x->worker->head_up, WORKER_HEAD);
	step = dialect_of(x)->answer(
		c->made, answer, &head, &c->refusal, &news);
	news_take(x, &news);
	switch (step) {
	case CALL_PASS:
		if (attempt_answered(x, c->status))
			return;
		c->state = CALL_PASSES;
		head_begin(x, &head, (enum http_framing)c->framing, c->length,
			x->upstream_keeps);
		return;
	case CALL_COLLECT:
		attempt_note(x, c->status);
		c->state = CALL_GATHERS;
		if (x->body.framing == HTTP_BODY_LENGTH &&
			x->body.left > c->target->answer_max)
			answer_too_large(x);
		return;
	case CALL_DECODE:
		attempt_note(x, c->status);
		x->due.try_ms = 0;
		c->state = CALL_DECODES;
		return;
	case CALL_AGAIN:
		attempt_note(x, c->status);
		again(x, &news);
		return;
	case CALL_REFUSE:
		attempt_note(x, c->status);
		call_refuse(x);
		return;
	default:
		answer_bad(x, "its answer is not understood");
	}
}

/* ---- a whole answer */

void
call_answer_give(struct exchange *x)
{
	struct session *s = x->session;
	struct call *c = x->call;

	while (answer_is_wanted(x)) {
		size_t left = c->out.length - c->passed;
		size_t n = left < GIVE_ONCE ? left : GIVE_ONCE;

		answer_pass(x, c->out.data + c->passed, n, 0);
		if (s->exchange != x)
			return;
		c->passed += n;
	}
}

static void
whole_take(struct exchange *x, bool clean)
{
	struct call *c = x->call;
	struct slice body = { c->answer.data, c->answer.length };
	struct call_news news = { 0 };
	struct http_write head;
	enum call_step step;

	/* Whatever it says, and however slow the client is. */
	answer_link_done(x, clean);
	attempt_leave(x);
	x->due.try_ms = 0;
	http_write_init(&head, x->worker->head_up, WORKER_HEAD);
	step = dialect_of(x)->answer_whole(
		c->made, body, &head, &c->out, &c->refusal, &news);
	news_take(x, &news);
	switch (step) {
	case CALL_DONE:
		if (!call_hold_made(x, c->out, &c->answer))
			return;
		c->state = CALL_GIVES;
		if (head_begin(
			    x, &head, HTTP_BODY_LENGTH, c->out.length, false))
			call_answer_give(x);
		return;
	case CALL_AGAIN:
		again(x, &news);
		return;
	case CALL_REFUSE:
		call_refuse(x);
		return;
	default:
		answer_bad(x, "its answer is not understood");
	}
}

/* False: answered. */
static bool
answer_add(struct exchange *x, struct slice run)
{
	struct call *c = x->call;

	if (c->target->answer_max - c->answer.length < run.length) {
		answer_too_large(x);
		return false;
	}
	str_append(&c->answer, run.data, run.length);
	return call_hold(x, run.length);
}

static size_t
answer_gather(struct exchange *x, const char *bytes, size_t length, size_t at)
{
	struct slice run;
	size_t n;

	for (;;) {
		switch (http_body_read(
			&x->body, bytes + at, length - at, &run, &n)) {
		case HTTP_BODY_DATA:
			at += n;
			if (!answer_add(x, run))
				return at;
			exchange_moved(x);
			continue;
		case HTTP_BODY_MORE:
			return at + n;
		case HTTP_BODY_DONE:
			at += n;
			whole_take(x, at == length);
			return at;
		case HTTP_BODY_BAD:
			answer_bad(x, "its answer is malformed");
			return at;
		}
	}
}

/* ---- an answer that is decoded */

static bool
decoded_begin(struct exchange *x, struct http_write *head)
{
	struct http_body body = x->body;

	if (x->head_sent) {
		answer_bad(x, "its answer has two heads");
		return false;
	}
	if (!head_begin(x, head, HTTP_BODY_CLOSE, 0, x->upstream_keeps))
		return false;
	x->body = body;
	x->worker->down.chunked = x->chunked;
	return true;
}

/* Whether the client gets no body, whatever there is. */
static bool
is_bodiless(const struct exchange *x)
{
	return !x->chunked && !x->until_close;
}

/* in: what goes away when this callback is over; all else goes before. */
static bool
decoded_pass(struct exchange *x, struct slice out, struct slice in)
{
	struct gather *g = &x->worker->down;
	bool stays = (uintptr_t)out.data >= (uintptr_t)in.data &&
		     (uintptr_t)out.data < (uintptr_t)in.data + in.length;

	if (!x->head_sent) {
		answer_bad(x, "its answer has no head");
		return false;
	}
	while (!gather_add(g, out)) {
		if (!answer_flush(x))
			return false;
		g->chunked = x->chunked;
	}
	if (stays || out.length <= GATHER_SMALL)
		return true;
	if (!answer_flush(x))
		return false;
	g->chunked = x->chunked;
	return true;
}

/* The client has all of it. */
static void
decoded_end(struct exchange *x)
{
	if (!x->head_sent) {
		answer_bad(x, "its answer has no head");
		return;
	}
	x->worker->down.last = x->chunked;
	if (answer_flush(x))
		x->call->state = CALL_ENDS;
}

/* False: the dialect has said its last word, or the exchange is over. */
static bool
answer_decode(struct exchange *x, struct slice in, bool last)
{
	struct call *c = x->call;

	for (;;) {
		struct slice out = { NULL, 0 };
		struct call_news news = { 0 };
		struct http_write head;
		enum call_step step;
		size_t used = 0;

		http_write_init(&head, x->worker->head_up, WORKER_HEAD);
		step = dialect_of(x)->answer_bytes(c->made, in, last, &used,
			&head, &out, &c->refusal, &news);
		news_take(x, &news);
		if (used > in.length ||
			(step == CALL_DATA && used == 0 && out.length == 0)) {
			answer_bad(x, "its answer is not understood");
			return false;
		}
		switch (step) {
		case CALL_MORE:
			if (!last)
				return true;
			answer_bad(x, "its answer ended too early");
			return false;
		case CALL_HEAD:
			if (!decoded_begin(x, &head))
				return false;
			if (is_bodiless(x)) {
				decoded_end(x);
				return false;
			}
			break;
		case CALL_DATA:
			if (!decoded_pass(x, out, in))
				return false;
			break;
		case CALL_DONE:
			decoded_end(x);
			return false;
		case CALL_AGAIN:
		case CALL_REFUSE:
			call_refuse(x);
			return false;
		default:
			answer_bad(x, "its answer is not understood");
			return false;
		}
		in.data += used;
		in.length -= used;
	}
}

/* After what was decoded: is that the end, and all there is? */
static bool
body_ends(struct exchange *x, const char *bytes, size_t length, size_t *at)
{
	struct slice run;
	size_t n;

	if (http_body_read(&x->body, bytes + *at, length - *at, &run, &n) !=
		HTTP_BODY_DONE)
		return false;
	*at += n;
	return *at == length;
}

static size_t
decoded_take(struct exchange *x, const char *bytes, size_t length, size_t at)
{
	struct session *s = x->session;
	bool goes_on = true, last = false;
	struct slice run;
	size_t n;

	x->worker->down.chunked = x->chunked;
	while (goes_on) {
		switch (http_body_read(
			&x->body, bytes + at, length - at, &run, &n)) {
		case HTTP_BODY_DATA:
			at += n;
			goes_on = answer_decode(x, run, false);
			continue;
		case HTTP_BODY_MORE:
			if (answer_flush(x))
				exchange_moved(x);
			return at + n;
		case HTTP_BODY_DONE:
			at += n;
			last = true;
			goes_on = answer_decode(
				x, (struct slice){ bytes + at, 0 }, true);
			continue;
		case HTTP_BODY_BAD:
			answer_bad(x, "its answer is malformed");
			return at;
		}
	}
	if (s->exchange == x && x->call->state == CALL_ENDS) {
		bool clean =
			last ? at == length : body_ends(x, bytes, length, &at);

		answer_complete(x, clean);
	}
	return at;
}

/* ---- from the link */

size_t
call_answer_take(struct exchange *x, const char *bytes, size_t length)
{
	struct session *s = x->session;
	struct call *c = x->call;
	size_t at = 0;

	if (c->state == CALL_ASKED) {
		if (!answer_head(
			    x, (enum http_method)c->method, bytes, length, &at))
			return at;
		head_take(x);
		if (s->exchange != x)
			return at;
	}
	switch ((enum call_state)c->state) {
	case CALL_PASSES:
		return answer_pass(x, bytes, length, at);
	case CALL_GATHERS:
		return answer_gather(x, bytes, length, at);
	case CALL_DECODES:
		return decoded_take(x, bytes, length, at);
	default: /* it is tried again */
		return at;
	}
}

/* The connection is over. */
void
call_answer_ended(struct exchange *x)
{
	struct session *s = x->session;
	const struct link *l = x->link;

	if (x->call->state != CALL_ASKED && http_body_end(&x->body) &&
		!l->conn.failed) {
		x->body.done = true;
		call_answer_take(x, "", 0);
		if (s->exchange != x || x->link != l)
			return;
	}
	if (!x->head_sent) {
		attempt_lost(x);
		return;
	}
	x->counts->reset++;
	attempt_note(x, BAD_GATEWAY);
	call_detail(x, "it closed the connection within its answer");
	exchange_drop(x, "upstream_reset");
}
