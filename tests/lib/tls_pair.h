/*
 * A connection of net/tls.h and the server it goes to, which is OpenSSL's, over
 * a socket pair and in one thread: the server's bytes go through the test's
 * hands, so that they can be cut where it likes. Needs cmocka: what does not
 * work fails the test.
 */
#ifndef TESTS_TLS_PAIR_H
#define TESTS_TLS_PAIR_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "net/conn.h"
#include "net/loop.h"
#include "net/tls.h"
#include "tests/lib/certificates.h"
#include "tests/lib/tls_server_context.h"

struct tls_pair {
	/* The server's. */
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out; /* memory: what comes from the client, goes to it */
	int fd;        /* -1: closed */
	/* The client's. */
	struct loop *loop;
	struct conn_pool *pool;
	struct conn conn;
	uint64_t received, sent;
	struct str got; /* what was read */
};

/* TLS 1.2 and 1.3, whose handshakes and ends differ. */
extern const int pair_versions[2];

/* Whom the tests share, from pair_setup to pair_teardown, for a group. */
extern struct certificate pair_authority;
extern struct certificate pair_good;    /* a server's: good.test */
extern struct certificate pair_client;  /* a client's */
extern const struct tls_peer pair_peer; /* good.test */

int pair_setup(void **state);
int pair_teardown(void **state);

/* For the caller to unref. */
struct tls_context *pair_context(const struct tls_options *options);
struct tls_context *pair_context_plain(void);  /* trusts the authority */
struct tls_context *pair_context_mutual(void); /* and comes as the client */

/* A server, of which one connection is open at a time. */
void pair_init(struct tls_pair *p, const struct tls_server_options *server);
void pair_fini(struct tls_pair *p);
void pair_connect(struct tls_pair *p, struct tls_context *context,
	const struct tls_peer *peer);
void pair_disconnect(struct tls_pair *p);
/* Bytes go to and fro, so many at once, until nothing moves. */
enum tls_step pair_shake(struct tls_pair *p, size_t at_once);
/* All of that, with pair_peer and a handshake that succeeds. */
void pair_open(struct tls_pair *p, const struct tls_server_options *server,
	struct tls_context *context);
void pair_close(struct tls_pair *p);

/* Takes what the client sent, all of it; false: it has ended. */
bool pair_server_take(struct tls_pair *p);
/* Gives the client at most so many of the bytes for it; true: there were
 * any. */
bool pair_server_give(struct tls_pair *p, size_t most);
/* Their bytes still have to be given. */
void pair_server_say(struct tls_pair *p, const char *text);
/* All that has come and no more. */
void pair_server_hear(struct tls_pair *p, const char *text);
/* The socket's end, without a word. */
void pair_server_end(struct tls_pair *p);

/* The client reads, into got, until there is no more. */
enum conn_got pair_read(struct tls_pair *p);
void pair_say(struct tls_pair *p, const char *text);

#endif
