/* Connections to endpoints and the pools they wait in. */
#include "proxy/link.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/connect.h"
#include "net/loop.h"
#include "proxy/answer.h"
#include "proxy/attempt.h"
#include "proxy/breaker.h"
#include "proxy/exchange.h"
#include "proxy/secure.h"
#include "proxy/upstream.h"
#include "proxy/worker.h"

#define FIRST_BYTES (16u << 10)
/* After less in a turn the next one copies: moved, each piece would hold a page
 * of the kernel that no limit counts. */
#define SPLICE_LEAST (16u << 10)

static void on_later(struct worker_later *later);

static void
pool_remove(struct link *l)
{
	*l->at = l->next;
	if (l->next != NULL)
		l->next->at = l->at;
	l->backend->idle_count--;
	gauge_down(&l->backend->counts->idle_open);
	if (l->backend->upstream != NULL)
		l->backend->upstream->idle_count--;
}

static void
link_ready(struct link *l)
{
	wheel_timer_clear(&l->timer);
	l->shaking = false;
	l->state = LINK_BUSY;
	l->backend->counts->connections_opened++;
	attempt_connected(l->exchange);
}

static void
on_shaking(struct link *l)
{
	switch (secure_step(l->secure, &l->conn)) {
	case TLS_WANTS_MORE:
		break;
	case TLS_DONE:
		link_ready(l);
		break;
	case TLS_FAILED:
		attempt_tls_failed(l->exchange, secure_problem(l->secure));
		break;
	}
}

static void
on_connecting(struct link *l, unsigned what)
{
	int problem;

	if (l->shaking) {
		on_shaking(l);
		return;
	}
	if (l->full) /* not even begun */
		return;

	/* A failure comes as an error event, which is both. */
	if (!(what & LOOP_WRITE))
		return;
	problem = conn_connected(&l->conn);
	/* What it says before it was asked would become somebody's answer. */
	if (problem == 0 && (what & (LOOP_READ | LOOP_CLOSED)))
		problem = EPROTO;
	if (problem != 0) {
		attempt_connect_failed(l->exchange, problem);
		return;
	}
	if (l->secure == NULL) {
		link_ready(l);
		return;
	}
	l->shaking = true;
	on_shaking(l);
}

static void
on_event(struct conn *c, unsigned what)
{
	struct link *l = (struct link *)c;
	struct worker *w = l->worker;

	switch ((enum link_state)l->state) {
	case LINK_CONNECTING:
		on_connecting(l, what);
		break;
	case LINK_IDLE:
		/* It was closed, or says what nobody asked for. */
		if (l->secure == NULL || !conn_is_quiet(&l->conn))
			link_close(l);
		break;
	case LINK_BUSY:
		if (what & LOOP_WRITE) {
			exchange_link_drained(l->exchange);
			/* TLS may have to write before it reads on. */
			if (l->secure != NULL) {
				l->conn.readable = true;
				what |= LOOP_READ;
			}
		}
		if (l->state == LINK_BUSY && (what & (LOOP_READ | LOOP_CLOSED)))
			link_pump(l);
		break;
	case LINK_CLOSED:
		break;
	}
	worker_leave(w);
}

/* The timer runs anew, if it has to. */
static void
connecting_timer_set(struct link *l)
{
	uint64_t at = l->give_up_ms;

	if (l->full && at > worker_now(l->worker) + CONNECT_AGAIN_MS)
		at = worker_now(l->worker) + CONNECT_AGAIN_MS;
	if (at != UINT64_MAX)
		wheel_timer_set(l->worker->wheel, &l->timer, at);
}

static void
full_again(struct link *l)
{
	if (connect_again(l->conn.fd, l->backend->host) == 0) {
		l->full = false;
		/* What a socket without a peer said. */
		l->conn.readable = l->conn.closed = false;
		connecting_timer_set(l);
		on_connecting(l, LOOP_WRITE);
	} else if (errno == EAGAIN) {
		connecting_timer_set(l);
	} else {
		attempt_connect_failed(l->exchange, errno);
	}
}

