/*
 * Frames of event streams: however the bytes are cut, the same comes of them.
 * With an even first byte they are the stream; with an odd one, headers and
 * payloads for frames whose lengths and checksums are right.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kinds/aws/eventstream.h"
#include "tests/unit/kinds/aws_frames.h"

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
	if (event != EVENTSTREAM_MORE) {
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

static void
frames(struct slice in, struct str *out)
{
	while (in.length >= 2) {
		size_t headers = (uint8_t)in.data[0];
		size_t payload = (uint8_t)in.data[1];

		take(&in, 2);
		frame_put(out, take(&in, headers), take(&in, payload));
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
		frames(in, &made);
		in = (struct slice){ made.data, made.length };
	}
	stream(in, in.length + 1, &once);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		str_clear(&cut);
		stream(in, steps[i], &cut);
		expect(once.length == cut.length &&
			memcmp(once.data, cut.data, cut.length) == 0);
	}
	str_fini(&made);
	str_fini(&once);
	str_fini(&cut);
	return 0;
}
