/* A request on its way to an endpoint. */
#include "proxy/attempt.h"

#include <errno.h>
#include <stdio.h>

#include "proxy/affinity.h"
#include "proxy/breaker.h"
#include "proxy/call.h"
#include "proxy/exchange.h"
#include "proxy/forward.h"
#include "proxy/generation.h"
#include "proxy/link.h"
#include "proxy/secure.h"
#include "proxy/streak.h"
#include "proxy/session.h"
#include "proxy/upstream.h"
#include "proxy/worker.h"

#define REPLAY_MAX (64u << 10)

/* What a failure is to retryOn: no answer at all counts as all of these. */
#define NO_ANSWER                                                              \
	(POLICY_RETRY_5XX | POLICY_RETRY_GATEWAY_ERROR | POLICY_RETRY_RESET)

static void
fail(struct exchange *x, int status, const char *word, const char *sentence)
{
	exchange_fail(x, status, word, sentence);
}

/* As the newest generation has it; NULL: it is gone, and its id may be that of
 * another by now. */
static const struct image_upstream *
upstream_newest(const struct exchange *x)
{
	const struct generation *newest = x->worker->generation;
	const struct image_upstream *u;

	if (newest == x->generation)
		return x->upstream;
	u = image_upstream_get(newest->image, x->upstream->id);
	if (u == NULL ||
		!slice_equal(image_text(newest->image, u->name),
			image_text(x->generation->image, x->upstream->name)))
		return NULL;
	return u;
}

static struct upstream *
upstream_of(const struct exchange *x)
{
	return upstream_newest(x) != NULL
		       ? registry_get(x->worker->registry, x->upstream->id)
		       : NULL;
}

static const struct image_retries *
retries_of(const struct exchange *x)
{
	uint32_t offset = x->match.route->retries;

	return offset != 0 ? image_at(x->match.vhost, offset) : NULL;
}

/* ---- the route's timeout */

static void
total_start(struct exchange *x)
{
	uint32_t ms = x->match.route->timeout_ms;

	if (ms == 0 || x->due.total_ms != 0)
		return;
	x->due.total_ms = worker_now(x->worker) + ms;
	exchange_timer_arm(x);
}

/* The rest of the request takes as long as its client needs. */
static void
total_stop(struct exchange *x)
{
	if (x->request_done || x->due.total_ms == 0)
		return;
	x->due.total_ms = 0;
	exchange_timer_arm(x);
}

struct upstream *
attempt_upstream(const struct exchange *x)
{
	return upstream_of(x);
}

/* ---- leaving an endpoint */

static void
backend_drop(struct exchange *x)
{
	if (x->backend != NULL)
		backend_end(x->backend);
	x->backend = NULL;
}

void
attempt_leave(struct exchange *x)
{
	exchange_link_drop(x);
	backend_drop(x);
}

static void
wait_end(struct exchange *x)
{
	struct upstream *u = registry_get(x->worker->registry, x->upstream->id);

	if (x->wait_at == NULL)
		return;
	*x->wait_at = x->wait_next;
	if (x->wait_next != NULL)
		x->wait_next->wait_at = x->wait_at;
	else
		u->waiting_last = x->wait_at;
	x->wait_at = NULL;
	gauge_down(&x->counts->pending_active);
	total_stop(x);
}

void
attempt_end(struct exchange *x)
{
	if (x->upstream != NULL)
		wait_end(x);
	exchange_link_drop(x);
	backend_drop(x);
	if (x->is_retry)
		gauge_down(&x->counts->retries_active);
	x->is_retry = false;
}

/* ---- sending */

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
			fail(x, 500, "head_too_large",
				"the request could not be passed on");
		return;
	}
	x->counts->requests++;
}

/* Once more from the kept head. */
static void
request_send_kept(struct exchange *x)
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
		fail(x, 500, "internal", "the request could not be passed on");
		return;
	}
	request_send(x, &w->request, &target);
}

static void
try_timeout_start(struct exchange *x)
{
	const struct image_retries *r = retries_of(x);

	if (r == NULL || r->policy.try_timeout_ms == 0 || !x->request_done ||
		x->link == NULL || x->link->state != LINK_BUSY)
		return;
	x->due.try_ms = worker_now(x->worker) + r->policy.try_timeout_ms;
	exchange_timer_arm(x);
}

static void
call_request(struct exchange *x)
{
	struct session *s = x->session;

	call_send(x);
	if (s->exchange == x)
		try_timeout_start(x);
}

