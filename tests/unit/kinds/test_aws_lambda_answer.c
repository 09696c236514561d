/* What a client gets of what AWS answered: every row of kinds/aws/lambda.h. */
#include "tests/unit/kinds/aws_lambda.h"

#include <stdio.h>

#include "base/base64.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

struct failure {
	const char *status; /* line behind the version */
	const char *error;  /* x-amzn-errortype; NULL: none */
	const char *more;   /* fields; NULL: none */
	const char *body;
	/* what comes of it */
	int code;
	const char *word;
	enum {
		NEVER,
		POLICY,
		SAFE
	} again;
	uint32_t retry_after_s;
	bool credentials_refused;
};

#define REFUSED 503, "credentials_refused", SAFE, 0, true

static const struct failure failures[] = {
	/* throttled */
	{ "429 Too Many Requests", "TooManyRequestsException",
		"Retry-After: 7\r\n",
		"{\"Reason\":\"ReservedFunctionConcurrentInvocationLimit"
		"Exceeded\"}",
		429, "function_throttled", SAFE, 7, false },
	{ "429 Too Many Requests", NULL, NULL, "", 429, "function_throttled",
		SAFE, 1, false },
	{ "429 Too Many Requests", NULL,
		"Retry-After: Fri, 02 Jan 2026 03:04:05 GMT\r\n", "", 429,
		"function_throttled", SAFE, 1, false },
	{ "429 Too Many Requests", NULL, "Retry-After: 99999999999\r\n", "",
		429, "function_throttled", SAFE, 3600, false },
	{ "400 Bad Request", "ThrottlingException", NULL, "", 429,
		"function_throttled", SAFE, 1, false },
	/* not allowed, not there */
	{ "403 Forbidden", "AccessDeniedException", NULL,
		"{\"Message\":\"User: arn:aws:iam::1:user/x is not authorized"
		"\"}",
		502, "function_forbidden", NEVER, 0, false },
	{ "403 Forbidden", NULL, NULL, "<html>", 502, "function_forbidden",
		NEVER, 0, false },
	{ "403 Forbidden", NULL, NULL, "{\"__type\":\"a.b#AccessDenied\"}", 502,
		"function_forbidden", NEVER, 0, false },
	{ "404 Not Found", "ResourceNotFoundException:http://internal/x", NULL,
		"{\"Type\":\"User\"}", 502, "function_not_found", NEVER, 0,
		false },
	{ "404 Not Found", NULL, NULL, "", 502, "function_not_found", NEVER, 0,
		false },
	/* too large, no JSON */
	{ "413 Payload Too Large", "RequestTooLargeException", NULL, "", 413,
		"function_request_too_large", NEVER, 0, false },
	{ "413 Payload Too Large", NULL, NULL, "", 413,
		"function_request_too_large", NEVER, 0, false },
	{ "400 Bad Request", "SerializedRequestEntityTooLargeException", NULL,
		"", 413, "function_request_too_large", NEVER, 0, false },
	{ "400 Bad Request", "InvalidRequestContentException", NULL, "", 400,
		"function_request_not_json", NEVER, 0, false },
	/* credentials */
	{ "403 Forbidden", "ExpiredTokenException", NULL, "", REFUSED },
	{ "400 Bad Request", "ExpiredToken", NULL, "", REFUSED },
	{ "403 Forbidden", "UnrecognizedClientException", NULL, "", REFUSED },
	{ "403 Forbidden", "InvalidClientTokenId", NULL, "", REFUSED },
	{ "403 Forbidden", "MissingAuthenticationTokenException", NULL, "",
		REFUSED },
	{ "401 Unauthorized", NULL, NULL, "", REFUSED },
	{ "403 Forbidden", NULL, NULL, "{\"__type\":\"ExpiredTokenException\"}",
		REFUSED },
	{ "403 Forbidden", NULL, NULL, "{\"code\":\"ExpiredToken\"}", REFUSED },
	/* a signature, with a clock that is right or not known */
	{ "403 Forbidden", "InvalidSignatureException", NULL, "", REFUSED },
	{ "403 Forbidden", "SignatureDoesNotMatch",
		"Date: Fri, 02 Jan 2026 03:07:05 GMT\r\n", "", REFUSED },
	{ "403 Forbidden", "RequestTimeTooSkewed", NULL, "", 503, "clock_skew",
		NEVER, 0, false },
	{ "403 Forbidden", "RequestExpired",
		"Date: Fri, 02 Jan 2026 03:04:06 GMT\r\n", "", 503,
		"clock_skew", NEVER, 0, false },
	/* not ready */
	{ "409 Conflict", "ResourceConflictException", NULL, "", 503,
		"function_not_ready", SAFE, 0, false },
	{ "409 Conflict", "SnapStartNotReadyException", "Retry-After: 2\r\n",
		"", 503, "function_not_ready", SAFE, 2, false },
	{ "409 Conflict", NULL, NULL, "", 503, "function_not_ready", SAFE, 0,
		false },
	{ "502 Bad Gateway", "EC2ThrottledException", NULL, "", 503,
		"function_not_ready", SAFE, 0, false },
	{ "502 Bad Gateway", "ENILimitReachedException", NULL, "", 503,
		"function_not_ready", SAFE, 0, false },
	{ "502 Bad Gateway", "SubnetIPAddressLimitReachedException", NULL, "",
		503, "function_not_ready", SAFE, 0, false },
	{ "502 Bad Gateway", "ResourceNotReadyException", NULL, "", 503,
		"function_not_ready", SAFE, 0, false },
	/* did not start */
	{ "408 Request Timeout", "EFSMountTimeoutException", NULL, "", 504,
		"function_start_timeout", SAFE, 0, false },
	{ "408 Request Timeout", "SnapStartTimeoutException", NULL, "", 504,
		"function_start_timeout", SAFE, 0, false },
	{ "408 Request Timeout", NULL, NULL, "", 504, "function_start_timeout",
		SAFE, 0, false },
	{ "403 Forbidden", "EFSMountFailureException", NULL, "", 502,
		"function_broken", NEVER, 0, false },
	{ "410 Gone", "EFSIOException", NULL, "", 502, "function_broken", NEVER,
		0, false },
	{ "502 Bad Gateway", "KMSAccessDeniedException", NULL, "", 502,
		"function_broken", NEVER, 0, false },
	{ "502 Bad Gateway", "InvalidZipFileException", NULL, "", 502,
		"function_broken", NEVER, 0, false },
	{ "400 Bad Request", "RecursiveInvocationException", NULL, "", 502,
		"function_broken", NEVER, 0, false },
	/* the service */
	{ "500 Internal Server Error", "ServiceException", NULL, "", 502,
		"lambda_failed", POLICY, 0, false },
	{ "502 Bad Gateway", NULL, NULL, "<html>", 502, "lambda_failed", POLICY,
		0, false },
	{ "503 Service Unavailable", NULL, "Retry-After: 3\r\n", "", 503,
		"lambda_failed", POLICY, 3, false },
	{ "504 Gateway Timeout", NULL, NULL, "", 504, "lambda_failed", POLICY,
		0, false },
	/* any other */
	{ "400 Bad Request", "InvalidParameterValueException", NULL, "", 502,
		"lambda_refused", NEVER, 0, false },
	{ "415 Unsupported Media Type", "UnsupportedMediaTypeException", NULL,
		"", 502, "lambda_refused", NEVER, 0, false },
	{ "301 Moved Permanently", NULL, "Location: http://elsewhere/\r\n", "",
		502, "lambda_refused", NEVER, 0, false },
	{ "304 Not Modified", NULL, NULL, "", 502, "lambda_refused", NEVER, 0,
		false },
};

