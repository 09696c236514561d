/* Feeds a body decoder in pieces that each end before a forbidden page. */
#ifndef TESTS_UNIT_HTTP_FEED_BODY_H
#define TESTS_UNIT_HTTP_FEED_BODY_H

#include "http/body.h"
#include "tests/unit/http/feed.h"

#define FEED_BODY_SMALL 256 /* bytes that are cut in two at every place */

struct feed_body {
	enum http_body_state state; /* of the last read */
	size_t consumed;            /* up to DONE, BAD or the end */
	size_t length;              /* of the data */
	bool complete;              /* http_body_end after all of it */
	char data[GUARD_SIZE];
};

/* One piece; false: the decoder broke its contract. */
static inline bool
feed_body_piece(struct http_body *b, const char *piece, size_t length,
	struct feed_body *out)
{
	const char *end = piece + length;

	for (;;) {
		size_t have = (size_t)(end - piece), consumed;
		struct slice data;

		out->state = http_body_read(b, piece, have, &data, &consumed);
		if (consumed > have)
			return false;
		out->consumed += consumed;
		piece += consumed;
		if (out->state == HTTP_BODY_BAD || out->state == HTTP_BODY_DONE)
			return true;
		if (out->state == HTTP_BODY_MORE)
			return piece == end;
		if (data.length == 0 || data.data + data.length != piece ||
			data.length > consumed)
			return false;
		memcpy(out->data + out->length, data.data, data.length);
		out->length += data.length;
	}
}

/* In a first piece and pieces of step behind it. */
static inline bool
feed_body_pieces(enum http_framing framing, uint64_t content_length,
	const char *bytes, size_t length, size_t first, size_t step,
	struct feed_body *out)
{
	struct http_body b;
	size_t at = 0, n = first;

	http_body_init(&b, framing, content_length);
	out->consumed = out->length = 0;
	do {
		if (n > length - at)
			n = length - at;
		if (!feed_body_piece(&b, guard_put(bytes + at, n), n, out))
			return false;
		at += n;
		n = step;
	} while (at < length && out->state == HTTP_BODY_MORE);
	out->complete = http_body_end(&b);
	return b.total == out->length;
}

static inline bool
feed_body(enum http_framing framing, uint64_t content_length, const char *bytes,
	size_t length, size_t step, struct feed_body *out)
{
	return feed_body_pieces(
		framing, content_length, bytes, length, step, step, out);
}

/* The same verdict and the same bytes, however cut. */
static inline bool
feed_body_equal(const struct feed_body *a, const struct feed_body *b)
{
	return a->state == b->state && a->length == b->length &&
	       a->complete == b->complete &&
	       (a->state == HTTP_BODY_BAD || a->consumed == b->consumed) &&
	       memcmp(a->data, b->data, a->length) == 0;
}

/* Whole, in equal pieces, and what is small in two, cut at every place; false:
 * the ways do not agree. */
static inline bool
feed_body_all(enum http_framing framing, uint64_t content_length,
	const char *bytes, size_t length, struct feed_body *whole)
{
	static const size_t steps[] = { 1, 2, 3, 7, 17, 64, 1000 };
	size_t places = length <= FEED_BODY_SMALL ? length : 0;
	static struct feed_body cut;

	if (!feed_body(framing, content_length, bytes, length,
		    length > 0 ? length : 1, whole))
		return false;
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		if (!feed_body(framing, content_length, bytes, length, steps[i],
			    &cut) ||
			!feed_body_equal(whole, &cut))
			return false;
	for (size_t i = 1; i < places; i++)
		if (!feed_body_pieces(framing, content_length, bytes, length, i,
			    length - i, &cut) ||
			!feed_body_equal(whole, &cut))
			return false;
	return true;
}

#endif
