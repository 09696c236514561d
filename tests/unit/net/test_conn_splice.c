/* Tests userspace/net/conn.c: bytes that go from one connection to another
 * within the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>

#include "net/conn.h"
#include "tests/unit/net/conn_pair.h"

#define MEGABYTE ((size_t)1 << 20)

struct world {
	struct pair from, to;
	size_t put, moved, got; /* bytes of the pattern */
};

/* A byte that tells its place. */
static char
byte_at(size_t i)
{
	return (char)(i * 31 + (i >> 8) * 7 + (i >> 16) * 3);
}

static void
world_open(struct world *w)
{
	*w = (struct world){ 0 };
	pair_open(&w->from);
	pair_open_beside(&w->to, &w->from);
	fcntl(w->from.peer, F_SETFL, O_NONBLOCK);
	fcntl(w->to.peer, F_SETFL, O_NONBLOCK);
}

static void
world_close(struct world *w)
{
	pair_close(&w->to);
	pair_close(&w->from);
}

/* What its peer can send at once, up to `until` in all. */
static void
put(struct world *w, size_t until)
{
	static char bytes[65536];

	while (w->put < until) {
		size_t length = until - w->put;
		ssize_t n;

		if (length > sizeof(bytes))
			length = sizeof(bytes);
		for (size_t i = 0; i < length; i++)
			bytes[i] = byte_at(w->put + i);
		n = send(w->from.peer, bytes, length, MSG_NOSIGNAL);
		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			return;
		}
		w->put += (size_t)n;
	}
}

static void
get(struct world *w)
{
	static char bytes[65536];
	ssize_t n;

	while ((n = recv(w->to.peer, bytes, sizeof(bytes), 0)) > 0)
		for (ssize_t i = 0; i < n; i++)
			if (bytes[i] != byte_at(w->got++))
				fail_msg("byte %zu is another", w->got - 1);
}

static enum conn_got
move(struct world *w, size_t most)
{
	enum conn_got result;
	size_t n;

	assert_true(conn_can_splice(&w->from.conn, &w->to.conn));
	result = conn_splice(&w->from.conn, &w->to.conn, most, &n);
	assert_true(n <= most);
	assert_true((n > 0) == (result == CONN_GOT_DATA));
	w->moved += n;
	return result;
}

/* Until that many bytes are there, or none comes for seconds. */
static void
await(struct world *w, size_t bytes)
{
	struct pollfd p = { .fd = w->to.peer, .events = POLLIN };

	for (get(w); w->got < bytes; get(w))
		assert_int_equal(poll(&p, 1, 5000), 1);
}

static void
all_of_it_comes(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	while (w.moved < 3 * MEGABYTE) {
		put(&w, 3 * MEGABYTE);
		while (conn_can_splice(&w.from.conn, &w.to.conn) &&
			move(&w, 100000) == CONN_GOT_DATA)
			;
		get(&w);
		time_pass(&w.from, 1);
	}
	while (conn_queued(&w.to.conn) > 0) {
		get(&w);
		time_pass(&w.from, 1);
	}
	await(&w, 3 * MEGABYTE);
	assert_int_equal(w.from.received, 3 * MEGABYTE);
	assert_int_equal(w.to.sent, 3 * MEGABYTE);
	world_close(&w);
}

static void
no_more_than_was_asked_for(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	put(&w, 3000);
	assert_int_equal(move(&w, 1000), CONN_GOT_DATA);
	assert_int_equal(w.moved, 1000);
	await(&w, 1000);
	assert_int_equal(move(&w, 2000), CONN_GOT_DATA);
	w.from.conn.readable = true;
	assert_int_equal(move(&w, 1000), CONN_GOT_NOTHING);
	assert_false(w.from.conn.readable);
	await(&w, 3000);
	world_close(&w);
}

/* The peer takes nothing: what came is queued, and nothing more goes by. */
static void
what_is_not_taken_is_queued(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	while (conn_queued(&w.to.conn) == 0) {
		put(&w, 64 * MEGABYTE);
		move(&w, 256 << 10);
		assert_true(w.moved < 32 * MEGABYTE);
	}
	assert_true(conn_queued(&w.to.conn) <= 256 << 10);
	assert_false(conn_can_splice(&w.from.conn, &w.to.conn));
	while (conn_queued(&w.to.conn) > 0) {
		get(&w);
		time_pass(&w.from, 1);
	}
	await(&w, w.moved);
	assert_int_equal(w.to.sent, w.moved);
	world_close(&w);
}

static void
the_end_is_told(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	put(&w, 10);
	shutdown(w.from.peer, SHUT_WR);
	assert_int_equal(move(&w, 1000), CONN_GOT_DATA);
	assert_int_equal(move(&w, 1000), CONN_GOT_END);
	assert_true(w.from.conn.ended);
	assert_false(w.from.conn.failed);
	await(&w, 10);
	world_close(&w);
}

/* What it did not take is not found by the next one. */
static void
a_receiver_that_fails_leaves_nothing(void **state)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };
	struct world w;
	struct pair next;
	size_t n;
	char byte;

	(void)state;
	world_open(&w);
	setsockopt(w.to.peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(w.to.peer);
	w.to.peer = -1;
	put(&w, 1000);
	assert_int_equal(move(&w, 1000), CONN_GOT_DATA);
	assert_true(w.to.conn.failed);
	assert_false(w.from.conn.failed);
	assert_false(conn_can_splice(&w.from.conn, &w.to.conn));

	pair_open_beside(&next, &w.from);
	assert_int_equal(send(w.from.peer, "x", 1, 0), 1);
	assert_true(conn_can_splice(&w.from.conn, &next.conn));
	assert_int_equal(
		conn_splice(&w.from.conn, &next.conn, 1000, &n), CONN_GOT_DATA);
	assert_int_equal(recv(next.peer, &byte, 1, 0), 1);
	assert_int_equal(byte, 'x');
	pair_close(&next);
	world_close(&w);
}

static void
not_with_kept_bytes_nor_another_transport(void **state)
{
	const struct transport other = transport_plain;
	struct world w;

	(void)state;
	world_open(&w);
	assert_true(conn_can_splice(&w.from.conn, &w.to.conn));
	conn_keep(&w.from.conn, "kept", 4);
	assert_false(conn_can_splice(&w.from.conn, &w.to.conn));
	conn_keep(&w.from.conn, "", 0);
	assert_true(conn_can_splice(&w.from.conn, &w.to.conn));
	w.to.conn.transport = &other;
	assert_false(conn_can_splice(&w.from.conn, &w.to.conn));
	w.to.conn.transport = &transport_plain;
	w.from.conn.transport = &other;
	assert_false(conn_can_splice(&w.from.conn, &w.to.conn));
	w.from.conn.transport = &transport_plain;
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it_comes),
		cmocka_unit_test(no_more_than_was_asked_for),
		cmocka_unit_test(what_is_not_taken_is_queued),
		cmocka_unit_test(the_end_is_told),
		cmocka_unit_test(a_receiver_that_fails_leaves_nothing),
		cmocka_unit_test(not_with_kept_bytes_nor_another_transport),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