static void
failure_check(const struct failure *row, const char *destination)
{
	struct lambda_world w;
	struct str head;
	enum call_step step;

	lambda_world_init(&w, "{}", destination);
	assert_int_equal(lambda_ask(&w), 0);
	str_init(&head);
	str_printf(&head, "HTTP/1.1 %s\r\n%s", row->status,
		row->more != NULL ? row->more : "");
	if (row->error != NULL)
		str_printf(&head, "x-amzn-ErrorType: %s\r\n", row->error);
	assert_int_equal(lambda_answered(&w, head.data), CALL_COLLECT);
	step = lambda_answered_whole(&w, slice_of(row->body));
	if (w.refusal.status != row->code ||
		strcmp(w.refusal.word, row->word) != 0)
		fail_msg("%s %s: %d %s", row->status, row->error,
			w.refusal.status, w.refusal.word);
	assert_int_equal(step, row->again == NEVER ? CALL_REFUSE : CALL_AGAIN);
	assert_int_equal(w.news.nothing_ran, row->again == SAFE);
	assert_int_equal(w.refusal.retry_after_s, row->retry_after_s);
	assert_int_equal(w.news.credentials_refused, row->credentials_refused);
	assert_false(w.news.skewed);
	assert_true(w.refusal.sentence[0] != '\0');
	assert_null(strstr(w.refusal.sentence, "arn:"));
	assert_int_equal(w.head.length, 0);
	str_fini(&head);
	lambda_world_fini(&w);
}

