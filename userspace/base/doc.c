/* A document: the tree that a YAML or JSON text says. */
#include "base/doc.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"

/* A map of more keys than this looks them up by hash. */
#define MAP_INDEX_MIN 16

struct entry {
	char *key; /* NULL in a list */
	struct doc *value;
};

struct doc {
	enum doc_type type;
	int line;
	union {
		bool boolean;
		int64_t integer;
		double real;
		char *string;
		struct {
			struct entry *entries;
			size_t count, capacity;
			/* key to place + 1; NULL: few keys, or some left */
			struct table *index;
		} many;
	} u;
};

static struct doc *
doc_new(enum doc_type type)
{
	struct doc *d = xcalloc(1, sizeof(*d));

	d->type = type;
	return d;
}

struct doc *
doc_new_null(void)
{
	return doc_new(DOC_NULL);
}

struct doc *
doc_new_bool(bool value)
{
	struct doc *d = doc_new(DOC_BOOL);

	d->u.boolean = value;
	return d;
}

struct doc *
doc_new_integer(int64_t value)
{
	struct doc *d = doc_new(DOC_INTEGER);

	d->u.integer = value;
	return d;
}

struct doc *
doc_new_real(double value)
{
	struct doc *d = doc_new(DOC_REAL);

	d->u.real = value;
	return d;
}

struct doc *
doc_new_string(const char *text)
{
	return doc_new_string_n(text, strlen(text));
}

struct doc *
doc_new_string_n(const char *text, size_t length)
{
	struct doc *d = doc_new(DOC_STRING);

	d->u.string = xstrndup(text, length);
	return d;
}

struct doc *
doc_new_list(void)
{
	return doc_new(DOC_LIST);
}

struct doc *
doc_new_map(void)
{
	return doc_new(DOC_MAP);
}

static bool
doc_has_many(const struct doc *d)
{
	return d != NULL && (d->type == DOC_LIST || d->type == DOC_MAP);
}

struct doc *
doc_copy(const struct doc *d)
{
	struct doc *copy;

	if (d == NULL)
		return NULL;
	copy = doc_new(d->type);
	copy->line = d->line;
	if (d->type == DOC_STRING) {
		copy->u.string = xstrdup(d->u.string);
	} else if (!doc_has_many(d)) {
		copy->u = d->u;
	} else {
		for (size_t i = 0; i < d->u.many.count; i++) {
			const struct entry *e = &d->u.many.entries[i];

			if (d->type == DOC_MAP)
				doc_set(copy, e->key, doc_copy(e->value));
			else
				doc_add(copy, doc_copy(e->value));
		}
	}
	return copy;
}

void
doc_wipe(struct doc *d)
{
	if (d == NULL)
		return;
	if (d->type == DOC_STRING)
		mem_wipe(d->u.string, strlen(d->u.string));
	for (size_t i = 0; doc_has_many(d) && i < d->u.many.count; i++)
		doc_wipe(d->u.many.entries[i].value);
}

void
doc_free_wiped(struct doc *d)
{
	doc_wipe(d);
	doc_free(d);
}

void
doc_free(struct doc *d)
{
	if (d == NULL)
		return;
	if (d->type == DOC_STRING)
		free(d->u.string);
	if (doc_has_many(d)) {
		for (size_t i = 0; i < d->u.many.count; i++) {
			free(d->u.many.entries[i].key);
			doc_free(d->u.many.entries[i].value);
		}
		free(d->u.many.entries);
		table_free(d->u.many.index);
	}
	free(d);
}

enum doc_type
doc_type(const struct doc *d)
{
	return d == NULL ? DOC_NULL : d->type;
}

const char *
doc_type_name(enum doc_type type)
{
	switch (type) {
	case DOC_NULL:
		return "null";
	case DOC_BOOL:
		return "true or false";
	case DOC_INTEGER:
		return "an integer";
	case DOC_REAL:
		return "a number with a fraction";
	case DOC_STRING:
		return "a string";
	case DOC_LIST:
		return "a list";
	case DOC_MAP:
		return "a map";
	}
	return "unknown";
}

int
doc_line(const struct doc *d)
{
	return d == NULL ? 0 : d->line;
}

void
doc_set_line(struct doc *d, int line)
{
	d->line = line;
}

static bool
many_equal(const struct doc *a, const struct doc *b)
{
	if (a->u.many.count != b->u.many.count)
		return false;
	for (size_t i = 0; i < a->u.many.count; i++) {
		const struct entry *e = &a->u.many.entries[i];
		const struct doc *other = a->type == DOC_MAP
			? doc_get(b, e->key)
			: doc_at(b, i);

		if (other == NULL || !doc_equal(e->value, other))
			return false;
	}
	return true;
}

bool
doc_equal(const struct doc *a, const struct doc *b)
{
	if (doc_type(a) != doc_type(b))
		return false;
	switch (doc_type(a)) {
	case DOC_NULL:
		return true;
	case DOC_BOOL:
		return a->u.boolean == b->u.boolean;
	case DOC_INTEGER:
		return a->u.integer == b->u.integer;
	case DOC_REAL:
		return a->u.real == b->u.real;
	case DOC_STRING:
		return strcmp(a->u.string, b->u.string) == 0;
	case DOC_LIST:
	case DOC_MAP:
		return many_equal(a, b);
	}
	return false;
}

bool
doc_bool(const struct doc *d)
{
	return doc_type(d) == DOC_BOOL && d->u.boolean;
}

int64_t
doc_integer(const struct doc *d)
{
	return doc_type(d) == DOC_INTEGER ? d->u.integer : 0;
}

