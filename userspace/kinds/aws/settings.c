/* The key `aws` of settings.yaml, read by a schema table. */
#include "kinds/aws/settings.h"

#include <stdlib.h>

#include "kinds/aws/provider.h"
#include "kinds/aws/url.h"
#include "model/schema.h"
#include "model/tables.h"

#define PROFILE_MAX 256

static int
text_given(const char *text, struct error *err)
{
	if (text[0] == '\0')
		return error_set(err, ERROR_CONFIG, "expected a text");
	return model_text_check(text, err);
}

#define TEXT(key, member, checked)                                             \
	{                                                                      \
		.name = (key), .type = SCHEMA_STRING,                          \
		SCHEMA_AT(aws_settings, member), .check = (checked)            \
	}

static const struct schema_field fields[] = {
	TEXT("configFile", config_file, text_given),
	TEXT("imdsEndpointUrl", imds_endpoint_url, aws_url_check_base),
	{ .name = "imdsV1Fallback",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(aws_settings, imds_v1_fallback) },
	{ .name = "profile",
		.type = SCHEMA_STRING,
		SCHEMA_AT(aws_settings, profile),
		.max = PROFILE_MAX,
		.check = text_given },
	TEXT("sharedCredentialsFile", shared_credentials_file, text_given),
	TEXT("stsEndpointUrl", sts_endpoint_url, aws_url_check_base),
	{ .name = NULL },
};

static const struct schema settings_schema = {
	.fields = fields,
	.size = sizeof(struct aws_settings),
};

struct aws_settings *
aws_settings_read(const struct doc *d, struct error *err)
{
	return schema_read_new(&settings_schema, d, err);
}

int
aws_settings_check(const struct doc *d, struct error *err)
{
	struct aws_settings *s = aws_settings_read(d, err);

	if (s == NULL)
		return -1;
	aws_settings_free(s);
	return 0;
}

void
aws_settings_free(struct aws_settings *s)
{
	if (s == NULL)
		return;
	schema_fini(&settings_schema, s);
	free(s);
}
