/*
 * Cuts JSON into values without reading them: strings and brackets are followed
 * everywhere, commas and colons only where no value shows them to its reader
 * (around the values, and in the map around the array).
 */
#include "base/json_split.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NESTING_MAX 256

/* What may come next, besides white space. */
enum place {
	STREAM,	     /* a value, or the end */
	MAP_OPEN,    /* the brace of the map around the array */
	MAP_KEY,     /* a key of it, or its end */
	MAP_COLON,
	MAP_VALUE,
	MAP_COMMA,   /* or its end */
	MAP_ENDED,   /* nothing */
	ARRAY_FIRST, /* a member, or the end of the array */
	ARRAY_VALUE, /* a member */
	ARRAY_COMMA, /* or the end of the array */
	INSIDE,	     /* a value goes on */
};

/* What is done with a value. */
enum sink { TO_CALLER, TO_REST, TO_REST_AS_KEY };

struct json_split {
	char *array; /* NULL: a stream of values */
	size_t max_bytes;
	json_split_f *cb, *large; /* large: of those passed over, or NULL */
	void *arg;

	enum place place, after; /* after: where the value leaves off */
	enum sink sink;
	bool scalar; /* the value is a number or a word */
	bool in_string, escaped;
	bool wanted;	/* the last key is that of the array */
	bool too_large; /* the value is passed over */
	unsigned depth, floor; /* open brackets; those around the value */
	uint8_t is_map[NESTING_MAX / 8];
	size_t key; /* where in rest the key begins */
	struct str value, rest;
	uint64_t offset, skipped;
	int verdict;	    /* of the caller; not 0: nothing more is wanted */
	const char *broken; /* why this is no JSON; NULL: it may be */
	uint64_t broken_at;
};

struct json_split *
json_split_new(const char *array, size_t max_bytes, json_split_f *cb, void *arg)
{
	struct json_split *s = xcalloc(1, sizeof(*s));

	s->array = array == NULL ? NULL : xstrdup(array);
	s->max_bytes = max_bytes;
	s->cb = cb;
	s->arg = arg;
	s->place = array == NULL ? STREAM : MAP_OPEN;
	str_init(&s->value);
	str_init(&s->rest);
	return s;
}

void
json_split_free(struct json_split *s)
{
	if (s == NULL)
		return;
	str_fini(&s->value);
	str_fini(&s->rest);
	free(s->array);
	free(s);
}

void
json_split_set_large(struct json_split *s, json_split_f *cb)
{
	s->large = cb;
}

int
json_split_done(const struct json_split *s)
{
	return s->broken == NULL &&
		(s->place == STREAM || s->place == MAP_OPEN ||
			s->place == MAP_ENDED);
}

struct slice
json_split_rest(const struct json_split *s)
{
	return (struct slice){ s->rest.data, s->rest.length };
}

