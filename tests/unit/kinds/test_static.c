/*
 * Discovery of static upstreams, with a loop and a resolver of the test's own:
 * time passes and names are answered when a row says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/yaml.h"
#include "kinds/static/static.h"
#include "net/loop.h"
#include "net/resolver.h"

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

/* ---- the resolver's queries */

struct resolver_query {
	char *name;
	resolver_answer_f *cb;
	void *arg;
};

static struct resolver_query *queries[SLOTS];

struct resolver_query *
resolver_query_new(
	struct resolver *r, const char *name, resolver_answer_f *cb, void *arg)
{
	struct resolver_query *q = xcalloc(1, sizeof(*q));

	(void)r;
	*q = (struct resolver_query){ xstrdup(name), cb, arg };
	for (size_t i = 0; i < SLOTS; i++) {
		if (queries[i] != NULL)
			continue;
		queries[i] = q;
		return q;
	}
	fail();
	return NULL;
}

static void
query_forget(struct resolver_query *q)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (queries[i] == q)
			queries[i] = NULL;
	free(q->name);
	free(q);
}

void
resolver_query_cancel(struct resolver_query *q)
{
	query_forget(q);
}

/* ips: one after the other, separated by spaces; or a failure. */
static void
answer(const char *name, const char *ips, uint32_t ttl_s, const char *failure)
{
	struct resolver_query *q = NULL;
	struct addr addrs[SLOTS];
	size_t count = 0;
	char *copy = xstrdup(ips), *rest = copy, *one;
	resolver_answer_f *cb;
	void *arg;

	for (size_t i = 0; i < SLOTS && q == NULL; i++)
		if (queries[i] != NULL && strcmp(queries[i]->name, name) == 0)
			q = queries[i];
	if (q == NULL)
		fail_msg("%s was not asked for", name);
	while ((one = strsep(&rest, " ")) != NULL)
		if (*one != '\0')
			assert_int_equal(
				addr_parse_ip(one, 0, &addrs[count++]), 0);
	cb = q->cb;
	arg = q->arg;
	query_forget(q);
	cb(addrs, count, ttl_s, failure, arg);
	free(copy);
}

static size_t
query_count(void)
{
	size_t count = 0;

	for (size_t i = 0; i < SLOTS; i++)
		count += queries[i] != NULL;
	return count;
}

/* ---- the host: a line per call */

static struct str told;

static void
endpoints_replace(
	struct kind_host *host, const struct endpoint *set, size_t count)
{
	char text[ADDR_TEXT_MAX];

	(void)host;
	str_puts(&told, "set");
	for (size_t i = 0; i < count; i++) {
		str_printf(&told, " %s*%u", addr_format(&set[i].addr, text),
			set[i].weight);
		if (set[i].host[0] != '\0')
			str_printf(&told, "(%s)", set[i].host);
		assert_int_equal(set[i].health, ENDPOINT_UP);
	}
	str_putc(&told, '\n');
}

static void
condition_set(struct kind_host *host, bool ok, const char *reason)
{
	(void)host;
	if (ok)
		str_puts(&told, "ok\n");
	else
		str_printf(&told, "not ok: %s\n", reason);
}

static struct kind_host host = {
	.endpoints_replace = endpoints_replace,
	.condition_set = condition_set,
};

static void
told_is(const char *want)
{
	assert_string_equal(told.data, want);
	str_clear(&told);
}

static void *
watch(const char *yaml)
{
	struct error err = ERROR_INIT;
	struct doc *d = yaml_doc_read(yaml, strlen(yaml), &err);
	void *spec = upstream_kind_static.read(d, &err);
	void *state;

	if (spec == NULL)
		fail_msg("%s", err.text);
	state = upstream_kind_static.watch(spec, &host);
	/* The state must not lean on the spec. */
	upstream_kind_static.free(spec);
	doc_free(d);
	return state;
}

static void
unwatch(void *state)
{
	upstream_kind_static.unwatch(state);
	told_is("");
	assert_int_equal(query_count(), 0);
	for (size_t i = 0; i < SLOTS; i++)
		assert_false(timers[i].used);
}

static int
setup(void **state)
{
	(void)state;
	str_init(&told);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	str_fini(&told);
	return 0;
}

