/*
 * Where destinations lead, of routes, upstream groups and services: the
 * upstream, what a call to it has to know, and what speaks against it.
 */
#ifndef CONTROL_DESTINATION_H
#define CONTROL_DESTINATION_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "control/core.h"
#include "model/model.h"

#define DESTINATION_REASON_MAX 700

/* The id of the upstream that the destination leads to, and, appended to call,
 * what a call has to know (calls_write). 0 and why it cannot be served; an id
 * and a reason: a Warning; "": there is nothing to say. */
uint32_t destination_find(const struct control *c,
	const struct model_destination *d, struct str *call, char *reason,
	size_t size);
/* The id of the upstream that ref names, for bytes that are passed on as they
 * are, in which TLS is the two ends' own; 0 and why it cannot be served. */
uint32_t destination_find_relayed(const struct control *c,
	const struct model_ref *ref, char *reason, size_t size);
/* digest, and all that destination_find says. */
uint64_t destination_digest(const struct control *c,
	const struct model_destination *d, uint64_t digest);

#endif
