/*
 * The sources that limits know by their address: those that the kernel keeps
 * an entry for, and those that are blocked. Of requests the proxies count by a
 * hash of the key, from which nobody can tell who it was.
 */
#ifndef CONTROL_SOURCES_H
#define CONTROL_SOURCES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/doc.h"
#include "control/core.h"

#define SOURCES_SHOWN_DEFAULT 100
#define SOURCES_SHOWN_MAX     10000

struct sources_query {
	size_t limit;   /* at most so many */
	bool top;       /* those with most drops; else by gateway and address */
	const char *ns; /* at gateways of that namespace, or NULL */
};

/* For /v1/sources; those that are blocked come first. */
struct doc *sources_print(
	const struct control *c, const struct sources_query *query);

#endif
