/* UTF-8: what is a character and what is not. */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

size_t
utf8_length(const char *text, size_t length)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t whole;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	whole = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (length < whole)
		return 0;
	for (size_t i = 1; i < whole; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Overlong forms, surrogates, and what lies past U+10FFFF. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
		(s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return whole;
}

/* How many bytes from the front are ASCII for sure: eight at a time. */
static size_t
ascii_run(const char *text, size_t length)
{
	size_t at = 0;
	uint64_t eight;

	for (; length - at >= sizeof(eight); at += sizeof(eight)) {
		memcpy(&eight, text + at, sizeof(eight));
		if (eight & 0x8080808080808080u)
			break;
	}
	return at;
}

/* How many bytes from the front are whole characters. */
static size_t
valid_run(const char *text, size_t length)
{
	size_t at = 0, n;

	while (at < length) {
		at += ascii_run(text + at, length - at);
		if (at == length)
			break;
		n = utf8_length(text + at, length - at);
		if (n == 0)
			break;
		at += n;
	}
	return at;
}

bool
utf8_is_valid(const char *text, size_t length)
{
	return valid_run(text, length) == length;
}

void
utf8_put_valid(struct str *out, const char *text, size_t length)
{
	size_t at = 0;

	for (;;) {
		size_t run = valid_run(text + at, length - at);

		str_append(out, text + at, run);
		at += run;
		if (at == length)
			return;
		str_puts(out, REPLACEMENT);
		at++;
	}
}

void
utf8_put_code(struct str *out, unsigned code)
{
	char bytes[4];
	size_t length;

	if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
		str_puts(out, REPLACEMENT);
		return;
	}
	if (code < 0x80) {
		str_putc(out, (char)code);
		return;
	}
	length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	for (size_t i = length - 1; i > 0; i--, code >>= 6)
		bytes[i] = (char)(0x80 | (code & 0x3f));
	bytes[0] = (char)(0xf00u >> length | code);
	str_append(out, bytes, length);
}
