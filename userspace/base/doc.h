/*
 * A document: what a YAML or JSON text says, as a tree with the line of each
 * value. Readers (base/yaml, base/json) refuse duplicate keys, NUL in strings,
 * invalid UTF-8, anchors, more than DOC_MAX_DEPTH levels and more than
 * DOC_MAX_BYTES, so that nobody above has to think of them.
 */
#ifndef BASE_DOC_H
#define BASE_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOC_MAX_DEPTH 64
#define DOC_MAX_BYTES (64u << 20)
#define DOC_REAL_TEXT_MAX 40

enum doc_type {
	DOC_NULL,
	DOC_BOOL,
	DOC_INTEGER,
	DOC_REAL,
	DOC_STRING,
	DOC_LIST,
	DOC_MAP,
};

struct doc;

struct doc *doc_new_null(void);
struct doc *doc_new_bool(bool value);
struct doc *doc_new_integer(int64_t value);
struct doc *doc_new_real(double value);
struct doc *doc_new_string(const char *text);
struct doc *doc_new_string_n(const char *text, size_t length);
struct doc *doc_new_list(void);
struct doc *doc_new_map(void);
struct doc *doc_copy(const struct doc *d);
void doc_free(struct doc *d); /* NULL is fine */
/* Every string in it is overwritten and empty then: of one with secrets. */
void doc_wipe(struct doc *d);
void doc_free_wiped(struct doc *d);

enum doc_type doc_type(const struct doc *d); /* DOC_NULL for NULL */
const char *doc_type_name(enum doc_type type); /* "a string", "a list", ... */
int doc_line(const struct doc *d); /* 1-based; 0: made by the program */
void doc_set_line(struct doc *d, int line);
bool doc_equal(const struct doc *a, const struct doc *b); /* lines ignored */

/* Values; a wrong type gives false, 0, 0.0 or NULL. An integer is a real. */
bool doc_bool(const struct doc *d);
int64_t doc_integer(const struct doc *d);
double doc_real(const struct doc *d);
const char *doc_string(const struct doc *d);
/* The shortest text that reads back as value; out has DOC_REAL_TEXT_MAX
 * bytes. Returns out. */
const char *doc_real_format(double value, char *out);

/* Lists and maps; maps keep the order in which keys were set. */
size_t doc_count(const struct doc *d); /* 0 for scalars and NULL */
struct doc *doc_at(const struct doc *list, size_t i);
const char *doc_key_at(const struct doc *map, size_t i);
struct doc *doc_value_at(const struct doc *map, size_t i);
struct doc *doc_get(const struct doc *map, const char *key); /* or NULL */
/* Borrowed value below nested maps: doc_find(d, "metadata", "name", NULL). */
struct doc *doc_find(const struct doc *map, ...) __attribute__((sentinel));
/* A string below map, or NULL. */
const char *doc_get_string(const struct doc *map, const char *key);
/* The same, or "". */
const char *doc_get_text(const struct doc *map, const char *key);
/* A whole number below map, or 0. */
int64_t doc_get_integer(const struct doc *map, const char *key);
/* These take the child. doc_add appends, doc_insert shifts, doc_set replaces
 * an older value of that key. Each returns the child. */
struct doc *doc_add(struct doc *list, struct doc *child);
struct doc *doc_insert(struct doc *list, size_t i, struct doc *child);
struct doc *doc_set(struct doc *map, const char *key, struct doc *child);
struct doc *doc_set_string(struct doc *map, const char *key, const char *text);
/* Takes the value out of its parent; NULL if absent. */
struct doc *doc_steal(struct doc *map, const char *key);
struct doc *doc_steal_at(struct doc *list, size_t i);

#endif
