/* Upstreams that a kind found. */
#include "control/discovered.h"

#include <stdlib.h>
#include <string.h>

#include "base/doc_merge.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/table.h"
#include "config/config.h"
#include "config/store.h"
#include "control/change.h"
#include "control/programs.h"

#define LABEL "discovered_by"

struct found {
	char *ns, *name;
	struct doc *merged; /* what it said that the store has; or NULL */
	struct doc *said;   /* newer, not in the store yet; or NULL */
	bool seen;          /* found since the kind was opened */
};

struct discovered {
	struct program *program;
	struct table *found; /* "ns/name" to struct found */
};

static void
found_free(void *value)
{
	struct found *f = value;

	doc_free(f->merged);
	doc_free(f->said);
	free(f->ns);
	free(f->name);
	free(f);
}

static struct found *
found_get(const struct discovered *d, const char *ns, const char *name)
{
	char *key = xasprintf("%s/%s", ns, name);
	struct found *f = table_get(d->found, key);

	free(key);
	return f;
}

static struct found *
found_take(struct discovered *d, const char *ns, const char *name)
{
	struct found *f = found_get(d, ns, name);
	char *key;

	if (f != NULL)
		return f;
	key = xasprintf("%s/%s", ns, name);
	f = xcalloc(1, sizeof(*f));
	f->ns = xstrdup(ns);
	f->name = xstrdup(name);
	table_set(d->found, key, f);
	free(key);
	return f;
}

static struct state_report
report_of(const struct discovered *d, const struct found *f)
{
	return (struct state_report){ STATE_DISCOVERED, d->program->kind->key,
		MODEL_UPSTREAM, f->ns, f->name };
}

static void
on_remembered(const struct state_report *r, struct doc *doc, void *arg)
{
	struct found *f = found_take(arg, r->ns, r->name);

	doc_free(f->merged);
	f->merged = doc;
}

struct discovered *
discovered_new(struct program *p)
{
	struct discovered *d = xcalloc(1, sizeof(*d));

	d->program = p;
	d->found = table_new(found_free);
	state_reports_each(p->control->state, STATE_DISCOVERED, p->kind->key,
		on_remembered, d);
	return d;
}

void
discovered_free(struct discovered *d)
{
	if (d == NULL)
		return;
	table_free(d->found);
	free(d);
}

size_t
discovered_count(const struct discovered *d)
{
	return d == NULL ? 0 : table_count(d->found);
}

void
discovered_again(struct discovered *d)
{
	size_t place = 0;
	const char *key;
	void *value;

	while (table_next(d->found, &place, &key, &value))
		((struct found *)value)->seen = false;
}

/* ---- whose it is */

static const char *
label_of(const struct doc *d)
{
	return doc_string(doc_find(d, "metadata", "labels", LABEL, NULL));
}

static bool
has_label(const struct model_meta *meta, const char *label)
{
	for (size_t i = 0; label != NULL && i < meta->label_count; i++)
		if (strcmp(meta->labels[i].key, LABEL) == 0)
			return strcmp(meta->labels[i].value, label) == 0;
	return false;
}

bool
discovered_is_left_alone(
	const struct object *o, const char *label, struct error *err)
{
	if (o == NULL || (o->origin == NULL && o->model != NULL &&
				 has_label(o->model->meta, label)))
		return false;
	if (o->origin != NULL)
		error_set(err, ERROR_CONFIG,
			"the upstream %s is a resource of %s: it is left alone",
			o->label, o->origin->title);
	else if (o->model == NULL)
		error_set(err, ERROR_CONFIG,
			"the upstream %s is Rejected: it is left alone until "
			"its file is mended or removed",
			o->label);
	else
		error_set(err, ERROR_CONFIG,
			"the upstream %s does not have the label " LABEL
			": %s: it was made by hand, and is left alone",
			o->label, label == NULL ? "" : label);
	return true;
}

/* ---- storing */

