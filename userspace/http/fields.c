/* Field lines: found, checked and understood in one pass. */
#include "http/fields.h"

#include <string.h>

#include "http/chars.h"
#include "http/target.h"

/* Fields that no peer may set under another spelling (list D 26). */
static const struct slice our_prefixes[] = {
	{ "x-forwarded-", 12 },
	{ "x-envoy-", 8 },
};

static bool
is_ours(struct slice name)
{
	if (http_field_id_of(name) != HTTP_FIELD_OTHER)
		return true;
	for (size_t i = 0; i < sizeof(our_prefixes) / sizeof(*our_prefixes);
		i++) {
		struct slice head = { name.data, our_prefixes[i].length };

		if (name.length > head.length &&
			slice_equal_nocase(head, our_prefixes[i]))
			return true;
	}
	return false;
}

/* Origins of the CGI family read "X_Forwarded_For" as "X-Forwarded-For". */
static bool
is_twin_of_ours(struct slice name)
{
	char dashed[HTTP_FIELD_NAME_MAX + 1];
	size_t n = name.length;

	/* Only prefixes can match beyond the longest name. */
	if (n > sizeof(dashed))
		n = sizeof(dashed);
	for (size_t i = 0; i < n; i++)
		dashed[i] = name.data[i] == '_' ? '-' : name.data[i];
	return is_ours((struct slice){ dashed, n });
}

static enum http_refusal
length_read(struct http_head *h, struct slice value, struct http_fields *said)
{
	uint64_t n = 0;

	if (value.length == 0)
		return HTTP_REFUSE_FRAMING;
	for (size_t i = 0; i < value.length; i++) {
		uint64_t digit = (uint64_t)(uint8_t)value.data[i] - '0';

		if (digit > 9 || n > ((uint64_t)INT64_MAX - digit) / 10)
			return HTTP_REFUSE_FRAMING;
		n = n * 10 + digit;
	}
	if (said->length && n != h->content_length)
		return HTTP_REFUSE_FRAMING;
	said->length = true;
	h->content_length = n;
	return HTTP_REFUSE_NONE;
}

static enum http_refusal
coding_read(
	const struct http_head *h, struct slice value, struct http_fields *said)
{
	if (said->chunked || h->version_minor == 0)
		return HTTP_REFUSE_FRAMING;
	if (!slice_equal_nocase(value, (struct slice){ "chunked", 7 }))
		return HTTP_REFUSE_TE;
	said->chunked = true;
	return HTTP_REFUSE_NONE;
}

/* Takes the next element of a comma-separated list; false at its end. */
static bool
list_next(struct slice *list, struct slice *item)
{
	const char *p = list->data, *end = p + list->length, *comma, *last;

	while (p < end && (*p == ',' || *p == ' ' || *p == '\t'))
		p++;
	if (p == end)
		return false;
	comma = memchr(p, ',', (size_t)(end - p));
	last = comma ? comma : end;
	*list = (struct slice){ last, (size_t)(end - last) };
	while (last > p && (last[-1] == ' ' || last[-1] == '\t'))
		last--;
	*item = (struct slice){ p, (size_t)(last - p) };
	return true;
}

static enum http_refusal
connection_read(struct slice value, const struct http_limits *limits,
	struct http_fields *said)
{
	struct slice option;

	while (list_next(&value, &option)) {
		if (++said->options > limits->fields)
			return HTTP_REFUSE_FIELDS;
		if (slice_equal_nocase(
			    option, (struct slice){ "keep-alive", 10 }))
			said->keep_alive = true;
		else if (slice_equal_nocase(
				 option, (struct slice){ "close", 5 }))
			said->close = true;
		else if (!http_is_token(option))
			said->odd_connection = true;
		else
			said->named = true;
	}
	return HTTP_REFUSE_NONE;
}

static enum http_refusal
host_read(struct slice value, struct http_fields *said)
{
	if (!said->request)
		return HTTP_REFUSE_NONE;
	if (said->host.data || !http_authority_valid(value))
		return HTTP_REFUSE_HOST;
	said->host = value;
	return HTTP_REFUSE_NONE;
}

/* Asked of this hop, which answers or ignores it: it is not passed on. */
static enum http_refusal
expect_read(struct http_head *h, struct http_field *f,
	const struct http_fields *said)
{
	if (!said->request)
		return HTTP_REFUSE_NONE;
	if (!slice_equal_nocase(http_field_value(h, f),
		    (struct slice){ "100-continue", 12 }))
		return HTTP_REFUSE_EXPECT;
	/* RFC 9110 10.1.1: from an HTTP/1.0 client it is to be ignored. */
	h->expect_continue = h->version_minor > 0;
	f->hop_by_hop = true;
	return HTTP_REFUSE_NONE;
}

static enum http_refusal
field_read(struct http_head *h, struct http_field *f,
	const struct http_limits *limits, struct http_fields *said)
{
	struct slice value = http_field_value(h, f);

	switch (f->id) {
	case HTTP_FIELD_HOST:
		return host_read(value, said);
	case HTTP_FIELD_CONNECTION:
		return connection_read(value, limits, said);
	case HTTP_FIELD_CONTENT_LENGTH:
		return length_read(h, value, said);
	case HTTP_FIELD_TRANSFER_ENCODING:
		return coding_read(h, value, said);
	case HTTP_FIELD_EXPECT:
		return expect_read(h, f, said);
	case HTTP_FIELD_UPGRADE:
		h->upgrade = true;
		return HTTP_REFUSE_NONE;
	default:
		return HTTP_REFUSE_NONE;
	}
}

