/*
 * Tests userspace/control/control.c: its proxy dies, does not answer or ends
 * again and again, control itself dies, and a second one is started.
 */
#include "control_child.h"

static void
test_proxy_dies(void **state)
{
	pid_t first = proxy_pid(), now;
	uint64_t end = clock_monotonic_ms() + 10000;

	(void)state;
	assert_true(first > 1);
	kill(first, SIGKILL);
	do {
		poll(NULL, 0, 5);
		now = proxy_pid();
	} while ((now == 0 || now == first) && clock_monotonic_ms() < end);
	assert_true(now > 1 && now != first);
	until_status("/readyz", 200);
	assert_int_equal(number_at("/v1/status", "proxy", "restarts"), 1);
	assert_true(connects(port));
	expect("PUT", UP("a"), UPSTREAM("a"), 200, "state", "Accepted");
}

static void
test_control_dies(void **state)
{
	pid_t proxy = proxy_pid();
	int64_t generation;

	(void)state;
	expect("PUT", UP("a"), UPSTREAM("a"), 200, NULL, NULL);
	generation = number_at("/v1/status", "proxy", "generation");
	kill(control, SIGKILL);
	waitpid(control, NULL, 0);
	control_start();
	until_status("/readyz", 200);
	assert_int_equal(proxy_pid(), proxy);
	assert_true(
		number_at("/v1/status", "proxy", "generation") > generation);
	expect("GET", UP("a"), "", 200, NULL, NULL);
	expect("PUT", UP("b"), UPSTREAM("b"), 200, "state", "Accepted");
	assert_true(connects(port));
}

/* A proxy that ends again and again is not started in a hot loop, and what is
 * refused to it stays pending. */
static void
test_crash(void **state)
{
	struct doc *body;
	int64_t restarts;
	int got;

	(void)state;
	expect("PUT", UP("crash"), UPSTREAM("crash"), 202, "state", "Pending");
	restarts = number_at("/v1/status", "proxy", "restarts");
	assert_in_range(restarts, 2, 12);
	until_status("/readyz", 503);
	/* The next start may come after the answer: it is put off by then. */
	got = ask("DELETE", UP("crash"), "application/yaml", "", &body);
	assert_true(got == 200 || got == 202);
	assert_string_equal(doc_get_text(body, "state"),
		got == 200 ? "Accepted" : "Pending");
	doc_free(body);
	until_status("/readyz", 200);
	expect("GET", UP("crash"), "", 404, NULL, NULL);
}

static void
test_pending(void **state)
{
	uint64_t start = clock_monotonic_ms();

	(void)state;
	expect("PUT", UP("mute"), UPSTREAM("mute"), 202, "proxy", "pending");
	assert_in_range(clock_monotonic_ms() - start, 4900, 9000);
	expect("DELETE", UP("mute"), "", 200, NULL, NULL);
}

static void
test_second(void **state)
{
	pid_t first = control, second;
	int status;

	(void)state;
	control_start();
	second = control;
	control = first;
	waitpid(second, &status, 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	until_status("/readyz", 200);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(test_proxy_dies),
		CASE(test_control_dies),
		CASE(test_crash),
		CASE(test_pending),
		CASE(test_second),
	};

	if (fake_is_asked_for(argc, argv))
		return fake_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
