/* Tests userspace/net/conn.c: a peer that does not take what is queued; the end
 * of a connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/conn.h"
#include "net/loop.h"

#define WINDOW_MS 100
#define MEGABYTE  (1u << 20)

struct pair {
	struct loop *loop;
	struct conn_pool *pool;
	struct conn conn;
	uint64_t received, sent;
	int peer;
};

static void
on_event(struct conn *c, unsigned what)
{
	(void)c;
	(void)what;
}

/* A connection over loopback TCP whose peer has a small buffer. */
static void
pair_open(struct pair *p)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(at);
	const int small = 4096;
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd;

	memset(p, 0, sizeof(*p));
	assert_int_equal(bind(listener, (struct sockaddr *)&at, length), 0);
	assert_int_equal(listen(listener, 1), 0);
	getsockname(listener, (struct sockaddr *)&at, &length);
	p->peer = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(p->peer, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(connect(p->peer, (struct sockaddr *)&at, length), 0);
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	assert_true(fd >= 0);
	close(listener);
	p->loop = loop_new();
	p->pool = conn_pool_new(p->loop);
	conn_init(&p->conn, p->pool, fd, false, on_event);
	p->conn.received = &p->received;
	p->conn.sent = &p->sent;
}

static void
pair_close(struct pair *p)
{
	conn_fini(&p->conn);
	conn_pool_free(p->pool);
	loop_free(p->loop);
	close(p->peer);
}

/* More than the kernel takes, so that some is queued. */
static void
pair_fill(struct pair *p)
{
	static char bytes[8 * MEGABYTE];
	const struct iovec iov = { bytes, sizeof(bytes) };

	assert_int_equal(conn_send(&p->conn, &iov, 1), 0);
	assert_true(conn_queued(&p->conn) > 0);
}

static void
on_passed(void *arg)
{
	loop_stop(arg);
}

static void
time_pass(struct pair *p, uint64_t ms)
{
	struct loop_timer *t = loop_timer_new(p->loop, on_passed, p->loop);

	loop_timer_start(t, ms);
	loop_run(p->loop);
	loop_timer_free(t);
}

static void
peer_read(struct pair *p, size_t bytes)
{
	static char room[65536];

	while (bytes > 0) {
		ssize_t n = recv(p->peer, room,
			bytes < sizeof(room) ? bytes : sizeof(room), 0);

		assert_true(n > 0);
		bytes -= (size_t)n;
	}
}

static void
nothing_queued_is_no_stall(void **state)
{
	struct pair p;
	uint64_t due = 1;

	(void)state;
	pair_open(&p);
	assert_false(conn_is_stalled(&p.conn, WINDOW_MS, 1000, &due));
	assert_int_equal(due, 0);
	pair_close(&p);
}

static void
a_peer_that_takes_nothing(void **state)
{
	struct pair p;
	uint64_t due, first;

	(void)state;
	pair_open(&p);
	pair_fill(&p);
	/* The peer's kernel takes what it has room for, some of it late. */
	time_pass(&p, 600);
	assert_false(conn_is_stalled(&p.conn, WINDOW_MS, 0, &first));
	assert_int_equal(first, loop_now_ms(p.loop) + WINDOW_MS);
	assert_false(conn_is_stalled(&p.conn, WINDOW_MS, 0, &due));
	assert_int_equal(due, first);
	time_pass(&p, WINDOW_MS + 20);
	assert_true(conn_is_stalled(&p.conn, WINDOW_MS, 0, &due));
	pair_close(&p);
}

static void
a_peer_that_takes_some(void **state)
{
	static const struct {
		const char *what;
		uint32_t rate;
		bool stalled;
	} rows[] = {
		{ "no rate is wanted", 0, false },
		{ "it is fast enough", 50000, false },
		{ "it is too slow", 20 * MEGABYTE, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pair p;
		uint64_t due, first;

		pair_open(&p);
		pair_fill(&p);
		time_pass(&p, 20);
		assert_false(conn_is_stalled(
			&p.conn, WINDOW_MS, rows[i].rate, &first));
		peer_read(&p, 60000);
		time_pass(&p, WINDOW_MS + 20);
		if (conn_is_stalled(&p.conn, WINDOW_MS, rows[i].rate, &due) !=
			rows[i].stalled)
			fail_msg("%s", rows[i].what);
		if (!rows[i].stalled)
			assert_true(due > first);
		pair_close(&p);
	}
}

static uint32_t
segments_in(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);

	assert_int_equal(
		getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	return info.tcpi_segs_in;
}

static void
last_bytes_and_end_are_one_segment(void **state)
{
	static char text[] = "the end";
	const struct iovec iov[] = { { text, 4 }, { text + 4, 3 } };

	(void)state;
	for (int count = 1; count <= 2; count++) {
		struct pair p;
		uint32_t before;
		char got[16];

		pair_open(&p);
		before = segments_in(p.peer);
		p.conn.last = true;
		assert_int_equal(conn_send(&p.conn, iov, count), 0);
		conn_shut(&p.conn);
		assert_int_equal(
			recv(p.peer, got, sizeof(got), 0), count == 1 ? 4 : 7);
		assert_int_equal(recv(p.peer, got, sizeof(got), 0), 0);
		assert_int_equal(segments_in(p.peer) - before, 1);
		pair_close(&p);
	}
}

/* Then the close is a reset; the answer is out before it. */
static void
last_bytes_arrive_though_some_are_unread(void **state)
{
	static char text[] = "answer";
	const struct iovec iov = { text, 6 };
	struct pair p;
	char got[16];

	(void)state;
	pair_open(&p);
	assert_int_equal(send(p.peer, "more", 4, 0), 4);
	p.conn.last = true;
	assert_int_equal(conn_send(&p.conn, &iov, 1), 0);
	conn_shut(&p.conn);
	conn_fini(&p.conn);
	assert_int_equal(recv(p.peer, got, sizeof(got), 0), 6);
	assert_memory_equal(got, text, 6);
	pair_close(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_queued_is_no_stall),
		cmocka_unit_test(a_peer_that_takes_nothing),
		cmocka_unit_test(a_peer_that_takes_some),
		cmocka_unit_test(last_bytes_and_end_are_one_segment),
		cmocka_unit_test(last_bytes_arrive_though_some_are_unread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
