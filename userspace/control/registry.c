/* Numbers that stay with a name for as long as it lives. */
#include "control/registry.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/table.h"

struct entry {
	char *name; /* NULL: free */
	bool retired;
	uint64_t generation; /* of the retirement */
};

struct registry {
	uint32_t limit, last; /* last: given most recently */
	uint64_t version;
	struct entry *entries;
	struct table *numbers; /* name to its entry */
};

struct registry *
registry_new(uint32_t limit)
{
	struct registry *r = xcalloc(1, sizeof(*r));

	r->limit = limit;
	r->entries = xcalloc(limit, sizeof(*r->entries));
	r->numbers = table_new(NULL);
	return r;
}

void
registry_free(struct registry *r)
{
	if (r == NULL)
		return;
	for (uint32_t i = 0; i < r->limit; i++)
		free(r->entries[i].name);
	free(r->entries);
	table_free(r->numbers);
	free(r);
}

uint32_t
registry_get(const struct registry *r, const char *name)
{
	const struct entry *e = table_get(r->numbers, name);

	return e == NULL || e->retired ? 0 : (uint32_t)(e - r->entries);
}

static void
entry_set(struct registry *r, uint32_t number, const char *name)
{
	struct entry *e = &r->entries[number];

	e->name = xstrdup(name);
	e->retired = false;
	table_set(r->numbers, name, e);
	r->version++;
}

/* After the one given last, so that a number rests before its next name. */
static uint32_t
number_free(const struct registry *r)
{
	for (uint32_t i = 1; i < r->limit; i++) {
		uint32_t n = 1 + (r->last + i - 1) % (r->limit - 1);

		if (r->entries[n].name == NULL)
			return n;
	}
	return 0;
}

uint32_t
registry_take(struct registry *r, const char *name)
{
	struct entry *e = table_get(r->numbers, name);
	uint32_t number;

	if (e != NULL) {
		e->retired = false;
		return (uint32_t)(e - r->entries);
	}
	number = number_free(r);
	if (number == 0)
		return 0;
	entry_set(r, number, name);
	r->last = number;
	return number;
}

int
registry_restore(struct registry *r, const char *name, uint32_t number)
{
	if (number == 0 || number >= r->limit ||
		r->entries[number].name != NULL ||
		table_get(r->numbers, name) != NULL)
		return -1;
	entry_set(r, number, name);
	if (number > r->last)
		r->last = number;
	return 0;
}

void
registry_retire(struct registry *r, const char *name, uint64_t generation)
{
	struct entry *e = table_get(r->numbers, name);

	if (e == NULL || e->retired)
		return;
	e->retired = true;
	e->generation = generation;
}

void
registry_release(struct registry *r, uint64_t enforced,
	registry_released_f *released, void *arg)
{
	for (uint32_t i = 1; i < r->limit; i++) {
		struct entry *e = &r->entries[i];

		if (e->name == NULL || !e->retired || e->generation > enforced)
			continue;
		table_remove(r->numbers, e->name);
		free(e->name);
		e->name = NULL;
		e->retired = false;
		r->version++;
		released(i, arg);
	}
}

bool
registry_next(const struct registry *r, uint32_t *number, const char **name)
{
	for (uint32_t i = *number + 1; i < r->limit; i++) {
		if (r->entries[i].name == NULL)
			continue;
		*number = i;
		*name = r->entries[i].name;
		return true;
	}
	return false;
}

uint64_t
registry_version(const struct registry *r)
{
	return r->version;
}
