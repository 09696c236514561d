/* Queries and Locations without a key. */
#include "kinds/azure/query.h"

#include <stddef.h>

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at *at, decoded; *at goes behind it. */
static char
byte_next(struct slice text, size_t *at)
{
	size_t i = *at;
	int high, low;

	*at = i + 1;
	if (text.data[i] != '%' || text.length - i < 3)
		return text.data[i];
	high = hex_value(text.data[i + 1]);
	low = hex_value(text.data[i + 2]);
	if (high < 0 || low < 0)
		return text.data[i];
	*at = i + 3;
	return (char)(high << 4 | low);
}

bool
azure_query_is_code(struct slice parameter)
{
	static const char name[] = "code";
	size_t at = 0, i = 0;

	while (at < parameter.length && parameter.data[at] != '=') {
		char c = byte_next(parameter, &at);

		c = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
		if (i == sizeof(name) - 1 || c != name[i++])
			return false;
	}
	return i == sizeof(name) - 1;
}

bool
azure_query_strip(struct slice query, struct str *out)
{
	bool any = false;
	size_t at = 0;

	if (query.data == NULL)
		return false;
	while (at <= query.length) {
		struct slice one = { query.data + at, 0 };

		while (at + one.length < query.length &&
			one.data[one.length] != '&')
			one.length++;
		at += one.length + 1;
		if (azure_query_is_code(one))
			continue;
		if (any)
			str_putc(out, '&');
		str_append(out, one.data, one.length);
		any = true;
	}
	return any;
}

void
azure_location_strip(struct slice location, struct str *out)
{
	struct slice query = { NULL, 0 };
	size_t before = 0, after, mark;

	while (before < location.length && location.data[before] != '?' &&
		location.data[before] != '#')
		before++;
	after = before;
	if (before < location.length && location.data[before] == '?') {
		query.data = location.data + before + 1;
		while (before + 1 + query.length < location.length &&
			query.data[query.length] != '#')
			query.length++;
		after = before + 1 + query.length;
	}
	str_append(out, location.data, before);
	mark = out->length;
	str_putc(out, '?');
	if (!azure_query_strip(query, out)) {
		out->length = mark;
		out->data[mark] = '\0';
	}
	str_append(out, location.data + after, location.length - after);
}
