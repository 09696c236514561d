/* An origin that follows a script, in a thread of its own. */
#include "tests/lib/rig_origin.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/body.h"
#include "http/head.h"
#include "tests/lib/rig_private.h"

#define CONNECTIONS 64

struct origin_connection {
	int fd; /* 0: none */
	struct str in;
	bool shut_next;
};

struct rig_origin {
	pthread_t thread;
	pthread_mutex_t mutex;
	int listener, wake;
	uint16_t port;
	bool stop, paused, reset; /* reset: to be done */
	struct rig_answer *answers; /* ours */
	size_t next;
	struct str seen;
	unsigned accepted, closed;
	struct origin_connection connections[CONNECTIONS];
};

static void
origin_drop(struct rig_origin *o, struct origin_connection *c, bool reset)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(c->fd);
	str_fini(&c->in);
	c->fd = 0;
	o->closed++;
}

/* The length of the whole request at the front, 0 if it is not there yet. */
static size_t
request_length(const struct str *in, bool head_only, char echo[128])
{
	static _Thread_local struct http_head head; /* of each origin */
	struct http_limits limits = { 1 << 20, 1 << 20, HTTP_FIELDS_MAX };
	struct http_body body;
	enum http_refusal why;
	struct slice run;
	size_t at, n;

	if (http_request_parse(in->data, in->length, 0, &limits, &head, &n,
		    &why) != HTTP_PARSE_DONE)
		return 0;
	at = n + head.length;
	if (head_only)
		return at;
	http_body_init(&body, head.framing, head.content_length);
	for (;;) {
		switch (http_body_read(
			&body, in->data + at, in->length - at, &run, &n)) {
		case HTTP_BODY_DATA:
			at += n;
			break;
		case HTTP_BODY_DONE:
			snprintf(echo, 128, "%.*s %ju", (int)head.target.length,
				head.target.data, (uintmax_t)body.total);
			return at + n;
		default:
			return 0;
		}
	}
}

static void
origin_send(int fd, const struct rig_answer *a, const char *echo)
{
	size_t length = a->length > 0 ? a->length : strlen(a->bytes), at = 0;
	const char *bytes = a->bytes;
	char made[256];

	if (a->flags & RIG_ECHO) {
		length = (size_t)snprintf(made, sizeof(made),
			"HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
			strlen(echo), echo);
		bytes = made;
	}
	while (at < length) {
		ssize_t n = send(fd, bytes + at,
			a->flags & RIG_BYTEWISE ? 1 : length - at,
			MSG_NOSIGNAL);

		if (n <= 0)
			return;
		at += (size_t)n;
	}
}

static void
origin_answer(struct rig_origin *o, struct origin_connection *c)
{
	while (c->fd > 0 && c->in.length > 0 && o->answers != NULL) {
		/* They may be others while it sends. */
		const struct rig_answer a = o->answers[o->next];
		char echo[128] = "";
		size_t n = request_length(&c->in, a.flags & RIG_EARLY, echo);

		if (c->shut_next) {
			origin_drop(o, c, false);
			return;
		}
		if (n == 0)
			return;
		if (o->answers[o->next + 1].bytes != NULL)
			o->next++;
		str_consume(&c->in, n);
		c->shut_next = a.flags & RIG_SHUT_IDLE;
		if (!(a.flags & RIG_SILENT)) {
			pthread_mutex_unlock(&o->mutex);
			origin_send(c->fd, &a, echo);
			pthread_mutex_lock(&o->mutex);
		}
		if (a.flags & (RIG_CLOSE | RIG_RESET))
			origin_drop(o, c, a.flags & RIG_RESET);
		else if (a.flags & RIG_EARLY)
			return;
	}
}

static void
origin_read(struct rig_origin *o, struct origin_connection *c)
{
	static _Thread_local char bytes[65536];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n <= 0) {
		origin_drop(o, c, false);
		return;
	}
	if (c->shut_next) {
		origin_drop(o, c, true);
		return;
	}
	str_append(&o->seen, bytes, (size_t)n);
	if (c->in.length < 1 << 20)
		str_append(&c->in, bytes, (size_t)n);
	origin_answer(o, c);
}

