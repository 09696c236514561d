/*
 * Tests userspace/kinds/aws/provider.c with its sources: which one it is, what
 * is asked, when again, and what is told when that fails.
 */
#include "aws_fake.h"

#define STS  "http://127.0.0.1:15000/"
#define IMDS "http://127.0.0.1:15001"
#define SETTINGS                                                               \
	"stsEndpointUrl: http://127.0.0.1:15000\n"                             \
	"imdsEndpointUrl: http://127.0.0.1:15001/\n"
#define WEB  "AssumeRoleWithWebIdentity"
#define ROLE "AssumeRole"
#define ARN  "arn:aws:iam::123456789012:role/gateway"

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

/* ---- roles */

static void
test_role(void **state)
{
	(void)state;
	settings_yaml = SETTINGS;
	options.role_arn = ARN;
	environment("AWS_ACCESS_KEY_ID=AKIDENV");
	environment("AWS_SECRET_ACCESS_KEY=" SECRET "env");
	environment("AWS_SESSION_TOKEN=" SESSION "env");
	start();
	asks("POST " STS);
	header_is("Content-Type: application/x-www-form-urlencoded\n");
	header_is("X-Amz-Date: 20261126T13");
	header_is("X-Amz-Security-Token: " SESSION "env\n");
	header_is("Authorization: AWS4-HMAC-SHA256 Credential=AKIDENV/"
		  "20261126/us-east-2/sts/aws4_request, SignedHeaders="
		  "content-type;host;x-amz-date;x-amz-security-token, "
		  "Signature=");
	body_has("Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3A"
		 "iam%3A%3A123456789012%3Arole%2Fgateway&RoleSessionName="
		 "gloo-gateway&DurationSeconds=3600");
	assert_null(strstr(fake_call->body, "s3cr3t"));
	answers(200, sts_says(ROLE, "ASIAROLE", HOUR));
	told_is("use ASIAROLE\n");
	assert_string_equal(aws_provider_source(provider),
		"the environment (AWS_ACCESS_KEY_ID), with it role " ARN);
	stop();
}

/* A clock that is off is found out by the first refusal, once and for all. */
static void
test_role_with_a_wrong_clock(void **state)
{
	(void)state;
	settings_yaml = SETTINGS;
	options.role_arn = ARN;
	environment("AWS_ACCESS_KEY_ID=AKIDENV");
	environment("AWS_SECRET_ACCESS_KEY=" SECRET "env");
	start();
	header_is("X-Amz-Date: 20261126T13");
	fake_date = "Thu, 26 Nov 2026 15:30:00 GMT";
	answers(403, sts_refuses("SignatureDoesNotMatch", "Signature expired"));
	pass(1000);
	header_is("X-Amz-Date: 20261126T153");
	answers(200, sts_says(ROLE, "ASIA1", HOUR));
	told_is("use ASIA1\n");
	pass(48 * MINUTE);
	header_is("X-Amz-Date: 20261126T16");
	/* The key, then: that lasts. */
	fake_date = NULL;
	answers(403, sts_refuses("SignatureDoesNotMatch", "no"));
	pass(900);
	assert_null(fake_call);
	stop();
}

