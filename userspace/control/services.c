/* Services of TCP and UDP: what the kernel half is told of them. */
#include "control/services.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/discovery.h"
#include "control/handover.h"
#include "control/kernel.h"
#include "control/relation.h"
#include "control/supervise.h"
#include "fastpath/fastpath.h"
#include "fastpath/steering.h"
#include "net/loop.h"

#define COMMIT_MS 50
/* A next hop answers within moments, or it deserves a Warning. */
#define UNREACHABLE_MS 3000

_Static_assert(SLOTS_MAX == GG_SLOTS_MAX, "the kernel's slots");

struct services {
	struct loop_timer *timer;
	bool due;
	uint64_t last_ms;
	bool passes[SLOTS_MAX]; /* told to the kernel as listeners */
	struct handover handovers[SLOTS_MAX];
	/* Since when a next hop of it has no address; 0: all have. */
	uint64_t unreachable_ms[SLOTS_MAX];
	struct error problem;   /* of the last commit */
};

/* How long the next commit has to wait. */
static uint64_t
wait_ms(const struct services *s)
{
	uint64_t since = clock_monotonic_ms() - s->last_ms;

	return since >= COMMIT_MS ? 0 : COMMIT_MS - since;
}

static void
on_timer(void *arg)
{
	struct control *c = arg;
	uint64_t left = wait_ms(c->services);

	/* A timer may be early by what its loop was busy with. */
	if (left > 0)
		loop_timer_start(c->services->timer, left);
	else
		services_commit(c);
}

struct services *
services_new(struct control *c)
{
	struct services *s = xcalloc(1, sizeof(*s));

	s->timer = loop_timer_new(c->loop, on_timer, c);
	/* What an earlier run left in the kernel stays until it is said what
	 * is to be, be it nothing. */
	s->due = true;
	return s;
}

void
services_free(struct services *s)
{
	if (s == NULL)
		return;
	loop_timer_free(s->timer);
	free(s);
}

bool
service_is(const struct object *gateway)
{
	return gateway->model != NULL && gateway->model->gateway->tcp != NULL;
}

static const struct model_tcp_host *
host_of(const struct object *gateway)
{
	return &gateway->model->gateway->tcp->hosts[0];
}

bool
service_is_nat(const struct object *gateway)
{
	return service_is(gateway) &&
	       host_of(gateway)->mode == MODEL_STEER_NAT;
}

/* ---- when */

void
services_touch(struct control *c)
{
	struct services *s = c->services;

	if (s == NULL || s->due)
		return;
	s->due = true;
	if (c->listening) /* or the first generation commits */
		loop_timer_start(s->timer, wait_ms(s));
}

static const struct object *
upstream_of(const struct control *c, const struct model_tcp_host *h)
{
	return objects_find(c->objects, MODEL_UPSTREAM, h->upstream.ns,
		h->upstream.name);
}

void
services_touch_upstream(struct control *c, uint32_t id)
{
	size_t count;

	if (c->services == NULL || c->services->due)
		return;
	count = objects_count(c->objects, MODEL_GATEWAY);
	for (size_t i = 0; i < count; i++) {
		const struct object *g =
			objects_at(c->objects, MODEL_GATEWAY, i);
		const struct object *u =
			service_is(g) ? upstream_of(c, host_of(g)) : NULL;

		if (u != NULL && u->id == id) {
			services_touch(c);
			return;
		}
	}
}

void
services_reopened(struct control *c)
{
	if (c->services == NULL)
		return;
	memset(c->services->passes, 0, sizeof(c->services->passes));
	memset(c->services->handovers, 0, sizeof(c->services->handovers));
	services_touch(c);
}

static bool
relays_any(const struct control *c, uint32_t slot)
{
	struct counters_listener sums;

	supervisor_sum_listener(c->supervisor, slot, &sums);
	return sums.connections_open > 0;
}

static void
handovers_look(struct control *c)
{
	struct services *s = c->services;
	uint64_t now = clock_monotonic_ms();

	for (uint32_t slot = LISTENERS_MAX; slot < SLOTS_MAX; slot++)
		if (s->handovers[slot].asked &&
			handover_tick(&s->handovers[slot], relays_any(c, slot),
				now))
			services_touch(c);
}

