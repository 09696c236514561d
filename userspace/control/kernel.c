/* Control's dealings with the kernel half. */
#include "control/kernel.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/kernel_limits.h"
#include "fastpath/fastpath.h"
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
on_addresses(int fd, unsigned what, void *arg)
{
	struct control *c = arg;

	(void)fd;
	(void)what;
	fastpath_addresses_changed(c->fastpath);
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
		.interfaces = interfaces,
		.interface_count = s->interface_count,
	};
	int fd;

	for (size_t i = 0; i < s->interface_count; i++) {
		interfaces[i].name = s->interfaces[i].name;
		interfaces[i].mode = modes[s->interfaces[i].mode];
	}
	c->fastpath = fastpath_open(&options);
	free(interfaces);
	fd = fastpath_watch_fd(c->fastpath);
	if (fd >= 0)
		c->kernel_watch =
			loop_fd_new(c->loop, fd, LOOP_READ, on_addresses, c);
	c->listeners_stale = true;
	interfaces_log(c);
}

void
kernel_close(struct control *c, bool detach)
{
	loop_fd_free(c->kernel_watch);
	c->kernel_watch = NULL;
	fastpath_close(c->fastpath, detach);
	c->fastpath = NULL;
}

void
kernel_reopen(struct control *c, bool detach)
{
	kernel_close(c, detach);
	kernel_open(c);
	kernel_tell(c);
}

void
kernel_look(struct control *c)
{
	if (fastpath_repair(c->fastpath))
		interfaces_log(c);
	kernel_tell(c);
	kernel_blocks_look(c);
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

void
kernel_tell(struct control *c)
{
	struct fastpath_listener set[LISTENERS_MAX];
	bool failed = c->kernel.code != ERROR_NONE;
	size_t count = 0;

	if (!c->listeners_stale || c->fastpath == NULL || !c->listening)
		return;
	for (uint32_t slot = 1; slot < LISTENERS_MAX; slot++) {
		const struct listener *l = listeners_get(c->listeners, slot);

		if (l != NULL && l->closing == 0)
			set[count++] = (struct fastpath_listener){ slot,
				l->addr, IPPROTO_TCP };
	}
	c->kernel = (struct error)ERROR_INIT;
	if (fastpath_listeners_set(c->fastpath, set, count, &c->kernel) == 0 &&
		kernel_limits_tell(c, &c->kernel) == 0) {
		c->listeners_stale = false;
		return;
	}
	if (c->kernel.code == ERROR_NONE)
		error_set(&c->kernel, ERROR_SYSTEM,
			"the kernel's maps were not brought up to date");
	if (!failed)
		log_warn("kernel: %s", c->kernel.text);
}
