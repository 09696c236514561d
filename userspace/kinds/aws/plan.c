/* Which source of credentials it is: the order of the chain. */
#include "kinds/aws/plan.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"

#define SESSION_NAME     "gloo-gateway"
#define SESSION_NAME_MIN 2 /* STS API, RoleSessionName */
#define SESSION_NAME_MAX 64
#define ARN_MIN          20 /* STS API, RoleArn */
#define ARN_MAX          2048
#define TOKEN_MAX        (64u << 10)

/* ---- what sources share */

const char *
aws_environment_get(const struct aws_place *place, const char *name)
{
	size_t length = strlen(name);

	for (char *const *at = place->environment; *at != NULL; at++)
		if (strncmp(*at, name, length) == 0 && (*at)[length] == '=' &&
			(*at)[length + 1] != '\0')
			return *at + length + 1;
	return NULL;
}

char *
aws_path(const struct aws_place *place, const char *folder, const char *path)
{
	const char *home;

	if (strncmp(path, "~/", 2) == 0) {
		home = aws_environment_get(place, "HOME");
		return home == NULL ? NULL : xasprintf("%s/%s", home, path + 2);
	}
	if (path[0] == '/' || folder == NULL)
		return xstrdup(path);
	return xasprintf("%s/%s", folder, path);
}

/* Opening anything but a file might wait. Its size is made room for, so that
 * nothing of it is left behind by a text that grows. */
int
aws_file_read(const char *path, size_t max, struct str *out, struct error *err)
{
	struct stat st;

	if (stat(path, &st) != 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return 1;
		return error_errno(err, errno, "cannot read %s", path);
	}
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_CONFIG, "%s is no file", path);
	if (st.st_size > 0 && (size_t)st.st_size <= max)
		str_reserve(out, (size_t)st.st_size);
	return file_read(path, max, out, err);
}

int
aws_token_read(const char *path, struct str *out, struct error *err)
{
	int rc = aws_file_read(path, TOKEN_MAX, out, err);

	if (rc > 0)
		return error_set(
			err, ERROR_CONFIG, "there is no file %s", path);
	if (rc < 0)
		return -1;
	str_consume(out, strspn(out->data, " \t\r\n"));
	while (out->length > 0 &&
		isspace((unsigned char)out->data[out->length - 1]))
		out->data[--out->length] = '\0';
	if (out->length == 0)
		return error_set(err, ERROR_CONFIG, "%s is empty", path);
	for (size_t i = 0; i < out->length; i++)
		if (!isprint((unsigned char)out->data[i]))
			return error_set(err, ERROR_CONFIG,
				"%s holds no token: byte %zu is none that a "
				"token has",
				path, i + 1);
	return 0;
}

/* ---- roles */

static bool
is_of_session_name(unsigned char c)
{
	return isalnum(c) || (c != '\0' && strchr("_+=,.@-", c) != NULL);
}

static int
session_name_check(const char *name, struct error *err)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < length; i++)
		if (!is_of_session_name((unsigned char)name[i]))
			length = 0;
	if (length < SESSION_NAME_MIN || length > SESSION_NAME_MAX)
		return error_set(err, ERROR_CONFIG,
			"a role's session name has %d to %d letters, digits "
			"and \"_+=,.@-\"",
			SESSION_NAME_MIN, SESSION_NAME_MAX);
	return 0;
}

static int
arn_check(const char *arn, struct error *err)
{
	size_t length = strlen(arn);

	for (const char *p = arn; *p != '\0'; p++)
		if (!isgraph((unsigned char)*p))
			length = 0;
	if (strncmp(arn, "arn:", 4) != 0 || length < ARN_MIN ||
		length > ARN_MAX)
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" is no ARN of a role, as in "
			"arn:aws:iam::123456789012:role/name",
			arn);
	return 0;
}

static void
role_fini(struct aws_role *r)
{
	free(r->arn);
	free(r->session_name);
	free(r->external_id);
	*r = (struct aws_role){ 0 };
}

int
aws_role_init(struct aws_role *r, const char *arn, const char *name,
	struct error *err)
{
	*r = (struct aws_role){ 0 };
	if (name == NULL)
		name = SESSION_NAME;
	if (arn_check(arn, err) != 0 || session_name_check(name, err) != 0)
		return -1;
	r->arn = xstrdup(arn);
	r->session_name = xstrdup(name);
	r->seconds = AWS_ROLE_SECONDS;
	return 0;
}

int
aws_plan_role_add(struct aws_plan *p, const char *arn, const char *name,
	struct error *err)
{
	struct aws_role role;

	if (p->role_count == AWS_ROLES_MAX)
		return error_set(err, ERROR_LIMIT,
			"more than %d roles, each assumed with the one before",
			AWS_ROLES_MAX);
	if (aws_role_init(&role, arn, name, err) != 0)
		return -1;
	p->roles =
		xreallocarray(p->roles, p->role_count + 1, sizeof(*p->roles));
	p->roles[p->role_count++] = role;
	return 0;
}

