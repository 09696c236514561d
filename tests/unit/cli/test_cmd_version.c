/* Tests userspace/cli/cmd_version.c: of both ends, and whether they go
 * together. */
#include "command_cases.h"

static const struct command_case cases[] = {
	{ "version of both", "version", NULL,
		{ { "GET /v1/version", 200,
			  "{\"version\":\"9.9.9\",\"buildId\":\"abc\","
			  "\"contract\":1}",
			  false },
			END },
		CLI_OK, NULL, "differ by more than a patch release", NULL },
};

static void
test_version(void **state)
{
	(void)state;
	command_cases_run(cases, ARRAY_SIZE(cases));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
