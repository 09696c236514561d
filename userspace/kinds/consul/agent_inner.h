/* What the files of agent.h share. */
#ifndef KINDS_CONSUL_AGENT_INNER_H
#define KINDS_CONSUL_AGENT_INNER_H

#include <sys/queue.h>

#include "kinds/consul/address.h"
#include "kinds/consul/agent.h"
#include "kinds/consul/pass.h"
#include "kinds/consul/trouble.h"
#include "net/http_client.h"
#include "net/loop.h"

#define CONSUL_CONNECT_MS 5000

/* A query is always in one of three states; in the last two it is in a list
 * of its agent. */
enum consul_query_state {
	QUERY_RESTING, /* until its timer: pace, or a pause after a failure */
	QUERY_WAITING, /* for its turn */
	QUERY_ASKING,
};

TAILQ_HEAD(consul_queries, consul_query);

struct consul_query {
	struct consul_agent *agent;
	char *path, *datacenter;
	uint8_t consistency;
	bool use_cache;
	struct consul_events events;
	void *arg;

	enum consul_query_state state;
	struct consul_queries *list;    /* of link; NULL: resting */
	TAILQ_ENTRY(consul_query) link; /* eager, waiting or asking */
	TAILQ_ENTRY(consul_query) link_all;
	struct loop_timer *timer; /* resting */
	uint64_t rested_ms;       /* when that is over */
	bool telling, gone;

	/* Under way. */
	struct http_call *call;
	uint64_t asked_ms, wait_ms; /* wait_ms 0: it is answered at once */
	uint64_t asked_epoch;
	uint32_t asked_with; /* so many under way, with it */
	bool asked_stale, asked_plainly;

	/* What is known. */
	uint64_t index;       /* 0: none */
	uint64_t epoch;       /* of the agent, that the index is of */
	uint64_t answered_ms; /* when it was heard of */
	unsigned no_index;    /* answers in a row that had none */
	bool has_content;
	uint64_t content, content_length; /* hash of the last that was taken */
	bool filtered;                    /* of it */
	uint64_t fresh_until_ms;          /* no stale answers until then; 0 */
	/* The next is neither streamed nor cached: without an index. */
	bool plainly;

	/* Pace: so many ms of it are unspent. */
	uint64_t credit_ms, credited_ms;

	/* Failure. */
	enum consul_trouble trouble; /* CONSUL_FINE: the last went well */
	char *why;                   /* as it was told; NULL: not told */
	uint64_t since_ms;           /* realtime */
	unsigned failures;           /* in a row */
	unsigned woken; /* times that its pause was cut short, in a row */
	uint64_t wake_after_ms;
};

struct consul_agent {
	struct loop *loop;
	struct http_client *http;
	struct consul_address address;
	struct consul_pass *pass;
	char *name; /* in messages */
	bool has_token_file;
	uint64_t wait_ms;
	uint32_t connections_max;

	struct consul_queries all;
	/* For a turn: first those who know no index, since they are answered at
	 * once. */
	struct consul_queries eager, waiting;
	struct consul_queries asking; /* the oldest first */
	uint32_t query_count, waiting_count, asking_count;
	uint32_t connections;    /* as many as it takes; <= connections_max */
	uint64_t connections_ms; /* when that changed */
	/* Counts ends of connections: after one, what was known of an index may
	 * be of a former life of the agent. */
	uint64_t epoch;
	uint64_t seed; /* of hashes */
	struct loop_timer *pump;
	struct loop_timer *look; /* recovery.c */
	struct http_call *probe; /* the same; or NULL */
	unsigned depth;          /* of what must not be freed under */
	bool freed;
	struct consul_agent_counts counts;
};

/* ---- agent.c: connections and whose turn it is */

/* Around whatever calls back; true: the agent is no more. */
void agent_enter(struct consul_agent *a);
bool agent_leave(struct consul_agent *a);
/* Somebody waits, or a connection is free. */
void agent_pump(struct consul_agent *a);
/* How long a question may wait at the agent for news. */
uint64_t agent_turn_ms(const struct consul_agent *a);
/* GET of that path and query. done frees nothing. -1 and err: it cannot be
 * asked. */
int agent_call(struct consul_agent *a, const char *path_and_query,
	const char *header, uint64_t timeout_ms,
	const struct http_events *events, void *arg, struct http_call **out,
	struct error *err);
/* A question was refused that was one of so many. */
void agent_limited(struct consul_agent *a, uint32_t asked_with);

/* ---- recovery.c: who waits after a failure is told when it is over */

void agent_recovery_watch(struct consul_agent *a);
void agent_recovery_stop(struct consul_agent *a);
/* The token is another one. */
void agent_token_changed(struct consul_agent *a);

/* ---- query.c */

/* It has its turn. */
void query_ask(struct consul_query *q);
/* Its connection is for others now. */
void query_give_way(struct consul_query *q);
/* It asks again after delay_ms, or as soon as its pace allows. */
void query_rest(struct consul_query *q, uint64_t delay_ms);
void query_index_reset(struct consul_query *q);
/* call: of which the headers are looked at, or NULL. It tells, so the query may
 * be no more afterwards. */
void query_fail(struct consul_query *q, enum consul_trouble trouble,
	const struct http_call *call, struct consul_complaint *complaint);
void query_tell_failed(struct consul_query *q); /* likewise */
/* After something was told, with telling set; true: the query is no more. */
bool query_leave(struct consul_query *q);
/* Its pause ends after delay_ms, if not before. */
void query_wake(struct consul_query *q, uint64_t delay_ms);
/* What it knows may be another's answer: without an index, and if it is under
 * way, again after delay_ms. */
void query_begin_anew(struct consul_query *q, uint64_t delay_ms);

/* ---- answer.c */

/* It tells; the query may be no more afterwards. */
void query_answered(struct consul_query *q, const struct http_call *call,
	const struct http_result *result);

static inline bool
query_is_failing(const struct consul_query *q)
{
	return q->trouble != CONSUL_FINE;
}

#endif
