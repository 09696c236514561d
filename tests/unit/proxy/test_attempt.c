/* Retries: when, how often, where to, with what body, for how long. */
#include "tests/unit/proxy/failures.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

/* ---- retryOn */

struct outcome {
	const char *what;
	struct rig_answer answer;
	const char *passed_on;
	uint32_t on; /* the words that retry it */
};

/* As Envoy documents them: "5xx" is any such status and no answer at all;
 * "gateway-error" is 502 to 504, and what becomes a 502 to 504; "reset" is no
 * answer at all; "connect-failure" is no connection. */
#define NO_ANSWER                                                              \
	(POLICY_RETRY_5XX | POLICY_RETRY_GATEWAY_ERROR | POLICY_RETRY_RESET)

static const struct outcome outcomes[] = {
	{ "500", { E500, 0, 0 }, "HTTP/1.1 500 ", POLICY_RETRY_5XX },
	{ "501", { "HTTP/1.1 501 No\r\nContent-Length: 0\r\n\r\n", 0, 0 },
		"HTTP/1.1 501 ", POLICY_RETRY_5XX },
	{ "502", { "HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", 0, 0 },
		"HTTP/1.1 502 ",
		POLICY_RETRY_5XX | POLICY_RETRY_GATEWAY_ERROR },
	{ "503", { E503, 0, 0 }, "HTTP/1.1 503 ",
		POLICY_RETRY_5XX | POLICY_RETRY_GATEWAY_ERROR },
	{ "504", { "HTTP/1.1 504 No\r\nContent-Length: 0\r\n\r\n", 0, 0 },
		"HTTP/1.1 504 ",
		POLICY_RETRY_5XX | POLICY_RETRY_GATEWAY_ERROR },
	{ "505", { "HTTP/1.1 505 No\r\nContent-Length: 0\r\n\r\n", 0, 0 },
		"HTTP/1.1 505 ", POLICY_RETRY_5XX },
	{ "409", { "HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n", 0, 0 },
		"HTTP/1.1 409 ", POLICY_RETRY_4XX },
	{ "404", { "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", 0, 0 },
		"HTTP/1.1 404 ", 0 },
	{ "a listed status",
		{ "HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n", 0, 0 },
		"HTTP/1.1 429 ", POLICY_RETRY_STATUS },
	{ "200", { OK("x"), 0, 0 }, "HTTP/1.1 200 ", 0 },
	{ "503 after a 100", { "HTTP/1.1 100 Continue\r\n\r\n" E503, 0, 0 },
		"HTTP/1.1 503 ",
		POLICY_RETRY_5XX | POLICY_RETRY_GATEWAY_ERROR },
	{ "the end before the head", { "", RIG_CLOSE, 0 }, "HTTP/1.1 502 ",
		NO_ANSWER },
	{ "a reset before the head", { "", RIG_RESET, 0 }, "HTTP/1.1 502 ",
		NO_ANSWER },
	{ "the end within the head", { "HTTP/1.1 200 OK\r\nCon", RIG_CLOSE, 0 },
		"HTTP/1.1 502 ", NO_ANSWER },
	{ "a malformed head", { "hello\r\n\r\n", 0, 0 }, "HTTP/1.1 502 ",
		NO_ANSWER },
};

static void
outcome_run(const struct outcome *o, const struct word *w)
{
	struct counters_upstream before = counted(UP_ONE), now;
	struct rig_answer script[] = { o->answer, { OK("a"), 0, 0 },
		END_OF_LIST };
	bool again = o->on & w->bit;
	char what[128], request[256];
	struct str got, want;

	str_init(&got);
	str_init(&want);
	snprintf(what, sizeof(what), "%s with %s", o->what, w->text);
	snprintf(request, sizeof(request),
		"GET /word/%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
		w->text);
	rig_origin_script(a, script);
	ask(request, &got);
	begins(what, &got, again ? "HTTP/1.1 200 OK\r\n" : o->passed_on);
	if (again)
		ends(what, &got, "\r\n\r\na");
	for (int i = 0; i < 1 + again; i++)
		str_printf(&want,
			"GET /word/%s HTTP/1.1\r\nhost: h\r\n" ADDED TIMED
			"\r\n",
			w->text);
	seen_is(what, a, want.data);
	str_fini(&want);
	now = counted(UP_ONE);
	assert_int_equal(now.retried - before.retried, again);
	assert_int_equal(now.requests - before.requests, 1 + again);
	gauges_are_zero(UP_ONE);
	str_fini(&got);
}

