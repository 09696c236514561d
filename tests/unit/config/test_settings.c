/* The settings file: defaults, paths, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/doc.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/settings.h"
#include "model/kind.h"

static char folder[] = "/tmp/gg-settings-XXXXXX";
static char *file;

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	file = xasprintf("%s/settings.yaml", folder);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(file);
	rmdir(folder);
	free(file);
	return 0;
}

static struct settings *
settings_of(const char *text, struct error *err)
{
	struct error why = ERROR_INIT;

	if (file_replace(file, text, strlen(text), 0600, &why) != 0)
		fail_msg("%s", why.text);
	return settings_read(file, NULL, err);
}

/* ---- keys of kinds of upstream */

extern const struct upstream_kind upstream_kind_consul;
extern const struct upstream_kind upstream_kind_kubernetes;

static int
one_check(const struct doc *d, struct error *err)
{
	for (size_t i = 0; i < doc_count(d); i++) {
		if (strcmp(doc_key_at(d, i), "good") == 0)
			continue;
		err->line = doc_line(doc_value_at(d, i));
		return error_set(err, ERROR_CONFIG, ".%s: is not good",
			doc_key_at(d, i));
	}
	return 0;
}

static const struct upstream_kind with_key = { .key = "one",
	.settings_key = "first", .settings_check = one_check };
static const struct upstream_kind without = { .key = "two" };
static const struct upstream_kind *const some_kinds[] = { &without, &with_key,
	&upstream_kind_kubernetes, &upstream_kind_consul, NULL };

static struct settings *
settings_of_kinds(const char *text, struct error *err)
{
	struct error why = ERROR_INIT;

	if (file_replace(file, text, strlen(text), 0600, &why) != 0)
		fail_msg("%s", why.text);
	return settings_read(file, some_kinds, err);
}

/* ---- */

static void
defaults_check(const struct settings *s)
{
	assert_string_equal(s->discovery_namespace, "gloo-system");
	assert_string_equal(
		s->config_directory, "/var/lib/gloo-gateway/config");
	assert_string_equal(
		s->secret_directory, "/var/lib/gloo-gateway/secrets");
	assert_string_equal(s->state_directory, "/var/lib/gloo-gateway/state");
	assert_string_equal(s->admin_socket, "/run/gloo-gateway/admin.sock");
	assert_null(s->admin_http);
	assert_null(s->resolvers);
	assert_int_equal(s->log_level, LOG_LEVEL_INFO);
	assert_string_equal(s->proxy_user, "gloo-gateway-proxy");
	assert_int_equal(s->workers, 0);
	assert_int_equal(s->steering, SETTINGS_STEERING_AUTO);
	assert_int_equal(s->orphan_timeout_ms, 600000);
	assert_int_equal(s->stop_delay_ms, 0);
	assert_int_equal(s->drain_timeout_ms, 30000);
	assert_int_equal(s->head_bytes, 61440);
	assert_int_equal(s->target_bytes, 8192);
	assert_int_equal(s->fields, 100);
	assert_int_equal(s->connections, 50000);
	assert_int_equal(s->connections_per_source, 1000);
	assert_int_equal(s->body_bytes, 0);
	assert_int_equal(s->call_bytes, 64 << 20);
	assert_int_equal(s->body_rate, 240);
	assert_int_equal(s->body_rate_grace_ms, 10000);
	assert_int_equal(s->head_timeout_ms, 10000);
	assert_int_equal(s->idle_timeout_ms, 60000);
	assert_int_equal(s->upstream_idle_ms, 60000);
	assert_int_equal(s->body_idle_ms, 30000);
	assert_int_equal(s->stream_idle_ms, 300000);
	assert_int_equal(s->trusted_count, 0);
	assert_string_equal(s->xdp_pin_path, "/sys/fs/bpf/gloo-gateway");
	assert_false(s->xdp_keep);
	assert_null(s->xdp_object);
	assert_int_equal(s->xdp_maps.sources, 65536);
	assert_int_equal(s->xdp_maps.connections, 65536);
	assert_int_equal(s->xdp_maps.nat, 65536);
	assert_int_equal(s->xdp_maps.fragments, 4096);
	assert_int_equal(s->flood_guard, 50000);
	assert_int_equal(s->hash_seed, 0);
	assert_int_equal(s->interface_count, 0);
	assert_null(s->access_log);
}

