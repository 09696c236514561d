/* The functions of one upstream. */
#include "control/functions.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct functions {
	char **names; /* one more than there are, so never NULL when known */
	size_t count;
};

struct functions *
functions_new(void)
{
	return xcalloc(1, sizeof(struct functions));
}

static void
clear(struct functions *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->names[i]);
	free(f->names);
	f->names = NULL;
	f->count = 0;
}

void
functions_free(struct functions *f)
{
	if (f == NULL)
		return;
	clear(f);
	free(f);
}

static bool
are_same(const struct functions *f, const char *const *names, size_t count)
{
	if (f->names == NULL || names == NULL)
		return f->names == NULL && names == NULL;
	if (f->count != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(f->names[i], names[i]) != 0)
			return false;
	return true;
}

bool
functions_replace(struct functions *f, const char *const *names, size_t count)
{
	if (count > FUNCTIONS_KEPT_MAX)
		count = FUNCTIONS_KEPT_MAX;
	if (are_same(f, names, count))
		return false;
	clear(f);
	if (names == NULL)
		return true;
	f->names = xcalloc(count + 1, sizeof(*f->names));
	for (; f->count < count; f->count++)
		f->names[f->count] = xstrdup(names[f->count]);
	return true;
}

const char *const *
functions_get(const struct functions *f, size_t *count)
{
	*count = f->count;
	return (const char *const *)f->names;
}

bool
functions_is_name(const char *entry)
{
	return strchr(entry, '*') == NULL;
}

struct doc *
functions_print(const struct functions *f)
{
	struct doc *list;

	if (f->names == NULL)
		return NULL;
	list = doc_new_list();
	for (size_t i = 0; i < f->count; i++)
		doc_add(list, doc_new_string(f->names[i]));
	return list;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void
functions_restore(struct functions *f, const struct doc *names)
{
	const char **list;
	size_t count = 0;

	if (names == NULL)
		return;
	list = xcalloc(doc_count(names) + 1, sizeof(*list));
	for (size_t i = 0; i < doc_count(names); i++) {
		list[count] = doc_string(doc_at(names, i));
		count += list[count] != NULL;
	}
	qsort(list, count, sizeof(*list), compare);
	functions_replace(f, list, count);
	free(list);
}
