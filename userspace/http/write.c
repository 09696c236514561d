/* Heads written into a buffer of fixed size, with nothing odd in them. */
#include "http/write.h"

#include <string.h>

#include "http/chars.h"

#define NUMBER_MAX 20 /* digits of 2^64-1 */

static const char crlf[] = "\r\n";

void
http_write_init(struct http_write *w, char *out, size_t size)
{
	*w = (struct http_write){ .out = out, .size = size };
}

static void
put(struct http_write *w, const char *data, size_t length)
{
	if (w->failed || length > w->size - w->length) {
		w->failed = true;
		return;
	}
	if (length > 0)
		memcpy(w->out + w->length, data, length);
	w->length += length;
}

/* "?" begins the query. RFC 3986 has no brackets in either; in a query, where
 * they are common, nobody minds. */
static bool
is_raw(char c, bool query)
{
	return http_char_is(c, HTTP_CHAR_PLAIN) &&
	       (query || (c != '?' && c != '[' && c != ']'));
}

/* Bytes that may not stand raw there are percent-coded. */
static void
put_coded(struct http_write *w, struct slice text, bool query)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t run = 0;

	for (size_t i = 0; i < text.length; i++) {
		uint8_t byte = (uint8_t)text.data[i];
		char code[3] = { '%', hex[byte >> 4], hex[byte & 15] };

		if (is_raw(text.data[i], query))
			continue;
		put(w, text.data + run, i - run);
		put(w, code, sizeof(code));
		run = i + 1;
	}
	if (run < text.length)
		put(w, text.data + run, text.length - run);
}

void
http_write_request_line(struct http_write *w, struct slice method,
	struct slice path, struct slice query)
{
	bool star = path.length == 1 && path.data[0] == '*';

	if (!http_is_token(method) || path.length == 0 ||
		(path.data[0] != '/' && !star)) {
		w->failed = true;
		return;
	}
	put(w, method.data, method.length);
	put(w, " ", 1);
	put_coded(w, path, false);
	if (query.data) {
		put(w, "?", 1);
		put_coded(w, query, true);
	}
	put(w, " HTTP/1.1\r\n", 11);
}

void
http_write_status_line(struct http_write *w, int status)
{
	char line[] = "HTTP/1.1 000 ";
	struct slice reason = slice_of(http_status_reason(status));

	if (status < 100 || status > 599) {
		w->failed = true;
		return;
	}
	line[9] = (char)('0' + status / 100);
	line[10] = (char)('0' + status / 10 % 10);
	line[11] = (char)('0' + status % 10);
	put(w, line, sizeof(line) - 1);
	put(w, reason.data, reason.length);
	put(w, crlf, 2);
}

void
http_write_field_parsed(
	struct http_write *w, struct slice name, struct slice value)
{
	size_t room = w->size - w->length;
	char *p;

	if (w->failed || name.length > room ||
		value.length > room - name.length ||
		room - name.length - value.length < 4) {
		w->failed = true;
		return;
	}
	p = w->out + w->length;
	memcpy(p, name.data, name.length);
	p += name.length;
	*p++ = ':';
	*p++ = ' ';
	if (value.length > 0)
		memcpy(p, value.data, value.length);
	p += value.length;
	*p++ = '\r';
	*p++ = '\n';
	w->length = (size_t)(p - w->out);
}

void
http_write_field(struct http_write *w, struct slice name, struct slice value)
{
	if (http_is_token(name) && http_is_field_value(value))
		http_write_field_parsed(w, name, value);
	else
		w->failed = true;
}

void
http_write_field_number(struct http_write *w, const char *name, uint64_t value)
{
	char digits[NUMBER_MAX];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	http_write_field(w, slice_of(name),
		(struct slice){ digits + at, sizeof(digits) - at });
}

void
http_write_end(struct http_write *w)
{
	put(w, crlf, 2);
}
