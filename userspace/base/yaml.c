/* YAML text to documents and back (libyaml's events). */
#include "base/yaml.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/log.h"
#include "base/mem.h"

/* The deepest list or map that is still open, and the key it waits with. */
struct level {
	struct doc *d;
	char *key; /* maps: read, its value not yet */
};

struct reader {
	yaml_parser_t parser;
	struct level levels[DOC_MAX_DEPTH];
	size_t depth;
	struct doc *root; /* of the document being read */
	struct error *err;
	const char *text;
};

static int fail(struct reader *r, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int
fail(struct reader *r, int line, const char *fmt, ...)
{
	char text[sizeof(r->err->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (r->err != NULL && r->err->code == ERROR_NONE)
		r->err->line = line;
	return error_set(r->err, ERROR_CONFIG, "%s", text);
}

static bool
is_one_of(const char *text, const char *const *words)
{
	for (; *words != NULL; words++) {
		if (strcmp(text, *words) == 0)
			return true;
	}
	return false;
}

static const char *const null_words[] = { "", "~", "null", "Null", "NULL",
	NULL };
static const char *const true_words[] = { "true", "True", "TRUE", NULL };
static const char *const false_words[] = { "false", "False", "FALSE", NULL };

static size_t
digits(const char *s)
{
	return strspn(s, "0123456789");
}

/* Decimal, 0o17 and 0x1f: the core schema's (YAML 1.2, 10.3.2). */
static bool
looks_integer(const char *s)
{
	if (s[0] == '0' && s[1] == 'o')
		return s[2] != '\0' && s[2 + strspn(s + 2, "01234567")] == '\0';
	if (s[0] == '0' && s[1] == 'x')
		return s[2] != '\0' &&
			s[2 + strspn(s + 2, "0123456789abcdefABCDEF")] == '\0';
	if (*s == '-' || *s == '+')
		s++;
	return *s != '\0' && s[digits(s)] == '\0';
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool
looks_real(const char *s)
{
	size_t before, after = 0;

	if (*s == '-' || *s == '+')
		s++;
	before = digits(s);
	s += before;
	if (*s == '.') {
		s++;
		after = digits(s);
		s += after;
	}
	if (before + after == 0)
		return false;
	if (*s == 'e' || *s == 'E') {
		s++;
		if (*s == '-' || *s == '+')
			s++;
		if (digits(s) == 0)
			return false;
		s += digits(s);
	}
	return *s == '\0';
}

static bool
looks_infinite(const char *s)
{
	static const char *const words[] = { ".inf", ".Inf", ".INF", NULL };
	static const char *const nans[] = { ".nan", ".NaN", ".NAN", NULL };

	return is_one_of(s, nans) ||
		is_one_of(*s == '-' || *s == '+' ? s + 1 : s, words);
}

static struct doc *
read_integer(struct reader *r, const char *s, int line)
{
	int base = 10;
	long long value;

	if (s[0] == '0' && (s[1] == 'o' || s[1] == 'x')) {
		base = s[1] == 'o' ? 8 : 16;
		s += 2;
	}
	errno = 0;
	value = strtoll(s, NULL, base);
	if (errno != 0) {
		fail(r, line, "the integer %s is out of range", s);
		return NULL;
	}
	return doc_new_integer(value);
}

static struct doc *
read_plain(struct reader *r, const char *s, int line)
{
	double real;

	if (is_one_of(s, null_words))
		return doc_new_null();
	if (is_one_of(s, true_words))
		return doc_new_bool(true);
	if (is_one_of(s, false_words))
		return doc_new_bool(false);
	if (looks_integer(s))
		return read_integer(r, s, line);
	if (looks_infinite(s)) {
		fail(r, line, "%s is not a finite number", s);
		return NULL;
	}
	if (!looks_real(s))
		return doc_new_string(s);
	real = strtod(s, NULL);
	if (!isfinite(real)) {
		fail(r, line, "the number %s is out of range", s);
		return NULL;
	}
	return doc_new_real(real);
}

/* Takes d. */
static int
reader_place(struct reader *r, struct doc *d)
{
	struct level *top;

	if (r->depth == 0) {
		r->root = d;
		return 0;
	}
	top = &r->levels[r->depth - 1];
	if (doc_type(top->d) == DOC_LIST) {
		doc_add(top->d, d);
		return 0;
	}
	doc_set(top->d, top->key, d);
	free(top->key);
	top->key = NULL;
	return 0;
}

static bool
reader_wants_key(const struct reader *r)
{
	const struct level *top;

	if (r->depth == 0)
		return false;
	top = &r->levels[r->depth - 1];
	return doc_type(top->d) == DOC_MAP && top->key == NULL;
}

static int
read_key(struct reader *r, const char *text, bool plain, int line)
{
	struct level *top = &r->levels[r->depth - 1];
	const struct doc *old;

	if (plain && strcmp(text, "<<") == 0)
		return fail(r, line, "the merge key << is not supported");
	if (plain && text[0] == '\0')
		return fail(r, line, "a key is missing before the colon");
	old = doc_get(top->d, text);
	if (old != NULL)
		return fail(r, line,
			"duplicate key \"%s\", it is on line %d already", text,
			doc_line(old));
	top->key = xstrdup(text);
	return 0;
}

static int
read_scalar(struct reader *r, const yaml_event_t *ev, int line)
{
	const char *text = (const char *)ev->data.scalar.value;
	size_t length = ev->data.scalar.length;
	bool plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	struct doc *d;

	if (ev->data.scalar.anchor != NULL)
		return fail(r, line, "anchors are not supported: &%s",
			(const char *)ev->data.scalar.anchor);
	if (ev->data.scalar.tag != NULL)
		return fail(r, line, "tags are not supported: %s",
			(const char *)ev->data.scalar.tag);
	if (memchr(text, '\0', length) != NULL)
		return fail(r, line, "a string has a NUL character");
	if (reader_wants_key(r))
		return read_key(r, text, plain, line);
	d = plain ? read_plain(r, text, line) : doc_new_string_n(text, length);
	if (d == NULL)
		return -1;
	doc_set_line(d, line);
	return reader_place(r, d);
}

static int
read_open(struct reader *r, struct doc *d, const yaml_char_t *anchor,
	const yaml_char_t *tag, int line)
{
	int rc = -1;

	doc_set_line(d, line);
	if (anchor != NULL)
		fail(r, line, "anchors are not supported: &%s",
			(const char *)anchor);
	else if (tag != NULL)
		fail(r, line, "tags are not supported: %s", (const char *)tag);
	else if (reader_wants_key(r))
		fail(r, line, "a key must be a string, not %s",
			doc_type_name(doc_type(d)));
	else if (r->depth == DOC_MAX_DEPTH)
		fail(r, line, "the text is nested too deeply");
	else
		rc = reader_place(r, d);
	if (rc < 0) {
		doc_free(d);
		return -1;
	}
	r->levels[r->depth++] = (struct level){ d, NULL };
	return 0;
}

/* One event inside a document. */
static int
read_event(struct reader *r, const yaml_event_t *ev)
{
	int line = (int)ev->start_mark.line + 1;

	switch (ev->type) {
	case YAML_ALIAS_EVENT:
		return fail(r, line, "aliases are not supported: *%s",
			(const char *)ev->data.alias.anchor);
	case YAML_SCALAR_EVENT:
		return read_scalar(r, ev, line);
	case YAML_SEQUENCE_START_EVENT:
		return read_open(r, doc_new_list(),
			ev->data.sequence_start.anchor,
			ev->data.sequence_start.tag, line);
	case YAML_MAPPING_START_EVENT:
		return read_open(r, doc_new_map(),
			ev->data.mapping_start.anchor,
			ev->data.mapping_start.tag, line);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		assert(r->depth > 0);
		r->depth--;
		return 0;
	default:
		return 0;
	}
}

static int
line_at(const char *text, const char *at)
{
	int line = 1;

	for (; text < at; text++)
		line += *text == '\n';
	return line;
}

static int
explain_parser(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem == NULL ? "unreadable" : p->problem;

	if (p->error == YAML_MEMORY_ERROR)
		log_fatal("memory: none left for libyaml");
	if (p->error == YAML_READER_ERROR)
		return fail(r, line_at(r->text, r->text + p->problem_offset),
			"%s", problem);
	if (p->context != NULL)
		return fail(r, (int)p->problem_mark.line + 1, "%s %s", problem,
			p->context);
	return fail(r, (int)p->problem_mark.line + 1, "%s", problem);
}

/* Takes the finished document; what an empty one means is its business. */
typedef int reader_document_f(struct reader *r, struct doc *d, int line,
	void *arg);

static int
read_stream(struct reader *r, reader_document_f *on_document, void *arg)
{
	yaml_event_type_t type = YAML_NO_EVENT;
	yaml_event_t ev;
	int line = 1;
	int rc = 0;

	while (rc == 0 && type != YAML_STREAM_END_EVENT) {
		if (!yaml_parser_parse(&r->parser, &ev))
			return explain_parser(r);
		type = ev.type;
		if (type == YAML_DOCUMENT_START_EVENT) {
			line = (int)ev.start_mark.line + 1;
		} else if (type == YAML_DOCUMENT_END_EVENT) {
			struct doc *d = r->root;

			r->root = NULL;
			rc = on_document(r, d, line, arg);
		} else {
			rc = read_event(r, &ev);
		}
		yaml_event_delete(&ev);
	}
	return rc;
}

static int
read_text(const char *text, size_t length, reader_document_f *on_document,
	void *arg, struct error *err)
{
	struct reader r = { .err = err, .text = text };
	const char *nul;
	int rc;

	if (length > DOC_MAX_BYTES)
		return error_set(err, ERROR_LIMIT,
			"the document has more than %u bytes", DOC_MAX_BYTES);
	nul = length == 0 ? NULL : memchr(text, '\0', length);
	if (nul != NULL)
		return fail(&r, line_at(text, nul),
			"the text has a NUL character");
	/* A byte order mark; libyaml would also take UTF-16. */
	if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		r.text = text += 3;
		length -= 3;
	}
	if (!yaml_parser_initialize(&r.parser))
		log_fatal("memory: none left for libyaml");
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text,
		length);
	rc = read_stream(&r, on_document, arg);
	while (r.depth > 0)
		free(r.levels[--r.depth].key);
	doc_free(r.root);
	yaml_parser_delete(&r.parser);
	return rc;
}

static int
keep_only(struct reader *r, struct doc *d, int line, void *arg)
{
	struct doc **only = arg;

	if (*only != NULL) {
		doc_free(d);
		return fail(r, line, "a second document begins here");
	}
	*only = d;
	return 0;
}

static int
keep_filled(struct reader *r, struct doc *d, int line, void *arg)
{
	struct doc *list = arg;

	(void)r;
	(void)line;
	if (doc_type(d) == DOC_NULL)
		doc_free(d);
	else
		doc_add(list, d);
	return 0;
}

struct doc *
yaml_doc_read(const char *text, size_t length, struct error *err)
{
	struct doc *only = NULL;

	if (read_text(text, length, keep_only, &only, err) < 0) {
		doc_free(only);
		return NULL;
	}
	return only == NULL ? doc_new_null() : only;
}

struct doc *
yaml_doc_read_all(const char *text, size_t length, struct error *err)
{
	struct doc *list = doc_new_list();

	if (read_text(text, length, keep_filled, list, err) < 0) {
		doc_free(list);
		return NULL;
	}
	return list;
}

/* 2001-12-14, 2001-12-14T21:59:43Z */
static bool
looks_time(const char *s)
{
	return digits(s) == 4 && s[4] == '-' &&
		isdigit((unsigned char)s[5]) && strchr(s + 5, '-') != NULL &&
		s[strspn(s, "0123456789.:-+ tTzZ")] == '\0';
}

/* 1_000, 0b11 and 12:30:45 (of base 60): numbers to a reader of YAML 1.1. */
static bool
looks_old_number(const char *s)
{
	size_t whole;

	if (*s == '-' || *s == '+')
		s++;
	if (s[0] == '0' && s[1] != '\0' && strchr("box", s[1]) != NULL)
		return s[2 + strspn(s + 2, "0123456789abcdefABCDEF_")] == '\0';
	if (!isdigit((unsigned char)*s))
		return false;
	whole = strspn(s, "0123456789_");
	while (s[whole] == ':' && isdigit((unsigned char)s[whole + 1]))
		whole += 1 + digits(s + whole + 1);
	if (s[whole] == '.')
		whole += 1 + strspn(s + whole + 1, "0123456789_");
	return s[whole] == '\0';
}

/* Whether a plain scalar of this text would be no string, to us or to a reader
 * of YAML 1.1 such as the ones of Go and Python. */
static bool
reads_as_other(const char *s)
{
	static const char *const old_words[] = { "y", "Y", "yes", "Yes", "YES",
		"on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off",
		"OFF", "<<", "=", NULL };

	return is_one_of(s, null_words) || is_one_of(s, true_words) ||
		is_one_of(s, false_words) || is_one_of(s, old_words) ||
		looks_integer(s) || looks_real(s) || looks_infinite(s) ||
		looks_time(s) || looks_old_number(s);
}

/* Lines as they are, after "|": unless what follows the last line would have
 * to be closed by "...", or the first could be taken for an indent. */
static bool
suits_literal(const char *s)
{
	size_t length = strlen(s);

	if (strchr(s, '\n') == NULL || strchr(" \t\n", s[0]) != NULL)
		return false;
	/* These end lines as well: NEL, LS, PS. */
	if (strstr(s, "\xc2\x85") != NULL ||
		strstr(s, "\xe2\x80\xa8") != NULL ||
		strstr(s, "\xe2\x80\xa9") != NULL)
		return false;
	if (length > 1 && s[length - 1] == '\n' && s[length - 2] == '\n')
		return false;
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < 0x20 && *s != '\n' && *s != '\t')
			return false;
		if (*s == '\n' && s[1] != '\0' && strchr(" \t", s[1]) != NULL &&
			s[1 + strspn(s + 1, " \t")] == '\n')
			return false;
	}
	return true;
}

