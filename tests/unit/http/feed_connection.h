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

static inline struct feed_connection
feed_connection(
	const struct feed_parser *parser, const char *bytes, size_t length)
{
	struct feed_connection c = { .sound = true };
	static struct feed got;
	static struct feed_body body;

	while (length > 0) {
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
		c.sound = feed_body_all(got.head.framing,
			got.head.content_length, bytes, length, &body);
		c.refused = body.state == HTTP_BODY_BAD;
		if (!c.sound || body.state != HTTP_BODY_DONE)
			break;
		c.messages++;
		bytes += body.consumed;
		length -= body.consumed;
		/* What follows is never read as a message. */
		if (!got.head.keep_alive) {
			c.refused = length > 0;
			break;
		}
	}
	return c;
}

#endif
