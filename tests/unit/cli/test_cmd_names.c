/* Tests userspace/cli/cmd_names.c: what the completion offers. */
#include "command_cases.h"

static const struct command_case cases[] = {
	{ "names for the completion", "__names us", NULL,
		{ { UPSTREAMS, 200, ITEMS(KUBE), false }, END }, CLI_OK,
		"default-httpbin-8000\n", "", NULL },
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
