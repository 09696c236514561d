/*
 * Follows all objects of one sort: list, then watch.
 *
 * What is asked for next is one of three: the whole set by a list, the whole
 * set by a watch that begins with it (WatchList), or what changed since a
 * version. Each ends in a function that decides on the next one: at once, or
 * after a pause. What the answers mean is verdict's, what their objects come to
 * is intake's. Versions are opaque: compared for equality only.
 */
#include "kinds/kubernetes/reflector_inner.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/table.h"
#include "kinds/kubernetes/object_set.h"
#include "kinds/kubernetes/verdict.h"
#include "net/loop.h"

#define PAGE_OBJECTS 500  /* of a list */
#define VERSION_MAX  1024 /* bytes of a resourceVersion */

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

static void step_begin(struct kubernetes_reflector *r, enum step step);

/* ---- what is told */

void
reflector_state_set(struct kubernetes_reflector *r, enum kubernetes_state state,
	const char *fmt, ...)
{
	char reason[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(reason, sizeof(reason), fmt, args);
	va_end(args);
	if (state == r->state && verdict_same_problem(reason, r->reason))
		return;
	r->state = state;
	free(r->reason);
	r->reason = xstrdup(reason);
	log_debug("kubernetes: %s: state %d: %s", r->what.name, (int)state,
		r->reason);
	r->events.state(state, r->reason, r->arg);
}

static void
forbidden_set(
	struct kubernetes_reflector *r, const char *verb, const char *problem)
{
	reflector_state_set(r, KUBERNETES_FORBIDDEN, "may not %s %s%s%s: %s",
		verb, r->what.name, r->what.ns != NULL ? " in namespace " : "",
		r->what.ns != NULL ? r->what.ns : "", problem);
}

static void
on_object_put(const struct doc *object, void *arg)
{
	struct kubernetes_reflector *r = arg;

	r->events.put(object, collection_version(&r->what), r->arg);
}

static void
on_object_gone(const char *ns, const char *name, void *arg)
{
	struct kubernetes_reflector *r = arg;

	r->events.gone(ns, name, r->arg);
}

static void
on_set_settled(bool whole, void *arg)
{
	struct kubernetes_reflector *r = arg;

	r->events.settled(whole, r->arg);
}

/* ---- from step to step */

uint64_t
reflector_random_below(struct kubernetes_reflector *r, uint64_t bound)
{
	r->seed = hash_bytes(&r->seed, sizeof(r->seed), clock_monotonic_us());
	return bound == 0 ? 0 : r->seed % bound;
}

uint64_t
reflector_now_ms(const struct kubernetes_reflector *r)
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
	intake_abandon(r->intake);
	r->opened_ms = 0;
	r->heard = false;
}

void
reflector_step_after(
	struct kubernetes_reflector *r, enum step step, uint64_t delay_ms)
{
	step_end(r);
	r->step = step;
	loop_timer_start(r->pause, delay_ms);
}

void
reflector_step_back_off(
	struct kubernetes_reflector *r, enum step step, uint64_t at_least_ms)
{
	uint64_t now = reflector_now_ms(r), delay;

	if (r->backoff_ms == 0 || now - r->failed_ms > r->times.backoff_reset)
		r->backoff_ms = r->times.backoff_min;
	r->failed_ms = now;
	delay = 1 + reflector_random_below(r, r->backoff_ms);
	r->backoff_ms *= 2;
	if (r->backoff_ms > r->times.backoff_max)
		r->backoff_ms = r->times.backoff_max;
	reflector_step_after(
		r, step, delay > at_least_ms ? delay : at_least_ms);
}

/* The server can be reached again: nobody waits out what was for its absence.
 */
static void
on_recovery(void *arg)
{
	struct kubernetes_reflector *r = arg;

	if (r->state != KUBERNETES_STALE || !loop_timer_pending(r->pause))
		return;
	r->backoff_ms = 0;
	loop_timer_start(
		r->pause, reflector_random_below(r, r->times.recovery));
}

