/* A watch of reflector.h: its request, its events, and its end. */
#include "kinds/kubernetes/reflector_inner.h"

#include "base/clock.h"
#include "kinds/kubernetes/object_glimpse.h"
#include "kinds/kubernetes/object_set.h"
#include "kinds/kubernetes/verdict.h"
#include "net/loop.h"

#define REWATCHES_MAX 5 /* failures in a row; then the set is listed */

/* ---- events of a watch */

static void
initial_refused(struct kubernetes_reflector *r)
{
	r->listed_only = true;
	reflector_step_after(r, STEP_LIST, 0);
}

/* A watch is over. a: as of an answer, also of an event ERROR. */
static void watch_over(
	struct kubernetes_reflector *r, const struct kubernetes_answer *a);

static void
on_error_event(struct kubernetes_reflector *r, const struct doc *status)
{
	struct kubernetes_answer a;
	struct str problem;

	str_init(&problem);
	a = event_error(r->api, status, &problem);
	watch_over(r, &a);
	str_fini(&problem);
}

static void
on_bookmark(struct kubernetes_reflector *r, const struct doc *object)
{
	if (r->step != STEP_INITIAL) {
		reflector_at_set(r, object_version(object));
		return;
	}
	if (!event_is_initial_end(object))
		return;
	if (!reflector_set_take(r, object_version(object))) {
		initial_refused(r);
		return;
	}
	r->step = STEP_WATCH;
	loop_timer_start(r->steady, r->times.short_watch);
}

static void
on_change(struct kubernetes_reflector *r, struct doc *event, bool deleted,
	size_t bytes)
{
	const struct doc *object = doc_get(event, "object");

	if (r->step == STEP_WATCH) {
		reflector_at_set(r, object_version(object));
		intake_change(r->intake, object, deleted);
	} else if (deleted) {
		intake_uncollect(r->intake, object);
	} else {
		reflector_set_collect(r, doc_steal(event, "object"), bytes);
	}
}

/* Something is heard, so the server is there. */
static void
event_note(struct kubernetes_reflector *r)
{
	r->heard = true;
	r->rewatches = 0;
	r->counts.last_event_ms = clock_monotonic_ms();
	if (r->step == STEP_WATCH)
		reflector_current_set(r);
	else
		loop_timer_start(r->steady, r->times.initial_idle);
}

static void
event_take(struct kubernetes_reflector *r, struct doc *event, size_t bytes)
{
	enum event what = event_read(event);

	if (what == EVENT_ERROR) {
		on_error_event(r, doc_get(event, "object"));
		return;
	}
	event_note(r);
	if (what == EVENT_BOOKMARK) {
		on_bookmark(r, doc_get(event, "object"));
		return;
	}
	r->counts.events++;
	if (what == EVENT_UNKNOWN)
		intake_pass_over(
			r->intake, "its event is of no type that there is");
	else
		on_change(r, event, what == EVENT_DELETED, bytes);
}

/* An event that cannot be read: of which object it is may be seen. */
static void
event_pass_over(
	struct kubernetes_reflector *r, struct slice text, const char *problem)
{
	struct doc *event = object_glimpse(text, true);
	const struct doc *object = doc_get(event, "object");
	bool aside = r->step == STEP_INITIAL;

