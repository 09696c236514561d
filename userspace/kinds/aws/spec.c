/* AWS upstreams: the Lambda functions of a region. */
#include "kinds/aws/spec.h"

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kinds/aws/flags.h"
#include "kinds/aws/lambda.h"
#include "kinds/aws/provider.h"
#include "kinds/aws/watch.h"
#include "kinds/secret.h"
#include "kinds/spec.h"
#include "model/kind.h"
#include "model/model.h"
#include "model/tables.h"

#define FUNCTIONS_MAX 10000

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
	{ "DRY_RUN", AWS_DRY_RUN },
	{ NULL, 0 },
};

static const struct schema_word payload_words[] = {
	{ "1.0", AWS_PAYLOAD_1_0 },
	{ "2.0", AWS_PAYLOAD_2_0 },
	{ NULL, 0 },
};

/* At most one of those of a kind can hold. */
struct choice {
	const char *name;
	const struct model_bool *value;
};

static int
choices_check(const struct choice *choices, size_t count, struct error *err)
{
	const struct choice *first = NULL;

	for (size_t i = 0; i < count; i++) {
		if (!choices[i].value->value)
			continue;
		if (first != NULL)
			return error_set(err, ERROR_CONFIG,
				"only one of \"%s\" and \"%s\" may be given",
				first->name, choices[i].name);
		first = &choices[i];
	}
	return 0;
}

static int
destination_check(void *base, struct error *err)
{
	const struct aws_destination *d = base;
	const struct choice unwraps[] = {
		{ "unwrapAsAlb", &d->unwrap_alb },
		{ "unwrapAsApiGateway", &d->unwrap_api_gateway },
	};
	const struct choice aliases[] = {
		{ "unwrapAsAlb", &d->unwrap_alb },
		{ "responseTransformation", &d->response_transformation },
	};
	const struct choice wraps[] = {
		{ "requestTransformation", &d->request_transformation },
		{ "wrapAsAlb", &d->wrap_alb },
		{ "wrapAsApiGateway", &d->wrap_api_gateway },
	};

	if (choices_check(unwraps, ARRAY_SIZE(unwraps), err) != 0 ||
		choices_check(aliases, ARRAY_SIZE(aliases), err) != 0)
		return -1;
	return choices_check(wraps, ARRAY_SIZE(wraps), err);
}

/* As Gloo spelled it at first. */
static int
old_spelling_read(const struct doc *d, void *base, struct error *err)
{
	struct aws_destination *to = base;

	if (doc_type(d) != DOC_BOOL)
		return error_set(err, ERROR_CONFIG,
			"expected true or false, found %s",
			doc_type_name(doc_type(d)));
	to->response_transformation = (struct model_bool){ true, doc_bool(d) };
	return 0;
}

static const struct schema_custom old_spelling = { .read = old_spelling_read };

#define DESTINATION_BOOL(key, member)                                          \
	{                                                                      \
		.name = (key), .type = SCHEMA_BOOL_GIVEN,                      \
		SCHEMA_AT(aws_destination, member)                             \
	}

static const struct schema_field destination_fields[] = {
	{ .name = "invocationStyle",
		.type = SCHEMA_WORD,
		SCHEMA_AT(aws_destination, invocation),
		.words = invocation_words },
	DESTINATION_BOOL("logTail", log_tail),
	{ .name = "logicalName",
		.type = SCHEMA_STRING,
		SCHEMA_AT(aws_destination, logical_name),
		.max = 256,
		.check = function_check },
	DESTINATION_BOOL("multiValueHeaders", multi_value_headers),
	{ .name = "payloadFormatVersion",
		.type = SCHEMA_WORD,
		SCHEMA_AT(aws_destination, payload),
		.words = payload_words },
	DESTINATION_BOOL("propagateOriginalRouting", original_routing),
	DESTINATION_BOOL("requestTransformation", request_transformation),
	DESTINATION_BOOL("responseStreaming", streaming),
	DESTINATION_BOOL("responseTransformation", response_transformation),
	{ .name = "responseTrasnformation",
		.type = SCHEMA_CUSTOM,
		.custom = &old_spelling },
	DESTINATION_BOOL("unwrapAsAlb", unwrap_alb),
	DESTINATION_BOOL("unwrapAsApiGateway", unwrap_api_gateway),
	DESTINATION_BOOL("wrapAsAlb", wrap_alb),
	DESTINATION_BOOL("wrapAsApiGateway", wrap_api_gateway),
	{ .name = NULL },
};

