/* A small HTTP server for administration, on evhttp. */
#include "net/http_server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/unix_socket.h"

#define HEADERS_MAX 65536
#define BACKLOG	    128
#define LISTENER_FLAGS                                                         \
	(LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE)

/* evhttp does not say which listener a request came by: one evhttp of each. */
struct side {
	struct http_server *server;
	struct evhttp *http;
	bool local;
};

struct http_server {
	struct loop *loop;
	struct side unix_side, tcp_side;
	http_server_handler_f *handler;
	void *arg;
	struct http_server_request *requests; /* not answered yet */
};

struct http_server_request {
	struct http_server_request *next, **previous;
	struct evhttp_request *http; /* NULL: the server is gone */
	struct evkeyvalq query;
	struct slice body;
	bool local;
};

static void
request_free(struct http_server_request *r)
{
	*r->previous = r->next;
	if (r->next != NULL)
		r->next->previous = r->previous;
	evhttp_clear_headers(&r->query);
	free(r);
}

/* "localhost:9091", "127.0.0.1", "[::1]:80", "::1". */
static bool
host_is_loopback(const char *host)
{
	static const struct slice localhost = { "localhost", 9 };
	const char *end = host + strlen(host);
	const char *colon = strrchr(host, ':');
	char name[64];
	struct addr a;

	if (host[0] == '[') {
		const char *close = strchr(++host, ']');

		if (close == NULL || (close[1] != '\0' && close[1] != ':'))
			return false;
		end = close;
	} else if (colon != NULL && strchr(host, ':') == colon) {
		end = colon;
	}
	if ((size_t)(end - host) >= sizeof(name))
		return false;
	memcpy(name, host, (size_t)(end - host));
	name[end - host] = '\0';
	if (slice_equal_nocase(slice_of(name), localhost))
		return true;
	if (addr_parse_ip(name, 0, &a) < 0)
		return false;
	return addr_is_v4(&a) ? a.ip[12] == 127
			      : IN6_IS_ADDR_LOOPBACK((struct in6_addr *)a.ip);
}

/* A page of a foreign site whose name was made to point here says that name. */
static bool
host_is_allowed(struct evhttp_request *http)
{
	const char *header = evhttp_find_header(
		evhttp_request_get_input_headers(http), "Host");
	const char *target = evhttp_uri_get_host(
		evhttp_request_get_evhttp_uri(http));

	return header != NULL && host_is_loopback(header) &&
		(target == NULL || host_is_loopback(target));
}

static void
on_request(struct evhttp_request *http, void *arg)
{
	struct side *side = arg;
	struct http_server *s = side->server;
	struct http_server_request *r = xcalloc(1, sizeof(*r));
	struct evbuffer *in = evhttp_request_get_input_buffer(http);
	const char *query = evhttp_uri_get_query(
		evhttp_request_get_evhttp_uri(http));

	r->http = http;
	r->local = side->local;
	r->next = s->requests;
	r->previous = &s->requests;
	if (r->next != NULL)
		r->next->previous = &r->next;
	s->requests = r;
	TAILQ_INIT(&r->query);
	if (query != NULL)
		evhttp_parse_query_str(query, &r->query);
	r->body.length = evbuffer_get_length(in);
	r->body.data = r->body.length == 0
		? ""
		: (const char *)evbuffer_pullup(in, -1);
	if (r->body.data == NULL)
		log_fatal("memory: none left for a request");
	if (!side->local && !host_is_allowed(http)) {
		static const char text[] =
			"{\"error\":\"the Host of this request is not a name "
			"of this host\"}\n";

		http_server_reply(r, 403, "application/json", text,
			sizeof(text) - 1);
		return;
	}
	s->handler(r, s->arg);
}

static void
side_init(struct side *side, struct http_server *s, bool local)
{
	side->server = s;
	side->local = local;
	side->http = evhttp_new(loop_base(s->loop));
	if (side->http == NULL)
		log_fatal("memory: none left for a server");
	evhttp_set_gencb(side->http, on_request, side);
	evhttp_set_max_body_size(side->http, HTTP_SERVER_BODY_MAX);
	evhttp_set_max_headers_size(side->http, HEADERS_MAX);
	evhttp_set_default_content_type(side->http, NULL);
	evhttp_set_allowed_methods(side->http,
		EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
			EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE);
}

