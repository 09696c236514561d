/* Tests userspace/control/health.c: what stays with an endpoint when its set
 * or its upstream changes. Nothing is asked: the loop does not run. */
#include "control/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/loop.h"

#define ID 7

struct fixture {
	struct control c;
	struct object o;
	struct model_upstream upstream;
	struct model_object model, other, third;
	struct model_health_check check;
	struct policy_outlier outlier;
	struct health *h;
	unsigned changes;
};

static void
on_changed(void *arg)
{
	struct fixture *f = arg;

	f->changes++;
}

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->check = (struct model_health_check){ .type = MODEL_HEALTH_TCP,
		.timeout_ms = 1000,
		.interval_ms = 1000,
		.unhealthy_threshold = 1,
		.healthy_threshold = 1 };
	f->outlier = (struct policy_outlier){ .interval_ms = 1000,
		.ejection_ms = 60000,
		.ejection_max_ms = 60000,
		.errors = 5,
		.errors_enforced = 100,
		.ejected_max_percent = 100 };
	f->upstream.health_checks = &f->check;
	f->upstream.health_check_count = 1;
	f->upstream.outlier = &f->outlier;
	/* More references than are given back: it is not on the heap. */
	f->model = (struct model_object){
		.type = MODEL_UPSTREAM, .refs = 100, .upstream = &f->upstream
	};
	f->other = f->third = f->model;
	f->o = (struct object){ .ns = (char[]){ "gloo-system" },
		.name = (char[]){ "a" },
		.label = (char[]){ "gloo-system.a" },
		.id = ID,
		.model = &f->model };
	f->c.loop = loop_new();
	f->c.workers = 2;
	f->c.healths = healths_new(&f->c);
	f->h = health_new(&f->c, &f->o, on_changed, f);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	health_free(f->h);
	healths_free(f->c.healths);
	loop_free(f->c.loop);
	free(f);
	return 0;
}

static struct endpoint
at(uint16_t port, enum endpoint_health health)
{
	struct endpoint e = { .weight = 1, .health = (uint8_t)health };

	addr_parse_ip("127.0.0.1", port, &e.addr);
	return e;
}

static struct endpoint
owned(uint16_t port, uint64_t owner)
{
	struct endpoint e = at(port, ENDPOINT_UP);

	e.owner = owner;
	return e;
}

static void
report(struct fixture *f, uint16_t port, uint32_t errors)
{
	struct wire_message m = { .type = WIRE_OUTLIER };

	m.outlier.upstream = ID;
	m.outlier.worker = 1;
	m.outlier.addr = at(port, ENDPOINT_UP).addr;
	m.outlier.errors = errors;
	healths_outlier(f->c.healths, &m);
}

static void
tls_fails(struct fixture *f, uint16_t port, uint64_t owner, const char *text)
{
	struct wire_message m = { .type = WIRE_TLS };

	m.tls.upstream = ID;
	m.tls.addr = at(port, ENDPOINT_UP).addr;
	m.tls.owner = owner;
	snprintf(m.text, sizeof(m.text), "%s", text);
	healths_tls(f->c.healths, &m);
}

static void
expect_problem(const struct fixture *f, size_t i, const char *text)
{
	struct health_view view;

	health_view(f->h, i, &view);
	if (text == NULL)
		assert_null(view.problem);
	else
		assert_string_equal(view.problem, text);
}

static void
expect_failing(const struct fixture *f, uint64_t failing)
{
	struct health_counts counts;

	health_counts(f->h, &counts);
	assert_int_equal(counts.tls_failing, failing);
}

/* "up down draining": of the set, in its order. */
static void
expect(const struct fixture *f, const char *text)
{
	size_t count;
	const struct endpoint *set = health_endpoints(f->h, &count);
	struct str got;

	str_init(&got);
	for (size_t i = 0; i < count; i++)
		str_printf(&got, "%s%s", i > 0 ? " " : "",
			health_name((enum endpoint_health)set[i].health));
	assert_string_equal(got.data, text);
	str_fini(&got);
}

static void
expect_why(const struct fixture *f, size_t i, const char *text)
{
	struct health_view view;

	health_view(f->h, i, &view);
	if (strncmp(view.why, text, strlen(text)) != 0)
		fail_msg("%zu: \"%s\", not \"%s\"", i, view.why, text);
}

