/* A server of TLS before a plain one. */
#include "tests/lib/tls_front.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/lib/tls_server_context.h"

#define CONNECTIONS 64
#define WAIT_MS     5000

struct front_peer {
	struct tls_front *front;
	pthread_t thread;
	bool used, over; /* over: its thread may be joined */
	int fd, origin;
	SSL *ssl;
	struct tls_front_options options;
};

struct tls_front {
	pthread_t thread;
	pthread_mutex_t mutex;
	SSL_CTX *ctx;
	struct tls_front_options options;
	struct tls_front_counts counts;
	struct str name;
	int listener;
	uint16_t port;
	bool stop;
	struct front_peer peers[CONNECTIONS];
};

static void
must_be(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "tls_front: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static struct sockaddr_in
loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* ---- TLS */

static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length,
	const unsigned char *in, unsigned in_length, void *arg)
{
	const char *alpn = arg;

	(void)ssl;
	(void)in;
	(void)in_length;
	/* Whether it was offered or not. */
	*out = (const unsigned char *)alpn;
	*out_length = (unsigned char)strlen(alpn);
	return SSL_TLSEXT_ERR_OK;
}

static int
on_sick(X509_STORE_CTX *store, void *arg)
{
	X509_STORE_CTX_set_error(store, *(const int *)arg);
	return 0;
}

static SSL_CTX *
context_make(const struct tls_front_options *o)
{
	SSL_CTX *ctx = tls_server_context_new(
		&(struct tls_server_options){ .own = o->own,
			.wants = o->wants,
			.version = o->version });

	if (o->sick != 0)
		SSL_CTX_set_cert_verify_callback(
			ctx, on_sick, (void *)(uintptr_t)&o->sick);
	if (o->alpn != NULL)
		SSL_CTX_set_alpn_select_cb(
			ctx, on_alpn, (void *)(uintptr_t)o->alpn);
	return ctx;
}

/* ---- a connection */

static void
shaken(struct front_peer *p)
{
	struct tls_front *f = p->front;
	const char *name =
		SSL_get_servername(p->ssl, TLSEXT_NAMETYPE_host_name);

	pthread_mutex_lock(&f->mutex);
	f->counts.shaken++;
	f->counts.resumed += SSL_session_reused(p->ssl) == 1;
	str_clear(&f->name);
	str_puts(&f->name, name != NULL ? name : "");
	pthread_mutex_unlock(&f->mutex);
}

static bool
origin_connect(struct front_peer *p)
{
	struct sockaddr_in sin = loopback(p->options.origin);
	const int on = 1;

	if (p->options.origin == 0)
		return false;
	p->origin = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(p->origin, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return connect(p->origin, (struct sockaddr *)&sin, sizeof(sin)) == 0;
}

static bool
origin_send(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		bytes += n;
		length -= (size_t)n;
	}
	return true;
}

/* From the client, as long as there is some; false: it ends. */
static bool
pass_on(struct front_peer *p)
{
	char bytes[16384];

	do {
		int n = SSL_read(p->ssl, bytes, sizeof(bytes));

		if (n <= 0 || !origin_send(p->origin, bytes, (size_t)n))
			return false;
	} while (SSL_pending(p->ssl) > 0);
	return true;
}

static bool
pass_back(struct front_peer *p)
{
	char bytes[16384];
	ssize_t n = recv(p->origin, bytes, sizeof(bytes), 0);

	return n > 0 && SSL_write(p->ssl, bytes, (int)n) == (int)n;
}

static void
relay(struct front_peer *p)
{
	struct pollfd fds[2] = { { p->fd, POLLIN, 0 },
		{ p->origin, POLLIN, 0 } };

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			return;
		if (fds[0].revents != 0 && !pass_on(p))
			return;
		if (fds[1].revents != 0 && !pass_back(p))
			return;
	}
}

static void *
peer_run(void *arg)
{
	struct front_peer *p = arg;
	struct tls_front *f = p->front;
	bool notified = false;

	if (SSL_accept(p->ssl) == 1) {
		shaken(p);
		if (p->options.speaks)
			SSL_write(p->ssl, "HTTP/1.1 200 OK\r\n", 17);
		if (origin_connect(p))
			relay(p);
		notified = SSL_get_shutdown(p->ssl) & SSL_RECEIVED_SHUTDOWN;
		if (!p->options.cuts)
			SSL_shutdown(p->ssl);
	}
	ERR_clear_error();
	pthread_mutex_lock(&f->mutex);
	SSL_free(p->ssl);
	close(p->fd);
	if (p->origin >= 0)
		close(p->origin);
	p->fd = p->origin = -1;
	p->over = true;
	f->counts.ended++;
	f->counts.notified += notified;
	pthread_mutex_unlock(&f->mutex);
	return NULL;
}

