/* A hashed timer wheel with lazy deadlines. */
#include "net/wheel.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/loop.h"

#define SLOTS 512 /* 8 s round; what lies further comes by more than once */

struct wheel {
	struct loop *loop;
	struct loop_timer *timer;
	uint64_t current; /* the last tick that was looked at */
	uint64_t wake; /* tick that the timer waits for; 0: it does not run */
	size_t count;  /* filed */
	struct wheel_timer *slots[SLOTS];
};

static uint64_t
tick_of(uint64_t ms)
{
	return (ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS;
}

static void
wake_at(struct wheel *w, uint64_t tick)
{
	uint64_t now = loop_now_ms(w->loop), at = tick * WHEEL_TICK_MS;

	w->wake = tick;
	loop_timer_start(w->timer, at > now ? at - now : 0);
}

static void
file_at(struct wheel *w, struct wheel_timer *t, uint64_t tick)
{
	struct wheel_timer **slot;

	if (w->count == 0)
		w->current = loop_now_ms(w->loop) / WHEEL_TICK_MS;
	if (tick <= w->current)
		tick = w->current + 1;
	if (tick >= w->current + SLOTS)
		tick = w->current + SLOTS - 1;
	slot = &w->slots[tick % SLOTS];
	t->filed = tick;
	t->next = *slot;
	t->link = slot;
	if (t->next != NULL)
		t->next->link = &t->next;
	*slot = t;
	w->count++;
	if (w->wake == 0 || tick < w->wake)
		wake_at(w, tick);
}

static void
unfile(struct wheel *w, struct wheel_timer *t)
{
	*t->link = t->next;
	if (t->next != NULL)
		t->next->link = t->link;
	t->link = NULL;
	t->next = NULL;
	w->count--;
}

static void
timer_due(struct wheel *w, struct wheel_timer *t)
{
	uint64_t tick = tick_of(t->deadline_ms);

	unfile(w, t);
	if (t->deadline_ms == 0)
		return;
	if (tick > w->current) {
		file_at(w, t, tick);
		return;
	}
	t->deadline_ms = 0;
	t->cb(t);
}

static void
slot_run(struct wheel *w, uint64_t tick)
{
	struct wheel_timer *due = w->slots[tick % SLOTS];

	w->slots[tick % SLOTS] = NULL;
	w->current = tick;
	if (due != NULL)
		due->link = &due;
	/* A callback may remove any of those that are left. */
	while (due != NULL)
		timer_due(w, due);
}

static void
next_wake(struct wheel *w)
{
	w->wake = 0;
	if (w->count == 0)
		return;
	for (uint64_t tick = w->current + 1;; tick++) {
		if (w->slots[tick % SLOTS] != NULL) {
			wake_at(w, tick);
			return;
		}
	}
}

static void
on_tick(void *arg)
{
	struct wheel *w = arg;
	uint64_t now = loop_now_ms(w->loop) / WHEEL_TICK_MS;
	uint64_t last = w->current + SLOTS;

	/* After a long pause once round is enough. */
	if (now > last)
		w->current = now - SLOTS;
	/* Those that callbacks file must not move the timer meanwhile. */
	w->wake = 1;
	while (w->current < now)
		slot_run(w, w->current + 1);
	next_wake(w);
}

struct wheel *
wheel_new(struct loop *loop)
{
	struct wheel *w = xcalloc(1, sizeof(*w));

	w->loop = loop;
	w->timer = loop_timer_new(loop, on_tick, w);
	return w;
}

void
wheel_free(struct wheel *w)
{
	if (w == NULL)
		return;
	loop_timer_free(w->timer);
	free(w);
}

void
wheel_timer_init(struct wheel_timer *t, wheel_f *cb)
{
	*t = (struct wheel_timer){ .cb = cb };
}

void
wheel_timer_set(struct wheel *w, struct wheel_timer *t, uint64_t deadline_ms)
{
	uint64_t tick = tick_of(deadline_ms);

	t->deadline_ms = deadline_ms > 0 ? deadline_ms : 1;
	if (t->link != NULL) {
		if (tick >= t->filed)
			return;
		unfile(w, t);
	}
	file_at(w, t, tick);
}

void
wheel_timer_remove(struct wheel *w, struct wheel_timer *t)
{
	t->deadline_ms = 0;
	if (t->link != NULL)
		unfile(w, t);
}
