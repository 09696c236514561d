/*
 * Subsets that destinations ask for, beside the selectors of their upstreams: one
 * whose keys no selector has can have no endpoint, ever. Such a destination stays
 * where it is (its requests are 503) and is a Warning.
 */
#ifndef CONTROL_SUBSETS_H
#define CONTROL_SUBSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/core.h"
#include "model/model.h"

/* Another number when other subsets are possible. */
uint64_t subsets_digest(const struct model_upstream *u);
/* True: d asks for a subset that cannot be; why, and what to do, in reason. */
bool subsets_lack(const struct control *c, const struct model_destination *d,
	char *reason, size_t size);

#endif
