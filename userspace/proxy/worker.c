/* One worker thread. */
#include "proxy/worker.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/conn.h"
#include "net/loop.h"
#include "net/wheel.h"
#include "proxy/access.h"
#include "proxy/blocked.h"
#include "proxy/call_credentials.h"
#include "proxy/census.h"
#include "proxy/exchange.h"
#include "proxy/generation.h"
#include "proxy/link.h"
#include "proxy/relay.h"
#include "proxy/streak.h"
#include "proxy/session.h"
#include "proxy/upstream.h"
#include "routing/balance.h"
#include "routing/router.h"

#define ACCEPTS_ONCE    16
#define ACCEPTS_CALM    32 /* wakes for which one that asked in vain asks less */
#define ACCEPTS_LAST    4096
#define ACCEPT_PAUSE_MS 100
#define SPARES_MAX      1024 /* of a sort */

struct acceptor { /* one listening socket */
	struct worker *worker;
	struct acceptor *next;
	struct loop_fd *watch;
	struct loop_timer *pause;
	uint32_t slot;
	int fd;
	int batch; /* accepted at the next wake */
	int calm;  /* wakes until it may grow */
};

uint64_t
worker_random(struct worker *w)
{
	return balance_random(&w->random);
}

uint64_t
worker_now(struct worker *w)
{
	return loop_now_ms(w->loop);
}

struct mailbox *
worker_inbox(struct worker *w)
{
	return w->inbox;
}

static void
mail_send(struct worker *w, enum mail_type type, void *object)
{
	const struct mail mail = {
		.type = type, .number = w->index, .object = object
	};

	mailbox_send(w->outbox, &mail);
}

/* ---- what has ended */

/* The lists of one sort; give_back frees what is too much to keep. */
#define RELEASE_ALL(w, sort, give_back)                                        \
	while ((w)->ended_##sort##s != NULL) {                                 \
		struct sort *object = (w)->ended_##sort##s;                    \
                                                                               \
		(w)->ended_##sort##s = object->next;                           \
		if ((w)->spare_##sort##_count == SPARES_MAX) {                 \
			give_back(object);                                     \
			continue;                                              \
		}                                                              \
		object->next = (w)->spare_##sort##s;                           \
		(w)->spare_##sort##s = object;                                 \
		(w)->spare_##sort##_count++;                                   \
	}

void
worker_leave(struct worker *w)
{
	RELEASE_ALL(w, session, free)
	RELEASE_ALL(w, link, free)
	RELEASE_ALL(w, exchange, exchange_free)
	RELEASE_ALL(w, relay, free)
	if (w->draining && w->session_count == 0 && !w->drained) {
		w->drained = true;
		loop_stop(w->loop);
	}
}

void
worker_later_add(struct worker *w, struct worker_later *later)
{
	if (later->at != NULL)
		return;
	if (w->later == NULL) {
		w->later_last = &w->later;
		loop_timer_start(w->later_timer, 0);
	}
	later->next = NULL;
	later->at = w->later_last;
	*w->later_last = later;
	w->later_last = &later->next;
}

void
worker_later_remove(struct worker *w, struct worker_later *later)
{
	if (later->at == NULL)
		return;
	*later->at = later->next;
	if (later->next != NULL)
		later->next->at = later->at;
	else if (w->later_last == &later->next)
		w->later_last = later->at;
	later->at = NULL;
}

static void
on_later(void *arg)
{
	struct worker *w = arg;
	struct worker_later *due = w->later;

	/* What is put off now waits for the next time; what ends meanwhile is
	 * taken out of either list. */
	w->later = NULL;
	w->later_last = &w->later;
	if (due != NULL)
		due->at = &due;
	while (due != NULL) {
		struct worker_later *later = due;

		due = later->next;
		if (due != NULL)
			due->at = &due;
		later->at = NULL;
		later->run(later);
	}
	worker_leave(w);
}

/* Fewer and larger turns: of an answer of 1 MB 256 KiB at a time cost a third
 * less than 64. For a short message the buffer stays small, and in the cache. */
size_t
worker_receive_size(const struct http_body *body)
{
	bool large = body->total >= WORKER_RECEIVE ||
		     (body->framing == HTTP_BODY_LENGTH &&
			     body->left > WORKER_RECEIVE);

	return large ? WORKER_STREAM : WORKER_RECEIVE;
}

void
worker_session_gone(struct worker *w)
{
	w->session_count--;
}

void
worker_generation_put(struct worker *w, struct generation *g)
{
	if (--g->use[w->index].count > 0 || g == w->generation)
		return;
	w->older_generations--;
	/* Before it is told: what nobody has any more is forgotten then. */
	if (w->older_generations == 0)
		registry_secure(w->registry, w->generation, false);
	if (atomic_fetch_sub(&g->holders, 1) == 1)
		mail_send(w, MAIL_RELEASED, g);
}

