/* The endpoints of upstreams as people see them: how well each is, since when
 * and why, and what of the circuit breakers' limits is in use. */
#ifndef CONTROL_ENDPOINTS_H
#define CONTROL_ENDPOINTS_H

#include <stddef.h>

#include "base/doc.h"
#include "control/core.h"

#define ENDPOINTS_SHOWN_DEFAULT 100 /* of one upstream */

/* {"items": [...]}: of those with that namespace and name (NULL: any), at most
 * limit endpoints each, those that are not up first. */
struct doc *endpoints_print(const struct control *c, const char *ns,
	const char *name, size_t limit);

#endif
