/* subsetTags of a Consul upstream as subsets. */
#include "kinds/consul/subsets.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/model.h"

struct consul_subsets {
	char *keys[CONSUL_SUBSET_TAGS_MAX]; /* sorted, each once */
	size_t key_count;
	struct subset_selector selectors[SUBSETS_MAX];
	size_t selector_count;
};

static int
key_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool
keys_have(const struct consul_subsets *s, const char *key)
{
	for (size_t i = 0; i < s->key_count; i++)
		if (strcmp(s->keys[i], key) == 0)
			return true;
	return false;
}

struct consul_subsets *
consul_subsets_new(char *const *tags, size_t tag_count)
{
	struct consul_subsets *s = xcalloc(1, sizeof(*s));

	assert(tag_count <= CONSUL_SUBSET_TAGS_MAX);
	for (size_t i = 0; i < tag_count; i++) {
		char *key = xasprintf(CONSUL_SUBSET_PREFIX "%s", tags[i]);

		if (keys_have(s, key))
			free(key);
		else
			s->keys[s->key_count++] = key;
	}
	qsort(s->keys, s->key_count, sizeof(s->keys[0]), key_compare);
	for (size_t i = 0; i < s->key_count; i++)
		s->selectors[s->selector_count++] =
			(struct subset_selector){ &s->keys[i], 1 };
	if (s->key_count > 1)
		s->selectors[s->selector_count++] =
			(struct subset_selector){ s->keys, s->key_count };
	return s;
}

void
consul_subsets_free(struct consul_subsets *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->key_count; i++)
		free(s->keys[i]);
	free(s);
}

const struct subset_selector *
consul_subsets_selectors(const struct consul_subsets *s, size_t *count)
{
	*count = s->selector_count;
	return s->selectors;
}

static bool
tags_have(char *const *tags, size_t count, const char *tag)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(tags[i], tag) == 0)
			return true;
	return false;
}

void
consul_subsets_list(const struct consul_subsets *s, char *const *tags,
	size_t tag_count, uint64_t out[SUBSETS_MAX])
{
	static char yes[] = "1", no[] = "0";
	struct model_pair labels[CONSUL_SUBSET_TAGS_MAX];

	for (size_t i = 0; i < s->key_count; i++) {
		const char *tag = s->keys[i] + strlen(CONSUL_SUBSET_PREFIX);

		labels[i].key = s->keys[i];
		labels[i].value = tags_have(tags, tag_count, tag) ? yes : no;
	}
	subset_list(s->selectors, s->selector_count, labels, s->key_count, out);
}
