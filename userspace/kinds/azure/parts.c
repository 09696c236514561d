/* A row of netstrings, written and read. */
#include "kinds/azure/parts.h"

#include <string.h>

#include "base/mem.h"

#define DIGITS_MAX 19 /* so that no number passes 64 bits */

void
azure_part_put(struct str *out, const char *text)
{
	size_t length = text == NULL ? 0 : strlen(text);

	str_put_number(out, length);
	str_putc(out, ':');
	str_append(out, text, length);
	str_putc(out, ',');
}

void
azure_part_put_number(struct str *out, uint64_t number)
{
	struct str digits;

	str_init(&digits);
	str_put_number(&digits, number);
	azure_part_put(out, digits.data);
	str_fini(&digits);
}

/* Digits without a needless 0 in front; how many they are, 0: that is none. */
static size_t
number_read(struct slice text, uint64_t *number)
{
	size_t n = 0;

	*number = 0;
	while (n < text.length && text.data[n] >= '0' && text.data[n] <= '9') {
		if (n == DIGITS_MAX || (n == 1 && text.data[0] == '0'))
			return 0;
		*number = *number * 10 + (uint64_t)(text.data[n++] - '0');
	}
	return n;
}

bool
azure_part_take(struct slice *rest, struct slice *text)
{
	uint64_t length;
	size_t digits = number_read(*rest, &length);

	if (digits == 0 || digits == rest->length ||
		rest->data[digits] != ':' ||
		length >= rest->length - digits - 1 ||
		rest->data[digits + 1 + length] != ',')
		return false;
	*text = (struct slice){ rest->data + digits + 1, (size_t)length };
	rest->data += digits + length + 2;
	rest->length -= digits + (size_t)length + 2;
	return true;
}

bool
azure_part_take_number(struct slice *rest, uint64_t max, uint64_t *number)
{
	struct slice text;

	return azure_part_take(rest, &text) &&
	       number_read(text, number) == text.length && text.length > 0 &&
	       *number <= max;
}

char *
azure_part_take_text(struct slice *rest)
{
	struct slice text;

	if (!azure_part_take(rest, &text) ||
		memchr(text.data, '\0', text.length) != NULL)
		return NULL;
	return xstrndup(text.data, text.length);
}
