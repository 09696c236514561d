/*
 * Feeds a parser whole, cut after every byte (with the hint `already` and
 * without; what is long after fewer, but after every one where it is decided),
 * and always with the last byte before a page that cannot be read; all ways
 * must agree. Used by the unit tests and the fuzz targets.
 */
#ifndef TESTS_UNIT_HTTP_FEED_H
#define TESTS_UNIT_HTTP_FEED_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "http/head.h"

#define GUARD_PAGE 4096u
#define GUARD_SIZE (32u * GUARD_PAGE)

static char *
guard_memory(void)
{
	static char *memory;

	if (memory)
		return memory;
	memory = mmap(NULL, GUARD_SIZE + GUARD_PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED ||
		mprotect(memory + GUARD_SIZE, GUARD_PAGE, PROT_NONE) != 0)
		abort();
	return memory;
}

/* The bytes, at the very end of what can be read. */
static inline const char *
guard_put(const char *bytes, size_t length)
{
	char *at = guard_memory() + GUARD_SIZE - length;

	if (length > GUARD_SIZE)
		abort();
	if (length > 0)
		memcpy(at, bytes, length);
	return at;
}

struct feed {
	enum http_parse verdict;
	enum http_refusal why;
	size_t skipped;
	struct http_head head;
	size_t decided_at; /* how many bytes the verdict took, cut by byte */
};

/* Who is fed: a request, or the response to a request with that method. */
struct feed_parser {
	bool response;
	enum http_method request_method;
	const struct http_limits *limits;
};

static inline void
feed_once(const struct feed_parser *parser, const char *bytes, size_t length,
	size_t already, struct feed *out)
{
	out->skipped = 0;
	if (parser->response)
		out->verdict = http_response_parse(bytes, length, already,
			parser->request_method, parser->limits, &out->head,
			&out->why);
	else
		out->verdict = http_request_parse(bytes, length, already,
			parser->limits, &out->head, &out->skipped, &out->why);
}

static inline bool
feed_slice_inside(const struct http_head *h, struct slice s)
{
	return s.length == 0 ||
	       (s.data >= h->bytes &&
		       s.data + s.length <= h->bytes + h->length);
}

/* Everything that a head points at lies in it. */
static inline bool
feed_head_is_sound(const struct http_head *h, size_t length)
{
	if (h->length > length || h->field_count > HTTP_FIELDS_MAX)
		return false;
	for (unsigned i = 0; i < h->field_count; i++) {
		struct slice name = http_field_name(h, &h->fields[i]);
		struct slice value = http_field_value(h, &h->fields[i]);

		if (!feed_slice_inside(h, name) || !http_is_token(name) ||
			!feed_slice_inside(h, value) ||
			!http_is_field_value(value))
			return false;
	}
	return feed_slice_inside(h, h->method_text) &&
	       feed_slice_inside(h, h->target) &&
	       feed_slice_inside(h, h->authority);
}

/* The same place of the same message, wherever that lies. */
static inline bool
feed_place_equal(const struct http_head *a, struct slice x,
	const struct http_head *b, struct slice y)
{
	return x.length == y.length &&
	       (x.length == 0 || x.data - a->bytes == y.data - b->bytes);
}

static inline bool
feed_fields_equal(const struct http_head *a, const struct http_head *b)
{
	if (a->field_count != b->field_count)
		return false;
	for (unsigned i = 0; i < a->field_count; i++) {
		const struct http_field *x = &a->fields[i], *y = &b->fields[i];

		if (x->name != y->name || x->name_length != y->name_length ||
			x->value != y->value ||
			x->value_length != y->value_length || x->id != y->id ||
			x->hop_by_hop != y->hop_by_hop)
			return false;
	}
	return true;
}

