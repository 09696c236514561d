/* The request that calls a Lambda function. Signatures: botocore's. */
#include "tests/unit/kinds/aws_lambda.h"

#include <pthread.h>

#include "base/doc.h"
#include "base/json.h"

#define ACCOUNT "123456789012"
#define CREDENTIAL                                                             \
	"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/lambda/"   \
	"aws4_request, SignedHeaders="
#define FIELDS                                                                 \
	"content-type;host;x-amz-date;x-amz-invocation-type;x-amz-log-type"

static void
test_sync(void **state)
{
	struct lambda_world w;

	(void)state;
	lambda_world_init(&w, "{}", "{logicalName: hello}");
	w.r.body = slice_of("{\"a\":1}");
	/* Nothing of what a client says goes to AWS. */
	w.fields[0] = (struct call_field){ slice_of("authorization"),
		slice_of("Bearer client") };
	w.fields[1] = (struct call_field){ slice_of("x-amz-invocation-type"),
		slice_of("Event") };
	w.fields[2] =
		(struct call_field){ slice_of("cookie"), slice_of("a=b") };
	w.r.field_count = 3;
	assert_int_equal(lambda_ask(&w), 0);
	assert_string_equal(lambda_head_text(&w),
		"POST /2015-03-31/functions/hello/invocations HTTP/1.1\r\n"
		"host: lambda.us-east-1.amazonaws.com\r\n"
		"content-type: application/json\r\n"
		"x-amz-invocation-type: RequestResponse\r\n"
		"x-amz-log-type: None\r\n"
		"x-amz-date: 20260102T030405Z\r\n"
		"authorization: " CREDENTIAL FIELDS ", Signature="
		"85e130b56a545a6697a29012319f2c9a"
		"4aa1f15205d84e743064594785df2031\r\n");
	assert_ptr_equal(w.body.data, w.r.body.data);
	assert_int_equal(w.body.length, 7);
	lambda_world_fini(&w);
}

static void
test_async(void **state)
{
	struct lambda_world w;

	(void)state;
	lambda_world_init(&w, "{awsAccountId: '" ACCOUNT "'}",
		"{logicalName: 'hello:$LATEST', invocationStyle: ASYNC, "
		"logTail: true, propagateOriginalRouting: true}");
	aws_dialect.credentials_free(w.credentials);
	w.credentials = lambda_credentials("AKIDEXAMPLE", "TOK/EN+=");
	w.r.method = slice_of("PUT");
	w.r.target = slice_of("/x/a%20b?c=d&e");
	assert_int_equal(lambda_ask(&w), 0);
	assert_string_equal(lambda_head_text(&w),
		"POST /2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1"
		"%3A" ACCOUNT "%3Afunction%3Ahello/invocations?Qualifier="
		"%24LATEST HTTP/1.1\r\n"
		"host: lambda.us-east-1.amazonaws.com\r\n"
		"content-type: application/json\r\n"
		"x-amz-invocation-type: Event\r\n"
		"x-amz-log-type: Tail\r\n"
		"x-amz-security-token: TOK/EN+=\r\n"
		"x-amz-date: 20260102T030405Z\r\n"
		"authorization: " CREDENTIAL FIELDS ";x-amz-security-token"
		", Signature="
		"ef4c85c3e4e67639226252855587faee"
		"808350c73cb4997497aa635857ddc2a6\r\n"
		"x-envoy-original-path: /x/a%20b?c=d&e\r\n"
		"x-envoy-original-method: PUT\r\n");
	assert_int_equal(w.body.length, 0);
	lambda_world_fini(&w);
}

static void
test_streaming(void **state)
{
	struct lambda_world w;

	(void)state;
	lambda_world_init(&w, "{endpointUrl: 'http://127.0.0.1:3002'}",
		"{logicalName: 'hello:live', responseStreaming: true}");
	assert_int_equal(lambda_ask(&w), 0);
	assert_string_equal(lambda_head_text(&w),
		"POST /2021-11-15/functions/hello/"
		"response-streaming-invocations?Qualifier=live HTTP/1.1\r\n"
		"host: 127.0.0.1:3002\r\n"
		"content-type: application/json\r\n"
		"x-amz-invocation-type: RequestResponse\r\n"
		"x-amz-log-type: None\r\n"
		"x-amz-date: 20260102T030405Z\r\n"
		"authorization: " CREDENTIAL FIELDS ", Signature="
		"930d419d43d32e8a82b256b4817a7fbb"
		"fe36c785a29f511b7514266027b5057f\r\n");
	lambda_world_fini(&w);
}

static void
test_dry_run(void **state)
{
	struct lambda_world w;

	(void)state;
	lambda_world_init(
		&w, "{}", "{logicalName: a, invocationStyle: DRY_RUN}");
	assert_int_equal(lambda_ask(&w), 0);
	assert_non_null(strstr(
		lambda_head_text(&w), "\r\nx-amz-invocation-type: DryRun\r\n"));
	lambda_world_fini(&w);
}

