/*
 * A name that is kept resolved, with a loop and a resolver of the test's own:
 * time passes and names are answered when a row says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "net/watched_name.h"
#include "tests/unit/net/fake_resolver.h"
#include "tests/unit/net/fake_time.h"

/* ---- the name: a line per callback */

static struct watched_name *name;
static struct str told;
static bool free_in_callback;

static void
on_state(const struct watched_state *s, void *arg)
{
	char text[ADDR_TEXT_MAX];

	assert_ptr_equal(arg, &told);
	assert_true(s->answered);
	str_puts(&told, "is");
	for (size_t i = 0; i < s->count; i++) {
		const struct watched_target *t = &s->targets[i];

		if (t->host == NULL)
			str_printf(
				&told, " %s", addr_format_ip(&t->addr, text));
		else
			str_printf(&told, " %u/%u %s(%s)", t->priority,
				t->weight, addr_format(&t->addr, text),
				t->host);
	}
	if (s->problem != NULL)
		str_printf(&told, ", but %s", s->problem);
	if (s->stale_since_ms != 0)
		str_puts(&told, ", stale");
	if (s->gone)
		str_puts(&told, ", gone");
	str_putc(&told, '\n');
	if (free_in_callback) {
		watched_name_free(name);
		name = NULL;
	}
}

static void
told_is(const char *want)
{
	assert_string_equal(told.data, want);
	str_clear(&told);
}

static void
begin(const char *text, enum watched_type type)
{
	name = watched_name_new(NULL, text, type, on_state, &told);
	assert_false(watched_name_state(name)->answered);
	told_is("");
}

static int
setup(void **state)
{
	(void)state;
	str_init(&told);
	free_in_callback = false;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	watched_name_free(name);
	name = NULL;
	assert_int_equal(fake_query_count(), 0);
	assert_int_equal(fake_wait_count(), 0);
	assert_null(fake_timers);
	str_fini(&told);
	return 0;
}

/* Asked again before the TTL ends, between floor and ceiling. */
static void
test_ttl(void **state)
{
	static const struct {
		uint32_t ttl_s;
		uint64_t low, high;
	} rows[] = {
		{ 0, 1000, 1000 },
		{ 1, 1000, 1000 },
		{ 2, 1700, 1900 },
		{ 100, 85000, 95000 },
		{ 300, 256000, 284000 },
		{ 86400, 256000, 284000 },
		{ UINT32_MAX, 256000, 284000 },
	};
	uint64_t first = 0;
	bool jittered = false;

	(void)state;
	begin("a.test", WATCHED_ADDRESSES);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		answer("a.test", "10.0.0.1", rows[i].ttl_s, NULL);
		assert_in_range(
			fake_timer_left_ms(0), rows[i].low, rows[i].high);
		assert_int_equal(
			watched_name_state(name)->ttl_s, rows[i].ttl_s);
		assert_int_equal(watched_name_state(name)->due_ms,
			fake_now_ms + fake_timer_left_ms(0));
		fire(0);
	}
	for (int i = 0; i < 20; i++) {
		answer("a.test", "10.0.0.1", 300, NULL);
		jittered |= first != 0 && fake_timer_left_ms(0) != first;
		first = fake_timer_left_ms(0);
		fire(0);
	}
	assert_true(jittered);
	told_is("is 10.0.0.1\n");
}

/* A pace of its own, of the hosts of a service as well. */
static void
test_pace(void **state)
{
	static const struct resolver_service two[] = { { "a.test", 1, 10, 81 },
		{ "b.test", 1, 10, 81 } };
	struct resolver_answer a = { .verdict = RESOLVER_FOUND,
		.ttl_s = 1,
		.services = two,
		.service_count = 1 };

	(void)state;
	begin("_http._tcp.web.test", WATCHED_SERVICES);
	fake_give("_http._tcp.web.test", true, &a);
	watched_name_pace(name, 60000);
	answer("a.test.", "10.0.0.1", 1, NULL);
	assert_in_range(fake_timer_left_ms(1), 57000, 63000);
	fire(0);
	a.service_count = 2;
	fake_give("_http._tcp.web.test", true, &a);
	assert_in_range(fake_timer_left_ms(0), 57000, 63000);
	answer("b.test.", "10.0.0.2", 1, NULL);
	assert_in_range(fake_timer_left_ms(2), 57000, 63000);
	watched_name_pace(name, 0);
	fire(2);
	answer("b.test.", "10.0.0.2", 1, NULL);
	assert_int_equal(fake_timer_left_ms(2), 1000);
	str_clear(&told);
}

