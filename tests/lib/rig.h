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
#include "tests/lib/rig_client.h"
#include "tests/lib/rig_origin.h"

struct upstream_kind;

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
	/* The last of WIRE_TLS while another message was waited for. */
	struct wire_message tls_passed_over;
	struct rig_origin *origin;
	char log_path[64]; /* access log */
	/* Those of the test, in every image from now on; ids from 10. */
	const struct image_build_upstream *upstreams;
	size_t upstream_count;
	/* What the dialect of its kind would have written for destinations that
	 * lead to that upstream, or NULL; of the test, or NULL. */
	const char *(*call_of)(uint32_t upstream);
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
	bool host_rewrite; /* it is asked as origin.example */
};

/* Starts the child and an origin; sends settings, counters, listener,
 * endpoints (upstream 1: the origin, upstream 2: a dead port and the origin,
 * upstream 3: none, upstream 4: a dead port, upstream 5: the origin, two
 * requests on a connection, upstream 7: one) and an image of routes. */
void rig_start(struct rig *r, const struct wire_settings *settings,
	struct model_route *routes, size_t count);
/* Of the rigs to come: the table of the proxy's kinds. */
void rig_kinds(const struct upstream_kind *const *kinds);
/* WIRE_CREDENTIALS; none: length 0. The memfd that they went by is the caller's,
 * or -1. */
int rig_credentials(
	struct rig *r, uint32_t id, const char *kind, struct slice bytes);
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
/* All requests and connections are over; ends the program if not. */
void rig_settled(struct rig *r);

#endif
