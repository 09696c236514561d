/* What discovery says of an upstream whose functions are called. */
#include "control/callee.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/calls.h"
#include "control/credentials.h"
#include "control/functions.h"
#include "control/generation.h"
#include "control/relation.h"
#include "model/kind.h"
#include "net/loop.h"

/* For so long the credentials of the former secret are used, at most. */
#define FORMER_MS 10000

struct callee {
	struct control *control;
	char *ns, *name, *label;
	uint32_t id;
	struct model_object *model; /* as it is watched */
	struct functions *functions;
	struct loop_timer *former;
	bool shown;
};

static void
on_former(void *arg)
{
	callee_credentials_replace(arg, NULL, 0);
}

struct callee *
callee_new(struct control *c, const struct object *o)
{
	struct callee *e = xcalloc(1, sizeof(*e));
	struct doc *names;

	e->control = c;
	e->ns = xstrdup(o->ns);
	e->name = xstrdup(o->name);
	e->label = xstrdup(o->label);
	e->id = o->id;
	e->model = model_object_ref(o->model);
	e->former = loop_timer_new(c->loop, on_former, e);
	e->functions = functions_new();
	if (o->model->upstream->kind->dialect == NULL)
		return e;
	names = state_functions_read(c->state, o->ns, o->name);
	functions_restore(e->functions, names);
	doc_free(names);
	return e;
}

void
callee_free(struct callee *e)
{
	if (e == NULL)
		return;
	loop_timer_free(e->former);
	functions_free(e->functions);
	model_object_unref(e->model);
	free(e->ns);
	free(e->name);
	free(e->label);
	free(e);
}

void
callee_show(struct callee *e)
{
	e->shown = true;
}

/* ---- its secret and credentials */

const struct model_secret *
callee_secret(const struct callee *e)
{
	const struct model_upstream *u = e->model->upstream;
	const struct model_ref *ref = relation_kind_secret(u);
	char *problem = relation_kind_secret_problem(e->control->objects, u);

	/* One of another type has nothing for it. */
	if (ref == NULL || problem != NULL) {
		free(problem);
		return NULL;
	}
	return objects_find(
		e->control->objects, MODEL_SECRET, ref->ns, ref->name)
		->model->secret;
}

void
callee_credentials_replace(struct callee *e, const void *bytes, size_t length)
{
	const struct object *o = objects_find(
		e->control->objects, MODEL_UPSTREAM, e->ns, e->name);

	/* An adopted proxy has some, and nobody could be asked yet. */
	if (length == 0 && o != NULL && calls_secret_awaited(e->control, o))
		return;
	if (length > CREDENTIALS_MAX) {
		log_warn("upstream %s: credentials of %zu bytes are not taken: "
			 "at most %d are",
			e->label, length, CREDENTIALS_MAX);
		return;
	}
	loop_timer_stop(e->former);
	credentials_replace(e->control, e->id, e->model->upstream->kind->key,
		bytes, length);
}

/* ---- its functions */

static void
functions_save(const struct callee *e)
{
	struct error err = ERROR_INIT;
	struct doc *names = functions_print(e->functions);

	if (names == NULL)
		state_functions_remove(e->control->state, e->ns, e->name);
	else if (state_functions_write(
			 e->control->state, e->ns, e->name, names, &err) != 0)
		log_warn("state: %s", err.text);
	doc_free(names);
}

void
callee_functions_replace(
	struct callee *e, const char *const *names, size_t count)
{
	if (count > FUNCTIONS_KEPT_MAX)
		log_warn("upstream %s: %zu functions, %d are kept", e->label,
			count, FUNCTIONS_KEPT_MAX);
	if (!functions_replace(e->functions, names, count))
		return;
	log_debug("upstream %s: functions count=%zu", e->label, count);
	functions_save(e);
	if (!e->shown)
		return;
	e->control->upstream_epoch++;
	generation_look(e->control);
}

const char *const *
callee_functions(const struct callee *e, size_t *count)
{
	return functions_get(e->functions, count);
}

/* ---- another version of it */

static bool
secret_is_same(const struct model_upstream *a, const struct model_upstream *b)
{
	const struct model_ref *x = relation_kind_secret(a);
	const struct model_ref *y = relation_kind_secret(b);

	if (x == NULL || y == NULL)
		return x == y;
	return strcmp(x->name, y->name) == 0 && strcmp(x->ns, y->ns) == 0;
}

/* What one dialect signs with the other must not read; if nothing is called any
 * more the proxy goes on until it runs an image that says so. */
static void
kind_change(struct callee *e, const struct upstream_kind *old,
	const struct upstream_kind *now)
{
	callee_functions_replace(e, NULL, 0);
	loop_timer_stop(e->former);
	if (old->dialect != NULL && now->dialect != NULL)
		credentials_replace(e->control, e->id, old->key, NULL, 0);
	else
		credentials_drop(e->control, e->id);
}

void
callee_change(struct callee *e, struct model_object *upstream)
{
	struct model_object *old = e->model;
	const struct model_upstream *was = old->upstream;
	const struct model_upstream *now = upstream->upstream;

	e->model = model_object_ref(upstream);
	if (was->kind != now->kind)
		kind_change(e, was->kind, now->kind);
	else if (!secret_is_same(was, now))
		loop_timer_start(e->former, FORMER_MS);
	model_object_unref(old);
}
