/*
 * Tests userspace/net/tls.c: what a handshake comes to, at a server that wants
 * to know us, with a session of before, cut short, and with what is no TLS.
 */
#include "net/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "tests/lib/tls_pair.h"

static void
clients_come_with_certificates(void **state)
{
	struct tls_context *contexts[] = { pair_context_plain(),
		pair_context_mutual() };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		const struct tls_server_options so = { .own = &pair_good,
			.wants = &pair_authority,
			.version = pair_versions[i % 2] };
		bool comes = i / 2 == 1, late = i % 2 == 1;
		struct tls_pair p;
		enum tls_step step;

		pair_init(&p, &so);
		pair_connect(&p, contexts[i / 2], &pair_peer);
		step = pair_shake(&p, SIZE_MAX);
		/* With TLS 1.3 it hears of it after the handshake. */
		assert_int_equal(step, comes || late ? TLS_DONE : TLS_FAILED);
		if (comes) {
			pair_say(&p, "hello");
			pair_server_hear(&p, "hello");
			assert_string_equal(tls_problem(&p.conn), "");
		} else {
			if (late)
				assert_int_equal(pair_read(&p), CONN_GOT_ERROR);
			assert_true(tls_was_refused(&p.conn));
			if (strstr(tls_problem(&p.conn),
				    "it refused with the alert \"") == NULL)
				fail_msg("%s", tls_problem(&p.conn));
		}
		pair_close(&p);
	}
	tls_context_unref(contexts[0]);
	tls_context_unref(contexts[1]);
}

static int
on_verify(X509_STORE_CTX *store, void *arg)
{
	X509_STORE_CTX_set_error(store, *(const int *)arg);
	return 0;
}

/* Whatever else it says may come when it has taken a request. */
static void
only_some_alerts_refuse_us(void **state)
{
	static int error;
	static const struct {
		int error;
		const char *problem;
		bool refuses;
	} rows[] = {
		{ X509_V_ERR_CERT_HAS_EXPIRED,
			"it refused with the alert \"certificate expired\" "
			"(45)",
			true },
		{ X509_V_ERR_CERT_REJECTED,
			"it refused with the alert \"bad certificate\" (42)",
			true },
		{ X509_V_ERR_OUT_OF_MEM,
			"it refused with the alert \"internal error\" (80)",
			false },
	};
	struct tls_context *context = pair_context_mutual();
	struct tls_pair p;

	(void)state;
	pair_init(&p, &(struct tls_server_options){ .own = &pair_good,
			      .wants = &pair_authority,
			      .version = TLS1_3_VERSION });
	SSL_CTX_set_cert_verify_callback(p.ctx, on_verify, &error);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		error = rows[i].error;
		pair_connect(&p, context, &pair_peer);
		assert_int_equal(pair_shake(&p, SIZE_MAX), TLS_DONE);
		assert_int_equal(pair_read(&p), CONN_GOT_ERROR);
		assert_string_equal(tls_problem(&p.conn), rows[i].problem);
		assert_int_equal(tls_was_refused(&p.conn), rows[i].refuses);
		pair_disconnect(&p);
	}
	pair_fini(&p);
	tls_context_unref(context);
}

static void
protocols_are_agreed_on(void **state)
{
	static const char *const offered[] = { "http/1.1", "http/1.0", NULL };
	static const struct {
		const char *server, *agreed;
	} rows[] = {
		{ NULL, "" },
		{ "http/1.1", "http/1.1" },
		{ "http/1.0", "http/1.0" },
		{ "h2", "" },
	};
	const struct tls_options o = { .ca = certificate_text(&pair_authority),
		.alpn = offered };
	struct tls_context *context = pair_context(&o);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tls_pair p;

		pair_open(&p,
			&(struct tls_server_options){
				.own = &pair_good, .alpn = rows[i].server },
			context);
		assert_string_equal(tls_alpn(&p.conn), rows[i].agreed);
		pair_close(&p);
	}
	tls_context_unref(context);
}

static void
sessions_are_resumed(void **state)
{
	struct tls_context *context = pair_context_plain();

	(void)state;
	for (size_t v = 0; v < ARRAY_SIZE(pair_versions); v++) {
		struct tls_kept *kept = NULL;
		struct tls_pair p;

		pair_init(&p, &(struct tls_server_options){ .own = &pair_good,
				      .version = pair_versions[v] });
		for (unsigned i = 0; i < 4; i++) {
			struct tls_peer peer = pair_peer;

			peer.resume = kept;
			pair_connect(&p, context, &peer);
			assert_int_equal(pair_shake(&p, SIZE_MAX), TLS_DONE);
			assert_int_equal(tls_is_resumed(&p.conn), i > 0);
			assert_int_equal(SSL_session_reused(p.ssl), i > 0);
			tls_kept_free(kept);
			/* The tickets of TLS 1.3 are read with the rest. */
			assert_int_equal(pair_read(&p), CONN_GOT_NOTHING);
			kept = tls_keep(&p.conn);
			assert_non_null(kept);
			/* One that ended in order stays good. */
			pair_disconnect(&p);
		}
		tls_kept_free(kept);
		pair_fini(&p);
	}
	tls_context_unref(context);
}

