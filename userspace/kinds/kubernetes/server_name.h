/* Which addresses the host of the API server's URL has, asked again by TTL. */
#ifndef KINDS_KUBERNETES_SERVER_NAME_H
#define KINDS_KUBERNETES_SERVER_NAME_H

#include <stddef.h>

#include "base/addr.h"

struct kubernetes_server_name;
struct resolver;

/* They are others now; a failure takes none away. */
typedef void kubernetes_server_name_f(
	const struct addr *addrs, size_t count, void *arg);

struct kubernetes_server_name *kubernetes_server_name_new(
	struct resolver *resolver, kubernetes_server_name_f *changed,
	void *arg);
void kubernetes_server_name_free(struct kubernetes_server_name *n);
/* Of another host none is known at first, which is told. A literal address is
 * not asked for. Copies. */
void kubernetes_server_name_set(
	struct kubernetes_server_name *n, const char *host);

#endif
