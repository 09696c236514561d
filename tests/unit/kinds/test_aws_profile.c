/*
 * Tests userspace/kinds/aws/profile.c and plan.c: what profiles of the shared
 * files come to.
 */
#include "told.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "kinds/aws/plan.h"

#define ARN  "arn:aws:iam::123456789012:role/gateway"
#define KEYS "aws_access_key_id=AKID\naws_secret_access_key=s3cr3t\n"

static char folder[] = "/tmp/aws-profile-XXXXXX";
static struct aws_settings settings;

static void
put(const char *name, const char *text)
{
	char *path = xasprintf("%s/.aws/%s", folder, name);

	unlink(path);
	if (text != NULL)
		assert_int_equal(
			file_replace(path, text, strlen(text), 0600, NULL), 0);
	free(path);
}

/* What a plan comes to: origin, source, ...; 0 and -1 as of plan.h. */
static int
plan(char *const *environment, struct str *out, struct error *err)
{
	const struct aws_place place = {
		.settings = &settings,
		.folder = folder,
		.environment = environment,
	};
	struct aws_plan p = { 0 };
	int rc = aws_profile_plan(&place, &p, err);

	str_clear(out);
	if (rc == 1) {
		static const char *const origins[] = { "none", "given",
			"process", "web", "container", "instance" };

		str_printf(out, "%s", origins[p.origin]);
		if (p.given.access_key != NULL)
			str_printf(out, " %s", p.given.access_key);
		if (p.given.session_token != NULL &&
			p.given.session_token[0] != '\0')
			str_printf(out, "+%s", p.given.session_token);
		if (p.process != NULL)
			str_printf(out, " %s", p.process);
		if (p.identity.arn != NULL)
			str_printf(out, " %s %s %u", p.identity.session_name,
				strrchr(p.token_file, '/') + 1,
				p.identity.seconds);
		for (size_t i = 0; i < p.role_count; i++)
			str_printf(
				out, " %s", strrchr(p.roles[i].arn, '/') + 1);
	}
	aws_plan_fini(&p);
	return rc;
}

static char **
environment_make(const char *profile)
{
	char **e = xcalloc(7, sizeof(*e));

	e[0] = xasprintf("HOME=%s", folder);
	e[1] = xstrdup("AWS_ACCESS_KEY_ID=AKIDENV");
	e[2] = xstrdup("AWS_SECRET_ACCESS_KEY=s3cr3t");
	e[3] = xstrdup("AWS_WEB_IDENTITY_TOKEN_FILE=token");
	e[4] = xstrdup("AWS_ROLE_ARN=" ARN);
	if (profile != NULL)
		e[5] = xasprintf("AWS_PROFILE=%s", profile);
	return e;
}

static void
environment_free(char **e)
{
	for (size_t i = 0; e[i] != NULL; i++)
		free(e[i]);
	free(e);
}

#define SOURCED "[profile p]\nrole_arn=" ARN "\n"
static const struct {
	const char *config, *credentials, *profile;
	const char *want; /* NULL: why */
	const char *why;
} cases[] = {
	{ NULL, NULL, NULL, "", NULL },
	{ NULL, "[default]\n" KEYS, NULL, "given AKID", NULL },
	{ "[default]\n" KEYS "aws_session_token=t\n", NULL, NULL,
		"given AKID+t", NULL },
	{ "[default]\nregion=x\n", "[other]\n" KEYS, NULL, "", NULL },
	{ NULL,
		"[default]\nAWS_Access_Key_ID=AKID\n"
		"aws_secret_access_key=s3cr3t\naws_access_key_id=AKID2\n",
		NULL, "given AKID2", NULL },
	/* What stands in the credentials file counts. */
	{ "[profile p]\naws_access_key_id=A\naws_secret_access_key=B\n",
		"[p]\n" KEYS, "p", "given AKID", NULL },
	{ "[p]\n" KEYS, NULL, "p", NULL, "there is no profile p (" },
	{ NULL, NULL, "p", NULL, "there is no profile p (" },
	{ "[profile p]\ncredential_process = /x y\n", NULL, "p", "process /x y",
		NULL },
	{ "[profile p]\ncredential_process = /x y\n", "[p]\n" KEYS, "p",
		"given AKID", NULL },
	{ "[profile p]\nsso_session = s\n", NULL, "p", NULL,
		"/.aws/config): it signs in with SSO" },
	{ "[profile p]\naws_access_key_id=AKID\n", NULL, "p", NULL,
		"/.aws/config): there is no secret access key" },
	/* roles */
	{ SOURCED "source_profile=q\n", "[q]\n" KEYS, "p", "given AKID gateway",
		NULL },
	{ SOURCED "source_profile=p\n" KEYS, NULL, "p", "given AKID gateway",
		NULL },
	{ SOURCED "credential_source=Environment\n", NULL, "p",
		"given AKIDENV gateway", NULL },
	{ SOURCED "credential_source=Ec2InstanceMetadata\n", NULL, "p",
		"instance gateway", NULL },
	{ SOURCED "credential_source=EcsContainer\n", NULL, "p", NULL,
		"credential_source is EcsContainer, where there are none" },
	{ SOURCED "credential_source=Elsewhere\n", NULL, "p", NULL,
		"credential_source is Environment, Ec2InstanceMetadata or " },
	{ SOURCED "web_identity_token_file=/run/token\n"
		  "role_session_name=me\nduration_seconds=900\n",
		NULL, "p", "web me token 900", NULL },
	{ SOURCED "web_identity_token_file=~/token\n", NULL, "p",
		"web gloo-gateway token 3600", NULL },
	{ SOURCED, NULL, "p", NULL, "beside role_arn there is one of" },
	{ SOURCED "source_profile=q\ncredential_source=Environment\n",
		"[q]\n" KEYS, "p", NULL, "beside role_arn there is one of" },
	{ SOURCED "source_profile=q\nmfa_serial=x\n", "[q]\n" KEYS, "p", NULL,
		"its role needs a code (mfa_serial)" },
	{ SOURCED "source_profile=q\n", NULL, "p", NULL,
		"its source_profile q has no credentials" },
	{ SOURCED "source_profile=q\n[profile q]\nrole_arn=" ARN "\n"
		  "source_profile=p\n",
		NULL, "p", NULL, "leads round in a circle" },
	{ SOURCED "source_profile=q\nduration_seconds=899\n", "[q]\n" KEYS, "p",
		NULL, "duration_seconds is a number from 900 to 43200" },
	{ SOURCED "source_profile=q\nduration_seconds=1h\n", "[q]\n" KEYS, "p",
		NULL, "duration_seconds is a number from 900 to 43200" },
	{ SOURCED "source_profile=q\nrole_session_name=a b\n", "[q]\n" KEYS,
		"p", NULL, "a role's session name has 2 to 64" },
	{ "[profile p]\nrole_arn=gateway\nsource_profile=q\n", "[q]\n" KEYS,
		"p", NULL, "\"gateway\" is no ARN of a role" },
	{ "[profile p]\ns3cr3t\n", NULL, "p", NULL,
		"/.aws/config: line 2: it is neither a section" },
};

