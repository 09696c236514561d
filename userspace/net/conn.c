/* A non-blocking stream connection with its queues. */
#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/loop.h"

#define BUFFER_CLASSES 4 /* 4, 16, 64, 256 KiB */
#define BUFFER_LEAST   4096
#define SPARE_BYTES    (2u << 20) /* of all classes */
#define PIPE_BYTES     (256 << 10)

struct conn_buffer {
	struct conn_buffer *next;
	size_t capacity, start, length;
	char bytes[];
};

struct conn_pool {
	struct loop *loop;
	struct conn_buffer *spare[BUFFER_CLASSES];
	size_t spare_bytes;
	int pipe[2]; /* empty but within conn_splice; -1: not there */
};

/* ---- buffers */

static size_t
class_size(unsigned class)
{
	return (size_t)BUFFER_LEAST << 2 * class;
}

static struct conn_buffer *
buffer_new(struct conn_pool *p, size_t room)
{
	struct conn_buffer *b;
	size_t capacity = BUFFER_LEAST;
	unsigned class = 0;

	while (capacity < room) {
		capacity *= 4;
		class ++;
	}
	if (class < BUFFER_CLASSES && p->spare[class] != NULL) {
		b = p->spare[class];
		p->spare[class] = b->next;
		p->spare_bytes -= b->capacity;
	} else {
		b = xmalloc(sizeof(*b) + capacity);
		b->capacity = capacity;
	}
	b->start = b->length = 0;
	return b;
}

static void
buffer_free(struct conn_pool *p, struct conn_buffer *b)
{
	unsigned class = 0;

	if (b == NULL)
		return;
	while (class < BUFFER_CLASSES && class_size(class) != b->capacity)
		class ++;
	if (class == BUFFER_CLASSES ||
		p->spare_bytes + b->capacity > SPARE_BYTES) {
		free(b);
		return;
	}
	b->next = p->spare[class];
	p->spare[class] = b;
	p->spare_bytes += b->capacity;
}

/* Room for length bytes at the end. */
static void
buffer_reserve(struct conn_pool *p, struct conn_buffer **at, size_t length)
{
	struct conn_buffer *b = *at, *bigger;

	if (b == NULL) {
		*at = buffer_new(p, length);
		return;
	}
	if (b->capacity - b->start - b->length >= length)
		return;
	if (b->capacity - b->length >= length && b->start >= b->length) {
		memcpy(b->bytes, b->bytes + b->start, b->length);
		b->start = 0;
		return;
	}
	bigger = buffer_new(p, b->length + length);
	memcpy(bigger->bytes, b->bytes + b->start, b->length);
	bigger->length = b->length;
	buffer_free(p, b);
	*at = bigger;
}

static void
buffer_append(struct conn_buffer *b, const void *bytes, size_t length)
{
	memcpy(b->bytes + b->start + b->length, bytes, length);
	b->length += length;
}

struct conn_pool *
conn_pool_new(struct loop *loop)
{
	struct conn_pool *p = xcalloc(1, sizeof(*p));

	p->loop = loop;
	p->pipe[0] = p->pipe[1] = -1;
	return p;
}

static void
pipe_close(struct conn_pool *p)
{
	if (p->pipe[0] < 0)
		return;
	close(p->pipe[0]);
	close(p->pipe[1]);
	p->pipe[0] = p->pipe[1] = -1;
}

void
conn_pool_free(struct conn_pool *p)
{
	if (p == NULL)
		return;
	for (unsigned i = 0; i < BUFFER_CLASSES; i++) {
		while (p->spare[i] != NULL) {
			struct conn_buffer *b = p->spare[i];

			p->spare[i] = b->next;
			free(b);
		}
	}
	pipe_close(p);
	free(p);
}

/* ---- plain TCP */

static ssize_t
plain_receive(struct conn *c, void *to, size_t size)
{
	return recv(c->fd, to, size, 0);
}

static ssize_t
plain_send(struct conn *c, const struct iovec *iov, int count)
{
	struct msghdr mh = { .msg_iov = (struct iovec *)(uintptr_t)iov,
		.msg_iovlen = (size_t)count };
	int flags = MSG_NOSIGNAL | (c->last ? MSG_MORE : 0);

	if (count == 1) /* less for the kernel to copy and look at */
		return send(c->fd, iov->iov_base, iov->iov_len, flags);
	return sendmsg(c->fd, &mh, flags);
}

static void
plain_shut(struct conn *c)
{
	shutdown(c->fd, SHUT_WR);
}

static void
plain_release(struct conn *c)
{
	(void)c;
}

const struct transport transport_plain = {
	.receive = plain_receive,
	.send = plain_send,
	.shut = plain_shut,
	.release = plain_release,
};

/* ---- the connection */

