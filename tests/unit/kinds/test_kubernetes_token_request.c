/* Tests what is read of a service account's token, and how another is asked
 * for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "kinds/kubernetes/token_request.h"

/* The token that says that; base64url without padding. */
static char *
token_make(const char *claims)
{
	struct str text;

	str_init(&text);
	str_puts(&text, "eyJhbGciOiJSUzI1NiJ9.");
	base64_encode(claims, strlen(claims), &text);
	while (text.data[text.length - 1] == '=') {
		text.data[--text.length] = '\0';
	}
	for (char *p = text.data; *p != '\0'; p++)
		*p = (char)(*p == '+' ? '-' : *p == '/' ? '_' : *p);
	str_puts(&text, ".c2lnbmF0dXJl");
	return str_steal(&text);
}

static int
claims_of(const char *claims, struct kubernetes_claims *out, struct error *err)
{
	char *token = token_make(claims);
	int rc = kubernetes_token_claims(slice_of(token), out, err);

	free(token);
	return rc;
}

static void
test_claims(void **state)
{
	struct kubernetes_claims c;

	(void)state;
	/* With bytes that make "-" and "_". */
	assert_int_equal(claims_of("{\"sub\":\"system:serviceaccount:a:b\","
				   "\"x\":\"\xc3\xbf\xc3\xbe>>>???\","
				   "\"iat\":1000,\"exp\":1600}",
				 &c, NULL),
		0);
	assert_string_equal(c.subject, "system:serviceaccount:a:b");
	assert_int_equal(c.issued_s, 1000);
	assert_int_equal(c.expires_s, 1600);
	assert_int_equal(kubernetes_claims_due_s(&c), 1480);
	assert_true(kubernetes_claims_are_of(&c, "a", "b"));
	assert_false(kubernetes_claims_are_of(&c, "a", "c"));
	assert_false(kubernetes_claims_are_of(&c, "b", "b"));
	assert_false(kubernetes_claims_are_of(&c, "a:b", ""));
}

static void
test_no_claims(void **state)
{
	static const char *const claims[] = { "", "1", "[]", "{}", "null",
		"{\"sub\":\"a\"}", "{\"sub\":\"a\",\"iat\":1}",
		"{\"sub\":\"a\",\"iat\":1,\"exp\":1}",
		"{\"sub\":\"a\",\"iat\":2,\"exp\":1}",
		"{\"sub\":\"a\",\"iat\":-2,\"exp\":1}",
		"{\"sub\":\"a\",\"iat\":\"1\",\"exp\":\"2\"}",
		"{\"sub\":1,\"iat\":1,\"exp\":2}",
		"{\"sub\":\"\",\"iat\":1,\"exp\":2}" };
	static const char *const texts[] = { "", ".", "..", "a.b", "a..b",
		"a.!.b", "opaque", "a.eyJ", "a.e30.b\n" };
	struct kubernetes_claims c;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(claims); i++) {
		struct error err = ERROR_INIT;

		if (claims_of(claims[i], &c, &err) == 0)
			fail_msg("%s was taken", claims[i]);
		assert_true(err.text[0] != '\0');
	}
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct error err = ERROR_INIT;

		if (kubernetes_token_claims(slice_of(texts[i]), &c, &err) == 0)
			fail_msg("%s was taken", texts[i]);
		/* A text that is no token may be a secret as well. */
		assert_null(strstr(err.text, "opaque"));
	}
}

static void
test_long_subject(void **state)
{
	struct kubernetes_claims c;
	char *claims = xasprintf("{\"sub\":\"%0600d\",\"iat\":1,\"exp\":2}", 0);

	(void)state;
	assert_int_equal(claims_of(claims, &c, NULL), -1);
	free(claims);
}

static void
test_request(void **state)
{
	struct doc *d = kubernetes_token_request(3600);
	char *path = kubernetes_token_path("a", "b");
	struct str text;

	(void)state;
	assert_string_equal(
		path, "/api/v1/namespaces/a/serviceaccounts/b/token");
	str_init(&text);
	json_doc_write(d, 0, &text);
	assert_string_equal(text.data,
		"{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":"
		"\"TokenRequest\",\"spec\":{\"expirationSeconds\":3600}}");
	doc_free(d);
	/* The server refuses shorter ones. */
	d = kubernetes_token_request(5);
	assert_int_equal(doc_get_integer(doc_get(d, "spec"),
				 "expirationSeconds"),
		600);
	doc_free(d);
	str_fini(&text);
	free(path);
}

static void
test_answer(void **state)
{
	static const struct {
		const char *json, *token;
	} rows[] = {
		{ "{\"status\":{\"token\":\"a.b.c\"}}", "a.b.c" },
		{ "{\"status\":{\"token\":\"\"}}", NULL },
		{ "{\"status\":{\"token\":1}}", NULL },
		{ "{\"status\":{}}", NULL },
		{ "{}", NULL },
		{ "[]", NULL },
	};

	(void)state;
	assert_null(kubernetes_token_of(NULL));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct doc *d = json_doc_read(
			rows[i].json, strlen(rows[i].json), NULL);
		const char *token = kubernetes_token_of(d);

		if (rows[i].token == NULL)
			assert_null(token);
		else
			assert_string_equal(token, rows[i].token);
		doc_free(d);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_no_claims),
		cmocka_unit_test(test_long_subject),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
