/* Tests userspace/cli/cmd_add.c: a route gets its place, matchers and
 * destination. */
#include "command_cases.h"

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
		"is of kind kube and has no functions", NULL },
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
