/* The local addresses of the machine. */
#ifndef FASTPATH_ADDRESSES_H
#define FASTPATH_ADDRESSES_H

#include <stddef.h>

#include "base/addr.h"
#include "base/error.h"

/* Every address of every interface, port 0; *list is free()d by the caller. */
int addresses_read(struct addr **list, size_t *count, struct error *err);

#endif
