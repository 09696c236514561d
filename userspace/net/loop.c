/* The event loop: a thin wrapper of libevent. */
#include "net/loop.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

struct loop {
	struct event_base *base;
	struct event *spare; /* for a change; NULL: there is none */
	/* loop_now_ms: valid while libevent's own cached time is seen_at, which
	 * is looked at once in a callback. */
	struct timeval seen_at;
	uint64_t now_ms;
	bool in_callback, looked;
};

struct loop_fd {
	struct event *event;
	struct loop *loop;
	unsigned what;
	int fd;
	loop_fd_f *cb;
	void *arg;
};

struct loop_timer {
	struct event event;
	struct loop *loop;
	loop_timer_f *cb;
	void *arg;
};

struct loop_signal {
	struct event event;
	int signo;
	loop_signal_f *cb;
	void *arg;
};

static void
on_library_log(int severity, const char *text)
{
	(void)severity;
	log_debug("libevent: %s", text);
}

static void
on_library_fatal(int code)
{
	log_fatal("libevent: failed code=%d", code);
}

struct loop *
loop_new(void)
{
	struct loop *l = xcalloc(1, sizeof(*l));
	struct event_config *config;

	event_set_log_callback(on_library_log);
	event_set_fatal_callback(on_library_fatal);
	config = event_config_new();
	if (config == NULL ||
		event_config_set_flag(config,
			EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) <
			0 ||
		event_config_require_features(
			config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE) < 0)
		log_fatal("libevent: cannot be configured");
	l->base = event_base_new_with_config(config);
	event_config_free(config);
	if (l->base == NULL)
		log_fatal("libevent: no event base with epoll");
	return l;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	event_base_free(l->base);
	free(l->spare);
	free(l);
}

void
loop_run(struct loop *l)
{
	if (event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0)
		log_fatal("libevent: the loop failed");
}

void
loop_stop(struct loop *l)
{
	event_base_loopbreak(l->base);
}

void
loop_now_again(struct loop *l)
{
	event_base_update_cache_time(l->base);
}

uint64_t
loop_now_ms(struct loop *l)
{
	struct timeval tv;

	if (l->looked)
		return l->now_ms;
	/* libevent's time may be set back with the clock of the day; it only
	 * tells here whether an iteration has begun since. */
	event_base_gettimeofday_cached(l->base, &tv);
	if (l->now_ms == 0 || timercmp(&tv, &l->seen_at, !=)) {
		l->seen_at = tv;
		l->now_ms = clock_monotonic_ms();
	}
	l->looked = l->in_callback;
	return l->now_ms;
}

struct event_base *
loop_base(struct loop *l)
{
	return l->base;
}

/* A callback may free what it was called for, but not the loop. */
static void
callback_begin(struct loop *l)
{
	l->in_callback = true;
	l->looked = false;
}

static void
callback_end(struct loop *l)
{
	l->in_callback = l->looked = false;
}

static void
on_fd(int fd, short events, void *arg)
{
	struct loop_fd *f = arg;
	struct loop *l = f->loop;
	unsigned what = 0;

	if (events & EV_READ)
		what |= LOOP_READ;
	if (events & EV_WRITE)
		what |= LOOP_WRITE;
	if (events & EV_CLOSED)
		what |= LOOP_CLOSED;
	callback_begin(l);
	f->cb(fd, what, f->arg);
	callback_end(l);
}

static struct event *
event_take(struct loop *l)
{
	struct event *e = l->spare;

	if (e == NULL)
		return xmalloc(sizeof(*e));
	l->spare = NULL;
	return e;
}

static void
event_give(struct loop *l, struct event *e)
{
	event_del(e);
	if (l->spare == NULL)
		l->spare = e;
	else
		free(e);
}

