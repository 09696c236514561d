/* JSON text to documents (jansson) and back. */
#include "base/json.h"

#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

/*
 * jansson keeps no lines. Once it has found the text valid, walking the text
 * in the order of the tree finds the line of every value.
 */
struct walk {
	const char *p, *end;
	int line;
};

static void
walk_to_token(struct walk *w)
{
	for (; w->p < w->end && strchr(" \t\r\n,:]}", *w->p) != NULL; w->p++) {
		if (*w->p == '\n')
			w->line++;
	}
}

static void
walk_over_string(struct walk *w)
{
	w->p++;
	while (w->p < w->end && *w->p != '"')
		w->p += *w->p == '\\' ? 2 : 1;
	w->p++;
}

static void
walk_over_word(struct walk *w)
{
	while (w->p < w->end && strchr(" \t\r\n,:]}", *w->p) == NULL)
		w->p++;
}

static int
fail(struct error *err, int line, const char *what)
{
	if (err != NULL && err->code == ERROR_NONE)
		err->line = line;
	return error_set(err, ERROR_CONFIG, "%s", what);
}

static struct doc *convert(struct walk *w, json_t *value, int depth,
	struct error *err);

static struct doc *
convert_list(struct walk *w, json_t *value, int depth, struct error *err)
{
	struct doc *list = doc_new_list();

	for (size_t i = 0; i < json_array_size(value); i++) {
		struct doc *child = convert(w, json_array_get(value, i), depth,
			err);

		if (child == NULL) {
			doc_free(list);
			return NULL;
		}
		doc_add(list, child);
		/* Long lists would otherwise be there twice. */
		json_array_set_new(value, i, json_null());
	}
	return list;
}

static struct doc *
convert_map(struct walk *w, json_t *value, int depth, struct error *err)
{
	struct doc *map = doc_new_map();
	const char *key;
	json_t *member;

	/* jansson keeps the order of the text. */
	json_object_foreach (value, key, member) {
		struct doc *child;

		walk_to_token(w);
		walk_over_string(w);
		child = convert(w, member, depth, err);
		if (child == NULL) {
			doc_free(map);
			return NULL;
		}
		doc_set(map, key, child);
	}
	return map;
}

static struct doc *
convert_scalar(struct walk *w, json_t *value)
{
	if (json_is_string(value)) {
		walk_over_string(w);
		return doc_new_string_n(json_string_value(value),
			json_string_length(value));
	}
	walk_over_word(w);
	if (json_is_integer(value))
		return doc_new_integer(json_integer_value(value));
	if (json_is_real(value))
		return doc_new_real(json_real_value(value));
	if (json_is_boolean(value))
		return doc_new_bool(json_is_true(value));
	return doc_new_null();
}

static struct doc *
convert(struct walk *w, json_t *value, int depth, struct error *err)
{
	struct doc *d;
	int line;

	walk_to_token(w);
	line = w->line;
	if (json_is_array(value) || json_is_object(value)) {
		if (depth == DOC_MAX_DEPTH) {
			fail(err, line, "the text is nested too deeply");
			return NULL;
		}
		w->p++;
		d = json_is_array(value)
			? convert_list(w, value, depth + 1, err)
			: convert_map(w, value, depth + 1, err);
	} else {
		d = convert_scalar(w, value);
	}
	if (d != NULL)
		doc_set_line(d, line);
	return d;
}

/* jansson ends some of its texts with: near '"the last token"'. */
static void
explain(const json_error_t *why, struct error *err)
{
	char text[JSON_ERROR_TEXT_LENGTH + 32];
	const char *near = strstr(why->text, " near '\"");
	size_t length = near == NULL ? 0 : strlen(near);

	switch (json_error_code(why)) {
	case json_error_duplicate_key:
		if (length > 10)
			snprintf(text, sizeof(text), "duplicate key %.*s",
				(int)(length - 8), near + 7);
		else
			snprintf(text, sizeof(text), "duplicate key");
		break;
	case json_error_null_character:
	case json_error_null_byte_in_key:
		snprintf(text, sizeof(text), "a string has a NUL character");
		break;
	case json_error_stack_overflow:
		snprintf(text, sizeof(text), "the text is nested too deeply");
		break;
	default:
		snprintf(text, sizeof(text), "%s", why->text);
	}
	fail(err, why->line > 0 ? why->line : 1, text);
}

static int
line_at(const char *text, const char *at)
{
	int line = 1;

	for (; text < at; text++)
		line += *text == '\n';
	return line;
}

