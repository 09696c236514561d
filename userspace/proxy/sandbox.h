/*
 * What the proxy process may ask of the kernel: enough to serve from
 * descriptors it has. It opens no path, starts no program, makes no socket but
 * TCP ones. What libraries try out of habit fails with EPERM; what only an
 * intruder would try ends the process.
 */
#ifndef PROXY_SANDBOX_H
#define PROXY_SANDBOX_H

#include "base/error.h"

/* For this thread and all it starts; sets no_new_privs. */
int sandbox_enter(struct error *err);
/* Tries what must be refused, each in a child of its own, and prints what came
 * of it: lines "execve: EPERM". 0 if all were refused. */
int proxy_sandbox_test(void);

#endif
