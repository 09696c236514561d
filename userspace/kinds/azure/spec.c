/* Azure upstreams: the functions of one function app. */
#include "kinds/azure/spec.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"
#include "http/target.h"
#include "kinds/azure/azure.h"
#include "kinds/azure/template.h"
#include "kinds/flags.h"
#include "kinds/secret.h"
#include "kinds/spec.h"
#include "model/tables.h"

#define FUNCTIONS_MAX  10000
#define HOST_LABEL_MAX 63
#define PORT_TLS       443
#define PORT_MAX       65535
#define AZURE_DOMAIN   "azurewebsites.net"

/* ---- texts */

/* It becomes the first label of a host name. */
static int
label_check(const char *text, const char *what, struct error *err)
{
	if (strlen(text) > HOST_LABEL_MAX || strchr(text, '.') != NULL ||
		model_host_check(text, NULL) != 0)
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" is not a name of a %s", text, what);
	return 0;
}

static int
app_check(const char *text, struct error *err)
{
	return label_check(text, "function app", err);
}

static int
slot_check(const char *text, struct error *err)
{
	return label_check(text, "deployment slot", err);
}

/* host, host:port, [v6] or [v6]:port; *length: of host, without brackets. -1:
 * it is not of that form. */
static int
hostname_split(
	const char *text, const char **host, size_t *length, uint16_t *port)
{
	const char *end = strchr(text, ']'), *colon;
	unsigned long number = PORT_TLS;

	*host = text;
	if (text[0] == '[') {
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return -1;
		*host = text + 1;
		*length = (size_t)(end - text) - 1;
		colon = end[1] == ':' ? end + 1 : NULL;
	} else {
		colon = strchr(text, ':');
		*length = colon == NULL ? strlen(text) : (size_t)(colon - text);
	}
	if (colon != NULL) {
		if (strlen(colon + 1) > 5 ||
			strspn(colon + 1, "0123456789") != strlen(colon + 1))
			return -1;
		number = strtoul(colon + 1, NULL, 10);
	}
	if (number == 0 || number > PORT_MAX)
		return -1;
	*port = (uint16_t)number;
	return 0;
}

static int
hostname_check(const char *text, struct error *err)
{
	const char *host;
	char *alone;
	size_t length;
	uint16_t port;
	int rc;

	if (hostname_split(text, &host, &length, &port) != 0)
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" is not of the form host or host:port", text);
	alone = xstrndup(host, length);
	rc = model_host_check(alone, err);
	free(alone);
	return rc;
}

/* host.json's is a literal: no parameter stands in it. */
static int
prefix_check(const char *text, struct error *err)
{
	struct azure_template *t;

	if (strpbrk(text, "{}") != NULL)
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" has a brace; parameters belong to the route "
			"of a function",
			text);
	t = azure_template_new(slice_of(text), err);
	azure_template_free(t);
	return t == NULL ? -1 : 0;
}

static int
route_check(const char *text, struct error *err)
{
	struct azure_template *t = azure_template_new(slice_of(text), err);

	azure_template_free(t);
	return t == NULL ? -1 : 0;
}

/* A part of the path of a resource, and a name of the platform's. */
static int
resource_check(const char *text, struct error *err)
{
	if (text[0] == '\0')
		return error_set(err, ERROR_CONFIG, "must not be empty");
	for (const char *p = text; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("-_.()", *p) == NULL)
			return error_set(err, ERROR_CONFIG,
				"\"%.64s\" has a character that is none of "
				"letters, digits and -_.()",
				text);
	if (strspn(text, ".") == strlen(text))
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" is no name of a resource", text);
	return 0;
}

static int
audience_check(const char *text, struct error *err)
{
	if (text[0] == '\0')
		return error_set(err, ERROR_CONFIG, "must not be empty");
	for (const char *p = text; *p != '\0'; p++)
		if (!isgraph((unsigned char)*p))
			return error_set(err, ERROR_CONFIG,
				"must be printable ASCII without spaces");
	return 0;
}

/* Loopback, and link-local as the metadata service of a machine is. */
static bool
host_is_near(const char *host, size_t length)
{
	static const char *const near[] = { "localhost", "127.", "169.254.",
		"[::1]" };

	for (size_t i = 0; i < ARRAY_SIZE(near); i++) {
		size_t n = strlen(near[i]);
		bool whole = near[i][n - 1] != '.';

		if (length >= n && strncmp(host, near[i], n) == 0 &&
			(whole ? length == n
			       : strspn(host, "0123456789.") >= length))
			return true;
	}
	return false;
}