/* The document of a model as discovery and operators compare it. */
static struct doc *
document_of(const struct model_object *m)
{
	struct doc *d = config_print(m);

	doc_free(doc_steal(doc_get(d, "metadata"), "resourceVersion"));
	return d;
}

/* An operator's change in it is waited for, what can be found again is not. */
static int
model_store(struct control *c, struct model_object *m, bool lazily,
	struct error *err)
{
	struct doc *d;
	int rc;

	m->meta->resource_version = c->version + 1;
	d = config_print(m);
	rc = (lazily ? store_write_lazily : store_write)(
		c->store, m->type, m->meta->ns, m->meta->name, d, err);
	doc_free(d);
	return rc;
}

/* Takes d. */
static int
document_apply(struct control *c, const struct found *f, struct doc *d,
	bool lazily, struct error *err)
{
	struct model_object *m =
		change_read(c, MODEL_UPSTREAM, f->ns, f->name, d, err);
	struct change change;

	doc_free(d);
	if (m == NULL)
		return error_prefix(err,
			"the upstream %s.%s, as discovery and your changes in "
			"it make it",
			f->ns, f->name);
	if (change_prepare(c, m, &change, NULL, err) != 0)
		return -1;
	if (model_store(c, m, lazily, err) != 0) {
		change_drop(c, &change);
		return -1;
	}
	change.lazily = lazily;
	change_apply(c, &change, c->version + 1);
	return 0;
}

/* Brings f->said into the store. 1: its file was just changed by other hands,
 * and that comes first. */
static int
found_apply(struct discovered *d, struct found *f, struct error *err)
{
	struct control *c = d->program->control;
	const struct object *o =
		objects_find(c->objects, MODEL_UPSTREAM, f->ns, f->name);
	bool absent = o == NULL || store_is_empty(c->store, MODEL_UPSTREAM,
					   f->ns, f->name);
	struct state_report report = report_of(d, f);
	struct doc *mine, *whole;
	bool untouched;
	int rc = 0;

	if (store_is_changed(c->store, MODEL_UPSTREAM, f->ns, f->name))
		return 1;
	if (!absent && discovered_is_left_alone(o, label_of(f->said), err))
		return -1;
	if (!absent && o->rejected)
		return error_set(err, ERROR_CONFIG,
			"the upstream %s waits until its file is mended: %s",
			o->label, o->reason);
	mine = absent ? NULL : document_of(o->model);
	whole = absent ? doc_copy(f->said)
		       : doc_merge(f->merged, mine, f->said);
	untouched = absent ||
		    (f->merged != NULL && doc_equal(mine, f->merged));
	if (!absent && doc_equal(mine, whole))
		doc_free(whole);
	else
		rc = document_apply(c, f, whole, untouched, err);
	doc_free(mine);
	if (rc != 0 || state_report_write(c->state, &report, f->said, err) != 0)
		return -1;
	doc_free(f->merged);
	f->merged = f->said;
	f->said = NULL;
	return 0;
}

/* The form in which what discovery says is compared. NULL and err: wrong. */
static struct doc *
said_read(const struct control *c, struct doc *doc, struct error *err)
{
	const char *ns = c->settings->discovery_namespace;
	const char *name =
		doc_string(doc_find(doc, "metadata", "name", NULL));
	struct model_object *m;
	struct doc *said;

	if (name == NULL || label_of(doc) == NULL) {
		error_set(err, ERROR_CONFIG,
			"what was discovered has no metadata.name, or no "
			"label " LABEL);
		return NULL;
	}
	m = change_read(c, MODEL_UPSTREAM, ns, name, doc, err);
	if (m == NULL) {
		error_prefix(err, "what was discovered as %.100s", name);
		return NULL;
	}
	said = document_of(m);
	model_object_unref(m);
	return said;
}

