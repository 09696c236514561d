/* SIGHUP: the settings, the files and the binary are looked at again. */
#include "control/reload.h"
#include "fastpath/fastpath.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "control/access_log.h"
#include "control/files.h"
#include "control/generation.h"
#include "control/kernel.h"
#include "control/materials.h"
#include "control/notify.h"
#include "control/programs.h"
#include "control/spread.h"
#include "control/supervise.h"
#include "net/http_client.h"

/* ---- the binary */

static bool
binary_is_new(const struct control *c)
{
	struct stat running, disk;

	return c->exe != NULL && fstat(c->options->binary, &running) == 0 &&
	       stat(c->exe, &disk) == 0 &&
	       (running.st_dev != disk.st_dev || running.st_ino != disk.st_ino);
}

/* The new program finds the proxy through proxy.sock, as after a crash. */
static void
binary_execute(const struct control *c)
{
	log_info(
		"control: %s is a new binary, it is executed in place", c->exe);
	/* The new control may not see what the proxy runs (ProtectProc=). */
	setenv(CONTROL_REPLACE_ENV, "1", 1);
	execv(c->exe, c->options->argv);
	unsetenv(CONTROL_REPLACE_ENV);
	log_error("cannot execute %s: %s", c->exe, strerror(errno));
}

/* ---- the settings */

static bool
text_differs(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a != b;
	return strcmp(a, b) != 0;
}

/* What was read when the process started stays until it starts again. */
static void
text_keep(const char *key, char **now, char **old)
{
	char *swap = *now;

	if (!text_differs(*now, *old))
		return;
	log_warn("settings: %s takes effect at the next restart", key);
	*now = *old;
	*old = swap;
}

static void
lasting_keep(struct settings *now, struct settings *old)
{
	text_keep("discoveryNamespace", &now->discovery_namespace,
		&old->discovery_namespace);
	text_keep("directoryConfigSource.directory", &now->config_directory,
		&old->config_directory);
	text_keep("directorySecretSource.directory", &now->secret_directory,
		&old->secret_directory);
	text_keep(
		"stateDirectory", &now->state_directory, &old->state_directory);
	text_keep("admin.socket", &now->admin_socket, &old->admin_socket);
	text_keep("admin.http", &now->admin_http, &old->admin_http);
	text_keep("dns.servers", &now->resolvers, &old->resolvers);
	text_keep("proxy.user", &now->proxy_user, &old->proxy_user);
	if (now->rate_limit_entries != old->rate_limit_entries) {
		log_warn("settings: limits.rateLimitEntries takes effect at "
			 "the next restart");
		now->rate_limit_entries = old->rate_limit_entries;
	}
	if (now->workers != old->workers) {
		log_warn("settings: proxy.workers takes effect at the next "
			 "restart");
		now->workers = old->workers;
	}
	/* Of the process: what it may ask of the kernel only gets less. */
	if (now->unix_sockets != old->unix_sockets) {
		log_warn("settings: proxy.unixSockets takes effect at the next "
			 "restart");
		now->unix_sockets = old->unix_sockets;
	}
}

/* Maps that exist keep their size. */
static void
maps_note(const struct settings *now, const struct settings *old)
{
	if (now->interface_count > 0 && old->interface_count > 0 &&
		memcmp(&now->xdp_maps, &old->xdp_maps,
			sizeof(now->xdp_maps)) != 0)
		log_warn("settings: xdp.maps takes effect when the maps are "
			 "made anew, after a stop with xdp.onStop: detach");
}

static bool
has_interface(const struct settings *s, const struct settings_interface *i,
	bool mode_too)
{
	for (size_t k = 0; k < s->interface_count; k++)
		if (strcmp(s->interfaces[k].name, i->name) == 0)
			return !mode_too || s->interfaces[k].mode == i->mode;
	return false;
}