static void
words_decide(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
		for (size_t k = 0; k < WORDS; k++)
			outcome_run(&outcomes[i], &words[k]);
}

/* All at once, as each of them takes long. */
static void
words_decide_when_no_answer_comes(void **state)
{
	struct counters_upstream before = counted(UP_ONE), now;
	struct rig_answer script[WORDS + 2] = { { .bytes = NULL } };
	char requests[WORDS][256];
	uint64_t retried = 0;
	struct str got, seen;
	int fds[WORDS];

	(void)state;
	str_init(&got);
	str_init(&seen);
	for (size_t k = 0; k < WORDS; k++)
		script[k] = silent[0];
	script[WORDS] = always_ok[0];
	rig_origin_script(a, script);
	for (size_t k = 0; k < WORDS; k++) {
		snprintf(requests[k], sizeof(requests[k]), GET("/timed/%s"),
			words[k].text);
		fds[k] = client_send(requests[k]);
	}
	for (size_t k = 0; k < WORDS; k++) {
		bool again = words[k].bit & NO_ANSWER;

		client_read(fds[k], &got);
		begins(requests[k], &got,
			again ? "HTTP/1.1 200 OK\r\n" : "HTTP/1.1 504 ");
		if (again)
			ends(requests[k], &got, "\r\n\r\na");
		retried += again;
	}
	rig_settled(&rig);
	rig_origin_seen(a, &seen);
	for (size_t k = 0; k < WORDS; k++) {
		char *first, *more;

		*strstr(requests[k], "HTTP/1.1") = '\0';
		first = strstr(seen.data, requests[k]);
		assert_non_null(first);
		more = strstr(first + 1, requests[k]);
		if (words[k].bit & NO_ANSWER) {
			assert_non_null(more);
			more = strstr(more + 1, requests[k]);
		}
		assert_null(more);
	}
	now = counted(UP_ONE);
	assert_int_equal(now.retried - before.retried, retried);
	assert_int_equal(now.requests - before.requests, WORDS + retried);
	assert_int_equal(now.try_timeout - before.try_timeout, WORDS);
	gauges_are_zero(UP_ONE);
	str_fini(&got);
	str_fini(&seen);
}

static void
no_connection_is_tried_again(void **state)
{
	(void)state;
	for (size_t k = 0; k < WORDS; k++) {
		bool again = words[k].bit &
			     (NO_ANSWER | POLICY_RETRY_CONNECT_FAILURE);
		struct counters_upstream before = counted(UP_DEAD), now;
		char request[256];

		snprintf(request, sizeof(request),
			"GET /dead/%s HTTP/1.1\r\nHost: h\r\n"
			"Connection: close\r\n\r\n",
			words[k].text);
		ask_for(request, 502);
		now = counted(UP_DEAD);
		assert_int_equal(now.retried - before.retried, again);
		assert_int_equal(
			now.connect_failed - before.connect_failed, 1 + again);
		assert_int_equal(now.connections_open, 0);
		gauges_are_zero(UP_DEAD);
	}
}