/* What is verified at the first handshake is not at a resumed one: a session
 * is of no use longer than its certificate. Here the server's is of no use to
 * others, because it does not know them. */
static void
foreign_sessions_are_handshakes(void **state)
{
	struct tls_context *context = pair_context_plain();
	struct tls_peer peer = pair_peer;
	struct tls_kept *kept;
	struct certificate old;
	struct tls_pair a, b;

	(void)state;
	certificate_make(&old,
		&(struct certificate_options){ .name = "old",
			.names = "DNS:good.test",
			.from_days = -9,
			.to_days = -1 },
		&pair_authority);
	pair_open(
		&a, &(struct tls_server_options){ .own = &pair_good }, context);
	pair_read(&a);
	kept = tls_keep(&a.conn);
	assert_non_null(kept);
	pair_close(&a);
	peer.resume = kept;
	pair_init(&b, &(struct tls_server_options){ .own = &old });
	pair_connect(&b, context, &peer);
	assert_int_equal(pair_shake(&b, SIZE_MAX), TLS_FAILED);
	assert_non_null(strstr(tls_problem(&b.conn), "has expired"));
	pair_close(&b);
	tls_kept_free(kept);
	certificate_drop(&old);
	tls_context_unref(context);
}

/* The server's flights, cut once at every place. */
static void
a_handshake_may_be_cut_anywhere(void **state)
{
	struct tls_context *context = pair_context_plain();
	size_t at = 0;
	bool all = false;
	struct tls_pair p;

	(void)state;
	pair_init(&p, &(struct tls_server_options){ .own = &pair_good });
	for (; !all; at += 7) {
		pair_connect(&p, context, &pair_peer);
		assert_int_equal(tls_client_step(&p.conn), TLS_WANTS_MORE);
		pair_server_take(&p);
		SSL_do_handshake(p.ssl);
		all = at >= BIO_ctrl_pending(p.out);
		pair_server_give(&p, at);
		assert_int_equal(tls_client_step(&p.conn),
			all ? TLS_DONE : TLS_WANTS_MORE);
		/* There the server ends. */
		pair_server_end(&p);
		if (!all) {
			assert_int_equal(tls_client_step(&p.conn), TLS_FAILED);
			assert_string_equal(tls_problem(&p.conn),
				"it closed the connection during the "
				"handshake");
		}
		pair_disconnect(&p);
	}
	assert_true(at > 500);
	pair_fini(&p);
	tls_context_unref(context);
}

static void
what_is_no_tls_is_named(void **state)
{
	static const struct {
		const char *bytes, *problem;
	} rows[] = {
		{ "HTTP/1.1 400 Bad Request\r\n\r\n",
			"what it says is not TLS" },
		{ "SSH-2.0-OpenSSH_9.2\r\n", "what it says is not TLS" },
		{ "\x15\x03\x03\x00\x02\x02\x28",
			"it refused with the alert \"handshake failure\" "
			"(40)" },
		{ "\x16\x03\x03\x00\x04\x02\x00\x00\x00", "the handshake: " },
		{ "", "it closed the connection during the handshake" },
	};
	struct tls_context *context = pair_context_plain();
	struct tls_pair p;

	(void)state;
	pair_init(&p, &(struct tls_server_options){ .own = &pair_good });
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t length = i == 2 ? 7 : i == 3 ? 9 : strlen(rows[i].bytes);

		pair_connect(&p, context, &pair_peer);
		assert_int_equal(tls_client_step(&p.conn), TLS_WANTS_MORE);
		if (length > 0)
			send(p.fd, rows[i].bytes, length, 0);
		else
			shutdown(p.fd, SHUT_WR);
		assert_int_equal(tls_client_step(&p.conn), TLS_FAILED);
		if (strstr(tls_problem(&p.conn), rows[i].problem) == NULL)
			fail_msg("%zu: %s", i, tls_problem(&p.conn));
		pair_disconnect(&p);
	}
	pair_fini(&p);
	tls_context_unref(context);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_come_with_certificates),
		cmocka_unit_test(only_some_alerts_refuse_us),
		cmocka_unit_test(protocols_are_agreed_on),
		cmocka_unit_test(sessions_are_resumed),
		cmocka_unit_test(foreign_sessions_are_handshakes),
		cmocka_unit_test(a_handshake_may_be_cut_anywhere),
		cmocka_unit_test(what_is_no_tls_is_named),
	};

	return cmocka_run_group_tests(tests, pair_setup, pair_teardown);
}
