/* Tests userspace/net/tls_context.c: what its options do, and how long it
 * lives. */
#include "net/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "base/mem.h"
#include "tests/lib/tls_pair.h"

static void
bad_options_are_explained(void **state)
{
	static const char *const long_alpn[] = {
		"0123456789012345678901234567890123456789012345678901234567890"
		"0123456789012345678901234567890123456789012345678901234567890"
		"0123456789012345678901234567890123456789012345678901234567890"
		"0123456789012345678901234567890123456789012345678901234567890"
		"0123456789012345678901234567890123456789",
		NULL
	};
	const struct slice ca = certificate_text(&pair_authority);
	const struct slice cert = certificate_text(&pair_client);
	const struct slice key = certificate_key_text(&pair_client);
	const struct slice bad = slice_of("bad");
	const struct {
		struct tls_options o;
		const char *error;
	} rows[] = {
		{ { .ca = { "", 0 } },
			"there is no certificate that could be trusted" },
		{ { .ca = bad },
			"trusted certificates: there is no certificate in "
			"it" },
		{ { .ca = ca, .cert = bad, .key = key },
			"certificate: there is no certificate in it" },
		{ { .ca = ca, .cert = cert }, "key: there is no key in it" },
		{ { .ca = ca, .key = key },
			"certificate: there is no certificate in it" },
		{ { .ca = ca,
			  .cert = cert,
			  .key = certificate_key_text(&pair_good) },
			"the key does not belong to the certificate" },
		{ { .ca = ca, .ciphers = "NONSENSE" },
			"cipher suites \"NONSENSE\": no cipher match" },
		{ { .ca = ca, .curves = "P-256:nonsense" },
			"curves \"P-256:nonsense\": OpenSSL does not know "
			"them all" },
		{ { .ca = ca, .version_min = TLS1_VERSION },
			"versions of TLS before 1.2 are not spoken" },
		{ { .ca = ca, .version_max = TLS1_1_VERSION },
			"versions of TLS before 1.2 are not spoken" },
		{ { .ca = ca,
			  .version_min = TLS1_3_VERSION,
			  .version_max = TLS1_2_VERSION },
			"the lowest version of TLS is above the highest" },
		{ { .ca = ca, .alpn = long_alpn },
			"alpn: the protocols' names are too long" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;

		assert_null(tls_context_new(&rows[i].o, &err));
		if (strstr(err.text, rows[i].error) == NULL)
			fail_msg("%zu: %s", i, err.text);
	}
}

static void
options_hold(void **state)
{
	const struct {
		struct tls_options o;
		int server, agreed; /* 0: none */
	} rows[] = {
		{ { .version_max = TLS1_2_VERSION }, 0, TLS1_2_VERSION },
		{ { .version_min = TLS1_3_VERSION }, 0, TLS1_3_VERSION },
		{ { .version_min = TLS1_3_VERSION }, TLS1_2_VERSION, 0 },
		{ { .curves = "P-384" }, 0, TLS1_3_VERSION },
		{ { .ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384" },
			TLS1_2_VERSION, TLS1_2_VERSION },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tls_options o = rows[i].o;
		struct tls_context *context;
		struct tls_pair p;
		enum tls_step step;

		o.ca = certificate_text(&pair_authority);
		context = pair_context(&o);
		pair_init(&p, &(struct tls_server_options){ .own = &pair_good,
				      .version = rows[i].server });
		pair_connect(&p, context, &pair_peer);
		step = pair_shake(&p, SIZE_MAX);
		assert_int_equal(
			step, rows[i].agreed != 0 ? TLS_DONE : TLS_FAILED);
		if (step == TLS_DONE)
			assert_int_equal(SSL_version(p.ssl), rows[i].agreed);
		if (o.ciphers != NULL)
			assert_string_equal(SSL_get_cipher(p.ssl), o.ciphers);
		pair_close(&p);
		tls_context_unref(context);
	}
}

/* A server of TLS 1.2 that asks for another handshake. */
static void
renegotiation_is_as_allowed(void **state)
{
	(void)state;
	for (int allowed = 0; allowed < 2; allowed++) {
		const struct tls_options o = { .ca = certificate_text(
						       &pair_authority),
			.renegotiation = allowed };
		struct tls_context *context = pair_context(&o);
		struct tls_pair p;

		pair_open(&p,
			&(struct tls_server_options){
				.own = &pair_good, .version = TLS1_2_VERSION },
			context);
		SSL_renegotiate(p.ssl);
		SSL_do_handshake(p.ssl);
		for (unsigned i = 0; i < 4; i++) {
			char none[1];

			pair_server_give(&p, SIZE_MAX);
			pair_read(&p);
			pair_server_take(&p);
			SSL_read(p.ssl, none, sizeof(none));
		}
		assert_int_equal(SSL_CTX_sess_accept_good(p.ctx), 1 + allowed);
		if (allowed) {
			pair_say(&p, "after");
			pair_server_hear(&p, "after");
		}
		ERR_clear_error();
		pair_close(&p);
		tls_context_unref(context);
	}
}

/* Its last reference may go while connections of it live. */
static void
connections_hold_their_context(void **state)
{
	struct tls_context *context = pair_context_plain();
	struct tls_pair p;

	(void)state;
	pair_init(&p, &(struct tls_server_options){ .own = &pair_good });
	pair_connect(&p, context, &pair_peer);
	tls_context_unref(tls_context_ref(context));
	tls_context_unref(context);
	assert_int_equal(pair_shake(&p, SIZE_MAX), TLS_DONE);
	pair_say(&p, "still");
	pair_server_hear(&p, "still");
	conn_shut(&p.conn);
	pair_server_take(&p);
	assert_int_equal(SSL_read(p.ssl, (char[1]){ 0 }, 1), 0);
	assert_int_equal(SSL_get_error(p.ssl, 0), SSL_ERROR_ZERO_RETURN);
	pair_close(&p);
	tls_context_unref(NULL);
	tls_kept_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_options_are_explained),
		cmocka_unit_test(options_hold),
		cmocka_unit_test(renegotiation_is_as_allowed),
		cmocka_unit_test(connections_hold_their_context),
	};

	return cmocka_run_group_tests(tests, pair_setup, pair_teardown);
}
