/*
 * A proxy process as control knows it: what the files of control/supervise and
 * control/takeover share. Private to them.
 */
#ifndef CONTROL_PROXY_PROCESS_H
#define CONTROL_PROXY_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "control/core.h"
#include "model/counters.h"

struct channel;
struct loop_fd;
struct loop_timer;
struct supervisor;

enum phase {
	PHASE_FINDING,  /* connected: it introduces itself */
	PHASE_ADOPTED,  /* to be told of generations */
	PHASE_STARTING, /* spawned, no HELLO yet */
	PHASE_RUNNING,  /* is told everything */
	PHASE_DRAINING,
};

struct proxy_process {
	struct supervisor *supervisor;
	struct proxy_process *next; /* among the draining */
	enum phase phase;
	pid_t pid;
	int pidfd;
	struct channel *channel; /* NULL: closed */
	struct loop_fd *watch;
	struct loop_timer *timer; /* then it has had its time */
	uint64_t started_ms;
	uint64_t generation;
	bool enforced; /* it has enforced something of ours */
	bool fits;     /* while finding: nothing speaks against adopting it */
	char misfit[128];
	/* Of a replaced proxy: its counters, which end with it. */
	struct counters *counters;
	size_t counters_length;
};

struct supervisor {
	struct control *control;
	struct proxy_process *proxy; /* the one that serves, or is to */
	struct proxy_process *draining;
	char *path;   /* of proxy.sock */
	int takeover; /* its listening socket, or -1: a proxy has it */
	int counters_fd;
	struct counters *counters;
	size_t counters_length;
	/* What proxies counted that are gone, with counters of their own. */
	struct counters *past;
	struct loop_timer *respawn;
	unsigned quick_deaths;
	uint64_t restarts;
	bool adopted, ending;
	char problem[600];
};

/* ---- supervise.c */

/* NULL is fine. */
void proxy_free(struct proxy_process *p);
/* Its end is heard of from now on. */
void proxy_watch(struct proxy_process *p);

/* ---- supervise_send.c */

/* It runs: it is told everything; one that is fresh also gets its memory and
 * the door by which a later control finds it. */
void proxy_feed(struct supervisor *s, struct proxy_process *p, bool fresh);
void proxy_send_drain(struct proxy_process *p, uint64_t deadline_ms);

/* ---- supervise_counters.c */

/* Those of the proxies to come. -1 and err. */
int supervisor_counters_make(struct supervisor *s, struct error *err);
/* What a replaced proxy counted stays in the sums. */
void supervisor_counters_keep(struct supervisor *s, struct counters *of);
/* The counters behind fd, if they are those of so many workers; or NULL and
 * err. */
struct counters *supervisor_counters_map(
	int fd, uint32_t workers, size_t *length, struct error *err);

#endif
