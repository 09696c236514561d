/* Consul upstreams: the instances of a service in Consul's catalog. */
#include "kinds/consul/spec.h"

#include "kinds/consul/agent.h"
#include "kinds/flags.h"
#include "kinds/spec.h"
#include "model/kind.h"
#include "model/tables.h"

static const struct schema_word consistency_words[] = {
	{ "DefaultMode", CONSUL_DEFAULT },
	{ "StaleMode", CONSUL_STALE },
	{ "ConsistentMode", CONSUL_CONSISTENT },
	{ NULL, 0 },
};

static const struct schema_field query_fields[] = {
	{ .name = "useCache",
		.type = SCHEMA_BOOL_GIVEN,
		SCHEMA_AT(consul_spec, use_cache) },
	{ .name = NULL },
};

static const struct schema query_schema = {
	.fields = query_fields,
	.size = sizeof(struct consul_spec),
};

static const struct schema_field spec_fields[] = {
	{ .name = "connectEnabled",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(consul_spec, connect_enabled) },
	{ .name = "consistencyMode",
		.type = SCHEMA_WORD,
		SCHEMA_AT(consul_spec, consistency),
		.words = consistency_words },
	{ .name = "dataCenters",
		.type = SCHEMA_STRINGS,
		SCHEMA_ARRAY_AT(consul_spec, data_centers, data_center_count),
		.check = model_text_check },
	{ .name = "instanceBlacklistTags",
		.type = SCHEMA_STRINGS,
		SCHEMA_ARRAY_AT(
			consul_spec, blacklist_tags, blacklist_tag_count),
		.check = model_text_check },
	{ .name = "instanceTags",
		.type = SCHEMA_STRINGS,
		SCHEMA_ARRAY_AT(consul_spec, instance_tags, instance_tag_count),
		.check = model_text_check },
	{ .name = "queryOptions", .type = SCHEMA_STRUCT, .sub = &query_schema },
	{ .name = "serviceName",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(consul_spec, service_name),
		.max = 256,
		.check = model_token_check },
	{ .name = "serviceTags",
		.type = SCHEMA_STRINGS,
		SCHEMA_ARRAY_AT(consul_spec, service_tags, service_tag_count),
		.check = model_text_check },
	{ .name = "subsetTags",
		.type = SCHEMA_STRINGS,
		SCHEMA_ARRAY_AT(consul_spec, subset_tags, subset_tag_count),
		.check = model_text_check },
	SCHEMA_NOT_YET("serviceSpec"),
	{ .name = NULL },
};

static const struct schema spec_schema = {
	.fields = spec_fields,
	.size = sizeof(struct consul_spec),
};

KIND_SPEC(spec_schema)

static void
spec_details(const void *data, struct str *lines)
{
	const struct consul_spec *spec = data;

	str_printf(lines, "svc name: %s\nsvc tags: [", spec->service_name);
	for (size_t i = 0; i < spec->service_tag_count; i++)
		str_printf(lines, "%s%s", i == 0 ? "" : " ",
			spec->service_tags[i]);
	str_puts(lines, "]\n");
}

static int
service_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(spec, "serviceName", value, err);
}

static int
tags_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_list(spec, "serviceTags", value, err);
}

static const struct kind_flag flags[] = {
	{ "consul-service", "string", "name of the service in Consul",
		service_set },
	{ "consul-service-tags", "strings",
		"tags that an instance must have, comma-separated", tags_set },
	FLAG_SERVICE_SPEC,
	{ NULL, NULL, NULL, NULL },
};

static const struct kind_prompt prompts[] = {
	{ KIND_PROMPT_TEXT, "What is the name of the service in Consul?", NULL,
		"consul-service" },
	{ KIND_PROMPT_LIST, "Add a tag of the instances (empty to skip)?", "",
		"consul-service-tags" },
	{ KIND_PROMPT_TEXT, NULL, NULL, NULL },
};

const struct upstream_kind upstream_kind_consul = {
	.key = "consul",
	.title = "Consul",
	.read = spec_read,
	.print = spec_print,
	.free = spec_free,
	.details = spec_details,
	.flags = flags,
	.prompts = prompts,
	.not_served = "upstreams of kind consul are not served yet",
};