static void
test_literals(void **state)
{
	void *s = watch("hosts:\n"
			"- {addr: 10.0.0.1, port: 81, loadBalancingWeight: 3}\n"
			"- {addr: \"::1\"}\n"
			"- {addr: 10.0.0.1, port: 81}\n"
			"- {addr: \"::ffff:10.0.0.2\"}\n");

	(void)state;
	told_is("set 10.0.0.1:81*3 [::1]:80*1 10.0.0.2:80*1\nok\n");
	assert_int_equal(query_count(), 0);
	unwatch(s);
	upstream_kind_static.unwatch(NULL);
}

static void
test_names(void **state)
{
	void *s = watch("hosts:\n"
			"- {addr: a.test, port: 81, loadBalancingWeight: 2}\n"
			"- {addr: b.test.}\n");

	(void)state;
	told_is("");
	answer("b.test", "10.0.0.9", 60, NULL);
	told_is("set 10.0.0.9:80*1(b.test)\n");
	answer("a.test", "10.0.0.1 ::1", 60, NULL);
	told_is("set 10.0.0.1:81*2(a.test) [::1]:81*2(a.test) "
		"10.0.0.9:80*1(b.test)\nok\n");
	delay_within(0, 54000, 66000);

	timer_fire(0);
	answer("a.test", "10.0.0.1 ::1", 60, NULL);
	told_is("");
	timer_fire(0);
	answer("a.test", "10.0.0.2", 60, NULL);
	told_is("set 10.0.0.2:81*2(a.test) 10.0.0.9:80*1(b.test)\n");
	unwatch(s);
}

static void
test_literal_at_once(void **state)
{
	void *s = watch("hosts: [{addr: a.test}, {addr: 10.0.0.1}]");

	(void)state;
	told_is("set 10.0.0.1:80*1\n");
	answer("a.test", "", 0, "the server said no");
	told_is("not ok: cannot resolve \"a.test\": the server said no\n");
	timer_fire(0);
	answer("a.test", "10.0.0.2", 5, NULL);
	told_is("set 10.0.0.2:80*1(a.test) 10.0.0.1:80*1\nok\n");
	unwatch(s);
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
	void *s = watch("hosts: [{addr: a.test}]");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		answer("a.test", "10.0.0.1", rows[i].ttl_s, NULL);
		delay_within(0, rows[i].low, rows[i].high);
		timer_fire(0);
	}
	str_clear(&told);
	unwatch(s);
}

/* A failure empties nothing, is told once, and is asked again more slowly. */
static void
test_failure(void **state)
{
	void *s = watch("hosts: [{addr: a.test}, {addr: b.test}]");
	uint64_t want = 1000;

	(void)state;
	answer("a.test", "", 0, "timeout");
	told_is("not ok: cannot resolve \"a.test\": timeout\n");
	answer("b.test", "10.0.0.2", 60, NULL);
	told_is("set 10.0.0.2:80*1(b.test)\n");
	for (int i = 0; i < 8; i++) {
		delay_within(0, want * 9 / 10, want * 11 / 10);
		timer_fire(0);
		answer("a.test", "", 0, "timeout");
		told_is("");
		want = want * 2 > 30000 ? 30000 : want * 2;
	}
	timer_fire(0);
	answer("a.test", "10.0.0.1", 60, NULL);
	told_is("set 10.0.0.1:80*1(a.test) 10.0.0.2:80*1(b.test)\nok\n");
	timer_fire(0);
	answer("a.test", "", 60, NULL);
	told_is("not ok: cannot resolve \"a.test\": it has no address\n");
	delay_within(0, 900, 1100);
	timer_fire(1);
	answer("b.test", "", 0, "refused");
	told_is("");
	timer_fire(0);
	answer("a.test", "10.0.0.1", 60, NULL);
	told_is("not ok: cannot resolve \"b.test\": refused\n");
	timer_fire(1);
	answer("b.test", "10.0.0.2", 60, NULL);
	told_is("ok\n");
	unwatch(s);
}

static void
test_all_fail(void **state)
{
	void *s = watch("hosts: [{addr: a.test}]");

	(void)state;
	answer("a.test", "", 0, "no such name");
	told_is("not ok: cannot resolve \"a.test\": no such name\n");
	unwatch(s);
}

static void
test_unwatch_while_asking(void **state)
{
	void *s = watch("hosts: [{addr: a.test}, {addr: b.test}]");

	(void)state;
	assert_int_equal(query_count(), 2);
	unwatch(s);
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

	return cmocka_run_group_tests(tests, setup, teardown);
}
