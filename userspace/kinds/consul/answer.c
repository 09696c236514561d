/* What becomes of an answer to a query. */
#include "kinds/consul/agent_inner.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/table.h"

#define NO_INDEX_MS     1000 /* between answers without index, up to ... */
#define NO_INDEX_MAX_MS 5000
#define FRESH_MS        60000 /* no stale answers after one that was too old */

static bool
is_flag(const struct http_call *call, const char *name, const char *value)
{
	const char *text = http_call_header(call, name);

	return text != NULL && strcasecmp(text, value) == 0;
}

/* 1 stands for none: so Consul answers who may not know, or cannot. */
static uint64_t
index_of(const struct http_call *call)
{
	uint64_t index =
		consul_number_read(http_call_header(call, "X-Consul-Index"));

	return index == 1 ? 0 : index;
}

static bool
is_streamed(const struct http_call *call)
{
	return is_flag(call, "X-Consul-Query-Backend", "streaming");
}

/* A list without an index from a server that knows no leader is not what is
 * there. With one it is what was there, as old as X-Consul-Lastcontact says;
 * and the streaming of Consul 1.10 and later never says that it knows one. */
static bool
has_no_leader(const struct http_call *call)
{
	return is_flag(call, "X-Consul-Knownleader", "false") &&
	       !is_streamed(call) && index_of(call) == 0;
}

/* An index that goes backwards counts as none. */
static void
index_take(struct consul_query *q, const struct http_call *call)
{
	uint64_t index = index_of(call);

	if (index < q->index)
		query_index_reset(q);
	else
		q->index = index;
	q->epoch = q->asked_epoch;
	q->no_index = q->index == 0 ? q->no_index + 1 : 0;
	q->answered_ms = loop_now_ms(q->agent->loop);
}

/* The first without an index may be because it went backwards: the next is
 * asked at once. A server that never has one is not asked without pause. */
static uint64_t
pause_ms(const struct consul_query *q)
{
	uint64_t pause = NO_INDEX_MS;

	if (q->no_index < 2)
		return 0;
	for (unsigned i = 2; i < q->no_index && pause < NO_INDEX_MAX_MS; i++)
		pause *= 2;
	return pause < NO_INDEX_MAX_MS ? pause : NO_INDEX_MAX_MS;
}

static bool
is_content(const struct consul_query *q, const struct consul_answer *answer,
	uint64_t content)
{
	return q->has_content && q->why == NULL && q->content == content &&
	       q->content_length == answer->body.length &&
	       q->filtered == answer->filtered;
}

/* 0: taken, or known already. */
static int
content_take(struct consul_query *q, const struct consul_answer *answer,
	uint64_t content, struct error *err)
{
	int rc;

	if (is_content(q, answer, content))
		return 0;
	q->agent->counts.changed++;
	rc = q->events.answer(answer, q->arg, err);
	q->has_content = rc == 0;
	q->content = content;
	q->content_length = answer->body.length;
	q->filtered = answer->filtered;
	return rc;
}

/*
 * Streaming, of Consul 1.10 and later, never says that something was left out.
 * What it brings is believed while nothing was left out when that was said
 * last, and while it is not less than before; else it is asked for again in the
 * way that says.
 */
static bool
is_doubtful(const struct consul_query *q, const struct http_call *call,
	const struct consul_answer *answer, uint64_t content)
{
	if (!is_streamed(call) || q->asked_plainly)
		return false;
	if (!q->has_content)
		return true;
	return q->filtered ? content != q->content
			   : answer->body.length < q->content_length;
}

/* The same question, but for how it is asked, comes before this answer is
 * told. */
static void
ask_otherwise(struct consul_query *q)
{
	q->index = 0;
	query_rest(q, 0);
}

/* It may end with the query. */
static void
well_again(struct consul_query *q)
{
	bool had_failed = q->why != NULL;

	q->trouble = CONSUL_FINE;
	q->failures = q->woken = 0;
	q->wake_after_ms = 0;
	free(q->why);
	q->why = NULL;
	query_rest(q, pause_ms(q));
	if (had_failed)
		query_tell_failed(q);
}

static void
answer_take(struct consul_query *q, const struct http_call *call,
	const struct http_result *result)
{
	struct consul_answer answer = {
		.body = result->body,
		.filtered = is_flag(
			call, "X-Consul-Results-Filtered-By-Acls", "true"),
		.last_contact_ms = consul_number_read(
			http_call_header(call, "X-Consul-Lastcontact")),
		.answered_us = clock_monotonic_us(),
	};
	uint64_t content = hash_bytes(
		result->body.data, result->body.length, q->agent->seed);
	struct error err = ERROR_INIT;
	int rc;

	q->agent->counts.answered++;
	if (q->asked_stale && answer.last_contact_ms > CONSUL_STALE_MAX_MS) {
		q->fresh_until_ms = loop_now_ms(q->agent->loop) + FRESH_MS;
		ask_otherwise(q);
		return;
	}
	q->plainly = is_doubtful(q, call, &answer, content);
	if (q->plainly) {
		ask_otherwise(q);
		return;
	}
	if (is_streamed(call))
		answer.filtered = q->filtered;
	index_take(q, call);
	answer.index = q->index;
	q->telling = true;
	rc = content_take(q, &answer, content, &err);
	if (query_leave(q))
		return;
	if (rc != 0)
		query_fail(q, CONSUL_UNUSABLE, NULL,
			&(struct consul_complaint){ .why = err.text });
	else
		well_again(q);
}

/* The words of net/http_client without the server in front, which the message
 * names anyway. */
static const char *
problem_words(const struct consul_query *q, const char *problem)
{
	const char *base = q->agent->address.base;
	const char *host = strstr(base, "://");
	size_t length;

	/* libcurl names the host of the URL, which is of no use here. */
	if (q->agent->address.unix_socket != NULL &&
		strstr(problem, "Failed to connect") != NULL)
		return "nobody takes a connection there";
	if (host == NULL)
		return problem;
	host += strlen("://");
	length = (size_t)(host - base) + strcspn(host, "/");
	if (strncmp(problem, base, length) != 0 ||
		strncmp(problem + length, ": ", 2) != 0)
		return problem;
	return problem + length + 2;
}

void
query_answered(struct consul_query *q, const struct http_call *call,
	const struct http_result *result)
{
	struct consul_complaint complaint = {
		.status = result->status,
		.body = result->body,
	};
	enum consul_trouble trouble;

	if (result->problem != NULL) {
		complaint.why = problem_words(q, result->problem);
		trouble =
			result->status == 0 ? CONSUL_UNREACHED : CONSUL_BROKEN;
		if (!result->timed_out)
			q->agent->epoch++;
		query_fail(q, trouble, NULL, &complaint);
		return;
	}
	trouble = consul_trouble_of(result->status, result->body);
	if (trouble == CONSUL_LIMITED)
		agent_limited(q->agent, q->asked_with);
	if (trouble == CONSUL_FINE && has_no_leader(call)) {
		complaint.why = "it knows no leader of its servers";
		trouble = CONSUL_NO_LEADER;
	}
	if (trouble == CONSUL_FINE)
		answer_take(q, call, result);
	else
		query_fail(q, trouble, call, &complaint);
}
