/* The table of a Gateway. */
#include <stddef.h>

#include "base/addr.h"
#include "model/model.h"
#include "model/tables.h"

/* Gloo's are those of the listener and those of its HTTP part. */
static const struct schema_field options_fields[] = {
	MODEL_RATE_LIMITS(model_gateway),
	SCHEMA_NOT_YET("accessLoggingService"),
	SCHEMA_NOT_YET("buffer"),
	SCHEMA_NOT_YET("caching"),
	SCHEMA_NOT_YET("connectionBalanceConfig"),
	SCHEMA_NOT_YET("connectionLimit"),
	SCHEMA_NOT_YET("csrf"),
	SCHEMA_NOT_YET("dlp"),
	SCHEMA_NOT_YET("dynamicForwardProxy"),
	SCHEMA_NOT_YET("extProc"),
	SCHEMA_NOT_YET("extauth"),
	SCHEMA_NOT_YET("extensions"),
	SCHEMA_NOT_YET("grpcJsonTranscoder"),
	SCHEMA_NOT_YET("grpcWeb"),
	SCHEMA_NOT_YET("gzip"),
	SCHEMA_NOT_YET("headerValidationSettings"),
	SCHEMA_NOT_YET("healthCheck"),
	SCHEMA_NOT_YET("httpConnectionManagerSettings"),
	SCHEMA_NOT_YET("httpLocalRatelimit"),
	SCHEMA_NOT_YET("leftmostXffAddress"),
	SCHEMA_NOT_YET("networkLocalRatelimit"),
	SCHEMA_NOT_YET("perConnectionBufferLimitBytes"),
	SCHEMA_NOT_YET("proxyLatency"),
	SCHEMA_NOT_YET("proxyProtocol"),
	SCHEMA_NOT_YET("ratelimitServer"),
	SCHEMA_NOT_YET("router"),
	SCHEMA_NOT_YET("sanitizeClusterHeader"),
	SCHEMA_NOT_YET("socketOptions"),
	SCHEMA_NOT_YET("statefulSession"),
	SCHEMA_NOT_YET("tap"),
	SCHEMA_NOT_YET("tcpStats"),
	SCHEMA_NOT_YET("waf"),
	SCHEMA_NOT_YET("wasm"),
	{ .name = NULL },
};

static int
options_check(void *base, struct error *err)
{
	const struct model_gateway *g = base;

	return limits_check(&g->limits, LIMIT_AT_GATEWAY, err);
}

static const struct schema options_schema = {
	.fields = options_fields,
	.size = sizeof(struct model_gateway),
	.check = options_check,
};

#define BINDS_MAX 256

static int
prefix_check(const char *text, struct error *err)
{
	struct addr_prefix prefix;

	if (addr_prefix_parse(text, &prefix, NULL) == 0)
		return 0;
	return error_set(err, ERROR_CONFIG,
		"\"%.64s\" is not an address or prefix such as 10.0.0.0/8",
		text);
}

static int
bind_check(void *base, struct error *err)
{
	const struct model_bind *b = base;

	if (b->end_port == 0 || (b->port != 0 && b->port <= b->end_port))
		return 0;
	return error_set(err, ERROR_CONFIG,
		".endPort: %u is the end of ports that begin with \"port\", "
		"which is %s",
		b->end_port, b->port == 0 ? "missing" : "beyond it");
}

static const struct schema_field bind_fields[] = {
	{ .name = "address",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(model_bind, address),
		.check = prefix_check },
	{ .name = "endPort",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(model_bind, end_port),
		.min = 1 },
	{ .name = "port",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(model_bind, port),
		.min = 1 },
	{ .name = NULL },
};

static const struct schema bind_schema = {
	.fields = bind_fields,
	.size = sizeof(struct model_bind),
	.check = bind_check,
};

