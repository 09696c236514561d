/* Tests userspace/net/conn.c: a peer that does not take what is queued; one
 * that says what nobody asked for; the end of a connection. */
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
#include "tests/unit/net/conn_pair.h"

#define WINDOW_MS 100
#define MEGABYTE  (1u << 20)

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
	/* Longer than a pause between two looks. */
	const uint32_t window_ms = 2000;
	struct pair p;
	uint64_t due, first, before;

	(void)state;
	pair_open(&p);
	pair_fill(&p);
	/* The peer's kernel takes what it has room for, some of it late. */
	time_pass(&p, 600);
	before = loop_now_ms(p.loop);
	assert_false(conn_is_stalled(&p.conn, window_ms, 0, &first));
	assert_in_range(
		first, before + window_ms, loop_now_ms(p.loop) + window_ms);
	assert_false(conn_is_stalled(&p.conn, window_ms, 0, &due));
	assert_int_equal(due, first);
	time_pass(&p, window_ms + 20);
	assert_true(conn_is_stalled(&p.conn, window_ms, 0, &due));
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
		{ "it is fast enough", 1000, false },
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

/* Too much for one send: the rest goes when there is room, and then the end. */
static void
last_bytes_that_were_queued(void **state)
{
	struct pair p;
	size_t got = 0;
	ssize_t n;

	(void)state;
	pair_open(&p);
	p.conn.last = true;
	pair_fill(&p);
	fcntl(p.peer, F_SETFL, O_NONBLOCK);
	while (conn_queued(&p.conn) > 0) {
		static char room[65536];

		while ((n = recv(p.peer, room, sizeof(room), 0)) > 0)
			got += (size_t)n;
		time_pass(&p, 1);
	}
	conn_shut(&p.conn);
	fcntl(p.peer, F_SETFL, 0);
	peer_read(&p, 8 * MEGABYTE - got);
	assert_int_equal(recv(p.peer, &n, 1, 0), 0);
	pair_close(&p);
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

/* Whatever was read before: a byte is heard of, and so is the end. */
static void
unasked_bytes_are_heard_of(void **state)
{
	struct pair p;
	char got;
	size_t n;

	(void)state;
	pair_open(&p);
	assert_true(conn_is_quiet(&p.conn));
	assert_int_equal(send(p.peer, "ab", 2, 0), 2);
	assert_int_equal(conn_receive(&p.conn, &got, 1, &n), CONN_GOT_DATA);
	assert_false(conn_is_quiet(&p.conn));
	assert_true(conn_is_quiet(&p.conn));
	assert_int_equal(shutdown(p.peer, SHUT_WR), 0);
	assert_false(conn_is_quiet(&p.conn));
	assert_true(p.conn.ended);
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
		cmocka_unit_test(last_bytes_that_were_queued),
		cmocka_unit_test(last_bytes_arrive_though_some_are_unread),
		cmocka_unit_test(unasked_bytes_are_heard_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
