/* Deadlines on the wheel, with time in the test's hands. */
#include "net/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/net/fake_time.h"

struct fixture {
	struct wheel *wheel;
};

struct timed {
	struct wheel_timer timer; /* must be first */
	struct fixture *fixture;
	uint64_t fired_ms;
	unsigned count;
	struct timed *removes; /* when it fires */
	unsigned again;        /* times that it sets itself anew */
};

static void
on_timed(struct wheel_timer *t)
{
	struct timed *timed = (struct timed *)(void *)t;
	struct fixture *f = timed->fixture;

	timed->fired_ms = fake_now_ms;
	timed->count++;
	if (timed->removes != NULL)
		wheel_timer_remove(f->wheel, &timed->removes->timer);
	if (timed->again > 0) {
		timed->again--;
		wheel_timer_set(f->wheel, t, timed->fired_ms + 10);
	}
}

/* Once, and late by no more than a tick. */
static void
fired_at(const struct timed *t, uint64_t due_ms)
{
	assert_int_equal(t->count, 1);
	assert_in_range(t->fired_ms, due_ms, due_ms + WHEEL_TICK_MS);
}

static void
timed_init(struct timed *t, struct fixture *f)
{
	memset(t, 0, sizeof(*t));
	t->fixture = f;
	wheel_timer_init(&t->timer, on_timed);
}

static int
fixture_start(void **state)
{
	static struct fixture f;

	f.wheel = wheel_new(NULL);
	*state = &f;
	return 0;
}

static int
fixture_stop(void **state)
{
	struct fixture *f = *state;

	wheel_free(f->wheel);
	assert_null(fake_timers);
	return 0;
}

static void
timers_fire_when_due(void **state)
{
	static const unsigned delays[] = { 0, 1, 15, 16, 17, 100, 120, 7 };
	struct fixture *f = *state;
	struct timed t[8];
	uint64_t now = fake_now_ms;

	for (size_t i = 0; i < 8; i++) {
		timed_init(&t[i], f);
		wheel_timer_set(f->wheel, &t[i].timer, now + delays[i]);
		assert_true(wheel_timer_is_set(&t[i].timer));
	}
	pass(250);
	for (size_t i = 0; i < 8; i++) {
		assert_false(wheel_timer_is_set(&t[i].timer));
		fired_at(&t[i], now + delays[i]);
	}
}

static void
deadlines_move(void **state)
{
	struct fixture *f = *state;
	struct timed later, sooner, cleared, removed, far;
	uint64_t now = fake_now_ms;

	timed_init(&later, f);
	timed_init(&sooner, f);
	timed_init(&cleared, f);
	timed_init(&removed, f);
	timed_init(&far, f);
	wheel_timer_set(f->wheel, &later.timer, now + 20);
	wheel_timer_set(f->wheel, &later.timer, now + 120);
	wheel_timer_set(f->wheel, &sooner.timer, now + 60000);
	wheel_timer_set(f->wheel, &sooner.timer, now + 40);
	wheel_timer_set(f->wheel, &cleared.timer, now + 30);
	wheel_timer_clear(&cleared.timer);
	wheel_timer_set(f->wheel, &removed.timer, now + 30);
	wheel_timer_remove(f->wheel, &removed.timer);
	wheel_timer_set(f->wheel, &far.timer, now + 3600000);
	pass(200);
	fired_at(&later, now + 120);
	fired_at(&sooner, now + 40);
	assert_int_equal(cleared.count, 0);
	assert_int_equal(removed.count, 0);
	assert_int_equal(far.count, 0);
	wheel_timer_remove(f->wheel, &far.timer);
}

/* What a callback does to others, due at the same time, and to itself. */
static void
callbacks_change_the_wheel(void **state)
{
	struct fixture *f = *state;
	struct timed a, b, again;
	uint64_t now = fake_now_ms;

	timed_init(&a, f);
	timed_init(&b, f);
	timed_init(&again, f);
	a.removes = &b;
	b.removes = &a;
	again.again = 4;
	wheel_timer_set(f->wheel, &a.timer, now + 20);
	wheel_timer_set(f->wheel, &b.timer, now + 20);
	wheel_timer_set(f->wheel, &again.timer, now + 20);
	pass(300);
	assert_int_equal(a.count + b.count, 1);
	assert_int_equal(again.count, 5);
}

/* Further away than the wheel goes round; half of them are moved near. */
static void
far_deadlines_stay(void **state)
{
	struct fixture *f = *state;
	struct timed far[64];
	uint64_t now = fake_now_ms;

	for (size_t i = 0; i < 64; i++) {
		timed_init(&far[i], f);
		wheel_timer_set(f->wheel, &far[i].timer, now + 8000 + i * 400);
	}
	for (size_t i = 0; i < 64; i += 2)
		wheel_timer_set(f->wheel, &far[i].timer, now + 30 + i);
	pass(200);
	for (size_t i = 0; i < 64; i += 2) {
		fired_at(&far[i], now + 30 + i);
		assert_int_equal(far[i + 1].count, 0);
	}
	pass(40000);
	for (size_t i = 1; i < 64; i += 2)
		fired_at(&far[i], now + 8000 + i * 400);
}

/* Nobody looked for longer than the wheel goes round. */
static void
a_long_pause_skips_none(void **state)
{
	struct fixture *f = *state;
	struct timed t[64], far;
	uint64_t now = fake_now_ms;

	timed_init(&far, f);
	wheel_timer_set(f->wheel, &far.timer, now + 31000);
	for (size_t i = 0; i < 64; i++) {
		timed_init(&t[i], f);
		wheel_timer_set(f->wheel, &t[i].timer, now + i * 300);
	}
	fake_now_ms += 30000;
	pass(0);
	for (size_t i = 0; i < 64; i++) {
		assert_int_equal(t[i].count, 1);
		assert_int_equal(t[i].fired_ms, now + 30000);
	}
	assert_int_equal(far.count, 0);
	pass(2000);
	fired_at(&far, now + 31000);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, fixture_start, fixture_stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(timers_fire_when_due),
		TEST(deadlines_move),
		TEST(callbacks_change_the_wheel),
		TEST(far_deadlines_stay),
		TEST(a_long_pause_skips_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
