/*
 * Who waits after a failure is told when what hindered it is over, so that a
 * long pause does not go on when the agent is back.
 *
 * While queries rest since the agent could not be reached, reached no server or
 * had no leader, one small question for all of them is asked about once a
 * second; the token file is looked at as often. A query that fails again and again after it was woken
 * is woken less and less.
 *
 * With another token there is another answer, though nothing changed that a
 * question under way waits for: it is asked anew.
 */
#include "kinds/consul/agent_inner.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_MIN_MS   500
#define LOOK_MAX_MS   1000
#define PROBE_MS      2000                /* its deadline */
#define PROBE_PATH    "/v1/status/leader" /* needs no token */
#define SPREAD_MS     200
#define WAKES_AT_ONCE 3
#define WAKE_MAX_MS   60000

static bool
is_for_probe(const struct consul_query *q)
{
	return q->trouble == CONSUL_UNREACHED ||
	       q->trouble == CONSUL_NO_LEADER || q->trouble == CONSUL_NO_SERVER;
}

static bool
is_for_pass(const struct consul_query *q)
{
	return q->trouble == CONSUL_NO_PASS ||
	       (q->trouble == CONSUL_FORBIDDEN && q->agent->has_token_file);
}

static bool
may_be_woken(const struct consul_query *q, uint64_t now_ms)
{
	return q->state == QUERY_RESTING && q->wake_after_ms <= now_ms;
}

static void
wake(struct consul_query *q, uint64_t now_ms)
{
	uint64_t pause_ms = CONSUL_BACKOFF_MIN_MS;

	if (++q->woken >= WAKES_AT_ONCE) {
		for (unsigned i = WAKES_AT_ONCE;
			i < q->woken && pause_ms < WAKE_MAX_MS; i++)
			pause_ms *= 2;
		q->wake_after_ms = now_ms + pause_ms;
	}
	q->agent->counts.recovered++;
	query_wake(q, arc4random_uniform(SPREAD_MS));
}

static void
wake_all(struct consul_agent *a, bool (*is_meant)(const struct consul_query *q))
{
	uint64_t now_ms = loop_now_ms(a->loop);
	struct consul_query *q;

	TAILQ_FOREACH(q, &a->all, link_all)
		if (is_meant(q) && may_be_woken(q, now_ms))
			wake(q, now_ms);
}

/* ---- the token */

static bool
has_no_pass(const struct consul_query *q)
{
	return q->trouble == CONSUL_NO_PASS;
}

void
agent_token_changed(struct consul_agent *a)
{
	struct consul_query *q;

	wake_all(a, is_for_pass);
	TAILQ_FOREACH(q, &a->all, link_all)
		query_begin_anew(q, arc4random_uniform(SPREAD_MS));
}

static void
pass_look(struct consul_agent *a)
{
	int rc = consul_pass_refresh(a->pass, loop_now_ms(a->loop), NULL);

	if (rc > 0)
		agent_token_changed(a);
	else if (rc == 0)
		wake_all(a, has_no_pass);
}

/* ---- the agent */

/* "" without a leader; an error below 500 is an answer, too. */
static bool
is_well(const struct http_result *result)
{
	if (result->problem != NULL)
		return false;
	if (result->status == 200)
		return result->body.length > strlen("\"\"");
	return result->status < 500;
}

static void
on_probe_done(
	struct http_call *call, const struct http_result *result, void *arg)
{
	struct consul_agent *a = arg;

	(void)call;
	a->probe = NULL;
	if (is_well(result))
		wake_all(a, is_for_probe);
}

static void
probe(struct consul_agent *a)
{
	static const struct http_events events = { .done = on_probe_done };

	if (a->probe == NULL)
		(void)agent_call(a, PROBE_PATH, NULL, PROBE_MS, &events, a,
			&a->probe, NULL);
}

/* ---- their time */

static void
on_look(void *arg)
{
	struct consul_agent *a = arg;
	uint64_t now_ms = loop_now_ms(a->loop);
	bool for_probe = false, for_pass = a->has_token_file;
	bool later = a->has_token_file;
	struct consul_query *q;

	TAILQ_FOREACH(q, &a->all, link_all) {
		bool now = may_be_woken(q, now_ms);

		for_probe |= now && is_for_probe(q);
		for_pass |= now && is_for_pass(q);
		later |= is_for_probe(q) || is_for_pass(q);
	}
	if (for_pass)
		pass_look(a);
	if (for_probe)
		probe(a);
	if (later)
		agent_recovery_watch(a);
}

void
agent_recovery_watch(struct consul_agent *a)
{
	if (a->freed)
		return;
	if (a->look == NULL)
		a->look = loop_timer_new(a->loop, on_look, a);
	if (!loop_timer_pending(a->look))
		loop_timer_start(a->look,
			LOOK_MIN_MS + arc4random_uniform(
					      LOOK_MAX_MS - LOOK_MIN_MS + 1));
}

void
agent_recovery_stop(struct consul_agent *a)
{
	http_call_cancel(a->probe);
	a->probe = NULL;
	loop_timer_free(a->look);
	a->look = NULL;
}
