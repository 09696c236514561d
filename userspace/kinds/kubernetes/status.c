/* The writer of statuses. */
#include "kinds/kubernetes/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/table.h"
#include "kinds/kubernetes/lease.h"
#include "net/loop.h"

#define INTERVAL_MS (1000 / KUBERNETES_STATUS_PER_S)
#define TIMEOUT_MS  10000
#define BACKOFF_MAX_MS 300000

struct said {
	char *state, *reason, *by; /* state NULL: nothing */
	uint64_t generation;
};

struct entry {
	char *path, *uid;
	uint64_t generation; /* of the object */
	struct said has, wants;
	struct said wrote; /* by us, last */
	uint64_t wrote_ms;
	uint64_t pending_ms; /* since when it wants "Pending"; 0: it does not */
	bool due;
	uint64_t due_ms;
	unsigned failures; /* in a row */
	struct said refused; /* what could not be written last */
	uint64_t refused_until_ms; /* and is not tried again before */
	bool failing;      /* and worth telling */
};

struct kubernetes_status {
	struct kubernetes_cluster *cluster;
	const struct kubernetes_lease *lease;
	struct table *entries; /* by path */
	bool leads;
	struct loop_timer *timer;
	uint64_t wake_ms; /* when it runs off, while it runs */
	uint64_t paid_ms; /* writes take INTERVAL_MS each: up to here taken */
	struct kubernetes_call *call;
	struct entry *sending; /* whose; NULL: forgotten meanwhile */
	struct said sent;
	size_t failing;
};

static uint64_t
now_ms(const struct kubernetes_status *s)
{
	return loop_now_ms(s->cluster->program->loop);
}

/* ---- what is said */

static void
said_fini(struct said *s)
{
	free(s->state);
	free(s->reason);
	free(s->by);
	memset(s, 0, sizeof(*s));
}

static void
said_set(struct said *to, const char *state, const char *reason, const char *by,
	uint64_t generation)
{
	struct said fresh = {
		.state = xstrdup(state),
		.reason = xstrdup(reason),
		.by = xstrdup(by),
		.generation = generation,
	};

	said_fini(to);
	*to = fresh;
}

static void
said_copy(struct said *to, const struct said *from)
{
	said_set(to, from->state, from->reason, from->by, from->generation);
}

static bool
said_equal(const struct said *a, const struct said *b)
{
	return a->state != NULL && b->state != NULL &&
	       strcmp(a->state, b->state) == 0 &&
	       strcmp(a->reason, b->reason) == 0 && strcmp(a->by, b->by) == 0 &&
	       a->generation == b->generation;
}

/* The same as it comes back: what is no UTF-8 was replaced on the way. */
static char *
text_as_read(const char *text)
{
	struct str quoted;
	struct doc *d;
	char *copy;

	str_init(&quoted);
	json_quote(&quoted, text, strlen(text));
	d = json_doc_read(quoted.data, quoted.length, NULL);
	copy = xstrdup(d == NULL ? "" : doc_string(d));
	doc_free(d);
	str_fini(&quoted);
	return copy;
}

static struct doc *
said_patch(const struct said *said)
{
	struct doc *d = doc_new_map();
	struct doc *status = doc_set(d, "status", doc_new_map());

	doc_set_string(status, "state", said->state);
	/* null takes away what is there */
	if (said->reason[0] == '\0')
		doc_set(status, "reason", doc_new_null());
	else
		doc_set_string(status, "reason", said->reason);
	doc_set_string(status, "reportedBy", said->by);
	doc_set(status, "observedGeneration",
		doc_new_integer((int64_t)said->generation));
	return d;
}

/* ---- what is due */

static void
entry_free(void *value)
{
	struct entry *e = value;

	said_fini(&e->has);
	said_fini(&e->wants);
	said_fini(&e->wrote);
	said_fini(&e->refused);
	free(e->uid);
	free(e->path);
	free(e);
}

static void
timer_start(struct kubernetes_status *s, uint64_t at_ms)
{
	uint64_t now = now_ms(s);

	s->wake_ms = at_ms < now ? now : at_ms;
	loop_timer_start(s->timer, s->wake_ms - now);
}

static void
failing_set(struct kubernetes_status *s, struct entry *e, bool failing)
{
	struct kind_program *p = s->cluster->program;

	if (e->failing == failing)
		return;
	e->failing = failing;
	s->failing += failing ? 1 : (size_t)-1;
	if (s->failing == 0)
		p->condition_set(p, "status", KIND_OK, "");
}

