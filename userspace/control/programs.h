/*
 * What kinds of upstream do once for the whole process (struct kind_program):
 * opened when the settings have their key, or need not have it, closed and opened again when it
 * changes, and how well each part of their work goes.
 */
#ifndef CONTROL_PROGRAMS_H
#define CONTROL_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "control/core.h"
#include "control/program.h"

struct programs;

struct programs *programs_new(struct control *c);
/* Closes them; their upstreams must be unwatched. */
void programs_free(struct programs *p);

/* At the start, before any upstream is watched. */
void programs_open(struct control *c);
/* After our own files were read: resources of other stores that the disk
 * remembers are served. */
void programs_restore(struct control *c);
/* The settings are new ones: kinds whose key changed are opened anew. */
void programs_reload(struct control *c);

/* Why upstreams of that kind are not served; NULL: they are. */
const char *programs_not_served(
	const struct control *c, const struct upstream_kind *kind);
/* Of open; NULL: there is none. */
void *programs_shared(
	const struct control *c, const struct upstream_kind *kind);

/* Of open, and it has not said yet which secrets there are. */
bool programs_secrets_due(
	const struct control *c, const struct upstream_kind *kind);

/* The proxy runs a newer generation. */
void programs_enforced(struct control *c);
/* Once a second. */
void programs_look(struct control *c);
/* No object has that name any more: what a kind reported of that name comes in
 * its place. That kind, or NULL. */
const struct upstream_kind *programs_freed(struct control *c,
	enum model_type type, const char *ns, const char *name);
/* Our own store has an object of the name of o, a resource of another one. */
void programs_displaced(struct control *c, struct object *o);

/* The i-th kind that is open; NULL after the last. */
const struct program *programs_at(const struct control *c, size_t i);

#endif
