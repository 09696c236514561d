/*
 * What the proxy process may ask of the kernel: enough to serve from
 * descriptors it has. It opens no path, starts no program, makes no socket but
 * TCP ones, and stream sockets of the machine only where settings allow them.
 * Which of those that have a path its user may connect to, their modes say;
 * abstract ones have no modes: then an intruder may connect to all of the
 * network namespace. What libraries try out of habit fails with EPERM; what
 * only an intruder would try ends the process.
 */
#ifndef PROXY_SANDBOX_H
#define PROXY_SANDBOX_H

#include <stdbool.h>

#include "base/error.h"

/* For this thread and all it starts; sets no_new_privs. */
int sandbox_enter(bool unix_sockets, struct error *err);
/* Tries what must be refused, each in a child of its own, and prints what came
 * of it: lines "execve: EPERM". 0 if all were refused. */
int proxy_sandbox_test(void);

#endif
