/*
 * Tests userspace/net/http_client.c against servers in children, with
 * certificates of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "net/http_client.h"
#include "net/loop.h"
#include "tests/lib/command.h"
#include "tests/lib/https_server.h"

static char folder[64];
static struct https_server plain, local, tls, tls_h1, tls_named, mutual, h2;
static char *ca, *other_ca, *client_cert, *client_key, *locked_key, *self;

static struct loop *loop;
static struct http_client *client;
static size_t open_calls;

/* ---- names: libcurl's thread asks us */

static pthread_mutex_t names = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t names_go = PTHREAD_COND_INITIALIZER;
static bool names_held;
static unsigned names_waiting;

int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
	struct addrinfo **out)
{
	int (*real)(const char *, const char *, const struct addrinfo *,
		struct addrinfo **);

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	pthread_mutex_lock(&names);
	names_waiting++;
	while (names_held)
		pthread_cond_wait(&names_go, &names);
	names_waiting--;
	pthread_cond_broadcast(&names_go);
	pthread_mutex_unlock(&names);
	if (name != NULL && strcmp(name, "nobody.test") == 0)
		return EAI_NONAME;
	if (name != NULL && strstr(name, ".test") != NULL)
		name = "127.0.0.1";
	return real(name, service, hints, out);
}

static void
names_hold(void)
{
	pthread_mutex_lock(&names);
	names_held = true;
	pthread_mutex_unlock(&names);
}

/* All who waited have gone on. */
static void
names_release(void)
{
	pthread_mutex_lock(&names);
	names_held = false;
	pthread_cond_broadcast(&names_go);
	while (names_waiting > 0)
		pthread_cond_wait(&names_go, &names);
	pthread_mutex_unlock(&names);
}

/* ---- the rig */

static char *
file_text(const char *name)
{
	char *path = xasprintf("%s/%s", folder, name);
	struct error err = ERROR_INIT;
	struct str text;

	str_init(&text);
	if (file_read(path, 1u << 20, &text, &err) < 0)
		fail_msg("%s", err.text);
	free(path);
	return str_steal(&text);
}

/* An authority, or what it issued to a subject with these names. */
static void
make_certificate(const char *name, const char *issuer, const char *extension)
{
	char by[200] = "";

	if (issuer != NULL)
		snprintf(by, sizeof(by), "-CA %s/%s.crt -CAkey %s/%s.key",
			folder, issuer, folder, issuer);
	must("openssl req -x509 -newkey ec -pkeyopt "
	     "ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=%s "
	     "-addext %s %s -keyout %s/%s.key -out %s/%s.crt 2>/dev/null",
		name, extension, by, folder, name, folder, name);
}

static void
start(struct https_server *s, const char *name, const char *client_ca,
	const char *alpn)
{
	char cert[100], key[100], trusted[100];
	struct https_server_options o = { .cert = cert, .key = key,
		.client_ca = client_ca == NULL ? NULL : trusted,
		.alpn = alpn };

	snprintf(cert, sizeof(cert), "%s/%s.crt", folder, name);
	snprintf(key, sizeof(key), "%s/%s.key", folder, name);
	snprintf(trusted, sizeof(trusted), "%s/%s.crt", folder,
		client_ca == NULL ? "" : client_ca);
	https_server_start(s, &o);
}

