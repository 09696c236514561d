/*
 * TLS as a client on connections of net/conn.h, by OpenSSL, on the loop of
 * whoever owns the connection: a handshake is driven by the socket's events and
 * blocks nobody. Two things: a context (whom to trust, as whom to come; shared
 * by threads, counted) and a session of one connection.
 *
 * Certificates are always verified, and the name with them; there is no switch
 * to turn that off. What failed is one sentence that names what did not match.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "net/conn.h"

struct tls_context;
struct tls_kept; /* a session that may be resumed */

struct tls_options {
	struct slice ca;        /* PEM, whom to trust */
	struct slice cert, key; /* PEM, as whom to come; may be empty */
	const char *const *alpn; /* the best first, ends with NULL; NULL: none */
	const char *ciphers, *curves; /* OpenSSL's lists; NULL: its own */
	uint16_t version_min, version_max; /* 0x0303; 0: the library's */
	bool renegotiation;
};

/* Before the first context, in a process that may open no files: what a system
 * says in openssl.cnf does not count then. */
void tls_use_no_files(void);

/* Born with one reference. NULL: err says which part is no good. */
struct tls_context *tls_context_new(
	const struct tls_options *options, struct error *err);
struct tls_context *tls_context_ref(struct tls_context *c);
void tls_context_unref(struct tls_context *c); /* NULL is fine */

struct tls_peer {
	const char *server_name; /* SNI (not for a literal address), and what the
				  * certificate has to be for ... */
	const char *const *names; /* ... unless these are given, of which one has
				   * to fit; ends with NULL; NULL */
	const struct tls_kept *resume; /* or NULL */
};

/* The connection speaks TLS from now on; its transport is changed. conn must
 * be connected or connecting. -1 and err. */
int tls_client_begin(struct conn *conn, struct tls_context *context,
	const struct tls_peer *peer, struct error *err);

enum tls_step {
	TLS_WANTS_MORE, /* it goes on with the next event */
	TLS_DONE,
	TLS_FAILED, /* tls_problem says why */
};

/* Goes on with the handshake, after an event. */
enum tls_step tls_client_step(struct conn *conn);
/* One sentence; of a connection that failed, also after the handshake. */
const char *tls_problem(const struct conn *conn);
/* It failed by an alert about the handshake or our certificate before anything
 * was received: with TLS 1.3 a server refuses that only after the handshake. */
bool tls_was_refused(const struct conn *conn);
/* Something was received after the handshake: it did not refuse us. */
bool tls_is_accepted(const struct conn *conn);
/* The protocol that was agreed on ("http/1.1"), or "". */
const char *tls_alpn(const struct conn *conn);
bool tls_is_resumed(const struct conn *conn);
/* The newest session of it that can be resumed, for the caller to free; NULL:
 * none. With TLS 1.3 tickets come after the handshake: to be asked when the
 * connection rests or ends. */
struct tls_kept *tls_keep(struct conn *conn);
void tls_kept_free(struct tls_kept *k); /* NULL is fine */

#endif
