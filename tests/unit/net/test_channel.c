/* Tests userspace/net/channel.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/channel.h"
#include "net/loop.h"

/* One end of a channel and what came out of it. */
struct end {
	struct loop *loop;
	struct channel *channel;
	size_t messages, fds, closed;
	size_t stop_after; /* messages; 0: when it closes */
	size_t free_after;
	char last[64];
	char fd_text[64];
	bool sending; /* in channel_send: nothing may call back */
};

static struct loop *loop;

static void
on_guard(void *arg)
{
	(void)arg;
	fail_msg("nothing more came");
}

static void
run(void)
{
	struct loop_timer *guard = loop_timer_new(loop, on_guard, NULL);

	loop_timer_start(guard, 10000);
	loop_run(loop);
	loop_timer_free(guard);
}

static void
on_message(const void *message, size_t length, const int *fds, size_t fd_count,
	void *arg)
{
	struct end *e = arg;

	assert_false(e->sending);
	assert_true(length > 0);
	memset(e->last, 0, sizeof(e->last));
	memcpy(e->last, message,
		length < sizeof(e->last) ? length : sizeof(e->last) - 1);
	for (size_t i = 0; i < fd_count; i++) {
		ssize_t n;

		assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
		n = pread(fds[i], e->fd_text, sizeof(e->fd_text) - 1, 0);
		if (n > 0)
			e->fd_text[n] = '\0';
		close(fds[i]);
	}
	e->fds += fd_count;
	e->messages++;
	if (e->messages == e->free_after) {
		channel_free(e->channel);
		e->channel = NULL;
	}
	if (e->messages == e->stop_after)
		loop_stop(e->loop);
}

static void
on_closed(void *arg)
{
	struct end *e = arg;

	assert_false(e->sending);
	e->closed++;
	channel_free(e->channel);
	e->channel = NULL;
	if (e->stop_after == 0)
		loop_stop(e->loop);
}

static void
end_init(struct end *e, int fd)
{
	memset(e, 0, sizeof(*e));
	e->loop = loop;
	e->channel = channel_new(loop, fd, on_message, on_closed, e);
}

static int
end_send(struct end *e, const void *message, size_t length, const int *fds,
	size_t fd_count)
{
	int rc;

	e->sending = true;
	rc = channel_send(e->channel, message, length, fds, fd_count);
	e->sending = false;
	return rc;
}