int
azure_origin_check(const char *text, struct error *err)
{
	bool tls = strncmp(text, "https://", 8) == 0;
	const char *host = text + (tls ? 8 : 7);
	size_t length, name;

	if (!tls && strncmp(text, "http://", 7) != 0)
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" does not begin with \"https://\"", text);
	length = strcspn(host, "/");
	if (!http_authority_valid((struct slice){ host, length }) ||
		host[length + strspn(host + length, "/")] != '\0')
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" is not of the form https://host or "
			"https://host:port",
			text);
	name = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
	if (!tls && !host_is_near(host, name))
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\": tokens go there, so it must be https:// "
			"unless it is this machine's or link-local",
			text);
	return 0;
}

/* ---- tables */

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
	{ .name = "route",
		.type = SCHEMA_STRING,
		SCHEMA_AT(azure_function, route),
		.check = route_check },
	{ .name = NULL },
};

static const struct schema function_schema = {
	.fields = function_fields,
	.size = sizeof(struct azure_function),
};

static const struct schema_field authentication_fields[] = {
	{ .name = "audience",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(azure_authentication, audience),
		.max = 512,
		.check = audience_check },
	{ .name = NULL },
};

static const struct schema authentication_schema = {
	.fields = authentication_fields,
	.size = sizeof(struct azure_authentication),
};

static int
spec_check(void *base, struct error *err)
{
	const struct azure_spec *spec = base;
	struct table *seen = table_new(NULL);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < spec->function_count; i++) {
		const char *name = spec->functions[i].name;

		if (table_get(seen, name) != NULL)
			rc = error_set(err, ERROR_CONFIG,
				".functions[%zu].functionName: \"%.64s\" is "
				"given twice",
				i, name);
		table_set(seen, name, base);
	}
	table_free(seen);
	if (rc == 0 && (spec->subscription_id == NULL) !=
			       (spec->resource_group == NULL))
		return error_set(err, ERROR_CONFIG,
			"subscriptionId and resourceGroup are both needed, or "
			"neither");
	if (rc == 0 && spec->slot != NULL && spec->hostname == NULL &&
		strlen(spec->app_name) + 1 + strlen(spec->slot) >
			HOST_LABEL_MAX)
		return error_set(err, ERROR_CONFIG,
			".slot: with the name of the app it is longer than a "
			"label of a host name; give the hostname, too");
	return rc;
}

#define TEXT(key, member, checked)                                             \
	{                                                                      \
		.name = (key), .type = SCHEMA_STRING,                          \
		SCHEMA_AT(azure_spec, member), .max = 512, .check = (checked)  \
	}

static const struct schema_field spec_fields[] = {
	{ .name = "appServiceAuthentication",
		.type = SCHEMA_POINTER,
		SCHEMA_AT(azure_spec, authentication),
		.sub = &authentication_schema },
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
	TEXT("hostname", hostname, hostname_check),
	TEXT("managedIdentityClientId", identity_client_id, resource_check),
	TEXT("managementUrl", management_url, azure_origin_check),
	{ .name = "maxRequestBytes",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(azure_spec, request_bytes_max),
		.min = 1,
		.max = AZURE_REQUEST_BYTES_MAX,
		.fallback = AZURE_REQUEST_BYTES_DEFAULT },
	TEXT("resourceGroup", resource_group, resource_check),
	TEXT("routePrefix", route_prefix, prefix_check),
	{ .name = "secretRef",
		.type = SCHEMA_POINTER,
		SCHEMA_AT(azure_spec, secret),
		.sub = &model_ref_schema },
	TEXT("slot", slot, slot_check),
	TEXT("subscriptionId", subscription_id, resource_check),
	{ .name = NULL },
};

const struct schema azure_spec_schema = {
	.fields = spec_fields,
	.size = sizeof(struct azure_spec),
	.check = spec_check,
};

static const struct schema_field destination_fields[] = {
	{ .name = "functionName",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(azure_destination, function),
		.max = 128,
		.check = model_token_check },
	{ .name = NULL },
};

const struct schema azure_destination_schema = {
	.fields = destination_fields,
	.size = sizeof(struct azure_destination),
};

/* ---- what it says */

KIND_SPEC(azure_spec_schema)

struct azure_spec *
azure_spec_copy(const struct azure_spec *spec)
{
	struct doc *d = spec_print(spec);
	struct azure_spec *copy = spec_read(d, NULL);

	doc_free(d);
	return copy;
}

void
azure_spec_free(struct azure_spec *spec)
{
	spec_free(spec);
}

void
azure_spec_host(const struct azure_spec *spec, struct str *host, uint16_t *port)
{
	const char *name;
	size_t length;

	*port = PORT_TLS;
	if (spec->hostname == NULL) {
		str_puts(host, spec->app_name);
		if (spec->slot != NULL)
			str_printf(host, "-%s", spec->slot);
		str_puts(host, "." AZURE_DOMAIN);
	} else if (hostname_split(spec->hostname, &name, &length, port) == 0) {
		str_append(host, name, length);
	}
}

