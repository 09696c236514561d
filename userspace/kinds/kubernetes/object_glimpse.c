/* Which object a text is of that cannot be read. */
#include "kinds/kubernetes/object_glimpse.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define WORD_MAX 253 /* bytes of a name, and of what else is taken */

static const char *
space_skip(const char *p, const char *end)
{
	while (p < end && strchr(" \t\r\n", *p) != NULL && *p != '\0')
		p++;
	return p;
}

/* p: behind the opening quote. NULL: it does not end. */
static const char *
string_skip(const char *p, const char *end)
{
	for (; p < end; p++) {
		if (*p == '"')
			return p + 1;
		if (*p == '\\' && ++p == end)
			return NULL;
	}
	return NULL;
}

/* NULL: it does not end. */
static const char *
value_skip(const char *p, const char *end)
{
	unsigned depth = 0;

	while (p < end) {
		char c = *p++;

		if (c == '"') {
			p = string_skip(p, end);
			if (p == NULL)
				return NULL;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		} else if (depth == 0 &&
			   (p == end || strchr(",}] \t\r\n", *p) == NULL)) {
			continue; /* within a number or a word */
		}
		if (depth == 0)
			return p;
	}
	return NULL;
}

/* The value below a key of the map that text begins with. It ends where text
 * does if it has no end: then *whole is false. */
static bool
member_find(struct slice text, const char *key, struct slice *out, bool *whole)
{
	const char *p = text.data, *end = p + text.length;

	p = space_skip(p, end);
	if (p == end || *p != '{')
		return false;
	do {
		const char *name, *name_end, *value;
		struct slice have;

		p = space_skip(p + 1, end);
		if (p == end || *p != '"')
			return false;
		name = p + 1;
		name_end = string_skip(name, end);
		if (name_end == NULL)
			return false;
		have = (struct slice){ name, (size_t)(name_end - 1 - name) };
		p = space_skip(name_end, end);
		if (p == end || *p != ':')
			return false;
		value = space_skip(p + 1, end);
		p = value_skip(value, end);
		if (slice_equal(have, slice_of(key))) {
			*whole = p != NULL;
			*out = (struct slice){ value,
				(size_t)((p == NULL ? end : p) - value) };
			return true;
		}
		if (p == NULL)
			return false;
		p = space_skip(p, end);
	} while (p < end && *p == ',');
	return false;
}

/* A string of visible ASCII, without escapes; or NULL. */
static char *
word_find(struct slice map, const char *key)
{
	struct slice s;
	bool whole;

	if (!member_find(map, key, &s, &whole) || !whole || s.length < 2 ||
		s.length > WORD_MAX + 2 || s.data[0] != '"')
		return NULL;
	for (size_t i = 1; i < s.length - 1; i++)
		if (s.data[i] <= ' ' || s.data[i] > '~' || s.data[i] == '\\')
			return NULL;
	return xstrndup(s.data + 1, s.length - 2);
}

static void
word_set(struct doc *d, const char *key, char *word)
{
	if (word != NULL)
		doc_set_string(d, key, word);
	free(word);
}

/* A namespace that is there but is no word would make it another object. */
static struct doc *
object_find(struct slice text)
{
	struct slice meta, ns;
	struct doc *d, *words;
	bool whole, has_ns;
	char *name, *space;

	if (!member_find(text, "metadata", &meta, &whole) || !whole)
		return NULL;
	name = word_find(meta, "name");
	space = word_find(meta, "namespace");
	has_ns = member_find(meta, "namespace", &ns, &whole);
	if (name == NULL || (has_ns && space == NULL)) {
		free(name);
		free(space);
		return NULL;
	}
	d = doc_new_map();
	words = doc_set(d, "metadata", doc_new_map());
	word_set(words, "name", name);
	word_set(words, "namespace", space);
	word_set(words, "resourceVersion", word_find(meta, "resourceVersion"));
	return d;
}

struct doc *
object_glimpse(struct slice text, bool event)
{
	struct slice object;
	struct doc *d, *inner;
	bool whole;
	char *type;

	if (!event)
		return object_find(text);
	type = word_find(text, "type");
	if (type == NULL || !member_find(text, "object", &object, &whole) ||
		(inner = object_find(object)) == NULL) {
		free(type);
		return NULL;
	}
	d = doc_new_map();
	word_set(d, "type", type);
	doc_set(d, "object", inner);
	return d;
}
