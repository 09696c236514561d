/*
 * Profiles of the shared credentials and config files: keys, a program
 * (credential_process), or a role that is assumed with a web identity, with
 * another profile (source_profile) or with another source (credential_source).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"
#include "kinds/aws/plan.h"
#include "kinds/aws/shared_file.h"

enum {
	FILE_CONFIG,
	FILE_CREDENTIALS,
	FILE_COUNT
};

struct file {
	char *path; /* NULL: there is no home that it would be in */
	struct str text;
};

struct files {
	struct file of[FILE_COUNT];
};

#define KEYS(K)                                                                \
	K(ACCESS_KEY, "aws_access_key_id")                                     \
	K(SECRET_KEY, "aws_secret_access_key")                                 \
	K(TOKEN, "aws_session_token")                                          \
	K(PROCESS, "credential_process")                                       \
	K(ROLE, "role_arn")                                                    \
	K(SESSION_NAME, "role_session_name")                                   \
	K(EXTERNAL_ID, "external_id")                                          \
	K(SECONDS, "duration_seconds")                                         \
	K(MFA, "mfa_serial")                                                   \
	K(SOURCE_PROFILE, "source_profile")                                    \
	K(SOURCE, "credential_source")                                         \
	K(WEB_TOKEN_FILE, "web_identity_token_file")                           \
	K(SSO_SESSION, "sso_session")                                          \
	K(SSO_URL, "sso_start_url")

enum {
#define KEY_NUMBER(name, text) KEY_##name,
	KEYS(KEY_NUMBER)
#undef KEY_NUMBER
	KEY_COUNT
};

static const char *const keys[KEY_COUNT] = {
#define KEY_TEXT(name, text) text,
	KEYS(KEY_TEXT)
#undef KEY_TEXT
};

struct profile {
	const char *name;
	char *at; /* "profile dev (/root/.aws/credentials)" */
	int file; /* that is read now */
	bool found[FILE_COUNT];
	char *values[KEY_COUNT]; /* NULL: not given or empty */
};

/* ---- files */

/* Where nobody said that there is one, one that we may not read is none: a
 * unit's ProtectHome. */
static char *
file_path(const struct aws_place *place, const char *setting,
	const char *variable, const char *usual)
{
	const char *named = aws_environment_get(place, variable);
	char *path;

	if (setting != NULL)
		return aws_path(place, place->folder, setting);
	if (named != NULL)
		return aws_path(place, NULL, named);
	path = aws_path(place, NULL, usual);
	if (path != NULL && access(path, R_OK) != 0 && errno == EACCES) {
		free(path);
		path = NULL;
	}
	return path;
}

static void
files_fini(struct files *f)
{
	for (size_t i = 0; i < FILE_COUNT; i++) {
		free(f->of[i].path);
		str_fini_wiped(&f->of[i].text);
	}
}

static int
files_read(const struct aws_place *place, struct files *f, struct error *err)
{
	int rc = 0;

	f->of[FILE_CONFIG].path = file_path(place, place->settings->config_file,
		"AWS_CONFIG_FILE", "~/.aws/config");
	f->of[FILE_CREDENTIALS].path =
		file_path(place, place->settings->shared_credentials_file,
			"AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials");
	for (size_t i = 0; i < FILE_COUNT; i++) {
		str_init(&f->of[i].text);
		if (rc >= 0 && f->of[i].path != NULL)
			rc = aws_file_read(f->of[i].path, SHARED_FILE_MAX,
				&f->of[i].text, err);
	}
	return rc < 0 ? -1 : 0;
}

/* ---- one profile */

static bool
is_key(struct slice key, const char *name)
{
	return key.length == strlen(name) &&
	       strncasecmp(key.data, name, key.length) == 0;
}

static void
on_key(struct slice profile, struct slice key, struct slice value, void *arg)
{
	struct profile *p = arg;

	if (!slice_equal(profile, slice_of(p->name)))
		return;
	p->found[p->file] = true;
	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (!is_key(key, keys[i]))
			continue;
		mem_free_wiped(p->values[i]);
		p->values[i] =
			value.length == 0 || memchr(value.data, '\0',
						     value.length) != NULL
				? NULL
				: xstrndup(value.data, value.length);
	}
}

static void
profile_fini(struct profile *p)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		mem_free_wiped(p->values[i]);
	free(p->at);
}

/* "profile dev (/a/config, /a/credentials)", where it is or would be. */
static char *
profile_at(const struct files *f, const struct profile *p)
{
	bool somewhere = false;
	struct str s;

	for (size_t i = 0; i < FILE_COUNT; i++)
		somewhere |= p->found[i];
	str_init(&s);
	str_printf(&s, "profile %.64s", p->name);
	text_defuse(s.data);
	for (size_t i = 0, shown = 0; i < FILE_COUNT; i++)
		if (f->of[i].path != NULL && (p->found[i] || !somewhere))
			str_printf(&s, "%s%.200s", shown++ == 0 ? " (" : ", ",
				f->of[i].path);
	str_puts(&s, strchr(s.data, '(') != NULL ? ")" : "");
	return str_steal(&s);
}

