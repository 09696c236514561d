/*
 * libcurl's multi interface on the loop. Nobody is called from within libcurl:
 * what a call has come to is noted there and told afterwards, so that whoever
 * is told may start, cancel and free what he likes.
 */
#include "net/http_client.h"

#include <curl/curl.h>
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
#include "net/loop.h"

#define CONNECT_TIMEOUT_MS 10000
#define HEAD_MAX	   (256u << 10) /* bytes of an answer's head */
#define READ_SIZE	   65536L
#define IDLE_CONNECTIONS   32L


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
};

struct http_call {
	struct http_call *next, **previous;
	struct http_call *ready_next;
	struct http_client *client;
	struct http_events events;
	void *arg;

	CURL *easy; /* NULL: never was, or has ended */
	struct curl_slist *headers, *connect_to;
	struct loop_timer *timer; /* the next of the three timeouts */
	uint64_t connect_timeout_ms, idle_timeout_ms, total_timeout_ms;
	size_t body_max;

	uint64_t begun_ms, heard_ms; /* heard_ms: last byte, or the request */
	bool connected;
	struct addr peer, own; /* of the connection, when connected */
	bool is_ready, telling, cancelled, ended;
	bool head_whole, head_told, timed_out;
	int status;
	struct str head; /* "Name\0value\0" of each field */
	struct str body; /* collected, or not told yet */
	char *authority; /* "https://127.0.0.1:6443", for messages */
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
	curl_multi_remove_handle(call->client->multi, call->easy);
	curl_easy_cleanup(call->easy);
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
	curl_slist_free_all(call->headers);
	curl_slist_free_all(call->connect_to);
	str_fini(&call->head);
	str_fini(&call->body);
	free(call->authority);
	free(call->problem);
	free(call);
}

/* text: without the place; the first problem stays. */
static void
call_fail(struct http_call *call, const char *text)
{
	if (call->problem == NULL)
		call->problem = xasprintf("%s: %s", call->authority, text);
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
	curl_multi_cleanup(c->multi);
	while (c->watches != NULL) {
		struct watch *w = c->watches;

		c->watches = w->next;
		loop_fd_free(w->on_loop);
		free(w);
	}
	loop_timer_free(c->timer);
	free(c);
	curl_global_cleanup();
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
	for (char *p = call->why; *p != '\0'; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	return call->why[0] != '\0' ? call->why : curl_easy_strerror(code);
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

static void
client_collect(struct http_client *c)
{
	const CURLMsg *m;
	char *call;
	int left;

	while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &call);
		call_ended((struct http_call *)(void *)call, m->data.result);
	}
}

static void
client_act(struct http_client *c, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(c->multi, fd, what, &running);
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
	curl_multi_assign(c->multi, fd, w);
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
	for (value = colon + 1; value < end && (*value == ' ' || *value == '\t');)
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
		curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
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
		/* Told at once: libcurl reads a hundred times at most before. */
		call_ready(call);
	} else if (length > call->body_max - call->body.length) {
		call_fail(call, "the answer is too large");
		return 0;
	}
	str_append(&call->body, data, length);
	return one * length;
}

/* ---- beginning */

static bool
text_is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static struct curl_blob
blob_of(struct slice s)
{
	return (struct curl_blob){ (void *)s.data, s.length, CURL_BLOB_COPY };
}

/* Remembers the first option that libcurl refuses. */
#define SET(option, value)                                                     \
	do {                                                                   \
		if (rc == CURLE_OK)                                            \
			rc = curl_easy_setopt(call->easy, option, value);      \
	} while (0)

/* Whom the certificate must name: libcurl takes that from the URL, so the URL
 * gets that name, and where to go and whom to ask for are said apart. */
