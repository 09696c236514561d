/* Everything that one peer sends on a connection: heads and their bodies. */
#ifndef TESTS_UNIT_HTTP_FEED_CONNECTION_H
#define TESTS_UNIT_HTTP_FEED_CONNECTION_H

#include "tests/unit/http/feed_body.h"

struct feed_connection {
	bool sound;   /* cuts changed nothing, contracts were kept */
	bool refused; /* a head or a body was BAD */
	enum http_refusal why;
	unsigned messages; /* complete ones */
};

/* The body behind a head, whole and in pieces; its verdict. */
static inline enum http_body_state
feed_connection_body(const struct http_head *h, const char *bytes,
	size_t length, size_t *consumed, bool *sound)
{
	static struct feed_body whole, cut;
	static const size_t steps[] = { 1, 7, 64 };

	*sound = feed_body(h->framing, h->content_length, bytes, length,
		length > 0 ? length : 1, &whole);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		*sound = *sound &&
			 feed_body(h->framing, h->content_length, bytes, length,
				 steps[i], &cut) &&
			 feed_body_equal(&whole, &cut);
	*consumed = whole.consumed;
	return whole.state;
}

static inline struct feed_connection
feed_connection(
	const struct feed_parser *parser, const char *bytes, size_t length)
{
	struct feed_connection c = { .sound = true };
	static struct feed got;

	while (length > 0) {
		enum http_body_state body;
		size_t n;

		c.sound = feed_all(
			parser, bytes, length, feed_step(length), &got);
		if (!c.sound || got.verdict == HTTP_PARSE_MORE)
			break;
		c.why = got.why;
		c.refused = got.verdict == HTTP_PARSE_BAD;
		if (c.refused)
			break;
		n = got.skipped + got.head.length;
		bytes += n;
		length -= n;
		body = feed_connection_body(
			&got.head, bytes, length, &n, &c.sound);
		c.refused = body == HTTP_BODY_BAD;
		if (!c.sound || body != HTTP_BODY_DONE)
			break;
		c.messages++;
		bytes += n;
		length -= n;
		/* What follows is never read as a message. */
		if (!got.head.keep_alive) {
			c.refused = length > 0;
			break;
		}
	}
	return c;
}

#endif
