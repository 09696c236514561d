/*
 * Tests userspace/kinds/aws/provider.c with its sources: which one it is, when
 * it is asked again, and what is told when that fails.
 */
#include "aws_fake.h"

static char access_key[] = "AKIDSECRET", secret_key[] = SECRET "secret",
	    nothing[] = "";
static const struct aws_credentials fixed = { access_key, secret_key, nothing,
	0 };
static const struct aws_credentials keyless = { nothing, nothing, nothing, 0 };

/* ---- which source */

static void
test_secret(void **state)
{
	(void)state;
	options.fixed = &fixed;
	options.secret = "gloo-system.aws";
	/* Whatever else there is. */
	options.role_arn = ARN;
	environment("AWS_ACCESS_KEY_ID=AKIDENV");
	environment("AWS_SECRET_ACCESS_KEY=" SECRET "env");
	start();
	told_is("use AKIDSECRET\n");
	assert_string_equal(
		aws_provider_source(provider), "the secret gloo-system.aws");
	pass(24 * HOUR);
	assert_null(fake_call);
	stop();
}

static void
test_secret_of_another_form(void **state)
{
	static char wrong[] = "AKID/WRONG";
	const struct aws_credentials c = { wrong, secret_key, nothing, 0 };

	(void)state;
	options.fixed = &c;
	start();
	told_is("problem: there are no AWS credentials: the upstream's secret: "
		"the access key id has a character that none has, at position "
		"5 of 10\n");
	stop();
}

static void
test_secret_without_keys(void **state)
{
	(void)state;
	options.fixed = &keyless;
	options.secret = "gloo-system.aws";
	environment("HOME=%");
	environment("AWS_ACCESS_KEY_ID=AKIDENV");
	environment("AWS_SECRET_ACCESS_KEY=" SECRET "env");
	start();
	told_begins("problem: there are no AWS credentials: gloo-system.aws "
		    "has no keys, which stands for the shared files");
	stop();
	options.fixed = &keyless;
	environment("AWS_SHARED_CREDENTIALS_FILE=%/credentials");
	fake_file("credentials", "[default]\naws_access_key_id = AKIDFILE\n"
				 "aws_secret_access_key = " SECRET "file\n");
	start();
	told_is("use AKIDFILE\n");
	fake_file("credentials", NULL);
	stop();
}

/* All are there; each of the chain in its turn is taken away. */
static void
test_order(void **state)
{
	static const struct {
		const char *const pairs[3];
		const char *use;  /* told, or ... */
		const char *asks; /* asked */
	} sources[] = {
		{ { "AWS_ACCESS_KEY_ID=AKIDENV",
			  "AWS_SECRET_ACCESS_KEY=" SECRET "env" },
			"use AKIDENV\n", NULL },
		{ { "AWS_WEB_IDENTITY_TOKEN_FILE=%/web-token",
			  "AWS_ROLE_ARN=" ARN },
			NULL, "POST " STS },
		{ { "AWS_SHARED_CREDENTIALS_FILE=%/credentials" },
			"use AKIDFILE\n", NULL },
		{ { "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:1/c" },
			NULL, "GET http://127.0.0.1:1/c" },
		{ { NULL }, NULL, "PUT " IMDS "/latest/api/token" },
	};

	(void)state;
	fake_file("web-token", SESSION "web");
	fake_file("credentials", "[default]\naws_access_key_id = AKIDFILE\n"
				 "aws_secret_access_key = " SECRET "file\n");
	for (size_t first = 0; first < ARRAY_SIZE(sources); first++) {
		settings_yaml = SETTINGS;
		for (size_t i = first; i < ARRAY_SIZE(sources); i++)
			for (size_t k = 0; sources[i].pairs[k] != NULL; k++)
				environment(sources[i].pairs[k]);
		start();
		told_is(sources[first].use == NULL ? "" : sources[first].use);
		if (sources[first].asks != NULL)
			asks(sources[first].asks);
		else
			assert_null(fake_call);
		stop();
	}
	environment("AWS_EC2_METADATA_DISABLED=TRUE");
	start();
	told_begins("problem: there are no AWS credentials: none are "
		    "configured, and instance metadata is switched off");
	fake_file("credentials", NULL);
	stop();
}

