/*
 * Tests userspace/net/tls*.c over socket pairs: the server is OpenSSL's, its
 * bytes go through our hands, so that they can be cut where we like.
 */
#include "net/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/loop.h"
#include "tests/lib/certificates.h"

#define MEGABYTE (1u << 20)

static struct certificate authority, middle, stranger;
static struct certificate good, old, young, self, wild, address, misnamed,
	plain, client, uri, chained, for_clients, old_authority, of_old;

struct server_options {
	const struct certificate *own;
	const struct certificate *chain; /* sent along */
	const struct certificate *wants; /* clients' authority */
	int version;                     /* 0: any */
	const char *alpn;
};

struct server {
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out; /* memory: what comes from the client, goes to it */
	int fd;
	const char *alpn;
};

struct client {
	struct loop *loop;
	struct conn_pool *pool;
	struct conn conn;
	uint64_t received, sent;
	struct server *server;
	struct str got;
	bool ended, broken;
};

/* ---- the server */

static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length,
	const unsigned char *in, unsigned in_length, void *arg)
{
	const char *alpn = arg;
	unsigned char list[64];

	(void)ssl;
	list[0] = (unsigned char)strlen(alpn);
	memcpy(list + 1, alpn, list[0]);
	return SSL_select_next_proto((unsigned char **)(uintptr_t)out,
		       out_length, list, list[0] + 1u, in,
		       in_length) == OPENSSL_NPN_NEGOTIATED
		       ? SSL_TLSEXT_ERR_OK
		       : SSL_TLSEXT_ERR_NOACK;
}

static void
server_init(struct server *s, const struct server_options *o)
{
	memset(s, 0, sizeof(*s));
	s->fd = -1;
	s->alpn = o->alpn;
	s->ctx = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate(s->ctx, o->own->cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(s->ctx, o->own->key), 1);
	SSL_CTX_set_session_id_context(s->ctx, (const unsigned char *)"t", 1);
	if (o->chain != NULL)
		SSL_CTX_add1_chain_cert(s->ctx, o->chain->cert);
	if (o->wants != NULL) {
		X509_STORE_add_cert(
			SSL_CTX_get_cert_store(s->ctx), o->wants->cert);
		SSL_CTX_set_verify(s->ctx,
			SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
			NULL);
	}
	if (o->version != 0) {
		SSL_CTX_set_min_proto_version(s->ctx, o->version);
		SSL_CTX_set_max_proto_version(s->ctx, o->version);
	}
	if (o->alpn != NULL)
		SSL_CTX_set_alpn_select_cb(
			s->ctx, on_alpn, (void *)(uintptr_t)o->alpn);
}

static void
server_fini(struct server *s)
{
	SSL_CTX_free(s->ctx);
}

/* One connection of it. */
static void
server_accept(struct server *s, int fd)
{
	s->fd = fd;
	s->ssl = SSL_new(s->ctx);
	s->in = BIO_new(BIO_s_mem());
	s->out = BIO_new(BIO_s_mem());
	SSL_set_bio(s->ssl, s->in, s->out);
	SSL_set_accept_state(s->ssl);
}