static void
test_defaults(void **state)
{
	struct error err = ERROR_INIT;
	struct settings *s = settings_read(NULL, NULL, &err);

	(void)state;
	assert_non_null(s);
	assert_null(s->path);
	defaults_check(s);
	settings_free(s);
	s = settings_of("# nothing but a comment\n", &err);
	if (s == NULL)
		fail_msg("%s", err.text);
	assert_string_equal(s->path, file);
	defaults_check(s);
	settings_free(s);
	settings_free(NULL);
}

/* The shipped file says nothing, and what it has in comments are the
 * defaults, so that neither can lie. */
static void
test_shipped(void **state)
{
	struct error err = ERROR_INIT;
	struct str text, shown;
	struct settings *s = settings_read("config/settings.yaml", NULL, &err);

	(void)state;
	if (s == NULL)
		fail_msg("%s (run from the top of the checkout)", err.text);
	assert_int_equal(s->path[0], '/');
	defaults_check(s);
	settings_free(s);

	str_init(&text);
	str_init(&shown);
	assert_int_equal(
		file_read("config/settings.yaml", 1 << 20, &text, &err), 0);
	for (char *line = strtok(text.data, "\n"); line != NULL;
		line = strtok(NULL, "\n"))
		str_printf(&shown, "%s\n",
			line[0] == '#' && line[1] != ' ' ? line + 1
			: strncmp(line, "#  ", 3) == 0   ? line + 1
							 : "");
	s = settings_of_kinds(shown.data, &err);
	if (s == NULL)
		fail_msg("%s\n%s", err.text, shown.data);
	assert_non_null(settings_of_kind(s, &upstream_kind_kubernetes));
	assert_non_null(settings_of_kind(s, &upstream_kind_consul));
	assert_string_equal(s->admin_http, "127.0.0.1:9091");
	assert_string_equal(s->resolvers, "127.0.0.1:5353");
	assert_string_equal(s->access_log, "/var/log/gloo-gateway/access.json");
	assert_int_equal(s->interface_count, 1);
	free(s->admin_http);
	free(s->resolvers);
	free(s->access_log);
	s->admin_http = s->resolvers = s->access_log = NULL;
	free(s->interfaces[0].name);
	s->interface_count = 0;
	defaults_check(s);
	settings_free(s);
	str_fini(&text);
	str_fini(&shown);
}

