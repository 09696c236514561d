/* Control's dealings with the kernel half. */
#include "control/kernel.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/drops.h"
#include "control/kernel_counts.h"
#include "control/kernel_limits.h"
#include "control/relation.h"
#include "control/services.h"
#include "control/spread.h"
#include "fastpath/fastpath.h"
#include "fastpath/marks.h"
#include "fastpath/steering.h"
#include "net/loop.h"

static void
interfaces_log(const struct control *c)
{
	for (size_t i = 0; i < fastpath_interface_count(c->fastpath); i++) {
		const struct fastpath_interface *f =
			fastpath_interface_get(c->fastpath, i);

		if (f->attached)
			log_info("kernel: XDP runs interface=%s mode=%s "
				 "dispatcher=%s adopted=%s",
				f->name,
				f->mode == FASTPATH_GENERIC ? "generic"
							    : "native",
				f->dispatcher ? "yes" : "no",
				f->adopted ? "yes" : "no");
		else
			log_warn("kernel: XDP does not run, all else does "
				 "interface=%s: %s",
				f->name, f->problem);
	}
}

static void
hash_seed_log(const struct control *c)
{
	struct str why;

	str_init(&why);
	fastpath_hash_seed_explain(c->fastpath, &why);
	if (why.length > 0)
		log_warn("kernel: %s", why.data);
	str_fini(&why);
}

static void
on_change(int fd, unsigned what, void *arg)
{
	struct control *c = arg;

	(void)fd;
	(void)what;
	fastpath_network_changed(c->fastpath);
	if (c->running && !c->stopping)
		kernel_look(c);
}

void
kernel_prefixes_log(const struct control *c)
{
	const char *problem = kernel_prefixes_problem(c->settings);

	if (problem != NULL)
		log_warn("settings: %s", problem);
}

void
kernel_open(struct control *c)
{
	static const enum fastpath_mode modes[] = {
		[SETTINGS_XDP_AUTO] = FASTPATH_AUTO,
		[SETTINGS_XDP_NATIVE] = FASTPATH_NATIVE,
		[SETTINGS_XDP_GENERIC] = FASTPATH_GENERIC,
	};
	const struct settings *s = c->settings;
	struct fastpath_interface_option *interfaces =
		xcalloc(s->interface_count + 1, sizeof(*interfaces));
	struct fastpath_options options = {
		.pin_path = s->xdp_pin_path,
		.object = s->xdp_object,
		.sizes = {
			.sources = s->xdp_maps.sources,
			.connections = s->xdp_maps.connections,
			.nat = s->xdp_maps.nat,
			.fragments = s->xdp_maps.fragments,
		},
		.flood_guard = s->flood_guard,
		.hash_seed = s->hash_seed,
		.interfaces = interfaces,
		.interface_count = s->interface_count,
	};
	int fd;

	for (size_t i = 0; i < s->interface_count; i++) {
		interfaces[i].name = s->interfaces[i].name;
		interfaces[i].mode = modes[s->interfaces[i].mode];
	}
	c->fastpath = fastpath_open(&options);
	kernel_counts_forget(c->kernel_counts);
	free(interfaces);
	fd = fastpath_watch_fd(c->fastpath);
	if (fd >= 0)
		c->kernel_watch =
			loop_fd_new(c->loop, fd, LOOP_READ, on_change, c);
	c->listeners_stale = true;
	drops_reopen(c->drops);
	interfaces_log(c);
	hash_seed_log(c);
	kernel_prefixes_log(c);
}

void
kernel_close(struct control *c, bool detach)
{
	loop_fd_free(c->kernel_watch);
	c->kernel_watch = NULL;
	if (c->drops != NULL)
		drops_close(c->drops);
	fastpath_close(c->fastpath, detach);
	c->fastpath = NULL;
}

void
kernel_reopen(struct control *c, bool detach)
{
	kernel_close(c, detach);
	kernel_open(c);
	services_reopened(c);
	services_commit(c);
}

