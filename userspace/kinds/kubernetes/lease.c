/* Leader election by a Lease. */
#include "kinds/kubernetes/lease.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/loop.h"

#define LEASES     "/apis/coordination.k8s.io/v1/namespaces/%s/leases"
#define TIMEOUT_MS (KUBERNETES_LEASE_GIVE_UP_MS / 2)
#define TIME_BYTES 40
#define NOT_FAILED (-1)

struct kubernetes_lease {
	struct kubernetes_cluster *cluster;
	kubernetes_lease_f *changed;
	void *arg;
	char *identity, *collection, *path;

	struct kubernetes_call *call; /* the one that is under way */
	struct loop_timer *next;      /* of the next try */
	struct loop_timer *deadline;  /* of a holder */
	uint64_t sent_ms;             /* the call was */
	bool ask; /* what the server has is not known: read it first */

	/* What the server had last: the whole object, or NULL; its spec as
	 * text, and since when it says that. */
	struct doc *object;
	char *seen;
	uint64_t seen_ms;
	/* This process wrote that spec. A name proves nothing: two gateways may
	 * have been given the same. */
	bool mine;
	char *attempt; /* the spec that was sent last, taken or not */

	bool held;
	uint64_t held_until_ms;
	int failed; /* the status of a failure that was told; or NOT_FAILED */
};

static uint64_t
now_ms(const struct kubernetes_lease *l)
{
	return loop_now_ms(l->cluster->program->loop);
}

static void
tell(const struct kubernetes_lease *l, enum kind_level level, const char *text)
{
	struct kind_program *p = l->cluster->program;

	p->condition_set(p, "leader", level, text);
}

static void
next_start(struct kubernetes_lease *l)
{
	loop_timer_start(l->next,
		KUBERNETES_LEASE_RETRY_MS +
			arc4random_uniform(KUBERNETES_LEASE_RETRY_MS / 5 + 1));
}

/* ---- the object */

/* MicroTime of the API. */
static void
time_put(struct doc *spec, const char *key)
{
	uint64_t now = clock_realtime_ms();
	time_t seconds = (time_t)(now / 1000);
	char text[TIME_BYTES], whole[TIME_BYTES + 16];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(whole, sizeof(whole), "%s.%03u000Z", text,
		(unsigned)(now % 1000));
	doc_set_string(spec, key, whole);
}

static struct doc *
map_below(struct doc *d, const char *key)
{
	struct doc *map = doc_get(d, key);

	return doc_type(map) == DOC_MAP ? map
					: doc_set(d, key, doc_new_map());
}

static void
holder_put(const struct kubernetes_lease *l, struct doc *spec)
{
	int64_t transitions = doc_get_integer(spec, "leaseTransitions");

	if (!l->mine) {
		if (transitions < 0 || transitions >= INT32_MAX)
			transitions = 0;
		if (l->object != NULL)
			transitions++;
		doc_set(spec, "leaseTransitions",
			doc_new_integer(transitions));
		time_put(spec, "acquireTime");
	}
	doc_set_string(spec, "holderIdentity", l->identity);
	doc_set(spec, "leaseDurationSeconds",
		doc_new_integer(KUBERNETES_LEASE_MS / 1000));
	time_put(spec, "renewTime");
}

/* For whoever comes next. */
static void
holder_remove(struct doc *spec)
{
	doc_free(doc_steal(spec, "holderIdentity"));
	doc_set(spec, "leaseDurationSeconds", doc_new_integer(1));
	time_put(spec, "renewTime");
}

/* What was seen last, with us or nobody as holder; its resourceVersion makes
 * the server refuse it if there is a newer one. */
static struct doc *
object_make(const struct kubernetes_lease *l, bool held)
{
	struct doc *d = l->object != NULL ? doc_copy(l->object)
					  : doc_new_map();
	struct doc *meta = map_below(d, "metadata");

	doc_set_string(d, "apiVersion", "coordination.k8s.io/v1");
	doc_set_string(d, "kind", "Lease");
	doc_set_string(meta, "name", KUBERNETES_LEASE_NAME);
	doc_set_string(meta, "namespace", l->cluster->settings->namespace_);
	doc_free(doc_steal(meta, "managedFields"));
	if (held)
		holder_put(l, map_below(d, "spec"));
	else
		holder_remove(map_below(d, "spec"));
	return d;
}

static char *
spec_text(const struct doc *object)
{
	struct str text;

	str_init(&text);
	json_doc_write(doc_get(object, "spec"), 0, &text);
	return str_steal(&text);
}

static void
object_forget(struct kubernetes_lease *l)
{
	doc_free(l->object);
	free(l->seen);
	l->object = NULL;
	l->seen = NULL;
	l->mine = false;
}