static void
entry_settled(struct kubernetes_status *s, struct entry *e)
{
	e->due = false;
	e->failures = 0;
	failing_set(s, e, false);
}

/* Looks whether there is something to write, and when. It keeps its place among
 * those that wait. */
static void
entry_look(struct kubernetes_status *s, struct entry *e)
{
	uint64_t due_ms = now_ms(s);

	if (e->wants.state == NULL || e->wants.generation < e->generation ||
		said_equal(&e->wants, &e->has)) {
		entry_settled(s, e);
		return;
	}
	if (said_equal(&e->wants, &e->wrote))
		due_ms = e->wrote_ms + KUBERNETES_STATUS_AGAIN_MS;
	else if (e->pending_ms != 0)
		due_ms = e->pending_ms + KUBERNETES_STATUS_PENDING_MS;
	else if (e->due && e->due_ms < due_ms)
		due_ms = e->due_ms;
	if (said_equal(&e->wants, &e->refused) && due_ms < e->refused_until_ms)
		due_ms = e->refused_until_ms;
	e->due = true;
	e->due_ms = due_ms;
	if (s->leads && s->call == NULL &&
		(!loop_timer_pending(s->timer) || due_ms < s->wake_ms))
		timer_start(s, due_ms);
}

static struct entry *
entry_next(const struct kubernetes_status *s)
{
	struct entry *first = NULL;
	const char *key;
	size_t place = 0;
	void *value;

	while (table_next(s->entries, &place, &key, &value)) {
		struct entry *e = value;

		if (e->due && (first == NULL || e->due_ms < first->due_ms))
			first = e;
	}
	return first;
}

/* ---- writing */

/* How long to wait after the first failure. */
static uint64_t
backoff_base_ms(int status)
{
	switch (status) {
	case 404: /* gone: the watch is about to say so */
		return 10000;
	case 400:
	case 403:
	case 405:
	case 413:
	case 415:
	case 422: /* the definition does not take it */
		return 60000;
	default:
		return 1000;
	}
}

static void
on_failure(struct kubernetes_status *s, struct entry *e,
	const struct kubernetes_answer *answer)
{
	struct kind_program *p = s->cluster->program;
	const char *problem = answer->problem != NULL ? answer->problem : "";
	unsigned shift = e->failures < 16 ? e->failures : 16;
	uint64_t wait_ms = backoff_base_ms(answer->status) << shift;
	char text[700];

	e->failures++;
	if (wait_ms > BACKOFF_MAX_MS)
		wait_ms = BACKOFF_MAX_MS;
	said_copy(&e->refused, &s->sent);
	e->refused_until_ms = now_ms(s) + wait_ms;
	entry_look(s, e);
	if (e->failing || answer->status == 409 ||
		(answer->status == 404 && e->failures == 1))
		return;
	snprintf(text, sizeof(text), "cannot write the status of %.300s: %.300s",
		e->path, problem);
	if (s->failing > 0)
		log_warn("kubernetes: %s", text);
	else
		p->condition_set(p, "status", KIND_WARNING, text);
	failing_set(s, e, true);
}

static void
entry_written(struct kubernetes_status *s, struct entry *e,
	const struct kubernetes_answer *answer)
{
	if (answer->problem == NULL) {
		said_fini(&e->refused);
		said_copy(&e->has, &s->sent);
		said_copy(&e->wrote, &s->sent);
		e->wrote_ms = now_ms(s);
		e->failures = 0;
		failing_set(s, e, false);
		entry_look(s, e);
		return;
	}
	on_failure(s, e, answer);
}

static void
on_written(const struct kubernetes_answer *answer, void *arg)
{
	struct kubernetes_status *s = arg;
	struct entry *e = s->sending;

	s->call = NULL;
	s->sending = NULL;
	if (e != NULL)
		entry_written(s, e, answer);
	said_fini(&s->sent);
	if (s->leads)
		timer_start(s, now_ms(s));
}

static void
entry_send(struct kubernetes_status *s, struct entry *e)
{
	char *path = xasprintf("%s/status", e->path);
	struct doc *patch = said_patch(&e->wants);
	struct kubernetes_request r = {
		.method = "PATCH",
		.path = path,
		.content_type = "application/merge-patch+json",
		.timeout_ms = TIMEOUT_MS,
		.once = true,
	};
	struct str body;

	str_init(&body);
	json_doc_write(patch, 0, &body);
	r.body = (struct slice){ body.data, body.length };
	e->due = false;
	s->sending = e;
	said_copy(&s->sent, &e->wants);
	s->call = kubernetes_api_call(s->cluster->api, &r, on_written, s);
	str_fini(&body);
	doc_free(patch);
	free(path);
}

