/*
 * What control's messages do: settings, memory and sockets that the process
 * has, images, and what is passed on to the workers about upstreams and
 * clients.
 */
#include "proxy/proxy_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "filter/limit_table.h"
#include "model/kind.h"
#include "net/shm.h"
#include "proxy/access.h"
#include "proxy/call_credentials.h"
#include "proxy/generation.h"
#include "proxy/upstream.h"
#include "proxy/vault.h"
#include "routing/router.h"

/* ---- sockets that listen */

/* A worker closes what it was given, so it gets a descriptor of its own. */
static void
listening_mail(struct proxy *p, uint32_t slot)
{
	const struct listening *l = &p->listening[slot];

	for (size_t i = 0; i < l->count && p->worker_count > 0; i++) {
		struct mail mail = { .type = MAIL_LISTEN, .number = slot };

		mail.fd = fcntl(l->fds[i], F_DUPFD_CLOEXEC, 0);
		if (mail.fd < 0)
			log_error("listener: no descriptor slot=%u errno=%d",
				slot, errno);
		else
			proxy_mail_one(p->workers[i % p->worker_count], &mail);
	}
}

/* After an image: what comes is known to it. */
static void
listening_begin(struct proxy *p)
{
	for (uint32_t slot = 1; slot < SLOTS_MAX; slot++) {
		if (!p->listening[slot].waits)
			continue;
		p->listening[slot].waits = false;
		listening_mail(p, slot);
	}
}

void
listening_close(struct listening *l)
{
	while (l->count > 0)
		close(l->fds[--l->count]);
	l->waits = false;
}

static void
listening_drop(struct proxy *p, uint32_t slot)
{
	struct listening *l = &p->listening[slot];
	const struct mail mail = { .type = MAIL_DEAF, .number = slot };

	if (l->count == 0)
		return;
	listening_close(l);
	if (p->worker_count > 0)
		proxy_mail_all(p, &mail);
}

static void
listener_take(struct proxy *p, const struct wire_message *m, const int *fds,
	size_t count)
{
	uint32_t slot = m->listener.slot;
	struct listening *l;

	if (slot == 0 || slot >= SLOTS_MAX || count == 0 || p->draining) {
		log_error("listener: refused slot=%u sockets=%zu", slot, count);
		return;
	}
	l = &p->listening[slot];
	if (l->count > 0 && addr_equal(&l->addr, &m->listener.addr))
		return;
	listening_drop(p, slot);
	l->addr = m->listener.addr;
	for (size_t i = 0; i < count; i++) {
		int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);

		if (copy >= 0)
			l->fds[l->count++] = copy;
	}
	l->waits = true;
}

/* ---- what the process has */

static void
settings_take(struct proxy *p, const struct wire_settings *settings)
{
	struct mail mail = { .type = MAIL_SETTINGS };

	p->settings = *settings;
	if (p->settings.connections_max == 0 ||
		p->settings.connections_max > p->clients_possible) {
		log_warn("limits.connections: %u hold instead of %u, there are "
			 "no more descriptors (LimitNOFILE=)",
			p->clients_possible, p->settings.connections_max);
		p->settings.connections_max = p->clients_possible;
	}
	mail.settings = p->settings;
	if (p->worker_count > 0)
		proxy_mail_all(p, &mail);
}

