/* Tests userspace/net/tls_verify.c: whom a client of TLS accepts. */
#include "net/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/ssl.h>
#include <string.h>

#include "base/mem.h"
#include "tests/lib/tls_pair.h"

static struct certificate stranger, middle, chained, old, young, self, wild,
	misnamed, address, plain, uri, for_clients, old_authority, of_old;

static const struct certificate_row made[] = {
	{ &stranger, NULL, { .name = "stranger", .authority = true } },
	{ &middle, &pair_authority, { .name = "middle", .authority = true } },
	{ &chained, &middle, { .name = "chained", .names = "DNS:good.test" } },
	{ &old, &pair_authority,
		{ .name = "old",
			.names = "DNS:good.test",
			.from_days = -9,
			.to_days = -1 } },
	{ &young, &pair_authority,
		{ .name = "young",
			.names = "DNS:good.test",
			.from_days = 1,
			.to_days = 9 } },
	{ &self, NULL, { .name = "good.test", .names = "DNS:good.test" } },
	{ &wild, &pair_authority,
		{ .name = "wild",
			.names = "DNS:*.wild.test,DNS:part*.test,"
				 "DNS:other.test" } },
	{ &misnamed, &pair_authority,
		{ .name = "127.0.0.1",
			.names = "IP:127.0.0.2,DNS:127.0.0.1" } },
	{ &address, &pair_authority,
		{ .name = "127.0.0.1",
			.names = "IP:127.0.0.1,IP:2001:db8::1" } },
	{ &plain, &pair_authority, { .name = "good.test" } },
	{ &uri, &pair_authority,
		{ .name = "uri", .names = "URI:spiffe://x/y,email:a@b.test" } },
	{ &for_clients, &pair_authority,
		{ .name = "c",
			.names = "DNS:good.test",
			.purpose = "clientAuth" } },
	{ &old_authority, NULL,
		{ .name = "old authority",
			.authority = true,
			.from_days = -9,
			.to_days = -1 } },
	{ &of_old, &old_authority,
		{ .name = "late", .names = "DNS:good.test" } },
};

static int
setup(void **state)
{
	pair_setup(state);
	certificates_make(made, ARRAY_SIZE(made));
	return 0;
}

static int
teardown(void **state)
{
	certificates_drop(made, ARRAY_SIZE(made));
	return pair_teardown(state);
}