/* Head and as much of the body as went out before; the rest follows. */
static void
request_resend(struct exchange *x)
{
	struct session *s = x->session;

	if (x->call != NULL) {
		call_request(x);
		return;
	}
	s->input_ms = worker_now(x->worker);
	request_send_kept(x);
	if (s->exchange == x)
		try_timeout_start(x);
	if (s->exchange == x && x->replay.length > 0) {
		/* It went out before, as it is. */
		gather_add(&x->worker->up,
			(struct slice){ x->replay.data, x->replay.length });
		x->resending = true;
		exchange_flush(x);
	} else if (s->exchange == x && x->request_done) {
		exchange_flush(x);
	}
	if (s->exchange == x)
		x->resending = false;
	if (s->state == SESSION_BODY)
		session_pump(s);
}

static bool
retry_is_possible(const struct exchange *x)
{
	const struct image_retries *r = retries_of(x);

	return r != NULL && x->attempts < r->policy.attempts;
}

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

/* The body bytes of what is gathered. */
static void
replay_append(struct exchange *x, size_t bytes)
{
	const struct gather *g = &x->worker->up;
	size_t skip = g->head.length;

	if (x->replay.length + bytes > REPLAY_MAX) {
		x->replayable = false;
		str_clear(&x->replay);
		return;
	}
	for (int i = 0; i < g->iov_count; i++) {
		const struct iovec *v = &g->iov[i];
		size_t over = skip < v->iov_len ? skip : v->iov_len;

		str_append(&x->replay, (const char *)v->iov_base + over,
			v->iov_len - over);
		skip -= over;
	}
}

int
attempt_send(struct exchange *x)
{
	struct gather *g = &x->worker->up;
	size_t body = gather_lay(g) - g->head.length;
	bool keep = x->replayable && !x->resending && body > 0;
	bool again = retry_is_possible(x) ||
		     (link_is_reused(x->link) && is_idempotent(x));
	int rc;

	if (keep && again)
		replay_append(x, body);
	rc = conn_send(&x->link->conn, g->iov, g->iov_count);
	/* What certainly did not arrive may be sent again in any case. */
	if (keep && !again && rc < 0 && !x->heard)
		replay_append(x, body);
	else if (keep && !again)
		x->replayable = false;
	gather_reset(g);
	return rc;
}

void
attempt_request_complete(struct exchange *x)
{
	total_start(x);
	try_timeout_start(x);
}

/* ---- a connection */

static void
backend_take(struct exchange *x, struct backend *b)
{
	backend_begin(b);
	x->backend = b;
	x->used = b->addr;
}

/* No other endpoint of it would do, and the endpoint has done nothing. */
static void
refuse_in_the_clear(struct exchange *x)
{
	x->counts->tls_failures++;
	x->detail = "it is in the clear by now, the request was for TLS";
	fail(x, 503, "upstream_tls", "TLS with it failed");
}

static void
connection_open(struct exchange *x)
{
	x->link = link_open(
		x->worker, x->backend, x->upstream->connect_timeout_ms, x);
	if (x->link != NULL)
		return;
	if (link_is_barred(x->backend, x))
		refuse_in_the_clear(x);
	else if (errno == EPROTO && x->backend->secure != NULL)
		attempt_tls_failed(x, secure_problem(x->backend->secure));
	else
		attempt_connect_failed(x, errno);
}

/* Of the newest generation, so that who waits longer than a reload is held to
 * the same as who comes after it. */
static const struct policy_breakers *
breakers_of(const struct exchange *x)
{
	const struct image_upstream *u = upstream_newest(x);

	return u != NULL ? &u->breakers : &x->upstream->breakers;
}

/* Each worker may have one, so that the others' cannot starve it. */
static bool
connection_is_allowed(const struct exchange *x, struct upstream *u)
{
	return x->counts->connections_open == 0 ||
	       BREAKER_ALLOWS(x->worker, u->id, connections_open,
		       breakers_of(x)->connections) ||
	       upstream_close_one_idle(u);
}

static void
wait_begin(struct exchange *x, struct upstream *u)
{
	if (!BREAKER_ALLOWS(x->worker, u->id, pending_active,
		    x->upstream->breakers.pending)) {
		x->counts->pending_overflow++;
		fail(x, 503, "upstream_overflow",
			"as many requests wait for a connection as "
			"maxPendingRequests allows");
		return;
	}
	gauge_up(&x->counts->pending_active);
	x->wait_next = NULL;
	x->wait_at = u->waiting_last;
	*u->waiting_last = x;
	u->waiting_last = &x->wait_next;
	/* Nothing of its body is taken meanwhile, nothing else would end it. */
	total_start(x);
	upstream_look_later(u);
}

