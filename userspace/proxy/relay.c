/* A TCP connection relayed to an endpoint. */
#include "proxy/relay.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"
#include "net/connect.h"
#include "net/loop.h"
#include "proxy/access.h"
#include "proxy/breaker.h"
#include "proxy/census.h"
#include "proxy/generation.h"
#include "proxy/streak.h"
#include "proxy/upstream.h"
#include "routing/router.h"

/* ---- end */

static struct slice
text_or_empty(const char *text)
{
	return slice_of(text != NULL ? text : "");
}

static void
relay_log(const struct relay *r, const char *reason)
{
	const struct access_connection line = {
		.client = &r->peer,
		.service = text_or_empty(r->service_name),
		.upstream = text_or_empty(r->upstream_name),
		.endpoint = r->used.port_be != 0 ? &r->used : NULL,
		.bytes_received = r->client.bytes,
		.bytes_sent = r->upstream.bytes,
		.duration_ms = worker_now(r->worker) - r->began_ms,
		.reason = reason,
	};

	if (r->service_name != NULL)
		access_write_connection(r->worker->access, &line);
}

/* The connection to the endpoint, or the attempt at one, is over. */
static void
upstream_drop(struct relay *r, bool cut)
{
	struct backend *b = r->backend;

	if (b == NULL)
		return;
	r->backend = NULL;
	if (cut)
		conn_reset(&r->upstream.conn);
	else
		conn_fini(&r->upstream.conn);
	gauge_down(&r->upstream_counts->connections_open);
	backend_release(b);
	backend_unlink(b);
	/* Who waits for a connection to the same upstream may have one. */
	upstream_wake(registry_get(r->worker->registry, r->upstream_id));
}

static void
generation_drop(struct relay *r)
{
	if (r->generation != NULL)
		worker_generation_put(r->worker, r->generation);
	r->generation = NULL;
	r->service = NULL;
}

/* cut: so that both sides see that it did not end by itself. */
static void
relay_end(struct relay *r, bool cut, const char *reason)
{
	struct worker *w = r->worker;

	if (r->state == RELAY_CLOSED)
		return;
	r->state = RELAY_CLOSED;
	relay_log(r, reason);
	wheel_timer_remove(w->wheel, &r->timer);
	worker_later_remove(w, &r->later);
	upstream_drop(r, cut);
	if (cut)
		conn_reset(&r->client.conn);
	else
		conn_fini(&r->client.conn);
	generation_drop(r);
	free(r->service_name);
	free(r->upstream_name);
	*r->at = r->next;
	if (r->next != NULL)
		r->next->at = r->at;
	r->next = w->ended_relays;
	w->ended_relays = r;
	r->counts->connections_closed++;
	r->counts->connections_open--;
	census_leave(w->census, r->place);
	worker_session_gone(w);
}

void
relay_kill(struct relay *r)
{
	relay_end(r, true, "draining");
}

/* ---- bytes */

static void
timer_set(struct relay *r, uint32_t ms)
{
	wheel_timer_set(
		r->worker->wheel, &r->timer, worker_now(r->worker) + ms);
}

static bool
side_is_wanted(const struct relay_side *from, const struct relay_side *to)
{
	return from->conn.readable && !from->conn.ended &&
	       conn_queued(&to->conn) == 0;
}

/* That side is no more. */
static void
relay_cut(struct relay *r, const struct relay_side *side)
{
	bool is_client = side == &r->client;

	if (!is_client)
		r->upstream_counts->reset++;
	relay_end(r, true, is_client ? "client_reset" : "upstream_reset");
}

/* One read of one side, on to the other. */
static void
side_turn(struct relay *r, struct relay_side *from, struct relay_side *to)
{
	struct iovec iov = { .iov_base = r->worker->session_in };
	size_t n;

	switch (conn_receive(&from->conn, iov.iov_base, WORKER_RECEIVE, &n)) {
	case CONN_GOT_DATA:
		/* libevent tells a reset that came with these bytes only as
		 * "readable", once: so it is looked again. */
		from->conn.readable = true;
		from->bytes += n;
		iov.iov_len = n;
		if (conn_send(&to->conn, &iov, 1) < 0)
			relay_cut(r, to);
		break;
	case CONN_GOT_ERROR:
		relay_cut(r, from);
		break;
	case CONN_GOT_END:
		/* A reset that came right behind the end is not read either. */
		if (conn_problem(&from->conn) != 0)
			relay_cut(r, from);
		break;
	case CONN_GOT_NOTHING:
		break;
	}
}

/* What has ended is passed on once all before it is. */
static void
side_pass_end(const struct relay_side *from, struct relay_side *to)
{
	if (!from->conn.ended || to->shut || conn_queued(&to->conn) > 0)
		return;
	to->shut = true;
	conn_shut(&to->conn);
}

