/*
 * Listening TCP sockets, one per worker on the same address (SO_REUSEPORT),
 * made by control and used by the proxy.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/error.h"

#define LISTENER_BACKLOG 4096

/* fds[count] of non-blocking, close-on-exec sockets that may listen there; "::"
 * also takes IPv4. The error names the address and, for EADDRINUSE, says so. */
int listener_bind(
	const struct addr *addr, int *fds, size_t count, struct error *err);
/* They do from now on; after an error some may. addr is for the error. */
int listener_listen(const struct addr *addr, const int *fds, size_t count,
	struct error *err);
/* Both at once; after an error there are none. */
int listener_open(const struct addr *addr, int *fds, size_t count,
	struct error *err);
/* Whether a listening socket that is closed hands what waits in it to others on
 * its address (net.ipv4.tcp_migrate_req), instead of resetting it. The first
 * switches that on if it may. */
bool listener_migrate(void);
bool listener_migrates(void);
/* The address a socket listens on. */
int listener_addr(int fd, struct addr *out);

#endif