	switch (event_read(event)) {
	case EVENT_DELETED:
		intake_pass_over_known(r->intake, problem);
		event_take(r, event, text.length);
		break;
	case EVENT_PUT:
		if (!aside)
			reflector_at_set(r, object_version(object));
		if (intake_unread(r->intake, object, aside, problem))
			r->heard = true;
		break;
	default:
		intake_pass_over(r->intake, problem);
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
	if (verdict_no_watch_list(a, r->opened_ms != 0))
		initial_refused(r);
	else
		reflector_set_failed(r, "watch", a);
}

static void
watch_failed(struct kubernetes_reflector *r, const struct kubernetes_answer *a)
{
	enum verdict verdict = verdict_of(a);

	reflector_failure_set(r, "watch", a);
	if (verdict == VERDICT_REFUSED) {
		/* Not what a server says of a version of its own. */
		r->consistent = true;
		reflector_step_back_off(r, STEP_LIST, 0);
	} else if (verdict == VERDICT_BROKEN &&
		   ++r->rewatches > REWATCHES_MAX) {
		/* A version that never can be watched from is given up. */
		reflector_step_back_off(r, STEP_LIST, a->retry_after_ms);
	} else {
		reflector_step_back_off(r, STEP_WATCH, a->retry_after_ms);
	}
}

/* Neither refused nor an error: what it was decides. */
static void
watch_ended(struct kubernetes_reflector *r, const struct kubernetes_answer *a)
{
	uint64_t lived =
		r->opened_ms == 0 ? 0 : reflector_now_ms(r) - r->opened_ms;
	bool held = lived >= r->times.short_watch;

	if (intake_is_in_doubt(r->intake) ||
		(!r->heard && held && lived >= r->watch_ms / 10 * 9)) {
		/* Silence for all of its time: the version may be of a future
		 * that will never come. */
		reflector_set_again(r);
	} else if (held) {
		reflector_step_after(r, STEP_WATCH, 0);
	} else if (r->heard) {
		reflector_step_after(
			r, STEP_WATCH, r->times.short_watch - lived);
	} else {
		reflector_state_set(r, KUBERNETES_STALE, "%s",
			a->problem != NULL ? a->problem
					   : "the watch ended at once");
		reflector_step_back_off(r, STEP_WATCH, 0);
	}
}

static void
watch_over(struct kubernetes_reflector *r, const struct kubernetes_answer *a)
{
	if (r->step == STEP_INITIAL) {
		initial_over(r, a);
		return;
	}
	switch (verdict_of(a)) {
	case VERDICT_FUTURE:
		r->consistent = true;
		intake_forget(r->intake);
		reflector_set_again(r);
		break;
	case VERDICT_MISSING:
	case VERDICT_EXPIRED:
		reflector_set_again(r);
		break;
	case VERDICT_ENDED:
		watch_ended(r, a);
		break;
	default:
		watch_failed(r, a);
	}
}

static void
on_watch_done(const struct kubernetes_answer *answer, const struct doc *rest,
	void *arg)
{
	struct kubernetes_reflector *r = arg;

	(void)rest;
	r->call = NULL;
	if (!reflector_server_left(r))
		watch_over(r, answer);
}

void
reflector_on_steady(void *arg)
{
	struct kubernetes_reflector *r = arg;

	if (r->opened_ms == 0) {
		reflector_state_set(
			r, KUBERNETES_STALE, "the watch is not answered");
		reflector_step_back_off(r, r->step, 0);
	} else if (r->step == STEP_INITIAL) {
		initial_refused(r);
	} else {
		r->cycles = r->rewatches = 0;
		reflector_current_set(r);
	}
}

static void
on_watch_open(void *arg)
{
	struct kubernetes_reflector *r = arg;

	if (reflector_server_left(r))
		return;
	r->opened_ms = reflector_now_ms(r);
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

void
reflector_watch_begin(struct kubernetes_reflector *r)
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
		      reflector_random_below(
			      r, r->times.watch_max - r->times.watch_min + 1);
	collection_path(&r->what, &path);
	collection_query(&path, "watch", "1");
	collection_query(&path, "allowWatchBookmarks", "true");
	collection_query_number(
		&path, "timeoutSeconds", (r->watch_ms + 999) / 1000);
	if (initial) {
		collection_query(&path, "sendInitialEvents", "true");
		collection_query(&path, "resourceVersionMatch", "NotOlderThan");
	}
	collection_query(&path, "resourceVersion",
		initial && (r->consistent || r->at == NULL) ? "" : r->at);
	r->call = kubernetes_api_stream(r->api,
		&(struct kubernetes_request){ .path = path.data,
			.timeout_ms = r->watch_ms + r->times.watch_grace,
			.once = true },
		false, 0, &events, r);
	str_fini(&path);
}
