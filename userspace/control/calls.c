/* Calls to functions. */
#include "control/calls.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/doc.h"
#include "control/discovery.h"
#include "control/generation.h"
#include "control/object.h"
#include "control/programs.h"
#include "control/relation.h"
#include "model/dialect.h"
#include "model/kind.h"

/* ---- a destination */

/* The value below the kind's key; false: it is of another kind. */
static bool
spec_find(const struct upstream_kind *kind, const struct doc *spec,
	const struct doc **out)
{
	*out = NULL;
	if (spec == NULL)
		return true;
	*out = doc_get(spec, kind->key);
	return *out != NULL;
}

bool
calls_write(const struct object *o, const struct model_destination *d,
	struct str *settings, char *reason, size_t size)
{
	const struct model_upstream *u = o->model->upstream;
	const struct upstream_kind *kind = u->kind;
	struct error err = ERROR_INIT;
	const char *const *known;
	const struct doc *spec;
	struct str warning;
	size_t count;
	int rc;

	reason[0] = '\0';
	if (!spec_find(kind, d->spec, &spec)) {
		snprintf(reason, size,
			"the upstream \"%s\" is of kind %s, but "
			"destinationSpec has the key \"%.40s\": %s",
			o->label, kind->key, doc_key_at(d->spec, 0),
			kind->dialect == NULL ? "leave it out"
					      : "give it the upstream's");
		return false;
	}
	if (kind->dialect == NULL)
		return true;
	known = discovery_functions(o->discovery, &count);
	str_init(&warning);
	rc = kind->dialect->write(
		u->spec, spec, known, count, settings, &warning, &err);
	if (rc != 0)
		snprintf(reason, size,
			"the upstream \"%s\" cannot be called: "
			"%s",
			o->label, err.text);
	else if (warning.length > 0)
		snprintf(reason, size, "the upstream \"%s\": %s", o->label,
			warning.data);
	str_fini(&warning);
	return rc == 0;
}

/* ---- all destinations */

static void
destinations_each(const struct model_destination *list, size_t count,
	const struct model_upstream *u, kind_function_f *each, void *arg)
{
	for (size_t i = 0; i < count; i++) {
		const struct model_ref *ref = &list[i].upstream;
		const struct doc *spec = doc_get(list[i].spec, u->kind->key);
		const char *name = doc_get_string(spec, u->kind->function_key);

		if (name != NULL && strcmp(ref->name, u->meta.name) == 0 &&
			strcmp(ref->ns, u->meta.ns) == 0)
			each(name, arg);
	}
}

static void
routes_each(const struct model_virtual_service *vs,
	const struct model_upstream *u, kind_function_f *each, void *arg)
{
	for (size_t i = 0; i < vs->route_count; i++)
		destinations_each(vs->routes[i].destinations,
			vs->routes[i].destination_count, u, each, arg);
}

void
calls_functions_each(const struct control *c, const struct model_upstream *u,
	kind_function_f *each, void *arg)
{
	const struct objects *all = c->objects;
	const struct model_object *m;

	for (size_t i = 0; i < objects_count(all, MODEL_VIRTUAL_SERVICE); i++) {
		m = objects_at(all, MODEL_VIRTUAL_SERVICE, i)->model;
		if (m != NULL)
			routes_each(m->virtual_service, u, each, arg);
	}
	for (size_t i = 0; i < objects_count(all, MODEL_UPSTREAM_GROUP); i++) {
		m = objects_at(all, MODEL_UPSTREAM_GROUP, i)->model;
		if (m != NULL)
			destinations_each(m->upstream_group->destinations,
				m->upstream_group->destination_count, u, each,
				arg);
	}
}

/* ---- secrets */

static const struct object *
secret_of(const struct control *c, const struct object *o)
{
	const struct model_ref *ref = relation_kind_secret(o->model->upstream);

	return ref == NULL ? NULL
			   : objects_find(c->objects, MODEL_SECRET, ref->ns,
				     ref->name);
}

bool
calls_secret_awaited(const struct control *c, const struct object *o)
{
	return o->origin != NULL && o->model != NULL &&
	       relation_kind_secret(o->model->upstream) != NULL &&
	       secret_of(c, o) == NULL && programs_secrets_due(c, o->origin);
}

bool
calls_lack(const struct control *c, const struct object *o, char *reason,
	size_t size)
{
	char *problem = calls_secret_awaited(c, o)
				? NULL
				: relation_kind_secret_problem(
					  c->objects, o->model->upstream);

	if (problem == NULL)
		return false;
	snprintf(reason, size, "the upstream \"%s\" cannot be called: %s",
		o->label, problem);
	free(problem);
	return true;
}

bool
calls_cut(const struct control *c, const struct model_upstream *u, char *reason,
	size_t size)
{
	const struct dialect *dialect = u->kind->dialect;
	uint64_t most, room = c->settings->call_bytes;
	uint64_t body = c->settings->body_bytes;

	if (dialect == NULL || dialect->request_max == NULL)
		return false;
	most = dialect->request_max(u->spec);
	/* bodyBytes is the lower one, and 413 says so. */
	if (most <= room || (body > 0 && body <= room))
		return false;
	snprintf(reason, size,
		"limits.callBytes of the settings (%" PRIu64 ") is less than "
		"requests to its functions may be (%" PRIu64 "), so larger "
		"ones are answered 413: raise limits.callBytes, or lower "
		"maxRequestBytes where the upstream has it",
		room, most);
	return true;
}

static bool
names(const struct object *o, const char *ns, const char *name)
{
	const struct model_ref *ref =
		o->model == NULL ? NULL
				 : relation_kind_secret(o->model->upstream);

	return ref != NULL && strcmp(ref->name, name) == 0 &&
	       strcmp(ref->ns, ns) == 0;
}

void
calls_secret_changed(struct control *c, const char *ns, const char *name)
{
	bool any = false;

	for (size_t i = 0; i < objects_count(c->objects, MODEL_UPSTREAM); i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_UPSTREAM, i);

		if (!names(o, ns, name))
			continue;
		any = true;
		discovery_secret_changed(o->discovery);
	}
	if (any)
		c->upstream_epoch++;
}

void
calls_secrets_settled(struct control *c, const struct upstream_kind *kind)
{
	bool any = false;

	for (size_t i = 0; i < objects_count(c->objects, MODEL_UPSTREAM); i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_UPSTREAM, i);

		if (o->origin != kind || o->model == NULL ||
			relation_kind_secret(o->model->upstream) == NULL ||
			secret_of(c, o) != NULL)
			continue;
		any = true;
		discovery_secret_changed(o->discovery);
	}
	if (!any)
		return;
	c->upstream_epoch++;
	generation_look(c);
}
