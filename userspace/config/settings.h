/*
 * The daemon's settings file (gloo-gateway-settings(5)). Every key has a
 * default; relative paths are relative to the file; unknown keys are errors.
 */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"
#include "base/log.h"

struct doc;
struct upstream_kind;

enum settings_xdp_mode {
	SETTINGS_XDP_AUTO, /* native, else generic */
	SETTINGS_XDP_NATIVE,
	SETTINGS_XDP_GENERIC,
};

enum settings_steering { /* which worker gets a new connection */
	SETTINGS_STEERING_AUTO, /* by CPU where there are queues enough */
	SETTINGS_STEERING_CPU,
	SETTINGS_STEERING_HASH,
};

struct settings_interface {
	char *name;
	enum settings_xdp_mode mode;
};

struct settings_maps { /* entries */
	uint32_t sources, connections, nat, fragments;
};

struct settings {
	char *path;           /* of the file, absolute */
	char *discovery_namespace; /* gloo-system */
	char *config_directory;    /* directoryConfigSource.directory */
	char *secret_directory;
	char *state_directory;
	char *admin_socket; /* /run/gloo-gateway/admin.sock; proxy.sock beside */
	char *admin_http;   /* "127.0.0.1:9091" or NULL */
	char *resolvers;    /* dns.servers "127.0.0.1:5353,..." or NULL: system */
	enum log_level log_level; /* logLevel: info */

	/* proxy: */
	char *proxy_user;       /* gloo-gateway-proxy */
	uint32_t workers;       /* 0: one per CPU */
	enum settings_steering steering;
	bool unix_sockets; /* the proxy may connect to some: false */
	uint64_t orphan_timeout_ms, stop_delay_ms, drain_timeout_ms;

	/* limits: headBytes 61440, targetBytes 8192, fields 100, headTimeout
	 * 10s, idleTimeout 60s, upstreamIdleTimeout 60s, bodyIdleTimeout 30s,
	 * streamIdleTimeout 5m, bodyRate 240, bodyRateGrace 10s, bodyBytes 0
	 * (unlimited), callBytes 64 MiB (of a worker), connections 50000 (of the proxy), connectionsPerSource
	 * 1000, rateLimitEntries 65536, blockedSources 1024 */
	uint32_t head_bytes, target_bytes, fields;
	uint32_t connections, connections_per_source, body_rate;
	uint32_t rate_limit_entries, blocked_sources;
	uint64_t body_bytes, call_bytes, body_rate_grace_ms;
	uint64_t head_timeout_ms, idle_timeout_ms, upstream_idle_ms,
		body_idle_ms, stream_idle_ms;

	struct addr_prefix *trusted; /* trustedProxies */
	size_t trusted_count;

	/* xdp.allowPrefixes, xdp.denyPrefixes */
	struct addr_prefix *allow, *deny;
	size_t allow_count, deny_count;

	char *xdp_pin_path;
	bool xdp_keep; /* onStop: keep */
	char *xdp_object; /* xdp.object; NULL: the one built into the program */
	struct settings_maps xdp_maps; /* 65536 each, fragments 4096 */
	/* New connections a second and CPU, 0: no bound; 50000. */
	uint32_t flood_guard;
	/* Made of the text of xdp.hashSeed, which is not kept; 0: none is
	 * given. The same text gives the same number in every version. */
	uint32_t hash_seed;
	struct settings_interface *interfaces;
	size_t interface_count;

	char *access_log; /* accessLog.path or NULL */
	char *tls_roots;  /* tls.roots: certificates of whom upstreams without
			   * a CA of their own are trusted to be */

	struct doc *kinds; /* what is given of kinds of upstream, by their keys */
};

/* NULL path: the defaults. Each of the kinds may have a key of its own in it
 * (settings_key), and reads it. */
struct settings *settings_read(const char *path,
	const struct upstream_kind *const *kinds, struct error *err);
void settings_free(struct settings *s);
/* What stands below the key of that kind, a map if it is "key:" alone; NULL:
 * the key is not given. */
const struct doc *settings_of_kind(
	const struct settings *s, const struct upstream_kind *kind);

#endif
