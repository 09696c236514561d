/*
 * Frames of event streams: however the bytes are cut, the same comes of them,
 * payloads in more pieces or fewer. With an even first byte they are the stream;
 * with an odd one, headers and payloads for frames whose lengths and checksums
 * are right. With a second bit the first of those has so much payload that it is
 * large, with a third one a bit in it is wrong.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kinds/aws/eventstream.h"
#include "tests/unit/kinds/aws_frames.h"

#define LARGE (EVENTSTREAM_WHOLE_MAX + 1)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool condition)
{
	if (!condition)
		abort();
}

static void
put(struct str *out, struct slice s)
{
	str_printf(out, "%zu:", s.length);
	str_append(out, s.data, s.length);
}

/* The chunk lies alone in its memory, so that an over-read is seen. */
static enum eventstream_event
read_chunk(struct eventstream *s, struct slice *chunk, struct str *out)
{
	char *copy = malloc(chunk->length + 1);
	struct slice payload, exception;
	struct error err = ERROR_INIT;
	enum eventstream_event event;
	size_t used;

	expect(copy != NULL);
	memcpy(copy, chunk->data, chunk->length);
	event = eventstream_read(s, (struct slice){ copy, chunk->length },
		&used, &payload, &exception, &err);
	expect(used <= chunk->length);
	expect(event != EVENTSTREAM_MORE || used == chunk->length);
	expect((event == EVENTSTREAM_BAD) == (err.code != ERROR_NONE));
	if (event == EVENTSTREAM_PAYLOAD) {
		str_append(out, payload.data, payload.length);
	} else if (event != EVENTSTREAM_MORE) {
		str_printf(out, "%d%s", (int)event, err.text);
		put(out, exception);
		put(out, payload);
	}
	chunk->data += used;
	chunk->length -= used;
	free(copy);
	return event;
}

static void
stream(struct slice in, size_t step, struct str *out)
{
	struct eventstream *s = eventstream_new();
	enum eventstream_event event = EVENTSTREAM_MORE;

	while (event != EVENTSTREAM_BAD && in.length > 0) {
		size_t size = in.length < step ? in.length : step;
		struct slice chunk = { in.data, size };

		in.data += size;
		in.length -= size;
		do {
			event = read_chunk(s, &chunk, out);
		} while (event != EVENTSTREAM_BAD && event != EVENTSTREAM_MORE);
	}
	str_puts(out, eventstream_is_between(s) ? " between" : " within");
	eventstream_free(s);
}

static struct slice
take(struct slice *in, size_t length)
{
	struct slice part = { in->data,
		length < in->length ? length : in->length };

	in->data += part.length;
	in->length -= part.length;
	return part;
}

/* Over and over, until it is no longer kept whole. */
static void
large_put(struct slice headers, struct slice payload, struct str *out)
{
	char *bytes = xcalloc(1, LARGE);

	for (size_t i = 0; payload.length > 0 && i < LARGE; i++)
		bytes[i] = payload.data[i % payload.length];
	frame_put(out, headers, (struct slice){ bytes, LARGE });
	free(bytes);
}

static void
frames(struct slice in, bool large, bool wrong, struct str *out)
{
	for (; in.length >= 2; large = false) {
		size_t headers = (uint8_t)in.data[0];
		size_t payload = (uint8_t)in.data[1];
		struct slice first, second;

		take(&in, 2);
		first = take(&in, headers);
		second = take(&in, payload);
		if (large)
			large_put(first, second, out);
		else
			frame_put(out, first, second);
		if (large && wrong)
			out->data[out->length - 1 - payload * 257] ^= 1;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = { 1, 2, 7, 13, 64 };
	struct slice in = { (const char *)data + 1, size - 1 };
	struct str made, once, cut;

	if (size == 0)
		return 0;
	str_init(&made);
	str_init(&once);
	str_init(&cut);
	if (data[0] & 1) {
		frames(in, data[0] & 2, data[0] & 4, &made);
		in = (struct slice){ made.data, made.length };
	}
	stream(in, in.length + 1, &once);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		str_clear(&cut);
		/* Byte by byte a large one takes too long. */
		stream(in, steps[i] * (in.length < LARGE ? 1 : 997), &cut);
		expect(once.length == cut.length &&
			memcmp(once.data, cut.data, cut.length) == 0);
	}
	str_fini(&made);
	str_fini(&once);
	str_fini(&cut);
	return 0;
}
