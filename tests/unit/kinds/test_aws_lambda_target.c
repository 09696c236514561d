/* What a destination says of its function, from the document to the bytes of an
 * image and back. */
#include "tests/unit/kinds/aws_lambda.h"

#include "kinds/aws/lambda_call.h"

#define ACCOUNT  "123456789012"
#define INVOKE   "/2015-03-31/functions/"
#define STREAM   "/2021-11-15/functions/"
#define ENDPOINT "lambda.us-east-1.amazonaws.com"
/* The name of a function of that account as it goes on the wire. */
#define WIRE(name)                                                             \
	"arn%3Aaws%3Alambda%3Aus-east-1%3A" ACCOUNT "%3Afunction%3A" name
#define ARN(name) "arn:aws:lambda:us-east-1:" ACCOUNT ":function:" name

#define SEVERAL                                                                \
	"{lambdaFunctions: [{logicalName: c, lambdaFunctionName: one}, "       \
	"{logicalName: a, lambdaFunctionName: two}, "                          \
	"{logicalName: d, lambdaFunctionName: three}, "                        \
	"{logicalName: b, lambdaFunctionName: four}]}"

struct row {
	const char *upstream, *destination;
	/* Lines behind the region, and before the options. */
	const char *authority, *path, *query, *arn, *account;
	const char *options; /* as digits */
};

