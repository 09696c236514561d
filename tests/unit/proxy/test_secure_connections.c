/*
 * Connections of TLS to upstreams: what goes over them, how long they are kept,
 * how they end, and what becomes of them when TLS is to be otherwise.
 */
#include "secure_world.h"

static void
connections_are_kept(void **state)
{
	struct tls_front_counts counts;

	(void)state;
	for (int i = 0; i < 5; i++)
		ask(UP_GOOD, 200);
	tls_front_count(front, &counts);
	assert_int_equal(counts.accepted, 1);
	assert_int_equal(counted(UP_GOOD).connections_reused, 4);
}

static void
sessions_are_resumed(void **state)
{
	static const struct rig_answer closing[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
		  "Connection: close\r\n\r\na",
			RIG_CLOSE, 0 },
		{ .bytes = NULL }
	};
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	rig_origin_script(rig.origin, closing);
	for (size_t v = 0; v < 2; v++) {
		struct tls_front_counts before, after;

		options.version = versions[v];
		tls_front_change(front, &options);
		tls_front_count(front, &before);
		for (int i = 0; i < 5; i++)
			ask(UP_GOOD, 200);
		tls_front_count(front, &after);
		assert_int_equal(after.shaken - before.shaken, 5);
		assert_int_equal(after.resumed - before.resumed, 4);
	}
}

/* A pool of before is not used when TLS is to be otherwise. */
static void
changes_end_what_waits(void **state)
{
	struct tls_front_counts counts;

	(void)state;
	ask(UP_GOOD, 200);
	/* Nothing of it changes: it stays. */
	image_next();
	ask(UP_GOOD, 200);
	tls_front_count(front, &counts);
	assert_int_equal(counts.accepted, 1);
	/* A name that its certificate is not for. */
	tls[UP_GOOD].server_name = "other.test";
	image_next();
	assert_true(tls_front_wait_ended(front, 1));
	ask(UP_GOOD, 503);
	/* Another authority. */
	tls[UP_GOOD] = (struct image_build_tls){ .roots = ROOTS_OTHER };
	image_next();
	ask(UP_GOOD, 503);
	log_await("comes from CN=authority");
	tls[UP_GOOD] = (struct image_build_tls){ .roots = ROOTS };
	image_next();
	ask(UP_GOOD, 200);
	/* In the clear: nothing that was of TLS is used. */
	upstreams[0].tls = NULL;
	endpoint_set(UP_GOOD, rig_origin_port(rig.origin));
	image_next();
	ask(UP_GOOD, 200);
}

/* A request that is under way when TLS changes ends as it began, and its
 * connection with it. */
static void
a_busy_connection_is_not_kept(void **state)
{
	static const struct rig_answer later[] = { { "", RIG_SILENT, 0 },
		{ .bytes = NULL } };
	struct tls_front_counts counts;
	int fd;

	(void)state;
	rig_origin_script(rig.origin, later);
	fd = client_send(GET("/10"));
	assert_true(rig_origin_wait(rig.origin, 10));
	tls[UP_GOOD].alpn = (const char *const[]){ "http/1.1", "http/1.0" };
	tls[UP_GOOD].alpn_count = 2;
	image_next();
	tls_front_count(front, &counts);
	assert_int_equal(counts.ended, 0);
	rig_client_reset(fd);
	assert_true(tls_front_wait_ended(front, 1));
	rig_origin_script(rig.origin, always_ok);
	ask(UP_GOOD, 200);
}

/* The image of before has TLS, and maxConnections 1; a request is on the one
 * connection, the next waits for it. */
static void
one_is_busy_one_waits(int *busy, int *waiting)
{
	static const struct policy_breakers one = {
		.connections = 1, .pending = 9, .requests = 9
	};
	static const struct rig_answer on_shut[] = { { "", RIG_SILENT, 0 },
		{ OK("a"), 0, 0 }, { .bytes = NULL } };

	upstreams[0].breakers = &one;
	image_next();
	rig_origin_script(rig.origin, on_shut);
	*busy = client_send(GET("/10"));
	assert_true(rig_origin_wait(rig.origin, 10));
	*waiting = client_send(GET("/10"));
	assert_true(rig_await(&rig, UP_GOOD, "pending_active", 1));
}

/* Its secret is gone for a while: who waited since before goes by TLS. */
static void
who_waits_goes_by_tls(void **state)
{
	int busy, waiting;
	struct str got;

	(void)state;
	str_init(&got);
	one_is_busy_one_waits(&busy, &waiting);
	upstreams[0].tls = NULL;
	upstreams[0].unavailable = "its secret is gone";
	image_next();
	rig_client_reset(busy);
	assert_int_equal(ask_on(waiting, "", &got), 200);
	close(waiting);
	assert_int_equal(counted(UP_GOOD).requests, 2);
	assert_int_equal(counted(UP_GOOD).tls_failures, 0);
	/* It was the last one: no connection is kept, nor what it was made
	 * with. */
	assert_true(tls_front_wait_ended(front, 2));
	str_fini(&got);
}

