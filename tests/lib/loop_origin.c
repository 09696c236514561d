/* An origin on the loop of the test itself. */
#include "tests/lib/loop_origin.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"

#define ANSWERS_MAX 16 /* whose times are kept */

struct visitor {
	struct visitor *next;
	struct loop_origin *origin;
	struct loop_fd *watch;
	int fd;
	bool close_next;
};

struct loop_origin {
	struct loop *loop;
	struct loop_fd *watch;
	int fd;
	struct addr addr;
	const struct loop_answer *answer;
	struct visitor *visitors;
	unsigned connections, answers;
	uint64_t at_ms[ANSWERS_MAX];
	struct str seen;
};

static void
visitor_close(struct visitor *v)
{
	loop_fd_free(v->watch);
	v->watch = NULL;
	if (v->fd >= 0)
		close(v->fd);
	v->fd = -1;
}

static void
visitor_answer(struct visitor *v)
{
	struct loop_origin *o = v->origin;
	const struct loop_answer *a = o->answer;

	if (v->close_next) {
		visitor_close(v);
		return;
	}
	if (a[1].bytes != NULL)
		o->answer++;
	v->close_next = a->then == LOOP_ANSWER_CLOSE_NEXT;
	if (o->answers < ANSWERS_MAX)
		o->at_ms[o->answers++] = clock_monotonic_ms();
	(void)!send(v->fd, a->bytes, strlen(a->bytes), MSG_NOSIGNAL);
	if (a->then == LOOP_ANSWER_CLOSE)
		visitor_close(v);
}

static void
on_visitor(int fd, unsigned what, void *arg)
{
	struct visitor *v = arg;
	char bytes[4096];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	(void)what;
	if (n <= 0) {
		visitor_close(v);
		return;
	}
	str_append(&v->origin->seen, bytes, (size_t)n);
	visitor_answer(v);
}

static void
on_accept(int fd, unsigned what, void *arg)
{
	struct loop_origin *o = arg;
	struct visitor *v = xcalloc(1, sizeof(*v));

	(void)what;
	v->origin = o;
	v->fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	v->watch = loop_fd_new(o->loop, v->fd, LOOP_READ, on_visitor, v);
	v->next = o->visitors;
	o->visitors = v;
	o->connections++;
	if (o->answer->then == LOOP_ANSWER_GREET)
		visitor_answer(v);
}

struct loop_origin *
loop_origin_new(struct loop *loop)
{
	struct loop_origin *o = xcalloc(1, sizeof(*o));
	struct sockaddr_storage ss;
	socklen_t length;

	o->loop = loop;
	str_init(&o->seen);
	addr_parse_ip("127.0.0.1", 0, &o->addr);
	length = addr_to_sockaddr(&o->addr, &ss);
	o->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (o->fd < 0 || bind(o->fd, (struct sockaddr *)&ss, length) != 0 ||
		listen(o->fd, 16) != 0 ||
		getsockname(o->fd, (struct sockaddr *)&ss, &length) != 0) {
		perror("loop_origin");
		exit(1);
	}
	addr_from_sockaddr(&o->addr, (struct sockaddr *)&ss);
	o->watch = loop_fd_new(loop, o->fd, LOOP_READ, on_accept, o);
	return o;
}

void
loop_origin_free(struct loop_origin *o)
{
	while (o->visitors != NULL) {
		struct visitor *v = o->visitors;

		o->visitors = v->next;
		visitor_close(v);
		free(v);
	}
	loop_fd_free(o->watch);
	close(o->fd);
	str_fini(&o->seen);
	free(o);
}

void
loop_origin_script(struct loop_origin *o, const struct loop_answer *a)
{
	o->answer = a;
	o->connections = o->answers = 0;
	str_clear(&o->seen);
}

void
loop_origin_addr(const struct loop_origin *o, struct addr *out)
{
	*out = o->addr;
}

const struct str *
loop_origin_seen(const struct loop_origin *o)
{
	return &o->seen;
}

unsigned
loop_origin_connections(const struct loop_origin *o)
{
	return o->connections;
}

uint64_t
loop_origin_at_ms(const struct loop_origin *o, unsigned i)
{
	return i < o->answers ? o->at_ms[i] : 0;
}
