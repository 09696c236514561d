/* Tests userspace/kinds/aws/sts.c, as provider.c asks it. */
#include "aws_fake.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_role),
		TEST(test_role_with_a_wrong_clock),
		TEST(test_region),
		TEST(test_role_alone),
		TEST(test_web_identity),
		TEST(test_web_identity_then_role),
		TEST(test_web_identity_problems),
		TEST(test_refusal_of_a_role),
	};

	return cmocka_run_group_tests(tests, aws_setup, aws_teardown);
}