struct http_server *
http_server_new(struct loop *loop, http_server_handler_f *handler, void *arg)
{
	struct http_server *s = xcalloc(1, sizeof(*s));

	/* libevent writes with writev, which cannot say MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	s->loop = loop;
	s->handler = handler;
	s->arg = arg;
	side_init(&s->unix_side, s, true);
	side_init(&s->tcp_side, s, false);
	return s;
}

/* The listener becomes evhttp's. */
static int
side_bind(struct side *side, struct evconnlistener *listener)
{
	if (listener == NULL)
		return -1;
	if (evhttp_bind_listener(side->http, listener) != NULL)
		return 0;
	evconnlistener_free(listener);
	return -1;
}

int
http_server_listen_unix(struct http_server *s, const char *path, mode_t mode,
	gid_t group, struct error *err)
{
	int fd = unix_socket_listen(path, SOCK_STREAM, mode, group, err);

	if (fd < 0)
		return -1;
	if (side_bind(&s->unix_side,
		    evconnlistener_new(loop_base(s->loop), NULL, NULL,
			    LISTENER_FLAGS, 0, fd)) < 0)
		return error_set(err, ERROR_SYSTEM, "cannot listen on %s",
			path);
	return 0;
}

/* "127.0.0.1:9091", "[::1]:9091" or "localhost:9091" to an address. */
static int
where_parse(const char *where, struct addr *out)
{
	const char *colon = strrchr(where, ':');
	char host[64], *end;
	const char *ip = host;
	unsigned long port;
	size_t length;

	if (colon == NULL || colon[1] < '0' || colon[1] > '9')
		return -1;
	length = (size_t)(colon - where);
	port = strtoul(colon + 1, &end, 10);
	if (*end != '\0' || port > 65535 || length >= sizeof(host))
		return -1;
	memcpy(host, where, length);
	host[length] = '\0';
	if (host[0] == '[' && length > 1 && host[length - 1] == ']') {
		host[length - 1] = '\0';
		ip = host + 1;
	} else if (strchr(host, ':') != NULL) {
		return -1;
	} else if (strcmp(host, "localhost") == 0) {
		ip = "127.0.0.1";
	}
	return addr_parse_ip(ip, (uint16_t)port, out);
}

int
http_server_listen_tcp(struct http_server *s, const char *where,
	struct error *err)
{
	struct sockaddr_storage ss;
	socklen_t length;
	struct addr addr;
	char ip[ADDR_TEXT_MAX];

	if (where_parse(where, &addr) < 0)
		return error_set(err, ERROR_CONFIG,
			"\"%s\" is not an address and port such as "
			"127.0.0.1:9091",
			where);
	if (!host_is_loopback(addr_format_ip(&addr, ip)))
		return error_set(err, ERROR_CONFIG,
			"%s is not a loopback address", ip);
	length = addr_to_sockaddr(&addr, &ss);
	if (side_bind(&s->tcp_side,
		    evconnlistener_new_bind(loop_base(s->loop), NULL, NULL,
			    LISTENER_FLAGS, BACKLOG, (struct sockaddr *)&ss,
			    (int)length)) < 0)
		return error_errno(err, errno, "cannot listen on %s", where);
	return 0;
}

void
http_server_free(struct http_server *s)
{
	if (s == NULL)
		return;
	for (struct http_server_request *r = s->requests; r != NULL;
		r = r->next) {
		/* Of a client that went away evhttp holds no more. */
		if (evhttp_request_get_connection(r->http) == NULL)
			evhttp_request_free(r->http);
		r->http = NULL;
	}
	evhttp_free(s->unix_side.http);
	evhttp_free(s->tcp_side.http);
	/* Their owner still answers them; they keep a list of their own. */
	while (s->requests != NULL) {
		struct http_server_request *r = s->requests;

		s->requests = r->next;
		if (r->next != NULL)
			r->next->previous = &s->requests;
		r->next = NULL;
		r->previous = &r->next;
	}
	free(s);
}

const char *
http_server_request_method(const struct http_server_request *r)
{
	switch (evhttp_request_get_command(r->http)) {
	case EVHTTP_REQ_GET:
		return "GET";
	case EVHTTP_REQ_HEAD:
		return "HEAD";
	case EVHTTP_REQ_POST:
		return "POST";
	case EVHTTP_REQ_PUT:
		return "PUT";
	case EVHTTP_REQ_DELETE:
		return "DELETE";
	default:
		return "";
	}
}

const char *
http_server_request_path(const struct http_server_request *r)
{
	const char *path = evhttp_uri_get_path(
		evhttp_request_get_evhttp_uri(r->http));

	return path == NULL || path[0] == '\0' ? "/" : path;
}

const char *
http_server_request_query(const struct http_server_request *r, const char *name)
{
	return evhttp_find_header(&r->query, name);
}

const char *
http_server_request_header(const struct http_server_request *r,
	const char *name)
{
	return evhttp_find_header(evhttp_request_get_input_headers(r->http),
		name);
}

struct slice
http_server_request_body(const struct http_server_request *r)
{
	return r->body;
}

void
http_server_request_wipe(struct http_server_request *r)
{
	/* They are the buffer's own, which nobody reads any more. */
	mem_wipe((void *)(uintptr_t)r->body.data, r->body.length);
}

bool
http_server_request_local(const struct http_server_request *r)
{
	return r->local;
}

void
http_server_reply(struct http_server_request *r, int status,
	const char *content_type, const void *body, size_t length)
{
	struct evhttp_request *http = r->http;
	struct evkeyvalq *headers;
	struct evbuffer *out = NULL;
	char text[24];

	request_free(r);
	if (http == NULL)
		return;
	headers = evhttp_request_get_output_headers(http);
	if (content_type != NULL)
		evhttp_add_header(headers, "Content-Type", content_type);
	if (evhttp_request_get_command(http) == EVHTTP_REQ_HEAD) {
		snprintf(text, sizeof(text), "%zu", length);
		evhttp_add_header(headers, "Content-Length", text);
	} else {
		out = evbuffer_new();
		if (out == NULL || evbuffer_add(out, body, length) < 0)
			log_fatal("memory: none left for an answer");
	}
	/* evhttp frees the request, also if its client went away. */
	evhttp_send_reply(http, status, NULL, out);
	if (out != NULL)
		evbuffer_free(out);
}
