/*
 * One question, asked for as long as it lives: a blocking query.
 *
 * What is sure about an index: it is of the server that answered. Whether that
 * is still the one that is asked, the end of a connection puts in doubt (epoch
 * of the agent), and so does a pause in which there was none. With an index
 * from the future a server says nothing until the wait is over. So after a
 * connection has ended it is asked without one, and after a pause the first
 * wait is short: the answer to it tells.
 */
#include "kinds/consul/agent_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/table.h"

#define ANSWER_MS         30000 /* for what is answered at once */
#define WAIT_GRACE_MS     10000 /* beyond what a blocking query may take */
#define CONFIRM_MS        1000 /* wait of the first question after a pause ... */
#define CONFIRM_GAP_MS    50   /* ... of more than this */
#define CACHE_MAX_AGE     "Cache-Control: max-age=10"
#define LIMITED_MAX       3 /* answers 429 in a row that are not told */
#define RETRY_AFTER_MAX_S 60

static uint64_t
now_ms(const struct consul_query *q)
{
	return loop_now_ms(q->agent->loop);
}

/* ---- states */

static void
list_move(struct consul_query *q, struct consul_queries *to)
{
	if (q->list != NULL)
		TAILQ_REMOVE(q->list, q, link);
	q->list = to;
	if (to != NULL)
		TAILQ_INSERT_TAIL(to, q, link);
}

/* to: of its agent; NULL: it rests. */
static void
state_set(struct consul_query *q, enum consul_query_state state,
	struct consul_queries *to)
{
	struct consul_agent *a = q->agent;

	if (q->state == QUERY_RESTING)
		loop_timer_stop(q->timer);
	a->waiting_count -= q->state == QUERY_WAITING;
	a->asking_count -= q->state == QUERY_ASKING;
	/* Its connection is free. */
	if (q->state == QUERY_ASKING)
		agent_pump(a);
	q->state = state;
	a->waiting_count += state == QUERY_WAITING;
	a->asking_count += state == QUERY_ASKING;
	list_move(q, to);
}

static void
credit_fill(struct consul_query *q)
{
	uint64_t most = (uint64_t)CONSUL_PACE_MS * CONSUL_PACE_BURST;
	uint64_t now = now_ms(q);

	q->credit_ms += now - q->credited_ms;
	q->credited_ms = now;
	if (q->credit_ms > most)
		q->credit_ms = most;
}

/* It asks again after delay_ms, or as soon as its pace allows. */
void
query_rest(struct consul_query *q, uint64_t delay_ms)
{
	uint64_t pace_ms;

	credit_fill(q);
	pace_ms = q->credit_ms < CONSUL_PACE_MS ? CONSUL_PACE_MS - q->credit_ms
						: 0;
	if (delay_ms < pace_ms)
		delay_ms = pace_ms;
	state_set(q, QUERY_RESTING, NULL);
	q->rested_ms = now_ms(q) + delay_ms;
	loop_timer_start(q->timer, delay_ms);
}

static void
on_rested(void *arg)
{
	struct consul_query *q = arg;
	struct consul_agent *a = q->agent;

	state_set(q, QUERY_WAITING, q->index == 0 ? &a->eager : &a->waiting);
	agent_pump(a);
}

void
query_give_way(struct consul_query *q)
{
	http_call_cancel(q->call);
	q->call = NULL;
	q->agent->counts.gave_way++;
	query_rest(q, 0);
}

void
query_wake(struct consul_query *q, uint64_t delay_ms)
{
	if (q->state == QUERY_RESTING && now_ms(q) + delay_ms < q->rested_ms)
		query_rest(q, delay_ms);
}

void
query_begin_anew(struct consul_query *q, uint64_t delay_ms)
{
	query_index_reset(q);
	/* One that is just being asked has no call yet, and the new token. */
	if (q->call == NULL)
		return;
	http_call_cancel(q->call);
	q->call = NULL;
	query_rest(q, delay_ms);
}

/* ---- telling; true: the query is no more */