/* ---- the chain */

static int
secret_plan(
	const struct aws_place *place, struct aws_plan *p, struct error *err)
{
	p->source = place->secret == NULL
			    ? xstrdup("the upstream's secret")
			    : xasprintf("the secret %s", place->secret);
	if (aws_credentials_check(place->fixed, err) != 0)
		return error_prefix(err, "%s", p->source);
	p->origin = AWS_ORIGIN_GIVEN;
	aws_credentials_copy(&p->given, place->fixed);
	if (p->given.session_token == NULL)
		p->given.session_token = xstrdup("");
	return 0;
}

/* A secret without keys says: those of the shared files, whatever else. */
static int
files_plan(const struct aws_place *place, struct aws_plan *p, struct error *err)
{
	int rc = aws_profile_plan(place, p, err);

	if (rc == 0)
		return error_set(err, ERROR_CONFIG,
			"%s has no keys, which stands for the shared files of "
			"AWS, and they have no credentials: put "
			"aws_access_key_id and aws_secret_access_key into "
			"~/.aws/credentials, or keys into the secret",
			place->secret == NULL ? "the upstream's secret"
					      : place->secret);
	return rc < 0 ? -1 : 0;
}

/* A profile that the settings name goes before what stands in the environment,
 * as one that is set in code does with the SDKs; AWS_PROFILE does not. */
static int
process_plan(
	const struct aws_place *place, struct aws_plan *p, struct error *err)
{
	static int (*const chain[])(
		const struct aws_place *, struct aws_plan *, struct error *) = {
		aws_environment_plan,
		aws_web_identity_plan,
		aws_profile_plan,
		aws_container_plan,
		aws_instance_plan,
	};
	bool named = place->settings->profile != NULL;

	for (size_t i = 0; i < ARRAY_SIZE(chain); i++) {
		int rc;

		if (named && (chain[i] == aws_environment_plan ||
				     chain[i] == aws_web_identity_plan))
			continue;
		rc = chain[i](place, p, err);
		if (rc != 0)
			return rc < 0 ? -1 : 0;
	}
	return error_set(err, ERROR_CONFIG,
		"none are configured, and instance metadata is switched off by "
		"AWS_EC2_METADATA_DISABLED: give the upstream a secret, or the "
		"gateway AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a "
		"profile in ~/.aws/credentials");
}

/* The upstream's role: with the token of a web identity alone where nothing
 * else may be used or is said, or where that is the same role; else with the
 * credentials of the process. */
static int
role_plan(const struct aws_place *place, struct aws_plan *p, struct error *err)
{
	int rc = 0;

	if (place->no_role_chaining) {
		rc = aws_web_identity_plan(place, p, err);
		if (rc == 0)
			return error_set(err, ERROR_CONFIG,
				"disableRoleChaining is set, so role %.128s is "
				"assumed with a web identity alone, and "
				"AWS_WEB_IDENTITY_TOKEN_FILE is not set for "
				"the "
				"gateway",
				place->role_arn);
		return rc < 0 ? -1 : 0;
	}
	if (process_plan(place, p, err) != 0)
		return -1;
	if (p->origin == AWS_ORIGIN_WEB_IDENTITY &&
		strcmp(p->identity.arn, place->role_arn) == 0)
		return 0;
	if (aws_plan_role_add(p, place->role_arn,
		    aws_environment_get(place, "AWS_ROLE_SESSION_NAME"),
		    err) != 0)
		return error_prefix(err, "roleArn");
	return 0;
}

static bool
has_a_key(const struct aws_credentials *c)
{
	return (c->access_key != NULL && c->access_key[0] != '\0') ||
	       (c->secret_key != NULL && c->secret_key[0] != '\0');
}

int
aws_plan_make(
	const struct aws_place *place, struct aws_plan *out, struct error *err)
{
	int rc;

	*out = (struct aws_plan){ 0 };
	if (place->fixed != NULL && has_a_key(place->fixed))
		rc = secret_plan(place, out, err);
	else if (place->fixed != NULL)
		rc = files_plan(place, out, err);
	else if (place->role_arn != NULL)
		rc = role_plan(place, out, err);
	else
		rc = process_plan(place, out, err);
	if (rc != 0)
		aws_plan_fini(out);
	return rc;
}

void
aws_plan_fini(struct aws_plan *p)
{
	free(p->source);
	aws_credentials_fini(&p->given);
	mem_free_wiped(p->process);
	role_fini(&p->identity);
	free(p->url);
	free(p->token_file);
	mem_free_wiped(p->token);
	for (size_t i = 0; i < p->role_count; i++)
		role_fini(&p->roles[i]);
	free(p->roles);
	*p = (struct aws_plan){ 0 };
}
