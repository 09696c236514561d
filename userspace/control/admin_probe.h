/* /v1/probe/<namespace>/<name>: an upstream with functions asks whether what it
 * needs is permitted. */
#ifndef CONTROL_ADMIN_PROBE_H
#define CONTROL_ADMIN_PROBE_H

#include <stdbool.h>

#include "control/core.h"
#include "net/http_server.h"

/* False: the path is another's. Of GET and POST. */
bool admin_probe_handle(
	struct control *c, struct http_server_request *r, const char *path);

#endif
