/* Tests userspace/net/certificate.c. */
#include "net/certificate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "tests/lib/certificates.h"

#define DAY_MS (24ull * 60 * 60 * 1000)

static struct certificate authority, leaf, other, old;

static int
group_setup(void **state)
{
	(void)state;
	certificate_make(&authority,
		&(struct certificate_options){
			.name = "authority", .authority = true },
		NULL);
	certificate_make(&leaf,
		&(struct certificate_options){
			.name = "leaf", .from_days = -3, .to_days = 9 },
		&authority);
	certificate_make(
		&other, &(struct certificate_options){ .name = "other" }, NULL);
	certificate_make(&old,
		&(struct certificate_options){
			.name = "a,b\x01\nc", .from_days = -9, .to_days = -8 },
		NULL);
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
	return 0;
}

static void
assert_about_days(uint64_t at_ms, int days)
{
	int64_t now = (int64_t)time(NULL) * 1000;
	int64_t off = (int64_t)at_ms - now - days * (int64_t)DAY_MS;

	assert_in_range(off + 120000, 0, 240000);
}

static void
facts_are_of_the_first(void **state)
{
	struct certificate_facts facts;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(
		certificate_read(certificate_text(&leaf), &facts, &err), 0);
	assert_int_equal(facts.count, 1);
	assert_string_equal(facts.subject, "CN=leaf");
	assert_string_equal(facts.issuer, "CN=authority");
	assert_int_equal(strlen(facts.fingerprint), 95);
	assert_int_equal(facts.fingerprint[2], ':');
	assert_about_days(facts.not_before_ms, -3);
	assert_about_days(facts.not_after_ms, 9);
}

/* What is between and around them, keys too, is passed over. */
static void
a_chain_ends_with_its_first_end(void **state)
{
	char *text = xasprintf("a comment\n%s%sbetween\n%s\n", leaf.key_pem,
		leaf.cert_pem, authority.cert_pem);
	struct certificate_facts facts;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(certificate_read(slice_of(text), &facts, &err), 0);
	assert_int_equal(facts.count, 2);
	assert_string_equal(facts.subject, "CN=leaf");
	assert_about_days(facts.not_before_ms, -1);
	assert_about_days(facts.not_after_ms, 2);
	free(text);
}

static void
names_are_one_line(void **state)
{
	struct certificate_facts facts;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(
		certificate_read(certificate_text(&old), &facts, &err), 0);
	assert_string_equal(facts.subject, "CN=a\\,b\\01\\0Ac");
	assert_about_days(facts.not_after_ms, -8);
}

static void
bad_texts_are_explained(void **state)
{
	char *damaged = xstrdup(authority.cert_pem);
	char *second;
	const struct {
		const char *text, *error;
	} rows[] = {
		{ "", "there is no certificate in it" },
		{ "-----BEGIN NOTHING-----\n",
			"certificate 1 of the text cannot be read" },
		{ leaf.key_pem, "there is no certificate in it" },
		{ damaged, "certificate 1 of the text cannot be read" },
		{ NULL, "certificate 2 of the text cannot be read" },
		{ "-----BEGIN CERTIFICATE-----\nAAAA\n",
			"certificate 1 of the text cannot be read" },
		{ "-----BEGIN CERTIFICATE-----\nAAAA\n"
		  "-----END CERTIFICATE-----\n",
			"certificate 1 of the text cannot be read" },
	};

	(void)state;
	memset(damaged + 60, 'A', 60);
	second = xasprintf("%s%s", leaf.cert_pem, damaged);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *text = rows[i].text != NULL ? rows[i].text : second;
		struct certificate_facts facts;
		struct error err = ERROR_INIT;

		assert_int_equal(
			certificate_read(slice_of(text), &facts, &err), -1);
		if (strstr(err.text, rows[i].error) == NULL)
			fail_msg("%zu: %s", i, err.text);
	}
	free(damaged);
	free(second);
}

/* Cut anywhere it is refused, and read no further than it is long. */
static void
cut_texts_are_refused(void **state)
{
	size_t length = strlen(leaf.cert_pem);

	(void)state;
	for (size_t n = 0; n + 1 < length; n++) {
		char *text = n > 0 ? xmemdup(leaf.cert_pem, n) : xmalloc(1);
		struct certificate_facts facts;
		struct error err = ERROR_INIT;

		if (certificate_read((struct slice){ text, n }, &facts, &err) ==
			0)
			fail_msg("%zu of %zu bytes", n, length);
		free(text);
	}
}

static char *
locked_key(void)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes, *text;
	long length;

	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, leaf.key,
				 EVP_aes_256_cbc(), "secret", 6, NULL, NULL),
		1);
	length = BIO_get_mem_data(bio, &bytes);
	text = xstrndup(bytes, (size_t)length);
	BIO_free(bio);
	return text;
}

static void
keys_fit_or_not(void **state)
{
	char *locked = locked_key();
	const struct {
		const char *cert, *key, *error; /* NULL: fits */
	} rows[] = {
		{ leaf.cert_pem, leaf.key_pem, NULL },
		{ leaf.cert_pem, other.key_pem,
			"the key does not belong to the certificate" },
		{ leaf.cert_pem, locked, "the key has a passphrase" },
		{ leaf.cert_pem, leaf.cert_pem, "there is no key in it" },
		{ leaf.cert_pem, "", "there is no key in it" },
		{ "", leaf.key_pem, "there is no certificate in it" },
		{ leaf.cert_pem,
			"-----BEGIN PRIVATE KEY-----\nAAAA\n"
			"-----END PRIVATE KEY-----\n",
			"the key cannot be read" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;
		int rc = certificate_key_fits(
			slice_of(rows[i].cert), slice_of(rows[i].key), &err);

		if ((rc == 0) != (rows[i].error == NULL) ||
			(rc < 0 && strstr(err.text, rows[i].error) == NULL))
			fail_msg("%zu: %d %s", i, rc, err.text);
	}
	free(locked);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts_are_of_the_first),
		cmocka_unit_test(a_chain_ends_with_its_first_end),
		cmocka_unit_test(names_are_one_line),
		cmocka_unit_test(bad_texts_are_explained),
		cmocka_unit_test(cut_texts_are_refused),
		cmocka_unit_test(keys_fit_or_not),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
