/* Resources in the admin API: GET, PUT, DELETE, and the verdict of a change,
 * which waits until the change is enforced. */
#ifndef CONTROL_ADMIN_RESOURCES_H
#define CONTROL_ADMIN_RESOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "control/core.h"
#include "net/http_server.h"

struct admin_resources;

struct admin_resources *admin_resources_new(struct control *c);
/* Those who still wait are told that the gateway stops. */
void admin_resources_free(struct admin_resources *a);
/* False: the path is none of a resource. */
bool admin_resources_handle(struct admin_resources *a,
	struct http_server_request *r, const char *path);
void admin_resources_enforced(struct admin_resources *a, uint64_t generation);

#endif