static void
test_same_set(void **state)
{
	struct fixture *f = *state;
	struct endpoint set[] = { at(2, ENDPOINT_UP), at(1, ENDPOINT_UP) };

	assert_true(health_replace(f->h, set, 2));
	assert_false(health_replace(f->h, set, 2));
	report(f, 1, 5);
	expect(f, "up down");
	/* What discovery says has not changed. */
	assert_false(health_replace(f->h, set, 2));
	set[0].weight = 2;
	assert_true(health_replace(f->h, set, 2));
	expect(f, "up down");
	assert_true(health_replace(f->h, NULL, 0));
	expect(f, "");
}

static void
test_stays(void **state)
{
	struct fixture *f = *state;
	const struct endpoint first[] = { at(1, ENDPOINT_UP),
		at(2, ENDPOINT_UP), at(3, ENDPOINT_UP) };
	const struct endpoint then[] = { at(4, ENDPOINT_UP), at(3, ENDPOINT_UP),
		at(1, ENDPOINT_UP) };
	struct health_counts counts;

	health_replace(f->h, first, 3);
	report(f, 1, 5);
	report(f, 2, 5);
	report(f, 3, 4);
	expect(f, "down down up");
	health_replace(f->h, then, 3);
	expect(f, "up up down");
	expect_why(f, 2, "ejected, ");
	health_counts(f->h, &counts);
	assert_int_equal(counts.ejected, 1);
	assert_int_equal(counts.up, 2);
	assert_int_equal(counts.down, 1);
	/* Who left and comes back is a new one. */
	health_replace(f->h, first, 3);
	expect(f, "down up up");
}

/* It is told with the endpoint, and says nothing of its health. */
static void
test_tls(void **state)
{
	struct fixture *f = *state;
	const struct endpoint set[] = { at(1, ENDPOINT_UP), at(2, ENDPOINT_UP),
		owned(3, 30) };

	health_replace(f->h, set, 3);
	tls_fails(f, 1, 0, "one");
	tls_fails(f, 2, 0, "two");
	tls_fails(f, 3, 31, "of another owner");
	tls_fails(f, 4, 0, "nobody");
	expect(f, "up up up");
	expect_problem(f, 0, "one");
	expect_problem(f, 1, "two");
	expect_problem(f, 2, NULL);
	expect_failing(f, 2);
	tls_fails(f, 1, 0, "one\x1b[2J more");
	expect_problem(f, 0, "one?[2J more");
	tls_fails(f, 2, 0, "");
	tls_fails(f, 2, 0, "");
	expect_failing(f, 1);
	tls_fails(f, 3, 30, "three");
	expect_failing(f, 2);
	/* It stays with who stays. */
	health_replace(f->h, set + 1, 2);
	expect_problem(f, 1, "three");
	expect_failing(f, 1);
	healths_forget_workers(f->c.healths);
	expect_failing(f, 0);
	expect_problem(f, 1, NULL);
	tls_fails(f, 2, 0, "two");
}

static void
test_same_address_twice(void **state)
{
	struct fixture *f = *state;
	const struct endpoint set[] = { at(1, ENDPOINT_UP), at(2, ENDPOINT_UP),
		at(1, ENDPOINT_UP) };
	struct health_counts counts;

	health_replace(f->h, set, 3);
	report(f, 1, 5);
	expect(f, "down up down");
	health_replace(f->h, set, 1);
	expect(f, "down");
	health_counts(f->h, &counts);
	assert_int_equal(counts.ejected, 1);
}

/* Another owner of an address has not failed, whatever the former did. */
static void
test_another_owner(void **state)
{
	struct fixture *f = *state;
	const struct endpoint first[] = { owned(1, 10), owned(2, 20) };
	const struct endpoint then[] = { owned(1, 11), owned(2, 20) };
	struct wire_message late = { .type = WIRE_OUTLIER };
	struct health_counts counts;

	health_replace(f->h, first, 2);
	report(f, 1, 5);
	report(f, 2, 5);
	expect(f, "down down");
	assert_true(health_replace(f->h, then, 2));
	expect(f, "up down");
	expect_why(f, 0, "");
	health_counts(f->h, &counts);
	assert_int_equal(counts.ejected, 1);
	assert_int_equal(counts.ejections, 2);
	/* What a worker still says of the former does not count. */
	late.outlier.upstream = ID;
	late.outlier.addr = then[0].addr;
	late.outlier.owner = 10;
	late.outlier.errors = 5;
	healths_outlier(f->c.healths, &late);
	expect(f, "up down");
	late.outlier.owner = 11;
	healths_outlier(f->c.healths, &late);
	expect(f, "down down");
}