static void
on_timer(struct wheel_timer *t)
{
	struct link *l = (struct link *)(void *)((char *)t -
						 offsetof(struct link, timer));
	struct worker *w = l->worker;

	if (l->shaking) {
		secure_fail(l->secure, "the handshake was not over in time");
		attempt_tls_failed(l->exchange, secure_problem(l->secure));
	} else if (l->state == LINK_CONNECTING && l->full &&
		   worker_now(w) < l->give_up_ms) {
		full_again(l);
	} else if (l->state == LINK_CONNECTING) {
		attempt_connect_failed(l->exchange, ETIMEDOUT);
	} else if (l->state == LINK_IDLE) {
		l->backend->counts->idle_closed++;
		link_close(l);
	}
	worker_leave(w);
}

static struct link *
link_alloc(struct worker *w)
{
	struct link *l = w->spare_links;

	if (l != NULL) {
		w->spare_links = l->next;
		w->spare_link_count--;
		memset(l, 0, sizeof(*l));
		return l;
	}
	return xcalloc(1, sizeof(*l));
}

bool
link_is_barred(const struct backend *b, const struct exchange *x)
{
	return x->upstream->tls != 0 && b->secure == NULL;
}

struct link *
link_open(struct worker *w, struct backend *b, uint32_t connect_timeout_ms,
	struct exchange *x)
{
	struct link *l;
	bool full;
	int fd;

	if (link_is_barred(b, x)) {
		errno = EPROTO;
		return NULL;
	}
	fd = connect_start(&b->addr, b->host, &full);
	if (fd < 0)
		return NULL;
	l = link_alloc(w);
	l->worker = w;
	l->backend = b;
	l->exchange = x;
	l->state = LINK_CONNECTING;
	l->requests = 1;
	conn_init(&l->conn, w->pool, fd, true, on_event);
	l->conn.received = &b->counts->bytes_received;
	l->conn.sent = &b->counts->bytes_sent;
	wheel_timer_init(&l->timer, on_timer);
	l->later.run = on_later;
	l->full = full;
	l->give_up_ms = connect_timeout_ms > 0
				? worker_now(w) + connect_timeout_ms
				: UINT64_MAX;
	connecting_timer_set(l);
	backend_link(b);
	gauge_up(&b->counts->connections_open);
	if (b->secure != NULL) {
		l->secure = secure_ref(b->secure);
		if (secure_begin(l->secure, &l->conn) < 0) {
			link_close(l);
			errno = EPROTO;
			return NULL;
		}
	}
	return l;
}

struct link *
link_reuse(struct backend *b, struct exchange *x)
{
	struct link *l = b->idle;

	if (l == NULL || link_is_barred(b, x))
		return NULL;
	pool_remove(l);
	wheel_timer_clear(&l->timer);
	l->state = LINK_BUSY;
	l->exchange = x;
	l->requests++;
	b->counts->connections_reused++;
	return l;
}

/* Once; the tickets of TLS 1.3 come when the server likes. */
static void
link_secure_settle(struct link *l)
{
	l->settled = l->settled || secure_settle(l->secure, &l->conn);
}

/* TLS is spoken as it is to be by now. Plain connections to plain endpoints pay
 * for one test. */
static bool
link_is_as_wanted(struct link *l)
{
	const struct secure *wanted = l->backend->secure;

	if (((uintptr_t)l->secure | (uintptr_t)wanted) == 0)
		return true;
	if (l->secure != wanted)
		return false;
	link_secure_settle(l);
	return true;
}

void
link_rest(struct link *l)
{
	struct backend *b = l->backend;
	struct worker *w = l->worker;

	l->exchange = NULL;
	if (b->upstream == NULL || b->idle_count >= BACKEND_IDLE_MAX ||
		!link_is_as_wanted(l)) {
		link_close(l);
		return;
	}
	l->state = LINK_IDLE;
	l->next = b->idle;
	l->at = &b->idle;
	if (l->next != NULL)
		l->next->at = &l->next;
	b->idle = l;
	b->idle_count++;
	gauge_up(&b->counts->idle_open);
	b->upstream->idle_count++;
	upstream_wake(b->upstream);
	if (w->settings.upstream_idle_ms > 0)
		wheel_timer_set(w->wheel, &l->timer,
			worker_now(w) + w->settings.upstream_idle_ms);
}

