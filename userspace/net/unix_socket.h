/* Sockets that have a path: made with their mode, never open to others in
 * between. */
#ifndef NET_UNIX_SOCKET_H
#define NET_UNIX_SOCKET_H

#include <sys/types.h>
#include <sys/un.h>

#include "base/error.h"

/* The address of a path; too long a path is an error. */
int unix_socket_address(
	const char *path, struct sockaddr_un *sun, struct error *err);
/* A listening socket of that type (SOCK_STREAM, SOCK_SEQPACKET) at path,
 * non-blocking and close-on-exec, or -1. An old socket there is replaced,
 * another file is not. group -1: as it is. */
int unix_socket_listen(const char *path, int type, mode_t mode, gid_t group,
	struct error *err);

#endif
