/* Control's dealings with what chooses listening sockets: the worker of a new
 * connection, and the additional addresses of gateways. */
#ifndef CONTROL_SPREAD_H
#define CONTROL_SPREAD_H

#include "base/str.h"
#include "control/core.h"

/* The descriptor that keeps additional addresses served, in systemd's store. */
#define SPREAD_STORE_NAME "lookup-link"

void spread_open(struct control *c);
/* The pins are at another place. */
void spread_move(struct control *c);
void spread_close(struct control *c, bool detach);
/* Brings the kernel to the listeners. */
void spread_tell(struct control *c);
/* Each second. */
void spread_look(struct control *c);
/* Whether a connection goes to the worker of its CPU, as the settings and the
 * queues of the interfaces say. */
bool spread_by_cpu(const struct control *c);
/* To whom new connections go, as people are told. */
void spread_explain(const struct control *c, struct str *out);
/* What hands on connections that wait in a listener that closes; NULL: they are
 * reset. */
const char *spread_migration(const struct control *c);

#endif
