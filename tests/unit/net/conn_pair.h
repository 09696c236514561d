/* A connection of ours and the socket at its other end. */
#ifndef TEST_CONN_PAIR_H
#define TEST_CONN_PAIR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/conn.h"
#include "net/loop.h"

struct pair {
	struct loop *loop;
	struct conn_pool *pool;
	struct conn conn;
	uint64_t received, sent;
	int peer;
	bool shares;
};

static inline void
on_event(struct conn *c, unsigned what)
{
	(void)c;
	(void)what;
}

/* A connection over loopback TCP whose peer has a small buffer; of other's loop
 * and pool, or with its own. */
static inline void
pair_open_beside(struct pair *p, const struct pair *other)
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
	p->loop = other != NULL ? other->loop : loop_new();
	p->pool = other != NULL ? other->pool : conn_pool_new(p->loop);
	p->shares = other != NULL;
	conn_init(&p->conn, p->pool, fd, false, on_event);
	p->conn.received = &p->received;
	p->conn.sent = &p->sent;
}

static inline void
pair_open(struct pair *p)
{
	pair_open_beside(p, NULL);
}

/* Those that share come before the one they share with. */
static inline void
pair_close(struct pair *p)
{
	conn_fini(&p->conn);
	if (!p->shares) {
		conn_pool_free(p->pool);
		loop_free(p->loop);
	}
	if (p->peer >= 0)
		close(p->peer);
}

static inline void
on_passed(void *arg)
{
	loop_stop(arg);
}

static inline void
time_pass(struct pair *p, uint64_t ms)
{
	struct loop_timer *t = loop_timer_new(p->loop, on_passed, p->loop);

	loop_timer_start(t, ms);
	loop_run(p->loop);
	loop_timer_free(t);
}

#endif
