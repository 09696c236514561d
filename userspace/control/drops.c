/* The latest samples of dropped packets. */
#include "control/drops.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/admin.h"
#include "control/slots.h"
#include "net/loop.h"

struct drop {
	struct fastpath_event event;
	uint64_t time_ms; /* since 1970 */
	char interface[IF_NAMESIZE];
};

struct waiter {
	struct http_server_request *request;
	uint64_t after, until_ms;
};

struct drops {
	struct control *control;
	struct fastpath_events *events; /* NULL: problem says why */
	struct loop_fd *watch;
	struct error problem;
	uint64_t last; /* number of the newest, 0: none yet */
	struct drop items[DROPS_KEPT]; /* by number modulo their count */
	struct waiter waiters[DROPS_WAITING_MAX];
	size_t waiter_count;
};

struct drops *
drops_new(struct control *c)
{
	struct drops *d = xcalloc(1, sizeof(*d));

	d->control = c;
	error_set(&d->problem, ERROR_SYSTEM, "the kernel half is not opened");
	return d;
}

/* ---- one sample */

/* It may have gone since. */
static void
interface_name(uint32_t ifindex, char name[IF_NAMESIZE])
{
	if (if_indextoname(ifindex, name) == NULL)
		snprintf(name, IF_NAMESIZE, "%u", ifindex);
}

void
drops_add(struct drops *d, const struct fastpath_event *event)
{
	struct drop *to = &d->items[++d->last % DROPS_KEPT];
	uint64_t age_ms = clock_monotonic_ms() - event->time_ns / 1000000;

	to->event = *event;
	to->time_ms = clock_realtime_ms() - age_ms;
	interface_name(event->ifindex, to->interface);
}

static void
time_print(uint64_t ms, struct doc *to)
{
	time_t seconds = (time_t)(ms / 1000);
	char day[32], text[48];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%03uZ", day, (unsigned)(ms % 1000));
	doc_set_string(to, "time", text);
}

static void
protocol_print(uint8_t number, struct doc *to)
{
	static const struct {
		uint8_t number;
		const char *name;
	} names[] = {
		{ IPPROTO_TCP, "TCP" },
		{ IPPROTO_UDP, "UDP" },
		{ IPPROTO_ICMP, "ICMP" },
		{ IPPROTO_ICMPV6, "ICMPv6" },
	};
	char text[8];

	snprintf(text, sizeof(text), "%u", number);
	doc_set_string(to, "protocol", text);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].number == number)
			doc_set_string(to, "protocol", names[i].name);
}

/* Without a port where the packet had none. */
static void
address_print(const struct addr *addr, struct doc *to, const char *key)
{
	char text[ADDR_TEXT_MAX];

	doc_set_string(to, key,
		addr->port_be != 0 ? addr_format(addr, text)
				   : addr_format_ip(addr, text));
}

static void
drop_print(const struct drops *d, uint64_t number, struct doc *items)
{
	const struct drop *from = &d->items[number % DROPS_KEPT];
	const struct object *o = slot_gateway(d->control, from->event.slot);
	struct doc *to = doc_add(items, doc_new_map());

	doc_set(to, "number", doc_new_integer((int64_t)number));
	time_print(from->time_ms, to);
	doc_set_string(to, "interface", from->interface);
	doc_set_string(to, "reason", from->event.reason);
	address_print(&from->event.from, to, "source");
	address_print(&from->event.to, to, "destination");
	protocol_print(from->event.l4_proto, to);
	doc_set(to, "length", doc_new_integer(from->event.length));
	doc_set_string(to, "listener", o != NULL ? o->label : "");
}

struct doc *
drops_print(const struct drops *d, uint64_t after)
{
	uint64_t gone = d->last > DROPS_KEPT ? d->last - DROPS_KEPT : 0;
	struct doc *out = doc_new_map();
	struct doc *items = doc_set(out, "items", doc_new_list());

	if (after > d->last)
		after = 0;
	doc_set(out, "missed",
		doc_new_integer(gone > after ? (int64_t)(gone - after) : 0));
	for (uint64_t n = (gone > after ? gone : after) + 1; n <= d->last; n++)
		drop_print(d, n, items);
	doc_set(out, "last", doc_new_integer((int64_t)d->last));
	doc_set(out, "waiting", doc_new_integer((int64_t)d->waiter_count));
	if (d->events == NULL)
		doc_set_string(out, "problem", d->problem.text);
	return out;
}

/* ---- who waits for them */

static void
waiters_answer(struct drops *d, bool all)
{
	uint64_t now_ms = clock_monotonic_ms();
	size_t kept = 0;

	for (size_t i = 0; i < d->waiter_count; i++) {
		const struct waiter *w = &d->waiters[i];

		if (!all && w->after == d->last && now_ms < w->until_ms)
			d->waiters[kept++] = *w;
		else
			admin_reply_doc(
				w->request, 200, drops_print(d, w->after));
	}
	d->waiter_count = kept;
}

static uint64_t
query_number(const struct http_server_request *r, const char *name)
{
	const char *text = http_server_request_query(r, name);

	return text != NULL ? strtoull(text, NULL, 10) : 0;
}

void
drops_get(struct drops *d, struct http_server_request *r)
{
	uint64_t after = query_number(r, "after");
	uint64_t wait_ms = query_number(r, "wait");

	if (wait_ms > DROPS_WAIT_MS_MAX)
		wait_ms = DROPS_WAIT_MS_MAX;
	if (wait_ms == 0 || after != d->last || d->events == NULL ||
		d->waiter_count == DROPS_WAITING_MAX) {
		admin_reply_doc(r, 200, drops_print(d, after));
		return;
	}
	d->waiters[d->waiter_count++] = (struct waiter){ r, after,
		clock_monotonic_ms() + wait_ms };
}

void
drops_look(struct drops *d)
{
	waiters_answer(d, false);
}

/* ---- reading them */

static void
on_event(const struct fastpath_event *event, void *arg)
{
	drops_add(arg, event);
}

static void
on_readable(int fd, unsigned what, void *arg)
{
	struct drops *d = arg;

	(void)fd;
	(void)what;
	if (fastpath_events_read(d->events, on_event, d) < 0) {
		log_warn("kernel: samples of drops cannot be read any more");
		error_set(&d->problem, ERROR_SYSTEM,
			"samples of drops cannot be read any more");
		drops_close(d);
	}
	waiters_answer(d, d->events == NULL);
}

void
drops_reopen(struct drops *d)
{
	struct control *c = d->control;

	if (d->events != NULL)
		fastpath_events_read(d->events, on_event, d);
	drops_close(d);
	d->problem = (struct error)ERROR_INIT;
	d->events = fastpath_events_open(c->fastpath, &d->problem);
	if (d->events != NULL)
		d->watch = loop_fd_new(c->loop, fastpath_events_fd(d->events),
			LOOP_READ, on_readable, d);
	waiters_answer(d, d->events == NULL);
}

void
drops_close(struct drops *d)
{
	loop_fd_free(d->watch);
	d->watch = NULL;
	fastpath_events_close(d->events);
	d->events = NULL;
}

void
drops_free(struct drops *d)
{
	if (d == NULL)
		return;
	waiters_answer(d, true);
	drops_close(d);
	free(d);
}
