/*
 * Tests userspace/kinds/aws/probe.c: what is asked to find out whether all that
 * an upstream needs is permitted, and what is said of it.
 */
#include "aws_world.h"

#define SECOND 1000
#define NAMED                                                                  \
	"{region: us-east-2, lambdaFunctions: ["                               \
	"{logicalName: one, lambdaFunctionName: hello, qualifier: live}, "     \
	"{logicalName: two, lambdaFunctionName: b}]}"

static const struct region_function functions[] = {
	{ "hello", "1", "live", 0, NULL },
	{ "b", NULL, NULL, 0, NULL },
};

static void
on_finding(enum kind_level level, const char *sentence, void *arg)
{
	static const char *const levels[] = { "ok", "note", "warning",
		"error" };

	assert_ptr_equal(arg, &world);
	str_printf(&told, "%s: %s\n", levels[level], sentence);
}

static void
on_end(void *arg)
{
	assert_ptr_equal(arg, &world);
	str_puts(&told, "done\n");
}

static void
probe_begin(void)
{
	str_clear(&told);
	str_clear(&region.asked);
	upstream_kind_aws.probe(
		world.u.upstream.state, on_finding, on_end, &world);
	told_is("");
}

/* With credentials, and everything that is discovered known. */
static void
ready(const char *key, const char *spec)
{
	region.functions = functions;
	region.count = 2;
	world_watch(key, spec);
	credentials_come(&region_credentials);
	pass(5 * SECOND);
}

#define FOUND     "ok: credentials are of the environment\n"
#define WHO       "ok: they belong to arn:aws:iam::123456789012:user/gateway\n"
#define DRY(path) "POST /2015-03-31/functions/" path "\n"

static void
test_all_is_well(void **state)
{
	(void)state;
	ready(NULL, NAMED);
	probe_begin();
	pass(SECOND);
	told_is(FOUND WHO "ok: one: may be called\nok: two: may be called\n"
			  "done\n");
	asked_is("POST /\n" DRY("hello/invocations?Qualifier=live")
			DRY("b/invocations"));
	/* Once more. */
	probe_begin();
	pass(SECOND);
	assert_non_null(strstr(told.data, "done\n"));
}

/* What routes name is asked for as they name it, once. */
static void
test_of_what_routes_name(void **state)
{
	(void)state;
	ready(NULL, "{region: us-east-2}");
	world.u.used[0] = "hello:live";
	world.u.used[1] = "b";
	world.u.used[2] = "b";
	probe_begin();
	pass(SECOND);
	told_is(FOUND WHO "ok: hello:live: may be called\nok: b: may be called\n"
			  "done\n");
	asked_is("POST /\n" DRY("hello/invocations?Qualifier=live")
			DRY("b/invocations"));
}

/* Of all routes; one that cannot be called is said once, too. */
static void
test_of_what_overrides_name(void **state)
{
	(void)state;
	ready(NULL, "{region: us-east-2, "
		    "destinationOverrides: {logicalName: b}}");
	world.u.used[0] = "a b";
	world.u.used[1] = "hello";
	world.u.used[2] = "a b";
	probe_begin();
	pass(SECOND);
	asked_is("POST /\n" DRY("b/invocations") DRY("hello/invocations"));
	assert_non_null(strstr(told.data, "error: a b: "));
	assert_null(strstr(strstr(told.data, "error: a b: ") + 1, "error:"));
	assert_non_null(strstr(told.data,
		"ok: b: may be called\nok: hello: may be called\ndone\n"));
}

static void
test_of_what_was_discovered(void **state)
{
	(void)state;
	ready(LABEL, "{region: us-east-2, awsAccountId: \"123456789012\"}");
	probe_begin();
	pass(SECOND);
	told_is(FOUND WHO
		"ok: functions may be listed\nok: aliases may be listed\n"
		"ok: b: may be called\nok: hello: may be called\ndone\n");
}

