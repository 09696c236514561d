/*
 * The latest samples of packets that the kernel half dropped, each with a
 * number from 1 on; who follows them asks for those after the last one that it
 * has, and may wait for the next.
 */
#ifndef CONTROL_DROPS_H
#define CONTROL_DROPS_H

#include <stdint.h>

#include "base/doc.h"
#include "control/core.h"
#include "fastpath/events.h"
#include "net/http_server.h"

#define DROPS_KEPT        1024
#define DROPS_WAIT_MS_MAX 20000
#define DROPS_WAITING_MAX 16 /* others are answered at once */

struct drops;

struct drops *drops_new(struct control *c);
/* Who waits is answered: while requests can be. */
void drops_free(struct drops *d);
/* The kernel half was opened anew, or its interfaces changed. */
void drops_reopen(struct drops *d);
/* Before it is closed. */
void drops_close(struct drops *d);
/* Each second: who has waited long enough is answered. */
void drops_look(struct drops *d);

/* What was read: the oldest one goes. */
void drops_add(struct drops *d, const struct fastpath_event *event);
/* Those after that number, oldest first; all, where it is of an earlier run. */
struct doc *drops_print(const struct drops *d, uint64_t after);
/* For /v1/drops?after=NUMBER&wait=MILLISECONDS. */
void drops_get(struct drops *d, struct http_server_request *r);

#endif
