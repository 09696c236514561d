/* The proxy process and those that went before it. */
#include "control/supervise.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/blocks.h"
#include "control/credentials.h"
#include "control/discovery.h"
#include "control/generation.h"
#include "control/health.h"
#include "control/limits.h"
#include "control/materials.h"
#include "control/spawn.h"
#include "control/takeover.h"
#include "model/wire.h"
#include "net/channel.h"
#include "net/loop.h"
#include "net/shm.h"

#define FIND_MS        3000  /* for an old proxy to introduce itself */
#define START_MS       10000 /* for a new proxy to introduce itself */
#define GONE_MS        1000  /* from the end of its channel to its own */
#define QUICK_DEATH_MS 2000
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000

static void proxy_gone(struct proxy *p);

/* ---- making and ending */

static char *
takeover_path(const char *admin_socket)
{
	const char *slash = strrchr(admin_socket, '/');

	if (slash == NULL)
		return xstrdup("proxy.sock");
	return xasprintf(
		"%.*s/proxy.sock", (int)(slash - admin_socket), admin_socket);
}

static void
on_respawn(void *arg)
{
	struct supervisor *s = arg;
	struct error err = ERROR_INIT;

	if (s->proxy != NULL || s->ending)
		return;
	if (supervisor_start(s, &err) != 0) {
		log_error("proxy: %s", err.text);
		loop_timer_start(s->respawn, BACKOFF_MAX_MS);
	}
}

struct supervisor *
supervisor_new(struct control *c)
{
	struct supervisor *s = xcalloc(1, sizeof(*s));

	s->control = c;
	s->path = takeover_path(c->settings->admin_socket);
	s->takeover = -1;
	s->counters_fd = -1;
	s->respawn = loop_timer_new(c->loop, on_respawn, s);
	return s;
}

void
proxy_free(struct proxy *p)
{
	if (p == NULL)
		return;
	channel_free(p->channel);
	loop_fd_free(p->watch);
	loop_timer_free(p->timer);
	if (p->pidfd >= 0)
		close(p->pidfd);
	shm_unmap(p->counters, p->counters_length);
	free(p);
}

void
supervisor_free(struct supervisor *s)
{
	if (s == NULL)
		return;
	proxy_free(s->proxy);
	while (s->draining != NULL) {
		struct proxy *p = s->draining;

		s->draining = p->next;
		proxy_free(p);
	}
	loop_timer_free(s->respawn);
	shm_unmap(s->counters, s->counters_length);
	free(s->past);
	if (s->counters_fd >= 0)
		close(s->counters_fd);
	if (s->takeover >= 0)
		close(s->takeover);
	if (s->ending)
		unlink(s->path);
	free(s->path);
	free(s);
}

static void
proxy_kill(const struct proxy *p)
{
	if (p->pidfd >= 0)
		pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0);
}

/* ---- counters */

struct counters *
supervisor_counters_map(
	int fd, uint32_t workers, size_t *length, struct error *err)
{
	struct counters *counters = shm_map_shared(fd, length, err);

	if (counters == NULL)
		return NULL;
	if (*length == counters_size(workers) &&
		counters->magic == COUNTERS_MAGIC &&
		counters->workers == workers)
		return counters;
	error_set(err, ERROR_SYSTEM, "its counters are of another shape");
	shm_unmap(counters, *length);
	return NULL;
}

static int
counters_make(struct supervisor *s, struct error *err)
{
	uint32_t workers = s->control->workers;
	int fd = shm_new_shared("gg-counters", counters_size(workers), err);

	if (fd < 0)
		return -1;
	s->counters = shm_map_shared(fd, &s->counters_length, err);
	if (s->counters == NULL) {
		close(fd);
		return -1;
	}
	s->counters->magic = COUNTERS_MAGIC;
	s->counters->workers = workers;
	s->counters_fd = fd;
	return 0;
}

static void
row_add(uint64_t *to, const uint64_t *row, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] += row[i];
}

#define NUMBERS(type) (sizeof(struct type) / sizeof(uint64_t))