static void
test_what_is_missing(void **state)
{
	static const struct region_function forbidden[] = {
		{ "hello", NULL, NULL, 403, "AccessDeniedException" },
	};

	(void)state;
	ready(LABEL, NAMED);
	region.functions = forbidden;
	region.count = 1;
	region.list_status = region.alias_status = 403;
	region.word = "AccessDeniedException";
	region.message = "not so";
	probe_begin();
	pass(SECOND);
	told_is(FOUND WHO
		"error: the discovery of functions: the permission "
		"lambda:ListFunctions is missing: https://" LAMBDA_HOST
		" answered 403 AccessDeniedException: not so\n"
		"error: the discovery of aliases: the permission "
		"lambda:ListAliases is missing: https://" LAMBDA_HOST
		" answered 403 AccessDeniedException: not so\n"
		"error: one: the permission lambda:InvokeFunction is missing: "
		"https://" LAMBDA_HOST
		" answered 403 AccessDeniedException: no\n"
		"warning: two: it is not there: https://" LAMBDA_HOST
		" answered 404 ResourceNotFoundException: Function not found\n"
		"warning: b: it is not there: https://" LAMBDA_HOST
		" answered 404 ResourceNotFoundException: Function not found\n"
		"error: hello: the permission lambda:InvokeFunction is "
		"missing: https://" LAMBDA_HOST
		" answered 403 AccessDeniedException: no\ndone\n");
}

/* STS may not be reached, or allowed to: that is not why nothing works. */
static void
test_nobody_says_who(void **state)
{
	(void)state;
	ready(NULL, NAMED);
	region.sts_status = 403;
	region.word = "AccessDenied";
	region.message = "an explicit deny";
	probe_begin();
	pass(SECOND);
	told_is(FOUND "note: whose they are is not known: "
		      "https://sts.us-east-2.amazonaws.com answered 403 "
		      "AccessDenied: an explicit deny\n"
		      "ok: one: may be called\nok: two: may be called\n"
		      "done\n");
}

static void
test_where_sts_is_asked(void **state)
{
	(void)state;
	ready(NULL, "{region: us-east-2, "
		    "endpointUrl: \"http://127.0.0.1:3002\", "
		    "lambdaFunctions: [{logicalName: b, "
		    "lambdaFunctionName: b}]}");
	/* An upstream with an endpoint of its own talks to no other one ... */
	probe_begin();
	pass(SECOND);
	told_is(FOUND "ok: b: may be called\ndone\n");
	asked_is(DRY("b/invocations"));
	/* ... but that of the settings. */
	doc_set_string(
		world.settings, "stsEndpointUrl", "http://127.0.0.1:5000/");
	probe_begin();
	pass(0);
	assert_string_equal(region.calls->url, "http://127.0.0.1:5000/");
	pass(SECOND);
	told_is(FOUND WHO "ok: b: may be called\ndone\n");
}

static void
test_credentials_that_are_not_taken(void **state)
{
	struct aws_credentials wrong = region_credentials;

	(void)state;
	ready(NULL, NAMED);
	wrong.expires_ms = 1795701000000;
	credentials_come(&wrong);
	region.sts_status = 403;
	region.word = "ExpiredToken";
	region.message = "expired: " REGION_TOKEN;
	probe_begin();
	pass(SECOND);
	told_is("ok: credentials are of the environment, until "
		"2026-11-26T13:50:00Z\n"
		"error: the credentials are not taken: "
		"https://sts.us-east-2.amazonaws.com answered 403 "
		"ExpiredToken\ndone\n");
}

static void
test_no_credentials(void **state)
{
	(void)state;
	world_watch(NULL, NAMED);
	probe_begin();
	pass(SECOND);
	told_is("error: there are no credentials: nobody has answered yet\n"
		"done\n");
	credentials_fail("set AWS_ACCESS_KEY_ID");
	probe_begin();
	pass(SECOND);
	told_is("error: there are no credentials: set AWS_ACCESS_KEY_ID\n"
		"done\n");
	assert_int_equal(region.asked_count, 0);
}

static void
test_no_secret(void **state)
{
	(void)state;
	world_watch(NULL,
		"{region: us-east-2, secretRef: {name: aws, namespace: n}}");
	probe_begin();
	pass(SECOND);
	told_is("error: there are no credentials: the secret \"n.aws\" is not "
		"there, or not of AWS\ndone\n");
}

static void
test_nobody_answers(void **state)
{
	(void)state;
	ready(NULL, NAMED);
	region.down = true;
	probe_begin();
	pass(SECOND);
	/* The rest would be the same. */
	told_is(FOUND "note: whose they are is not known: https://lambda: "
		      "connection refused\n"
		      "error: it cannot be asked: https://lambda: connection "
		      "refused\ndone\n");
}

