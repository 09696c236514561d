/* Calls of functions until their answer: what is collected, sent, sent again,
 * and with what. */
#include "tests/unit/proxy/call_asked.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>

static const struct rig_answer silent[] = { { "", RIG_SILENT, 0 },
	END_OF_LIST };

/* ---- the message */

static void
a_request_becomes_a_message(void **state)
{
	(void)state;
	rig_origin_script(rig.origin, always_ok);
	ask("GET /calls/a%2fb/../c?x=1&y HTTP/1.1\r\nHost: h:80\r\nX-Own: 1\r\n"
	    "X-Own: 2\r\nTE: trailers\r\nConnection: close\r\n\r\n",
		&got);
	begins("400", &got, "HTTP/1.1 400 ");
	ask("GET /calls/b/../c?x=1&y HTTP/1.1\r\nHost: h:80\r\nX-Own: 1\r\n"
	    "X-Own: 2\r\nTE: trailers\r\nConnection: close\r\n\r\n",
		&got);
	is("the answer", &got, PASSED "connection: close\r\n\r\na");
	seen(&sent);
	is("the message", &sent,
		CALL_LINE "x-method: GET\r\nx-path: /calls/c\r\n"
			  "x-rest: /c\r\n"
			  "x-target: /calls/b/../c?x=1&y\r\n"
			  "x-authority: h:80\r\nx-credentials: none\r\n"
			  "x-skew-s: 0\r\nX-Own: 1\r\nX-Own: 2\r\n"
			  "x-forwarded-for: 127.0.0.1\r\n"
			  "x-forwarded-proto: http\r\nx-request-id: ID\r\n"
			  "x-envoy-expected-rq-timeout-ms: 15000\r\n"
			  "content-length: 0\r\n\r\n");
	nothing_is_held();
}

static void
filters_come_first(void **state)
{
	(void)state;
	rig_origin_script(rig.origin, always_ok);
	ask("POST /filtered/x?q HTTP/1.1\r\nHost: h\r\nX-Secret: s\r\n"
	    "Content-Length: 3\r\nConnection: close\r\n\r\nabc",
		&got);
	is("the answer", &got,
		"HTTP/1.1 200 OK\r\nX-Step: pass\r\nx-answer: 2\r\n"
		"content-length: 1\r\nconnection: close\r\n\r\na");
	seen(&sent);
	has("path", &sent, "\r\nx-path: /new/x\r\n");
	has("rest", &sent, "\r\nx-rest: /new/x\r\n");
	has("host", &sent, "\r\nx-authority: rewritten.example\r\n");
	has("target", &sent, "\r\nx-target: /filtered/x?q\r\n");
	has("added", &sent, "\r\nx-added: 1\r\n");
	has_not("removed", &sent, "X-Secret");
	ends("body", &sent, "content-length: 3\r\n\r\nabc");
	rig_origin_script(rig.origin, always_ok);
	ask(GET("/exact"), &got);
	ask(GET("/regex/x"), &got);
	seen(&sent);
	has("exact", &sent, "\r\nx-path: /exact\r\nx-rest: \r\n");
	has("regex", &sent, "\r\nx-path: /regex/x\r\nx-rest: unknown\r\n");
}

static void
what_cannot_be_written_is_not_sent(void **state)
{
	(void)state;
	rig_origin_script(rig.origin, always_ok);
	refused(GET("/calls?wrong"), "500", "head_too_large",
		"the request could not be passed on");
	refused(GET("/filtered../x"), "400", "bad_target",
		"the path leaves what its prefix stands for");
	refused(GET("/broken"), "503", "route_unavailable",
		"the settings are not three numbers");
	seen(&sent);
	is("nothing", &sent, "");
}

/* What cannot be asked does not cost the next one its connection. */
static void
a_connection_is_kept_for_the_next(void **state)
{
	struct counters_upstream before;

	(void)state;
	rig_origin_reset(rig.origin);
	assert_true(rig_await(&rig, UP_CALLS, "connections_open", 0));
	rig_origin_script(rig.origin, always_ok);
	before = counted(UP_CALLS);
	for (int i = 0; i < 3; i++) {
		refused(GET("/calls?wrong"), "500", "head_too_large",
			"the request could not be passed on");
		refused(GET("/calls?must"), "503", "no_credentials",
			"there are no credentials for it");
		assert_int_equal(counted(UP_CALLS).connections_open, 1);
	}
	ask(GET("/calls"), &got);
	begins("calls", &got, PASSED);
	assert_int_equal(counted(UP_CALLS).connections_opened -
				 before.connections_opened,
		1);
}