/* ---- accepting */

/* A service is served once a generation says what it is; who comes before
 * that waits in the queue. */
static bool
acceptor_is_known(const struct acceptor *a)
{
	const struct generation *g = a->worker->generation;

	return a->slot < LISTENERS_MAX ||
	       (g != NULL && image_service_get(g->image, a->slot) != NULL);
}

static void
acceptor_listen(struct acceptor *a)
{
	if (!loop_timer_pending(a->pause))
		loop_fd_change(
			a->watch, acceptor_is_known(a) ? LOOP_READ : 0);
}

static void
acceptor_pause(struct acceptor *a)
{
	loop_fd_change(a->watch, 0);
	loop_timer_start(a->pause, ACCEPT_PAUSE_MS);
}

static void
on_pause_over(void *arg)
{
	acceptor_listen(arg);
}

/* Behind such an address there are many clients. */
static bool
source_is_unlimited(const struct worker *w, const struct addr *peer)
{
	return addr_is_loopback(peer) ||
	       (w->generation != NULL &&
		       generation_trusts(w->generation, peer->ip));
}

static enum census_verdict
peer_enter(struct worker *w, const struct addr *peer, uint32_t *place)
{
	const struct wire_settings *s = &w->settings;
	enum census_verdict verdict = census_enter(w->census, peer->ip,
		s->connections_max, s->connections_per_source, place);

	if (verdict == CENSUS_SOURCE_FULL && source_is_unlimited(w, peer))
		verdict = census_enter(
			w->census, peer->ip, s->connections_max, 0, place);
	return verdict;
}

/* A reset leaves nothing behind, in the kernel neither. */
static void
refuse(struct counters_listener *c, int fd)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	c->connections_accepted++;
	c->connections_closed++;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static void
accepted(struct acceptor *a, int fd, const struct sockaddr_storage *ss)
{
	struct worker *w = a->worker;
	struct counters_listener *c = &w->counters->listener[a->slot];
	struct addr peer;
	uint32_t place;

	addr_from_sockaddr(&peer, (const struct sockaddr *)ss);
	if (blocked_has(w->blocked, a->slot, peer.ip, worker_now(w))) {
		c->blocked_source++;
		refuse(c, fd);
		return;
	}
	switch (peer_enter(w, &peer, &place)) {
	case CENSUS_IN:
		if (a->slot < LISTENERS_MAX)
			session_open(w, fd, &peer, a->slot, place);
		else
			relay_open(w, fd, &peer, a->slot, place);
		break;
	case CENSUS_FULL:
		c->limit_connections++;
		refuse(c, fd);
		break;
	case CENSUS_SOURCE_FULL:
		c->limit_connections_source++;
		refuse(c, fd);
		break;
	}
}