static void
watch_set(struct conn *c, bool wants_write)
{
	unsigned what = LOOP_READ | LOOP_CLOSED | LOOP_EDGE;

	if (c->wants_write == wants_write)
		return;
	c->wants_write = wants_write;
	loop_fd_change(c->watch, wants_write ? what | LOOP_WRITE : what);
}

void
conn_watch_write(struct conn *c, bool wanted)
{
	if (wanted)
		watch_set(c, false);
	watch_set(c, wanted);
}

static ssize_t
send_some(struct conn *c, const struct iovec *iov, int count)
{
	ssize_t n;

	do {
		n = c->transport->send(c, iov, count);
	} while (n < 0 && errno == EINTR);
	if (n >= 0) {
		*c->sent += (uint64_t)n;
		return n;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return 0;
	c->failed = true;
	return -1;
}

static void
queue_flush(struct conn *c)
{
	while (c->out != NULL && !c->failed) {
		struct iovec iov = { c->out->bytes + c->out->start,
			c->out->length };
		ssize_t n = send_some(c, &iov, 1);

		if (n <= 0)
			return;
		c->progress_ms = loop_now_ms(c->pool->loop);
		c->out->start += (size_t)n;
		c->out->length -= (size_t)n;
		if (c->out->length == 0) {
			buffer_free(c->pool, c->out);
			c->out = NULL;
		}
	}
	if (!c->failed)
		watch_set(c, false);
}

static void
on_event(int fd, unsigned what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	if (what & (LOOP_READ | LOOP_CLOSED))
		c->readable = true;
	if (what & LOOP_CLOSED)
		c->closed = true;
	if ((what & LOOP_WRITE) && c->out != NULL)
		queue_flush(c);
	c->cb(c, what);
}

void
conn_init(struct conn *c, struct conn_pool *pool, int fd, bool connecting,
	conn_event_f *cb)
{
	unsigned what = LOOP_READ | LOOP_CLOSED | LOOP_EDGE;

	*c = (struct conn){ .transport = &transport_plain,
		.pool = pool,
		.fd = fd,
		.cb = cb,
		.wants_write = connecting };
	c->watch = loop_fd_new(pool->loop, fd,
		connecting ? what | LOOP_WRITE : what, on_event, c);
}

void
conn_fini(struct conn *c)
{
	if (c->fd < 0)
		return;
	c->transport->release(c);
	loop_fd_free(c->watch);
	close(c->fd);
	buffer_free(c->pool, c->in);
	buffer_free(c->pool, c->out);
	c->watch = NULL;
	c->in = c->out = NULL;
	c->fd = -1;
}

void
conn_reset(struct conn *c)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (c->fd >= 0)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	conn_fini(c);
}

int
conn_problem(const struct conn *c)
{
	int problem = 0;
	socklen_t length = sizeof(problem);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &problem, &length) < 0)
		return errno;
	return problem;
}

int
conn_connected(struct conn *c)
{
	int problem = conn_problem(c);

	if (problem == 0)
		watch_set(c, false);
	return problem;
}