static size_t
open_fds(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 4096; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static size_t fds_before;
static struct end a, b;

static int
setup(void **state)
{
	int ends[2];

	(void)state;
	fds_before = open_fds();
	loop = loop_new();
	if (channel_pair(ends, NULL) < 0)
		return -1;
	end_init(&a, ends[0]);
	end_init(&b, ends[1]);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	channel_free(a.channel);
	channel_free(b.channel);
	loop_free(loop);
	/* No descriptor is left behind by any of it. */
	return open_fds() == fds_before ? 0 : -1;
}

static int
text_fd(const char *text)
{
	char path[] = "/tmp/test-channel-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static void
test_messages_keep_their_bounds(void **state)
{
	(void)state;
	b.stop_after = 2;
	assert_int_equal(end_send(&a, "one", 3, NULL, 0), 0);
	assert_int_equal(end_send(&a, "second", 6, NULL, 0), 0);
	run();
	assert_int_equal(b.messages, 2);
	assert_string_equal(b.last, "second");
	a.stop_after = 1;
	assert_int_equal(end_send(&b, "back", 4, NULL, 0), 0);
	run();
	assert_string_equal(a.last, "back");
}

static void
test_descriptors(void **state)
{
	int fds[CHANNEL_FDS_MAX];

	(void)state;
	fds[0] = text_fd("the text of it");
	b.stop_after = 1;
	assert_int_equal(end_send(&a, "x", 1, fds, 1), 0);
	run();
	assert_int_equal(b.fds, 1);
	assert_string_equal(b.fd_text, "the text of it");
	/* The sender keeps its own. */
	assert_true(fcntl(fds[0], F_GETFD) >= 0);
	for (size_t i = 1; i < CHANNEL_FDS_MAX; i++)
		fds[i] = fds[0];
	b.stop_after = 2;
	assert_int_equal(end_send(&a, "x", 1, fds, CHANNEL_FDS_MAX), 0);
	run();
	assert_int_equal(b.fds, 1 + CHANNEL_FDS_MAX);
	close(fds[0]);
}

static void
test_what_does_not_fit_is_queued(void **state)
{
	char message[1000] = "";
	int fd = text_fd("late");

	(void)state;
	b.stop_after = 3000;
	for (int i = 0; i < 3000; i++) {
		snprintf(message, sizeof(message), "number %d", i);
		assert_int_equal(end_send(&a, message, sizeof(message), &fd,
					 i % 100 == 99),
			0);
	}
	/* What waits has a descriptor of its own. */
	close(fd);
	assert_int_equal(b.messages, 0);
	run();
	assert_int_equal(b.messages, 3000);
	assert_int_equal(b.fds, 30);
	assert_string_equal(b.last, "number 2999");
	assert_string_equal(b.fd_text, "late");
	/* The queue is empty again: the next goes straight. */
	b.stop_after = 3001;
	assert_int_equal(end_send(&a, "straight", 8, NULL, 0), 0);
	run();
	assert_string_equal(b.last, "straight");
}

static void
test_a_peer_that_does_not_read(void **state)
{
	size_t sent = 0;

	(void)state;
	while (end_send(&a, "x", 1, NULL, 0) == 0)
		sent++;
	assert_true(sent >= CHANNEL_QUEUE_MAX);
	assert_true(sent < CHANNEL_QUEUE_MAX + 10000);
	assert_int_equal(a.closed, 0);
	channel_free(b.channel);
	b.channel = NULL;
	run();
	assert_int_equal(a.closed, 1);
}

static void
test_peer_gone(void **state)
{
	(void)state;
	channel_free(b.channel);
	b.channel = NULL;
	run();
	assert_int_equal(a.closed, 1);
	assert_null(a.channel);
}

static void
test_peer_gone_when_sending(void **state)
{
	(void)state;
	/* Its last words arrive first. */
	assert_int_equal(end_send(&b, "last words", 10, NULL, 0), 0);
	assert_int_equal(end_send(&a, "unread", 6, NULL, 0), 0);
	channel_free(b.channel);
	b.channel = NULL;
	assert_int_equal(end_send(&a, "x", 1, NULL, 0), -1);
	assert_int_equal(a.closed, 0);
	assert_int_equal(end_send(&a, "x", 1, NULL, 0), -1);
	run();
	assert_int_equal(a.closed, 1);
	assert_int_equal(a.messages, 1);
	assert_string_equal(a.last, "last words");
}

static void
test_free_inside_a_message(void **state)
{
	(void)state;
	b.free_after = 1;
	assert_int_equal(end_send(&a, "1", 1, NULL, 0), 0);
	assert_int_equal(end_send(&a, "2", 1, NULL, 0), 0);
	run();
	assert_int_equal(b.messages, 1);
	assert_int_equal(b.closed, 0);
	assert_int_equal(a.closed, 1);
}

static void
test_more_than_there_is_room_for(void **state)
{
	static char huge[70000];
	int raw[2];
	struct end c;

	(void)state;
	assert_int_equal(channel_pair(raw, NULL), 0);
	end_init(&c, raw[0]);
	assert_int_equal(send(raw[1], huge, sizeof(huge), 0), sizeof(huge));
	run();
	assert_int_equal(c.messages, 0);
	assert_int_equal(c.closed, 1);
	close(raw[1]);
}

static void
test_too_many_descriptors(void **state)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 100)];
	} control = { .bytes = "" };
	struct iovec iov = { (char[]){ "x" }, 1 };
	struct msghdr mh = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
	int raw[2], fds[100];
	struct end c;

	(void)state;
	assert_int_equal(channel_pair(raw, NULL), 0);
	end_init(&c, raw[0]);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(fds));
	for (size_t i = 0; i < 100; i++)
		fds[i] = STDERR_FILENO;
	memcpy(CMSG_DATA(cm), fds, sizeof(fds));
	assert_int_equal(sendmsg(raw[1], &mh, 0), 1);
	run();
	assert_int_equal(c.messages, 0);
	assert_int_equal(c.closed, 1);
	close(raw[1]);
}

static void
test_by_path(void **state)
{
	char folder[] = "/tmp/test-channel-XXXXXX", path[64], longer[200];
	struct error err = ERROR_INIT;
	struct end c, d;
	struct stat st;
	int fd, other;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s", folder);
	assert_int_equal(channel_connect(path, &err), -1);
	assert_int_equal(err.code, ERROR_SYSTEM);
	assert_non_null(strstr(err.text, path));
	fd = channel_listen(path, NULL);
	assert_true(fd >= 0);
	close(fd);
	/* A socket file of one that is gone is replaced. */
	fd = channel_listen(path, NULL);
	assert_true(fd >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	other = channel_connect(path, NULL);
	assert_true(other >= 0);
	end_init(&c, other);
	end_init(&d, accept4(fd, NULL, NULL, SOCK_CLOEXEC));
	assert_int_equal(channel_fd(c.channel), other);
	d.stop_after = 1;
	assert_int_equal(end_send(&c, "hello", 5, NULL, 0), 0);
	run();
	assert_string_equal(d.last, "hello");
	channel_free(c.channel);
	channel_free(d.channel);
	close(fd);
	unlink(path);

	/* What is no socket is not touched. */
	close(open(path, O_CREAT | O_WRONLY, 0600));
	err.code = ERROR_NONE;
	assert_int_equal(channel_listen(path, &err), -1);
	assert_int_equal(err.code, ERROR_CONFIG);
	assert_int_equal(unlink(path), 0);
	rmdir(folder);

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	err.code = ERROR_NONE;
	assert_int_equal(channel_listen(longer, &err), -1);
	assert_non_null(strstr(err.text, "too long"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_messages_keep_their_bounds),
		TEST(test_descriptors),
		TEST(test_what_does_not_fit_is_queued),
		TEST(test_a_peer_that_does_not_read),
		TEST(test_peer_gone),
		TEST(test_peer_gone_when_sending),
		TEST(test_free_inside_a_message),
		TEST(test_more_than_there_is_room_for),
		TEST(test_too_many_descriptors),
		TEST(test_by_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
