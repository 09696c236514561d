/* Where AWS is asked: partitions, FIPS, dual stack, an endpoint of one's own.
 */
#include "kinds/aws/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"

static const struct row {
	const char *region, *url;
	bool fips, dual_stack;
	const char *service, *host;
	uint16_t port;
	bool tls;
	const char *authority, *partition;
} rows[] = {
	{ "us-east-2", NULL, false, false, "lambda",
		"lambda.us-east-2.amazonaws.com", 443, true,
		"lambda.us-east-2.amazonaws.com", "aws" },
	{ "us-east-2", NULL, true, false, "lambda",
		"lambda-fips.us-east-2.amazonaws.com", 443, true,
		"lambda-fips.us-east-2.amazonaws.com", "aws" },
	{ "eu-west-1", NULL, false, true, "lambda", "lambda.eu-west-1.api.aws",
		443, true, "lambda.eu-west-1.api.aws", "aws" },
	{ "us-west-2", NULL, true, true, "lambda",
		"lambda-fips.us-west-2.api.aws", 443, true,
		"lambda-fips.us-west-2.api.aws", "aws" },
	{ "cn-north-1", NULL, false, false, "lambda",
		"lambda.cn-north-1.amazonaws.com.cn", 443, true,
		"lambda.cn-north-1.amazonaws.com.cn", "aws-cn" },
	{ "cn-northwest-1", NULL, false, true, "lambda",
		"lambda.cn-northwest-1.api.amazonwebservices.com.cn", 443, true,
		"lambda.cn-northwest-1.api.amazonwebservices.com.cn",
		"aws-cn" },
	{ "us-gov-west-1", NULL, true, false, "lambda",
		"lambda-fips.us-gov-west-1.amazonaws.com", 443, true,
		"lambda-fips.us-gov-west-1.amazonaws.com", "aws-us-gov" },
	{ "us-iso-east-1", NULL, false, false, "lambda",
		"lambda.us-iso-east-1.c2s.ic.gov", 443, true,
		"lambda.us-iso-east-1.c2s.ic.gov", "aws-iso" },
	{ "us-isob-east-1", NULL, false, false, "lambda",
		"lambda.us-isob-east-1.sc2s.sgov.gov", 443, true,
		"lambda.us-isob-east-1.sc2s.sgov.gov", "aws-iso-b" },
	{ "eusc-de-east-1", NULL, false, false, "lambda",
		"lambda.eusc-de-east-1.amazonaws.eu", 443, true,
		"lambda.eusc-de-east-1.amazonaws.eu", "aws-eusc" },
	{ "us-east-1", "http://127.0.0.1:3002", true, true, "lambda",
		"127.0.0.1", 3002, false, "127.0.0.1:3002", "aws" },
	{ "us-east-1", "http://localhost", false, false, "lambda", "localhost",
		80, false, "localhost", "aws" },
	{ "us-east-1", "https://localhost:80/", false, false, "lambda",
		"localhost", 80, true, "localhost:80", "aws" },
	{ "us-east-1", "https://vpce-1.lambda.us-east-1.vpce.amazonaws.com/",
		false, false, "lambda",
		"vpce-1.lambda.us-east-1.vpce.amazonaws.com", 443, true,
		"vpce-1.lambda.us-east-1.vpce.amazonaws.com", "aws" },
	{ "us-east-1", "http://[::1]:3002", false, false, "lambda", "::1", 3002,
		false, "[::1]:3002", "aws" },
	{ "us-east-1", "https://[::1]/", false, false, "lambda", "::1", 443,
		true, "[::1]", "aws" },
	/* The endpoint of one's own is Lambda's alone. */
	{ "us-east-1", "http://127.0.0.1:3002", false, false, "sts",
		"sts.us-east-1.amazonaws.com", 443, true,
		"sts.us-east-1.amazonaws.com", "aws" },
	{ "us-east-1", NULL, true, false, "sts",
		"sts-fips.us-east-1.amazonaws.com", 443, true,
		"sts-fips.us-east-1.amazonaws.com", "aws" },
	{ "us-gov-west-1", NULL, true, false, "sts",
		"sts.us-gov-west-1.amazonaws.com", 443, true,
		"sts.us-gov-west-1.amazonaws.com", "aws-us-gov" },
	{ "us-gov-west-1", NULL, true, true, "sts",
		"sts-fips.us-gov-west-1.api.aws", 443, true,
		"sts-fips.us-gov-west-1.api.aws", "aws-us-gov" },
};

static void
test_endpoints(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct aws_spec spec = { .region = xstrdup(row->region),
			.endpoint_url =
				row->url == NULL ? NULL : xstrdup(row->url),
			.fips = row->fips,
			.dual_stack = row->dual_stack };
		struct str text;
		uint16_t port;
		bool tls;

		if (row->url != NULL)
			assert_int_equal(aws_endpoint_check(row->url, NULL), 0);
		str_init(&text);
		aws_endpoint(&spec, row->service, &text, &port, &tls);
		assert_string_equal(text.data, row->host);
		assert_int_equal(port, row->port);
		assert_int_equal(tls, row->tls);
		str_clear(&text);
		aws_endpoint_authority(&spec, row->service, &text);
		assert_string_equal(text.data, row->authority);
		assert_string_equal(aws_partition(row->region), row->partition);
		str_fini(&text);
		free(spec.region);
		free(spec.endpoint_url);
	}
}

static void
test_bad_endpoints(void **state)
{
	static const char *const bad[] = { "", "h", "h:443", "//h", "ftp://h",
		"https://", "https:///", "https://h//", "https://h/x",
		"https://h?x", "https://h#x", "https://u@h",
		"https://h:", "https://h:0", "https://h:65536", "https://h:4a",
		"https://h:+4", "https://:443", "https://::1",
		"https://1::2:443", "https://[::1", "https://[::1]x",
		"https://[::1]:", "https://[h]", "https://[127.0.0.1]",
		"https://a b", "https://a\r\nb", "HTTPS://h" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error err = ERROR_INIT;

		if (aws_endpoint_check(bad[i], &err) != -1)
			fail_msg("%s is taken", bad[i]);
		assert_int_equal(err.code, ERROR_CONFIG);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_bad_endpoints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
