/*
 * Responses, heads and bodies, one behind the other: whole and cut after every
 * byte (feed.h: what is long, less often) the same heads, bodies and verdict,
 * for each kind of request.
 */
#include <stdint.h>

#include "http/head.h"
#include "tests/unit/http/feed_connection.h"

#define SIZE_MAX_FED (16 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct http_limits small = {
		.target_bytes = 40, .head_bytes = 300, .fields = 5
	};
	struct feed_parser parser = { .response = true,
		.request_method = HTTP_GET,
		.limits = &http_limits_default };
	const char *bytes = (const char *)data;
	static struct feed get, head;

	if (size > SIZE_MAX_FED)
		size = SIZE_MAX_FED;
	if (!feed_connection(&parser, bytes, size).sound)
		abort();
	feed_once(&parser, guard_put(bytes, size), size, 0, &get);
	parser.request_method = HTTP_HEAD;
	if (!feed_all(&parser, bytes, size, feed_step(size), &head))
		abort();
	/* The method changes where the body ends, never what is refused. */
	if (get.verdict != head.verdict || get.why != head.why)
		abort();
	if (head.verdict == HTTP_PARSE_DONE &&
		(head.head.framing != HTTP_BODY_NONE ||
			head.head.status < 100 || head.head.status > 599))
		abort();
	parser.limits = &small;
	if (!feed_all(&parser, bytes, size, feed_step(size), &head))
		abort();
	return 0;
}
