/* Samples of dropped packets, read from gg_events. */
#include "fastpath/events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "base/mem.h"
#include "fastpath/inner.h"

struct fastpath_events {
	struct ring_buffer *ring;
	fastpath_event_f *cb; /* while reading; NULL: skip */
	void *arg;
};

static const char *
reason_name(uint16_t reason)
{
	static const char *const names[] = {
#define X(name, help) #name,
		GG_REASONS(X)
#undef X
	};

	return reason < GG_REASON_COUNT ? names[reason] : "unknown";
}

static int
on_sample(void *arg, void *data, size_t size)
{
	struct fastpath_events *e = arg;
	struct fastpath_event event;
	struct gg_event sample;

	if (e->cb == NULL || size < sizeof(sample))
		return 0;
	memcpy(&sample, data, sizeof(sample));
	event = (struct fastpath_event){
		.time_ns = sample.time_ns,
		.ifindex = sample.ifindex,
		.slot = sample.slot,
		.reason = reason_name(sample.reason),
		.from.port_be = sample.from_port_be,
		.to.port_be = sample.to_port_be,
		.l4_proto = sample.l4_proto,
		.length = sample.length,
	};
	memcpy(event.from.ip, sample.from, 16);
	memcpy(event.to.ip, sample.to, 16);
	e->cb(&event, e->arg);
	return 0;
}

struct fastpath_events *
fastpath_events_open(const struct fastpath *f, struct error *err)
{
	struct fastpath_events *e = xcalloc(1, sizeof(*e));
	int fd;

	for (size_t i = 0; i < f->sets.count; i++) {
		fd = f->sets.list[i].maps.fd[MAP_EVENTS];
		if (fd < 0)
			continue;
		if (e->ring == NULL)
			e->ring = ring_buffer__new(fd, on_sample, e, NULL);
		else if (ring_buffer__add(e->ring, fd, on_sample, e) != 0)
			goto fail;
		if (e->ring == NULL)
			goto fail;
	}
	if (e->ring == NULL) {
		error_set(err, ERROR_SYSTEM,
			"there is no kernel half whose drops could be read");
		fastpath_events_close(e);
		return NULL;
	}
	ring_buffer__consume(e->ring);
	return e;
fail:
	error_errno(err, errno, "cannot read " GG_MAP_EVENTS);
	fastpath_events_close(e);
	return NULL;
}

void
fastpath_events_close(struct fastpath_events *e)
{
	if (e == NULL)
		return;
	ring_buffer__free(e->ring);
	free(e);
}

int
fastpath_events_fd(const struct fastpath_events *e)
{
	return ring_buffer__epoll_fd(e->ring);
}

int
fastpath_events_read(struct fastpath_events *e, fastpath_event_f *cb, void *arg)
{
	int count;

	e->cb = cb;
	e->arg = arg;
	count = ring_buffer__consume(e->ring);
	e->cb = NULL;
	return count < 0 ? -1 : count;
}
