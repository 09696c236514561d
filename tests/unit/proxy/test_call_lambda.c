/* Functions of Lambda through the whole proxy: what an endpoint that speaks as
 * AWS does makes a client get. */
#include "tests/unit/kinds/aws_frames.h"
#include "tests/unit/kinds/aws_lambda.h"
#include "tests/unit/proxy/call_rig.h"

#include "model/kind.h"

#define UPSTREAM "{region: us-east-2, secretRef: {name: s, namespace: n}}"

static const struct upstream_kind aws_kind = {
	.key = "calls", .title = "AWS", .dialect = &aws_dialect
};
static const struct upstream_kind *const aws_kinds[] = { &aws_kind, NULL };

/* Their destinations. */
static const char *const functions[UP_END] = {
	[UP_CALLS] = "{logicalName: hello}",
	[UP_ANEW] = "{logicalName: hello, unwrapAsAlb: true}",
	[UP_LARGE] = "{logicalName: hello, responseStreaming: true}",
	[UP_SKEWED] = "{logicalName: hello}",
};

static struct str said[UP_END], got, sent;

static const char *
lambda_of(uint32_t upstream)
{
	return upstream < UP_END && functions[upstream] != NULL
		       ? said[upstream].data
		       : NULL;
}

/* As an endpoint sends it, with its length. */
static void
answer_make(struct str *to, const char *head, const char *body, size_t length)
{
	str_clear(to);
	str_printf(to, "%sContent-Length: %zu\r\n\r\n", head, length);
	str_append(to, body, length);
}

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define JSON    "Content-Type: application/json\r\n"

static void
answers_become_the_clients(void **state)
{
	static const struct {
		const char *request, *head, *body;
		const char *want, *has;
	} all[] = {
		{ "POST /calls HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		  "Content-Length: 7\r\n\r\n{\"a\":1}",
			OK_HEAD JSON "x-amzn-RequestId: r\r\n", "{}",
			OK_HEAD "content-type: application/json\r\n",
			"\r\n\r\n{}" },
		{ GET("/calls"), OK_HEAD "X-Amz-Function-Error: Unhandled\r\n",
			"{\"errorMessage\":\"no\"}", "HTTP/1.1 502 ",
			"x-gloo-gateway-reason: function_error\r\n" },
		{ GET("/calls"),
			"HTTP/1.1 429 Slow\r\nRetry-After: 9\r\n"
			"x-amzn-errortype: TooManyRequestsException\r\n",
			"{}", "HTTP/1.1 429 ", "\r\nretry-after: 9\r\n" },
		{ GET("/calls"),
			"HTTP/1.1 403 No\r\n"
			"x-amzn-errortype: AccessDeniedException\r\n",
			"{\"Message\":\"arn:aws:iam::123456789012:user/x\"}",
			"HTTP/1.1 502 ",
			"x-gloo-gateway-reason: function_forbidden\r\n" },
		{ GET("/anew?q=1"), OK_HEAD JSON,
			"{\"statusCode\":201,\"headers\":{\"x-a\":\"b\"},"
			"\"body\":\"aGVsbG8=\",\"isBase64Encoded\":true}",
			"HTTP/1.1 201 Created\r\n", "\r\n\r\nhello" },
		{ "HEAD /anew HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		  "\r\n",
			OK_HEAD JSON,
			"{\"statusCode\":200,\"headers\":{},\"body\":"
			"\"hello\"}",
			OK_HEAD, "\r\ncontent-length: 5\r\n" },
		{ GET("/anew"), OK_HEAD JSON, "{\"statusCode\":99}",
			"HTTP/1.1 502 ",
			"x-gloo-gateway-reason: bad_function_answer\r\n" },
	};
	struct rig_answer script[] = { { NULL, 0, 0 }, END_OF_LIST };
	struct str answer;

	(void)state;
	str_init(&answer);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		answer_make(
			&answer, all[i].head, all[i].body, strlen(all[i].body));
		script[0].bytes = answer.data;
		rig_origin_script(rig.origin, script);
		ask(all[i].request, &got);
		begins(all[i].head, &got, all[i].want);
		has(all[i].head, &got, all[i].has);
		has_not(all[i].head, &got, "123456789012");
		seen(&sent);
		begins(all[i].request, &sent,
			"POST /2015-03-31/functions/hello/invocations "
			"HTTP/1.1\r\nhost: lambda.us-east-2.amazonaws.com\r\n");
		has(all[i].request, &sent,
			"\r\nauthorization: AWS4-HMAC-SHA256 "
			"Credential=AKIDEXAMPLE/");
	}
	nothing_is_held();
	str_fini(&answer);
}