static void
guard_apply(struct control *c, const struct settings *old)
{
	struct error err = ERROR_INIT;

	if (c->fastpath != NULL &&
		c->settings->flood_guard != old->flood_guard &&
		fastpath_flood_guard_set(c->fastpath, c->settings->flood_guard,
			&err) != 0)
		log_warn("settings: xdp.floodGuard: %s", err.text);
}

static void
hash_seed_apply(struct control *c, const struct settings *old)
{
	struct error err = ERROR_INIT;
	struct str why;

	if (c->fastpath == NULL || c->settings->hash_seed == old->hash_seed)
		return;
	if (fastpath_hash_seed_set(c->fastpath, c->settings->hash_seed, &err) !=
		0)
		log_warn("settings: xdp.hashSeed: %s", err.text);
	str_init(&why);
	fastpath_hash_seed_explain(c->fastpath, &why);
	if (why.length > 0)
		log_warn("settings: %s", why.data);
	str_fini(&why);
}

static void
kernel_apply(struct control *c, const struct settings *old)
{
	const struct settings *now = c->settings;
	bool moved = text_differs(now->xdp_pin_path, old->xdp_pin_path) ||
		     text_differs(now->xdp_object, old->xdp_object);
	bool gone = false, come = false;

	maps_note(now, old);
	guard_apply(c, old);
	hash_seed_apply(c, old);
	for (size_t i = 0; i < old->interface_count; i++)
		gone |= !has_interface(now, &old->interfaces[i], false);
	for (size_t i = 0; i < now->interface_count; i++)
		come |= !has_interface(old, &now->interfaces[i], true);
	if (!moved && !gone && !come)
		return;
	if (text_differs(now->xdp_pin_path, old->xdp_pin_path))
		spread_move(c);
	kernel_reopen(c, moved || gone);
	log_info("settings: the interfaces of XDP changed");
}

static bool
prefixes_differ(const struct addr_prefix *a, size_t a_count,
	const struct addr_prefix *b, size_t b_count)
{
	return a_count != b_count ||
	       (a_count > 0 && memcmp(a, b, a_count * sizeof(*a)) != 0);
}

static void
settings_apply(struct control *c, struct settings *old)
{
	const struct settings *now = c->settings;

	if (c->options->log_level < 0)
		log_set_level(now->log_level);
	supervisor_send_log_level(c->supervisor);
	supervisor_send_settings(c->supervisor);
	access_log_open(c);
	if (now->steering != old->steering)
		c->listeners_stale = true;
	kernel_apply(c, old);
	if (prefixes_differ(now->allow, now->allow_count, old->allow,
		    old->allow_count) ||
		prefixes_differ(now->deny, now->deny_count, old->deny,
			old->deny_count)) {
		c->listeners_stale = true;
		kernel_prefixes_log(c);
		kernel_tell(c);
	}
	if (prefixes_differ(now->trusted, now->trusted_count, old->trusted,
		    old->trusted_count))
		generation_touch(c);
	if (text_differs(now->tls_roots, old->tls_roots)) {
		http_client_trust(c->http, now->tls_roots);
		generation_touch(c);
	}
}

static int
settings_reload(struct control *c, struct error *err)
{
	struct settings *now = settings_read(
		c->options->settings_path, c->options->kinds, err);
	struct settings *old = c->settings;

	if (now == NULL)
		return -1;
	lasting_keep(now, old);
	c->settings = now;
	settings_apply(c, old);
	programs_reload(c);
	materials_look_again(c, true);
	settings_free(old);
	return 0;
}

int
reload_settings(struct control *c, struct error *err)
{
	int rc = settings_reload(c, err);

	if (rc != 0)
		log_error("settings: what ran goes on: %s", err->text);
	files_again(c);
	generation_commit(c);
	return rc;
}

void
reload(struct control *c)
{
	struct error err = ERROR_INIT;

	notify_reloading();
	log_info("reloading");
	if (binary_is_new(c))
		binary_execute(c);
	reload_settings(c, &err);
	c->ready_due = true;
}
