/* What can be looked at through the admin API beside the resources. */
#ifndef CONTROL_ADMIN_VIEWS_H
#define CONTROL_ADMIN_VIEWS_H

#include <stdbool.h>

#include "control/core.h"
#include "net/http_server.h"

/* False: the path is none of these. local: all of them, else the three that
 * loopback TCP has. */
bool admin_views_get(struct control *c, struct http_server_request *r,
	const char *path, bool local);

#endif
