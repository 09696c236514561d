/*
 * Which listening socket a new connection gets (bpf/sockets.bpf.c): the worker
 * of the CPU that it came in on, and a listener's sockets for further addresses
 * and ports. The programs and their maps are pinned, so this goes on while no
 * daemon runs. Where the kernel does not permit it, its own hash chooses the
 * worker and further addresses are not served; the rest goes on.
 */
#ifndef FASTPATH_SOCKETS_H
#define FASTPATH_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"

struct sockets;

struct sockets_bind {
	struct addr_prefix prefix;
	uint16_t first_port, last_port; /* both included */
};

struct sockets_listener {
	uint32_t slot; /* 1..GG_LISTENERS_MAX-1 */
	struct addr addr;
	const int *fds; /* listening on addr, one per worker; borrowed */
	size_t fd_count;
	const struct sockets_bind *binds; /* further ones; borrowed */
	size_t bind_count;
};

/* Nothing is loaded before it is needed. link: what sockets_link() gave an
 * earlier process, taken; or -1. */
struct sockets *sockets_open(const char *pin_path, int link);
/* detach: the pins go, and with the last descriptor of the link the steering;
 * else all goes on. */
void sockets_close(struct sockets *s, bool detach);

/* Brings the kernel to exactly this set, by difference. by_cpu: to the worker
 * of the CPU, else by the kernel's hash. -1 and err: the binds are not served,
 * all else is. */
int sockets_set(struct sockets *s, const struct sockets_listener *set,
	size_t count, bool by_cpu, struct error *err);
/* Whether the groups have our program: then a socket that is closed hands what
 * waits in it to its siblings, whatever tcp_migrate_req says. */
bool sockets_choose(const struct sockets *s);
/* Why they do not have it, or "". */
const char *sockets_problem(const struct sockets *s);
/* Keeps the binds served as long as somebody holds it; -1: there are none.
 * Borrowed. */
int sockets_link(const struct sockets *s);
/* Attaches again what somebody detached; true if that was so. */
bool sockets_repair(struct sockets *s);
/* What came for a bind since it was made: brought to its listener, or not
 * because that had no socket. */
void sockets_bind_count(const struct sockets *s, const struct sockets_bind *b,
	uint64_t *connections, uint64_t *no_socket);

#endif
