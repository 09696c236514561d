/* A scripted HTTP server on the test's own loop. */
#include "tests/lib/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/loop.h"

#define ASKED_MAX 4096

struct client {
	struct replay *replay;
	struct client *next;
	int fd;
	struct loop_fd *watch;
	struct loop_timer *timer;
	struct str in, out;
	size_t sent;
	const struct replay_line *line; /* being answered; NULL: none */
	struct replay_line made;
};

struct replay {
	struct loop *loop;
	const struct replay_line *script;
	replay_f *then;
	void *arg;
	int fd;
	uint16_t port;
	struct loop_fd *watch;
	struct client *clients;
	size_t lines, count;
	char *heads[ASKED_MAX];
	uint64_t times[ASKED_MAX];
};

static void
client_close(struct client *c)
{
	struct client **at = &c->replay->clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	loop_fd_free(c->watch);
	loop_timer_free(c->timer);
	close(c->fd);
	str_fini(&c->in);
	str_fini(&c->out);
	free(c);
}

/* ---- what was asked */

static void
words_check(const char *asked, const char *head, size_t place)
{
	char *copy = xstrdup(asked), *rest = copy, *word;

	while ((word = strsep(&rest, " ")) != NULL) {
		bool wanted = word[0] != '!';
		bool there = strstr(head, wanted ? word : word + 1) != NULL;

		if (there != wanted)
			fail_msg("request %zu: \"%s\" is %sin:\n%s", place,
				word, there ? "" : "not ", head);
	}
	free(copy);
}

static const struct replay_line *
line_next(struct client *c, const char *head)
{
	struct replay *r = c->replay;
	const struct replay_line *line = &r->script[r->lines];

	if (line->asked != NULL) {
		r->lines++;
	} else if (r->then != NULL) {
		c->made = r->then(head, r->arg);
		line = &c->made;
	} else {
		fail_msg("request %zu is one too many:\n%s", r->count, head);
	}
	if (r->count == ASKED_MAX)
		fail_msg("more than %d requests", ASKED_MAX);
	r->times[r->count] = clock_monotonic_ms();
	r->heads[r->count] = xstrdup(head);
	words_check(line->asked, head, r->count++);
	return line;
}

/* ---- what is answered */

static void
answer_write(struct client *c, const struct replay_line *line)
{
	const char *body = line->body == NULL ? "" : line->body;
	size_t length = strlen(body);

	str_printf(&c->out, "HTTP/1.1 %d Replayed\r\n%s", line->status,
		line->headers == NULL ? "" : line->headers);
	if (line->open_ms == 0 && !line->torn) {
		str_printf(&c->out, "Content-Length: %zu\r\n\r\n", length);
		str_append(&c->out, body, length);
		return;
	}
	str_puts(&c->out, "Transfer-Encoding: chunked\r\n\r\n");
	if (length == 0)
		return;
	str_printf(&c->out, "%zx\r\n", length);
	str_append(&c->out, body, length);
	str_puts(&c->out, "\r\n");
}

static void
answer_end(void *arg)
{
	struct client *c = arg;

	if (c->line->torn) {
		client_close(c);
		return;
	}
	if (c->line->open_ms != 0)
		(void)!write(c->fd, "0\r\n\r\n", 5);
	c->line = NULL;
}

/* One piece for each turn of the loop, so that the client sees each alone. */
static void
answer_send(struct client *c)
{
	size_t left = c->out.length - c->sent;
	size_t piece = c->line->chunk == 0 || left < c->line->chunk
			       ? left
			       : c->line->chunk;
	ssize_t n = send(c->fd, c->out.data + c->sent, piece, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN) {
		client_close(c);
		return;
	}
	c->sent += n < 0 ? 0 : (size_t)n;
	if (c->sent < c->out.length)
		return;
	loop_fd_change(c->watch, LOOP_READ);
	if (c->line->open_ms == 0)
		answer_end(c);
	else if (c->line->open_ms != REPLAY_FOREVER)
		loop_timer_start(c->timer, c->line->open_ms);
}

static void
answer_begin(struct client *c, const struct replay_line *line)
{
	c->line = line;
	if (line->meanwhile != NULL)
		line->meanwhile(c->replay->arg);
	if (line->status == 0) {
		client_close(c);
		return;
	}
	if (line->status < 0)
		return;
	str_clear(&c->out);
	c->sent = 0;
	answer_write(c, line);
	loop_fd_change(c->watch, LOOP_READ | LOOP_WRITE);
}

/* Whole requests only: with the body that Content-Length names. */
static void
request_take(struct client *c)
{
	const char *end = strstr(c->in.data, "\r\n\r\n"), *field;
	size_t length;
	char *head;

	if (end == NULL || c->line != NULL)
		return;
	length = (size_t)(end - c->in.data) + 4;
	field = strcasestr(c->in.data, "\r\ncontent-length:");
	if (field != NULL && field < end)
		length += strtoul(field + 17, NULL, 10);
	if (c->in.length < length)
		return;
	head = xstrndup(c->in.data, length);
	str_consume(&c->in, length);
	answer_begin(c, line_next(c, head));
	free(head);
}

static void
on_client(int fd, unsigned what, void *arg)
{
	struct client *c = arg;
	char buf[65536];
	ssize_t n;

	if (what & LOOP_READ) {
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			client_close(c);
			return;
		}
		if (n > 0) {
			str_append(&c->in, buf, (size_t)n);
			request_take(c);
			return;
		}
	}
	if ((what & LOOP_WRITE) && c->line != NULL)
		answer_send(c);
}

static void
on_connection(int fd, unsigned what, void *arg)
{
	struct replay *r = arg;
	struct client *c;
	int one = 1;

	(void)what;
	c = xcalloc(1, sizeof(*c));
	c->replay = r;
	c->fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(c->fd >= 0);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	str_init(&c->in);
	str_init(&c->out);
	c->watch = loop_fd_new(r->loop, c->fd, LOOP_READ, on_client, c);
	c->timer = loop_timer_new(r->loop, answer_end, c);
	c->next = r->clients;
	r->clients = c;
}

struct replay *
replay_new(struct loop *loop, const struct replay_line *script, void *arg)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(at);
	struct replay *r = xcalloc(1, sizeof(*r));

	r->loop = loop;
	r->script = script;
	r->arg = arg;
	r->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(r->fd >= 0);
	assert_int_equal(bind(r->fd, (struct sockaddr *)&at, length), 0);
	assert_int_equal(listen(r->fd, 16), 0);
	assert_int_equal(
		getsockname(r->fd, (struct sockaddr *)&at, &length), 0);
	r->port = ntohs(at.sin_port);
	r->watch = loop_fd_new(loop, r->fd, LOOP_READ, on_connection, r);
	return r;
}

void
replay_free(struct replay *r)
{
	while (r->clients != NULL)
		client_close(r->clients);
	loop_fd_free(r->watch);
	close(r->fd);
	for (size_t i = 0; i < r->count; i++)
		free(r->heads[i]);
	free(r);
}

uint16_t
replay_port(const struct replay *r)
{
	return r->port;
}

size_t
replay_count(const struct replay *r)
{
	return r->count;
}

const char *
replay_head(const struct replay *r, size_t i)
{
	return i < r->count ? r->heads[i] : "";
}

uint64_t
replay_time_ms(const struct replay *r, size_t i)
{
	return i < r->count ? r->times[i] : 0;
}

void
replay_then(struct replay *r, replay_f *answer)
{
	r->then = answer;
}
