/*
 * Bodies: however cut, the same bytes and the same verdict; what came out,
 * chunked again by us, comes out again.
 */
#include <stdint.h>

#include "http/body.h"
#include "tests/unit/http/feed_body.h"

#define SIZE_MAX_FED (32 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
feed_expect(enum http_framing framing, uint64_t content_length,
	const char *bytes, size_t size, struct feed_body *whole)
{
	if (!feed_body_all(framing, content_length, bytes, size, whole))
		abort();
}

/* As one chunk and the last one. */
static void
chunk_again(const struct feed_body *body)
{
	static char out[SIZE_MAX_FED + 64];
	static struct feed_body again;
	size_t n = 0;

	if (body->length > 0) {
		n = http_chunk_head(out, body->length);
		memcpy(out + n, body->data, body->length);
		n += body->length;
		memcpy(out + n, "\r\n", 2);
		n += 2;
	}
	memcpy(out + n, HTTP_CHUNK_LAST, sizeof(HTTP_CHUNK_LAST) - 1);
	n += sizeof(HTTP_CHUNK_LAST) - 1;
	if (!feed_body(HTTP_BODY_CHUNKED, 0, out, n, n, &again) ||
		again.state != HTTP_BODY_DONE || again.consumed != n ||
		again.length != body->length ||
		memcmp(again.data, body->data, body->length) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	static struct feed_body got;

	if (size > SIZE_MAX_FED)
		size = SIZE_MAX_FED;
	feed_expect(HTTP_BODY_CHUNKED, 0, bytes, size, &got);
	if (got.complete != (got.state == HTTP_BODY_DONE))
		abort();
	chunk_again(&got);
	feed_expect(HTTP_BODY_LENGTH, size / 2, bytes, size, &got);
	if (got.state != HTTP_BODY_DONE || got.consumed != size / 2)
		abort();
	feed_expect(HTTP_BODY_CLOSE, 0, bytes, size, &got);
	if (got.length != size || !got.complete)
		abort();
	return 0;
}
