/*
 * Frames of application/vnd.amazon.eventstream, all numbers big-endian:
 *
 *	length of all, length of the headers, CRC of these eight bytes
 *	headers: length of the name (1), name, type (1), value
 *	payload
 *	CRC of all that is in front of it
 *
 * A frame is passed on when its CRC is right, not before. One that lies whole
 * in the bytes at hand is read there; otherwise it is gathered, and takes as
 * much memory as came of it, whatever its length says. A large one is never
 * gathered: what is in front of its payload is, and then the payload is passed
 * on as it comes; whether its CRC is right is known in the end alone.
 */
#include "kinds/aws/eventstream.h"

#include <stdlib.h>

#include "base/mem.h"
#include "kinds/aws/crc32.h"

#define PRELUDE     12 /* bytes of lengths and their CRC */
#define CRC         4  /* behind the payload */
#define FRAME_MIN   (PRELUDE + CRC)
#define HEADERS_MAX (128u << 10) /* as AWS has it */
#define KEPT_MAX    (64u << 10)  /* memory between frames */

enum value_type {
	VALUE_TRUE,
	VALUE_FALSE,
	VALUE_BYTE,
	VALUE_SHORT,
	VALUE_INTEGER,
	VALUE_LONG,
	VALUE_BYTES,
	VALUE_STRING,
	VALUE_TIMESTAMP,
	VALUE_UUID,
};

struct eventstream {
	struct str frame; /* the part that came; empty between frames. Of a large
			   * one: the CRC behind its payload */
	bool told; /* what frame holds was passed on: it goes with the next call
		    */
	bool bad;
	/* Of a large one whose payload comes. */
	bool large, wanted; /* not wanted: it is passed over */
	uint32_t left, crc; /* bytes that still come; of those that did */
};

/* What the headers say that count. data NULL: it does not come. */
struct headers {
	struct slice message_type, event_type, exception_type, error_code;
};

struct eventstream *
eventstream_new(void)
{
	struct eventstream *s = xcalloc(1, sizeof(*s));

	str_init(&s->frame);
	return s;
}

void
eventstream_free(struct eventstream *s)
{
	if (s == NULL)
		return;
	str_fini(&s->frame);
	free(s);
}

bool
eventstream_is_between(const struct eventstream *s)
{
	return !s->bad && !s->large && (s->told || s->frame.length == 0);
}

