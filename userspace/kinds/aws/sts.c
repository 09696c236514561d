/*
 * Roles that are assumed by STS (STS API Reference): AssumeRole, signed with
 * other credentials, and AssumeRoleWithWebIdentity, with a token of another
 * identity provider (a Kubernetes service account's) and no signature.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kinds/aws/question.h"
#include "kinds/aws/sigv4.h"
#include "kinds/aws/skew.h"
#include "kinds/aws/spec.h"
#include "kinds/aws/sts_answer.h"
#include "kinds/aws/url.h"

#define VERSION            "2011-06-15"
#define CONTENT_TYPE       "application/x-www-form-urlencoded"
#define CONNECT_TIMEOUT_MS 5000
#define TOTAL_TIMEOUT_MS   20000
#define MESSAGE_MAX        160

/* ---- plan: a web identity by the environment */

int
aws_web_identity_plan(
	const struct aws_place *place, struct aws_plan *p, struct error *err)
{
	const char *file =
		aws_environment_get(place, "AWS_WEB_IDENTITY_TOKEN_FILE");
	const char *arn = aws_environment_get(place, "AWS_ROLE_ARN");

	if (file == NULL)
		return 0;
	if (place->role_arn != NULL && (arn == NULL || place->no_role_chaining))
		arn = place->role_arn;
	if (arn == NULL)
		return error_set(err, ERROR_CONFIG,
			"AWS_WEB_IDENTITY_TOKEN_FILE is set for the gateway "
			"without AWS_ROLE_ARN: set that, or roleArn of the "
			"upstream");
	if (aws_role_init(&p->identity, arn,
		    aws_environment_get(place, "AWS_ROLE_SESSION_NAME"),
		    err) != 0)
		return error_prefix(err, "web identity");
	p->origin = AWS_ORIGIN_WEB_IDENTITY;
	p->token_file = xstrdup(file);
	p->source = xasprintf("the web identity in %s", file);
	return 1;
}

/* ---- where */

struct target {
	struct str url, host; /* host: the value of that field */
};

static void
target_fini(struct target *t)
{
	str_fini(&t->url);
	str_fini(&t->host);
}

static int
target_by_url(
	struct target *t, const char *url, const char *place, struct error *err)
{
	struct aws_url u;

	if (aws_url_check_base(url, err) != 0 ||
		aws_url_read(url, &u, err) != 0)
		return error_prefix(err, "%s", place);
	aws_url_host_field(&u, &t->host);
	str_printf(&t->url, "%s://%s/", u.tls ? "https" : "http", t->host.data);
	return 0;
}

static void
target_by_region(struct target *t, const struct aws_asker *a)
{
	char *copy = xstrdup(a->region);
	const struct aws_spec spec = {
		.region = copy, .fips = a->fips, .dual_stack = a->dual_stack
	};

	aws_endpoint_authority(&spec, AWS_STS, &t->host);
	str_printf(&t->url, "https://%s/", t->host.data);
	free(copy);
}

static int
target_get(const struct aws_asker *a, struct target *t, struct error *err)
{
	static const char *const variables[] = { "AWS_ENDPOINT_URL_STS",
		"AWS_ENDPOINT_URL" };

	str_init(&t->url);
	str_init(&t->host);
	if (a->place->settings->sts_endpoint_url != NULL)
		return target_by_url(t, a->place->settings->sts_endpoint_url,
			"aws.stsEndpointUrl", err);
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
		const char *url = aws_environment_get(a->place, variables[i]);

		if (url != NULL)
			return target_by_url(t, url, variables[i], err);
	}
	target_by_region(t, a);
	return 0;
}

/* ---- its answer */

struct sts {
	struct aws_question question; /* the first */
	aws_answer_f *cb;
	void *arg;
	struct http_call *call;
	char *role;
	bool is_signed;
	int64_t *skew_ms;
};

static void
sts_free(struct sts *s)
{
	free(s->role);
	free(s);
}

static bool
is_one_of(const char *code, const char *const *codes)
{
	for (; *codes != NULL; codes++)
		if (strcmp(code, *codes) == 0)
			return true;
	return false;
}

static enum aws_trouble
code_trouble(const char *code, int status)
{
	static const char *const throttled[] = { "Throttling",
		"ThrottlingException", "ThrottledException", "RequestThrottled",
		"RequestThrottledException", "RequestLimitExceeded",
		"TooManyRequestsException", "SlowDown", NULL };
	static const char *const passes[] = { "RequestTimeout",
		"RequestTimeoutException", "IDPCommunicationError",
		"InternalFailure", "ServiceUnavailable", NULL };

	if (is_one_of(code, throttled))
		return AWS_TROUBLE_THROTTLED;
	if (is_one_of(code, passes))
		return AWS_TROUBLE_PASSES;
	return aws_status_trouble(status);
}

