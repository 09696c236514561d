/* Tests userspace/net/http_server.c with a client that writes raw bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"
#include "net/http_server.h"
#include "net/loop.h"

static char folder[64], path[80];
static struct loop *loop;
static struct http_server *server;
static struct http_server_request *kept;
static size_t handled;
static uint16_t port;

/* Answers with what it was asked, but keeps requests for /later. */
static void
on_request(struct http_server_request *r, void *arg)
{
	const char *name = http_server_request_query(r, "name");
	const char *type = http_server_request_header(r, "content-type");
	struct slice body = http_server_request_body(r);
	struct str s;

	(void)arg;
	handled++;
	if (strcmp(http_server_request_path(r), "/later") == 0) {
		kept = r;
		loop_stop(loop);
		return;
	}
	if (strcmp(http_server_request_path(r), "/secret") == 0)
		http_server_request_wipe(r);
	str_init(&s);
	str_printf(&s, "%s %s name=%s type=%s local=%d body=%zu:",
		http_server_request_method(r), http_server_request_path(r),
		name == NULL ? "-" : name, type == NULL ? "-" : type,
		http_server_request_local(r), body.length);
	str_append(&s, body.data, body.length < 100 ? body.length : 100);
	http_server_reply(r, strcmp(http_server_request_path(r), "/full") == 0
			? 507
			: 200,
		"text/plain", s.data, s.length);
	str_fini(&s);
}

static int
setup(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	strcpy(folder, "/tmp/test-http-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/admin.sock", folder);
	handled = 0;
	kept = NULL;
	loop = loop_new();
	server = http_server_new(loop, on_request, NULL);
	return http_server_listen_unix(server, path, 0660, (gid_t)-1, &err);
}

static int
teardown(void **state)
{
	(void)state;
	http_server_free(server);
	loop_free(loop);
	unlink(path);
	return rmdir(folder);
}

static void
on_guard(void *arg)
{
	(void)arg;
	fail_msg("no answer came");
}

static void
run(void)
{
	struct loop_timer *guard = loop_timer_new(loop, on_guard, NULL);

	loop_timer_start(guard, 20000);
	loop_run(loop);
	loop_timer_free(guard);
}

struct client {
	int fd;
	struct loop_fd *watch;
	struct str in, out;
	bool ended;
};

static void
on_client(int fd, unsigned what, void *arg)
{
	struct client *c = arg;
	char buf[65536];
	ssize_t n;

	if (what & LOOP_WRITE) {
		n = send(fd, c->out.data, c->out.length, MSG_NOSIGNAL);
		if (n > 0)
			str_consume(&c->out, (size_t)n);
		/* A refused body may not be read to its end. */
		if ((n < 0 && errno != EAGAIN) || c->out.length == 0)
			loop_fd_change(c->watch, LOOP_READ);
	}
	if (!(what & LOOP_READ))
		return;
	n = recv(fd, buf, sizeof(buf), 0);
	if (n > 0) {
		str_append(&c->in, buf, (size_t)n);
	} else if (n == 0 || errno != EAGAIN) {
		c->ended = true;
		loop_stop(loop);
	}
}

static void
client_open(struct client *c, const char *request, size_t length)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int rc;

	c->fd = socket(port == 0 ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
	strcpy(sun.sun_path, path);
	rc = port == 0
		? connect(c->fd, (struct sockaddr *)&sun, sizeof(sun))
		: connect(c->fd, (struct sockaddr *)&sin, sizeof(sin));
	assert_int_equal(rc, 0);
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	str_init(&c->in);
	str_init(&c->out);
	str_append(&c->out, request, length);
	c->ended = false;
	c->watch = loop_fd_new(loop, c->fd, LOOP_READ | LOOP_WRITE, on_client,
		c);
}

static void
client_close(struct client *c)
{
	loop_fd_free(c->watch);
	close(c->fd);
	str_fini(&c->in);
	str_fini(&c->out);
}

/* The whole answer to a request that ends its connection. */
static void
exchange(struct client *c, const char *request)
{
	client_open(c, request, strlen(request));
	while (!c->ended)
		run();
}

#define CLOSE "Connection: close\r\n\r\n"

