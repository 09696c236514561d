/* Bodies: counted, chunked, or until the connection ends. */
#include "http/body.h"

#include "http/chars.h"

#define DIGITS_MAX     16
#define EXTENSIONS_MAX (4 << 10)
#define TRAILER_MAX    (8 << 10)
#define TRAILERS_MAX   100
/* Chunks of one byte cost 5 bytes each; what wastes more than this is an
 * attack on whoever decodes it (list A 6). */
#define WASTE_FREE  (64 << 10)
#define WASTE_RATIO 16

enum chunk_state {
	CHUNK_SIZE,
	CHUNK_EXTENSION_NAME, /* behind ";": a name must follow */
	CHUNK_EXTENSION,
	CHUNK_QUOTED,
	CHUNK_QUOTED_PAIR,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER, /* a line begins */
	CHUNK_TRAILER_NAME,
	CHUNK_TRAILER_VALUE,
	CHUNK_TRAILER_LF,
	CHUNK_END_LF,
	CHUNK_BAD,
};

/* They frame, route or authorise; behind the body they can only deceive. */
static const struct slice banned_trailers[] = {
	{ "authorization", 13 },
	{ "connection", 10 },
	{ "content-length", 14 },
	{ "host", 4 },
	{ "transfer-encoding", 17 },
};

#define BANNED_COUNT (sizeof(banned_trailers) / sizeof(*banned_trailers))

_Static_assert(BANNED_COUNT <= 8, "one bit each in http_body.banned");

void
http_body_init(
	struct http_body *b, enum http_framing framing, uint64_t content_length)
{
	*b = (struct http_body){
		.framing = (uint8_t)framing,
		.state = CHUNK_SIZE,
		.done = framing == HTTP_BODY_NONE ||
			(framing == HTTP_BODY_LENGTH && content_length == 0),
		.left = framing == HTTP_BODY_LENGTH ? content_length : 0,
	};
}

/* The run of body bytes at p, no longer than what is left. */
static void
run_take(struct http_body *b, const char *p, size_t have, struct slice *data)
{
	size_t n = have < b->left ? have : (size_t)b->left;

	*data = (struct slice){ p, n };
	b->left -= n;
	b->total += n;
}

static enum chunk_state
size_read(struct http_body *b, char c)
{
	int digit = http_char_hex(c);

	if (digit >= 0) {
		if (b->digits == DIGITS_MAX || b->left > INT64_MAX >> 4)
			return CHUNK_BAD;
		b->digits++;
		b->left = b->left << 4 | (unsigned)digit;
		return CHUNK_SIZE;
	}
	if (b->digits == 0)
		return CHUNK_BAD;
	if (c == '\r')
		return CHUNK_SIZE_LF;
	return c == ';' ? CHUNK_EXTENSION_NAME : CHUNK_BAD;
}

/* Only as much grammar as it takes to agree with others on where the line
 * ends: names are there, quotes are closed. */
static enum chunk_state
extension_read(struct http_body *b, char c)
{
	if (c == '\r')
		return b->state == CHUNK_EXTENSION ? CHUNK_SIZE_LF : CHUNK_BAD;
	if (!http_char_is(c, HTTP_CHAR_VALUE) || ++b->overhead > EXTENSIONS_MAX)
		return CHUNK_BAD;
	switch (b->state) {
	case CHUNK_EXTENSION_NAME:
		if (c == ' ' || c == '\t')
			return CHUNK_EXTENSION_NAME;
		return http_char_is(c, HTTP_CHAR_TOKEN) ? CHUNK_EXTENSION
							: CHUNK_BAD;
	case CHUNK_EXTENSION:
		if (c == ';')
			return CHUNK_EXTENSION_NAME;
		return c == '"' ? CHUNK_QUOTED : CHUNK_EXTENSION;
	case CHUNK_QUOTED:
		if (c == '\\')
			return CHUNK_QUOTED_PAIR;
		return c == '"' ? CHUNK_EXTENSION : CHUNK_QUOTED;
	default:
		return CHUNK_QUOTED;
	}
}

static enum chunk_state
size_end(struct http_body *b, char c)
{
	if (c != '\n')
		return CHUNK_BAD;
	b->digits = 0;
	if (b->left > 0)
		return CHUNK_DATA;
	b->overhead = 0; /* from here on it counts the trailer section */
	return CHUNK_TRAILER;
}

/* Goes on with a name; which of the banned ones may it still become? */
static void
name_follow(struct http_body *b, char c)
{
	for (unsigned i = 0; i < BANNED_COUNT; i++) {
		struct slice name = banned_trailers[i];

		if (b->at >= name.length ||
			name.data[b->at] != http_char_lower(c))
			b->banned &= (uint8_t) ~(1u << i);
	}
	b->at++;
}

static bool
name_is_banned(const struct http_body *b)
{
	for (unsigned i = 0; i < BANNED_COUNT; i++)
		if (b->banned & 1u << i && banned_trailers[i].length == b->at)
			return true;
	return false;
}

