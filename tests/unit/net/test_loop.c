/* Tests userspace/net/loop.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/loop.h"

struct fixture {
	struct loop *loop;
	struct loop_timer *guard;
	int ends[2];
	struct loop_fd *watch;
	struct loop_timer *timer;
	unsigned seen, calls;
	unsigned enough; /* calls after which the loop stops; 0: never */
	uint64_t now[2];
};

static void
on_guard(void *arg)
{
	(void)arg;
	fail_msg("the loop was not stopped in time");
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	f->loop = loop_new();
	f->guard = loop_timer_new(f->loop, on_guard, NULL);
	loop_timer_start(f->guard, 5000);
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, f->ends);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	loop_fd_free(f->watch);
	loop_timer_free(f->timer);
	loop_timer_free(f->guard);
	loop_free(f->loop);
	close(f->ends[0]);
	if (f->ends[1] >= 0)
		close(f->ends[1]);
	free(f);
	return 0;
}

static void
stop_on_fd(int fd, unsigned what, void *arg)
{
	struct fixture *f = arg;

	(void)fd;
	f->seen |= what;
	f->calls++;
	loop_stop(f->loop);
}

static void
test_readable_and_writable(void **state)
{
	struct fixture *f = *state;

	f->watch = loop_fd_new(f->loop, f->ends[0], LOOP_READ, stop_on_fd, f);
	assert_int_equal(write(f->ends[1], "x", 1), 1);
	loop_run(f->loop);
	assert_int_equal(f->seen, LOOP_READ);
	f->seen = 0;
	loop_fd_change(f->watch, LOOP_WRITE);
	loop_run(f->loop);
	assert_int_equal(f->seen, LOOP_WRITE);
	f->seen = 0;
	loop_fd_change(f->watch, LOOP_READ | LOOP_WRITE);
	loop_run(f->loop);
	assert_int_equal(f->seen, LOOP_READ | LOOP_WRITE);
}

static void
test_peer_closed(void **state)
{
	struct fixture *f = *state;

	f->watch = loop_fd_new(f->loop, f->ends[0], LOOP_CLOSED, stop_on_fd, f);
	assert_int_equal(write(f->ends[1], "x", 1), 1);
	assert_int_equal(shutdown(f->ends[1], SHUT_WR), 0);
	loop_run(f->loop);
	assert_int_equal(f->seen, LOOP_CLOSED);
}

static void
stop_on_timer(void *arg)
{
	struct fixture *f = arg;

	loop_stop(f->loop);
}

static void
count_on_fd(int fd, unsigned what, void *arg)
{
	struct fixture *f = arg;

	(void)fd;
	f->seen |= what;
	if (++f->calls == f->enough)
		loop_stop(f->loop);
}

static void
run_for(struct fixture *f, uint64_t ms)
{
	struct loop_timer *t = loop_timer_new(f->loop, stop_on_timer, f);

	loop_timer_start(t, ms);
	loop_run(f->loop);
	loop_timer_free(t);
}

static void
test_an_edge_is_told_once(void **state)
{
	struct fixture *f = *state;

	f->watch = loop_fd_new(f->loop, f->ends[0],
		LOOP_READ | LOOP_CLOSED | LOOP_EDGE, count_on_fd, f);
	assert_int_equal(write(f->ends[1], "x", 1), 1);
	run_for(f, 20);
	assert_int_equal(f->calls, 1);
	assert_int_equal(write(f->ends[1], "x", 1), 1);
	run_for(f, 20);
	assert_int_equal(f->calls, 2);
	/* A change tells again what is so. */
	loop_fd_change(f->watch,
		LOOP_READ | LOOP_WRITE | LOOP_CLOSED | LOOP_EDGE);
	run_for(f, 20);
	assert_int_equal(f->calls, 3);
	assert_int_equal(f->seen, LOOP_READ | LOOP_WRITE);
	/* Level-triggered, and nothing at all. */
	loop_fd_change(f->watch, LOOP_READ);
	f->enough = 6;
	loop_run(f->loop);
	f->enough = f->calls = 0;
	loop_fd_change(f->watch, 0);
	run_for(f, 20);
	assert_int_equal(f->calls, 0);
	loop_fd_change(f->watch, LOOP_READ);
	run_for(f, 20);
	assert_true(f->calls > 0);
}

