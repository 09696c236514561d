/* Makes frames of application/vnd.amazon.eventstream, right or wrong. Shares
 * nothing with the decoder but the CRC, whose own test derives it. */
#ifndef TESTS_UNIT_KINDS_AWS_FRAMES_H
#define TESTS_UNIT_KINDS_AWS_FRAMES_H

#include <stdint.h>

#include "base/str.h"
#include "kinds/aws/crc32.h"

static inline void
frame_number(struct str *out, uint32_t number)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		str_putc(out, (char)(number >> shift));
}

static inline void
frame_string(struct str *headers, const char *name, struct slice value)
{
	str_putc(headers, (char)strlen(name));
	str_puts(headers, name);
	str_putc(headers, 7);
	str_putc(headers, (char)(value.length >> 8));
	str_putc(headers, (char)value.length);
	str_append(headers, value.data, value.length);
}

static inline void
frame_put(struct str *out, struct slice headers, struct slice payload)
{
	size_t begin = out->length;

	frame_number(out, (uint32_t)(16 + headers.length + payload.length));
	frame_number(out, (uint32_t)headers.length);
	frame_number(out, crc32_add(0, out->data + begin, 8));
	str_append(out, headers.data, headers.length);
	str_append(out, payload.data, payload.length);
	frame_number(out, crc32_add(0, out->data + begin, out->length - begin));
}

/* kind: the header that says what it is (":event-type"), and its value. */
static inline void
frame_put_message(struct str *out, const char *type, const char *kind,
	const char *value, struct slice payload)
{
	struct str headers;

	str_init(&headers);
	frame_string(&headers, ":message-type", slice_of(type));
	if (kind != NULL)
		frame_string(&headers, kind, slice_of(value));
	frame_string(&headers, ":content-type",
		slice_of("application/octet-stream"));
	frame_put(out, (struct slice){ headers.data, headers.length }, payload);
	str_fini(&headers);
}

static inline void
frame_put_event(struct str *out, const char *event, struct slice payload)
{
	frame_put_message(out, "event", ":event-type", event, payload);
}

#endif
