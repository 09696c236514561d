/* TLS for the health checks of one upstream. */
#include "control/check_tls.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/materials.h"
#include "control/object.h"
#include "control/upstream_tls.h"
#include "net/tls.h"

struct check_tls {
	struct check_tls *next, **at; /* in the list of all */
	struct control *control;
	char *ns, *name;
	char *key;         /* what context was made of; NULL: of nothing */
	char *names_key;   /* the same of names and server_name */
	char **names;      /* of now; ends with NULL */
	char *server_name; /* of now, or NULL */
	struct probe_tls now;
	struct tls_context *context; /* the one in now, with a reference */
	struct check_tls **all;
};

/* ---- what it is made of */

static void
names_free(struct check_tls *t)
{
	for (size_t i = 0; t->names != NULL && t->names[i] != NULL; i++)
		free(t->names[i]);
	free(t->names);
	free(t->server_name);
	free(t->names_key);
	t->names = NULL;
	t->server_name = t->names_key = NULL;
}

static char *
names_key(const struct image_build_tls *b)
{
	struct str key;

	str_init(&key);
	str_put_netstring(&key, b->server_name);
	for (size_t i = 0; i < b->name_count; i++)
		str_put_netstring(&key, b->names[i]);
	return str_steal(&key);
}

static void
names_take(struct check_tls *t, const struct image_build_tls *b)
{
	char *key = names_key(b);

	if (t->names_key != NULL && strcmp(t->names_key, key) == 0) {
		free(key);
		return;
	}
	names_free(t);
	t->names_key = key;
	t->now.version++;
	if (b->server_name != NULL && b->server_name[0] != '\0')
		t->server_name = xstrdup(b->server_name);
	if (b->name_count > 0)
		t->names = xcalloc(b->name_count + 1, sizeof(*t->names));
	for (size_t i = 0; i < b->name_count; i++)
		t->names[i] = xstrdup(b->names[i]);
	t->now.server_name = t->server_name;
	t->now.names = (const char *const *)t->names;
}

/* ---- contexts */

static struct tls_context *
context_share(const struct check_tls *t, const char *key)
{
	for (struct check_tls *o = *t->all; o != NULL; o = o->next)
		if (o->context != NULL && strcmp(o->key, key) == 0)
			return tls_context_ref(o->context);
	return NULL;
}

static struct tls_context *
context_make(const struct check_tls *t, const struct image_build_tls *b)
{
	struct error err = ERROR_INIT;
	struct tls_context *context = upstream_tls_context(t->control, b, &err);

	if (context == NULL)
		log_error("upstream %s.%s: its health is not checked: %s",
			t->ns, t->name, err.text);
	return context;
}

/* The keys in it go with it. */
static void
context_drop(struct check_tls *t)
{
	tls_context_unref(t->context);
	t->context = t->now.context = NULL;
	free(t->key);
	t->key = NULL;
}

/* One that cannot be made is not tried again until it is another. */
static void
context_take(struct check_tls *t, const struct image_build_tls *b)
{
	char *key = upstream_tls_key(b);

	if (t->key != NULL && strcmp(t->key, key) == 0) {
		free(key);
		return;
	}
	context_drop(t);
	t->context = context_share(t, key);
	if (t->context == NULL)
		t->context = context_make(t, b);
	t->key = key;
	t->now.version++;
}

const struct probe_tls *
check_tls_get(void *arg)
{
	struct check_tls *t = arg;
	struct control *c = t->control;
	const struct object *o =
		objects_find(c->objects, MODEL_UPSTREAM, t->ns, t->name);
	const char *problem =
		o != NULL && o->model != NULL ? materials_problem(c, o) : NULL;

	/* It is on its way out: as it was. */
	if (o == NULL || o->model == NULL)
		return &t->now;
	if (o->tls == NULL) {
		context_drop(t);
		return NULL;
	}
	if (problem != NULL || o->tls->remembered) {
		context_drop(t);
		return &t->now;
	}
	context_take(t, &o->tls->build);
	names_take(t, &o->tls->build);
	t->now.context = t->context;
	return &t->now;
}

/* ---- birth and end */

struct check_tls *
check_tls_new(struct control *c, struct check_tls **all, const char *ns,
	const char *name)
{
	struct check_tls *t = xcalloc(1, sizeof(*t));

	t->control = c;
	t->all = all;
	t->ns = xstrdup(ns);
	t->name = xstrdup(name);
	t->next = *all;
	t->at = all;
	if (t->next != NULL)
		t->next->at = &t->next;
	*all = t;
	return t;
}

void
check_tls_free(struct check_tls *t)
{
	if (t == NULL)
		return;
	*t->at = t->next;
	if (t->next != NULL)
		t->next->at = t->at;
	context_drop(t);
	names_free(t);
	free(t->ns);
	free(t->name);
	free(t);
}