static void
server_drop(struct server *s)
{
	SSL_free(s->ssl);
	s->ssl = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* Takes what the client sent, all of it; false: it has ended. */
static bool
server_take(struct server *s)
{
	char bytes[65536];
	ssize_t n;

	while ((n = recv(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		BIO_write(s->in, bytes, (int)n);
	return n != 0;
}

/* At most so many of the bytes that it has for the client; true: there were
 * any. */
static bool
server_give(struct server *s, size_t most)
{
	char bytes[65536];
	bool any = false;

	while (most > 0) {
		size_t room = most < sizeof(bytes) ? most : sizeof(bytes);
		int n = BIO_read(s->out, bytes, (int)room);

		if (n <= 0)
			break;
		assert_int_equal(
			send(s->fd, bytes, (size_t)n, MSG_NOSIGNAL), n);
		most -= (size_t)n;
		any = true;
	}
	return any;
}

static void
server_say(struct server *s, const char *text)
{
	assert_int_equal(
		SSL_write(s->ssl, text, (int)strlen(text)), (int)strlen(text));
}

static void
server_hear(struct server *s, const char *text)
{
	char bytes[256] = "";
	int n;

	server_take(s);
	n = SSL_read(s->ssl, bytes, sizeof(bytes) - 1);
	if (n <= 0 || strcmp(bytes, text) != 0)
		fail_msg("heard \"%s\" (%d)", bytes, n);
}

/* ---- the client */

static void
on_event(struct conn *c, unsigned what)
{
	(void)c;
	(void)what;
}

static void
client_open(struct client *c, struct server *s, struct tls_context *context,
	const struct tls_peer *peer)
{
	struct error err = ERROR_INIT;
	int fds[2];

	memset(c, 0, sizeof(*c));
	str_init(&c->got);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	c->loop = loop_new();
	c->pool = conn_pool_new(c->loop);
	c->server = s;
	conn_init(&c->conn, c->pool, fds[0], false, on_event);
	c->conn.received = &c->received;
	c->conn.sent = &c->sent;
	server_accept(s, fds[1]);
	if (tls_client_begin(&c->conn, context, peer, &err) < 0)
		fail_msg("%s", err.text);
}

static void
client_close(struct client *c)
{
	conn_fini(&c->conn);
	conn_pool_free(c->pool);
	loop_free(c->loop);
	str_fini(&c->got);
	server_drop(c->server);
}

static enum conn_got client_read(struct client *c);

/* Bytes go to and fro, so many at once, until nothing moves. */
static enum tls_step
shake(struct client *c, size_t at_once)
{
	struct server *s = c->server;
	enum tls_step step = tls_client_step(&c->conn);

	for (;;) {
		bool moved;

		server_take(s);
		SSL_do_handshake(s->ssl);
		moved = server_give(s, at_once);
		if (step != TLS_WANTS_MORE)
			break;
		step = tls_client_step(&c->conn);
		if (step == TLS_WANTS_MORE && !moved &&
			BIO_ctrl_pending(s->out) == 0)
			break;
	}
	server_take(s);
	SSL_do_handshake(s->ssl);
	/* There is room for few that come alone. */
	while (server_give(s, at_once))
		if (at_once == 1)
			client_read(c);
	return step;
}

/* Reads until there is no more. */
static enum conn_got
client_read(struct client *c)
{
	char bytes[4096];
	enum conn_got got;
	size_t n;

	do {
		got = conn_receive(&c->conn, bytes, sizeof(bytes), &n);
		str_append(&c->got, bytes, n);
	} while (got == CONN_GOT_DATA);
	return got;
}

static void
client_say(struct client *c, const char *text)
{
	const struct iovec iov = { (void *)(uintptr_t)text, strlen(text) };

	assert_int_equal(conn_send(&c->conn, &iov, 1), 0);
}

/* ---- contexts */

static struct tls_context *
context_of(const struct tls_options *o)
{
	struct error err = ERROR_INIT;
	struct tls_context *c = tls_context_new(o, &err);

	if (c == NULL)
		fail_msg("%s", err.text);
	return c;
}

static struct tls_context *
context_plain(void)
{
	return context_of(
		&(struct tls_options){ .ca = certificate_text(&authority) });
}

static const struct tls_peer peer_good = { .server_name = "good.test" };

static int
group_setup(void **state)
{
#define MAKE(what, by, ...)                                                    \
	certificate_make(                                                      \
		&what, &(struct certificate_options){ __VA_ARGS__ }, by)
	(void)state;
	MAKE(authority, NULL, .name = "authority", .authority = true);
	MAKE(stranger, NULL, .name = "stranger", .authority = true);
	MAKE(middle, &authority, .name = "middle", .authority = true);
	MAKE(old_authority, NULL, .name = "old authority", .authority = true,
		.from_days = -9, .to_days = -1);
	MAKE(good, &authority, .name = "good", .names = "DNS:good.test");
	MAKE(old, &authority, .name = "old", .names = "DNS:good.test",
		.from_days = -9, .to_days = -1);
	MAKE(young, &authority, .name = "young", .names = "DNS:good.test",
		.from_days = 1, .to_days = 9);
	MAKE(self, NULL, .name = "good.test", .names = "DNS:good.test");
	MAKE(wild, &authority, .name = "wild",
		.names = "DNS:*.wild.test,DNS:part*.test,DNS:other.test");
	MAKE(misnamed, &authority, .name = "127.0.0.1",
		.names = "IP:127.0.0.2,DNS:127.0.0.1");
	MAKE(address, &authority, .name = "127.0.0.1",
		.names = "IP:127.0.0.1,IP:2001:db8::1");
	MAKE(plain, &authority, .name = "good.test");
	MAKE(uri, &authority, .name = "uri",
		.names = "URI:spiffe://x/y,email:a@b.test");
	MAKE(client, &authority, .name = "client", .purpose = "clientAuth");
	MAKE(for_clients, &authority, .name = "c", .names = "DNS:good.test",
		.purpose = "clientAuth");
	MAKE(chained, &middle, .name = "chained", .names = "DNS:good.test");
	MAKE(of_old, &old_authority, .name = "late", .names = "DNS:good.test");
#undef MAKE
	return 0;
}

static int
group_teardown(void **state)
{
	struct certificate *all[] = { &authority, &middle, &stranger, &good,
		&old, &young, &self, &wild, &address, &misnamed, &plain,
		&client, &uri, &chained, &for_clients, &old_authority,
		&of_old };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		certificate_drop(all[i]);
	return 0;
}

/* ---- who is accepted */

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
		{ &good, NULL, &authority, "good.test", NULL, NULL },
		{ &good, NULL, &authority, "GOOD.test.", NULL, NULL },
		{ &good, NULL, &authority, "other.test", NULL,
			"its certificate is for good.test, not for "
			"other.test" },
		{ &good, NULL, &authority, "test", NULL,
			"its certificate is for good.test, not for test" },
		{ &good, NULL, &authority, ".test", NULL,
			"its certificate is for good.test, not for .test" },
		{ &old, NULL, &authority, "good.test", NULL,
			"its certificate (CN=old) has expired: it was valid "
			"until 2" },
		{ &young, NULL, &authority, "good.test", NULL,
			"its certificate (CN=young) is not valid before 2" },
		{ &self, NULL, &authority, "good.test", NULL,
			"its certificate (CN=good.test) is self-signed, and "
			"none of those that are trusted" },
		/* Who trusts it may. */
		{ &self, NULL, &self, "good.test", NULL, NULL },
		{ &good, NULL, &stranger, "good.test", NULL,
			"its certificate (CN=good) comes from CN=authority, "
			"which is neither sent along nor one of those that "
			"are trusted" },
		{ &good, &authority, &stranger, "good.test", NULL,
			"its certificate comes from CN=authority, which is "
			"none of those that are trusted" },
		{ &chained, &middle, &authority, "good.test", NULL, NULL },
		{ &chained, NULL, &middle, "good.test", NULL, NULL },
		{ &chained, NULL, &authority, "good.test", NULL,
			"its certificate (CN=chained) comes from CN=middle, "
			"which is neither" },
		{ &of_old, NULL, &old_authority, "good.test", NULL,
			"the certificate of an issuer (CN=old authority) has "
			"expired" },
		{ &for_clients, NULL, &authority, "good.test", NULL,
			"its certificate (CN=c) is no good: unsuitable "
			"certificate purpose" },
		{ &wild, NULL, &authority, "a.wild.test", NULL, NULL },
		{ &wild, NULL, &authority, "other.test", NULL, NULL },
		{ &wild, NULL, &authority, "a.b.wild.test", NULL,
			"its certificate is for *.wild.test, part*.test, "
			"other.test, not for a.b.wild.test" },
		{ &wild, NULL, &authority, "wild.test", NULL, "not for" },
		{ &wild, NULL, &authority, "parts.test", NULL, "not for" },
		{ &address, NULL, &authority, "127.0.0.1", NULL, NULL },
		{ &address, NULL, &authority, "2001:db8:0::1", NULL, NULL },
		{ &address, NULL, &authority, "127.0.0.2", NULL,
			"its certificate is for 127.0.0.1, 2001:db8::1, not "
			"for 127.0.0.2" },
		{ &misnamed, NULL, &authority, "127.0.0.1", NULL,
			"its certificate is for 127.0.0.2, 127.0.0.1 (as a DNS "
			"name, not as an IP address), not for 127.0.0.1" },
		{ &good, NULL, &authority, "127.0.0.1", NULL, "not for" },
		/* A common name counts for nothing. */
		{ &plain, NULL, &authority, "good.test", NULL,
			"its certificate is not for good.test: it names "
			"nobody in subjectAltName" },
		{ &uri, NULL, &authority, "good.test", san, NULL },
		{ &uri, NULL, &authority, "", san, NULL },
		{ &uri, NULL, &authority, "good.test", mail, NULL },
		{ &uri, NULL, &authority, "good.test", wrong,
			"its certificate is for spiffe://x/y, a@b.test, not "
			"for spiffe://x/z or x.test" },
		/* The list takes the place of the name. */
		{ &good, NULL, &authority, "good.test", wrong, "not for" },
		{ &address, NULL, &authority, "good.test", ip, NULL },
	};
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		const struct server_options so = { .own = rows[i / 2].own,
			.chain = rows[i / 2].chain,
			.version = versions[i % 2] };
		const struct tls_options co = { .ca = certificate_text(
							rows[i / 2].trusted) };
		const struct tls_peer peer = { .server_name = rows[i / 2].name,
			.names = rows[i / 2].names };
		struct tls_context *context = context_of(&co);
		const char *want = rows[i / 2].problem;
		struct server s;
		struct client c;
		enum tls_step step;

		server_init(&s, &so);
		client_open(&c, &s, context, &peer);
		step = shake(&c, SIZE_MAX);
		if (step != (want == NULL ? TLS_DONE : TLS_FAILED) ||
			strncmp(tls_problem(&c.conn), want != NULL ? want : "",
				want == NULL ? 1 : 0) != 0 ||
			(want != NULL &&
				strstr(tls_problem(&c.conn), want) == NULL))
			fail_msg("%zu: %d \"%s\"", i / 2, step,
				tls_problem(&c.conn));
		/* Nothing of a request reaches who is not accepted. */
		if (want != NULL) {
			const struct iovec iov = { (void *)(uintptr_t) "x", 1 };

			assert_int_equal(conn_send(&c.conn, &iov, 1), -1);
			assert_null(tls_keep(&c.conn));
		}
		client_close(&c);
		server_fini(&s);
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
	struct tls_context *context = context_plain();
	struct error err = ERROR_INIT;
	struct conn none = { .fd = -1 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct tls_peer peer = { rows[i].name, any, NULL };
		const char *sent;
		struct server s;
		struct client c;

		server_init(&s, &(struct server_options){ .own = &good });
		client_open(&c, &s, context, &peer);
		assert_int_equal(shake(&c, SIZE_MAX), TLS_DONE);
		sent = SSL_get_servername(s.ssl, TLSEXT_NAMETYPE_host_name);
		if (rows[i].sent == NULL)
			assert_null(sent);
		else
			assert_string_equal(sent, rows[i].sent);
		client_close(&c);
		server_fini(&s);
	}
	/* Verification cannot be left out. */
	assert_int_equal(
		tls_client_begin(&none, context, &(struct tls_peer){ 0 }, &err),
		-1);
	assert_string_equal(err.text,
		"there is no name that its certificate has to be for");
	tls_context_unref(context);
}

static void
clients_come_with_certificates(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	const struct tls_options with = { .ca = certificate_text(&authority),
		.cert = certificate_text(&client),
		.key = certificate_key_text(&client) };
	struct tls_context *contexts[] = { context_plain(), context_of(&with) };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		const struct server_options so = { .own = &good,
			.wants = &authority,
			.version = versions[i % 2] };
		bool comes = i / 2 == 1, late = i % 2 == 1;
		struct server s;
		struct client c;
		enum tls_step step;

		server_init(&s, &so);
		client_open(&c, &s, contexts[i / 2], &peer_good);
		step = shake(&c, SIZE_MAX);
		/* With TLS 1.3 it hears of it after the handshake. */
		assert_int_equal(step, comes || late ? TLS_DONE : TLS_FAILED);
		if (comes) {
			client_say(&c, "hello");
			server_hear(&s, "hello");
			assert_string_equal(tls_problem(&c.conn), "");
		} else {
			if (late)
				assert_int_equal(
					client_read(&c), CONN_GOT_ERROR);
			assert_true(tls_was_refused(&c.conn));
			if (strstr(tls_problem(&c.conn),
				    "it refused with the alert \"") == NULL)
				fail_msg("%s", tls_problem(&c.conn));
		}
		client_close(&c);
		server_fini(&s);
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
	const struct tls_options with = { .ca = certificate_text(&authority),
		.cert = certificate_text(&client),
		.key = certificate_key_text(&client) };
	struct tls_context *context = context_of(&with);
	struct server s;

	(void)state;
	server_init(&s,
		&(struct server_options){ .own = &good,
			.wants = &authority,
			.version = TLS1_3_VERSION });
	SSL_CTX_set_cert_verify_callback(s.ctx, on_verify, &error);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct client c;

		error = rows[i].error;
		client_open(&c, &s, context, &peer_good);
		assert_int_equal(shake(&c, SIZE_MAX), TLS_DONE);
		assert_int_equal(client_read(&c), CONN_GOT_ERROR);
		assert_string_equal(tls_problem(&c.conn), rows[i].problem);
		assert_int_equal(tls_was_refused(&c.conn), rows[i].refuses);
		client_close(&c);
	}
	server_fini(&s);
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
	const struct tls_options o = { .ca = certificate_text(&authority),
		.alpn = offered };
	struct tls_context *context = context_of(&o);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct server s;
		struct client c;

		server_init(&s, &(struct server_options){
					.own = &good, .alpn = rows[i].server });
		client_open(&c, &s, context, &peer_good);
		assert_int_equal(shake(&c, SIZE_MAX), TLS_DONE);
		assert_string_equal(tls_alpn(&c.conn), rows[i].agreed);
		client_close(&c);
		server_fini(&s);
	}
	tls_context_unref(context);
}

