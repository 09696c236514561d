/* Tests userspace/control/secret.c: what is Rejected, what is a Warning, and
 * that neither repeats a value. */
#include "control/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/lib/certificates.h"

#define DAY_MS (24ull * 60 * 60 * 1000)

static struct certificate authority, leaf, other, old, early;
static char *leaf_pem, *leaf_key, *other_key, *old_pem, *early_pem, *ca_pem;

static char *
text_of(struct slice s)
{
	return xstrndup(s.data, s.length);
}

static void
make(struct certificate *c, const char *name, int from, int to)
{
	certificate_make(c,
		&(struct certificate_options){
			.name = name, .from_days = from, .to_days = to },
		&authority);
}

static int
group_setup(void **state)
{
	(void)state;
	certificate_make(&authority,
		&(struct certificate_options){
			.name = "authority", .authority = true },
		NULL);
	make(&leaf, "leaf", -1, 9);
	make(&other, "other", -1, 9);
	make(&old, "old", -9, -8);
	make(&early, "early", 2, 9);
	leaf_pem = text_of(certificate_text(&leaf));
	leaf_key = text_of(certificate_key_text(&leaf));
	other_key = text_of(certificate_key_text(&other));
	old_pem = text_of(certificate_text(&old));
	early_pem = text_of(certificate_text(&early));
	ca_pem = text_of(certificate_text(&authority));
	return 0;
}

static int
group_teardown(void **state)
{
	(void)state;
	certificate_drop(&authority);
	certificate_drop(&leaf);
	certificate_drop(&other);
	certificate_drop(&old);
	certificate_drop(&early);
	free(leaf_pem);
	mem_free_wiped(leaf_key);
	mem_free_wiped(other_key);
	free(old_pem);
	free(early_pem);
	free(ca_pem);
	return 0;
}

/* A line out of the middle of a key. */
static void
assert_hides(const char *text, const char *key)
{
	const char *line = strchr(key, '\n');
	char part[33];

	assert_non_null(line);
	memcpy(part, line + 1, sizeof(part) - 1);
	part[sizeof(part) - 1] = '\0';
	assert_null(strstr(text, part));
}

static void
test_check(void **state)
{
	struct error err = ERROR_INIT;
	struct model_secret s = { .type = MODEL_SECRET_TLS };

	(void)state;
	s.tls = (struct model_secret_tls){ leaf_pem, leaf_key, ca_pem };
	assert_int_equal(secret_check(&s, &err), 0);
	s.tls = (struct model_secret_tls){ NULL, NULL, ca_pem };
	assert_int_equal(secret_check(&s, &err), 0);
	s.tls = (struct model_secret_tls){ leaf_pem, other_key, NULL };
	assert_int_equal(secret_check(&s, &err), -1);
	assert_int_equal(strncmp(err.text, "tls.privateKey: ", 16), 0);
	assert_hides(err.text, other_key);
	err = (struct error)ERROR_INIT;
	/* Mixed up. */
	s.tls = (struct model_secret_tls){ leaf_key, leaf_pem, NULL };
	assert_int_equal(secret_check(&s, &err), -1);
	assert_int_equal(strncmp(err.text, "tls.certChain: ", 15), 0);
	assert_hides(err.text, leaf_key);
	err = (struct error)ERROR_INIT;
	s.tls = (struct model_secret_tls){ leaf_pem, leaf_key, leaf_key };
	assert_int_equal(secret_check(&s, &err), -1);
	assert_int_equal(strncmp(err.text, "tls.rootCa: ", 12), 0);
	assert_hides(err.text, leaf_key);
	s.type = MODEL_SECRET_AWS;
	assert_int_equal(secret_check(&s, NULL), 0);
}

static void
warns(const char *chain, const char *ca, const char *with)
{
	struct model_secret s = { .type = MODEL_SECRET_TLS };
	struct str text;

	str_init(&text);
	s.tls.cert_chain = (char *)(uintptr_t)chain;
	s.tls.root_ca = (char *)(uintptr_t)ca;
	secret_warn(&s, clock_realtime_ms(), &text);
	if (with == NULL)
		assert_string_equal(text.data, "");
	else
		assert_non_null(strstr(text.data, with));
	str_fini(&text);
}

static void
test_warn(void **state)
{
	char *bundle = xasprintf("%s%s", ca_pem, old_pem);

	(void)state;
	warns(NULL, NULL, NULL);
	warns(leaf_pem, ca_pem, NULL);
	warns(old_pem, NULL, "certChain: a certificate expired at 2");
	warns(early_pem, NULL, "certChain: a certificate is not valid before ");
	warns(NULL, old_pem, "rootCa: a certificate expired at ");
	/* One of a bundle may be old. */
	warns(NULL, bundle, NULL);
	free(bundle);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_warn),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
