/* Base64 of RFC 4648 section 4. */
#include "base/base64.h"

#include <stdbool.h>
#include <stdint.h>

static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum {
	SPACE = 64,
	PADDING = 65,
	NOTHING = 66,
};

/* What a byte is: 0 to 63, or one of these. */
/* clang-format off */
static const uint8_t values[256] = {
	66, 66, 66, 66, 66, 66, 66, 66, 66, 64, 64, 66, 66, 64, 66, 66,
	66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
	64, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 62, 66, 66, 66, 63,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 66, 66, 66, 65, 66, 66,
	66, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 66, 66, 66, 66, 66,
	66, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 66, 66, 66, 66, 66,
	66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
	66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
	66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
	66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
	66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
	66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
	66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
	66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
};
/* clang-format on */

static char *
bits_put(char *to, uint32_t bits)
{
	*to++ = (char)(bits >> 16);
	*to++ = (char)(bits >> 8);
	*to++ = (char)bits;
	return to;
}

/* Most of a text is that: four digits at a time. */
static bool
four_digits(const char *text, uint32_t *bits)
{
	const uint8_t *p = (const uint8_t *)text;
	uint32_t a = values[p[0]], b = values[p[1]], c = values[p[2]],
		 d = values[p[3]];

	if ((a | b | c | d) >= SPACE)
		return false;
	*bits = a << 18 | b << 12 | c << 6 | d;
	return true;
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
		unsigned value;

		while (count % 4 == 0 && padding == 0 && length - i > 4 &&
			four_digits(text + i, &bits)) {
			to = bits_put(to, bits);
			i += 4;
		}
		value = values[(uint8_t)text[i]];
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
