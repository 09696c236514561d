/* The table of a Gateway. */
#include <stddef.h>

#include "base/addr.h"
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
	{ .name = "tcpGateway",
		.type = SCHEMA_POINTER,
		SCHEMA_AT(model_gateway, tcp),
		.sub = &model_tcp_gateway_schema },
	SCHEMA_NOT_YET("hybridGateway"),
	{ .name = "namespacedStatuses", .type = SCHEMA_SKIPPED },
	SCHEMA_NOT_YET("options"),
	SCHEMA_NOT_YET("plugins"),
	SCHEMA_NOT_YET("routeOptions"),
	SCHEMA_NOT_YET("ssl"),
	SCHEMA_NOT_YET("useProxyProto"),
	SCHEMA_NOT_YET("virtualServiceExpressions"),
	SCHEMA_NOT_YET("virtualServiceNamespaces"),
	SCHEMA_NOT_YET("virtualServiceSelector"),
	{ .name = NULL },
};

static int
gateway_check(void *base, struct error *err)
{
	const struct model_gateway *g = base;
	struct addr addr;

	if (g->tcp != NULL && g->virtual_service_count > 0)
		return error_set(err, ERROR_CONFIG,
			".virtualServices: a gateway is either of HTTP or of "
			"TCP, and this one has a tcpGateway");
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
