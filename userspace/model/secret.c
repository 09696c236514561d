/* The table of a Secret. */
#include <stddef.h>

#include "model/model.h"
#include "model/tables.h"

#define PEM_MAX      (1u << 20)
#define API_KEYS_MAX 1024

#define PEM(key, member)                                                       \
	{                                                                      \
		.name = (key), .type = SCHEMA_STRING, .flags = SCHEMA_SECRET,  \
		SCHEMA_AT(model_secret_tls, member), .max = PEM_MAX            \
	}

static const struct schema_field tls_fields[] = {
	PEM("certChain", cert_chain),
	PEM("privateKey", private_key),
	PEM("rootCa", root_ca),
	SCHEMA_NOT_YET("ocspStaple"),
	{ .name = NULL },
};

static int
tls_check(void *base, struct error *err)
{
	const struct model_secret_tls *t = base;

	if (t->cert_chain == NULL && t->private_key == NULL &&
		t->root_ca == NULL)
		return error_set(err, ERROR_CONFIG,
			"certChain with privateKey, or rootCa, must be given");
	if ((t->cert_chain == NULL) == (t->private_key == NULL))
		return 0;
	return error_set(err, ERROR_CONFIG,
		"%s is given without %s; both are needed, or neither",
		t->cert_chain != NULL ? "certChain" : "privateKey",
		t->cert_chain != NULL ? "privateKey" : "certChain");
}

static const struct schema tls_schema = {
	.fields = tls_fields,
	.size = sizeof(struct model_secret_tls),
	.check = tls_check,
};

static int
given_check(const char *text, struct error *err)
{
	if (text[0] == '\0')
		return error_set(err, ERROR_CONFIG, "must not be empty");
	return model_text_check(text, err);
}

static const struct schema_field aws_fields[] = {
	{ .name = "accessKey",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED | SCHEMA_SECRET,
		SCHEMA_AT(model_secret_aws, access_key),
		.check = given_check },
	{ .name = "secretKey",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED | SCHEMA_SECRET,
		SCHEMA_AT(model_secret_aws, secret_key),
		.check = given_check },
	{ .name = "sessionToken",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_SECRET,
		SCHEMA_AT(model_secret_aws, session_token),
		.check = given_check },
	{ .name = NULL },
};

static const struct schema aws_schema = {
	.fields = aws_fields,
	.size = sizeof(struct model_secret_aws),
};

static const struct schema_field azure_fields[] = {
	{ .name = "apiKeys",
		.type = SCHEMA_PAIRS,
		.flags = SCHEMA_REQUIRED | SCHEMA_SECRET,
		SCHEMA_ARRAY_AT(model_secret, api_keys, api_key_count),
		.min = 1,
		.max = API_KEYS_MAX,
		.check = given_check },
	{ .name = NULL },
};

static const struct schema azure_schema = {
	.fields = azure_fields,
	.size = sizeof(struct model_secret),
};

static const struct schema_field secret_fields[] = {
	{ .name = "aws",
		.type = SCHEMA_STRUCT,
		SCHEMA_AT(model_secret, aws),
		SCHEMA_CHOICE_AT(model_secret, type, MODEL_SECRET_AWS),
		.sub = &aws_schema },
	{ .name = "azure",
		.type = SCHEMA_STRUCT,
		SCHEMA_CHOICE_AT(model_secret, type, MODEL_SECRET_AZURE),
		.sub = &azure_schema },
	{ .name = "metadata",
		.type = SCHEMA_STRUCT,
		.flags = SCHEMA_REQUIRED | SCHEMA_KEEP,
		SCHEMA_AT(model_secret, meta),
		.sub = &model_meta_schema },
	{ .name = "namespacedStatuses", .type = SCHEMA_SKIPPED },
	{ .name = "status", .type = SCHEMA_SKIPPED },
	{ .name = "tls",
		.type = SCHEMA_STRUCT,
		SCHEMA_AT(model_secret, tls),
		SCHEMA_CHOICE_AT(model_secret, type, MODEL_SECRET_TLS),
		.sub = &tls_schema },
	SCHEMA_NOT_YET("apiKey"),
	SCHEMA_NOT_YET("credentials"),
	SCHEMA_NOT_YET("encryption"),
	SCHEMA_NOT_YET("extensions"),
	SCHEMA_NOT_YET("header"),
	SCHEMA_NOT_YET("oauth"),
	{ .name = NULL },
};

const struct schema model_secret_schema = {
	.fields = secret_fields,
	.size = sizeof(struct model_secret),
	.choice_needed = true,
};

const char *
model_secret_title(const struct model_secret *s)
{
	switch (s->type) {
	case MODEL_SECRET_TLS:
		return "TLS";
	case MODEL_SECRET_AWS:
		return "AWS";
	default:
		return "Azure";
	}
}