struct doc *
json_doc_read(const char *text, size_t length, struct error *err)
{
	struct walk w = { text, text + length, 1 };
	const char *nul;
	json_error_t why;
	struct doc *d;
	json_t *tree;

	if (length > DOC_MAX_BYTES) {
		error_set(err, ERROR_LIMIT,
			"the document has more than %u bytes", DOC_MAX_BYTES);
		return NULL;
	}
	nul = length == 0 ? NULL : memchr(text, '\0', length);
	if (nul != NULL) {
		fail(err, line_at(text, nul), "the text has a NUL character");
		return NULL;
	}
	tree = json_loadb(text, length,
		JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	if (tree == NULL) {
		explain(&why, err);
		return NULL;
	}
	d = convert(&w, tree, 0, err);
	json_decref(tree);
	return d;
}

static void
quote_control(struct str *out, unsigned char c)
{
	static const char named[] = "btn?fr";

	if (c >= '\b' && c <= '\r' && c != '\v')
		str_printf(out, "\\%c", named[c - '\b']);
	else
		str_printf(out, "\\u%04x", c);
}

void
json_quote(struct str *out, const char *text, size_t length)
{
	const char *p = text, *end = p + length;
	const char *from = p; /* copied up to here */

	str_putc(out, '"');
	while (p < end) {
		size_t n = (unsigned char)*p < 0x80
			? 1
			: utf8_length(p, (size_t)(end - p));

		if (n > 1 || (n == 1 && (unsigned char)*p >= 0x20 &&
				     *p != '"' && *p != '\\' && *p != 0x7f)) {
			p += n;
			continue;
		}
		str_append(out, from, (size_t)(p - from));
		if (n == 0)
			str_puts(out, "\\ufffd");
		else if (*p == '"' || *p == '\\')
			str_append(out, (char[]){ '\\', *p }, 2);
		else
			quote_control(out, (unsigned char)*p);
		from = ++p;
	}
	str_append(out, from, (size_t)(p - from));
	str_putc(out, '"');
}

size_t
json_quoted_length(const char *text, size_t length)
{
	const char *p = text, *end = p + length;
	size_t quoted = 2;

	while (p < end) {
		unsigned char c = (unsigned char)*p;
		size_t n = c < 0x80 ? 1 : utf8_length(p, (size_t)(end - p));

		if (n == 0 || ((c < 0x20 || c == 0x7f) &&
				      (c < '\b' || c > '\r' || c == '\v')))
			quoted += 6;
		else
			quoted += c < 0x20 || c == '"' || c == '\\' ? 2 : n;
		p += n == 0 ? 1 : n;
	}
	return quoted;
}

static void
new_line(struct str *out, int indent, int depth)
{
	if (indent == 0)
		return;
	str_putc(out, '\n');
	for (int i = indent * depth; i > 0; i--)
		str_putc(out, ' ');
}

static int
key_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void write_value(const struct doc *d, int indent, int depth,
	struct str *out);

static void
write_map(const struct doc *d, int indent, int depth, struct str *out)
{
	size_t count = doc_count(d);
	const char **keys = xcalloc(count, sizeof(*keys));

	for (size_t i = 0; i < count; i++)
		keys[i] = doc_key_at(d, i);
	qsort(keys, count, sizeof(*keys), key_compare);
	str_putc(out, '{');
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			str_putc(out, ',');
		new_line(out, indent, depth + 1);
		json_quote(out, keys[i], strlen(keys[i]));
		str_puts(out, indent == 0 ? ":" : ": ");
		write_value(doc_get(d, keys[i]), indent, depth + 1, out);
	}
	if (count > 0)
		new_line(out, indent, depth);
	str_putc(out, '}');
	free(keys);
}

static void
write_list(const struct doc *d, int indent, int depth, struct str *out)
{
	str_putc(out, '[');
	for (size_t i = 0; i < doc_count(d); i++) {
		if (i > 0)
			str_putc(out, ',');
		new_line(out, indent, depth + 1);
		write_value(doc_at(d, i), indent, depth + 1, out);
	}
	if (doc_count(d) > 0)
		new_line(out, indent, depth);
	str_putc(out, ']');
}

static void
write_value(const struct doc *d, int indent, int depth, struct str *out)
{
	char real[DOC_REAL_TEXT_MAX];

	switch (doc_type(d)) {
	case DOC_NULL:
		str_puts(out, "null");
		break;
	case DOC_BOOL:
		str_puts(out, doc_bool(d) ? "true" : "false");
		break;
	case DOC_INTEGER:
		str_printf(out, "%lld", (long long)doc_integer(d));
		break;
	case DOC_REAL:
		/* JSON has no word for what is not finite. */
		str_puts(out, isfinite(doc_real(d))
				? doc_real_format(doc_real(d), real)
				: "null");
		break;
	case DOC_STRING:
		json_quote(out, doc_string(d), strlen(doc_string(d)));
		break;
	case DOC_LIST:
		write_list(d, indent, depth, out);
		break;
	case DOC_MAP:
		write_map(d, indent, depth, out);
		break;
	}
}

void
json_doc_write(const struct doc *d, int indent, struct str *out)
{
	write_value(d, indent, 0, out);
}
