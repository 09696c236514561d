/* slice and str: bytes of others and a growable buffer of one's own. */
#include "base/str.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

#define DIGITS "0123456789"
#define ID_MIN 8 /* characters */

/* What an empty str points at, so that str_init allocates nothing. */
static char nothing[1];

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool
slice_equal_nocase(struct slice a, struct slice b)
{
	if (a.length != b.length)
		return false;
	for (size_t i = 0; i < a.length; i++) {
		if (lower(a.data[i]) != lower(b.data[i]))
			return false;
	}
	return true;
}

bool
slice_starts(struct slice text, struct slice prefix)
{
	return text.length >= prefix.length &&
	       (prefix.length == 0 ||
		       memcmp(text.data, prefix.data, prefix.length) == 0);
}

void
text_defuse(char *text)
{
	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
}

static bool
is_of_word(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_';
}

/* Of the number or id that a word begins with at text; 0: of none. */
static size_t
number_length(const char *text)
{
	size_t length = strspn(text, "0123456789abcdefABCDEF-");
	size_t digits = strspn(text, DIGITS);

	if (length < ID_MIN || is_of_word(text[length]) ||
		strcspn(text, DIGITS) >= length)
		return digits;
	return length;
}

/* Of what does not count at place within text. */
static size_t
uncounted_length(const char *text, const char *place)
{
	static const char before[] = "status ";
	const size_t back = sizeof(before) - 1;
	size_t length = number_length(place);

	if (length == 3 && (size_t)(place - text) >= back &&
		memcmp(place - back, before, back) == 0)
		return 0;
	return length;
}

bool
text_is_same_but_digits(const char *a, const char *b)
{
	const char *const all_a = a, *const all_b = b;
	bool name = false; /* within a word that begins with none */

	for (;; a++, b++) {
		size_t of_a = name ? 0 : uncounted_length(all_a, a);
		size_t of_b = name ? 0 : uncounted_length(all_b, b);

		a += of_a;
		b += of_b;
		if ((of_a == 0) != (of_b == 0) || *a != *b)
			return false;
		if (*a == '\0')
			return true;
		name = is_of_word(*a) && (name || of_a == 0);
	}
}

void
str_init(struct str *s)
{
	*s = (struct str){ nothing, 0, 0 };
}

void
str_fini(struct str *s)
{
	if (s->capacity > 0)
		free(s->data);
	str_init(s);
}

void
str_fini_wiped(struct str *s)
{
	if (s->capacity > 0)
		mem_wipe(s->data, s->capacity);
	str_fini(s);
}

void
str_clear(struct str *s)
{
	s->length = 0;
	if (s->capacity > 0)
		s->data[0] = '\0';
}

/* And for the NUL. */
void
str_reserve(struct str *s, size_t more)
{
	size_t need, capacity;

	if (more > SIZE_MAX / 2 - s->length)
		log_fatal("memory: a text is too long size=%zu", more);
	need = s->length + more + 1;
	if (need <= s->capacity)
		return;
	capacity = s->capacity < 32 ? 32 : s->capacity * 2;
	if (capacity < need)
		capacity = need;
	s->data = xreallocarray(s->capacity > 0 ? s->data : NULL, capacity, 1);
	s->capacity = capacity;
	s->data[s->length] = '\0';
}

void
str_append(struct str *s, const void *data, size_t length)
{
	if (length == 0)
		return;
	str_reserve(s, length);
	memcpy(s->data + s->length, data, length);
	s->length += length;
	s->data[s->length] = '\0';
}

void
str_puts(struct str *s, const char *text)
{
	str_append(s, text, strlen(text));
}

void
str_putc(struct str *s, char c)
{
	str_append(s, &c, 1);
}

void
str_put_number(struct str *s, unsigned long long number)
{
	char digits[20]; /* of 2^64-1 */
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	str_append(s, digits + at, sizeof(digits) - at);
}

void
str_put_escaped(struct str *s, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno"
				    "pqrstuvwxyz0123456789-._~";

	for (; *text != '\0'; text++) {
		if (strchr(plain, *text) != NULL)
			str_putc(s, *text);
		else
			str_printf(s, "%%%02X", (unsigned char)*text);
	}
}

void
str_put_netstring(struct str *s, const char *text)
{
	if (text == NULL)
		text = "";
	str_printf(s, "%zu:%s,", strlen(text), text);
}

void
str_printf(struct str *s, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n > 0) {
		str_reserve(s, (size_t)n);
		vsnprintf(s->data + s->length, (size_t)n + 1, fmt, again);
		s->length += (size_t)n;
	}
	va_end(again);
}

void
str_consume(struct str *s, size_t length)
{
	assert(length <= s->length);
	if (length == 0)
		return;
	s->length -= length;
	memmove(s->data, s->data + length, s->length + 1);
}

char *
str_steal(struct str *s)
{
	char *text = s->capacity > 0 ? s->data : xstrdup("");

	str_init(s);
	return text;
}
