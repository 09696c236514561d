/* JSON read where it stands. */
#include "base/json_span.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

struct check {
	const char *begin, *p, *end;
	const char *why; /* it is no JSON; NULL: it may be */
	unsigned depth;
	uint8_t is_map[JSON_SPAN_DEPTH / 8];
};

static bool
fail(struct check *c, const char *why)
{
	if (c->why == NULL)
		c->why = why;
	return false;
}

static const char *
space_skip(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int
hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ---- runs of usual characters: where most of a large text is */

#define EACH(byte) (0x0101010101010101u * (byte))

/* Not 0: one of eight bytes is "\"", "\\", a control character, or not ASCII.
 * (A borrow may say so of a byte too many, never of one too few.) */
static uint64_t
unusual_of(uint64_t eight)
{
	uint64_t quote = eight ^ EACH('"'), backslash = eight ^ EACH('\\');
	uint64_t found = eight | (eight - EACH(0x20)) | (quote - EACH(1)) |
			 (backslash - EACH(1));

	return found & EACH(0x80);
}

/* Passes over usual characters of a string, eight at a time. */
static const char *
usual_skip(const char *p, const char *end)
{
	uint64_t eight;

	for (; end - p >= (ptrdiff_t)sizeof(eight); p += sizeof(eight)) {
		memcpy(&eight, p, sizeof(eight));
		if (unusual_of(eight) != 0)
			break;
	}
	return p;
}

/* ---- is it valid? Each check begins at p and leaves it behind. */

static bool
check_escape(struct check *c)
{
	if (c->end - c->p < 2 || strchr("\"\\/bfnrtu", c->p[1]) == NULL ||
		c->p[1] == '\0')
		return fail(c, "an escape that is none");
	c->p += 2;
	if (c->p[-1] != 'u')
		return true;
	for (int i = 0; i < 4; i++, c->p++) {
		if (c->p == c->end || hex_value(*c->p) < 0)
			return fail(c, "\\u without four hexadecimal digits");
	}
	return true;
}

static bool
check_string(struct check *c)
{
	c->p = usual_skip(c->p + 1, c->end);
	while (c->p < c->end) {
		unsigned char byte = (unsigned char)*c->p;
		size_t n = 1;

		if (byte == '"') {
			c->p++;
			return true;
		}
		if (byte == '\\') {
			if (!check_escape(c))
				return false;
			c->p = usual_skip(c->p, c->end);
			continue;
		}
		if (byte < 0x20)
			return fail(c, "a control character in a string");
		if (byte >= 0x80)
			n = utf8_length(c->p, (size_t)(c->end - c->p));
		if (n == 0)
			return fail(c, "a string that is not UTF-8");
		c->p += n;
		if (byte >= 0x80)
			c->p = usual_skip(c->p, c->end);
	}
	return fail(c, "a string that does not end");
}

static bool
check_digits(struct check *c)
{
	if (c->p == c->end || !is_digit(*c->p))
		return fail(c, "a number that is none");
	while (c->p < c->end && is_digit(*c->p))
		c->p++;
	return true;
}

static bool
check_number(struct check *c)
{
	if (*c->p == '-')
		c->p++;
	if (c->p < c->end && *c->p == '0')
		c->p++;
	else if (!check_digits(c))
		return false;
	if (c->p < c->end && *c->p == '.') {
		c->p++;
		if (!check_digits(c))
			return false;
	}
	if (c->p < c->end && (*c->p | 0x20) == 'e') {
		c->p++;
		if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
			c->p++;
		return check_digits(c);
	}
	return true;
}

static bool
check_word(struct check *c)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		size_t length = strlen(words[i]);

		if ((size_t)(c->end - c->p) >= length &&
			memcmp(c->p, words[i], length) == 0) {
			c->p += length;
			return true;
		}
	}
	return fail(c, "no value where one should be");
}

