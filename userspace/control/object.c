/* The objects that the operator has. */
#include "control/object.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/config.h"
#include "control/upstream_tls.h"

struct objects {
	struct list {
		struct object **items;
		size_t count, capacity;
	} lists[MODEL_TYPE_COUNT];
};

struct objects *
objects_new(void)
{
	return xcalloc(1, sizeof(struct objects));
}

static void
object_free(struct object *o)
{
	model_object_unref(o->model);
	model_object_unref(o->wanted);
	free(o->ns);
	free(o->name);
	free(o->key);
	free(o->label);
	free(o->reason);
	free(o->warning);
	free(o->block);
	free(o->uses);
	upstream_tls_free(o->tls);
	free(o);
}

void
objects_free(struct objects *o)
{
	if (o == NULL)
		return;
	for (size_t t = 0; t < MODEL_TYPE_COUNT; t++) {
		for (size_t i = 0; i < o->lists[t].count; i++)
			object_free(o->lists[t].items[i]);
		free(o->lists[t].items);
	}
	free(o);
}

/* Where it stands, or would stand. */
static size_t
list_place(const struct list *l, const char *ns, const char *name, bool *found)
{
	size_t low = 0, high = l->count;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct object *o = l->items[middle];
		int c = strcmp(ns, o->ns);

		if (c == 0)
			c = strcmp(name, o->name);
		if (c == 0) {
			*found = true;
			return middle;
		}
		if (c < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

struct object *
objects_find(const struct objects *o, enum model_type type, const char *ns,
	const char *name)
{
	const struct list *l = &o->lists[type];
	bool found;
	size_t i = list_place(l, ns, name, &found);

	return found ? l->items[i] : NULL;
}

struct object *
objects_take(struct objects *o, enum model_type type, const char *ns,
	const char *name)
{
	struct list *l = &o->lists[type];
	struct object *made;
	bool found;
	size_t i = list_place(l, ns, name, &found);

	if (found)
		return l->items[i];
	if (l->count == l->capacity) {
		l->capacity = l->capacity == 0 ? 16 : l->capacity * 2;
		l->items =
			xreallocarray(l->items, l->capacity, sizeof(*l->items));
	}
	memmove(l->items + i + 1, l->items + i,
		(l->count - i) * sizeof(*l->items));
	made = xcalloc(1, sizeof(*made));
	made->type = type;
	made->ns = xstrdup(ns);
	made->name = xstrdup(name);
	made->key = xasprintf("%s/%s", ns, name);
	made->label = xasprintf("%s.%s", ns, name);
	l->items[i] = made;
	l->count++;
	return made;
}

void
objects_remove(struct objects *o, struct object *object)
{
	struct list *l = &o->lists[object->type];
	bool found;
	size_t i = list_place(l, object->ns, object->name, &found);

	if (!found)
		return;
	memmove(l->items + i, l->items + i + 1,
		(l->count - i - 1) * sizeof(*l->items));
	l->count--;
	object_free(object);
}

size_t
objects_count(const struct objects *o, enum model_type type)
{
	return o->lists[type].count;
}

struct object *
objects_at(const struct objects *o, enum model_type type, size_t i)
{
	return o->lists[type].items[i];
}

void
object_reject(struct object *o, const char *reason, int line)
{
	char *copy = xstrdup(reason);

	free(o->reason);
	o->reason = copy;
	o->line = line;
	o->rejected = true;
}

void
object_clear(struct object *o)
{
	free(o->reason);
	o->reason = NULL;
	o->line = 0;
	o->rejected = false;
}

/* Of an object of which no version was ever good: as much as is certain. */
static struct doc *
document_bare(const struct object *o)
{
	struct doc *d = doc_new_map();
	struct doc *meta = doc_set(d, "metadata", doc_new_map());

	doc_set_string(meta, "name", o->name);
	doc_set_string(meta, "namespace", o->ns);
	if (o->type == MODEL_VIRTUAL_SERVICE)
		doc_set(d, "virtualHost", doc_new_map());
	return d;
}

static struct doc *
document(const struct object *o,
	struct doc *(*print)(const struct model_object *))
{
	const struct model_object *m = o->model ? o->model : o->wanted;
	struct doc *d;
	char text[32];

	if (m == NULL)
		return document_bare(o);
	d = print(m);
	snprintf(text, sizeof(text), "%" PRIu64, o->version);
	if (o->version != 0)
		doc_set_string(doc_get(d, "metadata"), "resourceVersion", text);
	else
		doc_free(doc_steal(doc_get(d, "metadata"), "resourceVersion"));
	return d;
}

struct doc *
object_document(const struct object *o)
{
	return document(o, config_print);
}

struct doc *
object_shown(const struct object *o)
{
	return document(o, config_print_shown);
}
