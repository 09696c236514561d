/*
 * The origin of the benchmark, as cheap as an origin can be: one thread, one
 * epoll, answers made in advance. The last letter of the path chooses the
 * answer: s 100 bytes, m 10 KB, l 100 KB, x 1 MB, h the head of the request.
 * Bodies of requests are read and dropped.
 *
 * Usage: origin PORT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVE 65536
#define EVENTS  256

struct answer {
	char *bytes;
	size_t length;
};

struct connection {
	int fd;
	size_t body;      /* bytes of a request's body still to come */
	const char *rest; /* of the answer that did not fit the socket */
	size_t rest_length;
	char *made; /* an answer made for this connection */
};

static struct answer small, middle, large, huge;
static char buffer[RECEIVE];
static int epoll;

static struct answer
answer_make(size_t body)
{
	struct answer a;
	int head;

	a.bytes = malloc(body + 256);
	if (a.bytes == NULL)
		exit(1);
	head = snprintf(a.bytes, 256,
		"HTTP/1.1 200 OK\r\nServer: origin\r\nX-Origin: 1\r\n"
		"Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
		body);
	memset(a.bytes + head, 'x', body);
	a.length = (size_t)head + body;
	return a;
}

static void
connection_close(struct connection *c)
{
	close(c->fd);
	free(c->made);
	free(c);
}

static void
watch_output(struct connection *c, bool on)
{
	struct epoll_event ev = { .events = on ? EPOLLIN | EPOLLOUT : EPOLLIN,
		.data.ptr = c };

	epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &ev);
}

/* False: the connection is gone. */
static bool
answer_send(struct connection *c, const char *bytes, size_t length)
{
	ssize_t n = send(c->fd, bytes, length, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		return false;
	if (n < 0)
		n = 0;
	c->rest = bytes + n;
	if (c->rest_length == 0 && (size_t)n < length)
		watch_output(c, true);
	else if (c->rest_length > 0 && (size_t)n == length)
		watch_output(c, false);
	c->rest_length = length - (size_t)n;
	return true;
}

static size_t
content_length(const char *head, size_t length)
{
	const char *p = head, *end = head + length;

	while (p != NULL && p < end) {
		if ((*p == 'C' || *p == 'c') &&
			strncasecmp(p, "content-length:", 15) == 0)
			return strtoul(p + 15, NULL, 10);
		p = memchr(p, '\n', (size_t)(end - p));
		p = p != NULL ? p + 1 : NULL;
	}
	return 0;
}

static bool
head_echo(struct connection *c, const char *head, size_t length)
{
	int n;

	free(c->made);
	c->made = malloc(length + 256);
	if (c->made == NULL)
		return false;
	n = snprintf(c->made, 256,
		"HTTP/1.1 200 OK\r\nX-Origin: 1\r\nContent-Length: %zu\r\n\r\n",
		length);
	memcpy(c->made + n, head, length);
	return answer_send(c, c->made, (size_t)n + length);
}

/* One whole head; its answer. */
static bool
request_answer(struct connection *c, const char *head, size_t length)
{
	const char *space = memchr(head, ' ', length), *last;

	if (space == NULL)
		return false;
	last = memchr(space + 1, ' ', length - (size_t)(space + 1 - head));
	if (last == NULL)
		return false;
	switch (last[-1]) {
	case 'h':
		return head_echo(c, head, length);
	case 'm':
		return answer_send(c, middle.bytes, middle.length);
	case 'l':
		return answer_send(c, large.bytes, large.length);
	case 'x':
		return answer_send(c, huge.bytes, huge.length);
	default:
		return answer_send(c, small.bytes, small.length);
	}
}

static bool
connection_read(struct connection *c)
{
	ssize_t n = recv(c->fd, buffer, sizeof(buffer) - 1, 0);
	const char *p = buffer, *end;
	size_t left;

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	buffer[n] = '\0';
	left = (size_t)n;
	while (left > 0) {
		size_t used = c->body < left ? c->body : left;

		/* An answer goes out when the body has come. */
		if (c->body > 0) {
			c->body -= used;
			p += used;
			left -= used;
			if (c->body == 0 &&
				!answer_send(c, small.bytes, small.length))
				return false;
			continue;
		}
		end = memmem(p, left, "\r\n\r\n", 4);
		if (end == NULL)
			return false;
		used = (size_t)(end + 4 - p);
		if (*p == 'P')
			c->body = content_length(p, used);
		if (c->body == 0 && !request_answer(c, p, used))
			return false;
		p += used;
		left -= used;
	}
	return true;
}

static void
accept_all(int listener)
{
	for (int i = 0; i < 64; i++) {
		int on = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
		struct connection *c;
		struct epoll_event ev = { .events = EPOLLIN };

		if (fd < 0)
			return;
		c = calloc(1, sizeof(*c));
		if (c == NULL)
			exit(1);
		c->fd = fd;
		ev.data.ptr = c;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev);
	}
}

static void
connection_event(struct connection *c, unsigned events)
{
	bool ok = true;

	if (events & EPOLLOUT && c->rest_length > 0)
		ok = answer_send(c, c->rest, c->rest_length);
	if (ok && events & ~(unsigned)EPOLLOUT)
		ok = connection_read(c);
	if (!ok)
		connection_close(c);
}

static int
listen_on(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
		listen(fd, 4096) < 0) {
		perror("origin: cannot listen");
		exit(1);
	}
	return fd;
}

int
main(int argc, char **argv)
{
	struct epoll_event events[EVENTS], ev = { .events = EPOLLIN };
	int listener;

	if (argc != 2) {
		fprintf(stderr, "usage: origin PORT\n");
		return 2;
	}
	small = answer_make(100);
	middle = answer_make(10240);
	large = answer_make(102400);
	huge = answer_make(1 << 20);
	listener = listen_on(atoi(argv[1]));
	epoll = epoll_create1(0);
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &ev);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL)
				accept_all(listener);
			else
				connection_event(
					events[i].data.ptr, events[i].events);
		}
	}
}
