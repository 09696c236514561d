/* Names of Lambda functions: what is one, and what its parts are. */
#include "kinds/aws/function_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/mem.h"

#define ACCOUNT   "123456789012"
#define ARN(name) "arn:aws:lambda:us-east-1:" ACCOUNT ":function:" name

static const struct row {
	const char *text;
	const char *partition, *region, *account, *name, *qualifier;
	const char *short_name;
} rows[] = {
	{ "hello", "", "", "", "hello", "", "hello" },
	{ "hello:1", "", "", "", "hello", "1", "hello:1" },
	{ "hello:$LATEST", "", "", "", "hello", "$LATEST", "hello" },
	{ "hello:$LATEST.PUBLISHED", "", "", "", "hello", "$LATEST.PUBLISHED",
		"hello:$LATEST.PUBLISHED" },
	{ "a-b_C.9:live-1", "", "", "", "a-b_C.9", "live-1", "a-b_C.9:live-1" },
	{ "function", "", "", "", "function", "", "function" },
	{ "function:1", "", "", "", "function", "1", "function:1" },
	{ "function:a:1", "", "", "", "a", "1", "a:1" },
	{ ACCOUNT ":1", "", "", "", ACCOUNT, "1", ACCOUNT ":1" },
	{ ACCOUNT ":function:a", "", "", ACCOUNT, "a", "", "a" },
	{ ACCOUNT ":function:a:b", "", "", ACCOUNT, "a", "b", "a:b" },
	{ "eu-west-1:" ACCOUNT ":function:a", "", "eu-west-1", ACCOUNT, "a", "",
		"a" },
	{ "us-gov-west-1:" ACCOUNT ":function:a:1", "", "us-gov-west-1",
		ACCOUNT, "a", "1", "a:1" },
	{ ARN("a"), "aws", "us-east-1", ACCOUNT, "a", "", "a" },
	{ ARN("a:b"), "aws", "us-east-1", ACCOUNT, "a", "b", "a:b" },
	{ "arn:aws-cn:lambda:cn-north-1:" ACCOUNT ":function:f:$LATEST",
		"aws-cn", "cn-north-1", ACCOUNT, "f", "$LATEST", "f" },
};

static void
part_check(const char *text, struct slice got, const char *wanted)
{
	if (!slice_equal(got, slice_of(wanted)))
		fail_msg("%s: \"%.*s\", not \"%s\"", text, (int)got.length,
			got.data, wanted);
}

static void
test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct aws_function_name n;
		struct error err = ERROR_INIT;
		struct str text;

		if (aws_function_name_read(row->text, &n, &err) != 0)
			fail_msg("%s: %s", row->text, err.text);
		part_check(row->text, n.partition, row->partition);
		part_check(row->text, n.region, row->region);
		part_check(row->text, n.account, row->account);
		part_check(row->text, n.name, row->name);
		part_check(row->text, n.qualifier, row->qualifier);
		str_init(&text);
		aws_function_name_short(&n, &text);
		assert_string_equal(text.data, row->short_name);
		str_fini(&text);
	}
}

static void
test_bad_names(void **state)
{
	static const char *const bad[] = { "", ":", "a:", ":1", "a b", "a/b",
		"a:1:2", "a:b:c:d", "function:a:b:c", "12345:function:a",
		"x:" ACCOUNT ":function", ACCOUNT ":function:",
		ACCOUNT ":function:a:", ACCOUNT ":function:a:1:2",
		"US:" ACCOUNT ":function:a", ARN(""), ARN("a:"), ARN("a:1:2"),
		"arn:aws:s3:us-east-1:" ACCOUNT ":function:a",
		"arn:aws:lambda:us-east-1::function:a",
		"arn:aws:lambda:us-east-1:" ACCOUNT ":layer:a",
		"arn:aws:lambda::" ACCOUNT ":function:a", "a\n", "\xc3\xa9",
		"a?x", "a#", "a%31",
		"123456789 123456789 123456789 123456789 123456789 123456789" };
	char text[160];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct aws_function_name n;
		struct error err = ERROR_INIT;

		if (aws_function_name_read(bad[i], &n, &err) != -1)
			fail_msg("\"%s\" is taken", bad[i]);
		assert_int_equal(err.code, ERROR_CONFIG);
	}
	for (size_t length = 140; length <= 141; length++) {
		struct aws_function_name n;

		memset(text, 'a', length);
		text[length] = '\0';
		assert_int_equal(aws_function_name_read(text, &n, NULL),
			length > 140 ? -1 : 0);
	}
}

static void
test_arn(void **state)
{
	static const struct {
		struct aws_function_name name;
		const char *arn;
	} arns[] = {
		{ { .region = { "us-east-1", 9 },
			  .account = { ACCOUNT, 12 },
			  .name = { "a", 1 },
			  .qualifier = { "1", 1 } },
			ARN("a") },
		{ { .region = { "cn-north-1", 10 },
			  .account = { ACCOUNT, 12 },
			  .name = { "a", 1 } },
			"arn:aws-cn:lambda:cn-north-1:" ACCOUNT ":function:a" },
		{ { .partition = { "aws-x", 5 },
			  .region = { "us-east-1", 9 },
			  .account = { ACCOUNT, 12 },
			  .name = { "a", 1 } },
			"arn:aws-x:lambda:us-east-1:" ACCOUNT ":function:a" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(arns); i++) {
		struct str text;

		str_init(&text);
		aws_function_name_arn(&arns[i].name, &text);
		assert_string_equal(text.data, arns[i].arn);
		str_fini(&text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_arn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