static void
origin_accept(struct rig_origin *o)
{
	int fd = accept(o->listener, NULL, NULL), on = 1;

	if (fd < 0)
		return;
	for (size_t i = 0; i < CONNECTIONS; i++) {
		struct origin_connection *c = &o->connections[i];

		if (c->fd > 0)
			continue;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		c->fd = fd;
		c->shut_next = false;
		str_init(&c->in);
		o->accepted++;
		return;
	}
	close(fd);
}

static void
connections_reset(struct rig_origin *o)
{
	for (size_t i = 0; o->reset && i < CONNECTIONS; i++)
		if (o->connections[i].fd > 0)
			origin_drop(o, &o->connections[i], true);
	o->reset = false;
}

static void *
origin_run(void *arg)
{
	struct rig_origin *o = arg;

	for (;;) {
		struct pollfd fds[CONNECTIONS + 2];
		bool paused;

		pthread_mutex_lock(&o->mutex);
		if (o->stop)
			break;
		connections_reset(o);
		paused = o->paused;
		for (size_t i = 0; i < CONNECTIONS; i++)
			fds[i] = (struct pollfd){ o->connections[i].fd > 0 &&
								  !paused
							  ? o->connections[i].fd
							  : -1,
				POLLIN, 0 };
		pthread_mutex_unlock(&o->mutex);
		fds[CONNECTIONS] = (struct pollfd){ o->listener, POLLIN, 0 };
		fds[CONNECTIONS + 1] = (struct pollfd){ o->wake, POLLIN, 0 };
		poll(fds, CONNECTIONS + 2, -1);
		pthread_mutex_lock(&o->mutex);
		if (fds[CONNECTIONS + 1].revents) {
			eventfd_t count;

			eventfd_read(o->wake, &count);
		}
		for (size_t i = 0; i < CONNECTIONS; i++)
			if (fds[i].revents && o->connections[i].fd > 0 &&
				!o->paused)
				origin_read(o, &o->connections[i]);
		if (fds[CONNECTIONS].revents)
			origin_accept(o);
		pthread_mutex_unlock(&o->mutex);
	}
	pthread_mutex_unlock(&o->mutex);
	return NULL;
}

