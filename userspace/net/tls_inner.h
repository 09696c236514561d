/* What the files of net/tls share. Private to net/. */
#ifndef NET_TLS_INNER_H
#define NET_TLS_INNER_H

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/conn.h"
#include "net/tls.h"

#define TLS_PROBLEM_MAX 256
#define TLS_ALPN_MAX    32

struct tls_roots;

struct tls_context {
	_Atomic uint32_t refs;
	SSL_CTX *ctx;
	struct tls_roots *roots;
};

struct tls {                        /* of one connection */
	struct transport transport; /* the connection's: must be first */
	struct conn *conn;
	SSL *ssl;
	struct tls_context *context;
	const char **names; /* one has to fit; a copy */
	int failed;         /* errno of what ended it; 0: nothing did */
	bool done;          /* the handshake is */
	bool heard;         /* something was received after it */
	bool ended;         /* the peer said that it sends nothing more */
	bool eof;           /* the socket has */
	bool drained;       /* the socket had no more when it was last asked */
	bool refused;       /* by an alert of the peer about who we are */
	bool read_waits_write, write_waits_read;
	char alpn[TLS_ALPN_MAX];
	char problem[TLS_PROBLEM_MAX];
};

/* The certificates that are trusted, one store for each text that is in use. */
struct tls_roots *tls_roots_get(struct slice pem, struct error *err);
void tls_roots_put(struct tls_roots *r); /* NULL is fine */
X509_STORE *tls_roots_store(struct tls_roots *r);

/* For SSL_CTX_set_cert_verify_callback: the chain, then the name. */
int tls_verify(X509_STORE_CTX *store, void *arg);
/* Texts that are addresses are no name for SNI. */
bool tls_name_is_address(const char *name);

/* Fills problem with one sentence, unless there is one. */
void tls_explain(struct tls *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
