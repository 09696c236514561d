/* The table of an Upstream. */
#include <stddef.h>

#include "model/model.h"
#include "model/tables.h"

#define CONNECT_TIMEOUT_MS_MAX 600000
#define DNS_REFRESH_MS_MIN     1000
#define DNS_REFRESH_MS_MAX     3600000
#define DNS_REFRESH_MS_DEFAULT 5000 /* Envoy's, with respectDnsTtl: false */

uint64_t
model_dns_refresh_ms(const struct model_upstream *u)
{
	if (u->respect_dns_ttl.value)
		return 0;
	if (u->dns_refresh.given)
		return u->dns_refresh.ms;
	return u->respect_dns_ttl.given ? DNS_REFRESH_MS_DEFAULT : 0;
}

static const struct schema_field discovery_fields[] = {
	{ .name = "labels",
		.type = SCHEMA_PAIRS,
		SCHEMA_ARRAY_AT(model_upstream, discovery_labels,
			discovery_label_count),
		.check = model_text_check },
	{ .name = NULL },
};

static const struct schema discovery_schema = {
	.fields = discovery_fields,
	.size = sizeof(struct model_upstream),
};

static const struct schema_field connection_fields[] = {
	{ .name = "connectTimeout",
		.type = SCHEMA_DURATION_GIVEN,
		SCHEMA_AT(model_upstream, connect_timeout),
		.min = 1,
		.max = CONNECT_TIMEOUT_MS_MAX },
	{ .name = "maxRequestsPerConnection",
		.type = SCHEMA_NUMBER_GIVEN,
		SCHEMA_AT(model_upstream, max_requests_per_connection) },
	SCHEMA_NOT_YET("commonHttpProtocolOptions"),
	SCHEMA_NOT_YET("http1ProtocolOptions"),
	SCHEMA_NOT_YET("perConnectionBufferLimitBytes"),
	SCHEMA_NOT_YET("tcpKeepalive"),
	{ .name = NULL },
};

static const struct schema connection_schema = {
	.fields = connection_fields,
	.size = sizeof(struct model_upstream),
};

static const struct schema_field upstream_fields[] = {
	{ .name = "circuitBreakers",
		.type = SCHEMA_POINTER,
		SCHEMA_AT(model_upstream, breakers),
		.sub = &model_breakers_schema },
	{ .name = "connectionConfig",
		.type = SCHEMA_STRUCT,
		.sub = &connection_schema },
	{ .name = "discoveryMetadata",
		.type = SCHEMA_STRUCT,
		.flags = SCHEMA_KEEP,
		.sub = &discovery_schema },
	{ .name = "dnsRefreshRate",
		.type = SCHEMA_DURATION_GIVEN,
		SCHEMA_AT(model_upstream, dns_refresh),
		.min = DNS_REFRESH_MS_MIN,
		.max = DNS_REFRESH_MS_MAX },
	{ .name = "healthChecks",
		.type = SCHEMA_LIST,
		SCHEMA_ARRAY_AT(
			model_upstream, health_checks, health_check_count),
		.max = 1,
		.sub = &model_health_schema },
	{ .name = "loadBalancerConfig",
		.type = SCHEMA_STRUCT,
		.sub = &model_balance_schema },
	{ .name = "metadata",
		.type = SCHEMA_STRUCT,
		.flags = SCHEMA_REQUIRED | SCHEMA_KEEP,
		SCHEMA_AT(model_upstream, meta),
		.sub = &model_meta_schema },
	{ .name = "outlierDetection",
		.type = SCHEMA_POINTER,
		SCHEMA_AT(model_upstream, outlier),
		.sub = &model_outlier_schema },
	{ .name = "respectDnsTtl",
		.type = SCHEMA_BOOL_GIVEN,
		SCHEMA_AT(model_upstream, respect_dns_ttl) },
	{ .name = "sslConfig",
		.type = SCHEMA_POINTER,
		SCHEMA_AT(model_upstream, tls),
		.sub = &model_tls_schema },
	{ .name = "status", .type = SCHEMA_SKIPPED },
	{ .name = "upstreamSpec", .type = SCHEMA_SKIPPED },
	SCHEMA_NOT_YET("disableIstioAutoMtls"),
	SCHEMA_NOT_YET("failover"),
	SCHEMA_NOT_YET("httpConnectHeaders"),
	SCHEMA_NOT_YET("httpConnectSslConfig"),
	SCHEMA_NOT_YET("httpProxyHostname"),
	SCHEMA_NOT_YET("ignoreHealthOnHostRemoval"),
	SCHEMA_NOT_YET("initialConnectionWindowSize"),
	SCHEMA_NOT_YET("initialStreamWindowSize"),
	SCHEMA_NOT_YET("maxConcurrentStreams"),
	{ .name = "namespacedStatuses", .type = SCHEMA_SKIPPED },
	SCHEMA_NOT_YET("preconnectPolicy"),
	SCHEMA_NOT_YET("protocolSelection"),
	SCHEMA_NOT_YET("proxyProtocolVersion"),
	SCHEMA_NOT_YET("useHttp2"),
	/* Gloo's kinds of upstream that have no folder in kinds/. */
	SCHEMA_NOT_YET("ai"),
	SCHEMA_NOT_YET("awsEc2"),
	SCHEMA_NOT_YET("gcp"),
	{ .name = NULL },
};

const struct schema model_upstream_schema = {
	.fields = upstream_fields,
	.size = sizeof(struct model_upstream),
};