/* Where an event says that it is of which shape. */
static void
test_events(void **state)
{
	static const struct {
		const char *option;
		const char *path[4]; /* of keys */
		const char *value;
	} events[] = {
		{ "requestTransformation: true", { "httpMethod" }, "PATCH" },
		{ "requestTransformation: true", { "queryString" }, "q=1" },
		{ "wrapAsAlb: true", { "httpMethod" }, "PATCH" },
		{ "wrapAsAlb: true", { "headers", "x-one" }, "2" },
		{ "wrapAsApiGateway: true", { "version" }, "1.0" },
		{ "wrapAsApiGateway: true", { "requestContext", "accountId" },
			ACCOUNT },
		{ "wrapAsApiGateway: true, payloadFormatVersion: '2.0'",
			{ "version" }, "2.0" },
		{ "wrapAsApiGateway: true, payloadFormatVersion: '2.0'",
			{ "rawPath" }, "/a/b" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		char *destination =
			xasprintf("{logicalName: a, %s}", events[i].option);
		struct lambda_world w;
		struct doc *d;
		const struct doc *at;

		lambda_world_init(
			&w, "{awsAccountId: '" ACCOUNT "'}", destination);
		w.r.method = slice_of("PATCH");
		w.r.query = slice_of("q=1");
		w.r.body = slice_of("text");
		w.fields[0] =
			(struct call_field){ slice_of("x-one"), slice_of("1") };
		w.fields[1] =
			(struct call_field){ slice_of("x-one"), slice_of("2") };
		w.r.field_count = 2;
		assert_int_equal(lambda_ask(&w), 0);
		at = d = json_doc_read(w.body.data, w.body.length, NULL);
		assert_non_null(d);
		for (size_t j = 0; events[i].path[j] != NULL; j++)
			at = doc_get(at, events[i].path[j]);
		if (doc_string(at) == NULL ||
			strcmp(doc_string(at), events[i].value) != 0)
			fail_msg("%s: %.*s", events[i].option,
				(int)w.body.length, w.body.data);
		doc_free(d);
		lambda_world_fini(&w);
		free(destination);
	}
}

static void
test_multi_value_headers(void **state)
{
	struct lambda_world w;
	struct doc *d;

	(void)state;
	lambda_world_init(&w, "{}",
		"{logicalName: a, wrapAsAlb: true, multiValueHeaders: true}");
	assert_int_equal(lambda_ask(&w), 0);
	d = json_doc_read(w.body.data, w.body.length, NULL);
	assert_non_null(doc_get(d, "multiValueHeaders"));
	assert_null(doc_get(d, "headers"));
	doc_free(d);
	lambda_world_fini(&w);
}

/* The event is the same for each attempt, the signature is of its time. */
static void
test_attempts(void **state)
{
	struct lambda_world w;
	struct slice first;
	char *head;

	(void)state;
	lambda_world_init(
		&w, "{}", "{logicalName: a, requestTransformation: true}");
	assert_int_equal(lambda_ask(&w), 0);
	first = w.body;
	head = xstrdup(lambda_head_text(&w));
	w.r.now_ms += 60000;
	assert_int_equal(lambda_ask(&w), 0);
	assert_ptr_equal(w.body.data, first.data);
	assert_int_equal(w.body.length, first.length);
	assert_non_null(strstr(lambda_head_text(&w), "20260102T030505Z"));
	assert_string_not_equal(lambda_head_text(&w), head);
	free(head);
	lambda_world_fini(&w);
}

/* One credentials, two days: the key is made anew. */
static void
test_next_day(void **state)
{
	struct lambda_world w, fresh;

	(void)state;
	lambda_world_init(&w, "{}", "{logicalName: a}");
	assert_int_equal(lambda_ask(&w), 0);
	w.r.now_ms += 86400000;
	assert_int_equal(lambda_ask(&w), 0);
	lambda_world_init(&fresh, "{}", "{logicalName: a}");
	fresh.r.now_ms += 86400000;
	assert_int_equal(lambda_ask(&fresh), 0);
	assert_string_equal(lambda_head_text(&w), lambda_head_text(&fresh));
	lambda_world_fini(&fresh);
	lambda_world_fini(&w);
}

#define THREADS 4
#define ROUNDS  500

struct signer {
	struct lambda_world w;
	bool differs;
};

/* Of two days by turns, so that the key is replaced all the time. */
static void *
signer_run(void *arg)
{
	struct signer *s = arg;
	char heads[2][LAMBDA_HEAD];

	for (unsigned i = 0; i < ROUNDS; i++) {
		s->w.r.now_ms = LAMBDA_NOW_MS + (i % 2) * 86400000u;
		if (lambda_ask(&s->w) != 0)
			return NULL;
		s->w.head_bytes[s->w.head.length] = '\0';
		if (i < 2)
			strcpy(heads[i], s->w.head_bytes);
		else if (strcmp(heads[i % 2], s->w.head_bytes) != 0)
			s->differs = true;
	}
	return NULL;
}

/* Workers share credentials. */
static void
test_threads(void **state)
{
	static struct signer signers[THREADS];
	pthread_t threads[THREADS];
	void *own[THREADS];

	(void)state;
	for (size_t i = 0; i < THREADS; i++) {
		lambda_world_init(&signers[i].w, "{}", "{logicalName: a}");
		own[i] = signers[i].w.credentials;
		signers[i].w.credentials = own[0];
	}
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, signer_run,
					 &signers[i]),
			0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (size_t i = 0; i < THREADS; i++) {
		assert_false(signers[i].differs);
		assert_string_equal(lambda_head_text(&signers[i].w),
			lambda_head_text(&signers[0].w));
	}
	for (size_t i = 0; i < THREADS; i++) {
		signers[i].w.credentials = own[i];
		lambda_world_fini(&signers[i].w);
	}
}