static bool
check_key(struct check *c)
{
	c->p = space_skip(c->p, c->end);
	if (c->p == c->end || *c->p != '"')
		return fail(c, "no key where one should be");
	if (!check_string(c))
		return false;
	c->p = space_skip(c->p, c->end);
	if (c->p == c->end || *c->p != ':')
		return fail(c, "no colon behind a key");
	c->p++;
	return true;
}

static bool
inside_map(const struct check *c)
{
	unsigned top = c->depth - 1;

	return c->is_map[top / 8] >> top % 8 & 1;
}

/* Opens a map or list; of one with members p is where the first value is. */
static bool
check_open(struct check *c, bool *empty)
{
	uint8_t bit = (uint8_t)(1u << c->depth % 8);
	bool map = *c->p == '{';

	if (c->depth == JSON_SPAN_DEPTH)
		return fail(c, "too many levels");
	if (map)
		c->is_map[c->depth / 8] |= bit;
	else
		c->is_map[c->depth / 8] &= (uint8_t)~bit;
	c->depth++;
	c->p = space_skip(c->p + 1, c->end);
	*empty = c->p < c->end && *c->p == (map ? '}' : ']');
	return *empty || !map || check_key(c);
}

/* What follows a value: ends of maps and lists, then the next value (*more) or
 * the end of all. */
static bool
check_after(struct check *c, bool *more)
{
	*more = false;
	while (c->depth > 0) {
		c->p = space_skip(c->p, c->end);
		if (c->p < c->end && *c->p == ',') {
			c->p++;
			*more = true;
			return !inside_map(c) || check_key(c);
		}
		if (c->p == c->end || *c->p != (inside_map(c) ? '}' : ']'))
			return fail(c, "a map or list that does not go on");
		c->p++;
		c->depth--;
	}
	return true;
}

static bool
check_value(struct check *c)
{
	bool more = true, empty;

	while (more) {
		c->p = space_skip(c->p, c->end);
		if (c->p == c->end)
			return fail(c, "no value where one should be");
		if (*c->p == '{' || *c->p == '[') {
			if (!check_open(c, &empty))
				return false;
			if (!empty)
				continue;
		} else if (*c->p == '"') {
			if (!check_string(c))
				return false;
		} else if (*c->p == '-' || is_digit(*c->p)) {
			if (!check_number(c))
				return false;
		} else if (!check_word(c)) {
			return false;
		}
		if (!check_after(c, &more))
			return false;
	}
	return true;
}

/* ---- walking what is valid */

static enum doc_type
type_of(char first)
{
	switch (first) {
	case '{':
		return DOC_MAP;
	case '[':
		return DOC_LIST;
	case '"':
		return DOC_STRING;
	case 't':
	case 'f':
		return DOC_BOOL;
	case 'n':
		return DOC_NULL;
	default:
		return DOC_REAL;
	}
}

static const char *
string_skip(const char *p, const char *end)
{
	p = usual_skip(p + 1, end);
	while (*p != '"') {
		if (*p == '\\')
			p = usual_skip(p + 2, end);
		else
			p++;
	}
	return p + 1;
}

/* p: at a value of a valid text. */
static const char *
value_skip(const char *p, const char *end)
{
	unsigned depth = 0;

	do {
		if (*p == '"') {
			p = string_skip(p, end);
			continue;
		}
		if (*p == '{' || *p == '[')
			depth++;
		else if (*p == '}' || *p == ']')
			depth--;
		else if (depth == 0) {
			while (p < end && strchr(",]} \t\r\n", *p) == NULL)
				p++;
			return p;
		}
		p++;
	} while (depth > 0);
	return p;
}

static void
span_set(struct json_span *out, const char *p, const char *behind)
{
	out->type = type_of(*p);
	out->text = (struct slice){ p, (size_t)(behind - p) };
}

static void
span_at(const char *p, const char *end, struct json_span *out)
{
	span_set(out, p, value_skip(p, end));
}

