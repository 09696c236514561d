/*
 * Where the AWS credentials of an upstream come from: the one source of the
 * chain (provider.h) that is configured first, and the roles that are assumed
 * with what it gives. Made anew whenever credentials are got, since files
 * change; made from what is configured alone, nothing is asked. Private to
 * kinds/aws/.
 */
#ifndef KINDS_AWS_PLAN_H
#define KINDS_AWS_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "kinds/aws/credentials.h"
#include "kinds/aws/settings.h"

/* IAM API, AssumeRole: what a role session may last, and one that was opened
 * with another one's credentials. */
#define AWS_ROLE_SECONDS         3600
#define AWS_ROLE_SECONDS_MIN     900
#define AWS_ROLE_SECONDS_MAX     43200
#define AWS_ROLE_CHAINED_SECONDS 3600
#define AWS_ROLES_MAX            8 /* one after the other */

enum aws_origin {
	AWS_ORIGIN_NONE,
	AWS_ORIGIN_GIVEN,        /* given */
	AWS_ORIGIN_PROCESS,      /* process */
	AWS_ORIGIN_WEB_IDENTITY, /* identity, token_file */
	AWS_ORIGIN_CONTAINER,    /* url, token_file or token */
	AWS_ORIGIN_INSTANCE,     /* url */
};

struct aws_role {
	char *arn, *session_name;
	char *external_id; /* NULL: none */
	uint32_t seconds;
};

struct aws_plan {
	enum aws_origin origin;
	char *source; /* for people: "the environment" */
	/* What is given may be another soon, without having expired: a file. */
	bool is_file;
	struct aws_credentials given;
	char *process; /* a command line */
	struct aws_role identity;
	char *url, *token_file, *token;
	struct aws_role *roles; /* assumed in this order */
	size_t role_count;
};

/* Where to look. Borrowed. */
struct aws_place {
	const struct aws_settings *settings;
	const char *folder;                  /* of relative paths in settings */
	char *const *environment;            /* ends with NULL */
	const struct aws_credentials *fixed; /* or NULL, as in provider.h */
	const char *secret;                  /* its name or NULL */
	const char *role_arn;                /* or NULL */
	bool no_role_chaining;
};

/* out is uninitialised, and has nothing in it after a failure. err: a sentence
 * with what to do. */
int aws_plan_make(
	const struct aws_place *place, struct aws_plan *out, struct error *err);
void aws_plan_fini(struct aws_plan *p);

/* ---- for the sources: 1: it is the origin of the plan now; 0: it is not
 * configured; -1 and err */

int aws_environment_plan(
	const struct aws_place *place, struct aws_plan *p, struct error *err);
int aws_web_identity_plan(
	const struct aws_place *place, struct aws_plan *p, struct error *err);
int aws_profile_plan(
	const struct aws_place *place, struct aws_plan *p, struct error *err);
int aws_container_plan(
	const struct aws_place *place, struct aws_plan *p, struct error *err);
int aws_instance_plan(
	const struct aws_place *place, struct aws_plan *p, struct error *err);

/* NULL: not set or empty. */
const char *aws_environment_get(
	const struct aws_place *place, const char *name);
/* "~/x" and what is relative to folder (NULL: the current one) as a path; the
 * caller frees it. NULL: there is no home. */
char *aws_path(
	const struct aws_place *place, const char *folder, const char *path);
/* Of a file that holds a secret. 1: there is none. */
int aws_file_read(
	const char *path, size_t max, struct str *out, struct error *err);
/* A token is one line of ASCII; what is blank around it is cut off. */
int aws_token_read(const char *path, struct str *out, struct error *err);

/* name NULL: the usual one. */
int aws_role_init(struct aws_role *r, const char *arn, const char *name,
	struct error *err);
int aws_plan_role_add(struct aws_plan *p, const char *arn, const char *name,
	struct error *err);
/* The last one that was added. */
static inline struct aws_role *
aws_plan_role_last(struct aws_plan *p)
{
	return &p->roles[p->role_count - 1];
}

#endif