const struct schema aws_destination_schema = {
	.fields = destination_fields,
	.size = sizeof(struct aws_destination),
	.check = destination_check,
};

static int
by_name_compare(const void *a, const void *b)
{
	const struct aws_function *x = *(const struct aws_function *const *)a,
				  *y = *(const struct aws_function *const *)b;
	int order = strcmp(x->logical_name, y->logical_name);

	return order != 0 ? order : x < y ? -1 : 1;
}

static int
twice_error(const struct aws_spec *spec, const struct aws_function *second,
	struct error *err)
{
	return error_set(err, ERROR_CONFIG,
		".lambdaFunctions[%zu].logicalName: \"%.64s\" is given twice",
		(size_t)(second - spec->functions), second->logical_name);
}

/* There may be as many routes as functions: none looks through all. */
static int
spec_check(void *base, struct error *err)
{
	struct aws_spec *spec = base;
	size_t count = spec->function_count;
	const struct aws_function **all = xcalloc(count + 1, sizeof(*all));
	int rc = 0;

	for (size_t i = 0; i < count; i++)
		all[i] = &spec->functions[i];
	qsort(all, count, sizeof(*all), by_name_compare);
	for (size_t i = 0; i < count; i++) {
		spec->functions[i].by_name = (size_t)(all[i] - spec->functions);
		if (rc == 0 && i > 0 &&
			strcmp(all[i - 1]->logical_name,
				all[i]->logical_name) == 0)
			rc = twice_error(spec, all[i], err);
	}
	free(all);
	return rc;
}

const struct aws_function *
aws_spec_function(const struct aws_spec *spec, const char *logical_name)
{
	size_t low = 0, high = spec->function_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct aws_function *f =
			&spec->functions[spec->functions[middle].by_name];
		int order = strcmp(logical_name, f->logical_name);

		if (order == 0)
			return f;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static const struct schema_field spec_fields[] = {
	{ .name = "awsAccountId",
		.type = SCHEMA_STRING,
		SCHEMA_AT(aws_spec, account_id),
		.check = account_check },
	{ .name = "destinationOverrides",
		.type = SCHEMA_POINTER,
		SCHEMA_AT(aws_spec, overrides),
		.sub = &aws_destination_schema },
	{ .name = "disableRoleChaining",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(aws_spec, no_role_chaining) },
	{ .name = "endpointUrl",
		.type = SCHEMA_STRING,
		SCHEMA_AT(aws_spec, endpoint_url),
		.check = aws_endpoint_check },
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
	{ .name = "useDualStack",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(aws_spec, dual_stack) },
	{ .name = "useFips", .type = SCHEMA_BOOL, SCHEMA_AT(aws_spec, fips) },
	{ .name = NULL },
};

const struct schema aws_spec_schema = {
	.fields = spec_fields,
	.size = sizeof(struct aws_spec),
	.check = spec_check,
};

KIND_SPEC(aws_spec_schema)

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

static const struct model_ref *
spec_secret(const void *data)
{
	const struct aws_spec *spec = data;

	return spec->secret;
}

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
	.flags = aws_flags,
	.prompts = prompts,
	.dialect = &aws_dialect,
	.function_key = "logicalName",
	.secret = spec_secret,
	.secret_changed = aws_secret_changed,
	.credentials_refused = aws_credentials_refused,
	.probe = aws_probe,
	.tls = aws_tls,
	.watch = aws_watch,
	.unwatch = aws_unwatch,
	.show = aws_show,
	.settings_key = "aws",
	.settings_optional = true,
	.settings_check = aws_settings_check,
	.open = aws_open,
	.close = aws_close,
	.numbers = aws_numbers,
};