static void
counters_take(struct proxy *p, int fd)
{
	struct error err = ERROR_INIT;
	struct counters *c;
	size_t length;

	/* Those of a control that takes over are the ones we have. */
	if (p->counters != NULL)
		return;
	c = shm_map_shared(fd, &length, &err);
	if (c == NULL) {
		log_error("counters: %s", err.text);
		return;
	}
	if (length < sizeof(*c) || c->magic != COUNTERS_MAGIC ||
		c->workers == 0 || c->workers > COUNTERS_WORKERS_MAX ||
		length < counters_size(c->workers)) {
		log_error("counters: not usable bytes=%zu", length);
		shm_unmap(c, length);
		return;
	}
	p->counters = c;
	p->counters_length = length;
	p->counters_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static void
limits_take(struct proxy *p, int fd)
{
	struct error err = ERROR_INIT;

	/* As for the counters; and workers that run keep what they have. */
	if (p->limits != NULL || p->worker_count > 0)
		return;
	p->limits_memory = shm_map_shared(fd, &p->limits_length, &err);
	if (p->limits_memory != NULL)
		p->limits = limit_table_new(
			p->limits_memory, p->limits_length, &err);
	if (p->limits == NULL) {
		log_error("rate limits: %s", err.text);
		shm_unmap(p->limits_memory, p->limits_length);
		p->limits_memory = NULL;
		return;
	}
	p->limits_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static void
access_log_take(struct proxy *p, int fd)
{
	struct mail mail = { .type = MAIL_ACCESS_LOG };
	int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;

	access_file_unref(p->access_file);
	p->access_file = copy >= 0 ? access_file_new(copy) : NULL;
	if (p->worker_count == 0)
		return;
	mail.object = access_file_ref(p->access_file);
	proxy_mail_all(p, &mail);
}

/* ---- upstreams and clients */

static void
endpoints_take(struct proxy *p, const struct wire_message *m, int fd)
{
	struct mail mail = { .type = MAIL_ENDPOINTS,
		.number = m->endpoints.upstream };
	struct error err = ERROR_INIT;

	if (m->endpoints.upstream == 0 ||
		m->endpoints.upstream >= UPSTREAMS_MAX) {
		log_error("endpoints: no such upstream=%u",
			m->endpoints.upstream);
		return;
	}
	mail.object = endpoint_set_new(
		fd, m->endpoints.count, m->endpoints.version, &err);
	if (mail.object == NULL) {
		log_error("endpoints: %s upstream=%u", err.text,
			m->endpoints.upstream);
		return;
	}
	proxy_mail_all(p, &mail);
}

static void
health_take(struct proxy *p, const struct wire_message *m)
{
	const struct mail mail = {
		.type = MAIL_HEALTH,
		.number = m->health.upstream,
		.addr = m->health.addr,
		.owner = m->health.owner,
		.health = m->health.health,
	};

	if (m->health.health > ENDPOINT_DOWN)
		log_error("health: no such state=%u", m->health.health);
	else
		proxy_mail_all(p, &mail);
}

static void
material_take(struct proxy *p, const struct wire_message *m, int fd)
{
	struct error err = ERROR_INIT;

	if (vault_take(p->vault, m->material.number, fd, &err) < 0)
		log_error("material: %s", err.text);
}

/* Without any, what there was is forgotten; those that are no use change
 * nothing. */
static void
credentials_take(struct proxy *p, const struct wire_message *m, int fd)
{
	const struct upstream_kind *kind = kind_find(p->kinds, m->text);
	struct mail mail = { .type = MAIL_CREDENTIALS,
		.number = m->credentials.upstream };
	struct error err = ERROR_INIT;

	if (mail.number == 0 || mail.number >= UPSTREAMS_MAX) {
		log_error("credentials: no such upstream=%u", mail.number);
		return;
	}
	if (m->credentials.length > 0) {
		mail.object = call_credentials_new(
			kind != NULL ? kind->dialect : NULL, fd,
			m->credentials.length, &err);
		if (mail.object == NULL) {
			log_error("credentials: %s upstream=%u", err.text,
				mail.number);
			return;
		}
	}
	proxy_mail_all(p, &mail);
}

static void
block_take(struct proxy *p, const struct wire_message *m)
{
	const struct mail mail = {
		.type = MAIL_BLOCK,
		.number = m->block.slot,
		.addr = m->block.addr,
		.ms = m->block.ms,
	};

	proxy_mail_all(p, &mail);
}

/* ---- images */

static void
image_take(struct proxy *p, const struct wire_message *m, int fd)
{
	struct error err = ERROR_INIT;
	struct mail mail = { .type = MAIL_GENERATION };
	struct generation *g;
	bool first = p->worker_count == 0;
	uint32_t count = first ? proxy_workers_wanted(p) : p->worker_count;

	g = generation_new(fd, p->matchers, p->trusts, p->targets, count, &err);
	if (g == NULL) {
		struct wire_message no = proxy_message(WIRE_REFUSED);

		log_error("image: %s generation=%lu", err.text,
			(unsigned long)m->generation);
		no.generation = m->generation;
		snprintf(no.text, sizeof(no.text), "%.*s",
			(int)sizeof(no.text) - 1, err.text);
		proxy_tell(p, &no, NULL, 0);
		matcher_cache_trim(p->matchers);
		return;
	}
	if (first)
		proxy_workers_start(p, count);
	p->current = g;
	p->sweep_due = p->sweep_due || p->taken_over;
	p->taken_over = false;
	mail.object = g;
	proxy_mail_all(p, &mail);
	listening_begin(p);
	if (first)
		proxy_threads_start(p);
}

/* ---- the channel */

static void
message_take(struct proxy *p, const struct wire_message *m, const int *fds,
	size_t count)
{
	int fd = count > 0 ? fds[0] : -1;

	switch ((enum wire_type)m->type) {
	case WIRE_SETTINGS:
		settings_take(p, &m->settings);
		break;
	case WIRE_COUNTERS:
		counters_take(p, fd);
		break;
	case WIRE_ACCESS_LOG:
		access_log_take(p, fd);
		break;
	case WIRE_TAKEOVER:
		proxy_door(p, fd);
		break;
	case WIRE_LISTENER:
		listener_take(p, m, fds, count);
		break;
	case WIRE_LISTENER_CLOSE:
		if (m->listener.slot > 0 && m->listener.slot < SLOTS_MAX)
			listening_drop(p, m->listener.slot);
		break;
	case WIRE_IMAGE:
		image_take(p, m, fd);
		break;
	case WIRE_ENDPOINTS:
		endpoints_take(p, m, fd);
		break;
	case WIRE_HEALTH:
		health_take(p, m);
		break;
	case WIRE_ENDPOINTS_FORGET:
		proxy_mail_all(p, &(struct mail){ .type = MAIL_FORGET,
					  .number = m->endpoints.upstream });
		break;
	case WIRE_LOG_LEVEL:
		if (m->number <= LOG_LEVEL_DEBUG)
			log_set_level((enum log_level)m->number);
		break;
	case WIRE_DRAIN:
		proxy_drain(p, m->drain.deadline_ms);
		break;
	case WIRE_LIMITS:
		limits_take(p, fd);
		break;
	case WIRE_BLOCK:
		block_take(p, m);
		break;
	case WIRE_MATERIAL:
		material_take(p, m, fd);
		break;
	case WIRE_CREDENTIALS:
		credentials_take(p, m, fd);
		break;
	case WIRE_MATERIAL_FORGET:
		vault_forget(p->vault, m->number);
		break;
	default:
		log_error("channel: unknown message type=%u", m->type);
	}
}

void
orders_message(const void *bytes, size_t length, const int *fds, size_t count,
	void *arg)
{
	struct proxy *p = arg;
	struct wire_message m;

	if (length != sizeof(m)) {
		log_error("channel: a message of the wrong length bytes=%zu",
			length);
	} else {
		memcpy(&m, bytes, sizeof(m));
		m.text[sizeof(m.text) - 1] = '\0';
		if (m.contract == WIRE_CONTRACT)
			message_take(p, &m, fds, count);
		else
			log_error("channel: another contract=%u", m.contract);
	}
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}
