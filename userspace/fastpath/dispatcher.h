/*
 * libxdp's dispatcher, with which several XDP programs share an interface. Used
 * where the kernel can, never required: it replaces functions of a loaded
 * program (BPF_PROG_TYPE_EXT), which some kernels refuse to everybody.
 */
#ifndef FASTPATH_DISPATCHER_H
#define FASTPATH_DISPATCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "fastpath/fastpath.h"
#include "fastpath/maps.h"

#define DISPATCHER_PROGRAM "xdp_dispatcher"

/* Asks the kernel, cheaply. */
bool dispatcher_is_possible(void);
/* The id of our program below the interface's dispatcher, 0: none. */
uint32_t dispatcher_find(unsigned ifindex);
/* Loads the object over maps, all open, and puts it beside what is there. */
int dispatcher_attach(const char *object, const struct maps *maps,
	unsigned ifindex, enum fastpath_mode mode, struct error *err);
int dispatcher_detach(unsigned ifindex, uint32_t id, struct error *err);

#endif