struct rig_origin *
rig_origin_new(void)
{
	struct rig_origin *o = xcalloc(1, sizeof(*o));
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t length = sizeof(sin);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	pthread_mutex_init(&o->mutex, NULL);
	str_init(&o->seen);
	MUST(o->wake = eventfd(0, EFD_CLOEXEC));
	MUST(o->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	MUST(bind(o->listener, (struct sockaddr *)&sin, sizeof(sin)));
	MUST(listen(o->listener, 64));
	MUST(getsockname(o->listener, (struct sockaddr *)&sin, &length));
	o->port = ntohs(sin.sin_port);
	if (pthread_create(&o->thread, NULL, origin_run, o) != 0)
		rig_die("pthread_create");
	return o;
}

static void
origin_wake(struct rig_origin *o)
{
	MUST(eventfd_write(o->wake, 1));
}

void
rig_origin_free(struct rig_origin *o)
{
	pthread_mutex_lock(&o->mutex);
	o->stop = true;
	pthread_mutex_unlock(&o->mutex);
	origin_wake(o);
	pthread_join(o->thread, NULL);
	for (size_t i = 0; i < CONNECTIONS; i++)
		if (o->connections[i].fd > 0)
			origin_drop(o, &o->connections[i], false);
	close(o->listener);
	close(o->wake);
	free(o->answers);
	str_fini(&o->seen);
	pthread_mutex_destroy(&o->mutex);
	free(o);
}

uint16_t
rig_origin_port(const struct rig_origin *o)
{
	return o->port;
}

void
rig_origin_script(struct rig_origin *o, const struct rig_answer *answers)
{
	size_t count = 0;

	while (answers[count].bytes != NULL)
		count++;
	pthread_mutex_lock(&o->mutex);
	free(o->answers);
	o->answers = xmemdup(answers, (count + 1) * sizeof(*answers));
	o->next = 0;
	str_clear(&o->seen);
	o->accepted = o->closed = 0;
	pthread_mutex_unlock(&o->mutex);
}

void
rig_origin_seen(struct rig_origin *o, struct str *out)
{
	static const char name[] = "x-request-id: ";
	const char *at, *id;

	str_clear(out);
	pthread_mutex_lock(&o->mutex);
	at = o->seen.data;
	while ((id = strstr(at, name)) != NULL) {
		const char *value = id + strlen(name);

		/* Only what has the form of one of ours. */
		str_append(out, at, (size_t)(value - at));
		at = value;
		if (strcspn(value, "\r") == 36 && value[8] == '-') {
			str_puts(out, "ID");
			at = value + 36;
		}
	}
	str_append(out, at, o->seen.length - (size_t)(at - o->seen.data));
	pthread_mutex_unlock(&o->mutex);
}

bool
rig_origin_wait(struct rig_origin *o, size_t bytes)
{
	uint64_t until = clock_monotonic_ms() + RIG_WAIT_MS;
	bool there = false;

	while (!there && clock_monotonic_ms() < until) {
		pthread_mutex_lock(&o->mutex);
		there = o->seen.length >= bytes;
		pthread_mutex_unlock(&o->mutex);
		if (!there)
			rig_breathe();
	}
	return there;
}

unsigned
rig_origin_connections(struct rig_origin *o)
{
	unsigned n;

	pthread_mutex_lock(&o->mutex);
	n = o->accepted;
	pthread_mutex_unlock(&o->mutex);
	return n;
}

bool
rig_origin_wait_closed(struct rig_origin *o, unsigned count)
{
	uint64_t until = clock_monotonic_ms() + RIG_WAIT_MS;
	bool closed = false;

	while (!closed && clock_monotonic_ms() < until) {
		pthread_mutex_lock(&o->mutex);
		closed = o->closed >= count;
		pthread_mutex_unlock(&o->mutex);
		if (!closed)
			rig_breathe();
	}
	return closed;
}

void
rig_origin_reset(struct rig_origin *o)
{
	uint64_t until = clock_monotonic_ms() + RIG_WAIT_MS;
	bool done = false;

	/* By its thread, which may be sending on them. */
	pthread_mutex_lock(&o->mutex);
	o->reset = true;
	pthread_mutex_unlock(&o->mutex);
	origin_wake(o);
	while (!done && clock_monotonic_ms() < until) {
		pthread_mutex_lock(&o->mutex);
		done = !o->reset;
		pthread_mutex_unlock(&o->mutex);
		if (!done)
			rig_breathe();
	}
}

void
rig_origin_pause(struct rig_origin *o, bool pause)
{
	pthread_mutex_lock(&o->mutex);
	o->paused = pause;
	pthread_mutex_unlock(&o->mutex);
	origin_wake(o);
}

void
rig_origin_sized(struct rig_origin *o, size_t size, const char *fields,
	const char *begin, const char *behind)
{
	static const char fmt[] =
		"HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n";
	static char bytes[RIG_SIZED_MOST + 2];
	static const struct rig_answer answers[] = { { bytes, 0, 0 },
		{ .bytes = NULL } };
	/* The body's length has as many digits as that of both. */
	size_t head = (size_t)snprintf(NULL, 0, fmt, fields, size);

	if (size + strlen(behind) >= sizeof(bytes) ||
		(size_t)snprintf(bytes, head + 1, fmt, fields, size - head) !=
			head) {
		fprintf(stderr, "rig: no answer of %zu bytes\n", size);
		exit(1);
	}
	memset(bytes + head, 'b', size - head);
	memcpy(bytes + head, begin, strlen(begin));
	strcpy(bytes + size, behind);
	rig_origin_script(o, answers);
}
