/* AWS upstreams: the Lambda functions of a region. */
#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/table.h"
#include "kinds/flags.h"
#include "kinds/secret.h"
#include "kinds/spec.h"
#include "model/kind.h"
#include "model/model.h"
#include "model/tables.h"

#define FUNCTIONS_MAX 10000

enum aws_invocation {
	AWS_SYNC,
	AWS_ASYNC,
};

struct aws_function {
	char *logical_name, *function_name, *qualifier;
};

struct aws_overrides { /* for every destination of the upstream */
	char *logical_name;
	uint8_t invocation; /* enum aws_invocation */
	bool request_transformation, response_transformation;
	bool unwrap_alb, unwrap_api_gateway, wrap_api_gateway;
};

struct aws_spec {
	char *region, *role_arn, *account_id;
	struct model_ref *secret;
	struct aws_function *functions;
	size_t function_count;
	bool no_role_chaining;
	struct aws_overrides *overrides;
};

static int
region_check(const char *text, struct error *err)
{
	size_t good = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (good == 0 || text[good] != '\0' || good > 32)
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" is not a region such as us-east-1", text);
	return 0;
}

static int
account_check(const char *text, struct error *err)
{
	if (strlen(text) != 12 || strspn(text, "0123456789") != 12)
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" is not an account id of 12 digits", text);
	return 0;
}

static int
arn_check(const char *text, struct error *err)
{
	if (strncmp(text, "arn:", 4) != 0)
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" does not begin with \"arn:\"", text);
	return model_text_check(text, err);
}

/* Lambda takes a name, a partial or a whole ARN. */
static int
function_check(const char *text, struct error *err)
{
	for (const char *p = text; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("-_:$.", *p) == NULL)
			return error_set(err, ERROR_CONFIG,
				"\"%.64s\" is not a name of a function: "
				"letters, digits and -_:$. only",
				text);
	if (text[0] == '\0')
		return error_set(err, ERROR_CONFIG, "must not be empty");
	return 0;
}

static const struct schema_field function_fields[] = {
	{ .name = "lambdaFunctionName",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(aws_function, function_name),
		.max = 170,
		.check = function_check },
	{ .name = "logicalName",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(aws_function, logical_name),
		.max = 256,
		.check = function_check },
	{ .name = "qualifier",
		.type = SCHEMA_STRING,
		SCHEMA_AT(aws_function, qualifier),
		.max = 128,
		.check = function_check },
	{ .name = NULL },
};

static const struct schema function_schema = {
	.fields = function_fields,
	.size = sizeof(struct aws_function),
};

static const struct schema_word invocation_words[] = {
	{ "SYNC", AWS_SYNC },
	{ "ASYNC", AWS_ASYNC },
	{ NULL, 0 },
};

static int
overrides_check(void *base, struct error *err)
{
	const struct aws_overrides *o = base;

	if (o->unwrap_alb && o->unwrap_api_gateway)
		return error_set(err, ERROR_CONFIG,
			"only one of \"unwrapAsAlb\" and "
			"\"unwrapAsApiGateway\" may be given");
	return 0;
}

static const struct schema_field overrides_fields[] = {
	{ .name = "invocationStyle",
		.type = SCHEMA_WORD,
		SCHEMA_AT(aws_overrides, invocation),
		.words = invocation_words },
	{ .name = "logicalName",
		.type = SCHEMA_STRING,
		SCHEMA_AT(aws_overrides, logical_name),
		.max = 256,
		.check = function_check },
	{ .name = "requestTransformation",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(aws_overrides, request_transformation) },
	{ .name = "responseTransformation",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(aws_overrides, response_transformation) },
	{ .name = "unwrapAsAlb",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(aws_overrides, unwrap_alb) },
	{ .name = "unwrapAsApiGateway",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(aws_overrides, unwrap_api_gateway) },
	{ .name = "wrapAsApiGateway",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(aws_overrides, wrap_api_gateway) },
	{ .name = NULL },
};

