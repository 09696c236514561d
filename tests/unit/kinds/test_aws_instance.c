/* Tests userspace/kinds/aws/instance.c, as provider.c asks it. */
#include "aws_fake.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_instance),
		TEST(test_session_ends),
		TEST(test_instance_without_sessions),
		TEST(test_instance_problems),
		TEST(test_instance_endpoints),
		TEST(test_instance_beyond_expiry),
		TEST(test_the_same_again),
	};

	return cmocka_run_group_tests(tests, aws_setup, aws_teardown);
}
