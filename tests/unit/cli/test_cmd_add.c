/* Tests userspace/cli/cmd_add.c: a route gets its place, matchers and
 * destination. */
#include "command_cases.h"

#define FX                  "/v1/upstreams/gloo-system/fx"
#define FOUND(name)         "GET /v1/endpoints?limit=0&namespace=gloo-system&name=" name
#define SPEC(kind, members) "\"destinationSpec\":{\"" kind "\":{" members "}}"
#define ADDED                                                                  \
	{ "GET " DEFAULT, 200, VS(""), false },                                \
	{                                                                      \
		"PUT " DEFAULT, 200, VERDICT("Accepted", "", "{}"), false      \
	}

static const struct command_case cases[] = {
	{ "add route without a name takes the first with the domain *",
		"add route --path-prefix /httpbin --dest-name "
		"default-httpbin-8000 --prefix-rewrite /",
		NULL,
		{ { SERVICES, 200, ITEMS(VS("")), false },
			{ "PUT " DEFAULT, 200,
				VERDICT("Accepted", "",
					VS(ROUTE("/httpbin",
						"default-httpbin-8000"))),
				false },
			END },
		CLI_OK, VS_TABLE, "selected virtualservice default for route\n",
		"{\"matchers\":[{\"prefix\":\"/httpbin\"}],\"options\":{"
		"\"prefixRewrite\":\"/\"},\"routeAction\":{\"single\":{"
		"\"upstream\":{\"name\":\"default-httpbin-8000\",\"namespace\":"
		"\"gloo-system\"}}}}" },
	{ "add route makes default when nothing has the domain *",
		"add route -p /httpbin -u default-httpbin-8000", NULL,
		{ { SERVICES, 200, ITEMS(""), false },
			{ "PUT " DEFAULT, 200,
				VERDICT("Accepted", "",
					VS(ROUTE("/httpbin",
						"default-httpbin-8000"))),
				false },
			END },
		CLI_OK, VS_TABLE,
		"creating virtualservice default with default domain *\n",
		"\"domains\":[\"*\"]" },
	{ "a new route goes to the end",
		"add route -p /b -u b --name default -o json", NULL,
		{ { "GET " DEFAULT, 200, VS(ROUTE("/a", "a")), false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", "{}"),
				false },
			END },
		CLI_OK, NULL, "",
		"\"routes\":[" ROUTE("/a", "a") "," ROUTE("/b", "b") "]" },
	{ "--index 0 is in front",
		"add route -p /b -u b --name default -x 0 -o json", NULL,
		{ { "GET " DEFAULT, 200, VS(ROUTE("/a", "a")), false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", "{}"),
				false },
			END },
		CLI_OK, NULL, "",
		"\"routes\":[" ROUTE("/b", "b") "," ROUTE("/a", "a") "]" },
	{ "--index beyond the list",
		"add route -p /b -u b --name default --index 2", NULL,
		{ { "GET " DEFAULT, 200, VS(ROUTE("/a", "a")), false }, END },
		CLI_USAGE, "", "it can be at most 1", NULL },
	{ "--index that is no number", "add route -p /b -u b -x -1", NULL,
		{ { SERVICES, 200, ITEMS(VS("")), false }, END }, CLI_USAGE, "",
		"\"-1\" is not a number", NULL },
	{ "all the matchers of add route",
		"add route -e /a -m GET,POST -m PUT -d x=1=2 -d y "
		"--header-regex z=[0-9]+ -q q=v -q r -u b -s other --name "
		"default -o json",
		NULL,
		{ { "GET " DEFAULT, 200, VS(""), false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", "{}"),
				false },
			END },
		CLI_OK, NULL, "",
		"[{\"exact\":\"/a\",\"headers\":[{\"name\":\"x\",\"value\":"
		"\"1=2\"},{\"name\":\"y\"},{\"name\":\"z\",\"regex\":true,"
		"\"value\":\"[0-9]+\"}],\"methods\":[\"GET\",\"POST\",\"PUT\"],"
		"\"queryParameters\":[{\"name\":\"q\",\"value\":\"v\"},{"
		"\"name\":\"r\"}]}]" },
	{ "Warning: exit status 2 and the reason",
		"add route -p /b -u billing --name default", NULL,
		{ { "GET " DEFAULT, 200, VS(""), false },
			{ "PUT " DEFAULT, 200,
				VERDICT("Warning", "no upstream billing",
					VS("")),
				false },
			END },
		CLI_WARNING, NULL, "warning: no upstream billing\n", NULL },
	{ "somebody else was faster: read again and retried",
		"add route -p /b -u b --name default -o json", NULL,
		{ { "GET " DEFAULT, 200, VS(""), false },
			{ "GET " DEFAULT, 200, VS(ROUTE("/a", "a")), false },
			{ "PUT " DEFAULT, 409, "{\"error\":\"stale\"}", false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", "{}"),
				false },
			END },
		CLI_OK, NULL, "",
		"\"routes\":[" ROUTE("/a", "a") "," ROUTE("/b", "b") "]" },
	{ "somebody else was always faster",
		"add route -p /b -u b --name default", NULL,
		{ { "GET " DEFAULT, 200, VS(""), false },
			{ "PUT " DEFAULT, 409, "{\"error\":\"stale\"}", false },
			END },
		CLI_USAGE, "", "error: stale\n", NULL },
	{ "two paths", "add route -p /b -e /b -u b", NULL, { END }, CLI_USAGE,
		"", "only one of --path-exact", NULL },
	{ "no path", "add route -u b", NULL, { END }, CLI_USAGE, "",
		"is needed\nsee glooctl add route --help\n", NULL },
	{ "no destination", "add route -p /b", NULL, { END }, CLI_USAGE, "",
		"--dest-name", NULL },
	{ "REST functions are not served yet", "add route -p / -u b -f f", NULL,
		{ END }, CLI_USAGE, "", "not served yet", NULL },
	{ "--function of an AWS upstream",
		"add route -p /lambda -u hello-lambda --function hello-world:1 "
		"--name default -o json",
		NULL,
		{ { "GET " LAMBDA, 200, AWS, false },
			{ "GET " DEFAULT, 200, VS(""), false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", "{}"),
				false },
			END },
		CLI_OK, NULL, "",
		"\"destinationSpec\":{\"aws\":{\"logicalName\":"
		"\"hello-world:1\"}}" },
	{ "--function of an upstream without functions",
		"add route -p / -u default-httpbin-8000 --function f", NULL,
		{ { "GET " HTTPBIN, 200, KUBE, false }, END }, CLI_USAGE, "",
		"--function: upstream default-httpbin-8000 is of kind kube and "
		"has no functions; leave it out, or name an upstream that has "
		"them\n",
		NULL },
	{ "--function of an Azure upstream",
		"add route -p /fx -u fx --function orders --name default "
		"-o json",
		NULL, { { "GET " FX, 200, AZURE, false }, ADDED, END }, CLI_OK,
		NULL, "", SPEC("azure", "\"functionName\":\"orders\"") },
	{ "--function of an upstream that is not there",
		"add route -p /fx -u fy --function orders --name default", NULL,
		{ { UPSTREAMS, 200, ITEMS(AZURE), false }, END }, CLI_USAGE, "",
		"there is no upstream named \"fy\" in namespace gloo-system; "
		"did you mean fx?",
		NULL },
	{ "Gloo's flag of AWS, which works without the upstream",
		"add route -p /l -u hello-lambda -a hello --name default "
		"-o json",
		NULL, { ADDED, END }, CLI_OK, NULL, "",
		SPEC("aws", "\"logicalName\":\"hello\"") },
	{ "and the one of Azure",
		"add route -p /fx -u fx --azure-function-name orders "
		"--name default -o json",
		NULL, { ADDED, END }, CLI_OK, NULL, "",
		SPEC("azure", "\"functionName\":\"orders\"") },
	{ "how the function of an AWS upstream is called",
		"add route -p /l -u hello-lambda -a hello --name default "
		"--aws-invocation-style async --aws-unescape "
		"--aws-request-transformation=false -o json",
		NULL, { ADDED, END }, CLI_OK, NULL, "",
		SPEC("aws", "\"invocationStyle\":\"ASYNC\",\"logicalName\":"
			    "\"hello\",\"requestTransformation\":false,"
			    "\"responseTransformation\":true") },
	{ "how an event is made and an answer is read: ALB",
		"add route -p /l -u hello-lambda -a hello --name default "
		"--aws-alb-wrap --aws-alb-unwrap -o json",
		NULL, { ADDED, END }, CLI_OK, NULL, "",
		SPEC("aws", "\"logicalName\":\"hello\",\"unwrapAsAlb\":true,"
			    "\"wrapAsAlb\":true") },
	{ "how an event is made and an answer is read: API Gateway",
		"add route -p /l -u hello-lambda -a hello --name default "
		"--aws-api-gw-wrap --aws-api-gw-unwrap -o json",
		NULL, { ADDED, END }, CLI_OK, NULL, "",
		SPEC("aws", "\"logicalName\":\"hello\",\"unwrapAsApiGateway\":"
			    "true,\"wrapAsApiGateway\":true") },
	{ "what more may be said of the call",
		"add route -p /l -u hello-lambda -a hello --name default "
		"--aws-payload-format-version 2.0 --aws-multi-value-headers "
		"--aws-propagate-original-routing --aws-response-streaming "
		"--aws-log-tail=false -o json",
		NULL, { ADDED, END }, CLI_OK, NULL, "",
		SPEC("aws", "\"logTail\":false,\"logicalName\":\"hello\","
			    "\"multiValueHeaders\":true,"
			    "\"payloadFormatVersion\":\"2.0\","
			    "\"propagateOriginalRouting\":true,"
			    "\"responseStreaming\":true") },
	{ "flags of AWS where the upstream names the function",
		"add route -p /l -u hello-lambda --aws-alb-unwrap "
		"--name default -o json",
		NULL, { { "GET " LAMBDA, 200, AWS, false }, ADDED, END },
		CLI_OK, NULL, "", SPEC("aws", "\"unwrapAsAlb\":true") },
	{ "flags of AWS with an Azure upstream",
		"add route -p /fx -u fx --function orders --aws-alb-unwrap",
		NULL, { { "GET " FX, 200, AZURE, false }, END }, CLI_USAGE, "",
		"--aws-alb-unwrap: upstream fx is of kind azure\n", NULL },
	{ "an invocation style that is none",
		"add route -p /l -u hello-lambda -a f --aws-invocation-style x",
		NULL, { END }, CLI_USAGE, "",
		"--aws-invocation-style: \"x\" is none of "
		"SYNC|ASYNC|DRY_RUN\n",
		NULL },
	{ "two flags that name the function",
		"add route -p /l -u hello-lambda -a f --function f", NULL,
		{ END }, CLI_USAGE, "",
		"only one of --function and --aws-function-name can be given\n",
		NULL },
	{ "a function without a name",
		"add route -p /l -u hello-lambda --function=", NULL, { END },
		CLI_USAGE, "", "--function: the name of the function is empty",
		NULL },
	{ "a function and an upstream group",
		"add route -p /l --upstream-group-name g --function f", NULL,
		{ END }, CLI_USAGE, "",
		"only one of --function and --upstream-group-name can be given",
		NULL },
	{ "a function that is not known: exit status 2 and why",
		"add route -p /l -u hello-lambda -a gone --name default", NULL,
		{ { "GET " DEFAULT, 200, VS(""), false },
			{ "PUT " DEFAULT, 200,
				VERDICT("Warning",
					"the upstream \\\"hello-lambda\\\": "
					"there is no function gone",
					VS("")),
				false },
			END },
		CLI_WARNING, NULL,
		"warning: the upstream \"hello-lambda\": there is no function "
		"gone\n",
		NULL },
	{ "add route -i: one of the functions that were found",
		"add route -i -o json",
		"default\n\n\n/l\n\n\nhello-lambda\nhullo\nhello-world:1\nno\n",
		{ { UPSTREAMS, 200, ITEMS(AWS), false },
			{ "GET /v1/upstreamgroups", 200, ITEMS(""), false },
			{ FOUND("hello-lambda"), 200,
				ITEMS("{\"functions\":[\"hello-world\","
				      "\"hello-world:1\"]}"),
				false },
			{ "GET " LAMBDA, 200, AWS, false }, ADDED, END },
		CLI_OK, NULL,
		"? Which function should this route to? hullo\n"
		"\"hullo\" is none of: hello-world, hello-world:1\n"
		"? Which function should this route to? hello-world:1\n",
		NULL },
	{ "add route -i: any function where there may be others than those",
		"add route -i -o json",
		"default\n\n\n/l\n\n\nhello-lambda\nhello-world:prod\nno\n",
		{ { UPSTREAMS, 200, ITEMS(AWS), false },
			{ "GET /v1/upstreamgroups", 200, ITEMS(""), false },
			{ FOUND("hello-lambda"), 200,
				ITEMS("{\"functions\":[\"hello-world\"],"
				      "\"functionsOpen\":true}"),
				false },
			{ "GET " LAMBDA, 200, AWS, false }, ADDED, END },
		CLI_OK, NULL,
		"? Which function should this route to? hello-world:prod\n",
		SPEC("aws", "\"logicalName\":\"hello-world:prod\"") },
	{ "add route -i: any function where nobody knows which there are",
		"add route -i -o json",
		"default\n\n\n/l\n\n\nfx\nanother\nno\n",
		{ { UPSTREAMS, 200, ITEMS(AZURE), false },
			{ "GET /v1/upstreamgroups", 200, ITEMS(""), false },
			{ FOUND("fx"), 200, ITEMS("{}"), false },
			{ "GET " FX, 200, AZURE, false }, ADDED, END },
		CLI_OK, NULL,
		"? Which function should this route to? another\n",
		SPEC("azure", "\"functionName\":\"another\"") },
	{ "add route -i: the function is not asked for when it was given",
		"add route -i -a hello -o json",
		"default\n\n\n/l\n\n\nhello-lambda\nno\n",
		{ { UPSTREAMS, 200, ITEMS(AWS), false },
			{ "GET /v1/upstreamgroups", 200, ITEMS(""), false },
			ADDED, END },
		CLI_OK, NULL, NULL, SPEC("aws", "\"logicalName\":\"hello\"") },
	{ "add route --dry-run stores nothing and prints the whole object",
		"add route -p /b -u b --dry-run", NULL,
		{ { SERVICES, 200, ITEMS(""), false },
			{ "PUT " DEFAULT "?dryRun=true", 200,
				VERDICT("Accepted", "", VS("")), false },
			END },
		CLI_OK, NULL, NULL, "PUT " DEFAULT "?dryRun=true " },
	{ "add route -i asks in Gloo's order", "add route -i -o json",
		"default\n0\npath-p\n/b\nx=1\n\nGET\n\n"
		"default-httpbin-8000\nyes\n/\n",
		{ { UPSTREAMS, 200, ITEMS(KUBE), false },
			{ "GET /v1/upstreamgroups", 200, ITEMS(""), false },
			{ "GET " DEFAULT, 200, VS(ROUTE("/a", "a")), false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", "{}"),
				false },
			END },
		CLI_OK, NULL,
		"? rewrite the matched portion of HTTP requests with this "
		"prefix: /\n",
		"\"routes\":[{\"matchers\":[{\"headers\":[{\"name\":\"x\","
		"\"value\":\"1\"}],\"methods\":[\"GET\"],\"prefix\":\"/b\"}],"
		"\"options\":{\"prefixRewrite\":\"/\"}" },
	{ "add route -i: an upstream group is among the choices",
		"add route -i -o json",
		"default\n\n\n/b\n\n\nno\nupstream group canary\nno\n",
		{ { UPSTREAMS, 200, ITEMS(KUBE), false },
			{ "GET /v1/upstreamgroups", 200,
				ITEMS("{\"metadata\":{\"name\":\"canary\","
				      "\"namespace\":\"gloo-system\"}}"),
				false },
			{ "GET " DEFAULT, 200, VS(ROUTE("/a", "a")), false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", "{}"),
				false },
			END },
		CLI_OK, NULL,
		"\"no\" is none of: default-httpbin-8000, upstream group "
		"canary\n",
		"\"routeAction\":{\"upstreamGroup\":{\"name\":\"canary\","
		"\"namespace\":\"gloo-system\"}}" },
};

static void
test_add(void **state)
{
	(void)state;
	command_cases_run(cases, ARRAY_SIZE(cases));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
