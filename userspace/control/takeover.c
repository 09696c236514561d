/* A proxy that runs already is found and taken over. */
#include "control/takeover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "control/generation.h"
#include "control/limits.h"
#include "net/channel.h"
#include "net/loop.h"
#include "version.h"

static void __attribute__((format(printf, 2, 3)))
proxy_misfit(struct proxy_process *p, const char *fmt, ...)
{
	va_list args;

	if (!p->fits)
		return;
	p->fits = false;
	va_start(args, fmt);
	vsnprintf(p->misfit, sizeof(p->misfit), fmt, args);
	va_end(args);
}

/* Not of another binary; what cannot be seen is taken for the same. */
static bool
runs_our_binary(const struct control *c, pid_t pid)
{
	struct stat ours, its;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if (c->options->binary < 0 || fstat(c->options->binary, &ours) != 0 ||
		stat(path, &its) != 0)
		return true;
	return ours.st_dev == its.st_dev && ours.st_ino == its.st_ino;
}

/* The socket's credentials are those of who listened: root's control, or the
 * proxy itself. A pid of something else than a proxy is refused. */
static bool
is_proxy(const struct proxy_process *p, pid_t pid)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);
	char path[64], text[64] = "";
	FILE *f;
	size_t n;

	if (pid <= 1 || getsockopt(channel_fd(p->channel), SOL_SOCKET,
				SO_PEERCRED, &peer, &length) != 0)
		return false;
	if (peer.pid == pid)
		return true;
	if (peer.uid != 0 && peer.uid != geteuid())
		return false;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return true; /* hidden from us (ProtectProc=) */
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	return memmem(text, n, "--proxy-channel", 15) != NULL;
}

static void
on_find_hello(struct proxy_process *p, const struct wire_message *m)
{
	const struct control *c = p->supervisor->control;
	char build[sizeof(m->hello.build_id) + 1];

	if (p->pid != 0)
		return;
	if (!is_proxy(p, (pid_t)m->hello.pid)) {
		log_warn("proxy: process %u on %s is no proxy", m->hello.pid,
			p->supervisor->path);
		takeover_end(p);
		return;
	}
	p->pid = (pid_t)m->hello.pid;
	p->pidfd = pidfd_open(p->pid, 0);
	if (p->pidfd < 0) {
		log_warn("proxy %d: cannot be watched: %s", (int)p->pid,
			strerror(errno));
		takeover_end(p);
		return;
	}
	snprintf(build, sizeof(build), "%.*s", (int)sizeof(m->hello.build_id),
		m->hello.build_id);
	p->generation = m->hello.generation;
	if (m->contract != WIRE_CONTRACT || m->hello.contract != WIRE_CONTRACT)
		proxy_misfit(p, "it speaks contract %u, not %d",
			m->hello.contract, WIRE_CONTRACT);
	if (strcmp(build, BUILD_ID) != 0)
		proxy_misfit(p, "it is of build %.16s, not " BUILD_ID, build);
	if (c->replace || !runs_our_binary(c, p->pid))
		proxy_misfit(p, "it runs another binary");
	if (m->hello.workers != c->workers)
		proxy_misfit(p, "it has %u workers, not %u", m->hello.workers,
			c->workers);
	if (m->hello.ready == 0)
		proxy_misfit(p, "it was not ready");
	if (!c->ids_known)
		proxy_misfit(p, "its numbers are not known");
}

static void
on_find_listener(struct proxy_process *p, const struct wire_message *m,
	const int *fds, size_t fd_count)
{
	struct listeners *l = p->supervisor->control->listeners;

	if (m->contract == WIRE_CONTRACT) {
		if (listeners_adopt(l, m->listener.slot, &m->listener.addr, fds,
			    fd_count) != 0)
			proxy_misfit(p, "its listener %u is not usable",
				m->listener.slot);
		return;
	}
	for (size_t i = 0; i < fd_count; i++)
		listeners_give(l, fds[i]);
}

