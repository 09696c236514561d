/* Tests userspace/cli/cmd_remove.c: the route that was meant, and no other. */
#include "command_cases.h"

static const struct command_case cases[] = {
	{ "remove route", "remove route --name default --index 1 -o json", NULL,
		{ { "GET " DEFAULT, 200,
			  VS(ROUTE("/a", "a") "," ROUTE("/b", "b")), false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", "{}"),
				false },
			END },
		CLI_OK, NULL, "", "\"routes\":[" ROUTE("/a", "a") "]" },
	{ "remove route beyond the list", "rm r --name default -x 1", NULL,
		{ { "GET " DEFAULT, 200, VS(ROUTE("/a", "a")), false }, END },
		CLI_USAGE, "", "has routes: 1, counted from 0", NULL },
	{ "remove route does not take another one after a conflict",
		"remove route --name default --index 0", NULL,
		{ { "GET " DEFAULT, 200, VS(ROUTE("/a", "a")), false },
			{ "GET " DEFAULT, 200,
				VS(ROUTE("/n", "n") "," ROUTE("/a", "a")),
				false },
			{ "PUT " DEFAULT, 409, "{\"error\":\"stale\"}", false },
			END },
		CLI_USAGE, "", "route 0 is /n -> n now", NULL },
	{ "remove route -i", "remove route -i -o json", "default\n1\n",
		{ { SERVICES, 200, ITEMS(VS("")), false },
			{ "GET " DEFAULT, 200,
				VS(ROUTE("/a", "a") "," ROUTE("/b", "b")),
				false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", "{}"),
				false },
			END },
		CLI_OK, NULL, "? Choose the route to remove: 1\n",
		"\"routes\":[" ROUTE("/a", "a") "]" },
};

static void
test_remove(void **state)
{
	(void)state;
	command_cases_run(cases, ARRAY_SIZE(cases));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