static void
test_half_an_environment(void **state)
{
	(void)state;
	environment("AWS_SECRET_ACCESS_KEY=" SECRET "env");
	start();
	told_begins("problem: there are no AWS credentials: the environment "
		    "has AWS_SECRET_ACCESS_KEY without AWS_ACCESS_KEY_ID");
	stop();
}

/* ---- time */

/* L5: STS down for ten minutes harms nobody who has valid ones. */
static void
test_sts_down_and_back(void **state)
{
	size_t calls;

	(void)state;
	web_identity();
	start();
	answers(200, sts_says(WEB, "ASIA1", HOUR));
	told_is("use ASIA1\n");
	pass(45 * MINUTE - 1);
	assert_null(fake_call);
	calls = fake_calls;
	/* From the advisory to the mandatory time nobody is told. */
	for (uint64_t i = 0; i < 4 * 60; i++) {
		if (fake_call != NULL)
			is_silent();
		pass(1000);
	}
	told_is("");
	assert_in_range(fake_calls - calls, 3, 60);
	for (uint64_t i = 0; i < 4 * 60; i++) {
		if (fake_call != NULL)
			is_silent();
		pass(1000);
	}
	told_begins("problem: the AWS credentials expire at 2026-");
	pass(MINUTE);
	answers(200, sts_says(WEB, "ASIA2", HOUR));
	told_is("use ASIA2\nwell\n");
	stop();
}

static void
test_they_expire(void **state)
{
	(void)state;
	web_identity();
	start();
	answers(200, sts_says(WEB, "ASIA1", HOUR));
	told_is("use ASIA1\n");
	for (uint64_t i = 0; i < 59 * 60; i++) {
		if (fake_call != NULL)
			answers(503, "<html>busy</html>");
		pass(1000);
	}
	told_begins("problem: the AWS credentials expire at 2026-");
	for (uint64_t i = 0; i < 60; i++) {
		if (fake_call != NULL)
			answers(503, "<html>busy</html>");
		pass(1000);
	}
	assert_non_null(strstr(told.data, "use none\nproblem: the AWS "
					  "credentials expired at 2026-"));
	assert_non_null(strstr(
		told.data, ", and there are no others: the web identity in "));
	str_clear(&told);
	pass(MINUTE);
	answers(200, sts_says(WEB, "ASIA2", HOUR));
	told_is("use ASIA2\nwell\n");
	stop();
}

/* While a question waits: they go at their time, not later. */
static void
test_they_expire_during_a_question(void **state)
{
	(void)state;
	web_identity();
	start();
	answers(200, sts_says(WEB, "ASIA1", HOUR));
	told_is("use ASIA1\n");
	pass(HOUR - 1);
	assert_non_null(fake_call);
	told_is("");
	pass(1);
	assert_non_null(strstr(told.data, "use none\nproblem: "));
	assert_non_null(strstr(told.data, "they have not come yet\n"));
	str_clear(&told);
	answers(200, sts_says(WEB, "ASIA2", HOUR));
	told_is("use ASIA2\nwell\n");
	stop();
}

/* Some that live a quarter of an hour are not asked for all the time. */
static void
test_short_lives(void **state)
{
	size_t calls;

	(void)state;
	web_identity();
	start();
	answers(200, sts_says(WEB, "ASIA1", 15 * MINUTE));
	calls = fake_calls;
	pass(7 * MINUTE + 29000);
	assert_int_equal(fake_calls, calls);
	pass(2 * MINUTE);
	answers(200, sts_says(WEB, "ASIA2", 15 * MINUTE));
	told_is("use ASIA1\nuse ASIA2\n");
	/* Some that have expired already are none. */
	pass(9 * MINUTE);
	for (int i = 0; i < 60; i++) {
		if (fake_call != NULL)
			answers(200, sts_says(WEB, "ASIA3", 0));
		pass(5000);
	}
	assert_null(strstr(told.data, "ASIA3"));
	assert_non_null(strstr(told.data,
		": it gives credentials that have expired already; is this "
		"host's clock right?\n"));
	str_clear(&told);
	stop();
}