static void
certificates_are_judged(void **state)
{
	static const char *const san[] = { "nobody.test", "spiffe://x/y",
		NULL };
	static const char *const mail[] = { "a@b.test", NULL };
	static const char *const wrong[] = { "spiffe://x/z", "x.test", NULL };
	static const char *const ip[] = { "127.0.0.1", NULL };
	const struct {
		const struct certificate *own, *chain, *trusted;
		const char *name;
		const char *const *names;
		const char *problem; /* NULL: accepted */
	} rows[] = {
		{ &pair_good, NULL, &pair_authority, "good.test", NULL, NULL },
		{ &pair_good, NULL, &pair_authority, "GOOD.test.", NULL, NULL },
		{ &pair_good, NULL, &pair_authority, "other.test", NULL,
			"its certificate is for good.test, not for "
			"other.test" },
		{ &pair_good, NULL, &pair_authority, "test", NULL,
			"its certificate is for good.test, not for test" },
		{ &pair_good, NULL, &pair_authority, ".test", NULL,
			"its certificate is for good.test, not for .test" },
		{ &old, NULL, &pair_authority, "good.test", NULL,
			"its certificate (CN=old) has expired: it was valid "
			"until 2" },
		{ &young, NULL, &pair_authority, "good.test", NULL,
			"its certificate (CN=young) is not valid before 2" },
		{ &self, NULL, &pair_authority, "good.test", NULL,
			"its certificate (CN=good.test) is self-signed, and "
			"none of those that are trusted" },
		/* Who trusts it may. */
		{ &self, NULL, &self, "good.test", NULL, NULL },
		{ &pair_good, NULL, &stranger, "good.test", NULL,
			"its certificate (CN=good) comes from CN=authority, "
			"which is neither sent along nor one of those that "
			"are trusted" },
		{ &pair_good, &pair_authority, &stranger, "good.test", NULL,
			"its certificate comes from CN=authority, which is "
			"none of those that are trusted" },
		{ &chained, &middle, &pair_authority, "good.test", NULL, NULL },
		{ &chained, NULL, &middle, "good.test", NULL, NULL },
		{ &chained, NULL, &pair_authority, "good.test", NULL,
			"its certificate (CN=chained) comes from CN=middle, "
			"which is neither" },
		{ &of_old, NULL, &old_authority, "good.test", NULL,
			"the certificate of an issuer (CN=old authority) has "
			"expired" },
		{ &for_clients, NULL, &pair_authority, "good.test", NULL,
			"its certificate (CN=c) is no good: unsuitable "
			"certificate purpose" },
		{ &wild, NULL, &pair_authority, "a.wild.test", NULL, NULL },
		{ &wild, NULL, &pair_authority, "other.test", NULL, NULL },
		{ &wild, NULL, &pair_authority, "a.b.wild.test", NULL,
			"its certificate is for *.wild.test, part*.test, "
			"other.test, not for a.b.wild.test" },
		{ &wild, NULL, &pair_authority, "wild.test", NULL, "not for" },
		{ &wild, NULL, &pair_authority, "parts.test", NULL, "not for" },
		{ &address, NULL, &pair_authority, "127.0.0.1", NULL, NULL },
		{ &address, NULL, &pair_authority, "2001:db8:0::1", NULL,
			NULL },
		{ &address, NULL, &pair_authority, "127.0.0.2", NULL,
			"its certificate is for 127.0.0.1, 2001:db8::1, not "
			"for 127.0.0.2" },
		{ &misnamed, NULL, &pair_authority, "127.0.0.1", NULL,
			"its certificate is for 127.0.0.2, 127.0.0.1 (as a DNS "
			"name, not as an IP address), not for 127.0.0.1" },
		{ &pair_good, NULL, &pair_authority, "127.0.0.1", NULL,
			"not for" },
		/* A common name counts for nothing. */
		{ &plain, NULL, &pair_authority, "good.test", NULL,
			"its certificate is not for good.test: it names "
			"nobody in subjectAltName" },
		{ &uri, NULL, &pair_authority, "good.test", san, NULL },
		{ &uri, NULL, &pair_authority, "", san, NULL },
		{ &uri, NULL, &pair_authority, "good.test", mail, NULL },
		{ &uri, NULL, &pair_authority, "good.test", wrong,
			"its certificate is for spiffe://x/y, a@b.test, not "
			"for spiffe://x/z or x.test" },
		/* The list takes the place of the name. */
		{ &pair_good, NULL, &pair_authority, "good.test", wrong,
			"not for" },
		{ &address, NULL, &pair_authority, "good.test", ip, NULL },
	};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		const struct tls_server_options so = { .own = rows[i / 2].own,
			.chain = rows[i / 2].chain,
			.version = pair_versions[i % 2] };
		const struct tls_options co = { .ca = certificate_text(
							rows[i / 2].trusted) };
		const struct tls_peer peer = { .server_name = rows[i / 2].name,
			.names = rows[i / 2].names };
		struct tls_context *context = pair_context(&co);
		const char *want = rows[i / 2].problem;
		struct tls_pair p;
		enum tls_step step;

		pair_init(&p, &so);
		pair_connect(&p, context, &peer);
		step = pair_shake(&p, SIZE_MAX);
		if (step != (want == NULL ? TLS_DONE : TLS_FAILED) ||
			strncmp(tls_problem(&p.conn), want != NULL ? want : "",
				want == NULL ? 1 : 0) != 0 ||
			(want != NULL &&
				strstr(tls_problem(&p.conn), want) == NULL))
			fail_msg("%zu: %d \"%s\"", i / 2, step,
				tls_problem(&p.conn));
		/* Nothing of a request reaches who is not accepted. */
		if (want != NULL) {
			const struct iovec iov = { (void *)(uintptr_t) "x", 1 };

			assert_int_equal(conn_send(&p.conn, &iov, 1), -1);
			assert_null(tls_keep(&p.conn));
		}
		pair_close(&p);
		tls_context_unref(context);
	}
}

/* The name that is asked for. */
static void
server_names_are_sent(void **state)
{
	static const char *const any[] = { "good.test", NULL };
	static const struct {
		const char *name, *sent; /* NULL: none */
	} rows[] = {
		{ "good.test", "good.test" },
		{ "Good.Test.", "Good.Test" },
		{ "127.0.0.1", NULL },
		{ "::1", NULL },
		{ "", NULL },
	};
	struct tls_context *context = pair_context_plain();
	struct error err = ERROR_INIT;
	struct conn none = { .fd = -1 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct tls_peer peer = { rows[i].name, any, NULL };
		const char *sent;
		struct tls_pair p;

		pair_init(
			&p, &(struct tls_server_options){ .own = &pair_good });
		pair_connect(&p, context, &peer);
		assert_int_equal(pair_shake(&p, SIZE_MAX), TLS_DONE);
		sent = SSL_get_servername(p.ssl, TLSEXT_NAMETYPE_host_name);
		if (rows[i].sent == NULL)
			assert_null(sent);
		else
			assert_string_equal(sent, rows[i].sent);
		pair_close(&p);
	}
	/* Verification cannot be left out. */
	assert_int_equal(
		tls_client_begin(&none, context, &(struct tls_peer){ 0 }, &err),
		-1);
	assert_string_equal(err.text,
		"there is no name that its certificate has to be for");
	tls_context_unref(context);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_are_judged),
		cmocka_unit_test(server_names_are_sent),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
