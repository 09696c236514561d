/* The key `azure` of settings.yaml, and what is made of it once. */
#include "kinds/azure/settings.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "kinds/azure/azure.h"
#include "kinds/azure/spec.h"
#include "model/schema.h"
#include "model/tables.h"

#define MANAGEMENT_DEFAULT  "https://management.azure.com"
#define METADATA_DEFAULT    "http://169.254.169.254"
#define INTERVAL_MS_DEFAULT 300000u
#define INTERVAL_MS_MIN     1000u
#define INTERVAL_MS_MAX     86400000u
#define CA_MAX              (1u << 20)

static const struct schema_field fields[] = {
	{ .name = "authorityUrl",
		.type = SCHEMA_STRING,
		SCHEMA_AT(azure_settings, authority_url),
		.check = azure_origin_check },
	{ .name = "caFile",
		.type = SCHEMA_STRING,
		SCHEMA_AT(azure_settings, ca_file),
		.min = 1,
		.check = model_text_check },
	{ .name = "discoveryInterval",
		.type = SCHEMA_DURATION,
		SCHEMA_AT(azure_settings, interval_ms),
		.min = INTERVAL_MS_MIN,
		.max = INTERVAL_MS_MAX,
		.fallback = INTERVAL_MS_DEFAULT },
	{ .name = "managementUrl",
		.type = SCHEMA_STRING,
		SCHEMA_AT(azure_settings, management_url),
		.check = azure_origin_check,
		.fallback_text = MANAGEMENT_DEFAULT },
	{ .name = "metadataUrl",
		.type = SCHEMA_STRING,
		SCHEMA_AT(azure_settings, metadata_url),
		.check = azure_origin_check,
		.fallback_text = METADATA_DEFAULT },
	{ .name = NULL },
};

static const struct schema settings_schema = {
	.fields = fields,
	.size = sizeof(struct azure_settings),
};

struct azure_settings *
azure_settings_read(const struct doc *settings, struct error *err)
{
	return schema_read_new(&settings_schema, settings, err);
}

void
azure_settings_free(struct azure_settings *s)
{
	if (s != NULL)
		schema_fini(&settings_schema, s);
	free(s);
}

int
azure_settings_check(const struct doc *settings, struct error *err)
{
	struct azure_settings *s = azure_settings_read(settings, err);

	azure_settings_free(s);
	return s == NULL ? -1 : 0;
}

static void
ca_load(struct azure_shared *shared, struct kind_program *program)
{
	const char *name = shared->settings->ca_file;
	struct error err = ERROR_INIT;
	char *path;

	if (name == NULL)
		return;
	path = name[0] == '/' || program->settings_folder == NULL
		       ? xstrdup(name)
		       : xasprintf("%s/%s", program->settings_folder, name);
	if (file_read(path, CA_MAX, &shared->ca, &err) == 0)
		program->condition_set(program, "caFile", KIND_OK, NULL);
	else
		program->condition_set(program, "caFile", KIND_ERROR, err.text);
	free(path);
}

void *
azure_open(struct kind_program *program)
{
	struct azure_shared *shared;
	struct azure_settings *settings =
		azure_settings_read(program->settings, NULL);

	if (settings == NULL)
		return NULL; /* azure_settings_check has told */
	shared = xcalloc(1, sizeof(*shared));
	*shared = (struct azure_shared){ .loop = program->loop,
		.http = program->http,
		.settings = settings };
	str_init(&shared->ca);
	ca_load(shared, program);
	return shared;
}

void
azure_close(void *data)
{
	struct azure_shared *shared = data;

	if (shared == NULL)
		return;
	azure_settings_free(shared->settings);
	str_fini(&shared->ca);
	free(shared);
}
