/* Tests userspace/kinds/aws/sts_answer.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kinds/aws/sts_answer.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG"
#define BEGIN                                                                  \
	"<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/"           \
	"2011-06-15/\">\n  <AssumeRoleResult>\n"
#define END "</AssumeRoleResult><ResponseMetadata/></AssumeRoleResponse>\n"
#define KEYS                                                                   \
	"<AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>" SECRET             \
	"</SecretAccessKey><SessionToken>a&amp;b&lt;&#x2F;&#61;</"             \
	"SessionToken>"
#define EXPIRES "<Expiration>2026-11-26T13:00:00Z</Expiration>"
#define GOOD                                                                   \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" BEGIN                   \
	"<SourceIdentity>x</SourceIdentity><AssumedRoleUser a='>' b = \"<\">"  \
	"<Arn>arn</Arn></AssumedRoleUser>"                                     \
	"<Credentials >" KEYS EXPIRES "</Credentials >" END

/* In memory of its own size, so that a byte too many is seen. */
static int
read_exact(const char *text, size_t length, struct sts_answer *out,
	struct error *err)
{
	char *exact = xmalloc(length + (length == 0));
	int rc;

	memcpy(exact, text, length);
	rc = sts_answer_read((struct slice){ exact, length }, out, err);
	mem_wipe(exact, length);
	free(exact);
	return rc;
}

static void
test_credentials(void **state)
{
	static const char good[] =
		"<AssumeRoleWithWebIdentityResponse>"
		"<AssumeRoleWithWebIdentityResult><Credentials>" KEYS EXPIRES
		"</Credentials></AssumeRoleWithWebIdentityResult>"
		"</AssumeRoleWithWebIdentityResponse>";
	const char *const texts[] = { good,
		BEGIN "<Credentials>" KEYS EXPIRES "</Credentials>" END };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct error err = ERROR_INIT;
		struct sts_answer a;

		if (read_exact(texts[i], strlen(texts[i]), &a, &err) != 0)
			fail_msg("%s", err.text);
		assert_string_equal(a.credentials.access_key, "ASIA1");
		assert_string_equal(a.credentials.secret_key, SECRET);
		assert_string_equal(a.credentials.session_token, "a&b</=");
		assert_int_equal(
			a.credentials.expires_ms, UINT64_C(1795698000000));
		assert_null(a.code);
		sts_answer_fini(&a);
		assert_null(a.credentials.secret_key);
	}
}

static void
test_error(void **state)
{
	static const char text[] =
		"<ErrorResponse xmlns='x'><Error><Type>Sender</Type>"
		"<Code>AccessDenied</Code><Message>not &quot;you&quot;\n"
		"&#252;</Message></Error></ErrorResponse>";
	static const char bare[] = "<ErrorResponse><Error><Code>Throttling"
				   "</Code></Error></ErrorResponse>";
	static const char other[] =
		"<ErrorResponse><Errors><Error><Code>InvalidClientTokenId"
		"</Code><Message>m</Message></Error></Errors></ErrorResponse>";
	struct sts_answer a;

	(void)state;
	assert_int_equal(read_exact(other, sizeof(other) - 1, &a, NULL), 0);
	assert_string_equal(a.code, "InvalidClientTokenId");
	sts_answer_fini(&a);
	assert_int_equal(read_exact(text, sizeof(text) - 1, &a, NULL), 0);
	assert_string_equal(a.code, "AccessDenied");
	assert_string_equal(a.message, "not \"you\"\n?");
	assert_null(a.credentials.access_key);
	sts_answer_fini(&a);
	assert_int_equal(read_exact(bare, sizeof(bare) - 1, &a, NULL), 0);
	assert_string_equal(a.code, "Throttling");
	assert_null(a.message);
	sts_answer_fini(&a);
}

