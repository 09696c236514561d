/* What a client is told when there is no answer of its function: the table of
 * lambda.h. What AWS says of accounts and rights stays here. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_span.h"
#include "base/mem.h"
#include "kinds/aws/lambda.h"
#include "kinds/aws/lambda_call.h"
#include "kinds/aws/skew.h"

#define SKEW_CERTAIN_MS 2000 /* where AWS says that it is the clock */

enum step {
	NEVER,  /* another attempt would end as this one */
	POLICY, /* if the route's retries say so */
	SAFE,   /* the function has not run */
};

enum case_of {
	PLAIN,
	NOT_JSON,  /* whose fault it is depends on who made the event */
	SIGNATURE, /* the clock, or the secret key */
	CLOCK,     /* the clock alone */
	CREDENTIALS,
};

struct row {
	const char *type;  /* NULL: goes by the status alone */
	uint16_t from, to; /* statuses, where type is NULL */
	enum case_of what;
	enum step step;
	uint16_t status;
	const char *word, *sentence;
};

#define FORBIDDEN                                                              \
	PLAIN, NEVER, 502, "function_forbidden",                               \
		"AWS does not allow the call: the credentials need "           \
		"lambda:InvokeFunction; glooctl check lambda says more"
#define NOT_FOUND                                                              \
	PLAIN, NEVER, 502, "function_not_found",                               \
		"AWS has no such function, version or alias in this region"
#define TOO_LARGE                                                              \
	PLAIN, NEVER, 413, "function_request_too_large",                       \
		"the request is larger than AWS takes"
#define THROTTLED                                                              \
	PLAIN, SAFE, 429, "function_throttled",                                \
		"AWS throttles calls of the function"
#define NOT_READY                                                              \
	PLAIN, SAFE, 503, "function_not_ready",                                \
		"the function cannot take calls at the moment"
#define START_TIMEOUT                                                          \
	PLAIN, SAFE, 504, "function_start_timeout",                            \
		"the function did not start in time"
#define BROKEN  PLAIN, NEVER, 502, "function_broken", "the function cannot start"
#define REFUSED PLAIN, NEVER, 502, "lambda_refused", "AWS refused the call"
#define BAD_CREDENTIALS                                                        \
	CREDENTIALS, SAFE, 503, "credentials_refused",                         \
		"AWS refused the credentials"
#define BAD_SIGNATURE                                                          \
	SIGNATURE, SAFE, 503, "credentials_refused",                           \
		"AWS refused the signature: the secret key is not that of "    \
		"the access key"
#define BAD_CLOCK                                                              \
	CLOCK, NEVER, 503, "clock_skew",                                       \
		"the clocks of AWS and of this machine are too far apart"

/* By the name of the error, which says more than the status; the first that
 * fits. */
