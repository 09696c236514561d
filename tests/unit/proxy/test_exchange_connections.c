/*
 * Connections on both sides of an exchange: kept and used again, silent, left
 * by the client, waiting for a 100.
 */
#include "exchange_rows.h"

static void
connections_are_reused(void **state)
{
	static const struct rig_answer answers[] = { { OK_A, 0, 0 },
		{ .bytes = NULL } };
	struct counters_upstream before, c;
	struct str got;
	int fd;

	(void)state;
	str_init(&got);
	rig_origin_script(rig.origin, answers);
	before = rig_upstream_counters(&rig, 1);
	for (int i = 0; i < 5; i++) {
		fd = rig_client(&rig);
		client_get(fd, &got, GET_A, GOT_A);
		client_get(fd, &got, GET_A, GOT_A);
		close(fd);
		rig_settled(&rig);
	}
	c = rig_upstream_counters(&rig, 1);
	assert_int_equal(c.requests - before.requests, 10);
	assert_true(rig_origin_connections(rig.origin) <= 1);
	assert_true(c.connections_reused - before.connections_reused >= 9);
	assert_true(c.idle_open > 0);
	assert_int_equal(c.idle_open, c.connections_open);
	/* No more than two requests on one connection. */
	fd = rig_client(&rig);
	for (int i = 0; i < 6; i++)
		client_get(fd, &got, "GET /twice HTTP/1.1\r\nHost: h\r\n\r\n",
			GOT_A);
	close(fd);
	c = rig_upstream_counters(&rig, 5);
	assert_int_equal(c.connections_opened, 3);
	str_fini(&got);
}

/* One with a byte behind it does not, where the two are small enough to come
 * together. */
static void
answers_of_any_size_keep_the_connection(void **state)
{
	enum {
		TOGETHER = 4 * RIG_SIZED_STEP
	};
	uint64_t opened = 0;
	struct str got;
	int fd;

	(void)state;
	str_init(&got);
	fd = rig_client(&rig);
	for (size_t size = RIG_SIZED_STEP; size <= RIG_SIZED_MOST;
		size += RIG_SIZED_STEP) {
		for (unsigned more = 0; more <= (size <= TOGETHER); more++) {
			rig_origin_sized(
				rig.origin, size, "", "", more ? "x" : "");
			for (int asked = 0; asked < 2; asked++) {
				opened = rig_upstream_counters(&rig, 1)
						 .connections_opened;
				rig_client_send(fd, GET_A, strlen(GET_A));
				str_clear(&got);
				rig_client_read(fd, &got, size, RIG_WAIT_MS);
				assert_int_equal(got.length, size);
			}
			assert_int_equal(rig_upstream_counters(&rig, 1)
						 .connections_opened,
				opened + more);
		}
	}
	close(fd);
	rig_settled(&rig);
	origin_forget();
	str_fini(&got);
}

static void
a_closed_idle_connection_costs_nothing(void **state)
{
	/* The origin closes as the next request comes; then answers. */
	static const struct rig_answer answers[] = { { OK_A, RIG_SHUT_IDLE, 0 },
		{ OK_B, RIG_SHUT_IDLE, 0 }, { OK_A, 0, 0 }, { .bytes = NULL } };
	static const struct rig_answer shut[] = { { OK_A, RIG_SHUT_IDLE, 0 },
		{ .bytes = NULL } };
	static const char post[] = "POST /a HTTP/1.1\r\nHost: h\r\n"
				   "Content-Length: 2\r\n\r\nhi";
	struct counters_upstream before, c;
	struct str got;
	int fd;

	(void)state;
	str_init(&got);
	fd = rig_client(&rig);
	/* Whatever connection is kept from before is used up. */
	rig_origin_script(rig.origin, answers);
	client_get(fd, &got, GET_A, GOT_A);
	before = rig_upstream_counters(&rig, 1);
	client_get(fd, &got, GET_A, GOT_B);
	c = rig_upstream_counters(&rig, 1);
	assert_int_equal(c.retried_idle - before.retried_idle, 1);
	/* A body that has been sent is sent again; a POST is not when the
	 * origin's system has taken it. */
	client_get(fd, &got,
		"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi",
		GOT_A);
	c = rig_upstream_counters(&rig, 1);
	assert_int_equal(c.retried_idle - before.retried_idle, 2);
	rig_origin_script(rig.origin, shut);
	client_get(fd, &got, GET_A, GOT_A);
	rig_client_send(fd, post, strlen(post));
	str_clear(&got);
	rig_client_read(fd, &got, 24, RIG_WAIT_MS);
	assert_string_equal(got.data, "HTTP/1.1 502 Bad Gateway");
	c = rig_upstream_counters(&rig, 1);
	assert_int_equal(c.retried_idle - before.retried_idle, 2);
	close(fd);
	rig_settled(&rig);
	origin_forget();
	str_fini(&got);
}