static void
link_secure_end(struct link *l)
{
	if (l->state != LINK_CONNECTING)
		link_secure_settle(l);
	secure_unref(l->secure);
	l->secure = NULL;
}

void
link_close(struct link *l)
{
	struct worker *w;
	struct backend *b;

	if (l == NULL || l->state == LINK_CLOSED)
		return;
	w = l->worker;
	b = l->backend;
	if (l->state == LINK_IDLE)
		pool_remove(l);
	gauge_down(&b->counts->connections_open);
	if (l->secure != NULL)
		link_secure_end(l);
	l->state = LINK_CLOSED;
	l->exchange = NULL;
	l->backend = NULL;
	wheel_timer_remove(w->wheel, &l->timer);
	worker_later_remove(w, &l->later);
	conn_fini(&l->conn);
	l->next = w->ended_links;
	w->ended_links = l;
	/* Of an endpoint that left the set, too. */
	upstream_wake(registry_get(w->registry, b->id));
	backend_unlink(b);
}

/* What is read of an answer before its head is known is copied; of a large one
 * that shall not be much. */
static size_t
receive_size(const struct exchange *x)
{
	return x->head_sent || x->call != NULL ? worker_receive_size(&x->body)
					       : FIRST_BYTES;
}

/* n bytes came. Of a head that was sent by itself they say nothing. */
static void
trickle_note(struct link *l, size_t n)
{
	if (n > 0)
		l->trickles = l->exchange->head_sent && n < SPLICE_LEAST;
}

/* After a turn that brought n bytes. */
static bool
link_is_over(const struct link *l, size_t n)
{
	return l->conn.ended || (l->conn.failed && n == 0 && !l->conn.readable);
}

static void
spliced_turn(struct link *l)
{
	struct exchange *x = l->exchange;
	size_t n = answer_splice(x);

	if (l->state != LINK_BUSY || l->exchange != x)
		return;
	trickle_note(l, n);
	if (link_is_over(l, n))
		answer_ended(x);
	else
		l->again = l->conn.readable;
}

/* One read and what it brings. */
static void
link_turn(struct link *l)
{
	struct worker *w = l->worker;
	struct exchange *x = l->exchange;
	char *bytes = w->link_in;
	size_t have, used, n = 0;

	if (l->conn.readable && !l->trickles && answer_may_splice(x)) {
		spliced_turn(l);
		return;
	}
	have = conn_take(&l->conn, bytes);
	if (l->conn.readable && answer_is_wanted(x)) {
		conn_receive(&l->conn, bytes + have, receive_size(x), &n);
		trickle_note(l, n);
		have += n;
		if (l->conn.readable)
			l->again = true;
	}
	used = have > 0 ? answer_take(x, bytes, have) : 0;
	if (l->state != LINK_BUSY || l->exchange != x)
		return;
	conn_keep(&l->conn, bytes + used, have - used);
	if (link_is_over(l, n)) {
		answer_ended(x);
	} else if (n > 0 && !l->conn.readable) {
		/* libevent tells a reset that came with these bytes only as
		 * "readable", once: an answer that goes on looks again. */
		l->conn.readable = true;
		l->again = true;
	}
}

void
link_pump(struct link *l)
{
	struct exchange *x = l->exchange;
	int turns = WORKER_TURNS;

	if (l->pumping)
		return;
	l->pumping = true;
	do {
		if (turns-- == 0) {
			worker_later_add(l->worker, &l->later);
			break;
		}
		l->again = false;
		link_turn(l);
	} while (l->again && l->state == LINK_BUSY && l->exchange == x &&
		 answer_is_wanted(x));
	l->pumping = false;
}

void
link_send_failed(struct link *l)
{
	conn_forget_queued(&l->conn);
	l->conn.readable = true;
	if (l->pumping)
		worker_later_add(l->worker, &l->later);
	else
		link_pump(l);
}

static void
on_later(struct worker_later *later)
{
	struct link *l = (struct link *)(void *)((char *)later -
						 offsetof(struct link, later));

	if (l->state == LINK_BUSY)
		link_pump(l);
}
