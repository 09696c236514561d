/* The HTTP half of the floor programs. */
#include "tests/bench/floor.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define RECEIVE 65536

static struct sockaddr_in upstream;
static struct floor_conn *pool, *dead;
static char buffer[RECEIVE];

static struct floor_conn *
conn_new(int fd, bool client)
{
	struct floor_conn *c = calloc(1, sizeof(*c));
	int on = 1;

	if (c == NULL)
		exit(1);
	c->fd = fd;
	c->client = client;
	c->open_head = true;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	floor_watch(c);
	return c;
}

static void
conn_close(struct floor_conn *c)
{
	if (c == NULL || c->fd < 0)
		return;
	floor_unwatch(c);
	close(c->fd);
	c->fd = -1;
	for (struct floor_conn **p = &pool; !c->client && *p != NULL;
		p = &(*p)->next)
		if (*p == c) {
			*p = c->next;
			break;
		}
	c->next = dead;
	dead = c;
	if (c->peer != NULL) {
		c->peer->peer = NULL;
		conn_close(c->peer);
	}
}

void
floor_reap(void)
{
	while (dead != NULL) {
		struct floor_conn *c = dead;

		dead = c->next;
		free(c->queue);
		free(c);
	}
}

static void
queue_add(struct floor_conn *c, const struct iovec *iov, int count, size_t skip)
{
	for (int i = 0; i < count; i++) {
		size_t over = skip < iov[i].iov_len ? skip : iov[i].iov_len;
		size_t n = iov[i].iov_len - over;

		skip -= over;
		if (n == 0)
			continue;
		c->queue = realloc(c->queue, c->queued + n);
		if (c->queue == NULL)
			exit(1);
		memcpy(c->queue + c->queued, (char *)iov[i].iov_base + over, n);
		c->queued += n;
	}
	if (c->queued > 0 && !c->watches_output) {
		c->watches_output = true;
		floor_watch_output(c, true);
	}
}

static bool
conn_send(struct floor_conn *c, struct iovec *iov, int count)
{
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = (size_t)count };
	ssize_t n = 0;

	if (c->queued == 0) {
		n = sendmsg(c->fd, &mh, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return false;
		if (n < 0)
			n = 0;
	}
	queue_add(c, iov, count, (size_t)n);
	return true;
}

void
floor_output(struct floor_conn *c)
{
	ssize_t n;

	if (c->queued == 0)
		return;
	n = send(c->fd, c->queue, c->queued, MSG_NOSIGNAL);
	if (n <= 0)
		return;
	c->queued -= (size_t)n;
	memmove(c->queue, c->queue + n, c->queued);
	if (c->queued > 0)
		return;
	c->watches_output = false;
	floor_watch_output(c, false);
	if (c->closing && c->peer == NULL)
		conn_close(c);
}

static struct floor_conn *
upstream_get(void)
{
	struct floor_conn *c = pool;
	int fd;

	if (c != NULL) {
		pool = c->next;
		return c;
	}
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&upstream, sizeof(upstream)) < 0) {
		perror("floor: cannot reach the origin");
		exit(1);
	}
	return conn_new(fd, false);
}

static void
answer_end(struct floor_conn *up)
{
	struct floor_conn *c = up->peer;

	up->peer = c->peer = NULL;
	up->next = pool;
	pool = up;
	if (c->closing && c->queued == 0)
		conn_close(c);
}

/* What of a head frames the message. */
static void
head_scan(const char *p, const char *end, size_t *length, bool *closing)
{
	*length = 0;
	while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL && ++p < end) {
		if ((*p | 0x20) != 'c')
			continue;
		if (strncasecmp(p, "content-length:", 15) == 0)
			*length = strtoul(p + 15, NULL, 10);
		else if (strncasecmp(p, "connection: close", 17) == 0)
			*closing = true;
	}
}