static void
test_requests(void **state)
{
	static const struct {
		const char *what, *request, *status, *body;
	} rows[] = {
		{ "GET with a query",
			"GET /v1/x?a=1&name=a%20b%2Fc+d HTTP/1.1\r\n"
			"Host: x\r\n" CLOSE,
			"HTTP/1.1 200 OK",
			"GET /v1/x name=a b/c d type=- local=1 body=0:" },
		{ "GET of nothing", "GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK",
			"GET / name=- type=- local=1 body=0:" },
		{ "PUT",
			"PUT /v1/x HTTP/1.1\r\nHost: x\r\n"
			"Content-Type: application/yaml\r\n"
			"Content-Length: 5\r\n" CLOSE "a: 1\n",
			"HTTP/1.1 200 OK",
			"PUT /v1/x name=- type=application/yaml local=1 "
			"body=5:a: 1\n" },
		{ "POST in chunks",
			"POST /p HTTP/1.1\r\nHost: x\r\n"
			"Transfer-Encoding: chunked\r\n" CLOSE
			"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
			"HTTP/1.1 200 OK",
			"POST /p name=- type=- local=1 body=5:abcde" },
		{ "DELETE", "DELETE /v1/x HTTP/1.1\r\nHost: x\r\n" CLOSE,
			"HTTP/1.1 200 OK",
			"DELETE /v1/x name=- type=- local=1 body=0:" },
		{ "HEAD has the length only",
			"HEAD /v1 HTTP/1.1\r\nHost: x\r\n" CLOSE,
			"HTTP/1.1 200 OK", "" },
		{ "a status that is rare",
			"PUT /full HTTP/1.1\r\nHost: x\r\n"
			"Content-Length: 0\r\n" CLOSE,
			"HTTP/1.1 507 ", NULL },
		{ "a method that is not offered",
			"PATCH /v1 HTTP/1.1\r\nHost: x\r\n" CLOSE,
			"HTTP/1.1 501", NULL },
		{ "no HTTP", "\x16\x03\x01 hello\r\n\r\n", "HTTP/1.", NULL },
		{ "a body past the limit",
			"PUT /v1 HTTP/1.1\r\nHost: x\r\n"
			"Content-Length: 67108865\r\n" CLOSE,
			"HTTP/1.1 413", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client c;
		const char *body;

		exchange(&c, rows[i].request);
		if (strncmp(c.in.data, rows[i].status,
			    strlen(rows[i].status)) != 0)
			fail_msg("%s: %s", rows[i].what, c.in.data);
		body = strstr(c.in.data, "\r\n\r\n");
		if (rows[i].body != NULL && (body == NULL ||
			    strcmp(body + 4, rows[i].body) != 0))
			fail_msg("%s: %s", rows[i].what, c.in.data);
		client_close(&c);
	}
}

static void
test_head_says_the_length(void **state)
{
	struct client c;

	(void)state;
	exchange(&c, "HEAD / HTTP/1.1\r\nHost: x\r\n" CLOSE);
	assert_non_null(strstr(c.in.data, "Content-Type: text/plain\r\n"));
	assert_non_null(strstr(c.in.data, "Content-Length: 36\r\n"));
	client_close(&c);
}

static void
test_what_was_a_secret_is_zeros(void **state)
{
	struct client c;
	const char *body;

	(void)state;
	exchange(&c, "PUT /secret HTTP/1.1\r\nHost: x\r\n"
		     "Content-Length: 3\r\n" CLOSE "abc");
	body = strstr(c.in.data, "body=3:");
	assert_non_null(body);
	assert_memory_equal(body + 7, "\0\0\0", 3);
	client_close(&c);
	/* Nothing is nothing. */
	exchange(&c, "PUT /secret HTTP/1.1\r\nHost: x\r\n"
		     "Content-Length: 0\r\n" CLOSE);
	assert_non_null(strstr(c.in.data, "body=0:"));
	client_close(&c);
}

static void
test_large_bodies(void **state)
{
	size_t length = 8u << 20;
	char *big = malloc(length + 200);
	struct client c;
	int n;

	(void)state;
	n = sprintf(big, "PUT /v1 HTTP/1.1\r\nHost: x\r\n"
			 "Content-Length: %zu\r\n" CLOSE, length);
	memset(big + n, 'z', length);
	client_open(&c, big, (size_t)n + length);
	while (!c.ended)
		run();
	assert_non_null(strstr(c.in.data, "body=8388608:zzzzz"));
	client_close(&c);
	free(big);
}

static void
test_large_heads_are_refused(void **state)
{
	size_t length = 200000;
	char *big = malloc(length + 200);
	struct client c;
	int n;

	(void)state;
	n = sprintf(big, "GET /v1 HTTP/1.1\r\nHost: x\r\nX: ");
	memset(big + n, 'z', length);
	strcpy(big + n + length, "\r\n" CLOSE);
	exchange(&c, big);
	assert_null(strstr(c.in.data, "200 OK"));
	assert_int_equal(handled, 0);
	client_close(&c);
	free(big);
}

static void
test_an_answer_may_come_later(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, "GET /later HTTP/1.1\r\nHost: x\r\n" CLOSE,
		strlen("GET /later HTTP/1.1\r\nHost: x\r\n" CLOSE));
	run();
	assert_non_null(kept);
	assert_int_equal(c.in.length, 0);
	http_server_reply(kept, 202, "application/json", "{}", 2);
	while (!c.ended)
		run();
	assert_memory_equal(c.in.data, "HTTP/1.1 202", 12);
	assert_non_null(strstr(c.in.data, "\r\n\r\n{}"));
	client_close(&c);
}

static void
stop(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

/* The server sees that the client is gone before this ends. */
static void
settle(void)
{
	struct loop_timer *t = loop_timer_new(loop, stop, NULL);

	loop_timer_start(t, 30);
	loop_run(loop);
	loop_timer_free(t);
}

static const char later[] = "GET /later HTTP/1.1\r\nHost: x\r\n\r\n";

static void
test_the_client_goes_away_first(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, later, sizeof(later) - 1);
	run();
	client_close(&c);
	settle();
	http_server_reply(kept, 200, "text/plain", "late", 4);
	settle();
	/* The server goes on. */
	exchange(&c, "GET /x HTTP/1.1\r\nHost: x\r\n" CLOSE);
	assert_non_null(strstr(c.in.data, "GET /x"));
	client_close(&c);
}

