/*
 * Names of upstreams that are discovered: what a service is called is not
 * always what an upstream may be called. Private to kinds/.
 */
#ifndef KINDS_UPSTREAM_NAME_H
#define KINDS_UPSTREAM_NAME_H

#define UPSTREAM_NAME_MAX 64 /* with NUL */

/* name itself, if there is room; else its first 31 bytes and as much of the MD5
 * of the whole as there is room for, as Gloo has it since 1.0. */
void upstream_name_cut(const char *name, char out[UPSTREAM_NAME_MAX]);

#endif