/* With b chosen. True: the request goes out on x->link, which is open. */
static bool
connection_get(struct exchange *x, struct upstream *u, struct backend *b)
{
	if (u->waiting == NULL || x->wait_at != NULL) {
		x->link = link_reuse(b, x);
		if (x->link != NULL || connection_is_allowed(x, u)) {
			bool open = x->link != NULL;

			wait_end(x);
			backend_take(x, b);
			/* Whatever becomes of it sends the request. */
			if (!open)
				connection_open(x);
			return open;
		}
	}
	if (x->wait_at == NULL)
		wait_begin(x, u);
	return false;
}

static void
refuse_no_endpoint(struct exchange *x)
{
	x->counts->no_endpoint++;
	fail(x, 503, "no_endpoint",
		x->subset == 0 ? "it has no endpoint"
			       : "it has no endpoint in the subset of the "
				 "route");
}

void
attempt_refuse(struct exchange *x)
{
	wait_end(x);
	refuse_no_endpoint(x);
}

bool
attempt_resume(struct exchange *x)
{
	struct upstream *u = upstream_of(x);
	struct backend *b = NULL;

	if (u != NULL)
		b = upstream_pick(u, x, x->is_retry ? &x->tried : NULL);
	if (b == NULL) {
		attempt_refuse(x);
		return true;
	}
	if (connection_get(x, u, b)) {
		request_resend(x);
		return true;
	}
	return u->waiting != x;
}

/* ---- the first attempt */

static const struct image_destination *
destination_pick(struct exchange *x)
{
	const struct image_route *r = x->match.route;
	const struct image_destination *d =
		image_at(x->match.vhost, r->destinations.offset);
	uint64_t point;

	if (r->destinations.count == 0)
		return NULL;
	if (r->destinations.count == 1 || r->total_weight == 0)
		return d;
	point = (worker_random(x->worker) >> 32) * r->total_weight >> 32;
	for (uint32_t i = 0; i < r->destinations.count; i++) {
		if (point < d[i].weight)
			return &d[i];
		point -= d[i].weight;
	}
	return &d[r->destinations.count - 1];
}

static bool
request_is_allowed(struct exchange *x)
{
	const struct image_upstream *u = x->upstream;

	if (BREAKER_ALLOWS(
		    x->worker, u->id, requests_active, u->breakers.requests))
		return true;
	x->counts->requests_overflow++;
	fail(x, 503, "upstream_overflow",
		"as many requests are in work as maxRequests allows");
	return false;
}

/* Where the route leads; NULL: answered, because it cannot serve. */
static const struct image_destination *
destination_find(struct exchange *x)
{
	struct worker *w = x->worker;
	const struct image *image = x->generation->image;
	const struct image_destination *d = destination_pick(x);
	uint32_t id = d != NULL ? d->upstream : 0;
	const struct image_upstream *u = image_upstream_get(image, id);

	if (u == NULL || id >= UPSTREAMS_MAX) {
		fail(x, 503, "route_unavailable",
			"the upstream of this route is not known");
		return NULL;
	}
	x->counts = &w->counters->upstream[id];
	x->upstream = u;
	x->subset = d->subset;
	if (u->unavailable.length > 0) {
		x->detail = image_text(image, u->unavailable).data;
		fail(x, 503, "route_unavailable", x->detail);
		return NULL;
	}
	return request_is_allowed(x) ? d : NULL;
}

/* As connection_get, for the first attempt. */
static bool
connection_find(struct exchange *x)
{
	struct upstream *u = upstream_of(x);
	struct backend *b = u != NULL ? upstream_pick(u, x, NULL) : NULL;

	if (b == NULL) {
		refuse_no_endpoint(x);
		return false;
	}
	budget_request(&u->budget, worker_now(x->worker));
	return connection_get(x, u, b);
}

/* Others may have come while its body did. */
void
attempt_start(struct exchange *x)
{
	if (request_is_allowed(x) && connection_find(x))
		call_request(x);
}