int
discovered_found(struct discovered *d, struct doc *doc, struct error *err)
{
	struct control *c = d->program->control;
	struct doc *said = said_read(c, doc, err);
	struct found *f;

	doc_free(doc);
	if (said == NULL)
		return -1;
	f = found_take(d, c->settings->discovery_namespace,
		doc_string(doc_find(said, "metadata", "name", NULL)));
	f->seen = true;
	if (f->said == NULL && f->merged != NULL &&
		doc_equal(f->merged, said) &&
		objects_find(c->objects, MODEL_UPSTREAM, f->ns, f->name) !=
			NULL) {
		doc_free(said);
		return 0;
	}
	doc_free(f->said);
	f->said = said;
	return found_apply(d, f, err) < 0 ? -1 : 0;
}

void
discovered_look(struct discovered *d)
{
	size_t place = 0;
	const char *key;
	void *value;

	while (table_next(d->found, &place, &key, &value)) {
		struct error err = ERROR_INIT;
		struct found *f = value;

		if (f->said != NULL && found_apply(d, f, &err) == 0)
			log_info("upstream %s.%s: what was discovered is "
				 "stored now",
				f->ns, f->name);
	}
}

bool
discovered_come_back(struct discovered *d, const char *ns, const char *name)
{
	struct found *f = found_get(d, ns, name);
	struct error err = ERROR_INIT;

	if (f == NULL)
		return false;
	if (f->said == NULL)
		f->said = f->merged;
	else
		doc_free(f->merged);
	f->merged = NULL;
	if (found_apply(d, f, &err) == 0)
		return true;
	log_error("upstream %s.%s was discovered and does not come back yet: "
		  "%s",
		ns, name,
		err.code != ERROR_NONE ? err.text : "its file was changed");
	return false;
}

/* ---- going */

/* f is freed by the caller. */
static void
found_remove(struct discovered *d, const struct found *f)
{
	struct control *c = d->program->control;
	struct object *o =
		objects_find(c->objects, MODEL_UPSTREAM, f->ns, f->name);
	const char *label = label_of(f->said != NULL ? f->said : f->merged);
	struct state_report report = report_of(d, f);
	struct error err = ERROR_INIT;

	state_report_remove(c->state, &report);
	if (o == NULL || discovered_is_left_alone(o, label, NULL))
		return;
	if (store_remove(c->store, MODEL_UPSTREAM, f->ns, f->name, &err) != 0)
		log_error("upstream %s is not discovered any more: %s",
			o->label, err.text);
	log_info("upstream %s: is not discovered any more", o->label);
	change_remove(c, o);
}

/* What else reported that name comes in its place. */
static void
found_end(struct discovered *d, struct found *f)
{
	struct control *c = d->program->control;
	char *key = xasprintf("%s/%s", f->ns, f->name);
	char *ns = xstrdup(f->ns), *name = xstrdup(f->name);

	found_remove(d, f);
	table_remove(d->found, key);
	programs_freed(c, MODEL_UPSTREAM, ns, name);
	free(key);
	free(ns);
	free(name);
}

void
discovered_gone(struct discovered *d, const char *name)
{
	struct found *f = found_get(d,
		d->program->control->settings->discovery_namespace, name);

	if (f != NULL)
		found_end(d, f);
}

static const struct doc *
found_said(const struct found *f)
{
	return f->said != NULL ? f->said : f->merged;
}

const struct doc *
discovered_said(const struct discovered *d, const char *name)
{
	const struct control *c = d->program->control;
	const struct found *f =
		found_get(d, c->settings->discovery_namespace, name);

	return f == NULL ? NULL : found_said(f);
}

void
discovered_settled(struct discovered *d, kind_settled_f *settled, void *arg)
{
	size_t count = 0, place = 0;
	struct found **gone =
		xcalloc(table_count(d->found) + 1, sizeof(*gone));
	const char *key;
	void *value;

	while (table_next(d->found, &place, &key, &value))
		if (!((struct found *)value)->seen &&
			(settled == NULL || settled(found_said(value), arg)))
			gone[count++] = value;
	for (size_t i = 0; i < count; i++)
		found_end(d, gone[i]);
	free(gone);
}
