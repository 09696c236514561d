/* Tests userspace/cli/check_functions.c: what the daemon found out about the
 * functions of upstreams. */
#include "command_cases.h"

#define FX "/v1/upstreams/gloo-system/fx"
#define FAR                                                                    \
	"{\"metadata\":{\"name\":\"far\",\"namespace\":\"other\"},"            \
	"\"upstreamSpec\":{\"aws\":{}}}"
#define ONE(level, sentence)                                                   \
	"{\"level\":\"" level "\",\"sentence\":\"" sentence "\"}"
#define FINDINGS(list) "{\"findings\":[" list "]}"
#define PROBE          "GET /v1/probe/gloo-system/hello-lambda"
#define FINE           ONE("ok", "hello-world:1 may be called")

static const struct command_case cases[] = {
	{ "all is well", "check lambda hello-lambda", NULL,
		{ { "GET " LAMBDA, 200, AWS, false },
			{ PROBE, 200,
				FINDINGS(FINE "," ONE("note",
					"discovery is off: lambda:ListFunctions"
					" was not asked for")),
				false },
			END },
		CLI_OK,
		"Checking gloo-system.hello-lambda... OK\n"
		"  hello-world:1 may be called\n"
		"  note: discovery is off: lambda:ListFunctions was not asked "
		"for\n"
		"No problems detected.\n",
		"", NULL },
	{ "a permission that is missing", "check lambda hello-lambda", NULL,
		{ { "GET " LAMBDA, 200, AWS, false },
			{ PROBE, 200,
				FINDINGS(FINE "," ONE(
					"warning", "old keys") "," ONE("error",
					"hello: lambda:InvokeFunction "
					"is missing")),
				false },
			END },
		CLI_REJECTED,
		"Checking gloo-system.hello-lambda... 1 Error!\n"
		"  hello-world:1 may be called\n"
		"1. gloo-system.hello-lambda: hello: lambda:InvokeFunction is "
		"missing\n"
		"2. gloo-system.hello-lambda: warning: old keys\n",
		"", NULL },
	{ "all upstreams of the kind, and no others", "check aws", NULL,
		{ { UPSTREAMS, 200, ITEMS(KUBE "," AZURE "," FAR "," AWS),
			  false },
			{ PROBE, 200,
				FINDINGS(ONE("warning", "a") "," ONE(
					"warning", "b")),
				false },
			{ "GET /v1/probe/other/far", 200, FINDINGS(FINE),
				false },
			END },
		CLI_WARNING,
		"Checking other.far... OK\n"
		"  hello-world:1 may be called\n"
		"Checking gloo-system.hello-lambda... 2 Warnings!\n"
		"1. gloo-system.hello-lambda: warning: a\n"
		"2. gloo-system.hello-lambda: warning: b\n",
		"", NULL },
	{ "what the daemon cannot ask is an error of that upstream",
		"check lambda", NULL,
		{ { UPSTREAMS, 200, ITEMS(FAR "," AWS), false },
			{ PROBE, 200, FINDINGS(FINE), false },
			{ "GET /v1/probe/other/far", 409,
				"{\"error\":\"the upstream \\\"other.far\\\" "
				"is "
				"Rejected\"}",
				false },
			END },
		CLI_REJECTED,
		"Checking other.far... 1 Error!\n"
		"Checking gloo-system.hello-lambda... OK\n"
		"  hello-world:1 may be called\n"
		"1. other.far: the upstream \"other.far\" is Rejected\n",
		"", NULL },
	{ "of one namespace", "check lambda -n other", NULL,
		{ { UPSTREAMS, 200, ITEMS(FAR "," AWS), false },
			{ "GET /v1/probe/other/far", 200, FINDINGS(""), false },
			END },
		CLI_OK,
		"Checking other.far... OK\n"
		"No problems detected.\n",
		"", NULL },
	{ "Azure", "check azure fx -o json", NULL,
		{ { "GET " FX, 200, AZURE, false },
			{ "GET /v1/probe/gloo-system/fx", 200,
				FINDINGS(ONE("error", "no key")), false },
			END },
		CLI_REJECTED,
		"{\n"
		"  \"upstreams\": [\n"
		"    {\n"
		"      \"findings\": [\n"
		"        {\n"
		"          \"level\": \"error\",\n"
		"          \"sentence\": \"no key\"\n"
		"        }\n"
		"      ],\n"
		"      \"name\": \"fx\",\n"
		"      \"namespace\": \"gloo-system\"\n"
		"    }\n"
		"  ]\n"
		"}\n",
		"", NULL },
	{ "an upstream of another kind", "check azure hello-lambda", NULL,
		{ { "GET " LAMBDA, 200, AWS, false }, END }, CLI_USAGE, "",
		"the upstream gloo-system.hello-lambda is of kind aws; \"check "
		"azure\" is about those of kind azure\n",
		NULL },
	{ "an upstream that is not there", "check lambda hello-lambd", NULL,
		{ { UPSTREAMS, 200, ITEMS(AWS), false }, END }, CLI_USAGE, "",
		"there is no upstream named \"hello-lambd\" in namespace "
		"gloo-system; did you mean hello-lambda?",
		NULL },
	{ "none of the kind", "check azure", NULL,
		{ { UPSTREAMS, 200, ITEMS(KUBE), false }, END }, CLI_USAGE, "",
		"there is no upstream of kind azure; \"glooctl create upstream "
		"azure -i\" makes one\n",
		NULL },
	{ "an answer that is none", "check lambda hello-lambda", NULL,
		{ { "GET " LAMBDA, 200, AWS, false },
			{ PROBE, 200, "{}", false }, END },
		CLI_REJECTED,
		"Checking gloo-system.hello-lambda... 1 Error!\n"
		"1. gloo-system.hello-lambda: the daemon answered without "
		"findings\n",
		"", NULL },
};

static void
test_check_functions(void **state)
{
	(void)state;
	command_cases_run(cases, ARRAY_SIZE(cases));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_functions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
