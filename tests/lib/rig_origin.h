/*
 * An origin that follows a script and keeps what reached it: a thread, on
 * loopback, with a port of the kernel's choice.
 */
#ifndef TESTS_RIG_ORIGIN_H
#define TESTS_RIG_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* What is awaited comes within it or is a failure. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RIG_WAIT_MS 20000
#else
#define RIG_WAIT_MS 5000
#endif

/* Whatever room a read has, some answers of all these sizes fill it. */
#define RIG_SIZED_STEP 4096
#define RIG_SIZED_MOST (40 * RIG_SIZED_STEP)

struct rig_origin;

enum rig_answer_flag {
	RIG_CLOSE = 1,      /* the origin closes after this answer */
	RIG_RESET = 2,      /* it resets the connection after this answer */
	RIG_EARLY = 4,      /* it answers as soon as the head is there */
	RIG_SILENT = 8,     /* it sends nothing */
	RIG_SHUT_IDLE = 16, /* it closes when the next request comes */
	RIG_BYTEWISE = 32,  /* sent in single bytes */
	RIG_ECHO = 64,      /* in place of bytes: a 200 with the target of the
			       request, a space and the length of its body */
};

struct rig_answer {
	const char *bytes; /* NULL: end of the list */
	unsigned flags;
	size_t length; /* 0: strlen */
};

struct rig_origin *rig_origin_new(void);
void rig_origin_free(struct rig_origin *o);
uint16_t rig_origin_port(const struct rig_origin *o);
/* For the requests to come, in order; the last is used again and again. They
 * are copied but for their bytes, as a request of before may still come. */
void rig_origin_script(struct rig_origin *o, const struct rig_answer *answers);
/* Likewise one answer of `size` bytes, with these fields (each with its line
 * end) and a body that begins so; what is behind it comes on top. */
void rig_origin_sized(struct rig_origin *o, size_t size, const char *fields,
	const char *begin, const char *behind);
/* What has come since the script was set, ids replaced by "ID". */
void rig_origin_seen(struct rig_origin *o, struct str *out);
/* Waits until so many bytes came; false after RIG_WAIT_MS. */
bool rig_origin_wait(struct rig_origin *o, size_t bytes);
/* Connections accepted since the script was set. */
unsigned rig_origin_connections(struct rig_origin *o);
/* Waits until so many have been closed since the script was set. */
bool rig_origin_wait_closed(struct rig_origin *o, unsigned count);
/* Resets the connections that it has. */
void rig_origin_reset(struct rig_origin *o);
/* Stops and starts reading. */
void rig_origin_pause(struct rig_origin *o, bool pause);

#endif
