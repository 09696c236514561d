/* A connection of net/tls.h and OpenSSL's server. */
#include "tests/lib/tls_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

const int pair_versions[2] = { TLS1_2_VERSION, TLS1_3_VERSION };

struct certificate pair_authority, pair_good, pair_client;
const struct tls_peer pair_peer = { .server_name = "good.test" };

static const struct certificate_row made[] = {
	{ &pair_authority, NULL, { .name = "authority", .authority = true } },
	{ &pair_good, &pair_authority,
		{ .name = "good", .names = "DNS:good.test" } },
	{ &pair_client, &pair_authority,
		{ .name = "client", .purpose = "clientAuth" } },
};

int
pair_setup(void **state)
{
	(void)state;
	certificates_make(made, ARRAY_SIZE(made));
	return 0;
}

int
pair_teardown(void **state)
{
	(void)state;
	certificates_drop(made, ARRAY_SIZE(made));
	return 0;
}

/* ---- contexts */

struct tls_context *
pair_context(const struct tls_options *o)
{
	struct error err = ERROR_INIT;
	struct tls_context *c = tls_context_new(o, &err);

	if (c == NULL)
		fail_msg("%s", err.text);
	return c;
}

struct tls_context *
pair_context_plain(void)
{
	return pair_context(&(struct tls_options){
		.ca = certificate_text(&pair_authority) });
}

struct tls_context *
pair_context_mutual(void)
{
	return pair_context(
		&(struct tls_options){ .ca = certificate_text(&pair_authority),
			.cert = certificate_text(&pair_client),
			.key = certificate_key_text(&pair_client) });
}

/* ---- a connection and its server */

void
pair_init(struct tls_pair *p, const struct tls_server_options *server)
{
	memset(p, 0, sizeof(*p));
	p->fd = -1;
	p->ctx = tls_server_context_new(server);
}

void
pair_fini(struct tls_pair *p)
{
	SSL_CTX_free(p->ctx);
}

static void
on_event(struct conn *c, unsigned what)
{
	(void)c;
	(void)what;
}

void
pair_connect(struct tls_pair *p, struct tls_context *context,
	const struct tls_peer *peer)
{
	struct error err = ERROR_INIT;
	int fds[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	p->fd = fds[1];
	p->ssl = SSL_new(p->ctx);
	p->in = BIO_new(BIO_s_mem());
	p->out = BIO_new(BIO_s_mem());
	SSL_set_bio(p->ssl, p->in, p->out);
	SSL_set_accept_state(p->ssl);

	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	p->loop = loop_new();
	p->pool = conn_pool_new(p->loop);
	p->received = p->sent = 0;
	str_init(&p->got);
	conn_init(&p->conn, p->pool, fds[0], false, on_event);
	p->conn.received = &p->received;
	p->conn.sent = &p->sent;
	if (tls_client_begin(&p->conn, context, peer, &err) < 0)
		fail_msg("%s", err.text);
}

void
pair_disconnect(struct tls_pair *p)
{
	conn_fini(&p->conn);
	conn_pool_free(p->pool);
	loop_free(p->loop);
	str_fini(&p->got);
	SSL_free(p->ssl);
	p->ssl = NULL;
	pair_server_end(p);
}

enum tls_step
pair_shake(struct tls_pair *p, size_t at_once)
{
	enum tls_step step = tls_client_step(&p->conn);

	for (;;) {
		bool moved;

		pair_server_take(p);
		SSL_do_handshake(p->ssl);
		moved = pair_server_give(p, at_once);
		if (step != TLS_WANTS_MORE)
			break;
		step = tls_client_step(&p->conn);
		if (step == TLS_WANTS_MORE && !moved &&
			BIO_ctrl_pending(p->out) == 0)
			break;
	}
	pair_server_take(p);
	SSL_do_handshake(p->ssl);
	/* There is room for few that come alone. */
	while (pair_server_give(p, at_once))
		if (at_once == 1)
			pair_read(p);
	return step;
}

void
pair_open(struct tls_pair *p, const struct tls_server_options *server,
	struct tls_context *context)
{
	pair_init(p, server);
	pair_connect(p, context, &pair_peer);
	assert_int_equal(pair_shake(p, SIZE_MAX), TLS_DONE);
}

void
pair_close(struct tls_pair *p)
{
	pair_disconnect(p);
	pair_fini(p);
}

/* ---- the server */

bool
pair_server_take(struct tls_pair *p)
{
	char bytes[65536];
	ssize_t n;

	while ((n = recv(p->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		BIO_write(p->in, bytes, (int)n);
	return n != 0;
}

bool
pair_server_give(struct tls_pair *p, size_t most)
{
	char bytes[65536];
	bool any = false;

	while (most > 0) {
		size_t room = most < sizeof(bytes) ? most : sizeof(bytes);
		int n = BIO_read(p->out, bytes, (int)room);

		if (n <= 0)
			break;
		assert_int_equal(
			send(p->fd, bytes, (size_t)n, MSG_NOSIGNAL), n);
		most -= (size_t)n;
		any = true;
	}
	return any;
}

void
pair_server_say(struct tls_pair *p, const char *text)
{
	assert_int_equal(
		SSL_write(p->ssl, text, (int)strlen(text)), (int)strlen(text));
}

void
pair_server_hear(struct tls_pair *p, const char *text)
{
	char bytes[256] = "";
	int n;

	pair_server_take(p);
	n = SSL_read(p->ssl, bytes, sizeof(bytes) - 1);
	if (n <= 0 || strcmp(bytes, text) != 0)
		fail_msg("heard \"%s\" (%d)", bytes, n);
}

void
pair_server_end(struct tls_pair *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

/* ---- the client */

enum conn_got
pair_read(struct tls_pair *p)
{
	char bytes[4096];
	enum conn_got got;
	size_t n;

	do {
		got = conn_receive(&p->conn, bytes, sizeof(bytes), &n);
		str_append(&p->got, bytes, n);
	} while (got == CONN_GOT_DATA);
	return got;
}

void
pair_say(struct tls_pair *p, const char *text)
{
	const struct iovec iov = { (void *)(uintptr_t)text, strlen(text) };

	assert_int_equal(conn_send(&p->conn, &iov, 1), 0);
}
