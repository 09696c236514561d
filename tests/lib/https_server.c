/* A server in a child process: a thread for each connection, which blocks. */
#include "tests/lib/https_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

#define REQUEST_MAX (4u << 20)
#define DRIP_MS	    10

struct peer {
	int fd;
	SSL *ssl; /* NULL: in the clear */
	unsigned number;
	struct str in;
};

static SSL_CTX *tls;

static void
die(const char *what)
{
	perror(what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

/* ---- bytes */

static void
peer_write(struct peer *p, const void *data, size_t length)
{
	const char *at = data;

	while (length > 0) {
		ssize_t n = p->ssl != NULL
			? SSL_write(p->ssl, at, (int)length)
			: send(p->fd, at, length, MSG_NOSIGNAL);

		if (n <= 0)
			pthread_exit(NULL);
		at += n;
		length -= (size_t)n;
	}
}

static void
peer_puts(struct peer *p, const char *text)
{
	peer_write(p, text, strlen(text));
}

/* More of what the client says; the thread ends with the connection. */
static void
peer_read(struct peer *p)
{
	char bytes[16384];
	ssize_t n = p->ssl != NULL ? SSL_read(p->ssl, bytes, sizeof(bytes))
				   : recv(p->fd, bytes, sizeof(bytes), 0);

	if (n <= 0 || p->in.length > REQUEST_MAX)
		pthread_exit(NULL);
	str_append(&p->in, bytes, (size_t)n);
}

static void
peer_wait(struct peer *p, size_t length)
{
	while (p->in.length < length)
		peer_read(p);
}

static void
peer_wait_for_end(struct peer *p)
{
	for (;;) {
		peer_read(p);
		str_clear(&p->in);
	}
}

/* What was said arrives: to close while there are unread bytes would overtake
 * it. */
static void
peer_leave(struct peer *p)
{
	char bytes[1024];

	shutdown(p->fd, SHUT_WR);
	while (recv(p->fd, bytes, sizeof(bytes), 0) > 0)
		;
	pthread_exit(NULL);
}

static void
pace(void)
{
	nanosleep(&(struct timespec){ 0, DRIP_MS * 1000000 }, NULL);
}

/* ---- HTTP/1.1 */

static void
answer(struct peer *p, int status, const char *fields, const char *body,
	size_t length)
{
	struct str s;

	str_init(&s);
	str_printf(&s,
		"HTTP/1.1 %d Some reason\r\nX-Connection: %u\r\n"
		"Content-Length: %zu\r\n%s\r\n",
		status, p->number, length, fields);
	str_append(&s, body, length);
	peer_write(p, s.data, s.length);
	str_fini(&s);
}

static void
answer_hello(struct peer *p, const char *fields)
{
	answer(p, 200, fields, "hello", 5);
}

static void
answer_half(struct peer *p)
{
	peer_puts(p, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
}

static void
answer_size(struct peer *p, size_t size)
{
	char *body = xmalloc(size + 1);

	memset(body, 'x', size);
	answer(p, 200, "", body, size);
	free(body);
}

static void
answer_head(struct peer *p, size_t size)
{
	struct str fields;

	str_init(&fields);
	for (unsigned i = 0; fields.length < size; i++)
		str_printf(&fields, "X-%u: %0100u\r\n", i, i);
	answer_hello(p, fields.data);
	str_fini(&fields);
}

static void
answer_drip(struct peer *p, size_t count)
{
	peer_puts(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	while (count-- > 0) {
		pace();
		peer_puts(p, "5\r\ntick\n\r\n");
	}
	peer_puts(p, "0\r\n\r\n");
}

static void
answer_who(struct peer *p)
{
	X509 *cert = p->ssl == NULL ? NULL : SSL_get1_peer_certificate(p->ssl);
	char name[100] = "nobody";

	if (cert != NULL)
		X509_NAME_get_text_by_NID(X509_get_subject_name(cert),
			NID_commonName, name, sizeof(name));
	X509_free(cert);
	answer(p, 200, "", name, strlen(name));
}

static bool
path_number(const char *path, const char *prefix, size_t *number)
{
	if (strncmp(path, prefix, strlen(prefix)) != 0)
		return false;
	*number = strtoul(path + strlen(prefix), NULL, 10);
	return true;
}

static void
answer_path(struct peer *p, const char *path, size_t request_length)
{
	size_t n;

	if (strcmp(path, "/hello") == 0) {
		answer_hello(p, "");
	} else if (strcmp(path, "/who") == 0) {
		answer_who(p);
	} else if (path_number(path, "/status/", &n)) {
		answer(p, (int)n, "Location: /hello\r\n", "status", 6);
	} else if (path_number(path, "/size/", &n)) {
		answer_size(p, n);
	} else if (path_number(path, "/head/", &n)) {
		answer_head(p, n);
	} else if (path_number(path, "/drip/", &n)) {
		answer_drip(p, n);
	} else if (strcmp(path, "/trailers") == 0) {
		peer_puts(p,
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
			"Trailer: X-Late\r\n\r\n"
			"5\r\nhello\r\n0\r\nX-Late: yes\r\n\r\n");
	} else if (strcmp(path, "/interim") == 0) {
		peer_puts(p,
			"HTTP/1.1 100 Continue\r\n\r\n"
			"HTTP/1.1 103 Early Hints\r\nX-Early: yes\r\n\r\n");
		answer_hello(p, "X-Final:  two  words \r\nX-Empty:\r\n");
	} else if (strcmp(path, "/silent") == 0) {
		peer_wait_for_end(p);
	} else if (strcmp(path, "/half") == 0) {
		answer_half(p);
		peer_wait_for_end(p);
	} else if (strcmp(path, "/cut") == 0) {
		answer_half(p);
		pthread_exit(NULL);
	} else if (strcmp(path, "/last") == 0) {
		answer_hello(p, "");
		pthread_exit(NULL);
	} else if (strcmp(path, "/garbage") == 0) {
		peer_puts(p, "220 mail.test ESMTP\r\n");
		pthread_exit(NULL);
	} else {
		answer(p, 200, "", p->in.data, request_length);
	}
}

/* The length of the body; the head ends with a NUL. */
static size_t
body_length(const char *head)
{
	const char *field = strcasestr(head, "\r\nContent-Length:");

	return field == NULL ? 0 : strtoul(field + 17, NULL, 10);
}

static void
serve_http1(struct peer *p)
{
	char path[2048], *end;
	size_t length;
	bool head;

	for (;;) {
		while ((end = strstr(p->in.data, "\r\n\r\n")) == NULL)
			peer_read(p);
		length = (size_t)(end - p->in.data) + 4;
		length += body_length(p->in.data);
		peer_wait(p, length);
		if (sscanf(p->in.data, "%*s %2047s", path) != 1)
			pthread_exit(NULL);
		head = strncmp(p->in.data, "HEAD ", 5) == 0;
		if (head)
			answer(p, 200, "X-Head: yes\r\n", "", 0);
		else
			answer_path(p, path, length);
		str_consume(&p->in, length);
	}
}

/* ---- HTTP/2 */

enum {
	H2_DATA = 0,
	H2_HEADERS = 1,
	H2_RST_STREAM = 3,
	H2_SETTINGS = 4,
	H2_PING = 6,
	H2_GOAWAY = 7,
};
enum { H2_END_STREAM = 1, H2_ACK = 1, H2_END_HEADERS = 4, H2_PADDED = 8 };

static void
h2_frame(struct peer *p, uint8_t type, uint8_t flags, uint32_t stream,
	const void *payload, size_t length)
{
	char head[9] = { (char)(length >> 16), (char)(length >> 8),
		(char)length, (char)type, (char)flags, (char)(stream >> 24),
		(char)(stream >> 16), (char)(stream >> 8), (char)stream };

	peer_write(p, head, sizeof(head));
	peer_write(p, payload, length);
}

/* :status 200 out of the static table; x-connection as it is. */
static void
h2_head(struct peer *p, uint32_t stream)
{
	char number[12], block[64];
	int n = snprintf(number, sizeof(number), "%u", p->number);
	int length = snprintf(block, sizeof(block),
		"\x88%c\x0cx-connection%c%s",
		0x10, n, number);

	h2_frame(p, H2_HEADERS, H2_END_HEADERS, stream, block, (size_t)length);
}

static void
h2_answer(struct peer *p, uint32_t stream, const char *what)
{
	size_t count;

	if (strcmp(what, "silent") == 0)
		return;
	if (strcmp(what, "freeze") == 0) {
		for (;;)
			pause();
	}
	if (strcmp(what, "reset") == 0) {
		/* INTERNAL_ERROR */
		h2_frame(p, H2_RST_STREAM, 0, stream, "\0\0\0\2", 4);
		return;
	}
	h2_head(p, stream);
	if (strcmp(what, "half") == 0) {
		h2_frame(p, H2_DATA, 0, stream, "half", 4);
		return;
	}
	if (path_number(what, "drip/", &count)) {
		while (count-- > 0) {
			pace();
			h2_frame(p, H2_DATA, 0, stream, "tick\n", 5);
		}
		h2_frame(p, H2_DATA, H2_END_STREAM, stream, "", 0);
		return;
	}
	h2_frame(p, H2_DATA, H2_END_STREAM, stream, "hello", 5);
	if (strcmp(what, "away") != 0)
		return;
	h2_frame(p, H2_GOAWAY, 0, 0,
		(char[]){ 0, 0, 0, (char)stream, 0, 0, 0, 0 }, 8);
	peer_leave(p);
}

static void
h2_take(struct peer *p, uint8_t type, uint8_t flags, uint32_t stream,
	const char *payload, size_t length)
{
	char what[100];

	if (type == H2_SETTINGS && !(flags & H2_ACK)) {
		h2_frame(p, H2_SETTINGS, H2_ACK, 0, "", 0);
	} else if (type == H2_PING && !(flags & H2_ACK)) {
		h2_frame(p, H2_PING, H2_ACK, 0, payload, length);
	} else if (type == H2_DATA && (flags & H2_END_STREAM)) {
		/* Requests here are short: one frame. */
		snprintf(what, sizeof(what), "%.*s", (int)length, payload);
		h2_answer(p, stream, what);
	}
}

static void
serve_http2(struct peer *p)
{
	static const size_t preface = 24;
	const uint8_t *h;
	size_t length;
	char *frame;

	peer_wait(p, preface);
	str_consume(&p->in, preface);
	h2_frame(p, H2_SETTINGS, 0, 0, "", 0);
	for (;;) {
		peer_wait(p, 9);
		h = (const uint8_t *)p->in.data;
		length = (size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2];
		peer_wait(p, 9 + length);
		frame = xmemdup(p->in.data, 9 + length);
		str_consume(&p->in, 9 + length);
		h = (const uint8_t *)frame;
		h2_take(p, h[3], h[4],
			(uint32_t)h[5] << 24 | (uint32_t)h[6] << 16 |
				(uint32_t)h[7] << 8 | h[8],
			frame + 9, length);
		free(frame);
	}
}

/* ---- connections */

static void
peer_close(void *arg)
{
	struct peer *p = arg;

	SSL_free(p->ssl);
	close(p->fd);
	str_fini(&p->in);
	free(p);
}

static void *
serve(void *arg)
{
	struct peer *p = arg;
	const unsigned char *protocol = NULL;
	unsigned length = 0;

	pthread_cleanup_push(peer_close, p);
	if (tls != NULL) {
		p->ssl = SSL_new(tls);
		SSL_set_fd(p->ssl, p->fd);
		if (SSL_accept(p->ssl) != 1)
			peer_leave(p);
		SSL_get0_alpn_selected(p->ssl, &protocol, &length);
	}
	if (length == 2 && memcmp(protocol, "h2", 2) == 0)
		serve_http2(p);
	else
		serve_http1(p);
	pthread_cleanup_pop(1);
	return NULL;
}

static void
run(int listener)
{
	pthread_attr_t detached;
	pthread_t thread;
	unsigned number = 0;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	for (;;) {
		struct peer *p = xcalloc(1, sizeof(*p));

		str_init(&p->in);
		p->fd = accept(listener, NULL, NULL);
		p->number = ++number;
		/* What is dripped is sent as it drips. */
		setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 },
			sizeof(int));
		if (p->fd < 0 ||
			pthread_create(&thread, &detached, serve, p) != 0)
			die("connection");
	}
}

static int
listen_inet(uint16_t *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&sin, length) < 0 ||
		listen(fd, 512) < 0 ||
		getsockname(fd, (struct sockaddr *)&sin, &length) < 0)
		die("listen");
	*port = ntohs(sin.sin_port);
	return fd;
}

static int
listen_unix(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
		listen(fd, 512) < 0)
		die(path);
	return fd;
}

void
https_server_start(struct https_server *s, const struct https_server_options *o)
{
	int fd;

	s->port = 0;
	fd = o->unix_socket != NULL ? listen_unix(o->unix_socket)
				    : listen_inet(&s->port);
	s->pid = fork();
	if (s->pid < 0)
		die("fork");
	if (s->pid > 0) {
		close(fd);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	if (o->tls.own != NULL)
		tls = tls_server_context_new(&o->tls);
	run(fd);
}

void
https_server_stop(struct https_server *s)
{
	if (s->pid <= 0)
		return;
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
}
