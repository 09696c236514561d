/* Names, sums and settling of the counters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/counters.h"

static struct counters *
counters_make(uint32_t workers)
{
	struct counters *c = xcalloc(1, counters_size(workers));

	c->magic = COUNTERS_MAGIC;
	c->workers = workers;
	return c;
}

static void
names_check(const struct counter_name *names, size_t size)
{
	size_t count = 0;

	for (const struct counter_name *n = names; n->name != NULL; n++) {
		assert_int_equal(n->offset, count * sizeof(uint64_t));
		assert_true(strlen(n->help) > 0);
		count++;
	}
	assert_int_equal(count * sizeof(uint64_t), size);
}

static void
test_names(void **state)
{
	(void)state;
	names_check(counters_listener_names, sizeof(struct counters_listener));
	names_check(counters_upstream_names, sizeof(struct counters_upstream));
	assert_string_equal(
		counters_listener_names[0].name, "connections_accepted");
}

static void
test_gauges(void **state)
{
	(void)state;
	assert_true(counter_is_gauge("requests_active"));
	assert_true(counter_is_gauge("connections_open"));
	assert_true(counter_is_gauge("pending_active"));
	assert_false(counter_is_gauge("connections_opened"));
	assert_false(counter_is_gauge("requests"));
}

static void
test_sums(void **state)
{
	struct counters *c = counters_make(3);
	struct counters_listener l;
	struct counters_upstream u;

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		c->worker[i].listener[1].requests = 10 + i;
		c->worker[i].listener[2].requests = 1000;
		c->worker[i].upstream[4095].bytes_received = 100 * i;
	}
	counters_sum_listener(c, 1, &l);
	assert_int_equal(l.requests, 33);
	assert_int_equal(l.connections_accepted, 0);
	counters_sum_upstream(c, 4095, &u);
	assert_int_equal(u.bytes_received, 300);
	counters_sum_listener(c, SLOTS_MAX, &l);
	assert_int_equal(l.requests, 0);
	counters_sum_upstream(c, UPSTREAMS_MAX, &u);
	assert_int_equal(u.bytes_received, 0);
	free(c);
}

static void
test_settle(void **state)
{
	struct counters *c = counters_make(2);
	struct counters_listener *l = &c->worker[1].listener[3];
	struct counters_upstream *u = &c->worker[0].upstream[7];

	(void)state;
	l->connections_accepted = 10;
	l->connections_closed = 6;
	l->connections_open = 4;
	l->requests = 20;
	l->responses_2xx = 17;
	l->requests_active = 3;
	u->requests_active = 5;
	u->connections_open = 2;
	u->connections_opened = 9;
	counters_settle(c);
	assert_int_equal(l->connections_open, 0);
	assert_int_equal(l->connections_accepted, l->connections_closed);
	assert_int_equal(l->requests_active, 0);
	assert_int_equal(l->requests, l->responses_2xx + l->responses_aborted);
	assert_int_equal(u->requests_active, 0);
	assert_int_equal(u->connections_open, 0);
	assert_int_equal(u->connections_opened, 9);
	counters_settle(c);
	assert_int_equal(l->responses_aborted, 3);
	free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_gauges),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_settle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
