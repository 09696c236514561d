/* Targets and authorities: one form that everybody sees. */
#include "http/target.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#include "http/chars.h"

#define HOST_MAX     255
#define IPV6_MAX     45 /* INET6_ADDRSTRLEN without its NUL */
#define PORT_DIGITS  5
#define PORT_HIGHEST 65535

/* A path in normal form as it grows. */
struct path {
	char *data;
	size_t length;
	size_t segment;    /* where the segment at hand begins */
	unsigned utf8_due; /* bytes that the character at hand still needs */
	uint8_t utf8_low, utf8_high; /* bounds of the next of them */
};

/* Skips what is in normal form for sure: up to "?", the end, or a byte that
 * needs a look. */
static const char *
normal_skip(const char *p, const char *end)
{
	for (;;) {
		p = http_skip_class(p, end, HTTP_CHAR_PATH);
		if (p == end || *p != '.' || p[-1] == '/')
			return p;
		p++;
	}
}

static int
escape_read(const char *p, const char *end)
{
	int high, low;

	if (end - p < 3)
		return -1;
	high = http_char_hex(p[1]);
	low = http_char_hex(p[2]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* RFC 3629 4: no overlong forms, no surrogates, nothing above 10FFFF. */
static bool
utf8_begin(struct path *o, uint8_t byte)
{
	if (byte < 0xc2 || byte > 0xf4)
		return false;
	o->utf8_due = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
	o->utf8_low = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
	o->utf8_high = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
	return true;
}

static bool
utf8_follow(struct path *o, uint8_t byte)
{
	if (byte < 0x80)
		return o->utf8_due == 0;
	if (o->utf8_due == 0)
		return utf8_begin(o, byte);
	if (byte < o->utf8_low || byte > o->utf8_high)
		return false;
	o->utf8_due--;
	o->utf8_low = 0x80;
	o->utf8_high = 0xbf;
	return true;
}

enum segment {
	SEGMENT_KEPT,
	SEGMENT_RESOLVED, /* "." or "..": the path ends with "/" again */
	SEGMENT_REFUSED,
};

static enum segment
segment_end(struct path *o)
{
	const char *s = o->data + o->segment;
	size_t n = o->length - o->segment, dots;

	if (n == 0 || s[0] != '.')
		return SEGMENT_KEPT;
	dots = n > 1 && s[1] == '.' ? 2 : 1;
	if (n > dots)
		return s[dots] == ';' ? SEGMENT_REFUSED : SEGMENT_KEPT;
	o->length = o->segment;
	if (dots == 1)
		return SEGMENT_RESOLVED;
	if (o->segment == 1)
		return SEGMENT_REFUSED;
	do
		o->length--;
	while (o->data[o->length - 1] != '/');
	return SEGMENT_RESOLVED;
}

static bool
slash_put(struct path *o)
{
	switch (segment_end(o)) {
	case SEGMENT_KEPT:
		o->data[o->length++] = '/';
		break;
	case SEGMENT_RESOLVED:
		break;
	case SEGMENT_REFUSED:
		return false;
	}
	o->segment = o->length;
	return true;
}

static bool
escape_put(struct path *o, uint8_t byte)
{
	static const char hex[] = "0123456789ABCDEF";

	if (byte < 0x20 || byte == 0x7f || byte == '/' || byte == '\\')
		return false;
	if (!utf8_follow(o, byte))
		return false;
	/* Browsers send brackets raw, others code them: one path. */
	if (http_char_is((char)byte, HTTP_CHAR_UNRESERVED) || byte == '[' ||
		byte == ']') {
		o->data[o->length++] = (char)byte;
		return true;
	}
	o->data[o->length++] = '%';
	o->data[o->length++] = hex[byte >> 4];
	o->data[o->length++] = hex[byte & 15];
	return true;
}

static bool
path_normalise(struct slice raw, char *scratch, struct slice *out)
{
	struct path o = { .data = scratch };
	const char *p = raw.data, *end = p + raw.length;

	while (p < end) {
		if (*p == '%') {
			int byte = escape_read(p, end);

			if (byte < 0 || !escape_put(&o, (uint8_t)byte))
				return false;
			p += 3;
			continue;
		}
		if (o.utf8_due > 0 || !http_char_is(*p, HTTP_CHAR_PLAIN))
			return false;
		if (*p == '/') {
			if (!slash_put(&o))
				return false;
		} else {
			o.data[o.length++] = *p;
		}
		p++;
	}
	if (o.utf8_due > 0 || segment_end(&o) == SEGMENT_REFUSED)
		return false;
	*out = (struct slice){ o.data, o.length };
	if (slice_equal(*out, raw))
		*out = raw;
	return true;
}

static bool
query_valid(const char *p, const char *end)
{
	/* Browsers send these unescaped; the writer escapes them. */
	static const char tolerated[] = { '{', '|', '}', '^', '\\', '`' };

	for (; p < end; p++) {
		if (!http_char_is(*p, HTTP_CHAR_PLAIN) &&
			!memchr(tolerated, *p, sizeof(tolerated)))
			return false;
		if (*p != '%')
			continue;
		if (escape_read(p, end) < 0)
			return false;
		p += 2;
	}
	return true;
}

bool
http_target_normalise(
	struct slice target, char *scratch, struct http_target *out)
{
	const char *p = target.data, *end, *stop;

	out->query = (struct slice){ NULL, 0 };
	if (target.length == 0)
		return false;
	if (target.length == 1 && *p == '*') {
		out->path = target;
		return true;
	}
	if (*p != '/')
		return false;
	end = p + target.length;
	stop = normal_skip(p, end);
	if (stop == end || *stop == '?') {
		out->path = (struct slice){ p, (size_t)(stop - p) };
	} else {
		stop = memchr(stop, '?', (size_t)(end - stop));
		if (!stop)
			stop = end;
		if (!path_normalise((struct slice){ p, (size_t)(stop - p) },
			    scratch, &out->path))
			return false;
	}
	if (stop == end)
		return true;
	stop++;
	out->query = (struct slice){ stop, (size_t)(end - stop) };
	return query_valid(stop, end);
}

/* Each of these returns the end of what it read, or NULL. */
static const char *
name_read(const char *p, const char *end)
{
	const char *start = p;

	for (; p < end && http_char_is(*p, HTTP_CHAR_HOST); p++)
		if (*p == '.' && (p == start || p[-1] == '.'))
			return NULL;
	return p == start || p - start > HOST_MAX ? NULL : p;
}

static const char *
ipv6_read(const char *p, const char *end)
{
	char text[IPV6_MAX + 1];
	unsigned char ip[16];
	const char *close = memchr(p, ']', (size_t)(end - p));
	size_t n;

	if (!close)
		return NULL;
	n = (size_t)(close - p) - 1;
	/* A NUL would end the text that inet_pton sees. */
	if (n > IPV6_MAX || memchr(p + 1, '\0', n))
		return NULL;
	memcpy(text, p + 1, n);
	text[n] = '\0';
	return inet_pton(AF_INET6, text, ip) == 1 ? close + 1 : NULL;
}

static const char *
port_read(const char *p, const char *end)
{
	unsigned port = 0;
	const char *start = p;

	for (; p < end && *p >= '0' && *p <= '9'; p++) {
		if (p - start == PORT_DIGITS)
			return NULL;
		port = port * 10 + (unsigned)(*p - '0');
	}
	return p == start || port > PORT_HIGHEST ? NULL : p;
}

bool
http_authority_valid(struct slice authority)
{
	const char *p = authority.data, *end;

	if (authority.length == 0)
		return false;
	end = p + authority.length;
	p = *p == '[' ? ipv6_read(p, end) : name_read(p, end);
	if (p && p < end)
		p = *p == ':' ? port_read(p + 1, end) : NULL;
	return p == end;
}

size_t
http_authority_host(struct slice authority, char *out)
{
	bool literal = authority.length > 0 && authority.data[0] == '[';
	size_t n = 0;

	while (n < authority.length) {
		char c = authority.data[n];

		if (c == ':' && !literal)
			break;
		out[n++] = http_char_lower(c);
		if (c == ']')
			break;
	}
	if (n > 0 && out[n - 1] == '.')
		n--;
	return n;
}

bool
http_path_is_resolved(struct slice path)
{
	const char *p = path.data, *end = p + path.length;

	while ((p = memchr(p, '/', (size_t)(end - p)))) {
		p++;
		if (p == end || *p != '.')
			continue;
		p += end - p > 1 && p[1] == '.' ? 2 : 1;
		if (p == end || *p == '/' || *p == ';')
			return false;
	}
	return true;
}

void
http_path_replace_prefix(struct slice path, size_t prefix_length,
	struct slice replacement, struct str *out)
{
	size_t at = prefix_length < path.length ? prefix_length : path.length;
	bool joint =
		at < path.length &&
		(path.data[at] == '/' || (at > 0 && path.data[at - 1] == '/'));

	str_clear(out);
	if (replacement.length == 0 || replacement.data[0] != '/')
		str_putc(out, '/');
	str_append(out, replacement.data, replacement.length);
	if (joint && out->data[out->length - 1] != '/')
		str_putc(out, '/');
	/* "//host" would be an authority to whoever reads it as a reference. */
	if (out->data[out->length - 1] == '/')
		while (at < path.length && path.data[at] == '/')
			at++;
	str_append(out, path.data + at, path.length - at);
}
