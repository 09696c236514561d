/*
 * JSON read where it stands: a text is found valid once, then its values are
 * spans of it and are walked, without a tree. For texts that come from far, are
 * large, and of which little is wanted: it needs no memory but what the caller
 * decodes. Strings may hold U+0000. Pure.
 */
#ifndef BASE_JSON_SPAN_H
#define BASE_JSON_SPAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/doc.h"
#include "base/error.h"
#include "base/str.h"

#define JSON_SPAN_DEPTH 512

struct json_span {
	enum doc_type type; /* a number is DOC_REAL, whatever it is */
	struct slice text;  /* with quotes, with brackets; data NULL: none */
};

/* Exactly one value (RFC 8259) in UTF-8 with white space around it; the span
 * lies in text. -1 and err, which says at which byte. */
int json_span_read(struct slice text, struct json_span *out, struct error *err);

/* Walks the members of a map or list that json_span_read found; of others and
 * of none there are no members. Keys may come twice. */
struct json_span_walk {
	const char *p, *end;
	bool map;
};
void json_span_walk(struct json_span_walk *w, const struct json_span *of);
/* key: a string, not touched in lists; may be NULL. */
bool json_span_next(struct json_span_walk *w, struct json_span *key,
	struct json_span *value);

/* A string decoded, appended. A surrogate without its other half becomes
 * U+FFFD. What is no string is appended as it is written. */
void json_span_text(const struct json_span *s, struct str *out);
/* Is it the string text? */
bool json_span_equal(const struct json_span *s, const char *text);

#endif