static void
test_changes(void **state)
{
	(void)state;
	begin("a.test", WATCHED_ADDRESSES);
	answer("a.test", "10.0.0.1 10.0.0.2", 60, NULL);
	told_is("is 10.0.0.1 10.0.0.2\n");
	fire(0);
	/* A set has no order. */
	answer("a.test", "10.0.0.2 10.0.0.1", 60, NULL);
	told_is("");
	fire(0);
	answer("a.test", "10.0.0.2", 60, NULL);
	told_is("is 10.0.0.2\n");
	fire(0);
	answer("a.test", "10.0.0.2 ::1", 60, NULL);
	told_is("is ::1 10.0.0.2\n");
}

/* Nobody answers, for as long as one likes: nothing is lost. */
static void
test_failure(void **state)
{
	uint64_t want = WATCHED_NAME_RETRY_MIN_MS, since;

	(void)state;
	begin("a.test", WATCHED_ADDRESSES);
	answer("a.test", "", 0, "timeout");
	/* Nothing is stale of what was never known. */
	told_is("is, but timeout\n");
	fire(0);
	answer("a.test", "10.0.0.1", 60, NULL);
	told_is("is 10.0.0.1\n");
	fire(0);
	answer("a.test", "", 0, "timeout");
	told_is("is 10.0.0.1, but timeout, stale\n");
	since = watched_name_state(name)->stale_since_ms;
	for (int i = 0; i < 600; i++) {
		assert_in_range(fake_timer_left_ms(0), want * 95 / 100,
			want * 105 / 100);
		assert_int_equal(fake_wait_count(), 1);
		fire(0);
		answer("a.test", "", 0, "timeout");
		told_is("");
		want = want * 2 > WATCHED_NAME_RETRY_MAX_MS
			       ? WATCHED_NAME_RETRY_MAX_MS
			       : want * 2;
	}
	assert_int_equal(watched_name_state(name)->stale_since_ms, since);
	fire(0);
	answer("a.test", "", 0, "broken");
	told_is("is 10.0.0.1, but broken, stale\n");
	fire(0);
	answer("a.test", "10.0.0.1", 60, NULL);
	told_is("is 10.0.0.1\n");
	assert_int_equal(fake_wait_count(), 0);
	/* The next failure is asked again soon. */
	fire(0);
	answer("a.test", "", 0, "timeout");
	assert_in_range(fake_timer_left_ms(0), 950, 1050);
}

static void
test_gone(void **state)
{
	(void)state;
	begin("a.test", WATCHED_ADDRESSES);
	answer("a.test", "10.0.0.1", 60, NULL);
	str_clear(&told);
	fire(0);
	deny("a.test", RESOLVER_NO_NAME);
	told_is("is 10.0.0.1, but no such name, stale\n");
	/* It is confirmed soon, and not by who cannot say. */
	assert_in_range(fake_timer_left_ms(0), 950, 1050);
	fire(0);
	answer("a.test", "", 0, "timeout");
	told_is("is 10.0.0.1, but timeout, stale\n");
	fire(0);
	deny("a.test", RESOLVER_NO_NAME);
	told_is("is 10.0.0.1, but no such name, stale\n");
	fire(0);
	deny("a.test", RESOLVER_NO_DATA);
	told_is("is, but no address, gone\n");
	/* Still gone while nobody says anything else. */
	fire(0);
	answer("a.test", "", 0, "timeout");
	told_is("is, but timeout, gone\n");
	fire(0);
	answer("a.test", "10.0.0.2", 60, NULL);
	told_is("is 10.0.0.2\n");
	/* From the beginning. */
	fire(0);
	deny("a.test", RESOLVER_NO_DATA);
	told_is("is 10.0.0.2, but no address, stale\n");
}

/* What was known of a family holds when only the other one answers. */
static void
test_half_an_answer(void **state)
{
	struct addr addrs[2];
	struct resolver_answer a = {
		.verdict = RESOLVER_FOUND, .addrs = addrs, .ttl_s = 60
	};

	(void)state;
	begin("a.test", WATCHED_ADDRESSES);
	answer("a.test", "10.0.0.1 ::1", 60, NULL);
	told_is("is ::1 10.0.0.1\n");
	fire(0);
	a.addr_count = fake_addrs("10.0.0.2", addrs, 2);
	a.v6_failed = true;
	fake_give("a.test", false, &a);
	told_is("is ::1 10.0.0.2\n");
	fire(0);
	a.addr_count = fake_addrs("::2", addrs, 2);
	a.v6_failed = false;
	a.v4_failed = true;
	fake_give("a.test", false, &a);
	told_is("is ::2 10.0.0.2\n");
	fire(0);
	answer("a.test", "::2", 60, NULL);
	told_is("is ::2\n");
}

