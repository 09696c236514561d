/*
 * A proxy under test: proxy_main in a child, control's side of its channel
 * here, an origin that follows a script, raw client sockets. Everything is on
 * loopback with ports of the kernel's choice. What goes wrong in the rig
 * itself ends the test program with a message.
 */
#ifndef TESTS_RIG_H
#define TESTS_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"
#include "model/counters.h"
#include "model/endpoint.h"
#include "model/model.h"
#include "model/wire.h"
#include "routing/image_build.h"

#define RIG_WAIT_MS 5000

struct rig_origin;

struct rig {
	pid_t pid;
	int channel; /* control's end */
	uint16_t port;
	int listener;
	int takeover; /* listening socket, or -1 */
	char takeover_path[108];
	struct counters *counters;
	int counters_fd;
	size_t counters_length;
	struct wire_settings settings;
	uint64_t generation;
	struct rig_origin *origin;
	char log_path[64]; /* access log */
	/* Those of the test, in every image from now on; ids from 10. */
	const struct image_build_upstream *upstreams;
	size_t upstream_count;
	/* Likewise; slots from LISTENERS_MAX. */
	const struct image_build_service *services;
	size_t service_count;
};

struct rig_endpoint {
	const char *ip; /* NULL: 127.0.0.1 */
	uint16_t port;
	enum endpoint_health health;
	uint16_t weight;
	uint64_t owner;
	uint64_t subsets[2];
};

enum rig_answer_flag {
	RIG_CLOSE = 1,      /* the origin closes after this answer */
	RIG_RESET = 2,      /* it resets the connection after this answer */
	RIG_EARLY = 4,      /* it answers as soon as the head is there */
	RIG_SILENT = 8,     /* it sends nothing */
	RIG_SHUT_IDLE = 16, /* it closes when the next request comes */
	RIG_BYTEWISE = 32,  /* sent in single bytes */
	RIG_ECHO = 64,      /* in place of bytes: a 200 with the target of the
			       request, a space and the length of its body */
};

struct rig_answer {
	const char *bytes; /* NULL: end of the list */
	unsigned flags;
	size_t length; /* 0: strlen */
};

struct rig_origin *rig_origin_new(void);
void rig_origin_free(struct rig_origin *o);
uint16_t rig_origin_port(const struct rig_origin *o);
/* For the requests to come, in order; the last is used again and again. */
void rig_origin_script(struct rig_origin *o, const struct rig_answer *answers);
/* What has come since the script was set, ids replaced by "ID". */
void rig_origin_seen(struct rig_origin *o, struct str *out);
/* Waits until so many bytes came; false after RIG_WAIT_MS. */
bool rig_origin_wait(struct rig_origin *o, size_t bytes);
/* Connections accepted since the script was set. */
unsigned rig_origin_connections(struct rig_origin *o);
/* Waits until so many have been closed since the script was set. */
bool rig_origin_wait_closed(struct rig_origin *o, unsigned count);
/* Resets the connections that it has. */
void rig_origin_reset(struct rig_origin *o);
/* Stops and starts reading. */
void rig_origin_pause(struct rig_origin *o, bool pause);

/* Starts the child and an origin; sends settings, counters, listener,
 * endpoints (upstream 1: the origin, upstream 2: a dead port and the origin,
 * upstream 3: none, upstream 4: a dead port, upstream 5: the origin, two
 * requests on a connection, upstream 7: one) and an image of routes. */
void rig_start(struct rig *r, const struct wire_settings *settings,
	struct model_route *routes, size_t count);
/* Another image; waits until it is enforced. */
void rig_image(struct rig *r, struct model_route *routes, size_t count);
/* These two are known to every worker when a later image is enforced. */
void rig_endpoints(struct rig *r, uint32_t id,
	const struct rig_endpoint *endpoints, uint32_t count);
void rig_health(
	struct rig *r, uint32_t id, uint16_t port, enum endpoint_health health);
/* The same, of that owner of the address. */
void rig_health_of(struct rig *r, uint32_t id, uint16_t port, uint64_t owner,
	enum endpoint_health health);
/* A port on which nothing listens. */
uint16_t rig_dead_port(void);
void rig_send(struct rig *r, const struct wire_message *m, const int *fds,
	size_t count);
/* The next message of that type; others are passed over. false: the channel
 * closed or nothing came. */
bool rig_receive(
	struct rig *r, enum wire_type type, struct wire_message *m, int *fd);
struct wire_message rig_message(enum wire_type type);
/* Drains the child and checks that it exits with 0; frees all. */
void rig_stop(struct rig *r);
/* The child's exit status, or -1 when it does not end. */
int rig_wait_exit(struct rig *r);
struct counters_listener rig_counters(struct rig *r);
struct counters_upstream rig_upstream_counters(struct rig *r, uint32_t id);
/* Waits until that counter of an upstream has that value. */
bool rig_await(struct rig *r, uint32_t id, const char *name, uint64_t value);
/* Waits until all requests are counted as over. */
void rig_settled(struct rig *r);

int rig_client(struct rig *r);
void rig_client_reset(int fd); /* in place of close */
void rig_client_send(int fd, const char *bytes, size_t length);
/* Reads until there are so many bytes, the end, or ms passed. True: the end
 * came. */
bool rig_client_read(int fd, struct str *out, size_t most, int ms);

#endif
