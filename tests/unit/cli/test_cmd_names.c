/* Tests userspace/cli/cmd_names.c: what the completion offers. */
#include "command_cases.h"

static const struct command_case cases[] = {
	{ "names for the completion", "__names us", NULL,
		{ { UPSTREAMS, 200, ITEMS(KUBE), false }, END }, CLI_OK,
		"default-httpbin-8000\n", "", NULL },
	{ "functions: those that the upstream lists and those that were found",
		"__names functions hello-lambda -n gloo-system", NULL,
		{ { UPSTREAMS, 200,
			  ITEMS(KUBE
				  ",{\"metadata\":{\"name\":"
				  "\"hello-lambda\",\"namespace\":"
				  "\"gloo-system\"},\"upstreamSpec\":{\"aws\":{"
				  "\"lambdaFunctions\":[{\"logicalName\":"
				  "\"mine\","
				  "\"lambdaFunctionName\":\"x\"}]}}}"),
			  false },
			{ "GET /v1/endpoints?limit=0&namespace=gloo-system&"
			  "name=hello-lambda",
				200,
				ITEMS("{\"functions\":[\"hello\",\"mine\","
				      "\"zoo:1\"]}"),
				false },
			END },
		CLI_OK, "hello\nmine\nzoo:1\n", "", NULL },
	{ "functions of all upstreams: only those that have any are asked for",
		"__names functions", NULL,
		{ { UPSTREAMS, 200, ITEMS(KUBE), false }, END }, CLI_OK, "", "",
		NULL },
	{ "names: a type that is none", "__names zebras", NULL, { END },
		CLI_USAGE, "", "", NULL },
};

static void
test_names(void **state)
{
	(void)state;
	command_cases_run(cases, ARRAY_SIZE(cases));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