/* Cut anywhere it is none, but for the space at its end. */
static void
test_cut(void **state)
{
	const size_t length = strlen(GOOD);

	(void)state;
	for (size_t i = 0; i <= length; i++) {
		struct error err = ERROR_INIT;
		struct sts_answer a;
		int rc = read_exact(GOOD, i, &a, &err);

		if ((rc == 0) != (i >= length - 1))
			fail_msg("%zu bytes: %s", i, err.text);
		assert_null(strstr(err.text, "wJal"));
		sts_answer_fini(&a);
	}
}

static void
test_what_is_none(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", "it is cut off" },
		{ "{}", "there is text outside of all elements" },
		{ "<a/>", "its credentials are not complete" },
		{ "<a/><b/>", "there is more than one document" },
		{ "<a></b>", "an element ends that has not begun" },
		{ "</a>", "an element ends that has not begun" },
		{ "<!DOCTYPE a [<!ENTITY e \"x\">]><a>&e;</a>",
			"a tag has no name that is taken" },
		{ "<a><![CDATA[x]]></a>", "a tag has no name that is taken" },
		{ "<a><!-- x --></a>", "a tag has no name that is taken" },
		{ "<a><?pi x?></a>", "a tag has no name that is taken" },
		{ "<?xml version='1.0'", "its first line has no end" },
		{ "<a>&e;</a>", "an entity is none of XML's own" },
		{ "<a>&#0;</a>", "an entity is none of XML's own" },
		{ "<a>&#x;</a>", "an entity is none of XML's own" },
		{ "<a>&#99999999999;</a>", "an entity is none of XML's own" },
		{ "<a>&amp</a>", "an entity has no end" },
		{ "<a b></a>", "a tag is cut off or wrong" },
		{ "<a b=c></a>", "a tag is cut off or wrong" },
		{ "<a b='c></a>", "an attribute has no end" },
		{ "<a><a><a><a><a><a><a><a><a><a><a><a><a>",
			"its elements are nested too deeply" },
		{ BEGIN "<Credentials>" KEYS "</Credentials>" END,
			"its credentials are not complete" },
		{ BEGIN "<Credentials>" KEYS EXPIRES KEYS "</Credentials>" END,
			"an element stands there twice" },
		{ BEGIN "<Credentials><AccessKeyId><b/></AccessKeyId>"
			"</Credentials>" END,
			"there is an element where text should be" },
		{ BEGIN "<Credentials>" KEYS "<Expiration>soon</Expiration>"
			"</Credentials>" END,
			"its Expiration is no time" },
		{ BEGIN "<Credentials><AccessKeyId/><SecretAccessKey>" SECRET
			"</SecretAccessKey><SessionToken/>" EXPIRES
			"</Credentials>" END,
			"there is no access key id" },
		{ BEGIN KEYS EXPIRES END, "its credentials are not complete" },
		{ "<x>" BEGIN "<Credentials>" KEYS EXPIRES "</Credentials>" END
		  "</x>",
			"its credentials are not complete" },
		{ "<ErrorResponse><Error><Message>m</Message></Error>"
		  "</ErrorResponse>",
			"its error has no code" },
		{ "<ErrorResponse><Error><Code>a b</Code></Error>"
		  "</ErrorResponse>",
			"its error has no code" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = ERROR_INIT;
		struct sts_answer a;

		if (read_exact(cases[i].text, strlen(cases[i].text), &a,
			    &err) == 0)
			fail_msg("%s is taken", cases[i].text);
		if (strcmp(err.text, cases[i].why) != 0)
			fail_msg("%s: %s", cases[i].text, err.text);
		assert_null(a.code);
		assert_null(a.credentials.secret_key);
	}
}

static void
test_too_much(void **state)
{
	char *text = xmalloc(STS_ANSWER_MAX + 2);
	struct error err = ERROR_INIT;
	struct sts_answer a;

	(void)state;
	memset(text, ' ', STS_ANSWER_MAX + 1);
	assert_int_equal(read_exact(text, STS_ANSWER_MAX + 1, &a, &err), -1);
	assert_string_equal(err.text, "it has more than 65536 bytes");
	assert_int_equal(read_exact("<a>\0</a>", 8, &a, NULL), -1);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