static void
sessions_are_resumed(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_context *context = context_plain();

	(void)state;
	for (size_t v = 0; v < ARRAY_SIZE(versions); v++) {
		struct tls_kept *kept = NULL;
		struct server s;

		server_init(&s, &(struct server_options){
					.own = &good, .version = versions[v] });
		for (unsigned i = 0; i < 4; i++) {
			struct tls_peer peer = peer_good;
			struct client c;

			peer.resume = kept;
			client_open(&c, &s, context, &peer);
			assert_int_equal(shake(&c, SIZE_MAX), TLS_DONE);
			assert_int_equal(tls_is_resumed(&c.conn), i > 0);
			assert_int_equal(SSL_session_reused(s.ssl), i > 0);
			tls_kept_free(kept);
			/* The tickets of TLS 1.3 are read with the rest. */
			assert_int_equal(client_read(&c), CONN_GOT_NOTHING);
			kept = tls_keep(&c.conn);
			assert_non_null(kept);
			/* One that ended in order stays good. */
			client_close(&c);
		}
		tls_kept_free(kept);
		server_fini(&s);
	}
	tls_context_unref(context);
}

/* What is verified at the first handshake is not at a resumed one: a session
 * is of no use longer than its certificate. Here the server's is of no use to
 * others, because it does not know them. */
