/*
 * What the parts of the control process share: one struct, made by control.c.
 * Each part changes only what is its own; between them they call the functions
 * of their headers.
 */
#ifndef CONTROL_CORE_H
#define CONTROL_CORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "config/settings.h"
#include "control/control.h"
#include "control/listeners.h"
#include "control/object.h"
#include "control/numbers.h"
#include "control/state.h"

#define CONTROL_ANSWER_MS 5000 /* then a PUT is answered 202 */

/* Set for the binary that is executed in place of an older one. */
#define CONTROL_REPLACE_ENV "GLOO_GATEWAY_REPLACE"

struct admin;
struct blocks;
struct credentials;
struct drops;
struct fastpath;
struct function_probes;
struct generations;
struct healths;
struct http_client;
struct kernel_counts;
struct limits;
struct log_ring;
struct loop;
struct loop_fd;
struct loop_timer;
struct materials;
struct programs;
struct resolver;
struct services;
struct sockets;
struct store;
struct supervisor;

struct control {
	const struct control_options *options;
	struct settings *settings;
	uint32_t workers;
	uid_t proxy_uid; /* with proxy_switch */
	gid_t proxy_gid;
	bool proxy_switch; /* the proxy gets that user */
	uint64_t started_ms;

	struct loop *loop; /* NULL: only checking */
	struct resolver *resolver;
	struct http_client *http;
	struct store *store;
	struct state *state;
	struct log_ring *logs;

	struct objects *objects;
	uint64_t version;        /* the newest resourceVersion */
	uint64_t upstream_epoch; /* grows when upstreams or groups
				  * come, go or lead elsewhere */
	uint64_t save_next_ms;   /* when discovery may save another set */
	struct numbers *upstream_ids;
	/* Of listeners, and of services: those from LISTENERS_MAX - 1 on. */
	struct numbers *slots, *service_slots;
	uint64_t ids_written; /* sum of numbers_version when last written */
	bool ids_known;       /* the numbers of an earlier run were read */

	struct listeners *listeners;
	bool listening;       /* false at start: sockets are not opened yet */
	bool listeners_stale; /* the kernel half has to be told */
	struct error kernel;  /* why the kernel half does not hold them */
	struct fastpath *fastpath;
	struct kernel_counts *kernel_counts;
	struct loop_fd *kernel_watch; /* of addresses and interfaces */
	struct sockets *sockets;      /* which socket gets a connection */
	struct error steering; /* why additional addresses are not served */
	int stored_link;       /* from systemd, not looked at yet; or -1 */
	bool link_is_stored;

	struct generations *generation;
	struct supervisor *supervisor;
	struct materials *materials; /* of TLS to upstreams */
	struct credentials *credentials; /* of calls to functions */
	struct function_probes *probes;
	struct healths *healths;
	struct programs *programs; /* kinds that are open */
	struct services *services;
	struct limits *limits; /* of requests */
	struct blocks *blocks; /* sources that were far beyond them */
	struct drops *drops;   /* samples of what the kernel dropped */
	struct admin *admin;

	bool replace;     /* a proxy that runs is of an older binary */
	bool running;     /* start is over */
	bool ready_due;   /* systemd waits to hear of the newest generation */
	bool stopping;    /* SIGTERM came */
	uint64_t stop_ms; /* then */
	struct loop_timer *stop_timer;
	struct loop_timer *good_timer; /* more of state/good is to be written */
	char *exe;      /* path of the program on disk */
	int access_log; /* descriptor or -1 */
	char *access_log_problem;
};

/* The adopted proxy is known, or there is none: sockets are opened, the first
 * generation is made. */
void control_settle(struct control *c);
/* Every worker of the running proxy has that generation. */
void control_enforced(struct control *c, uint64_t generation);
/* The last proxy ended while stopping. */
void control_ended(struct control *c);

#endif
