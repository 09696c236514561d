/*
 * Tests the control side of the kind aws as a whole, over sockets: from the
 * secret to the bytes that the proxy is given and the names of functions, and a
 * probe; what the other tests of watch.c have in their hands is real here.
 */
#include "fake_calls.h"

#include <stdlib.h>

#include "base/mem.h"
#include "kinds/aws/credentials.h"
#include "net/http_client.h"
#include "net/loop.h"
#include "tests/lib/replay.h"

#define WAIT_MS 20000

extern const struct upstream_kind upstream_kind_aws;

static struct {
	struct loop *loop;
	struct http_client *http;
	struct replay *server;
	struct loop_timer *limit;
	struct kind_program program;
	void *shared;
	struct called u;
} world;

static void
on_limit(void *arg)
{
	(void)arg;
	fail_msg("nothing came in 20 s: %s", told.data);
}

static void
functions_replace(
	struct kind_host *host, const char *const *names, size_t count)
{
	called_functions(host, names, count);
	loop_stop(world.loop);
}

static void
begin(const struct replay_line *script)
{
	memset(&world, 0, sizeof(world));
	str_clear(&told);
	world.loop = loop_new();
	world.http = http_client_new(world.loop);
	world.server = replay_new(world.loop, script, NULL);
	world.limit = loop_timer_new(world.loop, on_limit, NULL);
	loop_timer_start(world.limit, WAIT_MS);
	world.program = (struct kind_program){
		.loop = world.loop,
		.http = world.http,
		.settings = doc_new_map(),
		.settings_folder = "/etc/gloo-gateway",
	};
	world.shared = upstream_kind_aws.open(&world.program);
}

static void
watch(const struct model_secret *secret)
{
	char *spec = xasprintf("{region: us-east-2, "
			       "endpointUrl: \"http://127.0.0.1:%u\", "
			       "secretRef: {name: aws}}",
		replay_port(world.server));

	called_init(&world.u, &upstream_kind_aws, world.shared, "u",
		"discovery.solo.io/function_discovery");
	world.u.upstream.host.loop = world.loop;
	world.u.upstream.host.functions_replace = functions_replace;
	world.u.secret = secret;
	upstream_resume(&world.u.upstream, spec);
	free(spec);
}

static void
end(void)
{
	upstream_unwatch(&world.u.upstream);
	upstream_kind_aws.close(world.shared);
	doc_free((struct doc *)world.program.settings);
	loop_timer_free(world.limit);
	replay_free(world.server);
	http_client_free(world.http);
	loop_free(world.loop);
}

static const struct model_secret secret = {
	.type = MODEL_SECRET_AWS,
	.aws = { (char *)"AKIDEXAMPLE", (char *)"geheim", (char *)"T0K/EN+=" },
};

#define SIGNED                                                                 \
	" Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/ "            \
	"/us-east-2/lambda/aws4_request "                                      \
	"SignedHeaders=host;x-amz-date;x-amz-security-token "                  \
	"x-amz-security-token: T0K/EN+= !geheim"
#define LIST "GET /2015-03-31/functions?FunctionVersion=ALL&MaxItems=50 "

static void
on_finding(enum kind_level level, const char *sentence, void *arg)
{
	(void)arg;
	str_printf(&told, "%d %s\n", level, sentence);
}

static void
on_end(void *arg)
{
	(void)arg;
	loop_stop(world.loop);
}

