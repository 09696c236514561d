/*
 * Time in the test's hands, in place of net/loop.c and base/clock.c: timers and
 * clocks, which go on when it says so. To be included once in a test program.
 */
#ifndef TESTS_UNIT_NET_FAKE_TIME_H
#define TESTS_UNIT_NET_FAKE_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"

struct loop_timer {
	loop_timer_f *cb;
	void *arg;
	bool started;
	uint64_t due_ms;
	size_t number;
	struct loop_timer *next;
};

static uint64_t fake_now_ms = 1000000;
static uint64_t fake_step_ms; /* so much passes whenever somebody looks */
static struct loop_timer *fake_timers; /* the youngest first */
static size_t fake_timers_started;     /* of all time */
static size_t fake_timers_made;        /* since there was none */

uint64_t
loop_now_ms(struct loop *l)
{
	(void)l;
	return clock_monotonic_ms();
}

uint64_t
clock_monotonic_ms(void)
{
	return fake_now_ms += fake_step_ms;
}

uint64_t
clock_monotonic_us(void)
{
	return clock_monotonic_ms() * 1000;
}

uint64_t
clock_realtime_ms(void)
{
	return 1795698000000 + clock_monotonic_ms();
}

struct loop_timer *
loop_timer_new(struct loop *l, loop_timer_f *cb, void *arg)
{
	struct loop_timer *t = xcalloc(1, sizeof(*t));

	(void)l;
	if (fake_timers == NULL)
		fake_timers_made = 0;
	*t = (struct loop_timer){ .cb = cb,
		.arg = arg,
		.number = fake_timers_made++,
		.next = fake_timers };
	fake_timers = t;
	return t;
}

void
loop_timer_start(struct loop_timer *t, uint64_t delay_ms)
{
	t->started = true;
	t->due_ms = fake_now_ms + delay_ms;
	fake_timers_started++;
}

void
loop_timer_stop(struct loop_timer *t)
{
	t->started = false;
}

bool
loop_timer_pending(const struct loop_timer *t)
{
	return t->started;
}

void
loop_timer_free(struct loop_timer *t)
{
	struct loop_timer **at = &fake_timers;

	if (t == NULL)
		return;
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	free(t);
}

static inline struct loop_timer *
fake_timer_next(void)
{
	struct loop_timer *first = NULL;

	for (struct loop_timer *t = fake_timers; t != NULL; t = t->next)
		if (t->started && (first == NULL || t->due_ms < first->due_ms))
			first = t;
	return first;
}

/* Time goes on to where it is due. */
static inline void
fake_timer_run(struct loop_timer *t)
{
	if (t->due_ms > fake_now_ms)
		fake_now_ms = t->due_ms;
	t->started = false;
	t->cb(t->arg);
}

/* The i-th that was made since there was none. NULL: it was freed. */
static inline struct loop_timer *
fake_timer(size_t i)
{
	struct loop_timer *t = fake_timers;

	while (t != NULL && t->number != i)
		t = t->next;
	return t;
}

/* What that one, which must be there and run, has to go. */
static inline uint64_t
fake_timer_left_ms(size_t i)
{
	const struct loop_timer *t = fake_timer(i);

	assert_true(t != NULL && t->started);
	return t->due_ms - fake_now_ms;
}

/* It runs off, whatever else is due. */
static inline void
fire(size_t i)
{
	struct loop_timer *t = fake_timer(i);

	assert_true(t != NULL && t->started);
	fake_timer_run(t);
}

/* Lets so much time pass; timers run off in their order. */
static inline void
pass(uint64_t ms)
{
	uint64_t until_ms = fake_now_ms + ms;
	struct loop_timer *t;

	while ((t = fake_timer_next()) != NULL && t->due_ms <= until_ms)
		fake_timer_run(t);
	fake_now_ms = until_ms;
}

#endif