/* Other name servers: no pause is waited out. */
static void
test_servers_change(void **state)
{
	(void)state;
	begin("a.test", WATCHED_ADDRESSES);
	for (int i = 0; i < 8; i++) {
		answer("a.test", "", 0, "timeout");
		fire(0);
	}
	answer("a.test", "", 0, "timeout");
	assert_true(fake_timer_left_ms(0) > 25000);
	fake_waits[0]->cb(fake_waits[0]->arg);
	assert_int_equal(fake_timer_left_ms(0), 0);
	fire(0);
	/* While it is asked, it is not asked again. */
	fake_waits[0]->cb(fake_waits[0]->arg);
	assert_false(loop_timer_pending(fake_timer(0)));
	answer("a.test", "", 0, "timeout");
	assert_in_range(fake_timer_left_ms(0), 950, 1050);
	str_clear(&told);
}

/* The name's own question finds the other servers: it is asked once, and
 * nothing of it is left behind. */
static void
test_servers_change_found_by_asking(void **state)
{
	(void)state;
	begin("a.test", WATCHED_ADDRESSES);
	answer("a.test", "", 0, "timeout");
	fake_servers_change = true;
	fire(0);
	assert_false(fake_servers_change);
	assert_false(loop_timer_pending(fake_timer(0)));
	assert_int_equal(fake_query_count(), 1);
	answer("a.test", "", 0, "timeout");
	assert_in_range(fake_timer_left_ms(0), 950, 1050);
	str_clear(&told);
}

static void
test_free_in_callback(void **state)
{
	(void)state;
	begin("a.test", WATCHED_ADDRESSES);
	free_in_callback = true;
	answer("a.test", "10.0.0.1", 60, NULL);
	assert_null(name);
}

#define SRV "_http._tcp.web.test"

static void
services(const struct resolver_service *list, size_t count)
{
	struct resolver_answer a = { .verdict = RESOLVER_FOUND,
		.ttl_s = 60,
		.services = list,
		.service_count = count };

	fake_give(SRV, true, &a);
}

static void
test_services(void **state)
{
	static const struct resolver_service two[] = { { "a.test", 1, 10, 81 },
		{ "b.test", 2, 0, 82 } };
	static const struct resolver_service other[] = { { "B.test", 1, 5, 82 },
		{ "c.test", 1, 5, 83 }, { "b.test", 1, 5, 84 } };

	(void)state;
	begin(SRV, WATCHED_SERVICES);
	services(two, 2);
	answer("b.test.", "10.0.0.2", 60, NULL);
	told_is("");
	answer("a.test.", "10.0.0.1 ::1", 60, NULL);
	told_is("is 1/10 [::1]:81(a.test) 1/10 10.0.0.1:81(a.test) "
		"2/0 10.0.0.2:82(b.test)\n");
	/* A host is asked by its own TTL. */
	fire(1);
	answer("a.test.", "10.0.0.1", 60, NULL);
	told_is("is 1/10 10.0.0.1:81(a.test) 2/0 10.0.0.2:82(b.test)\n");
	/* The same services: the hosts are the same. */
	fire(0);
	services(two, 2);
	told_is("");
	assert_int_equal(fake_query_count(), 0);
	/* The old ones stay until the new ones are known. */
	fire(0);
	services(other, 3);
	told_is("");
	answer("c.test.", "10.0.0.3", 60, NULL);
	told_is("is 1/5 10.0.0.2:82(b.test) 1/5 10.0.0.2:84(b.test) "
		"1/5 10.0.0.3:83(c.test)\n");
	/* The first host is asked no more. */
	assert_null(fake_timer(1));
}