static void
test_profiles(void **state)
{
	struct str out;

	(void)state;
	str_init(&out);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char **environment = environment_make(cases[i].profile);
		struct error err = ERROR_INIT;
		int rc;

		put("config", cases[i].config);
		put("credentials", cases[i].credentials);
		rc = plan(environment, &out, &err);
		assert_null(strstr(err.text, "s3cr3t"));
		if (cases[i].want == NULL &&
			(rc != -1 || strstr(err.text, cases[i].why) == NULL))
			fail_msg("case %zu: %d, %s, %s", i, rc, out.data,
				err.text);
		if (cases[i].want != NULL &&
			(rc != (cases[i].want[0] != '\0') ||
				strcmp(out.data, cases[i].want) != 0))
			fail_msg("case %zu: %d, \"%s\", %s", i, rc, out.data,
				err.text);
		environment_free(environment);
	}
	str_fini(&out);
}

/* The setting goes before AWS_PROFILE, and a folder is no file. */
static void
test_where(void **state)
{
	static char profile[] = "set", file[] = ".aws/other",
		    folder_name[] = ".aws";
	char **environment = environment_make("p");
	struct error err = ERROR_INIT;
	struct str out;

	(void)state;
	str_init(&out);
	put("config", NULL);
	put("credentials", "[p]\n" KEYS);
	put("other", "[set]\naws_access_key_id=AKIDSET\n"
		     "aws_secret_access_key=s3cr3t\n");
	settings.profile = profile;
	settings.shared_credentials_file = file;
	assert_int_equal(plan(environment, &out, &err), 1);
	assert_string_equal(out.data, "given AKIDSET");
	settings.shared_credentials_file = folder_name;
	assert_int_equal(plan(environment, &out, &err), -1);
	assert_non_null(strstr(err.text, "/.aws is no file"));
	settings = (struct aws_settings){ 0 };
	/* Without a home there are none, unless they are named. */
	free(environment[0]);
	environment[0] = xstrdup("A=b");
	free(environment[5]);
	environment[5] = NULL;
	assert_int_equal(plan(environment, &out, NULL), 0);
	str_fini(&out);
	environment_free(environment);
}

/* One in the settings goes before keys and a web identity in the environment;
 * one in the environment does not. */
static void
test_before_the_environment(void **state)
{
	static char profile[] = "p";
	static const struct {
		const char *credentials, *in_environment;
		char *in_settings;
		const char *key; /* NULL: why */
		const char *why;
	} rows[] = {
		{ "[p]\n" KEYS, NULL, profile, "AKID", NULL },
		{ "[p]\n" KEYS, "p", NULL, "AKIDENV", NULL },
		{ "[default]\n" KEYS, NULL, NULL, "AKIDENV", NULL },
		/* Nobody else's are taken in its place. */
		{ "[other]\n" KEYS, NULL, profile, NULL,
			"there is no profile p (" },
		{ "[p]\nregion=us-east-2\n", NULL, profile, NULL,
			"/.aws/credentials) has no credentials: put "
			"aws_access_key_id and aws_secret_access_key, " },
	};

	(void)state;
	put("config", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char **environment = environment_make(rows[i].in_environment);
		const struct aws_place place = {
			.settings = &settings,
			.folder = folder,
			.environment = environment,
		};
		struct error err = ERROR_INIT;
		struct aws_plan p;

		put("credentials", rows[i].credentials);
		settings.profile = rows[i].in_settings;
		assert_int_equal(aws_plan_make(&place, &p, &err),
			rows[i].key == NULL ? -1 : 0);
		if (rows[i].key != NULL)
			assert_string_equal(p.given.access_key, rows[i].key);
		else
			assert_non_null(strstr(err.text, rows[i].why));
		aws_plan_fini(&p);
		environment_free(environment);
	}
	settings = (struct aws_settings){ 0 };
}

static int
folder_make(void **state)
{
	char *text;
	int rc;

	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	text = xasprintf("%s/.aws", folder);
	rc = mkdir(text, 0700);
	free(text);
	return rc;
}

static int
folder_remove(void **state)
{
	char *text = xasprintf("rm -r %s", folder);
	int rc = system(text);

	(void)state;
	free(text);
	return rc;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_profiles),
		cmocka_unit_test(test_where),
		cmocka_unit_test(test_before_the_environment),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
