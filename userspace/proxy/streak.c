/* Failures in a row. */
#include "proxy/streak.h"

#include <stdlib.h>

#include "base/mem.h"
#include "model/image.h"
#include "net/loop.h"
#include "proxy/upstream.h"
#include "proxy/worker.h"

#define TELL_MS 50 /* a streak that goes on is told so often */

struct streaks {
	struct worker *worker;
	struct backend *waiting; /* to be told of */
	struct loop_timer *timer;
};

static void
tell(struct streaks *o, struct backend *b)
{
	struct streak_report *r = xcalloc(1, sizeof(*r));
	const struct mail mail = { .type = MAIL_STREAK, .object = r };

	*r = (struct streak_report){
		.upstream = b->id,
		.worker = o->worker->index,
		.addr = b->addr,
		.owner = b->owner,
		.errors = b->errors,
		.gateway_errors = b->gateway_errors,
	};
	b->told = b->errors > 0 || b->gateway_errors > 0;
	mailbox_send(o->worker->outbox, &mail);
}

void
streak_forget(struct backend *b)
{
	if (b->tell_at == NULL)
		return;
	*b->tell_at = b->tell_next;
	if (b->tell_next != NULL)
		b->tell_next->tell_at = b->tell_at;
	b->tell_at = NULL;
}

static void
on_timer(void *arg)
{
	struct streaks *o = arg;

	while (o->waiting != NULL) {
		struct backend *b = o->waiting;

		streak_forget(b);
		tell(o, b);
	}
}

struct streaks *
streaks_new(struct worker *w)
{
	struct streaks *o = xcalloc(1, sizeof(*o));

	o->worker = w;
	o->timer = loop_timer_new(w->loop, on_timer, o);
	return o;
}

void
streaks_free(struct streaks *o)
{
	if (o == NULL)
		return;
	loop_timer_free(o->timer);
	free(o);
}

static void
tell_later(struct streaks *o, struct backend *b)
{
	if (b->tell_at != NULL)
		return;
	b->tell_next = o->waiting;
	b->tell_at = &o->waiting;
	if (b->tell_next != NULL)
		b->tell_next->tell_at = &b->tell_next;
	o->waiting = b;
	if (!loop_timer_pending(o->timer))
		loop_timer_start(o->timer, TELL_MS);
}

static bool
is_enough(const struct backend *b, const struct image_upstream *u)
{
	return b->errors == u->outlier_errors ||
	       (b->gateway_errors > 0 &&
		       b->gateway_errors == u->outlier_gateway_errors);
}

/* What is enough by itself is told at once; not each time, where a single
 * failure is enough and control ejects nobody for it. */
static bool
may_tell(const struct streaks *o, struct backend *b)
{
	uint64_t now_ms = worker_now(o->worker);

	if (b->told_ms != 0 && now_ms < b->told_ms + TELL_MS)
		return false;
	b->told_ms = now_ms;
	return true;
}

void
streak_note(struct streaks *o, struct backend *b,
	const struct image_upstream *u, enum streak_result result)
{
	if (u->outlier_errors == 0 && u->outlier_gateway_errors == 0)
		return;
	if (result == STREAK_GOOD) {
		if (b->errors == 0 && b->gateway_errors == 0)
			return;
		b->errors = b->gateway_errors = 0;
		if (b->told)
			tell_later(o, b);
		else
			streak_forget(b);
		return;
	}
	b->errors++;
	if (result == STREAK_GATEWAY_ERROR)
		b->gateway_errors++;
	else
		b->gateway_errors = 0;
	if (is_enough(b, u) && may_tell(o, b)) {
		streak_forget(b);
		tell(o, b);
	} else {
		tell_later(o, b);
	}
}