static void
test_from_secret_to_functions(void **state)
{
	static const struct replay_line script[] = {
		{ LIST SIGNED, 200, NULL,
			"{\"Functions\":[{\"FunctionName\":\"hello\","
			"\"Version\":\"$LATEST\"},{\"FunctionName\":\"hello\","
			"\"Version\":\"1\"}],\"NextMarker\":\"a/b+c=\"}",
			7, 0, 0, NULL },
		{ "GET /2015-03-31/functions?FunctionVersion=ALL&"
		  "Marker=a%2Fb%2Bc%3D&MaxItems=50 " SIGNED,
			200, NULL,
			"{\"Functions\":[{\"FunctionName\":\"b\","
			"\"Version\":\"$LATEST\"}]}",
			0, 0, 0, NULL },
		{ "GET /2015-03-31/functions/hello/aliases?MaxItems=50 " SIGNED,
			200, NULL, "{\"Aliases\":[{\"Name\":\"live\"}]}", 0, 0,
			0, NULL },
		{ "GET /2015-03-31/functions/b/aliases?MaxItems=50 " SIGNED,
			200, NULL, "{\"Aliases\":[]}", 0, 0, 0, NULL },
		/* the probe */
		{ "GET "
		  "/2015-03-31/"
		  "functions?FunctionVersion=ALL&MaxItems=1 " SIGNED,
			200, NULL, "{}", 0, 0, 0, NULL },
		{ "GET /2015-03-31/functions/b/aliases?MaxItems=1 " SIGNED, 403,
			"x-amzn-errortype: AccessDeniedException\r\n",
			"{\"Message\":\"no\"}", 0, 0, 0, NULL },
		{ "POST /invocations x-amz-invocation-type: DryRun "
		  "Content-Length: 0",
			204, NULL, NULL, 0, 0, 0, NULL },
		{ "POST /invocations x-amz-invocation-type: DryRun "
		  "Content-Length: 0",
			204, NULL, NULL, 0, 0, 0, NULL },
		{ NULL, 0, NULL, NULL, 0, 0, 0, NULL },
	};
	struct aws_credentials c = { 0 };
	char *want;

	(void)state;
	begin(script);
	watch(&secret);
	want = xasprintf("u: 127.0.0.1:%u\nu credentials 1\nu ok\n"
			 "u functions b b:* hello hello:* hello:1\n",
		replay_port(world.server));
	loop_run(world.loop);
	told_is(want);
	free(want);
	/* A slow machine is told of some aliases before. */
	while (strstr(told.data, "u functions b hello hello:1 hello:live\n") ==
		NULL)
		loop_run(world.loop);
	str_clear(&told);
	assert_int_equal(aws_credentials_read((struct slice){ world.u.bytes,
						      world.u.length },
				 &c, NULL),
		0);
	assert_string_equal(c.secret_key, "geheim");
	aws_credentials_fini(&c);
	upstream_kind_aws.probe(
		world.u.upstream.state, on_finding, on_end, NULL);
	loop_run(world.loop);
	assert_non_null(strstr(told.data, "0 credentials are of "));
	assert_non_null(strstr(told.data,
		"0 functions may be listed\n3 the discovery of aliases: the "
		"permission lambda:ListAliases is missing: http://127.0.0.1:"));
	assert_non_null(strstr(
		told.data, "0 b: may be called\n0 hello: may be called\n"));
	assert_int_equal(replay_count(world.server), 8);
	end();
}

/* The server's clock is far ahead: the second question is by that. */
static void
test_a_clock_that_is_off(void **state)
{
	static const struct replay_line script[] = {
		{ LIST, 403,
			"Date: Mon, 01 Jan 2080 00:00:10 GMT\r\n"
			"x-amzn-errortype: InvalidSignatureException\r\n",
			"{\"message\":\"Signature expired\"}", 0, 0, 0, NULL },
		{ LIST "x-amz-date: 20800101T00", 200, NULL,
			"{\"Functions\":[]}", 0, 0, 0, NULL },
		{ NULL, 0, NULL, NULL, 0, 0, 0, NULL },
	};

	(void)state;
	begin(script);
	watch(&secret);
	loop_run(world.loop);
	assert_non_null(strstr(told.data, "u functions\n"));
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_secret_to_functions),
		cmocka_unit_test(test_a_clock_that_is_off),
	};

	return cmocka_run_group_tests(tests, told_setup, told_teardown);
}
