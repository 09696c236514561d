/*
 * The main thread of the proxy: has the workers, tells control what they say,
 * is found by the next control, ends. It never touches a client's byte.
 */
#include "proxy/proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "filter/limit_table.h"
#include "net/channel.h"
#include "net/loop.h"
#include "net/shm.h"
#include "proxy/access.h"
#include "proxy/call_credentials.h"
#include "proxy/call_target.h"
#include "proxy/census.h"
#include "proxy/generation.h"
#include "proxy/proxy_inner.h"
#include "proxy/sandbox.h"
#include "proxy/secure.h"
#include "proxy/streak.h"
#include "proxy/throttle.h"
#include "proxy/trust.h"
#include "proxy/upstream.h"
#include "proxy/vault.h"
#include "routing/router.h"
#include "version.h"

#define DRAIN_MS_DEFAULT 30000
#define OTHER_FDS        1024 /* kept free for what is no client */
#define CREDENTIALS_REFUSED_MS 1000 /* not told more often */

/* ---- to control */

void
proxy_tell(struct proxy *p, const struct wire_message *m, const int *fds,
	size_t fd_count)
{
	if (p->channel != NULL)
		channel_send(p->channel, m, sizeof(*m), fds, fd_count);
}

struct wire_message
proxy_message(enum wire_type type)
{
	struct wire_message m;

	memset(&m, 0, sizeof(m));
	m.type = type;
	m.contract = WIRE_CONTRACT;
	return m;
}

static void
hello_send(struct proxy *p)
{
	struct wire_message m = proxy_message(WIRE_HELLO);

	m.hello.contract = WIRE_CONTRACT;
	m.hello.pid = (uint32_t)getpid();
	m.hello.workers = p->worker_count;
	m.hello.ready = p->ready;
	m.hello.generation = p->enforced;
	snprintf(m.hello.build_id, sizeof(m.hello.build_id), "%s", BUILD_ID);
	proxy_tell(p, &m, NULL, 0);
}

/* What a control that takes over gets back. */
static void
holdings_send(struct proxy *p)
{
	struct wire_message m = proxy_message(WIRE_LISTENER);

	for (uint32_t slot = 0; slot < SLOTS_MAX; slot++) {
		const struct listening *l = &p->listening[slot];

		if (l->count == 0)
			continue;
		m.listener.slot = slot;
		m.listener.workers = p->worker_count;
		m.listener.addr = l->addr;
		proxy_tell(p, &m, l->fds, l->count);
	}
	if (p->counters_fd >= 0) {
		m = proxy_message(WIRE_COUNTERS);
		proxy_tell(p, &m, &p->counters_fd, 1);
	}
	if (p->limits_fd >= 0) {
		m = proxy_message(WIRE_LIMITS);
		proxy_tell(p, &m, &p->limits_fd, 1);
	}
	m = proxy_message(WIRE_HELLO_END);
	proxy_tell(p, &m, NULL, 0);
}

/* ---- to the workers */

void
proxy_mail_one(struct worker *w, const struct mail *mail)
{
	if (mail->type == MAIL_ACCESS_LOG)
		access_file_ref(mail->object);
	else if (mail->type == MAIL_ENDPOINTS)
		endpoint_set_ref(mail->object);
	else if (mail->type == MAIL_CREDENTIALS)
		call_credentials_ref(mail->object);
	mailbox_send(worker_inbox(w), mail);
}

static void
mail_drop(const struct mail *mail)
{
	if (mail->type == MAIL_ACCESS_LOG)
		access_file_unref(mail->object);
	else if (mail->type == MAIL_ENDPOINTS)
		endpoint_set_unref(mail->object);
	else if (mail->type == MAIL_CREDENTIALS)
		call_credentials_unref(mail->object);
}

void
proxy_mail_all(struct proxy *p, const struct mail *mail)
{
	if (p->worker_count == 0) {
		p->early = xreallocarray(
			p->early, p->early_count + 1, sizeof(*p->early));
		p->early[p->early_count++] = *mail;
		return;
	}
	for (uint32_t i = 0; i < p->worker_count; i++)
		proxy_mail_one(p->workers[i], mail);
	mail_drop(mail);
}

