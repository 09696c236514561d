/* Resources of another store. */
#include "control/foreign.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/table.h"
#include "config/config.h"
#include "config/store.h"
#include "control/calls.h"
#include "control/change.h"
#include "control/materials.h"
#include "control/programs.h"
#include "control/status.h"
#include "net/loop.h"

/* Pending is told only of what stays so. */
#define PENDING_TOLD_MS CONTROL_ANSWER_MS

struct resource {
	enum model_type type;
	char *ns, *name;
	uint64_t generation;
	bool seen; /* put since the kind was opened */
	/* Why it has no object of its own (then Rejected), and what it would
	 * be, if that is known. */
	char *problem;
	struct model_object *held;

	bool due; /* to be judged once it is enforced */
	uint64_t pending_ms; /* since when it is Pending; 0: it is not */
	char *told;          /* the verdict that was told; NULL: none */
	char *uid; /* of the object that it is of; NULL: none was put yet */
};

struct foreign {
	struct program *program;
	struct table *resources; /* "plural/ns/name" to struct resource */
	/* After a burst: objects that others were in the way of are tried
	 * again, and what waits for no proxy is judged. */
	struct loop_timer *soon;
};

static void
resource_free(void *value)
{
	struct resource *r = value;

	model_object_unref(r->held);
	free(r->problem);
	free(r->told);
	free(r->uid);
	free(r->ns);
	free(r->name);
	free(r);
}

static char *
key_of(enum model_type type, const char *ns, const char *name)
{
	return xasprintf("%s/%s/%s", model_type_plural(type), ns, name);
}

static struct resource *
resource_get(const struct foreign *f, enum model_type type, const char *ns,
	const char *name)
{
	char *key = key_of(type, ns, name);
	struct resource *r = table_get(f->resources, key);

	free(key);
	return r;
}

static struct resource *
resource_take(struct foreign *f, enum model_type type, const char *ns,
	const char *name)
{
	struct resource *r = resource_get(f, type, ns, name);
	char *key;

	if (r != NULL)
		return r;
	key = key_of(type, ns, name);
	r = xcalloc(1, sizeof(*r));
	r->type = type;
	r->ns = xstrdup(ns);
	r->name = xstrdup(name);
	table_set(f->resources, key, r);
	free(key);
	return r;
}

size_t
foreign_count(const struct foreign *f)
{
	return f == NULL ? 0 : table_count(f->resources);
}

static struct object *
object_of(const struct foreign *f, const struct resource *r)
{
	return objects_find(
		f->program->control->objects, r->type, r->ns, r->name);
}

static bool
is_ours(const struct foreign *f, const struct object *o)
{
	return o != NULL && o->origin == f->program->kind;
}

/* ---- enforcing */

/* Whose place it would take. */
static char *
other_explain(const struct control *c, const struct object *o)
{
	char *path, *text;

	if (o->origin != NULL)
		return xasprintf("%s has a %s of that name, which is served",
			o->origin->title, model_type_kind(o->type));
	path = store_path(c->store, o->type, o->ns, o->name);
	text = xasprintf("the gateway has a %s of that name in its own store, "
			 "%s, which is served; delete that one with glooctl to "
			 "have this one",
		model_type_kind(o->type), path);
	free(path);
	return text;
}

/* Takes problem and m, which may be NULL. */
static void
resource_hold(struct resource *r, char *problem, struct model_object *m)
{
	free(r->problem);
	model_object_unref(r->held);
	r->problem = problem;
	r->held = m;
}

/* What serves goes on; takes wanted, which may be NULL. */
static void
resource_reject(struct foreign *f, const struct resource *r, const char *why,
	struct model_object *wanted)
{
	struct object *o = objects_take(
		f->program->control->objects, r->type, r->ns, r->name);

	if (!o->rejected || strcmp(o->reason, why) != 0)
		log_warn("%s %s of %s: Rejected: %s%s",
			model_type_kind(o->type), o->label,
			f->program->kind->title, why,
			o->model != NULL ? " (its last good version goes on)"
					 : "");
	o->origin = f->program->kind;
	model_object_unref(o->wanted);
	o->wanted = wanted;
	object_reject(o, why, 0);
}

/* Takes m. */
static struct object *
resource_apply(
	struct foreign *f, const struct resource *r, struct model_object *m)
{
	struct control *c = f->program->control;
	uint64_t version = m->meta->resource_version;
	struct model_object *wanted = model_object_ref(m);
	struct error err = ERROR_INIT;
	struct change change;
	struct object *o;
	bool beside;

	if (change_prepare(c, m, &change, &beside, &err) != 0) {
		if (!beside)
			model_object_unref(wanted);
		resource_reject(f, r, err.text, beside ? wanted : NULL);
		return NULL;
	}
	model_object_unref(wanted);
	change.lazily = true;
	o = change_apply(c, &change, version);
	o->origin = f->program->kind;
	return o;
}

