/* Control's dealings with what chooses listening sockets: the worker of a new
 * connection, and the additional addresses of gateways. */
#ifndef CONTROL_STEERING_H
#define CONTROL_STEERING_H

#include "base/str.h"
#include "control/core.h"

/* The descriptor that keeps additional addresses served, in systemd's store. */
#define STEERING_STORE_NAME "lookup-link"

void steering_open(struct control *c);
/* The pins are at another place. */
void steering_move(struct control *c);
void steering_close(struct control *c, bool detach);
/* Brings the kernel to the listeners. */
void steering_tell(struct control *c);
/* Each second. */
void steering_look(struct control *c);
/* Whether a connection goes to the worker of its CPU, as the settings and the
 * queues of the interfaces say. */
bool steering_by_cpu(const struct control *c);
/* To whom new connections go, as people are told. */
void steering_explain(const struct control *c, struct str *out);
/* What hands on connections that wait in a listener that closes; NULL: they are
 * reset. */
const char *steering_migration(const struct control *c);

#endif
