/*
 * Which object a text is of that cannot be read: one that holds what no text
 * may (no UTF-8, U+0000), or the beginning of one that is too large. Only what
 * is written plainly is found. Pure. Private to reflector.
 */
#ifndef KINDS_KUBERNETES_OBJECT_GLIMPSE_H
#define KINDS_KUBERNETES_OBJECT_GLIMPSE_H

#include <stdbool.h>

#include "base/doc.h"
#include "base/str.h"

/* {"metadata": {"namespace", "name", "resourceVersion"}}, and of an event
 * {"type", "object": that}. NULL: the name cannot be had. Caller frees. */
struct doc *object_glimpse(struct slice text, bool event);

#endif
