/*
 * The listening sockets by slot, one per worker on each address. They are
 * opened here, or come from an earlier run: from its proxy, or from systemd.
 */
#ifndef CONTROL_LISTENERS_H
#define CONTROL_LISTENERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"
#include "model/counters.h"

struct listener {
	uint32_t slot;
	struct addr addr;
	int fds[COUNTERS_WORKERS_MAX];
	size_t fd_count;
	bool listening;   /* not only bound */
	bool told;        /* the proxy has it */
	uint64_t closing; /* from that generation on no image uses it; 0 */
};

struct listeners;

struct listeners *listeners_new(uint32_t workers);
void listeners_free(struct listeners *l);
/* NULL: the slot is empty. */
struct listener *listeners_get(const struct listeners *l, uint32_t slot);
/* A listening socket of an earlier run, taken: used when its address is
 * opened. One that is no listening TCP socket is closed. */
void listeners_give(struct listeners *l, int fd);
/* The slot has sockets at that address when this returns 0; those of an earlier
 * run listen already. */
int listeners_bind(struct listeners *l, uint32_t slot, const struct addr *addr,
	struct error *err);
/* They listen when this returns 0. */
int listeners_listen(struct listeners *l, uint32_t slot, struct error *err);
/* What the running proxy listens on; takes the sockets. -1: not usable. */
int listeners_adopt(struct listeners *l, uint32_t slot, const struct addr *addr,
	const int *fds, size_t count);
/* All sockets become spare again, as given. */
void listeners_disown(struct listeners *l);
void listeners_close(struct listeners *l, uint32_t slot);
/* At the end: closes all sockets but leaves them in systemd's store, where
 * clients of a restart wait. Without a store they are refused from now on. */
void listeners_shut(struct listeners *l);
/* Closes what earlier runs left and nobody opened. */
void listeners_give_up_spare(struct listeners *l);
/* The name of an address in systemd's store of descriptors. */
void listener_store_name(const struct addr *addr, char out[64]);

#endif
