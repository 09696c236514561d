/* Base64 of RFC 4648 section 4. */
#include "base/base64.h"

#include <stdint.h>

static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum {
	SPACE = 64,
	PADDING,
	NOTHING,
};

/* 0 to 63, or what the byte is instead. */
static unsigned
digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0' + 52);
	switch (c) {
	case '+':
		return 62;
	case '/':
		return 63;
	case '=':
		return PADDING;
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		return SPACE;
	default:
		return NOTHING;
	}
}

static char *
bits_put(char *to, uint32_t bits)
{
	*to++ = (char)(bits >> 16);
	*to++ = (char)(bits >> 8);
	*to++ = (char)bits;
	return to;
}

int
base64_decode(const char *text, size_t length, struct str *out)
{
	size_t before = out->length, count = 0, padding = 0;
	uint32_t bits = 0;
	char *to;

	str_reserve(out, length / 4 * 3 + 3);
	to = out->data + before;
	for (size_t i = 0; i < length; i++) {
		unsigned value = digit_value(text[i]);

		if (value == SPACE)
			continue;
		if (value == PADDING) {
			padding++;
			value = 0;
		} else if (value == NOTHING || padding > 0) {
			goto bad;
		}
		bits = bits << 6 | value;
		if (++count % 4 == 0)
			to = bits_put(to, bits);
	}
	if (count % 4 != 0 || padding > 2)
		goto bad;
	out->length = (size_t)(to - out->data) - padding;
	out->data[out->length] = '\0';
	return 0;
bad:
	out->data[before] = '\0';
	return -1;
}

void
base64_encode(const void *data, size_t length, struct str *out)
{
	const uint8_t *bytes = data;
	char *to;

	str_reserve(out, (length + 2) / 3 * 4);
	to = out->data + out->length;
	for (size_t i = 0; i < length; i += 3) {
		size_t have = length - i < 3 ? length - i : 3;
		uint32_t bits = (uint32_t)bytes[i] << 16;

		if (have > 1)
			bits |= (uint32_t)bytes[i + 1] << 8;
		if (have > 2)
			bits |= bytes[i + 2];
		for (size_t k = 0; k < 4; k++)
			*to++ = k > have ? '='
					 : digits[bits >> (18 - 6 * k) & 63];
	}
	out->length = (size_t)(to - out->data);
	out->data[out->length] = '\0';
}