static const struct schema overrides_schema = {
	.fields = overrides_fields,
	.size = sizeof(struct aws_overrides),
	.check = overrides_check,
};

static int
spec_check(void *base, struct error *err)
{
	const struct aws_spec *spec = base;
	struct table *seen = table_new(NULL);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < spec->function_count; i++) {
		const char *name = spec->functions[i].logical_name;

		if (table_get(seen, name) != NULL)
			rc = error_set(err, ERROR_CONFIG,
				".lambdaFunctions[%zu].logicalName: \"%.64s\" "
				"is given twice",
				i, name);
		table_set(seen, name, base);
	}
	table_free(seen);
	return rc;
}

static const struct schema_field spec_fields[] = {
	{ .name = "awsAccountId",
		.type = SCHEMA_STRING,
		SCHEMA_AT(aws_spec, account_id),
		.check = account_check },
	{ .name = "destinationOverrides",
		.type = SCHEMA_POINTER,
		SCHEMA_AT(aws_spec, overrides),
		.sub = &overrides_schema },
	{ .name = "disableRoleChaining",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(aws_spec, no_role_chaining) },
	{ .name = "lambdaFunctions",
		.type = SCHEMA_LIST,
		SCHEMA_ARRAY_AT(aws_spec, functions, function_count),
		.max = FUNCTIONS_MAX,
		.sub = &function_schema },
	{ .name = "region",
		.type = SCHEMA_STRING,
		.fallback_text = "us-east-1",
		SCHEMA_AT(aws_spec, region),
		.check = region_check },
	{ .name = "roleArn",
		.type = SCHEMA_STRING,
		SCHEMA_AT(aws_spec, role_arn),
		.check = arn_check },
	{ .name = "secretRef",
		.type = SCHEMA_POINTER,
		SCHEMA_AT(aws_spec, secret),
		.sub = &model_ref_schema },
	{ .name = NULL },
};

static const struct schema spec_schema = {
	.fields = spec_fields,
	.size = sizeof(struct aws_spec),
	.check = spec_check,
};

KIND_SPEC(spec_schema)

static void
spec_details(const void *data, struct str *lines)
{
	const struct aws_spec *spec = data;

	str_printf(lines, "region: %s\n", spec->region);
	kind_secret_details(spec->secret, lines);
	if (spec->function_count > 0)
		str_puts(lines, "functions:\n");
	for (size_t i = 0; i < spec->function_count; i++)
		str_printf(lines, "- %s\n", spec->functions[i].logical_name);
}

static int
region_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(spec, "region", value, err);
}

static const struct kind_flag flags[] = {
	{ "aws-region", "string",
		"region of the functions, us-east-1 by "
		"default",
		region_set },
	{ "aws-secret", "string",
		"secret with the credentials, as namespace.name", flag_secret },
	{ "aws-secret-name", "string", "name of that secret",
		flag_secret_name },
	{ "aws-secret-namespace", "string",
		"namespace of that secret, gloo-system by default",
		flag_secret_namespace },
	{ NULL, NULL, NULL, NULL },
};

static const struct kind_prompt prompts[] = {
	{ KIND_PROMPT_TEXT,
		"What region are the AWS services in for this upstream?",
		"us-east-1", "aws-region" },
	{ KIND_PROMPT_SECRET,
		"Choose an AWS credentials secret to link to this upstream: ",
		NULL, "aws-secret" },
	{ KIND_PROMPT_TEXT, NULL, NULL, NULL },
};

const struct upstream_kind upstream_kind_aws = {
	.key = "aws",
	.title = "AWS",
	.read = spec_read,
	.print = spec_print,
	.free = spec_free,
	.details = spec_details,
	.flags = flags,
	.prompts = prompts,
	.function_key = "logicalName",
	.not_served = "upstreams of kind aws are not served yet",
};
