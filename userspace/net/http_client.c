/*
 * libcurl's multi interface on the loop. Nobody is called from within libcurl:
 * what a call has come to is noted there and told afterwards, so that whoever
 * is told may start, cancel and free what he likes.
 */
#include "net/http_client.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/http_setup.h"
#include "net/loop.h"

#define CONNECT_TIMEOUT_MS 10000
#define HEAD_MAX	   (256u << 10) /* bytes of an answer's head */

/* Kept, those in use counted: as many as the busiest server is asked on at once
 * (a Consul agent: 150), and some for others. With fewer, of calls that end at
 * about the same time most give up a connection that the next have to make
 * anew. */
#define CONNECTIONS_KEPT 160L

/* A peer that is gone is noticed after this, also while nothing is sent. */
#define PEER_GONE_MS	     30000
#define KEEPALIVE_IDLE_S     15
#define KEEPALIVE_INTERVAL_S 5

/* A descriptor of libcurl's. */
struct watch {
	struct watch *next, **previous;
	struct loop_fd *on_loop;
	int fd;
};

struct http_client {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer *timer; /* libcurl's */
	struct watch *watches;
	struct http_call *calls;
	struct http_call *ready, **ready_end; /* to be told something */
	bool telling, freed;
	char *roots; /* or NULL */
};

struct http_call {
	struct http_call *next, **previous;
	struct http_call *ready_next;
	struct http_client *client;
	struct http_events events;
	void *arg;

	CURL *easy; /* NULL: never was, or has ended */
	struct http_setup setup;
	struct loop_timer *timer; /* the next of the three timeouts */
	uint64_t connect_timeout_ms, idle_timeout_ms, total_timeout_ms;
	size_t body_max;

	uint64_t begun_ms, heard_ms; /* heard_ms: last byte, or the request */
	bool connected;
	struct addr peer, own; /* of the connection, when connected */
	bool is_ready, telling, cancelled, ended;
	bool repeatable; /* asked twice, it does no more than once */
	bool head_whole, head_told, timed_out;
	int status;
	struct str head; /* "Name\0value\0" of each field */
	struct str body; /* collected, or not told yet */
	char *problem;
	char why[CURL_ERROR_SIZE]; /* libcurl's */
};

/* ---- telling */

static void
call_ready(struct http_call *call)
{
	struct http_client *c = call->client;

	if (call->is_ready)
		return;
	call->is_ready = true;
	call->ready_next = NULL;
	*c->ready_end = call;
	c->ready_end = &call->ready_next;
}

static void
call_unready(struct http_call *call)
{
	struct http_client *c = call->client;
	struct http_call **at = &c->ready;

	if (!call->is_ready)
		return;
	while (*at != call)
		at = &(*at)->ready_next;
	*at = call->ready_next;
	if (*at == NULL)
		c->ready_end = at;
	call->is_ready = false;
}

/* libcurl forgets the call. */
static void
call_detach(struct http_call *call)
{
	if (call->easy == NULL)
		return;
	curl.multi_remove_handle(call->client->multi, call->easy);
	curl.easy_cleanup(call->easy);
	call->easy = NULL;
	loop_timer_stop(call->timer);
}

static void
call_free(struct http_call *call)
{
	call_detach(call);
	call_unready(call);
	*call->previous = call->next;
	if (call->next != NULL)
		call->next->previous = call->previous;
	loop_timer_free(call->timer);
	http_setup_fini(&call->setup);
	str_fini(&call->head);
	str_fini(&call->body);
	free(call->problem);
	free(call);
}

/* text: without the place; the first problem stays. */
static void
call_fail(struct http_call *call, const char *text)
{
	if (call->problem == NULL)
		call->problem = xasprintf(
			"%s: %s", call->setup.authority, text);
	call->ended = true;
	call_ready(call);
}

static void
tell_body(struct http_call *call)
{
	struct str body = call->body;
	int rc;

	str_init(&call->body);
	rc = call->events.body(call, body.data, body.length, call->arg);
	str_fini(&body);
	if (rc == 0 || call->cancelled)
		return;
	call_detach(call);
	free(call->problem);
	call->problem = NULL;
	call_fail(call, "the rest of the answer was not wanted");
}