static void
test_failures(void **state)
{
	static const char *const destinations[] = { "{logicalName: a}",
		"{logicalName: a, unwrapAsAlb: true}",
		"{logicalName: a, responseStreaming: true}",
		"{logicalName: a, invocationStyle: ASYNC}",
		"{logicalName: a, invocationStyle: DRY_RUN}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++)
		for (size_t j = 0; j < ARRAY_SIZE(destinations); j++)
			failure_check(&failures[i], destinations[j]);
}

/* Whose fault it is that an event is no JSON. */
static void
test_not_json(void **state)
{
	struct failure row = { "400 Bad Request",
		"InvalidRequestContentException", NULL, "", 502,
		"function_request_not_json", NEVER, 0, false };

	(void)state;
	failure_check(&row, "{logicalName: a, wrapAsAlb: true}");
}

static void
test_function_failures(void **state)
{
	static const struct {
		const char *kind, *body;
		int status;
		const char *word, *sentence;
	} rows[] = {
		{ "Unhandled",
			"{\"errorMessage\":\"secret of the function\","
			"\"errorType\":\"TypeError\",\"trace\":[]}",
			502, "function_error",
			"the function failed: Unhandled, TypeError" },
		{ "Handled", "{}", 502, "function_error",
			"the function failed: Handled" },
		{ "Unhandled", "no JSON", 502, "function_error",
			"the function failed: Unhandled" },
		{ "Unhandled", "[\"errorType\",\"x\"]", 502, "function_error",
			"the function failed: Unhandled" },
		{ "Unhandled", "{\"errorType\":7}", 502, "function_error",
			"the function failed: Unhandled" },
		{ "Unhandled",
			"{\"errorType\":\"Sandbox.Timedout\",\"errorMessage\":"
			"\"RequestId: 1 Error: Task timed out after 3.00 "
			"seconds\"}",
			504, "function_timeout",
			"the function ran into its own timeout" },
		{ "Unhandled",
			"{\"errorMessage\":\"2026-01-02T03:04:05.000Z 1 Task "
			"timed out after 3.00 seconds\"}",
			504, "function_timeout",
			"the function ran into its own timeout" },
		{ "Unhandled", "{\"errorType\":\"Runtime.ExitError\"}", 502,
			"function_error",
			"the function failed: Unhandled, Runtime.ExitError" },
		{ "Unhandled",
			"{\"errorType\":\"Function.ResponseSizeTooLarge\"}",
			502, "function_error",
			"the function failed: Unhandled, "
			"Function.ResponseSizeTooLarge" },
		/* A name with more than a name in it. */
		{ "Unhandled\t<x>", "{\"errorType\":\"A\\r\\nB: c\"}", 502,
			"function_error", "the function failed: Unhandled, A" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lambda_world w;
		struct str head;

		lambda_world_init(&w, "{}", "{logicalName: a}");
		assert_int_equal(lambda_ask(&w), 0);
		str_init(&head);
		str_printf(&head, OK_HEAD "X-Amz-Function-Error: %s\r\n",
			rows[i].kind);
		assert_int_equal(lambda_answered(&w, head.data), CALL_COLLECT);
		assert_int_equal(
			lambda_answered_whole(&w, slice_of(rows[i].body)),
			CALL_REFUSE);
		assert_int_equal(w.refusal.status, rows[i].status);
		assert_string_equal(w.refusal.word, rows[i].word);
		assert_string_equal(w.refusal.sentence, rows[i].sentence);
		assert_false(w.news.nothing_ran);
		str_fini(&head);
		lambda_world_fini(&w);
	}
}

/* ---- clocks */

static enum call_step
skewed_answer(struct lambda_world *w, const char *type, const char *date)
{
	struct str head;
	enum call_step step;

	str_init(&head);
	str_printf(&head,
		"HTTP/1.1 403 Forbidden\r\nDate: %s\r\n"
		"x-amzn-ErrorType: %s\r\n",
		date, type);
	assert_int_equal(lambda_answered(w, head.data), CALL_COLLECT);
	step = lambda_answered_whole(w, slice_of("{}"));
	str_fini(&head);
	return step;
}

static void
test_skew(void **state)
{
	static const struct {
		const char *type, *date;
		int64_t skew_ms;
	} rows[] = {
		{ "InvalidSignatureException", "Fri, 02 Jan 2026 03:14:05 GMT",
			600000 },
		{ "SignatureDoesNotMatch", "Fri, 02 Jan 2026 02:04:05 GMT",
			-3600000 },
		{ "RequestTimeTooSkewed", "Fri, 02 Jan 2026 03:04:08 GMT",
			3000 },
		{ "RequestExpired", "Sat, 03 Jan 2026 03:04:05 GMT", 86400000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lambda_world w;

		lambda_world_init(&w, "{}", "{logicalName: a}");
		assert_int_equal(lambda_ask(&w), 0);
		assert_int_equal(skewed_answer(&w, rows[i].type, rows[i].date),
			CALL_AGAIN);
		assert_true(w.news.skewed && w.news.nothing_ran);
		assert_false(w.news.credentials_refused);
		assert_true(w.news.skew_ms == rows[i].skew_ms);
		assert_int_equal(w.refusal.status, 503);
		assert_string_equal(w.refusal.word, "clock_skew");
		/* Set right, it goes. */
		w.r.now_ms = (uint64_t)((int64_t)w.r.now_ms + rows[i].skew_ms);
		assert_int_equal(lambda_ask(&w), 0);
		assert_int_equal(lambda_answered(&w, OK_HEAD), CALL_PASS);
		lambda_world_fini(&w);
	}
}

static void
test_skew_once(void **state)
{
	struct lambda_world w;

	(void)state;
	lambda_world_init(&w, "{}", "{logicalName: a}");
	assert_int_equal(lambda_ask(&w), 0);
	assert_int_equal(skewed_answer(&w, "RequestTimeTooSkewed",
				 "Fri, 02 Jan 2026 03:24:05 GMT"),
		CALL_AGAIN);
	assert_int_equal(lambda_ask(&w), 0);
	assert_int_equal(skewed_answer(&w, "RequestTimeTooSkewed",
				 "Fri, 02 Jan 2026 03:24:05 GMT"),
		CALL_REFUSE);
	assert_false(w.news.skewed);
	assert_string_equal(w.refusal.sentence,
		"the clocks of AWS and of this machine are 1200 s apart");
	lambda_world_fini(&w);
}

/* ---- credentials */

static void
test_refused_credentials(void **state)
{
	struct lambda_world w;

	(void)state;
	lambda_world_init(&w, "{}", "{logicalName: a}");
	assert_int_equal(lambda_ask(&w), 0);
	assert_int_equal(lambda_answered(&w,
				 "HTTP/1.1 403 Forbidden\r\nx-amzn-ErrorType: "
				 "ExpiredTokenException\r\n"),
		CALL_COLLECT);
	assert_int_equal(lambda_answered_whole(&w, slice_of("")), CALL_AGAIN);
	/* The same ones are not tried again, others are. */
	assert_int_equal(lambda_ask(&w), -1);
	assert_int_equal(w.refusal.status, 503);
	assert_string_equal(w.refusal.word, "credentials_refused");
	aws_dialect.credentials_free(w.credentials);
	w.credentials = lambda_credentials("AKIDOTHER", "");
	assert_int_equal(lambda_ask(&w), 0);
	assert_non_null(strstr(lambda_head_text(&w), "AKIDOTHER"));
	lambda_world_fini(&w);
}

/* ---- answers */

static void
test_passed(void **state)
{
	static const struct {
		const char *style, *answer, *head;
	} rows[] = {
		{ "SYNC",
			OK_HEAD "Content-Length: 2\r\nConnection: keep-alive"
				"\r\nDate: Fri, 02 Jan 2026 03:04:05 GMT\r\n"
				"x-amzn-RequestId: r\r\nX-Amzn-Trace-Id: t\r\n"
				"X-Amz-Executed-Version: 3\r\n"
				"X-Amz-Log-Result: bG9n\r\n"
				"X-Amz-Account: 1\r\n",
			"HTTP/1.1 200 OK\r\n"
			"content-type: application/json\r\n"
			"date: Fri, 02 Jan 2026 03:04:05 GMT\r\n"
			"x-amz-executed-version: 3\r\n"
			"x-amzn-requestid: r\r\n"
			"x-amzn-trace-id: t\r\n" },
		{ "ASYNC",
			"HTTP/1.1 202 Accepted\r\nx-amzn-RequestId: r\r\n"
			"Content-Length: 0\r\n",
			"HTTP/1.1 202 Accepted\r\nx-amzn-requestid: r\r\n" },
		{ "DRY_RUN", "HTTP/1.1 204 No Content\r\n",
			"HTTP/1.1 204 No Content\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		/* What is not answered is not unwrapped. */
		char *destination = xasprintf(
			"{logicalName: a, invocationStyle: %s, unwrapAsAlb: "
			"%s}",
			rows[i].style, i == 0 ? "false" : "true");
		struct lambda_world w;

		lambda_world_init(&w, "{}", destination);
		assert_int_equal(lambda_ask(&w), 0);
		assert_int_equal(
			lambda_answered(&w, rows[i].answer), CALL_PASS);
		assert_string_equal(lambda_head_text(&w), rows[i].head);
		assert_int_equal(w.news.billed_ms, 0);
		lambda_world_fini(&w);
		free(destination);
	}
}

static void
test_unwrapped(void **state)
{
	static const struct {
		const char *option, *body, *head, *out;
	} rows[] = {
		{ "unwrapAsAlb: true",
			"{\"statusCode\":201,\"headers\":{\"X-A\":\"1\"},"
			"\"body\":\"aGk=\",\"isBase64Encoded\":true}",
			"HTTP/1.1 201 Created\r\nX-A: 1\r\nContent-Type: "
			"application/octet-stream\r\n",
			"hi" },
		{ "unwrapAsApiGateway: true",
			"{\"statusCode\":404,\"multiValueHeaders\":{\"Set-"
			"Cookie\":[\"a=1\",\"b=2\"]}}",
			"HTTP/1.1 404 Not Found\r\nSet-Cookie: a=1\r\n"
			"Set-Cookie: b=2\r\n",
			"" },
		{ "responseTransformation: true",
			"{\"statusCode\":200,\"headers\":{\"content-type\":"
			"\"text/html\"},\"body\":\"<p>\"}",
			"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n",
			"<p>" },
		{ "unwrapAsApiGateway: true, payloadFormatVersion: '2.0'",
			"[1,2]",
			"HTTP/1.1 200 OK\r\nContent-Type: application/json"
			"\r\n",
			"[1,2]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *destination =
			xasprintf("{logicalName: a, %s}", rows[i].option);
		struct lambda_world w;

		lambda_world_init(&w, "{}", destination);
		assert_int_equal(lambda_ask(&w), 0);
		assert_int_equal(lambda_answered(&w, OK_HEAD), CALL_COLLECT);
		assert_int_equal(
			lambda_answered_whole(&w, slice_of(rows[i].body)),
			CALL_DONE);
		assert_string_equal(lambda_head_text(&w), rows[i].head);
		assert_int_equal(w.out.length, strlen(rows[i].out));
		assert_memory_equal(w.out.data, rows[i].out, w.out.length);
		lambda_world_fini(&w);
		free(destination);
	}
}

static void
test_bad_answers(void **state)
{
	static const char *const bodies[] = {
		"", "no JSON", "[]", "{}", "{\"statusCode\":99}",
		"{\"statusCode\":\"x\"}", "{\"statusCode\":200,\"headers\":[]}",
		"{\"statusCode\":200,\"body\":\"*\",\"isBase64Encoded\":true}"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct lambda_world w;

		lambda_world_init(
			&w, "{}", "{logicalName: a, unwrapAsAlb: true}");
		assert_int_equal(lambda_ask(&w), 0);
		assert_int_equal(lambda_answered(&w, OK_HEAD), CALL_COLLECT);
		assert_int_equal(lambda_answered_whole(&w, slice_of(bodies[i])),
			CALL_REFUSE);
		assert_int_equal(w.refusal.status, 502);
		assert_string_equal(w.refusal.word, "bad_function_answer");
		lambda_world_fini(&w);
	}
}

/* ---- what a call cost */

static void
test_billed(void **state)
{
	static const struct {
		const char *log;
		uint32_t ms;
	} rows[] = {
		{ "START\nREPORT RequestId: 1\tDuration: 1.34 ms\tBilled "
		  "Duration: 125 ms\tMemory Size: 128 MB\n",
			125 },
		{ "Billed Duration: 1 ms\nREPORT Billed Duration: 2 ms", 2 },
		{ "{\"type\":\"platform.report\",\"record\":{\"metrics\":{"
		  "\"billedDurationMs\": 42,\"memorySizeMB\":128}}}",
			42 },
		{ "Billed Duration:", 0 },
		{ "Billed Duration: -1 ms", 0 },
		{ "Billed Duration: 99999999999999999999 ms", 86400000 },
		{ "", 0 },
		{ "something", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lambda_world w;
		struct str head;

		str_init(&head);
		str_puts(&head, OK_HEAD "X-Amz-Log-Result: ");
		base64_encode(rows[i].log, strlen(rows[i].log), &head);
		str_puts(&head, "\r\n");
		lambda_world_init(&w, "{}", "{logicalName: a, logTail: true}");
		assert_int_equal(lambda_ask(&w), 0);
		assert_int_equal(lambda_answered(&w, head.data), CALL_PASS);
		assert_int_equal(w.news.billed_ms, rows[i].ms);
		assert_null(strstr(lambda_head_text(&w), "log-result"));
		lambda_world_fini(&w);
		str_fini(&head);
	}
}

static void
test_billed_garbage(void **state)
{
	struct lambda_world w;

	(void)state;
	lambda_world_init(&w, "{}", "{logicalName: a, logTail: true}");
	assert_int_equal(lambda_ask(&w), 0);
	assert_int_equal(
		lambda_answered(&w, OK_HEAD "X-Amz-Log-Result: no base64*\r\n"),
		CALL_PASS);
	assert_int_equal(w.news.billed_ms, 0);
	lambda_world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_not_json),
		cmocka_unit_test(test_function_failures),
		cmocka_unit_test(test_skew),
		cmocka_unit_test(test_skew_once),
		cmocka_unit_test(test_refused_credentials),
		cmocka_unit_test(test_passed),
		cmocka_unit_test(test_unwrapped),
		cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_billed),
		cmocka_unit_test(test_billed_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
