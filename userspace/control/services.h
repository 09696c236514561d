/*
 * Services of TCP and UDP: gateways with a tcpGateway. Control asks the kernel
 * half to steer those whose mode is not relay, tells it of their endpoints and
 * how well each is, and knows who serves a service. Connections that do not
 * come through XDP, and all where XDP does not run, the proxy relays; UDP it
 * does not.
 *
 * The first change goes to the kernel at once; while changes keep coming there
 * is one commit per 50 ms.
 */
#ifndef CONTROL_SERVICES_H
#define CONTROL_SERVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "control/core.h"

struct fastpath_service_state;
struct services;

struct services *services_new(struct control *c);
void services_free(struct services *s);

/* Gateways, upstreams or the kernel half changed. */
void services_touch(struct control *c);
/* Endpoints of that upstream came, went, or are well or not. */
void services_touch_upstream(struct control *c, uint32_t id);
/* Tells the kernel at once what is due; the listeners as well. */
void services_commit(struct control *c);
/* The kernel half was opened anew: it is told everything. */
void services_reopened(struct control *c);
/* Each second. */
void services_tick(struct control *c);

/* What the kernel half would refuse now; 0 also where it does not run. */
int services_check(const struct control *c, const struct model_gateway *g,
	uint32_t slot, struct error *err);

/* The gateway is one of TCP or UDP. */
bool service_is(const struct object *gateway);
/* Such a one, and it has mode nat. */
bool service_is_nat(const struct object *gateway);
/* XDP counts the packets of that relayed service as those of a listener. */
bool services_passes(const struct control *c, uint32_t slot);

enum service_server {
	SERVICE_NOBODY,
	SERVICE_XDP,
	SERVICE_RELAY,
};

struct service_view {
	enum service_server server;
	bool pending;       /* the kernel is not told of the newest yet */
	char text[512];     /* "steered by XDP (nat)" */
	char problem[512];  /* what deserves a Warning, or empty */
	/* Of the kernel half, or NULL; good until it is called again. */
	const struct fastpath_service_state *state;
};

void service_view(const struct control *c, const struct object *gateway,
	struct service_view *out);
const char *service_server_name(enum service_server server); /* "xdp", ... */

#endif
