/*
 * application/vnd.amazon.eventstream, the frames in which Lambda streams an
 * answer (InvokeWithResponseStream), and the prelude of an HTTP answer in them.
 * Pure; takes any chunking. Every length and both checksums are verified.
 */
#ifndef KINDS_AWS_EVENTSTREAM_H
#define KINDS_AWS_EVENTSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

#define EVENTSTREAM_FRAME_MAX   (16u << 20)
#define EVENTSTREAM_PRELUDE_MAX (16u << 10) /* of JSON, before 8 NUL bytes */

struct eventstream;

enum eventstream_event {
	EVENTSTREAM_MORE,      /* all bytes were taken */
	EVENTSTREAM_PAYLOAD,   /* PayloadChunk: payload */
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
