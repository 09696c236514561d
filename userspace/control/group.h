/*
 * Upstream groups as control sees them: destinations that routes share. They
 * are no part of an image; what a group says is built into the virtual hosts
 * that name it, and group_digest tells when that has to be done again.
 */
#ifndef CONTROL_GROUP_H
#define CONTROL_GROUP_H

#include <stddef.h>
#include <stdint.h>

#include "control/core.h"
#include "model/model.h"

/* The group that ref names; NULL and why there is none. */
const struct model_upstream_group *group_find(const struct control *c,
	const struct model_ref *ref, char *reason, size_t size);
/* Another number whenever it says something else, or leads elsewhere. */
uint64_t group_digest(const struct control *c, const struct model_ref *ref);
/* Which of its destinations lead nowhere, and why; NULL: none. The caller's. */
char *group_missing(
	const struct control *c, const struct model_upstream_group *g);

#endif
