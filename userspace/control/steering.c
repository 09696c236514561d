/* Control's dealings with what chooses listening sockets. */
#include "control/steering.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/notify.h"
#include "control/relation.h"
#include "fastpath/queues.h"
#include "fastpath/sockets.h"
#include "net/listener.h"

void
steering_open(struct control *c)
{
	int link = c->stored_link;

	c->stored_link = -1;
	if (!listener_migrate())
		log_debug("net.ipv4.tcp_migrate_req cannot be set");
	c->sockets = sockets_open(c->settings->xdp_pin_path, link);
	c->listeners_stale = true;
}

void
steering_move(struct control *c)
{
	int link = sockets_link(c->sockets);

	if (link >= 0)
		c->stored_link = fcntl(link, F_DUPFD_CLOEXEC, 0);
	sockets_close(c->sockets, true);
	steering_open(c);
}

void
steering_close(struct control *c, bool detach)
{
	sockets_close(c->sockets, detach);
	c->sockets = NULL;
	if (c->stored_link >= 0)
		close(c->stored_link);
	c->stored_link = -1;
}

/* Of an interface with fewer queues than workers, some would get nothing. */
bool
steering_by_cpu(const struct control *c)
{
	const struct settings *s = c->settings;

	if (s->steering != SETTINGS_STEERING_AUTO)
		return s->steering == SETTINGS_STEERING_CPU;
	for (size_t i = 0; i < s->interface_count; i++)
		if (queues_count(s->interfaces[i].name) < c->workers)
			return false;
	return s->interface_count > 0 && c->workers > 1;
}

/* ---- what is wanted */

static const struct model_gateway *
gateway_of(const struct control *c, uint32_t slot)
{
	for (size_t i = 0; i < objects_count(c->objects, MODEL_GATEWAY); i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_GATEWAY, i);

		if (o->model != NULL && o->slot == slot)
			return o->model->gateway;
	}
	return NULL;
}

struct wanted {
	struct sockets_listener set[LISTENERS_MAX];
	struct sockets_bind *binds[LISTENERS_MAX]; /* of each */
	size_t count;
};

static struct sockets_bind *
binds_collect(const struct model_gateway *g)
{
	struct sockets_bind *binds =
		xcalloc(g->bind_count + 1, sizeof(*binds));

	for (size_t i = 0; i < g->bind_count; i++)
		gateway_bind(g, i, &binds[i]);
	return binds;
}

static void
wanted_init(struct wanted *w, const struct control *c)
{
	w->count = 0;
	for (uint32_t slot = 1; slot < LISTENERS_MAX; slot++) {
		const struct listener *l = listeners_get(c->listeners, slot);
		const struct model_gateway *g = gateway_of(c, slot);

		if (l == NULL || l->closing != 0 || g == NULL)
			continue;
		w->binds[w->count] = binds_collect(g);
		w->set[w->count] = (struct sockets_listener){
			.slot = slot,
			.addr = l->addr,
			.fds = l->fds,
			.fd_count = l->fd_count,
			.binds = w->binds[w->count],
			.bind_count = g->bind_count,
		};
		w->count++;
	}
}

static void
wanted_fini(struct wanted *w)
{
	while (w->count > 0)
		free(w->binds[--w->count]);
}

/* ---- telling */

/* Held by systemd, it outlives a restart that takes the pins away. */
static void
link_store(struct control *c)
{
	int link = sockets_link(c->sockets);

	if (link >= 0 && !c->link_is_stored)
		notify_store_add(STEERING_STORE_NAME, &link, 1);
	else if (link < 0 && c->link_is_stored)
		notify_store_remove(STEERING_STORE_NAME);
	c->link_is_stored = link >= 0;
}

void
steering_tell(struct control *c)
{
	enum error_code before = c->steering.code;
	struct wanted w;

	wanted_init(&w, c);
	c->steering = (struct error)ERROR_INIT;
	if (sockets_set(c->sockets, w.set, w.count, steering_by_cpu(c),
		    &c->steering) != 0 &&
		before == ERROR_NONE)
		log_warn("kernel: additional addresses are not served: %s",
			c->steering.text);
	wanted_fini(&w);
	link_store(c);
}

void
steering_look(struct control *c)
{
	if (!sockets_repair(c->sockets))
		return;
	log_warn("kernel: the steering to additional addresses was detached, "
		 "it is attached again");
	link_store(c);
}

/* ---- for people */

void
steering_explain(const struct control *c, struct str *out)
{
	const char *why = sockets_problem(c->sockets);

	if (why[0] != '\0')
		str_printf(out, "a worker by hash: %s", why);
	else if (sockets_choose(c->sockets) && steering_by_cpu(c))
		str_puts(out, "the worker of their CPU");
	else
		str_puts(out, "a worker by hash");
}

const char *
steering_migration(const struct control *c)
{
	if (listener_migrates())
		return "net.ipv4.tcp_migrate_req";
	if (sockets_choose(c->sockets))
		return "our program, net.ipv4.tcp_migrate_req is 0";
	return NULL;
}
