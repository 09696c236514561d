/* The look at each upstream that TLS is spoken to. */
#include "control/tls_look.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/table.h"
#include "control/generation.h"
#include "control/material.h"
#include "control/object.h"
#include "control/relation.h"
#include "control/secret.h"
#include "control/tls_before.h"
#include "control/tls_files.h"
#include "control/upstream_tls.h"
#include "net/tls.h"

#define LOOK_MS 600000 /* certificates expire without anybody's doing */

/* A context that was made to see whether it can be. */
struct trial {
	char *problem; /* NULL: it can */
	bool needed;
};

struct tls_look {
	struct material_set *materials; /* the owner's */
	struct tls_files *files;
	struct table *tried;       /* upstream_tls_key to struct trial */
	struct tls_context *held;  /* of the last trial, whose roots the next
				    * one may share */
	struct tls_before *before; /* NULL: nothing is remembered */
	uint64_t written;          /* of tls_before_write */
	bool write_due;
	bool stale; /* upstreams have to be looked at, ... */
	bool all;   /* ... those that did not change as well */
	uint64_t looked_ms;
};

static void
trial_free(void *value)
{
	free(((struct trial *)value)->problem);
	free(value);
}

struct tls_look *
tls_look_new(struct material_set *materials)
{
	struct tls_look *l = xcalloc(1, sizeof(*l));

	l->materials = materials;
	l->files = tls_files_new();
	l->tried = table_new(trial_free);
	l->stale = l->all = true;
	return l;
}

void
tls_look_free(struct tls_look *l)
{
	if (l == NULL)
		return;
	tls_files_free(l->files);
	table_free(l->tried);
	tls_context_unref(l->held);
	tls_before_free(l->before);
	free(l);
}

/* ---- what an upstream needs */

struct need {
	struct secret_pem pem;
	struct upstream_tls_stamp stamp;
	char *problem;
};

static const char *
file_text(
	struct tls_look *l, const char *path, uint64_t *serial, struct need *to)
{
	const struct tls_file *s;

	if (path == NULL || to->problem != NULL)
		return NULL;
	s = tls_files_take(l->files, path);
	*serial = s->serial;
	if (s->problem != NULL)
		to->problem = xasprintf("sslConfig.sslFiles: %s", s->problem);
	return s->text;
}

static void
files_need(struct tls_look *l, const struct model_tls *t, struct need *to)
{
	struct error err = ERROR_INIT;

	to->pem = (struct secret_pem){
		.cert = file_text(l, t->cert_file, &to->stamp.cert, to),
		.key = file_text(l, t->key_file, &to->stamp.key, to),
		.ca = file_text(l, t->ca_file, &to->stamp.ca, to),
		.cert_place = "sslConfig.sslFiles.tlsCert",
		.key_place = "sslConfig.sslFiles.tlsKey",
		.ca_place = "sslConfig.sslFiles.rootCa",
	};
	if (to->problem == NULL && secret_pem_check(&to->pem, &err) != 0)
		to->problem = xstrdup(err.text);
}

/* 0: there is none. A version is given once, but not that of one that was
 * restored; what is Rejected has none. */
static uint64_t
secret_stamp(const struct control *c, const struct model_tls *t)
{
	const struct object *o;
	uint64_t of[3];

	if (t == NULL || t->source != MODEL_TLS_SECRET)
		return 0;
	o = objects_find(
		c->objects, MODEL_SECRET, t->secret.ns, t->secret.name);
	if (o == NULL)
		return 0;
	of[0] = o->version;
	of[1] = (uint64_t)(uintptr_t)o;
	of[2] = (uint64_t)(uintptr_t)o->model;
	return hash_bytes(of, sizeof(of), 1);
}

static void
secret_need(const struct control *c, const struct model_upstream *u,
	struct need *to)
{
	const struct model_ref *ref = &u->tls->secret;
	struct object *o;

	to->problem = relation_secret_problem(c->objects, u);
	if (to->problem != NULL)
		return;
	o = objects_find(c->objects, MODEL_SECRET, ref->ns, ref->name);
	to->pem = secret_pem_of(o->model->secret);
	to->pem.cert_place = "its secret's certChain";
	to->pem.ca_place = "its secret's rootCa";
}

static void
roots_need(const struct control *c, struct tls_look *l, struct need *to)
{
	const struct tls_file *s =
		tls_files_take(l->files, c->settings->tls_roots);

	to->stamp.roots = s->serial;
	to->pem.ca = s->text;
	if (s->problem != NULL)
		to->problem = xasprintf("the certificates that the system "
					"trusts (tls.roots): %s",
			s->problem);
}

static char *
expiry_explain(const struct need *n)
{
	struct str text;
	char *made = NULL;

	str_init(&text);
	secret_pem_warn(&n->pem, clock_realtime_ms(), &text);
	if (text.length > 0)
		made = str_steal(&text);
	str_fini(&text);
	return made;
}

