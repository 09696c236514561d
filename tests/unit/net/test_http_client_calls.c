/*
 * Tests userspace/net/http_client.c: calls that begin and end in callbacks of
 * others, and many of them, whose connections are kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http_calls.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CALL_TEST(test_deeds_in_callbacks),
		CALL_TEST(test_enough_of_it),
		CALL_TEST(test_a_call_begins_in_a_callback),
		CALL_TEST(test_cancelled_before_anything),
		CALL_TEST(test_many_at_once),
		CALL_TEST(test_descriptors_are_ours),
		CALL_TEST(test_connections_are_kept),
	};

	return cmocka_run_group_tests(tests, plain_setup, plain_teardown);
}