/* As answer_take. */
__attribute__((flatten)) void
attempt_begin(struct exchange *x, const struct http_head *head,
	const struct http_target *target)
{
	const struct image_destination *d = destination_find(x);

	if (d == NULL)
		return;
	if (x->match.route->hash.count > 0)
		affinity_find(x, head);
	if (d->call.length > 0) {
		call_begin(x, d);
		return;
	}
	if (connection_find(x)) {
		request_send(x, head, target);
		try_timeout_start(x);
	}
}

/* ---- another attempt */

/* Full jitter: anything up to a bound that doubles. */
static uint64_t
backoff_ms(struct exchange *x, const struct policy_retries *p)
{
	uint64_t most = p->backoff_ms;

	for (unsigned i = 1; i < x->attempts && most < p->backoff_max_ms; i++)
		most *= 2;
	if (most > p->backoff_max_ms)
		most = p->backoff_max_ms;
	return (worker_random(x->worker) >> 32) * (most + 1) >> 32;
}

/* Whether there may be one more; then it is counted. */
static bool
retry_take(struct exchange *x)
{
	const struct policy_retries *p = &retries_of(x)->policy;
	struct worker *w = x->worker;
	struct upstream *u = upstream_of(x);

	if (u == NULL)
		return false;
	if (!x->is_retry && !BREAKER_ALLOWS(w, u->id, retries_active,
				    x->upstream->breakers.retries)) {
		x->counts->retry_overflow++;
		return false;
	}
	if (!budget_retry(&u->budget, p, w->workers, worker_now(w))) {
		x->counts->retry_budget_used_up++;
		return false;
	}
	if (!x->is_retry)
		gauge_up(&x->counts->retries_active);
	x->is_retry = true;
	x->attempts++;
	x->counts->retried++;
	return true;
}

void
attempt_once_more(struct exchange *x, uint64_t wait_ms)
{
	exchange_link_drop(x);
	backend_drop(x);
	x->tried = x->used;
	x->seen = 0;
	x->informational = 0;
	x->heard = x->retried = false;
	x->due.try_ms = 0;
	if (wait_ms == 0) {
		attempt_again(x);
		return;
	}
	x->due.retry_ms = worker_now(x->worker) + wait_ms;
	exchange_timer_arm(x);
}

/* on: what happened, of enum policy_retry_on. True: another attempt follows. */
static bool
retry(struct exchange *x, uint32_t on)
{
	if (x->head_sent || !x->replayable || !retry_is_possible(x) ||
		!(retries_of(x)->policy.on & on) || !retry_take(x))
		return false;
	attempt_once_more(x, backoff_ms(x, &retries_of(x)->policy));
	return true;
}

