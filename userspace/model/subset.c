/* Subsets of an upstream's endpoints. */
#include "model/subset.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"
#include "model/model.h"

static int
pair_compare(const void *a, const void *b)
{
	const struct model_pair *const *x = a, *const *y = b;
	int order = strcmp((*x)->key, (*y)->key);

	return order != 0 ? order : strcmp((*x)->value, (*y)->value);
}

uint64_t
subset_identity(const struct model_pair *pairs, size_t count)
{
	const struct model_pair **sorted = xcalloc(count + 1, sizeof(*sorted));
	uint64_t hash = count;

	for (size_t i = 0; i < count; i++)
		sorted[i] = &pairs[i];
	qsort(sorted, count, sizeof(*sorted), pair_compare);
	/* With the NUL of each: no two lists are the same bytes. */
	for (size_t i = 0; i < count; i++) {
		hash = hash_bytes(
			sorted[i]->key, strlen(sorted[i]->key) + 1, hash);
		hash = hash_bytes(
			sorted[i]->value, strlen(sorted[i]->value) + 1, hash);
	}
	free(sorted);
	return hash != 0 ? hash : 1;
}

static const struct model_pair *
label_find(const struct model_pair *labels, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(labels[i].key, key) == 0)
			return &labels[i];
	return NULL;
}

bool
subset_is_of(const struct subset_selector *selector,
	const struct model_pair *pairs, size_t count)
{
	if (selector->key_count != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (label_find(pairs, count, selector->keys[i]) == NULL)
			return false;
	return true;
}

void
subset_list(const struct subset_selector *selectors, size_t selector_count,
	const struct model_pair *labels, size_t label_count,
	uint64_t out[SUBSETS_MAX])
{
	size_t n = 0;

	memset(out, 0, SUBSETS_MAX * sizeof(*out));
	for (size_t i = 0; i < selector_count && n < SUBSETS_MAX; i++) {
		const struct subset_selector *s = &selectors[i];
		struct model_pair *has = xcalloc(s->key_count + 1, sizeof(*has));
		size_t found = 0;

		for (size_t k = 0; k < s->key_count; k++) {
			const struct model_pair *p = label_find(
				labels, label_count, s->keys[k]);

			if (p != NULL)
				has[found++] = *p;
		}
		if (found == s->key_count)
			out[n++] = subset_identity(has, found);
		free(has);
	}
}
