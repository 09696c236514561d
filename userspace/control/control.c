/* The control process: wiring, signals, the life of the whole. */
#include "control/control.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/store.h"
#include "control/access_log.h"
#include "control/admin.h"
#include "control/blocks.h"
#include "control/change.h"
#include "control/core.h"
#include "control/credentials.h"
#include "control/discovery.h"
#include "control/drops.h"
#include "control/files.h"
#include "control/function_probe.h"
#include "control/generation.h"
#include "control/health.h"
#include "control/kernel.h"
#include "control/kernel_counts.h"
#include "control/limits.h"
#include "control/log_ring.h"
#include "control/materials.h"
#include "control/notify.h"
#include "control/programs.h"
#include "control/reload.h"
#include "control/services.h"
#include "control/slots.h"
#include "control/status.h"
#include "control/spread.h"
#include "control/supervise.h"
#include "model/counters.h"
#include "net/http_client.h"
#include "net/loop.h"
#include "net/resolver.h"

#define TICK_MS  1000
#define AGAIN_MS 1000
#define READY_MS 10000 /* then systemd is told what is missing */
/* From the deadline of draining to the end of both processes. */
#define STOP_MORE_MS 5000
#define QUIET_MS 1000  /* after the newest change, freed memory goes back */

static const int signals[] = { SIGHUP, SIGUSR1, SIGTERM, SIGINT };

struct life {                   /* of one control_main */
	struct control control; /* must be first */
	struct loop_signal *signals[ARRAY_SIZE(signals)];
	struct loop_fd *store_watch;
	struct loop_timer *tick, *ready;
	uint64_t trimmed; /* the generation after which memory was trimmed */
	int status;       /* to exit with */
};

/* ---- what is needed before anything is touched */

static uint32_t
workers_choose(const struct settings *s)
{
	cpu_set_t set;
	int count = 1;

	if (s->workers != 0)
		return s->workers;
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		count = CPU_COUNT(&set);
	return count > COUNTERS_WORKERS_MAX ? COUNTERS_WORKERS_MAX
					    : (uint32_t)count;
}

/* Root gives the proxy its own user; without root there is none to give. */
static int
user_find(struct control *c, struct error *err)
{
	const char *name = c->settings->proxy_user;
	const struct passwd *user;

	if (geteuid() != 0)
		return 0;
	errno = 0;
	user = getpwnam(name);
	if (user == NULL)
		return error_set(err, ERROR_CONFIG,
			"the user \"%s\" of the proxy (proxy.user) does not "
			"exist; make it with systemd-sysusers, or with: "
			"useradd --system --user-group --no-create-home "
			"--shell /usr/sbin/nologin %s",
			name, name);
	if (user->pw_uid == 0)
		return error_set(err, ERROR_CONFIG,
			"the proxy must not run as %s (proxy.user)", name);
	c->proxy_switch = true;
	c->proxy_uid = user->pw_uid;
	c->proxy_gid = user->pw_gid;
	return 0;
}

static void
files_raise(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

/* /proc/self/exe says " (deleted)" behind a file that was replaced. */
static char *
exe_path(void)
{
	static const char mark[] = " (deleted)";
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n <= 0)
		return NULL;
	path[n] = '\0';
	if ((size_t)n > strlen(mark) &&
		strcmp(path + n - strlen(mark), mark) == 0)
		path[(size_t)n - strlen(mark)] = '\0';
	return xstrdup(path);
}

/* ---- telling systemd */

static void
ready_tell(struct control *c)
{
	char text[160], line[320];
	const char *why = status_not_ready(c, text, sizeof(text));
	struct supervisor_view view;

	supervisor_view(c->supervisor, &view);
	if (why == NULL)
		snprintf(line, sizeof(line), "generation %" PRIu64 ", proxy %d",
			view.generation, (int)view.pid);
	else
		snprintf(line, sizeof(line), "not ready: %s", why);
	notify_ready(line);
	c->ready_due = false;
}

static void
on_ready_timeout(void *arg)
{
	struct life *life = arg;

	if (life->control.ready_due)
		ready_tell(&life->control);
}

void
control_enforced(struct control *c, uint64_t generation)
{
	generation_enforced(c, generation);
	change_enforced(c, generation);
	if (generation >= generation_number(c))
		limits_enforced(c);
	admin_enforced(c->admin, generation);
	programs_enforced(c);
	if (c->ready_due && generation >= generation_number(c))
		ready_tell(c);
}

/* ---- events */

static void
on_store(int fd, unsigned what, void *arg)
{
	struct control *c = arg;

	(void)fd;
	(void)what;
	files_changed(c);
}

/* Documents are many times larger than what is kept of them. */
static void
memory_look(struct life *life)
{
	const struct control *c = &life->control;

	if (life->trimmed == generation_number(c) ||
		generation_age_ms(c) < QUIET_MS)
		return;
	life->trimmed = generation_number(c);
	mem_trim();
}

