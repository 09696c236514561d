/* Which address this box has on its way to another one. */
#ifndef NET_OWN_ADDRESS_H
#define NET_OWN_ADDRESS_H

#include "base/addr.h"

/* As the routes are now; sends nothing. The port of own is of no meaning. -errno:
 * there is no way. */
int own_address(const struct addr *to, struct addr *own);

#endif