static void
mail_early(struct proxy *p)
{
	for (size_t i = 0; i < p->early_count; i++)
		proxy_mail_all(p, &p->early[i]);
	free(p->early);
	p->early = NULL;
	p->early_count = 0;
}

void
proxy_drain(struct proxy *p, uint32_t deadline_ms)
{
	const struct mail mail = { .type = MAIL_DRAIN, .number = deadline_ms };

	log_info("draining deadline_ms=%u", deadline_ms);
	p->draining = true;
	for (uint32_t slot = 0; slot < SLOTS_MAX; slot++)
		listening_close(&p->listening[slot]);
	if (p->worker_count == 0)
		loop_stop(p->loop);
	else
		proxy_mail_all(p, &mail);
}

/* ---- the workers */

static void *
thread_main(void *arg)
{
	worker_run(arg);
	return NULL;
}

uint32_t
proxy_workers_wanted(const struct proxy *p)
{
	uint32_t count = p->settings.workers;
	cpu_set_t cpus;

	if (count == 0 && sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		count = (uint32_t)CPU_COUNT(&cpus);
	if (count == 0)
		count = 1;
	if (count > COUNTERS_WORKERS_MAX)
		count = COUNTERS_WORKERS_MAX;
	if (p->counters_fd >= 0 && count > p->counters->workers)
		count = p->counters->workers;
	return count;
}

void
proxy_workers_start(struct proxy *p, uint32_t count)
{
	struct mail log = { .type = MAIL_ACCESS_LOG };

	if (p->counters == NULL) {
		p->counters = xcalloc(1, counters_size(count));
		log_warn("counters are for nobody: none were given");
	}
	if (p->limits == NULL)
		log_warn("rate limits: requests are not limited: no table was "
			 "given");
	for (uint32_t i = 0; i < count; i++) {
		p->workers[i] = worker_new(i, count, p->inbox, &p->settings,
			p->counters->worker, p->census, p->kinds);
		p->workers[i]->rates = p->limits;
	}
	p->worker_count = count;
	log.object = access_file_ref(p->access_file);
	proxy_mail_all(p, &log);
	mail_early(p);
}

void
proxy_threads_start(struct proxy *p)
{
	for (uint32_t i = 0; i < p->worker_count; i++) {
		int problem = pthread_create(
			&p->threads[i], NULL, thread_main, p->workers[i]);

		if (problem != 0)
			log_fatal("worker: no thread errno=%d", problem);
	}
	log_info("serving workers=%u", p->worker_count);
}

static void
enforced(struct proxy *p, struct generation *g)
{
	struct wire_message m = proxy_message(WIRE_ENFORCED);

	if (++g->enforced < p->worker_count)
		return;
	if (!p->ready) {
		struct wire_message ready = proxy_message(WIRE_READY);

		p->ready = true;
		proxy_tell(p, &ready, NULL, 0);
	}
	if (g->number >= p->enforced || g == p->current)
		p->enforced = g->number;
	m.generation = g->number;
	proxy_tell(p, &m, NULL, 0);
	log_debug("enforced generation=%lu", (unsigned long)g->number);
	if (!p->sweep_due || g != p->current)
		return;
	p->sweep_due = false;
	vault_sweep(p->vault, generation_names, g);
}

static void
streak_tell(struct proxy *p, struct streak_report *r)
{
	struct wire_message m = proxy_message(WIRE_OUTLIER);

	m.outlier.upstream = r->upstream;
	m.outlier.worker = r->worker;
	m.outlier.addr = r->addr;
	m.outlier.owner = r->owner;
	m.outlier.errors = r->errors;
	m.outlier.gateway_errors = r->gateway_errors;
	proxy_tell(p, &m, NULL, 0);
	free(r);
}

static void
far_beyond_tell(struct proxy *p, struct throttle_report *r)
{
	struct wire_message m = proxy_message(WIRE_FAR_BEYOND);

	m.far_beyond.slot = r->slot;
	m.far_beyond.addr = r->addr;
	m.far_beyond.rule = r->rule;
	proxy_tell(p, &m, NULL, 0);
	free(r);
}

static void
tls_tell(struct proxy *p, struct secure_report *r)
{
	struct wire_message m = proxy_message(WIRE_TLS);

	m.tls.upstream = r->upstream;
	m.tls.worker = r->worker;
	m.tls.addr = r->addr;
	m.tls.owner = r->owner;
	memcpy(m.text, r->problem, sizeof(m.text));
	proxy_tell(p, &m, NULL, 0);
	free(r);
}

/* Each worker says so on its own, once a second at most. */
static void
credentials_refused(struct proxy *p, uint32_t upstream)
{
	struct wire_message m = proxy_message(WIRE_CREDENTIALS_REFUSED);
	uint64_t now = loop_now_ms(p->loop), *last = &p->refused_ms[upstream];

	if (*last != 0 && now < *last + CREDENTIALS_REFUSED_MS)
		return;
	*last = now;
	m.number = upstream;
	proxy_tell(p, &m, NULL, 0);
}

static void
on_mail(const struct mail *mail, void *arg)
{
	struct proxy *p = arg;

	switch (mail->type) {
	case MAIL_ENFORCED:
		enforced(p, mail->object);
		break;
	case MAIL_RELEASED:
		generation_free(mail->object);
		matcher_cache_trim(p->matchers);
		trusts_trim(p->trusts);
		call_targets_trim(p->targets);
		break;
	case MAIL_TLS:
		tls_tell(p, mail->object);
		break;
	case MAIL_CROWDED:
		proxy_mail_all(p, &(struct mail){ .type = MAIL_CLOSE_IDLE,
					  .number = mail->number });
		break;
	case MAIL_STREAK:
		streak_tell(p, mail->object);
		break;
	case MAIL_CREDENTIALS_REFUSED:
		credentials_refused(p, mail->number);
		break;
	case MAIL_FAR_BEYOND:
		far_beyond_tell(p, mail->object);
		break;
	case MAIL_DRAINED:
		if (++p->drained == p->worker_count)
			loop_stop(p->loop);
		break;
	default:
		break;
	}
}

/* ---- control comes and goes */

static void
on_orphan(void *arg)
{
	struct proxy *p = arg;

	log_warn("no control for too long");
	proxy_drain(p, DRAIN_MS_DEFAULT);
}

static void
on_channel_closed(void *arg)
{
	struct proxy *p = arg;

	channel_free(p->channel);
	p->channel = NULL;
	log_warn("control is gone orphan_timeout_ms=%u",
		p->settings.orphan_timeout_ms);
	if (p->worker_count == 0)
		loop_stop(p->loop);
	else if (p->settings.orphan_timeout_ms > 0)
		loop_timer_start(p->orphan, p->settings.orphan_timeout_ms);
}

static bool
peer_is_control(const struct proxy *p, int fd)
{
	struct ucred cred;
	socklen_t length = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &length) < 0)
		return false;
	if (cred.uid == 0 || cred.uid == p->control_uid)
		return true;
	log_warn("takeover: refused uid=%u", (unsigned)cred.uid);
	return false;
}

