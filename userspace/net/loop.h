/*
 * The event loop: the only file that names libevent for descriptors, timers
 * and signals. One loop per thread (EVENT_BASE_FLAG_NOLOCK).
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_fd;
struct loop_timer;
struct loop_signal;
struct event_base;

enum loop_what {
	LOOP_READ = 1,
	LOOP_WRITE = 2,
	LOOP_CLOSED = 4, /* the peer shut its side (EPOLLRDHUP) */
	LOOP_EDGE = 8,   /* edge-triggered */
};

struct loop *loop_new(void);
void loop_free(struct loop *l);
void loop_run(struct loop *l); /* until loop_stop */
void loop_stop(struct loop *l);
/* Time cached once per iteration. */
uint64_t loop_now_ms(struct loop *l);
/* After long work: timers that start in this iteration count from now, not from
 * before it. */
void loop_now_again(struct loop *l);
struct event_base *loop_base(struct loop *l); /* for evhttp */

typedef void loop_fd_f(int fd, unsigned what, void *arg);
/* Persistent for its whole life. what: or of enum loop_what. */
struct loop_fd *loop_fd_new(struct loop *l, int fd, unsigned what,
	loop_fd_f *cb, void *arg);
void loop_fd_change(struct loop_fd *f, unsigned what);
void loop_fd_free(struct loop_fd *f); /* does not close the descriptor */

typedef void loop_timer_f(void *arg);
struct loop_timer *loop_timer_new(struct loop *l, loop_timer_f *cb, void *arg);
/* One shot; starting a running timer moves it. */
void loop_timer_start(struct loop_timer *t, uint64_t delay_ms);
void loop_timer_stop(struct loop_timer *t);
bool loop_timer_pending(const struct loop_timer *t);
void loop_timer_free(struct loop_timer *t);

typedef void loop_signal_f(int signo, void *arg);
struct loop_signal *loop_signal_new(struct loop *l, int signo,
	loop_signal_f *cb, void *arg);
void loop_signal_free(struct loop_signal *s);

#endif
