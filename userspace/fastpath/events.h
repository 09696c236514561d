/*
 * Samples of dropped packets, as the XDP program leaves them in gg_events: the
 * first of each slot, reason and CPU, then one of so many.
 */
#ifndef FASTPATH_EVENTS_H
#define FASTPATH_EVENTS_H

#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"

struct fastpath;
struct fastpath_events;

struct fastpath_event {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint32_t ifindex;
	uint32_t slot;
	const char *reason; /* its name, "drop_..." */
	struct addr from, to;
	uint8_t l4_proto;
	uint16_t length; /* of the frame, in bytes */
};

/* One reader at a time. Old samples that nobody read are skipped. NULL when
 * there is no kernel half or it cannot be read; err says why. */
struct fastpath_events *fastpath_events_open(const struct fastpath *f,
	struct error *err);
void fastpath_events_close(struct fastpath_events *e);
/* Readable when there are samples. */
int fastpath_events_fd(const struct fastpath_events *e);
typedef void fastpath_event_f(const struct fastpath_event *event, void *arg);
/* All that are there; how many, or -1. */
int fastpath_events_read(struct fastpath_events *e, fastpath_event_f *cb,
	void *arg);

#endif