static CURLcode
set_server_name(struct http_call *call, CURLU *url, const char *name)
{
	bool v6 = strchr(name, ':') != NULL;
	char *text = xasprintf(v6 ? "[%s]" : "%s", name);
	char *host = NULL, *port = NULL;
	CURLcode rc = CURLE_URL_MALFORMAT;
	CURLUcode bad;

	bad = curl_url_get(url, CURLUPART_HOST, &host, 0);
	if (bad == CURLUE_OK)
		bad = curl_url_get(
			url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
	if (bad == CURLUE_OK)
		bad = curl_url_set(url, CURLUPART_HOST, text, 0);
	free(text);
	if (bad != CURLUE_OK)
		goto out;
	text = xasprintf("::%s:%s", host, port);
	call->connect_to = curl_slist_append(NULL, text);
	free(text);
	rc = CURLE_OK;
	SET(CURLOPT_CONNECT_TO, call->connect_to);
out:
	curl_free(host);
	curl_free(port);
	return rc;
}

static CURLcode
set_tls(struct http_call *call, const struct http_tls *tls)
{
	struct curl_blob blob;
	CURLcode rc = CURLE_OK;
	struct str both;

	if (tls->ca.length > 0) {
		blob = blob_of(tls->ca);
		SET(CURLOPT_CAINFO_BLOB, &blob);
		/* or the system's folder would be trusted as well */
		SET(CURLOPT_CAPATH, NULL);
	}
	if (tls->cert.length > 0) {
		/* Who shares a connection has the same certificate: libcurl
		 * looks at that only, so the key goes into it, too. */
		str_init(&both);
		str_append(&both, tls->cert.data, tls->cert.length);
		str_putc(&both, '\n');
		str_append(&both, tls->key.data, tls->key.length);
		blob = blob_of((struct slice){ both.data, both.length });
		SET(CURLOPT_SSLCERT_BLOB, &blob);
		SET(CURLOPT_SSLKEY_BLOB, &blob);
		explicit_bzero(both.data, both.length);
		str_fini(&both);
	}
	/* or a key with a pass phrase would be asked for at the terminal */
	SET(CURLOPT_KEYPASSWD, "");
	SET(CURLOPT_SSL_VERIFYPEER, tls->insecure ? 0L : 1L);
	SET(CURLOPT_SSL_VERIFYHOST, tls->insecure ? 0L : 2L);
	return rc;
}

static CURLcode
set_method(struct http_call *call, const struct http_request *r)
{
	const char *method = r->method == NULL ? "GET" : r->method;
	bool sends = r->body.length > 0 || text_is(method, "POST") ||
		text_is(method, "PUT") || text_is(method, "PATCH");
	CURLcode rc = CURLE_OK;

	if (sends) {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.length);
		SET(CURLOPT_COPYPOSTFIELDS,
			r->body.length > 0 ? r->body.data : "");
	} else if (text_is(method, "HEAD")) {
		SET(CURLOPT_NOBODY, 1L);
	}
	SET(CURLOPT_CUSTOMREQUEST, method);
	return rc;
}

/* name: with its colon. */
static bool
has_header(const char *const *headers, const char *name)
{
	size_t length = strlen(name);

	for (; headers != NULL && *headers != NULL; headers++)
		if (strlen(*headers) >= length &&
			slice_equal_nocase(
				(struct slice){ *headers, length },
				(struct slice){ name, length }))
			return true;
	return false;
}

static void
add_header(struct http_call *call, const char *line)
{
	struct curl_slist *all = curl_slist_append(call->headers, line);

	if (all == NULL)
		log_fatal("memory: no room for a header");
	call->headers = all;
}

static CURLcode
set_headers(struct http_call *call, const struct http_request *r,
	const char *authority)
{
	CURLcode rc = CURLE_OK;
	char *host;

	if (call->connect_to != NULL && !has_header(r->headers, "host:")) {
		host = xasprintf("Host: %s", authority);
		add_header(call, host);
		free(host);
	}
	/* None of libcurl's own: a form, a wait for 100. */
	if (!has_header(r->headers, "content-type:"))
		add_header(call, "Content-Type:");
	add_header(call, "Expect:");
	for (const char *const *h = r->headers; h != NULL && *h != NULL; h++) {
		if (strpbrk(*h, "\r\n") != NULL) {
			strcpy(call->why, "a line break in a header");
			return CURLE_BAD_FUNCTION_ARGUMENT;
		}
		add_header(call, *h);
	}
	SET(CURLOPT_HTTPHEADER, call->headers);
	SET(CURLOPT_USERAGENT, "gloo-gateway");
	return rc;
}

static CURLcode
set_ways(struct http_call *call, const struct http_request *r)
{
	CURLcode rc = CURLE_OK;

	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	/* "" is not the environment's. */
	SET(CURLOPT_PROXY, r->proxy == NULL ? "" : r->proxy);
	SET(CURLOPT_NOPROXY, "");
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (r->unix_socket != NULL)
		SET(CURLOPT_UNIX_SOCKET_PATH, r->unix_socket);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L); /* a cancelled call waits for no name */
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)call->connect_timeout_ms);
	SET(CURLOPT_BUFFERSIZE, READ_SIZE);
	return rc;
}