static void
test_services_problems(void **state)
{
	static const struct resolver_service two[] = { { "a.test", 1, 10, 81 },
		{ "b.test", 1, 10, 82 } };

	(void)state;
	begin(SRV, WATCHED_SERVICES);
	services(two, 2);
	answer("a.test.", "", 0, "timeout");
	answer("b.test.", "10.0.0.2", 60, NULL);
	told_is("is 1/10 10.0.0.2:82(b.test), but timeout\n");
	fire(1);
	answer("a.test.", "10.0.0.1", 60, NULL);
	told_is("is 1/10 10.0.0.1:81(a.test) 1/10 10.0.0.2:82(b.test)\n");
	/* A host that is gone takes its part away. */
	fire(2);
	deny("b.test.", RESOLVER_NO_NAME);
	fire(2);
	deny("b.test.", RESOLVER_NO_NAME);
	told_is("is 1/10 10.0.0.1:81(a.test) 1/10 10.0.0.2:82(b.test), but no "
		"such name, stale\n"
		"is 1/10 10.0.0.1:81(a.test), but no such name\n");
	/* All of them: there is nobody. */
	fire(1);
	deny("a.test.", RESOLVER_NO_NAME);
	told_is("");
	fire(1);
	deny("a.test.", RESOLVER_NO_NAME);
	told_is("is, but no such name, gone\n");
	fire(1);
	answer("a.test.", "10.0.0.1", 60, NULL);
	told_is("is 1/10 10.0.0.1:81(a.test), but no such name\n");
	/* The service itself: once is not enough. */
	fire(0);
	deny(SRV, RESOLVER_NO_DATA);
	told_is("is 1/10 10.0.0.1:81(a.test), but no address, stale\n");
	fire(0);
	deny(SRV, RESOLVER_NO_DATA);
	told_is("is, but no address, gone\n");
}

/* The new hosts are there, but nobody can say where: the former ones serve, and
 * what nobody serves from is asked no more. */
static void
test_services_change_to_the_unknown(void **state)
{
	static const struct resolver_service one[] = { { "a.test", 1, 10,
		81 } };
	static const struct resolver_service other[] = { { "b.test", 1, 10,
		82 } };
	static const struct resolver_service third[] = { { "c.test", 1, 10,
		83 } };

	(void)state;
	begin(SRV, WATCHED_SERVICES);
	services(one, 1);
	answer("a.test.", "10.0.0.1", 60, NULL);
	told_is("is 1/10 10.0.0.1:81(a.test)\n");
	fire(0);
	services(other, 1);
	answer("b.test.", "", 0, "broken");
	told_is("is 1/10 10.0.0.1:81(a.test), but broken, stale\n");
	/* Timers: the name, a, b; then c. */
	fire(0);
	services(third, 1);
	answer("c.test.", "", 0, "refused");
	told_is("is 1/10 10.0.0.1:81(a.test), but refused, stale\n");
	assert_non_null(fake_timer(1));
	assert_null(fake_timer(2));
	/* Once said to be gone is not enough. */
	fire(3);
	deny("c.test.", RESOLVER_NO_NAME);
	told_is("is 1/10 10.0.0.1:81(a.test), but no such name, stale\n");
	fire(3);
	deny("c.test.", RESOLVER_NO_NAME);
	told_is("is, but no such name, gone\n");
	assert_null(fake_timer(1));
	fire(3);
	answer("c.test.", "10.0.0.3", 60, NULL);
	told_is("is 1/10 10.0.0.3:83(c.test)\n");
}

/* The old hosts are not freed while one of them is what calls. */
static void
test_services_change_by_an_old_host(void **state)
{
	static const struct resolver_service one[] = { { "a.test", 1, 10,
		81 } };
	static const struct resolver_service other[] = { { "b.test", 1, 10,
		81 } };

	(void)state;
	begin(SRV, WATCHED_SERVICES);
	services(one, 1);
	answer("a.test.", "10.0.0.1", 60, NULL);
	fire(0);
	services(other, 1);
	str_clear(&told);
	fire(1);
	answer("a.test.", "10.0.0.9", 60, NULL);
	told_is("");
	fire(0);
	services(one, 1);
	told_is("is 1/10 10.0.0.9:81(a.test)\n");
	free_in_callback = true;
	fire(1);
	answer("a.test.", "10.0.0.8", 60, NULL);
	assert_null(name);
}

static void
test_free_while_asking(void **state)
{
	static const struct resolver_service one[] = { { "a.test", 1, 10,
		81 } };

	(void)state;
	begin(SRV, WATCHED_SERVICES);
	services(one, 1);
	assert_int_equal(fake_query_count(), 1);
	watched_name_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ttl),
		TEST(test_pace),
		TEST(test_changes),
		TEST(test_failure),
		TEST(test_gone),
		TEST(test_half_an_answer),
		TEST(test_servers_change),
		TEST(test_servers_change_found_by_asking),
		TEST(test_free_in_callback),
		TEST(test_services),
		TEST(test_services_problems),
		TEST(test_services_change_to_the_unknown),
		TEST(test_services_change_by_an_old_host),
		TEST(test_free_while_asking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