/* By default it is the region's own STS. */
static void
test_region(void **state)
{
	static const struct {
		const char *region, *variable, *asks;
		bool fips, dual_stack;
	} cases[] = {
		{ "us-east-2", NULL,
			"POST https://sts.us-east-2.amazonaws.com/", false,
			false },
		{ "cn-north-1", NULL,
			"POST https://sts.cn-north-1.amazonaws.com.cn/", false,
			false },
		{ "us-east-2", "AWS_ENDPOINT_URL_STS=https://[::1]:443",
			"POST https://[::1]/", true, false },
		{ "us-east-2", "AWS_ENDPOINT_URL=http://localhost:4566/",
			"POST http://localhost:4566/", false, false },
		/* As Lambda itself is asked. */
		{ "us-east-2", NULL,
			"POST https://sts-fips.us-east-2.amazonaws.com/", true,
			false },
		{ "us-east-2", NULL, "POST https://sts.us-east-2.api.aws/",
			false, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		options.region = cases[i].region;
		options.fips = cases[i].fips;
		options.dual_stack = cases[i].dual_stack;
		options.role_arn = ARN;
		environment("AWS_ACCESS_KEY_ID=AKIDENV");
		environment("AWS_SECRET_ACCESS_KEY=" SECRET "env");
		if (cases[i].variable != NULL)
			environment(cases[i].variable);
		start();
		asks(cases[i].asks);
		stop();
	}
	options.role_arn = ARN;
	environment("AWS_ACCESS_KEY_ID=AKIDENV");
	environment("AWS_SECRET_ACCESS_KEY=" SECRET "env");
	environment("AWS_ENDPOINT_URL_STS=https://user@sts");
	start();
	told_begins("problem: there are no AWS credentials: "
		    "AWS_ENDPOINT_URL_STS: expected");
	stop();
}

static void
test_role_alone(void **state)
{
	(void)state;
	settings_yaml = SETTINGS;
	options.role_arn = ARN;
	options.no_role_chaining = true;
	environment("AWS_ACCESS_KEY_ID=AKIDENV");
	environment("AWS_SECRET_ACCESS_KEY=" SECRET "env");
	start();
	told_begins("problem: there are no AWS credentials: "
		    "disableRoleChaining is set");
	stop();
	settings_yaml = SETTINGS;
	options.role_arn = ARN;
	options.no_role_chaining = true;
	environment("AWS_ACCESS_KEY_ID=AKIDENV");
	environment("AWS_SECRET_ACCESS_KEY=" SECRET "env");
	environment("AWS_WEB_IDENTITY_TOKEN_FILE=%/web-token");
	environment("AWS_ROLE_ARN=arn:aws:iam::123456789012:role/pod");
	fake_file("web-token", SESSION "web");
	start();
	body_has("Action=AssumeRoleWithWebIdentity&");
	body_has("role%2Fgateway&");
	answers(200, sts_says(WEB, "ASIAWEB", HOUR));
	told_is("use ASIAWEB\n");
	stop();
}

/* ---- web identity */

static void
web_identity(void)
{
	settings_yaml = SETTINGS;
	environment("AWS_WEB_IDENTITY_TOKEN_FILE=%/web-token");
	environment("AWS_ROLE_ARN=" ARN);
	environment("AWS_ROLE_SESSION_NAME=pod-7@east");
	fake_file("web-token", SESSION "1/+\n");
}

static void
test_web_identity(void **state)
{
	(void)state;
	web_identity();
	start();
	asks("POST " STS);
	assert_string_equal(fake_call->headers,
		"Content-Type: application/x-www-form-urlencoded\n");
	assert_string_equal(fake_call->body,
		"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn="
		"arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fgateway"
		"&RoleSessionName=pod-7%40east&DurationSeconds=3600"
		"&WebIdentityToken=" SESSION "1%2F%2B");
	answers(200, sts_says(WEB, "ASIA1", HOUR));
	told_is("use ASIA1\n");
	/* Kubernetes puts another token there; it is read each time. */
	fake_file("web-token", SESSION "2");
	pass(45 * MINUTE - 1000);
	assert_null(fake_call);
	pass(3 * MINUTE);
	body_has("&WebIdentityToken=" SESSION "2");
	assert_null(strstr(fake_call->body, SESSION "1"));
	answers(200, sts_says(WEB, "ASIA2", HOUR));
	told_is("use ASIA2\n");
	stop();
}

static void
test_web_identity_then_role(void **state)
{
	(void)state;
	web_identity();
	options.role_arn = "arn:aws:iam::123456789012:role/other";
	start();
	body_has("Action=AssumeRoleWithWebIdentity&");
	answers(200, sts_says(WEB, "ASIA1", HOUR));
	told_is("");
	header_is("Credential=ASIA1/");
	header_is("X-Amz-Security-Token: " SESSION "ASIA1\n");
	body_has("Action=AssumeRole&");
	body_has("role%2Fother&");
	answers(200, sts_says(ROLE, "ASIA2", HOUR));
	told_is("use ASIA2\n");
	stop();
	/* The same role is not assumed twice. */
	web_identity();
	options.role_arn = ARN;
	start();
	answers(200, sts_says(WEB, "ASIA1", HOUR));
	told_is("use ASIA1\n");
	stop();
}

static void
test_web_identity_problems(void **state)
{
	(void)state;
	web_identity();
	fake_file("web-token", NULL);
	start();
	told_begins("problem: there are no AWS credentials: the web identity "
		    "in /tmp/");
	/* Its absence is noticed to be over. */
	fake_file("web-token", SESSION "1");
	pass(5000);
	answers(400, sts_refuses("InvalidIdentityToken",
			     "No OpenIDConnect provider found"));
	told_begins("problem: there are no AWS credentials: the web identity "
		    "in /tmp/");
	pass(10000);
	/* It quotes the token: nothing of that is told. */
	answers(400, sts_refuses("ValidationError",
			     "Value '" SESSION "1' at 'webIdentityToken'"));
	told_begins("problem: there are no AWS credentials: the web identity "
		    "in /tmp/");
	pass(20000);
	answers(200, sts_says(WEB, "ASIA1", HOUR));
	told_is("use ASIA1\nwell\n");
	fake_file("web-token", "two\nlines");
	pass(46 * MINUTE + 90000);
	told_is("");
	pass(5 * MINUTE);
	told_begins("problem: the AWS credentials expire at 2026-");
	stop();
	settings_yaml = SETTINGS;
	environment("AWS_WEB_IDENTITY_TOKEN_FILE=%/web-token");
	start();
	told_begins("problem: there are no AWS credentials: "
		    "AWS_WEB_IDENTITY_TOKEN_FILE is set for the gateway "
		    "without AWS_ROLE_ARN");
	stop();
}

/* What it answered is told with the remedy, once. */
static void
test_refusal_of_a_role(void **state)
{
	(void)state;
	web_identity();
	start();
	for (int i = 0; i < 3; i++) {
		answers(403, sts_refuses("AccessDenied",
				     "Not authorized to perform sts:"
				     "AssumeRoleWithWebIdentity\nTrace"));
		pass(2 * MINUTE);
	}
	assert_non_null(strstr(told.data,
		": STS refuses role " ARN ": AccessDenied: Not authorized to "
		"perform sts:AssumeRoleWithWebIdentity; let the role's trust "
		"policy allow sts:AssumeRoleWithWebIdentity to the token's "
		"issuer, subject and audience\n"));
	told_begins("problem: there are no AWS credentials: ");
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

/* ---- container */

static void
test_container(void **state)
{
	(void)state;
	environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials/1");
	environment("AWS_CONTAINER_CREDENTIALS_FULL_URI=https://other/x");
	environment("AWS_CONTAINER_AUTHORIZATION_TOKEN=Basic " SESSION "c");
	start();
	asks("GET http://169.254.170.2/v2/credentials/1");
	assert_string_equal(
		fake_call->headers, "Authorization: Basic " SESSION "c\n");
	answers(200, json_says("ASIAONE", 6 * HOUR));
	told_is("use ASIAONE\n");
	stop();

	environment("AWS_CONTAINER_CREDENTIALS_FULL_URI="
		    "http://169.254.170.23/v1/credentials");
	environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=%/pod-token");
	environment("AWS_CONTAINER_AUTHORIZATION_TOKEN=not-this-one");
	fake_file("pod-token", SESSION "1\n");
	start();
	assert_string_equal(
		fake_call->headers, "Authorization: " SESSION "1\n");
	answers(403,
		"{\"code\":\"AccessDenied\",\"message\":\"" SESSION "1\"}");
	told_begins("problem: there are no AWS credentials: the container's "
		    "agent (AWS_CONTAINER_CREDENTIALS_FULL_URI): it answers "
		    "403 AccessDenied: ");
	fake_file("pod-token", SESSION "2");
	pass(5000);
	header_is("Authorization: " SESSION "2\n");
	answers(200, json_says("ASIATWO", 6 * HOUR));
	told_is("use ASIATWO\nwell\n");
	fake_file("pod-token", SESSION "1\r\nX-Evil: 1");
	pass(6 * HOUR - 5 * MINUTE);
	told_begins("problem: the AWS credentials expire at 2026-");
	stop();
}

static void
test_container_refused(void **state)
{
	static const struct {
		const char *full, *token;
		bool good;
	} cases[] = {
		{ "http://127.0.0.1/", "t", true },
		{ "http://127.9.9.9:80/", "t", true },
		{ "http://[::1]:8080/", "t", true },
		{ "http://localhost/x?y=z", "t", true },
		{ "http://169.254.170.2/", "t", true },
		{ "http://169.254.170.23/", "t", true },
		{ "http://[fd00:ec2::23]/", "t", true },
		{ "https://example.com/", "t", true },
		{ "http://example.com/", "t", false },
		{ "http://10.0.0.1/", "t", false },
		{ "http://169.254.169.254/", "t", false },
		{ "http://[fd00:ec2::254]/", "t", false },
		{ "http://127.0.0.1.example.com/", "t", false },
		{ "http://127.0.0.1@example.com/", "t", false },
		{ "http://127.0.0.1\\@example.com/", "t", false },
		{ "http://example.com#@127.0.0.1/", "t", false },
		{ "http://0177.0.0.1/", "t", false },
		{ "http://localhost.example.com/", "t", false },
		{ "ftp://127.0.0.1/", "t", false },
		{ "127.0.0.1/x", "t", false },
		{ "https://exa mple.com/", "t", false },
		{ "http://127.0.0.1/", "a\rb", false },
		{ "http://127.0.0.1/", "a\nX-Evil: 1", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *full = xasprintf(
			"AWS_CONTAINER_CREDENTIALS_FULL_URI=%s", cases[i].full);
		char *token = xasprintf(
			"AWS_CONTAINER_AUTHORIZATION_TOKEN=%s", cases[i].token);

		environment(full);
		environment(token);
		start();
		if (cases[i].good != (fake_call != NULL))
			fail_msg("%s: %s", cases[i].full, told.data);
		if (cases[i].good)
			told_is("");
		else
			told_begins("problem: there are no AWS credentials: "
				    "AWS_CONTAINER_");
		stop();
		free(full);
		free(token);
	}
	environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=@evil/");
	start();
	told_begins("problem: there are no AWS credentials: "
		    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin");
	stop();
}

/* ---- instance metadata */

#define TOKEN_URL "PUT " IMDS "/latest/api/token"
#define ROLES_URL "GET " IMDS "/latest/meta-data/iam/security-credentials/"

static void
session_opens(const char *token)
{
	asks(TOKEN_URL);
	assert_string_equal(fake_call->headers,
		"X-aws-ec2-metadata-token-ttl-seconds: 21600\n");
	assert_int_equal(fake_call->connect_ms, 1000);
	assert_int_equal(fake_call->idle_ms, 1000);
	assert_string_equal(fake_call->body, "");
	answers(200, token);
}

static void
test_instance(void **state)
{
	(void)state;
	settings_yaml = SETTINGS;
	start();
	session_opens(SESSION "i1");
	asks(ROLES_URL);
	assert_string_equal(fake_call->headers,
		"X-aws-ec2-metadata-token: " SESSION "i1\n");
	answers(200, "web_app+1\nanother\n");
	asks(ROLES_URL "web_app+1");
	header_is("X-aws-ec2-metadata-token: " SESSION "i1\n");
	answers(200, json_says("ASIAONE", HOUR));
	told_is("use ASIAONE\n");
	assert_string_equal(
		aws_provider_source(provider), "instance metadata (" IMDS ")");
	/* The session is used again; then it is one that is not known. */
	pass(48 * MINUTE);
	asks(ROLES_URL);
	answers(200, "web_app+1");
	answers(401, "");
	session_opens(SESSION "i2");
	header_is("X-aws-ec2-metadata-token: " SESSION "i2\n");
	answers(200, "web_app+1");
	answers(200, json_says("ASIATWO", HOUR));
	told_is("use ASIATWO\n");
	/* 401 with a new one is an answer. */
	pass(48 * MINUTE);
	answers(401, "");
	session_opens(SESSION "i3");
	answers(401, "");
	told_is("");
	stop();
}

/* A session has its end, too. */
static void
test_session_ends(void **state)
{
	(void)state;
	settings_yaml = SETTINGS;
	start();
	fake_header = "600";
	session_opens(SESSION "i1");
	answers(200, "r");
	answers(200, json_says("ASIAONE", HOUR));
	told_is("use ASIAONE\n");
	pass(48 * MINUTE);
	session_opens(SESSION "i2");
	stop();
}

static void
test_instance_without_sessions(void **state)
{
	static const int statuses[] = { 403, 404, 405 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		settings_yaml = SETTINGS;
		start();
		answers(statuses[i], "");
		told_begins("problem: there are no AWS credentials: instance "
			    "metadata (" IMDS "): it opens no session");
		stop();
		settings_yaml = SETTINGS "imdsV1Fallback: true\n";
		start();
		answers(statuses[i], "");
		asks(ROLES_URL);
		assert_string_equal(fake_call->headers, "");
		answers(200, "r");
		assert_string_equal(fake_call->headers, "");
		answers(200, json_says("ASIAONE", HOUR));
		told_is("use ASIAONE\n");
		stop();
	}
}

static void
test_instance_problems(void **state)
{
	static const struct {
		int status;
		const char *role, *credentials, *why;
	} cases[] = {
		{ 404, "", NULL, "the instance has no role" },
		{ 200, "", NULL, "the instance has no role" },
		{ 200, "../x", NULL, "what it answers is no name of a role" },
		{ 200, "a b", NULL, "what it answers is no name of a role" },
		{ 500, "", NULL,
			"it answers 500 to the question for the "
			"role's name" },
		{ 200, "r", "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}",
			"what it answers for role r: its \"Code\" is "
			"AssumeRoleUnauthorizedAccess rather than Success" },
		{ 200, "r", "{\"Code\":7}",
			"what it answers for role r: its \"Code\" is no word "
			"rather than Success" },
		{ 200, "r", "{}",
			"what it answers for role r: its "
			"\"Expiration\" is no time of RFC 3339" },
		{ 200, "r", SECRET,
			"what it answers for role r: it is no "
			"JSON (line 1)" },
		{ 200, "r",
			"{\"Code\":\"Success\",\"AccessKeyId\":\"A\","
			"\"SecretAccessKey\":\"" SECRET "\",\"Token\":\"t\"}",
			"what it answers for role r: its \"Expiration\" is no "
			"time of RFC 3339" },
		{ 200, "r",
			"{\"Code\":\"Success\",\"AccessKeyId\":\"A\","
			"\"Token\":\"t\",\"Expiration\":"
			"\"2030-01-01T00:00:00Z\"}",
			"what it answers for role r: there is no secret access "
			"key" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *want = xasprintf(
			"problem: there are no AWS credentials: instance "
			"metadata (" IMDS "): %s",
			cases[i].why);

		settings_yaml = SETTINGS;
		start();
		session_opens(SESSION "i");
		for (int k = 0; k < 3 && told.length == 0; k++) {
			answers(cases[i].status, cases[i].role);
			if (cases[i].credentials != NULL)
				answers(200, cases[i].credentials);
			if (told.length == 0)
				pass(500);
		}
		told_begins(want);
		stop();
		free(want);
	}
	settings_yaml = SETTINGS;
	start();
	for (int k = 0; k < 3; k++) {
		is_silent();
		pass(500);
	}
	assert_non_null(strstr(told.data, "a hop limit of 2 is needed"));
	told_begins("problem: there are no AWS credentials: instance metadata "
		    "(" IMDS "): 127.0.0.1:1: no answer in time; ");
	stop();
}

static void
test_instance_endpoints(void **state)
{
	static const struct {
		const char *pair, *asks;
	} cases[] = {
		{ "A=b", "PUT http://169.254.169.254/latest/api/token" },
		{ "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IPv6",
			"PUT http://[fd00:ec2::254]/latest/api/token" },
		{ "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:9/",
			"PUT http://127.0.0.1:9/latest/api/token" },
		{ "AWS_EC2_METADATA_DISABLED=false",
			"PUT http://169.254.169.254/latest/api/token" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		environment(cases[i].pair);
		start();
		asks(cases[i].asks);
		stop();
	}
}

/* They go on being used beyond their end when there are no others, and some
 * that come with it over are taken. */
static void
test_instance_beyond_expiry(void **state)
{
	(void)state;
	settings_yaml = SETTINGS;
	start();
	session_opens(SESSION "i");
	answers(200, "r");
	answers(200, json_says("ASIAONE", HOUR));
	told_is("use ASIAONE\n");
	for (uint64_t i = 0; i < 2 * 3600; i++) {
		if (fake_call != NULL)
			is_silent();
		pass(1000);
	}
	assert_null(strstr(told.data, "use none"));
	assert_non_null(strstr(told.data, "and stay in use: instance "
					  "metadata"));
	str_clear(&told);
	pass(MINUTE);
	if (strcmp(fake_call->method, "PUT") == 0)
		answers(200, SESSION "i2");
	answers(200, "r");
	answers(200, json_says("ASIATWO", 0));
	told_is("use ASIATWO\nwell\n");
	pass(MINUTE);
	answers(200, "r");
	answers(200, json_says("ASIATHREE", HOUR));
	told_is("use ASIATHREE\n");
	stop();
}

/* Instance metadata has others only five minutes before the end. */
static void
test_the_same_again(void **state)
{
	char *first;
	size_t calls;

	(void)state;
	settings_yaml = SETTINGS;
	start();
	session_opens(SESSION "i");
	answers(200, "r");
	first = xstrdup(json_says("ASIAONE", HOUR));
	answers(200, first);
	told_is("use ASIAONE\n");
	pass(48 * MINUTE);
	calls = fake_calls;
	for (uint64_t i = 0; i < 5 * 60; i++) {
		if (fake_call != NULL) {
			answers(200, "r");
			answers(200, first);
		}
		pass(1000);
	}
	told_is("");
	/* Two calls each time, one in half a minute to a minute. */
	assert_in_range(fake_calls - calls, 2 * 4, 2 * 10 + 2);
	free(first);
	pass(MINUTE);
	answers(200, "r");
	answers(200, json_says("ASIATWO", HOUR));
	told_is("use ASIATWO\n");
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

#define TEST(name) cmocka_unit_test_setup(name, aws_reset)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_secret),
		TEST(test_secret_of_another_form),
		TEST(test_secret_without_keys),
		TEST(test_order),
		TEST(test_half_an_environment),
		TEST(test_role),
		TEST(test_role_with_a_wrong_clock),
		TEST(test_region),
		TEST(test_role_alone),
		TEST(test_web_identity),
		TEST(test_web_identity_then_role),
		TEST(test_web_identity_problems),
		TEST(test_refusal_of_a_role),
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
		TEST(test_container),
		TEST(test_container_refused),
		TEST(test_instance),
		TEST(test_session_ends),
		TEST(test_instance_without_sessions),
		TEST(test_instance_problems),
		TEST(test_instance_endpoints),
		TEST(test_instance_beyond_expiry),
		TEST(test_the_same_again),
		TEST(test_freed_meanwhile),
	};

	return cmocka_run_group_tests(tests, aws_setup, aws_teardown);
}