bool
query_leave(struct consul_query *q)
{
	q->telling = false;
	if (!q->gone)
		return false;
	free(q);
	return true;
}

void
query_tell_failed(struct consul_query *q)
{
	/* The callback may free both. */
	char *why = q->why == NULL ? NULL : xstrdup(q->why);

	q->telling = true;
	q->events.failed(why, q->since_ms, q->arg);
	free(why);
	(void)query_leave(q);
}

/* ---- failure */

static uint64_t
retry_after_ms(const struct http_call *call)
{
	uint64_t s = call == NULL ? 0
				  : consul_number_read(http_call_header(
					    call, "Retry-After"));

	return 1000 * (s > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : s);
}

void
query_index_reset(struct consul_query *q)
{
	if (q->index != 0)
		q->agent->counts.index_resets++;
	q->index = 0;
}

/* Full jitter. */
static uint64_t
backoff_ms(struct consul_query *q)
{
	uint64_t most = CONSUL_BACKOFF_MIN_MS;

	for (unsigned i = 0; i < q->failures; i++) {
		most *= 2;
		if (most >= CONSUL_BACKOFF_MAX_MS) {
			most = CONSUL_BACKOFF_MAX_MS;
			break;
		}
	}
	q->failures++;
	return 1 + arc4random_uniform((uint32_t)most);
}

/* Words of libcurl vary from one try to the next: the first are told. */
static bool
is_told_already(const struct consul_query *q, enum consul_trouble trouble,
	const char *why)
{
	return q->why != NULL && q->trouble == trouble &&
	       (trouble == CONSUL_UNREACHED || strcmp(q->why, why) == 0);
}

/* call: of which the headers are looked at, or NULL. */
void
query_fail(struct consul_query *q, enum consul_trouble trouble,
	const struct http_call *call, struct consul_complaint *complaint)
{
	struct consul_agent *a = q->agent;
	uint64_t delay_ms = backoff_ms(q), after_ms = retry_after_ms(call);
	struct str why;
	bool tell;

	a->counts.failed++;
	complaint->agent = a->name;
	complaint->tls = a->address.tls;
	complaint->path = q->path;
	complaint->datacenter = q->datacenter;
	str_init(&why);
	consul_trouble_tell(trouble, complaint, &why);
	query_index_reset(q);
	q->no_index = 0;
	/* Another one may have the connection that this one did not get. */
	tell = !is_told_already(q, trouble, why.data) &&
	       (trouble != CONSUL_LIMITED || q->failures >= LIMITED_MAX);
	if (!query_is_failing(q))
		q->since_ms = clock_realtime_ms();
	q->trouble = trouble;
	if (tell) {
		free(q->why);
		q->why = xstrdup(why.data);
	}
	str_fini(&why);
	query_rest(q, delay_ms > after_ms ? delay_ms : after_ms);
	agent_recovery_watch(a);
	if (tell)
		query_tell_failed(q);
}

/* ---- asking */

static void
on_done(struct http_call *call, const struct http_result *result, void *arg)
{
	struct consul_query *q = arg;
	struct consul_agent *a = q->agent;

	agent_enter(a);
	q->call = NULL;
	state_set(q, QUERY_RESTING, NULL); /* without a timer yet */
	query_answered(q, call, result);
	agent_leave(a);
}

/* What is cached is not consistent. */
static bool
is_cached(const struct consul_query *q, uint8_t consistency)
{
	return q->use_cache && !q->plainly && consistency != CONSUL_CONSISTENT;
}

static void
path_put(const struct consul_query *q, uint8_t consistency, struct str *path)
{
	char separator = strchr(q->path, '?') == NULL ? '?' : '&';

	str_puts(path, q->path);
	if (q->datacenter != NULL) {
		str_printf(path, "%cdc=", separator);
		separator = '&';
		str_put_escaped(path, q->datacenter);
	}
	if (consistency != CONSUL_DEFAULT) {
		str_printf(path, "%c%s", separator,
			consistency == CONSUL_STALE ? "stale" : "consistent");
		separator = '&';
	}
	if (is_cached(q, consistency)) {
		str_printf(path, "%ccached", separator);
		separator = '&';
	}
	if (q->index != 0)
		str_printf(path, "%cindex=%llu&wait=%llums", separator,
			(unsigned long long)q->index,
			(unsigned long long)q->wait_ms);
}

