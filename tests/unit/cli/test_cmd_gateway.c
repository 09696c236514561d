/* Tests userspace/cli/cmd_gateway.c: url, dump, stats and logs. */
#include "command_cases.h"

static const struct command_case cases[] = {
	{ "gateway url", "gateway url", NULL,
		{ { "GET /v1/url", 200, "{\"url\":\"http://10.98.0.1:8080\"}",
			  false },
			END },
		CLI_OK, "http://10.98.0.1:8080\n", "", NULL },
	{ "gateway url of a certain one", "proxy url --name b -n other", NULL,
		{ { "GET /v1/url?name=b&namespace=other", 200,
			  "{\"url\":\"http://10.98.0.1:81\"}", false },
			END },
		CLI_OK, "http://10.98.0.1:81\n", "", NULL },
	{ "gateway dump is JSON", "gateway dump", NULL,
		{ { "GET /v1/dump", 200, "{\"b\":1,\"a\":[]}", false }, END },
		CLI_OK, "{\n  \"a\": [],\n  \"b\": 1\n}\n", "", NULL },
	{ "gateway stats", "gateway stats", NULL,
		{ { "GET /v1/stats", 200, "requests: 5\n", false }, END },
		CLI_OK, "requests: 5\n", "", NULL },
	{ "gateway logs leaves debug lines out", "gateway logs", NULL,
		{ { "GET /v1/logs?since=0", 200,
			  "{\"lines\":[{\"seq\":1,\"level\":\"info\",\"text\":"
			  "\"a\"},{\"seq\":2,\"level\":\"debug\",\"text\":"
			  "\"b\"}],\"next\":3}",
			  false },
			END },
		CLI_OK, "info  a\n", "", NULL },
	{ "gateway logs -d shows them", "gateway logs -d", NULL,
		{ { "GET /v1/logs?since=0", 200,
			  "{\"lines\":[{\"seq\":1,\"level\":\"info\",\"text\":"
			  "\"a\"},{\"seq\":2,\"level\":\"debug\",\"text\":"
			  "\"b\"}],\"next\":3}",
			  false },
			END },
		CLI_OK, "info  a\ndebug b\n", "", NULL },
};

static void
test_gateway(void **state)
{
	(void)state;
	command_cases_run(cases, ARRAY_SIZE(cases));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gateway),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