/* What stands in the credentials file is put over what stands in the other. */
static int
profile_read(const struct files *f, const char *name, struct profile *p,
	struct error *err)
{
	*p = (struct profile){ .name = name };
	for (p->file = 0; p->file < FILE_COUNT; p->file++) {
		const struct file *file = &f->of[p->file];

		if (shared_file_read((struct slice){ file->text.data,
					     file->text.length },
			    p->file == FILE_CONFIG, on_key, p, err) != 0)
			return error_prefix(err, "%s", file->path);
	}
	p->at = profile_at(f, p);
	return 0;
}

static bool
is_found(const struct profile *p)
{
	return p->found[FILE_CONFIG] || p->found[FILE_CREDENTIALS];
}

/* ---- what it says: 1, 0 or -1 as of plan.h */

/* The first source's name stays: the profile that was asked for. */
static void
source_set(struct aws_plan *plan, const struct profile *p)
{
	free(plan->source);
	plan->source = xstrdup(p->at);
	plan->is_file = true;
}

static int
keys_plan(struct profile *p, struct aws_plan *plan, struct error *err)
{
	if (p->values[KEY_ACCESS_KEY] == NULL &&
		p->values[KEY_SECRET_KEY] == NULL)
		return 0;
	plan->given = (struct aws_credentials){
		.access_key = p->values[KEY_ACCESS_KEY],
		.secret_key = p->values[KEY_SECRET_KEY],
		.session_token = p->values[KEY_TOKEN],
	};
	p->values[KEY_ACCESS_KEY] = p->values[KEY_SECRET_KEY] =
		p->values[KEY_TOKEN] = NULL;
	if (plan->given.session_token == NULL)
		plan->given.session_token = xstrdup("");
	if (aws_credentials_check(&plan->given, err) != 0)
		return error_prefix(err, "%s", p->at);
	plan->origin = AWS_ORIGIN_GIVEN;
	source_set(plan, p);
	return 1;
}

static int
process_plan(const struct profile *p, struct aws_plan *plan)
{
	if (p->values[KEY_PROCESS] == NULL)
		return 0;
	plan->process = xstrdup(p->values[KEY_PROCESS]);
	plan->origin = AWS_ORIGIN_PROCESS;
	source_set(plan, p);
	return 1;
}

static int
seconds_read(const struct profile *p, uint32_t *seconds, struct error *err)
{
	const char *text = p->values[KEY_SECONDS];
	char *end;
	long number;

	if (text == NULL)
		return 0;
	number = strtol(text, &end, 10);
	if (*end != '\0' || number < AWS_ROLE_SECONDS_MIN ||
		number > AWS_ROLE_SECONDS_MAX)
		return error_set(err, ERROR_CONFIG,
			"%s: duration_seconds is a number from %d to %d", p->at,
			AWS_ROLE_SECONDS_MIN, AWS_ROLE_SECONDS_MAX);
	*seconds = (uint32_t)number;
	return 0;
}

static int
web_identity_plan(const struct aws_place *place, const struct profile *p,
	struct aws_plan *plan, struct error *err)
{
	if (aws_role_init(&plan->identity, p->values[KEY_ROLE],
		    p->values[KEY_SESSION_NAME], err) != 0)
		return error_prefix(err, "%s", p->at);
	if (seconds_read(p, &plan->identity.seconds, err) != 0)
		return -1;
	plan->token_file =
		aws_path(place, place->folder, p->values[KEY_WEB_TOKEN_FILE]);
	if (plan->token_file == NULL)
		return error_set(err, ERROR_CONFIG,
			"%s: HOME is not set, so there is no \"~\" for "
			"web_identity_token_file",
			p->at);
	plan->origin = AWS_ORIGIN_WEB_IDENTITY;
	source_set(plan, p);
	plan->is_file = false;
	return 1;
}

static int
credential_source_plan(const struct aws_place *place, const struct profile *p,
	struct aws_plan *plan, struct error *err)
{
	static const struct {
		const char *name;
		int (*plan)(const struct aws_place *, struct aws_plan *,
			struct error *);
	} sources[] = {
		{ "Environment", aws_environment_plan },
		{ "Ec2InstanceMetadata", aws_instance_plan },
		{ "EcsContainer", aws_container_plan },
	};
	const char *name = p->values[KEY_SOURCE];
	int rc;

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		if (strcmp(name, sources[i].name) != 0)
			continue;
		rc = sources[i].plan(place, plan, err);
		if (rc < 0)
			return error_prefix(err, "%s", p->at);
		if (rc == 0)
			return error_set(err, ERROR_CONFIG,
				"%s: credential_source is %s, where there are "
				"none",
				p->at, name);
		return 1;
	}
	return error_set(err, ERROR_CONFIG,
		"%s: credential_source is Environment, Ec2InstanceMetadata or "
		"EcsContainer",
		p->at);
}

static int profile_plan(const struct aws_place *place, const struct files *f,
	const char *name, unsigned depth, struct aws_plan *plan,
	struct error *err);

/* A profile whose source is itself assumes the role with its own keys. */
static int
source_profile_plan(const struct aws_place *place, const struct files *f,
	struct profile *p, unsigned depth, struct aws_plan *plan,
	struct error *err)
{
	const char *source = p->values[KEY_SOURCE_PROFILE];
	int rc;