/* ---- the client's body */

static void
bodies_are_collected(void **state)
{
	static const struct {
		const char *request, *body;
	} all[] = {
		{ "POST /calls HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		  "Content-Length: 11\r\n\r\nhello world",
			"content-length: 11\r\n\r\nhello world" },
		{ "POST /calls HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		  "Transfer-Encoding: chunked\r\n\r\n"
		  "6\r\nhello \r\n5;x=y\r\nworld\r\n0\r\nTrailer: t\r\n\r\n",
			"content-length: 11\r\n\r\nhello world" },
		{ "PUT /anew HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		  "Content-Length: 5\r\n\r\nhello",
			"content-length: 7\r\n\r\n<hello>" },
		{ "POST /calls HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		  "Content-Length: 0\r\n\r\n",
			"content-length: 0\r\n\r\n" },
		{ "GET /calls?as HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		  "\r\n",
			"15000\r\n\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		const char *request = all[i].request;

		for (int split = 0; split < 2; split++) {
			int fd = rig_client(&rig);

			rig_origin_script(rig.origin, always_ok);
			for (size_t k = 0; split && request[k] != '\0'; k++)
				rig_client_send(fd, request + k, 1);
			if (!split)
				rig_client_send(fd, request, strlen(request));
			client_read(fd, &got);
			rig_settled(&rig);
			begins(request, &got, PASSED);
			seen(&sent);
			ends(request, &sent, all[i].body);
			assert_int_equal(times(&sent, CALL_LINE) +
						 times(&sent, "GET /call "),
				1);
			has_not(request, &sent, "chunked");
		}
	}
	nothing_is_held();
}

static void
no_connection_is_taken_meanwhile(void **state)
{
	int fd;

	(void)state;
	rig_origin_script(rig.origin, always_ok);
	fd = client_send("POST /once HTTP/1.1\r\nHost: h\r\n"
			 "Connection: close\r\nContent-Length: 4\r\n\r\nab");
	assert_true(rig_await(&rig, UP_ONCE, "call_bytes_active", 2));
	assert_int_equal(counted(UP_ONCE).connections_open, 0);
	assert_int_equal(counted(UP_ONCE).requests_active, 0);
	assert_int_equal(rig_origin_connections(rig.origin), 0);
	rig_client_send(fd, "cd", 2);
	client_read(fd, &got);
	begins("once", &got, PASSED);
	nothing_is_held();
	/* Who goes away leaves nothing. */
	fd = client_send("POST /once HTTP/1.1\r\nHost: h\r\n"
			 "Content-Length: 4\r\n\r\nab");
	assert_true(rig_await(&rig, UP_ONCE, "call_bytes_active", 2));
	rig_client_reset(fd);
	nothing_is_held();
	fd = client_send("POST /once HTTP/1.1\r\nHost: h\r\n"
			 "Content-Length: 4\r\n\r\nab");
	assert_true(rig_await(&rig, UP_ONCE, "call_bytes_active", 2));
	shutdown(fd, SHUT_WR);
	client_read(fd, &got);
	is("half a body", &got, "");
	nothing_is_held();
}

static void
a_continue_is_sent(void **state)
{
	static const char go[] = "HTTP/1.1 100 Continue\r\n\r\n";
	int fd;

	(void)state;
	rig_origin_script(rig.origin, always_ok);
	fd = client_send("POST /calls HTTP/1.1\r\nHost: h\r\n"
			 "Expect: 100-continue\r\nConnection: close\r\n"
			 "Content-Length: 2\r\n\r\n");
	str_clear(&got);
	rig_client_read(fd, &got, strlen(go), RIG_WAIT_MS);
	is("100", &got, go);
	rig_client_send(fd, "ab", 2);
	client_read(fd, &got);
	begins("after it", &got, PASSED);
	seen(&sent);
	has_not("Expect", &sent, "100-continue");
	ends("body", &sent, "\r\n\r\nab");
	/* Not where it is of no use. */
	ask("POST /calls HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
	    "Connection: close\r\nContent-Length: 1001\r\n\r\n",
		&got);
	begins("too large", &got, "HTTP/1.1 413 ");
}

static void
a_slow_body_is_given_up(void **state)
{
	int fd;

	(void)state;
	rig_origin_script(rig.origin, always_ok);
	body_idle_set(300);
	fd = client_send("POST /calls HTTP/1.1\r\nHost: h\r\n"
			 "Content-Length: 4\r\n\r\nab");
	client_read(fd, &got);
	begins("a body that stands still", &got, "HTTP/1.1 408 ");
	body_idle_set(settings.body_idle_ms);
	nothing_is_held();
}

/* limits.bodyBytes, limits.callBytes */
static void
limits_set(uint64_t body_bytes, uint64_t call_bytes)
{
	struct wire_message m = rig_message(WIRE_SETTINGS);

	m.settings = settings;
	m.settings.body_bytes = body_bytes;
	m.settings.call_bytes = call_bytes;
	rig_send(&rig, &m, NULL, 0);
	generation_next();
}

static void
large_requests_are_refused(void **state)
{
	struct counters_upstream before = counted(UP_CALLS);
	struct str request;

	(void)state;
	str_init(&request);
	rig_origin_script(rig.origin, always_ok);
	refused("POST /calls HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n"
		"\r\n",
		"413", "call_too_large", "larger than its functions take");
	str_puts(&request, "POST /calls HTTP/1.1\r\nHost: h\r\n"
			   "Transfer-Encoding: chunked\r\n\r\n3e8\r\n");
	for (int i = 0; i < 1000; i++)
		str_putc(&request, 'x');
	str_puts(&request, "\r\n1\r\ny\r\n0\r\n\r\n");
	refused(request.data, "413", "call_too_large",
		"larger than its functions take");
	assert_int_equal(
		counted(UP_CALLS).calls_too_large - before.calls_too_large, 2);
	refused("POST /calls HTTP/1.1\r\nHost: h\r\n"
		"Transfer-Encoding: chunked\r\n\r\nx\r\n",
		"400", "bad_body", "malformed");
	limits_set(20, settings.call_bytes);
	refused("POST /calls HTTP/1.1\r\nHost: h\r\n"
		"Transfer-Encoding: chunked\r\n\r\n"
		"15\r\n012345678901234567890\r\n0\r\n\r\n",
		"413", "body_too_large", "too large");
	limits_set(0, settings.call_bytes);
	/* It would not fit if it were alone: told at once, nothing is kept. */
	limits_set(0, 500);
	refused("POST /calls HTTP/1.1\r\nHost: h\r\nContent-Length: 501\r\n"
		"\r\n",
		"413", "call_too_large", "larger than limits.callBytes allows");
	refused("POST /calls HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n"
		"\r\n",
		"413", "call_too_large", "larger than limits.callBytes allows");
	refused(request.data, "413", "call_too_large",
		"larger than limits.callBytes allows");
	limits_set(0, settings.call_bytes);
	seen(&sent);
	is("nothing", &sent, "");
	/* Just as large as it may be. */
	str_clear(&request);
	str_puts(&request, "POST /calls HTTP/1.1\r\nHost: h\r\n"
			   "Connection: close\r\nContent-Length: 1000\r\n\r\n");
	for (int i = 0; i < 1000; i++)
		str_putc(&request, 'x');
	ask(request.data, &got);
	begins("1000", &got, PASSED);
	str_fini(&request);
}

/* ---- memory */

static char *
megabytes(size_t count)
{
	char *bytes = xmalloc(count << 20);

	for (size_t i = 0; i < count << 20; i++)
		bytes[i] = (char)('a' + i * 7 % 23 + i / 4096 % 3);
	return bytes;
}

/* A request with a body of so many megabytes, of which all but one byte are
 * sent. */
static int
large_send(const char *path, const char *bytes, size_t count)
{
	char head[256];
	int fd = rig_client(&rig);

	snprintf(head, sizeof(head),
		"POST %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		"Content-Length: %zu\r\n\r\n",
		path, count << 20);
	rig_client_send(fd, head, strlen(head));
	rig_client_send(fd, bytes, (count << 20) - 1);
	return fd;
}

static void
memory_is_bounded(void **state)
{
	static const struct rig_answer early[] = { { OK, RIG_EARLY, 0 },
		END_OF_LIST };
	struct counters_upstream before = counted(UP_LARGE);
	char *bytes = megabytes(5);
	int fds[3];

	(void)state;
	rig_origin_script(rig.origin, early);
	/* 12 MB are there: two, and not three. */
	for (int i = 0; i < 2; i++) {
		fds[i] = large_send("/large", bytes, 5);
		assert_true(rig_await(&rig, UP_LARGE, "call_bytes_active",
			(uint64_t)(i + 1) * ((5 << 20) - 1)));
	}
	fds[2] = large_send("/large", bytes, 5);
	client_read(fds[2], &got);
	begins("the third", &got, "HTTP/1.1 503 ");
	has("the third", &got, "limits.callBytes");
	logged("\"reason\":\"calls_overflow\"");
	assert_int_equal(
		counted(UP_LARGE).calls_overflow - before.calls_overflow, 1);
	assert_int_equal(
		counted(UP_LARGE).call_bytes_active, 2 * ((5 << 20) - 1));
	for (int i = 0; i < 2; i++) {
		rig_client_send(fds[i], bytes + (5 << 20) - 1, 1);
		client_read(fds[i], &got);
		begins("those that had room", &got, PASSED);
	}
	nothing_is_held();
	/* Or the origin would read the rest of them with the next one. */
	assert_true(rig_origin_wait_closed(rig.origin, 2));
	/* What is made of a body counts as well: 2 * 7 MB, which never fit. */
	free(bytes);
	bytes = megabytes(7);
	fds[0] = large_send("/wrapped", bytes, 7);
	rig_client_send(fds[0], bytes + (7 << 20) - 1, 1);
	client_read(fds[0], &got);
	begins("made anew", &got, "HTTP/1.1 413 ");
	has("made anew", &got, "limits.callBytes");
	logged("\"reason\":\"call_too_large\"");
	nothing_is_held();
	free(bytes);
}

/* The origin does not read for a while; what it gets is whole. */
static void
large_messages_wait_where_they_are(void **state)
{
	char *bytes = megabytes(6);
	const char *at;
	int fd;

	(void)state;
	rig_origin_script(rig.origin, always_ok);
	fd = large_send("/large", bytes, 6);
	assert_true(
		rig_await(&rig, UP_LARGE, "call_bytes_active", (6 << 20) - 1));
	rig_origin_pause(rig.origin, true);
	rig_client_send(fd, bytes + (6 << 20) - 1, 1);
	assert_true(rig_await(&rig, UP_LARGE, "requests_active", 1));
	rig_origin_pause(rig.origin, false);
	/* It is too much for the origin to answer. */
	assert_true(rig_origin_wait(rig.origin, 6 << 20));
	seen(&sent);
	at = strstr(sent.data, "\r\n\r\n");
	assert_non_null(at);
	at += 4;
	assert_memory_equal(at, bytes, sent.length - (size_t)(at - sent.data));
	assert_true(rig_await(&rig, UP_LARGE, "call_bytes_active", 6 << 20));
	rig_client_reset(fd);
	nothing_is_held();
	assert_true(rig_origin_wait_closed(rig.origin, 1));
	free(bytes);
}

/* Who answers before he has read all of it. */
static void
a_message_is_let_go_of_when_it_is_sent(void **state)
{
	static const struct rig_answer endless[] = {
		{ "HTTP/1.1 200 OK\r\nX-Step: pass\r\n"
		  "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
			RIG_EARLY, 0 },
		{ "", RIG_SILENT, 0 }, END_OF_LIST
	};
	char *bytes = megabytes(7);
	int fd;

	(void)state;
	rig_origin_script(rig.origin, endless);
	fd = large_send("/large", bytes, 7);
	rig_client_send(fd, bytes + (7 << 20) - 1, 1);
	str_clear(&got);
	rig_client_read(fd, &got, 20, RIG_WAIT_MS);
	begins("endless", &got, "HTTP/1.1 200 OK\r\n");
	assert_true(rig_await(&rig, UP_LARGE, "call_bytes_active", 0));
	assert_int_equal(counted(UP_LARGE).requests_active, 1);
	rig_client_reset(fd);
	nothing_is_held();
	free(bytes);
}

/* An endpoint that takes what it is sent little by little: its listener. */
static int
slow_endpoint(uint32_t id)
{
	struct rig_endpoint one = { .health = ENDPOINT_UP, .weight = 1 };
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t length = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0), room = 64 << 10;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	/* Or all of it might lie in there. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 1), 0);
	getsockname(fd, (struct sockaddr *)&sin, &length);
	one.port = ntohs(sin.sin_port);
	rig_endpoints(&rig, id, &one, 1);
	generation_next();
	return fd;
}

static size_t
some_read(int fd, size_t most)
{
	char bytes[64 << 10];
	size_t got_bytes = 0;

	while (got_bytes < most) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		assert_true(n > 0);
		got_bytes += (size_t)n;
	}
	return got_bytes;
}

/* idleTimeout is about nothing moving at all. */
static void
what_is_taken_slowly_moves(void **state)
{
	char *bytes = megabytes(24);
	int listener = slow_endpoint(UP_STEADY), fd, peer;
	size_t came = 0;

	(void)state;
	limits_set(0, 32 << 20);
	fd = large_send("/steady", bytes, 24);
	rig_client_send(fd, bytes + (24 << 20) - 1, 1);
	peer = accept(listener, NULL, NULL);
	assert_true(peer >= 0);
	/* The kernel has some megabytes of it, and takes the next when a good
	 * part of them is gone. */
	for (int i = 0; i < 10; i++) {
		came += some_read(peer, 1536 << 10);
		/* Of the 2500 ms that nothing may move for; a refusal would
		 * come now. */
		assert_int_equal(
			poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 300), 0);
	}
	came += some_read(peer, (24u << 20) - came);
	rig_client_send(peer, OK, strlen(OK));
	client_read(fd, &got);
	begins("slow", &got, PASSED);
	close(peer);
	close(listener);
	limits_set(0, settings.call_bytes);
	nothing_is_held();
	free(bytes);
}