/* Found at once or later, and then over a new connection or a kept one. */
static void
the_other_endpoint_gets_one_request(void **state)
{
	static const struct {
		const char *request;
		uint32_t id;
	} to[] = { { GET("/half"), UP_HALF }, { GET("/nowhere"), UP_NOWHERE } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
		struct counters_upstream before = counted(to[i].id), now;
		struct str want;

		str_init(&want);
		rig_origin_script(b, always_ok_b);
		for (int k = 0; k < 6; k++) {
			assert_int_equal(ask_who(to[i].request), 'b');
			str_printf(&want,
				"GET %s HTTP/1.1\r\nhost: h\r\n" ADDED TIMED
				"\r\n",
				i == 0 ? "/half" : "/nowhere");
		}
		seen_is(to[i].request, b, want.data);
		now = counted(to[i].id);
		assert_true(now.connect_failed > before.connect_failed);
		assert_int_equal(now.requests - before.requests, 6);
		assert_int_equal(now.responses_2xx - before.responses_2xx, 6);
		assert_int_equal(now.connections_open, 1);
		gauges_are_zero(to[i].id);
		str_fini(&want);
	}
}

/* ---- how often and where */

static void
the_last_answer_is_passed_on(void **state)
{
	struct counters_upstream before = counted(UP_ONE), now;
	struct str got;

	(void)state;
	str_init(&got);
	rig_origin_script(a, always_503);
	ask(GET("/busy/thrice"), &got);
	begins("thrice", &got, "HTTP/1.1 503 ");
	ends("thrice", &got, "\r\n\r\ne");
	now = counted(UP_ONE);
	assert_int_equal(now.requests - before.requests, 4);
	assert_int_equal(now.retried - before.retried, 3);
	/* They did come, each of them. */
	assert_int_equal(now.responses_5xx - before.responses_5xx, 4);
	ask(GET("/busy/ten"), &got);
	assert_int_equal(counted(UP_ONE).retried - now.retried, 10);
	gauges_are_zero(UP_ONE);
	str_fini(&got);
}

static void
another_endpoint_is_asked(void **state)
{
	static const struct {
		const char *path;
		uint32_t id;
	} to[] = { { "/busy/two", UP_TWO }, { "/busy/lean", UP_LEAN },
		{ "/busy/ring", UP_RING }, { "/busy/maglev", UP_MAGLEV } };

	(void)state;
	rig_origin_script(a, always_503);
	rig_origin_script(b, always_ok_b);
	rig_origin_script(c, always_ok_c);
	for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
		struct counters_upstream before = counted(to[i].id), now;
		char request[256];

		for (int k = 0; k < 40; k++) {
			snprintf(request, sizeof(request),
				"GET %s HTTP/1.1\r\nHost: h\r\nX-User: %d\r\n"
				"Connection: close\r\n\r\n",
				to[i].path, k);
			ask_for(request, 200);
		}
		now = counted(to[i].id);
		assert_true(now.retried > before.retried);
		gauges_are_zero(to[i].id);
	}
}

static void
a_budget_ends_retries(void **state)
{
	static const int again[] = { 0, 1, 0, 1, 0, 1 };
	struct counters_upstream before, now;

	(void)state;
	/* Half as many retries as requests, and none to begin with. */
	for (size_t i = 0; i < ARRAY_SIZE(again); i++) {
		before = counted(UP_BUDGET);
		rig_origin_script(a, busy_once);
		ask_for(GET("/budget"), again[i] ? 200 : 503);
		now = counted(UP_BUDGET);
		assert_int_equal(now.retried - before.retried, again[i]);
		assert_int_equal(
			now.retry_budget_used_up - before.retry_budget_used_up,
			!again[i]);
	}
	gauges_are_zero(UP_BUDGET);
}

static void
an_idle_race_costs_no_budget(void **state)
{
	static const struct rig_answer answers[] = {
		{ OK("a"), RIG_SHUT_IDLE, 0 }, { OK("b"), 0, 0 }, END_OF_LIST
	};
	struct counters_upstream before, now;

	(void)state;
	rig_origin_script(a, answers);
	before = counted(UP_FREE);
	assert_int_equal(ask_who(GET("/free")), 'a');
	assert_int_equal(ask_who(GET("/free")), 'b');
	now = counted(UP_FREE);
	assert_int_equal(now.retried_idle - before.retried_idle, 1);
	assert_int_equal(now.retried - before.retried, 0);
	assert_int_equal(now.retry_budget_used_up, 0);
	assert_int_equal(now.connections_open, 1);
	gauges_are_zero(UP_FREE);
}

