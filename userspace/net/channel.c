/* A SOCK_SEQPACKET channel of messages and descriptors. */
#include "net/channel.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/unix_socket.h"

#define MESSAGE_MAX   65536
#define MESSAGES_ONCE 64 /* then others on the loop have their turn */
#define MESSAGES_LAST 1024

struct pending {
	struct pending *next;
	size_t length, fd_count;
	int fds[CHANNEL_FDS_MAX];
	char bytes[];
};

struct channel {
	struct loop *loop;
	struct loop_fd *watch;
	struct loop_timer *closing; /* runs: on_closed is due */
	int fd;
	channel_message_f *on_message;
	channel_closed_f *on_closed;
	void *arg;
	struct pending *first, **last;
	size_t queued;
	bool broken; /* nothing is sent any more */
	bool deaf;   /* nothing is received any more */
	bool inside; /* a callback of the owner runs */
	bool freed;  /* by that callback */
	char buffer[MESSAGE_MAX];
};

enum sent {
	SENT,
	SENT_LATER, /* the socket is full */
	SENT_NEVER,
};

static void
fds_close(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

static void
queue_drop_first(struct channel *c)
{
	struct pending *p = c->first;

	c->first = p->next;
	if (c->first == NULL)
		c->last = &c->first;
	c->queued--;
	fds_close(p->fds, p->fd_count);
	free(p);
}

static void
channel_destroy(struct channel *c)
{
	while (c->first != NULL)
		queue_drop_first(c);
	loop_timer_free(c->closing);
	loop_fd_free(c->watch);
	close(c->fd);
	free(c);
}

/* The owner hears of it from the loop, never from within its own call. */
static void
channel_break(struct channel *c)
{
	if (c->broken)
		return;
	c->broken = true;
	while (c->first != NULL)
		queue_drop_first(c);
	loop_fd_change(c->watch, 0);
	loop_timer_start(c->closing, 0);
}

static enum sent
message_send(struct channel *c, const void *message, size_t length,
	const int *fds, size_t fd_count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)];
	} control;
	struct iovec iov = { (void *)(uintptr_t)message, length };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (fd_count > 0) {
		struct cmsghdr *cm;

		memset(&control, 0, sizeof(control));
		mh.msg_control = control.bytes;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(cm), fds, sizeof(int) * fd_count);
	}
	do {
		n = sendmsg(c->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return SENT;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return SENT_LATER;
	log_debug("channel: cannot send bytes=%zu fds=%zu errno=%d", length,
		fd_count, errno);
	return SENT_NEVER;
}

/* Sends what waits; false: the channel broke. */
static bool
queue_send(struct channel *c)
{
	while (c->first != NULL) {
		struct pending *p = c->first;

		switch (message_send(c, p->bytes, p->length, p->fds,
			p->fd_count)) {
		case SENT:
			queue_drop_first(c);
			break;
		case SENT_LATER:
			return true;
		case SENT_NEVER:
			channel_break(c);
			return false;
		}
	}
	loop_fd_change(c->watch, LOOP_READ);
	return true;
}

static int
queue_add(struct channel *c, const void *message, size_t length,
	const int *fds, size_t fd_count)
{
	struct pending *p;

	if (c->queued == CHANNEL_QUEUE_MAX) {
		log_debug("channel: the peer does not read queued=%zu",
			c->queued);
		channel_break(c);
		return -1;
	}
	p = xmalloc(sizeof(*p) + length);
	p->next = NULL;
	p->length = length;
	p->fd_count = 0;
	memcpy(p->bytes, message, length);
	for (size_t i = 0; i < fd_count; i++) {
		int fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);

		if (fd < 0) {
			log_debug("channel: cannot keep a descriptor errno=%d",
				errno);
			fds_close(p->fds, p->fd_count);
			free(p);
			channel_break(c);
			return -1;
		}
		p->fds[p->fd_count++] = fd;
	}
	*c->last = p;
	c->last = &p->next;
	c->queued++;
	loop_fd_change(c->watch, LOOP_READ | LOOP_WRITE);
	return 0;
}

int
channel_send(struct channel *c, const void *message, size_t length,
	const int *fds, size_t fd_count)
{
	/* An empty message would look like the end to the peer. */
	assert(length > 0 && length <= MESSAGE_MAX &&
		fd_count <= CHANNEL_FDS_MAX);
	if (c->broken)
		return -1;
	if (c->first != NULL)
		return queue_add(c, message, length, fds, fd_count);
	switch (message_send(c, message, length, fds, fd_count)) {
	case SENT:
		return 0;
	case SENT_LATER:
		return queue_add(c, message, length, fds, fd_count);
	case SENT_NEVER:
		channel_break(c);
	}
	return -1;
}

