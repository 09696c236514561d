/* The endpoints and functions of one upstream. */
#include "control/discovery.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/callee.h"
#include "control/calls.h"
#include "control/function_probe.h"
#include "control/health.h"
#include "control/programs.h"
#include "control/relation.h"
#include "control/services.h"
#include "control/supervise.h"
#include "net/loop.h"

#define TELL_MS        50   /* between two messages of one upstream's set */
#define SAVE_MS        1000 /* a set that moves is written once a second */
#define SAVE_HEALTH_MS 10000 /* after an endpoint went down or up */
/* Between two sets: when a thousand of them come at once, files are made beside
 * other work, not all before it. */
#define SAVE_GAP_MS 2

struct discovery {
	struct kind_host host; /* first: the kind hands it back */
	struct control *control;
	char *ns, *name, *label, *key;
	uint32_t id;
	struct model_object *model; /* whose spec is watched */
	void *watch;
	struct health *health;
	struct doc *found_for; /* the spec whose endpoints these are, or NULL */
	bool found_anew;       /* they were found since watch */
	uint64_t version;
	uint64_t changed_ms; /* since 1970; 0: not since control started */
	struct loop_timer *tell; /* runs while a change waits */
	uint64_t told_ms;        /* when the last change was told; 0: never */
	uint64_t messages;       /* that took the set to a proxy */
	char *problem;
	uint64_t problem_since;
	char *note;
	struct loop_timer *save;
	bool save_late; /* it runs for SAVE_HEALTH_MS */
	struct callee *callee;
};

static void
on_save(void *arg)
{
	struct discovery *d = arg;
	struct error err = ERROR_INIT;
	size_t count;
	const struct endpoint *set = health_endpoints(d->health, &count);

	if (state_endpoints_write(
		    d->control->state, d->ns, d->name, d->found_for, set, count,
		    &err) != 0)
		log_warn("state: %s", err.text);
}

static void
save_start(struct discovery *d)
{
	struct control *c = d->control;
	uint64_t now = loop_now_ms(c->loop), due = now + SAVE_MS;

	if (due < c->save_next_ms)
		due = c->save_next_ms;
	c->save_next_ms = due + SAVE_GAP_MS;
	loop_timer_start(d->save, due - now);
}

static void
on_health(void *arg)
{
	struct discovery *d = arg;

	if (loop_timer_pending(d->save))
		return;
	loop_timer_start(d->save, SAVE_HEALTH_MS);
	d->save_late = true;
}

void
discovery_tell(struct discovery *d)
{
	const struct endpoint *set;
	size_t count;

	if (d == NULL)
		return;
	loop_timer_stop(d->tell);
	set = health_endpoints(d->health, &count);
	d->messages += supervisor_send_endpoints(
		d->control->supervisor, d->id, d->version, set, count);
}

/* The first change at once; while changes keep coming one message for all of
 * TELL_MS. A timer may be early by what its loop was busy with. */
static void
on_tell(void *arg)
{
	struct discovery *d = arg;
	uint64_t now = clock_monotonic_ms();

	if (d->told_ms != 0 && now - d->told_ms < TELL_MS) {
		loop_timer_start(d->tell, TELL_MS - (now - d->told_ms));
		return;
	}
	d->told_ms = now;
	discovery_tell(d);
}

static void
on_change(struct discovery *d)
{
	d->version++;
	d->changed_ms = clock_realtime_ms();
	services_touch_upstream(d->control, d->id);
	if (!loop_timer_pending(d->tell))
		on_tell(d);
}

/* What is used is of the spec that is watched. False: so it was before. */
static bool
found_note(struct discovery *d)
{
	const struct model_upstream *u = d->model->upstream;
	struct doc *spec;
	bool same;

	if (d->found_anew)
		return false;
	d->found_anew = true;
	d->host.used_spec = NULL;
	spec = u->kind->print(u->spec);
	same = d->found_for != NULL && doc_equal(d->found_for, spec);
	doc_free(d->found_for);
	d->found_for = spec;
	return !same;
}

static void
save_soon(struct discovery *d)
{
	if (!loop_timer_pending(d->save) || d->save_late)
		save_start(d);
	d->save_late = false;
}

static void
on_endpoints(struct kind_host *host, const struct endpoint *set, size_t count)
{
	struct discovery *d = (struct discovery *)host;

	if (count > ENDPOINTS_MAX) {
		log_warn("upstream %s: %zu endpoints, %d are used", d->label,
			count, ENDPOINTS_MAX);
		count = ENDPOINTS_MAX;
	}
	if (found_note(d))
		save_soon(d);
	if (!health_replace(d->health, set, count))
		return;
	on_change(d);
	log_debug("upstream %s: endpoints count=%zu", d->label, count);
	save_soon(d);
}