static void
retries_in_work_are_limited(void **state)
{
	static const struct rig_answer answers[] = { { E503, 0, 0 },
		{ "", RIG_SILENT, 0 }, { E503, 0, 0 }, END_OF_LIST };
	struct counters_upstream before = counted(UP_ONE_RETRY), now;
	int fd;

	(void)state;
	rig_origin_script(a, answers);
	fd = client_send(GET("/oneretry"));
	assert_true(rig_await(&rig, UP_ONE_RETRY, "requests", 2));
	assert_int_equal(counted(UP_ONE_RETRY).retries_active, 1);
	{
		struct str got;

		str_init(&got);
		client_read(client_send(GET("/oneretry")), &got);
		begins("beyond maxRetries", &got, "HTTP/1.1 503 ");
		ends("beyond maxRetries", &got, "\r\n\r\ne");
		str_fini(&got);
	}
	now = counted(UP_ONE_RETRY);
	assert_int_equal(now.retry_overflow - before.retry_overflow, 1);
	assert_int_equal(now.retried - before.retried, 1);
	rig_client_reset(fd);
	rig_settled(&rig);
	gauges_are_zero(UP_ONE_RETRY);
}

/* ---- bodies */

static void
body_is_replayed(const char *what, const char *request, bool split)
{
	size_t length = strlen(request);
	struct str got, seen;
	int fd;

	str_init(&got);
	str_init(&seen);
	rig_origin_script(a, busy_once);
	fd = rig_client(&rig);
	for (size_t i = 0; split && i < length; i++)
		rig_client_send(fd, request + i, 1);
	if (!split)
		rig_client_send(fd, request, length);
	client_read(fd, &got);
	rig_settled(&rig);
	begins(what, &got, "HTTP/1.1 200 OK\r\n");
	rig_origin_seen(a, &seen);
	/* Twice the same. */
	assert_int_equal(seen.length % 2, 0);
	if (memcmp(seen.data, seen.data + seen.length / 2, seen.length / 2) !=
		0)
		fail_msg("%s: the origin got\n%s", what, seen.data);
	begins(what, &seen, "POST /busy/once HTTP/1.1\r\nhost: h\r\n");
	if (strstr(request, "chunked") != NULL)
		ends(what, &seen, "\r\n0\r\n\r\n");
	else
		ends(what, &seen, strstr(request, "\r\n\r\n"));
	str_fini(&got);
	str_fini(&seen);
}

static void
bodies_are_sent_again(void **state)
{
	static const char *const requests[] = {
		"POST /busy/once HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		"Content-Length: 11\r\n\r\nhello world",
		"POST /busy/once HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		"Content-Length: 0\r\n\r\n",
		"POST /busy/once HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		"Transfer-Encoding: chunked\r\n\r\n"
		"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nT: 1\r\n\r\n",
		"POST /busy/once HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		body_is_replayed(requests[i], requests[i], false);
		body_is_replayed(requests[i], requests[i], true);
	}
}

/* The body's bytes, out of the last request that the origin got. */
static void
body_decode(const struct str *seen, struct str *out)
{
	const char *at = seen->data, *next;
	struct http_body body;
	struct slice run;
	size_t left, n;

	while ((next = strstr(at + 1, "PUT /kept ")) != NULL)
		at = next;
	at = strstr(at, "\r\n\r\n");
	assert_non_null(at);
	at += 4;
	left = seen->length - (size_t)(at - seen->data);
	http_body_init(&body, HTTP_BODY_CHUNKED, 0);
	while (http_body_read(&body, at, left, &run, &n) == HTTP_BODY_DATA) {
		str_append(out, run.data, run.length);
		at += n;
		left -= n;
	}
	assert_true(body.done);
}

/* More chunks at once than go out in one piece, and a kept connection that is
 * found to be dead when the first go out. */
