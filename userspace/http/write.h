/*
 * The one bounded writer of message heads. Everything sent to a peer goes
 * through it, built from parsed parts. A value that holds CR, LF, NUL or
 * another control byte is percent-coded for targets and refused for fields;
 * http_write_ok() then says false and nothing must be sent.
 */
#ifndef HTTP_WRITE_H
#define HTTP_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "http/head.h"

struct http_write {
	char *out;
	size_t length, size;
	bool failed; /* did not fit, or a part was not allowed */
};

void http_write_init(struct http_write *w, char *out, size_t size);
void http_write_request_line(struct http_write *w, struct slice method,
	struct slice path, struct slice query); /* query.data NULL: none */
void http_write_status_line(struct http_write *w, int status);
void http_write_field(struct http_write *w, struct slice name,
	struct slice value);
/* One that a parser of http/ has checked already. */
void http_write_field_parsed(struct http_write *w, struct slice name,
	struct slice value);
void http_write_field_number(struct http_write *w, const char *name,
	uint64_t value);
void http_write_end(struct http_write *w); /* the empty line */
static inline bool
http_write_ok(const struct http_write *w)
{
	return !w->failed;
}

#endif