static void
a_clock_is_corrected(void **state)
{
	static const struct rig_answer script[] = {
		{ "HTTP/1.1 403 No\r\n"
		  "x-amzn-errortype: InvalidSignatureException\r\n"
		  "Date: Wed, 01 Jan 2020 00:00:00 GMT\r\n"
		  "Content-Length: 31\r\n\r\n"
		  "{\"message\":\"Signature expired\"}",
			0, 0 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 0, 0 },
		END_OF_LIST
	};

	(void)state;
	for (int i = 0; i < 2; i++) {
		/* It is known then. */
		rig_origin_script(rig.origin, script + i);
		ask(GET("/skewed"), &got);
		begins("skewed", &got, OK_HEAD);
		seen(&sent);
		assert_int_equal(times(&sent, "POST "), 2 - i);
		assert_int_equal(times(&sent, "x-amz-date: 20200101T0000"), 1);
	}
	nothing_is_held();
}

static void
a_stream_is_decoded(void **state)
{
	struct rig_answer script[] = { { NULL, 0, 0 }, END_OF_LIST };
	struct str frames, all;

	(void)state;
	str_init(&frames);
	str_init(&all);
	frame_put_event(&frames, "PayloadChunk", slice_of("hello "));
	frame_put_event(&frames, "PayloadChunk", slice_of("world"));
	frame_put_event(&frames, "InvokeComplete", slice_of("{}"));
	answer_make(&all,
		OK_HEAD "Content-Type: application/vnd.amazon.eventstream\r\n",
		frames.data, frames.length);
	script[0].bytes = all.data;
	script[0].length = all.length;
	for (int i = 0; i < 2; i++) {
		script[0].flags = i == 0 ? 0 : RIG_BYTEWISE;
		rig_origin_script(rig.origin, script);
		ask(GET("/large"), &got);
		begins("stream", &got, OK_HEAD);
		has("stream", &got, "transfer-encoding: chunked\r\n");
		has("stream", &got, "hello ");
		has("stream", &got, "world");
		ends("stream", &got, "\r\n0\r\n\r\n");
	}
	/* One bit, behind what went out already. */
	all.data[all.length - 3] ^= 1;
	rig_origin_script(rig.origin, script);
	ask(GET("/large"), &got);
	has_not("a stream that is corrupt", &got, "\r\n0\r\n\r\n");
	nothing_is_held();
	str_fini(&frames);
	str_fini(&all);
}

static int
lambda_start(void **state)
{
	struct aws_credentials c = { .access_key = xstrdup("AKIDEXAMPLE"),
		.secret_key =
			xstrdup("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
		.session_token = xstrdup("") };
	struct str bytes;

	(void)state;
	for (uint32_t i = 0; i < UP_END; i++) {
		struct lambda_said s;

		str_init(&said[i]);
		if (functions[i] == NULL)
			continue;
		s = lambda_say(UPSTREAM, functions[i], NULL, 0);
		if (s.rc != 0)
			fail_msg("%s: %s", functions[i], s.err.text);
		str_append(&said[i], s.settings.data, s.settings.length);
		lambda_said_fini(&s);
	}
	routes_make();
	rig_kinds(aws_kinds);
	rig_start(&rig, &settings, routes, ARRAY_SIZE(rows));
	rig.upstreams = upstreams;
	rig.upstream_count = ARRAY_SIZE(upstreams);
	rig.call_of = lambda_of;
	endpoints_send();
	str_init(&bytes);
	aws_credentials_write(&c, &bytes);
	for (uint32_t i = UP_CALLS; i < UP_END; i++)
		close(rig_credentials(&rig, i, "calls",
			(struct slice){ bytes.data, bytes.length }));
	str_fini_wiped(&bytes);
	aws_credentials_fini(&c);
	generation_next();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_become_the_clients),
		cmocka_unit_test(a_clock_is_corrected),
		cmocka_unit_test(a_stream_is_decoded),
	};

	str_init(&got);
	str_init(&sent);
	return cmocka_run_group_tests(tests, lambda_start, group_stop);
}
