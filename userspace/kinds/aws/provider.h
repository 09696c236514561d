/*
 * Where AWS credentials come from, in the order of the SDKs: the upstream's
 * secret; the upstream's role; else the process: environment, web identity,
 * shared files (profiles, source_profile, credential_source,
 * credential_process), container, instance metadata (IMDSv2); with a profile in
 * the settings without the first two. Refreshed in the
 * background: asked for 15 min before they expire, with jitter, one question
 * at a time; what there is stays in use while refreshing fails (those of
 * instance metadata beyond their expiry). Never blocks the loop.
 */
#ifndef KINDS_AWS_PROVIDER_H
#define KINDS_AWS_PROVIDER_H

#include <stdbool.h>

#include "base/doc.h"
#include "kinds/aws/credentials.h"
#include "model/model.h"

struct aws_provider;
struct http_client;
struct loop;

struct aws_provider_options {
	struct loop *loop;
	struct http_client *http;
	/* The value of "aws" in settings.yaml, checked (aws_settings_check);
	 * endpoints of STS and instance metadata, files, profile. */
	const struct doc *settings;
	const char *settings_folder;
	const char *region;
	bool fips, dual_stack; /* the upstream's, for STS of the region too */
	/* Of the upstream's secret, or NULL: without a secret_key it means the
	 * shared files ("empty = ~/.aws/credentials"). */
	const struct aws_credentials *fixed;
	const char *secret;       /* its name, for people; or NULL */
	const char *role_arn;     /* or NULL; not used beside fixed */
	bool no_role_chaining;    /* role_arn is assumed with the web identity
				   * alone, not with other credentials */
	char *const *environment; /* NULL: the process's */
	/* Others are there now; c is valid during the call; NULL: none any
	 * more (they expired). */
	void (*changed)(const struct aws_credentials *c, void *arg);
	/* Once when it changes; NULL: all is well. One sentence that names the
	 * source and what to do. */
	void (*problem)(const char *sentence, void *arg);
	void *arg;
};

/* Copies what it needs; asks at once; nothing is called before it returned.
 * Within changed and problem it may be freed. */
struct aws_provider *aws_provider_new(const struct aws_provider_options *o);
void aws_provider_free(struct aws_provider *p); /* NULL is fine */
/* What was given was refused: others are got, not more than once in 10 s. */
void aws_provider_refused(struct aws_provider *p);
/* "the secret gloo-system.aws", "instance metadata": for people. */
const char *aws_provider_source(const struct aws_provider *p);
int aws_settings_check(const struct doc *settings, struct error *err);

#endif
