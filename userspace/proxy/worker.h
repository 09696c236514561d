/*
 * One worker thread: a loop, its listening sockets, client connections, pools,
 * timers and counters. Workers share nothing on the path of a request; what
 * is said to them comes by mail. Private to proxy/.
 *
 * Objects that a callback further up the stack may still hold (sessions,
 * links, exchanges, relays) are not freed where they end but put on a list, which is
 * emptied when the callback that the loop made is over: worker_leave.
 */
#ifndef PROXY_WORKER_H
#define PROXY_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "filter/filter.h"
#include "http/body.h"
#include "http/head.h"
#include "model/counters.h"
#include "model/wire.h"
#include "proxy/gather.h"
#include "proxy/mailbox.h"

#define WORKER_HIGH                                                            \
	(64u << 10) /* queued bytes: stop reading the other side               \
		     */
#define WORKER_LOW     (16u << 10) /* go on */
#define WORKER_RECEIVE (64u << 10)
#define WORKER_STREAM  (256u << 10) /* received at once of a large body */
#define WORKER_KEEP    (128u << 10) /* unread input that may wait */
#define WORKER_SCRATCH (WORKER_STREAM + 2 * WORKER_KEEP)
#define WORKER_TURNS   8 /* reads in a row, then others have their turn */
#define WORKER_HEAD    (192u << 10) /* of a head that is written */

struct access;
struct acceptor;
struct blocked;
struct census;
struct conn_pool;
struct exchange;
struct generation;
struct limit_table;
struct link;
struct loop;
struct loop_timer;
struct streaks;
struct registry;
struct relay;
struct session;
struct upstream_kind;
struct wheel;

/* Work that is put off so that others have their turn; inside a session or a
 * link. */
struct worker_later {
	struct worker_later *next, **at; /* at NULL: nothing is put off */
	void (*run)(struct worker_later *later);
};

struct worker {
	uint32_t index;
	struct loop *loop;
	struct wheel *wheel;
	struct conn_pool *pool;
	struct mailbox *inbox, *outbox;   /* outbox: the main thread's */
	struct counters_worker *counters; /* its own */
	const struct counters_worker *all_counters; /* of `workers` workers */
	uint32_t workers;
	struct census *census; /* of all workers */
	struct limit_table *rates; /* the same; NULL: nothing is limited */
	struct blocked *blocked;
	struct access *access;
	const struct upstream_kind *const *kinds;
	struct registry *registry;
	struct streaks *streaks;
	struct generation *generation; /* NULL before the first */
	uint32_t older_generations;    /* that it still has requests of */
	struct wire_settings settings;
	struct http_limits limits;
	uint64_t random;
	size_t call_bytes; /* of its calls, in memory */

	struct acceptor *acceptors;
	struct session *sessions;
	struct relay *relays;
	uint32_t session_count; /* sessions and relays */
	bool draining, drained;
	/* By slot: nobody listens there any more, its connections end with
	 * their next answer. */
	bool left[SLOTS_MAX];
	struct loop_timer *deadline; /* of draining */

	struct worker_later *later, **later_last;
	struct loop_timer *later_timer;

	/* spare objects, and those that ended during this callback */
	struct session *spare_sessions, *ended_sessions;
	struct link *spare_links, *ended_links;
	struct exchange *spare_exchanges, *ended_exchanges;
	struct relay *spare_relays, *ended_relays;
	uint32_t spare_session_count, spare_link_count, spare_exchange_count;
	uint32_t spare_relay_count;

	/* scratch: what is in it is used up before the callback ends */
	struct router_scratch *router_scratch;
	struct filter_request filter;
	struct http_head request, answer;
	struct str texts, text;
	struct gather up, down;     /* to the upstream, to the client */
	char *session_in, *link_in; /* WORKER_SCRATCH */
	char *head_up, *head_down;  /* WORKER_HEAD */
	char *path, *host;          /* WORKER_SCRATCH */
};

/* One of `workers`; counters: of them all, for as long as it lives; kinds: the
 * table of main. */
struct worker *worker_new(uint32_t index, uint32_t workers,
	struct mailbox *outbox, const struct wire_settings *settings,
	struct counters_worker *counters, struct census *census,
	const struct upstream_kind *const *kinds);
void worker_free(struct worker *w);
void worker_run(struct worker *w); /* on its own thread; until drained */
struct mailbox *worker_inbox(struct worker *w);
/* How much to receive at once of what may be that body. */
size_t worker_receive_size(const struct http_body *body);
/* At the end of every callback that came from the loop. */
void worker_leave(struct worker *w);
void worker_later_add(struct worker *w, struct worker_later *later);
void worker_later_remove(struct worker *w, struct worker_later *later);
/* The worker has a session or a relay less. */
void worker_session_gone(struct worker *w);
/* An exchange lets go of its generation. */
void worker_generation_put(struct worker *w, struct generation *g);
uint64_t worker_random(struct worker *w);
uint64_t worker_now(struct worker *w);

#endif