/* ---- attempts */

static void
retries_go_by_the_route(void **state)
{
	static const struct {
		const char *what, *request, *first;
		bool again;
	} all[] = {
		{ "a GET after 503", GET("/retried"),
			"HTTP/1.1 503 No\r\nX-Step: again\r\n"
			"Content-Length: 0\r\n\r\n",
			true },
		{ "a POST after 503",
			"POST /retried HTTP/1.1\r\nHost: h\r\n"
			"Connection: close\r\nContent-Length: 3\r\n\r\nabc",
			"HTTP/1.1 503 No\r\nX-Step: again\r\n"
			"Content-Length: 0\r\n\r\n",
			false },
		{ "a POST when nothing ran",
			"POST /retried HTTP/1.1\r\nHost: h\r\n"
			"Connection: close\r\nContent-Length: 3\r\n\r\nabc",
			"HTTP/1.1 429 No\r\nX-Step: again\r\n"
			"X-News: nothing\r\nContent-Length: 0\r\n\r\n",
			true },
		{ "a GET after 429", GET("/retried"),
			"HTTP/1.1 429 No\r\nX-Step: again\r\n"
			"Content-Length: 0\r\n\r\n",
			false },
		{ "no retries", GET("/calls"),
			"HTTP/1.1 503 No\r\nX-Step: again\r\n"
			"X-News: nothing\r\nContent-Length: 0\r\n\r\n",
			false },
		{ "only when it could not be reached", GET("/unheard"),
			"HTTP/1.1 503 No\r\nX-Step: again\r\n"
			"Content-Length: 0\r\n\r\n",
			false },
		{ "as if it could not be reached", GET("/unheard"),
			"HTTP/1.1 503 No\r\nX-Step: again\r\n"
			"X-News: nothing\r\nContent-Length: 0\r\n\r\n",
			true },
		{ "said by a whole answer", GET("/unheard"),
			ANSWER("collect", "X-News: nothing\r\n", "6",
				"again\n"),
			true },
		{ "a passed 503", GET("/retried"),
			"HTTP/1.1 503 No\r\nX-Step: pass\r\n"
			"Content-Length: 0\r\n\r\n",
			true },
		{ "an end without an answer", GET("/retried"), "", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct rig_answer script[] = { { all[i].first, 0, 0 },
			{ OK, 0, 0 }, END_OF_LIST };
		struct counters_upstream before, now;

		/* One that was kept would be another matter. */
		rig_origin_reset(rig.origin);
		assert_true(rig_await(&rig, UP_CALLS, "connections_open", 0));
		if (all[i].first[0] == '\0')
			script[0].flags = RIG_CLOSE;
		before = counted(UP_CALLS);
		rig_origin_script(rig.origin, script);
		ask(all[i].request, &got);
		begins(all[i].what, &got,
			all[i].again ? PASSED : "HTTP/1.1 502 ");
		seen(&sent);
		assert_int_equal(times(&sent, CALL_LINE), 1 + all[i].again);
		if (all[i].again && all[i].request[0] == 'P') {
			assert_int_equal(times(&sent, "\r\n\r\nabc"), 2);
			/* Twice the same. */
			assert_int_equal(sent.length % 2, 0);
			assert_memory_equal(sent.data,
				sent.data + sent.length / 2, sent.length / 2);
		}
		now = counted(UP_CALLS);
		assert_int_equal(now.retried - before.retried, all[i].again);
		assert_int_equal(
			now.requests - before.requests, 1 + all[i].again);
		nothing_is_held();
	}
}

static void
retries_end(void **state)
{
	static const struct rig_answer busy[] = {
		{ "HTTP/1.1 503 No\r\nX-Step: again\r\n"
		  "X-News: nothing after=7\r\nContent-Length: 0\r\n\r\n",
			0, 0 },
		END_OF_LIST
	};

	(void)state;
	rig_origin_script(rig.origin, busy);
	ask(GET("/retried"), &got);
	begins("thrice", &got, "HTTP/1.1 502 ");
	has("why", &got, "\r\nx-gloo-gateway-reason: function_error\r\n");
	has("when", &got, "\r\nretry-after: 7\r\n");
	ends("the sentence", &got,
		"upstream g.calls: the function did not answer\n");
	seen(&sent);
	assert_int_equal(times(&sent, CALL_LINE), 3);
	logged("\"reason\":\"function_error\","
	       "\"detail\":\"the function did not answer\"");
	nothing_is_held();
}

static void
an_endpoint_that_is_not_there_is_passed_over(void **state)
{
	(void)state;
	rig_origin_script(rig.origin, always_ok);
	for (int i = 0; i < 4; i++) {
		ask("POST /two HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		    "Content-Length: 3\r\n\r\nabc",
			&got);
		begins("two", &got, PASSED);
	}
	seen(&sent);
	assert_int_equal(times(&sent, "\r\n\r\nabc"), 4);
	nothing_is_held();
}

static void
a_kept_connection_that_was_closed_is_no_failure(void **state)
{
	static const struct rig_answer shut[] = { { OK, RIG_SHUT_IDLE, 0 },
		{ OK, 0, 0 }, END_OF_LIST };
	struct counters_upstream before;

	(void)state;
	rig_origin_reset(rig.origin);
	assert_true(rig_await(&rig, UP_CALLS, "connections_open", 0));
	rig_origin_script(rig.origin, shut);
	before = counted(UP_CALLS);
	ask(GET("/calls"), &got);
	begins("the first", &got, PASSED);
	ask(GET("/calls"), &got);
	begins("the second", &got, PASSED);
	assert_int_equal(
		counted(UP_CALLS).retried_idle - before.retried_idle, 1);
	nothing_is_held();
}

/* Whatever an attempt before it came to. */
static void
one_more_attempt_may_meet_such_a_connection(void **state)
{
	static const struct rig_answer answers[] = {
		{ ANSWER("collect", "X-News: nothing\r\n", "6", "again\n"),
			RIG_SHUT_IDLE, 0 },
		{ OK, 0, 0 }, END_OF_LIST
	};
	struct counters_upstream before;

	(void)state;
	rig_origin_reset(rig.origin);
	assert_true(rig_await(&rig, UP_CALLS, "connections_open", 0));
	rig_origin_script(rig.origin, answers);
	before = counted(UP_CALLS);
	ask(GET("/unheard"), &got);
	begins("on another connection", &got, PASSED);
	assert_int_equal(counted(UP_CALLS).retried - before.retried, 1);
	assert_int_equal(
		counted(UP_CALLS).retried_idle - before.retried_idle, 1);
	nothing_is_held();
}

static void
the_deadline_holds(void **state)
{
	(void)state;
	rig_origin_script(rig.origin, silent);
	refused(GET("/brief"), "504", "upstream_timeout",
		"it did not answer in time");
}

static void
requests_in_work_are_limited(void **state)
{
	int fds[3];

	(void)state;
	rig_origin_script(rig.origin, silent);
	/* All three may begin; when the third is there two are in work. */
	for (int i = 0; i < 3; i++) {
		fds[i] = client_send("POST /limited HTTP/1.1\r\nHost: h\r\n"
				     "Connection: close\r\n"
				     "Content-Length: 2\r\n\r\na");
		assert_true(rig_await(&rig, UP_LIMITED, "call_bytes_active",
			(uint64_t)i + 1));
	}
	for (int i = 0; i < 3; i++) {
		rig_client_send(fds[i], "b", 1);
		if (i < 2)
			assert_true(rig_await(&rig, UP_LIMITED,
				"requests_active", (uint64_t)i + 1));
	}
	client_read(fds[2], &got);
	begins("the third", &got, "HTTP/1.1 503 ");
	logged("\"reason\":\"upstream_overflow\"");
	rig_client_reset(fds[0]);
	rig_client_reset(fds[1]);
	nothing_is_held();
}

/* ---- what changes meanwhile */

static void
a_generation_changes_in_the_middle(void **state)
{
	int fd, waits;

	(void)state;
	rig_origin_script(rig.origin, always_ok);
	fd = client_send("POST /anew HTTP/1.1\r\nHost: h\r\n"
			 "Connection: close\r\nContent-Length: 4\r\n\r\nab");
	assert_true(rig_await(&rig, UP_ANEW, "call_bytes_active", 2));
	rig_origin_pause(rig.origin, true);
	waits = client_send(GET("/anew"));
	assert_true(rig_await(&rig, UP_ANEW, "requests_active", 1));
	generation_next();
	rig_image(&rig, routes, 0);
	generation_next();
	rig_client_send(fd, "cd", 2);
	rig_origin_pause(rig.origin, false);
	client_read(fd, &got);
	begins("collected through it", &got, PASSED);
	client_read(waits, &got);
	begins("asked before it", &got, PASSED);
	seen(&sent);
	has("the body", &sent, "\r\n\r\n<abcd>");
	nothing_is_held();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_becomes_a_message),
		cmocka_unit_test(filters_come_first),
		cmocka_unit_test(what_cannot_be_written_is_not_sent),
		cmocka_unit_test(a_connection_is_kept_for_the_next),
		cmocka_unit_test(bodies_are_collected),
		cmocka_unit_test(no_connection_is_taken_meanwhile),
		cmocka_unit_test(a_continue_is_sent),
		cmocka_unit_test(a_slow_body_is_given_up),
		cmocka_unit_test(large_requests_are_refused),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(large_messages_wait_where_they_are),
		cmocka_unit_test(a_message_is_let_go_of_when_it_is_sent),
		cmocka_unit_test(what_is_taken_slowly_moves),
		cmocka_unit_test(retries_go_by_the_route),
		cmocka_unit_test(retries_end),
		cmocka_unit_test(an_endpoint_that_is_not_there_is_passed_over),
		cmocka_unit_test(
			a_kept_connection_that_was_closed_is_no_failure),
		cmocka_unit_test(one_more_attempt_may_meet_such_a_connection),
		cmocka_unit_test(the_deadline_holds),
		cmocka_unit_test(requests_in_work_are_limited),
		cmocka_unit_test(a_generation_changes_in_the_middle),
	};

	return cmocka_run_group_tests(tests, asked_start, asked_stop);
}