static void
on_takeover(int listening, unsigned what, void *arg)
{
	struct proxy *p = arg;
	int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (fd < 0)
		return;
	if (!peer_is_control(p, fd)) {
		close(fd);
		return;
	}
	loop_timer_stop(p->orphan);
	channel_free(p->channel);
	p->channel =
		channel_new(p->loop, fd, orders_message, on_channel_closed, p);
	log_info("a new control");
	p->taken_over = true;
	p->sweep_due = false;
	vault_age(p->vault);
	hello_send(p);
	holdings_send(p);
}

void
proxy_door(struct proxy *p, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0 || fcntl(copy, F_SETFL, O_NONBLOCK) < 0) {
		log_error("takeover: no descriptor errno=%d", errno);
		if (copy >= 0)
			close(copy);
		return;
	}
	loop_fd_free(p->takeover);
	if (p->takeover_fd >= 0)
		close(p->takeover_fd);
	p->takeover_fd = copy;
	p->takeover = loop_fd_new(p->loop, copy, LOOP_READ, on_takeover, p);
}

/* ---- birth and end */

static void
on_terminate(int signo, void *arg)
{
	(void)signo;
	proxy_drain(arg, DRAIN_MS_DEFAULT);
}

static void
process_prepare(void)
{
	static const int ignored[] = { SIGPIPE, SIGINT, SIGHUP, SIGUSR1,
		SIGUSR2 };
	struct rlimit files;

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	mem_keep_from_dumps();
	/* Reads its file now; later it could not. */
	tzset();
	tls_use_no_files();
}

