/*
 * A hash table from strings to pointers. The keys are copied; the values are
 * the caller's unless free_value is given. Iteration order is unspecified.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table;

typedef void table_free_f(void *value);

struct table *table_new(table_free_f *free_value);
void table_free(struct table *t);
size_t table_count(const struct table *t);
void *table_get(const struct table *t, const char *key); /* NULL: absent */
/* Takes value; an older value under the key is freed. */
void table_set(struct table *t, const char *key, void *value);
bool table_remove(struct table *t, const char *key);
/* The value becomes the caller's and leaves the table. */
void *table_steal(struct table *t, const char *key);
/* Start with *place = 0; false at the end. The table must not be changed in
 * between, except by removing the entry just seen. */
bool table_next(const struct table *t, size_t *place, const char **key,
	void **value);
/* The hash that the table uses (FNV-1a 64 bit with a finaliser), for others. */
uint64_t hash_bytes(const void *data, size_t length, uint64_t seed);

#endif
