/*
 * CAP_SYS_ADMIN for the length of one call. The kernel refuses to open maps
 * and programs by id without it; nothing else here needs it, so a process
 * that dropped it from its effective set keeps it dropped in between.
 */
#ifndef FASTPATH_PRIVILEGE_H
#define FASTPATH_PRIVILEGE_H

#include <stdbool.h>

/* True if it was raised now and privilege_lower() is due. */
bool privilege_raise(void);
void privilege_lower(bool raised);

#endif