static int
group_setup(void **state)
{
	char path[100];

	(void)state;
	strcpy(folder, "/tmp/test-http-client-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	make_certificate("ca", NULL, "keyUsage=keyCertSign");
	make_certificate("other", NULL, "keyUsage=keyCertSign");
	make_certificate("server", "ca",
		"subjectAltName=IP:127.0.0.1,DNS:api.test");
	make_certificate("named", "ca", "subjectAltName=DNS:kubernetes.test");
	make_certificate("self", NULL, "subjectAltName=IP:127.0.0.1");
	make_certificate("someone", "ca", "extendedKeyUsage=clientAuth");
	must("openssl ec -aes256 -passout pass:secret -in %s/someone.key "
	     "-out %s/locked.key 2>/dev/null",
		folder, folder);
	ca = file_text("ca.crt");
	other_ca = file_text("other.crt");
	self = file_text("self.crt");
	client_cert = file_text("someone.crt");
	client_key = file_text("someone.key");
	locked_key = file_text("locked.key");
	https_server_start(&plain, &(struct https_server_options){ NULL });
	snprintf(path, sizeof(path), "%s/socket", folder);
	https_server_start(&local,
		&(struct https_server_options){ .unix_socket = path });
	start(&tls, "server", NULL, NULL);
	start(&tls_h1, "self", NULL, "http/1.1");
	start(&tls_named, "named", NULL, NULL);
	start(&mutual, "server", "ca", NULL);
	start(&h2, "server", NULL, "h2");
	return 0;
}

static int
group_teardown(void **state)
{
	struct https_server *all[] = { &plain, &local, &tls, &tls_h1,
		&tls_named, &mutual, &h2 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		https_server_stop(all[i]);
	free(ca);
	free(other_ca);
	free(self);
	free(client_cert);
	free(client_key);
	free(locked_key);
	must("rm -r %s", folder);
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	loop = loop_new();
	client = http_client_new(loop);
	open_calls = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	http_client_free(client);
	loop_free(loop);
	return 0;
}

/* What a call has come to. */
struct seen {
	struct http_call *call; /* NULL: it has ended or was cancelled */
	struct str order;	/* "head 200, body, body, done" */
	struct str body;
	char *problem, *header;
	const char *header_wanted; /* a field to look for */
	int status;
	bool timed_out;
	size_t pieces;
	/* What is done in a callback: */
	enum { GO_ON, CANCEL, CANCEL_OTHER, FREE_CLIENT, AGAIN, ENOUGH } deed;
	const char *when; /* "head", "body", "done" */
	struct seen *other;
	const struct http_request *again;
};

static const struct http_events events, events_stream;

static void
seen_begin(struct seen *seen, const struct http_request *r, bool stream)
{
	str_init(&seen->order);
	str_init(&seen->body);
	open_calls++;
	seen->call = http_call_new(
		client, r, stream ? &events_stream : &events, seen);
	assert_non_null(seen->call);
	/* Nothing is told before. */
	assert_int_equal(seen->order.length, 0);
}

static void
seen_fini(struct seen *seen)
{
	str_fini(&seen->order);
	str_fini(&seen->body);
	free(seen->problem);
	free(seen->header);
	seen->problem = seen->header = NULL;
}

/* One call less to wait for. */
static void
seen_over(struct seen *seen)
{
	seen->call = NULL;
	if (--open_calls == 0)
		loop_stop(loop);
}

static void
seen_cancel(struct seen *seen)
{
	struct http_call *call = seen->call;

	seen_over(seen);
	http_call_cancel(call);
}

/* In a callback; what is asked for in "done" must not end that call again. */
static int
seen_do(struct seen *seen, const char *where)
{
	if (seen->deed == GO_ON || strcmp(seen->when, where) != 0)
		return 0;
	switch (seen->deed) {
	case CANCEL:
		if (seen->call != NULL)
			seen_cancel(seen);
		break;
	case CANCEL_OTHER:
		if (seen->other->call != NULL)
			seen_cancel(seen->other);
		break;
	case FREE_CLIENT:
		http_client_free(client);
		client = NULL;
		open_calls = 1;
		seen_over(seen);
		break;
	case AGAIN:
		seen->deed = GO_ON;
		seen_begin(seen->other, seen->again, false);
		break;
	default:
		return 1;
	}
	return 0;
}

static void
on_head(struct http_call *call, int status, void *arg)
{
	struct seen *seen = arg;

	assert_ptr_equal(call, seen->call);
	seen->status = status;
	str_printf(&seen->order, "head %d, ", status);
	if (seen->header_wanted != NULL &&
		http_call_header(call, seen->header_wanted) != NULL)
		seen->header = xstrdup(
			http_call_header(call, seen->header_wanted));
	seen_do(seen, "head");
}

static int
on_body(struct http_call *call, const void *data, size_t length, void *arg)
{
	struct seen *seen = arg;

	assert_ptr_equal(call, seen->call);
	assert_true(length > 0);
	if (seen->pieces++ == 0)
		str_puts(&seen->order, "body, ");
	str_append(&seen->body, data, length);
	return seen_do(seen, "body");
}

static void
on_done(struct http_call *call, const struct http_result *result, void *arg)
{
	struct seen *seen = arg;

	assert_ptr_equal(call, seen->call);
	str_puts(&seen->order, "done");
	seen->status = result->status;
	seen->timed_out = result->timed_out;
	if (result->problem != NULL)
		seen->problem = xstrdup(result->problem);
	str_append(&seen->body, result->body.data, result->body.length);
	if (seen->deed == CANCEL && strcmp(seen->when, "done") == 0)
		http_call_cancel(call);
	seen_over(seen);
	seen_do(seen, "done");
}

static const struct http_events events = { .head = on_head, .done = on_done };
static const struct http_events events_stream = { .head = on_head,
	.body = on_body,
	.done = on_done };

static void
on_guard(void *arg)
{
	(void)arg;
	fail_msg("%zu calls did not end", open_calls);
}

/* Until all calls are over. */
static void
run(void)
{
	struct loop_timer *guard = loop_timer_new(loop, on_guard, NULL);

	loop_timer_start(guard, 20000);
	if (open_calls > 0)
		loop_run(loop);
	loop_timer_free(guard);
}

static void
exchange(struct seen *seen, const struct http_request *r, bool stream)
{
	seen_begin(seen, r, stream);
	run();
}

static const char *
url_of(const char *scheme, const char *host, const struct https_server *s,
	const char *path)
{
	static char url[8][200];
	static unsigned next;
	char *out = url[next++ % ARRAY_SIZE(url)];

	snprintf(out, sizeof(url[0]), "%s://%s:%u%s", scheme, host, s->port,
		path);
	return out;
}

static struct http_request
request_to(const char *path)
{
	return (struct http_request){
		.url = url_of("http", "127.0.0.1", &plain, path),
	};
}

static void
expect_problem(const struct seen *seen, const char *part)
{
	if (part == NULL && seen->problem != NULL)
		fail_msg("%s", seen->problem);
	if (part != NULL &&
		(seen->problem == NULL || strstr(seen->problem, part) == NULL))
		fail_msg("\"%s\" has no \"%s\"",
			seen->problem == NULL ? "no problem" : seen->problem,
			part);
}

/* ---- answers */

static void
test_answers(void **state)
{
	static const struct {
		const char *method, *path, *order, *body, *field, *value;
		const char *problem;
	} rows[] = {
		{ NULL, "/hello", "head 200, done", "hello", "content-length",
			"5", NULL },
		{ "HEAD", "/x", "head 200, done", "", "X-HEAD", "yes", NULL },
		{ NULL, "/status/404", "head 404, done", "status", "x-none",
			NULL, NULL },
		{ NULL, "/status/503", "head 503, done", "status", NULL, NULL,
			NULL },
		{ NULL, "/status/302", "head 302, done", "status", "location",
			"/hello", NULL },
		{ NULL, "/status/401", "head 401, done", "status", NULL, NULL,
			NULL },
		{ NULL, "/drip/3", "head 200, done", "tick\ntick\ntick\n", NULL,
			NULL, NULL },
		{ NULL, "/interim", "head 200, done", "hello", "x-final",
			"two  words", NULL },
		{ NULL, "/interim", "head 200, done", "hello", "x-early", NULL,
			NULL },
		{ NULL, "/interim", "head 200, done", "hello", "x-empty", "",
			NULL },
		{ NULL, "/trailers", "head 200, done", "hello", "x-late", NULL,
			NULL },
		{ NULL, "/last", "head 200, done", "hello", NULL, NULL, NULL },
		/* This one's connection was kept and is closed by now. */
		{ NULL, "/hello", "head 200, done", "hello", NULL, NULL, NULL },
		{ NULL, "/cut", "head 200, done", "half", NULL, NULL,
			"96 bytes remaining" },
		{ NULL, "/garbage", "done", "", NULL, NULL, "HTTP/0.9" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_request r = request_to(rows[i].path);
		struct seen seen = { .header_wanted = rows[i].field };

		r.method = rows[i].method;
		exchange(&seen, &r, false);
		if (strcmp(seen.order.data, rows[i].order) != 0 ||
			strcmp(seen.body.data, rows[i].body) != 0)
			fail_msg("%s: %s: %s", rows[i].path, seen.order.data,
				seen.body.data);
		if (rows[i].value == NULL)
			assert_null(seen.header);
		else
			assert_string_equal(seen.header, rows[i].value);
		expect_problem(&seen, rows[i].problem);
		assert_false(seen.timed_out);
		seen_fini(&seen);
	}
}

static void
test_requests(void **state)
{
	static const char *const fields[] = { "Authorization: Bearer xyz",
		"Content-Type: application/merge-patch+json",
		"Accept: application/json", NULL };
	static const struct {
		const char *method, *body;
		bool fields;
		const char *line, *parts[3], *lacks[2];
	} rows[] = {
		{ NULL, NULL, false, "GET /a/../b?x=%2F&y=a+b HTTP/1.1\r\n",
			{ "\r\nUser-Agent: gloo-gateway\r\n" },
			{ "Content-", "Accept-Encoding" } },
		{ NULL, NULL, true, "GET /a/../b?x=%2F&y=a+b HTTP/1.1\r\n",
			{ "\r\nAuthorization: Bearer xyz\r\n",
				"\r\nAccept: application/json\r\n" },
			{ "Accept: */*" } },
		{ "PATCH", "{\"a\":1}", true, "PATCH ",
			{ "\r\nContent-Length: 7\r\n",
				"\r\nContent-Type: application/merge-patch+json",
				"\r\n\r\n{\"a\":1}" },
			{ "form", "Expect" } },
		{ "POST", NULL, false, "POST ", { "\r\nContent-Length: 0\r\n" },
			{ "Content-Type", "Expect" } },
		{ "PUT", "x", false, "PUT ", { "\r\n\r\nx" },
			{ "Content-Type", "Expect" } },
		{ "DELETE", NULL, false, "DELETE ", { "\r\nHost: 127.0.0.1:" },
			{ "Content-", "Expect" } },
		{ "DELETE", "{}", false, "DELETE ", { "\r\n\r\n{}" },
			{ "Expect" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_request r = request_to("/a/../b?x=%2F&y=a+b");
		struct seen seen = { .call = NULL };

		r.method = rows[i].method;
		r.headers = rows[i].fields ? fields : NULL;
		if (rows[i].body != NULL)
			r.body = slice_of(rows[i].body);
		exchange(&seen, &r, false);
		expect_problem(&seen, NULL);
		if (strncmp(seen.body.data, rows[i].line,
			    strlen(rows[i].line)) != 0)
			fail_msg("%s", seen.body.data);
		for (size_t k = 0; k < 3 && rows[i].parts[k] != NULL; k++)
			if (strstr(seen.body.data, rows[i].parts[k]) == NULL)
				fail_msg("no \"%s\" in %s", rows[i].parts[k],
					seen.body.data);
		for (size_t k = 0; k < 2 && rows[i].lacks[k] != NULL; k++)
			if (strstr(seen.body.data, rows[i].lacks[k]) != NULL)
				fail_msg("\"%s\" in %s", rows[i].lacks[k],
					seen.body.data);
		seen_fini(&seen);
	}
}

static void
test_large_bodies_go_out(void **state)
{
	struct http_request r = request_to("/echo");
	struct seen seen = { .call = NULL };
	size_t length = 3u << 20;
	char *big = xmalloc(length);

	(void)state;
	memset(big, 'z', length);
	r.method = "POST";
	r.body = (struct slice){ big, length };
	seen_begin(&seen, &r, false);
	free(big); /* it was copied */
	run();
	expect_problem(&seen, NULL);
	assert_true(seen.body.length > length);
	assert_memory_equal(
		seen.body.data + seen.body.length - 3, "zzz", 3);
	seen_fini(&seen);
}

static void
test_bodies_come_as_they_come(void **state)
{
	struct http_request r = request_to("/drip/10");
	struct seen seen = { .header_wanted = "transfer-encoding" };

	(void)state;
	exchange(&seen, &r, true);
	assert_string_equal(seen.order.data, "head 200, body, done");
	assert_string_equal(seen.header, "chunked");
	assert_int_equal(seen.body.length, 50);
	/* The server takes its time between them. */
	assert_true(seen.pieces > 5);
	seen_fini(&seen);
	/* A large one, whole and in order. */
	r.url = url_of("http", "127.0.0.1", &plain, "/size/9000000");
	exchange(&seen, &r, true);
	expect_problem(&seen, NULL);
	assert_int_equal(seen.body.length, 9000000);
	seen_fini(&seen);
}

static void
test_answers_are_bounded(void **state)
{
	static const struct {
		const char *path;
		size_t body_max;
		const char *problem;
		bool stream;
	} rows[] = {
		{ "/size/1000", 1000, NULL, false },
		{ "/size/1001", 1000, "the answer is too large", false },
		{ "/drip/100", 20, "the answer is too large", false },
		{ "/size/1001", 1000, NULL, true },
		{ "/head/100000", 0, NULL, false },
		{ "/head/290000", 0, "the head of the answer is too large",
			false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_request r = request_to(rows[i].path);
		struct seen seen = { .call = NULL };

		r.body_max = rows[i].body_max;
		exchange(&seen, &r, rows[i].stream);
		expect_problem(&seen, rows[i].problem);
		if (!rows[i].stream && rows[i].body_max > 0)
			assert_true(seen.body.length <= rows[i].body_max);
		seen_fini(&seen);
	}
}

static void
test_what_cannot_be_asked(void **state)
{
	static const char *const broken[] = { "A: b\r\nC: d", NULL };
	static const struct {
		const char *url;
		const char *const *headers;
		const char *problem;
	} rows[] = {
		{ "", NULL, "" },
		{ "127.0.0.1:80/x", NULL, "127.0.0.1:80/x: " },
		{ "http://", NULL, "http://: " },
		{ "ftp://127.0.0.1/", NULL, "ftp" },
		{ "file:///etc/passwd", NULL, "file" },
		{ "http://127.0.0.1:99999/", NULL, "99999" },
		{ "http://127.0.0.1:1/", NULL, "http://127.0.0.1:1: " },
		{ "http://nobody.test/", NULL, "nobody.test" },
		{ "http://127.0.0.1/", broken, "a line break in a header" },
		{ "http://user:secret@127.0.0.1:1/", NULL, "the request: " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_request r = { .url = rows[i].url,
			.headers = rows[i].headers };
		struct seen seen = { .call = NULL };

		exchange(&seen, &r, false);
		assert_string_equal(seen.order.data, "done");
		assert_int_equal(seen.status, 0);
		expect_problem(&seen, rows[i].problem);
		assert_null(strstr(seen.problem, "secret"));
		assert_null(strchr(seen.problem, '\n'));
		seen_fini(&seen);
	}
}

static void
test_the_unix_socket(void **state)
{
	char path[100];
	struct http_request r = { .url = "http://localhost/echo",
		.unix_socket = path };
	struct seen seen = { .call = NULL };

	(void)state;
	snprintf(path, sizeof(path), "%s/socket", folder);
	exchange(&seen, &r, false);
	expect_problem(&seen, NULL);
	assert_non_null(strstr(seen.body.data, "\r\nHost: localhost\r\n"));
	seen_fini(&seen);
	snprintf(path, sizeof(path), "%s/none", folder);
	exchange(&seen, &r, false);
	expect_problem(&seen, "http://localhost: ");
	seen_fini(&seen);
}

static void
test_proxies(void **state)
{
	static const char *const vars[] = { "http_proxy", "HTTP_PROXY",
		"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" };
	struct http_request r = request_to("/hello");
	struct seen seen = { .call = NULL };
	char proxy[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vars); i++)
		setenv(vars[i], "http://127.0.0.1:1", 1);
	exchange(&seen, &r, false);
	expect_problem(&seen, NULL);
	seen_fini(&seen);
	/* One that was asked for is used, whatever the environment excepts. */
	setenv("no_proxy", "*", 1);
	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", plain.port);
	r.url = "http://elsewhere.test/x";
	r.proxy = proxy;
	exchange(&seen, &r, false);
	expect_problem(&seen, NULL);
	assert_non_null(strstr(seen.body.data,
		"GET http://elsewhere.test/x HTTP/1.1\r\n"));
	seen_fini(&seen);
	for (size_t i = 0; i < ARRAY_SIZE(vars); i++)
		unsetenv(vars[i]);
	unsetenv("no_proxy");
}

/* ---- time */

/* Takes connections and says nothing. */
static int
mute_server(struct https_server *s)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, length), 0);
	assert_int_equal(listen(fd, 64), 0);
	getsockname(fd, (struct sockaddr *)&sin, &length);
	s->port = ntohs(sin.sin_port);
	return fd;
}

static void
test_timeouts(void **state)
{
	struct https_server mute = { .port = 0 };
	int fd = mute_server(&mute);
	const struct {
		const char *url;
		uint64_t connect_ms, idle_ms, total_ms;
		const char *problem, *order;
	} rows[] = {
		/* TCP answers, TLS does not */
		{ url_of("https", "127.0.0.1", &mute, "/"), 150, 0, 0,
			"no connection within 150 ms", "done" },
		{ url_of("https", "127.0.0.1", &mute, "/"), 0, 100, 150,
			"no whole answer within 150 ms", "done" },
		{ url_of("http", "127.0.0.1", &plain, "/silent"), 100, 150, 0,
			"nothing was heard for 150 ms", "done" },
		{ url_of("http", "127.0.0.1", &plain, "/silent"), 0, 0, 150,
			"no whole answer within 150 ms", "done" },
		{ url_of("http", "127.0.0.1", &plain, "/half"), 0, 150, 0,
			"nothing was heard for 150 ms", "head 200, done" },
		/* Each byte counts. */
		{ url_of("http", "127.0.0.1", &plain, "/drip/100"), 0, 500, 0,
			NULL, "head 200, done" },
		{ url_of("http", "127.0.0.1", &plain, "/drip/1000"), 0, 500,
			300, "no whole answer within 300 ms",
			"head 200, done" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_request r = { .url = rows[i].url,
			.connect_timeout_ms = rows[i].connect_ms,
			.idle_timeout_ms = rows[i].idle_ms,
			.total_timeout_ms = rows[i].total_ms };
		struct seen seen = { .call = NULL };
		uint64_t begun = clock_monotonic_ms();

		exchange(&seen, &r, false);
		expect_problem(&seen, rows[i].problem);
		assert_string_equal(seen.order.data, rows[i].order);
		assert_int_equal(seen.timed_out, rows[i].problem != NULL);
		assert_true(clock_monotonic_ms() - begun >= 100);
		seen_fini(&seen);
	}
	close(fd);
}

/* Who waits for a connection that another one makes has his own time. */
static void
test_those_who_wait_time_out(void **state)
{
	struct https_server mute = { .port = 0 };
	int fd = mute_server(&mute);
	struct seen seen[20] = { { .call = NULL } };
	struct http_request r = {
		.url = url_of("https", "127.0.0.1", &mute, "/"),
		.connect_timeout_ms = 200,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
		seen_begin(&seen[i], &r, false);
	run();
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++) {
		expect_problem(&seen[i], "no connection within 200 ms");
		seen_fini(&seen[i]);
	}
	close(fd);
}

static void
test_names_that_do_not_come(void **state)
{
	struct http_request r = {
		.url = url_of("http", "slow.test", &plain, "/hello"),
		.connect_timeout_ms = 150,
	};
	struct seen first = { .call = NULL }, second = { .call = NULL };
	uint64_t begun = clock_monotonic_ms();

	(void)state;
	names_hold();
	exchange(&first, &r, false);
	expect_problem(&first, "no connection within 150 ms");
	/* Nor is a cancelled one waited for: the names are still held. */
	seen_begin(&second, &r, false);
	seen_cancel(&second);
	http_client_free(client);
	client = NULL;
	assert_true(clock_monotonic_ms() - begun < 10000);
	names_release();
	seen_fini(&first);
	seen_fini(&second);
	client = http_client_new(loop);
	exchange(&first, &r, false);
	expect_problem(&first, NULL);
	seen_fini(&first);
}

/* ---- TLS */

struct tls_row {
	const char *what;
	const struct https_server *server;
	const char *host, *ca, *cert, *key, *server_name;
	bool insecure;
	const char *problem; /* NULL: path /who answers with body */
	const char *body;
};

static void
tls_row_check(const struct tls_row *row)
{
	struct http_tls t = { .server_name = row->server_name,
		.insecure = row->insecure };
	struct http_request r = { .tls = &t,
		.url = url_of("https", row->host, row->server, "/who") };
	struct seen seen = { .call = NULL };

	if (row->ca != NULL)
		t.ca = slice_of(row->ca);
	if (row->cert != NULL)
		t.cert = slice_of(row->cert);
	if (row->key != NULL)
		t.key = slice_of(row->key);
	exchange(&seen, &r, false);
	if ((row->problem == NULL) != (seen.problem == NULL) ||
		(row->problem == NULL &&
			strcmp(seen.body.data, row->body) != 0) ||
		(row->problem != NULL &&
			strstr(seen.problem, row->problem) == NULL))
		fail_msg("%s: %s: %s", row->what,
			seen.problem == NULL ? "no problem" : seen.problem,
			seen.body.data);
	if (row->problem != NULL)
		assert_int_equal(seen.status, 0);
	seen_fini(&seen);
}

/* All with one client: none takes over a connection of those before that it
 * would not have got by itself. */
static void
test_tls(void **state)
{
	const struct tls_row rows[] = {
		{ "the right authority", &tls, "127.0.0.1", ca, NULL, NULL,
			NULL, false, NULL, "nobody" },
		{ "another authority", &tls, "127.0.0.1", other_ca, NULL, NULL,
			NULL, false, "certificate", NULL },
		{ "the system's authorities", &tls, "127.0.0.1", NULL, NULL,
			NULL, NULL, false, "certificate", NULL },
		{ "whoever it is", &tls, "127.0.0.1", other_ca, NULL, NULL,
			NULL, true, NULL, "nobody" },
		{ "but then not", &tls, "127.0.0.1", other_ca, NULL, NULL, NULL,
			false, "certificate", NULL },
		{ "a name of it", &tls, "api.test", ca, NULL, NULL, NULL, false,
			NULL, "nobody" },
		{ "no name of it", &tls, "b.test", ca, NULL, NULL, NULL, false,
			"b.test", NULL },
		{ "another name asked for", &tls, "b.test", ca, NULL, NULL,
			"api.test", false, NULL, "nobody" },
		{ "and without it", &tls, "b.test", ca, NULL, NULL, NULL, false,
			"b.test", NULL },
		{ "a wrong name asked for", &tls, "api.test", ca, NULL, NULL,
			"b.test", false, "b.test", NULL },
		{ "no address of it", &tls_named, "127.0.0.1", ca, NULL, NULL,
			NULL, false, "127.0.0.1", NULL },
		{ "its name, not its address", &tls_named, "127.0.0.1", ca,
			NULL, NULL, "kubernetes.test", false, NULL, "nobody" },
		{ "an address asked for", &tls, "b.test", ca, NULL, NULL,
			"127.0.0.1", false, NULL, "nobody" },
		{ "no such address", &tls, "b.test", ca, NULL, NULL, "::1",
			false, "::1", NULL },
		{ "signed by itself, known", &tls_h1, "127.0.0.1", self, NULL,
			NULL, NULL, false, NULL, "nobody" },
		{ "signed by itself, unknown", &tls_h1, "127.0.0.1", ca, NULL,
			NULL, NULL, false, "certificate", NULL },
		{ "no authority", &tls, "127.0.0.1",
			"no PEM", NULL, NULL, NULL, false, "certificate",
			NULL },
		{ "with a certificate", &mutual, "127.0.0.1", ca, client_cert,
			client_key, NULL, false, NULL, "someone" },
		{ "without", &mutual, "127.0.0.1", ca, NULL, NULL, NULL, false,
			"certificate", NULL },
		{ "one that it does not know", &mutual, "127.0.0.1", ca, self,
			client_key, NULL, false, "", NULL },
		{ "a key with a pass phrase", &mutual, "127.0.0.1", ca,
			client_cert, locked_key, NULL, false, "", NULL },
		{ "no key", &mutual, "127.0.0.1", ca, client_cert, NULL, NULL,
			false, "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tls_row_check(&rows[i]);
}

static void
test_cert_and_key_in_one(void **state)
{
	char *both = xasprintf("%s%s", client_key, client_cert);
	struct tls_row row = { "both in one", &mutual, "127.0.0.1", ca, both,
		NULL, NULL, false, NULL, "someone" };

	(void)state;
	tls_row_check(&row);
	free(both);
}

static void
test_server_name_and_host(void **state)
{
	struct http_tls t = { .ca = slice_of(ca), .server_name = "api.test" };
	struct http_request r = { .tls = &t,
		.url = url_of("https", "b.test", &tls, "/echo") };
	static const char *const own[] = { "Host: own.test", NULL };
	struct seen seen = { .call = NULL };
	char host[64];

	(void)state;
	snprintf(host, sizeof(host), "\r\nHost: b.test:%u\r\n", tls.port);
	exchange(&seen, &r, false);
	expect_problem(&seen, NULL);
	assert_non_null(strstr(seen.body.data, host));
	seen_fini(&seen);
	r.headers = own;
	exchange(&seen, &r, false);
	assert_non_null(strstr(seen.body.data, "\r\nHost: own.test\r\n"));
	seen_fini(&seen);
}

/* ---- ends from within */

static void
test_deeds_in_callbacks(void **state)
{
	static const struct {
		int deed;
		const char *when, *order;
	} rows[] = {
		{ CANCEL, "head", "head 200, " },
		{ CANCEL, "body", "head 200, body, " },
		{ CANCEL, "done", "head 200, body, done" },
		{ CANCEL_OTHER, "head", "head 200, body, done" },
		{ CANCEL_OTHER, "body", "head 200, body, done" },
		{ CANCEL_OTHER, "done", "head 200, body, done" },
		{ FREE_CLIENT, "head", "head 200, " },
		{ FREE_CLIENT, "body", "head 200, body, " },
		{ FREE_CLIENT, "done", "head 200, body, done" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_request r = request_to("/drip/20");
		struct http_request quiet = request_to("/silent");
		struct seen other = { .call = NULL };
		struct seen seen = { .deed = rows[i].deed,
			.when = rows[i].when,
			.other = &other };

		seen_begin(&other, &quiet, true);
		seen_begin(&seen, &r, true);
		if (rows[i].deed == CANCEL)
			open_calls--; /* the other one is not waited for */
		run();
		assert_string_equal(seen.order.data, rows[i].order);
		assert_int_equal(other.order.length, 0);
		seen_fini(&seen);
		seen_fini(&other);
		http_client_free(client);
		client = http_client_new(loop);
		open_calls = 0;
	}
}

static void
test_enough_of_it(void **state)
{
	struct http_request r = request_to("/drip/1000");
	struct seen seen = { .deed = ENOUGH, .when = "body" };

	(void)state;
	exchange(&seen, &r, true);
	assert_string_equal(seen.order.data, "head 200, body, done");
	expect_problem(&seen, "not wanted");
	assert_int_equal(seen.pieces, 1);
	assert_int_equal(seen.status, 200);
	seen_fini(&seen);
}

static void
test_a_call_begins_in_a_callback(void **state)
{
	static const char *const where[] = { "head", "body", "done" };
	struct http_request again[] = { request_to("/hello"),
		{ .url = "nonsense" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(where) * ARRAY_SIZE(again); i++) {
		struct http_request r = request_to("/drip/5");
		struct seen other = { .call = NULL };
		struct seen seen = { .deed = AGAIN,
			.when = where[i / 2],
			.other = &other,
			.again = &again[i % 2] };

		exchange(&seen, &r, true);
		run(); /* the one that began when none was left */
		assert_string_equal(other.order.data,
			i % 2 == 0 ? "head 200, done" : "done");
		seen_fini(&seen);
		seen_fini(&other);
	}
}

static void
test_cancelled_before_anything(void **state)
{
	struct http_request r = request_to("/hello");
	struct http_request bad = { .url = "nonsense" };
	struct seen a = { .call = NULL }, b = { .call = NULL };

	(void)state;
	seen_begin(&a, &r, false);
	seen_cancel(&a);
	seen_begin(&b, &bad, false);
	seen_cancel(&b);
	seen_fini(&a);
	seen_fini(&b);
	http_call_cancel(NULL);
	http_client_free(NULL);
	exchange(&a, &r, false);
	assert_string_equal(a.order.data, "head 200, done");
	seen_fini(&a);
}

/* ---- many */

static size_t
descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t count = 0;

	while (readdir(d) != NULL)
		count++;
	closedir(d);
	return count;
}

static void
test_many_at_once(void **state)
{
	struct seen *seen = xcalloc(300, sizeof(*seen));
	struct http_request first = request_to("/number/0.");
	char path[32];
	size_t before;

	(void)state;
	exchange(&seen[0], &first, false); /* what the client itself has open */
	seen_fini(&seen[0]);
	before = descriptors();
	for (unsigned i = 0; i < 300; i++) {
		struct http_request r;

		snprintf(path, sizeof(path), "/number/%u.", i);
		r = request_to(i % 10 == 9 ? "/silent" : path);
		seen_begin(&seen[i], &r, i % 2 == 0);
	}
	for (unsigned i = 9; i < 300; i += 10)
		seen_cancel(&seen[i]);
	run();
	for (unsigned i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "/number/%u.", i);
		if (i % 10 != 9) {
			expect_problem(&seen[i], NULL);
			assert_non_null(strstr(seen[i].body.data, path));
		}
		seen_fini(&seen[i]);
	}
	free(seen);
	/* Of those that are idle, some are kept. */
	assert_true(descriptors() <= before + 160);
	http_client_free(client);
	client = NULL;
	assert_true(descriptors() < before);
}

/* Whom we execute gets none of them. */
static void
test_descriptors_are_ours(void **state)
{
	struct http_request r = request_to("/hello");
	struct seen seen = { .call = NULL };
	bool were[256];
	size_t ours = 0;

	(void)state;
	http_client_free(client);
	for (int fd = 0; fd < 256; fd++)
		were[fd] = fcntl(fd, F_GETFD) >= 0;
	client = http_client_new(loop);
	exchange(&seen, &r, false);
	for (int fd = 0; fd < 256; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (were[fd] || flags < 0)
			continue;
		ours++;
		assert_true(flags & FD_CLOEXEC);
	}
	/* At least libcurl's own pair and the connection that was kept. */
	assert_true(ours >= 3);
	seen_fini(&seen);
}

static void
test_connections_are_kept(void **state)
{
	struct http_request r = request_to("/hello");
	struct seen a = { .header_wanted = "x-connection" };
	struct seen b = { .header_wanted = "x-connection" };

	(void)state;
	exchange(&a, &r, false);
	exchange(&b, &r, false);
	assert_string_equal(a.header, b.header);
	seen_fini(&a);
	seen_fini(&b);
}

/* ---- HTTP/2 */

static struct http_request
h2_request(const struct http_tls *t, const char *what, uint64_t total_ms)
{
	return (struct http_request){ .tls = t,
		.method = "POST",
		.url = url_of("https", "127.0.0.1", &h2, "/"),
		.body = slice_of(what),
		.total_timeout_ms = total_ms };
}

static void
h2_begin(struct seen *seen, const char *what, uint64_t total_ms, bool stream)
{
	struct http_tls t = { .ca = slice_of(ca) };
	struct http_request r = h2_request(&t, what, total_ms);

	*seen = (struct seen){ .header_wanted = "x-connection" };
	seen_begin(seen, &r, stream);
}

static void
test_h2_many_on_one_connection(void **state)
{
	struct seen seen[40];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
		h2_begin(&seen[i], i % 2 == 0 ? "hello" : "drip/2", 0, true);
	run();
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++) {
		expect_problem(&seen[i], NULL);
		assert_string_equal(seen[i].body.data,
			i % 2 == 0 ? "hello" : "tick\ntick\n");
		assert_string_equal(seen[i].header, seen[0].header);
		if (i > 0)
			seen_fini(&seen[i]);
	}
	seen_fini(&seen[0]);
}

/* A stream that is given up, or reset, leaves the others alone. */
static void
test_h2_streams_are_their_own(void **state)
{
	struct seen drip, silent, reset, half, last;

	(void)state;
	h2_begin(&drip, "drip/1", 0, true);
	run();
	seen_fini(&drip);
	h2_begin(&half, "half", 0, true);
	h2_begin(&silent, "silent", 200, true);
	h2_begin(&reset, "reset", 0, true);
	h2_begin(&drip, "drip/60", 0, true);
	open_calls--; /* half does not end */
	run();
	expect_problem(&drip, NULL);
	assert_int_equal(drip.body.length, 300);
	expect_problem(&silent, "no whole answer within 200 ms");
	expect_problem(&reset, "https://127.0.0.1:");
	assert_string_equal(half.order.data, "head 200, body, ");
	open_calls++;
	seen_cancel(&half);
	h2_begin(&last, "hello", 0, true);
	run();
	assert_string_equal(last.header, drip.header);
	seen_fini(&half);
	seen_fini(&silent);
	seen_fini(&reset);
	seen_fini(&drip);
	seen_fini(&last);
}

/* A connection that has died without a word takes no further calls with it. */
static void
test_h2_a_dead_connection_is_left(void **state)
{
	struct http_tls t = { .ca = slice_of(ca) };
	struct http_request freeze = h2_request(&t, "freeze", 300);
	struct http_request half = h2_request(&t, "half", 0);
	struct seen frozen = { .call = NULL }, next;
	struct seen watch = { .header_wanted = "x-connection",
		.deed = AGAIN,
		.when = "body",
		.other = &frozen,
		.again = &freeze };

	(void)state;
	seen_begin(&watch, &half, true);
	run();
	expect_problem(&frozen, "no whole answer within 300 ms");
	assert_true(frozen.timed_out);
	assert_string_equal(watch.order.data, "head 200, body, done");
	assert_non_null(watch.problem);
	assert_false(watch.timed_out);
	h2_begin(&next, "hello", 5000, true);
	run();
	expect_problem(&next, NULL);
	assert_string_not_equal(next.header, watch.header);
	seen_fini(&watch);
	seen_fini(&frozen);
	seen_fini(&next);
}

static void
test_h2_servers_that_go_away(void **state)
{
	struct seen a, b;

	(void)state;
	h2_begin(&a, "away", 0, true);
	run();
	expect_problem(&a, NULL);
	h2_begin(&b, "hello", 0, true);
	run();
	expect_problem(&b, NULL);
	assert_string_not_equal(a.header, b.header);
	seen_fini(&a);
	seen_fini(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answers),
		TEST(test_requests),
		TEST(test_large_bodies_go_out),
		TEST(test_bodies_come_as_they_come),
		TEST(test_answers_are_bounded),
		TEST(test_what_cannot_be_asked),
		TEST(test_the_unix_socket),
		TEST(test_proxies),
		TEST(test_timeouts),
		TEST(test_those_who_wait_time_out),
		TEST(test_names_that_do_not_come),
		TEST(test_tls),
		TEST(test_cert_and_key_in_one),
		TEST(test_server_name_and_host),
		TEST(test_deeds_in_callbacks),
		TEST(test_enough_of_it),
		TEST(test_a_call_begins_in_a_callback),
		TEST(test_cancelled_before_anything),
		TEST(test_many_at_once),
		TEST(test_descriptors_are_ours),
		TEST(test_connections_are_kept),
		TEST(test_h2_many_on_one_connection),
		TEST(test_h2_streams_are_their_own),
		TEST(test_h2_a_dead_connection_is_left),
		TEST(test_h2_servers_that_go_away),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
