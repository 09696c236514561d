/*
 * Many deadlines on one timer of the loop: a hashed wheel of 16 ms ticks.
 * Deadlines are lazy: moving one later, or clearing it, only stores it; the
 * wheel files it anew when it comes by. Nothing filed, nothing ticks.
 */
#ifndef NET_WHEEL_H
#define NET_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define WHEEL_TICK_MS 16

struct loop;
struct wheel;
struct wheel_timer;

/* The deadline has passed (by less than two ticks); it is cleared. */
typedef void wheel_f(struct wheel_timer *t);

struct wheel_timer {                      /* lives inside what it times */
	struct wheel_timer *next, **link; /* link NULL: not filed */
	uint64_t deadline_ms;             /* 0: none */
	uint64_t filed;                   /* tick */
	wheel_f *cb;
};

struct wheel *wheel_new(struct loop *loop);
void wheel_free(struct wheel *w); /* the timers are the caller's */

void wheel_timer_init(struct wheel_timer *t, wheel_f *cb);
/* deadline_ms on the clock of loop_now_ms. */
void wheel_timer_set(
	struct wheel *w, struct wheel_timer *t, uint64_t deadline_ms);
/* Before the memory of t goes away. */
void wheel_timer_remove(struct wheel *w, struct wheel_timer *t);

/* The timer may stay filed: its memory must remain until it is removed. */
static inline void
wheel_timer_clear(struct wheel_timer *t)
{
	t->deadline_ms = 0;
}

static inline bool
wheel_timer_is_set(const struct wheel_timer *t)
{
	return t->deadline_ms != 0;
}

#endif