void
attempt_again(struct exchange *x)
{
	struct upstream *u;
	struct backend *b;

	if (x->call != NULL && call_holds_back(x))
		return;
	u = upstream_of(x);
	b = u != NULL ? upstream_pick(u, x, &x->tried) : NULL;
	if (b == NULL)
		refuse_no_endpoint(x);
	else if (connection_get(x, u, b))
		request_resend(x);
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
result_note(struct exchange *x, enum streak_result result)
{
	if (x->backend != NULL)
		streak_note(
			x->worker->streaks, x->backend, x->upstream, result);
}

/* ---- how attempts end */

void
attempt_connected(struct exchange *x)
{
	request_resend(x);
}

/* Nothing was sent yet, so another endpoint is asked at once, one time. */
static bool
connect_elsewhere(struct exchange *x)
{
	/* Not the endpoint's: it may have left the set meanwhile. */
	struct upstream *u = upstream_of(x);
	struct backend *b;

	if (x->tried_other || u == NULL)
		return false;
	x->tried_other = true;
	x->tried = x->backend->addr;
	b = upstream_pick(u, x, &x->tried);
	if (b == NULL || b == x->backend)
		return false;
	backend_drop(x);
	backend_take(x, b);
	x->link = link_reuse(b, x);
	if (x->link != NULL)
		request_resend(x);
	else
		connection_open(x);
	return true;
}

void
attempt_connect_failed(struct exchange *x, int problem)
{
	if (problem == ETIMEDOUT)
		x->counts->connect_timeout++;
	else
		x->counts->connect_failed++;
	result_note(x, STREAK_GATEWAY_ERROR);
	exchange_link_drop(x);
	if (connect_elsewhere(x) ||
		retry(x, NO_ANSWER | POLICY_RETRY_CONNECT_FAILURE))
		return;
	if (problem == ETIMEDOUT)
		fail(x, 502, "connect_timeout",
			"it could not be reached in time");
	else
		fail(x, 502, "connect_failed", "it could not be reached");
}

/* No request was taken there: as when it cannot be reached. */
void
attempt_tls_failed(struct exchange *x, const char *why)
{
	char text[WIRE_TEXT_MAX];

	/* It goes with the connection. */
	snprintf(text, sizeof(text), "%s", why);
	x->counts->tls_failures++;
	result_note(x, STREAK_GATEWAY_ERROR);
	exchange_link_drop(x);
	if ((x->replayable && connect_elsewhere(x)) ||
		retry(x, NO_ANSWER | POLICY_RETRY_CONNECT_FAILURE))
		return;
	x->detail = text;
	fail(x, 503, "upstream_tls", "TLS with it failed");
}

/* With TLS 1.3 it says after the handshake what it thinks of our certificate,
 * and takes no request from whom it refuses. */
static bool
link_is_refused(const struct link *l)
{
	return l->secure != NULL && tls_was_refused(&l->conn);
}

void
attempt_lost(struct exchange *x)
{
	if (!x->head_sent && retry_is_free(x)) {
		x->retried = true;
		x->counts->retried_idle++;
		exchange_link_drop(x);
		connection_open(x);
		return;
	}
	if (link_is_refused(x->link)) {
		secure_fail(x->link->secure, tls_problem(&x->link->conn));
		attempt_tls_failed(x, secure_problem(x->link->secure));
		return;
	}
	x->counts->reset++;
	result_note(x, STREAK_GATEWAY_ERROR);
	if (!retry(x, NO_ANSWER))
		fail(x, 502, "upstream_reset",
			"it closed the connection before it answered");
}

void
attempt_send_failed(struct exchange *x)
{
	link_send_failed(x->link);
}

void
attempt_answer_bad(struct exchange *x, const char *word, const char *sentence)
{
	x->counts->bad_response++;
	result_note(x, STREAK_GATEWAY_ERROR);
	if (!retry(x, NO_ANSWER))
		fail(x, 502, word, sentence);
}

void
attempt_overdue(struct exchange *x)
{
	x->counts->request_timeout++;
	/* Later it may as well be the client that is slow. */
	if (!x->head_sent)
		result_note(x, STREAK_GATEWAY_ERROR);
	fail(x, 504, "upstream_timeout", "it did not answer in time");
}

void
attempt_timed_out(struct exchange *x)
{
	x->counts->try_timeout++;
	result_note(x, STREAK_GATEWAY_ERROR);
	if (!retry(x, NO_ANSWER))
		fail(x, 504, "try_timeout",
			"it did not answer within perTryTimeout");
}

static bool
status_is_listed(const struct exchange *x, uint16_t status)
{
	const struct image_retries *r = retries_of(x);
	const uint32_t *codes = image_at(x->match.vhost, r->codes.offset);

	for (uint32_t i = 0; i < r->codes.count; i++)
		if (codes[i] == status)
			return true;
	return false;
}

static bool
is_gateway_error(uint16_t status)
{
	return status >= 502 && status <= 504;
}

/* What that status is to retryOn. */
static uint32_t
reasons_of(const struct exchange *x, uint16_t status)
{
	uint32_t on = 0;

	if (status >= 500)
		on |= POLICY_RETRY_5XX;
	if (is_gateway_error(status))
		on |= POLICY_RETRY_GATEWAY_ERROR;
	if (status == 409)
		on |= POLICY_RETRY_4XX;
	if (status_is_listed(x, status))
		on |= POLICY_RETRY_STATUS;
	return on;
}

void
attempt_note(struct exchange *x, uint16_t status)
{
	result_note(x, status < 500               ? STREAK_GOOD
		       : is_gateway_error(status) ? STREAK_GATEWAY_ERROR
						  : STREAK_ERROR);
}

bool
attempt_answered(struct exchange *x, uint16_t status)
{
	x->due.try_ms = 0;
	attempt_note(x, status);
	return retry_is_possible(x) && retry(x, reasons_of(x, status));
}

bool
attempt_refused(struct exchange *x, uint16_t status, bool unheard)
{
	if (!retry_is_possible(x) || (!unheard && !is_idempotent(x)))
		return false;
	return retry(
		x, reasons_of(x, status) |
			   (unheard ? NO_ANSWER | POLICY_RETRY_CONNECT_FAILURE
				    : 0));
}