int
json_span_read(struct slice text, struct json_span *out, struct error *err)
{
	const char *begin = text.length == 0 ? "" : text.data;
	struct check c = {
		.begin = begin, .p = begin, .end = begin + text.length
	};
	const char *behind = begin;

	if (check_value(&c)) {
		behind = c.p;
		c.p = space_skip(c.p, c.end);
		if (c.p < c.end)
			fail(&c, "more than one value");
	}
	if (c.why != NULL)
		return error_set(err, ERROR_CONFIG, "%s at byte %zu", c.why,
			(size_t)(c.p - c.begin));
	span_set(out, space_skip(begin, c.end), behind);
	return 0;
}

void
json_span_walk(struct json_span_walk *w, const struct json_span *of)
{
	*w = (struct json_span_walk){ 0 };
	if (of->text.data == NULL ||
		(of->type != DOC_MAP && of->type != DOC_LIST))
		return;
	w->p = of->text.data + 1;
	w->end = of->text.data + of->text.length - 1;
	w->map = of->type == DOC_MAP;
}

bool
json_span_next(struct json_span_walk *w, struct json_span *key,
	struct json_span *value)
{
	const char *p = space_skip(w->p, w->end);
	struct json_span name;

	if (p == w->end)
		return false;
	if (*p == ',')
		p = space_skip(p + 1, w->end);
	if (w->map) {
		span_at(p, w->end, &name);
		p = space_skip(p + name.text.length, w->end);
		p = space_skip(p + 1, w->end);
		if (key != NULL)
			*key = name;
	}
	span_at(p, w->end, value);
	w->p = p + value->text.length;
	return true;
}

/* ---- strings */

static unsigned
hex_four(const char *p)
{
	unsigned code = 0;

	for (int i = 0; i < 4; i++)
		code = code << 4 | (unsigned)hex_value(p[i]);
	return code;
}

/* p: behind "\u". Returns where the escape ends, that of a second half too. */
static const char *
decode_code(const char *p, const char *end, struct str *out)
{
	unsigned code = hex_four(p), low;

	p += 4;
	if (code >= 0xd800 && code < 0xdc00 && end - p >= 6 && p[0] == '\\' &&
		p[1] == 'u') {
		low = hex_four(p + 2);
		if (low >= 0xdc00 && low < 0xe000) {
			code = 0x10000 + ((code & 0x3ff) << 10 | (low & 0x3ff));
			p += 6;
		}
	}
	utf8_put_code(out, code);
	return p;
}

void
json_span_text(const struct json_span *s, struct str *out)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *p = s->text.data, *end = p + s->text.length, *at;

	if (s->type != DOC_STRING) {
		str_append(out, p, s->text.length);
		return;
	}
	p++;
	end--;
	str_reserve(out, (size_t)(end - p)); /* decoding makes nothing longer */
	while (p < end) {
		const char *run = memchr(p, '\\', (size_t)(end - p));

		run = run == NULL ? end : run;
		str_append(out, p, (size_t)(run - p));
		if (run == end)
			break;
		p = run + 2;
		if (run[1] == 'u')
			p = decode_code(p, end, out);
		else if ((at = strchr(from, run[1])) != NULL)
			str_putc(out, to[at - from]);
		else
			str_putc(out, run[1]);
	}
}

bool
json_span_equal(const struct json_span *s, const char *text)
{
	struct str decoded;
	bool equal;

	if (s->type != DOC_STRING || s->text.data == NULL)
		return false;
	if (memchr(s->text.data, '\\', s->text.length) == NULL)
		return slice_equal(
			(struct slice){ s->text.data + 1, s->text.length - 2 },
			slice_of(text));
	str_init(&decoded);
	json_span_text(s, &decoded);
	equal = slice_equal(
		(struct slice){ decoded.data, decoded.length }, slice_of(text));
	str_fini(&decoded);
	return equal;
}