static void
relay_pump(struct relay *r)
{
	struct relay_side *c = &r->client, *u = &r->upstream;
	int turns = WORKER_TURNS;

	while (side_is_wanted(c, u) || side_is_wanted(u, c)) {
		if (turns-- == 0) {
			worker_later_add(r->worker, &r->later);
			break;
		}
		if (side_is_wanted(c, u))
			side_turn(r, c, u);
		if (r->state == RELAY_OPEN && side_is_wanted(u, c))
			side_turn(r, u, c);
		if (r->state != RELAY_OPEN)
			return;
	}
	side_pass_end(c, u);
	side_pass_end(u, c);
	if (c->shut && u->shut)
		relay_end(r, false, NULL);
	else
		timer_set(r, r->idle_ms);
}

static void
on_later(struct worker_later *later)
{
	struct relay *r = (struct relay *)(void *)((char *)later -
						   offsetof(struct relay,
							   later));

	if (r->state == RELAY_OPEN)
		relay_pump(r);
}

/* ---- the endpoint */

static void on_event(struct conn *c, unsigned what);

static const struct image_upstream *
upstream_of(const struct relay *r)
{
	return image_upstream_get(
		r->generation->image, r->service->upstream);
}

/* By its source where the upstream balances by hash. */
static struct backend *
endpoint_choose(struct relay *r, const struct image_upstream *u)
{
	struct upstream *known = registry_get(r->worker->registry, u->id);
	uint64_t hash = hash_bytes(r->peer.ip, sizeof(r->peer.ip), 0);

	if (known == NULL)
		return NULL;
	return upstream_choose(known, &u->balance, 0, &hash,
		r->used.port_be != 0 ? &r->used : NULL);
}

static void
connecting_timer_set(struct relay *r)
{
	uint64_t at = r->give_up_ms,
		 again = worker_now(r->worker) + CONNECT_AGAIN_MS;

	wheel_timer_set(r->worker->wheel, &r->timer,
		r->full && again < at ? again : at);
}

/* 0: it is being made; else an errno. */
static int
connection_begin(struct relay *r, const struct image_upstream *u,
	struct backend *b)
{
	struct worker *w = r->worker;
	struct conn *c = &r->upstream.conn;
	int fd = connect_start(&b->addr, b->host, &r->full);

	if (fd < 0)
		return errno;
	r->backend = b;
	backend_link(b);
	backend_use(b);
	conn_init(c, w->pool, fd, true, on_event);
	c->received = &r->upstream_counts->bytes_received;
	c->sent = &r->upstream_counts->bytes_sent;
	gauge_up(&r->upstream_counts->connections_open);
	r->give_up_ms = worker_now(w) + u->connect_timeout_ms;
	connecting_timer_set(r);
	return 0;
}

static void
failure_note(struct relay *r, const struct image_upstream *u,
	struct backend *b, int problem)
{
	if (problem == ETIMEDOUT)
		r->upstream_counts->connect_timeout++;
	else
		r->upstream_counts->connect_failed++;
	streak_note(r->worker->streaks, b, u, STREAK_GATEWAY_ERROR);
}

/* Tries one endpoint after the other until a connection is being made. */
static void
relay_connect(struct relay *r, const char *reason)
{
	const struct image_upstream *u = upstream_of(r);
	struct counters_upstream *counts = r->upstream_counts;

	while (r->attempts > 0) {
		struct backend *b;
		int problem;

		if (counts->connections_open > 0 &&
			!BREAKER_ALLOWS(r->worker, u->id, connections_open,
				u->breakers.connections)) {
			counts->connections_overflow++;
			relay_end(r, true, "upstream_overflow");
			return;
		}
		b = endpoint_choose(r, u);
		if (b == NULL) {
			counts->no_endpoint++;
			relay_end(r, true, "no_endpoint");
			return;
		}
		r->attempts--;
		r->used = b->addr;
		problem = connection_begin(r, u, b);
		if (problem == 0)
			return;
		failure_note(r, u, b, problem);
		reason = "connect_failed";
	}
	relay_end(r, true, reason);
}

static void
relay_connect_failed(struct relay *r, int problem)
{
	failure_note(r, upstream_of(r), r->backend, problem);
	upstream_drop(r, true);
	relay_connect(r, problem == ETIMEDOUT ? "connect_timeout"
					      : "connect_failed");
}

static void
on_connected(struct relay *r)
{
	streak_note(
		r->worker->streaks, r->backend, upstream_of(r), STREAK_GOOD);
	r->upstream_counts->connections_opened++;
	r->state = RELAY_OPEN;
	generation_drop(r);
	relay_pump(r);
}

