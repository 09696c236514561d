/* Word from the kernel of what changed in its network. */
#ifndef FASTPATH_WATCH_H
#define FASTPATH_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct watch_news {
	bool addresses; /* of this box came or went */
	bool routes;    /* routes or interfaces changed */
	bool lost;      /* more than the socket holds: look at everything */
};

/* The entry of a neighbour changed. */
typedef void watch_neighbour_f(uint32_t ifindex, const uint8_t ip[16],
	void *arg);

/* An rtnetlink socket, readable when addresses, routes or interfaces
 * changed. */
int watch_open(struct error *err);
/* Of neighbours, too: there may be many, so only who needs it asks for it. */
int watch_neighbours(int fd, struct error *err);
/* Reads what is there, so that the socket is quiet until the next change. */
struct watch_news watch_read(int fd, watch_neighbour_f *neighbour, void *arg);

#endif
