/* The head of a request: request line, then what its fields mean. */
#include "http/head.h"

#include <string.h>

#include "http/chars.h"
#include "http/fields.h"
#include "http/target.h"

#define METHOD_MAX      32
#define EMPTY_LINES_MAX 2

/* Lines that some clients send after a body (RFC 9112 2.2). */
static enum http_parse
empty_lines_skip(const char *bytes, size_t length, size_t *skipped,
	enum http_refusal *why)
{
	size_t at = 0;

	for (int i = 0; i < EMPTY_LINES_MAX; i++) {
		if (at == length || bytes[at] != '\r')
			break;
		if (at + 1 == length)
			return HTTP_PARSE_MORE;
		if (bytes[at + 1] != '\n')
			return http_refuse(why, HTTP_REFUSE_SYNTAX);
		at += 2;
	}
	*skipped = at;
	return at == length ? HTTP_PARSE_MORE : HTTP_PARSE_DONE;
}

/* The first byte of a TLS record or of another binary protocol. */
static bool
is_binary(char c)
{
	uint8_t byte = (uint8_t)c;

	return (byte < 0x20 && byte != '\r' && byte != '\n') || byte >= 0x7f;
}

static enum http_method
method_of(struct slice text)
{
	if (text.length == 3 && memcmp(text.data, "GET", 3) == 0)
		return HTTP_GET;
	return http_method_of(text);
}

/* Method and the space after it. */
static enum http_parse
method_parse(struct http_head *h, const char *p, const char *end,
	const char **after, enum http_refusal *why)
{
	const char *start = p;
	unsigned seen;

	if (is_binary(*p))
		return http_refuse(why, HTTP_REFUSE_PROTOCOL);
	if (end - p > METHOD_MAX + 1)
		end = p + METHOD_MAX + 1;
	p = http_skip_token(p, end, &seen);
	if (p - start > METHOD_MAX)
		return http_refuse(why, HTTP_REFUSE_METHOD);
	if (p == end)
		return HTTP_PARSE_MORE;
	if (*p != ' ' || p == start)
		return http_refuse(why, HTTP_REFUSE_SYNTAX);
	h->method_text = (struct slice){ start, (size_t)(p - start) };
	h->method = (uint8_t)method_of(h->method_text);
	if (h->method == HTTP_CONNECT || h->method == HTTP_TRACE)
		return http_refuse(why, HTTP_REFUSE_CONNECT);
	/* The PROXY header, version 1. */
	if (slice_equal(h->method_text, (struct slice){ "PROXY", 5 }))
		return http_refuse(why, HTTP_REFUSE_PROTOCOL);
	*after = p + 1;
	return HTTP_PARSE_DONE;
}

static bool
scheme_skip(struct slice *text, const char *scheme)
{
	struct slice want = slice_of(scheme);
	struct slice head = { text->data, want.length };

	if (text->length < want.length || !slice_equal_nocase(head, want))
		return false;
	text->data += want.length;
	text->length -= want.length;
	return true;
}

/* http://authority/path?query: split; false: refuse. Listeners are plain: who
 * asks for https:// has come to the wrong one (RFC 9110, 7.4). */
static bool
absolute_read(struct http_head *h, struct slice text)
{
	struct slice rest = text;
	size_t n = 0;

	if (!scheme_skip(&rest, "http://"))
		return false;
	while (n < rest.length && rest.data[n] != '/' && rest.data[n] != '?')
		n++;
	h->authority = (struct slice){ rest.data, n };
	if (!http_authority_valid(h->authority))
		return false;
	h->target = (struct slice){ rest.data + n, rest.length - n };
	/* An empty path is "/": the one of "://" lends its byte. A query on
	 * an empty path has no origin-form among these bytes: refused. */
	if (n == rest.length)
		h->target = (struct slice){ rest.data - 1, 1 };
	return h->target.data[0] == '/';
}

static enum http_refusal
target_read(struct http_head *h)
{
	struct slice text = h->target;

	if (text.data[0] == '/')
		return HTTP_REFUSE_NONE;
	if (text.length == 1 && text.data[0] == '*') {
		if (h->method == HTTP_OPTIONS)
			return HTTP_REFUSE_NONE;
		/* The preface of HTTP/2 is "PRI * HTTP/2.0". */
		if (slice_equal(h->method_text, (struct slice){ "PRI", 3 }))
			return HTTP_REFUSE_PROTOCOL;
	}
	return absolute_read(h, text) ? HTTP_REFUSE_NONE
				      : HTTP_REFUSE_TARGET_FORM;
}