static void
unreachable_look(struct control *c)
{
	struct services *s = c->services;
	uint64_t now = clock_monotonic_ms();

	for (uint32_t slot = LISTENERS_MAX; slot < SLOTS_MAX; slot++) {
		const struct fastpath_service_state *state = NULL;

		if (s->handovers[slot].asked && c->fastpath != NULL)
			state = fastpath_service_state(c->fastpath, slot);
		if (state == NULL || state->unreachable == 0)
			s->unreachable_ms[slot] = 0;
		else if (s->unreachable_ms[slot] == 0)
			s->unreachable_ms[slot] = now;
	}
}

void
services_tick(struct control *c)
{
	const struct services *s = c->services;

	handovers_look(c);
	unreachable_look(c);
	if (c->fastpath != NULL)
		fastpath_steering_tick(c->fastpath, clock_monotonic_ms());
	/* What was refused may be right now: a route came. */
	if (s->problem.code != ERROR_NONE)
		services_touch(c);
	if (s->due && !loop_timer_pending(s->timer))
		services_commit(c);
}

/* ---- what */

static bool
kernel_runs(const struct control *c)
{
	enum fastpath_state state;

	if (c->fastpath == NULL)
		return false;
	state = fastpath_state(c->fastpath);
	return state == FASTPATH_ATTACHED || state == FASTPATH_PARTIAL;
}

static bool
is_for_xdp(const struct control *c, const struct object *g)
{
	return kernel_runs(c) && g->slot != 0 &&
	       (host_of(g)->mode != MODEL_STEER_RELAY ||
		       handover_is_leaving(&c->services->handovers[g->slot]));
}

/* Where nobody is up it is better to ask somebody than nobody. */
static size_t
backends_collect(const struct control *c, const struct model_tcp_host *h,
	struct fastpath_backend **out)
{
	static const enum fastpath_backend_state states[] = {
		[ENDPOINT_UP] = FASTPATH_BACKEND_UP,
		[ENDPOINT_DRAINING] = FASTPATH_BACKEND_DRAINING,
		[ENDPOINT_DOWN] = FASTPATH_BACKEND_DOWN,
	};
	const struct object *u = upstream_of(c, h);
	const struct endpoint *set;
	size_t count = 0, up = 0;

	set = u != NULL && u->model != NULL
		      ? discovery_endpoints(u->discovery, &count)
		      : NULL;
	*out = xcalloc(count + 1, sizeof(**out));
	for (size_t i = 0; i < count; i++) {
		(*out)[i] = (struct fastpath_backend){
			.addr = set[i].addr,
			.weight = set[i].weight > 0 ? set[i].weight : 1,
			.state = states[set[i].health],
			.owner = set[i].owner,
		};
		up += set[i].health == ENDPOINT_UP;
	}
	for (size_t i = 0; i < count && up == 0; i++)
		if (set[i].health == ENDPOINT_DOWN)
			(*out)[i].state = FASTPATH_BACKEND_UP;
	return count;
}

static uint8_t
mode_of(const struct model_tcp_host *h)
{
	switch ((enum model_steer)h->mode) {
	case MODEL_STEER_DSR_L2:
		return GG_MODE_DSR_L2;
	case MODEL_STEER_ROUTE:
		return GG_MODE_ROUTE;
	case MODEL_STEER_IPIP:
		return GG_MODE_IPIP;
	case MODEL_STEER_GUE:
		return GG_MODE_GUE;
	default:
		return GG_MODE_NAT;
	}
}

static uint32_t
flags_of(const struct model_tcp_host *h)
{
	uint32_t flags = h->always ? GG_SERVICE_ALWAYS : 0;

	if (h->udp == MODEL_UDP_STICKY)
		flags |= GG_SERVICE_STICKY;
	return flags;
}

