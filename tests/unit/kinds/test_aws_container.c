/* Tests userspace/kinds/aws/container.c, as provider.c asks it. */
#include "aws_fake.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_container),
		TEST(test_container_refused),
	};

	return cmocka_run_group_tests(tests, aws_setup, aws_teardown);
}
