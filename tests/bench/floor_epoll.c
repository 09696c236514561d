/* The floor on bare epoll: one registration for a descriptor's whole life. */
#include <sys/epoll.h>

#include "tests/bench/floor.h"

#define EVENTS 256
#define INPUT  (EPOLLIN | EPOLLRDHUP | EPOLLET)

static int epoll;

static void
control(int op, struct floor_conn *c, unsigned events)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };

	epoll_ctl(epoll, op, c->fd, &ev);
}

void
floor_watch(struct floor_conn *c)
{
	control(EPOLL_CTL_ADD, c, INPUT);
}

void
floor_watch_output(struct floor_conn *c, bool on)
{
	control(EPOLL_CTL_MOD, c, on ? INPUT | EPOLLOUT : INPUT);
}

void
floor_unwatch(struct floor_conn *c)
{
	(void)c; /* closing does it */
}

static void
conn_event(struct floor_conn *c, unsigned events)
{
	if (c->fd >= 0 && events & EPOLLOUT)
		floor_output(c);
	if (c->fd >= 0 && events & ~(unsigned)EPOLLOUT)
		floor_input(c, events & ~(unsigned)(EPOLLOUT | EPOLLIN));
}

int
main(int argc, char **argv)
{
	struct epoll_event events[EVENTS], ev = { .events = EPOLLIN };
	int listener = floor_start(argc, argv);

	epoll = epoll_create1(0);
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &ev);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL)
				floor_accept(listener);
			else
				conn_event(
					events[i].data.ptr, events[i].events);
		}
		floor_reap();
	}
}