static void
test_all(void **state)
{
	struct error err = ERROR_INIT;
	char *want = xasprintf("%s/store", folder);
	struct settings *s = settings_of(
		"discoveryNamespace: other\n"
		"logLevel: debug\n"
		"directoryConfigSource: {directory: store}\n"
		"directorySecretSource: {directory: /secrets}\n"
		"stateDirectory: state\n"
		"admin: {socket: admin.sock, http: \"[::1]:9091\"}\n"
		"dns: {servers: \"127.0.0.1:5353,10.0.0.1,[::1]:53\"}\n"
		"proxy: {user: nobody, workers: 4, orphanTimeout: 1m,\n"
		"  steering: cpu,\n"
		"  stopDelay: 5s, drainTimeout: 1s}\n"
		"limits: {headBytes: 4096, targetBytes: 1024, fields: 50,\n"
		"  connections: 7, headTimeout: 1s, idleTimeout: 2s,\n"
		"  upstreamIdleTimeout: 3s, bodyIdleTimeout: 4s,\n"
		"  bodyBytes: 5000000000, bodyRate: 6, bodyRateGrace: 5s,\n"
		"  callBytes: 1048576,\n"
		"  connectionsPerSource: 0, rateLimitEntries: 2048,\n"
		"  blockedSources: 0, streamIdleTimeout: 6s}\n"
		"trustedProxies: [10.0.0.0/8, \"::1\"]\n"
		"xdp: {pinPath: /pins, onStop: keep, object: a.bpf.o,\n"
		"  allowPrefixes: [192.0.2.1], denyPrefixes: [192.0.2.0/24,\n"
		"  \"2001:db8::/32\"],\n"
		"  interfaces: [{name: eth0}, {name: v1, mode: native}],\n"
		"  floodGuard: 125000, hashSeed: 6f1e0c5ba2d94783,\n"
		"  maps: {sources: 1048576, nat: 4096, fragments: 1024}}\n"
		"accessLog: {path: /var/log/a}\n",
		&err);

	(void)state;
	if (s == NULL)
		fail_msg("%s", err.text);
	assert_string_equal(s->discovery_namespace, "other");
	assert_int_equal(s->log_level, LOG_LEVEL_DEBUG);
	assert_string_equal(s->config_directory, want);
	assert_string_equal(s->secret_directory, "/secrets");
	assert_string_equal(s->admin_http, "[::1]:9091");
	assert_string_equal(s->resolvers, "127.0.0.1:5353,10.0.0.1,[::1]:53");
	assert_string_equal(s->proxy_user, "nobody");
	assert_int_equal(s->workers, 4);
	assert_int_equal(s->steering, SETTINGS_STEERING_CPU);
	assert_int_equal(s->orphan_timeout_ms, 60000);
	assert_int_equal(s->connections, 7);
	assert_int_equal(s->connections_per_source, 0);
	assert_int_equal(s->body_idle_ms, 4000);
	assert_int_equal(s->stream_idle_ms, 6000);
	assert_true(s->body_bytes == UINT64_C(5000000000));
	assert_int_equal(s->call_bytes, 1 << 20);
	assert_int_equal(s->body_rate, 6);
	assert_int_equal(s->body_rate_grace_ms, 5000);
	assert_int_equal(s->rate_limit_entries, 2048);
	assert_int_equal(s->blocked_sources, 0);
	assert_int_equal(s->trusted_count, 2);
	assert_int_equal(s->allow_count, 1);
	assert_int_equal(s->allow[0].bits, 128);
	assert_int_equal(s->deny_count, 2);
	assert_int_equal(s->deny[0].bits, 120);
	assert_int_equal(s->deny[1].bits, 32);
	assert_true(s->xdp_keep);
	assert_int_equal(s->xdp_maps.sources, 1048576);
	assert_int_equal(s->xdp_maps.connections, 65536);
	assert_int_equal(s->xdp_maps.nat, 4096);
	assert_int_equal(s->xdp_maps.fragments, 1024);
	assert_int_equal(s->flood_guard, 125000);
	assert_int_not_equal(s->hash_seed, 0);
	assert_int_equal(s->interface_count, 2);
	assert_string_equal(s->interfaces[0].name, "eth0");
	assert_int_equal(s->interfaces[0].mode, SETTINGS_XDP_AUTO);
	assert_int_equal(s->interfaces[1].mode, SETTINGS_XDP_NATIVE);
	settings_free(s);
	free(want);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *text, *error; /* after the file's name */
	} rows[] = {
		{ "admin:\n  sokcet: a\n",
			":2: admin: unknown key \"sokcet\"; did you mean "
			"\"socket\"?" },
		{ "DevMode: true\n", ":1: unknown key \"DevMode\"" },
		{ "bindAddr: a\n", ":1: unknown key \"bindAddr\"" },
		{ "refreshRate: 1s\n", ":1: unknown key \"refreshRate\"" },
		{ "directoryArtifactSource: {directory: a}\n",
			":1: unknown key \"directoryArtifactSource\"" },
		{ "kubernetes: {}\n", ":1: unknown key \"kubernetes\"" },
		{ "consul: {}\n", ":1: unknown key \"consul\"" },
		{ "\nwatchNamespaces: [a]\n",
			":2: watchNamespaces: is not supported yet" },
		{ "proxy: {workers: 65}\n",
			":1: proxy.workers: expected 0 to 64, found 65" },
		{ "proxy: {steering: queue}\n",
			":1: proxy.steering: expected one of auto, cpu, hash, "
			"found \"queue\"" },
		{ "proxy: {workers: two}\n",
			":1: proxy.workers: expected a number, found a "
			"string" },
		{ "limits: {headBytes: 100}\n",
			":1: limits.headBytes: expected 1024 to 61440, found "
			"100" },
		{ "limits:\n  headBytes: 2048\n",
			":2: limits.targetBytes: 8192 is more than "
			"limits.headBytes (2048)" },
		{ "limits: {headTimeout: 0s}\n",
			":1: limits.headTimeout: expected 1ms to 1h0m0s, found "
			"\"0s\"" },
		{ "limits: {idleTimeout: 60}\n",
			":1: limits.idleTimeout: expected a string, found a "
			"number" },
		{ "logLevel: loud\n",
			":1: logLevel: expected one of error, warn, info, "
			"debug, found \"loud\"" },
		{ "admin: {http: \"9091\"}\n",
			":1: admin.http: expected an address and a port, such "
			"as 127.0.0.1:9091 or [::1]:9091" },
		{ "admin: {http: \"::1:9091\"}\n",
			":1: admin.http: expected an address and a port, such "
			"as 127.0.0.1:9091 or [::1]:9091" },
		{ "admin: {http: \"127.0.0.1:70000\"}\n",
			":1: admin.http: expected an address and a port, such "
			"as 127.0.0.1:9091 or [::1]:9091" },
		{ "dns: {servers: \"10.0.0.1,\"}\n",
			":1: dns.servers: \"\" is not an address, with or "
			"without a port" },
		{ "trustedProxies:\n- 10.0.0.0/8\n- 10.0.0.0/33\n",
			":3: trustedProxies[1]: expected an address or prefix "
			"such as 10.0.0.0/8" },
		{ "limits: {rateLimitEntries: 100}\n",
			":1: limits.rateLimitEntries: expected 1024 to "
			"16777216, found 100" },
		{ "xdp:\n  denyPrefixes: [10.0.0.0/8, 10.0.0.0/33]\n",
			":2: xdp.denyPrefixes[1]: expected an address or "
			"prefix such as 10.0.0.0/8" },
		{ "xdp:\n  allowPrefixes: [192.0.2.7/24]\n"
		  "  denyPrefixes: [10.0.0.0/8, 192.0.2.0/24]\n",
			":3: xdp.denyPrefixes[1]: the prefix stands in "
			"xdp.allowPrefixes[0] too" },
		{ "xdp:\n  interfaces:\n  - {name: a}\n  - {name: a}\n",
			":4: xdp.interfaces[1].name: \"a\" is given twice" },
		{ "xdp: {interfaces: [{name: an-interface-name}]}\n",
			":1: xdp.interfaces[0].name: \"an-interface-name\" is "
			"not a name of an interface (1 to 15 bytes)" },
		{ "xdp: {interfaces: [{mode: auto}]}\n",
			":1: xdp.interfaces[0]: the key \"name\" is missing" },
		{ "xdp: {onStop: stay}\n",
			":1: xdp.onStop: expected one of detach, keep, found "
			"\"stay\"" },
		{ "xdp: {floodGuard: 10000001}\n",
			":1: xdp.floodGuard: expected 0 to 10000000, found "
			"10000001" },
		{ "xdp:\n  hashSeed: tooshort\n",
			":2: xdp.hashSeed: expected 16 to 128 characters, such "
			"as \"openssl rand -hex 16\" prints, found 8" },
		{ "xdp: {hashSeed: \"\"}\n",
			":1: xdp.hashSeed: expected 16 to 128 characters, such "
			"as \"openssl rand -hex 16\" prints, found 0" },
		{ "xdp:\n  onStop: keep\n  hashSeed: 1234567890123456\n",
			":3: xdp.hashSeed: expected a string in quotes, found "
			"an integer" },
		{ "xdp: {hashSeed: [a]}\n",
			":1: xdp.hashSeed: expected a string in quotes, found "
			"a list" },
		{ "xdp: {hashSeed: \"with a space in it\"}\n",
			":1: xdp.hashSeed: expected printable ASCII without "
			"spaces, found another character at byte 4" },
		{ "xdp: {hashSeed: \"not-only-ascii-\xc3\xa9\"}\n",
			":1: xdp.hashSeed: expected printable ASCII without "
			"spaces, found another character at byte 15" },
		{ "xdp: {maps: {flows: 1}}\n",
			":1: xdp.maps: unknown key \"flows\"" },
		{ "xdp: {maps: {sources: 1000}}\n",
			":1: xdp.maps.sources: expected 1024 to 16777216, "
			"found 1000" },
		{ "xdp:\n  maps:\n    nat: 16777217\n",
			":3: xdp.maps.nat: expected 1024 to 16777216, found "
			"16777217" },
		{ "xdp: {maps: {connections: many}}\n",
			":1: xdp.maps.connections: expected a number, found a "
			"string" },
		{ "xdp: {maps: {fragments: -1}}\n",
			":1: xdp.maps.fragments: expected 1024 to 16777216, "
			"found -1" },
		{ "discoveryNamespace: Gloo\n",
			":1: discoveryNamespace: \"Gloo\" is not a valid name: "
			"1 to 253 of a-z, 0-9, \"-\" and \".\", beginning and "
			"ending with a letter or digit" },
		{ "stateDirectory: \"\"\n",
			":1: stateDirectory: must not be empty" },
		{ "- a\n", ":1: expected a map, found a list" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;
		char *want = xasprintf("%s%s", file, rows[i].error);

		if (settings_of(rows[i].text, &err) != NULL)
			fail_msg("%s was read", rows[i].text);
		assert_string_equal(err.text, want);
		assert_int_equal(err.code, ERROR_CONFIG);
		free(want);
	}
}