static void
foreign_sessions_are_handshakes(void **state)
{
	struct tls_context *context = context_plain();
	struct tls_peer peer = peer_good;
	struct tls_kept *kept;
	struct server a, b;
	struct client c;

	(void)state;
	server_init(&a, &(struct server_options){ .own = &good });
	server_init(&b, &(struct server_options){ .own = &old });
	client_open(&c, &a, context, &peer);
	assert_int_equal(shake(&c, SIZE_MAX), TLS_DONE);
	client_read(&c);
	kept = tls_keep(&c.conn);
	assert_non_null(kept);
	client_close(&c);
	peer.resume = kept;
	client_open(&c, &b, context, &peer);
	assert_int_equal(shake(&c, SIZE_MAX), TLS_FAILED);
	assert_non_null(strstr(tls_problem(&c.conn), "has expired"));
	client_close(&c);
	tls_kept_free(kept);
	server_fini(&a);
	server_fini(&b);
	tls_context_unref(context);
}

/* ---- bytes */

static void
every_byte_may_come_alone(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	const struct tls_options with = { .ca = certificate_text(&authority),
		.cert = certificate_text(&client),
		.key = certificate_key_text(&client) };
	struct tls_context *context = context_of(&with);

	(void)state;
	for (size_t v = 0; v < ARRAY_SIZE(versions); v++) {
		struct server s;
		struct client c;

		server_init(&s, &(struct server_options){ .own = &chained,
					.chain = &middle,
					.wants = &authority,
					.version = versions[v] });
		client_open(&c, &s, context, &peer_good);
		assert_int_equal(shake(&c, 1), TLS_DONE);
		client_say(&c, "question");
		server_hear(&s, "question");
		server_say(&s, "answer");
		while (server_give(&s, 1))
			assert_int_equal(client_read(&c), CONN_GOT_NOTHING);
		assert_string_equal(c.got.data, "answer");
		client_close(&c);
		server_fini(&s);
	}
	tls_context_unref(context);
}

