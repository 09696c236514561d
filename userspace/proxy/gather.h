/*
 * What is about to be sent on one connection, gathered into one sendmsg: a
 * head and runs of body bytes, as one chunk where the body is chunked. Small
 * runs are copied together; large ones are sent from where they lie, so a
 * gather is flushed before those bytes go away.
 */
#ifndef PROXY_GATHER_H
#define PROXY_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "base/str.h"
#include "net/conn.h"

#define GATHER_RUNS  24
#define GATHER_STAGE 32768
#define GATHER_SMALL 1024 /* runs up to here are copied */
#define GATHER_FRONT 2048 /* a head up to here is copied before them */

struct gather {
	struct slice head;
	bool chunked, last; /* last: the final chunk follows */
	int count;
	size_t body; /* bytes in the runs */
	size_t staged;
	struct iovec runs[GATHER_RUNS];
	char stage[GATHER_FRONT + GATHER_STAGE]; /* copies from FRONT on */
	/* what the last flush was made of */
	struct iovec iov[GATHER_RUNS + 4];
	int iov_count;
	char chunk_head[24];
};

void gather_reset(struct gather *g);
/* One more run can be added, however long. */
bool gather_has_room(const struct gather *g);
/* false: flush first, then add again. */
bool gather_add(struct gather *g, struct slice run);
bool gather_is_empty(const struct gather *g);
/* Lays it out in iov; returns its bytes. Reset is the caller's. */
size_t gather_lay(struct gather *g);

#endif
