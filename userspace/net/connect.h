/* A connection of TCP, or to a unix socket, in the making, without waiting. */
#ifndef NET_CONNECT_H
#define NET_CONNECT_H

#include "base/addr.h"

/* A non-blocking socket that connects, or -1 with errno. How it went is told
 * when it can be written to. A host that begins with "/" is the path of a unix
 * socket, and addr is not looked at; any other is only a name. */
int connect_start(const struct addr *addr, const char *host);

#endif
