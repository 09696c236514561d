/* The daemon's settings file, read by a schema table. */
#include "config/settings.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/doc.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/table.h"
#include "base/yaml.h"
#include "model/kind.h"
#include "model/model.h"
#include "model/tables.h"

#define SETTINGS_BYTES_MAX (1u << 20)
#define WORKERS_MAX        64
#define INTERFACES_MAX     64
#define FLOOD_GUARD_MAX    10000000
#define TRUSTED_MAX        1024
#define PREFIXES_MAX       8192 /* half of what the kernel keeps */
#define MINUTE             60000
#define BODY_BYTES_MAX     (UINT64_C(1) << 50)
#define HASH_SEED_MIN      16
#define HASH_SEED_MAX      128
#define MAP_MIN            1024 /* less evicts what is in use */
#define MAP_MAX            (1u << 24)

static int
text_given(const char *text, struct error *err)
{
	if (text[0] == '\0')
		return error_set(err, ERROR_CONFIG, "must not be empty");
	return model_text_check(text, err);
}

static int
socket_check(const char *text, struct error *err)
{
	struct sockaddr_un name;

	if (text_given(text, err) != 0)
		return -1;
	if (strlen(text) >= sizeof(name.sun_path))
		return error_set(err, ERROR_CONFIG,
			"the path of a socket has at most %zu bytes",
			sizeof(name.sun_path) - 1);
	return 0;
}

/* "127.0.0.1:9091" or "[::1]:9091". */
static int
address_port_check(const char *text, struct error *err)
{
	const char *colon = strrchr(text, ':');
	struct addr addr;
	char ip[ADDR_TEXT_MAX];
	size_t length = colon == NULL ? 0 : (size_t)(colon - text);
	size_t digits = colon == NULL ? 0 : strspn(colon + 1, "0123456789");
	bool bracket = text[0] == '[';

	if (length > 2 && bracket && text[length - 1] == ']') {
		text++;
		length -= 2;
	}
	if (length == 0 || length >= sizeof(ip) || digits == 0 || digits > 5 ||
		colon[1 + digits] != '\0' || atoi(colon + 1) < 1 ||
		atoi(colon + 1) > 65535)
		goto wrong;
	memcpy(ip, text, length);
	ip[length] = '\0';
	/* An IPv6 address without brackets would swallow its port. */
	if (addr_parse_ip(ip, 0, &addr) == 0 &&
		(strchr(ip, ':') != NULL) == bracket)
		return 0;
wrong:
	return error_set(err, ERROR_CONFIG,
		"expected an address and a port, such as 127.0.0.1:9091 or "
		"[::1]:9091");
}

/* "127.0.0.1:5353,10.0.0.1": addresses, each with or without a port. */
static int
servers_check(const char *text, struct error *err)
{
	char *copy = xstrdup(text);
	char *rest = copy, *one;
	struct addr addr;
	int rc = 0;

	while (rc == 0 && (one = strsep(&rest, ",")) != NULL)
		if (addr_parse_ip(one, 0, &addr) != 0 &&
			address_port_check(one, NULL) != 0)
			rc = error_set(err, ERROR_CONFIG,
				"\"%.64s\" is not an address, with or without "
				"a port",
				one);
	free(copy);
	return rc;
}

/* The metrics are for this machine; others come through a proxy of its own. */
static int
admin_http_check(const char *text, struct error *err)
{
	if (address_port_check(text, err) != 0)
		return -1;
	if (strncmp(text, "127.", 4) != 0 && strncmp(text, "[::1]:", 6) != 0)
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" is not a loopback address; use "
			"127.0.0.1:PORT",
			text);
	return 0;
}

static int
user_check(const char *text, struct error *err)
{
	if (text[0] == '\0' || text[0] == '-' || strlen(text) > 32 ||
		strpbrk(text, ":/ ") != NULL)
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" is not a name of a user", text);
	return model_text_check(text, err);
}