void
reflector_set_again(struct kubernetes_reflector *r)
{
	if (r->cycles++ == 0)
		reflector_step_after(r, STEP_LIST, 0);
	else
		reflector_step_back_off(r, STEP_LIST, 0);
}

void
reflector_current_set(struct kubernetes_reflector *r)
{
	reflector_state_set(r, KUBERNETES_CURRENT, "%s", "");
}

static void
on_pause(void *arg)
{
	struct kubernetes_reflector *r = arg;

	if (r->again) {
		r->again = false;
		step_end(r);
		intake_forget(r->intake);
		r->step = STEP_LIST;
	}
	step_begin(r, r->step);
}

/* ---- versions */

bool
reflector_at_set(struct kubernetes_reflector *r, const char *version)
{
	if (version[0] == '\0' || strlen(version) > VERSION_MAX)
		return false;
	free(r->at);
	r->at = xstrdup(version);
	return true;
}

/* ---- the resource is not there */

static void
absent_set(struct kubernetes_reflector *r)
{
	free(r->at);
	r->at = NULL;
	r->what.version = 0;
	r->listed_only = false;
	intake_empty(r->intake);
	reflector_state_set(
		r, KUBERNETES_ABSENT, "the server has no %s", r->what.name);
	if (!intake_is_whole(r->intake))
		intake_settle(r->intake);
	reflector_step_after(r, STEP_LIST, r->times.absent);
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
	reflector_state_set(r, KUBERNETES_STALE, "%s", problem);
	reflector_step_back_off(r, STEP_LIST, 0);
}

/* 404: the next version, the best one first. What was there, or may have been
 * before we began, is not given up because of a 404 alone. */
static void
version_missing(struct kubernetes_reflector *r)
{
	if (collection_version_next(&r->what)) {
		reflector_step_after(r, STEP_LIST, 0);
		return;
	}
	if (intake_is_whole(r->intake) && intake_count(r->intake) == 0) {
		absent_set(r);
		return;
	}
	step_end(r);
	r->absence = absence_ask(r->api, r->what.group,
		(const char *const *)r->what.versions, r->what.plural,
		on_absence, r);
}

/* ---- what a whole set ends in */

bool
reflector_set_take(struct kubernetes_reflector *r, const char *version)
{
	if (!reflector_at_set(r, version))
		return false;
	intake_swap(r->intake);
	r->consistent = r->unlimited = false;
	r->rewatches = 0;
	reflector_current_set(r);
	intake_settle(r->intake);
	return true;
}

/* The version that was asked for is of no use: the next list is of now. */
static void
set_expired(struct kubernetes_reflector *r)
{
	bool tried = r->consistent;

	r->consistent = true;
	if (tried)
		reflector_step_back_off(r, STEP_LIST, 0);
	else
		reflector_step_after(r, STEP_LIST, 0);
}

void
reflector_failure_set(struct kubernetes_reflector *r, const char *verb,
	const struct kubernetes_answer *a)
{
	if (verdict_of(a) == VERDICT_FORBIDDEN)
		forbidden_set(r, verb, a->problem);
	else
		reflector_state_set(r, KUBERNETES_STALE, "%s", a->problem);
}

void
reflector_set_failed(struct kubernetes_reflector *r, const char *verb,
	const struct kubernetes_answer *a)
{
	switch (verdict_of(a)) {
	case VERDICT_MISSING:
		version_missing(r);
		break;
	case VERDICT_EXPIRED:
		if (r->page == NULL || r->unlimited) {
			set_expired(r);
			break;
		}
		/* The rest could be had, but of another version. */
		r->unlimited = true;
		reflector_step_after(r, STEP_LIST, 0);
		break;
	case VERDICT_FUTURE:
		/* The past may have been changed (a restored etcd): what is
		 * there may be another one of the same version. */
		intake_forget(r->intake);
		set_expired(r);
		break;
	default:
		reflector_failure_set(r, verb, a);
		reflector_step_back_off(r, STEP_LIST, a->retry_after_ms);
	}
}