static void
on_tick(void *arg)
{
	struct life *life = arg;
	struct control *c = &life->control;
	char text[160];

	loop_timer_start(life->tick, TICK_MS);
	if (!c->running || c->stopping)
		return;
	kernel_look(c);
	services_tick(c);
	blocks_look(c->blocks);
	drops_look(c->drops);
	change_retry(c);
	materials_look_again(c, false);
	programs_look(c);
	memory_look(life);
	if (c->ready_due && status_not_ready(c, text, sizeof(text)) == NULL)
		ready_tell(c);
}

static void
on_stop_delay(void *arg)
{
	struct control *c = arg;

	log_info("draining deadline=%" PRIu64 "ms",
		c->settings->drain_timeout_ms);
	supervisor_drain(c->supervisor, c->settings->drain_timeout_ms);
	listeners_shut(c->listeners);
}

static void
stop(struct control *c)
{
	struct life *life = (struct life *)c;
	uint64_t now = clock_monotonic_ms();

	if (c->stopping) {
		/* Asked again: at once. timeout(1) and terminals send the
		 * signal twice without meaning that. */
		if (now - c->stop_ms < AGAIN_MS)
			return;
		loop_timer_stop(c->stop_timer);
		on_stop_delay(c);
		return;
	}
	c->stopping = true;
	c->stop_ms = now;
	loop_fd_free(life->store_watch);
	life->store_watch = NULL;
	notify_stopping(c->settings->stop_delay_ms +
			c->settings->drain_timeout_ms + STOP_MORE_MS);
	log_info("stopping");
	loop_timer_start(c->stop_timer, c->settings->stop_delay_ms);
}

void
control_ended(struct control *c)
{
	loop_stop(c->loop);
}

static void
on_signal(int signo, void *arg)
{
	struct control *c = arg;

	switch (signo) {
	case SIGHUP:
		if (c->running && !c->stopping)
			reload(c);
		break;
	case SIGUSR1:
		access_log_open(c);
		break;
	default:
		stop(c);
		break;
	}
}

/* ---- starting */

static void
on_stored(int fd, const char *name, void *arg)
{
	struct control *c = arg;

	if (strncmp(name, "listener-", 9) == 0)
		listeners_give(c->listeners, fd);
	else if (strcmp(name, SPREAD_STORE_NAME) == 0 && c->stored_link < 0)
		c->stored_link = fd;
	else
		close(fd);
}

static int
stores_open(struct control *c, struct error *err)
{
	c->store = store_open(c->settings->config_directory,
		c->settings->secret_directory, err);
	if (c->store == NULL)
		return -1;
	c->state = state_open(c->settings->state_directory, err);
	if (c->state == NULL)
		return -1;
	c->upstream_ids = numbers_new(UPSTREAMS_MAX);
	c->slots = numbers_new(LISTENERS_MAX);
	c->service_slots = numbers_new(SLOTS_MAX - LISTENERS_MAX + 1);
	c->ids_known = state_ids_read(
		c->state, c->upstream_ids, c->slots, c->service_slots);
	c->ids_written = generation_ids_version(c);
	return 0;
}

static int
parts_make(struct control *c, struct error *err)
{
	c->loop = loop_new();
	c->resolver = resolver_new(
		c->loop, c->settings->resolvers, NULL, err);
	if (c->resolver == NULL)
		return -1;
	c->http = http_client_new(c->loop);
	http_client_trust(c->http, c->settings->tls_roots);
	c->programs = programs_new(c);
	c->objects = objects_new();
	c->listeners = listeners_new(c->workers);
	c->generation = generations_new(c);
	c->supervisor = supervisor_new(c);
	c->materials = materials_new();
	c->credentials = credentials_new();
	c->probes = function_probes_new(c);
	c->healths = healths_new(c);
	c->services = services_new(c);
	c->limits = limits_new();
	c->kernel_counts = kernel_counts_new();
	c->blocks = blocks_new(c);
	c->drops = drops_new(c);
	c->stop_timer = loop_timer_new(c->loop, on_stop_delay, c);
	c->good_timer = loop_timer_new(c->loop, change_goods, c);
	return 0;
}

static void
watches_start(struct life *life)
{
	struct control *c = &life->control;

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		life->signals[i] =
			loop_signal_new(c->loop, signals[i], on_signal, c);
	life->tick = loop_timer_new(c->loop, on_tick, life);
	loop_timer_start(life->tick, TICK_MS);
	life->ready = loop_timer_new(c->loop, on_ready_timeout, life);
	loop_timer_start(life->ready, READY_MS);
	c->ready_due = true;
}

