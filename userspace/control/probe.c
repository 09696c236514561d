/* One question to one endpoint, over HTTP or TCP: is it well? */
#include "control/probe.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "base/str.h"
#include "http/body.h"
#include "http/head.h"
#include "http/write.h"
#include "model/duration.h"
#include "net/conn.h"
#include "net/connect.h"
#include "net/loop.h"
#include "net/tls.h"

#define RECEIVE_SIZE 16384
#define HEAD_MAX     16384 /* bytes of a head; of all that TCP receives */
#define BODY_MAX     65536 /* more than that is not read to keep a connection */
#define INTERIM_MAX  8     /* answers 1xx before the one that counts */
#define WHY_MAX      160

struct probes {
	struct conn_pool *pool;
	struct loop *loop;
	size_t open, kept, most; /* sockets; kept ones are open too */
	char scratch[RECEIVE_SIZE];
};

enum state {
	STATE_IDLE, /* nothing is asked; a connection may be kept */
	STATE_CONNECTING,
	STATE_SHAKING, /* TLS */
	STATE_ASKED,
};

struct probe {
	struct probes *probes;
	const struct model_health_check *check;
	struct addr addr;
	char *host, *name; /* name: that TLS asks for */
	probe_tls_f *tls;
	void *tls_arg;
	probe_done_f *done;
	void *arg;
	struct loop_timer *timeout;
	enum state state;
	struct conn conn;
	bool open;   /* conn is */
	struct tls_context *context; /* of conn; NULL: it is plain */
	uint64_t version;            /* of TLS, when conn was opened */
	bool reused; /* what is asked goes over a kept connection */
	uint64_t received, sent;
	/* The answer so far. */
	struct str in; /* the head, or all of it for TCP */
	size_t bytes;
	unsigned interim;
	uint16_t status; /* 0: the head is not complete */
	bool keep_alive;
	struct http_body body;
};

static const struct http_limits limits = {
	.target_bytes = HEAD_MAX,
	.head_bytes = HEAD_MAX,
	.fields = 100,
};

static void question_open(struct probe *p);

struct probes *
probes_new(struct loop *loop)
{
	struct probes *p = xcalloc(1, sizeof(*p));
	struct rlimit files;

	p->loop = loop;
	p->pool = conn_pool_new(loop);
	p->most = PROBES_OPEN_MAX;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 &&
		files.rlim_cur / 4 < p->most)
		p->most = files.rlim_cur / 4;
	return p;
}

void
probes_free(struct probes *p)
{
	if (p == NULL)
		return;
	conn_pool_free(p->pool);
	free(p);
}

/* ---- the end of a question */

static void
conn_drop(struct probe *p)
{
	if (!p->open)
		return;
	p->open = false;
	p->context = NULL;
	p->probes->open--;
	conn_fini(&p->conn);
}

static void
kept_drop(struct probe *p)
{
	p->probes->kept--;
	conn_drop(p);
}

static void
answer(struct probe *p, enum probe_result result, const char *why)
{
	loop_timer_stop(p->timeout);
	p->state = STATE_IDLE;
	str_fini(&p->in);
	str_init(&p->in);
	if (p->open && p->keep_alive && p->probes->kept < p->probes->most / 2)
		p->probes->kept++;
	else
		conn_drop(p);
	p->done(result, why, p->arg);
}

