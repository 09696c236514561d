/*
 * Questions of control to an AWS service: signed, bounded in time, and what is
 * wrong with an answer as one of few troubles and a sentence. A clock of ours
 * that is off is found out from the Date of a refusal, and the question is
 * asked once more. Private to kinds/aws/.
 */
#ifndef KINDS_AWS_API_H
#define KINDS_AWS_API_H

#include <stdbool.h>
#include <stdint.h>

#include "base/doc.h"
#include "base/str.h"
#include "kinds/aws/credentials.h"

struct aws_api;
struct aws_api_call;
struct http_client;

enum aws_api_trouble {
	AWS_API_FINE,
	AWS_API_UNREACHED, /* no whole answer came */
	AWS_API_THROTTLED,
	AWS_API_FORBIDDEN, /* the credentials are good, but may not */
	AWS_API_REFUSED,   /* the credentials are not good, or no more */
	AWS_API_MISSING,   /* there is nothing of that name */
	AWS_API_FAILED,    /* 5xx */
	AWS_API_UNUSABLE,  /* anything else */
};

struct aws_api_options {
	struct http_client *http;
	const char *service, *region; /* "lambda", "us-east-1" */
	const char *authority;        /* as Host has it */
	bool tls;
	/* Borrowed; as they are whenever something is asked. An access_key of
	 * NULL: there are none. */
	const struct aws_credentials *credentials;
};

/* Copies the texts. */
struct aws_api *aws_api_new(const struct aws_api_options *o);
void aws_api_free(struct aws_api *a); /* its calls must be over; NULL is fine */

struct aws_api_question { /* borrowed until the answer */
	const char *method;
	const char *path, *query; /* percent-coded; query NULL: none */
	const char *invocation;   /* X-Amz-Invocation-Type; NULL: none */
	const char *body;         /* a form; NULL: none */
};

struct aws_api_reply { /* valid during the call */
	enum aws_api_trouble trouble;
	struct slice body;
	uint32_t retry_after_s; /* 0: not said */
	/* Of any trouble: what answered what, one sentence without a secret. */
	const char *why;
};

/* NULL: there are no credentials. done comes later, the call is over then. */
struct aws_api_call *aws_api_ask(struct aws_api *a,
	const struct aws_api_question *q,
	void (*done)(const struct aws_api_reply *reply, void *arg), void *arg);
void aws_api_cancel(struct aws_api_call *call); /* NULL is fine */
/* Questions so far, those that were asked again too. */
uint64_t aws_api_asked(const struct aws_api *a);

/* What stands between the first <tag> and </tag>, "" if nothing does: answers
 * of STS are XML. */
struct slice aws_xml_find(struct slice xml, const char *tag);

#endif