/* ---- all */

static void
peer_start(struct tls_front *f, int fd)
{
	struct front_peer *p = NULL;
	const int on = 1;

	for (size_t i = 0; i < CONNECTIONS && p == NULL; i++) {
		struct front_peer *at = &f->peers[i];

		if (at->used && at->over) {
			pthread_join(at->thread, NULL);
			at->used = false;
		}
		if (!at->used)
			p = at;
	}
	must_be(p != NULL, "too many connections");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	f->counts.accepted++;
	*p = (struct front_peer){ .front = f,
		.used = true,
		.fd = fd,
		.origin = -1,
		.ssl = SSL_new(f->ctx),
		.options = f->options };
	SSL_set_fd(p->ssl, fd);
	must_be(pthread_create(&p->thread, NULL, peer_run, p) == 0, "thread");
}

static void *
front_run(void *arg)
{
	struct tls_front *f = arg;

	for (;;) {
		int fd = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
		bool stop;

		pthread_mutex_lock(&f->mutex);
		stop = f->stop;
		if (!stop && fd >= 0)
			peer_start(f, fd);
		pthread_mutex_unlock(&f->mutex);
		if (stop) {
			if (fd >= 0)
				close(fd);
			return NULL;
		}
	}
}

struct tls_front *
tls_front_new(const struct tls_front_options *options)
{
	struct tls_front *f = xcalloc(1, sizeof(*f));
	struct sockaddr_in sin = loopback(0);
	socklen_t length = sizeof(sin);

	signal(SIGPIPE, SIG_IGN);
	pthread_mutex_init(&f->mutex, NULL);
	str_init(&f->name);
	f->options = *options;
	f->ctx = context_make(options);
	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must_be(bind(f->listener, (struct sockaddr *)&sin, sizeof(sin)) == 0 &&
			listen(f->listener, 64) == 0 &&
			getsockname(f->listener, (struct sockaddr *)&sin,
				&length) == 0,
		"listen");
	f->port = ntohs(sin.sin_port);
	must_be(pthread_create(&f->thread, NULL, front_run, f) == 0, "thread");
	return f;
}

void
tls_front_free(struct tls_front *f)
{
	if (f == NULL)
		return;
	pthread_mutex_lock(&f->mutex);
	f->stop = true;
	for (size_t i = 0; i < CONNECTIONS; i++) {
		const struct front_peer *p = &f->peers[i];

		if (p->used && !p->over)
			shutdown(p->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&f->mutex);
	shutdown(f->listener, SHUT_RDWR);
	pthread_join(f->thread, NULL);
	for (size_t i = 0; i < CONNECTIONS; i++)
		if (f->peers[i].used)
			pthread_join(f->peers[i].thread, NULL);
	close(f->listener);
	SSL_CTX_free(f->ctx);
	str_fini(&f->name);
	pthread_mutex_destroy(&f->mutex);
	free(f);
}

uint16_t
tls_front_port(const struct tls_front *f)
{
	return f->port;
}

void
tls_front_change(struct tls_front *f, const struct tls_front_options *options)
{
	SSL_CTX *ctx = context_make(options);

	pthread_mutex_lock(&f->mutex);
	SSL_CTX_free(f->ctx);
	f->ctx = ctx;
	f->options = *options;
	pthread_mutex_unlock(&f->mutex);
}

void
tls_front_count(struct tls_front *f, struct tls_front_counts *out)
{
	pthread_mutex_lock(&f->mutex);
	*out = f->counts;
	pthread_mutex_unlock(&f->mutex);
}

bool
tls_front_wait_ended(struct tls_front *f, unsigned count)
{
	uint64_t until = clock_monotonic_ms() + WAIT_MS;
	struct tls_front_counts now;

	for (;;) {
		tls_front_count(f, &now);
		if (now.ended >= count)
			return true;
		if (clock_monotonic_ms() >= until)
			return false;
		poll(NULL, 0, 1);
	}
}

void
tls_front_name(struct tls_front *f, struct str *out)
{
	str_clear(out);
	pthread_mutex_lock(&f->mutex);
	str_append(out, f->name.data, f->name.length);
	pthread_mutex_unlock(&f->mutex);
}