static void
on_find_counters(struct proxy_process *p, const int *fds, size_t fd_count)
{
	struct supervisor *s = p->supervisor;
	struct error err = ERROR_INIT;

	if (fd_count == 1 && p->counters == NULL && s->counters_fd < 0) {
		p->counters = supervisor_counters_map(
			fds[0], s->control->workers, &p->counters_length, &err);
		if (p->counters != NULL) {
			s->counters_fd = fds[0];
			return;
		}
	}
	proxy_misfit(p, "%s",
		err.text[0] != '\0' ? err.text : "it sent no counters");
	for (size_t i = 0; i < fd_count; i++)
		close(fds[i]);
}

/* Kept also where the proxy is replaced: keys go on from what they used. */
static void
on_find_limits(struct proxy_process *p, const int *fds, size_t fd_count)
{
	struct error err = ERROR_INIT;

	if (fd_count == 1 && p->pid != 0 &&
		limits_adopt(p->supervisor->control->limits, fds[0], &err) ==
			0)
		return;
	if (fd_count != 1 || p->pid == 0)
		for (size_t i = 0; i < fd_count; i++)
			close(fds[i]);
	proxy_misfit(p, "%s",
		err.text[0] != '\0' ? err.text
				    : "it sent no table of rate limits");
}

static void
find_adopt(struct proxy_process *p)
{
	struct supervisor *s = p->supervisor;

	s->counters = p->counters;
	s->counters_length = p->counters_length;
	p->counters = NULL;
	p->phase = PHASE_ADOPTED;
	s->adopted = true;
	log_info("proxy %d: taken over generation=%" PRIu64, (int)p->pid,
		p->generation);
}

/* Another proxy gets its sockets; it drains once that one serves. */
static void
find_replace(struct proxy_process *p)
{
	struct supervisor *s = p->supervisor;

	log_info("proxy %d: is replaced: %s", (int)p->pid, p->misfit);
	listeners_disown(s->control->listeners);
	if (s->counters_fd >= 0)
		close(s->counters_fd);
	s->counters_fd = -1;
	s->proxy = NULL;
	p->phase = PHASE_DRAINING;
	p->next = s->draining;
	s->draining = p;
}

static void
on_find_done(struct proxy_process *p)
{
	struct supervisor *s = p->supervisor;

	if (p->pid == 0) {
		takeover_end(p);
		return;
	}
	loop_timer_stop(p->timer);
	if (p->counters == NULL)
		proxy_misfit(p, "it sent no counters");
	generation_follow(s->control, p->generation);
	if (p->fits)
		find_adopt(p);
	else
		find_replace(p);
	p->generation = 0;
	proxy_watch(p);
	control_settle(s->control);
}

void
takeover_end(struct proxy_process *p)
{
	struct supervisor *s = p->supervisor;

	listeners_disown(s->control->listeners);
	if (s->counters_fd >= 0)
		close(s->counters_fd);
	s->counters_fd = -1;
	s->proxy = NULL;
	proxy_free(p);
	control_settle(s->control);
}

void
takeover_overdue(void *arg)
{
	struct proxy_process *p = arg;

	log_warn("proxy: who listens on %s does not answer",
		p->supervisor->path);
	takeover_end(p);
}

void
takeover_message(struct proxy_process *p, const struct wire_message *m,
	const int *fds, size_t fd_count)
{
	switch (m->type) {
	case WIRE_LISTENER:
		on_find_listener(p, m, fds, fd_count);
		return;
	case WIRE_COUNTERS:
		on_find_counters(p, fds, fd_count);
		return;
	case WIRE_LIMITS:
		on_find_limits(p, fds, fd_count);
		return;
	default:
		break;
	}
	for (size_t i = 0; i < fd_count; i++)
		close(fds[i]);
	if (m->type == WIRE_HELLO)
		on_find_hello(p, m);
	else if (m->type == WIRE_HELLO_END)
		on_find_done(p);
}