static void
loop_fd_add(struct loop_fd *f, unsigned what)
{
	short events = EV_PERSIST;

	if (what & LOOP_READ)
		events |= EV_READ;
	if (what & LOOP_WRITE)
		events |= EV_WRITE;
	if (what & LOOP_CLOSED)
		events |= EV_CLOSED;
	if (what & LOOP_EDGE)
		events |= EV_ET;
	f->event = event_take(f->loop);
	f->what = what;
	if (event_assign(f->event, f->loop->base, f->fd, events, on_fd, f) < 0)
		log_fatal("libevent: cannot watch fd=%d", f->fd);
	if (!(what & (LOOP_READ | LOOP_WRITE | LOOP_CLOSED)))
		return;
	if (event_add(f->event, NULL) < 0)
		log_fatal("libevent: cannot watch fd=%d", f->fd);
}

struct loop_fd *
loop_fd_new(struct loop *l, int fd, unsigned what, loop_fd_f *cb, void *arg)
{
	struct loop_fd *f = xcalloc(1, sizeof(*f));

	f->loop = l;
	f->fd = fd;
	f->cb = cb;
	f->arg = arg;
	loop_fd_add(f, what);
	return f;
}

void
loop_fd_change(struct loop_fd *f, unsigned what)
{
	struct event *old = f->event;

	if (what == f->what)
		return;
	/* libevent refuses both kinds of triggering on one descriptor. */
	if ((what ^ f->what) & LOOP_EDGE)
		event_del(old);
	/* The new one before the old one goes: one epoll_ctl, not two. */
	loop_fd_add(f, what);
	event_give(f->loop, old);
}

void
loop_fd_free(struct loop_fd *f)
{
	if (f == NULL)
		return;
	event_give(f->loop, f->event);
	free(f);
}

static void
on_timer(int fd, short events, void *arg)
{
	struct loop_timer *t = arg;
	struct loop *l = t->loop;

	(void)fd;
	(void)events;
	callback_begin(l);
	t->cb(t->arg);
	callback_end(l);
}

struct loop_timer *
loop_timer_new(struct loop *l, loop_timer_f *cb, void *arg)
{
	struct loop_timer *t = xcalloc(1, sizeof(*t));

	t->loop = l;
	t->cb = cb;
	t->arg = arg;
	if (event_assign(&t->event, l->base, -1, 0, on_timer, t) < 0)
		log_fatal("libevent: cannot make a timer");
	return t;
}

void
loop_timer_start(struct loop_timer *t, uint64_t delay_ms)
{
	struct timeval tv = { (time_t)(delay_ms / 1000),
		(suseconds_t)(delay_ms % 1000) * 1000 };

	if (event_add(&t->event, &tv) < 0)
		log_fatal("libevent: cannot start a timer");
}

void
loop_timer_stop(struct loop_timer *t)
{
	event_del(&t->event);
}

bool
loop_timer_pending(const struct loop_timer *t)
{
	return event_pending(&t->event, EV_TIMEOUT, NULL) != 0;
}

void
loop_timer_free(struct loop_timer *t)
{
	if (t == NULL)
		return;
	event_del(&t->event);
	free(t);
}

static void
on_signal(int fd, short events, void *arg)
{
	struct loop_signal *s = arg;

	(void)fd;
	(void)events;
	s->cb(s->signo, s->arg);
}

struct loop_signal *
loop_signal_new(struct loop *l, int signo, loop_signal_f *cb, void *arg)
{
	struct loop_signal *s = xcalloc(1, sizeof(*s));

	s->signo = signo;
	s->cb = cb;
	s->arg = arg;
	if (event_assign(&s->event, l->base, signo, EV_SIGNAL | EV_PERSIST,
		    on_signal, s) < 0 ||
		event_add(&s->event, NULL) < 0)
		log_fatal("libevent: cannot watch signal=%d", signo);
	return s;
}

void
loop_signal_free(struct loop_signal *s)
{
	if (s == NULL)
		return;
	event_del(&s->event);
	free(s);
}
