/* GET /v1/upstreams?preview=true: the upstreams that discovery would make, or
 * makes, each with what becomes of it. */
#ifndef CONTROL_PREVIEW_H
#define CONTROL_PREVIEW_H

#include "control/core.h"
#include "net/http_server.h"

void preview_get(struct control *c, struct http_server_request *r);

#endif