static void
tell_done(struct http_call *call)
{
	struct http_result result = {
		.status = call->status,
		.problem = call->problem,
		.timed_out = call->timed_out,
		.body = { call->body.data, call->body.length },
	};

	call->cancelled = true; /* it is freed now */
	call->events.done(call, &result, call->arg);
}

/* All that is new of one call. */
static void
call_tell(struct http_call *call)
{
	call->telling = true;
	if (call->head_whole && !call->head_told) {
		call->head_told = true;
		if (call->events.head != NULL)
			call->events.head(call, call->status, call->arg);
	}
	if (!call->cancelled && call->events.body != NULL &&
		call->body.length > 0)
		tell_body(call);
	if (!call->cancelled && call->ended)
		tell_done(call);
	call->telling = false;
	if (call->cancelled)
		call_free(call);
}

static void
client_end(struct http_client *c)
{
	if (c->multi != NULL)
		curl.multi_cleanup(c->multi);
	while (c->watches != NULL) {
		struct watch *w = c->watches;

		c->watches = w->next;
		loop_fd_free(w->on_loop);
		free(w);
	}
	loop_timer_free(c->timer);
	free(c->roots);
	free(c);
}

static void
client_tell(struct http_client *c)
{
	struct http_call *call;

	if (c->telling)
		return;
	c->telling = true;
	while ((call = c->ready) != NULL) {
		call_unready(call);
		call_tell(call);
	}
	c->telling = false;
	if (c->freed)
		client_end(c);
}

/* ---- time */

struct due {
	uint64_t at_ms;
	uint64_t after_ms;
	const char *what;
};

static void
due_lower(struct due *due, uint64_t since_ms, uint64_t timeout_ms,
	const char *what)
{
	if (timeout_ms == 0 || timeout_ms > UINT64_MAX - since_ms ||
		since_ms + timeout_ms >= due->at_ms)
		return;
	*due = (struct due){ since_ms + timeout_ms, timeout_ms, what };
}

static struct due
call_due(const struct http_call *call)
{
	struct due due = { UINT64_MAX, 0, NULL };

	if (!call->connected)
		due_lower(&due, call->begun_ms, call->connect_timeout_ms,
			"no connection within");
	else
		due_lower(&due, call->heard_ms, call->idle_timeout_ms,
			"nothing was heard for");
	due_lower(&due, call->begun_ms, call->total_timeout_ms,
		"no whole answer within");
	return due;
}

static void
call_arm(struct http_call *call)
{
	struct due due = call_due(call);
	uint64_t now_ms = loop_now_ms(call->client->loop);

	if (due.what == NULL)
		loop_timer_stop(call->timer);
	else
		loop_timer_start(call->timer,
			due.at_ms > now_ms ? due.at_ms - now_ms : 0);
}

static void
call_heard(struct http_call *call)
{
	/* The timer looks at this when it fires. */
	call->heard_ms = loop_now_ms(call->client->loop);
}

/* libcurl does not tell which descriptor it is. */
static int
connection_of(const struct http_call *call)
{
	struct sockaddr_storage ss;
	struct sockaddr *sa = (struct sockaddr *)&ss;
	struct addr peer, own;
	socklen_t length;

	for (const struct watch *w = call->client->watches; w != NULL;
		w = w->next) {
		length = sizeof(ss);
		if (getpeername(w->fd, sa, &length) < 0 ||
			(ss.ss_family != AF_INET && ss.ss_family != AF_INET6))
			continue;
		addr_from_sockaddr(&peer, sa);
		length = sizeof(ss);
		if (getsockname(w->fd, sa, &length) < 0)
			continue;
		addr_from_sockaddr(&own, sa);
		if (addr_equal(&peer, &call->peer) &&
			addr_equal(&own, &call->own))
			return w->fd;
	}
	return -1;
}

/*
 * A connection on which nothing at all came while a call waited in vain would
 * make the next calls wait, too, as they share it (HTTP/2). All of its calls
 * fail and the next begin with a new one. Half of the time is enough: at first
 * the server may have said how it takes requests.
 */