/* The server's flights, cut once at every place. */
static void
a_handshake_may_be_cut_anywhere(void **state)
{
	struct tls_context *context = context_plain();
	size_t at = 0;
	bool all = false;
	struct server s;

	(void)state;
	server_init(&s, &(struct server_options){ .own = &good });
	for (; !all; at += 7) {
		struct client c;

		client_open(&c, &s, context, &peer_good);
		assert_int_equal(tls_client_step(&c.conn), TLS_WANTS_MORE);
		server_take(&s);
		SSL_do_handshake(s.ssl);
		all = at >= BIO_ctrl_pending(s.out);
		server_give(&s, at);
		assert_int_equal(tls_client_step(&c.conn),
			all ? TLS_DONE : TLS_WANTS_MORE);
		/* There the server ends. */
		close(s.fd);
		s.fd = -1;
		if (!all) {
			assert_int_equal(tls_client_step(&c.conn), TLS_FAILED);
			assert_string_equal(tls_problem(&c.conn),
				"it closed the connection during the "
				"handshake");
		}
		client_close(&c);
	}
	assert_true(at > 500);
	server_fini(&s);
	tls_context_unref(context);
}

static void
an_end_is_told_from_a_cut(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_context *context = context_plain();

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		bool notified = i & 1, later = i & 2;
		struct server s;
		struct client c;

		server_init(&s, &(struct server_options){ .own = &good,
					.version = versions[i / 4] });
		client_open(&c, &s, context, &peer_good);
		assert_int_equal(shake(&c, SIZE_MAX), TLS_DONE);
		client_read(&c);
		server_say(&s, "some");
		server_give(&s, SIZE_MAX);
		if (later)
			client_read(&c);
		if (notified)
			SSL_shutdown(s.ssl);
		server_give(&s, SIZE_MAX);
		close(s.fd);
		s.fd = -1;
		assert_int_equal(client_read(&c),
			notified ? CONN_GOT_END : CONN_GOT_ERROR);
		assert_string_equal(c.got.data, "some");
		assert_int_equal(c.conn.failed, !notified);
		assert_string_equal(tls_problem(&c.conn),
			notified ? ""
				 : "it closed the connection without saying "
				   "so (close_notify)");
		assert_false(tls_was_refused(&c.conn));
		client_close(&c);
		server_fini(&s);
	}
	tls_context_unref(context);
}