static uint32_t
number_at(const char *at)
{
	const uint8_t *p = (const uint8_t *)at;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static int
bad(struct error *err, const char *why)
{
	return error_set(err, ERROR_CONFIG, "the function's stream: %s", why);
}

static int
crc_check(const char *at, uint32_t crc, struct error *err)
{
	return number_at(at) == crc
		       ? 0
		       : bad(err, "a frame does not match its CRC");
}

/* Of a frame whose lengths were checked. */
static uint32_t
payload_length(const char *frame)
{
	return number_at(frame) - number_at(frame + 4) - FRAME_MIN;
}

static bool
is_large(const char *frame)
{
	return payload_length(frame) > EVENTSTREAM_WHOLE_MAX;
}

/* *length: what is needed at once of the frame that begins so: all of it, or
 * what is in front of its payload. */
static int
prelude_check(const char *frame, uint32_t *length, struct error *err)
{
	uint32_t headers = number_at(frame + 4);

	*length = number_at(frame);
	if (crc32_add(0, frame, 8) != number_at(frame + 8))
		return bad(err, "a frame's lengths do not match their CRC");
	if (*length < FRAME_MIN || *length > EVENTSTREAM_FRAME_MAX)
		return bad(err, "a frame of less than 16 bytes or more than "
				"24 MiB");
	if (headers > *length - FRAME_MIN || headers > HEADERS_MAX)
		return bad(err, "headers that are longer than their frame or "
				"than 128 KiB");
	if (is_large(frame))
		*length = PRELUDE + headers;
	return 0;
}

/* How long a value is that begins at p, its own length included; 0: it has
 * none or is not whole. *skip: bytes in front of it. */
static bool
value_length(
	uint8_t type, const char *p, size_t left, size_t *skip, size_t *length)
{
	static const uint8_t fixed[] = { [VALUE_BYTE] = 1,
		[VALUE_SHORT] = 2,
		[VALUE_INTEGER] = 4,
		[VALUE_LONG] = 8,
		[VALUE_TIMESTAMP] = 8,
		[VALUE_UUID] = 16 };

	*skip = 0;
	if (type > VALUE_UUID)
		return false;
	*length = fixed[type];
	if (type == VALUE_BYTES || type == VALUE_STRING) {
		if (left < 2)
			return false;
		*skip = 2;
		*length = (size_t)(uint8_t)p[0] << 8 | (uint8_t)p[1];
	}
	return left - *skip >= *length;
}

static struct slice *
header_named(struct headers *h, struct slice name)
{
	if (slice_equal(name, slice_of(":message-type")))
		return &h->message_type;
	if (slice_equal(name, slice_of(":event-type")))
		return &h->event_type;
	if (slice_equal(name, slice_of(":exception-type")))
		return &h->exception_type;
	if (slice_equal(name, slice_of(":error-code")))
		return &h->error_code;
	return NULL;
}

static int
headers_read(struct slice in, struct headers *h, struct error *err)
{
	const char *p = in.data, *end = p + in.length;

	*h = (struct headers){ 0 };
	while (p < end) {
		size_t name_length = (uint8_t)*p++, skip, length;
		struct slice name = { p, name_length }, *wanted;
		uint8_t type;

		if (name_length == 0 || (size_t)(end - p) < name_length + 1)
			return bad(err, "a header that is not whole");
		p += name_length;
		type = (uint8_t)*p++;
		if (!value_length(type, p, (size_t)(end - p), &skip, &length))
			return bad(err, "a header whose value is not whole or "
					"of no known type");
		p += skip;
		wanted = header_named(h, name);
		if (wanted != NULL &&
			(type != VALUE_STRING || wanted->data != NULL))
			return bad(err, "a header that comes twice or is no "
					"string");
		if (wanted != NULL)
			*wanted = (struct slice){ p, length };
		p += length;
	}
	return 0;
}

static bool
is(struct slice s, const char *text)
{
	return slice_equal(s, slice_of(text));
}

/* EVENTSTREAM_MORE: nobody asked for it. */
static enum eventstream_event
frame_kind(const struct headers *h, struct slice *exception, struct error *err)
{
	if (is(h->message_type, "event")) {
		if (is(h->event_type, "PayloadChunk"))
			return EVENTSTREAM_PAYLOAD;
		return is(h->event_type, "InvokeComplete")
			       ? EVENTSTREAM_COMPLETE
			       : EVENTSTREAM_MORE;
	}
	if (is(h->message_type, "exception")) {
		*exception = h->exception_type;
		return EVENTSTREAM_EXCEPTION;
	}
	if (is(h->message_type, "error")) {
		*exception = h->error_code;
		return EVENTSTREAM_EXCEPTION;
	}
	bad(err, "a frame of no known type of message");
	return EVENTSTREAM_BAD;
}

/* What is in front of the payload of a large frame. */
static enum eventstream_event
large_begin(struct eventstream *s, struct slice frame, struct error *err)
{
	struct slice exception, headers = { frame.data + PRELUDE,
		frame.length - PRELUDE };
	enum eventstream_event kind;
	struct headers h;

	if (headers_read(headers, &h, err) != 0)
		return EVENTSTREAM_BAD;
	kind = frame_kind(&h, &exception, err);
	if (kind == EVENTSTREAM_COMPLETE || kind == EVENTSTREAM_EXCEPTION) {
		bad(err, "its end, or why it has none, is said in more than "
			 "64 KiB");
		return EVENTSTREAM_BAD;
	}
	s->large = kind != EVENTSTREAM_BAD;
	s->wanted = kind == EVENTSTREAM_PAYLOAD;
	s->left = payload_length(frame.data);
	s->crc = crc32_add(0, frame.data, frame.length);
	return kind == EVENTSTREAM_BAD ? kind : EVENTSTREAM_MORE;
}

/* A whole frame, or what prelude_check asks for of a large one. */
static enum eventstream_event
frame_read(struct eventstream *s, struct slice frame, struct slice *payload,
	struct slice *exception, struct error *err)
{
	size_t headers = number_at(frame.data + 4), body;
	struct headers h;

	if (is_large(frame.data))
		return large_begin(s, frame, err);
	body = frame.length - CRC;
	if (crc_check(frame.data + body, crc32_add(0, frame.data, body), err) !=
		0)
		return EVENTSTREAM_BAD;
	if (headers_read((struct slice){ frame.data + PRELUDE, headers }, &h,
		    err) != 0)
		return EVENTSTREAM_BAD;
	*payload = (struct slice){ frame.data + PRELUDE + headers,
		body - PRELUDE - headers };
	return frame_kind(&h, exception, err);
}

static void
frame_forget(struct eventstream *s)
{
	if (s->frame.capacity > KEPT_MAX)
		str_fini(&s->frame);
	str_clear(&s->frame);
	s->told = false;
}

/* Takes of in what completes s->frame to size bytes. */
static bool
frame_fill(struct eventstream *s, struct slice in, size_t *used, size_t size)
{
	size_t left = in.length - *used, want = size - s->frame.length;
	size_t take = left < want ? left : want;

	if (take > 0)
		str_append(&s->frame, in.data + *used, take);
	*used += take;
	return take == want;
}

/* More of the payload of a large frame; behind it, whether all was right. */
static enum eventstream_event
large_read(struct eventstream *s, struct slice in, size_t *used,
	struct slice *payload, struct error *err)
{
	size_t left = in.length - *used;
	uint32_t take = left < s->left ? (uint32_t)left : s->left;

	if (take > 0) {
		*payload = (struct slice){ in.data + *used, take };
		s->crc = crc32_add(s->crc, payload->data, take);
		s->left -= take;
		*used += take;
		return s->wanted ? EVENTSTREAM_PAYLOAD : EVENTSTREAM_MORE;
	}
	if (s->left > 0 || !frame_fill(s, in, used, CRC))
		return EVENTSTREAM_MORE;
	s->large = false;
	s->told = true;
	return crc_check(s->frame.data, s->crc, err) == 0 ? EVENTSTREAM_MORE
							 : EVENTSTREAM_BAD;
}

/* The next frame, or of a large one what is in front of its payload, if it is
 * there: in the bytes at hand or in s->frame. */
static int
frame_next(struct eventstream *s, struct slice in, size_t *used,
	struct slice *frame, struct error *err)
{
	const char *at = in.data == NULL ? "" : in.data + *used;
	size_t left = in.length - *used;
	uint32_t length;

	*frame = (struct slice){ NULL, 0 };
	if (s->frame.length == 0 && left >= PRELUDE) {
		if (prelude_check(at, &length, err) != 0)
			return -1;
		if (left >= length) {
			*frame = (struct slice){ at, length };
			*used += length;
			return 0;
		}
	}
	if (s->frame.length < PRELUDE && !frame_fill(s, in, used, PRELUDE))
		return 0;
	if (prelude_check(s->frame.data, &length, err) != 0)
		return -1;
	if (frame_fill(s, in, used, length)) {
		*frame = (struct slice){ s->frame.data, length };
		s->told = true;
	}
	return 0;
}

enum eventstream_event
eventstream_read(struct eventstream *s, struct slice in, size_t *used,
	struct slice *payload, struct slice *exception, struct error *err)
{
	enum eventstream_event event = EVENTSTREAM_MORE;
	struct slice frame;

	*used = 0;
	*payload = *exception = (struct slice){ NULL, 0 };
	if (s->bad) {
		bad(err, "it was broken before");
		return EVENTSTREAM_BAD;
	}
	do {
		if (s->told)
			frame_forget(s);
		if (s->large)
			event = large_read(s, in, used, payload, err);
		else if (frame_next(s, in, used, &frame, err) != 0)
			event = EVENTSTREAM_BAD;
		else if (frame.data != NULL)
			event = frame_read(s, frame, payload, exception, err);
	} while (event == EVENTSTREAM_MORE && *used < in.length);
	if (event == EVENTSTREAM_MORE || event == EVENTSTREAM_BAD)
		*payload = *exception = (struct slice){ NULL, 0 };
	s->bad = event == EVENTSTREAM_BAD;
	return event;
}
