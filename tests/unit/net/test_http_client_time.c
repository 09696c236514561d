/*
 * Tests userspace/net/http_client.c: how long a connection, a word and an
 * answer are waited for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "fake_names.h"
#include "http_calls.h"

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
	/* All at once. What must not run out is longer than a busy machine
	 * stands still. */
	const struct {
		const char *url;
		uint64_t connect_ms, idle_ms, total_ms;
		const char *problem, *order;
		uint64_t least_ms; /* that it takes */
	} rows[] = {
		/* TCP answers, TLS does not */
		{ url_of("https", "127.0.0.1", &mute, "/"), 150, 0, 0,
			"no connection within 150 ms", "done", 150 },
		{ url_of("https", "127.0.0.1", &mute, "/"), 0, 100, 150,
			"no whole answer within 150 ms", "done", 150 },
		{ url_of("http", "127.0.0.1", &plain, "/silent"), 2000, 2500, 0,
			"nothing was heard for 2500 ms", "done", 2500 },
		{ url_of("http", "127.0.0.1", &plain, "/silent"), 0, 0, 150,
			"no whole answer within 150 ms", "done", 150 },
		{ url_of("http", "127.0.0.1", &plain, "/half"), 0, 2000, 0,
			"nothing was heard for 2000 ms", "head 200, done",
			2000 },
		/* Each byte counts. */
		{ url_of("http", "127.0.0.1", &plain, "/drip/300"), 0, 2500, 0,
			NULL, "head 200, done", 3000 },
		{ url_of("http", "127.0.0.1", &plain, "/drip/1000"), 0, 2500,
			2000, "no whole answer within 2000 ms",
			"head 200, done", 2000 },
	};
	struct seen seen[ARRAY_SIZE(rows)] = { { .call = NULL } };
	uint64_t begun = clock_monotonic_ms();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_request r = { .url = rows[i].url,
			.connect_timeout_ms = rows[i].connect_ms,
			.idle_timeout_ms = rows[i].idle_ms,
			.total_timeout_ms = rows[i].total_ms };

		seen_begin(&seen[i], &r, false);
	}
	run();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		expect_problem(&seen[i], rows[i].problem);
		assert_string_equal(seen[i].order.data, rows[i].order);
		assert_int_equal(seen[i].timed_out, rows[i].problem != NULL);
		/* libevent reads the coarse clock. */
		assert_true(seen[i].ended_ms - begun + 20 >= rows[i].least_ms);
		seen_fini(&seen[i]);
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
	r.connect_timeout_ms = 0;
	exchange(&first, &r, false);
	expect_problem(&first, NULL);
	seen_fini(&first);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CALL_TEST(test_timeouts),
		CALL_TEST(test_those_who_wait_time_out),
		CALL_TEST(test_names_that_do_not_come),
	};

	return cmocka_run_group_tests(tests, plain_setup, plain_teardown);
}
