/* The names of a region's functions, versions and aliases. */
#include "kinds/aws/listing.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"
#include "kinds/aws/functions.h"

#define NAME_MAX_BYTES 140

struct name_list {
	char **all;
	size_t count;
};

struct aliases { /* of one function */
	struct name_list names;
	bool lapsed; /* there may be others by now */
};

struct aws_listing {
	/* Of the pass that runs. */
	struct table *found;        /* "name", "name:version" */
	struct name_list functions; /* names alone */
	struct name_list aliases;   /* of one of them, so far */
	bool cut;

	struct table *known_aliases; /* function to struct aliases */
	struct name_list settled, open;
};

/* ---- lists */

static void
names_clear(struct name_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->all[i]);
	free(l->all);
	*l = (struct name_list){ NULL, 0 };
}

static void
names_add(struct name_list *l, const char *name)
{
	/* Room for twice as many whenever it is full. */
	if ((l->count & (l->count - 1)) == 0)
		l->all = xreallocarray(
			l->all, 2 * l->count + 1, sizeof(*l->all));
	l->all[l->count++] = xstrdup(name);
}

static void
aliases_free(void *value)
{
	struct aliases *a = value;

	names_clear(&a->names);
	free(a);
}

/* Names go into paths, tables and shells' completion: only those that Lambda
 * gives. */
static bool
name_is_good(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length <= NAME_MAX_BYTES &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == length;
}

/* ---- a pass */

struct aws_listing *
aws_listing_new(void)
{
	struct aws_listing *l = xcalloc(1, sizeof(*l));

	l->found = table_new(NULL);
	l->known_aliases = table_new(aliases_free);
	return l;
}

void
aws_listing_free(struct aws_listing *l)
{
	if (l == NULL)
		return;
	names_clear(&l->functions);
	names_clear(&l->aliases);
	names_clear(&l->settled);
	names_clear(&l->open);
	table_free(l->found);
	table_free(l->known_aliases);
	free(l);
}

void
aws_listing_clear(struct aws_listing *l)
{
	table_free(l->found);
	l->found = table_new(NULL);
	names_clear(&l->functions);
	names_clear(&l->aliases);
	l->cut = false;
}

/* False: there is no room. */
static bool
name_put(struct aws_listing *l, struct table *to, const char *name)
{
	if (table_get(to, name) != NULL)
		return true;
	if (table_count(to) >= AWS_FUNCTIONS_MAX) {
		l->cut = true;
		return false;
	}
	table_set(to, name, l);
	return true;
}

static void
name_put_with(struct aws_listing *l, struct table *to, const char *name,
	const char *part)
{
	char *both = xasprintf("%s:%s", name, part);

	(void)name_put(l, to, both);
	free(both);
}

void
aws_listing_add(
	struct aws_listing *l, const char *function, const char *version)
{
	if (!name_is_good(function))
		return;
	if (table_get(l->found, function) == NULL &&
		name_put(l, l->found, function))
		names_add(&l->functions, function);
	if (name_is_good(version)) /* "$LATEST" is not */
		name_put_with(l, l->found, function, version);
}

size_t
aws_listing_count(const struct aws_listing *l)
{
	return l->functions.count;
}

const char *
aws_listing_at(const struct aws_listing *l, size_t i)
{
	return l->functions.all[i];
}

size_t
aws_listing_order(struct aws_listing *l, const struct table *first)
{
	size_t count = l->functions.count, front = 0, back = 0;
	char **all = l->functions.all;
	char **others = xcalloc(count + 1, sizeof(*others));

	for (size_t i = 0; i < count; i++)
		if (table_get(first, all[i]) != NULL)
			all[front++] = all[i];
		else
			others[back++] = all[i];
	for (size_t i = 0; i < back; i++)
		all[front + i] = others[i];
	free(others);
	return front;
}

void
aws_listing_add_alias(struct aws_listing *l, const char *alias)
{
	if (!name_is_good(alias))
		return;
	if (l->aliases.count < AWS_FUNCTIONS_MAX)
		names_add(&l->aliases, alias);
	else
		l->cut = true;
}