static int
start(struct life *life, struct error *err)
{
	struct control *c = &life->control;

	if (user_find(c, err) != 0 || stores_open(c, err) != 0 ||
		parts_make(c, err) != 0)
		return -1;
	programs_open(c);
	if (files_load(c, !c->ids_known, err) != 0)
		return -1;
	programs_restore(c);
	materials_remember(c);
	notify_stored(on_stored, c);
	c->admin = admin_new(c, err);
	if (c->admin == NULL)
		return -1;
	spread_open(c);
	kernel_open(c);
	access_log_open(c);
	watches_start(life);
	supervisor_find(c->supervisor);
	return 0;
}

/* Numbers of what went while no control ran. */
static void
numbers_settle(struct control *c)
{
	uint64_t next = generation_number(c) + 1;
	uint32_t number = 0;
	const char *name;

	while (numbers_next(c->upstream_ids, &number, &name)) {
		bool used = false;

		for (size_t i = 0;
			!used && i < objects_count(c->objects, MODEL_UPSTREAM);
			i++)
			used = objects_at(c->objects, MODEL_UPSTREAM, i)->id ==
			       number;
		if (!used)
			numbers_retire(c->upstream_ids, name, next);
	}
	slots_settle(c, next);
}

void
control_settle(struct control *c)
{
	struct life *life = (struct life *)c;
	struct error err = ERROR_INIT;

	change_listen(c);
	listeners_give_up_spare(c->listeners);
	numbers_settle(c);
	c->running = true;
	life->store_watch = loop_fd_new(
		c->loop, store_watch_fd(c->store), LOOP_READ, on_store, c);
	generation_touch(c);
	generation_commit(c);
	if (supervisor_start(c->supervisor, &err) == 0)
		return;
	log_error("%s", err.text);
	life->status = 1;
	loop_stop(c->loop);
}

/* ---- ending */

static void
discoveries_end(struct control *c)
{
	for (size_t i = 0; c->objects != NULL &&
			   i < objects_count(c->objects, MODEL_UPSTREAM);
		i++) {
		struct object *o = objects_at(c->objects, MODEL_UPSTREAM, i);

		discovery_free(o->discovery);
		o->discovery = NULL;
	}
}

static void
life_end(struct life *life)
{
	struct control *c = &life->control;

	drops_free(c->drops);
	c->drops = NULL;
	function_probes_free(c->probes);
	c->probes = NULL;
	admin_free(c->admin, c->stopping);
	discoveries_end(c);
	programs_free(c->programs);
	c->programs = NULL;
	http_client_free(c->http);
	healths_free(c->healths);
	services_free(c->services);
	c->services = NULL;
	supervisor_free(c->supervisor);
	materials_free(c->materials);
	c->materials = NULL;
	credentials_free(c->credentials);
	c->credentials = NULL;
	blocks_free(c->blocks);
	limits_free(c->limits);
	kernel_counts_free(c->kernel_counts);
	if (c->fastpath != NULL)
		kernel_close(c, c->stopping && !c->settings->xdp_keep);
	spread_close(c, c->stopping && !c->settings->xdp_keep);
	access_log_close(c);
	generations_free(c->generation);
	listeners_free(c->listeners);
	objects_free(c->objects);
	numbers_free(c->upstream_ids);
	numbers_free(c->slots);
	numbers_free(c->service_slots);
	state_close(c->state);
	store_close(c->store);
	if (c->resolver != NULL)
		resolver_free(c->resolver);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		loop_signal_free(life->signals[i]);
	loop_fd_free(life->store_watch);
	loop_timer_free(life->tick);
	loop_timer_free(life->ready);
	loop_timer_free(c->stop_timer);
	loop_timer_free(c->good_timer);
	if (c->loop != NULL)
		loop_free(c->loop);
	settings_free(c->settings);
	free(c->exe);
	log_ring_free(c->logs);
}

int
control_main(const struct control_options *options)
{
	struct life *life = xcalloc(1, sizeof(*life));
	struct control *c = &life->control;
	struct error err = ERROR_INIT;
	int status;

	log_open("control", options->log_level >= 0
				    ? (enum log_level)options->log_level
				    : LOG_LEVEL_INFO);
	c->options = options;
	c->access_log = -1;
	c->stored_link = -1;
	c->started_ms = clock_monotonic_ms();
	c->logs = log_ring_new();
	c->replace = getenv(CONTROL_REPLACE_ENV) != NULL;
	unsetenv(CONTROL_REPLACE_ENV);
	c->exe = exe_path();
	files_raise();
	mem_keep_from_dumps();
	c->settings = settings_read(
		options->settings_path, options->kinds, &err);
	if (c->settings == NULL) {
		log_error("%s", err.text);
		life->status = 1;
		goto out;
	}
	if (options->log_level < 0)
		log_set_level(c->settings->log_level);
	c->workers = workers_choose(c->settings);
	if (start(life, &err) != 0) {
		log_error("%s", err.text);
		life->status = 1;
		goto out;
	}
	if (life->status == 0)
		loop_run(c->loop);
out:
	status = life->status;
	life_end(life);
	free(life);
	return status;
}