/* The one that knows its check was down: the other is asked anew. */
static void
test_another_owner_after_a_restart(void **state)
{
	struct fixture *f = *state;
	struct endpoint set[] = { owned(1, 10), owned(2, 20) };

	set[0].health = set[1].health = ENDPOINT_DOWN;
	health_restore(f->h, set, 2);
	expect(f, "down down");
	set[0] = owned(1, 11);
	set[1] = owned(2, 20);
	assert_true(health_replace(f->h, set, 2));
	expect(f, "up down");
}

static void
test_unknown_owner(void **state)
{
	struct fixture *f = *state;
	struct endpoint set[] = { owned(1, 0) };
	const struct endpoint *shown;
	size_t count;

	health_replace(f->h, set, 1);
	report(f, 1, 5);
	expect(f, "down");
	/* It becomes known. */
	set[0].owner = 10;
	assert_true(health_replace(f->h, set, 1));
	expect(f, "down");
	/* Not said any more: nothing new, and it is remembered. */
	set[0].owner = 0;
	assert_false(health_replace(f->h, set, 1));
	set[0].weight = 2;
	assert_true(health_replace(f->h, set, 1));
	expect(f, "down");
	shown = health_endpoints(f->h, &count);
	assert_int_equal(shown[0].owner, 10);
	/* So another is known as another. */
	set[0].owner = 11;
	assert_true(health_replace(f->h, set, 1));
	expect(f, "up");
}

static void
test_worst(void **state)
{
	struct fixture *f = *state;
	struct endpoint set[] = { at(1, ENDPOINT_DRAINING),
		at(2, ENDPOINT_DOWN), at(3, ENDPOINT_UP) };

	health_replace(f->h, set, 3);
	expect(f, "draining down up");
	expect_why(f, 0, "discovery says so");
	expect_why(f, 2, "");
	report(f, 1, 5);
	expect(f, "down down up");
	expect_why(f, 0, "ejected, 60 s left");
	set[1].health = 77; /* no word of ours */
	health_replace(f->h, set, 3);
	expect(f, "down down up");
}

static void
test_restore(void **state)
{
	struct fixture *f = *state;
	struct endpoint set[] = { at(1, ENDPOINT_DOWN), at(2, ENDPOINT_UP) };
	struct model_upstream plain = { .outlier = &f->outlier };
	struct model_upstream changed = f->upstream;
	struct model_health_check slower = f->check;

	slower.interval_ms = 2000;
	changed.health_checks = &slower;
	f->other.upstream = &changed;
	f->third.upstream = &plain;
	health_restore(f->h, set, 2);
	expect(f, "down up");
	expect_why(f, 0, "down before");
	/* Discovery says what it said then: nothing new. */
	set[0].health = ENDPOINT_UP;
	assert_false(health_replace(f->h, set, 2));
	expect(f, "down up");
	/* Other checks: down until they have asked. No checks: not known. */
	health_change(f->h, &f->other);
	expect(f, "down up");
	health_change(f->h, &f->third);
	expect(f, "up up");
	health_change(f->h, &f->other);
	expect(f, "up up");
}

static void
test_judged_no_more(void **state)
{
	struct fixture *f = *state;
	const struct endpoint set[] = { at(1, ENDPOINT_UP) };
	struct model_upstream plain = f->upstream;
	struct health_counts counts;

	health_replace(f->h, set, 1);
	report(f, 1, 5);
	expect(f, "down");
	plain.outlier = NULL;
	f->other.upstream = &plain;
	health_change(f->h, &f->other);
	expect(f, "up");
	report(f, 1, 500);
	expect(f, "up");
	health_counts(f->h, &counts);
	assert_int_equal(counts.ejected, 0);
	assert_int_equal(counts.ejections, 1);
}

/* Workers that are gone count for nothing. */
static void
test_forget(void **state)
{
	struct fixture *f = *state;
	const struct endpoint set[] = { at(1, ENDPOINT_UP) };
	struct wire_message m = { .type = WIRE_OUTLIER };

	health_replace(f->h, set, 1);
	report(f, 1, 4);
	healths_forget_workers(f->c.healths);
	m.outlier.upstream = ID;
	m.outlier.addr = set[0].addr;
	m.outlier.errors = 4;
	healths_outlier(f->c.healths, &m);
	expect(f, "up");
	report(f, 1, 1);
	expect(f, "down");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(test_same_set),
		CASE(test_stays),
		CASE(test_tls),
		CASE(test_same_address_twice),
		CASE(test_another_owner),
		CASE(test_another_owner_after_a_restart),
		CASE(test_unknown_owner),
		CASE(test_worst),
		CASE(test_restore),
		CASE(test_judged_no_more),
		CASE(test_forget),
	};

	log_open("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
