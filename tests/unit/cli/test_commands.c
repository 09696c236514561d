/* Tests lines that are no command of glooctl, and a daemon that does not
 * answer. */
#include "command_cases.h"

static const struct command_case cases[] = {
	{ "an unknown flag", "get upstreams --ouput yaml", NULL, { END },
		CLI_USAGE, "",
		"error: unknown flag --ouput; did you mean --output?\n"
		"see glooctl get upstream --help\n",
		NULL },
	{ "an unknown letter", "get upstreams -z", NULL, { END }, CLI_USAGE, "",
		"error: unknown flag -z\n", NULL },
	{ "an unknown command", "gte upstreams", NULL, { END }, CLI_USAGE, "",
		"error: unknown command \"gte\" for glooctl; did you mean get?",
		NULL },
	{ "an unknown form", "get u -o xml", NULL, { END }, CLI_USAGE, "",
		"\"xml\" is none of table", NULL },
	{ "a flag without its value", "get u -o", NULL, { END }, CLI_USAGE, "",
		"-o needs a value", NULL },
	{ "one word too many", "get u a b", NULL, { END }, CLI_USAGE, "",
		"\"b\" is one argument too many", NULL },
	{ "a command that needs a further word", "get", NULL, { END },
		CLI_USAGE, "", "get needs a further word", NULL },
	{ "a namespace that is none", "get u x -n ../a", NULL, { END },
		CLI_USAGE, "", "is not a namespace", NULL },
	{ "a flag of the kind that is wrong",
		"create upstream kube --name a --kube-service-port x", NULL,
		{ END }, CLI_USAGE, "", "--kube-service-port: ", NULL },
};

static void
test_wrong_lines(void **state)
{
	(void)state;
	command_cases_run(cases, ARRAY_SIZE(cases));
}

static void
test_nobody_answers(void **state)
{
	struct fake_result r =
		fake_run("/tmp/no-such-folder/sock", "get upstreams", NULL);

	(void)state;
	assert_int_equal(r.status, CLI_USAGE);
	assert_string_equal(r.out, "");
	assert_non_null(strstr(r.err, "is the daemon running?"));
	fake_result_fini(&r);
	r = fake_run("/tmp/no-such-folder/sock", "version", NULL);
	assert_int_equal(r.status, CLI_OK);
	assert_non_null(strstr(r.out, "Server: version undefined"));
	fake_result_fini(&r);
	/* The completion stays silent. */
	r = fake_run("/tmp/no-such-folder/sock", "__names upstreams", NULL);
	assert_string_equal(r.err, "");
	fake_result_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong_lines),
		cmocka_unit_test(test_nobody_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