/* Takes m. NULL: it is as it was, or is not served. */
static struct object *
resource_serve(struct foreign *f, struct resource *r, struct model_object *m)
{
	struct object *o = object_of(f, r);

	if (o != NULL && !is_ours(f, o)) {
		resource_hold(r, other_explain(f->program->control, o), m);
		return NULL;
	}
	resource_hold(r, NULL, NULL);
	if (o == NULL || o->model == NULL || o->rejected ||
		!config_equal(m, o->model))
		return resource_apply(f, r, m);
	model_object_unref(m);
	return NULL;
}

/* ---- putting */

/* What else an API server writes there is not ours: its resourceVersion is
 * another one than that of our objects. */
static void
metadata_reduce(struct doc *d, enum model_type type)
{
	static const char *const kept[] = { "annotations", "labels", "name",
		"namespace", "creationTimestamp" };
	/* Of a secret its age is shown. */
	size_t count = ARRAY_SIZE(kept) - (type != MODEL_SECRET);
	struct doc *old, *now;

	if (doc_type(doc_get(d, "metadata")) != DOC_MAP)
		return;
	old = doc_steal(d, "metadata");
	now = doc_new_map();
	for (size_t i = 0; i < count; i++) {
		struct doc *value = doc_steal(old, kept[i]);

		if (value != NULL)
			doc_set(now, kept[i], value);
	}
	doc_set(d, "metadata", now);
	config_doc_free(old, type);
}

/* Deleted and made again under its name it has the same generation as before,
 * and nobody was told a verdict of it. */
static void
uid_take(struct resource *r, const char *uid)
{
	if (r->uid != NULL && strcmp(r->uid, uid) == 0)
		return;
	free(r->uid);
	r->uid = xstrdup(uid);
	free(r->told);
	r->told = NULL;
}

void
foreign_put(struct foreign *f, enum model_type type, const char *ns,
	const char *name, struct doc *d, uint64_t generation)
{
	struct control *c = f->program->control;
	struct error err = ERROR_INIT;
	struct model_object *m;
	struct resource *r;
	struct object *o;

	/* They become names of files. */
	if (!model_name_valid(ns) || !model_name_valid(name)) {
		log_warn("%s has a %s with an impossible name, which is left "
			 "aside",
			f->program->kind->title, model_type_kind(type));
		config_doc_free(d, type);
		return;
	}
	r = resource_take(f, type, ns, name);
	r->seen = true;
	r->due = true;
	r->generation = generation;
	uid_take(r, doc_get_text(doc_get(d, "metadata"), "uid"));
	metadata_reduce(d, type);
	m = change_read(c, type, ns, name, d, &err);
	config_doc_free(d, type);
	o = object_of(f, r);
	if (m != NULL) {
		resource_serve(f, r, m);
	} else if (o == NULL || is_ours(f, o)) {
		resource_hold(r, NULL, NULL);
		resource_reject(f, r, err.text, NULL);
	} else {
		resource_hold(r, xstrdup(err.text), NULL);
	}
	loop_timer_start(f->soon, 0);
}

/* ---- removing */

static struct state_report
report_of(const struct foreign *f, const struct resource *r)
{
	return (struct state_report){ STATE_RESOURCES, f->program->kind->key,
		r->type, r->ns, r->name };
}

/* r is freed. */
static void
resource_end(struct foreign *f, struct resource *r)
{
	struct control *c = f->program->control;
	struct state_report report = report_of(f, r);
	char *key = key_of(r->type, r->ns, r->name);
	enum model_type type = r->type;
	struct object *o = object_of(f, r);
	char *ns = xstrdup(r->ns), *name = xstrdup(r->name);

	state_report_remove(c->state, &report);
	table_remove(f->resources, key);
	if (is_ours(f, o)) {
		change_remove(c, o);
		programs_freed(c, type, ns, name);
	}
	free(key);
	free(ns);
	free(name);
}

void
foreign_remove(struct foreign *f, enum model_type type, const char *ns,
	const char *name)
{
	struct resource *r = resource_get(f, type, ns, name);

	if (r == NULL)
		return;
	resource_end(f, r);
	loop_timer_start(f->soon, 0);
}

/* Those of the type (MODEL_TYPE_COUNT: of any) that were not put. */
static void
unseen_end(struct foreign *f, enum model_type type)
{
	struct resource **gone =
		xcalloc(table_count(f->resources) + 1, sizeof(*gone));
	size_t count = 0, place = 0;
	const char *key;
	void *value;

	while (table_next(f->resources, &place, &key, &value)) {
		struct resource *r = value;

		if (!r->seen && (type == MODEL_TYPE_COUNT || r->type == type))
			gone[count++] = r;
	}
	for (size_t i = 0; i < count; i++)
		resource_end(f, gone[i]);
	free(gone);
	loop_timer_start(f->soon, 0);
}

static void
secrets_settled(struct program *p)
{
	p->secrets_settled = true;
	materials_secrets_settled(p->control, p->kind);
	calls_secrets_settled(p->control, p->kind);
}

