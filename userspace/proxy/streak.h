/*
 * How the endpoints do: failures in a row, as this worker sees them. Control
 * is told when there are some and when they are over; it adds the workers up
 * and decides who is left out for a while. Private to proxy/.
 */
#ifndef PROXY_STREAK_H
#define PROXY_STREAK_H

#include <stdint.h>

#include "base/addr.h"

struct backend;
struct image_upstream;
struct streaks;
struct worker;

enum streak_result {
	STREAK_GOOD,
	STREAK_ERROR,         /* 500-599 */
	STREAK_GATEWAY_ERROR, /* 502-504, no connection, no sound answer */
};

struct streak_report { /* to the main thread; the reader frees */
	uint32_t upstream, worker;
	struct addr addr;
	uint64_t owner; /* of addr */
	uint32_t errors, gateway_errors;
};

struct streaks *streaks_new(struct worker *w);
void streaks_free(struct streaks *o);

/* An attempt there came to that. */
void streak_note(struct streaks *o, struct backend *b,
	const struct image_upstream *u, enum streak_result result);
/* Before b goes. */
void streak_forget(struct backend *b);

#endif