static void
connection_doubt(const struct http_call *call)
{
	uint64_t silent_ms = loop_now_ms(call->client->loop) - call->heard_ms;
	struct tcp_info info;
	socklen_t length = sizeof(info);
	int fd;

	if (!call->connected || (fd = connection_of(call)) < 0 ||
		getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
		return;
	if (info.tcpi_last_data_recv >= silent_ms / 2)
		shutdown(fd, SHUT_RDWR);
}

static void
call_time_out(struct http_call *call, const struct due *due)
{
	char text[80];

	snprintf(text, sizeof(text), "%s %llu ms", due->what,
		(unsigned long long)due->after_ms);
	call->timed_out = true;
	call_fail(call, text);
}

static void
on_call_timer(void *arg)
{
	struct http_call *call = arg;
	struct http_client *c = call->client;
	struct due due = call_due(call);

	if (call->ended) {
		call_ready(call); /* it could not begin */
	} else if (due.at_ms > loop_now_ms(c->loop)) {
		call_arm(call);
	} else {
		connection_doubt(call);
		call_detach(call);
		call_time_out(call, &due);
	}
	client_tell(c);
}

/* ---- libcurl to the loop */

/* One line, whatever the peer had a part in. */
static const char *
call_why(struct http_call *call, CURLcode code)
{
	if (call->setup.why != NULL)
		return call->setup.why;
	for (char *p = call->why; *p != '\0'; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	return call->why[0] != '\0' ? call->why : curl.easy_strerror(code);
}

static void
call_ended(struct http_call *call, CURLcode code)
{
	struct due due = call_due(call);

	call_detach(call);
	call->ended = true;
	call_ready(call);
	/* It has one timeout of its own, that of connecting. */
	if (code == CURLE_OPERATION_TIMEDOUT && due.what != NULL)
		call_time_out(call, &due);
	else if (code != CURLE_OK)
		call_fail(call, call_why(call, code));
}

/* A server that goes away while a kept connection brings it another request has
 * not taken that. libcurl asks again by itself with HTTP/1.1 only. */
static bool
call_repeat(struct http_call *call, CURLcode code)
{
	long connects = 1;

	if (code != CURLE_HTTP2 || !call->repeatable || call->head_whole)
		return false;
	curl.easy_getinfo(call->easy, CURLINFO_NUM_CONNECTS, &connects);
	if (connects > 0)
		return false;
	call->repeatable = false;
	call->connected = false;
	str_clear(&call->head);
	call->why[0] = '\0';
	curl.multi_remove_handle(call->client->multi, call->easy);
	curl.easy_setopt(call->easy, CURLOPT_FRESH_CONNECT, 1L);
	return curl.multi_add_handle(call->client->multi, call->easy) ==
	       CURLM_OK;
}

static void
client_collect(struct http_client *c)
{
	const CURLMsg *m;
	char *data;
	int left;

	while ((m = curl.multi_info_read(c->multi, &left)) != NULL) {
		CURLcode code = m->data.result;
		struct http_call *call;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &data);
		call = (struct http_call *)(void *)data;
		if (!call_repeat(call, code))
			call_ended(call, code);
	}
}

static void
client_act(struct http_client *c, curl_socket_t fd, int what)
{
	int running;

	curl.multi_socket_action(c->multi, fd, what, &running);
	client_collect(c);
	client_tell(c);
}

static void
on_socket(int fd, unsigned what, void *arg)
{
	client_act(arg, fd, (what & LOOP_READ ? CURL_CSELECT_IN : 0) |
			(what & LOOP_WRITE ? CURL_CSELECT_OUT : 0));
}

static void
on_timer(void *arg)
{
	client_act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int
on_timer_wanted(CURLM *multi, long delay_ms, void *arg)
{
	struct http_client *c = arg;

	(void)multi;
	if (delay_ms < 0)
		loop_timer_stop(c->timer);
	else
		loop_timer_start(c->timer, (uint64_t)delay_ms);
	return 0;
}

static struct watch *
watch_new(struct http_client *c, int fd, unsigned what)
{
	struct watch *w = xcalloc(1, sizeof(*w));

	w->fd = fd;
	w->on_loop = loop_fd_new(c->loop, fd, what, on_socket, c);
	w->next = c->watches;
	w->previous = &c->watches;
	if (w->next != NULL)
		w->next->previous = &w->next;
	c->watches = w;
	curl.multi_assign(c->multi, fd, w);
	return w;
}

static void
watch_free(struct watch *w)
{
	*w->previous = w->next;
	if (w->next != NULL)
		w->next->previous = w->previous;
	loop_fd_free(w->on_loop);
	free(w);
}

static int
on_socket_wanted(CURL *easy, curl_socket_t fd, int wanted, void *arg,
	void *socket_arg)
{
	struct watch *w = socket_arg;
	unsigned what = (wanted & CURL_POLL_IN ? LOOP_READ : 0u) |
		(wanted & CURL_POLL_OUT ? LOOP_WRITE : 0u);

	(void)easy;
	if (wanted == CURL_POLL_REMOVE) {
		if (w != NULL)
			watch_free(w);
	} else if (w != NULL) {
		loop_fd_change(w->on_loop, what);
	} else {
		watch_new(arg, fd, what);
	}
	return 0;
}

/* ---- what libcurl says of a call */

static curl_socket_t
on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S },
		{ IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, PEER_GONE_MS },
	};
	int fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);

	(void)arg;
	(void)purpose;
	if (fd < 0)
		return CURL_SOCKET_BAD;
	for (size_t i = 0; a->family != AF_UNIX && i < ARRAY_SIZE(options); i++)
		setsockopt(fd, options[i].level, options[i].name,
			&options[i].value, sizeof(options[i].value));
	return fd;
}

