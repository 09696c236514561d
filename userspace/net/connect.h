/* A TCP connection in the making, without waiting. */
#ifndef NET_CONNECT_H
#define NET_CONNECT_H

#include "base/addr.h"

/* A non-blocking socket that connects, or -1 with errno. How it went is told
 * when it can be written to. */
int connect_start(const struct addr *addr);

#endif