static void
a_body_survives_a_reset_in_its_middle(void **state)
{
	struct str request, want, body, seen, got;
	struct counters_upstream before = counted(UP_KEPT);
	size_t head, part;
	int fd;

	(void)state;
	str_init(&request);
	str_init(&want);
	str_init(&body);
	str_init(&seen);
	str_init(&got);
	str_puts(&request, "PUT /kept HTTP/1.1\r\nHost: h\r\n"
			   "Connection: close\r\n"
			   "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 25; i++) {
		str_printf(&request, "5dc\r\n");
		for (int k = 0; k < 1500; k++) {
			str_putc(&request, (char)('a' + (i + k) % 26));
			str_putc(&want, (char)('a' + (i + k) % 26));
		}
		str_puts(&request, "\r\n");
	}
	str_puts(&request, "0\r\n\r\n");
	rig_origin_script(a, always_ok);
	ask_for(GET("/kept"), 200);
	rig_origin_script(a, always_ok);
	head = (size_t)(strstr(request.data, "\r\n\r\n") + 4 - request.data);
	fd = rig_client(&rig);
	part = request.length - 700; /* within the last chunk */
	rig_client_send(fd, request.data, head);
	assert_true(rig_origin_wait(a, head));
	/* The body is there before the reset is. */
	kill(rig.pid, SIGSTOP);
	assert_int_equal(waitpid(rig.pid, NULL, WUNTRACED), rig.pid);
	rig_client_send(fd, request.data + head, part - head);
	rig_origin_reset(a);
	kill(rig.pid, SIGCONT);
	assert_true(rig_await(
		&rig, UP_KEPT, "retried_idle", before.retried_idle + 1));
	rig_client_send(fd, request.data + part, request.length - part);
	client_read(fd, &got);
	begins("many chunks", &got, "HTTP/1.1 200 OK\r\n");
	rig_origin_seen(a, &seen);
	body_decode(&seen, &body);
	assert_int_equal(body.length, want.length);
	assert_memory_equal(body.data, want.data, want.length);
	rig_settled(&rig);
	gauges_are_zero(UP_KEPT);
	str_fini(&request);
	str_fini(&want);
	str_fini(&body);
	str_fini(&seen);
	str_fini(&got);
}

/* The answer came when half of the body was on its way. */
static void
a_body_that_still_comes_is_sent_again(void **state)
{
	static const struct rig_answer early[] = { { E503, RIG_EARLY, 0 },
		{ OK("a"), 0, 0 }, END_OF_LIST };
	static const char sent[] =
		"POST /busy/once HTTP/1.1\r\nhost: h\r\n" ADDED TIMED
		"content-length: 10\r\n\r\n";
	struct str got, want;
	int fd;

	(void)state;
	str_init(&got);
	str_init(&want);
	str_printf(&want, "%shello%shello", sent, sent);
	rig_origin_script(a, early);
	fd = client_send("POST /busy/once HTTP/1.1\r\nHost: h\r\n"
			 "Connection: close\r\nContent-Length: 10\r\n\r\n"
			 "hello");
	/* "ID" stands for 36 bytes in either. */
	assert_true(rig_origin_wait(a, want.length + 2 * 34));
	seen_is("half a body", a, want.data);
	rig_client_send(fd, "world", 5);
	client_read(fd, &got);
	begins("half a body", &got, "HTTP/1.1 200 OK\r\n");
	str_puts(&want, "world");
	seen_is("half a body", a, want.data);
	rig_settled(&rig);
	gauges_are_zero(UP_ONE);
	str_fini(&got);
	str_fini(&want);
}

/* An upstream of its own makes sure of what its answer has come to: all that
 * was sent is in the kernel of the proxy. */
