/* Tests userspace/control/checker.c: rise, fall, and when it is asked again. */
#include "control/checker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "control/probe.h"
#include "net/loop.h"
#include "tests/lib/loop_origin.h"

#define A200                                                                   \
	{                                                                      \
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0              \
	}
#define A500                                                                   \
	{                                                                      \
		"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", 0               \
	}
#define A503                                                                   \
	{                                                                      \
		"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", 0               \
	}
#define END                                                                    \
	{                                                                      \
		NULL, 0                                                        \
	}

struct fixture {
	struct loop *loop;
	struct loop_timer *guard;
	struct loop_origin *origin;
	struct probes *probes;
	struct checker *checker;
	struct checker_counts counts;
	unsigned turns, wanted_turns;
};

static void
on_guard(void *arg)
{
	(void)arg;
	fail_msg("it did not turn in time");
}

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	*state = f;
	f->loop = loop_new();
	f->guard = loop_timer_new(f->loop, on_guard, NULL);
	loop_timer_start(f->guard, 60000);
	f->origin = loop_origin_new(f->loop);
	f->probes = probes_new(f->loop);
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	checker_free(f->checker);
	probes_free(f->probes);
	loop_origin_free(f->origin);
	loop_timer_free(f->guard);
	loop_free(f->loop);
	free(f);
	return 0;
}

static void
on_changed(void *arg)
{
	struct fixture *f = arg;

	if (++f->turns == f->wanted_turns)
		loop_stop(f->loop);
}

static void
check(struct fixture *f, const struct model_health_check *how,
	const struct loop_answer *script, bool up, unsigned turns)
{
	struct addr addr;
	const struct checker_options options = { .loop = f->loop,
		.probes = f->probes,
		.check = how,
		.addr = &addr,
		.host = "",
		.up = up,
		.counts = &f->counts,
		.changed = on_changed,
		.arg = f };

	checker_free(f->checker);
	loop_origin_addr(f->origin, &addr);
	loop_origin_script(f->origin, script);
	memset(&f->counts, 0, sizeof(f->counts));
	f->turns = 0;
	f->wanted_turns = turns;
	f->checker = checker_new(&options);
	assert_int_equal(checker_is_up(f->checker), up);
	loop_run(f->loop);
	assert_int_equal(f->turns, turns);
}

static const struct model_health_check fast = {
	.type = MODEL_HEALTH_HTTP,
	.path = (char[]){ "/" },
	.timeout_ms = 8000,
	.interval_ms = 1,
	.healthy_threshold = 2,
	.unhealthy_threshold = 3,
	.reuse_connection = true,
};

static void
test_first_decides(void **state)
{
	static const struct loop_answer bad[] = { A500, END };
	static const struct loop_answer good[] = { A200, END };
	struct fixture *f = *state;

	check(f, &fast, bad, true, 1);
	assert_false(checker_is_up(f->checker));
	assert_string_equal(checker_why(f->checker), "HTTP 500");
	assert_int_equal(f->counts.failed, 1);
	check(f, &fast, good, false, 1);
	assert_true(checker_is_up(f->checker));
	assert_null(checker_why(f->checker));
	assert_int_equal(f->counts.ok, 1);
}

static void
test_thresholds(void **state)
{
	/* Down after three bad ones in a row, up after two good ones. */
	static const struct loop_answer script[] = { A200, A500, A500, A200,
		A500, A500, A500, A200, A500, A200, A200, END };
	struct fixture *f = *state;

	check(f, &fast, script, true, 2);
	assert_true(checker_is_up(f->checker));
	assert_int_equal(f->counts.ok, 5);
	assert_int_equal(f->counts.failed, 6);
}

static void
test_503_is_enough(void **state)
{
	static const struct loop_answer script[] = { A200, A503, END };
	struct fixture *f = *state;

	check(f, &fast, script, true, 1);
	assert_false(checker_is_up(f->checker));
	assert_int_equal(f->counts.failed, 1);
}

/* After the turn the edge's interval, then that of the state: no sooner, from
 * one answer to the next. A timer's clock has ticks of some ms. */
static void
test_intervals(void **state)
{
	static const struct loop_answer script[] = { A503, A500, A200, END };
	struct model_health_check how = fast;
	struct fixture *f = *state;
	uint64_t at_ms[3];

	how.healthy_threshold = 1;
	how.unhealthy_edge_interval_ms = 120;
	how.unhealthy_interval_ms = 80;
	check(f, &how, script, true, 2);
	for (unsigned i = 0; i < 3; i++)
		at_ms[i] = loop_origin_at_ms(f->origin, i);
	assert_true(at_ms[1] - at_ms[0] >= 105);
	assert_true(at_ms[2] - at_ms[1] >= 65);
	assert_int_equal(f->counts.ok + f->counts.failed, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(test_first_decides),
		CASE(test_thresholds),
		CASE(test_503_is_enough),
		CASE(test_intervals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
