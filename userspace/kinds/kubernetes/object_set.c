/* The names and versions of all objects of one sort. */
#include "kinds/kubernetes/object_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"

/* An object that was collected; doc NULL: of the version that is known, or one
 * that cannot be read. */
struct item {
	struct doc *doc;
	char *version;
	bool unread;
};

struct object_set {
	struct object_set_events events;
	void *arg;
	struct table *known;  /* "ns/name" to the version */
	struct table *unread; /* the same; they are there, but not as known */
	struct table *aside;  /* the same to struct item */
	size_t aside_bytes;
};

static void
item_free(void *value)
{
	struct item *item = value;

	doc_free(item->doc);
	free(item->version);
	free(item);
}

struct object_set *
object_set_new(const struct object_set_events *events, void *arg)
{
	struct object_set *s = xcalloc(1, sizeof(*s));

	s->events = *events;
	s->arg = arg;
	s->known = table_new(free);
	s->unread = table_new(NULL);
	s->aside = table_new(item_free);
	return s;
}

void
object_set_free(struct object_set *s)
{
	if (s == NULL)
		return;
	table_free(s->known);
	table_free(s->unread);
	table_free(s->aside);
	free(s);
}

size_t
object_set_count(const struct object_set *s)
{
	return table_count(s->known);
}

size_t
object_set_unread(const struct object_set *s)
{
	return table_count(s->unread);
}

const char *
object_version(const struct doc *object)
{
	return doc_get_text(doc_get(object, "metadata"), "resourceVersion");
}

/* "ns/name", which the caller frees; NULL and err: it is no object. */
static char *
key_read(const struct doc *object, struct error *err)
{
	const struct doc *meta = doc_get(object, "metadata");
	const char *name = doc_get_text(meta, "name");
	const char *ns = doc_get_text(meta, "namespace");

	if (name[0] == '\0') {
		error_set(err, ERROR_CONFIG, "it has no metadata.name");
		return NULL;
	}
	if (strchr(ns, '/') != NULL) {
		error_set(err, ERROR_CONFIG,
			"its metadata.namespace holds a \"/\"");
		return NULL;
	}
	return xasprintf("%s/%s", ns, name);
}

/* The same, while there is room in that table. */
static char *
key_read_for(const struct table *t, const struct doc *object, struct error *err)
{
	char *key = key_read(object, err);

	if (key == NULL || table_count(t) < OBJECT_SET_MAX ||
		table_get(t, key) != NULL)
		return key;
	free(key);
	error_set(err, ERROR_LIMIT, "there are %d already", OBJECT_SET_MAX);
	return NULL;
}

static void
gone_tell(struct object_set *s, const char *key)
{
	const char *slash = strchr(key, '/');
	char *ns = xstrndup(key, (size_t)(slash - key));

	s->events.gone(ns, slash + 1, s->arg);
	free(ns);
}

/* An object without a version is another one each time. */
static bool
is_known(const struct object_set *s, const char *key, const char *version)
{
	const char *known = table_get(s->known, key);

	return known != NULL && version[0] != '\0' &&
	       strcmp(known, version) == 0;
}

int
object_set_put(
	struct object_set *s, const struct doc *object, struct error *err)
{
	const char *version = object_version(object);
	char *key = key_read_for(s->known, object, err);

	if (key == NULL)
		return -1;
	table_remove(s->unread, key);
	if (!is_known(s, key, version)) {
		table_set(s->known, key, xstrdup(version));
		s->events.put(object, s->arg);
	}
	free(key);
	return 0;
}

int
object_set_remove(
	struct object_set *s, const struct doc *object, struct error *err)
{
	char *key = key_read(object, err);

	if (key == NULL)
		return -1;
	table_remove(s->unread, key);
	if (table_remove(s->known, key))
		gone_tell(s, key);
	free(key);
	return 0;
}

int
object_set_mark(
	struct object_set *s, const struct doc *object, struct error *err)
{
	char *key = key_read_for(s->unread, object, err);

	if (key == NULL)
		return -1;
	table_set(s->unread, key, s);
	free(key);
	return 0;
}

/* What managers of fields noted is of no use, and may be most of an object. */
static void
notes_drop(struct doc *object)
{
	struct doc *meta = doc_get(object, "metadata");

	if (doc_get(meta, "managedFields") != NULL)
		doc_free(doc_steal(meta, "managedFields"));
}

static struct item *
item_add(struct object_set *s, const char *key)
{
	struct item *item = xcalloc(1, sizeof(*item));

	table_set(s->aside, key, item);
	return item;
}

int
object_set_collect(struct object_set *s, struct doc *object, size_t bytes,
	struct error *err)
{
	const char *version = object_version(object);
	char *key = key_read(object, err);
	struct item *item;
	int rc = key == NULL ? -1 : 0;

	if (rc == 0 && (table_count(s->aside) >= OBJECT_SET_MAX ||
			       bytes > OBJECT_SET_BYTES_MAX - s->aside_bytes))
		rc = error_set(err, ERROR_LIMIT,
			"more than %d objects or %u MiB of them",
			OBJECT_SET_MAX, OBJECT_SET_BYTES_MAX >> 20);
	if (rc == 0) {
		item = item_add(s, key);
		item->version = xstrdup(version);
		if (!is_known(s, key, version)) {
			notes_drop(object);
			item->doc = object;
			object = NULL;
			s->aside_bytes += bytes;
		}
	}
	free(key);
	doc_free(object);
	return rc;
}

int
object_set_collect_mark(
	struct object_set *s, const struct doc *object, struct error *err)
{
	char *key = key_read_for(s->aside, object, err);

	if (key == NULL)
		return -1;
	item_add(s, key)->unread = true;
	free(key);
	return 0;
}

int
object_set_uncollect(
	struct object_set *s, const struct doc *object, struct error *err)
{
	char *key = key_read(object, err);

	if (key == NULL)
		return -1;
	table_remove(s->aside, key);
	free(key);
	return 0;
}

static void
missing_remove(struct object_set *s)
{
	const char *key;
	size_t place = 0;
	void *value;

	while (table_next(s->known, &place, &key, &value)) {
		char *name;

		if (table_get(s->aside, key) != NULL)
			continue;
		name = xstrdup(key);
		table_remove(s->known, key);
		gone_tell(s, name);
		free(name);
	}
}

void
object_set_swap(struct object_set *s, bool keep_missing)
{
	const char *key;
	size_t place = 0;
	void *value;

	table_free(s->unread);
	s->unread = table_new(NULL);
	while (table_next(s->aside, &place, &key, &value)) {
		struct item *item = value;

		if (item->unread)
			table_set(s->unread, key, s);
		if (item->doc == NULL)
			continue;
		table_set(s->known, key, xstrdup(item->version));
		s->events.put(item->doc, s->arg);
		doc_free(item->doc);
		item->doc = NULL;
	}
	if (!keep_missing)
		missing_remove(s);
	object_set_abandon(s);
}

void
object_set_abandon(struct object_set *s)
{
	s->aside_bytes = 0;
	if (table_count(s->aside) == 0)
		return;
	table_free(s->aside);
	s->aside = table_new(item_free);
}

void
object_set_empty(struct object_set *s)
{
	object_set_abandon(s);
	table_free(s->unread);
	s->unread = table_new(NULL);
	missing_remove(s);
}

void
object_set_forget(struct object_set *s)
{
	const char *key;
	size_t place = 0;
	void *value;

	while (table_next(s->known, &place, &key, &value))
		((char *)value)[0] = '\0';
}
