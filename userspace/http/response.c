/* The head of a response: status line, then what its fields mean. */
#include "http/head.h"

#include "http/chars.h"
#include "http/fields.h"

/* " 200", with " reason" or without; the line end stays. */
static enum http_parse
status_parse(struct http_head *h, const char *p, const char *end,
	const char **after, enum http_refusal *why)
{
	unsigned status = 0;

	for (int i = 0; i < 4; i++, p++) {
		if (p == end)
			return HTTP_PARSE_MORE;
		if (i == 0 ? *p != ' ' : *p < '0' || *p > '9')
			return http_refuse(why, HTTP_REFUSE_SYNTAX);
		if (i > 0)
			status = status * 10 + (unsigned)(*p - '0');
	}
	if (status < 100 || status > 599)
		return http_refuse(why, HTTP_REFUSE_SYNTAX);
	h->status = (uint16_t)status;
	if (p == end)
		return HTTP_PARSE_MORE;
	/* Servers leave out the space when there is no reason. */
	if (*p != ' ' && *p != '\r')
		return http_refuse(why, HTTP_REFUSE_SYNTAX);
	*after = http_skip_value(p, end);
	return HTTP_PARSE_DONE;
}

static bool
is_bodiless(unsigned status, enum http_method request_method)
{
	return request_method == HTTP_HEAD || status < 200 || status == 204 ||
	       status == 304;
}

static void
response_finish(struct http_head *h, const struct http_fields *said,
	enum http_method request_method)
{
	if (is_bodiless(h->status, request_method))
		h->framing = HTTP_BODY_NONE;
	else if (said->chunked)
		h->framing = HTTP_BODY_CHUNKED;
	else if (said->length)
		h->framing = HTTP_BODY_LENGTH;
	else
		h->framing = HTTP_BODY_CLOSE;
	h->keep_alive = h->framing != HTTP_BODY_CLOSE && !said->close &&
			!said->odd_connection &&
			(h->version_minor > 0 || said->keep_alive);
}

static enum http_parse
head_parse(struct http_head *h, const char *bytes, const char *end,
	enum http_method request_method, const struct http_limits *limits,
	enum http_refusal *why)
{
	struct http_fields said = { .request = false };
	const char *p = bytes;
	enum http_parse got;

	h->bytes = bytes;
	h->length = 0;
	h->method = HTTP_METHOD_OTHER;
	h->method_text = (struct slice){ NULL, 0 };
	h->target = (struct slice){ NULL, 0 };
	h->authority = (struct slice){ NULL, 0 };
	h->expect_continue = false;
	h->upgrade = false;
	h->content_length = 0;
	h->field_count = 0;
	got = http_version_parse(p, end, &h->version_minor, why);
	if (got == HTTP_PARSE_DONE)
		got = status_parse(h, p + 8, end, &p, why);
	if (got == HTTP_PARSE_DONE)
		got = http_line_end(p, end, &p, why);
	if (got == HTTP_PARSE_DONE)
		got = http_fields_parse(h, p, end, limits, &said, why);
	if (got == HTTP_PARSE_DONE)
		response_finish(h, &said, request_method);
	return got;
}

enum http_parse
http_response_parse(const char *bytes, size_t length, size_t already,
	enum http_method request_method, const struct http_limits *limits,
	struct http_head *head, enum http_refusal *why)
{
	size_t window =
		length < limits->head_bytes ? length : limits->head_bytes;
	enum http_parse got;

	*why = HTTP_REFUSE_NONE;
	if (already > 0 && already <= length && length < limits->head_bytes &&
		http_head_goes_on(bytes, length, already))
		return HTTP_PARSE_MORE;
	got = head_parse(
		head, bytes, bytes + window, request_method, limits, why);
	if (got == HTTP_PARSE_MORE && length >= limits->head_bytes)
		return http_refuse(why, HTTP_REFUSE_HEAD_SIZE);
	return got;
}
