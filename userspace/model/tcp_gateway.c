/* The table of a Gateway's tcpGateway: TCP and UDP services. */
#include <stdbool.h>
#include <stddef.h>

#include "model/model.h"
#include "model/tables.h"

#define IDLE_MS_MAX  86400000
#define DRAIN_MS_MAX 28800000

static const struct schema_word protocols[] = {
	{ "TCP", MODEL_TCP },
	{ "UDP", MODEL_UDP },
	{ NULL, 0 },
};

static const struct schema_word modes[] = {
	{ "nat", MODEL_STEER_NAT },
	{ "dsr-l2", MODEL_STEER_DSR_L2 },
	{ "route", MODEL_STEER_ROUTE },
	{ "ipip", MODEL_STEER_IPIP },
	{ "gue", MODEL_STEER_GUE },
	{ "relay", MODEL_STEER_RELAY },
	{ NULL, 0 },
};

static const struct schema_word tables[] = {
	{ "auto", false },
	{ "always", true },
	{ NULL, 0 },
};

static const struct schema_word udp_words[] = {
	{ "stateless", MODEL_UDP_STATELESS },
	{ "sticky", MODEL_UDP_STICKY },
	{ NULL, 0 },
};

const char *
model_steer_name(enum model_steer mode)
{
	for (const struct schema_word *w = modes; w->name != NULL; w++)
		if (w->value == mode)
			return w->name;
	return "none";
}

const char *
model_l4_name(enum model_l4 protocol)
{
	return protocol == MODEL_UDP ? "UDP" : "TCP";
}

/* ---- destination */

static const struct schema_field single_fields[] = {
	{ .name = "upstream",
		.type = SCHEMA_STRUCT,
		.flags = SCHEMA_REQUIRED | SCHEMA_KEEP,
		SCHEMA_AT(model_tcp_host, upstream),
		.sub = &model_ref_schema },
	SCHEMA_NOT_YET("consul"),
	SCHEMA_NOT_YET("destinationSpec"),
	SCHEMA_NOT_YET("kube"),
	SCHEMA_NOT_YET("subset"),
	{ .name = NULL },
};

static const struct schema single_schema = {
	.fields = single_fields,
	.size = sizeof(struct model_tcp_host),
};

/* Gloo writes it as an empty map, which asks for something all the same. */
static int
sni_cluster_read(const struct doc *d, void *base, struct error *err)
{
	(void)d;
	(void)base;
	return error_set(err, ERROR_CONFIG, "is not supported yet");
}

static struct doc *
sni_cluster_print(const void *base)
{
	(void)base;
	return NULL;
}

static const struct schema_custom sni_cluster = {
	.read = sni_cluster_read,
	.print = sni_cluster_print,
};

static const struct schema_field destination_fields[] = {
	{ .name = "single",
		.type = SCHEMA_STRUCT,
		.flags = SCHEMA_REQUIRED | SCHEMA_KEEP,
		.sub = &single_schema },
	{ .name = "forwardSniClusterName",
		.type = SCHEMA_CUSTOM,
		.custom = &sni_cluster },
	SCHEMA_NOT_YET("multi"),
	SCHEMA_NOT_YET("upstreamGroup"),
	{ .name = NULL },
};

static const struct schema destination_schema = {
	.fields = destination_fields,
	.size = sizeof(struct model_tcp_host),
};

/* ---- a host */

static int
mode_check(const struct model_tcp_host *h, struct error *err)
{
	if (h->mode != MODEL_STEER_RELAY)
		return 0;
	if (h->protocol == MODEL_UDP)
		return error_set(err, ERROR_CONFIG,
			".mode: UDP is not relayed; all other modes serve it");
	if (h->always)
		return error_set(err, ERROR_CONFIG,
			".connectionTable: is of no meaning in mode relay, "
			"which has no table");
	if (h->drain_timeout.given)
		return error_set(err, ERROR_CONFIG,
			".drainTimeout: is of no meaning in mode relay, whose "
			"connections stay where they are until they end");
	return 0;
}

static int
host_limits_check(const struct model_tcp_host *h, struct error *err)
{
	struct limit_rule r;

	if (limits_check(&h->limits, LIMIT_AT_TCP_HOST, err) != 0)
		return -1;
	for (size_t i = 0; h->protocol == MODEL_UDP &&
			   limit_rule_get(&h->limits, i, &r);
		i++)
		if (r.counts == LIMIT_CONNECTIONS)
			return error_set(err, ERROR_CONFIG,
				".rateLimits[%zu].counts: UDP makes no "
				"connections: packets or bytes",
				i);
	return 0;
}

static int
host_check(void *base, struct error *err)
{
	const struct model_tcp_host *h = base;

	if (h->protocol == MODEL_TCP && h->udp != MODEL_UDP_UNSAID)
		return error_set(err, ERROR_CONFIG,
			".udp: is for hosts whose protocol is UDP");
	if (h->udp == MODEL_UDP_STATELESS && h->always)
		return error_set(err, ERROR_CONFIG,
			".udp: connectionTable: always keeps every flow, which "
			"is not stateless");
	if (h->udp == MODEL_UDP_STATELESS && h->mode == MODEL_STEER_NAT)
		return error_set(err, ERROR_CONFIG,
			".udp: mode nat must keep flows to bring answers back; "
			"dsr-l2, route, ipip and gue can be stateless");
	return mode_check(h, err) == 0 ? host_limits_check(h, err) : -1;
}