/* A socket of one family takes no connections of the other; "::" takes both. */
static const struct schema_field gateway_fields[] = {
	{ .name = "additionalAddresses",
		.type = SCHEMA_LIST,
		SCHEMA_ARRAY_AT(model_gateway, binds, bind_count),
		.max = BINDS_MAX,
		.sub = &bind_schema },
	{ .name = "bindAddress",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_gateway, bind_address),
		.fallback_text = "::",
		.check = model_address_check },
	{ .name = "bindPort",
		.type = SCHEMA_NUMBER,
		.flags = SCHEMA_KEEP,
		SCHEMA_AT(model_gateway, bind_port),
		.min = 1,
		.fallback = 8080 },
	{ .name = "metadata",
		.type = SCHEMA_STRUCT,
		.flags = SCHEMA_REQUIRED | SCHEMA_KEEP,
		SCHEMA_AT(model_gateway, meta),
		.sub = &model_meta_schema },
	{ .name = "options", .type = SCHEMA_STRUCT, .sub = &options_schema },
	{ .name = "proxyNames",
		.type = SCHEMA_STRINGS,
		SCHEMA_ARRAY_AT(model_gateway, proxy_names, proxy_name_count),
		.check = model_name_check },
	{ .name = "status", .type = SCHEMA_SKIPPED },
	{ .name = "virtualServices",
		.type = SCHEMA_LIST,
		SCHEMA_ARRAY_AT(
			model_gateway, virtual_services, virtual_service_count),
		.sub = &model_ref_schema },
	{ .name = "tcpGateway",
		.type = SCHEMA_POINTER,
		SCHEMA_AT(model_gateway, tcp),
		.sub = &model_tcp_gateway_schema },
	SCHEMA_NOT_YET("hybridGateway"),
	{ .name = "namespacedStatuses", .type = SCHEMA_SKIPPED },
	SCHEMA_NOT_YET("plugins"),
	SCHEMA_NOT_YET("routeOptions"),
	SCHEMA_NOT_YET("ssl"),
	SCHEMA_NOT_YET("useProxyProto"),
	SCHEMA_NOT_YET("virtualServiceExpressions"),
	SCHEMA_NOT_YET("virtualServiceNamespaces"),
	SCHEMA_NOT_YET("virtualServiceSelector"),
	{ .name = NULL },
};

const struct model_limits *
model_gateway_limits(const struct model_gateway *g, const char **place)
{
	if (place != NULL)
		*place = g->tcp != NULL ? "tcpGateway.tcpHosts[0].rateLimits"
					: "options.rateLimits";
	return g->tcp != NULL ? &g->tcp->hosts[0].limits : &g->limits;
}

static int
binds_check(const struct model_gateway *g, struct error *err)
{
	struct addr_prefix prefix;
	struct addr own, first;

	if (addr_parse_ip(g->bind_address, 0, &own) != 0)
		return 0;
	for (size_t i = 0; i < g->bind_count; i++) {
		if (addr_prefix_parse(g->binds[i].address, &prefix, NULL) != 0)
			continue;
		first = (struct addr){ 0 };
		for (size_t k = 0; k < sizeof(first.ip); k++)
			first.ip[k] = prefix.ip[k];
		if (addr_is_v4(&first) == addr_is_v4(&own) ||
			(addr_is_any(&own) && !addr_is_v4(&own)))
			continue;
		return error_set(err, ERROR_CONFIG,
			".additionalAddresses[%zu].address: a listener on %s "
			"cannot serve %s; its bindAddress would have to be "
			"\"::\"",
			i, g->bind_address, g->binds[i].address);
	}
	return 0;
}

static int
gateway_check(void *base, struct error *err)
{
	const struct model_gateway *g = base;
	struct addr addr;

	if (g->tcp != NULL && g->virtual_service_count > 0)
		return error_set(err, ERROR_CONFIG,
			".virtualServices: a gateway is either of HTTP or of "
			"TCP, and this one has a tcpGateway");
	if (g->tcp != NULL && g->bind_count > 0)
		return error_set(err, ERROR_CONFIG,
			".additionalAddresses: of HTTP only, and this gateway "
			"has a tcpGateway; make a gateway for each address");
	if (g->tcp != NULL && g->limits.count > 0)
		return error_set(err, ERROR_CONFIG,
			".options.rateLimits: of HTTP only, and this gateway "
			"has a tcpGateway, whose limits stand at the host: "
			"tcpGateway.tcpHosts[0].rateLimits");
	if (binds_check(g, err) != 0)
		return -1;
	if (g->tcp == NULL || g->tcp->hosts[0].mode != MODEL_STEER_ROUTE)
		return 0;
	addr_parse_ip(g->bind_address, g->bind_port, &addr);
	if (addr_is_any(&addr))
		return error_set(err, ERROR_CONFIG,
			".bindAddress: mode route needs an address of its own, "
			"which answers get as their source; %s stands for all",
			g->bind_address);
	return 0;
}

const struct schema model_gateway_schema = {
	.fields = gateway_fields,
	.size = sizeof(struct model_gateway),
	.check = gateway_check,
};