static void
service_fill(const struct control *c, const struct model_gateway *g,
	uint32_t slot, struct fastpath_service *s)
{
	const struct model_tcp_gateway *t = g->tcp;
	struct fastpath_backend *backends;

	memset(s, 0, sizeof(*s));
	s->slot = slot;
	gateway_addr(g, &s->addr);
	s->l4_proto =
		t->hosts[0].protocol == MODEL_UDP ? IPPROTO_UDP : IPPROTO_TCP;
	s->mode = mode_of(&t->hosts[0]);
	s->flags = flags_of(&t->hosts[0]);
	s->idle_s = (uint32_t)(model_tcp_idle_ms(t) / 1000);
	s->drain_ms = model_tcp_drain_ms(t);
	s->backend_count = backends_collect(c, &t->hosts[0], &backends);
	s->backends = backends;
}

/* XDP was asked for these and is asked no more. */
static void
handovers_end(struct services *s, const struct fastpath_service *set,
	size_t count)
{
	bool asked[SLOTS_MAX] = { false };

	for (size_t i = 0; i < count; i++)
		asked[set[i].slot] = true;
	for (size_t slot = 0; slot < SLOTS_MAX; slot++)
		if (s->handovers[slot].asked && !asked[slot])
			handover_end(&s->handovers[slot]);
}

static void
steer(struct control *c, struct error *err)
{
	size_t room = objects_count(c->objects, MODEL_GATEWAY), count = 0;
	struct fastpath_service *set = xcalloc(room + 1, sizeof(*set));

	for (size_t i = 0; i < room; i++) {
		const struct object *g =
			objects_at(c->objects, MODEL_GATEWAY, i);

		if (!service_is(g) || !is_for_xdp(c, g))
			continue;
		service_fill(c, g->model->gateway, g->slot, &set[count]);
		handover_ask(&c->services->handovers[g->slot], &set[count]);
		count++;
	}
	handovers_end(c->services, set, count);
	log_debug("services: XDP is asked to steer count=%zu", count);
	if (kernel_runs(c) &&
		fastpath_services_set(c->fastpath, set, count, err) != 0 &&
		err->code == ERROR_NONE)
		error_set(err, ERROR_SYSTEM,
			"the kernel's maps of services were not brought up to "
			"date");
	for (size_t i = 0; i < count; i++)
		free((void *)(uintptr_t)set[i].backends);
	free(set);
}

int
services_check(const struct control *c, const struct model_gateway *g,
	uint32_t slot, struct error *err)
{
	struct fastpath_service s;
	int rc;

	if (g->tcp == NULL || g->tcp->hosts[0].mode == MODEL_STEER_RELAY ||
		!kernel_runs(c))
		return 0;
	service_fill(c, g, slot, &s);
	rc = fastpath_service_check(c->fastpath, &s, err);
	free((void *)(uintptr_t)s.backends);
	return rc;
}

/* ---- telling */

static void
handovers_turn(struct control *c)
{
	uint64_t now = clock_monotonic_ms();

	for (size_t i = 0; i < objects_count(c->objects, MODEL_GATEWAY); i++) {
		const struct object *g =
			objects_at(c->objects, MODEL_GATEWAY, i);

		if (service_is(g) && g->slot != 0)
			handover_turn(&c->services->handovers[g->slot],
				host_of(g)->mode == MODEL_STEER_RELAY, now);
	}
}

static void
relayed_collect(const struct control *c, bool relayed[SLOTS_MAX])
{
	size_t count = objects_count(c->objects, MODEL_GATEWAY);

	memset(relayed, 0, SLOTS_MAX * sizeof(*relayed));
	for (size_t i = 0; i < count; i++) {
		const struct object *g =
			objects_at(c->objects, MODEL_GATEWAY, i);

		if (service_is(g) && g->slot != 0 &&
			host_of(g)->protocol == MODEL_TCP && !is_for_xdp(c, g))
			relayed[g->slot] = true;
	}
}

/* The kernel has an entry per address: what becomes steered must have left the
 * listeners before, what becomes relayed joins them after. */
static void
passes_set(struct control *c, const bool relayed[SLOTS_MAX], bool leave_only)
{
	struct services *s = c->services;

	for (size_t i = 0; i < SLOTS_MAX; i++) {
		bool pass = relayed[i] && (s->passes[i] || !leave_only);

		if (pass == s->passes[i])
			continue;
		s->passes[i] = pass;
		c->listeners_stale = true;
	}
	kernel_tell(c);
}