/* What comes with the end in one piece is received before it, although no
 * event tells of the end. */
static void
bytes_before_an_end_are_not_lost(void **state)
{
	struct tls_context *context = context_plain();
	char bytes[64];
	struct server s;
	struct client c;
	size_t n;

	(void)state;
	server_init(&s, &(struct server_options){ .own = &good });
	client_open(&c, &s, context, &peer_good);
	assert_int_equal(shake(&c, SIZE_MAX), TLS_DONE);
	client_read(&c);
	server_say(&s, "last");
	SSL_shutdown(s.ssl);
	server_give(&s, SIZE_MAX);
	c.conn.readable = true;
	assert_int_equal(
		conn_receive(&c.conn, bytes, sizeof(bytes), &n), CONN_GOT_DATA);
	assert_int_equal(n, 4);
	/* So it is asked again. */
	assert_true(c.conn.readable);
	assert_int_equal(
		conn_receive(&c.conn, bytes, sizeof(bytes), &n), CONN_GOT_END);
	client_close(&c);
	server_fini(&s);
	tls_context_unref(context);
}

/* A server that refuses closes while the request is on its way. */
static void
what_was_said_is_read_after_a_broken_send(void **state)
{
	static char much[MEGABYTE];
	const struct iovec iov = { much, sizeof(much) };
	struct tls_context *context = context_plain();
	struct server s;
	struct client c;

	(void)state;
	server_init(&s, &(struct server_options){ .own = &good });
	client_open(&c, &s, context, &peer_good);
	assert_int_equal(shake(&c, SIZE_MAX), TLS_DONE);
	client_read(&c);
	server_say(&s, "no");
	SSL_shutdown(s.ssl);
	server_give(&s, SIZE_MAX);
	close(s.fd);
	s.fd = -1;
	assert_int_equal(conn_send(&c.conn, &iov, 1), -1);
	assert_true(c.conn.failed);
	assert_int_equal(client_read(&c), CONN_GOT_END);
	assert_string_equal(c.got.data, "no");
	client_close(&c);
	server_fini(&s);
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
	struct tls_context *context = context_plain();
	struct server s;

	(void)state;
	server_init(&s, &(struct server_options){ .own = &good });
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t length = i == 2 ? 7 : i == 3 ? 9 : strlen(rows[i].bytes);
		struct client c;

		client_open(&c, &s, context, &peer_good);
		assert_int_equal(tls_client_step(&c.conn), TLS_WANTS_MORE);
		if (length > 0)
			send(s.fd, rows[i].bytes, length, 0);
		else
			shutdown(s.fd, SHUT_WR);
		assert_int_equal(tls_client_step(&c.conn), TLS_FAILED);
		if (strstr(tls_problem(&c.conn), rows[i].problem) == NULL)
			fail_msg("%zu: %s", i, tls_problem(&c.conn));
		client_close(&c);
	}
	server_fini(&s);
	tls_context_unref(context);
}