/* Takes one write from the bucket; or how long until there is one. */
static uint64_t
bucket_wait_ms(struct kubernetes_status *s)
{
	const uint64_t burst_ms = KUBERNETES_STATUS_BURST * INTERVAL_MS;
	uint64_t now = now_ms(s);

	if (s->paid_ms + burst_ms < now)
		s->paid_ms = now - burst_ms;
	if (s->paid_ms + INTERVAL_MS > now)
		return s->paid_ms + INTERVAL_MS - now;
	s->paid_ms += INTERVAL_MS;
	return 0;
}

static void
on_timer(void *arg)
{
	struct kubernetes_status *s = arg;
	struct entry *e = entry_next(s);
	uint64_t now = now_ms(s), wait_ms;

	if (!s->leads || s->call != NULL || e == NULL)
		return;
	if (e->due_ms > now) {
		timer_start(s, e->due_ms);
		return;
	}
	/* A process that slept may not have heard yet that its time is over. */
	wait_ms = kubernetes_lease_held(s->lease) ? bucket_wait_ms(s)
						  : INTERVAL_MS;
	if (wait_ms > 0)
		timer_start(s, now + wait_ms);
	else
		entry_send(s, e);
}

/* ---- from outside */

struct kubernetes_status *
kubernetes_status_new(
	struct kubernetes_cluster *c, const struct kubernetes_lease *lease)
{
	struct kubernetes_status *s = xcalloc(1, sizeof(*s));

	s->cluster = c;
	s->lease = lease;
	s->entries = table_new(entry_free);
	s->timer = loop_timer_new(c->program->loop, on_timer, s);
	return s;
}

void
kubernetes_status_free(struct kubernetes_status *s)
{
	if (s == NULL)
		return;
	if (s->call != NULL)
		kubernetes_call_cancel(s->call);
	said_fini(&s->sent);
	loop_timer_free(s->timer);
	table_free(s->entries);
	free(s);
}

/* What was wanted, written or refused was of another object. */
static void
entry_renew(struct kubernetes_status *s, struct entry *e, const char *uid)
{
	free(e->uid);
	e->uid = xstrdup(uid);
	said_fini(&e->wants);
	said_fini(&e->wrote);
	said_fini(&e->refused);
	e->pending_ms = 0;
	if (s->sending == e)
		s->sending = NULL;
}

void
kubernetes_status_seen(struct kubernetes_status *s, const char *path,
	const char *uid, uint64_t generation, const struct doc *status)
{
	struct entry *e = table_get(s->entries, path);
	int64_t observed = doc_get_integer(status, "observedGeneration");

	if (e == NULL) {
		e = xcalloc(1, sizeof(*e));
		e->path = xstrdup(path);
		e->uid = xstrdup(uid);
		table_set(s->entries, path, e);
	} else if (strcmp(e->uid, uid) != 0) {
		entry_renew(s, e, uid);
	}
	e->generation = generation;
	said_set(&e->has, doc_get_text(status, "state"),
		doc_get_text(status, "reason"),
		doc_get_text(status, "reportedBy"),
		observed > 0 ? (uint64_t)observed : 0);
	entry_look(s, e);
}

void
kubernetes_status_want(struct kubernetes_status *s, const char *path,
	const struct kubernetes_said *said)
{
	struct entry *e = table_get(s->entries, path);
	char *reason;

	if (e == NULL)
		return;
	reason = text_as_read(said->reason);
	said_set(&e->wants, said->state, reason, said->by, said->generation);
	free(reason);
	if (strcmp(said->state, "Pending") != 0)
		e->pending_ms = 0;
	else if (e->pending_ms == 0)
		e->pending_ms = now_ms(s);
	entry_look(s, e);
}

void
kubernetes_status_forget(struct kubernetes_status *s, const char *path)
{
	struct entry *e = table_get(s->entries, path);

	if (e == NULL)
		return;
	failing_set(s, e, false);
	if (s->sending == e)
		s->sending = NULL;
	table_remove(s->entries, path);
}

void
kubernetes_status_lead(struct kubernetes_status *s, bool leads)
{
	s->leads = leads;
	if (leads) {
		timer_start(s, now_ms(s));
		return;
	}
	loop_timer_stop(s->timer);
	if (s->call == NULL)
		return;
	kubernetes_call_cancel(s->call);
	s->call = NULL;
	if (s->sending != NULL)
		entry_look(s, s->sending);
	s->sending = NULL;
	said_fini(&s->sent);
}