/* ---- one upstream */

/* What the proxy would find with the first request is found now, once for all
 * that need the same. */
static void
context_try(
	const struct control *c, struct tls_look *l, struct upstream_tls *now)
{
	char *key = upstream_tls_key(&now->build);
	struct trial *t = table_get(l->tried, key);
	struct error err = ERROR_INIT;
	struct tls_context *made;

	if (t == NULL) {
		t = xcalloc(1, sizeof(*t));
		made = upstream_tls_context(c, &now->build, &err);
		if (made == NULL)
			t->problem = xasprintf("TLS: %s", err.text);
		tls_context_unref(l->held);
		l->held = made;
		table_set(l->tried, key, t);
	}
	free(key);
	t->needed = true;
	if (t->problem != NULL)
		now->problem = xstrdup(t->problem);
}

static bool
text_is(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Both have theirs from the same files, or the system. */
static bool
files_are_same(const struct model_tls *a, const struct model_tls *b)
{
	bool of_a = a != NULL && a->source == MODEL_TLS_FILES;
	bool of_b = b != NULL && b->source == MODEL_TLS_FILES;

	if ((a != NULL && a->source == MODEL_TLS_SECRET) ||
		(b != NULL && b->source == MODEL_TLS_SECRET) || of_a != of_b)
		return false;
	return !of_a || (text_is(a->cert_file, b->cert_file) &&
				text_is(a->key_file, b->key_file) &&
				text_is(a->ca_file, b->ca_file) &&
				a->one_way == b->one_way);
}

/* Files that people exchange one after the other do not fit for a moment: what
 * was good before goes on. */
static void
before_keep(const struct control *c, struct tls_look *l,
	struct upstream_tls *now, const struct upstream_tls *before)
{
	char *problem = now->problem;

	if (problem == NULL || before == NULL || before->problem != NULL ||
		!files_are_same(now->model->upstream->tls,
			before->model->upstream->tls))
		return;
	now->build.roots = before->build.roots;
	now->build.identity = before->build.identity;
	material_need(l->materials, now->build.roots);
	material_need(l->materials, now->build.identity);
	now->problem = NULL;
	context_try(c, l, now);
	if (now->problem == NULL) {
		free(now->warning);
		now->warning = xasprintf("%s; what was read before is used "
					 "until that is mended",
			problem);
	}
	free(problem);
}

/* Its secret is another store's, which has not been asked yet. */
static bool
remembered_use(const struct control *c, struct tls_look *l,
	const struct object *o, struct upstream_tls *now)
{
	const struct model_tls *t = o->model->upstream->tls;
	struct tls_numbers numbers;

	if (t == NULL || t->source != MODEL_TLS_SECRET ||
		objects_find(c->objects, MODEL_SECRET, t->secret.ns,
			t->secret.name) != NULL ||
		!tls_before_get(l->before, o, &numbers))
		return false;
	now->build.roots = numbers.roots;
	now->build.identity = numbers.identity;
	material_remember(l->materials, numbers.roots);
	if (numbers.identity != 0)
		material_remember(l->materials, numbers.identity);
	now->remembered = true;
	now->warning = xstrdup("its certificates are those that were in use "
			       "when the gateway was restarted, until its "
			       "secret has been read");
	return true;
}

static struct upstream_tls *
upstream_look(
	const struct control *c, struct tls_look *l, const struct object *o)
{
	struct upstream_tls *made = upstream_tls_new(o->model);
	const struct model_upstream *u = o->model->upstream;
	struct need n = { .problem = NULL };

	if (made == NULL || remembered_use(c, l, o, made))
		return made;
	if (u->tls != NULL && u->tls->source == MODEL_TLS_FILES)
		files_need(l, u->tls, &n);
	else if (u->tls != NULL && u->tls->source == MODEL_TLS_SECRET)
		secret_need(c, u, &n);
	if (u->tls != NULL && u->tls->one_way)
		n.pem.cert = n.pem.key = NULL;
	if (n.problem == NULL)
		made->warning = expiry_explain(&n);
	if (n.problem == NULL && n.pem.ca == NULL)
		roots_need(c, l, &n);
	n.stamp.secret = secret_stamp(c, u->tls);
	made->stamp = n.stamp;
	made->problem = n.problem;
	if (n.problem != NULL) {
		before_keep(c, l, made, o->tls);
		return made;
	}
	made->build.roots =
		material_take(l->materials, n.pem.ca, NULL, NULL)->number;
	if (n.pem.cert != NULL)
		made->build.identity =
			material_take(l->materials, NULL, n.pem.cert, n.pem.key)
				->number;
	context_try(c, l, made);
	before_keep(c, l, made, o->tls);
	return made;
}

static bool
file_is_same(struct tls_look *l, const char *path, uint64_t serial)
{
	return serial == 0 || tls_files_take(l->files, path)->serial == serial;
}

/* Nothing of it is another: what it was made of has not to be read again. */
static bool
upstream_is_same(
	const struct control *c, struct tls_look *l, const struct object *o)
{
	const struct upstream_tls *was = o->tls;
	const struct upstream_tls_stamp *s;
	const struct model_tls *t;

	if (was == NULL || was->model != o->model || was->remembered)
		return false;
	s = &was->stamp;
	t = o->model->upstream->tls;
	return s->secret == secret_stamp(c, t) &&
	       (t == NULL || (file_is_same(l, t->cert_file, s->cert) &&
				     file_is_same(l, t->key_file, s->key) &&
				     file_is_same(l, t->ca_file, s->ca))) &&
	       file_is_same(l, c->settings->tls_roots, s->roots);
}

/* It stays as it is. */
static void
upstream_need(struct tls_look *l, const struct upstream_tls *t)
{
	char *key = upstream_tls_key(&t->build);
	struct trial *tried = table_get(l->tried, key);

	free(key);
	if (tried != NULL)
		tried->needed = true;
	material_need(l->materials, t->build.roots);
	material_need(l->materials, t->build.identity);
}

/* ---- all upstreams */

/* Is it another reason, or one at all? */
static bool
problem_differs(const struct upstream_tls *a, const struct upstream_tls *b)
{
	const char *x = a == NULL ? NULL : a->problem;
	const char *y = b == NULL ? NULL : b->problem;

	if (x == NULL || y == NULL)
		return x != y;
	return strcmp(x, y) != 0;
}

/* What nothing needs any more. */
static void
unneeded_drop(struct tls_look *l)
{
	size_t place = 0;
	const char *key;
	void *value;

	material_set_drop(l->materials);
	tls_files_drop(l->files);
	while (table_next(l->tried, &place, &key, &value))
		if (!((struct trial *)value)->needed)
			table_remove(l->tried, key);
	tls_context_unref(l->held);
	l->held = NULL;
}

static void
needs_forget(struct tls_look *l)
{
	size_t place = 0;
	const char *key;
	void *value;

	material_set_unneed(l->materials);
	tls_files_unneed(l->files);
	while (table_next(l->tried, &place, &key, &value))
		((struct trial *)value)->needed = false;
}

void
tls_look_run(struct control *c, struct tls_look *l)
{
	if (!l->stale)
		return;
	l->stale = false;
	if (l->all)
		l->looked_ms = clock_monotonic_ms();
	needs_forget(l);
	for (size_t i = 0; i < objects_count(c->objects, MODEL_UPSTREAM); i++) {
		struct object *o = objects_at(c->objects, MODEL_UPSTREAM, i);
		struct upstream_tls *now;

		if (o->model != NULL && !l->all && upstream_is_same(c, l, o)) {
			upstream_need(l, o->tls);
			continue;
		}
		now = o->model == NULL ? NULL : upstream_look(c, l, o);
		l->write_due |= o->tls != NULL || now != NULL;
		if (problem_differs(o->tls, now))
			c->upstream_epoch++;
		upstream_tls_free(o->tls);
		o->tls = now;
	}
	l->all = false;
	unneeded_drop(l);
}

void
tls_look_touch(struct tls_look *l)
{
	l->stale = true;
}

void
tls_look_files(struct control *c, struct tls_look *l, bool reload)
{
	/* A package that is being upgraded writes the roots in steps. */
	bool changed = tls_files_look_again(
		l->files, reload ? NULL : c->settings->tls_roots);

	if (changed)
		generation_touch(c);
	if (reload || clock_monotonic_ms() - l->looked_ms >= LOOK_MS)
		l->all = true;
	if (changed || l->all)
		l->stale = true;
}

/* ---- what was before */

void
tls_look_remember(struct control *c, struct tls_look *l)
{
	tls_before_free(l->before);
	l->before = tls_before_read(c);
	l->stale = true;
}

void
tls_look_settled(
	struct control *c, struct tls_look *l, const struct upstream_kind *kind)
{
	if (!tls_before_settle(l->before, kind))
		return;
	l->stale = true;
	generation_touch(c);
}

void
tls_look_forget(struct control *c, struct tls_look *l)
{
	bool any = !tls_before_is_empty(l->before);

	tls_before_free(l->before);
	l->before = NULL;
	if (!any)
		return;
	l->stale = true;
	tls_look_run(c, l);
	generation_touch(c);
}

void
tls_look_write(const struct control *c, struct tls_look *l)
{
	/* What is not known yet is not to be forgotten. */
	if (c->state == NULL || !l->write_due || l->stale ||
		!tls_before_is_empty(l->before))
		return;
	l->write_due = false;
	tls_before_write(c, &l->written);
}
