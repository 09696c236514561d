/*
 * Follows all objects of one sort: list, then watch.
 *
 * What is asked for next is one of three: the whole set by a list, the whole
 * set by a watch that begins with it (WatchList), or what changed since a
 * version. Each ends in a function that decides on the next one: at once, or
 * after a pause. Versions are opaque: compared for equality only.
 */
#include "kinds/kubernetes/reflector.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/table.h"
#include "kinds/kubernetes/absence.h"
#include "kinds/kubernetes/object_glimpse.h"
#include "kinds/kubernetes/object_set.h"
#include "net/loop.h"

#define PAGE_OBJECTS   500 /* of a list */
#define VERSION_MAX    1024 /* bytes of a resourceVersion */
#define REWATCHES_MAX  5    /* failures in a row; then the set is listed */
#define INITIAL_END    "k8s.io/initial-events-end"

const struct kubernetes_times kubernetes_times_usual = {
	.backoff_min = 800,
	.backoff_max = 30000,
	.backoff_reset = 120000,
	.recovery = 200,
	.absent = 30000,
	.short_watch = 1000,
	.head = 60000,
	.watch_min = 300000,
	.watch_max = 600000,
	.watch_grace = 30000,
	.list_idle = 30000,
	.list_total = 300000,
	.initial_idle = 10000,
};

enum step {
	STEP_LIST,    /* the whole set, by pages */
	STEP_INITIAL, /* the whole set, by a watch */
	STEP_WATCH,   /* what changes */
};

struct kubernetes_reflector {
	struct kubernetes_api *api;
	struct kubernetes_times times;
	struct kubernetes_reflector_events events;
	void *arg;

	char *group, *plural, *ns, *labels, *fields;
	char **versions;
	size_t version; /* which of them is asked for */
	char *name;     /* "endpointslices.discovery.k8s.io" */

	struct object_set *set;
	char *server; /* that the version is of */
	char *at;     /* the version up to which all was said; NULL: none */
	bool consistent; /* a list is to be of now, not of a cache */
	bool unlimited;  /* a list is to be in one page */
	bool listed_only; /* the server takes no WatchList */
	bool hidden;      /* nothing of an object may be logged */
	bool passed;      /* something was passed over since the last list */
	bool doubt;       /* and it is not known what */
	bool settled;     /* once */
	bool partial;     /* what was told last was not the whole set */
	bool again;       /* all is to be said again */
	unsigned cycles;  /* sets in a row without a watch that held */
	unsigned rewatches; /* that the server failed at, in a row */

	enum step step; /* under way, or after the pause */
	struct kubernetes_call *call;
	struct absence *absence;
	struct loop_timer *pause;
	/* Of a watch: it is not answered, its set does not come, or it holds. */
	struct loop_timer *steady;
	char *page;                /* continue, of the list under way */
	uint64_t watch_ms;         /* what the server was told */
	uint64_t opened_ms;        /* 0: not yet */
	bool heard;                /* an event, or a bookmark */

	uint64_t backoff_ms, failed_ms;
	struct kubernetes_recovery recovery;
	uint64_t seed;
	enum kubernetes_state state;
	char *reason;
	struct kubernetes_reflector_counts counts;
};

static void step_begin(struct kubernetes_reflector *r, enum step step);

/* ---- what is told */

