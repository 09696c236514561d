/* A hash table from strings to pointers: open addressing, linear probing. */
#include "base/table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/mem.h"

struct slot {
	char *key; /* NULL: never used; removed: a hole that probing crosses */
	void *value;
	uint64_t hash;
};

struct table {
	struct slot *slots;
	size_t size; /* 0 or a power of two */
	size_t count, holes;
	uint64_t seed; /* so that keys from outside cannot be made to collide */
	table_free_f *free_value;
};

static char removed[1];

uint64_t
hash_bytes(const void *data, size_t length, uint64_t seed)
{
	const unsigned char *p = data;
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ seed;

	for (size_t i = 0; i < length; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ (h >> 33);
}

struct table *
table_new(table_free_f *free_value)
{
	struct table *t = xcalloc(1, sizeof(*t));

	t->free_value = free_value;
	if (getrandom(&t->seed, sizeof(t->seed), GRND_NONBLOCK) !=
		sizeof(t->seed))
		t->seed = clock_monotonic_us() * UINT64_C(0x9e3779b97f4a7c15);
	return t;
}

static bool
slot_is_used(const struct slot *s)
{
	return s->key != NULL && s->key != removed;
}

void
table_free(struct table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->size; i++) {
		if (!slot_is_used(&t->slots[i]))
			continue;
		free(t->slots[i].key);
		if (t->free_value != NULL)
			t->free_value(t->slots[i].value);
	}
	free(t->slots);
	free(t);
}

size_t
table_count(const struct table *t)
{
	return t->count;
}

static struct slot *
slot_find(const struct table *t, const char *key)
{
	uint64_t hash;

	if (t->count == 0)
		return NULL;
	hash = hash_bytes(key, strlen(key), t->seed);
	for (size_t i = hash & (t->size - 1);; i = (i + 1) & (t->size - 1)) {
		struct slot *s = &t->slots[i];

		if (s->key == NULL)
			return NULL;
		if (s->key != removed && s->hash == hash &&
			strcmp(s->key, key) == 0)
			return s;
	}
}

void *
table_get(const struct table *t, const char *key)
{
	const struct slot *s = slot_find(t, key);

	return s == NULL ? NULL : s->value;
}

/* The place of a key that is known to be absent. */
static struct slot *
slot_free(struct slot *slots, size_t size, uint64_t hash)
{
	size_t i = hash & (size - 1);

	while (slot_is_used(&slots[i]))
		i = (i + 1) & (size - 1);
	return &slots[i];
}

/* At most three quarters are used or holes, so that probing ends soon. */
static void
table_make_room(struct table *t)
{
	struct slot *slots;
	size_t size = 8;

	if ((t->count + t->holes + 1) * 4 <= t->size * 3)
		return;
	while ((t->count + 1) * 2 > size)
		size *= 2;
	slots = xcalloc(size, sizeof(*slots));
	for (size_t i = 0; i < t->size; i++) {
		if (slot_is_used(&t->slots[i]))
			*slot_free(slots, size, t->slots[i].hash) =
				t->slots[i];
	}
	free(t->slots);
	t->slots = slots;
	t->size = size;
	t->holes = 0;
}

void
table_set(struct table *t, const char *key, void *value)
{
	struct slot *s = slot_find(t, key);
	uint64_t hash;

	if (s != NULL) {
		void *old = s->value;

		s->value = value;
		if (t->free_value != NULL && old != value)
			t->free_value(old);
		return;
	}
	table_make_room(t);
	hash = hash_bytes(key, strlen(key), t->seed);
	s = slot_free(t->slots, t->size, hash);
	if (s->key == removed)
		t->holes--;
	*s = (struct slot){ xstrdup(key), value, hash };
	t->count++;
}

void *
table_steal(struct table *t, const char *key)
{
	struct slot *s = slot_find(t, key);
	void *value;

	if (s == NULL)
		return NULL;
	value = s->value;
	free(s->key);
	*s = (struct slot){ removed, NULL, 0 };
	t->count--;
	t->holes++;
	return value;
}

bool
table_remove(struct table *t, const char *key)
{
	void *value;

	if (slot_find(t, key) == NULL)
		return false;
	value = table_steal(t, key);
	if (t->free_value != NULL)
		t->free_value(value);
	return true;
}

bool
table_next(const struct table *t, size_t *place, const char **key, void **value)
{
	while (*place < t->size) {
		const struct slot *s = &t->slots[(*place)++];

		if (!slot_is_used(s))
			continue;
		if (key != NULL)
			*key = s->key;
		if (value != NULL)
			*value = s->value;
		return true;
	}
	return false;
}