/* The request is about to be sent, on a new connection or a kept one. */
static int
on_connected(void *arg, char *peer, char *own, int peer_port, int own_port)
{
	struct http_call *call = arg;

	call->connected = true;
	if (addr_parse_ip(peer, (uint16_t)peer_port, &call->peer) < 0 ||
		addr_parse_ip(own, (uint16_t)own_port, &call->own) < 0)
		call->peer = call->own = (struct addr){ .port_be = 0 };
	call_heard(call);
	call_arm(call);
	return CURL_PREREQFUNC_OK;
}

/* "Name: value\r\n" becomes two strings. */
static void
head_field(struct str *head, const char *line, size_t length)
{
	const char *colon = memchr(line, ':', length);
	const char *end = line + length, *value;

	if (colon == NULL)
		return;
	value = colon + 1;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && (end[-1] == '\r' || end[-1] == '\n' ||
				      end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (memchr(line, '\0', (size_t)(end - line)) != NULL)
		return;
	str_append(head, line, (size_t)(colon - line));
	str_putc(head, '\0');
	str_append(head, value, (size_t)(end - value));
	str_putc(head, '\0');
}

/* A line of the head, with its end; the trailers come here, too. */
static size_t
on_head(char *line, size_t one, size_t length, void *arg)
{
	struct http_call *call = arg;
	long status = 0;

	call_heard(call);
	if (call->head_whole)
		return one * length;
	if (length > HEAD_MAX - call->head.length) {
		call_fail(call, "the head of the answer is too large");
		return 0;
	}
	if (length >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		str_clear(&call->head); /* what was before was a 100 */
	} else if (line[0] != '\r' && line[0] != '\n') {
		head_field(&call->head, line, length);
	} else {
		curl.easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
		if (status >= 200) {
			call->status = (int)status;
			call->head_whole = true;
			call_ready(call);
		}
	}
	return one * length;
}

static size_t
on_body(char *data, size_t one, size_t length, void *arg)
{
	struct http_call *call = arg;

	call_heard(call);
	if (call->events.body != NULL) {
		/* Told soon: libcurl reads a hundred times at most before. */
		call_ready(call);
	} else if (length > call->body_max - call->body.length) {
		call_fail(call, "the answer is too large");
		return 0;
	}
	str_append(&call->body, data, length);
	return one * length;
}

/* ---- beginning */

static void
set_callbacks(struct http_call *call)
{
	CURL *easy = call->easy;

	curl.easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, call->why);
	curl.easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	curl.easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
	curl.easy_setopt(easy, CURLOPT_PREREQDATA, call);
	curl.easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
	curl.easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl.easy_setopt(easy, CURLOPT_WRITEDATA, call);
	/* It tries a further address in time. */
	curl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
		(long)call->connect_timeout_ms);
}

static CURLcode
call_begin(struct http_call *call, const struct http_request *r)
{
	CURLcode rc;

	call->easy = curl.easy_init();
	if (call->easy == NULL)
		log_fatal("libcurl: no room for a call");
	set_callbacks(call);
	if (call->client->roots != NULL) {
		curl.easy_setopt(
			call->easy, CURLOPT_CAINFO, call->client->roots);
		/* or the system's folder would be trusted as well */
		curl.easy_setopt(call->easy, CURLOPT_CAPATH, NULL);
	}
	rc = http_setup(&call->setup, call->easy, r);
	if (rc == CURLE_OK && curl.multi_add_handle(call->client->multi,
				      call->easy) != CURLM_OK)
		rc = CURLE_FAILED_INIT;
	return rc;
}