static void
test_the_server_goes_away_first(void **state)
{
	struct http_server_request *first;
	struct client c, d;

	(void)state;
	client_open(&c, later, sizeof(later) - 1);
	run();
	first = kept;
	client_open(&d, later, sizeof(later) - 1);
	run();
	assert_ptr_not_equal(first, kept);
	/* One client has gone before, one is still there. */
	client_close(&d);
	settle();
	http_server_free(server);
	server = NULL;
	http_server_reply(first, 200, "text/plain", "late", 4);
	http_server_reply(kept, 200, "text/plain", "late", 4);
	while (!c.ended)
		run();
	assert_int_equal(c.in.length, 0);
	client_close(&c);
}

static void
test_connections_are_kept(void **state)
{
	static const char two[] = "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
				  "GET /2 HTTP/1.1\r\nHost: x\r\n" CLOSE;
	struct client c;

	(void)state;
	exchange(&c, two);
	assert_int_equal(handled, 2);
	assert_non_null(strstr(c.in.data, "GET /1"));
	assert_non_null(strstr(c.in.data, "GET /2"));
	client_close(&c);
}

/* A port that was free a moment ago. */
static uint16_t
free_port(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	getsockname(fd, (struct sockaddr *)&sin, &length);
	close(fd);
	return ntohs(sin.sin_port);
}

static void
test_tcp_wants_a_name_of_this_host(void **state)
{
	static const struct {
		const char *host;
		bool allowed;
	} rows[] = {
		{ "Host: localhost\r\n", true },
		{ "Host: LocalHost:9091\r\n", true },
		{ "Host: 127.0.0.1:9091\r\n", true },
		{ "Host: 127.1.2.3\r\n", true },
		{ "Host: [::1]:9091\r\n", true },
		{ "Host: [::1]\r\n", true },
		{ "Host: evil.example\r\n", false },
		{ "Host: localhost.evil.example:9091\r\n", false },
		{ "Host: 127.0.0.1.evil.example\r\n", false },
		{ "Host: 192.0.2.1\r\n", false },
		{ "Host: [2001:db8::1]:80\r\n", false },
		{ "Host: [::1\r\n", false },
		{ "Host: [::1]evil\r\n", false },
		{ "Host: \r\n", false },
		{ "", false },
	};
	char where[64], request[256];

	(void)state;
	port = free_port();
	snprintf(where, sizeof(where), "127.0.0.1:%u", port);
	assert_int_equal(http_server_listen_tcp(server, where, NULL), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client c;

		snprintf(request, sizeof(request),
			"GET /healthz HTTP/1.1\r\n%s" CLOSE, rows[i].host);
		exchange(&c, request);
		if ((strstr(c.in.data, "local=0") != NULL) != rows[i].allowed)
			fail_msg("%s%s", rows[i].host, c.in.data);
		if (!rows[i].allowed)
			assert_memory_equal(c.in.data, "HTTP/1.1 403", 12);
		client_close(&c);
	}
	port = 0;
}

static void
test_tcp_is_loopback_only(void **state)
{
	static const char *const refused[] = { "0.0.0.0:9091", "[::]:9091",
		"192.0.2.1:9091", "9091", "localhost", "127.0.0.1:",
		"127.0.0.1:65536", "127.0.0.1:9091x", "::1:9091", "" };

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct error err = ERROR_INIT;

		if (http_server_listen_tcp(server, refused[i], &err) == 0)
			fail_msg("%s was taken", refused[i]);
		assert_int_equal(err.code, ERROR_CONFIG);
	}
}

static void
test_the_socket_file(void **state)
{
	struct error err = ERROR_INIT;
	struct http_server *other;
	char longer[200];
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	/* An old one is replaced, what is no socket is not. */
	other = http_server_new(loop, on_request, NULL);
	assert_int_equal(http_server_listen_unix(other, path, 0600, getgid(),
				 NULL),
		0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_gid, getgid());
	assert_int_equal(http_server_listen_unix(other, folder, 0600,
				 (gid_t)-1, &err),
		-1);
	assert_int_equal(err.code, ERROR_CONFIG);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(http_server_listen_unix(other, longer, 0600,
				 (gid_t)-1, NULL),
		-1);
	http_server_free(other);
	http_server_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_requests),
		TEST(test_head_says_the_length),
		TEST(test_what_was_a_secret_is_zeros),
		TEST(test_large_bodies),
		TEST(test_large_heads_are_refused),
		TEST(test_an_answer_may_come_later),
		TEST(test_the_client_goes_away_first),
		TEST(test_the_server_goes_away_first),
		TEST(test_connections_are_kept),
		TEST(test_tcp_wants_a_name_of_this_host),
		TEST(test_tcp_is_loopback_only),
		TEST(test_the_socket_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