static int
upstream_listen(uint32_t id)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t size = sizeof(sin);
	struct rig_endpoint here = at(0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(
		bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(
		getsockname(fd, (struct sockaddr *)&sin, &size), 0);
	here.port = ntohs(sin.sin_port);
	rig_endpoints(&rig, id, &here, 1);
	generation_next();
	return fd;
}

static void
send_arrives(int fd, const char *bytes, size_t length)
{
	int queued = 1;

	assert_int_equal(send(fd, bytes, length, MSG_NOSIGNAL), length);
	while (queued > 0) {
		assert_int_equal(ioctl(fd, SIOCOUTQ, &queued), 0);
		pace(queued > 0);
	}
}

/* Sends chunks until the proxy leaves them where they are, as its client sends
 * but does not read; how many bytes went out. */
static size_t
answer_until_refused(int fd, int client)
{
	static char piece[16384];
	uint64_t before = counted(UP_ALONE).bytes_received;
	size_t sent = 0;
	int waits = 0;

	memset(piece, 'x', sizeof(piece));
	memcpy(piece, "3ff8\r\n", 6);
	memcpy(piece + sizeof(piece) - 2, "\r\n", 2);
	while (waits < 40) {
		if (counted(UP_ALONE).bytes_received - before + 20000 < sent) {
			waits++;
			pace(1);
			continue;
		}
		waits = 0;
		rig_client_send(client, "x", 1);
		send_arrives(fd, piece, sizeof(piece));
		sent += sizeof(piece);
	}
	return sent;
}

static void
an_early_answer_is_passed_on_whole(void **state)
{
	static const char head[] = "HTTP/1.1 413 Too large\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n";
	static const char end[] = "0\r\n\r\n";
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };
	struct str got;
	uint64_t before;
	size_t sent;
	char first;
	int listener = upstream_listen(UP_ALONE), fd, up;

	(void)state;
	str_init(&got);
	fd = client_send("POST /alone HTTP/1.1\r\nHost: h\r\n"
			 "Content-Length: 1000000\r\n\r\nhello");
	up = accept(listener, NULL, NULL);
	assert_true(up >= 0);
	/* What it said before it was asked would be no answer. */
	assert_true(recv(up, &first, 1, 0) == 1);
	send_arrives(up, head, strlen(head));
	sent = answer_until_refused(up, fd);
	send_arrives(up, end, strlen(end));
	setsockopt(up, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(up);
	/* What follows of the body has nowhere to go. */
	before = rig_counters(&rig).bytes_received;
	rig_client_send(fd, "world", 5);
	while (rig_counters(&rig).bytes_received < before + 5)
		pace(1);
	client_read(fd, &got);
	begins("early", &got, "HTTP/1.1 413 ");
	ends("early", &got, "xx\r\n0\r\n\r\n");
	assert_true(got.length >= sent);
	rig_settled(&rig);
	gauges_are_zero(UP_ALONE);
	close(listener);
	str_fini(&got);
}

static void
a_large_body_is_sent_once(void **state)
{
	static const struct {
		size_t length;
		int status;
	} rows[] = { { 65536, 200 }, { 65537, 503 }, { 200000, 503 } };
	struct str got, request;

	(void)state;
	str_init(&got);
	str_init(&request);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct counters_upstream before = counted(UP_ONE);
		char line[32];

		rig_origin_script(a, busy_once);
		str_clear(&request);
		str_printf(&request,
			"POST /busy/once HTTP/1.1\r\nHost: h\r\n"
			"Connection: close\r\nContent-Length: %zu\r\n\r\n",
			rows[i].length);
		for (size_t k = 0; k < rows[i].length; k++)
			str_putc(&request, (char)('a' + k % 23));
		ask(request.data, &got);
		snprintf(line, sizeof(line), "HTTP/1.1 %d ", rows[i].status);
		begins("a large body", &got, line);
		assert_int_equal(counted(UP_ONE).retried - before.retried,
			rows[i].status == 200);
	}
	str_fini(&got);
	str_fini(&request);
}