static const struct schema_field host_fields[] = {
	{ .name = "connectionTable",
		.type = SCHEMA_WORD,
		SCHEMA_AT(model_tcp_host, always),
		.words = tables },
	{ .name = "destination",
		.type = SCHEMA_STRUCT,
		.flags = SCHEMA_REQUIRED | SCHEMA_KEEP,
		.sub = &destination_schema },
	{ .name = "drainTimeout",
		.type = SCHEMA_DURATION_GIVEN,
		SCHEMA_AT(model_tcp_host, drain_timeout),
		.min = 1000,
		.max = DRAIN_MS_MAX },
	{ .name = "idleTimeout",
		.type = SCHEMA_DURATION_GIVEN,
		SCHEMA_AT(model_tcp_host, idle_timeout),
		.min = 1000,
		.max = IDLE_MS_MAX },
	{ .name = "mode",
		.type = SCHEMA_WORD,
		SCHEMA_AT(model_tcp_host, mode),
		.words = modes },
	{ .name = "name",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED | SCHEMA_KEEP,
		SCHEMA_AT(model_tcp_host, name),
		.check = model_name_check },
	{ .name = "protocol",
		.type = SCHEMA_WORD,
		SCHEMA_AT(model_tcp_host, protocol),
		.words = protocols },
	MODEL_RATE_LIMITS(model_tcp_host),
	{ .name = "udp",
		.type = SCHEMA_WORD,
		SCHEMA_AT(model_tcp_host, udp),
		.words = udp_words },
	SCHEMA_NOT_YET("sslConfig"),
	{ .name = NULL },
};

static const struct schema host_schema = {
	.fields = host_fields,
	.size = sizeof(struct model_tcp_host),
	.check = host_check,
};

/* ---- options */

static const struct schema_field proxy_fields[] = {
	{ .name = "idleTimeout",
		.type = SCHEMA_DURATION_GIVEN,
		SCHEMA_AT(model_tcp_gateway, idle_timeout),
		.min = 1000,
		.max = IDLE_MS_MAX },
	{ .name = "maxConnectAttempts",
		.type = SCHEMA_NUMBER_GIVEN,
		SCHEMA_AT(model_tcp_gateway, connect_attempts),
		.min = 1,
		.max = MODEL_CONNECT_ATTEMPTS_MAX },
	SCHEMA_NOT_YET("accessLogFlushInterval"),
	SCHEMA_NOT_YET("tunnelingConfig"),
	{ .name = NULL },
};

static const struct schema proxy_schema = {
	.fields = proxy_fields,
	.size = sizeof(struct model_tcp_gateway),
};

static const struct schema_field options_fields[] = {
	{ .name = "tcpProxySettings",
		.type = SCHEMA_STRUCT,
		.sub = &proxy_schema },
	SCHEMA_NOT_YET("connectionLimit"),
	SCHEMA_NOT_YET("localRatelimit"),
	{ .name = NULL },
};

static const struct schema options_schema = {
	.fields = options_fields,
	.size = sizeof(struct model_tcp_gateway),
};

/* ---- the gateway */

/* Gloo tells hosts of one port apart by the name that TLS asks for. */
static int
hosts_check(void *base, struct error *err)
{
	const struct model_tcp_gateway *t = base;

	if (t->host_count > 1)
		return error_set(err, ERROR_CONFIG,
			".tcpHosts[1]: one address and port can have one host "
			"only, as long as there is no sslConfig to tell them "
			"apart; make a gateway for each");
	if (t->hosts[0].protocol == MODEL_UDP && t->connect_attempts.given)
		return error_set(err, ERROR_CONFIG,
			".options.tcpProxySettings.maxConnectAttempts: UDP "
			"makes no connections");
	return 0;
}

static const struct schema_field tcp_gateway_fields[] = {
	{ .name = "options",
		.type = SCHEMA_STRUCT,
		.sub = &options_schema },
	{ .name = "tcpHosts",
		.type = SCHEMA_LIST,
		.flags = SCHEMA_REQUIRED | SCHEMA_KEEP,
		SCHEMA_ARRAY_AT(model_tcp_gateway, hosts, host_count),
		.min = 1,
		.sub = &host_schema },
	{ .name = NULL },
};

const struct schema model_tcp_gateway_schema = {
	.fields = tcp_gateway_fields,
	.size = sizeof(struct model_tcp_gateway),
	.check = hosts_check,
};

uint64_t
model_tcp_idle_ms(const struct model_tcp_gateway *t)
{
	const struct model_tcp_host *h = &t->hosts[0];

	if (h->idle_timeout.given)
		return h->idle_timeout.ms;
	if (t->idle_timeout.given)
		return t->idle_timeout.ms;
	return h->protocol == MODEL_UDP ? MODEL_UDP_IDLE_MS_DEFAULT
					: MODEL_TCP_IDLE_MS_DEFAULT;
}

uint64_t
model_tcp_drain_ms(const struct model_tcp_gateway *t)
{
	const struct model_duration *d = &t->hosts[0].drain_timeout;

	return d->given ? d->ms : MODEL_DRAIN_MS_DEFAULT;
}

uint32_t
model_tcp_attempts(const struct model_tcp_gateway *t)
{
	return t->connect_attempts.given ? t->connect_attempts.value
					 : MODEL_CONNECT_ATTEMPTS_DEFAULT;
}