static uint64_t
wait_choose(const struct consul_query *q)
{
	uint64_t turn_ms = agent_turn_ms(q->agent);

	if (q->index == 0)
		return 0;
	if (now_ms(q) - q->answered_ms > CONFIRM_GAP_MS && turn_ms > CONFIRM_MS)
		return CONFIRM_MS;
	return turn_ms;
}

void
query_ask(struct consul_query *q)
{
	static const struct http_events events = { .done = on_done };
	struct consul_agent *a = q->agent;
	uint8_t consistency = q->consistency;
	struct error err = ERROR_INIT;
	struct str path;
	uint64_t timeout_ms;
	int rc;

	state_set(q, QUERY_ASKING, &a->asking);
	credit_fill(q);
	q->credit_ms -=
		q->credit_ms < CONSUL_PACE_MS ? q->credit_ms : CONSUL_PACE_MS;
	if (q->epoch != a->epoch)
		query_index_reset(q);
	if (consistency == CONSUL_STALE && now_ms(q) < q->fresh_until_ms)
		consistency = CONSUL_DEFAULT;
	q->asked_with = a->asking_count;
	q->asked_epoch = a->epoch;
	q->asked_stale = consistency == CONSUL_STALE;
	q->asked_plainly = q->plainly;
	q->asked_ms = now_ms(q);
	q->wait_ms = wait_choose(q);
	/* The server adds up to a sixteenth. */
	timeout_ms = q->wait_ms == 0
			     ? ANSWER_MS
			     : q->wait_ms + q->wait_ms / 16 + WAIT_GRACE_MS;
	str_init(&path);
	path_put(q, consistency, &path);
	a->counts.asked++;
	rc = agent_call(a, path.data,
		is_cached(q, consistency) ? CACHE_MAX_AGE : NULL, timeout_ms,
		&events, q, &q->call, &err);
	str_fini(&path);
	if (rc == 0) {
		/* The token was found to be another when its index was said. */
		if (q->wait_ms != 0 && q->index == 0)
			query_begin_anew(q, 0);
		return;
	}
	query_fail(q, CONSUL_NO_PASS, NULL,
		&(struct consul_complaint){ .why = err.text });
}

/* ---- coming and going */

struct consul_query *
consul_query_new(struct consul_agent *a, const struct consul_question *question,
	const struct consul_events *events, void *arg)
{
	struct consul_query *q = xcalloc(1, sizeof(*q));

	q->agent = a;
	q->path = xstrdup(question->path);
	if (question->datacenter != NULL)
		q->datacenter = xstrdup(question->datacenter);
	q->consistency = question->consistency;
	q->use_cache = question->use_cache;
	q->events = *events;
	q->arg = arg;
	q->credit_ms = (uint64_t)CONSUL_PACE_MS * CONSUL_PACE_BURST;
	q->credited_ms = loop_now_ms(a->loop);
	q->epoch = a->epoch;
	q->timer = loop_timer_new(a->loop, on_rested, q);
	TAILQ_INSERT_TAIL(&a->all, q, link_all);
	a->query_count++;
	loop_timer_start(q->timer, 0);
	return q;
}

void
consul_query_free(struct consul_query *q)
{
	if (q == NULL)
		return;
	http_call_cancel(q->call);
	state_set(q, QUERY_RESTING, NULL);
	TAILQ_REMOVE(&q->agent->all, q, link_all);
	q->agent->query_count--;
	loop_timer_free(q->timer);
	free(q->path);
	free(q->datacenter);
	free(q->why);
	q->gone = true;
	if (!q->telling)
		free(q);
}