/* ---- with a loop: little room in the sockets */

struct flow {
	struct client c;
	struct server s;
	struct loop_fd *watch; /* the server's */
	size_t to_send, sent, received, to_receive;
	bool broken;
};

static char
byte_at(size_t i)
{
	return (char)(i * 31 + i / 251);
}

static void
flow_check(struct flow *f, const char *bytes, size_t n, size_t at)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] != byte_at(at + i))
			f->broken = true;
}

static void
flow_done(struct flow *f)
{
	if (f->broken ||
		(f->received == f->to_receive && f->sent == f->to_send &&
			conn_queued(&f->c.conn) == 0))
		loop_stop(f->c.loop);
}

/* Client: reads all, and sends in pieces of odd sizes while little waits. */
static void
flow_go_on(struct flow *f)
{
	static char bytes[200000];
	struct conn *c = &f->c.conn;
	size_t n;

	while (c->readable && !f->broken) {
		if (conn_receive(c, bytes, 50001, &n) == CONN_GOT_ERROR)
			f->broken = true;
		flow_check(f, bytes, n, f->received);
		f->received += n;
	}
	while (f->sent < f->to_send && conn_queued(c) < 30000 && !f->broken) {
		struct iovec iov[7];
		size_t at = f->sent, used = 0;

		for (size_t i = 0; i < ARRAY_SIZE(iov); i++) {
			size_t length = (at * 7 + i * 4001) % 25000;

			if (length > f->to_send - at)
				length = f->to_send - at;
			iov[i] = (struct iovec){ bytes + used, length };
			for (size_t k = 0; k < length; k++)
				bytes[used++] = byte_at(at++);
		}
		f->sent = at;
		if (conn_send(c, iov, ARRAY_SIZE(iov)) < 0)
			f->broken = true;
	}
	flow_done(f);
}

static void
on_flow(struct conn *c, unsigned what)
{
	struct flow *f = (struct flow *)(void *)((char *)c -
						 offsetof(struct flow, c.conn));

	(void)what;
	flow_go_on(f);
}

/* The server echoes. */
static void
on_server(int fd, unsigned what, void *arg)
{
	struct flow *f = arg;
	struct server *s = &f->s;
	char bytes[16384];
	ssize_t n;
	int got;

	(void)what;
	n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (n > 0)
		BIO_write(s->in, bytes, (int)n);
	/* It takes no more while much waits. */
	while (BIO_ctrl_pending(s->out) < 100000 &&
		(got = SSL_read(s->ssl, bytes, sizeof(bytes))) > 0)
		SSL_write(s->ssl, bytes, got);
	while (BIO_ctrl_pending(s->out) > 0) {
		char *at;
		long length = BIO_get_mem_data(s->out, &at);

		n = send(fd, at, (size_t)length < 3001 ? (size_t)length : 3001,
			MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n <= 0)
			break;
		BIO_read(s->out, bytes, (int)n);
	}
	loop_fd_change(f->watch,
		LOOP_READ | (BIO_ctrl_pending(s->out) > 0 ? LOOP_WRITE : 0));
}

static void
on_late(void *arg)
{
	struct flow *f = arg;

	f->broken = true;
	loop_stop(f->c.loop);
}