void
reflector_set_collect(
	struct kubernetes_reflector *r, struct doc *object, size_t bytes)
{
	struct error err = ERROR_INIT;

	if (intake_collect(r->intake, object, bytes, &err) == 0)
		return;
	reflector_state_set(r, KUBERNETES_STALE, "%s", err.text);
	reflector_step_back_off(r, STEP_LIST, r->times.backoff_max);
}

/* ---- another server */

/* step_begin knows what to do. */
bool
reflector_server_left(struct kubernetes_reflector *r)
{
	const char *server =
		kubernetes_account_server(kubernetes_api_account(r->api));

	if (strcmp(r->server, server) == 0)
		return false;
	reflector_step_after(r, STEP_LIST, 0);
	return true;
}

/* ---- a list */

static void
on_list_value(
	struct doc *value, struct slice text, const char *problem, void *arg)
{
	struct kubernetes_reflector *r = arg;

	if (value != NULL)
		reflector_set_collect(r, value, text.length);
	else
		intake_collect_unread(r->intake, text, problem);
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
	if (reflector_server_left(r))
		return;
	if (answer->problem != NULL) {
		reflector_set_failed(r, "list", answer);
		return;
	}
	free(r->page);
	r->page = NULL;
	if (more[0] != '\0') {
		r->page = xstrdup(more);
		list_page(r);
	} else if (reflector_set_take(r, object_version(rest))) {
		reflector_step_after(r, STEP_WATCH, 0);
	} else {
		reflector_state_set(
			r, KUBERNETES_STALE, "the list has no resourceVersion");
		reflector_step_back_off(r, STEP_LIST, 0);
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

	collection_path(&r->what, &path);
	/* A server answers a version with a limit from etcd, not from its
	 * cache. */
	if (!r->unlimited && !from_at)
		collection_query_number(&path, "limit", PAGE_OBJECTS);
	if (r->page != NULL)
		collection_query(&path, "continue", r->page);
	else if (!r->consistent)
		collection_query(
			&path, "resourceVersion", from_at ? r->at : "0");
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
	intake_begin(r->intake);
	list_page(r);
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
		intake_forget(r->intake);
		r->consistent = true;
		r->what.version = 0;
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
		intake_begin(r->intake);
		reflector_watch_begin(r);
		break;
	case STEP_WATCH:
		r->counts.watches++;
		reflector_watch_begin(r);
		break;
	}
}

/* ---- the reflector */

struct kubernetes_reflector *
kubernetes_reflector_new(struct kubernetes_api *api,
	const struct kubernetes_collection *c,
	const struct kubernetes_reflector_events *events, void *arg)
{
	static const struct intake_events intake_events = { on_object_put,
		on_object_gone, on_set_settled };
	struct kubernetes_reflector *r = xcalloc(1, sizeof(*r));
	struct loop *loop = kubernetes_api_loop(api);

	r->api = api;
	r->events = *events;
	r->arg = arg;
	r->times = c->times == NULL ? kubernetes_times_usual : *c->times;
	collection_init(&r->what, c);
	r->intake = intake_new(
		r->what.name, c->hidden, &intake_events, r);
	r->pause = loop_timer_new(loop, on_pause, r);
	r->steady = loop_timer_new(loop, reflector_on_steady, r);
	r->seed = clock_monotonic_us() ^ (uint64_t)(uintptr_t)r;
	r->reason = xstrdup("");
	r->recovery = (struct kubernetes_recovery){ on_recovery, r, NULL };
	kubernetes_api_recovery_add(api, &r->recovery);
	reflector_step_after(r, STEP_LIST, 0);
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
	intake_free(r->intake);
	collection_fini(&r->what);
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
	out->skipped = intake_skipped(r->intake);
}

void
kubernetes_reflector_again(struct kubernetes_reflector *r)
{
	r->again = true;
	loop_timer_start(r->pause, 0);
}
