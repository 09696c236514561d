/* TLS as a client, on connections of net/conn. */
#include "net/tls.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/pem.h"
#include "net/tls_inner.h"

#define RECORD_MAX 16384 /* RFC 8446 5.1 */

struct tls_kept {
	SSL_SESSION *session;
};

void
tls_explain(struct tls *t, const char *fmt, ...)
{
	va_list ap;

	if (t->problem[0] != '\0')
		return;
	va_start(ap, fmt);
	vsnprintf(t->problem, sizeof(t->problem), fmt, ap);
	va_end(ap);
	text_defuse(t->problem);
}

/* ---- the socket, as OpenSSL sees it: without SIGPIPE, and not asked again
 * when it has just said that it has no more */

static int
socket_read(BIO *bio, char *to, size_t size, size_t *got)
{
	struct tls *t = BIO_get_data(bio);
	ssize_t n;

	*got = 0;
	BIO_clear_retry_flags(bio);
	if (t->drained) {
		errno = EAGAIN;
		BIO_set_retry_read(bio);
		return 0;
	}
	do {
		n = recv(t->conn->fd, to, size, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_read(bio);
	t->eof = n == 0;
	if (n <= 0)
		return 0;
	t->drained = (size_t)n < size && !t->conn->closed;
	*got = (size_t)n;
	return 1;
}

static int
socket_write(BIO *bio, const char *bytes, size_t length, size_t *sent)
{
	struct tls *t = BIO_get_data(bio);
	ssize_t n;

	*sent = 0;
	BIO_clear_retry_flags(bio);
	do {
		n = send(t->conn->fd, bytes, length, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_write(bio);
	if (n <= 0)
		return 0;
	*sent = (size_t)n;
	return 1;
}

static long
socket_ctrl(BIO *bio, int command, long number, void *pointer)
{
	const struct tls *t = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return t->eof;
	default:
		return 0;
	}
}

static BIO_METHOD *socket_method;
static pthread_once_t socket_once = PTHREAD_ONCE_INIT;

static void
socket_method_make(void)
{
	socket_method = BIO_meth_new(
		BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "connection");
	if (socket_method == NULL ||
		BIO_meth_set_read_ex(socket_method, socket_read) != 1 ||
		BIO_meth_set_write_ex(socket_method, socket_write) != 1 ||
		BIO_meth_set_ctrl(socket_method, socket_ctrl) != 1)
		log_fatal("tls: no memory");
}

static BIO *
socket_bio(struct tls *t)
{
	BIO *bio;

	pthread_once(&socket_once, socket_method_make);
	bio = BIO_new(socket_method);
	if (bio == NULL)
		return NULL;
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	return bio;
}

/* ---- what went wrong */

/* What the library said of its last call. */
enum outcome {
	OUTCOME_WAIT,   /* for the socket */
	OUTCOME_END,    /* the peer ends in order */
	OUTCOME_BROKEN, /* the socket is; errno says how */
	OUTCOME_FAILED,
};

#define ALERT_CERTIFICATE_REQUIRED 116 /* RFC 8446 6.2; OpenSSL has no name */

/* Of the handshake, or of our certificate. Others come in the middle of a
 * request as well, which may have been taken. */
static bool
alert_refuses_us(int alert)
{
	switch (alert) {
	case SSL_AD_HANDSHAKE_FAILURE:
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_REVOKED:
	case SSL_AD_CERTIFICATE_EXPIRED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_ILLEGAL_PARAMETER:
	case SSL_AD_UNKNOWN_CA:
	case SSL_AD_ACCESS_DENIED:
	case SSL_AD_DECRYPT_ERROR:
	case ALERT_CERTIFICATE_REQUIRED:
		return true;
	default:
		return false;
	}
}

static void
explain_alert(struct tls *t, int alert)
{
	const char *text = SSL_alert_desc_string_long(alert);

	t->refused = alert_refuses_us(alert);
	if (strcmp(text, "unknown") == 0 && alert == ALERT_CERTIFICATE_REQUIRED)
		text = "certificate required";
	tls_explain(t, "it refused with the alert \"%s\" (%d)", text, alert);
}

static void
explain_library(struct tls *t, unsigned long e)
{
	const char *text = ERR_reason_error_string(e);
	int reason = ERR_GET_REASON(e);

	if (ERR_GET_LIB(e) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET) {
		explain_alert(t, reason - SSL_AD_REASON_OFFSET);
		return;
	}
	switch (ERR_GET_LIB(e) == ERR_LIB_SSL ? reason : 0) {
	case SSL_R_UNEXPECTED_EOF_WHILE_READING:
		tls_explain(t, t->done ? "it closed the connection without "
					 "saying so (close_notify)"
				       : "it closed the connection during the "
					 "handshake");
		break;
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
	case SSL_R_UNEXPECTED_MESSAGE:
		tls_explain(t, "what it says is not TLS");
		break;
	default:
		tls_explain(t, "%s: %s",
			t->done ? "the connection" : "the handshake",
			text != NULL ? text : "OpenSSL does not say why");
	}
}

static void
explain_socket(struct tls *t, int problem)
{
	char text[128];

	tls_explain(t, "the connection broke%s: %s",
		t->done ? "" : " during the handshake",
		strerror_r(problem, text, sizeof(text)));
}

static void
socket_failed(struct tls *t, int problem)
{
	t->failed = problem;
	explain_socket(t, problem);
}

static enum outcome
outcome_of(struct tls *t, int rc)
{
	int problem = errno;
	unsigned long e;

	switch (SSL_get_error(t->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return OUTCOME_WAIT;
	case SSL_ERROR_ZERO_RETURN:
		t->ended = true;
		return OUTCOME_END;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		errno = problem != 0 ? problem : ECONNRESET;
		return OUTCOME_BROKEN;
	default:
		e = ERR_peek_error();
		t->failed = t->eof ? ECONNRESET : EPROTO;
		explain_library(t, e);
	}
	ERR_clear_error();
	return OUTCOME_FAILED;
}

/* ---- the transport */

static struct tls *
tls_of(const struct conn *c)
{
	return (struct tls *)(uintptr_t)c->transport;
}

/* Rare: the peer changes keys while the socket is full. */
static void
read_waits(struct tls *t)
{
	bool waits = SSL_want_write(t->ssl);

	if (waits || t->read_waits_write)
		conn_watch_write(t->conn, waits || t->conn->out != NULL);
	t->read_waits_write = waits;
}

static void
write_goes_on(struct tls *t)
{
	if (!t->write_waits_read)
		return;
	t->write_waits_read = false;
	conn_watch_write(t->conn, true);
}

/* As much as there is: a record is no more than 16 KiB, and what OpenSSL has
 * already taken from the socket makes no event. */
static ssize_t
tls_receive(struct conn *c, void *to, size_t size)
{
	struct tls *t = tls_of(c);
	enum outcome outcome;
	size_t got = 0, n;
	int rc = 1;

	if (t->failed == 0 && !t->ended) {
		t->drained = false;
		ERR_clear_error();
		while (got < size && rc == 1) {
			errno = 0;
			rc = SSL_read_ex(
				t->ssl, (char *)to + got, size - got, &n);
			if (rc == 1)
				got += n;
		}
		outcome = rc == 1 ? OUTCOME_WAIT : outcome_of(t, rc);
		if (outcome == OUTCOME_BROKEN)
			socket_failed(t, errno);
		else if (rc != 1 && outcome == OUTCOME_WAIT)
			read_waits(t);
		write_goes_on(t);
	}
	if (got > 0) {
		t->heard = true;
		/* How it ended is told by the next call. */
		if (t->failed != 0 || t->ended)
			c->closed = true;
		return (ssize_t)got;
	}
	if (t->ended)
		return 0;
	errno = t->failed != 0 ? t->failed : EAGAIN;
	return -1;
}

/* What goes into the next record; small pieces are joined. */
static struct iovec
record_gather(const struct iovec *iov, int count, size_t skip,
	char joined[RECORD_MAX])
{
	struct iovec record = { joined, 0 };

	while (count > 0 && skip >= iov->iov_len) {
		skip -= iov->iov_len;
		iov++;
		count--;
	}
	if (count > 0 && (count == 1 || iov->iov_len - skip >= RECORD_MAX)) {
		record.iov_base = (char *)iov->iov_base + skip;
		record.iov_len = iov->iov_len - skip;
		if (record.iov_len > RECORD_MAX)
			record.iov_len = RECORD_MAX;
		return record;
	}
	for (; count > 0 && record.iov_len < RECORD_MAX; iov++, count--) {
		size_t room = RECORD_MAX - record.iov_len;
		size_t n =
			iov->iov_len - skip < room ? iov->iov_len - skip : room;

		memcpy(joined + record.iov_len, (char *)iov->iov_base + skip,
			n);
		record.iov_len += n;
		skip = 0;
	}
	return record;
}

/* What was not taken has to be offered again first of all, as it is: a record
 * of it may have been sent in part. */
static ssize_t
tls_send(struct conn *c, const struct iovec *iov, int count)
{
	struct tls *t = tls_of(c);
	char joined[RECORD_MAX];
	size_t sent = 0, n = 0;

	if (t->failed != 0) {
		errno = EPIPE;
		return -1;
	}
	ERR_clear_error();
	for (;;) {
		struct iovec record = record_gather(iov, count, sent, joined);
		int rc;

		if (record.iov_len == 0)
			return (ssize_t)sent;
		errno = 0;
		rc = SSL_write_ex(t->ssl, record.iov_base, record.iov_len, &n);
		if (rc == 1) {
			sent += n;
			continue;
		}
		switch (outcome_of(t, rc)) {
		case OUTCOME_WAIT:
			break;
		case OUTCOME_BROKEN:
			/* What the peer said before may still be read. */
			return -1;
		default:
			errno = t->failed != 0 ? t->failed : EPIPE;
			return -1;
		}
		t->write_waits_read = SSL_want_read(t->ssl);
		if (sent > 0)
			return (ssize_t)sent;
		errno = EAGAIN;
		return -1;
	}
}

/* Says that nothing more comes, unless something is in the way. */
static void
notify_end(struct tls *t)
{
	if (!t->done || t->failed != 0 || t->conn->failed ||
		t->conn->out != NULL)
		return;
	ERR_clear_error();
	SSL_shutdown(t->ssl);
	ERR_clear_error();
}

static void
tls_shut(struct conn *c)
{
	notify_end(tls_of(c));
	shutdown(c->fd, SHUT_WR);
}

static void
tls_release(struct conn *c)
{
	struct tls *t = tls_of(c);

	notify_end(t);
	SSL_free(t->ssl);
	tls_context_unref(t->context);
	free(t->names);
	free(t);
	c->transport = &transport_plain;
}

static const struct transport transport_tls = {
	.receive = tls_receive,
	.send = tls_send,
	.shut = tls_shut,
	.release = tls_release,
};

/* ---- the handshake */

/* A session outlives no certificate that it was begun with. */
static bool
kept_is_good(const struct tls_kept *k)
{
	X509 *cert = SSL_SESSION_get0_peer(k->session);

	return SSL_SESSION_is_resumable(k->session) && cert != NULL &&
	       X509_cmp_current_time(X509_get0_notAfter(cert)) > 0;
}

/* In one piece. */
static const char **
names_copy(const char *const *names)
{
	size_t count = 0, length = 0;
	const char **copy;
	char *at;

	for (; names[count] != NULL; count++)
		length += strlen(names[count]) + 1;
	copy = xmalloc((count + 1) * sizeof(*copy) + length);
	at = (char *)(copy + count + 1);
	for (size_t i = 0; i < count; i++) {
		copy[i] = at;
		at = stpcpy(at, names[i]) + 1;
	}
	copy[count] = NULL;
	return copy;
}

static int
name_send(SSL *ssl, const char *name)
{
	char text[256];
	size_t length = strlen(name);

	if (length == 0 || tls_name_is_address(name))
		return 0;
	/* RFC 6066 3: without the dot of a complete name. */
	if (name[length - 1] == '.')
		length--;
	if (length == 0 || length >= sizeof(text))
		return -1;
	memcpy(text, name, length);
	text[length] = '\0';
	return SSL_set_tlsext_host_name(ssl, text) == 1 ? 0 : -1;
}

int
tls_client_begin(struct conn *conn, struct tls_context *context,
	const struct tls_peer *peer, struct error *err)
{
	const char *name = peer->server_name != NULL ? peer->server_name : "";
	const char *const one[] = { name, NULL };
	bool listed = peer->names != NULL && peer->names[0] != NULL;
	struct tls *t;
	BIO *bio;

	if (name[0] == '\0' && !listed)
		return error_set(err, ERROR_CONFIG,
			"there is no name that its certificate has to be for");
	t = xcalloc(1, sizeof(*t));
	t->transport = transport_tls;
	t->conn = conn;
	t->names = names_copy(listed ? peer->names : one);
	ERR_clear_error();
	t->ssl = SSL_new(context->ctx);
	bio = t->ssl != NULL ? socket_bio(t) : NULL;
	if (bio == NULL) {
		error_set(err, ERROR_SYSTEM, "OpenSSL: %s",
			pem_library_problem());
		goto fail;
	}
	SSL_set_bio(t->ssl, bio, bio);
	SSL_set_app_data(t->ssl, t);
	SSL_set_connect_state(t->ssl);
	if (name_send(t->ssl, name) < 0) {
		error_set(err, ERROR_CONFIG,
			"\"%.100s\" cannot be the name of a server", name);
		goto fail;
	}
	if (peer->resume != NULL && kept_is_good(peer->resume))
		SSL_set_session(t->ssl, peer->resume->session);
	t->context = tls_context_ref(context);
	conn->transport = &t->transport;
	return 0;
fail:
	ERR_clear_error();
	SSL_free(t->ssl);
	free(t->names);
	free(t);
	return -1;
}

static void
alpn_note(struct tls *t)
{
	const unsigned char *bytes = NULL;
	unsigned length = 0;

	SSL_get0_alpn_selected(t->ssl, &bytes, &length);
	if (length == 0)
		return;
	snprintf(t->alpn, sizeof(t->alpn), "%.*s", (int)length,
		(const char *)bytes);
	text_defuse(t->alpn);
}

enum tls_step
tls_client_step(struct conn *conn)
{
	struct tls *t = tls_of(conn);
	int rc;

	if (t->failed != 0)
		return TLS_FAILED;
	if (t->done)
		return TLS_DONE;
	ERR_clear_error();
	errno = 0;
	t->drained = false;
	rc = SSL_do_handshake(t->ssl);
	if (rc == 1) {
		t->done = true;
		alpn_note(t);
		conn_watch_write(conn, false);
		return TLS_DONE;
	}
	switch (outcome_of(t, rc)) {
	case OUTCOME_WAIT:
		conn_watch_write(conn, SSL_want_write(t->ssl));
		return TLS_WANTS_MORE;
	case OUTCOME_BROKEN:
		socket_failed(t, errno);
		break;
	case OUTCOME_END:
		t->failed = EPROTO;
		tls_explain(t, "it closed the connection during the handshake");
		break;
	case OUTCOME_FAILED:
		break;
	}
	return TLS_FAILED;
}

/* ---- what came of it */

const char *
tls_problem(const struct conn *conn)
{
	return tls_of(conn)->problem;
}

bool
tls_was_refused(const struct conn *conn)
{
	const struct tls *t = tls_of(conn);

	return t->refused && !t->heard;
}

bool
tls_is_accepted(const struct conn *conn)
{
	return tls_of(conn)->heard;
}

const char *
tls_alpn(const struct conn *conn)
{
	return tls_of(conn)->alpn;
}

bool
tls_is_resumed(const struct conn *conn)
{
	return SSL_session_reused(tls_of(conn)->ssl) == 1;
}

struct tls_kept *
tls_keep(struct conn *conn)
{
	struct tls *t = tls_of(conn);
	SSL_SESSION *session;
	struct tls_kept *k;

	if (!t->done || t->failed != 0)
		return NULL;
	session = SSL_get1_session(t->ssl);
	if (session == NULL || !SSL_SESSION_is_resumable(session)) {
		SSL_SESSION_free(session);
		return NULL;
	}
	k = xmalloc(sizeof(*k));
	k->session = session;
	return k;
}

void
tls_kept_free(struct tls_kept *k)
{
	if (k == NULL)
		return;
	SSL_SESSION_free(k->session);
	free(k);
}
