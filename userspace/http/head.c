/* The names of HTTP: methods, fields, refusals, reason phrases. */
#include "http/head.h"

#include <string.h>

#include "http/chars.h"
#include "http/fields.h"

const struct http_limits http_limits_default = {
	.target_bytes = 8 << 10,
	.head_bytes = 60 << 10,
	.fields = 100,
};

static const struct slice methods[] = {
	[HTTP_METHOD_OTHER] = { "", 0 },
	[HTTP_GET] = { "GET", 3 },
	[HTTP_HEAD] = { "HEAD", 4 },
	[HTTP_POST] = { "POST", 4 },
	[HTTP_PUT] = { "PUT", 3 },
	[HTTP_DELETE] = { "DELETE", 6 },
	[HTTP_OPTIONS] = { "OPTIONS", 7 },
	[HTTP_PATCH] = { "PATCH", 5 },
	[HTTP_TRACE] = { "TRACE", 5 },
	[HTTP_CONNECT] = { "CONNECT", 7 },
};

static const struct {
	int status;
	const char *word;
} refusals[HTTP_REFUSE_COUNT] = {
	[HTTP_REFUSE_NONE] = { 0, "" },
	[HTTP_REFUSE_SYNTAX] = { 400, "bad_syntax" },
	[HTTP_REFUSE_FRAMING] = { 400, "bad_framing" },
	[HTTP_REFUSE_HOST] = { 400, "bad_host" },
	[HTTP_REFUSE_TARGET_FORM] = { 400, "bad_target" },
	[HTTP_REFUSE_TARGET] = { 414, "target_too_long" },
	[HTTP_REFUSE_HEAD_SIZE] = { 431, "head_too_large" },
	[HTTP_REFUSE_FIELDS] = { 431, "too_many_fields" },
	[HTTP_REFUSE_METHOD] = { 501, "bad_method" },
	[HTTP_REFUSE_VERSION] = { 505, "bad_version" },
	[HTTP_REFUSE_TE] = { 501, "bad_transfer_encoding" },
	[HTTP_REFUSE_EXPECT] = { 417, "bad_expect" },
	[HTTP_REFUSE_CONNECT] = { 405, "connect_refused" },
	[HTTP_REFUSE_PROTOCOL] = { 0, "bad_protocol" },
};

/* In small letters. */
static const struct slice fields[HTTP_FIELD_COUNT] = {
	[HTTP_FIELD_OTHER] = { "", 0 },
	[HTTP_FIELD_HOST] = { "host", 4 },
	[HTTP_FIELD_CONNECTION] = { "connection", 10 },
	[HTTP_FIELD_CONTENT_LENGTH] = { "content-length", 14 },
	[HTTP_FIELD_CONTENT_TYPE] = { "content-type", 12 },
	[HTTP_FIELD_TRANSFER_ENCODING] = { "transfer-encoding", 17 },
	[HTTP_FIELD_EXPECT] = { "expect", 6 },
	[HTTP_FIELD_UPGRADE] = { "upgrade", 7 },
	[HTTP_FIELD_TE] = { "te", 2 },
	[HTTP_FIELD_TRAILER] = { "trailer", 7 },
	[HTTP_FIELD_KEEP_ALIVE] = { "keep-alive", 10 },
	[HTTP_FIELD_PROXY_CONNECTION] = { "proxy-connection", 16 },
	[HTTP_FIELD_HTTP2_SETTINGS] = { "http2-settings", 14 },
	[HTTP_FIELD_DATE] = { "date", 4 },
	[HTTP_FIELD_SERVER] = { "server", 6 },
	[HTTP_FIELD_LOCATION] = { "location", 8 },
	[HTTP_FIELD_USER_AGENT] = { "user-agent", 10 },
	[HTTP_FIELD_AUTHORIZATION] = { "authorization", 13 },
	[HTTP_FIELD_COOKIE] = { "cookie", 6 },
	[HTTP_FIELD_FORWARDED] = { "forwarded", 9 },
	[HTTP_FIELD_X_FORWARDED_FOR] = { "x-forwarded-for", 15 },
	[HTTP_FIELD_X_FORWARDED_PROTO] = { "x-forwarded-proto", 17 },
	[HTTP_FIELD_X_FORWARDED_HOST] = { "x-forwarded-host", 16 },
	[HTTP_FIELD_X_REAL_IP] = { "x-real-ip", 9 },
	[HTTP_FIELD_X_REQUEST_ID] = { "x-request-id", 12 },
	[HTTP_FIELD_X_ENVOY_ORIGINAL_PATH] = { "x-envoy-original-path", 21 },
	[HTTP_FIELD_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS] = { "x-envoy-expected-rq-"
							"timeout-ms",
		30 },
};

