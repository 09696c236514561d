/* Tests userspace/cli/cmd_edit.c: what its flags change without an editor. */
#include "command_cases.h"

static const struct command_case cases[] = {
	{ "edit virtualservice: the limit changed, no editor",
		"edit virtualservice default --rate-limit-requests 7", NULL,
		{ { "GET " DEFAULT, 200, VS_LIMITED, false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", VS("")),
				false },
			END },
		CLI_OK, VS_EMPTY_TABLE, "",
		"{\"requestsPerUnit\":7,\"unit\":\"HOUR\"}" },
	{ "edit virtualservice: the limit ended",
		"edit virtualservice default --enable-rate-limiting=false",
		NULL,
		{ { "GET " DEFAULT, 200, VS_LIMITED, false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", VS("")),
				false },
			END },
		CLI_OK, VS_EMPTY_TABLE, "",
		"\"virtualHost\":{\"domains\":[\"*\"]}" },
	{ "edit virtualservice: a limit that is not there",
		"edit virtualservice default --rate-limit-time-unit DAY", NULL,
		{ { "GET " DEFAULT, 200, VS(""), false }, END }, CLI_USAGE, "",
		"has no rate limit: add --enable-rate-limiting", NULL },
};

static void
test_edit(void **state)
{
	(void)state;
	command_cases_run(cases, ARRAY_SIZE(cases));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