static int
interface_check(const char *text, struct error *err)
{
	if (text[0] == '\0' || strlen(text) >= IFNAMSIZ ||
		strpbrk(text, "/: ") != NULL || strcmp(text, ".") == 0 ||
		strcmp(text, "..") == 0)
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" is not a name of an interface (1 to %d "
			"bytes)",
			text, IFNAMSIZ - 1);
	return model_text_check(text, err);
}

static int
prefixes_read(const struct doc *d, size_t most, struct addr_prefix **array,
	size_t *count, struct error *err)
{
	size_t total = doc_count(d);

	if (doc_type(d) != DOC_LIST)
		return error_set(err, ERROR_CONFIG, "expected %s, found %s",
			doc_type_name(DOC_LIST), doc_type_name(doc_type(d)));
	if (total > most)
		return error_set(err, ERROR_CONFIG,
			"%zu are too many, at most %zu are allowed", total,
			most);
	*array = xcalloc(total + 1, sizeof(**array));
	for (*count = 0; *count < total; ++*count) {
		const struct doc *one = doc_at(d, *count);
		struct error why = ERROR_INIT;

		if (doc_type(one) == DOC_STRING &&
			addr_prefix_parse(doc_string(one), &(*array)[*count],
				&why) == 0)
			continue;
		error_set(err, ERROR_CONFIG,
			"[%zu]: expected an address or prefix such as "
			"10.0.0.0/8",
			*count);
		if (err != NULL && err->line == 0)
			err->line = doc_line(one);
		return -1;
	}
	return 0;
}

static void
prefixes_fini(struct addr_prefix **array, size_t *count)
{
	free(*array);
	*array = NULL;
	*count = 0;
}

/* The three lists of them. */
#define PREFIXES(name, member, number, most)                                   \
	static int name##_read(                                                \
		const struct doc *d, void *base, struct error *err)            \
	{                                                                      \
		struct settings *s = base;                                     \
                                                                               \
		return prefixes_read(d, (most), &s->member, &s->number, err);  \
	}                                                                      \
                                                                               \
	static void name##_fini(void *base)                                    \
	{                                                                      \
		struct settings *s = base;                                     \
                                                                               \
		prefixes_fini(&s->member, &s->number);                         \
	}                                                                      \
                                                                               \
	static const struct schema_custom name##_list = {                      \
		.read = name##_read,                                           \
		.fini = name##_fini,                                           \
	}

PREFIXES(trusted, trusted, trusted_count, TRUSTED_MAX);
PREFIXES(allow, allow, allow_count, PREFIXES_MAX);
PREFIXES(deny, deny, deny_count, PREFIXES_MAX);

/* A row of a duration in ms, a number, a path. */
#define MS(key, member, low, high, value)                                      \
	{                                                                      \
		.name = (key), .type = SCHEMA_DURATION,                        \
		SCHEMA_AT(settings, member), .min = (low), .max = (high),      \
		.fallback = (value)                                            \
	}
#define NUMBER(key, member, low, high, value)                                  \
	{                                                                      \
		.name = (key), .type = SCHEMA_NUMBER,                          \
		SCHEMA_AT(settings, member), .min = (low), .max = (high),      \
		.fallback = (value)                                            \
	}
#define TEXT(key, member, checked, value)                                      \
	{                                                                      \
		.name = (key), .type = SCHEMA_STRING,                          \
		SCHEMA_AT(settings, member), .check = (checked),               \
		.fallback_text = (value)                                       \
	}
#define GROUP(key, table)                                                      \
	{                                                                      \
		.name = (key), .type = SCHEMA_STRUCT, .sub = &(table)          \
	}
#define TABLE(name)                                                            \
	static const struct schema name##_schema = {                           \
		.fields = name##_fields,                                       \
		.size = sizeof(struct settings),                               \
	}

static const struct schema_field config_source_fields[] = {
	TEXT("directory", config_directory, text_given,
		"/var/lib/gloo-gateway/config"),
	{ .name = NULL },
};
TABLE(config_source);