/* Three attempts at once, as SDKs make them; then pauses. */
static void
test_attempts(void **state)
{
	size_t calls = fake_calls;

	(void)state;
	web_identity();
	start();
	answers(400, sts_refuses("Throttling", "Rate exceeded"));
	told_is("");
	pass(2001);
	answers(500, "");
	told_is("");
	pass(4001);
	assert_int_equal(fake_calls, calls + 3);
	is_silent();
	told_begins("problem: there are no AWS credentials: the web identity ");
	pass(999);
	assert_int_equal(fake_calls, calls + 3);
	pass(4001);
	assert_int_equal(fake_calls, calls + 4);
	/* What lasts is not tried three times. */
	answers(403, sts_refuses("AccessDenied", "no"));
	told_begins("problem: there are no AWS credentials: the web identity ");
	pass(999);
	assert_int_equal(fake_calls, calls + 4);
	pass(10000);
	assert_int_equal(fake_calls, calls + 5);
	stop();
}

/* ---- refused */

static void
test_refused(void **state)
{
	size_t calls;

	(void)state;
	web_identity();
	start();
	aws_provider_refused(provider);
	aws_provider_refused(provider);
	pass(0);
	answers(200, sts_says(WEB, "ASIA1", HOUR));
	calls = fake_calls;
	/* Not more than once in ten seconds, however often that is said. */
	for (int i = 0; i < 100; i++) {
		aws_provider_refused(provider);
		pass(90);
	}
	assert_int_equal(fake_calls, calls);
	pass(1000);
	assert_int_equal(fake_calls, calls + 1);
	aws_provider_refused(provider);
	answers(200, sts_says(WEB, "ASIA2", HOUR));
	told_is("use ASIA1\nuse ASIA2\n");
	pass(20000);
	assert_int_equal(fake_calls, calls + 1);
	stop();
}

static void
test_refused_without_others(void **state)
{
	/* As a secret without a token is read. */
	const struct aws_credentials tokenless = { access_key, secret_key, NULL,
		0 };

	(void)state;
	options.fixed = &tokenless;
	options.secret = "gloo-system.aws";
	start();
	told_is("use AKIDSECRET\n");
	pass(MINUTE);
	aws_provider_refused(provider);
	pass(0);
	told_is("problem: AWS refuses the credentials of the secret "
		"gloo-system.aws, and it has no others: correct them there, or "
		"this host's clock\n");
	pass(4 * MINUTE);
	aws_provider_refused(provider);
	pass(4 * MINUTE);
	told_is("");
	pass(2 * MINUTE);
	told_is("well\n");
	stop();
}

/* ---- shared files */

static void
test_file_is_edited(void **state)
{
	(void)state;
	settings_yaml = "sharedCredentialsFile: credentials\n"
			"configFile: config\nprofile: dev\n";
	fake_file("credentials", "[dev]\naws_access_key_id=AKIDONE\n"
				 "aws_secret_access_key=" SECRET "one\n");
	start();
	told_is("use AKIDONE\n");
	pass(10 * MINUTE);
	told_is("");
	fake_file("credentials", "[dev]\naws_access_key_id=AKIDTWO\n"
				 "aws_secret_access_key=" SECRET "two\n");
	pass(MINUTE);
	told_is("use AKIDTWO\n");
	/* One that is being edited takes nothing away. */
	fake_file("credentials", "[dev]\naws_access_key_id=AKIDTWO\n");
	pass(MINUTE);
	told_begins("problem: the AWS credentials stay what they were, since "
		    "others cannot be looked for: profile dev (/tmp/");
	fake_file("credentials", "[dev]\naws_access_key_id=AKIDTWO\n"
				 "aws_secret_access_key=" SECRET "two\n");
	pass(MINUTE);
	told_is("well\n");
	fake_file("credentials", NULL);
	stop();
}

