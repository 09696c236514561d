/*
 * Discovery of static upstreams, with a loop and a resolver of the test's own:
 * time passes and names are answered when a row says so.
 */
#include "fake_host.h"
#include "fake_resolver.h"

#include <string.h>

#include "base/mem.h"
#include "kinds/static/static.h"
#include "net/loop.h"

extern const struct upstream_kind upstream_kind_static;

#define SLOTS 8

/* ---- the loop's timers */

struct loop_timer {
	loop_timer_f *cb;
	void *arg;
	uint64_t delay_ms; /* 0: not started */
	bool used;
};

static struct loop_timer timers[SLOTS];

struct loop_timer *
loop_timer_new(struct loop *l, loop_timer_f *cb, void *arg)
{
	(void)l;
	for (size_t i = 0; i < SLOTS; i++) {
		if (timers[i].used)
			continue;
		timers[i] = (struct loop_timer){ cb, arg, 0, true };
		return &timers[i];
	}
	fail();
	return NULL;
}

void
loop_timer_start(struct loop_timer *t, uint64_t delay_ms)
{
	t->delay_ms = delay_ms;
}

void
loop_timer_free(struct loop_timer *t)
{
	memset(t, 0, sizeof(*t));
}

static void
timer_fire(size_t i)
{
	assert_true(timers[i].delay_ms != 0);
	timers[i].delay_ms = 0;
	timers[i].cb(timers[i].arg);
}

static void
delay_within(size_t i, uint64_t low, uint64_t high)
{
	assert_in_range(timers[i].delay_ms, low, high);
}

/* ---- the upstream */

static struct upstream upstream;

static struct upstream *
watch(const char *spec_yaml)
{
	upstream_watch(&upstream, &upstream_kind_static, NULL, "u", spec_yaml);
	return &upstream;
}

static void
unwatch(struct upstream *u)
{
	upstream_unwatch(u);
	told_is("");
	assert_int_equal(fake_query_count(), 0);
	for (size_t i = 0; i < SLOTS; i++)
		assert_false(timers[i].used);
}

static void
test_literals(void **state)
{
	struct upstream *u = watch(
		"hosts:\n"
		"- {addr: 10.0.0.1, port: 81, loadBalancingWeight: 3}\n"
		"- {addr: \"::1\"}\n"
		"- {addr: 10.0.0.1, port: 81}\n"
		"- {addr: \"::ffff:10.0.0.2\"}\n");

	(void)state;
	told_is("u: 10.0.0.1:81x3 [::1]:80 10.0.0.2:80\nu ok\n");
	assert_int_equal(fake_query_count(), 0);
	unwatch(u);
	upstream_kind_static.unwatch(NULL);
}

static void
test_names(void **state)
{
	struct upstream *u = watch(
		"hosts:\n"
		"- {addr: a.test, port: 81, loadBalancingWeight: 2}\n"
		"- {addr: b.test.}\n");

	(void)state;
	told_is("");
	answer("b.test", "10.0.0.9", 60, NULL);
	told_is("u: 10.0.0.9:80(b.test)\n");
	answer("a.test", "10.0.0.1 ::1", 60, NULL);
	told_is("u: 10.0.0.1:81x2(a.test) [::1]:81x2(a.test) "
		"10.0.0.9:80(b.test)\nu ok\n");
	delay_within(0, 54000, 66000);

	timer_fire(0);
	answer("a.test", "10.0.0.1 ::1", 60, NULL);
	told_is("");
	timer_fire(0);
	answer("a.test", "10.0.0.2", 60, NULL);
	told_is("u: 10.0.0.2:81x2(a.test) 10.0.0.9:80(b.test)\n");
	unwatch(u);
}

static void
test_literal_at_once(void **state)
{
	struct upstream *u = watch("hosts: [{addr: a.test}, {addr: 10.0.0.1}]");

	(void)state;
	told_is("u: 10.0.0.1:80\n");
	answer("a.test", "", 0, "the server said no");
	told_is("u not ok: cannot resolve \"a.test\": the server said no\n");
	timer_fire(0);
	answer("a.test", "10.0.0.2", 5, NULL);
	told_is("u: 10.0.0.2:80(a.test) 10.0.0.1:80\nu ok\n");
	unwatch(u);
}

static void
test_ttl_bounds(void **state)
{
	static const struct {
		uint32_t ttl_s;
		uint64_t low, high;
	} rows[] = {
		{ 0, 1000, 1100 },
		{ 1, 1000, 1100 },
		{ 100, 90000, 110000 },
		{ 300, 270000, 300000 },
		{ 86400, 270000, 300000 },
		{ UINT32_MAX, 270000, 300000 },
	};
	struct upstream *u = watch("hosts: [{addr: a.test}]");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		answer("a.test", "10.0.0.1", rows[i].ttl_s, NULL);
		delay_within(0, rows[i].low, rows[i].high);
		timer_fire(0);
	}
	str_clear(&told);
	unwatch(u);
}

/* A failure empties nothing, is told once, and is asked again more slowly. */
static void
test_failure(void **state)
{
	struct upstream *u = watch("hosts: [{addr: a.test}, {addr: b.test}]");
	uint64_t want = 1000;

	(void)state;
	answer("a.test", "", 0, "timeout");
	told_is("u not ok: cannot resolve \"a.test\": timeout\n");
	answer("b.test", "10.0.0.2", 60, NULL);
	told_is("u: 10.0.0.2:80(b.test)\n");
	for (int i = 0; i < 8; i++) {
		delay_within(0, want * 9 / 10, want * 11 / 10);
		timer_fire(0);
		answer("a.test", "", 0, "timeout");
		told_is("");
		want = want * 2 > 30000 ? 30000 : want * 2;
	}
	timer_fire(0);
	answer("a.test", "10.0.0.1", 60, NULL);
	told_is("u: 10.0.0.1:80(a.test) 10.0.0.2:80(b.test)\nu ok\n");
	timer_fire(0);
	answer("a.test", "", 60, NULL);
	told_is("u not ok: cannot resolve \"a.test\": it has no address\n");
	delay_within(0, 900, 1100);
	timer_fire(1);
	answer("b.test", "", 0, "refused");
	told_is("");
	timer_fire(0);
	answer("a.test", "10.0.0.1", 60, NULL);
	told_is("u not ok: cannot resolve \"b.test\": refused\n");
	timer_fire(1);
	answer("b.test", "10.0.0.2", 60, NULL);
	told_is("u ok\n");
	unwatch(u);
}

static void
test_all_fail(void **state)
{
	struct upstream *u = watch("hosts: [{addr: a.test}]");

	(void)state;
	answer("a.test", "", 0, "no such name");
	told_is("u not ok: cannot resolve \"a.test\": no such name\n");
	unwatch(u);
}

static void
test_unwatch_while_asking(void **state)
{
	struct upstream *u = watch("hosts: [{addr: a.test}, {addr: b.test}]");

	(void)state;
	assert_int_equal(fake_query_count(), 2);
	unwatch(u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_literal_at_once),
		cmocka_unit_test(test_ttl_bounds),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_all_fail),
		cmocka_unit_test(test_unwatch_while_asking),
	};

	return cmocka_run_group_tests(tests, told_setup, told_teardown);
}
