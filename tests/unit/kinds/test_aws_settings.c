/* Tests userspace/kinds/aws/settings.c and url.c. */
#include "told.h"

#include <stdlib.h>

#include "base/mem.h"
#include "kinds/aws/provider.h"
#include "kinds/aws/settings.h"
#include "kinds/aws/url.h"

static void
test_all_keys(void **state)
{
	struct doc *d = yaml("stsEndpointUrl: https://sts.internal:8443/\n"
			     "imdsEndpointUrl: http://[fd00::1]\n"
			     "imdsV1Fallback: true\nprofile: dev one\n"
			     "sharedCredentialsFile: aws/credentials\n"
			     "configFile: ~/aws\n");
	struct aws_settings *s = aws_settings_read(d, NULL);

	(void)state;
	assert_non_null(s);
	assert_string_equal(s->sts_endpoint_url, "https://sts.internal:8443/");
	assert_string_equal(s->imds_endpoint_url, "http://[fd00::1]");
	assert_true(s->imds_v1_fallback);
	assert_string_equal(s->profile, "dev one");
	assert_string_equal(s->shared_credentials_file, "aws/credentials");
	assert_string_equal(s->config_file, "~/aws");
	aws_settings_free(s);
	doc_free(d);
	s = aws_settings_read(NULL, NULL);
	assert_non_null(s);
	assert_null(s->profile);
	assert_false(s->imds_v1_fallback);
	aws_settings_free(s);
	aws_settings_free(NULL);
	assert_int_equal(aws_settings_check(NULL, NULL), 0);
}

static void
test_what_is_refused(void **state)
{
	static const struct {
		const char *yaml, *why;
	} cases[] = {
		{ "x: 1", "unknown key \"x\"" },
		{ "stsEndpointUrl: sts.internal", ".stsEndpointUrl: expected" },
		{ "stsEndpointUrl: https://sts/x",
			".stsEndpointUrl: expected no path" },
		{ "imdsEndpointUrl: http://u@h", ".imdsEndpointUrl: expected" },
		{ "imdsV1Fallback: maybe", ".imdsV1Fallback: " },
		{ "profile: ''", ".profile: expected a text" },
		{ "sharedCredentialsFile: ''", ".sharedCredentialsFile: " },
		{ "configFile: [a]", ".configFile: " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct doc *d = yaml(cases[i].yaml);
		struct error err = ERROR_INIT;

		if (aws_settings_check(d, &err) == 0)
			fail_msg("%s is taken", cases[i].yaml);
		if (strncmp(err.text, cases[i].why, strlen(cases[i].why)) != 0)
			fail_msg("%s: %s", cases[i].yaml, err.text);
		doc_free(d);
	}
}

static void
test_urls(void **state)
{
	static const struct {
		const char *text, *host, *field, *path;
		uint16_t port;
		bool tls;
	} cases[] = {
		{ "http://h", "h", "h", "", 80, false },
		{ "https://h:443/", "h", "h", "/", 443, true },
		{ "https://h:8443/a?b=c", "h", "h:8443", "/a?b=c", 8443, true },
		{ "http://[::1]:80/x", "::1", "[::1]", "/x", 80, false },
		{ "http://[fd00:ec2::23]:1", "fd00:ec2::23", "[fd00:ec2::23]:1",
			"", 1, false },
		{ "http://h/a@b", "h", "h", "/a@b", 80, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = ERROR_INIT;
		struct aws_url u;
		struct str field;

		if (aws_url_read(cases[i].text, &u, &err) != 0)
			fail_msg("%s: %s", cases[i].text, err.text);
		str_init(&field);
		aws_url_host_field(&u, &field);
		assert_string_equal(field.data, cases[i].field);
		assert_true(slice_equal(u.host, slice_of(cases[i].host)));
		assert_true(slice_equal(u.path, slice_of(cases[i].path)));
		assert_int_equal(u.port, cases[i].port);
		assert_int_equal(u.tls, cases[i].tls);
		str_fini(&field);
	}
}

static void
test_no_urls(void **state)
{
	static const char *const texts[] = { "", "h", "http://", "https:///x",
		"http://h:", "http://h:0", "http://h:65536", "http://h:123456",
		"http://h:8x", "http://::1/", "http://[::1", "http://[::1]x",
		"http://[h]/", "http://[]/", "http://u@h/", "http://u:p@h/",
		"http://h?x", "http://h#x", "http://h/#x", "http://h\\@i/",
		"http://h /", "http://h\n/", "HTTP://h/", "ftp://h/",
		"http://h\xc3\xbc/", "http://-/", "http://h/\"" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct error err = ERROR_INIT;
		struct aws_url u;

		if (aws_url_read(texts[i], &u, &err) == 0)
			fail_msg("\"%s\" is taken", texts[i]);
		assert_true(err.text[0] != '\0');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_keys),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_no_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
