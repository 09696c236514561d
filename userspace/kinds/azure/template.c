/* Route templates, read and filled. */
#include "kinds/azure/template.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"

enum segment_type {
	SEGMENT_LITERAL, /* text: percent-coded */
	SEGMENT_NEEDED,  /* text: as written, for people */
	SEGMENT_OPTIONAL,
	SEGMENT_REST,
};

struct segment {
	enum segment_type type;
	char *text;
};

struct azure_template {
	struct segment *segments;
	size_t count;
};

/* ---- read */

static int
template_bad(struct error *err, struct slice text, const char *why)
{
	return error_set(err, ERROR_CONFIG, "\"%.*s\" is no route template: %s",
		(int)(text.length > 128 ? 128 : text.length), text.data, why);
}

/* What one parameter says, text without its braces. */
static int
parameter_read(struct slice text, struct slice whole, enum segment_type *type,
	struct error *err)
{
	size_t name = 0;
	int depth = 0;

	while (name < text.length && text.data[name] == '*')
		name++;
	if (name > 2 || name == text.length ||
		strchr(":=?", text.data[name]) != NULL)
		return template_bad(err, whole, "a parameter has no name");
	if (name > 0) {
		*type = SEGMENT_REST;
		return 0;
	}
	if (text.data[text.length - 1] == '?') {
		*type = SEGMENT_OPTIONAL;
		return 0;
	}
	*type = SEGMENT_NEEDED;
	for (size_t i = 0; i < text.length; i++) {
		depth += text.data[i] == '(';
		depth -= text.data[i] == ')';
		if (depth == 0 && text.data[i] == '=')
			*type = SEGMENT_OPTIONAL;
	}
	return 0;
}

/* The parameter that begins at text.data[at], a "{": *end is behind its "}". */
static int
parameter_end(struct slice text, size_t at, size_t *end, struct error *err)
{
	for (size_t i = at + 1; i < text.length; i++) {
		bool twice =
			i + 1 < text.length && text.data[i + 1] == text.data[i];

		if ((text.data[i] == '{' || text.data[i] == '}') && twice) {
			i++;
			continue;
		}
		if (text.data[i] == '{')
			break;
		if (text.data[i] == '}') {
			*end = i + 1;
			return 0;
		}
	}
	return template_bad(err, text, "a \"{\" has no \"}\"");
}

/* One byte of a literal; braces stand there twice. How many were taken, 0: it
 * may not stand there. */
static size_t
literal_take(struct slice text, size_t at, struct str *out)
{
	char one[2] = { text.data[at], '\0' };
	size_t taken = 1;

	if (one[0] == '{' || one[0] == '}')
		taken = at + 1 < text.length && text.data[at + 1] == one[0] ? 2
									    : 0;
	else if (strchr("?#\\", one[0]) != NULL ||
		 (unsigned char)one[0] < ' ' || one[0] == 0x7f)
		taken = 0; /* NUL is among what strchr finds */
	if (taken > 0)
		str_put_escaped(out, one);
	return taken;
}

/* From at to the next "/" that is in no parameter; *end is there. */
static int
segment_read(struct slice text, size_t at, size_t *end, struct segment *out,
	struct error *err)
{
	enum segment_type type = SEGMENT_LITERAL, one = SEGMENT_LITERAL;
	struct str literal;
	size_t i = at, next = 0;
	int rc = 0;

	str_init(&literal);
	while (rc == 0 && i < text.length && text.data[i] != '/') {
		bool parameter =
			text.data[i] == '{' &&
			(i + 1 == text.length || text.data[i + 1] != '{');

		if (parameter) {
			rc = parameter_end(text, i, &next, err);
			if (rc == 0)
				rc = parameter_read(
					(struct slice){ text.data + i + 1,
						next - i - 2 },
					text, &one, err);
			/* Of several, one that must be there counts. */
			if (rc == 0 && type != SEGMENT_NEEDED)
				type = one;
		} else if ((next = literal_take(text, i, &literal)) == 0) {
			rc = template_bad(err, text,
				"a byte may not stand there as it is");
		} else {
			next += i;
		}
		i = next;
	}
	*end = i;
	if (rc == 0 && i == at)
		rc = template_bad(err, text, "a segment is empty");
	if (rc == 0 && type == SEGMENT_LITERAL &&
		(strcmp(literal.data, ".") == 0 ||
			strcmp(literal.data, "..") == 0))
		rc = template_bad(err, text, "\".\" and \"..\" lead elsewhere");
	if (rc == 0)
		*out = (struct segment){ type,
			type == SEGMENT_LITERAL
				? str_steal(&literal)
				: xstrndup(text.data + at, i - at) };
	str_fini(&literal);
	return rc;
}

static int
segments_read(struct azure_template *t, struct slice text, struct error *err)
{
	size_t at = 0;

	while (at < text.length) {
		if (t->count == AZURE_TEMPLATE_SEGMENTS_MAX)
			return template_bad(
				err, text, "it has too many segments");
		if (t->count > 0 &&
			t->segments[t->count - 1].type == SEGMENT_REST)
			return template_bad(err, text,
				"nothing may follow what takes the rest");
		t->segments = xreallocarray(
			t->segments, t->count + 1, sizeof(*t->segments));
		if (segment_read(text, at, &at, &t->segments[t->count], err) !=
			0)
			return -1;
		t->count++;
		at += at < text.length;
	}
	return 0;
}

struct azure_template *
azure_template_new(struct slice text, struct error *err)
{
	struct azure_template *t = NULL;

	if (text.length > AZURE_TEMPLATE_MAX) {
		error_set(err, ERROR_CONFIG,
			"a route template is longer than %d bytes",
			AZURE_TEMPLATE_MAX);
		return NULL;
	}
	while (text.length > 0 && text.data[0] == '/') {
		text.data++;
		text.length--;
	}
	while (text.length > 0 && text.data[text.length - 1] == '/')
		text.length--;
	t = xcalloc(1, sizeof(*t));
	if (segments_read(t, text, err) == 0)
		return t;
	azure_template_free(t);
	return NULL;
}

void
azure_template_free(struct azure_template *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->count; i++)
		free(t->segments[i].text);
	free(t->segments);
	free(t);
}

/* ---- filled */

/* The next segment of the client's path; empty: there is none. */
static struct slice
path_next(struct slice *path)
{
	struct slice one;

	if (path->length > 0 && path->data[0] == '/') {
		path->data++;
		path->length--;
	}
	one = (struct slice){ path->data, 0 };
	while (one.length < path->length && one.data[one.length] != '/')
		one.length++;
	path->data += one.length;
	path->length -= one.length;
	return one;
}

static void
rest_put(struct slice path, struct str *out)
{
	if (path.length == 0 || (path.length == 1 && path.data[0] == '/'))
		return;
	if (path.data[0] != '/')
		str_putc(out, '/');
	str_append(out, path.data, path.length);
}

int
azure_template_fill(const struct azure_template *t, struct slice path,
	struct str *out, const char **missing)
{
	size_t start = out->length;

	for (size_t i = 0; i < t->count; i++) {
		const struct segment *s = &t->segments[i];
		struct slice one;

		if (s->type == SEGMENT_REST)
			break;
		if (s->type == SEGMENT_LITERAL)
			one = slice_of(s->text);
		else
			one = path_next(&path);
		if (one.length == 0 && s->type == SEGMENT_NEEDED) {
			*missing = s->text;
			return -1;
		}
		if (one.length == 0)
			continue;
		str_putc(out, '/');
		str_append(out, one.data, one.length);
	}
	rest_put(path, out);
	if (out->length == start)
		str_putc(out, '/');
	return 0;
}
