/* Azure upstreams: the functions of one function app. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kinds/flags.h"
#include "kinds/secret.h"
#include "kinds/spec.h"
#include "model/kind.h"
#include "model/model.h"
#include "model/tables.h"

#define FUNCTIONS_MAX 10000

enum azure_level {
	AZURE_ANONYMOUS,
	AZURE_FUNCTION,
	AZURE_ADMIN,
};

struct azure_function {
	char *name;
	uint8_t level; /* enum azure_level */
};

struct azure_spec {
	char *app_name;
	struct model_ref *secret;
	struct azure_function *functions;
	size_t function_count;
};

/* It becomes the first label of a host name. */
static int
app_check(const char *text, struct error *err)
{
	if (strlen(text) > 63 || strchr(text, '.') != NULL ||
		model_host_check(text, NULL) != 0)
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" is not a name of a function app", text);
	return 0;
}

static const struct schema_word level_words[] = {
	{ "Anonymous", AZURE_ANONYMOUS },
	{ "Function", AZURE_FUNCTION },
	{ "Admin", AZURE_ADMIN },
	{ NULL, 0 },
};

static const struct schema_field function_fields[] = {
	{ .name = "authLevel",
		.type = SCHEMA_WORD,
		.flags = SCHEMA_KEEP,
		SCHEMA_AT(azure_function, level),
		.words = level_words },
	{ .name = "functionName",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(azure_function, name),
		.max = 128,
		.check = model_token_check },
	{ .name = NULL },
};

static const struct schema function_schema = {
	.fields = function_fields,
	.size = sizeof(struct azure_function),
};

static const struct schema_field spec_fields[] = {
	{ .name = "functionAppName",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(azure_spec, app_name),
		.check = app_check },
	{ .name = "functions",
		.type = SCHEMA_LIST,
		SCHEMA_ARRAY_AT(azure_spec, functions, function_count),
		.max = FUNCTIONS_MAX,
		.sub = &function_schema },
	{ .name = "secretRef",
		.type = SCHEMA_POINTER,
		SCHEMA_AT(azure_spec, secret),
		.sub = &model_ref_schema },
	{ .name = NULL },
};

static const struct schema spec_schema = {
	.fields = spec_fields,
	.size = sizeof(struct azure_spec),
};

KIND_SPEC(spec_schema)

static void
spec_details(const void *data, struct str *lines)
{
	const struct azure_spec *spec = data;

	str_printf(lines, "function app name: %s\n", spec->app_name);
	kind_secret_details(spec->secret, lines);
	if (spec->function_count > 0)
		str_puts(lines, "functions:\n");
	for (size_t i = 0; i < spec->function_count; i++)
		str_printf(lines, "- %s\n", spec->functions[i].name);
}

static int
app_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(spec, "functionAppName", value, err);
}

static const struct kind_flag flags[] = {
	{ "azure-app-name", "string", "name of the function app", app_set },
	{ "azure-secret", "string",
		"secret with the keys of the app, as namespace.name",
		flag_secret },
	{ "azure-secret-name", "string", "name of that secret",
		flag_secret_name },
	{ "azure-secret-namespace", "string",
		"namespace of that secret, gloo-system by default",
		flag_secret_namespace },
	{ NULL, NULL, NULL, NULL },
};

static const struct kind_prompt prompts[] = {
	{ KIND_PROMPT_TEXT,
		"What is the name of the Azure Functions app to associate "
		"with this upstream?",
		NULL, "azure-app-name" },
	{ KIND_PROMPT_SECRET,
		"Choose an Azure credentials secret to link to this "
		"upstream: ",
		NULL, "azure-secret" },
	{ KIND_PROMPT_TEXT, NULL, NULL, NULL },
};

const struct upstream_kind upstream_kind_azure = {
	.key = "azure",
	.title = "Azure",
	.read = spec_read,
	.print = spec_print,
	.free = spec_free,
	.details = spec_details,
	.flags = flags,
	.prompts = prompts,
	.function_key = "functionName",
	.not_served = "upstreams of kind azure are not served yet",
};
