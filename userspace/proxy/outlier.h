/*
 * How the endpoints do: failures in a row, as this worker sees them. Control
 * is told when there are some and when they are over; it adds the workers up
 * and decides who is left out for a while. Private to proxy/.
 */
#ifndef PROXY_OUTLIER_H
#define PROXY_OUTLIER_H

#include <stdint.h>

#include "base/addr.h"

struct backend;
struct image_upstream;
struct outliers;
struct worker;

enum outlier_result {
	OUTLIER_GOOD,
	OUTLIER_ERROR,         /* 500-599 */
	OUTLIER_GATEWAY_ERROR, /* 502-504, no connection, no sound answer */
};

struct outlier_report { /* to the main thread; the reader frees */
	uint32_t upstream, worker;
	struct addr addr;
	uint32_t errors, gateway_errors;
};

struct outliers *outliers_new(struct worker *w);
void outliers_free(struct outliers *o);

/* An attempt there came to that. */
void outlier_note(struct outliers *o, struct backend *b,
	const struct image_upstream *u, enum outlier_result result);
/* Before b goes. */
void outlier_forget(struct backend *b);

#endif