void
azure_spec_authority(const struct azure_spec *spec, struct str *out)
{
	struct str host;
	uint16_t port;

	str_init(&host);
	azure_spec_host(spec, &host, &port);
	str_printf(
		out, strchr(host.data, ':') != NULL ? "[%s]" : "%s", host.data);
	if (port != PORT_TLS)
		str_printf(out, ":%u", port);
	str_fini(&host);
}

const struct azure_function *
azure_spec_function(const struct azure_spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->function_count; i++)
		if (strcmp(spec->functions[i].name, name) == 0)
			return &spec->functions[i];
	return NULL;
}

bool
azure_spec_is_managed(const struct azure_spec *spec)
{
	return spec->subscription_id != NULL && spec->resource_group != NULL;
}

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

/* The platform takes nothing else, and keys and tokens go there. */
static bool
spec_tls(const void *spec)
{
	(void)spec;
	return true;
}

static const struct model_ref *
spec_secret(const void *data)
{
	const struct azure_spec *spec = data;

	return spec->secret;
}

/* ---- the command line */

static int
app_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(spec, "functionAppName", value, err);
}

static int
hostname_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(spec, "hostname", value, err);
}

static int
slot_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(spec, "slot", value, err);
}

static int
prefix_set(struct doc *spec, const char *value, struct error *err)
{
	(void)err;
	/* "" is one, too. */
	doc_set_string(spec, "routePrefix", value == NULL ? "" : value);
	return 0;
}

static int
subscription_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(spec, "subscriptionId", value, err);
}

static int
group_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(spec, "resourceGroup", value, err);
}

static int
audience_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(flag_child(spec, "appServiceAuthentication", DOC_MAP),
		"audience", value, err);
}

static int
management_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(spec, "managementUrl", value, err);
}

static int
identity_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(spec, "managedIdentityClientId", value, err);
}

static int
bytes_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_number(spec, "maxRequestBytes", value, err);
}

/* name, or name=Level. */
static int
function_add(struct doc *spec, const char *key, char *one, struct error *err)
{
	struct doc *function;
	char *level = strchr(one, '=');

	if (level != NULL)
		*level++ = '\0';
	if (model_token_check(one, err) != 0)
		return -1;
	function = doc_add(flag_child(spec, key, DOC_LIST), doc_new_map());
	doc_set_string(function, "functionName", one);
	doc_set_string(function, "authLevel",
		level == NULL ? level_words[AZURE_FUNCTION].name : level);
	return 0;
}

static int
functions_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_each(spec, "functions", value, function_add, err);
}

static const struct kind_flag flags[] = {
	{ "azure-app-name", "string", "name of the function app", app_set },
	{ "azure-audience", "string",
		"audience of the app's App Service authentication",
		audience_set },
	{ "azure-functions", "strings",
		"functions of the app, name[=Anonymous|Function|Admin],..., "
		"Function by default",
		functions_set },
	{ "azure-hostname", "string",
		"host[:port] of the app instead of "
		"<app>[-<slot>].azurewebsites.net",
		hostname_set },
	{ "azure-identity-client-id", "string",
		"managed identity that asks for tokens, if there are several",
		identity_set },
	{ "azure-management-url", "string",
		"where the management API is, in place of the settings'",
		management_set },
	{ "azure-max-request-bytes", "uint32",
		"most bytes of a request's body, 10485760 by default",
		bytes_set },
	{ "azure-resource-group", "string",
		"resource group of the app, to fetch keys and find functions",
		group_set },
	{ "azure-route-prefix", "string",
		"routePrefix of the app's host.json, api by default",
		prefix_set },
	{ "azure-secret", "string",
		"secret with the keys of the app, as namespace.name",
		flag_secret },
	{ "azure-secret-name", "string", "name of that secret",
		flag_secret_name },
	{ "azure-secret-namespace", "string",
		"namespace of that secret, gloo-system by default",
		flag_secret_namespace },
	{ "azure-slot", "string", "deployment slot of the app", slot_set },
	{ "azure-subscription-id", "string", "subscription of the app",
		subscription_set },
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
	.tls = spec_tls,
	.dialect = &azure_dialect,
	.function_key = "functionName",
	.secret = spec_secret,
	.secret_changed = azure_secret_changed,
	.credentials_refused = azure_credentials_refused,
	.probe = azure_probe,
	.watch = azure_watch,
	.unwatch = azure_unwatch,
	.show = azure_show,
	.settings_key = "azure",
	.settings_optional = true,
	.settings_check = azure_settings_check,
	.open = azure_open,
	.close = azure_close,
};
