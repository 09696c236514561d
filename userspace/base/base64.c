/* Base64 of RFC 4648 section 4. */
#include "base/base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int
digit_value(char c)
{
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

int
base64_decode(const char *text, size_t length, struct str *out)
{
	size_t before = out->length, count = 0, padding = 0;
	uint32_t bits = 0;

	for (size_t i = 0; i < length; i++) {
		int value = digit_value(text[i]);

		if (text[i] != '\0' && strchr(" \t\r\n", text[i]) != NULL)
			continue;
		count++;
		if (text[i] == '=') {
			padding++;
			value = 0;
		} else if (value < 0 || padding > 0) {
			goto bad;
		}
		bits = bits << 6 | (uint32_t)value;
		if (count % 4 != 0)
			continue;
		for (int shift = 16; shift >= 0; shift -= 8)
			str_putc(out, (char)(bits >> shift & 0xff));
	}
	if (count % 4 != 0 || padding > 2)
		goto bad;
	out->length -= padding;
	out->data[out->length] = '\0';
	return 0;
bad:
	out->length = before;
	out->data[before] = '\0';
	return -1;
}

void
base64_encode(const void *data, size_t length, struct str *out)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < length; i += 3) {
		size_t have = length - i < 3 ? length - i : 3;
		uint32_t bits = (uint32_t)bytes[i] << 16;

		if (have > 1)
			bits |= (uint32_t)bytes[i + 1] << 8;
		if (have > 2)
			bits |= bytes[i + 2];
		for (size_t k = 0; k < 4; k++)
			str_putc(out, k > have ? '='
					       : digits[bits >> (18 - 6 * k) &
							 63]);
	}
}
