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

/* For /v1/sources: at most limit, those that are blocked first. top: then those
 * with most drops; else by gateway and address. */
struct doc *sources_print(const struct control *c, size_t limit, bool top);

#endif