uint64_t
json_split_skipped(const struct json_split *s)
{
	return s->skipped;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool
is_scalar(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		(c >= 'A' && c <= 'Z') || c == '-' || c == '+' || c == '.';
}

/* at: how far into the bytes at hand. */
static int
split_break(struct json_split *s, size_t at, const char *why)
{
	s->broken = why;
	s->broken_at = s->offset + at;
	return -1;
}

static bool
split_push(struct json_split *s, bool is_map)
{
	uint8_t bit = (uint8_t)(1u << s->depth % 8);

	if (s->depth == NESTING_MAX)
		return false;
	if (is_map)
		s->is_map[s->depth / 8] |= bit;
	else
		s->is_map[s->depth / 8] &= (uint8_t)~bit;
	s->depth++;
	return true;
}

/* Only what was opened and is the innermost. */
static bool
split_pop(struct json_split *s, bool is_map)
{
	unsigned top = s->depth - 1;

	if (((s->is_map[top / 8] >> top % 8 & 1) != 0) != is_map)
		return false;
	s->depth--;
	return true;
}

static int
rest_append(struct json_split *s, size_t at, const char *p, size_t n)
{
	size_t room = s->max_bytes - s->rest.length;

	str_append(&s->rest, p, n < room ? n : room);
	return n <= room ? 0
			 : split_break(s, at + room,
				   "what stands beside the array is too large");
}

static int
value_pass_over(struct json_split *s, const char *p)
{
	s->too_large = true;
	s->skipped++;
	if (s->large != NULL) {
		str_append(&s->value, p, s->max_bytes - s->value.length);
		s->verdict = s->large(s->value.data, s->value.length, s->arg);
	}
	str_fini(&s->value); /* it has grown large */
	return s->verdict;
}

/* The next n bytes of the value belong to the caller. */
static int
value_append(struct json_split *s, const char *p, size_t n, bool ended)
{
	if (!s->too_large && n > s->max_bytes - s->value.length)
		return value_pass_over(s, p);
	if (s->too_large)
		return 0;
	if (ended && s->value.length == 0) {
		s->verdict = s->cb(p, n, s->arg);
		return s->verdict;
	}
	str_append(&s->value, p, n);
	if (!ended)
		return 0;
	s->verdict = s->cb(s->value.data, s->value.length, s->arg);
	str_clear(&s->value);
	return s->verdict;
}

static bool
key_matches(const struct json_split *s)
{
	struct slice key = { s->rest.data + s->key + 1,
		s->rest.length - s->key - 2 };

	return slice_equal(key, slice_of(s->array));
}

/* p..p+n are the value's, and ended says whether they are its last. */
static int
value_take(struct json_split *s, size_t at, const char *p, size_t n, bool ended)
{
	int rc;

	if (s->sink == TO_CALLER)
		rc = value_append(s, p, n, ended);
	else
		rc = rest_append(s, at, p, n);
	if (rc != 0 || !ended)
		return rc;
	if (s->sink == TO_REST_AS_KEY)
		s->wanted = key_matches(s);
	s->place = s->after;
	return 0;
}

/* How many bytes still belong to a string, its closing quote included. */
static size_t
scan_string(struct json_split *s, const char *p, size_t n)
{
	size_t i = 0;

	while (i < n) {
		char c = p[i++];

		if (s->escaped) {
			s->escaped = false;
		} else if (c == '\\') {
			s->escaped = true;
		} else if (c == '"') {
			s->in_string = false;
			break;
		}
	}
	return i;
}

/* How many bytes still belong to the value: a string, a list or a map. *bad is
 * set at a bracket that cannot be there; the count is that of those before. */
static size_t
scan_nested(struct json_split *s, const char *p, size_t n, bool *ended,
	const char **bad)
{
	size_t i = 0;

	while (i < n) {
		if (s->in_string) {
			i += scan_string(s, p + i, n - i);
			if (!s->in_string && s->depth == s->floor) {
				*ended = true;
				return i;
			}
			continue;
		}
		switch (p[i]) {
		case '"':
			s->in_string = true;
			break;
		case '{':
		case '[':
			if (!split_push(s, p[i] == '{')) {
				*bad = "nested too deeply";
				return i;
			}
			break;
		case '}':
		case ']':
			if (!split_pop(s, p[i] == '}')) {
				*bad = "brackets that do not match";
				return i;
			}
			if (s->depth == s->floor) {
				*ended = true;
				return i + 1;
			}
			break;
		}
		i++;
	}
	return i;
}

/* Returns how many bytes the value took, or -1 or what the caller said by
 * *verdict. */
static size_t
split_inside(struct json_split *s, size_t at, const char *p, size_t n,
	int *verdict)
{
	const char *bad = NULL;
	bool ended = false;
	size_t i = 0;

	if (s->scalar) {
		while (i < n && is_scalar(p[i]))
			i++;
		ended = i < n;
	} else {
		i = scan_nested(s, p, n, &ended, &bad);
	}
	*verdict = value_take(s, at, p, i, ended);
	if (*verdict == 0 && bad != NULL)
		*verdict = split_break(s, at + i, bad);
	return i;
}

/* c is the first byte of a value, which is not taken yet. */
static int
value_begin(struct json_split *s, size_t at, char c, enum sink sink,
	enum place after)
{
	if (c != '{' && c != '[' && c != '"' && !is_scalar(c))
		return split_break(s, at, "no value begins like this");
	s->place = INSIDE;
	s->after = after;
	s->sink = sink;
	s->scalar = is_scalar(c);
	s->floor = s->depth;
	s->too_large = false;
	s->key = s->rest.length;
	return 0;
}

/* c opens or closes the map or the array, or stands between their members. */
static int
punctuation(struct json_split *s, size_t at, char c, enum place next)
{
	if (c == '{' || c == '[')
		split_push(s, c == '{');
	else if (c == '}' || c == ']')
		split_pop(s, c == '}');
	s->place = next;
	return rest_append(s, at, &c, 1);
}

/* A byte of the map around the array. *taken: it is done with. */
static int
map_byte(struct json_split *s, size_t at, char c, bool *taken)
{
	switch (s->place) {
	case MAP_OPEN:
		if (c == '{')
			return punctuation(s, at, c, MAP_KEY);
		return split_break(s, at, "this is no map");
	case MAP_KEY:
		if (c == '}')
			return punctuation(s, at, c, MAP_ENDED);
		if (c != '"')
			return split_break(s, at, "a key is no string");
		*taken = false;
		return value_begin(s, at, c, TO_REST_AS_KEY, MAP_COLON);
	case MAP_COLON:
		if (c == ':')
			return punctuation(s, at, c, MAP_VALUE);
		return split_break(s, at, "a key without a colon");
	case MAP_VALUE:
		if (c == '[' && s->wanted)
			return punctuation(s, at, c, ARRAY_FIRST);
		*taken = false;
		return value_begin(s, at, c, TO_REST, MAP_COMMA);
	case MAP_COMMA:
		if (c == ',' || c == '}')
			return punctuation(
				s, at, c, c == ',' ? MAP_KEY : MAP_ENDED);
		return split_break(s, at, "a value without a comma behind it");
	default:
		return split_break(s, at, "something behind the map");
	}
}

/* A byte between values that are the caller's. */
static int
array_byte(struct json_split *s, size_t at, char c, bool *taken)
{
	if (c == ']' && s->place != ARRAY_VALUE)
		return punctuation(s, at, c, MAP_COMMA);
	if (s->place == ARRAY_COMMA) {
		if (c != ',')
			return split_break(
				s, at, "a member without a comma behind it");
		s->place = ARRAY_VALUE;
		return 0;
	}
	*taken = false;
	return value_begin(s, at, c, TO_CALLER, ARRAY_COMMA);
}

static int
split_byte(struct json_split *s, size_t at, char c, bool *taken)
{
	*taken = true;
	if (is_space(c))
		return 0;
	switch (s->place) {
	case STREAM:
		*taken = false;
		return value_begin(s, at, c, TO_CALLER, STREAM);
	case ARRAY_FIRST:
	case ARRAY_VALUE:
	case ARRAY_COMMA:
		return array_byte(s, at, c, taken);
	default:
		return map_byte(s, at, c, taken);
	}
}

static int
explain(const struct json_split *s, struct error *err)
{
	return error_set(err, ERROR_SYSTEM, "no JSON at byte %llu: %s",
		(unsigned long long)s->broken_at, s->broken);
}

int
json_split_feed(struct json_split *s, const void *data, size_t length,
	struct error *err)
{
	const char *p = data;
	size_t i = 0;
	int rc = s->verdict;
	bool taken;

	if (s->broken != NULL)
		return explain(s, err);
	while (rc == 0 && i < length) {
		if (s->place == INSIDE) {
			i += split_inside(s, i, p + i, length - i, &rc);
		} else {
			rc = split_byte(s, i, p[i], &taken);
			i += taken;
		}
	}
	s->offset += i;
	return s->broken != NULL ? explain(s, err) : rc;
}
