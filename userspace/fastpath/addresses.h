/* The local addresses of the machine, and word of when they change. */
#ifndef FASTPATH_ADDRESSES_H
#define FASTPATH_ADDRESSES_H

#include <stddef.h>

#include "base/addr.h"
#include "base/error.h"

/* Every address of every interface, port 0; *list is free()d by the caller. */
int addresses_read(struct addr **list, size_t *count, struct error *err);
/* An rtnetlink socket, readable when an address came or went. */
int addresses_watch_open(struct error *err);
/* Reads what is there, so that the socket is quiet until the next change. */
void addresses_watch_drain(int fd);

#endif
