/* Credentials in the environment: AWS_ACCESS_KEY_ID and its like. */
#include "base/mem.h"
#include "kinds/aws/plan.h"

int
aws_environment_plan(
	const struct aws_place *place, struct aws_plan *p, struct error *err)
{
	const char *access = aws_environment_get(place, "AWS_ACCESS_KEY_ID");
	const char *secret =
		aws_environment_get(place, "AWS_SECRET_ACCESS_KEY");
	const char *token = aws_environment_get(place, "AWS_SESSION_TOKEN");

	if (access == NULL && secret == NULL)
		return 0;
	if (access == NULL || secret == NULL)
		return error_set(err, ERROR_CONFIG,
			"the environment has %s without %s; the gateway needs "
			"both, or neither",
			access != NULL ? "AWS_ACCESS_KEY_ID"
				       : "AWS_SECRET_ACCESS_KEY",
			access != NULL ? "AWS_SECRET_ACCESS_KEY"
				       : "AWS_ACCESS_KEY_ID");
	p->origin = AWS_ORIGIN_GIVEN;
	p->source = xstrdup("the environment (AWS_ACCESS_KEY_ID)");
	p->given = (struct aws_credentials){
		.access_key = xstrdup(access),
		.secret_key = xstrdup(secret),
		.session_token = xstrdup(token == NULL ? "" : token),
	};
	if (aws_credentials_check(&p->given, err) != 0)
		return error_prefix(err, "%s", p->source);
	return 1;
}