static yaml_scalar_style_t
style_of(const char *text)
{
	if (reads_as_other(text))
		return YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	if (strchr(text, '\n') == NULL)
		return YAML_PLAIN_SCALAR_STYLE;
	return suits_literal(text) ? YAML_LITERAL_SCALAR_STYLE
				   : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
}

static void
emit(yaml_emitter_t *e, yaml_event_t *ev)
{
	if (!yaml_emitter_emit(e, ev))
		log_fatal("yaml: cannot write problem=\"%s\"",
			e->problem == NULL ? "no memory" : e->problem);
}

static void
emit_scalar(yaml_emitter_t *e, const char *text, yaml_scalar_style_t style)
{
	yaml_event_t ev;
	char *ascii;

	if (yaml_scalar_event_initialize(&ev, NULL, NULL,
		    (const yaml_char_t *)text, (int)strlen(text), 1, 1,
		    style)) {
		emit(e, &ev);
		return;
	}
	/* Not UTF-8, so no reader made it: a peer's bytes in some state. */
	ascii = xstrdup(text);
	for (char *p = ascii; *p != '\0'; p++) {
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	}
	if (!yaml_scalar_event_initialize(&ev, NULL, NULL,
		    (const yaml_char_t *)ascii, (int)strlen(ascii), 1, 1,
		    style))
		log_fatal("memory: none left for libyaml");
	free(ascii);
	emit(e, &ev);
}