/* What a replaced proxy counted stays in the sums. */
static void
counters_keep(struct supervisor *s, struct counters *of)
{
	struct counters_worker *past;

	counters_settle(of);
	if (s->past == NULL) {
		s->past = xcalloc(1, counters_size(1));
		s->past->workers = 1;
	}
	past = &s->past->worker[0];
	for (uint32_t slot = 0; slot < SLOTS_MAX; slot++) {
		struct counters_listener sum;

		counters_sum_listener(of, slot, &sum);
		row_add((uint64_t *)&past->listener[slot],
			(const uint64_t *)&sum, NUMBERS(counters_listener));
	}
	for (uint32_t id = 0; id < UPSTREAMS_MAX; id++) {
		struct counters_upstream sum;

		counters_sum_upstream(of, id, &sum);
		row_add((uint64_t *)&past->upstream[id], (const uint64_t *)&sum,
			NUMBERS(counters_upstream));
	}
}

static void
listener_add(const struct counters *from, uint32_t slot,
	struct counters_listener *out)
{
	struct counters_listener sum;

	if (from == NULL)
		return;
	counters_sum_listener(from, slot, &sum);
	row_add((uint64_t *)out, (const uint64_t *)&sum,
		NUMBERS(counters_listener));
}

void
supervisor_sum_listener(const struct supervisor *s, uint32_t slot,
	struct counters_listener *out)
{
	memset(out, 0, sizeof(*out));
	listener_add(s->counters, slot, out);
	listener_add(s->past, slot, out);
	for (const struct proxy *p = s->draining; p != NULL; p = p->next)
		listener_add(p->counters, slot, out);
}

static void
upstream_add(
	const struct counters *from, uint32_t id, struct counters_upstream *out)
{
	struct counters_upstream sum;

	if (from == NULL)
		return;
	counters_sum_upstream(from, id, &sum);
	row_add((uint64_t *)out, (const uint64_t *)&sum,
		NUMBERS(counters_upstream));
}

void
supervisor_sum_upstream(
	const struct supervisor *s, uint32_t id, struct counters_upstream *out)
{
	memset(out, 0, sizeof(*out));
	upstream_add(s->counters, id, out);
	upstream_add(s->past, id, out);
	for (const struct proxy *p = s->draining; p != NULL; p = p->next)
		upstream_add(p->counters, id, out);
}

/* ---- telling */

static void
proxy_send(struct proxy *p, struct wire_message *m, const int *fds,
	size_t fd_count)
{
	m->contract = WIRE_CONTRACT;
	if (p->channel != NULL)
		channel_send(p->channel, m, sizeof(*m), fds, fd_count);
}

/* The proxy that is told of changes, or NULL. */
static struct proxy *
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
	struct proxy *p = listener_of(s);
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
		.connections_max = from->connections,
		.connections_per_source = from->connections_per_source,
	};
	proxy_send(p, &m, NULL, 0);
}

void
supervisor_send_access_log(struct supervisor *s)
{
	struct proxy *p = listener_of(s);
	struct wire_message m = { .type = WIRE_ACCESS_LOG };
	int fd = s->control->access_log;

	if (p != NULL)
		proxy_send(p, &m, &fd, fd >= 0 ? 1 : 0);
}

void
supervisor_send_log_level(struct supervisor *s)
{
	struct proxy *p = listener_of(s);
	struct wire_message m = { .type = WIRE_LOG_LEVEL };

	m.number = log_get_level();
	if (p != NULL)
		proxy_send(p, &m, NULL, 0);
}

bool
supervisor_send_endpoints(struct supervisor *s, uint32_t id, uint64_t version,
	const struct endpoint *set, size_t count)
{
	struct proxy *p = listener_of(s);
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
	struct proxy *p = listener_of(s);
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
	struct proxy *p = listener_of(s);
	struct wire_message m = { .type = WIRE_ENDPOINTS_FORGET };

	m.endpoints.upstream = id;
	if (p != NULL)
		proxy_send(p, &m, NULL, 0);
}

bool
supervisor_send_material(
	struct supervisor *s, uint64_t number, int fd, uint32_t length)
{
	struct proxy *p = listener_of(s);
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
	struct proxy *p = listener_of(s);
	struct wire_message m = { .type = WIRE_MATERIAL_FORGET };