static void
nothing_follows_a_head_that_went_out(void **state)
{
	static const struct rig_answer cut[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", RIG_CLOSE,
			0 },
		{ OK("a"), 0, 0 }, END_OF_LIST
	};
	struct counters_upstream before = counted(UP_ONE), now;
	struct str got;

	(void)state;
	str_init(&got);
	rig_origin_script(a, cut);
	ask(GET("/word/5xx"), &got);
	ends("a cut answer", &got, "\r\n\r\nabc");
	now = counted(UP_ONE);
	assert_int_equal(now.requests - before.requests, 1);
	assert_int_equal(now.retried - before.retried, 0);
	gauges_are_zero(UP_ONE);
	str_fini(&got);
}

/* ---- times */

static void
each_try_has_its_time(void **state)
{
	struct counters_upstream before = counted(UP_ONE), now;
	struct str got;
	int fd, slow;

	(void)state;
	str_init(&got);
	rig_origin_script(a, silent_once);
	fd = client_send(GET("/try/steady"));
	assert_true(rig_origin_wait(a, 1));
	/* It begins when the request is complete. */
	slow = client_send("POST /try/steady HTTP/1.1\r\nHost: h\r\n"
			   "Connection: close\r\nContent-Length: 8\r\n\r\n");
	body_send_slowly(slow, 8, 300);
	client_read(fd, &got);
	begins("the second answers", &got, "HTTP/1.1 200 ");
	client_read(slow, &got);
	begins("a slow body", &got, "HTTP/1.1 200 ");
	rig_settled(&rig);
	now = counted(UP_ONE);
	assert_int_equal(now.try_timeout - before.try_timeout, 1);
	rig_origin_script(a, silent);
	ask(GET("/try/one"), &got);
	begins("none answers", &got, "HTTP/1.1 504 ");
	ends("none answers", &got, "it did not answer within perTryTimeout\n");
	assert_int_equal(counted(UP_ONE).try_timeout - now.try_timeout, 3);
	now = counted(UP_ONE);
	ask(GET("/try/none"), &got);
	begins("without retries", &got, "HTTP/1.1 504 ");
	ends("without retries", &got,
		"it did not answer within perTryTimeout\n");
	assert_int_equal(counted(UP_ONE).try_timeout - now.try_timeout, 1);
	assert_int_equal(counted(UP_ONE).retried - now.retried, 0);
	gauges_are_zero(UP_ONE);
	str_fini(&got);
}

/* A kept connection is no reason to wait longer. */
static void
each_try_has_its_time_on_a_kept_connection(void **state)
{
	struct counters_upstream before;
	struct str got;

	(void)state;
	str_init(&got);
	rig_origin_script(a, always_ok);
	rig_origin_script(b, always_ok_b);
	ask_for(GET("/pair"), 200);
	ask_for(GET("/pair"), 200);
	assert_true(rig_await(&rig, UP_PAIR, "connections_open", 2));
	before = counted(UP_PAIR);
	rig_origin_script(a, silent);
	rig_origin_script(b, silent);
	ask(GET("/try/pair"), &got);
	begins("kept connections", &got, "HTTP/1.1 504 ");
	assert_int_equal(counted(UP_PAIR).try_timeout - before.try_timeout, 3);
	gauges_are_zero(UP_PAIR);
	str_fini(&got);
}

static void
the_time_of_the_route_covers_all(void **state)
{
	struct counters_upstream before = counted(UP_ONE), now;
	struct str got;

	(void)state;
	str_init(&got);
	rig_origin_script(a, busy_once);
	ask(GET("/overdue"), &got);
	begins("overdue in back-off", &got, "HTTP/1.1 504 ");
	ends("overdue in back-off", &got, "it did not answer in time\n");
	now = counted(UP_ONE);
	assert_int_equal(now.request_timeout - before.request_timeout, 1);
	assert_int_equal(now.retried - before.retried, 1);
	assert_int_equal(now.requests - before.requests, 1);
	assert_int_equal(now.connections_open, 0);
	gauges_are_zero(UP_ONE);
	str_fini(&got);
}