static void
a_client_that_leaves_takes_the_upstream_along(void **state)
{
	static const struct rig_answer silent[] = { { "", RIG_SILENT, 0 },
		{ .bytes = NULL } };
	static const char part[] = "POST /a HTTP/1.1\r\nHost: h\r\n"
				   "Content-Length: 9\r\n\r\nhi";
	struct counters_listener before, c;
	int fd;

	(void)state;
	rig_settled(&rig);
	before = rig_counters(&rig);
	rig_origin_script(rig.origin, silent);
	fd = rig_client(&rig);
	rig_client_send(fd, GET_A, strlen(GET_A));
	assert_true(rig_origin_wait(rig.origin, 1));
	close(fd);
	assert_true(rig_origin_wait_closed(rig.origin, 1));
	fd = rig_client(&rig);
	rig_origin_script(rig.origin, silent);
	rig_client_send(fd, part, strlen(part));
	assert_true(rig_origin_wait(rig.origin, 1));
	close(fd);
	assert_true(rig_origin_wait_closed(rig.origin, 1));
	rig_settled(&rig);
	c = rig_counters(&rig);
	assert_int_equal(c.responses_aborted - before.responses_aborted, 2);
}

static void
a_100_is_sent_when_it_is_waited_for(void **state)
{
	static const struct rig_answer answers[] = { { OK_A, 0, 0 },
		{ .bytes = NULL } };
	struct str got;
	int fd;

	(void)state;
	str_init(&got);
	rig_origin_script(rig.origin, answers);
	fd = rig_client(&rig);
	client_get(fd, &got,
		"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
		"Expect: 100-continue\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n");
	client_get(fd, &got, "hi", GOT_A);
	client_get(fd, &got, GET_A, GOT_A);
	close(fd);
	str_fini(&got);
}

