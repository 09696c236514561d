/* The table of a Gateway. */
#include <stddef.h>

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

static const struct schema_field gateway_fields[] = {
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
	SCHEMA_NOT_YET("hybridGateway"),
	{ .name = "namespacedStatuses", .type = SCHEMA_SKIPPED },
	SCHEMA_NOT_YET("plugins"),
	SCHEMA_NOT_YET("routeOptions"),
	SCHEMA_NOT_YET("ssl"),
	SCHEMA_NOT_YET("tcpGateway"),
	SCHEMA_NOT_YET("useProxyProto"),
	SCHEMA_NOT_YET("virtualServiceExpressions"),
	SCHEMA_NOT_YET("virtualServiceNamespaces"),
	SCHEMA_NOT_YET("virtualServiceSelector"),
	{ .name = NULL },
};

const struct schema model_gateway_schema = {
	.fields = gateway_fields,
	.size = sizeof(struct model_gateway),
};