static void
test_process(void **state)
{
	size_t before = fake_commands;

	(void)state;
	settings_yaml = SETTINGS "sharedCredentialsFile: none\n"
				 "configFile: config\n";
	fake_file("config", "[default]\ncredential_process = /opt/get 'a b' "
			    "\"c\\\"d\" e\\ f\n");
	start();
	assert_non_null(fake_command);
	assert_string_equal(fake_command->line, "/opt/get|a b|c\"d|e f");
	prints(json_says("ASIAONE", HOUR), NULL);
	told_is("use ASIAONE\n");
	pass(48 * MINUTE);
	assert_int_equal(fake_commands, before + 2);
	prints("{\"AccessKeyId\":\"" SECRET "\"}", NULL);
	pass(5 * MINUTE);
	assert_non_null(strstr(told.data, ": credential_process /opt/get: what "
					  "it printed: its \"Version\" is not "
					  "1; run it by hand "));
	told_begins("problem: the AWS credentials expire at 2026-");
	prints("", "ended with status 1");
	assert_non_null(strstr(told.data,
		"ended with status 1: log in first; run it by hand"));
	told_begins("problem: the AWS credentials expire at 2026-");
	pass(2 * MINUTE);
	/* Without an Expiration they are used until somebody refuses them. */
	prints("{\"Version\":1,\"AccessKeyId\":\"AKIDTWO\","
	       "\"SecretAccessKey\":\"" SECRET "two\"}",
		NULL);
	told_is("use AKIDTWO\nwell\n");
	pass(24 * HOUR);
	assert_null(fake_command);
	aws_provider_refused(provider);
	pass(0);
	assert_non_null(fake_command);
	stop();
	settings_yaml = SETTINGS "sharedCredentialsFile: none\n"
				 "configFile: config\n";
	fake_file(
		"config", "[default]\ncredential_process = no-such-program\n");
	start();
	told_begins("problem: there are no AWS credentials: profile default "
		    "(");
	fake_file("config", NULL);
	stop();
}

static void
test_source_profile(void **state)
{
	(void)state;
	settings_yaml = SETTINGS "sharedCredentialsFile: credentials\n"
				 "configFile: config\nprofile: prod\n";
	fake_file("config",
		"[profile prod]\nrole_arn = " ARN "\nsource_profile = hop\n"
		"external_id = a b\nduration_seconds = 7200\n"
		"role_session_name = me\n"
		"[profile hop]\nrole_arn = arn:aws:iam::210987654321:role/hop\n"
		"source_profile = base\nduration_seconds = 7200\n");
	fake_file("credentials", "[base]\naws_access_key_id = AKIDBASE\n"
				 "aws_secret_access_key = " SECRET "base\n");
	start();
	body_has("role%2Fhop&RoleSessionName=gloo-gateway&DurationSeconds="
		 "7200");
	header_is("Credential=AKIDBASE/");
	answers(200, sts_says(ROLE, "ASIAHOP", HOUR));
	/* With those of a role it is an hour at most. */
	body_has("role%2Fgateway&RoleSessionName=me&DurationSeconds=3600&"
		 "ExternalId=a%20b");
	header_is("Credential=ASIAHOP/");
	answers(200, sts_says(ROLE, "ASIAPROD", HOUR));
	told_is("use ASIAPROD\n");
	fake_file("config", NULL);
	fake_file("credentials", NULL);
	stop();
}

/* ---- ends */

static void
test_freed_meanwhile(void **state)
{
	(void)state;
	web_identity();
	start();
	assert_non_null(fake_call);
	stop();

	web_identity();
	free_in_changed = true;
	start();
	answers(200, sts_says(WEB, "ASIA1", HOUR));
	told_is("use ASIA1\n");
	assert_null(provider);
	stop();

	options.fixed = &fixed;
	free_in_changed = true;
	start();
	told_is("use AKIDSECRET\n");
	assert_null(provider);
	stop();

	environment("AWS_SECRET_ACCESS_KEY=" SECRET "env");
	free_in_problem = true;
	start();
	told_begins("problem: ");
	assert_null(provider);
	stop();

	web_identity();
	start();
	answers(200, sts_says(WEB, "ASIA1", HOUR));
	told_is("use ASIA1\n");
	free_in_changed = true;
	pass(HOUR);
	told_is("use none\n");
	assert_null(provider);
	stop();
	aws_provider_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_secret),
		TEST(test_secret_of_another_form),
		TEST(test_secret_without_keys),
		TEST(test_order),
		TEST(test_half_an_environment),
		TEST(test_sts_down_and_back),
		TEST(test_they_expire),
		TEST(test_they_expire_during_a_question),
		TEST(test_short_lives),
		TEST(test_attempts),
		TEST(test_refused),
		TEST(test_refused_without_others),
		TEST(test_file_is_edited),
		TEST(test_process),
		TEST(test_source_profile),
		TEST(test_freed_meanwhile),
	};

	return cmocka_run_group_tests(tests, aws_setup, aws_teardown);
}