void
foreign_settled(struct foreign *f, enum model_type type)
{
	unseen_end(f, type);
	if (type == MODEL_SECRET)
		secrets_settled(f->program);
}

void
foreign_again(struct foreign *f)
{
	size_t place = 0;
	const char *key;
	void *value;

	while (table_next(f->resources, &place, &key, &value)) {
		struct resource *r = value;

		r->seen = r->due = false;
		free(r->told);
		r->told = NULL;
	}
}

void
foreign_forget(struct foreign *f)
{
	foreign_again(f);
	unseen_end(f, MODEL_TYPE_COUNT);
	secrets_settled(f->program);
}

/* ---- names that change hands */

void
foreign_displace(struct foreign *f, struct object *o)
{
	struct resource *r = resource_get(f, o->type, o->ns, o->name);
	struct model_object *m = o->wanted != NULL ? o->wanted : o->model;

	if (r == NULL || !is_ours(f, o))
		return;
	o->origin = NULL;
	resource_hold(r, other_explain(f->program->control, o),
		m == NULL ? NULL : model_object_ref(m));
	r->due = true;
	loop_timer_start(f->soon, 0);
}

bool
foreign_take_place(struct foreign *f, enum model_type type, const char *ns,
	const char *name)
{
	struct resource *r = resource_get(f, type, ns, name);
	struct model_object *m;

	if (r == NULL || r->problem == NULL)
		return false;
	m = r->held;
	r->held = NULL;
	r->due = true;
	loop_timer_start(f->soon, 0);
	if (m != NULL)
		return resource_serve(f, r, m) != NULL;
	resource_reject(f, r, r->problem, NULL);
	resource_hold(r, NULL, NULL);
	return false;
}

/* ---- telling */

/* False: it is on its way. */
static bool
is_settled(struct resource *r, enum status_state state)
{
	uint64_t now = clock_monotonic_ms();

	if (state != STATUS_PENDING) {
		r->pending_ms = 0;
		return true;
	}
	if (r->pending_ms == 0)
		r->pending_ms = now;
	return now - r->pending_ms >= PENDING_TOLD_MS;
}

static void
verdict_tell(struct foreign *f, struct resource *r, const char *state,
	const char *reason)
{
	const struct kind_verdict v = { r->type, r->ns, r->name, state, reason,
		r->generation };
	bool pending = strcmp(state, "Pending") == 0;
	/* The generation that a reason of Pending names is another each time.
	 */
	char *text = xasprintf("%llu %s %s", (unsigned long long)r->generation,
		state, pending ? "" : reason);
	bool same = r->told != NULL && strcmp(r->told, text) == 0;

	free(r->told);
	r->told = text;
	if (!same && f->program->kind->judged != NULL)
		f->program->kind->judged(f->program->shared, &v);
}

static void
resource_judge(struct foreign *f, struct resource *r)
{
	const struct object *o = object_of(f, r);
	struct status s;

	if (r->problem != NULL) {
		r->due = false;
		verdict_tell(f, r, "Rejected", r->problem);
		return;
	}
	if (!is_ours(f, o))
		return;
	status_init(&s, f->program->control, o, 0);
	if (is_settled(r, s.state)) {
		/* What waits for others is looked at after each change. */
		r->due = o->wanted != NULL;
		verdict_tell(f, r, status_state_name(s.state), s.reason);
	}
	status_fini(&s);
}

void
foreign_judge(struct foreign *f, bool all)
{
	size_t place = 0;
	const char *key;
	void *value;

	if (!f->program->open)
		return;
	while (table_next(f->resources, &place, &key, &value)) {
		struct resource *r = value;

		if (r->seen && (all || r->due))
			resource_judge(f, r);
	}
}

static void
on_soon(void *arg)
{
	struct foreign *f = arg;

	change_retry(f->program->control);
	foreign_judge(f, false);
}

/* ---- from disk */

static void
on_remembered(const struct state_report *report, struct doc *d, void *arg)
{
	struct foreign *f = arg;
	struct error err = ERROR_INIT;
	struct model_object *m = change_read(f->program->control, report->type,
		report->ns, report->name, d, &err);
	struct object *o;

	doc_free(d);
	if (m == NULL) {
		log_warn("state: %s %s.%s of %s is left aside: %s",
			model_type_kind(report->type), report->ns, report->name,
			f->program->kind->title, err.text);
		return;
	}
	o = resource_serve(f,
		resource_take(f, report->type, report->ns, report->name), m);
	if (o != NULL)
		o->good_due = false;
}

struct foreign *
foreign_new(struct program *p)
{
	struct foreign *f = xcalloc(1, sizeof(*f));

	f->program = p;
	f->resources = table_new(resource_free);
	f->soon = loop_timer_new(p->control->loop, on_soon, f);
	state_reports_each(p->control->state, STATE_RESOURCES, p->kind->key,
		on_remembered, f);
	return f;
}

void
foreign_free(struct foreign *f)
{
	if (f == NULL)
		return;
	loop_timer_free(f->soon);
	table_free(f->resources);
	free(f);
}
