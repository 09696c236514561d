/* What the kernel says that an interface can do with XDP frames. */
#ifndef FASTPATH_FEATURES_H
#define FASTPATH_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

/* The kernel says that frames which XDP redirects there are lost. A kernel
 * before 6.3 says nothing. */
bool features_lose_redirected(uint32_t ifindex);

#endif