static const struct endpoint *
used_endpoints(struct kind_host *host, size_t *count)
{
	const struct discovery *d = (struct discovery *)host;

	return health_endpoints(d->health, count);
}

static void
on_note(struct kind_host *host, const char *note)
{
	struct discovery *d = (struct discovery *)host;

	free(d->note);
	d->note = note == NULL ? NULL : xstrdup(note);
	if (note == NULL)
		return;
	/* Others' words may be in it. */
	text_defuse(d->note);
	log_warn("upstream %s: %s", d->label, d->note);
}

static void
on_condition(struct kind_host *host, bool ok, const char *reason)
{
	struct discovery *d = (struct discovery *)host;
	char *text;

	if (ok) {
		if (d->problem != NULL)
			log_info(
				"upstream %s: discovery works again", d->label);
		free(d->problem);
		d->problem = NULL;
		return;
	}
	text = xstrdup(reason);
	text_defuse(text);
	if (d->problem == NULL)
		d->problem_since = clock_realtime_ms();
	if (d->problem == NULL || strcmp(d->problem, text) != 0)
		log_warn("upstream %s: %s", d->label, text);
	free(d->problem);
	d->problem = text;
}

/* ---- functions */

static const struct model_secret *
on_secret_get(struct kind_host *host)
{
	return callee_secret(((const struct discovery *)host)->callee);
}

static void
on_credentials(struct kind_host *host, const void *bytes, size_t length)
{
	callee_credentials_replace(
		((const struct discovery *)host)->callee, bytes, length);
}

static void
on_functions(struct kind_host *host, const char *const *names, size_t count)
{
	callee_functions_replace(
		((const struct discovery *)host)->callee, names, count);
}

static const char *const *
known_functions(struct kind_host *host, size_t *count)
{
	return callee_functions(
		((const struct discovery *)host)->callee, count);
}

static void
on_functions_used(struct kind_host *host, kind_function_f *each, void *arg)
{
	const struct discovery *d = (const struct discovery *)host;

	calls_functions_each(d->control, d->model->upstream, each, arg);
}

/* ---- watching */

void
discovery_watch(struct discovery *d)
{
	const struct model_upstream *u = d->model->upstream;

	if (programs_not_served(d->control, u->kind) != NULL)
		return;
	d->host.shared = programs_shared(d->control, u->kind);
	d->host.dns_refresh_ms = model_dns_refresh_ms(u);
	d->host.tls = u->tls != NULL;
	d->host.meta = &u->meta;
	d->host.used_spec = d->found_for;
	d->found_anew = false;
	d->watch = u->kind->watch(u->spec, &d->host);
	d->host.used_spec = NULL;
}

void
discovery_unwatch(struct discovery *d)
{
	if (d->watch != NULL)
		d->model->upstream->kind->unwatch(d->watch);
	d->watch = NULL;
	function_probe_give_up(d->control->probes, d->key);
	free(d->problem);
	d->problem = NULL;
	free(d->note);
	d->note = NULL;
}

struct discovery *
discovery_new(struct control *c, const struct object *o)
{
	struct discovery *d = xcalloc(1, sizeof(*d));
	struct endpoint *known;
	size_t count;

	d->host = (struct kind_host){
		.loop = c->loop,
		.resolver = c->resolver,
		.endpoints_replace = on_endpoints,
		.endpoints_used = used_endpoints,
		.condition_set = on_condition,
		.note_set = on_note,
		.secret_get = on_secret_get,
		.credentials_replace = on_credentials,
		.functions_replace = on_functions,
		.functions_known = known_functions,
		.functions_used = on_functions_used,
	};
	d->control = c;
	d->ns = xstrdup(o->ns);
	d->name = xstrdup(o->name);
	d->label = xstrdup(o->label);
	d->key = xstrdup(o->key);
	d->id = o->id;
	d->model = model_object_ref(o->model);
	d->save = loop_timer_new(c->loop, on_save, d);
	d->tell = loop_timer_new(c->loop, on_tell, d);
	d->callee = callee_new(c, o);
	d->health = health_new(c, o, on_health, d);
	known = state_endpoints_read(
		c->state, o->ns, o->name, &d->found_for, &count);
	health_restore(d->health, known, count);
	free(known);
	discovery_watch(d);
	callee_show(d->callee);
	if (d->version > 0)
		return d;
	/* No change yet: the first one is told at once. */
	d->version = 1;
	discovery_tell(d);
	services_touch_upstream(c, d->id);
	return d;
}