	m.number = number;
	if (p != NULL)
		proxy_send(p, &m, NULL, 0);
}

bool
supervisor_send_credentials(struct supervisor *s, uint32_t id,
	const char *kind, int fd, uint32_t length)
{
	struct proxy *p = listener_of(s);
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
	struct proxy *p = listener_of(s);
	struct wire_message m = { .type = WIRE_LISTENER_CLOSE };

	m.listener.slot = slot;
	if (p != NULL && l != NULL && l->told)
		proxy_send(p, &m, NULL, 0);
}

void
supervisor_send_block(struct supervisor *s, uint32_t slot,
	const struct addr *addr, uint32_t left_ms)
{
	struct proxy *p = listener_of(s);
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
listeners_send(struct supervisor *s, struct proxy *p)
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
	struct proxy *p = listener_of(s);
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
limits_send(struct supervisor *s, struct proxy *p)
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
proxy_outfit(struct supervisor *s, struct proxy *p)
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

static void
proxy_feed(struct supervisor *s, struct proxy *p, bool fresh)
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

/* ---- draining */

static void
on_drain_timeout(void *arg)
{
	struct proxy *p = arg;

	log_warn("proxy %d: did not finish in time, it is ended", (int)p->pid);
	proxy_kill(p);
}

static void
proxy_drain(struct proxy *p, uint64_t deadline_ms)
{
	struct supervisor *s = p->supervisor;
	struct wire_message m = { .type = WIRE_DRAIN };

	if (p->phase != PHASE_DRAINING) {
		p->phase = PHASE_DRAINING;
		p->next = s->draining;
		s->draining = p;
		if (s->proxy == p)
			s->proxy = NULL;
	}
	m.drain.deadline_ms = deadline_ms == 0 ? 1 : ms(deadline_ms);
	proxy_send(p, &m, NULL, 0);
	loop_timer_free(p->timer);
	p->timer = loop_timer_new(s->control->loop, on_drain_timeout, p);
	loop_timer_start(p->timer, deadline_ms + GONE_MS);
}

void
supervisor_drain(struct supervisor *s, uint64_t deadline_ms)
{
	bool again = s->ending;

	s->ending = true;
	loop_timer_stop(s->respawn);
	if (s->proxy != NULL && s->proxy->phase == PHASE_FINDING) {
		proxy_free(s->proxy);
		s->proxy = NULL;
	}
	if (s->proxy != NULL) {
		/* One that was told nothing yet has nothing to finish. */
		if (s->proxy->phase == PHASE_STARTING)
			proxy_kill(s->proxy);
		proxy_drain(s->proxy, deadline_ms);
	}
	for (struct proxy *p = s->draining; p != NULL; p = p->next) {
		if (again)
			proxy_kill(p);
		else if (loop_timer_pending(p->timer))
			loop_timer_start(p->timer, deadline_ms + GONE_MS);
	}
	if (s->draining == NULL)
		control_ended(s->control);
}

/* ---- the end of a proxy */

static void
cause_find(const struct proxy *p, char *out, size_t size)
{
	siginfo_t info = { .si_pid = 0 };

	if (waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED | WNOHANG) != 0 ||
		info.si_pid == 0)
		snprintf(out, size, "it ended"); /* not our child */
	else if (info.si_code == CLD_EXITED)
		snprintf(out, size, "exit status %d", info.si_status);
	else
		snprintf(out, size, "signal %d (%s)", info.si_status,
			strsignal(info.si_status));
}

static void
draining_remove(struct supervisor *s, struct proxy *p)
{
	struct proxy **at = &s->draining;

	while (*at != NULL && *at != p)
		at = &(*at)->next;
	if (*at == p)
		*at = p->next;
}

