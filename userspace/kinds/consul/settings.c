/* The key `consul` of settings.yaml, read by schema tables. */
#include "kinds/consul/settings.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "kinds/consul/address.h"
#include "kinds/consul/agent.h"
#include "model/schema.h"
#include "model/tables.h"

#define ADDRESS_DEFAULT     "127.0.0.1:8500"
#define WAIT_MS_DEFAULT     300000 /* Consul's own default ... */
#define WAIT_MS_MIN         1000
#define WAIT_MS_MAX         600000 /* ... and its most */
#define CONNECTIONS_DEFAULT 150
#define CONNECTIONS_MAX     16384
#define DATACENTERS_MAX     64
#define TAGS_MAX            1024

/* ---- texts; a message must not quote a token */

static int
address_check(const char *text, struct error *err)
{
	struct consul_address a;

	if (consul_address_read(text, &a, err) != 0)
		return -1;
	consul_address_fini(&a);
	return 0;
}

static int
token_check(const char *text, struct error *err)
{
	if (text[0] == '\0')
		return error_set(err, ERROR_CONFIG, "must not be empty");
	for (const char *p = text; *p != '\0'; p++)
		if (!isgraph((unsigned char)*p))
			return error_set(err, ERROR_CONFIG,
				"must be printable ASCII without spaces");
	return 0;
}

static int
text_given(const char *text, struct error *err)
{
	if (text[0] == '\0')
		return error_set(err, ERROR_CONFIG, "expected a text");
	return model_text_check(text, err);
}

/* ---- serviceDiscovery */

static const struct schema_word consistency_words[] = {
	{ "DefaultMode", CONSUL_DEFAULT },
	{ "StaleMode", CONSUL_STALE },
	{ "ConsistentMode", CONSUL_CONSISTENT },
	{ NULL, 0 },
};

#define TEXTS(key, member, count, most, checked)                               \
	{                                                                      \
		.name = (key), .type = SCHEMA_STRINGS,                         \
		SCHEMA_ARRAY_AT(consul_settings_discovery, member, count),     \
		.max = (most), .check = (checked)                              \
	}

static const struct schema_field discovery_fields[] = {
	{ .name = "consistencyMode",
		.type = SCHEMA_WORD,
		SCHEMA_AT(consul_settings_discovery, consistency),
		.words = consistency_words },
	TEXTS("dataCenters", datacenters, datacenter_count, DATACENTERS_MAX,
		model_token_check),
	{ .name = "splitByTag",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(consul_settings_discovery, per_tag) },
	TEXTS("tagsExclude", exclude_tags, exclude_count, TAGS_MAX, text_given),
	TEXTS("tagsInclude", include_tags, include_count, TAGS_MAX, text_given),
	{ .name = NULL },
};

static bool
has(char *const *texts, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(texts[i], text) == 0)
			return true;
	return false;
}

static int
discovery_finish(void *base, struct error *err)
{
	const struct consul_settings_discovery *d = base;

	for (size_t i = 0; i < d->datacenter_count; i++)
		if (has(d->datacenters, i, d->datacenters[i]))
			return error_set(err, ERROR_CONFIG,
				".dataCenters[%zu]: \"%s\" is given twice", i,
				d->datacenters[i]);
	for (size_t i = 0; i < d->exclude_count; i++)
		if (has(d->include_tags, d->include_count, d->exclude_tags[i]))
			return error_set(err, ERROR_CONFIG,
				".tagsExclude[%zu]: \"%s\" is in tagsInclude, "
				"too",
				i, d->exclude_tags[i]);
	return 0;
}

static const struct schema discovery_schema = {
	.fields = discovery_fields,
	.size = sizeof(struct consul_settings_discovery),
	.check = discovery_finish,
};

static int
discovery_read(const struct doc *d, void *base, struct error *err)
{
	struct consul_settings *s = base;

	if (schema_read(&discovery_schema, d, &s->discovery, err) != 0) {
		s->discovery = (struct consul_settings_discovery){ 0 };
		return -1;
	}
	s->discovery.given = true;
	return 0;
}

