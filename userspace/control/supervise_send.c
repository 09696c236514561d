/* What the proxy is told, one thing at a time or all of it. */
#include "control/supervise.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "control/blocks.h"
#include "control/credentials.h"
#include "control/discovery.h"
#include "control/generation.h"
#include "control/health.h"
#include "control/limits.h"
#include "control/materials.h"
#include "control/proxy_process.h"
#include "model/wire.h"
#include "net/channel.h"
#include "net/shm.h"

static void
proxy_send(struct proxy_process *p, struct wire_message *m, const int *fds,
	size_t fd_count)
{
	m->contract = WIRE_CONTRACT;
	if (p->channel != NULL)
		channel_send(p->channel, m, sizeof(*m), fds, fd_count);
}

/* The proxy that is told of changes, or NULL. */
static struct proxy_process *
listener_of(const struct supervisor *s)
{
	if (s == NULL || s->proxy == NULL || s->proxy->phase != PHASE_RUNNING)
		return NULL;
	return s->proxy;
}

static uint32_t
ms(uint64_t value)
{
	return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

void
supervisor_send_settings(struct supervisor *s)
{
	const struct settings *from = s->control->settings;
	struct proxy_process *p = listener_of(s);
	struct wire_message m = { .type = WIRE_SETTINGS };

	if (p == NULL)
		return;
	m.settings = (struct wire_settings){
		.workers = s->control->workers,
		.orphan_timeout_ms = ms(from->orphan_timeout_ms),
		.head_timeout_ms = ms(from->head_timeout_ms),
		.idle_timeout_ms = ms(from->idle_timeout_ms),
		.upstream_idle_ms = ms(from->upstream_idle_ms),
		.body_idle_ms = ms(from->body_idle_ms),
		.stream_idle_ms = ms(from->stream_idle_ms),
		.head_bytes = from->head_bytes,
		.target_bytes = from->target_bytes,
		.fields = from->fields,
		.body_rate = from->body_rate,
		.body_rate_grace_ms = ms(from->body_rate_grace_ms),
		.body_bytes = from->body_bytes,
		.call_bytes = from->call_bytes,
		.connections_max = from->connections,
		.connections_per_source = from->connections_per_source,
	};
	proxy_send(p, &m, NULL, 0);
}

void
supervisor_send_access_log(struct supervisor *s)
{
	struct proxy_process *p = listener_of(s);
	struct wire_message m = { .type = WIRE_ACCESS_LOG };
	int fd = s->control->access_log;

	if (p != NULL)
		proxy_send(p, &m, &fd, fd >= 0 ? 1 : 0);
}

void
supervisor_send_log_level(struct supervisor *s)
{
	struct proxy_process *p = listener_of(s);
	struct wire_message m = { .type = WIRE_LOG_LEVEL };

	m.number = log_get_level();
	if (p != NULL)
		proxy_send(p, &m, NULL, 0);
}

bool
supervisor_send_endpoints(struct supervisor *s, uint32_t id, uint64_t version,
	const struct endpoint *set, size_t count)
{
	struct proxy_process *p = listener_of(s);
	struct wire_message m = { .type = WIRE_ENDPOINTS };
	struct error err = ERROR_INIT;
	int fd = -1;

	if (p == NULL)
		return false;
	m.endpoints.upstream = id;
	m.endpoints.count = (uint32_t)count;
	m.endpoints.version = version;
	if (count > 0) {
		fd = shm_new_sealed(
			"gg-endpoints", set, count * sizeof(*set), &err);
		if (fd < 0) {
			log_error(
				"proxy: endpoints are not sent: %s", err.text);
			return false;
		}
	}
	proxy_send(p, &m, &fd, fd >= 0 ? 1 : 0);
	if (fd >= 0)
		close(fd);
	return true;
}

void
supervisor_send_health(
	struct supervisor *s, uint32_t id, const struct endpoint *e)
{
	struct proxy_process *p = listener_of(s);
	struct wire_message m = { .type = WIRE_HEALTH };

	m.health.upstream = id;
	m.health.addr = e->addr;
	m.health.owner = e->owner;
	m.health.health = e->health;
	if (p != NULL)
		proxy_send(p, &m, NULL, 0);
}

void
supervisor_send_forget(struct supervisor *s, uint32_t id)
{
	struct proxy_process *p = listener_of(s);
	struct wire_message m = { .type = WIRE_ENDPOINTS_FORGET };

	m.endpoints.upstream = id;
	if (p != NULL)
		proxy_send(p, &m, NULL, 0);
}

bool
supervisor_send_material(
	struct supervisor *s, uint64_t number, int fd, uint32_t length)
{
	struct proxy_process *p = listener_of(s);
	struct wire_message m = { .type = WIRE_MATERIAL };

	if (p == NULL)
		return false;
	m.material.number = number;
	m.material.length = length;
	proxy_send(p, &m, &fd, 1);
	return true;
}

void
supervisor_send_material_forget(struct supervisor *s, uint64_t number)
{
	struct proxy_process *p = listener_of(s);
	struct wire_message m = { .type = WIRE_MATERIAL_FORGET };

	m.number = number;
	if (p != NULL)
		proxy_send(p, &m, NULL, 0);
}

bool
supervisor_send_credentials(struct supervisor *s, uint32_t id,
	const char *kind, int fd, uint32_t length)
{
	struct proxy_process *p = listener_of(s);
	struct wire_message m = { .type = WIRE_CREDENTIALS };

	if (p == NULL)
		return false;
	m.credentials.upstream = id;
	m.credentials.length = length;
	snprintf(m.text, sizeof(m.text), "%s", kind);
	proxy_send(p, &m, &fd, fd >= 0 ? 1 : 0);
	return true;
}

void
supervisor_send_close(struct supervisor *s, uint32_t slot)
{
	const struct listener *l = listeners_get(s->control->listeners, slot);
	struct proxy_process *p = listener_of(s);
	struct wire_message m = { .type = WIRE_LISTENER_CLOSE };

	m.listener.slot = slot;
	if (p != NULL && l != NULL && l->told)
		proxy_send(p, &m, NULL, 0);
}

void
supervisor_send_block(struct supervisor *s, uint32_t slot,
	const struct addr *addr, uint32_t left_ms)
{
	struct proxy_process *p = listener_of(s);
	struct wire_message m = { .type = WIRE_BLOCK };

	m.block.slot = slot;
	m.block.ms = left_ms;
	m.block.addr = *addr;
	if (p != NULL)
		proxy_send(p, &m, NULL, 0);
	/* What it has open may be an older proxy's. */
	for (p = s != NULL ? s->draining : NULL; p != NULL; p = p->next)
		proxy_send(p, &m, NULL, 0);
}

static void
listeners_send(struct supervisor *s, struct proxy_process *p)
{
	for (uint32_t slot = 1; slot < SLOTS_MAX; slot++) {
		struct listener *l = listeners_get(s->control->listeners, slot);
		struct wire_message m = { .type = WIRE_LISTENER };

		if (l == NULL || l->told || l->closing != 0)
			continue;
		m.listener.slot = slot;
		m.listener.workers = (uint32_t)l->fd_count;
		m.listener.addr = l->addr;
		proxy_send(p, &m, l->fds, l->fd_count);
		l->told = true;
	}
}

void
supervisor_send_generation(struct supervisor *s)
{
	struct proxy_process *p = listener_of(s);
	struct wire_message m = { .type = WIRE_IMAGE };
	int fd;

	if (p == NULL || generation_image(s->control) == NULL)
		return;
	listeners_send(s, p);
	fd = generation_fd(s->control);
	m.generation = generation_number(s->control);
	proxy_send(p, &m, &fd, 1);
}

static void
endpoints_send(struct supervisor *s)
{
	const struct objects *all = s->control->objects;

	for (size_t i = 0; i < objects_count(all, MODEL_UPSTREAM); i++)
		discovery_tell(
			objects_at(all, MODEL_UPSTREAM, i)->discovery);
}

static void
limits_send(struct supervisor *s, struct proxy_process *p)
{
	const struct control *c = s->control;
	struct wire_message m = { .type = WIRE_LIMITS };
	struct error err = ERROR_INIT;
	int fd = limits_fd(c->limits, c->settings->rate_limit_entries, &err);

	if (fd < 0)
		log_error("proxy: requests are not limited: %s", err.text);
	else
		proxy_send(p, &m, &fd, 1);
}

/* A new proxy gets its memory and its door as well. */
static void
proxy_outfit(struct supervisor *s, struct proxy_process *p)
{
	struct wire_message counters = { .type = WIRE_COUNTERS };
	struct wire_message takeover = { .type = WIRE_TAKEOVER };
	struct error err = ERROR_INIT;

	proxy_send(p, &counters, &s->counters_fd, 1);
	limits_send(s, p);
	if (s->takeover < 0)
		s->takeover = channel_listen(s->path, &err);
	if (s->takeover < 0)
		log_error("proxy: cannot be taken over later: %s", err.text);
	else
		proxy_send(p, &takeover, &s->takeover, 1);
}

void
proxy_feed(struct supervisor *s, struct proxy_process *p, bool fresh)
{
	p->phase = PHASE_RUNNING;
	supervisor_send_settings(s);
	if (fresh) {
		for (uint32_t slot = 1; slot < SLOTS_MAX; slot++) {
			struct listener *l =
				listeners_get(s->control->listeners, slot);

			if (l != NULL)
				l->told = false;
		}
		healths_forget_workers(s->control->healths);
		proxy_outfit(s, p);
	}
	supervisor_send_access_log(s);
	supervisor_send_log_level(s);
	listeners_send(s, p);
	endpoints_send(s);
	materials_send_all(s->control, fresh);
	credentials_send_all(s->control, fresh);
	supervisor_send_generation(s);
	blocks_send(s->control->blocks);
}

void
proxy_send_drain(struct proxy_process *p, uint64_t deadline_ms)
{
	struct wire_message m = { .type = WIRE_DRAIN };

	m.drain.deadline_ms = deadline_ms == 0 ? 1 : ms(deadline_ms);
	proxy_send(p, &m, NULL, 0);
}