static int
key_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void emit_value(yaml_emitter_t *e, const struct doc *d);

static void
emit_map(yaml_emitter_t *e, const struct doc *d)
{
	size_t count = doc_count(d);
	const char **keys = xcalloc(count, sizeof(*keys));
	yaml_event_t ev;

	for (size_t i = 0; i < count; i++)
		keys[i] = doc_key_at(d, i);
	qsort(keys, count, sizeof(*keys), key_compare);
	yaml_mapping_start_event_initialize(&ev, NULL, NULL, 1,
		count == 0 ? YAML_FLOW_MAPPING_STYLE
			   : YAML_BLOCK_MAPPING_STYLE);
	emit(e, &ev);
	for (size_t i = 0; i < count; i++) {
		emit_scalar(e, keys[i], strchr(keys[i], '\n') == NULL
				? style_of(keys[i])
				: YAML_DOUBLE_QUOTED_SCALAR_STYLE);
		emit_value(e, doc_get(d, keys[i]));
	}
	yaml_mapping_end_event_initialize(&ev);
	emit(e, &ev);
	free(keys);
}

static void
emit_list(yaml_emitter_t *e, const struct doc *d)
{
	yaml_event_t ev;

	yaml_sequence_start_event_initialize(&ev, NULL, NULL, 1,
		doc_count(d) == 0 ? YAML_FLOW_SEQUENCE_STYLE
				  : YAML_BLOCK_SEQUENCE_STYLE);
	emit(e, &ev);
	for (size_t i = 0; i < doc_count(d); i++)
		emit_value(e, doc_at(d, i));
	yaml_sequence_end_event_initialize(&ev);
	emit(e, &ev);
}

