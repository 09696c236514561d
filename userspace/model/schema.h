/*
 * Tables that say how a struct is written in a document: one row per key. The
 * engine reads a document into the struct, prints it back and frees it, so
 * that no struct needs code of its own for that.
 *
 * Errors are ERROR_CONFIG with the line, and begin with the place in the form
 * that error_prefix joins: ".routes[3].matchers[0].prefix: expected ...". The
 * topmost caller takes the first dot away with schema_place_trim. A key that
 * no row names is an error. null counts as not given.
 */
#ifndef MODEL_SCHEMA_H
#define MODEL_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/doc.h"
#include "base/error.h"

#define SCHEMA_TEXT_MAX 4096 /* bytes of a string whose row has no max */

enum schema_type {
	SCHEMA_STRING,         /* char *, NULL: not given */
	SCHEMA_BOOL,           /* bool */
	SCHEMA_BOOL_GIVEN,     /* struct model_bool */
	SCHEMA_NUMBER,         /* unsigned integer of 1, 2, 4 or 8 bytes */
	SCHEMA_NUMBER_GIVEN,   /* struct model_u32 */
	SCHEMA_DURATION,       /* uint64_t, ms */
	SCHEMA_DURATION_GIVEN, /* struct model_duration */
	SCHEMA_WORD,           /* as SCHEMA_NUMBER, written as one of words */
	SCHEMA_STRINGS,        /* char ** and a count */
	SCHEMA_PAIRS,   /* struct model_pair * and a count: a map of strings */
	SCHEMA_STRUCT,  /* embedded; offset 0 groups keys of one struct */
	SCHEMA_POINTER, /* to a struct; NULL: not given */
	SCHEMA_LIST,    /* array of structs and a count */
	SCHEMA_ONE,     /* as SCHEMA_LIST, written as its one member */
	SCHEMA_DOC,     /* struct doc *: a map, kept as written */
	SCHEMA_CUSTOM,
	SCHEMA_SKIPPED, /* read over */
	SCHEMA_REFUSED, /* Gloo has it, we do not serve it yet */
};

enum schema_flag {
	SCHEMA_REQUIRED = 1,
	SCHEMA_KEEP = 2, /* printed even when it has its default or is empty */
	SCHEMA_SECRET = 4, /* of strings and pairs: overwritten before it is
			    * freed, left out by schema_redact */
};

struct schema_word {
	const char *name; /* NULL ends the list */
	uint64_t value;
};

/* base is the struct that the table describes. */
struct schema_custom {
	int (*read)(const struct doc *d, void *base, struct error *err);
	struct doc *(*print)(const void *base); /* NULL: left out */
	void (*fini)(void *base);
};

/* What a string has to be; err gets a sentence without place. */
typedef int schema_check_f(const char *value, struct error *err);

struct schema_field {
	const char *name; /* NULL ends the table */
	enum schema_type type;
	unsigned flags; /* enum schema_flag */
	size_t offset, size;
	size_t count_offset;
	/* Of several rows with a choice exactly one is given; its value is
	 * stored at choice_offset. choice_size 0: no such row. */
	size_t choice_offset, choice_size;
	uint64_t choice_value;
	/* Numbers and durations: the range. Strings: length. Arrays: count.
	 * max 0: the type's own. */
	uint64_t min, max;
	uint64_t fallback;         /* numbers, words, durations, bools */
	const char *fallback_text; /* strings */
	const struct schema_word *words;
	const struct schema *sub;
	const struct schema_custom *custom;
	schema_check_f *check; /* strings, and each of SCHEMA_STRINGS */
};

struct schema {
	const struct schema_field *fields;
	size_t size; /* of the struct */
	bool choice_needed;
	/* After all keys were read: what no row can say. May change the
	 * struct. An error may begin with the place below the struct. */
	int (*check)(void *base, struct error *err);
};

#define SCHEMA_AT(structure, member)                                           \
	.offset = offsetof(struct structure, member),                          \
	.size = sizeof(((struct structure *)0)->member)
#define SCHEMA_ARRAY_AT(structure, member, count)                              \
	SCHEMA_AT(structure, member),                                          \
		.count_offset = offsetof(struct structure, count)
#define SCHEMA_CHOICE_AT(structure, member, value)                             \
	.choice_offset = offsetof(struct structure, member),                   \
	.choice_size = sizeof(((struct structure *)0)->member),                \
	.choice_value = (value)
#define SCHEMA_NOT_YET(key)                                                    \
	{                                                                      \
		.name = (key), .type = SCHEMA_REFUSED                          \
	}

/* base is uninitialised; after a failure there is nothing to free. NULL reads
 * as an empty map. */
int schema_read(const struct schema *s, const struct doc *d, void *base,
	struct error *err);
/* As above into new memory; NULL on failure. */
void *schema_read_new(
	const struct schema *s, const struct doc *d, struct error *err);
struct doc *schema_print(const struct schema *s, const void *base);
/* d is of schema_print: the values of secrets become null. */
void schema_redact(const struct schema *s, struct doc *d);
/* Frees what base points to, not base itself. */
void schema_fini(const struct schema *s, void *base);
/* ".a.b: what" to "a.b: what"; control characters that the operator's values
 * brought into the text become "?". */
void schema_place_trim(struct error *err);

#endif