static void __attribute__((format(printf, 3, 4)))
state_set(struct kubernetes_reflector *r, enum kubernetes_state state,
	const char *fmt, ...)
{
	char reason[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(reason, sizeof(reason), fmt, args);
	va_end(args);
	/* While it is stale, the reasons may take turns: the first one is
	 * told. */
	if (state == r->state && (state != KUBERNETES_FORBIDDEN ||
					 strcmp(reason, r->reason) == 0))
		return;
	r->state = state;
	free(r->reason);
	r->reason = xstrdup(reason);
	log_debug("kubernetes: %s: state %d: %s", r->name, (int)state,
		r->reason);
	r->events.state(state, r->reason, r->arg);
}

static void
forbidden_set(struct kubernetes_reflector *r, const char *verb,
	const char *problem)
{
	state_set(r, KUBERNETES_FORBIDDEN, "may not %s %s%s%s: %s", verb,
		r->name, r->ns != NULL ? " in namespace " : "",
		r->ns != NULL ? r->ns : "", problem);
}

/* One line until the next whole set; the counter says how many. */
static void
pass_over_tell(struct kubernetes_reflector *r, const char *problem)
{
	r->counts.skipped++;
	if (!r->passed)
		log_warn("kubernetes: an object of %s is passed over: %s",
			r->name, r->hidden ? "it cannot be read" : problem);
	r->passed = true;
}

static void
pass_over(struct kubernetes_reflector *r, const char *problem)
{
	pass_over_tell(r, problem);
	r->doubt = true;
}

/* All that is there was said, but for what cannot be read. */
static void
settled_tell(struct kubernetes_reflector *r)
{
	r->settled = true;
	r->partial = r->doubt || object_set_unread(r->set) > 0;
	r->events.settled(!r->partial, r->arg);
}

static void
on_object_put(const struct doc *object, void *arg)
{
	struct kubernetes_reflector *r = arg;

	r->events.put(object, r->versions[r->version], r->arg);
}

static void
on_object_gone(const char *ns, const char *name, void *arg)
{
	struct kubernetes_reflector *r = arg;

	r->events.gone(ns, name, r->arg);
}

/* ---- from step to step */

static uint64_t
random_below(struct kubernetes_reflector *r, uint64_t bound)
{
	r->seed = hash_bytes(&r->seed, sizeof(r->seed), clock_monotonic_us());
	return bound == 0 ? 0 : r->seed % bound;
}

static uint64_t
now_ms(const struct kubernetes_reflector *r)
{
	return loop_now_ms(kubernetes_api_loop(r->api));
}

/* What was under way is over, or given up. */
static void
step_end(struct kubernetes_reflector *r)
{
	kubernetes_call_cancel(r->call);
	r->call = NULL;
	absence_cancel(r->absence);
	r->absence = NULL;
	loop_timer_stop(r->pause);
	loop_timer_stop(r->steady);
	free(r->page);
	r->page = NULL;
	object_set_abandon(r->set);
	r->opened_ms = 0;
	r->heard = false;
}

static void
step_after(struct kubernetes_reflector *r, enum step step, uint64_t delay_ms)
{
	step_end(r);
	r->step = step;
	loop_timer_start(r->pause, delay_ms);
}

/* After a failure; not before the server wants to be asked. */
static void
step_back_off(struct kubernetes_reflector *r, enum step step,
	uint64_t at_least_ms)
{
	uint64_t now = now_ms(r), delay;

	if (r->backoff_ms == 0 || now - r->failed_ms > r->times.backoff_reset)
		r->backoff_ms = r->times.backoff_min;
	r->failed_ms = now;
	delay = 1 + random_below(r, r->backoff_ms);
	r->backoff_ms *= 2;
	if (r->backoff_ms > r->times.backoff_max)
		r->backoff_ms = r->times.backoff_max;
	step_after(r, step, delay > at_least_ms ? delay : at_least_ms);
}

/* The server can be reached again: nobody waits out what was for its absence. */
static void
on_recovery(void *arg)
{
	struct kubernetes_reflector *r = arg;

	if (r->state != KUBERNETES_STALE || !loop_timer_pending(r->pause))
		return;
	r->backoff_ms = 0;
	loop_timer_start(r->pause, random_below(r, r->times.recovery));
}

/* The whole set is needed: the first time at once. */
static void
set_again(struct kubernetes_reflector *r)
{
	if (r->cycles++ == 0)
		step_after(r, STEP_LIST, 0);
	else
		step_back_off(r, STEP_LIST, 0);
}

static void
current_set(struct kubernetes_reflector *r)
{
	state_set(r, KUBERNETES_CURRENT, "%s", "");
}

static void
on_pause(void *arg)
{
	struct kubernetes_reflector *r = arg;

	if (r->again) {
		r->again = false;
		step_end(r);
		object_set_forget(r->set);
		r->step = STEP_LIST;
	}
	step_begin(r, r->step);
}

/* ---- versions */

static bool
at_set(struct kubernetes_reflector *r, const char *version)
{
	if (version[0] == '\0' || strlen(version) > VERSION_MAX)
		return false;
	free(r->at);
	r->at = xstrdup(version);
	return true;
}

static const char *
version_of(const struct doc *object)
{
	return doc_get_text(doc_get(object, "metadata"), "resourceVersion");
}

/* ---- paths */

static void
query_add(struct str *path, const char *name, const char *value)
{
	if (value == NULL)
		return;
	str_putc(path, strchr(path->data, '?') == NULL ? '?' : '&');
	str_printf(path, "%s=", name);
	kubernetes_query_put(path, value);
}

static void
query_add_number(struct str *path, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	query_add(path, name, text);
}

static void
path_begin(const struct kubernetes_reflector *r, struct str *path)
{
	str_init(path);
	api_path_put(path, r->group, r->versions[r->version]);
	if (r->ns != NULL)
		str_printf(path, "/namespaces/%s", r->ns);
	str_printf(path, "/%s", r->plural);
	query_add(path, "labelSelector", r->labels);
	query_add(path, "fieldSelector", r->fields);
}

/* ---- the resource is not there */

static void
absent_set(struct kubernetes_reflector *r)
{
	free(r->at);
	r->at = NULL;
	r->version = 0;
	r->listed_only = false;
	object_set_empty(r->set);
	r->doubt = false;
	state_set(r, KUBERNETES_ABSENT, "the server has no %s", r->name);
	if (!r->settled || r->partial)
		settled_tell(r);
	step_after(r, STEP_LIST, r->times.absent);
}

static void
on_absence(const char *problem, void *arg)
{
	struct kubernetes_reflector *r = arg;

	r->absence = NULL;
	if (problem == NULL) {
		absent_set(r);
		return;
	}
	state_set(r, KUBERNETES_STALE, "%s", problem);
	step_back_off(r, STEP_LIST, 0);
}

/* 404: the next version, the best one first. What was there, or may have been
 * before we began, is not given up because of a 404 alone. */
static void
version_missing(struct kubernetes_reflector *r)
{
	if (r->versions[r->version + 1] != NULL) {
		r->version++;
		step_after(r, STEP_LIST, 0);
		return;
	}
	r->version = 0;
	if (r->settled && !r->partial && object_set_count(r->set) == 0) {
		absent_set(r);
		return;
	}
	step_end(r);
	r->absence = absence_ask(r->api, r->group,
		(const char *const *)r->versions, r->plural, on_absence, r);
}

/* ---- what a whole set ends in */

/* True: everything up to that version was said. */
static bool
set_take(struct kubernetes_reflector *r, const char *version)
{
	if (!at_set(r, version))
		return false;
	object_set_swap(r->set, r->doubt);
	r->consistent = r->unlimited = false;
	r->rewatches = 0;
	current_set(r);
	settled_tell(r);
	return true;
}

static bool
is_expired(const struct kubernetes_answer *a)
{
	return a->status == 410 || strcmp(a->reason, "Expired") == 0 ||
	       strcmp(a->reason, "Gone") == 0;
}

/* The version is of a future that this server has not seen (a restored etcd,
 * a cache that lags behind). */
static bool
is_from_future(const struct kubernetes_answer *a)
{
	const struct doc *causes =
		doc_find(a->doc, "details", "causes", NULL);

	for (size_t i = 0; i < doc_count(causes); i++)
		if (strcmp(doc_get_text(doc_at(causes, i), "reason"),
			    "ResourceVersionTooLarge") == 0)
			return true;
	return false;
}

/* The past may have been changed (a restored etcd): what is there may be another
 * one of the same version. */
static void
future_forget(struct kubernetes_reflector *r)
{
	r->consistent = true;
	object_set_forget(r->set);
}

/* The version that was asked for is of no use: the next list is of now. */
static void
set_expired(struct kubernetes_reflector *r, const struct kubernetes_answer *a)
{
	bool tried = r->consistent;

	r->consistent = true;
	if (is_from_future(a))
		future_forget(r);
	if (tried)
		step_back_off(r, STEP_LIST, 0);
	else
		step_after(r, STEP_LIST, 0);
}

static void
set_failed(struct kubernetes_reflector *r, const char *verb,
	const struct kubernetes_answer *a)
{
	if (a->status == 404) {
		version_missing(r);
	} else if (is_expired(a) && r->page != NULL && !r->unlimited) {
		/* The rest could be had, but of another version. */
		r->unlimited = true;
		step_after(r, STEP_LIST, 0);
	} else if (is_expired(a) || is_from_future(a)) {
		set_expired(r, a);
	} else {
		if (a->status == 403)
			forbidden_set(r, verb, a->problem);
		else
			state_set(r, KUBERNETES_STALE, "%s", a->problem);
		step_back_off(r, STEP_LIST, a->retry_after_ms);
	}
}

static void
set_collect(struct kubernetes_reflector *r, struct doc *object, size_t bytes)
{
	struct error err = ERROR_INIT;

	if (object_set_collect(r->set, object, bytes, &err) == 0)
		return;
	if (err.code != ERROR_LIMIT) {
		pass_over(r, err.text);
		return;
	}
	state_set(r, KUBERNETES_STALE, "%s", err.text);
	step_back_off(r, STEP_LIST, r->times.backoff_max);
}

/* ---- another server */

/* The kubeconfig was changed: what came is of another server than before, or
 * half of it. step_begin knows what to do. */
static bool
server_left(struct kubernetes_reflector *r)
{
	const char *server =
		kubernetes_account_server(kubernetes_api_account(r->api));

	if (strcmp(r->server, server) == 0)
		return false;
	step_after(r, STEP_LIST, 0);
	return true;
}

/* ---- a list */

static void
on_list_value(
	struct doc *value, struct slice text, const char *problem, void *arg)
{
	struct kubernetes_reflector *r = arg;
	struct doc *glimpse;

	if (value != NULL) {
		set_collect(r, value, text.length);
		return;
	}
	glimpse = object_glimpse(text, false);
	if (object_set_collect_mark(r->set, glimpse, NULL) == 0)
		pass_over_tell(r, problem);
	else
		pass_over(r, problem);
	doc_free(glimpse);
}

static void list_page(struct kubernetes_reflector *r);

static void
on_list_done(const struct kubernetes_answer *answer, const struct doc *rest,
	void *arg)
{
	struct kubernetes_reflector *r = arg;
	const struct doc *meta = doc_get(rest, "metadata");
	const char *more = doc_get_text(meta, "continue");

	r->call = NULL;
	if (server_left(r))
		return;
	if (answer->problem != NULL) {
		set_failed(r, "list", answer);
		return;
	}
	free(r->page);
	r->page = NULL;
	if (more[0] != '\0') {
		r->page = xstrdup(more);
		list_page(r);
	} else if (set_take(r, version_of(rest))) {
		step_after(r, STEP_WATCH, 0);
	} else {
		state_set(r, KUBERNETES_STALE,
			"the list has no resourceVersion");
		step_back_off(r, STEP_LIST, 0);
	}
}

static void
list_page(struct kubernetes_reflector *r)
{
	static const struct kubernetes_stream_events events = {
		.value = on_list_value,
		.done = on_list_done,
	};
	bool from_at = r->at != NULL && !r->consistent;
	struct str path;

	path_begin(r, &path);
	/* A server answers a version with a limit from etcd, not from its
	 * cache. */
	if (!r->unlimited && !from_at)
		query_add_number(&path, "limit", PAGE_OBJECTS);
	if (r->page != NULL)
		query_add(&path, "continue", r->page);
	else if (!r->consistent)
		query_add(&path, "resourceVersion", from_at ? r->at : "0");
	r->call = kubernetes_api_stream(r->api,
		&(struct kubernetes_request){ .path = path.data,
			.timeout_ms = r->times.list_total,
			.once = true },
		true, r->times.list_idle, &events, r);
	str_fini(&path);
}

static void
list_begin(struct kubernetes_reflector *r)
{
	r->counts.lists++;
	r->doubt = r->passed = false;
	list_page(r);
}

/* ---- events of a watch */

static void
initial_refused(struct kubernetes_reflector *r)
{
	r->listed_only = true;
	step_after(r, STEP_LIST, 0);
}

/* A watch is over. a: as of an answer, also of an event ERROR. */
static void watch_over(struct kubernetes_reflector *r,
	const struct kubernetes_answer *a);

static void
on_error_event(struct kubernetes_reflector *r, const struct doc *status)
{
	struct kubernetes_answer a = {
		.status = (int)doc_get_integer(status, "code"),
		.doc = status,
		.reason = doc_get_text(status, "reason"),
		.retry_after_ms =
			kubernetes_status_retry_after_ms(r->api, status),
	};
	struct str problem;

	str_init(&problem);
	str_printf(&problem, "the watch ended with an error: ");
	kubernetes_status_describe(status, "of unknown sort", &problem);
	a.problem = problem.data;
	watch_over(r, &a);
	str_fini(&problem);
}

static void
on_bookmark(struct kubernetes_reflector *r, const struct doc *object)
{
	const struct doc *notes =
		doc_find(object, "metadata", "annotations", NULL);

	if (r->step != STEP_INITIAL) {
		at_set(r, version_of(object));
		return;
	}
	if (strcmp(doc_get_text(notes, INITIAL_END), "true") != 0)
		return;
	if (!set_take(r, version_of(object))) {
		initial_refused(r);
		return;
	}
	r->step = STEP_WATCH;
	loop_timer_start(r->steady, r->times.short_watch);
}

/* object stays the event's. */
static int
change_take(struct kubernetes_reflector *r, const struct doc *object,
	bool deleted, struct error *err)
{
	int rc = deleted ? object_set_remove(r->set, object, err)
			 : object_set_put(r->set, object, err);

	at_set(r, version_of(object));
	/* What could not be read can be now, or is gone. */
	if (r->partial && !r->doubt && object_set_unread(r->set) == 0)
		settled_tell(r);
	return rc;
}

static void
on_change(struct kubernetes_reflector *r, struct doc *event, bool deleted,
	size_t bytes)
{
	struct error err = ERROR_INIT;
	int rc = 0;

	if (r->step == STEP_WATCH)
		rc = change_take(r, doc_get(event, "object"), deleted, &err);
	else if (deleted)
		rc = object_set_uncollect(
			r->set, doc_get(event, "object"), &err);
	else
		set_collect(r, doc_steal(event, "object"), bytes);
	if (rc != 0)
		pass_over(r, err.text);
}

static void
event_take(struct kubernetes_reflector *r, struct doc *event, size_t bytes)
{
	const char *type = doc_get_text(event, "type");

	if (strcmp(type, "ERROR") == 0) {
		on_error_event(r, doc_get(event, "object"));
		return;
	}
	r->heard = true;
	r->rewatches = 0;
	r->counts.last_event_ms = clock_monotonic_ms();
	if (r->step == STEP_WATCH)
		current_set(r);
	else
		loop_timer_start(r->steady, r->times.initial_idle);
	if (strcmp(type, "BOOKMARK") == 0) {
		on_bookmark(r, doc_get(event, "object"));
		return;
	}
	r->counts.events++;
	if (strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0)
		on_change(r, event, false, bytes);
	else if (strcmp(type, "DELETED") == 0)
		on_change(r, event, true, bytes);
	else
		pass_over(r, "its event is of no type that there is");
}

static int
unread_mark(struct kubernetes_reflector *r, const struct doc *object)
{
	if (r->step == STEP_INITIAL)
		return object_set_collect_mark(r->set, object, NULL);
	at_set(r, version_of(object));
	return object_set_mark(r->set, object, NULL);
}

/* An event that cannot be read: of which object it is may be seen. */
static void
event_pass_over(
	struct kubernetes_reflector *r, struct slice text, const char *problem)
{
	struct doc *event = object_glimpse(text, true);
	const char *type = doc_get_text(event, "type");

	if (strcmp(type, "DELETED") == 0) {
		pass_over_tell(r, problem);
		event_take(r, event, text.length);
	} else if ((strcmp(type, "ADDED") == 0 ||
			   strcmp(type, "MODIFIED") == 0) &&
		   unread_mark(r, doc_get(event, "object")) == 0) {
		pass_over_tell(r, problem);
		r->heard = true;
	} else {
		pass_over(r, problem);
	}
	doc_free(event);
}

static void
on_watch_value(
	struct doc *value, struct slice text, const char *problem, void *arg)
{
	struct kubernetes_reflector *r = arg;

	if (value == NULL)
		event_pass_over(r, text, problem);
	else
		event_take(r, value, text.length);
	doc_free(value);
}

/* ---- the end of a watch */

static void
initial_over(struct kubernetes_reflector *r, const struct kubernetes_answer *a)
{
	/* Refused with 400 or 422, or with 500 within the stream (an etcd that
	 * tells no progress); or it ended before it had begun. */
	if (a->problem == NULL || a->status == 400 || a->status == 422 ||
		(a->status == 500 && r->opened_ms != 0))
		initial_refused(r);
	else
		set_failed(r, "watch", a);
}

static void
watch_failed(struct kubernetes_reflector *r, const struct kubernetes_answer *a)
{
	switch (a->status) {
	case 403:
		forbidden_set(r, "watch", a->problem);
		break;
	case 400:
	case 422:
		/* Not what a server says of a version of its own. */
		r->consistent = true;
		state_set(r, KUBERNETES_STALE, "%s", a->problem);
		step_back_off(r, STEP_LIST, 0);
		return;
	default:
		state_set(r, KUBERNETES_STALE, "%s", a->problem);
	}
	/* A version that never can be watched from is given up. */
	if (a->status >= 500 && ++r->rewatches > REWATCHES_MAX)
		step_back_off(r, STEP_LIST, a->retry_after_ms);
	else
		step_back_off(r, STEP_WATCH, a->retry_after_ms);
}

static void
watch_over(struct kubernetes_reflector *r, const struct kubernetes_answer *a)
{
	uint64_t lived = r->opened_ms == 0 ? 0 : now_ms(r) - r->opened_ms;
	bool held = lived >= r->times.short_watch;

	if (r->step == STEP_INITIAL) {
		initial_over(r, a);
	} else if (a->status == 404 || is_expired(a)) {
		set_again(r);
	} else if (is_from_future(a)) {
		future_forget(r);
		set_again(r);
	} else if (a->status != 0 && a->status != 200) {
		watch_failed(r, a);
	} else if (r->doubt || (!r->heard && held &&
				       lived >= r->watch_ms / 10 * 9)) {
		/* Silence for all of its time: the version may be of a future
		 * that will never come. */
		set_again(r);
	} else if (held) {
		step_after(r, STEP_WATCH, 0);
	} else if (r->heard) {
		step_after(r, STEP_WATCH, r->times.short_watch - lived);
	} else {
		state_set(r, KUBERNETES_STALE, "%s",
			a->problem != NULL ? a->problem
					   : "the watch ended at once");
		step_back_off(r, STEP_WATCH, 0);
	}
}

static void
on_watch_done(const struct kubernetes_answer *answer, const struct doc *rest,
	void *arg)
{
	struct kubernetes_reflector *r = arg;

	(void)rest;
	r->call = NULL;
	if (!server_left(r))
		watch_over(r, answer);
}

static void
on_steady(void *arg)
{
	struct kubernetes_reflector *r = arg;

	if (r->opened_ms == 0) {
		state_set(r, KUBERNETES_STALE, "the watch is not answered");
		step_back_off(r, r->step, 0);
	} else if (r->step == STEP_INITIAL) {
		initial_refused(r);
	} else {
		r->cycles = r->rewatches = 0;
		current_set(r);
	}
}

static void
on_watch_open(void *arg)
{
	struct kubernetes_reflector *r = arg;

	if (server_left(r))
		return;
	r->opened_ms = now_ms(r);
	loop_timer_start(r->steady, r->step == STEP_INITIAL
					    ? r->times.initial_idle
					    : r->times.short_watch);
}

static void
on_watch_sent(void *arg)
{
	struct kubernetes_reflector *r = arg;

	loop_timer_start(r->steady, r->times.head);
}

static void
watch_begin(struct kubernetes_reflector *r)
{
	static const struct kubernetes_stream_events events = {
		.open = on_watch_open,
		.value = on_watch_value,
		.done = on_watch_done,
		.sent = on_watch_sent,
	};
	bool initial = r->step == STEP_INITIAL;
	struct str path;

	r->watch_ms = r->times.watch_min +
		      random_below(r, r->times.watch_max - r->times.watch_min +
					      1);
	path_begin(r, &path);
	query_add(&path, "watch", "1");
	query_add(&path, "allowWatchBookmarks", "true");
	query_add_number(&path, "timeoutSeconds", (r->watch_ms + 999) / 1000);
	if (initial) {
		query_add(&path, "sendInitialEvents", "true");
		query_add(&path, "resourceVersionMatch", "NotOlderThan");
	}
	query_add(&path, "resourceVersion",
		initial && (r->consistent || r->at == NULL) ? "" : r->at);
	r->call = kubernetes_api_stream(r->api,
		&(struct kubernetes_request){
			.path = path.data,
			.timeout_ms = r->watch_ms + r->times.watch_grace,
			.once = true },
		false, 0, &events, r);
	str_fini(&path);
}

/* The version of one server says nothing to another. */
static bool
server_changed(struct kubernetes_reflector *r)
{
	const char *server =
		kubernetes_account_server(kubernetes_api_account(r->api));
	bool changed = r->server != NULL && strcmp(r->server, server) != 0;

	if (r->server == NULL || changed) {
		free(r->server);
		r->server = xstrdup(server);
	}
	return changed;
}

static void
step_begin(struct kubernetes_reflector *r, enum step step)
{
	if (server_changed(r)) {
		object_set_forget(r->set);
		r->consistent = true;
		r->version = 0;
		r->listed_only = false;
		step = STEP_LIST;
	}
	if (step == STEP_LIST && !r->listed_only)
		step = STEP_INITIAL;
	r->step = step;
	switch (step) {
	case STEP_LIST:
		list_begin(r);
		break;
	case STEP_INITIAL:
		r->counts.lists++;
		r->doubt = r->passed = false;
		watch_begin(r);
		break;
	case STEP_WATCH:
		r->counts.watches++;
		watch_begin(r);
		break;
	}
}

/* ---- the reflector */

static char *
copy_or_null(const char *text)
{
	return text == NULL ? NULL : xstrdup(text);
}

static void
collection_copy(struct kubernetes_reflector *r,
	const struct kubernetes_collection *c)
{
	size_t count = 0;

	while (c->versions[count] != NULL)
		count++;
	assert(count > 0 && count <= ABSENCE_VERSIONS_MAX);
	r->versions = xcalloc(count + 1, sizeof(*r->versions));
	for (size_t i = 0; i < count; i++)
		r->versions[i] = xstrdup(c->versions[i]);
	r->group = xstrdup(c->group);
	r->plural = xstrdup(c->plural);
	r->ns = copy_or_null(c->ns);
	r->labels = copy_or_null(c->labels);
	r->fields = copy_or_null(c->fields);
	r->hidden = c->hidden;
	r->name = xasprintf("%s%s%s", c->plural,
		c->group[0] == '\0' ? "" : ".", c->group);
	r->times = c->times == NULL ? kubernetes_times_usual : *c->times;
}

struct kubernetes_reflector *
kubernetes_reflector_new(struct kubernetes_api *api,
	const struct kubernetes_collection *c,
	const struct kubernetes_reflector_events *events, void *arg)
{
	static const struct object_set_events set_events = { on_object_put,
		on_object_gone };
	struct kubernetes_reflector *r = xcalloc(1, sizeof(*r));
	struct loop *loop = kubernetes_api_loop(api);

	r->api = api;
	r->events = *events;
	r->arg = arg;
	collection_copy(r, c);
	r->set = object_set_new(&set_events, r);
	r->pause = loop_timer_new(loop, on_pause, r);
	r->steady = loop_timer_new(loop, on_steady, r);
	r->seed = clock_monotonic_us() ^ (uint64_t)(uintptr_t)r;
	r->reason = xstrdup("");
	r->recovery = (struct kubernetes_recovery){ on_recovery, r, NULL };
	kubernetes_api_recovery_add(api, &r->recovery);
	step_after(r, STEP_LIST, 0);
	return r;
}

void
kubernetes_reflector_free(struct kubernetes_reflector *r)
{
	if (r == NULL)
		return;
	step_end(r);
	kubernetes_api_recovery_drop(r->api, &r->recovery);
	loop_timer_free(r->pause);
	loop_timer_free(r->steady);
	object_set_free(r->set);
	for (size_t i = 0; r->versions[i] != NULL; i++)
		free(r->versions[i]);
	free(r->versions);
	free(r->group);
	free(r->plural);
	free(r->ns);
	free(r->labels);
	free(r->fields);
	free(r->name);
	free(r->server);
	free(r->at);
	free(r->reason);
	free(r);
}

void
kubernetes_reflector_counts(const struct kubernetes_reflector *r,
	struct kubernetes_reflector_counts *out)
{
	*out = r->counts;
}

void
kubernetes_reflector_again(struct kubernetes_reflector *r)
{
	r->again = true;
	loop_timer_start(r->pause, 0);
}
