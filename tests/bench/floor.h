/*
 * What the two floor programs share: the least that an HTTP proxy can do.
 * A request's head is found, its first path segment cut off, X-Forwarded-For
 * added, and it goes out on a kept connection; the answer comes back as it
 * is. No limits, no timeouts, no checks: it is here to be compared with.
 *
 * The program that includes it says how descriptors are watched.
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>

struct floor_conn {
	int fd;
	bool client;
	bool closing;   /* client: after the answer */
	bool open_head; /* the head of a message comes next */
	bool watches_output;
	size_t left;             /* bytes of the body at hand */
	struct floor_conn *peer; /* NULL: idle */
	struct floor_conn *next; /* in the pool, or among the dead */
	char *queue;             /* what could not be sent */
	size_t queued;
	char address[INET_ADDRSTRLEN]; /* client */
	void *watch;                   /* the program's own */
};

/* The program's. */
void floor_watch(struct floor_conn *c);
void floor_watch_output(struct floor_conn *c, bool on);
void floor_unwatch(struct floor_conn *c);

/* Listens on argv[1]; upstream at argv[2]. Returns the listener. */
int floor_start(int argc, char **argv);
void floor_accept(int listener);
void floor_input(struct floor_conn *c, bool ended);
void floor_output(struct floor_conn *c);
/* Frees what was closed; after a batch of events. */
void floor_reap(void);

#endif
