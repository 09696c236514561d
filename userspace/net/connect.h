/* A connection of TCP, or to a unix socket, in the making, without waiting. */
#ifndef NET_CONNECT_H
#define NET_CONNECT_H

#include <stdbool.h>

#include "base/addr.h"

/* So often is it worth asking again whether a queue has room. */
#define CONNECT_AGAIN_MS 5

/* A non-blocking socket that connects, or -1 with errno. How it went is told
 * when it can be written to. A host that begins with "/" is the path of a unix
 * socket, and addr is not looked at; any other is only a name.
 *
 * Where TCP would try again, a unix socket whose queue is full (EAGAIN) does
 * not, nor does it say when there is room. full NULL: that is a failure. Else
 * *full says whether it is so, and the socket that is returned, whose events
 * mean nothing yet, is for connect_again. */
int connect_start(const struct addr *addr, const char *host, bool *full);
/* 0: connected; -1: errno EAGAIN is that the queue is still full. */
int connect_again(int fd, const char *host);

#endif
