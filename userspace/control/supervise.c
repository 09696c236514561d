/* The proxy process and those that went before it: each from its start to its
 * end. */
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
#include "control/generation.h"
#include "control/health.h"
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

static void proxy_gone(struct proxy_process *p);

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
proxy_free(struct proxy_process *p)
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
		struct proxy_process *p = s->draining;

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
proxy_kill(const struct proxy_process *p)
{
	if (p->pidfd >= 0)
		pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0);
}

/* ---- draining */

static void
on_drain_timeout(void *arg)
{
	struct proxy_process *p = arg;

	log_warn("proxy %d: did not finish in time, it is ended", (int)p->pid);
	proxy_kill(p);
}

static void
proxy_drain(struct proxy_process *p, uint64_t deadline_ms)
{
	struct supervisor *s = p->supervisor;

	if (p->phase != PHASE_DRAINING) {
		p->phase = PHASE_DRAINING;
		p->next = s->draining;
		s->draining = p;
		if (s->proxy == p)
			s->proxy = NULL;
	}
	proxy_send_drain(p, deadline_ms);
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
	for (struct proxy_process *p = s->draining; p != NULL; p = p->next) {
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
cause_find(const struct proxy_process *p, char *out, size_t size)
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
draining_remove(struct supervisor *s, struct proxy_process *p)
{
	struct proxy_process **at = &s->draining;

	while (*at != NULL && *at != p)
		at = &(*at)->next;
	if (*at == p)
		*at = p->next;
}

static void
respawn_plan(struct supervisor *s, const struct proxy_process *p)
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
proxy_gone(struct proxy_process *p)
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
			supervisor_counters_keep(s, p->counters);
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
proxy_watch(struct proxy_process *p)
{
	p->watch = loop_fd_new(
		p->supervisor->control->loop, p->pidfd, LOOP_READ, on_pidfd, p);
}

static void
on_overdue(void *arg)
{
	struct proxy_process *p = arg;

	log_error("proxy %d: does not answer, it is ended", (int)p->pid);
	proxy_kill(p);
}

/* ---- what a proxy says */

static void
replaced_drain(struct supervisor *s)
{
	for (struct proxy_process *p = s->draining; p != NULL; p = p->next)
		if (!loop_timer_pending(p->timer))
			proxy_drain(p, s->control->settings->drain_timeout_ms);
}

static void
on_enforced(struct proxy_process *p, uint64_t generation)
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
on_running_message(struct proxy_process *p, const struct wire_message *m)
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
	struct proxy_process *p = arg;
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
	struct proxy_process *p = arg;

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

static struct proxy_process *
proxy_new(struct supervisor *s, enum phase phase, int channel,
	loop_timer_f *overdue)
{
	struct proxy_process *p = xcalloc(1, sizeof(*p));

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
	struct proxy_process *p;

	if (s->proxy != NULL && s->proxy->phase == PHASE_ADOPTED) {
		loop_timer_free(s->proxy->timer);
		s->proxy->timer = loop_timer_new(c->loop, on_overdue, s->proxy);
		proxy_feed(s, s->proxy, false);
		return 0;
	}
	if (s->counters == NULL && supervisor_counters_make(s, err) != 0)
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
	const struct proxy_process *p = s->proxy;

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
