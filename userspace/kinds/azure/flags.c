/* The flags of `glooctl create upstream azure`: texts into a spec document,
 * which is checked when it is read. */
#include "kinds/azure/flags.h"

#include <string.h>

#include "kinds/flags.h"

static int
app_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(spec, "functionAppName", value, err);
}

static int
slot_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(spec, "slot", value, err);
}

static int
hostname_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(spec, "hostname", value, err);
}

/* host.json may have an empty one. */
static int
prefix_set(struct doc *spec, const char *value, struct error *err)
{
	(void)err;
	doc_set_string(spec, "routePrefix", value == NULL ? "" : value);
	return 0;
}

/* "NAME" or "NAME=LEVEL" */
static int
function_add(struct doc *spec, const char *key, char *one, struct error *err)
{
	char *equals = strchr(one, '=');
	struct doc *d;

	if (equals == one || (equals != NULL && equals[1] == '\0'))
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" is not of the form name or name=level", one);
	if (equals != NULL)
		*equals = '\0';
	d = doc_add(flag_child(spec, key, DOC_LIST), doc_new_map());
	doc_set_string(d, "functionName", one);
	if (equals != NULL)
		doc_set_string(d, "authLevel", equals + 1);
	return 0;
}

static int
functions_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_each(spec, "functions", value, function_add, err);
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
management_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(spec, "managementUrl", value, err);
}

static int
audience_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(flag_child(spec, "appServiceAuthentication", DOC_MAP),
		"audience", value, err);
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

const struct kind_flag azure_flags[] = {
	{ "azure-app-name", "string", "name of the function app", app_set },
	{ "azure-secret", "string",
		"secret with the keys of the app, as namespace.name",
		flag_secret },
	{ "azure-secret-name", "string", "name of that secret",
		flag_secret_name },
	{ "azure-secret-namespace", "string",
		"namespace of that secret, gloo-system by default",
		flag_secret_namespace },
	{ "azure-slot", "string", "deployment slot of the app", slot_set },
	{ "azure-hostname", "string",
		"host of the app, in place of <app>[-<slot>].azurewebsites.net",
		hostname_set },
	{ "azure-route-prefix", "string",
		"routePrefix of the app's host.json, api by default",
		prefix_set },
	{ "azure-functions", "strings",
		"functions of the app, name[=level]: Anonymous (default), "
		"Function or Admin",
		functions_set },
	{ "azure-subscription-id", "string",
		"subscription of the app, for its keys and functions from the "
		"management API",
		subscription_set },
	{ "azure-resource-group", "string", "resource group of the app",
		group_set },
	{ "azure-management-url", "string",
		"where the management API is, in place of the settings'",
		management_set },
	{ "azure-audience", "string",
		"App Service authentication is on: for whom a token must be",
		audience_set },
	{ "azure-identity-client-id", "string",
		"managed identity that asks for tokens, if there are several",
		identity_set },
	{ "azure-max-request-bytes", "uint32",
		"most bytes of a request's body, 10485760 by default",
		bytes_set },
	{ NULL, NULL, NULL, NULL },
};
