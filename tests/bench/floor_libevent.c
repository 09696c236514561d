/* The floor on libevent: one persistent edge-triggered event per descriptor. */
#include <event2/event.h>
#include <stdlib.h>

#include "tests/bench/floor.h"

static struct event_base *base;

/* EV_WRITE comes and goes in an event of its own. */
struct watch {
	struct event *input, *output;
};

static void
on_event(int fd, short what, void *arg)
{
	struct floor_conn *c = arg;

	(void)fd;
	if (c->fd >= 0 && what & EV_WRITE)
		floor_output(c);
	if (c->fd >= 0 && what & (EV_READ | EV_CLOSED))
		floor_input(c, what & EV_CLOSED);
}

void
floor_watch(struct floor_conn *c)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		exit(1);
	w->input = event_new(base, c->fd,
		EV_READ | EV_CLOSED | EV_ET | EV_PERSIST, on_event, c);
	event_add(w->input, NULL);
	c->watch = w;
}

void
floor_watch_output(struct floor_conn *c, bool on)
{
	struct watch *w = c->watch;

	if (w->output == NULL)
		w->output = event_new(base, c->fd,
			EV_WRITE | EV_ET | EV_PERSIST, on_event, c);
	if (on)
		event_add(w->output, NULL);
	else
		event_del(w->output);
}

void
floor_unwatch(struct floor_conn *c)
{
	struct watch *w = c->watch;

	event_free(w->input);
	if (w->output != NULL)
		event_free(w->output);
	free(w);
}

static void
on_accept(int fd, short what, void *arg)
{
	(void)what;
	(void)arg;
	floor_accept(fd);
}

int
main(int argc, char **argv)
{
	struct event_config *config = event_config_new();
	int listener = floor_start(argc, argv);
	struct event *accepting;

	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	base = event_base_new_with_config(config);
	accepting = event_new(
		base, listener, EV_READ | EV_PERSIST, on_accept, NULL);
	event_add(accepting, NULL);
	while (event_base_loop(base, EVLOOP_ONCE) == 0)
		floor_reap();
}