static const struct schema_field secret_source_fields[] = {
	TEXT("directory", secret_directory, text_given,
		"/var/lib/gloo-gateway/secrets"),
	{ .name = NULL },
};
TABLE(secret_source);

static const struct schema_field admin_fields[] = {
	TEXT("http", admin_http, admin_http_check, NULL),
	TEXT("socket", admin_socket, socket_check,
		"/run/gloo-gateway/admin.sock"),
	{ .name = NULL },
};
TABLE(admin);

static const struct schema_field dns_fields[] = {
	TEXT("servers", resolvers, servers_check, NULL),
	{ .name = NULL },
};
TABLE(dns);

static const struct schema_word steering_words[] = {
	{ "auto", SETTINGS_STEERING_AUTO },
	{ "cpu", SETTINGS_STEERING_CPU },
	{ "hash", SETTINGS_STEERING_HASH },
	{ NULL, 0 },
};

static const struct schema_field proxy_fields[] = {
	MS("drainTimeout", drain_timeout_ms, 0, 60 * MINUTE, 30000),
	MS("orphanTimeout", orphan_timeout_ms, 0, 24 * 60 * MINUTE,
		10 * MINUTE),
	{ .name = "steering",
		.type = SCHEMA_WORD,
		SCHEMA_AT(settings, steering),
		.words = steering_words },
	MS("stopDelay", stop_delay_ms, 0, 10 * MINUTE, 0),
	{ .name = "unixSockets",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(settings, unix_sockets) },
	TEXT("user", proxy_user, user_check, "gloo-gateway-proxy"),
	NUMBER("workers", workers, 0, WORKERS_MAX, 0),
	{ .name = NULL },
};
TABLE(proxy);

static const struct schema_field limits_fields[] = {
	NUMBER("blockedSources", blocked_sources, 0, 4096, 1024),
	NUMBER("bodyBytes", body_bytes, 0, BODY_BYTES_MAX, 0),
	MS("bodyIdleTimeout", body_idle_ms, 1, 60 * MINUTE, 30000),
	NUMBER("bodyRate", body_rate, 0, 1000000000, 240),
	MS("bodyRateGrace", body_rate_grace_ms, 1, 60 * MINUTE, 10000),
	NUMBER("callBytes", call_bytes, 1 << 20, BODY_BYTES_MAX, 64 << 20),
	NUMBER("connections", connections, 1, 1000000, 50000),
	NUMBER("connectionsPerSource", connections_per_source, 0, 1000000,
		1000),
	NUMBER("fields", fields, 1, 100, 100),
	NUMBER("headBytes", head_bytes, 1024, 61440, 61440),
	MS("headTimeout", head_timeout_ms, 1, 60 * MINUTE, 10000),
	MS("idleTimeout", idle_timeout_ms, 1, 60 * MINUTE, 60000),
	NUMBER("rateLimitEntries", rate_limit_entries, 1024, 16777216, 65536),
	MS("streamIdleTimeout", stream_idle_ms, 0, 24 * 60 * MINUTE,
		5 * MINUTE),
	NUMBER("targetBytes", target_bytes, 64, 61440, 8192),
	MS("upstreamIdleTimeout", upstream_idle_ms, 1, 60 * MINUTE, 60000),
	{ .name = NULL },
};
TABLE(limits);

static const struct schema_word xdp_modes[] = {
	{ "auto", SETTINGS_XDP_AUTO },
	{ "native", SETTINGS_XDP_NATIVE },
	{ "generic", SETTINGS_XDP_GENERIC },
	{ NULL, 0 },
};

static const struct schema_field interface_fields[] = {
	{ .name = "mode",
		.type = SCHEMA_WORD,
		SCHEMA_AT(settings_interface, mode),
		.words = xdp_modes },
	{ .name = "name",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(settings_interface, name),
		.check = interface_check },
	{ .name = NULL },
};

static const struct schema interface_schema = {
	.fields = interface_fields,
	.size = sizeof(struct settings_interface),
};