static inline bool
feed_heads_equal(const struct feed *a, const struct feed *b)
{
	const struct http_head *x = &a->head, *y = &b->head;

	return a->skipped == b->skipped && x->length == y->length &&
	       x->method == y->method &&
	       feed_place_equal(x, x->method_text, y, y->method_text) &&
	       feed_place_equal(x, x->target, y, y->target) &&
	       feed_place_equal(x, x->authority, y, y->authority) &&
	       x->expect_continue == y->expect_continue &&
	       x->status == y->status && x->version_minor == y->version_minor &&
	       x->keep_alive == y->keep_alive && x->upgrade == y->upgrade &&
	       x->framing == y->framing &&
	       x->content_length == y->content_length &&
	       feed_fields_equal(x, y);
}

static inline bool
feed_agree(const struct feed *a, const struct feed *b)
{
	if (a->verdict != b->verdict || a->why != b->why)
		return false;
	if ((a->verdict == HTTP_PARSE_BAD) != (a->why != HTTP_REFUSE_NONE))
		return false;
	return a->verdict != HTTP_PARSE_DONE || feed_heads_equal(a, b);
}

/* After every byte, and of what is long, where that takes seconds, fewer. */
static inline size_t
feed_step(size_t length)
{
	return length > 2048 ? 37 : 1;
}

/* The first n bytes, with the hint and without; false: these do not agree. */
static inline bool
feed_cut(const struct feed_parser *parser, const char *bytes, size_t n,
	size_t already, struct feed *hinted)
{
	static struct feed fresh;
	const char *cut = guard_put(bytes, n);

	feed_once(parser, cut, n, already, hinted);
	feed_once(parser, cut, n, 0, &fresh);
	/* The hint may put a refusal off, never change a verdict. */
	return hinted->verdict == HTTP_PARSE_MORE
		       ? fresh.verdict != HTTP_PARSE_DONE
		       : feed_agree(hinted, &fresh);
}

/* Grows from already by step, to a verdict or the end; decided_at says where.
 */
static inline bool
feed_grow(const struct feed_parser *parser, const char *bytes, size_t length,
	size_t already, size_t step, struct feed *hinted)
{
	size_t n = already;

	do {
		already = n;
		n = length - n < step ? length : n + step;
		if (!feed_cut(parser, bytes, n, already, hinted))
			return false;
	} while (hinted->verdict == HTTP_PARSE_MORE && n < length);
	hinted->decided_at = n;
	return true;
}

/* After every byte of the two last steps to the verdict. */
static inline bool
feed_finely(const struct feed_parser *parser, const char *bytes, size_t step,
	struct feed *hinted)
{
	static struct feed fine;
	size_t end = hinted->decided_at, last = (end - 1) % step + 1;
	size_t from = end > last + step ? end - last - step : 0;

	if (!feed_grow(parser, bytes, end, from, 1, &fine))
		return false;
	if (fine.verdict == HTTP_PARSE_MORE)
		return hinted->verdict == HTTP_PARSE_BAD;
	if (!feed_agree(&fine, hinted))
		return false;
	hinted->decided_at = fine.decided_at;
	return true;
}

/* Whole, then growing by step; false: the ways do not agree. */
static inline bool
feed_all(const struct feed_parser *parser, const char *bytes, size_t length,
	size_t step, struct feed *out)
{
	static struct feed hinted;

	if (!feed_grow(parser, bytes, length, 0, step, &hinted))
		return false;
	if (step > 1 && hinted.verdict != HTTP_PARSE_MORE &&
		!feed_finely(parser, bytes, step, &hinted))
		return false;

	feed_once(parser, guard_put(bytes, length), length, 0, out);
	out->decided_at = hinted.decided_at;
	if (out->verdict == HTTP_PARSE_DONE &&
		!feed_head_is_sound(&out->head, length))
		return false;
	/* A refusal that waits for the end of a line that never came. */
	if (hinted.verdict == HTTP_PARSE_MORE && out->verdict == HTTP_PARSE_BAD)
		return false;
	return feed_agree(out, &hinted);
}

#endif