/* libcurl's own pair of sockets would go on to whom we execute. They get the
 * lowest numbers that are free, so those are looked up before. */
static CURLM *
multi_new(void)
{
	int fds[2];
	CURLM *multi;

	for (int i = 0; i < 2; i++)
		fds[i] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	for (int i = 0; i < 2; i++)
		close(fds[i]);
	multi = curl.multi_init();
	if (multi == NULL)
		log_fatal("libcurl: no room for a client");
	for (int i = 0; i < 2; i++)
		fcntl(fds[i], F_SETFD, FD_CLOEXEC);
	return multi;
}

/* With the first call. */
static int
client_begin(struct http_client *c, struct error *err)
{
	if (c->multi != NULL)
		return 0;
	if (curl_load(err) != 0)
		return -1;
	/* OpenSSL writes without MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	c->multi = multi_new();
	curl.multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
	curl.multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl.multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
	curl.multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	curl.multi_setopt(c->multi, CURLMOPT_PIPELINING,
		(long)CURLPIPE_MULTIPLEX);
	curl.multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT);
	return 0;
}

struct http_call *
http_call_new(struct http_client *c, const struct http_request *r,
	const struct http_events *events, void *arg)
{
	struct http_call *call = xcalloc(1, sizeof(*call));
	struct error err = ERROR_INIT;
	CURLcode rc;

	call->client = c;
	call->events = *events;
	call->arg = arg;
	call->connect_timeout_ms = r->connect_timeout_ms > 0
		? r->connect_timeout_ms
		: CONNECT_TIMEOUT_MS;
	call->idle_timeout_ms = r->idle_timeout_ms;
	call->total_timeout_ms = r->total_timeout_ms;
	call->body_max = r->body_max > 0 ? r->body_max : HTTP_CLIENT_BODY_MAX;
	call->repeatable = r->method == NULL || strcmp(r->method, "GET") == 0 ||
			   strcmp(r->method, "PUT") == 0 ||
			   strcmp(r->method, "DELETE") == 0;
	call->timer = loop_timer_new(c->loop, on_call_timer, call);
	call->begun_ms = loop_now_ms(c->loop);
	str_init(&call->head);
	str_init(&call->body);
	call->next = c->calls;
	call->previous = &c->calls;
	if (call->next != NULL)
		call->next->previous = &call->next;
	c->calls = call;
	if (client_begin(c, &err) != 0) {
		call->problem = xstrdup(err.text);
		call->ended = true;
		loop_timer_start(call->timer, 0);
		return call;
	}
	rc = call_begin(call, r);
	if (rc == CURLE_OK) {
		call_arm(call);
		return call;
	}
	call_ended(call, rc);
	call_unready(call);
	loop_timer_start(call->timer, 0); /* told from there */
	return call;
}

void
http_call_cancel(struct http_call *call)
{
	if (call == NULL || call->cancelled)
		return;
	call_detach(call);
	call->cancelled = true;
	if (!call->telling)
		call_free(call);
}

const char *
http_call_header(const struct http_call *call, const char *name)
{
	const char *p = call->head.data, *end = p + call->head.length;

	while (p < end) {
		const char *value = p + strlen(p) + 1;

		if (slice_equal_nocase(slice_of(p), slice_of(name)))
			return value;
		p = value + strlen(value) + 1;
	}
	return NULL;
}

struct http_client *
http_client_new(struct loop *loop)
{
	struct http_client *c = xcalloc(1, sizeof(*c));

	c->loop = loop;
	c->ready_end = &c->ready;
	c->timer = loop_timer_new(loop, on_timer, c);
	return c;
}

void
http_client_trust(struct http_client *c, const char *roots)
{
	free(c->roots);
	c->roots = roots == NULL ? NULL : xstrdup(roots);
}

void
http_client_free(struct http_client *c)
{
	struct http_call *call, *next;

	if (c == NULL)
		return;
	for (call = c->calls; call != NULL; call = next) {
		next = call->next;
		http_call_cancel(call);
	}
	if (c->telling)
		c->freed = true; /* by client_tell */
	else
		client_end(c);
}
