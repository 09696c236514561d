/* The main thread of the proxy: what proxy.c and orders.c share. */
#ifndef PROXY_PROXY_INNER_H
#define PROXY_PROXY_INNER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "model/counters.h"
#include "model/wire.h"
#include "base/addr.h"
#include "proxy/mailbox.h"
#include "proxy/worker.h"

struct listening { /* of a slot; count 0: nothing */
	struct addr addr;
	int fds[WIRE_FDS_MAX];
	size_t count;
	bool waits; /* for the image that has its slot: nobody accepts yet */
};

struct proxy {
	struct loop *loop;
	struct channel *channel; /* NULL: no control */
	uid_t control_uid;
	int takeover_fd; /* the listening proxy.sock, or -1 */
	struct loop_fd *takeover;
	struct loop_timer *orphan;
	struct loop_signal *terminate;
	struct wire_settings settings;
	uint32_t clients_possible; /* for so many there are descriptors */

	int counters_fd;
	struct counters *counters; /* shared, or our own when fd is -1 */
	size_t counters_length;
	int limits_fd; /* or -1: requests are not limited */
	void *limits_memory;
	size_t limits_length;
	struct limit_table *limits;
	struct access_file *access_file;
	struct listening listening[SLOTS_MAX];
	struct mail *early; /* for workers that do not run yet */
	size_t early_count;

	struct matcher_cache *matchers;
	struct vault *vault;
	bool taken_over; /* and no image came since */
	bool sweep_due;  /* of vault, once an image of this control is run */
	struct trusts *trusts;
	const struct upstream_kind *const *kinds;
	struct call_targets *targets;
	/* When control was last told, by upstream. */
	uint64_t refused_ms[UPSTREAMS_MAX];
	struct mailbox *inbox;
	struct census *census;
	struct worker *workers[COUNTERS_WORKERS_MAX];
	pthread_t threads[COUNTERS_WORKERS_MAX];
	uint32_t worker_count, drained;
	struct generation *current; /* the newest that was handed out */
	uint64_t enforced;
	bool draining, ready;
};

/* ---- proxy.c: the process, its workers, and control that comes and goes */

struct wire_message proxy_message(enum wire_type type);
/* To control, if there is one; the descriptors stay the caller's. */
void proxy_tell(struct proxy *p, const struct wire_message *m, const int *fds,
	size_t fd_count);

/* The worker gets a reference of its own to mail's object. */
void proxy_mail_one(struct worker *w, const struct mail *mail);
/* To each worker, or to those to come. Takes the reference that mail's object
 * came with. */
void proxy_mail_all(struct proxy *p, const struct mail *mail);

uint32_t proxy_workers_wanted(const struct proxy *p);
/* Makes them and gives them what came early; they run once their threads
 * do. */
void proxy_workers_start(struct proxy *p, uint32_t count);
void proxy_threads_start(struct proxy *p);

/* Nothing new is accepted; the process ends once every worker has finished, at
 * the latest after deadline_ms. */
void proxy_drain(struct proxy *p, uint32_t deadline_ms);
/* fd: where a control that takes over will connect, a listening socket. It
 * stays the caller's. */
void proxy_door(struct proxy *p, int fd);

/* ---- orders.c: what control says, and what it makes of the process */

/* For the channel: takes the descriptors. arg: struct proxy. */
void orders_message(const void *bytes, size_t length, const int *fds,
	size_t count, void *arg);
/* The process's own sockets of a slot. Workers have theirs. */
void listening_close(struct listening *l);

#endif