static CURLcode
set_callbacks(struct http_call *call)
{
	CURLcode rc = CURLE_OK;

	SET(CURLOPT_PRIVATE, call);
	SET(CURLOPT_ERRORBUFFER, call->why);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	SET(CURLOPT_PREREQFUNCTION, on_connected);
	SET(CURLOPT_PREREQDATA, call);
	SET(CURLOPT_HEADERFUNCTION, on_head);
	SET(CURLOPT_HEADERDATA, call);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, call);
	return rc;
}

/* "127.0.0.1:6443", without the port that goes without saying. */
static char *
authority_of(CURLU *url)
{
	char *host = NULL, *port = NULL, *authority = NULL;

	if (curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
		curl_url_get(url, CURLUPART_PORT, &port, 0);
		authority = xasprintf("%s%s%s", host, port == NULL ? "" : ":",
			port == NULL ? "" : port);
	}
	curl_free(host);
	curl_free(port);
	return authority;
}

static CURLcode
set_url(struct http_call *call, const struct http_request *r)
{
	const char *name = r->tls == NULL ? NULL : r->tls->server_name;
	char *authority = NULL, *scheme = NULL, *text = NULL;
	CURLcode rc = CURLE_URL_MALFORMAT;
	CURLU *url = curl_url();

	if (url == NULL)
		log_fatal("memory: no room for a URL");
	if (curl_url_set(url, CURLUPART_URL, r->url,
		    CURLU_DISALLOW_USER | CURLU_PATH_AS_IS) != CURLUE_OK ||
		curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
		(authority = authority_of(url)) == NULL)
		goto out;
	free(call->authority);
	call->authority = xasprintf("%s://%s", scheme, authority);
	rc = CURLE_OK;
	if (name != NULL && text_is(scheme, "https"))
		rc = set_server_name(call, url, name);
	if (rc == CURLE_OK &&
		curl_url_get(url, CURLUPART_URL, &text, 0) != CURLUE_OK)
		rc = CURLE_URL_MALFORMAT;
	SET(CURLOPT_URL, text);
	/* Many calls on one connection: wait until it is known what the other
	 * side speaks. Without TLS that would be until it has answered. */
	SET(CURLOPT_PIPEWAIT, text_is(scheme, "https") ? 1L : 0L);
	if (rc == CURLE_OK)
		rc = set_headers(call, r, authority);
out:
	curl_free(text);
	curl_free(scheme);
	free(authority);
	curl_url_cleanup(url);
	return rc;
}

static CURLcode
call_begin(struct http_call *call, const struct http_request *r)
{
	static const struct http_tls system_roots;
	CURLcode rc;

	call->easy = curl_easy_init();
	if (call->easy == NULL)
		log_fatal("libcurl: no room for a call");
	rc = set_callbacks(call);
	if (rc == CURLE_OK)
		rc = set_url(call, r);
	if (rc == CURLE_OK)
		rc = set_ways(call, r);
	if (rc == CURLE_OK)
		rc = set_tls(call, r->tls == NULL ? &system_roots : r->tls);
	if (rc == CURLE_OK)
		rc = set_method(call, r);
	if (rc == CURLE_OK && curl_multi_add_handle(call->client->multi,
				      call->easy) != CURLM_OK)
		rc = CURLE_FAILED_INIT;
	return rc;
}

struct http_call *
http_call_new(struct http_client *c, const struct http_request *r,
	const struct http_events *events, void *arg)
{
	struct http_call *call = xcalloc(1, sizeof(*call));
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
	/* until it is known; there may be a password in it */
	call->authority = xstrdup(
		strchr(r->url, '@') == NULL ? r->url : "the request");
	call->timer = loop_timer_new(c->loop, on_call_timer, call);
	call->begun_ms = loop_now_ms(c->loop);
	str_init(&call->head);
	str_init(&call->body);
	call->next = c->calls;
	call->previous = &c->calls;
	if (call->next != NULL)
		call->next->previous = &call->next;
	c->calls = call;
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
	multi = curl_multi_init();
	if (multi == NULL)
		log_fatal("libcurl: no room for a client");
	for (int i = 0; i < 2; i++)
		fcntl(fds[i], F_SETFD, FD_CLOEXEC);
	return multi;
}

struct http_client *
http_client_new(struct loop *loop)
{
	struct http_client *c = xcalloc(1, sizeof(*c));

	/* OpenSSL writes without MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		log_fatal("libcurl: cannot start");
	c->loop = loop;
	c->ready_end = &c->ready;
	c->multi = multi_new();
	c->timer = loop_timer_new(loop, on_timer, c);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_PIPELINING,
		(long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS);
	return c;
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