static bool
text_is(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* The object as it was read or answered. */
static void
object_see(struct kubernetes_lease *l, const struct doc *object, bool mine)
{
	char *text = spec_text(object);

	if (!text_is(text, l->seen)) {
		l->seen_ms = now_ms(l);
		l->mine = mine || text_is(text, l->attempt);
	}
	doc_free(l->object);
	free(l->seen);
	l->object = doc_copy(object);
	l->seen = text;
	l->ask = false;
}

/* ---- who leads */

static void
lose(struct kubernetes_lease *l)
{
	if (!l->held)
		return;
	l->held = false;
	loop_timer_stop(l->deadline);
	l->changed(false, l->arg);
}

static void
on_deadline(void *arg)
{
	struct kubernetes_lease *l = arg;
	char text[160];

	lose(l);
	snprintf(text, sizeof(text),
		"does not lead any more: the Lease could not be renewed for "
		"%d s",
		KUBERNETES_LEASE_GIVE_UP_MS / 1000);
	tell(l, KIND_WARNING, text);
}

static void
win(struct kubernetes_lease *l)
{
	uint64_t now = now_ms(l);

	if (now >= l->sent_ms + KUBERNETES_LEASE_GIVE_UP_MS)
		return;
	l->failed = NOT_FAILED;
	l->held_until_ms = l->sent_ms + KUBERNETES_LEASE_GIVE_UP_MS;
	loop_timer_start(l->deadline, l->held_until_ms - now);
	if (l->held)
		return;
	l->held = true;
	tell(l, KIND_NOTE, "leader");
	l->changed(true, l->arg);
}

bool
kubernetes_lease_held(const struct kubernetes_lease *l)
{
	return l->held && now_ms(l) < l->held_until_ms;
}

/* ---- calls */

static void
on_failure(struct kubernetes_lease *l, const struct kubernetes_answer *answer,
	const char *what)
{
	char text[400];

	l->ask = true;
	if (answer->status == 409 || answer->status == 404)
		lose(l);
	if (answer->status == 409) { /* that is certainly not what stands there */
		free(l->attempt);
		l->attempt = NULL;
	}
	/* Once: the words of a problem may be others each time. */
	if (!l->held && answer->status != 409 && answer->status != l->failed) {
		l->failed = answer->status;
		snprintf(text, sizeof(text),
			"does not lead: cannot %s the Lease %.128s/%s: %.160s",
			what, l->cluster->settings->namespace_,
			KUBERNETES_LEASE_NAME,
			answer->problem != NULL ? answer->problem
						: "the answer is no Lease");
		tell(l, KIND_WARNING, text);
	}
	next_start(l);
}

static bool
is_lease(const struct kubernetes_answer *answer)
{
	return answer->problem == NULL && doc_type(answer->doc) == DOC_MAP;
}

static void
on_write(const struct kubernetes_answer *answer, void *arg)
{
	struct kubernetes_lease *l = arg;

	l->call = NULL;
	if (!is_lease(answer)) {
		on_failure(l, answer, "write");
		return;
	}
	object_see(l, answer->doc, true);
	win(l);
	next_start(l);
}

static struct kubernetes_call *
object_send(struct kubernetes_api *api, const struct kubernetes_lease *l,
	const struct doc *object, uint64_t timeout_ms, kubernetes_answer_f *cb,
	void *arg)
{
	struct kubernetes_request r = {
		.method = l->object != NULL ? "PUT" : "POST",
		.path = l->object != NULL ? l->path : l->collection,
		.timeout_ms = timeout_ms,
		.once = true,
		.urgent = true,
	};
	struct kubernetes_call *call;
	struct str body;

	str_init(&body);
	json_doc_write(object, 0, &body);
	r.body = (struct slice){ body.data, body.length };
	call = kubernetes_api_call(api, &r, cb, arg);
	str_fini(&body);
	return call;
}

static void
lease_write(struct kubernetes_lease *l)
{
	struct doc *object = object_make(l, true);

	l->sent_ms = now_ms(l);
	free(l->attempt);
	l->attempt = spec_text(object);
	l->call = object_send(
		l->cluster->api, l, object, TIMEOUT_MS, on_write, l);
	doc_free(object);
}

/* Somebody else has it: who, and when that may be over. */
static void
follow(struct kubernetes_lease *l, const char *holder)
{
	uint64_t over_ms = l->seen_ms + KUBERNETES_LEASE_MS - now_ms(l);
	char text[200];

	lose(l);
	l->failed = NOT_FAILED;
	snprintf(text, sizeof(text), "follower of %.160s", holder);
	tell(l, KIND_NOTE, text);
	if (over_ms < KUBERNETES_LEASE_RETRY_MS)
		loop_timer_start(l->next, over_ms);
	else
		next_start(l);
}

/* Who may lead by what was seen last; NULL: nobody, or this process. */
static const char *
holder_get(const struct kubernetes_lease *l)
{
	const char *holder =
		doc_get_text(doc_get(l->object, "spec"), "holderIdentity");

	return l->mine || holder[0] == '\0' ||
			       now_ms(l) >= l->seen_ms + KUBERNETES_LEASE_MS
		       ? NULL
		       : holder;
}

/* Somebody deleted it; its holder may not have heard of that. */
static void
on_deleted(struct kubernetes_lease *l)
{
	const char *holder = holder_get(l);

	if (holder != NULL) {
		follow(l, holder);
		return;
	}
	lose(l);
	object_forget(l);
	lease_write(l);
}

static void
on_read(const struct kubernetes_answer *answer, void *arg)
{
	struct kubernetes_lease *l = arg;
	const char *holder;

	l->call = NULL;
	if (answer->status == 404) {
		on_deleted(l);
		return;
	}
	if (!is_lease(answer)) {
		on_failure(l, answer, "read");
		return;
	}
	object_see(l, answer->doc, false);
	holder = holder_get(l);
	if (holder == NULL)
		lease_write(l);
	else
		follow(l, holder);
}

static void
on_next(void *arg)
{
	struct kubernetes_lease *l = arg;
	struct kubernetes_request r = {
		.path = l->path,
		.timeout_ms = TIMEOUT_MS,
		.once = true,
		.urgent = true,
	};

	if (l->mine && !l->ask)
		lease_write(l);
	else
		l->call = kubernetes_api_call(
			l->cluster->api, &r, on_read, l);
}

/* ---- the whole */

/* The random part: a process that begins anew does not take what an older one
 * of this box holds for its own. */
static char *
identity_make(const struct kubernetes_settings *settings)
{
	char host[HOST_NAME_MAX + 1];
	uint64_t number;

	if (settings->identity != NULL)
		return xstrdup(settings->identity);
	if (gethostname(host, sizeof(host)) != 0)
		snprintf(host, sizeof(host), "gateway");
	host[sizeof(host) - 1] = '\0';
	arc4random_buf(&number, sizeof(number));
	return xasprintf("%s_%016" PRIx64, host, number);
}

struct kubernetes_lease *
kubernetes_lease_new(
	struct kubernetes_cluster *c, kubernetes_lease_f *changed, void *arg)
{
	struct kubernetes_lease *l = xcalloc(1, sizeof(*l));

	l->cluster = c;
	l->changed = changed;
	l->arg = arg;
	l->failed = NOT_FAILED;
	l->identity = identity_make(c->settings);
	l->collection = xasprintf(LEASES, c->settings->namespace_);
	l->path = xasprintf("%s/%s", l->collection, KUBERNETES_LEASE_NAME);
	l->next = loop_timer_new(c->program->loop, on_next, l);
	l->deadline = loop_timer_new(c->program->loop, on_deadline, l);
	loop_timer_start(l->next, 0);
	return l;
}

struct release {
	struct loop *loop;
	struct kubernetes_call *call;
};

static void
on_released(const struct kubernetes_answer *answer, void *arg)
{
	struct release *r = arg;

	(void)answer;
	r->call = NULL;
	loop_stop(r->loop);
}

static void
on_release_late(void *arg)
{
	loop_stop(((struct release *)arg)->loop);
}

/* On a loop of its own: the program's may have ended, or is what calls us. */
static void
release(struct kubernetes_lease *l)
{
	struct release r = { .loop = loop_new() };
	struct http_client *http = http_client_new(r.loop);
	struct kubernetes_api *api =
		kubernetes_api_new(r.loop, http, l->cluster->account);
	struct loop_timer *late =
		loop_timer_new(r.loop, on_release_late, &r);
	struct doc *object = object_make(l, false);

	loop_timer_start(late, KUBERNETES_LEASE_RELEASE_MS);
	r.call = object_send(api, l, object, KUBERNETES_LEASE_RELEASE_MS,
		on_released, &r);
	loop_run(r.loop);
	if (r.call != NULL)
		kubernetes_call_cancel(r.call);
	doc_free(object);
	loop_timer_free(late);
	kubernetes_api_free(api);
	http_client_free(http);
	loop_free(r.loop);
}

void
kubernetes_lease_free(struct kubernetes_lease *l)
{
	if (l == NULL)
		return;
	if (l->call != NULL)
		kubernetes_call_cancel(l->call);
	loop_timer_free(l->next);
	loop_timer_free(l->deadline);
	if (kubernetes_lease_held(l) && !l->ask)
		release(l);
	object_forget(l);
	free(l->attempt);
	free(l->identity);
	free(l->collection);
	free(l->path);
	free(l);
}
