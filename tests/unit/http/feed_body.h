/* Feeds a body decoder in pieces that each end before a forbidden page. */
#ifndef TESTS_UNIT_HTTP_FEED_BODY_H
#define TESTS_UNIT_HTTP_FEED_BODY_H

#include "http/body.h"
#include "tests/unit/http/feed.h"

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

static inline bool
feed_body(enum http_framing framing, uint64_t content_length, const char *bytes,
	size_t length, size_t step, struct feed_body *out)
{
	struct http_body b;
	size_t at = 0;

	http_body_init(&b, framing, content_length);
	out->consumed = out->length = 0;
	do {
		size_t n = length - at < step ? length - at : step;

		if (!feed_body_piece(&b, guard_put(bytes + at, n), n, out))
			return false;
		at += n;
	} while (at < length && out->state == HTTP_BODY_MORE);
	out->complete = http_body_end(&b);
	return b.total == out->length;
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

#endif
