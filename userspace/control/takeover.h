/*
 * A proxy that an earlier control left running says on proxy.sock who it is and
 * hands over its listening sockets and counters. If it fits it is adopted;
 * otherwise another takes its place and it drains. Private to
 * control/supervise.
 */
#ifndef CONTROL_TAKEOVER_H
#define CONTROL_TAKEOVER_H

#include <stddef.h>

#include "control/proxy_process.h"
#include "model/wire.h"

/* What p, in PHASE_FINDING, says; takes the descriptors. */
void takeover_message(struct proxy_process *p, const struct wire_message *m,
	const int *fds, size_t fd_count);
/* There is nothing to take over. */
void takeover_end(struct proxy_process *p);
/* For its timer: it has not introduced itself in time. */
void takeover_overdue(void *proxy);

#endif