/* Once clients had taken all descriptors, nothing would be accepted and no
 * upstream reached. */
static uint32_t
clients_possible(void)
{
	struct rlimit files;
	rlim_t other;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0 ||
		files.rlim_cur >= UINT32_MAX)
		return UINT32_MAX;
	other = files.rlim_cur / 4 < OTHER_FDS ? files.rlim_cur / 4 : OTHER_FDS;
	return (uint32_t)(files.rlim_cur - other);
}

static void
proxy_init(
	struct proxy *p, int channel, const struct upstream_kind *const *kinds)
{
	struct ucred cred = { .uid = 0 };
	socklen_t length = sizeof(cred);

	memset(p, 0, sizeof(*p));
	p->takeover_fd = p->counters_fd = p->limits_fd = -1;
	p->clients_possible = clients_possible();
	p->settings = (struct wire_settings){ .head_timeout_ms = 10000,
		.idle_timeout_ms = 60000,
		.upstream_idle_ms = 60000,
		.body_idle_ms = 30000,
		.stream_idle_ms = 300000,
		.orphan_timeout_ms = 600000 };
	if (getsockopt(channel, SOL_SOCKET, SO_PEERCRED, &cred, &length) == 0)
		p->control_uid = cred.uid;
	fcntl(channel, F_SETFD, FD_CLOEXEC);
	fcntl(channel, F_SETFL, O_NONBLOCK);
	p->loop = loop_new();
	p->inbox = mailbox_new(p->loop, on_mail, p);
	p->matchers = matcher_cache_new();
	p->vault = vault_new();
	p->trusts = trusts_new(p->vault);
	p->kinds = kinds;
	p->targets = call_targets_new(kinds);
	p->census = census_new();
	p->orphan = loop_timer_new(p->loop, on_orphan, p);
	p->terminate = loop_signal_new(p->loop, SIGTERM, on_terminate, p);
	p->channel = channel_new(
		p->loop, channel, orders_message, on_channel_closed, p);
}

static void
workers_free(struct proxy *p)
{
	for (uint32_t i = 0; i < p->worker_count; i++) {
		pthread_join(p->threads[i], NULL);
		worker_free(p->workers[i]);
	}
	p->worker_count = 0;
	for (size_t i = 0; i < p->early_count; i++)
		mail_drop(&p->early[i]);
	free(p->early);
}

static void
proxy_fini(struct proxy *p)
{
	struct wire_message m = proxy_message(WIRE_DRAINED);

	workers_free(p);
	if (p->draining)
		proxy_tell(p, &m, NULL, 0);
	channel_free(p->channel);
	access_file_unref(p->access_file);
	for (uint32_t slot = 0; slot < SLOTS_MAX; slot++)
		listening_close(&p->listening[slot]);
	loop_fd_free(p->takeover);
	if (p->takeover_fd >= 0)
		close(p->takeover_fd);
	mailbox_free(p->inbox);
	generation_free(p->current);
	matcher_cache_free(p->matchers);
	trusts_free(p->trusts);
	call_targets_free(p->targets);
	vault_free(p->vault);
	census_free(p->census);
	loop_timer_free(p->orphan);
	loop_signal_free(p->terminate);
	loop_free(p->loop);
	limit_table_free(p->limits);
	shm_unmap(p->limits_memory, p->limits_length);
	if (p->limits_fd >= 0)
		close(p->limits_fd);
	if (p->counters_fd >= 0) {
		shm_unmap(p->counters, p->counters_length);
		close(p->counters_fd);
	} else {
		free(p->counters);
	}
}

int
proxy_main(int channel, bool unix_sockets,
	const struct upstream_kind *const *kinds)
{
	struct error err = ERROR_INIT;
	struct proxy *p = xmalloc(sizeof(*p));

	log_open("proxy", log_get_level());
	process_prepare();
	proxy_init(p, channel, kinds);
	if (sandbox_enter(unix_sockets, &err) < 0) {
		log_error("%s", err.text);
		return 1;
	}
	hello_send(p);
	loop_run(p->loop);
	proxy_fini(p);
	free(p);
	return 0;
}