static const struct row rows[] = {
	/* ---- which function */
	{ "{}", "{logicalName: hello}", ENDPOINT, INVOKE "hello/invocations",
		"", "", "", "1000000" },
	{ "{}", "{logicalName: 'hello-world:1'}", ENDPOINT,
		INVOKE "hello-world/invocations", "Qualifier=1", "", "",
		"1000000" },
	{ "{}", "{logicalName: 'a:$LATEST'}", ENDPOINT, INVOKE "a/invocations",
		"Qualifier=%24LATEST", "", "", "1000000" },
	{ "{awsAccountId: '" ACCOUNT "'}", "{logicalName: 'a:live'}", ENDPOINT,
		INVOKE WIRE("a") "/invocations", "Qualifier=live", ARN("a"),
		ACCOUNT, "1000000" },
	{ "{}", "{logicalName: '" ACCOUNT ":function:a'}", ENDPOINT,
		INVOKE WIRE("a") "/invocations", "", ARN("a"), ACCOUNT,
		"1000000" },
	{ "{awsAccountId: '999999999999'}",
		"{logicalName: '" ARN("a:$LATEST") "'}", ENDPOINT,
		INVOKE WIRE("a") "/invocations", "Qualifier=%24LATEST",
		ARN("a"), ACCOUNT, "1000000" },
	{ "{lambdaFunctions: [{logicalName: one, lambdaFunctionName: hello, "
	  "qualifier: '7'}]}",
		"{logicalName: one}", ENDPOINT, INVOKE "hello/invocations",
		"Qualifier=7", "", "", "1000000" },
	{ "{lambdaFunctions: [{logicalName: one, lambdaFunctionName: '" ARN(
		  "hello") "', qualifier: live}]}",
		"{logicalName: one}", ENDPOINT,
		INVOKE WIRE("hello") "/invocations", "Qualifier=live",
		ARN("hello"), ACCOUNT, "1000000" },
	{ "{lambdaFunctions: [{logicalName: one, lambdaFunctionName: 'f:3', "
	  "qualifier: '3'}]}",
		"{logicalName: one}", ENDPOINT, INVOKE "f/invocations",
		"Qualifier=3", "", "", "1000000" },
	/* Of several, each in its place. */
	{ SEVERAL, "{logicalName: c}", ENDPOINT, INVOKE "one/invocations", "",
		"", "", "1000000" },
	{ SEVERAL, "{logicalName: a}", ENDPOINT, INVOKE "two/invocations", "",
		"", "", "1000000" },
	{ SEVERAL, "{logicalName: d}", ENDPOINT, INVOKE "three/invocations", "",
		"", "", "1000000" },
	{ SEVERAL, "{logicalName: b}", ENDPOINT, INVOKE "four/invocations", "",
		"", "", "1000000" },
	{ "{destinationOverrides: {logicalName: all}}", NULL, ENDPOINT,
		INVOKE "all/invocations", "", "", "", "1000000" },
	{ "{destinationOverrides: {logicalName: all}}", "{logicalName: mine}",
		ENDPOINT, INVOKE "mine/invocations", "", "", "", "1000000" },
	{ "{endpointUrl: 'http://[::1]:3002'}", "{logicalName: a}",
		"[::1]:3002", INVOKE "a/invocations", "", "", "", "1000000" },
	{ "{useFips: true}", "{logicalName: a}",
		"lambda-fips.us-east-1.amazonaws.com", INVOKE "a/invocations",
		"", "", "", "1000000" },
	/* ---- how: style, wrap, unwrap, then four switches */
	{ "{}", "{logicalName: a, invocationStyle: ASYNC}", ENDPOINT,
		INVOKE "a/invocations", "", "", "", "2000000" },
	{ "{}", "{logicalName: a, invocationStyle: DRY_RUN}", ENDPOINT,
		INVOKE "a/invocations", "", "", "", "3000000" },
	{ "{destinationOverrides: {invocationStyle: ASYNC}}",
		"{logicalName: a}", ENDPOINT, INVOKE "a/invocations", "", "",
		"", "2000000" },
	{ "{destinationOverrides: {invocationStyle: ASYNC}}",
		"{logicalName: a, invocationStyle: SYNC}", ENDPOINT,
		INVOKE "a/invocations", "", "", "", "1000000" },
	{ "{}", "{logicalName: a, requestTransformation: true}", ENDPOINT,
		INVOKE "a/invocations", "", "", "", "1100000" },
	{ "{}", "{logicalName: a, wrapAsAlb: true, unwrapAsAlb: true}",
		ENDPOINT, INVOKE "a/invocations", "", "", "", "1220000" },
	{ "{}",
		"{logicalName: a, wrapAsApiGateway: true, unwrapAsApiGateway: "
		"true}",
		ENDPOINT, INVOKE "a/invocations", "", "", "", "1330000" },
	{ "{}",
		"{logicalName: a, wrapAsApiGateway: true, unwrapAsApiGateway: "
		"true, payloadFormatVersion: '2.0'}",
		ENDPOINT, INVOKE "a/invocations", "", "", "", "1440000" },
	{ "{destinationOverrides: {payloadFormatVersion: '2.0', "
	  "unwrapAsApiGateway: true}}",
		"{logicalName: a, payloadFormatVersion: '1.0'}", ENDPOINT,
		INVOKE "a/invocations", "", "", "", "1030000" },
	{ "{}", "{logicalName: a, responseTransformation: true}", ENDPOINT,
		INVOKE "a/invocations", "", "", "", "1030000" },
	{ "{}", "{logicalName: a, responseTrasnformation: true}", ENDPOINT,
		INVOKE "a/invocations", "", "", "", "1030000" },
	/* What a destination says holds against all of the upstream's. */
	{ "{destinationOverrides: {wrapAsAlb: true, unwrapAsAlb: true}}",
		"{logicalName: a, wrapAsApiGateway: true, unwrapAsApiGateway: "
		"true}",
		ENDPOINT, INVOKE "a/invocations", "", "", "", "1330000" },
	{ "{destinationOverrides: {wrapAsAlb: true, unwrapAsAlb: true}}",
		"{logicalName: a, wrapAsAlb: false}", ENDPOINT,
		INVOKE "a/invocations", "", "", "", "1020000" },
	{ "{destinationOverrides: {multiValueHeaders: true, logTail: true}}",
		"{logicalName: a, propagateOriginalRouting: true, logTail: "
		"false}",
		ENDPOINT, INVOKE "a/invocations", "", "", "", "1001010" },
	{ "{destinationOverrides: {logTail: true}}",
		"{logicalName: a, responseStreaming: true}", ENDPOINT,
		STREAM "a/response-streaming-invocations", "", "", "",
		"1000101" },
};

static void
settings_expect(const struct row *row, struct str *out)
{
	str_printf(out, "lambda1\nus-east-1\n%s\n%s\n%s\n%s\n%s\n%s\n",
		row->authority, row->path, row->query, row->arn, row->account,
		row->options);
}

