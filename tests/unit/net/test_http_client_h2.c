/*
 * Tests userspace/net/http_client.c: HTTP/2, many calls on one connection.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "http_calls.h"
#include "tests/lib/certificates.h"

static struct certificate authority, own;
static struct https_server h2;

static const struct certificate_row made[] = {
	{ &authority, NULL, { .name = "authority", .authority = true } },
	{ &own, &authority, { .name = "server", .names = "IP:127.0.0.1" } },
};

static int
server_setup(void **state)
{
	(void)state;
	certificates_make(made, ARRAY_SIZE(made));
	https_server_start(&h2, &(struct https_server_options){
					.tls = { .own = &own, .alpn = "h2" } });
	return 0;
}

static int
server_teardown(void **state)
{
	(void)state;
	https_server_stop(&h2);
	certificates_drop(made, ARRAY_SIZE(made));
	return 0;
}

static struct http_request
h2_request(const struct http_tls *t, const char *what, uint64_t total_ms)
{
	return (struct http_request){ .tls = t,
		.method = "PUT", /* may be asked again */
		.url = url_of("https", "127.0.0.1", &h2, "/"),
		.body = slice_of(what),
		.total_timeout_ms = total_ms };
}

static void
h2_begin(struct seen *seen, const char *what, uint64_t total_ms, bool stream)
{
	struct http_tls t = { .ca = certificate_text(&authority) };
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
	/* Where nothing came for half of that time all calls would fail. */
	h2_begin(&silent, "silent", 4400, true);
	h2_begin(&reset, "reset", 0, true);
	h2_begin(&drip, "drip/460", 0, true);
	open_calls--; /* half does not end */
	run();
	expect_problem(&drip, NULL);
	assert_int_equal(drip.body.length, 2300);
	expect_problem(&silent, "no whole answer within 4400 ms");
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
	struct http_tls t = { .ca = certificate_text(&authority) };
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CALL_TEST(test_h2_many_on_one_connection),
		CALL_TEST(test_h2_streams_are_their_own),
		CALL_TEST(test_h2_a_dead_connection_is_left),
		CALL_TEST(test_h2_servers_that_go_away),
	};

	return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