static const struct row rows[] = {
	{ "AccessDeniedException", 0, 0, FORBIDDEN },
	{ "AccessDenied", 0, 0, FORBIDDEN },
	{ "NotAuthorized", 0, 0, FORBIDDEN },
	{ "ExpiredTokenException", 0, 0, BAD_CREDENTIALS },
	{ "ExpiredToken", 0, 0, BAD_CREDENTIALS },
	{ "UnrecognizedClientException", 0, 0, BAD_CREDENTIALS },
	{ "InvalidClientTokenId", 0, 0, BAD_CREDENTIALS },
	{ "InvalidAccessKeyId", 0, 0, BAD_CREDENTIALS },
	{ "InvalidToken", 0, 0, BAD_CREDENTIALS },
	{ "MissingAuthenticationTokenException", 0, 0, BAD_CREDENTIALS },
	{ "MissingAuthenticationToken", 0, 0, BAD_CREDENTIALS },
	{ "InvalidSignatureException", 0, 0, BAD_SIGNATURE },
	{ "SignatureDoesNotMatch", 0, 0, BAD_SIGNATURE },
	{ "AuthFailure", 0, 0, BAD_SIGNATURE },
	{ "RequestTimeTooSkewed", 0, 0, BAD_CLOCK },
	{ "RequestExpired", 0, 0, BAD_CLOCK },
	{ "RequestInTheFuture", 0, 0, BAD_CLOCK },
	{ "TooManyRequestsException", 0, 0, THROTTLED },
	{ "ThrottlingException", 0, 0, THROTTLED },
	{ "ThrottledException", 0, 0, THROTTLED },
	{ "Throttling", 0, 0, THROTTLED },
	{ "RequestLimitExceeded", 0, 0, THROTTLED },
	{ "ResourceNotFoundException", 0, 0, NOT_FOUND },
	{ "RequestTooLargeException", 0, 0, TOO_LARGE },
	{ "SerializedRequestEntityTooLargeException", 0, 0, TOO_LARGE },
	{ "InvalidRequestContentException", 0, 0, NOT_JSON, NEVER, 400,
		"function_request_not_json",
		"the function takes JSON, and the request is none" },
	{ "ResourceConflictException", 0, 0, NOT_READY },
	{ "SnapStartNotReadyException", 0, 0, NOT_READY },
	{ "ResourceNotReadyException", 0, 0, NOT_READY },
	{ "EC2ThrottledException", 0, 0, NOT_READY },
	{ "EC2UnexpectedException", 0, 0, NOT_READY },
	{ "ENILimitReachedException", 0, 0, NOT_READY },
	{ "SubnetIPAddressLimitReachedException", 0, 0, NOT_READY },
	{ "SnapStartTimeoutException", 0, 0, START_TIMEOUT },
	{ "EFSMountTimeoutException", 0, 0, START_TIMEOUT },
	{ "EFSMountConnectivityException", 0, 0, START_TIMEOUT },
	{ "S3FilesMountTimeoutException", 0, 0, START_TIMEOUT },
	{ "S3FilesMountConnectivityException", 0, 0, START_TIMEOUT },
	{ "EFSIOException", 0, 0, BROKEN },
	{ "EFSMountFailureException", 0, 0, BROKEN },
	{ "S3FilesMountFailureException", 0, 0, BROKEN },
	{ "EC2AccessDeniedException", 0, 0, BROKEN },
	{ "InvalidRuntimeException", 0, 0, BROKEN },
	{ "InvalidSecurityGroupIDException", 0, 0, BROKEN },
	{ "InvalidSubnetIDException", 0, 0, BROKEN },
	{ "InvalidZipFileException", 0, 0, BROKEN },
	{ "KMSAccessDeniedException", 0, 0, BROKEN },
	{ "KMSDisabledException", 0, 0, BROKEN },
	{ "KMSInvalidStateException", 0, 0, BROKEN },
	{ "KMSNotFoundException", 0, 0, BROKEN },
	{ "NoPublishedVersionException", 0, 0, BROKEN },
	{ "RecursiveInvocationException", 0, 0, BROKEN },
	{ "SnapStartException", 0, 0, BROKEN },
	{ NULL, 401, 401, BAD_CREDENTIALS },
	{ NULL, 403, 403, FORBIDDEN },
	{ NULL, 404, 404, NOT_FOUND },
	{ NULL, 408, 408, START_TIMEOUT },
	{ NULL, 409, 409, NOT_READY },
	{ NULL, 413, 413, TOO_LARGE },
	{ NULL, 429, 429, THROTTLED },
	{ NULL, 503, 503, PLAIN, POLICY, 503, "lambda_failed",
		"AWS cannot take calls at the moment" },
	{ NULL, 504, 504, PLAIN, POLICY, 504, "lambda_failed",
		"AWS took too long" },
	{ NULL, 500, 599, PLAIN, POLICY, 502, "lambda_failed",
		"AWS failed to make the call" },
	{ NULL, 0, 999, REFUSED },
};

/* ---- */

enum call_step
lambda_refuse(struct call_refusal *refusal, int status, const char *word,
	const char *fmt, ...)
{
	va_list args;

	*refusal = (struct call_refusal){ .status = status, .word = word };
	va_start(args, fmt);
	vsnprintf(refusal->sentence, sizeof(refusal->sentence), fmt, args);
	va_end(args);
	return CALL_REFUSE;
}

static bool
is_of_type(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

void
lambda_type_copy(struct slice type, char out[LAMBDA_TYPE_MAX])
{
	size_t begin = 0, length = 0;

	for (size_t i = 0; i < type.length && type.data[i] != ':'; i++)
		if (type.data[i] == '#')
			begin = i + 1;
	while (begin + length < type.length && length < LAMBDA_TYPE_MAX - 1 &&
		is_of_type(type.data[begin + length])) {
		out[length] = type.data[begin + length];
		length++;
	}
	out[length] = '\0';
}

/* The first of the members that is a string, appended. */
static void
member_put(struct slice json, const char *const *names, struct str *out)
{
	struct json_span whole, key, value;
	struct json_span_walk walk;

	if (json_span_read(json, &whole, NULL) != 0)
		return;
	for (; *names != NULL; names++) {
		json_span_walk(&walk, &whole);
		while (json_span_next(&walk, &key, &value)) {
			if (value.type != DOC_STRING || !walk.map ||
				!json_span_equal(&key, *names))
				continue;
			json_span_text(&value, out);
			return;
		}
	}
}

/* Where no field says it, the body may. */
static void
type_complete(struct lambda_call *c, struct slice body)
{
	static const char *const names[] = { "__type", "code", "Code", NULL };
	struct str type;

	if (c->type[0] != '\0')
		return;
	str_init(&type);
	member_put(body, names, &type);
	lambda_type_copy((struct slice){ type.data, type.length }, c->type);
	str_fini(&type);
}

static const struct row *
row_find(const struct lambda_call *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].type != NULL ? strcmp(rows[i].type, c->type) == 0
					 : c->status >= rows[i].from &&
						   c->status <= rows[i].to)
			return &rows[i];
	return &rows[ARRAY_SIZE(rows) - 1];
}