static void
test_write(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct lambda_said said =
			lambda_say(row->upstream, row->destination, NULL, 0);
		struct lambda_target *t;
		struct str wanted;

		if (said.rc != 0)
			fail_msg("%s %s: %s", row->upstream, row->destination,
				said.err.text);
		str_init(&wanted);
		settings_expect(row, &wanted);
		assert_string_equal(said.settings.data, wanted.data);
		assert_string_equal(said.warning.data, "");
		t = aws_dialect.target_new((struct slice){ said.settings.data,
						   said.settings.length },
			NULL);
		assert_non_null(t);
		assert_string_equal(t->region, "us-east-1");
		assert_string_equal(t->authority, row->authority);
		assert_string_equal(t->path, row->path);
		assert_string_equal(t->query, row->query);
		assert_string_equal(t->arn, row->arn);
		assert_string_equal(t->account, row->account);
		assert_int_equal(t->options.invocation, row->options[0] - '0');
		assert_int_equal(t->options.wrap, row->options[1] - '0');
		assert_int_equal(t->options.unwrap, row->options[2] - '0');
		assert_int_equal(
			t->options.multi_value_headers, row->options[3] - '0');
		assert_int_equal(t->options.streaming, row->options[4] - '0');
		assert_int_equal(
			t->options.original_routing, row->options[5] - '0');
		assert_int_equal(t->options.log_tail, row->options[6] - '0');
		aws_dialect.target_free(t);
		str_fini(&wanted);
		lambda_said_fini(&said);
	}
}

