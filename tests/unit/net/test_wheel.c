/* Deadlines on the wheel, against the clock. */
#include "net/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/loop.h"

#define LATE_MS 60 /* two ticks, and the machine's own lateness */

struct fixture {
	struct loop *loop;
	struct wheel *wheel;
	struct loop_timer *end;
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

	timed->fired_ms = loop_now_ms(f->loop);
	timed->count++;
	if (timed->removes != NULL)
		wheel_timer_remove(f->wheel, &timed->removes->timer);
	if (timed->again > 0) {
		timed->again--;
		wheel_timer_set(f->wheel, t, timed->fired_ms + 10);
	}
}

static void
on_end(void *arg)
{
	loop_stop(arg);
}

static void
run_for(struct fixture *f, uint64_t ms)
{
	loop_timer_start(f->end, ms);
	loop_run(f->loop);
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

	f.loop = loop_new();
	f.wheel = wheel_new(f.loop);
	f.end = loop_timer_new(f.loop, on_end, f.loop);
	*state = &f;
	return 0;
}

static int
fixture_stop(void **state)
{
	struct fixture *f = *state;

	wheel_free(f->wheel);
	loop_timer_free(f->end);
	loop_free(f->loop);
	return 0;
}

static void
timers_fire_when_due(void **state)
{
	static const unsigned delays[] = { 0, 1, 15, 16, 17, 100, 120, 7 };
	struct fixture *f = *state;
	struct timed t[8];
	uint64_t now = loop_now_ms(f->loop);

	for (size_t i = 0; i < 8; i++) {
		timed_init(&t[i], f);
		wheel_timer_set(f->wheel, &t[i].timer, now + delays[i]);
		assert_true(wheel_timer_is_set(&t[i].timer));
	}
	run_for(f, 250);
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(t[i].count, 1);
		assert_false(wheel_timer_is_set(&t[i].timer));
		assert_in_range(t[i].fired_ms, now + delays[i],
			now + delays[i] + LATE_MS);
	}
}

static void
deadlines_move(void **state)
{
	struct fixture *f = *state;
	struct timed later, sooner, cleared, removed, far;
	uint64_t now = loop_now_ms(f->loop);

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
	run_for(f, 200);
	assert_int_equal(later.count, 1);
	assert_in_range(later.fired_ms, now + 120, now + 120 + LATE_MS);
	assert_int_equal(sooner.count, 1);
	assert_in_range(sooner.fired_ms, now + 40, now + 40 + LATE_MS);
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
	uint64_t now = loop_now_ms(f->loop);

	timed_init(&a, f);
	timed_init(&b, f);
	timed_init(&again, f);
	a.removes = &b;
	b.removes = &a;
	again.again = 4;
	wheel_timer_set(f->wheel, &a.timer, now + 20);
	wheel_timer_set(f->wheel, &b.timer, now + 20);
	wheel_timer_set(f->wheel, &again.timer, now + 20);
	run_for(f, 300);
	assert_int_equal(a.count + b.count, 1);
	assert_int_equal(again.count, 5);
}

/* Further away than the wheel goes round, in little time: the clock of the
 * test is real, so only that it is kept and found again can be seen. */
static void
far_deadlines_stay(void **state)
{
	struct fixture *f = *state;
	struct timed far[64];
	uint64_t now = loop_now_ms(f->loop);

	for (size_t i = 0; i < 64; i++) {
		timed_init(&far[i], f);
		wheel_timer_set(f->wheel, &far[i].timer, now + 8000 + i * 100);
	}
	for (size_t i = 0; i < 64; i++)
		wheel_timer_set(f->wheel, &far[i].timer, now + 30 + i);
	run_for(f, 200);
	for (size_t i = 0; i < 64; i++) {
		assert_int_equal(far[i].count, 1);
		assert_in_range(
			far[i].fired_ms, now + 30 + i, now + 30 + i + LATE_MS);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire_when_due),
		cmocka_unit_test(deadlines_move),
		cmocka_unit_test(callbacks_change_the_wheel),
		cmocka_unit_test(far_deadlines_stay),
	};

	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