static void
test_too_slow(void **state)
{
	(void)state;
	ready(NULL, NAMED);
	probe_begin();
	pass(0);
	region.mute = true; /* who is asked next */
	pass(24 * SECOND);
	told_is(FOUND WHO);
	pass(SECOND);
	told_is("warning: 2 of 2 functions were not answered for within 25 "
		"s\ndone\n");
	assert_null(region.calls);
	/* Or whom is asked first. */
	probe_begin();
	pass(26 * SECOND);
	told_is(FOUND "warning: not all was answered within 25 s\ndone\n");
}

static void
test_throttled(void **state)
{
	(void)state;
	ready(NULL, NAMED);
	probe_begin();
	while (region.asked.length < strlen("POST /\nPOST /2"))
		pass(1);
	region.throttles = 1;
	pass(SECOND);
	assert_non_null(strstr(told.data, ": throttled, so it is not known: "));
	assert_non_null(strstr(told.data, ": may be called\n"));
	assert_non_null(strstr(told.data, "done\n"));
}

static void
test_nothing_to_ask_for(void **state)
{
	(void)state;
	ready(NULL, "{region: us-east-2}");
	probe_begin();
	pass(SECOND);
	told_is(FOUND WHO
		"note: no function is asked for: no route names one, nor do "
		"the upstream's lambdaFunctions, and the label " LABEL
		" does not say \"enabled\"\ndone\n");
	upstream_unwatch(&world.u.upstream);
	region.count = 0;
	world_watch(LABEL, "{region: us-east-2}");
	credentials_come(&region_credentials);
	pass(5 * SECOND);
	region.count = 0;
	probe_begin();
	pass(SECOND);
	told_is(FOUND WHO "ok: functions may be listed\n"
			  "note: no function is asked for: none was "
			  "discovered (yet)\ndone\n");
}

/* As many as fit in the time, a few at a time. */
static void
test_many(void **state)
{
	struct region_function many[200];
	char names[200][16];

	(void)state;
	for (size_t i = 0; i < 200; i++) {
		snprintf(names[i], sizeof(names[i]), "f%03zu", i);
		many[i] = (struct region_function){ names[i], NULL, NULL, 0,
			NULL };
	}
	region.functions = many;
	region.count = 200;
	world_watch(LABEL, "{region: us-east-2}");
	credentials_come(&region_credentials);
	pass(25 * SECOND);
	assert_int_equal(world.u.names, 200);
	probe_begin();
	for (unsigned i = 0; i < 200; i++) {
		size_t open = 0;

		for (struct http_call *c = region.calls; c != NULL; c = c->next)
			open++;
		assert_true(open <= 4);
		pass(1);
	}
	assert_non_null(strstr(told.data,
		"note: 136 functions more are known: only 64 are asked for\n"));
	assert_non_null(strstr(told.data, "ok: f063: may be called\n"));
	assert_null(strstr(told.data, "f064"));
	assert_non_null(strstr(told.data, "done\n"));
}

/* The upstream goes meanwhile: nothing more is heard. */
static void
test_given_up(void **state)
{
	(void)state;
	for (uint64_t ms = 0; ms < 8; ms++) {
		ready(LABEL, NAMED);
		probe_begin();
		pass(ms);
		upstream_unwatch(&world.u.upstream);
		str_clear(&told);
		pass(60 * SECOND);
		told_is("");
		assert_null(region.calls);
		memset(&world.u, 0, sizeof(world.u));
	}
	ready(NULL, NAMED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_is_well),
		TEST(test_of_what_routes_name),
		TEST(test_of_what_overrides_name),
		TEST(test_of_what_was_discovered),
		TEST(test_what_is_missing),
		TEST(test_nobody_says_who),
		TEST(test_where_sts_is_asked),
		TEST(test_credentials_that_are_not_taken),
		TEST(test_no_credentials),
		TEST(test_no_secret),
		TEST(test_nobody_answers),
		TEST(test_too_slow),
		TEST(test_throttled),
		TEST(test_nothing_to_ask_for),
		TEST(test_many),
		TEST(test_given_up),
	};

	return cmocka_run_group_tests(tests, told_setup, told_teardown);
}
