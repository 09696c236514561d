/* Numbers that stay with a name for as long as it lives. */
#include "control/numbers.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/table.h"

struct entry {
	char *name; /* NULL: free */
	bool retired;
	uint64_t generation; /* of the retirement */
};

struct numbers {
	uint32_t limit, last; /* last: given most recently */
	uint64_t version;
	struct entry *entries;
	struct table *numbers; /* name to its entry */
};

struct numbers *
numbers_new(uint32_t limit)
{
	struct numbers *r = xcalloc(1, sizeof(*r));

	r->limit = limit;
	r->entries = xcalloc(limit, sizeof(*r->entries));
	r->numbers = table_new(NULL);
	return r;
}

void
numbers_free(struct numbers *r)
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
numbers_get(const struct numbers *r, const char *name)
{
	const struct entry *e = table_get(r->numbers, name);

	return e == NULL || e->retired ? 0 : (uint32_t)(e - r->entries);
}

static void
entry_set(struct numbers *r, uint32_t number, const char *name)
{
	struct entry *e = &r->entries[number];

	e->name = xstrdup(name);
	e->retired = false;
	table_set(r->numbers, name, e);
	r->version++;
}

/* After the one given last, so that a number rests before its next name. */
static uint32_t
number_free(const struct numbers *r)
{
	for (uint32_t i = 1; i < r->limit; i++) {
		uint32_t n = 1 + (r->last + i - 1) % (r->limit - 1);

		if (r->entries[n].name == NULL)
			return n;
	}
	return 0;
}

uint32_t
numbers_take(struct numbers *r, const char *name)
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
numbers_restore(struct numbers *r, const char *name, uint32_t number)
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
numbers_retire(struct numbers *r, const char *name, uint64_t generation)
{
	struct entry *e = table_get(r->numbers, name);

	if (e == NULL || e->retired)
		return;
	e->retired = true;
	e->generation = generation;
}

void
numbers_release(struct numbers *r, uint64_t enforced,
	numbers_released_f *released, void *arg)
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
numbers_next(const struct numbers *r, uint32_t *number, const char **name)
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
numbers_version(const struct numbers *r)
{
	return r->version;
}
