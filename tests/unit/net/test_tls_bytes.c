/*
 * Tests userspace/net/tls.c: bytes of a connection come whole and in order,
 * however they are cut, and an end is what the server said it is.
 */
#include "net/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "tests/lib/tls_pair.h"

#define MEGABYTE (1u << 20)

static void
every_byte_may_come_alone(void **state)
{
	struct tls_context *context = pair_context_mutual();
	struct certificate middle, chained;

	(void)state;
	certificate_make(&middle,
		&(struct certificate_options){
			.name = "middle", .authority = true },
		&pair_authority);
	certificate_make(&chained,
		&(struct certificate_options){
			.name = "chained", .names = "DNS:good.test" },
		&middle);
	for (size_t v = 0; v < ARRAY_SIZE(pair_versions); v++) {
		struct tls_pair p;

		pair_init(&p, &(struct tls_server_options){ .own = &chained,
				      .chain = &middle,
				      .wants = &pair_authority,
				      .version = pair_versions[v] });
		pair_connect(&p, context, &pair_peer);
		assert_int_equal(pair_shake(&p, 1), TLS_DONE);
		pair_say(&p, "question");
		pair_server_hear(&p, "question");
		pair_server_say(&p, "answer");
		while (pair_server_give(&p, 1))
			assert_int_equal(pair_read(&p), CONN_GOT_NOTHING);
		assert_string_equal(p.got.data, "answer");
		pair_close(&p);
	}
	certificate_drop(&chained);
	certificate_drop(&middle);
	tls_context_unref(context);
}

static void
an_end_is_told_from_a_cut(void **state)
{
	struct tls_context *context = pair_context_plain();

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		bool notified = i & 1, later = i & 2;
		struct tls_pair p;

		pair_open(&p,
			&(struct tls_server_options){ .own = &pair_good,
				.version = pair_versions[i / 4] },
			context);
		pair_read(&p);
		pair_server_say(&p, "some");
		pair_server_give(&p, SIZE_MAX);
		if (later)
			pair_read(&p);
		if (notified)
			SSL_shutdown(p.ssl);
		pair_server_give(&p, SIZE_MAX);
		pair_server_end(&p);
		assert_int_equal(pair_read(&p),
			notified ? CONN_GOT_END : CONN_GOT_ERROR);
		assert_string_equal(p.got.data, "some");
		assert_int_equal(p.conn.failed, !notified);
		assert_string_equal(tls_problem(&p.conn),
			notified ? ""
				 : "it closed the connection without saying "
				   "so (close_notify)");
		assert_false(tls_was_refused(&p.conn));
		pair_close(&p);
	}
	tls_context_unref(context);
}

/* What comes with the end in one piece is received before it, although no
 * event tells of the end. */
static void
bytes_before_an_end_are_not_lost(void **state)
{
	struct tls_context *context = pair_context_plain();
	char bytes[64];
	struct tls_pair p;
	size_t n;

	(void)state;
	pair_open(
		&p, &(struct tls_server_options){ .own = &pair_good }, context);
	pair_read(&p);
	pair_server_say(&p, "last");
	SSL_shutdown(p.ssl);
	pair_server_give(&p, SIZE_MAX);
	p.conn.readable = true;
	assert_int_equal(
		conn_receive(&p.conn, bytes, sizeof(bytes), &n), CONN_GOT_DATA);
	assert_int_equal(n, 4);
	/* So it is asked again. */
	assert_true(p.conn.readable);
	assert_int_equal(
		conn_receive(&p.conn, bytes, sizeof(bytes), &n), CONN_GOT_END);
	pair_close(&p);
	tls_context_unref(context);
}

/* A server that refuses closes while the request is on its way. */
static void
what_was_said_is_read_after_a_broken_send(void **state)
{
	static char much[MEGABYTE];
	const struct iovec iov = { much, sizeof(much) };
	struct tls_context *context = pair_context_plain();
	struct tls_pair p;

	(void)state;
	pair_open(
		&p, &(struct tls_server_options){ .own = &pair_good }, context);
	pair_read(&p);
	pair_server_say(&p, "no");
	SSL_shutdown(p.ssl);
	pair_server_give(&p, SIZE_MAX);
	pair_server_end(&p);
	assert_int_equal(conn_send(&p.conn, &iov, 1), -1);
	assert_true(p.conn.failed);
	assert_int_equal(pair_read(&p), CONN_GOT_END);
	assert_string_equal(p.got.data, "no");
	pair_close(&p);
	tls_context_unref(context);
}

/* ---- with a loop: little room in the sockets */

