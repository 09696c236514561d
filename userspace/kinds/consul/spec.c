/* Consul upstreams: the instances of a service in Consul's catalog. */
#include "kinds/consul/spec.h"

#include <string.h>

#include "kinds/consul/agent.h"
#include "kinds/consul/catalog.h"
#include "kinds/consul/subsets.h"
#include "kinds/flags.h"
#include "kinds/spec.h"
#include "model/kind.h"
#include "model/tables.h"

#define DATA_CENTERS_MAX 64

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

/* Consul takes any text. */
static int
service_name_check(const char *name, struct error *err)
{
	if (name[0] == '\0')
		return error_set(err, ERROR_CONFIG, "must not be empty");
	return model_text_check(name, err);
}

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
		.max = DATA_CENTERS_MAX,
		.check = model_token_check },
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
		.check = service_name_check },
	{ .name = "serviceTags",
		.type = SCHEMA_STRINGS,
		SCHEMA_ARRAY_AT(consul_spec, service_tags, service_tag_count),
		.check = model_text_check },
	{ .name = "subsetTags",
		.type = SCHEMA_STRINGS,
		SCHEMA_ARRAY_AT(consul_spec, subset_tags, subset_tag_count),
		.max = CONSUL_SUBSET_TAGS_MAX,
		.check = model_text_check },
	SCHEMA_NOT_YET("serviceSpec"),
	{ .name = NULL },
};

/* Sidecars answer nobody who does not come with a certificate of Connect's:
 * nothing is sent to them, or past them, in the clear. */
static int
spec_check(void *base, struct error *err)
{
	const struct consul_spec *spec = base;

	if (!spec->connect_enabled)
		return 0;
	return error_set(err, ERROR_CONFIG,
		".connectEnabled: the mutual TLS of Consul Connect is not "
		"spoken yet; leave it out to reach the instances themselves");
}

static const struct schema spec_schema = {
	.fields = spec_fields,
	.size = sizeof(struct consul_spec),
	.check = spec_check,
};

KIND_SPEC(spec_schema)

struct consul_spec *
consul_spec_of(const struct doc *d)
{
	return spec_read(d, NULL);
}

struct consul_spec *
consul_spec_copy(const struct consul_spec *spec)
{
	struct doc *d = spec_print(spec);
	struct consul_spec *copy = consul_spec_of(d);

	doc_free(d);
	return copy;
}

void
consul_spec_free(struct consul_spec *spec)
{
	spec_free(spec);
}

/* Each of few is among all. */
static bool
has_all(char *const *all, size_t all_count, char *const *few, size_t few_count)
{
	size_t found = 0;

	for (size_t i = 0; i < few_count; i++)
		for (size_t k = 0; k < all_count; k++)
			if (strcmp(all[k], few[i]) == 0) {
				found++;
				break;
			}
	return found == few_count;
}

bool
consul_spec_covers(const struct consul_spec *spec, const struct consul_spec *was)
{
	return strcmp(spec->service_name, was->service_name) == 0 &&
	       has_all(was->service_tags, was->service_tag_count,
		       spec->service_tags, spec->service_tag_count) &&
	       has_all(was->instance_tags, was->instance_tag_count,
		       spec->instance_tags, spec->instance_tag_count) &&
	       has_all(was->blacklist_tags, was->blacklist_tag_count,
		       spec->blacklist_tags, spec->blacklist_tag_count);
}

bool
consul_spec_covers_data_centers(
	const struct consul_spec *spec, const struct consul_spec *was)
{
	/* None named is one of its own. */
	if (spec->data_center_count == 0 || was->data_center_count == 0)
		return spec->data_center_count == was->data_center_count;
	return has_all(spec->data_centers, spec->data_center_count,
		was->data_centers, was->data_center_count);
}

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
	if (value != NULL && service_name_check(value, err) != 0)
		return -1;
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

static void
spec_subsets(const void *data, kind_subset_each_f *each, void *arg)
{
	const struct consul_spec *spec = data;
	struct consul_subsets *s = consul_subsets_new(
		spec->subset_tags, spec->subset_tag_count);
	size_t count;
	const struct subset_selector *list =
		consul_subsets_selectors(s, &count);

	for (size_t i = 0; i < count; i++)
		each(&list[i], arg);
	consul_subsets_free(s);
}

const struct upstream_kind upstream_kind_consul = {
	.key = "consul",
	.title = "Consul",
	.read = spec_read,
	.print = spec_print,
	.free = spec_free,
	.details = spec_details,
	.flags = flags,
	.prompts = prompts,
	.subsets = spec_subsets,
	.watch = consul_watch,
	.unwatch = consul_unwatch,
	.show = consul_show,
	.not_served = "no Consul agent is configured: set consul in the "
		      "settings (\"consul: {}\" is the agent of this box)",
	.settings_key = "consul",
	.settings_check = consul_settings_check,
	.open = consul_open,
	.close = consul_close,
	.preview = consul_preview,
	.numbers = consul_numbers,
	.discovery_stop = "deregister the service, or leave it out with "
			  "consul.serviceDiscovery.tagsExclude",
};
