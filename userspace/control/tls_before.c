/* How TLS was spoken to upstreams before this process began. */
#include "control/tls_before.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/table.h"
#include "control/programs.h"
#include "control/upstream_tls.h"

struct entry {
	const struct upstream_kind *kind; /* whose the secret is */
	char *of; /* the secret and whether it was only for trust */
	struct tls_numbers numbers;
};

struct tls_before {
	struct table *entries; /* an upstream's key to struct entry */
};

static void
entry_free(void *value)
{
	struct entry *e = value;

	free(e->of);
	free(e);
}

static char *
secret_text(const struct model_tls *t)
{
	return xasprintf("%s/%s%s", t->secret.ns, t->secret.name,
		t->one_way ? " one way" : "");
}

/* ---- read */

/* As a text: a number of JSON would lose some. 0: it is none. */
static uint64_t
number_read(const struct doc *d, const char *key)
{
	const char *text = doc_get_string(d, key);

	return text == NULL ? 0 : strtoull(text, NULL, 16);
}

static const struct upstream_kind *
kind_open(const struct control *c, const char *key)
{
	const struct program *p;

	for (size_t i = 0; (p = programs_at(c, i)) != NULL; i++)
		if (key != NULL && strcmp(p->kind->key, key) == 0)
			return p->kind;
	return NULL;
}

struct tls_before *
tls_before_read(const struct control *c)
{
	struct tls_before *b = xcalloc(1, sizeof(*b));
	struct doc *d = state_tls_read(c->state);
	const struct doc *list = doc_get(d, "upstreams");

	b->entries = table_new(entry_free);
	for (size_t i = 0; i < doc_count(list); i++) {
		const struct doc *one = doc_at(list, i);
		const char *name = doc_get_string(one, "name");
		const char *of = doc_get_string(one, "secret");
		struct entry e = {
			.kind = kind_open(c, doc_get_string(one, "kind")),
			.numbers = { number_read(one, "roots"),
				number_read(one, "identity") },
		};

		if (name == NULL || of == NULL || e.kind == NULL ||
			e.numbers.roots == 0)
			continue;
		e.of = xstrdup(of);
		table_set(b->entries, name, xmemdup(&e, sizeof(e)));
	}
	doc_free(d);
	return b;
}

void
tls_before_free(struct tls_before *b)
{
	if (b == NULL)
		return;
	table_free(b->entries);
	free(b);
}

bool
tls_before_is_empty(const struct tls_before *b)
{
	return b == NULL || table_count(b->entries) == 0;
}

bool
tls_before_get(const struct tls_before *b, const struct object *upstream,
	struct tls_numbers *out)
{
	const struct entry *e =
		b == NULL ? NULL : table_get(b->entries, upstream->key);
	char *of;
	bool same;

	if (e == NULL)
		return false;
	of = secret_text(upstream->model->upstream->tls);
	same = strcmp(of, e->of) == 0;
	free(of);
	*out = e->numbers;
	return same;
}

bool
tls_before_settle(struct tls_before *b, const struct upstream_kind *kind)
{
	size_t place = 0;
	bool any = false;
	const char *key;
	void *value;

	if (b == NULL)
		return false;
	while (table_next(b->entries, &place, &key, &value)) {
		if (((struct entry *)value)->kind != kind)
			continue;
		table_remove(b->entries, key);
		any = true;
	}
	return any;
}

/* ---- write */

/* The kind whose secret it uses; NULL: of ours, or none. */
static const struct upstream_kind *
secret_kind(const struct control *c, const struct object *o)
{
	const struct model_tls *t =
		o->model == NULL ? NULL : o->model->upstream->tls;
	const struct object *s;

	if (t == NULL || t->source != MODEL_TLS_SECRET || o->tls == NULL ||
		o->tls->problem != NULL || o->tls->build.roots == 0)
		return NULL;
	s = objects_find(
		c->objects, MODEL_SECRET, t->secret.ns, t->secret.name);
	return s != NULL ? s->origin : NULL;
}

static void
number_print(struct doc *d, const char *key, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%016" PRIx64, number);
	doc_set_string(d, key, text);
}

void
tls_before_write(const struct control *c, uint64_t *written)
{
	struct doc *d = doc_new_map();
	struct doc *list = doc_set(d, "upstreams", doc_new_list());
	struct error err = ERROR_INIT;
	struct str text;
	uint64_t hash;

	for (size_t i = 0; i < objects_count(c->objects, MODEL_UPSTREAM); i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_UPSTREAM, i);
		const struct upstream_kind *kind = secret_kind(c, o);
		struct doc *one;
		char *of;

		if (kind == NULL)
			continue;
		of = secret_text(o->model->upstream->tls);
		one = doc_add(list, doc_new_map());
		doc_set_string(one, "name", o->key);
		doc_set_string(one, "kind", kind->key);
		doc_set_string(one, "secret", of);
		number_print(one, "roots", o->tls->build.roots);
		number_print(one, "identity", o->tls->build.identity);
		free(of);
	}
	str_init(&text);
	json_doc_write(d, 0, &text);
	hash = hash_bytes(text.data, text.length, 1);
	if (hash != *written && state_tls_write(c->state, d, &err) != 0)
		log_warn("state: %s", err.text);
	else
		*written = hash;
	str_fini(&text);
	doc_free(d);
}
