/* The table of an upstream's sslConfig. */
#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "model/model.h"
#include "model/tables.h"

#define NAMES_MAX 64
#define LISTS_MAX 64 /* cipher suites, curves */
#define VERSION_LEAST 0x0303

static const struct schema_word versions[] = {
	{ "TLS_AUTO", 0 },
	{ "TLSv1_0", 0x0301 },
	{ "TLSv1_1", 0x0302 },
	{ "TLSv1_2", 0x0303 },
	{ "TLSv1_3", 0x0304 },
	{ NULL, 0 },
};

/* They are joined with ":" into one of OpenSSL's lists. */
static int
part_check(const char *text, struct error *err)
{
	size_t length = strlen(text);

	if (length == 0)
		return error_set(err, ERROR_CONFIG, "must not be empty");
	for (const char *p = text; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_')
			return error_set(err, ERROR_CONFIG,
				"\"%.64s\" is not the name of one: letters, "
				"digits, \"-\" and \"_\" only",
				text);
	return 0;
}

static int
alpn_check(const char *text, struct error *err)
{
	if (strcmp(text, "http/1.1") == 0)
		return 0;
	if (strcmp(text, "h2") == 0)
		return error_set(err, ERROR_CONFIG,
			"\"h2\" is not supported yet; upstreams are spoken to "
			"with http/1.1");
	return error_set(
		err, ERROR_CONFIG, "expected http/1.1, found \"%.64s\"", text);
}

static int
path_check(const char *text, struct error *err)
{
	if (text[0] != '/')
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" must be an absolute path", text);
	return model_text_check(text, err);
}

static int
name_check(const char *text, struct error *err)
{
	if (text[0] == '\0')
		return error_set(err, ERROR_CONFIG, "must not be empty");
	return model_text_check(text, err);
}

static const struct schema_field parameters_fields[] = {
	{ .name = "cipherSuites",
		.type = SCHEMA_STRINGS,
		SCHEMA_ARRAY_AT(model_tls, ciphers, cipher_count),
		.max = LISTS_MAX,
		.check = part_check },
	{ .name = "ecdhCurves",
		.type = SCHEMA_STRINGS,
		SCHEMA_ARRAY_AT(model_tls, curves, curve_count),
		.max = LISTS_MAX,
		.check = part_check },
	{ .name = "maximumProtocolVersion",
		.type = SCHEMA_WORD,
		SCHEMA_AT(model_tls, version_max),
		.words = versions },
	{ .name = "minimumProtocolVersion",
		.type = SCHEMA_WORD,
		SCHEMA_AT(model_tls, version_min),
		.words = versions },
	{ .name = NULL },
};

static int
parameters_check(void *base, struct error *err)
{
	const struct model_tls *t = base;

	if (t->version_max != 0 && t->version_max < VERSION_LEAST)
		return error_set(err, ERROR_CONFIG,
			".maximumProtocolVersion: versions of TLS before 1.2 "
			"are not spoken (RFC 8996)");
	if (t->version_max == 0 || t->version_min <= t->version_max)
		return 0;
	return error_set(err, ERROR_CONFIG,
		".minimumProtocolVersion: is above maximumProtocolVersion");
}

static const struct schema parameters_schema = {
	.fields = parameters_fields,
	.size = sizeof(struct model_tls),
	.check = parameters_check,
};

#define FILE_PATH(key, member)                                                 \
	{                                                                      \
		.name = (key), .type = SCHEMA_STRING,                          \
		SCHEMA_AT(model_tls, member), .check = path_check              \
	}

static const struct schema_field files_fields[] = {
	FILE_PATH("rootCa", ca_file),
	FILE_PATH("tlsCert", cert_file),
	FILE_PATH("tlsKey", key_file),
	SCHEMA_NOT_YET("ocspStaple"),
	{ .name = NULL },
};

static int
files_check(void *base, struct error *err)
{
	const struct model_tls *t = base;

	if ((t->cert_file == NULL) != (t->key_file == NULL))
		return error_set(err, ERROR_CONFIG,
			"%s is given without %s; both are needed, or neither",
			t->cert_file != NULL ? "tlsCert" : "tlsKey",
			t->cert_file != NULL ? "tlsKey" : "tlsCert");
	if (t->cert_file == NULL && t->ca_file == NULL)
		return error_set(err, ERROR_CONFIG,
			"tlsCert with tlsKey, or rootCa, must be given");
	return 0;
}

static const struct schema files_schema = {
	.fields = files_fields,
	.size = sizeof(struct model_tls),
	.check = files_check,
};

static const struct schema_field tls_fields[] = {
	{ .name = "allowRenegotiation",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(model_tls, renegotiation) },
	{ .name = "alpnProtocols",
		.type = SCHEMA_STRINGS,
		SCHEMA_ARRAY_AT(model_tls, alpn, alpn_count),
		.max = 1,
		.check = alpn_check },
	{ .name = "oneWayTls",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(model_tls, one_way) },
	{ .name = "parameters",
		.type = SCHEMA_STRUCT,
		.sub = &parameters_schema },
	{ .name = "secretRef",
		.type = SCHEMA_STRUCT,
		SCHEMA_AT(model_tls, secret),
		SCHEMA_CHOICE_AT(model_tls, source, MODEL_TLS_SECRET),
		.sub = &model_ref_schema },
	{ .name = "sni",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_tls, server_name),
		.check = model_host_check },
	{ .name = "sslFiles",
		.type = SCHEMA_STRUCT,
		SCHEMA_CHOICE_AT(model_tls, source, MODEL_TLS_FILES),
		.sub = &files_schema },
	{ .name = "verifySubjectAltName",
		.type = SCHEMA_STRINGS,
		SCHEMA_ARRAY_AT(model_tls, names, name_count),
		.max = NAMES_MAX,
		.check = name_check },
	SCHEMA_NOT_YET("sds"),
	{ .name = NULL },
};

const struct schema model_tls_schema = {
	.fields = tls_fields,
	.size = sizeof(struct model_tls),
};
