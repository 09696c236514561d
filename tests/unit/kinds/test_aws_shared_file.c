/* Tests userspace/kinds/aws/shared_file.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kinds/aws/shared_file.h"

static void
on_key(struct slice profile, struct slice key, struct slice value, void *arg)
{
	if (key.length == 0)
		str_printf(arg, "[%.*s]", (int)profile.length, profile.data);
	else
		str_printf(arg, "%.*s=%.*s;", (int)key.length, key.data,
			(int)value.length, value.data);
}

static int
read_exact(const char *text, size_t length, bool is_config, struct str *out,
	struct error *err)
{
	char *exact = xmalloc(length + (length == 0));
	int rc;

	memcpy(exact, text, length);
	rc = shared_file_read(
		(struct slice){ exact, length }, is_config, on_key, out, err);
	free(exact);
	return rc;
}

static void
test_what_is_read(void **state)
{
	static const struct {
		bool is_config;
		const char *text, *want;
	} cases[] = {
		{ false, "", "" },
		{ false, "[a]\nk=v\n[b]\nk = v w \n", "[a]k=v;[b]k=v w;" },
		{ false, "\xef\xbb\xbf[a]\r\nk=v\r\n\r\nl=\r\n", "[a]k=v;l=;" },
		{ false, "# c\n; c\n[ a b ] # c\n  # c\nk=v # w\nl=a;b",
			"[a b]k=v # w;l=a;b;" },
		{ false, "[a]\nk=v==\nl==\n", "[a]k=v==;l==;" },
		/* of one key: what is indented more than it */
		{ false, "[a]\ns3 =\n  x = 1\n  y\n\tz = 2\nk=v\n",
			"[a]s3=;k=v;" },
		{ false, "[a]\n  k=v\n  l=w\n    more\n m=x\n",
			"[a]k=v;l=w;m=x;" },
		{ false, "[a]\nk=v\n  [b]\nl=w\n", "[a]k=v;l=w;" },
		{ false, "[a]\n[profile b]\nk=v", "[a][profile b]k=v;" },
		{ true, "[default]\nk=v\n[profile  dev]\nl=w\n",
			"[default]k=v;[dev]l=w;" },
		{ true, "[profile \"a b\"]\nk=v\n[profile default]\nl=w\n",
			"[a b]k=v;[default]l=w;" },
		{ true,
			"[dev]\nk=v\n[sso-session x]\nl=w\n[profiles]\nm=n\n"
			"[profile]\no=p\n[profile ]\nq=r\n",
			"" },
		{ false, "[]\nk=v\n", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = ERROR_INIT;
		struct str out;

		str_init(&out);
		if (read_exact(cases[i].text, strlen(cases[i].text),
			    cases[i].is_config, &out, &err) != 0)
			fail_msg("%s: %s", cases[i].text, err.text);
		if (strcmp(out.data, cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].text, out.data);
		str_fini(&out);
	}
}

static void
test_what_is_none(void **state)
{
	static const struct {
		const char *text, *why;
		int line;
	} cases[] = {
		{ "k=s3cr3t\n",
			"line 1: a key stands in front of the first "
			"section",
			1 },
		{ "[a]\n\ns3cr3t\n",
			"line 3: it is neither a section, nor a key and its "
			"value, nor a comment",
			3 },
		{ "[a]\n=s3cr3t",
			"line 2: it is neither a section, nor a key and its "
			"value, nor a comment",
			2 },
		{ "[s3cr3t", "line 1: a section's name has no \"]\" behind it",
			1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = ERROR_INIT;
		struct str out;

		str_init(&out);
		assert_int_equal(
			read_exact(cases[i].text, strlen(cases[i].text), false,
				&out, &err),
			-1);
		assert_string_equal(err.text, cases[i].why);
		assert_int_equal(err.line, cases[i].line);
		str_fini(&out);
	}
}

static void
test_too_much(void **state)
{
	char *text = xmalloc(SHARED_FILE_MAX + 1);
	struct error err = ERROR_INIT;
	struct str out;

	(void)state;
	str_init(&out);
	memset(text, '\n', SHARED_FILE_MAX + 1);
	assert_int_equal(
		read_exact(text, SHARED_FILE_MAX, false, &out, &err), 0);
	assert_int_equal(
		read_exact(text, SHARED_FILE_MAX + 1, false, &out, &err), -1);
	str_fini(&out);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_read),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
