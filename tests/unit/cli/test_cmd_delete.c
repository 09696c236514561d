/* Tests userspace/cli/cmd_delete.c: one line that names what is gone. */
#include "command_cases.h"

static const struct command_case cases[] = {
	{ "delete: one line that names it", "delete virtualservice default",
		NULL,
		{ { "GET " DEFAULT, 200, VS(""), false },
			{ "DELETE " DEFAULT, 200,
				"{\"state\":\"Accepted\",\"reason\":\"\"}",
				false },
			END },
		CLI_OK, "virtual service gloo-system.default deleted\n", "",
		"DELETE " DEFAULT },
	{ "delete of an upstream that is back says so, and what to do",
		"delete upstream default-httpbin-8000", NULL,
		{ { "GET " HTTPBIN, 200, KUBE, false },
			{ "DELETE " HTTPBIN, 200,
				"{\"state\":\"Warning\",\"reason\":\"used by "
				"default\",\"note\":\"it was discovered by "
				"Kubernetes and is back\"}",
				false },
			END },
		CLI_WARNING,
		"upstream gloo-system.default-httpbin-8000 deleted\n",
		"note: it was discovered by Kubernetes and is back\n"
		"warning: used by default\n",
		NULL },
	{ "delete of one of another store says whose it is",
		"delete upstream default-httpbin-8000", NULL,
		{ { "GET " HTTPBIN, 200, KUBE, false },
			{ "DELETE " HTTPBIN, 409,
				"{\"error\":\"it is a resource of Kubernetes\"}",
				false },
			END },
		CLI_USAGE, "", "it is a resource of Kubernetes\n", NULL },
	{ "delete --dry-run deletes nothing", "delete vs default --dry-run",
		NULL, { { "GET " DEFAULT, 200, VS(""), false }, END }, CLI_OK,
		"virtual service gloo-system.default would be deleted\n", "",
		NULL },
	{ "delete -i offers what is there", "delete vs -i", "default\n",
		{ { SERVICES, 200, ITEMS(VS("")), false },
			{ "GET " DEFAULT, 200, VS(""), false },
			{ "DELETE " DEFAULT, 200, "{\"state\":\"Accepted\"}",
				false },
			END },
		CLI_OK, NULL, "? Choose a virtual service to delete: default\n",
		NULL },
	{ "delete without a name", "delete vs", NULL, { END }, CLI_USAGE, "",
		"the name of the virtual service is missing", NULL },
};

static void
test_delete(void **state)
{
	(void)state;
	command_cases_run(cases, ARRAY_SIZE(cases));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