struct flow {
	struct tls_pair p;
	struct loop_fd *watch; /* the server's */
	size_t to_send, sent, received, to_receive;
	bool broken;
};

static char
byte_at(size_t i)
{
	return (char)(i * 31 + i / 251);
}

static void
flow_check(struct flow *f, const char *bytes, size_t n, size_t at)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] != byte_at(at + i))
			f->broken = true;
}

static void
flow_done(struct flow *f)
{
	if (f->broken ||
		(f->received == f->to_receive && f->sent == f->to_send &&
			conn_queued(&f->p.conn) == 0))
		loop_stop(f->p.loop);
}

/* Client: reads all, and sends in pieces of odd sizes while little waits. */
static void
flow_go_on(struct flow *f)
{
	static char bytes[200000];
	struct conn *c = &f->p.conn;
	size_t n;

	while (c->readable && !f->broken) {
		if (conn_receive(c, bytes, 50001, &n) == CONN_GOT_ERROR)
			f->broken = true;
		flow_check(f, bytes, n, f->received);
		f->received += n;
	}
	while (f->sent < f->to_send && conn_queued(c) < 30000 && !f->broken) {
		struct iovec iov[7];
		size_t at = f->sent, used = 0;

		for (size_t i = 0; i < ARRAY_SIZE(iov); i++) {
			size_t length = (at * 7 + i * 4001) % 25000;

			if (length > f->to_send - at)
				length = f->to_send - at;
			iov[i] = (struct iovec){ bytes + used, length };
			for (size_t k = 0; k < length; k++)
				bytes[used++] = byte_at(at++);
		}
		f->sent = at;
		if (conn_send(c, iov, ARRAY_SIZE(iov)) < 0)
			f->broken = true;
	}
	flow_done(f);
}

static void
on_flow(struct conn *c, unsigned what)
{
	struct flow *f = (struct flow *)(void *)((char *)c -
						 offsetof(struct flow, p.conn));

	(void)what;
	flow_go_on(f);
}

/* The server echoes. */
static void
on_server(int fd, unsigned what, void *arg)
{
	struct flow *f = arg;
	struct tls_pair *p = &f->p;
	char bytes[16384];
	ssize_t n;
	int got;

	(void)what;
	n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (n > 0)
		BIO_write(p->in, bytes, (int)n);
	/* It takes no more while much waits. */
	while (BIO_ctrl_pending(p->out) < 100000 &&
		(got = SSL_read(p->ssl, bytes, sizeof(bytes))) > 0)
		SSL_write(p->ssl, bytes, got);
	while (BIO_ctrl_pending(p->out) > 0) {
		char *at;
		long length = BIO_get_mem_data(p->out, &at);

		n = send(fd, at, (size_t)length < 3001 ? (size_t)length : 3001,
			MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n <= 0)
			break;
		BIO_read(p->out, bytes, (int)n);
	}
	loop_fd_change(f->watch,
		LOOP_READ | (BIO_ctrl_pending(p->out) > 0 ? LOOP_WRITE : 0));
}

static void
on_late(void *arg)
{
	struct flow *f = arg;

	f->broken = true;
	loop_stop(f->p.loop);
}

static void
much_goes_both_ways(void **state)
{
	struct tls_context *context = pair_context_plain();
	const int small = 5000;
	struct loop_timer *late;
	struct flow f;

	(void)state;
	memset(&f, 0, sizeof(f));
	pair_open(&f.p, &(struct tls_server_options){ .own = &pair_good },
		context);
	setsockopt(f.p.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	setsockopt(f.p.conn.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	f.p.conn.cb = on_flow;
	f.to_send = f.to_receive = 3 * MEGABYTE + 17;
	f.watch = loop_fd_new(f.p.loop, f.p.fd, LOOP_READ, on_server, &f);
	late = loop_timer_new(f.p.loop, on_late, &f);
	loop_timer_start(late, 60000);
	flow_go_on(&f);
	loop_run(f.p.loop);
	assert_false(f.broken);
	assert_int_equal(f.received, f.to_receive);
	assert_int_equal(f.p.received, f.to_receive);
	assert_int_equal(f.p.sent, f.to_send);
	loop_timer_free(late);
	loop_fd_free(f.watch);
	pair_close(&f.p);
	tls_context_unref(context);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_may_come_alone),
		cmocka_unit_test(an_end_is_told_from_a_cut),
		cmocka_unit_test(bytes_before_an_end_are_not_lost),
		cmocka_unit_test(what_was_said_is_read_after_a_broken_send),
		cmocka_unit_test(much_goes_both_ways),
	};

	return cmocka_run_group_tests(tests, pair_setup, pair_teardown);
}