/* As gateways of other versions have it: they stand beside each other while
 * one after the other is upgraded. */
static void
test_hash_seed_is_the_same_everywhere(void **state)
{
	static const struct {
		const char *text;
		uint32_t seed;
	} rows[] = {
		{ "xdp: {hashSeed: 0123456789abcdef}\n", 0x3625dec6 },
		{ "xdp: {hashSeed: \"0123456789abcdef\"}\n", 0x3625dec6 },
		{ "xdp: {hashSeed: \"0123456789abcdeg\"}\n", 0xcd1debb1 },
		{ "xdp:\n  hashSeed: '0123456789012345'\n", 0x30e949d9 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;
		struct settings *s = settings_of(rows[i].text, &err);

		if (s == NULL)
			fail_msg("%s", err.text);
		assert_int_equal(s->hash_seed, rows[i].seed);
		settings_free(s);
	}
}

/* It would be read in a log. */
static void
test_hash_seed_is_not_told(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_null(settings_of(
		"xdp: {hashSeed: \"not a secret of mine\"}\n", &err));
	assert_null(strstr(err.text, "secret"));
	err = (struct error)ERROR_INIT;
	assert_null(settings_of("xdp: {hashSeed: secret}\n", &err));
	assert_null(strstr(err.text, "secret"));
}

/* The reader's own refusals come with the file and the line too. */
static void
test_no_yaml(void **state)
{
	static const char *const rows[] = { "a: 1\nadmin: {\n",
		"\nlogLevel: info\nlogLevel: warn\n",
		"proxy:\n  workers: 99999999999999999999\n",
		"stateDirectory: \"\\xff\\0\"\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;

		assert_null(settings_of(rows[i], &err));
		assert_memory_equal(err.text, file, strlen(file));
		assert_int_equal(err.text[strlen(file)], ':');
		assert_true(err.line > 0);
	}
}

static void
test_kinds(void **state)
{
	struct error err = ERROR_INIT;
	struct settings *s;

	(void)state;
	s = settings_of_kinds("logLevel: warn\nfirst:\n  good: 7\n", &err);
	assert_non_null(s);
	assert_int_equal(
		doc_get_integer(settings_of_kind(s, &with_key), "good"), 7);
	assert_null(settings_of_kind(s, &without));
	assert_int_equal(s->log_level, LOG_LEVEL_WARN);
	settings_free(s);
	/* The key alone is the key, too. */
	s = settings_of_kinds("first:\n", &err);
	assert_non_null(s);
	assert_int_equal(doc_type(settings_of_kind(s, &with_key)), DOC_MAP);
	settings_free(s);
	s = settings_of_kinds("logLevel: warn\n", &err);
	assert_non_null(s);
	assert_null(settings_of_kind(s, &with_key));
	settings_free(s);
	s = settings_read(NULL, some_kinds, &err);
	assert_null(settings_of_kind(s, &with_key));
	settings_free(s);
}

static void
test_kinds_refused(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "logLevel: warn\nfirst:\n  good: 7\n  bad: 1\n",
			":4: first.bad: is not good" },
		{ "second: {}\n", ":1: unknown key \"second\"" },
		{ "one: {}\n", ":1: unknown key \"one\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;

		assert_null(settings_of_kinds(rows[i].text, &err));
		if (strstr(err.text, rows[i].error) == NULL)
			fail_msg("%s: %s", rows[i].error, err.text);
	}
}

static void
test_no_file(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	unlink(file);
	assert_null(settings_read(file, NULL, &err));
	assert_int_equal(err.code, ERROR_SYSTEM);
	assert_non_null(strstr(err.text, file));
	assert_null(settings_read(file, NULL, NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_hash_seed_is_the_same_everywhere),
		cmocka_unit_test(test_hash_seed_is_not_told),
		cmocka_unit_test(test_no_yaml),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_kinds_refused),
		cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