static enum chunk_state
trailer_begin(struct http_body *b, char c)
{
	if (c == '\r')
		return CHUNK_END_LF;
	if (!http_char_is(c, HTTP_CHAR_TOKEN) || ++b->trailers > TRAILERS_MAX)
		return CHUNK_BAD;
	b->at = 0;
	b->banned = 0xff;
	name_follow(b, c);
	return CHUNK_TRAILER_NAME;
}

static enum chunk_state
trailer_name_read(struct http_body *b, char c)
{
	if (c == ':')
		return name_is_banned(b) ? CHUNK_BAD : CHUNK_TRAILER_VALUE;
	if (!http_char_is(c, HTTP_CHAR_TOKEN))
		return CHUNK_BAD;
	name_follow(b, c);
	return CHUNK_TRAILER_NAME;
}

static enum chunk_state
trailer_value_read(char c)
{
	if (c == '\r')
		return CHUNK_TRAILER_LF;
	return http_char_is(c, HTTP_CHAR_VALUE) ? CHUNK_TRAILER_VALUE
						: CHUNK_BAD;
}

/* One byte that is not of the body. */
static enum chunk_state
framing_read(struct http_body *b, char c)
{
	if (b->state >= CHUNK_TRAILER && ++b->overhead > TRAILER_MAX)
		return CHUNK_BAD;
	if (++b->wasted > WASTE_FREE + WASTE_RATIO * b->total)
		return CHUNK_BAD;
	switch (b->state) {
	case CHUNK_SIZE:
		return size_read(b, c);
	case CHUNK_EXTENSION_NAME:
	case CHUNK_EXTENSION:
	case CHUNK_QUOTED:
	case CHUNK_QUOTED_PAIR:
		return extension_read(b, c);
	case CHUNK_SIZE_LF:
		return size_end(b, c);
	case CHUNK_DATA_CR:
		return c == '\r' ? CHUNK_DATA_LF : CHUNK_BAD;
	case CHUNK_DATA_LF:
		return c == '\n' ? CHUNK_SIZE : CHUNK_BAD;
	case CHUNK_TRAILER:
		return trailer_begin(b, c);
	case CHUNK_TRAILER_NAME:
		return trailer_name_read(b, c);
	case CHUNK_TRAILER_VALUE:
		return trailer_value_read(c);
	case CHUNK_TRAILER_LF:
		return c == '\n' ? CHUNK_TRAILER : CHUNK_BAD;
	case CHUNK_END_LF:
		b->done = c == '\n';
		return b->done ? CHUNK_END_LF : CHUNK_BAD;
	default:
		return CHUNK_BAD;
	}
}

static enum http_body_state
chunked_read(struct http_body *b, const char *bytes, size_t length,
	struct slice *data, size_t *consumed)
{
	for (size_t at = 0; at < length; at++) {
		if (b->state == CHUNK_DATA) {
			run_take(b, bytes + at, length - at, data);
			if (b->left == 0)
				b->state = CHUNK_DATA_CR;
			*consumed = at + data->length;
			return HTTP_BODY_DATA;
		}
		b->state = (uint8_t)framing_read(b, bytes[at]);
		if (b->state == CHUNK_BAD)
			return HTTP_BODY_BAD;
		if (b->done) {
			*consumed = at + 1;
			return HTTP_BODY_DONE;
		}
	}
	if (b->state == CHUNK_BAD)
		return HTTP_BODY_BAD;
	*consumed = length;
	return HTTP_BODY_MORE;
}

enum http_body_state
http_body_read(struct http_body *b, const char *bytes, size_t length,
	struct slice *data, size_t *consumed)
{
	*data = (struct slice){ NULL, 0 };
	*consumed = 0;
	if (b->done)
		return HTTP_BODY_DONE;
	if (b->framing == HTTP_BODY_CHUNKED)
		return chunked_read(b, bytes, length, data, consumed);
	if (length == 0)
		return HTTP_BODY_MORE;
	if (b->framing == HTTP_BODY_CLOSE)
		b->left = length;
	run_take(b, bytes, length, data);
	*consumed = data->length;
	b->done = b->framing == HTTP_BODY_LENGTH && b->left == 0;
	return HTTP_BODY_DATA;
}

void
http_body_pass(struct http_body *b, size_t n)
{
	b->left -= n;
	b->total += n;
	b->done = b->left == 0;
}

bool
http_body_end(const struct http_body *b)
{
	return b->done || b->framing == HTTP_BODY_CLOSE;
}

size_t
http_chunk_head(char *out, uint64_t n)
{
	static const char hex[] = "0123456789abcdef";
	unsigned shift = 0;
	size_t at = 0;

	while (shift < 60 && n >> shift > 15)
		shift += 4;
	for (;; shift -= 4) {
		out[at++] = hex[n >> shift & 15];
		if (shift == 0)
			break;
	}
	out[at++] = '\r';
	out[at++] = '\n';
	return at;
}