static void __attribute__((format(printf, 2, 3)))
fail(struct probe *p, const char *fmt, ...)
{
	char why[WHY_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	p->keep_alive = false;
	answer(p, PROBE_FAILED, why);
}

static void
connect_fail(struct probe *p, int problem)
{
	switch (problem) {
	case ECONNREFUSED:
		fail(p, "connect: refused");
		break;
	case EHOSTUNREACH:
	case ENETUNREACH:
		fail(p, "connect: no route");
		break;
	default:
		fail(p, "connect: %s", strerror(problem));
	}
}

/* A kept connection may have been closed while the question was under way:
 * that says nothing of the endpoint. */
static void
connection_lost(struct probe *p, const char *how)
{
	if (p->reused && p->bytes == 0) {
		conn_drop(p);
		question_open(p);
		return;
	}
	if (p->context != NULL && tls_was_refused(&p->conn))
		fail(p, "TLS: %s", tls_problem(&p->conn));
	else
		fail(p, "%s %s", how,
			p->bytes == 0 ? "before an answer"
				      : "within the answer");
}

static void
on_timeout(void *arg)
{
	struct probe *p = arg;
	char *time = duration_print(p->check->timeout_ms);

	switch (p->state) {
	case STATE_CONNECTING:
		fail(p, "no connection in %s", time);
		break;
	case STATE_SHAKING:
		fail(p, "TLS: no handshake in %s", time);
		break;
	default:
		fail(p, "no answer in %s", time);
	}
	free(time);
}

/* ---- HTTP */

static bool
status_is_expected(const struct model_health_check *c, unsigned status)
{
	if (c->status_count == 0)
		return status == 200;
	for (size_t i = 0; i < c->status_count; i++)
		if (status >= c->statuses[i].start &&
			status < c->statuses[i].end)
			return true;
	return false;
}

static void
http_end(struct probe *p, bool reusable)
{
	char why[WHY_MAX];

	p->keep_alive = p->keep_alive && reusable && !p->conn.readable &&
			!p->conn.closed && p->check->reuse_connection;
	if (status_is_expected(p->check, p->status)) {
		answer(p, PROBE_OK, NULL);
		return;
	}
	snprintf(why, sizeof(why), "HTTP %u", p->status);
	answer(p, p->status == 503 ? PROBE_LEAVING : PROBE_FAILED, why);
}

static void
http_take_body(struct probe *p, const char *bytes, size_t length)
{
	size_t used = 0;

	for (;;) {
		struct slice data;
		size_t n;

		switch (http_body_read(
			&p->body, bytes + used, length - used, &data, &n)) {
		case HTTP_BODY_DATA:
			used += n;
			break;
		case HTTP_BODY_MORE:
			if (p->bytes > HEAD_MAX + BODY_MAX)
				http_end(p, false);
			return;
		case HTTP_BODY_DONE:
			http_end(p, used + n == length);
			return;
		case HTTP_BODY_BAD:
			fail(p, "the body is malformed");
			return;
		}
	}
}

/* False: the question is over, or more bytes are needed. */
static bool
http_take_head(struct probe *p, size_t already)
{
	const char *method = p->check->method;
	enum http_refusal why;
	struct http_head head;
	struct str rest;

	switch (http_response_parse(p->in.data, p->in.length, already,
		method == NULL ? HTTP_GET : http_method_of(slice_of(method)),
		&limits, &head, &why)) {
	case HTTP_PARSE_MORE:
		return false;
	case HTTP_PARSE_BAD:
		fail(p, "the answer is malformed (%s)", http_refusal_word(why));
		return false;
	case HTTP_PARSE_DONE:
		break;
	}
	if (head.status < 200 && head.status != 101 &&
		p->interim++ < INTERIM_MAX) {
		str_consume(&p->in, head.length);
		return true;
	}
	p->status = head.status;
	p->keep_alive = head.keep_alive && head.status != 101;
	http_body_init(&p->body, head.framing, head.content_length);
	/* What is left goes on as the body; done may free nothing of it. */
	rest = p->in;
	str_init(&p->in);
	http_take_body(p, rest.data + head.length, rest.length - head.length);
	str_fini(&rest);
	return false;
}

static void
http_take(struct probe *p, const char *bytes, size_t length)
{
	size_t already = p->in.length;

	if (p->status != 0) {
		http_take_body(p, bytes, length);
		return;
	}
	str_append(&p->in, bytes, length);
	while (http_take_head(p, already))
		already = 0;
}

static void
http_ended(struct probe *p)
{
	if (p->status != 0 && http_body_end(&p->body))
		http_end(p, false);
	else
		connection_lost(p, "the connection was closed");
}

/* ---- the question in HTTP */

static bool
name_is(const char *a, const char *b)
{
	return slice_equal_nocase(slice_of(a), slice_of(b));
}

static bool
name_is_removed(const struct model_health_check *c, const char *name)
{
	for (size_t i = 0; i < c->remove_count; i++)
		if (name_is(c->remove[i], name))
			return true;
	return false;
}

/* Does a header from the i-th on stand in its place? */
static bool
name_is_replaced(const struct model_health_check *c, const char *name, size_t i)
{
	for (; i < c->add_count; i++)
		if (!c->add[i].append && name_is(c->add[i].name, name))
			return true;
	return false;
}

static void
fields_write(const struct probe *p, struct http_write *w)
{
	const struct model_health_check *c = p->check;
	const char *method = c->method == NULL ? "GET" : c->method;
	char addr[ADDR_TEXT_MAX];

	addr_format(&p->addr, addr);
	http_write_field(w, slice_of("host"),
		slice_of(c->host != NULL      ? c->host
			 : p->host[0] == '/'  ? "localhost"
			 : p->host[0] != '\0' ? p->host
					      : addr));
	if (!name_is_removed(c, "user-agent") &&
		!name_is_replaced(c, "user-agent", 0))
		http_write_field(w, slice_of("user-agent"),
			slice_of("gloo-gateway-health"));
	for (size_t i = 0; i < c->add_count; i++)
		if (!name_is_replaced(c, c->add[i].name, i + 1))
			http_write_field(w, slice_of(c->add[i].name),
				slice_of(c->add[i].value));
	if (!c->reuse_connection)
		http_write_field(w, slice_of("connection"), slice_of("close"));
	if (method[0] == 'P')
		http_write_field_number(w, "content-length", 0);
}

/* Percent-coding makes three bytes of one. */
static size_t
question_room(const struct probe *p)
{
	const struct model_health_check *c = p->check;
	size_t room = 1024 + 3 * strlen(c->path);

	for (size_t i = 0; i < c->add_count; i++)
		room += strlen(c->add[i].name) + strlen(c->add[i].value) + 4;
	return room;
}

static size_t
http_question(const struct probe *p, char *out, size_t room)
{
	const struct model_health_check *c = p->check;
	const char *mark = strchrnul(c->path, '?');
	struct slice path = { c->path, (size_t)(mark - c->path) };
	struct slice query = { NULL, 0 };
	struct http_write w;

	if (*mark == '?')
		query = slice_of(mark + 1);
	http_write_init(&w, out, room);
	http_write_request_line(&w,
		slice_of(c->method == NULL ? "GET" : c->method), path, query);
	fields_write(p, &w);
	http_write_end(&w);
	return http_write_ok(&w) ? w.length : 0;
}

/* ---- TCP */

static size_t
payload_decode(const struct model_payload *from, char *out)
{
	size_t length = strlen(from->text) / 2;

	for (size_t i = 0; i < length; i++) {
		const char pair[] = { from->text[2 * i], from->text[2 * i + 1],
			'\0' };

		out[i] = (char)strtoul(pair, NULL, 16);
	}
	return length;
}

/* All that is expected, in its order, with anything between. */
static bool
tcp_is_expected(const struct probe *p)
{
	const char *at = p->in.data, *end = p->in.data + p->in.length;
	char block[MODEL_PAYLOAD_MAX];

	for (size_t i = 0; i < p->check->receive_count; i++) {
		size_t length = payload_decode(&p->check->receive[i], block);

		at = memmem(at, (size_t)(end - at), block, length);
		if (at == NULL)
			return false;
		at += length;
	}
	return true;
}

static void
tcp_take(struct probe *p, const char *bytes, size_t length)
{
	str_append(&p->in, bytes, length);
	if (tcp_is_expected(p))
		answer(p, PROBE_OK, NULL);
	else if (p->in.length >= HEAD_MAX)
		fail(p, "not what is expected within %d bytes", HEAD_MAX);
}

static void
tcp_ended(struct probe *p)
{
	if (p->bytes == 0)
		connection_lost(p, "the connection was closed");
	else
		fail(p, "the connection was closed, and what came is not what "
			"is expected");
}

/* ---- asking */

static void answer_read(struct probe *p);

/* Its peer takes nothing any more; what it said before, an alert of TLS for one,
 * says why. */
static void
send_failed(struct probe *p)
{
	conn_forget_queued(&p->conn);
	p->conn.readable = true;
	answer_read(p);
	if (p->state == STATE_ASKED)
		connection_lost(p, "the connection broke");
}

static void
question_send(struct probe *p)
{
	const struct model_health_check *c = p->check;
	bool http = c->type == MODEL_HEALTH_HTTP;
	size_t room = http ? question_room(p) : MODEL_PAYLOAD_MAX;
	char *bytes = xmalloc(room);
	struct iovec iov = { bytes, 0 };
	int rc = 0;

	p->state = STATE_ASKED;
	if (http)
		iov.iov_len = http_question(p, bytes, room);
	else if (c->send != NULL)
		iov.iov_len = payload_decode(c->send, bytes);
	if (iov.iov_len > 0)
		rc = conn_send(&p->conn, &iov, 1);
	free(bytes);
	if (rc != 0)
		send_failed(p);
	else if (http && iov.iov_len == 0)
		fail(p, "the question cannot be written");
	else if (!http && c->receive_count == 0)
		answer(p, PROBE_OK, NULL);
}

static void
answer_read(struct probe *p)
{
	bool http = p->check->type == MODEL_HEALTH_HTTP;
	char *bytes = p->probes->scratch;
	size_t n;

	while (p->state == STATE_ASKED) {
		switch (conn_receive(&p->conn, bytes, RECEIVE_SIZE, &n)) {
		case CONN_GOT_DATA:
			p->bytes += n;
			(http ? http_take : tcp_take)(p, bytes, n);
			break;
		case CONN_GOT_NOTHING:
			return;
		case CONN_GOT_END:
			(http ? http_ended : tcp_ended)(p);
			return;
		case CONN_GOT_ERROR:
			connection_lost(p, "the connection was reset");
			return;
		}
	}
}

static void
handshake_step(struct probe *p)
{
	switch (tls_client_step(&p->conn)) {
	case TLS_WANTS_MORE:
		p->state = STATE_SHAKING;
		break;
	case TLS_FAILED:
		fail(p, "TLS: %s", tls_problem(&p->conn));
		break;
	case TLS_DONE:
		question_send(p);
		/* What has come with the handshake makes no event. */
		answer_read(p);
		break;
	}
}

/* A connection that is kept has nothing to say; but in TLS there may be
 * tickets. */
static bool
kept_is_quiet(struct probe *p)
{
	return p->context != NULL && conn_is_quiet(&p->conn);
}

static void
on_conn(struct conn *c, unsigned what)
{
	struct probe *p =
		(struct probe *)((char *)c - offsetof(struct probe, conn));
	int problem;

	switch (p->state) {
	case STATE_IDLE:
		if (!kept_is_quiet(p))
			kept_drop(p);
		break;
	case STATE_CONNECTING:
		if (!(what & LOOP_WRITE))
			break;
		problem = conn_connected(c);
		if (problem != 0)
			connect_fail(p, problem);
		else if (p->context != NULL)
			handshake_step(p);
		else
			question_send(p);
		break;
	case STATE_SHAKING:
		handshake_step(p);
		break;
	case STATE_ASKED:
		if (what & (LOOP_READ | LOOP_CLOSED))
			answer_read(p);
		else if (c->failed)
			connection_lost(p, "the connection broke");
		break;
	}
}

/* What we lack must not take an endpoint down. */
static bool
is_our_fault(int problem)
{
	return problem == EMFILE || problem == ENFILE || problem == ENOBUFS ||
	       problem == ENOMEM;
}

/* 0: TLS is begun, or not to be spoken. */
static int
secure(struct probe *p, const struct probe_tls *tls, struct error *err)
{
	struct tls_peer peer;

	if (tls == NULL)
		return 0;
	peer = (struct tls_peer){
		.server_name = tls->server_name != NULL ? tls->server_name
							: p->name,
		.names = tls->names,
	};
	if (tls_client_begin(&p->conn, tls->context, &peer, err) < 0)
		return -1;
	p->context = tls->context;
	p->version = tls->version;
	return 0;
}

static const struct probe_tls *
tls_now(const struct probe *p)
{
	return p->tls != NULL ? p->tls(p->tls_arg) : NULL;
}

static void
question_open(struct probe *p)
{
	const struct probe_tls *tls = tls_now(p);
	struct error err = ERROR_INIT;
	int fd = -1;

	p->reused = false;
	if (tls != NULL && tls->context == NULL) {
		answer(p, PROBE_PUT_OFF, NULL);
		return;
	}
	errno = EMFILE;
	if (p->probes->open < p->probes->most)
		fd = connect_start(&p->addr, p->host, NULL);
	if (fd < 0) {
		if (is_our_fault(errno))
			answer(p, PROBE_PUT_OFF, NULL);
		else
			connect_fail(p, errno);
		return;
	}
	p->state = STATE_CONNECTING;
	conn_init(&p->conn, p->probes->pool, fd, true, on_conn);
	p->conn.received = &p->received;
	p->conn.sent = &p->sent;
	p->open = true;
	p->probes->open++;
	if (secure(p, tls, &err) < 0)
		fail(p, "TLS: %s", err.text);
}

/* TLS has become another since it was opened. */
static bool
kept_is_outdated(const struct probe *p)
{
	const struct probe_tls *tls = tls_now(p);

	if (tls == NULL)
		return p->context != NULL;
	return p->context != tls->context || p->version != tls->version;
}

void
probe_ask(struct probe *p)
{
	p->bytes = 0;
	p->interim = 0;
	p->status = 0;
	p->keep_alive = false;
	if (p->open && kept_is_outdated(p))
		kept_drop(p);
	if (p->open) {
		p->probes->kept--;
		p->reused = true;
		loop_timer_start(p->timeout, p->check->timeout_ms);
		question_send(p);
		return;
	}
	loop_timer_start(p->timeout, p->check->timeout_ms);
	question_open(p);
}

static char *
name_of(const struct probe_options *o)
{
	char address[ADDR_TEXT_MAX];

	if (o->server_name != NULL && o->server_name[0] != '\0')
		return xstrdup(o->server_name);
	return xstrdup(o->host[0] != '\0' ? o->host
					  : addr_format_ip(o->addr, address));
}

struct probe *
probe_new(const struct probe_options *o)
{
	struct probe *p = xcalloc(1, sizeof(*p));

	p->probes = o->probes;
	p->check = o->check;
	p->addr = *o->addr;
	p->host = xstrdup(o->host);
	p->name = name_of(o);
	p->tls = o->tls;
	p->tls_arg = o->tls_arg;
	p->done = o->done;
	p->arg = o->arg;
	p->timeout = loop_timer_new(p->probes->loop, on_timeout, p);
	str_init(&p->in);
	return p;
}

void
probe_free(struct probe *p)
{
	if (p == NULL)
		return;
	if (p->open && p->state == STATE_IDLE)
		kept_drop(p);
	conn_drop(p);
	loop_timer_free(p->timeout);
	str_fini(&p->in);
	free(p->host);
	free(p->name);
	free(p);
}