/* Length and last letter tell all of them apart. */
#define LAST(letter) [(letter)&31]
static const uint8_t field_slots[HTTP_FIELD_NAME_MAX + 1][32] = {
	[2] = { LAST('e') = HTTP_FIELD_TE },
	[4] = { LAST('t') = HTTP_FIELD_HOST, LAST('e') = HTTP_FIELD_DATE },
	[6] = { LAST('t') = HTTP_FIELD_EXPECT, LAST('r') = HTTP_FIELD_SERVER,
		LAST('e') = HTTP_FIELD_COOKIE },
	[7] = { LAST('e') = HTTP_FIELD_UPGRADE,
		LAST('r') = HTTP_FIELD_TRAILER },
	[8] = { LAST('n') = HTTP_FIELD_LOCATION },
	[9] = { LAST('d') = HTTP_FIELD_FORWARDED,
		LAST('p') = HTTP_FIELD_X_REAL_IP },
	[10] = { LAST('n') = HTTP_FIELD_CONNECTION,
		LAST('e') = HTTP_FIELD_KEEP_ALIVE,
		LAST('t') = HTTP_FIELD_USER_AGENT },
	[12] = { LAST('e') = HTTP_FIELD_CONTENT_TYPE,
		LAST('d') = HTTP_FIELD_X_REQUEST_ID },
	[13] = { LAST('n') = HTTP_FIELD_AUTHORIZATION },
	[14] = { LAST('h') = HTTP_FIELD_CONTENT_LENGTH,
		LAST('s') = HTTP_FIELD_HTTP2_SETTINGS },
	[15] = { LAST('r') = HTTP_FIELD_X_FORWARDED_FOR },
	[16] = { LAST('n') = HTTP_FIELD_PROXY_CONNECTION,
		LAST('t') = HTTP_FIELD_X_FORWARDED_HOST },
	[17] = { LAST('g') = HTTP_FIELD_TRANSFER_ENCODING,
		LAST('o') = HTTP_FIELD_X_FORWARDED_PROTO },
	[21] = { LAST('h') = HTTP_FIELD_X_ENVOY_ORIGINAL_PATH },
	[30] = { LAST('s') = HTTP_FIELD_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS },
};
#undef LAST

int
http_refusal_status(enum http_refusal why)
{
	return (unsigned)why < HTTP_REFUSE_COUNT ? refusals[why].status : 400;
}

const char *
http_refusal_word(enum http_refusal why)
{
	return (unsigned)why < HTTP_REFUSE_COUNT ? refusals[why].word : "";
}

/* Is name the known one, in whatever case? A known letter has the bit 0x40,
 * which tells where 0x20, the bit of case, does not count. */
static inline bool
word_equal(uint64_t name, uint64_t known)
{
	const uint64_t bit = 0x4040404040404040;

	return (name | (known & bit) >> 1) == known;
}

static bool
name_equal(const char *name, const char *known, size_t length)
{
	uint64_t a, b;
	size_t i = 0;

	if (length < 8) {
		while (i < length && http_char_lower(name[i]) == known[i])
			i++;
		return i == length;
	}
	/* The last word overlaps the one before it. */
	for (;; i = i + 16 <= length ? i + 8 : length - 8) {
		memcpy(&a, name + i, 8);
		memcpy(&b, known + i, 8);
		if (!word_equal(a, b))
			return false;
		if (i + 8 == length)
			return true;
	}
}

enum http_field_id
http_field_id_of(struct slice name)
{
	enum http_field_id id;
	struct slice known;

	if (name.length < 2 || name.length > HTTP_FIELD_NAME_MAX)
		return HTTP_FIELD_OTHER;
	id = field_slots[name.length][name.data[name.length - 1] & 31];
	known = fields[id];
	if (id == HTTP_FIELD_OTHER || known.length != name.length)
		return HTTP_FIELD_OTHER;
	return name_equal(name.data, known.data, name.length)
		       ? id
		       : HTTP_FIELD_OTHER;
}

bool
http_field_counts(const struct http_head *h, const struct http_field *f,
	bool peer_trusted)
{
	/* Framing goes on, as we write it. */
	if (f->hop_by_hop && f->id != HTTP_FIELD_CONTENT_LENGTH &&
		f->id != HTTP_FIELD_TRANSFER_ENCODING)
		return false;
	return peer_trusted || !http_field_is_of_proxies(h, f);
}

static bool
is_scheme(struct slice text)
{
	return slice_equal_nocase(text, slice_of("http")) ||
	       slice_equal_nocase(text, slice_of("https"));
}

struct slice
http_scheme(const struct http_head *h, bool peer_trusted, bool tls)
{
	struct slice said = { NULL, 0 };
	unsigned count = 0;

	for (unsigned i = 0; i < h->field_count; i++) {
		const struct http_field *f = &h->fields[i];

		if (f->id != HTTP_FIELD_X_FORWARDED_PROTO ||
			!http_field_counts(h, f, peer_trusted))
			continue;
		said = http_field_value(h, f);
		count++;
	}
	if (count == 1 && is_scheme(said))
		return said;
	return tls ? slice_of("https") : slice_of("http");
}

const struct http_field *
http_head_find(const struct http_head *h, enum http_field_id id)
{
	for (unsigned i = 0; i < h->field_count; i++)
		if (h->fields[i].id == id)
			return &h->fields[i];
	return NULL;
}

const struct http_field *
http_head_find_name(const struct http_head *h, struct slice name)
{
	for (unsigned i = 0; i < h->field_count; i++) {
		const struct http_field *f = &h->fields[i];

		if (f->name_length == name.length &&
			slice_equal_nocase(http_field_name(h, f), name))
			return f;
	}
	return NULL;
}

const char *
http_method_name(enum http_method method)
{
	return (unsigned)method <= HTTP_CONNECT ? methods[method].data : "";
}

enum http_method
http_method_of(struct slice text)
{
	for (unsigned i = HTTP_GET; i <= HTTP_CONNECT; i++)
		if (slice_equal(methods[i], text))
			return i;
	return HTTP_METHOD_OTHER;
}

bool
http_is_token(struct slice text)
{
	const char *end;

	if (text.length == 0)
		return false;
	end = text.data + text.length;
	return http_skip_class(text.data, end, HTTP_CHAR_TOKEN) == end;
}

bool
http_is_field_value(struct slice text)
{
	const char *end;

	if (text.length == 0)
		return true;
	end = text.data + text.length;
	return http_skip_value(text.data, end) == end;
}