static void
test_refused(void **state)
{
	static const struct {
		const char *upstream, *destination, *error;
	} refused[] = {
		{ "{}", NULL,
			"a route to AWS needs a function: say destinationSpec."
			"aws.logicalName, or glooctl add route --function "
			"NAME[:QUALIFIER]" },
		{ "{}", "{}",
			"a route to AWS needs a function: say destinationSpec."
			"aws.logicalName, or glooctl add route --function "
			"NAME[:QUALIFIER]" },
		{ "{}", "{logicalName: 'a:1:2'}",
			"\"a:1:2\" names no function: NAME, NAME:QUALIFIER, "
			"ACCOUNT:function:NAME or an ARN does" },
		{ "{}", "{logicalName: 'a b'}",
			"destinationSpec.aws.logicalName: \"a b\" is not a "
			"name of a function: letters, digits and -_:$. only" },
		{ "{}", "{function: a}",
			"destinationSpec.aws: unknown key \"function\"" },
		{ "{}", "[a]",
			"destinationSpec.aws: expected a map, found a list" },
		{ "{}",
			"{logicalName: a, unwrapAsAlb: true, "
			"unwrapAsApiGateway: true}",
			"destinationSpec.aws: only one of \"unwrapAsAlb\" and "
			"\"unwrapAsApiGateway\" may be given" },
		{ "{}",
			"{logicalName: a, unwrapAsAlb: true, "
			"responseTransformation: true}",
			"destinationSpec.aws: only one of \"unwrapAsAlb\" and "
			"\"responseTransformation\" may be given" },
		{ "{region: eu-west-1}", "{logicalName: '" ARN("a") "'}",
			"function \"a\" is in region us-east-1, the upstream "
			"calls those of eu-west-1: an upstream has one "
			"region" },
		{ "{lambdaFunctions: [{logicalName: one, lambdaFunctionName: "
		  "'f:1', qualifier: '2'}]}",
			"{logicalName: one}",
			"function \"one\" has two qualifiers in "
			"lambdaFunctions, \"1\" and \"2\"" },
		{ "{destinationOverrides: {invocationStyle: ASYNC}}",
			"{logicalName: a, responseStreaming: true}",
			"responseStreaming needs the invocationStyle SYNC: "
			"there is no answer otherwise" },
		{ "{destinationOverrides: {unwrapAsAlb: true}}",
			"{logicalName: a, responseStreaming: true}",
			"responseStreaming and unwrapAsAlb do not go together: "
			"load balancers know no streams" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct lambda_said said = lambda_say(
			refused[i].upstream, refused[i].destination, NULL, 0);

		assert_int_equal(said.rc, -1);
		assert_string_equal(said.err.text, refused[i].error);
		assert_int_equal(said.settings.length, 0);
		lambda_said_fini(&said);
	}
}

static void
test_warnings(void **state)
{
	static const char *const known[] = { "a", "a:1", "a:live", "b" };
	static const char listed[] =
		"{lambdaFunctions: [{logicalName: one, lambdaFunctionName: a}, "
		"{logicalName: gone, lambdaFunctionName: g}, {logicalName: "
		"first, lambdaFunctionName: a, qualifier: '1'}]}";
	static const char account[] = "{awsAccountId: '" ACCOUNT "'}";
	static const struct {
		const char *upstream, *destination;
		size_t known; /* of known[]; SIZE_MAX: it is not known */
		const char *warning;
	} warned[] = {
		{ "{}", "{logicalName: a}", 4, "" },
		{ "{}", "{logicalName: 'a:live'}", 4, "" },
		{ "{}", "{logicalName: 'a:$LATEST'}", 4, "" },
		{ "{}", "{logicalName: 'a:2'}", 4,
			"function \"a:2\" was not found in region us-east-1; "
			"it is called nevertheless" },
		{ "{}", "{logicalName: b}", 3,
			"function \"b\" was not found in region us-east-1; it "
			"is called nevertheless" },
		{ "{}", "{logicalName: a}", 0,
			"function \"a\" was not found in region us-east-1; it "
			"is called nevertheless" },
		{ "{}", "{logicalName: z}", SIZE_MAX, "" },
		/* Of another account nothing is known. */
		{ "{}", "{logicalName: '" ARN("z") "'}", 4, "" },
		{ account, "{logicalName: '" ARN("a") "'}", 4, "" },
		{ account, "{logicalName: '" ARN("z") "'}", 4,
			"function \"" ARN("z") "\" was not found in region "
					       "us-east-1; it is called "
					       "nevertheless" },
		/* Listed ones are known by what they stand for. */
		{ listed, "{logicalName: one}", 4, "" },
		{ listed, "{logicalName: first}", 4, "" },
		{ listed, "{logicalName: gone}", 4,
			"function \"gone\" was not found in region us-east-1; "
			"it is called nevertheless" },
		{ listed, "{logicalName: gone}", SIZE_MAX, "" },
		{ listed, "{logicalName: 'a:live'}", 4, "" },
		{ SEVERAL, "{logicalName: cc}", SIZE_MAX,
			"function \"cc\" is none of the upstream's "
			"lambdaFunctions; it is called by that name" },
		{ listed, "{logicalName: a}", SIZE_MAX,
			"function \"a\" is none of the upstream's "
			"lambdaFunctions; it is called by that name" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(warned); i++) {
		bool is_known = warned[i].known != SIZE_MAX;
		struct lambda_said said = lambda_say(warned[i].upstream,
			warned[i].destination, is_known ? known : NULL,
			is_known ? warned[i].known : 0);

		assert_int_equal(said.rc, 0);
		assert_string_equal(said.warning.data, warned[i].warning);
		assert_true(said.settings.length > 0);
		lambda_said_fini(&said);
	}
}

/* Nobody is warned of what is not known. */
static void
test_open(void **state)
{
	/* a's aliases are not known, b's are; then, which others there are. */
	static const char *const open[] = { "a", "a:*", "a:1", "b", "b:live" };
	static const char *const cut[] = { "*", "a", "a:1" };
	static const char listed[] =
		"{lambdaFunctions: [{logicalName: one, lambdaFunctionName: a, "
		"qualifier: old}]}";
	static const struct {
		const char *upstream, *function;
		bool in_open, in_cut; /* it has a warning */
	} cases[] = {
		{ "{}", "a", false, false },
		{ "{}", "a:$LATEST", false, false },
		{ "{}", "a:1", false, false },
		/* A version is known with its function. */
		{ "{}", "a:2", true, false },
		{ "{}", "a:new", false, false },
		{ "{}", "a:2nd", false, false },
		{ listed, "one", false, false },
		{ "{}", "b:live", false, false },
		{ "{}", "b:new", true, false },
		{ "{}", "c", true, false },
		{ "{}", "c:live", true, false },
		{ "{}", "aa:live", true, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases) * 2; i++) {
		bool in_cut = i % 2 == 1;
		char *destination =
			xasprintf("{logicalName: '%s'}", cases[i / 2].function);
		struct lambda_said said = lambda_say(cases[i / 2].upstream,
			destination, in_cut ? cut : open,
			in_cut ? ARRAY_SIZE(cut) : ARRAY_SIZE(open));

		assert_int_equal(said.rc, 0);
		if ((said.warning.length > 0) !=
			(in_cut ? cases[i / 2].in_cut : cases[i / 2].in_open))
			fail_msg("%s: \"%s\"", destination, said.warning.data);
		lambda_said_fini(&said);
		free(destination);
	}
}

/* Bytes of an image are checked, whoever wrote them. */
static void
test_bad_settings(void **state)
{
	static const char good[] = "lambda1\nus-east-1\nh:1\n/p/%24\nQ=1\n"
				   "arn:aws:x\n1\n1440111\n";
	static const char *const bad[] = {
		"",
		"lambda1",
		"lambda2\nus-east-1\nh\n/p\n\n\n\n1000000\n",
		"lambda1\n\nh\n/p\n\n\n\n1000000\n",
		"lambda1\nus east\nh\n/p\n\n\n\n1000000\n",
		"lambda1\nus-east-1\n\n/p\n\n\n\n1000000\n",
		"lambda1\nus-east-1\na b\n/p\n\n\n\n1000000\n",
		"lambda1\nus-east-1\nh\np\n\n\n\n1000000\n",
		"lambda1\nus-east-1\nh\n/p?\n\n\n\n1000000\n",
		"lambda1\nus-east-1\nh\n/p\r\n\n\n\n1000000\n",
		"lambda1\nus-east-1\nh\n/p\n&\n\n\n1000000\n",
		"lambda1\nus-east-1\nh\n/p\n\na/b\n\n1000000\n",
		"lambda1\nus-east-1\nh\n/p\n\n\n-1\n1000000\n",
		"lambda1\nus-east-1\nh\n/p\n\n\n\n0000000\n",
		"lambda1\nus-east-1\nh\n/p\n\n\n\n4000000\n",
		"lambda1\nus-east-1\nh\n/p\n\n\n\n1500000\n",
		"lambda1\nus-east-1\nh\n/p\n\n\n\n1050000\n",
		"lambda1\nus-east-1\nh\n/p\n\n\n\n1000002\n",
		"lambda1\nus-east-1\nh\n/p\n\n\n\n100000x\n",
		"lambda1\nus-east-1\nh\n/p\n\n\n\n2000100\n",
		"lambda1\nus-east-1\nh\n/p\n\n\n\n100000\n",
		"lambda1\nus-east-1\nh\n/p\n\n\n\n10000000\n",
		"lambda1\nus-east-1\nh\n/p\n\n\n\n1000000",
		"lambda1\nus-east-1\nh\n/p\n\n\n\n1000000\n\n",
	};
	struct error err = ERROR_INIT;
	void *t = aws_dialect.target_new(slice_of(good), NULL);

	(void)state;
	assert_non_null(t);
	aws_dialect.target_free(t);
	aws_dialect.target_free(NULL);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		/* No byte behind them may be looked at. */
		size_t length = strlen(bad[i]);
		char *exact = xmemdup(bad[i], length);

		t = aws_dialect.target_new(
			(struct slice){ exact, length }, &err);
		if (t != NULL)
			fail_msg("taken: %s", bad[i]);
		free(exact);
	}
	assert_string_equal(err.text,
		"what is said of a Lambda function has another form than it "
		"is written in");
}

static void
test_limits(void **state)
{
	static const struct {
		const char *style;
		size_t request;
	} styles[] = { { "SYNC", 6u << 20 }, { "ASYNC", 1u << 20 },
		{ "DRY_RUN", 6u << 20 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(styles); i++) {
		char *destination =
			xasprintf("{logicalName: a, invocationStyle: %s}",
				styles[i].style);
		void *t = lambda_target("{}", destination);
		size_t request, answer;

		aws_dialect.limits(t, &request, &answer);
		assert_int_equal(request, styles[i].request);
		assert_int_equal(answer, (6u << 20) + 1024);
		aws_dialect.target_free(t);
		free(destination);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_bad_settings),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