/* How far AWS's clock is ahead of ours, if that is why. */
static bool
is_skewed(const struct lambda_call *c, const struct row *row, int64_t *skew_ms)
{
	int64_t allowed = row->what == CLOCK ? SKEW_CERTAIN_MS : AWS_SKEW_MS;

	if ((row->what != CLOCK && row->what != SIGNATURE) || c->date_ms == 0)
		return false;
	*skew_ms = (int64_t)c->date_ms - (int64_t)c->signed_ms;
	return *skew_ms > allowed || *skew_ms < -allowed;
}

static enum call_step
skew_correct(struct lambda_call *c, int64_t skew_ms,
	struct call_refusal *refusal, struct call_news *news)
{
	lambda_refuse(refusal, 503, "clock_skew",
		"the clocks of AWS and of this machine are %lld s apart",
		llabs(skew_ms) / 1000);
	if (c->clock_corrected)
		return CALL_REFUSE;
	c->clock_corrected = true;
	news->skewed = true;
	news->skew_ms = skew_ms;
	news->nothing_ran = true;
	return CALL_AGAIN;
}

static enum call_step
row_take(struct lambda_call *c, const struct row *row,
	struct call_refusal *refusal, struct call_news *news)
{
	lambda_refuse(refusal, row->status, row->word, "%s%s%s%s",
		row->sentence, c->type[0] != '\0' ? " (" : "", c->type,
		c->type[0] != '\0' ? ")" : "");
	if (row->what == NOT_JSON && c->target->options.wrap != AWS_EVENT_RAW)
		refusal->status = 502;
	if (row->status == 429 || row->status == 503)
		refusal->retry_after_s = c->retry_after_s;
	if (row->status == 429 && refusal->retry_after_s == 0)
		refusal->retry_after_s = 1;
	if (row->what == CREDENTIALS || row->what == SIGNATURE) {
		c->refused = c->serial;
		news->credentials_refused = true;
	}
	news->nothing_ran = row->step == SAFE;
	return row->step == NEVER ? CALL_REFUSE : CALL_AGAIN;
}

enum call_step
lambda_refused(struct lambda_call *c, struct slice body,
	struct call_refusal *refusal, struct call_news *news)
{
	const struct row *row;
	int64_t skew_ms;

	type_complete(c, body);
	row = row_find(c);
	if (is_skewed(c, row, &skew_ms))
		return skew_correct(c, skew_ms, refusal, news);
	return row_take(c, row, refusal, news);
}

/* ---- the function's own */

static bool
is_timeout_name(const char *name)
{
	return strcmp(name, "Sandbox.Timedout") == 0 ||
	       strcmp(name, "Function.Timedout") == 0;
}

/* Runtimes say it in different ways, and the older ones in words alone. */
static bool
is_timeout(const char *kind, const char *type, const char *message)
{
	return is_timeout_name(kind) || is_timeout_name(type) ||
	       strstr(message, "Task timed out after ") != NULL;
}

enum call_step
lambda_function_failed(
	const char *kind, struct slice body, struct call_refusal *refusal)
{
	static const char *const types[] = { "errorType", NULL };
	static const char *const messages[] = { "errorMessage", NULL };
	char type[LAMBDA_TYPE_MAX];
	struct str text, message;
	enum call_step step;

	str_init(&text);
	str_init(&message);
	member_put(body, types, &text);
	member_put(body, messages, &message);
	lambda_type_copy((struct slice){ text.data, text.length }, type);
	if (is_timeout(kind, type, message.data))
		step = lambda_refuse(refusal, 504, "function_timeout",
			"the function ran into its own timeout");
	else
		step = lambda_refuse(refusal, 502, "function_error",
			"the function failed: %s%s%s", kind,
			type[0] != '\0' ? ", " : "", type);
	str_fini(&message);
	str_fini(&text);
	return step;
}
