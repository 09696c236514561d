/*
 * application/vnd.amazon.eventstream, the frames in which Lambda streams an
 * answer (InvokeWithResponseStream), and the prelude of an HTTP answer in them.
 * Pure; takes any chunking. Every length and both checksums are verified: before
 * anything of a frame is given, unless its payload is of more than
 * EVENTSTREAM_WHOLE_MAX. Such a one is given in pieces as it comes, and
 * EVENTSTREAM_BAD follows them if it was not what was sent. So no more than
 * headers and EVENTSTREAM_WHOLE_MAX are ever in memory.
 */
#ifndef KINDS_AWS_EVENTSTREAM_H
#define KINDS_AWS_EVENTSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

#define EVENTSTREAM_FRAME_MAX   (24u << 20) /* as AWS's own libraries have it */
#define EVENTSTREAM_WHOLE_MAX   (64u << 10) /* of payload, that is kept */
#define EVENTSTREAM_PRELUDE_MAX (16u << 10) /* of JSON, before 8 NUL bytes */

struct eventstream;

enum eventstream_event {
	EVENTSTREAM_MORE,      /* all bytes were taken */
	EVENTSTREAM_PAYLOAD,   /* PayloadChunk: payload, or a piece of it */
	EVENTSTREAM_COMPLETE,  /* InvokeComplete: payload is its JSON */
	EVENTSTREAM_EXCEPTION, /* payload, exception: its type */
	EVENTSTREAM_BAD,       /* err says what; nothing more is decoded */
};

struct eventstream *eventstream_new(void);
void eventstream_free(struct eventstream *s);
/* *used bytes of in were taken; payload and exception are valid until the next
 * call. Unknown event types are passed over. */
enum eventstream_event eventstream_read(struct eventstream *s, struct slice in,
	size_t *used, struct slice *payload, struct slice *exception,
	struct error *err);
/* At the end of the bytes: false in the middle of a frame. */
bool eventstream_is_between(const struct eventstream *s);

#endif