static void
change_on_fd(int fd, unsigned what, void *arg)
{
	struct fixture *f = arg;

	(void)fd;
	f->seen |= what;
	if (++f->calls == 4)
		loop_stop(f->loop);
	else
		loop_fd_change(f->watch,
			f->calls % 2 ? LOOP_WRITE : LOOP_READ);
}

static void
test_change_inside_the_callback(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(write(f->ends[1], "x", 1), 1);
	f->watch = loop_fd_new(f->loop, f->ends[0], LOOP_READ, change_on_fd, f);
	loop_run(f->loop);
	assert_int_equal(f->calls, 4);
	assert_int_equal(f->seen, LOOP_READ | LOOP_WRITE);
}

static void
free_on_fd(int fd, unsigned what, void *arg)
{
	struct fixture *f = arg;

	(void)fd;
	(void)what;
	loop_fd_free(f->watch);
	f->watch = NULL;
	f->calls++;
}

static void
free_on_timer(void *arg)
{
	struct fixture *f = arg;

	loop_timer_free(f->timer);
	f->timer = NULL;
	f->calls++;
}

static void
test_free_inside_the_callback(void **state)
{
	struct fixture *f = *state;

	f->watch = loop_fd_new(f->loop, f->ends[0], LOOP_WRITE, free_on_fd, f);
	f->timer = loop_timer_new(f->loop, free_on_timer, f);
	loop_timer_start(f->timer, 0);
	run_for(f, 20);
	assert_int_equal(f->calls, 2);
}

static void
count_on_timer(void *arg)
{
	struct fixture *f = arg;

	f->calls++;
	assert_false(loop_timer_pending(f->timer));
}

static void
test_timers(void **state)
{
	struct fixture *f = *state;
	uint64_t before = clock_monotonic_ms();

	f->timer = loop_timer_new(f->loop, count_on_timer, f);
	assert_false(loop_timer_pending(f->timer));
	loop_timer_start(f->timer, 30);
	assert_true(loop_timer_pending(f->timer));
	run_for(f, 60);
	/* libevent reads the coarse clock. */
	assert_true(clock_monotonic_ms() >= before + 50);
	assert_int_equal(f->calls, 1);
	loop_timer_start(f->timer, 1);
	loop_timer_stop(f->timer);
	assert_false(loop_timer_pending(f->timer));
	loop_timer_start(f->timer, 1);
	loop_timer_start(f->timer, 60000);
	run_for(f, 20);
	assert_int_equal(f->calls, 1);
	assert_true(loop_timer_pending(f->timer));
}

static void
spin_on_timer(void *arg)
{
	struct fixture *f = arg;
	uint64_t until = clock_monotonic_ms() + 15;

	f->now[0] = loop_now_ms(f->loop);
	while (clock_monotonic_ms() < until)
		;
	f->now[1] = loop_now_ms(f->loop);
}

static void
test_time_stands_in_an_iteration(void **state)
{
	struct fixture *f = *state;
	uint64_t before = clock_monotonic_ms();

	f->timer = loop_timer_new(f->loop, spin_on_timer, f);
	loop_timer_start(f->timer, 0);
	run_for(f, 20);
	assert_true(f->now[0] >= before);
	assert_true(f->now[0] == f->now[1]);
	loop_timer_start(f->timer, 0);
	run_for(f, 20);
	assert_true(f->now[0] >= before + 15);
	assert_true(loop_now_ms(f->loop) >= before + 30);
}

static void
stop_on_signal(int signo, void *arg)
{
	struct fixture *f = arg;

	f->seen = (unsigned)signo;
	loop_stop(f->loop);
}

static void
test_signals(void **state)
{
	struct fixture *f = *state;
	struct loop_signal *s;

	s = loop_signal_new(f->loop, SIGUSR1, stop_on_signal, f);
	raise(SIGUSR1);
	loop_run(f->loop);
	assert_int_equal(f->seen, SIGUSR1);
	f->seen = 0;
	raise(SIGUSR1);
	loop_run(f->loop);
	assert_int_equal(f->seen, SIGUSR1);
	loop_signal_free(s);
	loop_signal_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_readable_and_writable),
		TEST(test_peer_closed),
		TEST(test_an_edge_is_told_once),
		TEST(test_change_inside_the_callback),
		TEST(test_free_inside_the_callback),
		TEST(test_timers),
		TEST(test_time_stands_in_an_iteration),
		TEST(test_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