static size_t
fds_take(struct msghdr *mh, int *fds)
{
	size_t count = 0;

	for (struct cmsghdr *cm = CMSG_FIRSTHDR(mh); cm != NULL;
		cm = CMSG_NXTHDR(mh, cm)) {
		size_t n;

		if (cm->cmsg_level != SOL_SOCKET ||
			cm->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		/* The room for control data holds no more than these. */
		assert(count + n <= CHANNEL_FDS_MAX);
		memcpy(fds + count, CMSG_DATA(cm), n * sizeof(int));
		count += n;
	}
	return count;
}

enum received {
	RECEIVED,
	RECEIVED_NOTHING,
	RECEIVED_END,
	RECEIVED_PART, /* more than there is room for */
};

static enum received
message_receive(struct channel *c, size_t *length, int *fds, size_t *fd_count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)];
	} control;
	struct iovec iov = { c->buffer, sizeof(c->buffer) };
	struct msghdr mh;
	ssize_t n;

	do {
		mh = (struct msghdr){ .msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control.bytes,
			.msg_controllen = sizeof(control.bytes) };
		n = recvmsg(c->fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		/* A reset is told once, before what came ahead of it. */
	} while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK
			? RECEIVED_NOTHING
			: RECEIVED_END;
	*fd_count = fds_take(&mh, fds);
	*length = (size_t)n;
	if (n > 0 && !(mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return RECEIVED;
	fds_close(fds, *fd_count);
	return n == 0 ? RECEIVED_END : RECEIVED_PART;
}

/* False: the owner freed the channel. */
static bool
channel_receive(struct channel *c, size_t most)
{
	int fds[CHANNEL_FDS_MAX];
	size_t length, fd_count;

	while (most-- > 0 && !c->deaf) {
		switch (message_receive(c, &length, fds, &fd_count)) {
		case RECEIVED:
			break;
		case RECEIVED_NOTHING:
			return true;
		case RECEIVED_PART:
			log_debug("channel: a message is too long");
			/* fallthrough */
		case RECEIVED_END:
			c->deaf = true;
			channel_break(c);
			return true;
		}
		c->inside = true;
		c->on_message(c->buffer, length, fds, fd_count, c->arg);
		c->inside = false;
		if (c->freed) {
			channel_destroy(c);
			return false;
		}
	}
	return true;
}

static void
on_ready(int fd, unsigned what, void *arg)
{
	struct channel *c = arg;

	(void)fd;
	if ((what & LOOP_WRITE) && !queue_send(c))
		return;
	if (what & LOOP_READ)
		channel_receive(c, MESSAGES_ONCE);
}

static void
on_closing(void *arg)
{
	struct channel *c = arg;

	/* What the peer had sent before it went is still good. */
	if (!channel_receive(c, MESSAGES_LAST))
		return;
	c->deaf = true;
	c->inside = true;
	c->on_closed(c->arg);
	c->inside = false;
	if (c->freed)
		channel_destroy(c);
}

struct channel *
channel_new(struct loop *loop, int fd, channel_message_f *on_message,
	channel_closed_f *on_closed, void *arg)
{
	struct channel *c = xmalloc(sizeof(*c));

	memset(c, 0, offsetof(struct channel, buffer));
	c->loop = loop;
	c->fd = fd;
	c->on_message = on_message;
	c->on_closed = on_closed;
	c->arg = arg;
	c->last = &c->first;
	c->closing = loop_timer_new(loop, on_closing, c);
	c->watch = loop_fd_new(loop, fd, LOOP_READ, on_ready, c);
	return c;
}

void
channel_free(struct channel *c)
{
	if (c == NULL)
		return;
	if (c->inside)
		c->freed = true;
	else
		channel_destroy(c);
}

int
channel_fd(const struct channel *c)
{
	return c->fd;
}

int
channel_pair(int ends[2], struct error *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    0, ends) < 0)
		return error_errno(err, errno, "cannot make a channel");
	return 0;
}

int
channel_listen(const char *path, struct error *err)
{
	return unix_socket_listen(path, SOCK_SEQPACKET, 0600, (gid_t)-1, err);
}

int
channel_connect(const char *path, struct error *err)
{
	struct sockaddr_un sun;
	int fd;

	if (unix_socket_address(path, &sun, err) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_errno(err, errno, "cannot make a socket");
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		error_errno(err, errno, "cannot connect to %s", path);
		close(fd);
		return -1;
	}
	return fd;
}