static bool
pairs_are_same(const struct model_pair *a, size_t a_count,
	const struct model_pair *b, size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++)
		if (strcmp(a[i].key, b[i].key) != 0 ||
			strcmp(a[i].value, b[i].value) != 0)
			return false;
	return true;
}

static bool
labels_are_same(const struct model_meta *a, const struct model_meta *b)
{
	return pairs_are_same(a->labels, a->label_count, b->labels,
		       b->label_count) &&
	       pairs_are_same(a->annotations, a->annotation_count,
		       b->annotations, b->annotation_count);
}

static bool
spec_is_same(const struct model_upstream *a, const struct model_upstream *b)
{
	struct doc *x, *y;
	bool same;

	if (a->kind != b->kind || (a->tls == NULL) != (b->tls == NULL) ||
		model_dns_refresh_ms(a) != model_dns_refresh_ms(b))
		return false;
	/* Labels say whether functions are looked for. */
	if (a->kind->dialect != NULL &&
		!labels_are_same(&a->meta, &b->meta))
		return false;
	x = a->kind->print(a->spec);
	y = b->kind->print(b->spec);
	same = doc_equal(x, y);
	doc_free(x);
	doc_free(y);
	return same;
}

void
discovery_change(struct discovery *d, const struct object *o)
{
	struct model_object *old = d->model;

	health_change(d->health, o->model);
	if (spec_is_same(old->upstream, o->model->upstream))
		return;
	discovery_unwatch(d);
	d->model = model_object_ref(o->model);
	callee_change(d->callee, o->model);
	discovery_watch(d);
	model_object_unref(old);
	/* Whoever edits is told when it is enforced, endpoints and all. */
	if (loop_timer_pending(d->tell))
		discovery_tell(d);
}

void
discovery_free(struct discovery *d)
{
	if (d == NULL)
		return;
	discovery_unwatch(d);
	if (loop_timer_pending(d->save))
		on_save(d);
	loop_timer_free(d->save);
	loop_timer_free(d->tell);
	callee_free(d->callee);
	health_free(d->health);
	doc_free(d->found_for);
	model_object_unref(d->model);
	free(d->ns);
	free(d->name);
	free(d->label);
	free(d->key);
	free(d);
}

const struct endpoint *
discovery_endpoints(const struct discovery *d, size_t *count)
{
	*count = 0;
	return d == NULL ? NULL : health_endpoints(d->health, count);
}

const struct health *
discovery_health(const struct discovery *d)
{
	return d == NULL ? NULL : d->health;
}

uint64_t
discovery_changed_ms(const struct discovery *d)
{
	return d == NULL ? 0 : d->changed_ms;
}

uint64_t
discovery_messages(const struct discovery *d)
{
	return d == NULL ? 0 : d->messages;
}

const char *
discovery_problem(const struct discovery *d, uint64_t *since)
{
	if (d == NULL || d->problem == NULL)
		return NULL;
	*since = d->problem_since;
	return d->problem;
}

const char *
discovery_note(const struct discovery *d)
{
	return d == NULL ? NULL : d->note;
}

void
discovery_show(const struct discovery *d, struct doc *to)
{
	const struct upstream_kind *kind;

	if (d == NULL || d->watch == NULL)
		return;
	kind = d->model->upstream->kind;
	if (kind->show != NULL)
		kind->show(d->watch, to);
}

void
discovery_secret_changed(struct discovery *d)
{
	const struct upstream_kind *kind;

	if (d == NULL || d->watch == NULL)
		return;
	kind = d->model->upstream->kind;
	if (kind->secret_changed != NULL)
		kind->secret_changed(d->watch);
}

void
discovery_credentials_refused(struct discovery *d)
{
	const struct upstream_kind *kind;

	if (d == NULL || d->watch == NULL)
		return;
	kind = d->model->upstream->kind;
	if (kind->credentials_refused != NULL)
		kind->credentials_refused(d->watch);
}

bool
discovery_probe(struct discovery *d, const struct object *o,
	struct http_server_request *r)
{
	char *problem;

	if (d == NULL || d->watch == NULL || d->control->probes == NULL)
		return false;
	problem = relation_kind_secret_problem(
		d->control->objects, d->model->upstream);
	function_probe_run(d->control->probes, o, d->watch, problem, r);
	free(problem);
	return true;
}

const char *const *
discovery_functions(const struct discovery *d, size_t *count)
{
	*count = 0;
	return d == NULL ? NULL : callee_functions(d->callee, count);
}