/* What to do about it. */
static const char *
remedy(const struct sts *s, const char *code)
{
	static const struct {
		const char *code, *remedy;
	} known[] = {
		{ "ExpiredToken", "; the credentials it is asked with, or the "
				  "clock, are too old" },
		{ "ExpiredTokenException",
			"; the token in the file has expired: is it still "
			"renewed?" },
		{ "InvalidIdentityToken",
			"; add the token's issuer to IAM as an identity "
			"provider, with the token's audience" },
		{ "InvalidClientTokenId",
			"; the access key is not known: correct it" },
		{ "SignatureDoesNotMatch",
			"; correct the secret access key, or this host's "
			"clock" },
		{ "RequestExpired", "; correct this host's clock" },
		{ "RegionDisabledException", "; switch STS on for the region" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(code, known[i].code) == 0)
			return known[i].remedy;
	if (strncmp(code, "AccessDenied", strlen("AccessDenied")) != 0)
		return "";
	return s->is_signed ? "; allow sts:AssumeRole to who asks, in the "
			      "role's trust policy and in its own"
			    : "; let the role's trust policy allow "
			      "sts:AssumeRoleWithWebIdentity to the token's "
			      "issuer, subject and audience";
}

/* Some errors quote what was sent, a token or the signed text with one in it:
 * words are shown of those alone that do not. */
static void
message_say(const struct sts_answer *a, struct str *out)
{
	static const char *const harmless[] = { "AccessDenied",
		"AccessDeniedException", "ExpiredToken",
		"ExpiredTokenException", "IDPRejectedClaim",
		"InvalidIdentityToken", "RegionDisabledException", NULL };
	char *text;

	if (a->message == NULL || !is_one_of(a->code, harmless))
		return;
	text = xstrndup(a->message, strcspn(a->message, "\r\n"));
	text_defuse(text);
	str_printf(out, ": %.*s", MESSAGE_MAX, text);
	free(text);
}

/* A signature may not be taken because of the clock alone; what is right is
 * known then, and whoever asks does so again soon. */
static bool
clock_corrected(const struct sts *s, const char *code)
{
	static const char *const codes[] = { "SignatureDoesNotMatch",
		"InvalidSignatureException", "RequestExpired",
		"RequestTimeTooSkewed", NULL };

	return s->is_signed && is_one_of(code, codes) &&
	       aws_skew_find(http_call_header(s->call, "Date"), s->skew_ms);
}

static void
refuse(struct sts *s, const struct sts_answer *a, int status)
{
	enum aws_trouble trouble = clock_corrected(s, a->code)
					   ? AWS_TROUBLE_PASSES
					   : code_trouble(a->code, status);
	struct str problem;

	str_init(&problem);
	str_printf(&problem, "STS refuses role %.128s: %s", s->role, a->code);
	message_say(a, &problem);
	str_puts(&problem, remedy(s, a->code));
	s->cb(NULL, trouble, problem.data, s->arg);
	str_fini(&problem);
}

static void
answer_read(struct sts *s, const struct http_result *result)
{
	struct sts_answer a;
	struct error err = ERROR_INIT;

	if (sts_answer_read(result->body, &a, &err) != 0) {
		error_prefix(&err,
			"STS answers %d, and what it says is no answer of STS",
			result->status);
		s->cb(NULL,
			result->status == 200
				? AWS_TROUBLE_PASSES
				: aws_status_trouble(result->status),
			err.text, s->arg);
		return;
	}
	if (a.code != NULL)
		refuse(s, &a, result->status);
	else
		s->cb(&a.credentials, AWS_TROUBLE_LASTS, NULL, s->arg);
	sts_answer_fini(&a);
}

static void
on_done(struct http_call *call, const struct http_result *result, void *arg)
{
	struct sts *s = arg;
	char *problem;

	(void)call;
	if (result->problem != NULL) {
		problem = xasprintf("STS cannot be asked: %s; look at "
				    "aws.stsEndpointUrl and at the network",
			result->problem);
		s->cb(NULL, AWS_TROUBLE_PASSES, problem, s->arg);
		free(problem);
	} else {
		answer_read(s, result);
	}
	aws_result_wipe(result);
	sts_free(s);
}

static void
sts_cancel(struct aws_question *q)
{
	struct sts *s = (struct sts *)q;

	http_call_cancel(s->call);
	sts_free(s);
}

/* ---- its question */

static void
parameter(struct str *body, const char *name, const char *value)
{
	str_printf(body, "&%s=", name);
	str_put_escaped(body, value);
}

/* room: for what the caller adds. */
static void
body_begin(struct str *body, const char *action, const struct aws_role *role,
	uint32_t seconds, size_t room)
{
	str_reserve(body, room + 1024);
	str_printf(body, "Action=%s&Version=" VERSION, action);
	parameter(body, "RoleArn", role->arn);
	parameter(body, "RoleSessionName", role->session_name);
	str_printf(body, "&DurationSeconds=%u", (unsigned)seconds);
}

/* headers: "Name: value", NULL behind the last. */
static struct aws_question *
send(const struct aws_asker *a, const struct aws_role *role,
	const struct target *t, const char *const *headers,
	const struct str *body, bool is_signed)
{
	static const struct http_events events = { .done = on_done };
	const struct http_request r = {
		.method = "POST",
		.url = t->url.data,
		.headers = headers,
		.body = { body->data, body->length },
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.total_timeout_ms = TOTAL_TIMEOUT_MS,
		.body_max = STS_ANSWER_MAX,
	};
	struct sts *s = xcalloc(1, sizeof(*s));

	s->question.cancel = sts_cancel;
	s->cb = a->cb;
	s->arg = a->arg;
	s->role = xstrdup(role->arn);
	s->is_signed = is_signed;
	s->skew_ms = a->skew_ms;
	s->call = http_call_new(a->http, &r, &events, s);
	return &s->question;
}

/* The token's file is read at each question: it is replaced by a newer one
 * long before the token in it has expired. */
struct aws_question *
aws_web_identity_ask(const struct aws_asker *a, const struct aws_role *role,
	const char *token_file, struct error *err)
{
	static const char *const headers[] = { "Content-Type: " CONTENT_TYPE,
		NULL };
	struct aws_question *q = NULL;
	struct target t;
	struct str body, token;

	str_init(&body);
	str_init(&token);
	if (target_get(a, &t, err) == 0 &&
		aws_token_read(token_file, &token, err) == 0) {
		body_begin(&body, "AssumeRoleWithWebIdentity", role,
			role->seconds, 3 * token.length);
		parameter(&body, "WebIdentityToken", token.data);
		q = send(a, role, &t, headers, &body, false);
	}
	str_fini_wiped(&token);
	str_fini_wiped(&body);
	target_fini(&t);
	return q;
}

/* ---- the same, signed */

struct signature {
	char date[SIGV4_DATE_SIZE];
	struct str authorization;
};

static int
sign(struct signature *s, const struct aws_asker *a, const struct target *t,
	const struct aws_credentials *with, const struct str *body,
	struct error *err)
{
	const struct sigv4_field fields[] = {
		{ slice_of("content-type"), slice_of(CONTENT_TYPE) },
		{ slice_of("host"), { t->host.data, t->host.length } },
		{ slice_of("x-amz-security-token"),
			slice_of(with->session_token) },
	};
	const struct sigv4_request r = {
		.method = slice_of("POST"),
		.path = slice_of("/"),
		.query = slice_of(""),
		.fields = fields,
		.field_count =
			ARRAY_SIZE(fields) - (with->session_token[0] == '\0'),
		.body = { body->data, body->length },
		.access_key = slice_of(with->access_key),
		.secret_key = slice_of(with->secret_key),
		.region = slice_of(a->region),
		.service = slice_of(AWS_STS),
		.now_ms = clock_realtime_ms() + (uint64_t)*a->skew_ms,
	};
	struct sigv4_key key = { 0 };
	int rc = sigv4_sign(&key, &r, s->date, &s->authorization, err);

	sigv4_key_forget(&key);
	return rc;
}

static struct aws_question *
sign_and_send(const struct aws_asker *a, const struct aws_role *role,
	const struct target *t, const struct aws_credentials *with,
	const struct str *body, struct error *err)
{
	struct signature s = { .date = "" };
	struct aws_question *q = NULL;

	str_init(&s.authorization);
	if (sign(&s, a, t, with, body, err) == 0) {
		char *date = xasprintf("X-Amz-Date: %s", s.date);
		char *authorization =
			xasprintf("Authorization: %s", s.authorization.data);
		char *token = xasprintf(
			"X-Amz-Security-Token: %s", with->session_token);
		const char *const headers[] = {
			"Content-Type: " CONTENT_TYPE,
			date,
			authorization,
			with->session_token[0] == '\0' ? NULL : token,
			NULL,
		};

		q = send(a, role, t, headers, body, true);
		mem_free_wiped(token);
		free(authorization);
		free(date);
	}
	str_fini(&s.authorization);
	return q;
}

struct aws_question *
aws_role_ask(const struct aws_asker *a, const struct aws_role *role,
	const struct aws_credentials *with, struct error *err)
{
	struct aws_question *q = NULL;
	uint32_t seconds = role->seconds;
	struct target t;
	struct str body;

	if (with->session_token[0] != '\0' &&
		seconds > AWS_ROLE_CHAINED_SECONDS)
		seconds = AWS_ROLE_CHAINED_SECONDS;
	str_init(&body);
	if (target_get(a, &t, err) == 0) {
		body_begin(&body, "AssumeRole", role, seconds, 0);
		if (role->external_id != NULL)
			parameter(&body, "ExternalId", role->external_id);
		q = sign_and_send(a, role, &t, with, &body, err);
	}
	str_fini(&body);
	target_fini(&t);
	return q;
}