	if (depth == AWS_ROLES_MAX)
		return error_set(err, ERROR_CONFIG,
			"%s: its source_profile leads round in a circle, or "
			"over more than %d profiles",
			p->at, AWS_ROLES_MAX);
	if (strcmp(source, p->name) == 0)
		rc = keys_plan(p, plan, err);
	else
		rc = profile_plan(place, f, source, depth + 1, plan, err);
	if (rc == 0)
		return error_set(err, ERROR_CONFIG,
			"%s: its source_profile %.64s has no credentials",
			p->at, source);
	return rc;
}

static int
role_sources_check(const struct profile *p, struct error *err)
{
	int count = (p->values[KEY_SOURCE_PROFILE] != NULL) +
		    (p->values[KEY_SOURCE] != NULL) +
		    (p->values[KEY_WEB_TOKEN_FILE] != NULL);

	if (p->values[KEY_MFA] != NULL)
		return error_set(err, ERROR_CONFIG,
			"%s: its role needs a code (mfa_serial), and a gateway "
			"has nobody to ask for one; use a role without",
			p->at);
	if (count != 1)
		return error_set(err, ERROR_CONFIG,
			"%s: beside role_arn there is one of source_profile, "
			"credential_source and web_identity_token_file",
			p->at);
	return 0;
}

static int
role_plan(const struct aws_place *place, const struct files *f,
	struct profile *p, unsigned depth, struct aws_plan *plan,
	struct error *err)
{
	struct aws_role *role;
	int rc;

	if (role_sources_check(p, err) != 0)
		return -1;
	if (p->values[KEY_WEB_TOKEN_FILE] != NULL)
		return web_identity_plan(place, p, plan, err);
	rc = p->values[KEY_SOURCE] != NULL
		     ? credential_source_plan(place, p, plan, err)
		     : source_profile_plan(place, f, p, depth, plan, err);
	if (rc < 0)
		return -1;
	if (aws_plan_role_add(plan, p->values[KEY_ROLE],
		    p->values[KEY_SESSION_NAME], err) != 0)
		return error_prefix(err, "%s", p->at);
	role = aws_plan_role_last(plan);
	if (p->values[KEY_EXTERNAL_ID] != NULL)
		role->external_id = xstrdup(p->values[KEY_EXTERNAL_ID]);
	source_set(plan, p);
	return seconds_read(p, &role->seconds, err) != 0 ? -1 : 1;
}

static int
profile_says(const struct aws_place *place, const struct files *f,
	struct profile *p, unsigned depth, struct aws_plan *plan,
	struct error *err)
{
	int rc;

	if (p->values[KEY_ROLE] != NULL)
		return role_plan(place, f, p, depth, plan, err);
	rc = keys_plan(p, plan, err);
	if (rc == 0)
		rc = process_plan(p, plan);
	if (rc == 0 && (p->values[KEY_SSO_SESSION] != NULL ||
			       p->values[KEY_SSO_URL] != NULL))
		return error_set(err, ERROR_CONFIG,
			"%s: it signs in with SSO, which needs a person; give "
			"the gateway a role, or a credential_process",
			p->at);
	return rc;
}

static int
profile_plan(const struct aws_place *place, const struct files *f,
	const char *name, unsigned depth, struct aws_plan *plan,
	struct error *err)
{
	struct profile p;
	int rc = profile_read(f, name, &p, err);

	if (rc == 0)
		rc = profile_says(place, f, &p, depth, plan, err);
	profile_fini(&p);
	return rc;
}

/* ---- the one that is asked for */

static int
asked_plan(const struct aws_place *place, const struct files *f,
	const char *name, bool must_be, struct aws_plan *plan,
	struct error *err)
{
	struct profile p;
	int rc = profile_read(f, name, &p, err);

	if (rc == 0 && must_be && !is_found(&p))
		rc = error_set(err, ERROR_CONFIG,
			"there is no %s; correct the name (aws.profile or "
			"AWS_PROFILE) or the file",
			p.at);
	if (rc == 0)
		rc = profile_says(place, f, &p, 0, plan, err);
	/* Nobody else's in the place of those that the settings ask for. */
	if (rc == 0 && place->settings->profile != NULL)
		rc = error_set(err, ERROR_CONFIG,
			"%s has no credentials: put aws_access_key_id and "
			"aws_secret_access_key, a credential_process or a "
			"role_arn into it, or take aws.profile out of the "
			"settings",
			p.at);
	profile_fini(&p);
	return rc;
}

int
aws_profile_plan(
	const struct aws_place *place, struct aws_plan *plan, struct error *err)
{
	const char *name = place->settings->profile;
	struct files f = { 0 };
	bool named;
	int rc;

	if (name == NULL)
		name = aws_environment_get(place, "AWS_PROFILE");
	named = name != NULL;
	rc = files_read(place, &f, err);
	if (rc == 0)
		rc = asked_plan(
			place, &f, named ? name : "default", named, plan, err);
	files_fini(&f);
	return rc;
}