static void
full_again(struct relay *r)
{
	struct conn *c = &r->upstream.conn;

	if (connect_again(c->fd, r->backend->host) == 0) {
		r->full = false;
		/* What a socket without a peer said. */
		c->readable = c->closed = false;
		conn_connected(c);
		on_connected(r);
	} else if (errno == EAGAIN) {
		connecting_timer_set(r);
	} else {
		relay_connect_failed(r, errno);
	}
}

/* ---- events */

/* Of a side that is held back, or has ended, a cut is not read. */
static bool
side_is_cut(const struct relay *r, const struct relay_side *side, unsigned what)
{
	const struct relay_side *other =
		side == &r->client ? &r->upstream : &r->client;

	if (side->conn.failed && !side->shut)
		return true;
	return what & (LOOP_READ | LOOP_CLOSED) &&
	       !side_is_wanted(side, other) && conn_problem(&side->conn) != 0;
}

static void
on_event(struct conn *c, unsigned what)
{
	struct relay_side *side = (struct relay_side *)c;
	struct relay *r = side->relay;
	struct worker *w = r->worker;
	int problem;

	switch ((enum relay_state)r->state) {
	case RELAY_CONNECTING:
		/* What the client sends waits in its socket. */
		if (side == &r->client || !(what & LOOP_WRITE) || r->full)
			break;
		problem = conn_connected(c);
		if (problem == 0)
			on_connected(r);
		else
			relay_connect_failed(r, problem);
		break;
	case RELAY_OPEN:
		if (side_is_cut(r, side, what))
			relay_cut(r, side);
		else
			relay_pump(r);
		break;
	case RELAY_CLOSED:
		break;
	}
	worker_leave(w);
}

static void
on_timer(struct wheel_timer *t)
{
	struct relay *r = (struct relay *)(void *)((char *)t -
						   offsetof(struct relay,
							   timer));
	struct worker *w = r->worker;

	if (r->state == RELAY_CONNECTING && r->full &&
		worker_now(w) < r->give_up_ms) {
		full_again(r);
	} else if (r->state == RELAY_CONNECTING) {
		relay_connect_failed(r, ETIMEDOUT);
	} else if (r->state == RELAY_OPEN) {
		r->counts->idle_closed++;
		relay_end(r, false, "idle_timeout");
	}
	worker_leave(w);
}

/* ---- birth */

static struct relay *
relay_alloc(struct worker *w)
{
	struct relay *r = w->spare_relays;

	if (r == NULL)
		return xcalloc(1, sizeof(*r));
	w->spare_relays = r->next;
	w->spare_relay_count--;
	memset(r, 0, sizeof(*r));
	return r;
}

static void
client_init(struct relay *r, int fd)
{
	struct conn *c = &r->client.conn;

	r->client.relay = r->upstream.relay = r;
	conn_init(c, r->worker->pool, fd, false, on_event);
	c->received = &r->counts->bytes_received;
	c->sent = &r->counts->bytes_sent;
	r->upstream.conn.fd = -1;
}

static char *
name_copy(const struct image *image, struct image_str name)
{
	struct slice text = image_text(image, name);

	return xstrndup(text.data, text.length);
}

/* What it serves, as the generation has it now. */
static void
service_take(struct relay *r, struct generation *g)
{
	struct worker *w = r->worker;
	const struct image_service *s =
		g == NULL ? NULL : image_service_get(g->image, r->slot);
	const struct image_upstream *u =
		s == NULL ? NULL : image_upstream_get(g->image, s->upstream);

	if (s == NULL)
		return;
	if (access_is_on(w->access))
		r->service_name = name_copy(g->image, s->name);
	/* What makes it unavailable to requests need not concern bytes: the
	 * service itself says whether there is one. */
	if (u == NULL)
		return;
	if (access_is_on(w->access))
		r->upstream_name = name_copy(g->image, u->name);
	r->service = s;
	r->generation = g;
	g->use[w->index].count++;
	r->idle_ms = s->idle_timeout_ms;
	r->attempts = s->connect_attempts;
	r->upstream_id = u->id;
	r->upstream_counts = &w->counters->upstream[u->id];
}

void
relay_open(struct worker *w, int fd, const struct addr *peer, uint32_t slot,
	uint32_t place)
{
	struct relay *r = relay_alloc(w);

	r->worker = w;
	r->peer = *peer;
	r->slot = slot;
	r->place = place;
	r->counts = &w->counters->listener[slot];
	r->began_ms = worker_now(w);
	client_init(r, fd);
	wheel_timer_init(&r->timer, on_timer);
	r->later.run = on_later;
	r->next = w->relays;
	r->at = &w->relays;
	if (r->next != NULL)
		r->next->at = &r->next;
	w->relays = r;
	w->session_count++;
	r->counts->connections_accepted++;
	r->counts->connections_open++;
	service_take(r, w->generation);
	if (r->service == NULL)
		relay_end(r, true, "service_unavailable");
	else
		relay_connect(r, "connect_failed");
}