void
aws_listing_aliases_end(struct aws_listing *l, size_t i)
{
	struct aliases *kept = xcalloc(1, sizeof(*kept));

	kept->names = l->aliases;
	l->aliases = (struct name_list){ NULL, 0 };
	table_set(l->known_aliases, l->functions.all[i], kept);
}

void
aws_listing_aliases_lapse(struct aws_listing *l, size_t i)
{
	struct aliases *a = table_get(l->known_aliases, l->functions.all[i]);

	names_clear(&l->aliases);
	if (a != NULL)
		a->lapsed = true;
}

void
aws_listing_restore(struct aws_listing *l, const char *name)
{
	const char *alias = strchr(name, ':');
	struct aliases *a;
	char *function;

	if (strchr(name, '*') == NULL)
		names_add(&l->settled, name);
	/* Numbers are versions: those are listed with the functions. */
	if (alias == NULL || !name_is_good(++alias) ||
		alias[strspn(alias, "0123456789")] == '\0')
		return;
	function = xstrndup(name, (size_t)(alias - 1 - name));
	a = table_get(l->known_aliases, function);
	if (a == NULL) {
		a = xcalloc(1, sizeof(*a));
		a->lapsed = true;
		table_set(l->known_aliases, function, a);
	}
	names_add(&a->names, alias);
	free(function);
}

bool
aws_listing_is_cut(const struct aws_listing *l)
{
	return l->cut;
}

/* ---- what is known */

/* Of functions that are gone. */
static void
aliases_prune(struct aws_listing *l)
{
	size_t place = 0;
	const char *key;
	void *value;

	while (table_next(l->known_aliases, &place, &key, &value))
		if (table_get(l->found, key) == NULL)
			table_remove(l->known_aliases, key);
}

/* What was found, and the aliases that are known. The caller frees. */
static struct table *
names_gather(struct aws_listing *l)
{
	struct table *all = table_new(NULL);
	size_t place = 0;
	const char *key;
	void *value;

	while (table_next(l->found, &place, &key, &value))
		(void)name_put(l, all, key);
	for (size_t i = 0; i < l->functions.count; i++) {
		const char *function = l->functions.all[i];
		const struct aliases *a = table_get(l->known_aliases, function);

		for (size_t k = 0; a != NULL && k < a->names.count; k++)
			name_put_with(l, all, function, a->names.all[k]);
	}
	return all;
}

/* What is left out of a list that is cut may be anything. */
static void
open_gather(struct aws_listing *l)
{
	names_clear(&l->open);
	if (l->cut)
		names_add(&l->open, "*");
	for (size_t i = 0; i < l->functions.count && !l->cut; i++) {
		const char *function = l->functions.all[i];
		const struct aliases *a = table_get(l->known_aliases, function);
		char *open;

		if (a != NULL && !a->lapsed)
			continue;
		open = xasprintf("%s:*", function);
		names_add(&l->open, open);
		free(open);
	}
}

static int
text_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void
aws_listing_settle(struct aws_listing *l)
{
	struct table *all;
	size_t place = 0;
	const char *key;
	void *value;

	aliases_prune(l);
	all = names_gather(l);
	names_clear(&l->settled);
	while (table_next(all, &place, &key, &value))
		names_add(&l->settled, key);
	table_free(all);
	if (l->settled.count > 0)
		qsort(l->settled.all, l->settled.count, sizeof(*l->settled.all),
			text_compare);
	open_gather(l);
}

void
aws_listing_lapse(struct aws_listing *l)
{
	names_clear(&l->open);
	names_add(&l->open, "*");
}

const char *const *
aws_listing_names(const struct aws_listing *l, size_t *count)
{
	*count = l->settled.count;
	return (const char *const *)l->settled.all;
}

const char *const *
aws_listing_open(const struct aws_listing *l, size_t *count)
{
	*count = l->open.count;
	return (const char *const *)l->open.all;
}