static void
respawn_plan(struct supervisor *s, const struct proxy *p)
{
	uint64_t delay = 0;

	if (p->enforced ||
		clock_monotonic_ms() - p->started_ms > QUICK_DEATH_MS)
		s->quick_deaths = 0;
	else
		s->quick_deaths++;
	if (s->quick_deaths > 0) {
		unsigned shift = s->quick_deaths < 8 ? s->quick_deaths - 1 : 7;

		delay = (uint64_t)BACKOFF_MIN_MS << shift;
		if (delay > BACKOFF_MAX_MS)
			delay = BACKOFF_MAX_MS;
	}
	s->restarts++;
	if (delay == 0)
		on_respawn(s);
	else
		loop_timer_start(s->respawn, delay);
}

/* The process is no more. */
static void
proxy_gone(struct proxy *p)
{
	struct supervisor *s = p->supervisor;
	bool serving = s->proxy == p;
	char cause[128];

	cause_find(p, cause, sizeof(cause));
	if (serving) {
		s->proxy = NULL;
		log_error("proxy %d: %s, starting another one", (int)p->pid,
			cause);
		snprintf(s->problem, sizeof(s->problem),
			"the last proxy ended: %s", cause);
		if (s->counters != NULL)
			counters_settle(s->counters);
	} else {
		draining_remove(s, p);
		log_info("proxy %d: has ended: %s", (int)p->pid, cause);
		if (p->counters != NULL)
			counters_keep(s, p->counters);
	}
	if (serving && !s->ending)
		respawn_plan(s, p);
	proxy_free(p);
	if (s->ending && s->proxy == NULL && s->draining == NULL)
		control_ended(s->control);
}

static void
on_pidfd(int fd, unsigned what, void *arg)
{
	(void)fd;
	(void)what;
	proxy_gone(arg);
}

void
proxy_watch(struct proxy *p)
{
	p->watch = loop_fd_new(
		p->supervisor->control->loop, p->pidfd, LOOP_READ, on_pidfd, p);
}

static void
on_overdue(void *arg)
{
	struct proxy *p = arg;

	log_error("proxy %d: does not answer, it is ended", (int)p->pid);
	proxy_kill(p);
}

/* ---- what a proxy says */

static void
replaced_drain(struct supervisor *s)
{
	for (struct proxy *p = s->draining; p != NULL; p = p->next)
		if (!loop_timer_pending(p->timer))
			proxy_drain(p, s->control->settings->drain_timeout_ms);
}

static void
on_enforced(struct proxy *p, uint64_t generation)
{
	struct supervisor *s = p->supervisor;

	if (generation > generation_number(s->control) ||
		generation <= p->generation)
		return;
	p->generation = generation;
	p->enforced = true;
	loop_timer_stop(p->timer);
	s->problem[0] = '\0';
	if (s->draining != NULL && !s->ending)
		replaced_drain(s);
	control_enforced(s->control, generation);
}

static void
text_copy(const struct wire_message *m, char *out, size_t size)
{
	snprintf(out, size, "%.*s", (int)sizeof(m->text), m->text);
}

static void
on_running_message(struct proxy *p, const struct wire_message *m)
{
	struct supervisor *s = p->supervisor;
	char text[WIRE_TEXT_MAX + 1];

	switch (m->type) {
	case WIRE_HELLO:
		if (p->phase == PHASE_STARTING)
			proxy_feed(s, p, true);
		break;
	case WIRE_READY:
		log_info("proxy %d: runs workers=%u", (int)p->pid,
			s->control->workers);
		break;
	case WIRE_ENFORCED:
		if (s->proxy == p)
			on_enforced(p, m->generation);
		break;
	case WIRE_REFUSED:
		text_copy(m, text, sizeof(text));
		snprintf(s->problem, sizeof(s->problem),
			"the proxy refused generation %" PRIu64 ": %s",
			m->generation, text);
		log_error("generation %" PRIu64 ": the proxy refused it: %s",
			m->generation, text);
		break;
	case WIRE_OUTLIER:
		if (s->proxy == p)
			healths_outlier(s->control->healths, m);
		break;
	case WIRE_TLS:
		if (s->proxy == p)
			healths_tls(s->control->healths, m);
		break;
	case WIRE_CREDENTIALS_REFUSED:
		if (s->proxy == p)
			credentials_refused(s->control, m->number);
		break;
	case WIRE_FAR_BEYOND:
		blocks_far_beyond(s->control->blocks, m);
		break;
	case WIRE_DRAINED:
		log_debug("proxy %d: drained", (int)p->pid);
		break;
	default:
		log_debug("proxy %d: sent a message of type %u", (int)p->pid,
			m->type);
		break;
	}
}

