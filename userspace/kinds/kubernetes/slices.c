/* All endpoint slices of the cluster, by service. */
#include "kinds/kubernetes/slices_inner.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"

#define SORT_COUNT 2

struct group { /* of one service */
	struct slice_record **records;
	size_t count, capacity;
};

struct kubernetes_slices {
	struct table *records[SORT_COUNT]; /* by key */
	struct table *groups;              /* by service */
	kubernetes_slices_f *changed;
	void *arg;
};

struct kubernetes_slices *
kubernetes_slices_new(kubernetes_slices_f *changed, void *arg)
{
	struct kubernetes_slices *s = xcalloc(1, sizeof(*s));

	for (size_t i = 0; i < SORT_COUNT; i++)
		s->records[i] = table_new(NULL);
	s->groups = table_new(NULL);
	s->changed = changed;
	s->arg = arg;
	return s;
}

static void
group_free(struct group *g)
{
	free(g->records);
	free(g);
}

void
kubernetes_slices_free(struct kubernetes_slices *s)
{
	size_t place = 0;
	void *value;

	if (s == NULL)
		return;
	for (size_t i = 0; i < SORT_COUNT; i++) {
		place = 0;
		while (table_next(s->records[i], &place, NULL, &value))
			kubernetes_slice_free(value);
		table_free(s->records[i]);
	}
	place = 0;
	while (table_next(s->groups, &place, NULL, &value))
		group_free(value);
	table_free(s->groups);
	free(s);
}

static void
group_add(struct kubernetes_slices *s, struct slice_record *r)
{
	struct group *g = table_get(s->groups, r->service);

	if (g == NULL) {
		g = xcalloc(1, sizeof(*g));
		table_set(s->groups, r->service, g);
	}
	if (g->count == g->capacity) {
		g->capacity = g->capacity == 0 ? 2 : 2 * g->capacity;
		g->records = xreallocarray(
			g->records, g->capacity, sizeof(struct slice_record *));
	}
	g->records[g->count++] = r;
}

static void
group_drop(struct kubernetes_slices *s, const struct slice_record *r)
{
	struct group *g = table_get(s->groups, r->service);

	for (size_t i = 0; i < g->count; i++) {
		if (g->records[i] != r)
			continue;
		g->records[i] = g->records[--g->count];
		break;
	}
	if (g->count > 0)
		return;
	table_remove(s->groups, r->service);
	group_free(g);
}

/* service is "ns/service". */
static void
changed_tell(struct kubernetes_slices *s, const char *service)
{
	char *ns = xstrdup(service);
	char *slash = strchr(ns, '/');

	*slash = '\0';
	s->changed(ns, slash + 1, s->arg);
	free(ns);
}

/* Takes now, which may be NULL; the old one of that key goes. */
static void
record_swap(struct kubernetes_slices *s, enum kubernetes_slice_sort sort,
	const char *key, struct slice_record *now)
{
	struct slice_record *old = table_steal(s->records[sort], key);

	if (now != NULL) {
		table_set(s->records[sort], key, now);
		group_add(s, now);
	}
	if (old != NULL)
		group_drop(s, old);
	if (now != NULL)
		changed_tell(s, now->service);
	if (old != NULL &&
		(now == NULL || strcmp(old->service, now->service) != 0))
		changed_tell(s, old->service);
	kubernetes_slice_free(old);
}

int
kubernetes_slices_put(struct kubernetes_slices *s,
	enum kubernetes_slice_sort sort, const struct doc *object,
	struct error *err)
{
	struct slice_record *r = kubernetes_slice_read(object, sort, err);
	const struct slice_record *old;

	if (r == NULL)
		return -1;
	old = table_get(s->records[sort], r->key);
	if (r->service == NULL) {
		record_swap(s, sort, r->key, NULL);
		kubernetes_slice_free(r);
	} else if (old != NULL && kubernetes_slice_is_same(old, r)) {
		kubernetes_slice_free(r);
	} else {
		record_swap(s, sort, r->key, r);
	}
	return 0;
}

void
kubernetes_slices_remove(struct kubernetes_slices *s,
	enum kubernetes_slice_sort sort, const char *ns, const char *name)
{
	char *key = xasprintf("%s/%s", ns, name);

	record_swap(s, sort, key, NULL);
	free(key);
}

void
kubernetes_slices_forget(struct kubernetes_slices *s,
	enum kubernetes_slice_sort sort, const char *ns)
{
	size_t place = 0, length = ns == NULL ? 0 : strlen(ns);
	const char *key;

	while (table_next(s->records[sort], &place, &key, NULL)) {
		char *copy;

		if (ns != NULL && (strncmp(key, ns, length) != 0 ||
					  key[length] != '/'))
			continue;
		copy = xstrdup(key);
		record_swap(s, sort, copy, NULL);
		free(copy);
	}
}

size_t
kubernetes_slices_count(
	const struct kubernetes_slices *s, enum kubernetes_slice_sort sort)
{
	return table_count(s->records[sort]);
}

size_t
kubernetes_slices_endpoints(const struct kubernetes_slices *s,
	const struct kubernetes_slices_query *q, struct endpoint *out,
	size_t room)
{
	char *key = xasprintf("%s/%s", q->ns, q->service);
	const struct group *g = table_get(s->groups, key);

	free(key);
	if (g == NULL)
		return 0;
	return kubernetes_slices_choose(g->records, g->count, q, out, room);
}
