/* Tests userspace/kinds/aws/credentials.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kinds/aws/credentials.h"

#define ACCESS "AKIDEXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define TOKEN  "TOK/EN+="

static struct aws_credentials
make(const char *access, const char *secret, const char *token)
{
	return (struct aws_credentials){
		.access_key = access == NULL ? NULL : xstrdup(access),
		.secret_key = secret == NULL ? NULL : xstrdup(secret),
		.session_token = token == NULL ? NULL : xstrdup(token),
		.expires_ms = UINT64_C(1795698000123),
	};
}

static void
same(const struct aws_credentials *a, const struct aws_credentials *b)
{
	assert_string_equal(a->access_key, b->access_key);
	assert_string_equal(a->secret_key, b->secret_key);
	assert_string_equal(a->session_token, b->session_token);
	assert_int_equal(a->expires_ms, b->expires_ms);
}

static void
test_copy(void **state)
{
	struct aws_credentials a = make(ACCESS, SECRET, TOKEN);
	struct aws_credentials b = make("B", "B", "");

	(void)state;
	aws_credentials_copy(&b, &a);
	same(&b, &a);
	aws_credentials_copy(&b, &b);
	same(&b, &a);
	aws_credentials_fini(&a);
	assert_null(a.secret_key);
	assert_int_equal(a.expires_ms, 0);
	aws_credentials_fini(&a);
	assert_string_equal(b.secret_key, SECRET);
	aws_credentials_fini(&b);
}

static void
test_there_and_back(void **state)
{
	static const char *const tokens[] = { "", TOKEN, NULL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tokens); i++) {
		struct aws_credentials a = make(ACCESS, SECRET, tokens[i]), b;
		struct error err = ERROR_INIT;
		struct str bytes;

		str_init(&bytes);
		aws_credentials_write(&a, &bytes);
		assert_int_equal(
			aws_credentials_read(
				(struct slice){ bytes.data, bytes.length }, &b,
				&err),
			0);
		if (a.session_token == NULL)
			a.session_token = xstrdup("");
		same(&a, &b);
		str_fini_wiped(&bytes);
		aws_credentials_fini(&a);
		aws_credentials_fini(&b);
	}
}

/* Cut anywhere, or with something behind: none, and nothing is left. Each in
 * memory of its own size, so that a byte too many is seen. */
static void
test_bytes_that_are_none(void **state)
{
	static const struct {
		size_t at;
		char byte;
	} wrong[] = { { 0, 2 }, { 9, '\x7f' }, { 12, '\x7f' }, { 13, '\0' },
		{ 13, '\n' }, { 13, '/' } };
	struct aws_credentials a = make(ACCESS, SECRET, TOKEN), b;
	struct str bytes;

	(void)state;
	str_init(&bytes);
	aws_credentials_write(&a, &bytes);
	str_putc(&bytes, 'x');
	for (size_t i = 0; i <= bytes.length; i++) {
		struct error err = ERROR_INIT;
		char *exact = xmalloc(i + (i == 0));

		memcpy(exact, bytes.data, i);
		assert_int_equal(aws_credentials_read(
					 (struct slice){ exact, i }, &b, &err),
			i == bytes.length - 1 ? 0 : -1);
		if (i != bytes.length - 1) {
			assert_null(b.access_key);
			assert_null(strstr(err.text, SECRET));
		}
		aws_credentials_fini(&b);
		free(exact);
	}
	/* Another version; a length beyond the end; bytes that no part has. */
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		char before = bytes.data[wrong[i].at];

		bytes.data[wrong[i].at] = wrong[i].byte;
		assert_int_equal(
			aws_credentials_read(
				(struct slice){ bytes.data, bytes.length - 1 },
				&b, NULL),
			-1);
		bytes.data[wrong[i].at] = before;
	}
	str_fini_wiped(&bytes);
	aws_credentials_fini(&a);
}

static void
test_form(void **state)
{
	static char long_text[9000];
	static const struct {
		const char *access, *secret, *token, *why; /* NULL: fine */
	} cases[] = {
		{ ACCESS, SECRET, TOKEN, NULL },
		{ "ASIAIOSFODNN7EXAMPLE", SECRET, "", NULL },
		{ "test", "test", NULL, NULL },
		{ NULL, SECRET, "", "there is no access key id" },
		{ "", SECRET, "", "there is no access key id" },
		{ ACCESS, NULL, "", "there is no secret access key" },
		{ ACCESS, "", "", "there is no secret access key" },
		{ SECRET, ACCESS, "",
			"the access key id has a character that none has, at "
			"position 14 of 40" },
		{ ACCESS " ", SECRET, "",
			"the access key id has a character that none has, at "
			"position 12 of 12" },
		{ ACCESS, SECRET "\n", "",
			"the secret access key has a character that none has, "
			"at position 41 of 41" },
		{ ACCESS, "a\xc3\xbc", "",
			"the secret access key has a character that none has, "
			"at position 2 of 3" },
		{ ACCESS, SECRET, "a\r\nx-evil: 1",
			"the session token has a character that none has, at "
			"position 2 of 12" },
		{ ACCESS, SECRET, long_text,
			"the session token is longer than 8192 characters" },
		{ long_text, SECRET, "",
			"the access key id is longer than 128 characters" },
		{ ACCESS, long_text, "",
			"the secret access key is longer than 1024 "
			"characters" },
	};

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct aws_credentials c =
			make(cases[i].access, cases[i].secret, cases[i].token);
		struct error err = ERROR_INIT;
		int rc = aws_credentials_check(&c, &err);

		if (cases[i].why == NULL)
			assert_int_equal(rc, 0);
		else if (rc == 0 || strcmp(err.text, cases[i].why) != 0)
			fail_msg("case %zu: \"%s\"", i, err.text);
		aws_credentials_fini(&c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_bytes_that_are_none),
		cmocka_unit_test(test_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