static struct doc *
discovery_print(const void *base)
{
	const struct consul_settings *s = base;

	return s->discovery.given
		       ? schema_print(&discovery_schema, &s->discovery)
		       : NULL;
}

static void
discovery_fini(void *base)
{
	struct consul_settings *s = base;

	if (s->discovery.given)
		schema_fini(&discovery_schema, &s->discovery);
}

static const struct schema_custom discovery_custom = {
	discovery_read,
	discovery_print,
	discovery_fini,
};

/* ---- consul */

#define TEXT(key, member, checked)                                             \
	{                                                                      \
		.name = (key), .type = SCHEMA_STRING,                          \
		SCHEMA_AT(consul_settings, member), .check = (checked)         \
	}

static const struct schema_field fields[] = {
	SCHEMA_NOT_YET("address"),
	TEXT("caFile", ca_file, text_given),
	SCHEMA_NOT_YET("caPath"),
	TEXT("certFile", cert_file, text_given),
	TEXT("dataCenter", datacenter, model_token_check),
	SCHEMA_NOT_YET("dnsAddress"),
	SCHEMA_NOT_YET("dnsPollingInterval"),
	{ .name = "httpAddress",
		.type = SCHEMA_STRING,
		SCHEMA_AT(consul_settings, http_address),
		.check = address_check,
		.fallback_text = ADDRESS_DEFAULT },
	{ .name = "insecureSkipVerify",
		.type = SCHEMA_BOOL_GIVEN,
		SCHEMA_AT(consul_settings, insecure_skip_verify) },
	TEXT("keyFile", key_file, text_given),
	{ .name = "maxConnections",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(consul_settings, connections_max),
		.min = 1,
		.max = CONNECTIONS_MAX,
		.fallback = CONNECTIONS_DEFAULT },
	SCHEMA_NOT_YET("password"),
	{ .name = "serviceDiscovery",
		.type = SCHEMA_CUSTOM,
		.custom = &discovery_custom },
	TEXT("token", token, token_check),
	TEXT("tokenFile", token_file, text_given),
	SCHEMA_NOT_YET("username"),
	{ .name = "waitTime",
		.type = SCHEMA_DURATION_GIVEN,
		SCHEMA_AT(consul_settings, wait_time),
		.min = WAIT_MS_MIN,
		.max = WAIT_MS_MAX },
	{ .name = NULL },
};

static bool
tls_is_asked_for(const struct consul_settings *s)
{
	return s->ca_file != NULL || s->cert_file != NULL ||
	       s->key_file != NULL || s->insecure_skip_verify.value;
}

static int
settings_finish(void *base, struct error *err)
{
	struct consul_settings *s = base;

	if (!s->wait_time.given)
		s->wait_time.ms = WAIT_MS_DEFAULT;
	if (s->token != NULL && s->token_file != NULL)
		return error_set(err, ERROR_CONFIG,
			".tokenFile: there is a token, too; leave one out");
	if (s->key_file != NULL && s->cert_file == NULL)
		return error_set(err, ERROR_CONFIG,
			".keyFile: needs certFile, the certificate of the key");
	if (tls_is_asked_for(s) &&
		strncmp(s->http_address, "https://", strlen("https://")) != 0)
		return error_set(err, ERROR_CONFIG,
			".httpAddress: caFile, certFile, keyFile and "
			"insecureSkipVerify need one that begins with "
			"\"https://\"");
	return 0;
}

static const struct schema settings_schema = {
	.fields = fields,
	.size = sizeof(struct consul_settings),
	.check = settings_finish,
};

struct consul_settings *
consul_settings_read(const struct doc *settings, struct error *err)
{
	return schema_read_new(&settings_schema, settings, err);
}

int
consul_settings_check(const struct doc *settings, struct error *err)
{
	struct consul_settings *s = consul_settings_read(settings, err);

	if (s == NULL)
		return -1;
	consul_settings_free(s);
	return 0;
}

void
consul_settings_free(struct consul_settings *s)
{
	if (s == NULL)
		return;
	if (s->token != NULL)
		explicit_bzero(s->token, strlen(s->token));
	schema_fini(&settings_schema, s);
	free(s);
}