static const struct schema_field maps_fields[] = {
	NUMBER("connections", xdp_maps.connections, MAP_MIN, MAP_MAX, 65536),
	NUMBER("fragments", xdp_maps.fragments, MAP_MIN, MAP_MAX, 4096),
	NUMBER("nat", xdp_maps.nat, MAP_MIN, MAP_MAX, 65536),
	NUMBER("sources", xdp_maps.sources, MAP_MIN, MAP_MAX, 65536),
	{ .name = NULL },
};
TABLE(maps);

/* Says nothing of the text but its length: it is a secret. */
static int
hash_seed_read(const struct doc *d, void *base, struct error *err)
{
	struct settings *s = base;
	const char *text = doc_type(d) == DOC_STRING ? doc_string(d) : NULL;
	size_t length = text == NULL ? 0 : strlen(text);

	if (text == NULL)
		return error_set(err, ERROR_CONFIG,
			"expected a string in quotes, found %s",
			doc_type_name(doc_type(d)));
	if (length < HASH_SEED_MIN || length > HASH_SEED_MAX)
		return error_set(err, ERROR_CONFIG,
			"expected %d to %d characters, such as \"openssl rand "
			"-hex 16\" prints, found %zu",
			HASH_SEED_MIN, HASH_SEED_MAX, length);
	for (size_t i = 0; i < length; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return error_set(err, ERROR_CONFIG,
				"expected printable ASCII without spaces, "
				"found another character at byte %zu",
				i);
	s->hash_seed = (uint32_t)hash_bytes(text, length, 0);
	if (s->hash_seed == 0)
		s->hash_seed = 1;
	return 0;
}

static const struct schema_custom hash_seed = { .read = hash_seed_read };

static const struct schema_word stop_words[] = {
	{ "detach", false },
	{ "keep", true },
	{ NULL, 0 },
};

struct listed_prefix {
	struct addr_prefix prefix; /* bits beyond its length are 0 */
	bool deny;
	size_t index;
};

static int
listed_compare(const void *a, const void *b)
{
	const struct listed_prefix *x = a, *y = b;
	int order = memcmp(x->prefix.ip, y->prefix.ip, sizeof(x->prefix.ip));

	if (order == 0)
		order = (int)x->prefix.bits - (int)y->prefix.bits;
	return order;
}

static struct listed_prefix
listed_make(const struct addr_prefix *p, bool deny, size_t index)
{
	struct listed_prefix l = { *p, deny, index };

	addr_prefix_mask(&l.prefix);
	return l;
}

/* Of two equal ones none would be the longer, which decides. */
static int
listed_check(const struct settings *s, struct error *err)
{
	size_t count = s->allow_count + s->deny_count;
	struct listed_prefix *all = xcalloc(count + 1, sizeof(*all));
	int rc = 0;

	for (size_t i = 0; i < count; i++)
		all[i] = i < s->allow_count
				 ? listed_make(&s->allow[i], false, i)
				 : listed_make(&s->deny[i - s->allow_count],
					   true, i - s->allow_count);
	if (count > 1)
		qsort(all, count, sizeof(*all), listed_compare);
	for (size_t i = 1; i < count && rc == 0; i++)
		if (listed_compare(&all[i - 1], &all[i]) == 0)
			rc = error_set(err, ERROR_CONFIG,
				".%s[%zu]: the prefix stands in xdp.%s[%zu] "
				"too",
				all[i].deny ? "denyPrefixes" : "allowPrefixes",
				all[i].index,
				all[i - 1].deny ? "denyPrefixes"
						: "allowPrefixes",
				all[i - 1].index);
	free(all);
	return rc;
}

static int
xdp_check(void *base, struct error *err)
{
	const struct settings *s = base;

	if (listed_check(s, err) != 0)
		return -1;
	for (size_t i = 0; i < s->interface_count; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(s->interfaces[i].name,
				    s->interfaces[j].name) == 0)
				return error_set(err, ERROR_CONFIG,
					".interfaces[%zu].name: \"%s\" is "
					"given twice",
					i, s->interfaces[i].name);
	return 0;
}

static const struct schema_field xdp_fields[] = {
	{ .name = "allowPrefixes",
		.type = SCHEMA_CUSTOM,
		.custom = &allow_list },
	{ .name = "denyPrefixes",
		.type = SCHEMA_CUSTOM,
		.custom = &deny_list },
	NUMBER("floodGuard", flood_guard, 0, FLOOD_GUARD_MAX, 50000),
	{ .name = "hashSeed", .type = SCHEMA_CUSTOM, .custom = &hash_seed },
	{ .name = "interfaces",
		.type = SCHEMA_LIST,
		SCHEMA_ARRAY_AT(settings, interfaces, interface_count),
		.max = INTERFACES_MAX,
		.sub = &interface_schema },
	GROUP("maps", maps_schema),
	TEXT("object", xdp_object, text_given, NULL),
	{ .name = "onStop",
		.type = SCHEMA_WORD,
		SCHEMA_AT(settings, xdp_keep),
		.words = stop_words },
	TEXT("pinPath", xdp_pin_path, text_given, "/sys/fs/bpf/gloo-gateway"),
	{ .name = NULL },
};

static const struct schema xdp_schema = {
	.fields = xdp_fields,
	.size = sizeof(struct settings),
	.check = xdp_check,
};

static const struct schema_field access_log_fields[] = {
	TEXT("path", access_log, text_given, NULL),
	{ .name = NULL },
};
TABLE(access_log);

static const struct schema_field tls_fields[] = {
	TEXT("roots", tls_roots, text_given,
		"/etc/ssl/certs/ca-certificates.crt"),
	{ .name = NULL },
};
TABLE(tls);

static const struct schema_word log_levels[] = {
	{ "error", LOG_LEVEL_ERROR },
	{ "warn", LOG_LEVEL_WARN },
	{ "info", LOG_LEVEL_INFO },
	{ "debug", LOG_LEVEL_DEBUG },
	{ NULL, 0 },
};

static const struct schema_field settings_fields[] = {
	GROUP("accessLog", access_log_schema),
	GROUP("admin", admin_schema),
	GROUP("directoryConfigSource", config_source_schema),
	GROUP("directorySecretSource", secret_source_schema),
	TEXT("discoveryNamespace", discovery_namespace, model_name_check,
		MODEL_NAMESPACE_DEFAULT),
	GROUP("dns", dns_schema),
	GROUP("limits", limits_schema),
	{ .name = "logLevel",
		.type = SCHEMA_WORD,
		SCHEMA_AT(settings, log_level),
		.fallback = LOG_LEVEL_INFO,
		.words = log_levels },
	GROUP("proxy", proxy_schema),
	TEXT("stateDirectory", state_directory, text_given,
		"/var/lib/gloo-gateway/state"),
	GROUP("tls", tls_schema),
	{ .name = "trustedProxies",
		.type = SCHEMA_CUSTOM,
		.custom = &trusted_list },
	GROUP("xdp", xdp_schema),
	SCHEMA_NOT_YET("watchNamespaces"),
	{ .name = NULL },
};

static int
settings_check(void *base, struct error *err)
{
	const struct settings *s = base;

	if (s->target_bytes > s->head_bytes)
		return error_set(err, ERROR_CONFIG,
			".limits.targetBytes: %u is more than limits.headBytes "
			"(%u)",
			s->target_bytes, s->head_bytes);
	return 0;
}

static const struct schema settings_schema = {
	.fields = settings_fields,
	.size = sizeof(struct settings),
	.check = settings_check,
};

/* ---- the file */

static char *
path_absolute(const char *path)
{
	char *here, *whole;

	if (path[0] == '/')
		return xstrdup(path);
	here = getcwd(NULL, 0);
	if (here == NULL)
		return xstrdup(path);
	whole = xasprintf("%s/%s", here, path);
	free(here);
	return whole;
}

static void
path_settle(char **path, const char *file)
{
	const char *slash = strrchr(file, '/');
	char *whole;

	if (*path == NULL || (*path)[0] == '/' || slash == NULL)
		return;
	whole = xasprintf("%.*s/%s", (int)(slash - file), file, *path);
	free(*path);
	*path = whole;
}

/* Takes out of d what belongs to kinds of upstream. */
static struct doc *
kinds_steal(struct doc *d, const struct upstream_kind *const *kinds)
{
	struct doc *out = doc_new_map();

	for (; kinds != NULL && *kinds != NULL; kinds++) {
		const char *key = (*kinds)->settings_key;
		struct doc *value = NULL;
		int line;

		if (key != NULL && doc_type(d) == DOC_MAP)
			value = doc_steal(d, key);
		if (value == NULL)
			continue;
		if (doc_type(value) == DOC_NULL) {
			line = doc_line(value);
			doc_free(value);
			value = doc_new_map();
			doc_set_line(value, line);
		}
		doc_set(out, key, value);
	}
	return out;
}

static int
kinds_check(const struct doc *given, const struct upstream_kind *const *kinds,
	struct error *err)
{
	for (; kinds != NULL && *kinds != NULL; kinds++) {
		const struct upstream_kind *kind = *kinds;
		const struct doc *value =
			kind->settings_key == NULL
				? NULL
				: doc_get(given, kind->settings_key);

		if (value == NULL || kind->settings_check == NULL ||
			kind->settings_check(value, err) == 0)
			continue;
		if (err->line == 0)
			err->line = doc_line(value);
		return error_prefix(err, ".%s", kind->settings_key);
	}
	return 0;
}

static struct settings *
settings_from(const char *path, const struct upstream_kind *const *kinds,
	struct error *err)
{
	struct doc *d = NULL, *given = NULL;
	struct settings *s = NULL;
	struct str text;

	str_init(&text);
	if (file_read(path, SETTINGS_BYTES_MAX, &text, err) != 0)
		goto out;
	d = yaml_doc_read(text.data, text.length, err);
	if (d == NULL && err->code != ERROR_NONE)
		goto out;
	given = kinds_steal(d, kinds);
	if (kinds_check(given, kinds, err) == 0)
		s = schema_read_new(&settings_schema, d, err);
	schema_place_trim(err);
	if (s != NULL) {
		s->kinds = given;
		given = NULL;
	}
out:
	doc_free(given);
	doc_free(d);
	str_fini(&text);
	return s;
}

/* The caller prints the text alone, so file and line go into it. */
static void
error_locate(struct error *err, const char *path)
{
	if (strstr(err->text, path) != NULL)
		return;
	if (err->line > 0)
		error_prefix(err, "%s:%d", path, err->line);
	else
		error_prefix(err, "%s", path);
}

struct settings *
settings_read(const char *path, const struct upstream_kind *const *kinds,
	struct error *err)
{
	struct error why = ERROR_INIT;
	struct settings *s;
	char *file;

	if (path == NULL)
		return schema_read_new(&settings_schema, NULL, err);
	file = path_absolute(path);
	s = settings_from(file, kinds, &why);
	if (s == NULL) {
		error_locate(&why, file);
		if (err != NULL && err->code == ERROR_NONE)
			*err = why;
		free(file);
		return NULL;
	}
	s->path = file;
	path_settle(&s->config_directory, file);
	path_settle(&s->secret_directory, file);
	path_settle(&s->state_directory, file);
	path_settle(&s->admin_socket, file);
	path_settle(&s->xdp_pin_path, file);
	path_settle(&s->xdp_object, file);
	path_settle(&s->access_log, file);
	path_settle(&s->tls_roots, file);
	return s;
}

void
settings_free(struct settings *s)
{
	if (s == NULL)
		return;
	schema_fini(&settings_schema, s);
	doc_free(s->kinds);
	free(s->path);
	free(s);
}

const struct doc *
settings_of_kind(const struct settings *s, const struct upstream_kind *kind)
{
	return kind->settings_key == NULL
		       ? NULL
		       : doc_get(s->kinds, kind->settings_key);
}