static void
on_message(const void *message, size_t length, const int *fds, size_t fd_count,
	void *arg)
{
	struct proxy *p = arg;
	struct wire_message m = { .type = 0 };

	/* Of another contract it may have another length. */
	memcpy(&m, message, length < sizeof(m) ? length : sizeof(m));
	if (p->phase == PHASE_FINDING) {
		takeover_message(p, &m, fds, fd_count);
		return;
	}
	for (size_t i = 0; i < fd_count; i++)
		close(fds[i]);
	if (length == sizeof(m) && m.contract == WIRE_CONTRACT)
		on_running_message(p, &m);
}

static void
on_closed(void *arg)
{
	struct proxy *p = arg;

	if (p->phase == PHASE_FINDING) {
		takeover_end(p);
		return;
	}
	channel_free(p->channel);
	p->channel = NULL;
	if (p->phase != PHASE_DRAINING)
		loop_timer_start(p->timer, GONE_MS);
}

/* ---- starting */

static struct proxy *
proxy_new(struct supervisor *s, enum phase phase, int channel,
	loop_timer_f *overdue)
{
	struct proxy *p = xcalloc(1, sizeof(*p));

	p->supervisor = s;
	p->phase = phase;
	p->pidfd = -1;
	p->fits = true;
	p->started_ms = clock_monotonic_ms();
	p->timer = loop_timer_new(s->control->loop, overdue, p);
	p->channel = channel_new(
		s->control->loop, channel, on_message, on_closed, p);
	s->proxy = p;
	return p;
}

void
supervisor_find(struct supervisor *s)
{
	struct error err = ERROR_INIT;
	int fd = channel_connect(s->path, &err);

	if (fd < 0) {
		log_debug("proxy: none to take over: %s", err.text);
		control_settle(s->control);
		return;
	}
	loop_timer_start(
		proxy_new(s, PHASE_FINDING, fd, takeover_overdue)->timer,
		FIND_MS);
}

int
supervisor_start(struct supervisor *s, struct error *err)
{
	const struct control *c = s->control;
	const struct spawn_options options = {
		.binary = c->options->binary,
		.switch_user = c->proxy_switch,
		.uid = c->proxy_uid,
		.gid = c->proxy_gid,
		.unix_sockets = c->settings->unix_sockets,
	};
	struct spawned spawned;
	struct proxy *p;

	if (s->proxy != NULL && s->proxy->phase == PHASE_ADOPTED) {
		loop_timer_free(s->proxy->timer);
		s->proxy->timer = loop_timer_new(c->loop, on_overdue, s->proxy);
		proxy_feed(s, s->proxy, false);
		return 0;
	}
	if (s->counters == NULL && counters_make(s, err) != 0)
		return -1;
	if (spawn_proxy(&options, &spawned, err) != 0)
		return -1;
	p = proxy_new(s, PHASE_STARTING, spawned.channel, on_overdue);
	p->pid = spawned.pid;
	p->pidfd = spawned.pidfd;
	p->watch = loop_fd_new(c->loop, p->pidfd, LOOP_READ, on_pidfd, p);
	loop_timer_start(p->timer, START_MS);
	log_debug("proxy %d: started", (int)p->pid);
	return 0;
}

void
supervisor_view(const struct supervisor *s, struct supervisor_view *out)
{
	const struct proxy *p = s->proxy;

	memset(out, 0, sizeof(*out));
	if (p != NULL && p->phase != PHASE_FINDING) {
		out->pid = p->pid;
		out->generation = p->generation;
		out->workers = s->control->workers;
	}
	for (p = s->draining; p != NULL; p = p->next)
		out->draining++;
	out->restarts = s->restarts;
	out->adopted = s->adopted;
	out->problem = s->problem[0] != '\0' ? s->problem : NULL;
}
