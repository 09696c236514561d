/* Tests userspace/cli/cmd_route.c: sorted where it has to be. */
#include "command_cases.h"

static const struct command_case cases[] = {
	{ "route sort", "route sort --name default -o json", NULL,
		{ { "GET " DEFAULT, 200,
			  VS(ROUTE("/", "a") "," ROUTE("/b", "b")), false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", "{}"),
				false },
			END },
		CLI_OK, NULL, "sorted the routes of default: ",
		"\"routes\":[" ROUTE("/b", "b") "," ROUTE("/", "a") "]" },
	{ "route sort of what is sorted changes nothing",
		"route sort --name default", NULL,
		{ { "GET " DEFAULT, 200,
			  VS(ROUTE("/httpbin", "default-httpbin-8000")),
			  false },
			END },
		CLI_OK, VS_TABLE, "in order already", NULL },
};

static void
test_route(void **state)
{
	(void)state;
	command_cases_run(cases, ARRAY_SIZE(cases));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_route),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