/* A client that has not read yet ends within a body that nobody wants. */
static void
answers_on_their_way_are_not_cut(void **state)
{
	enum {
		ASKED = 250
	};
	static const char get[] = "GET /direct HTTP/1.1\r\nHost: h\r\n\r\n";
	static const char post[] = "POST /direct HTTP/1.1\r\nHost: h\r\n"
				   "Content-Length: 9\r\n\r\nhi";
	const uint64_t before = rig_counters(&rig).requests;
	const uint64_t until = clock_monotonic_ms() + RIG_WAIT_MS;
	int fd, usual, small = 4096;
	socklen_t length = sizeof(usual);
	size_t answers = 0;
	struct str got, sent;

	(void)state;
	str_init(&got);
	str_init(&sent);
	for (int i = 0; i < ASKED; i++)
		str_puts(&sent, get);
	str_puts(&sent, post);
	/* Accepted sockets inherit it; the kernel doubles what is set. */
	getsockopt(rig.listener, SOL_SOCKET, SO_SNDBUF, &usual, &length);
	setsockopt(rig.listener, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	fd = rig_client(&rig);
	usual /= 2;
	setsockopt(rig.listener, SOL_SOCKET, SO_SNDBUF, &usual, sizeof(usual));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(
		send(fd, sent.data, sent.length, MSG_NOSIGNAL), sent.length);
	shutdown(fd, SHUT_WR);
	while (rig_counters(&rig).requests - before < ASKED + 1)
		assert_true(clock_monotonic_ms() < until);
	assert_true(rig_client_read(fd, &got, 1 << 20, RIG_WAIT_MS));
	for (const char *p = got.data; (p = strstr(p, " 418 ")) != NULL; p++)
		answers++;
	assert_int_equal(answers, ASKED + 1);
	close(fd);
	rig_settled(&rig);
	str_fini(&got);
	str_fini(&sent);
}

static void
counters_add_up(void **state)
{
	(void)state;
	counters_that_add_up();
}

static void
every_request_is_logged(void **state)
{
	static const char *const words[] = { "upstream_reset", "client_abort",
		"-" };

	(void)state;
	log_has(words, ARRAY_SIZE(words));
}

/* ---- silence */

static int
silence_start(void **state)
{
	struct wire_settings settings = unhurried;

	(void)state;
	settings.body_idle_ms = 300;
	return group_start_with(&settings);
}

static void
silence_ends(void **state)
{
	static const struct rig_answer silent[] = { { "", RIG_SILENT, 0 },
		{ .bytes = NULL } };
	static const struct rig_answer half[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", 0, 0 },
		{ .bytes = NULL }
	};
	static const char want_half[] =
		"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab";
	struct str got;
	int fd;

	(void)state;
	str_init(&got);
	fd = rig_client(&rig);
	rig_origin_script(rig.origin, silent);
	client_get(fd, &got, "GET /soon HTTP/1.1\r\nHost: h\r\n\r\n",
		REPLY("504 Gateway Timeout", "55", "",
			"upstream gloo-system.origin: it did not answer in "
			"time"));
	rig_origin_script(rig.origin, half);
	client_get(
		fd, &got, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n", want_half);
	assert_true(rig_client_read(fd, &got, 4096, RIG_WAIT_MS));
	close(fd);
	/* Without a timeout of the route: a body must move all the same. */
	fd = rig_client(&rig);
	client_get(fd, &got, "GET /patient HTTP/1.1\r\nHost: h\r\n\r\n",
		want_half);
	assert_true(rig_client_read(fd, &got, 4096, RIG_WAIT_MS));
	close(fd);
	/* A request body that stops coming. */
	rig_origin_script(rig.origin, silent);
	fd = rig_client(&rig);
	client_get(fd, &got,
		"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhi",
		REPLY("408 Request Timeout", "45", CLOSED,
			"the body of the request did not come in time"));
	assert_true(rig_client_read(fd, &got, 4096, RIG_WAIT_MS));
	close(fd);
	assert_true(rig_origin_wait_closed(rig.origin, 1));
	rig_settled(&rig);
	str_fini(&got);
}

static void
silence_is_logged(void **state)
{
	static const char *const words[] = { "upstream_timeout",
		"body_timeout" };

	(void)state;
	log_has(words, ARRAY_SIZE(words));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_are_reused),
		cmocka_unit_test(answers_of_any_size_keep_the_connection),
		cmocka_unit_test(a_closed_idle_connection_costs_nothing),
		cmocka_unit_test(a_client_that_leaves_takes_the_upstream_along),
		cmocka_unit_test(a_100_is_sent_when_it_is_waited_for),
		cmocka_unit_test(answers_on_their_way_are_not_cut),
		cmocka_unit_test(counters_add_up),
		cmocka_unit_test(every_request_is_logged),
	};
	const struct CMUnitTest of_silence[] = {
		cmocka_unit_test(silence_ends),
		cmocka_unit_test(counters_add_up),
		cmocka_unit_test(silence_is_logged),
	};

	return cmocka_run_group_tests(tests, group_start, group_stop) +
	       cmocka_run_group_tests(of_silence, silence_start, group_stop);
}