static void
emit_real(yaml_emitter_t *e, double value)
{
	char text[DOC_REAL_TEXT_MAX];

	if (isnan(value))
		strcpy(text, ".nan");
	else if (isinf(value))
		strcpy(text, value < 0 ? "-.inf" : ".inf");
	else
		doc_real_format(value, text);
	emit_scalar(e, text, YAML_PLAIN_SCALAR_STYLE);
}

static void
emit_value(yaml_emitter_t *e, const struct doc *d)
{
	char integer[24];

	switch (doc_type(d)) {
	case DOC_NULL:
		emit_scalar(e, "null", YAML_PLAIN_SCALAR_STYLE);
		break;
	case DOC_BOOL:
		emit_scalar(e, doc_bool(d) ? "true" : "false",
			YAML_PLAIN_SCALAR_STYLE);
		break;
	case DOC_INTEGER:
		snprintf(integer, sizeof(integer), "%lld",
			(long long)doc_integer(d));
		emit_scalar(e, integer, YAML_PLAIN_SCALAR_STYLE);
		break;
	case DOC_REAL:
		emit_real(e, doc_real(d));
		break;
	case DOC_STRING:
		emit_scalar(e, doc_string(d), style_of(doc_string(d)));
		break;
	case DOC_LIST:
		emit_list(e, d);
		break;
	case DOC_MAP:
		emit_map(e, d);
		break;
	}
}

static int
append(void *arg, unsigned char *data, size_t length)
{
	str_append(arg, data, length);
	return 1;
}

void
yaml_doc_write(const struct doc *d, struct str *out)
{
	yaml_emitter_t e;
	yaml_event_t ev;

	if (!yaml_emitter_initialize(&e))
		log_fatal("memory: none left for libyaml");
	yaml_emitter_set_output(&e, append, out);
	yaml_emitter_set_unicode(&e, 1);
	yaml_emitter_set_width(&e, -1);
	yaml_emitter_set_indent(&e, 2);
	yaml_stream_start_event_initialize(&ev, YAML_UTF8_ENCODING);
	emit(&e, &ev);
	yaml_document_start_event_initialize(&ev, NULL, NULL, NULL, 1);
	emit(&e, &ev);
	emit_value(&e, d);
	yaml_document_end_event_initialize(&ev, 1);
	emit(&e, &ev);
	yaml_stream_end_event_initialize(&ev);
	emit(&e, &ev);
	yaml_emitter_delete(&e);
}