double
doc_real(const struct doc *d)
{
	if (doc_type(d) == DOC_INTEGER)
		return (double)d->u.integer;
	return doc_type(d) == DOC_REAL ? d->u.real : 0.0;
}

const char *
doc_string(const struct doc *d)
{
	return doc_type(d) == DOC_STRING ? d->u.string : NULL;
}

const char *
doc_real_format(double value, char *out)
{
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(out, DOC_REAL_TEXT_MAX, "%.*g", digits, value);
		if (strtod(out, NULL) == value)
			break;
	}
	/* Without these it would read back as an integer. */
	if (strpbrk(out, ".en") == NULL)
		strcat(out, ".0");
	return out;
}

size_t
doc_count(const struct doc *d)
{
	return doc_has_many(d) ? d->u.many.count : 0;
}

struct doc *
doc_at(const struct doc *list, size_t i)
{
	if (doc_type(list) != DOC_LIST || i >= list->u.many.count)
		return NULL;
	return list->u.many.entries[i].value;
}

const char *
doc_key_at(const struct doc *map, size_t i)
{
	if (doc_type(map) != DOC_MAP || i >= map->u.many.count)
		return NULL;
	return map->u.many.entries[i].key;
}

struct doc *
doc_value_at(const struct doc *map, size_t i)
{
	if (doc_type(map) != DOC_MAP || i >= map->u.many.count)
		return NULL;
	return map->u.many.entries[i].value;
}

static struct entry *
map_find(const struct doc *map, const char *key)
{
	if (doc_type(map) != DOC_MAP)
		return NULL;
	if (map->u.many.index != NULL) {
		uintptr_t place =
			(uintptr_t)table_get(map->u.many.index, key);

		return place == 0 ? NULL : &map->u.many.entries[place - 1];
	}
	for (size_t i = 0; i < map->u.many.count; i++) {
		if (strcmp(map->u.many.entries[i].key, key) == 0)
			return &map->u.many.entries[i];
	}
	return NULL;
}

struct doc *
doc_get(const struct doc *map, const char *key)
{
	const struct entry *e = map_find(map, key);

	return e == NULL ? NULL : e->value;
}

struct doc *
doc_find(const struct doc *map, ...)
{
	const struct doc *d = map;
	const char *key;
	va_list ap;

	va_start(ap, map);
	while (d != NULL && (key = va_arg(ap, const char *)) != NULL)
		d = doc_get(d, key);
	va_end(ap);
	return (struct doc *)d;
}

const char *
doc_get_string(const struct doc *map, const char *key)
{
	return doc_string(doc_get(map, key));
}

const char *
doc_get_text(const struct doc *map, const char *key)
{
	const char *text = doc_get_string(map, key);

	return text != NULL ? text : "";
}

int64_t
doc_get_integer(const struct doc *map, const char *key)
{
	return doc_integer(doc_get(map, key));
}

static struct doc *
many_insert(struct doc *d, size_t i, char *key, struct doc *child)
{
	struct entry *e;

	assert(i <= d->u.many.count);
	if (d->u.many.count == d->u.many.capacity) {
		d->u.many.capacity = d->u.many.capacity == 0
			? 2
			: d->u.many.capacity * 2;
		d->u.many.entries = xreallocarray(d->u.many.entries,
			d->u.many.capacity, sizeof(*d->u.many.entries));
	}
	e = &d->u.many.entries[i];
	memmove(e + 1, e, (d->u.many.count - i) * sizeof(*e));
	*e = (struct entry){ key, child };
	d->u.many.count++;
	return child;
}

static struct doc *
many_remove(struct doc *d, size_t i)
{
	struct entry *e = &d->u.many.entries[i];
	struct doc *value = e->value;

	/* The index would name the wrong places; the next doc_set makes it
	 * anew. */
	table_free(d->u.many.index);
	d->u.many.index = NULL;
	free(e->key);
	d->u.many.count--;
	memmove(e, e + 1, (d->u.many.count - i) * sizeof(*e));
	return value;
}

struct doc *
doc_add(struct doc *list, struct doc *child)
{
	return doc_insert(list, doc_count(list), child);
}

struct doc *
doc_insert(struct doc *list, size_t i, struct doc *child)
{
	assert(doc_type(list) == DOC_LIST && child != NULL);
	return many_insert(list, i, NULL, child);
}

/* Called after a key was appended. */
static void
map_index(struct doc *map)
{
	size_t from = map->u.many.count - 1;

	if (map->u.many.count <= MAP_INDEX_MIN)
		return;
	if (map->u.many.index == NULL) {
		map->u.many.index = table_new(NULL);
		from = 0;
	}
	for (size_t i = from; i < map->u.many.count; i++)
		table_set(map->u.many.index, map->u.many.entries[i].key,
			(void *)(uintptr_t)(i + 1));
}

struct doc *
doc_set(struct doc *map, const char *key, struct doc *child)
{
	struct entry *e;

	assert(doc_type(map) == DOC_MAP && child != NULL);
	e = map_find(map, key);
	if (e != NULL) {
		if (e->value != child)
			doc_free(e->value);
		e->value = child;
		return child;
	}
	many_insert(map, map->u.many.count, xstrdup(key), child);
	map_index(map);
	return child;
}

struct doc *
doc_set_string(struct doc *map, const char *key, const char *text)
{
	return doc_set(map, key, doc_new_string(text));
}

struct doc *
doc_steal(struct doc *map, const char *key)
{
	struct entry *e = map_find(map, key);

	if (e == NULL)
		return NULL;
	return many_remove(map, (size_t)(e - map->u.many.entries));
}

struct doc *
doc_steal_at(struct doc *list, size_t i)
{
	if (i >= doc_count(list))
		return NULL;
	return many_remove(list, i);
}
