/* The table of healthChecks[]. */
#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "model/model.h"
#include "model/tables.h"

#define HOUR_MS         3600000
#define INTERVAL_MS_MIN 100 /* more often is a load test */
#define THRESHOLD_MAX   1000
#define STATUSES_MAX    32
#define RECEIVE_MAX     16
#define HEADERS_MAX     24

/* ---- httpHealthCheck */

static int
path_check(const char *text, struct error *err)
{
	if (text[0] != '/')
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" must begin with \"/\"", text);
	for (const char *p = text; *p != '\0'; p++)
		if (!isgraph((unsigned char)*p) || *p == '#')
			return error_set(err, ERROR_CONFIG,
				"a path must be printable ASCII without "
				"spaces and \"#\"; use %%XX (byte %zu)",
				(size_t)(p - text));
	return 0;
}

static int
method_check(const char *text, struct error *err)
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "PUT",
		"DELETE", "OPTIONS", "TRACE", "PATCH" };

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (strcmp(text, methods[i]) == 0)
			return 0;
	return error_set(err, ERROR_CONFIG,
		"expected one of GET, HEAD, POST, PUT, DELETE, OPTIONS, TRACE, "
		"PATCH, found \"%.64s\"",
		text);
}

/* It becomes the Host field: a name or an address, with or without a port. */
static int
host_check(const char *text, struct error *err)
{
	if (text[0] == '\0')
		return error_set(err, ERROR_CONFIG, "must not be empty");
	for (const char *p = text; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("-._:[]", *p) == NULL)
			return error_set(err, ERROR_CONFIG,
				"\"%.64s\" is not a host with or without a "
				"port",
				text);
	return 0;
}

static const struct schema_field range_fields[] = {
	{ .name = "end",
		.type = SCHEMA_NUMBER,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(model_status_range, end),
		.min = 101,
		.max = 600 },
	{ .name = "start",
		.type = SCHEMA_NUMBER,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(model_status_range, start),
		.min = 100,
		.max = 599 },
	{ .name = NULL },
};

static int
range_check(void *base, struct error *err)
{
	const struct model_status_range *r = base;

	if (r->start < r->end)
		return 0;
	return error_set(err, ERROR_CONFIG,
		".end: is not in the range, so it must be more than the "
		"start, %u",
		r->start);
}

static const struct schema range_schema = {
	.fields = range_fields,
	.size = sizeof(struct model_status_range),
	.check = range_check,
};

static const struct schema_field http_fields[] = {
	{ .name = "expectedStatuses",
		.type = SCHEMA_LIST,
		SCHEMA_ARRAY_AT(model_health_check, statuses, status_count),
		.max = STATUSES_MAX,
		.sub = &range_schema },
	{ .name = "host",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_health_check, host),
		.max = 256,
		.check = host_check },
	{ .name = "method",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_health_check, method),
		.check = method_check },
	{ .name = "path",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(model_health_check, path),
		.max = 2048,
		.check = path_check },
	{ .name = "requestHeadersToAdd",
		.type = SCHEMA_LIST,
		SCHEMA_ARRAY_AT(model_health_check, add, add_count),
		.max = HEADERS_MAX,
		.sub = &model_header_value_schema },
	{ .name = "requestHeadersToRemove",
		.type = SCHEMA_STRINGS,
		SCHEMA_ARRAY_AT(model_health_check, remove, remove_count),
		.max = HEADERS_MAX,
		.check = model_field_name_check },
	SCHEMA_NOT_YET("responseAssertions"),
	SCHEMA_NOT_YET("serviceName"),
	SCHEMA_NOT_YET("useHttp2"),
	{ .name = NULL },
};

static const struct schema http_schema = {
	.fields = http_fields,
	.size = sizeof(struct model_health_check),
};

/* ---- tcpHealthCheck */

static int
hexadecimal_check(const char *text, struct error *err)
{
	size_t length = strspn(text, "0123456789abcdefABCDEF");

	if (text[length] == '\0' && length > 0 && length % 2 == 0)
		return 0;
	return error_set(err, ERROR_CONFIG,
		"expected bytes as pairs of hexadecimal digits, such as "
		"\"50494e47\", found \"%.64s\"",
		text);
}