/* It is to be spoken to in the clear: what was meant for TLS is not. */
static void
who_waits_for_tls_gets_no_clear_one(void **state)
{
	int busy, waiting;
	struct str got;

	(void)state;
	str_init(&got);
	one_is_busy_one_waits(&busy, &waiting);
	upstreams[0].tls = NULL;
	endpoint_set(UP_GOOD, rig_origin_port(rig.origin));
	image_next();
	rig_client_reset(busy);
	assert_int_equal(ask_on(waiting, "", &got), 503);
	close(waiting);
	log_await("in the clear by now");
	assert_int_equal(counted(UP_GOOD).requests, 1);
	assert_int_equal(counted(UP_GOOD).tls_failures, 1);
	assert_int_equal(counted(UP_GOOD).connections_opened, 1);
	ask(UP_GOOD, 200);
	str_fini(&got);
}

/* RFC 9112 6.3: what ends with the connection is cut when TLS is. */
static void
cut_answers_are_no_answers(void **state)
{
	static const struct rig_answer open_end[] = {
		{ "HTTP/1.1 200 OK\r\n\r\nsome of it", RIG_CLOSE, 0 },
		{ .bytes = NULL }
	};
	static const char request[] = "GET /10 HTTP/1.0\r\nHost: h\r\n\r\n";
	struct counters_listener before, after;
	struct str got;

	(void)state;
	str_init(&got);
	for (int cuts = 0; cuts < 2; cuts++) {
		int fd = rig_client(&rig);

		options.cuts = cuts;
		tls_front_change(front, &options);
		rig_origin_script(rig.origin, open_end);
		before = rig_counters(&rig);
		assert_int_equal(ask_on(fd, request, &got), 200);
		close(fd);
		rig_settled(&rig);
		after = rig_counters(&rig);
		assert_int_equal(
			after.responses_aborted - before.responses_aborted,
			cuts);
		assert_int_equal(counted(UP_GOOD).reset, cuts);
		/* It is no failure of TLS. */
		assert_int_equal(counted(UP_GOOD).tls_failures, 0);
	}
	str_fini(&got);
}

static void
much_goes_through(void **state)
{
	enum {
		LENGTH = 3000000
	};
	static char answer[LENGTH + 100], body[LENGTH];
	static struct rig_answer script[2];
	int head = snprintf(answer, sizeof(answer),
		"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LENGTH);
	char request[128];
	struct str got;
	int fd = rig_client(&rig);

	(void)state;
	str_init(&got);
	for (int i = 0; i < LENGTH; i++)
		answer[head + i] = body[i] = (char)('a' + i * 31 % 26);
	script[0] = (struct rig_answer){ answer, 0, (size_t)head + LENGTH };
	rig_origin_script(rig.origin, script);
	assert_int_equal(ask_on(fd, GET("/10"), &got), 200);
	assert_true(got.length > LENGTH);
	assert_memory_equal(got.data + got.length - LENGTH, body, LENGTH);
	close(fd);
	/* And the other way. */
	rig_origin_script(rig.origin, always_ok);
	fd = rig_client(&rig);
	snprintf(request, sizeof(request),
		"POST /10 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		"Content-Length: %d\r\n\r\n",
		1000000);
	rig_client_send(fd, request, strlen(request));
	rig_client_send(fd, body, 1000000);
	assert_int_equal(ask_on(fd, "", &got), 200);
	rig_origin_seen(rig.origin, &got);
	assert_true(got.length > 1000000);
	assert_memory_equal(got.data + got.length - 1000000, body, 1000000);
	close(fd);
	str_fini(&got);
}

static void
answers_of_any_size_keep_the_connection(void **state)
{
	struct tls_front_counts counts;

	(void)state;
	for (size_t size = RIG_SIZED_STEP; size <= RIG_SIZED_MOST;
		size += RIG_SIZED_STEP) {
		rig_origin_sized(rig.origin, size, "", "", "");
		ask(UP_GOOD, 200);
	}
	tls_front_count(front, &counts);
	assert_int_equal(counts.accepted, 1);
	rig_origin_script(rig.origin, always_ok);
}

/* The end of a connection is said, so that the server does not take it for
 * cut. */
static void
ends_are_said(void **state)
{
	struct tls_front_counts counts;

	(void)state;
	ask(UP_GOOD, 200);
	upstreams[0].tls = NULL;
	image_next();
	assert_true(tls_front_wait_ended(front, 1));
	tls_front_count(front, &counts);
	assert_int_equal(counts.notified, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(connections_are_kept),
		TEST(sessions_are_resumed),
		TEST(changes_end_what_waits),
		TEST(a_busy_connection_is_not_kept),
		TEST(who_waits_goes_by_tls),
		TEST(who_waits_for_tls_gets_no_clear_one),
		TEST(cut_answers_are_no_answers),
		TEST(much_goes_through),
		TEST(answers_of_any_size_keep_the_connection),
		TEST(ends_are_said),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