bool
services_passes(const struct control *c, uint32_t slot)
{
	return c->services != NULL && slot < SLOTS_MAX &&
	       c->services->passes[slot];
}

void
services_commit(struct control *c)
{
	struct services *s = c->services;
	struct error err = ERROR_INIT;
	bool relayed[SLOTS_MAX];

	if (!s->due || !c->listening) {
		kernel_tell(c);
		return;
	}
	loop_timer_stop(s->timer);
	s->due = false;
	s->last_ms = clock_monotonic_ms();
	handovers_turn(c);
	relayed_collect(c, relayed);
	passes_set(c, relayed, true);
	steer(c, &err);
	if (err.code != ERROR_NONE && strcmp(err.text, s->problem.text) != 0)
		log_warn("kernel: %s", err.text);
	s->problem = err;
	passes_set(c, relayed, false);
}

/* ---- seeing */

const char *
service_server_name(enum service_server server)
{
	static const char *const names[] = {
		[SERVICE_NOBODY] = "none",
		[SERVICE_XDP] = "xdp",
		[SERVICE_RELAY] = "relay",
	};

	return names[server];
}

/* Why XDP does not steer it, or NULL. */
static const char *
not_steered(const struct control *c, const struct object *g,
	const struct fastpath_service_state *state)
{
	struct addr addr;

	if (host_of(g)->mode == MODEL_STEER_RELAY)
		return "mode relay";
	if (c->fastpath == NULL || fastpath_state(c->fastpath) == FASTPATH_OFF)
		return "no interface is configured (xdp.interfaces)";
	if (!kernel_runs(c))
		return "XDP is attached to no interface";
	if (state == NULL)
		return "XDP has not been told yet";
	if (state->enforced)
		return NULL;
	gateway_addr(g->model->gateway, &addr);
	/* It may go on with what it was told before. */
	if (fastpath_service_slot(c->fastpath, &addr,
		    host_of(g)->protocol == MODEL_UDP ? IPPROTO_UDP
						      : IPPROTO_TCP) == g->slot)
		return NULL;
	return state->problem;
}

/* It is steered, and who has no address yet has not been asked for long. */
static bool
is_settling(const struct control *c, const struct fastpath_service_state *state)
{
	uint64_t since = c->services->unreachable_ms[state->slot];

	return state->enforced && state->unreachable > 0 &&
	       (since == 0 || clock_monotonic_ms() - since < UNREACHABLE_MS);
}

static void
problem_say(const struct control *c, struct service_view *out,
	const struct model_tcp_host *h, const char *why)
{
	if (h->protocol == MODEL_UDP && why != NULL)
		snprintf(out->problem, sizeof(out->problem),
			"is not served: UDP is not relayed, and XDP does not "
			"steer it: %s",
			why);
	else if (out->state != NULL && out->state->problem[0] != '\0' &&
		 !is_settling(c, out->state))
		snprintf(out->problem, sizeof(out->problem), "XDP: %s",
			out->state->problem);
}

void
service_view(const struct control *c, const struct object *g,
	struct service_view *out)
{
	const struct model_tcp_host *h = host_of(g);
	const char *why;

	memset(out, 0, sizeof(*out));
	out->pending = c->services != NULL && c->services->due;
	if (kernel_runs(c) && h->mode != MODEL_STEER_RELAY)
		out->state = fastpath_service_state(c->fastpath, g->slot);
	why = not_steered(c, g, out->state);
	problem_say(c, out, h, why);
	if (why == NULL) {
		out->server = SERVICE_XDP;
		snprintf(out->text, sizeof(out->text), "steered by XDP (%s)",
			model_steer_name((enum model_steer)h->mode));
	} else if (h->protocol == MODEL_UDP) {
		out->server = SERVICE_NOBODY;
	} else {
		out->server = SERVICE_RELAY;
		snprintf(out->text, sizeof(out->text),
			"relayed in user space: %s",
			out->problem[0] != '\0' ? "XDP refuses it" : why);
	}
}
