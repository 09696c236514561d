/* The table of a Gateway. */
#include <stddef.h>

#include "model/model.h"
#include "model/tables.h"

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
	SCHEMA_NOT_YET("options"),
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