/* Returns what it used; 0: cannot go on. */
static size_t
request_take(struct floor_conn *c, char *bytes, size_t n)
{
	char *end = memmem(bytes, n, "\r\n\r\n", 4), *path, *rest, added[64];
	struct iovec iov[4];
	size_t head, body;

	if (end == NULL || c->peer != NULL)
		return 0;
	head = (size_t)(end + 4 - bytes);
	path = memchr(bytes, ' ', head);
	if (path == NULL || path[1] != '/')
		return 0;
	rest = memchr(path + 2, '/', (size_t)(end - path - 2));
	if (rest == NULL)
		return 0;
	head_scan(rest, end, &c->left, &c->closing);
	body = c->left < n - head ? c->left : n - head;
	c->left -= body;
	c->open_head = c->left == 0;
	c->peer = upstream_get();
	c->peer->peer = c;
	iov[0] = (struct iovec){ bytes, (size_t)(path + 1 - bytes) };
	iov[1] = (struct iovec){ rest, (size_t)(end + 2 - rest) };
	iov[2] = (struct iovec){ added,
		(size_t)snprintf(added, sizeof(added),
			"X-Forwarded-For: %s\r\n\r\n", c->address) };
	iov[3] = (struct iovec){ end + 4, body };
	return conn_send(c->peer, iov, 4) ? head + body : 0;
}

static size_t
answer_take(struct floor_conn *c, char *bytes, size_t n)
{
	char *end = memmem(bytes, n, "\r\n\r\n", 4);
	struct iovec iov = { bytes, 0 };
	size_t head, body;
	bool closing;

	if (end == NULL || c->peer == NULL)
		return 0;
	head = (size_t)(end + 4 - bytes);
	head_scan(bytes, end, &c->left, &closing);
	body = c->left < n - head ? c->left : n - head;
	c->left -= body;
	c->open_head = c->left == 0;
	iov.iov_len = head + body;
	return conn_send(c->peer, &iov, 1) ? head + body : 0;
}

static size_t
body_take(struct floor_conn *c, char *bytes, size_t n)
{
	struct iovec iov = { bytes, n < c->left ? n : c->left };

	c->left -= iov.iov_len;
	c->open_head = c->left == 0;
	return c->peer != NULL && conn_send(c->peer, &iov, 1) ? iov.iov_len : 0;
}

static bool
input_take(struct floor_conn *c, char *bytes, size_t n)
{
	while (n > 0) {
		size_t used;

		if (!c->open_head)
			used = body_take(c, bytes, n);
		else if (c->client)
			used = request_take(c, bytes, n);
		else
			used = answer_take(c, bytes, n);
		if (used == 0)
			return false;
		if (!c->client && c->open_head)
			answer_end(c);
		bytes += used;
		n -= used;
	}
	return true;
}

void
floor_input(struct floor_conn *c, bool ended)
{
	while (c->fd >= 0) {
		ssize_t n = recv(c->fd, buffer, sizeof(buffer), 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0 || !input_take(c, buffer, (size_t)n)) {
			conn_close(c);
			return;
		}
		if ((size_t)n < sizeof(buffer) && !ended)
			return;
	}
}

void
floor_accept(int listener)
{
	for (int i = 0; i < 16; i++) {
		struct sockaddr_in from;
		socklen_t length = sizeof(from);
		int fd = accept4(listener, (struct sockaddr *)&from, &length,
			SOCK_NONBLOCK);

		if (fd < 0)
			return;
		inet_ntop(AF_INET, &from.sin_addr, conn_new(fd, true)->address,
			INET_ADDRSTRLEN);
	}
}

int
floor_start(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (argc != 3) {
		fprintf(stderr, "usage: %s PORT ORIGIN-PORT\n", argv[0]);
		exit(2);
	}
	upstream = at;
	upstream.sin_port = htons((uint16_t)atoi(argv[2]));
	at.sin_port = htons((uint16_t)atoi(argv[1]));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
		listen(fd, 4096) < 0) {
		perror("floor: cannot listen");
		exit(1);
	}
	return fd;
}