/* What a read returned, and errno, mean. */
static enum conn_got
received(struct conn *c, ssize_t got, size_t *n)
{
	*n = got > 0 ? (size_t)got : 0;
	if (got > 0) {
		*c->received += (uint64_t)got;
		return CONN_GOT_DATA;
	}
	c->readable = false;
	if (got == 0) {
		c->closed = c->ended = true;
		return CONN_GOT_END;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return CONN_GOT_NOTHING;
	c->failed = c->ended = true;
	return CONN_GOT_ERROR;
}

enum conn_got
conn_receive(struct conn *c, void *to, size_t size, size_t *n)
{
	ssize_t got;

	do {
		got = c->transport->receive(c, to, size);
	} while (got < 0 && errno == EINTR);
	if (got > 0 && (size_t)got < size && !c->closed)
		c->readable = false;
	return received(c, got, n);
}

bool
conn_is_quiet(struct conn *c)
{
	char unasked;
	size_t n;

	return conn_receive(c, &unasked, sizeof(unasked), &n) ==
	       CONN_GOT_NOTHING;
}

/* The first bytes come into the queue. */
static void
queue_begin(struct conn *c)
{
	c->progress_ms = loop_now_ms(c->pool->loop);
	c->window_ms = 0;
}

int
conn_send(struct conn *c, const struct iovec *iov, int count)
{
	size_t left = 0, skip = 0;
	ssize_t n = 0;

	if (c->failed)
		return -1;
	if (c->out == NULL) {
		n = send_some(c, iov, count);
		if (n < 0)
			return -1;
		skip = (size_t)n;
	}
	for (int i = 0; i < count; i++)
		left += iov[i].iov_len;
	left -= skip;
	if (left == 0)
		return 0;
	if (c->out == NULL)
		queue_begin(c);
	buffer_reserve(c->pool, &c->out, left);
	for (int i = 0; i < count; i++) {
		size_t over = skip < iov[i].iov_len ? skip : iov[i].iov_len;

		buffer_append(c->out, (const char *)iov[i].iov_base + over,
			iov[i].iov_len - over);
		skip -= over;
	}
	watch_set(c, true);
	return 0;
}

/* ---- from one to the other without a copy */

static bool
pipe_open(struct conn_pool *p)
{
	if (p->pipe[0] >= 0)
		return true;
	if (pipe2(p->pipe, O_NONBLOCK | O_CLOEXEC) < 0) {
		p->pipe[0] = p->pipe[1] = -1;
		return false;
	}
	/* Refused, it has the size it has. */
	fcntl(p->pipe[1], F_SETPIPE_SZ, PIPE_BYTES);
	return true;
}

bool
conn_can_splice(struct conn *from, struct conn *to)
{
	return from->transport == &transport_plain &&
	       to->transport == &transport_plain && from->in == NULL &&
	       to->out == NULL && !to->failed && pipe_open(from->pool);
}

/* What `to` would not take now comes out of the pipe into its queue. */
static void
pipe_queue(struct conn *to, size_t left)
{
	struct conn_buffer *b;

	queue_begin(to);
	buffer_reserve(to->pool, &to->out, left);
	b = to->out;
	while (left > 0) {
		ssize_t n = read(to->pool->pipe[0],
			b->bytes + b->start + b->length, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			to->failed = true;
			return;
		}
		b->length += (size_t)n;
		left -= (size_t)n;
	}
	watch_set(to, true);
}

static void
pipe_send(struct conn *to, size_t left)
{
	while (left > 0 && !to->failed) {
		ssize_t n = splice(to->pool->pipe[0], NULL, to->fd, NULL, left,
			SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

		if (n > 0) {
			*to->sent += (uint64_t)n;
			left -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			pipe_queue(to, left);
			break;
		} else if (n == 0 || errno != EINTR) {
			to->failed = true;
		}
	}
	/* Nobody shall find there what it has not put in. */
	if (to->failed)
		pipe_close(to->pool);
}

enum conn_got
conn_splice(struct conn *from, struct conn *to, size_t most, size_t *n)
{
	enum conn_got result;
	ssize_t got;

	do {
		got = splice(from->fd, NULL, from->pool->pipe[1], NULL, most,
			SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	} while (got < 0 && errno == EINTR);
	result = received(from, got, n);
	pipe_send(to, *n);
	return result;
}

size_t
conn_queued(const struct conn *c)
{
	return c->out != NULL ? c->out->length : 0;
}

void
conn_forget_queued(struct conn *c)
{
	buffer_free(c->pool, c->out);
	c->out = NULL;
}

/* What the peer's kernel has confirmed. The socket tells of room in its queue
 * only when a third of it is free, which may take a slow reader minutes. */
static uint64_t
bytes_acked(const struct conn *c)
{
	struct tcp_info info = { .tcpi_bytes_acked = 0 };
	socklen_t length = sizeof(info);

	if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
		return 0;
	return info.tcpi_bytes_acked;
}

bool
conn_is_stalled(
	struct conn *c, uint32_t window_ms, uint32_t rate, uint64_t *due_ms)
{
	uint64_t now = loop_now_ms(c->pool->loop);

	*due_ms = 0;
	if (c->out == NULL)
		return false;
	if (c->window_ms == 0 || c->window_ms + window_ms <= now) {
		uint64_t acked = bytes_acked(c), moved = acked - c->acked;

		if (c->window_ms != 0 &&
			(moved == 0 ||
				moved * 1000 < rate * (now - c->window_ms)))
			return true;
		c->window_ms = now;
		c->acked = acked;
	}
	*due_ms = c->window_ms + window_ms;
	return false;
}

void
conn_shut(struct conn *c)
{
	if (!c->failed)
		c->transport->shut(c);
	c->failed = true;
}

void
conn_keep(struct conn *c, const char *bytes, size_t length)
{
	if (c->in != NULL)
		c->in->start = c->in->length = 0;
	if (length == 0) {
		buffer_free(c->pool, c->in);
		c->in = NULL;
		return;
	}
	buffer_reserve(c->pool, &c->in, length);
	buffer_append(c->in, bytes, length);
}

size_t
conn_kept(const struct conn *c)
{
	return c->in != NULL ? c->in->length : 0;
}

size_t
conn_take(struct conn *c, char *to)
{
	size_t length;

	if (c->in == NULL)
		return 0;
	length = c->in->length;
	memcpy(to, c->in->bytes + c->in->start, length);
	buffer_free(c->pool, c->in);
	c->in = NULL;
	return length;
}