static void
a_client_may_leave_in_back_off(void **state)
{
	struct counters_upstream before = counted(UP_ONE);
	int fd;

	(void)state;
	for (int i = 0; i < 3; i++) {
		rig_origin_script(a, busy_once);
		fd = client_send(GET("/patient"));
		assert_true(rig_await(&rig, UP_ONE, "retries_active", 1));
		/* Nothing is held meanwhile. */
		assert_true(rig_await(&rig, UP_ONE, "connections_open", 0));
		assert_true(rig_await(&rig, UP_ONE, "requests_active", 0));
		rig_client_reset(fd);
		rig_settled(&rig);
		gauges_are_zero(UP_ONE);
	}
	assert_int_equal(counted(UP_ONE).requests - before.requests, 3);
}

static void
silence_has_its_time(void **state)
{
	static const struct rig_answer partial[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", 0, 0 },
		{ OK("a"), 0, 0 }, END_OF_LIST
	};
	static const char post[] = "POST /idle HTTP/1.1\r\nHost: h\r\n"
				   "Connection: close\r\n"
				   "Content-Length: 12\r\n\r\n";
	static const char steady_post[] =
		"POST /steady HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		"Content-Length: 12\r\n\r\n";
	struct counters_upstream before = counted(UP_ONE);
	struct str got;
	int fd, slow, endless;

	(void)state;
	str_init(&got);
	rig_origin_script(a, silent);
	ask(GET("/idle"), &got);
	begins("no answer", &got, "HTTP/1.1 504 ");
	ends("no answer", &got, "for longer than the idle timeout\n");
	/* Without any timeout of the route; it takes its time. */
	rig_origin_script(a, silent);
	endless = client_send(GET("/endless"));
	assert_true(rig_origin_wait(a, 1));
	/* A body that stops coming. */
	rig_origin_script(a, always_ok);
	client_read(client_send(post), &got);
	begins("no body", &got, "HTTP/1.1 504 ");
	rig_origin_script(a, partial);
	fd = client_send(GET("/steady"));
	assert_true(rig_origin_wait(a, 1));
	/* One that comes slowly, but comes. */
	slow = client_send(steady_post);
	body_send_slowly(slow, 12, 200);
	client_read(fd, &got);
	ends("half an answer", &got, "\r\n\r\nabc");
	client_read(slow, &got);
	begins("a slow body", &got, "HTTP/1.1 200 ");
	client_read(endless, &got);
	begins("no answer for ever", &got, "HTTP/1.1 504 ");
	ends("no answer for ever", &got, "for longer than the idle timeout\n");
	rig_settled(&rig);
	assert_int_equal(
		counted(UP_ONE).request_timeout - before.request_timeout, 4);
	gauges_are_zero(UP_ONE);
	str_fini(&got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_decide),
		cmocka_unit_test(words_decide_when_no_answer_comes),
		cmocka_unit_test(no_connection_is_tried_again),
		cmocka_unit_test(the_other_endpoint_gets_one_request),
		cmocka_unit_test(the_last_answer_is_passed_on),
		cmocka_unit_test(another_endpoint_is_asked),
		cmocka_unit_test(a_budget_ends_retries),
		cmocka_unit_test(an_idle_race_costs_no_budget),
		cmocka_unit_test(retries_in_work_are_limited),
		cmocka_unit_test(bodies_are_sent_again),
		cmocka_unit_test(a_body_survives_a_reset_in_its_middle),
		cmocka_unit_test(a_body_that_still_comes_is_sent_again),
		cmocka_unit_test(an_early_answer_is_passed_on_whole),
		cmocka_unit_test(a_large_body_is_sent_once),
		cmocka_unit_test(nothing_follows_a_head_that_went_out),
		cmocka_unit_test(each_try_has_its_time),
		cmocka_unit_test(each_try_has_its_time_on_a_kept_connection),
		cmocka_unit_test(the_time_of_the_route_covers_all),
		cmocka_unit_test(a_client_may_leave_in_back_off),
		cmocka_unit_test(silence_has_its_time),
	};

	return cmocka_run_group_tests(tests, group_start, group_stop);
}
