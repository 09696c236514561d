/*
 * The field lines of a head, read alike for requests and responses: syntax,
 * the fields that frame the message, what is hop-by-hop. Used inside http/.
 */
#ifndef HTTP_FIELDS_H
#define HTTP_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/head.h"

#define HTTP_FIELD_NAME_MAX 30 /* of those with an enum http_field_id */

/* What the fields said; what follows from it differs by direction. */
struct http_fields {
	bool request;           /* set by the caller */
	bool chunked, length;   /* Transfer-Encoding, Content-Length */
	bool close, keep_alive; /* options of Connection */
	bool odd_connection;    /* Connection holds what is no option */
	bool named;             /* Connection names other fields */
	uint16_t options;       /* of Connection, in all */
	struct slice host;      /* data NULL: no Host */
};

/*
 * Reads field lines from p up to and with the empty line. h->bytes and
 * h->version_minor are set; fields, field_count, length, content_length,
 * upgrade, expect_continue and hop_by_hop marks are filled.
 */
enum http_parse http_fields_parse(struct http_head *h, const char *p,
	const char *end, const struct http_limits *limits,
	struct http_fields *said, enum http_refusal *why);

/* "HTTP/1.0" or "HTTP/1.1" at p. */
enum http_parse http_version_parse(
	const char *p, const char *end, uint8_t *minor, enum http_refusal *why);

/*
 * A head that comes byte by byte must not be parsed again for each of them:
 * true when the bytes after already only go on with the field line that is
 * unfinished, so that the answer is MORE as before. false: parse and see.
 */
bool http_head_goes_on(const char *bytes, size_t length, size_t already);

static inline enum http_parse
http_refuse(enum http_refusal *why, enum http_refusal reason)
{
	*why = reason;
	return HTTP_PARSE_BAD;
}

/* CRLF and nothing else ends a line: *after is behind it. */
static inline enum http_parse
http_line_end(const char *p, const char *end, const char **after,
	enum http_refusal *why)
{
	if (p == end)
		return HTTP_PARSE_MORE;
	if (*p != '\r')
		return http_refuse(why, HTTP_REFUSE_SYNTAX);
	if (end - p < 2)
		return HTTP_PARSE_MORE;
	if (p[1] != '\n')
		return http_refuse(why, HTTP_REFUSE_SYNTAX);
	*after = p + 2;
	return HTTP_PARSE_DONE;
}

#endif