/* Marks what Connection names, but nothing that is ours (list D 23). */
static void
option_mark(struct http_head *h, struct slice option)
{
	if (is_ours(option))
		return;
	for (unsigned i = 0; i < h->field_count; i++) {
		struct http_field *f = &h->fields[i];

		if (f->name_length == option.length &&
			slice_equal_nocase(http_field_name(h, f), option))
			f->hop_by_hop = true;
	}
}

static void
options_mark(struct http_head *h)
{
	for (unsigned i = 0; i < h->field_count; i++) {
		struct slice value, option;

		if (h->fields[i].id != HTTP_FIELD_CONNECTION)
			continue;
		value = http_field_value(h, &h->fields[i]);
		while (list_next(&value, &option))
			option_mark(h, option);
	}
}

/* One line at p, to its end: f is filled. */
static inline enum http_parse
field_parse(const struct http_head *h, const char *p, const char *end,
	struct http_field *f, const char **after, enum http_refusal *why)
{
	const char *name = p, *value, *last;
	unsigned seen;
	enum http_parse got;

	p = http_skip_token(p, end, &seen);
	if (p - name > UINT16_MAX)
		return http_refuse(why, HTTP_REFUSE_HEAD_SIZE);
	if (p == end)
		return HTTP_PARSE_MORE;
	if (*p != ':' || p == name)
		return http_refuse(why, HTTP_REFUSE_SYNTAX);
	f->name = (uint32_t)(name - h->bytes);
	f->name_length = (uint16_t)(p - name);
	p++;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	value = p;
	last = http_skip_value(p, end);
	got = http_line_end(last, end, after, why);
	if (got != HTTP_PARSE_DONE)
		return got;
	while (last > value && (last[-1] == ' ' || last[-1] == '\t'))
		last--;
	f->value = (uint32_t)(value - h->bytes);
	f->value_length = (uint32_t)(last - value);
	f->id = (uint8_t)http_field_id_of(http_field_name(h, f));
	f->hop_by_hop = http_field_is_of_hop(f->id) ||
			(seen & HTTP_CHAR_UNDERSCORE &&
				is_twin_of_ours(http_field_name(h, f)));
	return HTTP_PARSE_DONE;
}

enum http_parse
http_fields_parse(struct http_head *h, const char *p, const char *end,
	const struct http_limits *limits, struct http_fields *said,
	enum http_refusal *why)
{
	unsigned max = limits->fields, count = 0;
	enum http_parse got;

	if (max > HTTP_FIELDS_MAX)
		max = HTTP_FIELDS_MAX;
	while (p < end && *p != '\r') {
		struct http_field *f = &h->fields[count];

		if (count == max)
			return http_refuse(why, HTTP_REFUSE_FIELDS);
		got = field_parse(h, p, end, f, &p, why);
		if (got != HTTP_PARSE_DONE)
			return got;
		h->field_count = (uint16_t)++count;
		if (f->id != HTTP_FIELD_OTHER) {
			*why = field_read(h, f, limits, said);
			if (*why != HTTP_REFUSE_NONE)
				return HTTP_PARSE_BAD;
		}
	}
	got = http_line_end(p, end, &p, why);
	if (got != HTTP_PARSE_DONE)
		return got;
	h->length = (uint32_t)(p - h->bytes);
	if (said->chunked && said->length)
		return http_refuse(why, HTTP_REFUSE_FRAMING);
	if (said->named)
		options_mark(h);
	return HTTP_PARSE_DONE;
}

enum http_parse
http_version_parse(
	const char *p, const char *end, uint8_t *minor, enum http_refusal *why)
{
	static const char shape[] = "HTTP/0.0";
	size_t have = (size_t)(end - p);

	if (have >= sizeof(shape) - 1 && memcmp(p, "HTTP/1.1", 8) == 0) {
		*minor = 1;
		return HTTP_PARSE_DONE;
	}
	for (size_t i = 0; i < sizeof(shape) - 1; i++) {
		bool digit = shape[i] == '0';

		if (i == have)
			return HTTP_PARSE_MORE;
		if (digit ? p[i] < '0' || p[i] > '9' : p[i] != shape[i])
			return http_refuse(why, HTTP_REFUSE_SYNTAX);
	}
	if (p[5] != '1' || p[7] > '1')
		return http_refuse(why, HTTP_REFUSE_VERSION);
	*minor = (uint8_t)(p[7] - '0');
	return HTTP_PARSE_DONE;
}

bool
http_head_goes_on(const char *bytes, size_t length, size_t already)
{
	const char *fresh = bytes + already, *end = bytes + length, *line;
	unsigned seen;

	line = memrchr(bytes, '\n', already);
	/* Where a line begins or is about to end there is more to decide. */
	if (!line || ++line == fresh || *line == '\r')
		return false;
	if (fresh[-1] == '\r' || end - line > UINT16_MAX)
		return false;
	if (memchr(line, ':', already - (size_t)(line - bytes)))
		return http_skip_value(fresh, end) == end;
	return http_skip_token(fresh, end, &seen) == end;
}