void
kernel_look(struct control *c)
{
	if (fastpath_repair(c->fastpath)) {
		interfaces_log(c);
		drops_reopen(c->drops);
		services_touch(c);
	}
	spread_look(c);
	kernel_tell(c);
	kernel_blocks_look(c);
	fastpath_marks_look(c->fastpath, clock_monotonic_ms());
}

bool
kernel_is_active(const struct control *c)
{
	enum fastpath_state state;

	if (c->fastpath == NULL)
		return false;
	state = fastpath_state(c->fastpath);
	return state == FASTPATH_ATTACHED || state == FASTPATH_PARTIAL;
}

struct plan {
	struct fastpath_listener *list;
	size_t count;
};

static void
plan_add(struct plan *plan, uint32_t slot, const struct addr *addr)
{
	plan->list = xreallocarray(plan->list, plan->count + 1,
		sizeof(*plan->list));
	plan->list[plan->count++] =
		(struct fastpath_listener){ slot, *addr, IPPROTO_TCP };
}

/* Single addresses only: a prefix has too many for gg_vip. */
static void
plan_add_binds(struct plan *plan, const struct model_gateway *g, uint32_t slot)
{
	struct sockets_bind b;

	for (size_t i = 0; i < g->bind_count; i++) {
		struct addr addr = { 0 };

		gateway_bind(g, i, &b);
		memcpy(addr.ip, b.prefix.ip, sizeof(addr.ip));
		if (b.prefix.bits != 128)
			continue;
		for (uint32_t port = b.first_port; port <= b.last_port;
			port++) {
			addr.port_be = htons((uint16_t)port);
			plan_add(plan, slot, &addr);
		}
	}
}

static struct plan
plan_make(const struct control *c)
{
	struct plan plan = { 0 };

	for (uint32_t slot = 1; slot < SLOTS_MAX; slot++) {
		const struct listener *l = listeners_get(c->listeners, slot);

		if (l != NULL && l->closing == 0 &&
			(slot < LISTENERS_MAX || services_passes(c, slot)))
			plan_add(&plan, slot, &l->addr);
	}
	for (size_t i = 0; i < objects_count(c->objects, MODEL_GATEWAY); i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_GATEWAY, i);

		if (o->model != NULL && o->slot != 0 && !service_is(o))
			plan_add_binds(&plan, o->model->gateway, o->slot);
	}
	return plan;
}

void
kernel_tell(struct control *c)
{
	bool failed = c->kernel.code != ERROR_NONE;
	struct plan plan;
	int rc;

	if (!c->listeners_stale || c->fastpath == NULL || !c->listening)
		return;
	spread_tell(c);
	plan = plan_make(c);
	c->kernel = (struct error)ERROR_INIT;
	rc = fastpath_listeners_set(
		c->fastpath, plan.list, plan.count, &c->kernel);
	free(plan.list);
	if (rc == 0 && kernel_limits_tell(c, NULL, &c->kernel) == 0) {
		c->listeners_stale = false;
		return;
	}
	if (c->kernel.code == ERROR_NONE)
		error_set(&c->kernel, ERROR_SYSTEM,
			"the kernel's maps were not brought up to date");
	if (!failed)
		log_warn("kernel: %s", c->kernel.text);
}

/* A service's limits come with what its slot becomes, and so do those of who is
 * to take over from one that is steered. */
void
kernel_tell_ahead(
	struct control *c, const struct model_gateway *g, uint32_t slot)
{
	const struct gateway_ahead ahead = { g, slot };
	struct error err = ERROR_INIT;
	struct plan plan;
	struct addr addr;

	gateway_addr(g, &addr);
	/* At the start what an earlier run told stays until all is known. */
	if (!c->running || c->fastpath == NULL || g->tcp != NULL ||
		!kernel_limits_wanted(g) ||
		fastpath_service_slot(c->fastpath, &addr, IPPROTO_TCP) != 0)
		return;
	c->listeners_stale = true;
	plan = plan_make(c);
	plan_add_binds(&plan, g, slot);
	/* What fails here is told again, and said, when that is due. */
	if (fastpath_listeners_set(c->fastpath, plan.list, plan.count, &err) ==
		0)
		kernel_limits_tell(c, &ahead, &err);
	free(plan.list);
}