static void
test_no_credentials(void **state)
{
	struct lambda_world w;
	void *none = NULL;

	(void)state;
	lambda_world_init(&w, "{}", "{logicalName: a}");
	aws_dialect.credentials_free(w.credentials);
	w.credentials = none;
	assert_int_equal(lambda_ask(&w), -1);
	w.refusal = (struct call_refusal){ 0 };
	/* It is known before there is a connection. */
	assert_int_equal(
		aws_dialect.ready(w.call, w.credentials, &w.refusal), -1);
	assert_int_equal(w.refusal.status, 503);
	assert_string_equal(w.refusal.word, "no_credentials");
	assert_int_equal(w.head.length, 0);
	lambda_world_fini(&w);
}

/* Whatever the spec says. */
static void
test_largest(void **state)
{
	(void)state;
	assert_int_equal(aws_dialect.request_max(NULL), 6 << 20);
}

static void
test_bad_credentials(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_null(aws_dialect.credentials_new(slice_of(""), &err));
	assert_int_equal(err.code, ERROR_SYSTEM);
	aws_dialect.credentials_free(NULL);
	aws_dialect.call_free(NULL);
}

#define SYNC  6291456u
#define ASYNC 1048576u

/* A body that fits may make an event that does not. */
static void
test_too_large(void **state)
{
	static const struct {
		const char *destination;
		size_t body;
		int rc;
		const char *sentence;
	} bodies[] = {
		{ "{logicalName: a}", SYNC, 0, NULL },
		{ "{logicalName: a}", SYNC + 1, -1,
			"the event is 6291457 bytes, and a function takes "
			"6291456" },
		{ "{logicalName: a, invocationStyle: ASYNC}", ASYNC, 0, NULL },
		{ "{logicalName: a, invocationStyle: ASYNC}", ASYNC + 1, -1,
			"the event is 1048577 bytes, and a function takes "
			"1048576 where it is called asynchronously" },
		{ "{logicalName: a, wrapAsAlb: true}", 4u << 20, 0, NULL },
		{ "{logicalName: a, wrapAsAlb: true}", 5u << 20, -1, NULL },
		{ "{logicalName: a, wrapAsAlb: true, invocationStyle: ASYNC}",
			780000, 0, NULL },
		/* Four bytes for three. */
		{ "{logicalName: a, wrapAsAlb: true, invocationStyle: ASYNC}",
			ASYNC / 4 * 3, -1, NULL },
		{ "{logicalName: a, wrapAsApiGateway: true, invocationStyle: "
		  "ASYNC}",
			ASYNC / 4 * 3, -1, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		char *body = xmalloc(bodies[i].body);
		struct lambda_world w;

		memset(body, 0xff, bodies[i].body); /* Base64 */
		lambda_world_init(&w, "{}", bodies[i].destination);
		w.r.body = (struct slice){ body, bodies[i].body };
		assert_int_equal(lambda_ask(&w), bodies[i].rc);
		if (bodies[i].rc != 0) {
			assert_int_equal(w.refusal.status, 413);
			assert_string_equal(
				w.refusal.word, "function_request_too_large");
		}
		if (bodies[i].sentence != NULL)
			assert_string_equal(
				w.refusal.sentence, bodies[i].sentence);
		lambda_world_fini(&w);
		free(body);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sync),
		cmocka_unit_test(test_async),
		cmocka_unit_test(test_streaming),
		cmocka_unit_test(test_dry_run),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_multi_value_headers),
		cmocka_unit_test(test_attempts),
		cmocka_unit_test(test_next_day),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_no_credentials),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_bad_credentials),
		cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
