/* The flags of `glooctl create upstream aws`: texts into a spec document, which
 * is checked when it is read. */
#include "kinds/aws/flags.h"

#include <string.h>

#include "kinds/flags.h"

static int
region_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(spec, "region", value, err);
}

static int
role_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(spec, "roleArn", value, err);
}

static int
chaining_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_bool(spec, "disableRoleChaining", value, err);
}

static int
account_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(spec, "awsAccountId", value, err);
}

static int
endpoint_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(spec, "endpointUrl", value, err);
}

static int
fips_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_bool(spec, "useFips", value, err);
}

static int
dual_stack_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_bool(spec, "useDualStack", value, err);
}

static int
overrides_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_options(spec, "destinationOverrides", value, err);
}

const struct kind_flag aws_flags[] = {
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
	{ "aws-role-arn", "string",
		"role that is assumed with the credentials of the daemon, in "
		"place of a secret",
		role_set },
	{ "aws-disable-role-chaining", NULL,
		"assume it with a web identity only, not with other "
		"credentials",
		chaining_set },
	{ "aws-account-id", "string",
		"account of the functions, if it is not that of the "
		"credentials",
		account_set },
	{ "aws-endpoint-url", "string",
		"where the Lambda API is, https://host[:port], in place of "
		"the region's",
		endpoint_set },
	{ "aws-use-fips", NULL, "call the region's FIPS endpoint", fips_set },
	{ "aws-use-dual-stack", NULL,
		"call the region's endpoint of IPv4 and IPv6", dual_stack_set },
	{ "aws-overrides", "strings",
		"what holds for each route to the upstream, "
		"invocationStyle=ASYNC,unwrapAsAlb=true",
		overrides_set },
	{ NULL, NULL, NULL, NULL },
};