/* How many came; fewer than most: nobody waits any more. */
static int
accept_some(struct acceptor *a, int most)
{
	struct worker *w = a->worker;
	int count = 0;

	while (count < most) {
		struct sockaddr_storage ss;
		socklen_t length = sizeof(ss);
		int fd = accept4(a->fd, (struct sockaddr *)&ss, &length,
			SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			accepted(a, fd, &ss);
			count++;
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			break;
		/* Descriptors or memory: the ones that wait keep waiting. */
		w->counters->listener[a->slot].accept_failed++;
		acceptor_pause(a);
		break;
	}
	return count;
}

/* To ask in vain costs as much as to accept, so it asks for as many as came
 * lately; the loop calls again while somebody waits. */
static void
batch_adapt(struct acceptor *a, int came)
{
	if (came < a->batch) {
		a->batch = came > 1 ? came : 1;
		a->calm = ACCEPTS_CALM;
	} else if (a->calm > 0) {
		a->calm--;
	} else if (a->batch < ACCEPTS_ONCE) {
		a->batch *= 2;
	}
}

static void
on_accept(int fd, unsigned what, void *arg)
{
	struct acceptor *a = arg;
	struct worker *w = a->worker;

	(void)fd;
	(void)what;
	batch_adapt(a, accept_some(a, a->batch));
	worker_leave(w);
}

static void
listen_on(struct worker *w, uint32_t slot, int fd)
{
	struct acceptor *a = xcalloc(1, sizeof(*a));
	const int on = 1;

	/* Accepted sockets inherit it. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	a->worker = w;
	a->slot = slot;
	a->fd = fd;
	a->batch = 1;
	a->watch = loop_fd_new(w->loop, fd, 0, on_accept, a);
	a->pause = loop_timer_new(w->loop, on_pause_over, a);
	acceptor_listen(a);
	a->next = w->acceptors;
	w->acceptors = a;
	blocked_forget(w->blocked, slot);
}

static void
acceptor_free(struct acceptor *a)
{
	loop_fd_free(a->watch);
	loop_timer_free(a->pause);
	close(a->fd);
	free(a);
}

/* slot 0: all. Those that wait in the queues are not sent away. */
static void
listen_no_more(struct worker *w, uint32_t slot)
{
	struct acceptor **at = &w->acceptors;

	while (*at != NULL) {
		struct acceptor *a = *at;

		if (slot != 0 && a->slot != slot) {
			at = &a->next;
			continue;
		}
		accept_some(a, ACCEPTS_LAST);
		*at = a->next;
		acceptor_free(a);
	}
}

/* ---- mail */

static void
generation_set(struct worker *w, struct generation *g)
{
	struct generation *old = w->generation;

	w->generation = g;
	if (old != NULL && old->use[w->index].count > 0)
		w->older_generations++;
	registry_secure(w->registry, g, w->older_generations > 0);
	for (struct acceptor *a = w->acceptors; a != NULL; a = a->next)
		acceptor_listen(a);
	__atomic_store_n(&w->counters->generation, g->number, __ATOMIC_RELEASE);
	if (old != NULL && old->use[w->index].count == 0 &&
		atomic_fetch_sub(&old->holders, 1) == 1)
		mail_send(w, MAIL_RELEASED, old);
	mail_send(w, MAIL_ENFORCED, g);
}

static uint32_t
at_most(uint32_t wanted, uint32_t most)
{
	return wanted > 0 && wanted < most ? wanted : most;
}

static void
settings_set(struct worker *w, const struct wire_settings *s)
{
	w->settings = *s;
	w->limits.head_bytes =
		at_most(s->head_bytes > 0 ? s->head_bytes
					  : http_limits_default.head_bytes,
			WORKER_KEEP - 4096);
	w->limits.target_bytes =
		at_most(s->target_bytes > 0 ? s->target_bytes
					    : http_limits_default.target_bytes,
			w->limits.head_bytes);
	w->limits.fields = (uint16_t)at_most(
		s->fields > 0 ? s->fields : http_limits_default.fields,
		HTTP_FIELDS_MAX);
}

static void
sessions_end(struct worker *w)
{
	while (w->sessions != NULL)
		session_kill(w->sessions);
	while (w->relays != NULL)
		relay_kill(w->relays);
}

static void
on_deadline(void *arg)
{
	struct worker *w = arg;

	sessions_end(w);
	worker_leave(w);
}

static void
drain(struct worker *w, uint32_t deadline_ms)
{
	struct session *s, *next;

	if (!w->draining) {
		listen_no_more(w, 0);
		w->draining = true;
		registry_close_idle(w->registry);
		for (s = w->sessions; s != NULL; s = next) {
			next = s->next;
			session_drain(s);
		}
	}
	loop_timer_start(w->deadline, deadline_ms);
}

/* What it has open ends as well. */
static void
block(struct worker *w, uint32_t slot, const struct addr *addr, uint32_t ms)
{
	struct session *s, *next;
	struct addr_prefix source;

	addr_source(addr->ip, &source);
	blocked_add(w->blocked, slot, addr->ip, worker_now(w) + ms,
		worker_now(w));
	for (s = w->sessions; s != NULL; s = next) {
		next = s->next;
		if (s->slot != slot ||
			!addr_prefix_contains(&source, s->peer.ip))
			continue;
		session_kill(s);
		/* What it held may have gone to another, which ended by it. */
		if (next != NULL && next->state == SESSION_CLOSED)
			next = w->sessions;
	}
}

static void
on_mail(const struct mail *mail, void *arg)
{
	struct worker *w = arg;

	switch (mail->type) {
	case MAIL_SETTINGS:
		settings_set(w, &mail->settings);
		break;
	case MAIL_ACCESS_LOG:
		access_set_file(w->access, mail->object);
		access_file_unref(mail->object);
		break;
	case MAIL_GENERATION:
		generation_set(w, mail->object);
		break;
	case MAIL_ENDPOINTS:
		registry_set(w->registry, mail->number, mail->object);
		endpoint_set_unref(mail->object);
		break;
	case MAIL_HEALTH:
		registry_health(w->registry, mail->number, &mail->addr,
			mail->owner, (enum endpoint_health)mail->health);
		break;
	case MAIL_CLOSE_IDLE:
		if (registry_get(w->registry, mail->number) != NULL)
			upstream_close_one_idle(
				registry_get(w->registry, mail->number));
		break;
	case MAIL_FORGET:
		registry_forget(w->registry, mail->number);
		break;
	case MAIL_CREDENTIALS:
		registry_credentials(w->registry, mail->number, mail->object);
		call_credentials_unref(mail->object);
		break;
	case MAIL_LISTEN:
		if (w->draining)
			close(mail->fd);
		else
			listen_on(w, mail->number, mail->fd);
		w->left[mail->number] = false;
		break;
	case MAIL_DEAF:
		listen_no_more(w, mail->number);
		w->left[mail->number] = true;
		break;
	case MAIL_DRAIN:
		drain(w, mail->number);
		break;
	case MAIL_BLOCK:
		block(w, mail->number, &mail->addr, mail->ms);
		break;
	case MAIL_ENFORCED:
	case MAIL_RELEASED:
	case MAIL_DRAINED:
	case MAIL_CROWDED:
	case MAIL_STREAK:
	case MAIL_FAR_BEYOND:
	case MAIL_TLS:
	case MAIL_CREDENTIALS_REFUSED:
		break;
	}
	worker_leave(w);
}

/* ---- birth and end */

static void
random_seed(struct worker *w)
{
	if (getrandom(&w->random, sizeof(w->random), 0) !=
		(ssize_t)sizeof(w->random))
		log_fatal("worker: no random bytes errno=%d", errno);
	w->random |= 1;
}

struct worker *
worker_new(uint32_t index, uint32_t workers, struct mailbox *outbox,
	const struct wire_settings *settings, struct counters_worker *counters,
	struct census *census, const struct upstream_kind *const *kinds)
{
	struct worker *w = xcalloc(1, sizeof(*w));

	w->index = index;
	w->outbox = outbox;
	w->workers = workers;
	w->all_counters = counters;
	w->counters = &counters[index];
	w->census = census;
	w->kinds = kinds;
	w->loop = loop_new();
	w->wheel = wheel_new(w->loop);
	w->pool = conn_pool_new(w->loop);
	w->inbox = mailbox_new(w->loop, on_mail, w);
	w->access = access_new(w->loop, w->wheel,
		&w->counters->listener[0].access_log_dropped);
	w->registry = registry_new(w);
	w->streaks = streaks_new(w);
	w->blocked = blocked_new();
	w->deadline = loop_timer_new(w->loop, on_deadline, w);
	w->later_timer = loop_timer_new(w->loop, on_later, w);
	w->router_scratch =
		router_scratch_new(&counters->listener[0].regex_limited);
	str_init(&w->texts);
	str_init(&w->text);
	w->session_in = xmalloc(WORKER_SCRATCH);
	w->link_in = xmalloc(WORKER_SCRATCH);
	w->path = xmalloc(WORKER_SCRATCH);
	w->host = xmalloc(WORKER_SCRATCH);
	w->head_up = xmalloc(WORKER_HEAD);
	w->head_down = xmalloc(WORKER_HEAD);
	settings_set(w, settings);
	random_seed(w);
	return w;
}

static void
spares_free(struct worker *w)
{
	while (w->spare_sessions != NULL) {
		struct session *s = w->spare_sessions;

		w->spare_sessions = s->next;
		free(s);
	}
	while (w->spare_links != NULL) {
		struct link *l = w->spare_links;

		w->spare_links = l->next;
		free(l);
	}
	while (w->spare_exchanges != NULL) {
		struct exchange *x = w->spare_exchanges;

		w->spare_exchanges = x->next;
		exchange_free(x);
	}
	while (w->spare_relays != NULL) {
		struct relay *r = w->spare_relays;

		w->spare_relays = r->next;
		free(r);
	}
}

void
worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	sessions_end(w);
	while (w->acceptors != NULL) {
		struct acceptor *a = w->acceptors;

		w->acceptors = a->next;
		acceptor_free(a);
	}
	registry_free(w->registry);
	worker_leave(w);
	streaks_free(w->streaks);
	blocked_free(w->blocked);
	spares_free(w);
	access_free(w->access);
	mailbox_free(w->inbox);
	loop_timer_free(w->deadline);
	loop_timer_free(w->later_timer);
	wheel_free(w->wheel);
	conn_pool_free(w->pool);
	loop_free(w->loop);
	router_scratch_free(w->router_scratch);
	str_fini(&w->texts);
	str_fini(&w->text);
	free(w->session_in);
	free(w->link_in);
	free(w->path);
	free(w->host);
	free(w->head_up);
	free(w->head_down);
	free(w);
}

void
worker_run(struct worker *w)
{
	loop_run(w->loop);
	mail_send(w, MAIL_DRAINED, NULL);
}