static void
much_goes_both_ways(void **state)
{
	struct tls_context *context = context_plain();
	const int small = 5000;
	struct loop_timer *late;
	struct flow f;

	(void)state;
	memset(&f, 0, sizeof(f));
	server_init(&f.s, &(struct server_options){ .own = &good });
	client_open(&f.c, &f.s, context, &peer_good);
	assert_int_equal(shake(&f.c, SIZE_MAX), TLS_DONE);
	setsockopt(f.s.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	setsockopt(f.c.conn.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	f.c.conn.cb = on_flow;
	f.to_send = f.to_receive = 3 * MEGABYTE + 17;
	f.watch = loop_fd_new(f.c.loop, f.s.fd, LOOP_READ, on_server, &f);
	late = loop_timer_new(f.c.loop, on_late, &f);
	loop_timer_start(late, 60000);
	flow_go_on(&f);
	loop_run(f.c.loop);
	assert_false(f.broken);
	assert_int_equal(f.received, f.to_receive);
	assert_int_equal(f.c.received, f.to_receive);
	assert_int_equal(f.c.sent, f.to_send);
	loop_timer_free(late);
	loop_fd_free(f.watch);
	client_close(&f.c);
	server_fini(&f.s);
	tls_context_unref(context);
}

/* ---- contexts */

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
	const struct slice ca = certificate_text(&authority);
	const struct slice cert = certificate_text(&client);
	const struct slice key = certificate_key_text(&client);
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
			  .key = certificate_key_text(&good) },
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
		struct server s;
		struct client c;
		enum tls_step step;

		o.ca = certificate_text(&authority);
		context = context_of(&o);
		server_init(&s, &(struct server_options){ .own = &good,
					.version = rows[i].server });
		client_open(&c, &s, context, &peer_good);
		step = shake(&c, SIZE_MAX);
		assert_int_equal(
			step, rows[i].agreed != 0 ? TLS_DONE : TLS_FAILED);
		if (step == TLS_DONE)
			assert_int_equal(SSL_version(s.ssl), rows[i].agreed);
		if (o.ciphers != NULL)
			assert_string_equal(SSL_get_cipher(s.ssl), o.ciphers);
		client_close(&c);
		server_fini(&s);
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
						       &authority),
			.renegotiation = allowed };
		struct tls_context *context = context_of(&o);
		struct server s;
		struct client c;

		server_init(&s, &(struct server_options){ .own = &good,
					.version = TLS1_2_VERSION });
		client_open(&c, &s, context, &peer_good);
		assert_int_equal(shake(&c, SIZE_MAX), TLS_DONE);
		SSL_renegotiate(s.ssl);
		SSL_do_handshake(s.ssl);
		for (unsigned i = 0; i < 4; i++) {
			char none[1];

			server_give(&s, SIZE_MAX);
			client_read(&c);
			server_take(&s);
			SSL_read(s.ssl, none, sizeof(none));
		}
		assert_int_equal(
			SSL_CTX_sess_accept_good(s.ctx), 1 + allowed);
		if (allowed) {
			client_say(&c, "after");
			server_hear(&s, "after");
		}
		ERR_clear_error();
		client_close(&c);
		server_fini(&s);
		tls_context_unref(context);
	}
}

/* Its last reference may go while connections of it live. */
static void
connections_hold_their_context(void **state)
{
	struct tls_context *context = context_plain();
	struct server s;
	struct client c;

	(void)state;
	server_init(&s, &(struct server_options){ .own = &good });
	client_open(&c, &s, context, &peer_good);
	tls_context_unref(tls_context_ref(context));
	tls_context_unref(context);
	assert_int_equal(shake(&c, SIZE_MAX), TLS_DONE);
	client_say(&c, "still");
	server_hear(&s, "still");
	conn_shut(&c.conn);
	server_take(&s);
	assert_int_equal(SSL_read(s.ssl, (char[1]){ 0 }, 1), 0);
	assert_int_equal(SSL_get_error(s.ssl, 0), SSL_ERROR_ZERO_RETURN);
	client_close(&c);
	server_fini(&s);
	tls_context_unref(NULL);
	tls_kept_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_are_judged),
		cmocka_unit_test(server_names_are_sent),
		cmocka_unit_test(clients_come_with_certificates),
		cmocka_unit_test(only_some_alerts_refuse_us),
		cmocka_unit_test(protocols_are_agreed_on),
		cmocka_unit_test(sessions_are_resumed),
		cmocka_unit_test(foreign_sessions_are_handshakes),
		cmocka_unit_test(every_byte_may_come_alone),
		cmocka_unit_test(a_handshake_may_be_cut_anywhere),
		cmocka_unit_test(an_end_is_told_from_a_cut),
		cmocka_unit_test(bytes_before_an_end_are_not_lost),
		cmocka_unit_test(what_was_said_is_read_after_a_broken_send),
		cmocka_unit_test(what_is_no_tls_is_named),
		cmocka_unit_test(much_goes_both_ways),
		cmocka_unit_test(bad_options_are_explained),
		cmocka_unit_test(options_hold),
		cmocka_unit_test(renegotiation_is_as_allowed),
		cmocka_unit_test(connections_hold_their_context),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
