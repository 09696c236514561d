/*
 * Bodies as they stream: a decoder that finds where a body's bytes are and
 * where it ends. Chunk extensions and trailers are read, checked and dropped
 * (list A 5-7). Pure.
 */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/head.h"

enum http_body_state {
	HTTP_BODY_MORE, /* all input consumed, the body goes on */
	HTTP_BODY_DATA, /* a run of body bytes is in *data */
	HTTP_BODY_DONE, /* the body is complete; the rest is not ours */
	HTTP_BODY_BAD,  /* chunked syntax is wrong, or a limit was passed */
};

struct http_body {
	uint8_t framing; /* enum http_framing */
	uint8_t state;   /* of the chunk decoder, private */
	uint8_t digits;
	bool done;
	uint64_t left;     /* of the length or of the chunk */
	uint32_t overhead; /* extension and trailer bytes so far */
	uint64_t total;    /* body bytes seen */
	uint64_t wasted;  /* chunk framing bytes seen, against total: bounded */
	uint8_t trailers; /* seen so far */
	uint8_t banned;   /* names that the one at hand may still become */
	uint16_t at;      /* in the name at hand */
};

void http_body_init(struct http_body *b, enum http_framing framing,
	uint64_t content_length);
/*
 * Looks at bytes[0..length). Returns DATA with *data pointing into bytes and
 * *consumed covering it (call again with the rest), MORE with everything
 * consumed, DONE with *consumed up to the end of the message, or BAD. A body
 * of length 0 or framing NONE is DONE at once with nothing consumed. For
 * HTTP_BODY_CLOSE everything is DATA; http_body_end says what EOF means.
 */
enum http_body_state http_body_read(struct http_body *b, const char *bytes,
	size_t length, struct slice *data, size_t *consumed);
/* So many bytes of it, no more than left, have passed by unseen. Its framing is
 * HTTP_BODY_LENGTH. */
void http_body_pass(struct http_body *b, size_t n);
/* The connection ended here: is the body complete? */
bool http_body_end(const struct http_body *b);

/* What chunked writing puts round a run of n bytes: "<hex>\r\n" into out
 * (at least 20 bytes), returning its length; "\r\n" follows the data. */
size_t http_chunk_head(char *out, uint64_t n);
#define HTTP_CHUNK_LAST "0\r\n\r\n"

#endif
