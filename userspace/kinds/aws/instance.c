/*
 * Credentials of the role of an EC2 instance, from instance metadata (EC2 User
 * Guide, "Use the Instance Metadata Service"): a session first (version 2), the
 * role's name, its credentials. The older form without a session is asked only
 * where aws.imdsV1Fallback allows it: whoever gets the gateway to send a GET
 * could use it, too.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kinds/aws/document.h"
#include "kinds/aws/question.h"
#include "kinds/aws/url.h"

#define USUAL_V4  "http://169.254.169.254"
#define USUAL_V6  "http://[fd00:ec2::254]"
#define TOKEN_URL "/latest/api/token"
#define ROLES_URL "/latest/meta-data/iam/security-credentials/"

#define TIMEOUT_MS       1000
#define TOTAL_TIMEOUT_MS 2000
#define BODY_MAX         (64u << 10)
#define SESSION_S        21600
#define SESSION_LEEWAY_S 60
#define TOKEN_MAX        1024
#define ROLE_NAME_MAX    128

/* ---- plan */

int
aws_instance_plan(
	const struct aws_place *place, struct aws_plan *p, struct error *err)
{
	const char *off =
		aws_environment_get(place, "AWS_EC2_METADATA_DISABLED");
	const char *mode = aws_environment_get(
		place, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	const char *variable = "aws.imdsEndpointUrl";
	const char *url = place->settings->imds_endpoint_url;
	size_t length;

	if (off != NULL && strcasecmp(off, "true") == 0)
		return 0;
	if (url == NULL) {
		variable = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
		url = aws_environment_get(place, variable);
	}
	if (url == NULL)
		url = mode != NULL && strcasecmp(mode, "IPv6") == 0 ? USUAL_V6
								    : USUAL_V4;
	if (aws_url_check_base(url, err) != 0)
		return error_prefix(err, "%s", variable);
	length = strlen(url);
	if (url[length - 1] == '/')
		length--;
	p->origin = AWS_ORIGIN_INSTANCE;
	p->url = xstrndup(url, length);
	p->source = xasprintf("instance metadata (%s)", p->url);
	return 1;
}

/* ---- session */

void
aws_session_forget(struct aws_session *s)
{
	mem_free_wiped(s->token);
	*s = (struct aws_session){ 0 };
}

/* ---- question */

enum step {
	STEP_SESSION,
	STEP_ROLE,
	STEP_CREDENTIALS
};

struct instance {
	struct aws_question question; /* the first */
	struct http_client *http;
	aws_answer_f *cb;
	void *arg;
	char *url;
	bool may_do_without; /* a session */
	struct aws_session *session;
	bool session_is_new, without_session;
	char *role;
	struct http_call *call;
};

static void step_begin(struct instance *i, enum step step);

static void
instance_free(struct instance *i)
{
	free(i->url);
	free(i->role);
	free(i);
}

static void
instance_cancel(struct aws_question *q)
{
	struct instance *i = (struct instance *)q;

	http_call_cancel(i->call);
	instance_free(i);
}

static void
fail(struct instance *i, enum aws_trouble trouble, const char *problem)
{
	i->cb(NULL, trouble, problem, i->arg);
	instance_free(i);
}

static void
fail_status(struct instance *i, const char *what, int status)
{
	char *problem =
		xasprintf("it answers %d to the question for %s", status, what);

	fail(i, aws_status_trouble(status), problem);
	free(problem);
}

/* Without an answer to the PUT, but perhaps to a GET: of a container on an
 * instance it is the packets that may pass one hop only. */
static void
fail_unreached(struct instance *i, const char *problem)
{
	char *text = xasprintf("%s; on an instance of EC2 look at its metadata "
			       "options (in a container a hop limit of 2 is "
			       "needed), elsewhere give the upstream a secret, "
			       "or the gateway AWS_ACCESS_KEY_ID and "
			       "AWS_SECRET_ACCESS_KEY or a profile",
		problem);

	fail(i, AWS_TROUBLE_PASSES, text);
	free(text);
}

/* ---- answers */

static bool
is_token(struct slice s)
{
	for (size_t i = 0; i < s.length; i++)
		if (!isgraph((unsigned char)s.data[i]))
			return false;
	return s.length > 0 && s.length <= TOKEN_MAX;
}

/* How long it is good for stands in the head; what is asked for, otherwise. */
static uint64_t
session_seconds(const struct http_call *call)
{
	const char *text =
		http_call_header(call, "x-aws-ec2-metadata-token-ttl-seconds");
	unsigned long seconds = text == NULL ? 0 : strtoul(text, NULL, 10);

	if (seconds == 0 || seconds > SESSION_S)
		seconds = SESSION_S;
	return seconds > SESSION_LEEWAY_S ? seconds - SESSION_LEEWAY_S : 0;
}

static void
session_answer(struct instance *i, const struct http_call *call,
	const struct http_result *result)
{
	int status = result->status;

	if (status == 403 || status == 404 || status == 405) {
		i->without_session = true;
		if (i->may_do_without)
			step_begin(i, STEP_ROLE);
		else
			fail(i, AWS_TROUBLE_LASTS,
				"it opens no session (IMDSv2): switch that on "
				"for the instance, or allow the older form "
				"with aws.imdsV1Fallback");
		return;
	}
	if (status != 200) {
		fail_status(i, "a session", status);
		return;
	}
	if (!is_token(result->body)) {
		fail(i, AWS_TROUBLE_PASSES,
			"what it answers is no token of a session");
		return;
	}
	aws_session_forget(i->session);
	i->session->token = xstrndup(result->body.data, result->body.length);
	i->session->until_ms =
		clock_monotonic_ms() + session_seconds(call) * 1000;
	i->session_is_new = true;
	step_begin(i, STEP_ROLE);
}

/* A session that was kept may be one that it no longer knows. */
static bool
session_again(struct instance *i, int status)
{
	if (status != 401 || i->session_is_new || i->without_session)
		return false;
	aws_session_forget(i->session);
	step_begin(i, STEP_SESSION);
	return true;
}

/* The first line; of IAM's letters. */
static char *
role_read(struct slice body)
{
	size_t length = 0;

	while (length < body.length &&
		(isalnum((unsigned char)body.data[length]) ||
			(body.data[length] != '\0' &&
				strchr("_+=,.@-", body.data[length]) != NULL)))
		length++;
	if (length == 0 || length > ROLE_NAME_MAX ||
		(length < body.length && body.data[length] != '\n' &&
			body.data[length] != '\r'))
		return NULL;
	return xstrndup(body.data, length);
}

static void
role_answer(struct instance *i, const struct http_result *result)
{
	if (session_again(i, result->status))
		return;
	if (result->status == 404 ||
		(result->status == 200 && result->body.length == 0)) {
		fail(i, AWS_TROUBLE_LASTS,
			"the instance has no role: attach an instance profile, "
			"or give the upstream a secret");
		return;
	}
	if (result->status != 200) {
		fail_status(i, "the role's name", result->status);
		return;
	}
	free(i->role);
	i->role = role_read(result->body);
	if (i->role == NULL)
		fail(i, AWS_TROUBLE_PASSES,
			"what it answers is no name of a role");
	else
		step_begin(i, STEP_CREDENTIALS);
}

static void
credentials_answer(struct instance *i, const struct http_result *result)
{
	struct aws_credentials found = { 0 };
	struct error err = ERROR_INIT;

	if (session_again(i, result->status))
		return;
	if (result->status != 200) {
		fail_status(i, "the role's credentials", result->status);
		return;
	}
	if (aws_document_read(
		    AWS_DOCUMENT_INSTANCE, result->body, &found, &err) != 0) {
		error_prefix(&err, "what it answers for role %s", i->role);
		fail(i, AWS_TROUBLE_PASSES, err.text);
		return;
	}
	i->cb(&found, AWS_TROUBLE_LASTS, NULL, i->arg);
	aws_credentials_fini(&found);
	instance_free(i);
}

static void
on_session(struct http_call *call, const struct http_result *result, void *arg)
{
	struct instance *i = arg;

	i->call = NULL;
	if (result->problem != NULL)
		fail_unreached(i, result->problem);
	else
		session_answer(i, call, result);
	aws_result_wipe(result);
}

static void
on_role(struct http_call *call, const struct http_result *result, void *arg)
{
	struct instance *i = arg;

	(void)call;
	i->call = NULL;
	if (result->problem != NULL)
		fail_unreached(i, result->problem);
	else
		role_answer(i, result);
}

static void
on_credentials(
	struct http_call *call, const struct http_result *result, void *arg)
{
	struct instance *i = arg;

	(void)call;
	i->call = NULL;
	if (result->problem != NULL)
		fail_unreached(i, result->problem);
	else
		credentials_answer(i, result);
	aws_result_wipe(result);
}

/* ---- questions */

static void
step_begin(struct instance *i, enum step step)
{
	static const struct http_events events[] = {
		[STEP_SESSION] = { .done = on_session },
		[STEP_ROLE] = { .done = on_role },
		[STEP_CREDENTIALS] = { .done = on_credentials },
	};
	char *url = xasprintf("%s%s%s", i->url,
		step == STEP_SESSION ? TOKEN_URL : ROLES_URL,
		step == STEP_CREDENTIALS ? i->role : "");
	char *field = NULL;
	const char *headers[2] = { NULL };
	const struct http_request r = {
		.method = step == STEP_SESSION ? "PUT" : "GET",
		.url = url,
		.headers = headers,
		.connect_timeout_ms = TIMEOUT_MS,
		.idle_timeout_ms = TIMEOUT_MS,
		.total_timeout_ms = TOTAL_TIMEOUT_MS,
		.body_max = BODY_MAX,
	};

	if (step == STEP_SESSION)
		field = xasprintf(
			"X-aws-ec2-metadata-token-ttl-seconds: %d", SESSION_S);
	else if (!i->without_session)
		field = xasprintf(
			"X-aws-ec2-metadata-token: %s", i->session->token);
	headers[0] = field;
	i->call = http_call_new(i->http, &r, &events[step], i);
	mem_free_wiped(field);
	free(url);
}

struct aws_question *
aws_instance_ask(const struct aws_asker *a, const char *url,
	struct aws_session *session, struct error *err)
{
	struct instance *i = xcalloc(1, sizeof(*i));
	bool has_session = session->token != NULL &&
			   clock_monotonic_ms() < session->until_ms;

	(void)err; /* it can always be asked */
	i->question.cancel = instance_cancel;
	i->http = a->http;
	i->cb = a->cb;
	i->arg = a->arg;
	i->url = xstrdup(url);
	i->may_do_without = a->place->settings->imds_v1_fallback;
	i->session = session;
	step_begin(i, has_session ? STEP_ROLE : STEP_SESSION);
	return &i->question;
}
