/* The table of headerManipulation. */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "model/model.h"
#include "model/tables.h"

#define HEADERS_MAX 24 /* a route's and its host's fit into one head edit */

/* Fields that frame the message or belong to one connection. */
int
model_field_name_check(const char *text, struct error *err)
{
	static const char *const own[] = { "connection", "content-length",
		"keep-alive", "proxy-connection", "te", "trailer",
		"transfer-encoding", "upgrade" };

	if (model_token_check(text, err) != 0)
		return -1;
	if (strcasecmp(text, "host") == 0)
		return error_set(err, ERROR_CONFIG,
			"\"%s\" cannot be changed here; use hostRewrite", text);
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (strcasecmp(text, own[i]) == 0)
			return error_set(err, ERROR_CONFIG,
				"\"%s\" is the gateway's own and cannot be "
				"changed",
				text);
	return 0;
}

static int
field_value_check(const char *text, struct error *err)
{
	size_t length = strlen(text);

	if (length > 0 && (text[0] == ' ' || text[length - 1] == ' '))
		return error_set(err, ERROR_CONFIG,
			"must not begin or end with a space");
	return model_text_check(text, err);
}

static const struct schema_field header_pair_fields[] = {
	{ .name = "key",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(model_header_value, name),
		.max = 256,
		.check = model_field_name_check },
	{ .name = "value",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_header_value, value),
		.fallback_text = "",
		.check = field_value_check },
	{ .name = NULL },
};

static const struct schema header_pair_schema = {
	.fields = header_pair_fields,
	.size = sizeof(struct model_header_value),
};

static const struct schema_field header_value_fields[] = {
	{ .name = "append",
		.type = SCHEMA_BOOL,
		.flags = SCHEMA_KEEP,
		SCHEMA_AT(model_header_value, append),
		.fallback = true },
	{ .name = "header",
		.type = SCHEMA_STRUCT,
		.flags = SCHEMA_REQUIRED | SCHEMA_KEEP,
		.sub = &header_pair_schema },
	SCHEMA_NOT_YET("headerSecretRef"),
	{ .name = NULL },
};

const struct schema model_header_value_schema = {
	.fields = header_value_fields,
	.size = sizeof(struct model_header_value),
};

static const struct schema_field manipulation_fields[] = {
	{ .name = "requestHeadersToAdd",
		.type = SCHEMA_LIST,
		SCHEMA_ARRAY_AT(model_header_manipulation, request_add,
			request_add_count),
		.max = HEADERS_MAX,
		.sub = &model_header_value_schema },
	{ .name = "requestHeadersToRemove",
		.type = SCHEMA_STRINGS,
		SCHEMA_ARRAY_AT(model_header_manipulation, request_remove,
			request_remove_count),
		.check = model_field_name_check },
	{ .name = "responseHeadersToAdd",
		.type = SCHEMA_LIST,
		SCHEMA_ARRAY_AT(model_header_manipulation, response_add,
			response_add_count),
		.max = HEADERS_MAX,
		.sub = &model_header_value_schema },
	{ .name = "responseHeadersToRemove",
		.type = SCHEMA_STRINGS,
		SCHEMA_ARRAY_AT(model_header_manipulation, response_remove,
			response_remove_count),
		.check = model_field_name_check },
	{ .name = NULL },
};

const struct schema model_headers_schema = {
	.fields = manipulation_fields,
	.size = sizeof(struct model_header_manipulation),
};