/* Target and the space after it. */
static enum http_parse
target_parse(struct http_head *h, const char *p, const char *end,
	const struct http_limits *limits, const char **after,
	enum http_refusal *why)
{
	const char *start = p;

	if ((size_t)(end - p) > (size_t)limits->target_bytes + 1)
		end = p + limits->target_bytes + 1;
	p = http_skip_target(p, end);
	if ((size_t)(p - start) > limits->target_bytes)
		return http_refuse(why, HTTP_REFUSE_TARGET);
	if (p == end)
		return HTTP_PARSE_MORE;
	if (*p != ' ' || p == start)
		return http_refuse(why, HTTP_REFUSE_SYNTAX);
	h->target = (struct slice){ start, (size_t)(p - start) };
	*why = target_read(h);
	if (*why != HTTP_REFUSE_NONE)
		return HTTP_PARSE_BAD;
	*after = p + 1;
	return HTTP_PARSE_DONE;
}

static enum http_parse
version_parse(struct http_head *h, const char *p, const char *end,
	const char **after, enum http_refusal *why)
{
	enum http_parse got;

	got = http_version_parse(p, end, &h->version_minor, why);
	if (got != HTTP_PARSE_DONE)
		return got;
	return http_line_end(p + 8, end, after, why);
}

static enum http_parse
request_finish(struct http_head *h, const struct http_fields *said,
	enum http_refusal *why)
{
	if (!said->host.data && h->version_minor > 0)
		return http_refuse(why, HTTP_REFUSE_HOST);
	if (!h->authority.data)
		h->authority = said->host;
	if (said->chunked)
		h->framing = HTTP_BODY_CHUNKED;
	else if (said->length)
		h->framing = HTTP_BODY_LENGTH;
	h->keep_alive = !said->close && !said->odd_connection &&
			(h->version_minor > 0 || said->keep_alive);
	return HTTP_PARSE_DONE;
}

static enum http_parse
head_parse(struct http_head *h, const char *bytes, const char *end,
	const struct http_limits *limits, enum http_refusal *why)
{
	struct http_fields said = { .request = true };
	const char *p = bytes;
	enum http_parse got;

	h->bytes = bytes;
	h->length = 0;
	h->authority = (struct slice){ NULL, 0 };
	h->expect_continue = false;
	h->status = 0;
	h->keep_alive = false;
	h->upgrade = false;
	h->framing = HTTP_BODY_NONE;
	h->content_length = 0;
	h->field_count = 0;
	got = method_parse(h, p, end, &p, why);
	if (got == HTTP_PARSE_DONE)
		got = target_parse(h, p, end, limits, &p, why);
	if (got == HTTP_PARSE_DONE)
		got = version_parse(h, p, end, &p, why);
	if (got == HTTP_PARSE_DONE)
		got = http_fields_parse(h, p, end, limits, &said, why);
	if (got == HTTP_PARSE_DONE)
		got = request_finish(h, &said, why);
	return got;
}

enum http_parse
http_request_parse(const char *bytes, size_t length, size_t already,
	const struct http_limits *limits, struct http_head *head,
	size_t *skipped, enum http_refusal *why)
{
	enum http_parse got;
	size_t window;

	*skipped = 0;
	*why = HTTP_REFUSE_NONE;
	got = empty_lines_skip(bytes, length, skipped, why);
	if (got != HTTP_PARSE_DONE)
		return got;
	bytes += *skipped;
	length -= *skipped;
	already = already > *skipped ? already - *skipped : 0;
	window = length < limits->head_bytes ? length : limits->head_bytes;
	if (already > 0 && already <= length && length < limits->head_bytes &&
		http_head_goes_on(bytes, length, already))
		return HTTP_PARSE_MORE;
	got = head_parse(head, bytes, bytes + window, limits, why);
	if (got == HTTP_PARSE_MORE && length >= limits->head_bytes)
		return http_refuse(why, HTTP_REFUSE_HEAD_SIZE);
	return got;
}
