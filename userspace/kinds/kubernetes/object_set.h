/*
 * The names and versions of all objects of one sort, as they were said to
 * whoever follows them. Keeps no object. A new whole set is collected aside and
 * taken at once, by difference. Pure. Private to reflector.
 */
#ifndef KINDS_KUBERNETES_OBJECT_SET_H
#define KINDS_KUBERNETES_OBJECT_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/doc.h"
#include "base/error.h"

#define OBJECT_SET_MAX       500000       /* objects */
#define OBJECT_SET_BYTES_MAX (256u << 20) /* of text, collected aside */

struct object_set;

struct object_set_events {
	/* New, or of another version than before. */
	void (*put)(const struct doc *object, void *arg);
	void (*gone)(const char *ns, const char *name, void *arg);
};

/* metadata.resourceVersion, of a list too; "": none. Borrowed. */
const char *object_version(const struct doc *object);

struct object_set *object_set_new(
	const struct object_set_events *events, void *arg);
void object_set_free(struct object_set *s);
size_t object_set_count(const struct object_set *s);

/* 0, or -1 and err: it is no object, or the set is full. */
int object_set_put(struct object_set *s, const struct doc *object,
	struct error *err);
int object_set_remove(struct object_set *s, const struct doc *object,
	struct error *err);

/* object is taken in any case. bytes: of its text. ERROR_LIMIT: the set is too
 * large to be collected. */
int object_set_collect(struct object_set *s, struct doc *object, size_t bytes,
	struct error *err);
/* It is there but cannot be read: what was put of it before stays, and it is
 * not missing. Only its name is looked at. */
int object_set_mark(struct object_set *s, const struct doc *object,
	struct error *err);
int object_set_collect_mark(struct object_set *s, const struct doc *object,
	struct error *err);
/* How many are there that could not be read last. */
size_t object_set_unread(const struct object_set *s);
/* Of what is collected aside. */
int object_set_uncollect(struct object_set *s, const struct doc *object,
	struct error *err);
/* What was collected is the set: what is new in it is put, then what is not in
 * it is gone, unless keep_missing. */
void object_set_swap(struct object_set *s, bool keep_missing);
/* What was collected is dropped. */
void object_set_abandon(struct object_set *s);

/* All are gone. */
void object_set_empty(struct object_set *s);
/* All are put again when they are met next. */
void object_set_forget(struct object_set *s);

#endif