static const struct schema_field payload_fields[] = {
	{ .name = "text",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(model_payload, text),
		.max = 2 * MODEL_PAYLOAD_MAX,
		.check = hexadecimal_check },
	SCHEMA_NOT_YET("binary"),
	{ .name = NULL },
};

static const struct schema payload_schema = {
	.fields = payload_fields,
	.size = sizeof(struct model_payload),
};

static const struct schema_field tcp_fields[] = {
	{ .name = "receive",
		.type = SCHEMA_LIST,
		SCHEMA_ARRAY_AT(model_health_check, receive, receive_count),
		.max = RECEIVE_MAX,
		.sub = &payload_schema },
	{ .name = "send",
		.type = SCHEMA_POINTER,
		SCHEMA_AT(model_health_check, send),
		.sub = &payload_schema },
	{ .name = NULL },
};

static const struct schema tcp_schema = {
	.fields = tcp_fields,
	.size = sizeof(struct model_health_check),
};

/* ---- healthChecks[] */

#define TIME(key, member, least)                                               \
	{                                                                      \
		.name = (key), .type = SCHEMA_DURATION,                        \
		SCHEMA_AT(model_health_check, member), .min = (least),         \
		.max = HOUR_MS                                                 \
	}
#define TIME_NEEDED(key, member, least)                                        \
	{                                                                      \
		.name = (key), .type = SCHEMA_DURATION,                        \
		.flags = SCHEMA_REQUIRED,                                      \
		SCHEMA_AT(model_health_check, member), .min = (least),         \
		.max = HOUR_MS                                                 \
	}
#define THRESHOLD(key, member)                                                 \
	{                                                                      \
		.name = (key), .type = SCHEMA_NUMBER,                          \
		.flags = SCHEMA_REQUIRED,                                      \
		SCHEMA_AT(model_health_check, member), .min = 1,               \
		.max = THRESHOLD_MAX                                           \
	}
#define WAY(key, value, table)                                                 \
	{                                                                      \
		.name = (key), .type = SCHEMA_STRUCT,                          \
		SCHEMA_CHOICE_AT(model_health_check, type, value),             \
		.sub = &(table)                                                \
	}

static const struct schema_field health_fields[] = {
	TIME("healthyEdgeInterval", healthy_edge_interval_ms, INTERVAL_MS_MIN),
	THRESHOLD("healthyThreshold", healthy_threshold),
	WAY("httpHealthCheck", MODEL_HEALTH_HTTP, http_schema),
	TIME("initialJitter", initial_jitter_ms, 0),
	TIME_NEEDED("interval", interval_ms, INTERVAL_MS_MIN),
	TIME("intervalJitter", interval_jitter_ms, 0),
	{ .name = "intervalJitterPercent",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(model_health_check, interval_jitter_percent),
		.max = 100 },
	{ .name = "reuseConnection",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(model_health_check, reuse_connection),
		.fallback = true },
	WAY("tcpHealthCheck", MODEL_HEALTH_TCP, tcp_schema),
	TIME_NEEDED("timeout", timeout_ms, 1),
	TIME("unhealthyEdgeInterval", unhealthy_edge_interval_ms,
		INTERVAL_MS_MIN),
	TIME("unhealthyInterval", unhealthy_interval_ms, INTERVAL_MS_MIN),
	THRESHOLD("unhealthyThreshold", unhealthy_threshold),
	SCHEMA_NOT_YET("alwaysLogHealthCheckFailures"),
	SCHEMA_NOT_YET("customHealthCheck"),
	SCHEMA_NOT_YET("eventLogPath"),
	SCHEMA_NOT_YET("grpcHealthCheck"),
	SCHEMA_NOT_YET("noTrafficInterval"),
	{ .name = NULL },
};

const struct schema model_health_schema = {
	.fields = health_fields,
	.size = sizeof(struct model_health_check),
	.choice_needed = true,
};
