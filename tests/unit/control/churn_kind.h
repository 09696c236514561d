/*
 * A kind of upstream whose endpoints change as the test says, in the control
 * process: 10.50.0.0/16, a window that moves on by some addresses with each
 * change. To be included before control_child.h.
 */
#ifndef TESTS_UNIT_CONTROL_CHURN_KIND_H
#define TESTS_UNIT_CONTROL_CHURN_KIND_H

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "model/endpoint.h"
#include "model/kind.h"
#include "net/loop.h"

#define CHURN_FIRST   0x0a320000u /* 10.50.0.0 */
#define CHURN_PORT    8080
#define CHURN_ADDRS   60000u
#define CHURN_WAIT_MS 20000

/* Shared by the test and the control process. */
struct churn {
	_Atomic uint32_t count;    /* endpoints of the set */
	_Atomic uint32_t step;     /* of them replaced by a change */
	_Atomic uint32_t every_ms; /* between two changes */
	_Atomic uint32_t left;     /* changes to come: the test sets it last */
	_Atomic uint32_t first;    /* address of the first endpoint now */
	_Atomic uint64_t changed_us; /* when the last change came */
	_Atomic bool stale;          /* its source cannot be asked */
};

static struct churn *churn;

struct churning {
	struct kind_host *host;
	struct loop_timer *timer;
	uint64_t next_ms;
	bool stale;
};

static inline void
churn_report(struct churning *w)
{
	uint32_t count = churn->count;
	struct endpoint *set = xcalloc(count + 1, sizeof(*set));
	uint64_t now = clock_monotonic_us();

	for (uint32_t i = 0; i < count; i++) {
		uint32_t ip = CHURN_FIRST +
			(churn->first - CHURN_FIRST + i) % CHURN_ADDRS;
		uint32_t ip_be = htonl(ip);

		set[i].addr.ip[10] = set[i].addr.ip[11] = 0xff;
		memcpy(set[i].addr.ip + 12, &ip_be, sizeof(ip_be));
		set[i].addr.port_be = htons(CHURN_PORT);
		set[i].weight = 1;
	}
	if (count > 0)
		snprintf(set[0].host, sizeof(set[0].host), "at-%llu",
			(unsigned long long)now);
	churn->changed_us = now;
	w->host->endpoints_replace(w->host, set, count);
	free(set);
}

static inline void
churn_on_timer(void *arg)
{
	struct churning *w = arg;
	uint64_t now = clock_monotonic_ms();

	loop_timer_start(w->timer, 1);
	if (w->stale != churn->stale) {
		w->stale = churn->stale;
		w->host->condition_set(w->host, !w->stale, "nobody answers");
	}
	if (churn->left == 0) {
		w->next_ms = now;
		return;
	}
	for (; churn->left > 0 && w->next_ms <= now;
		w->next_ms += churn->every_ms) {
		churn->first = CHURN_FIRST +
			(churn->first - CHURN_FIRST + churn->step) %
				CHURN_ADDRS;
		churn_report(w);
		churn->left--;
	}
}

static inline void *
churn_watch(const void *spec, struct kind_host *host)
{
	struct churning *w = xcalloc(1, sizeof(*w));

	(void)spec;
	w->host = host;
	w->timer = loop_timer_new(host->loop, churn_on_timer, w);
	churn_on_timer(w);
	return w;
}

static inline void
churn_unwatch(void *state)
{
	struct churning *w = state;

	loop_timer_free(w->timer);
	free(w);
}

static inline void *
churn_read(const struct doc *spec, struct error *err)
{
	(void)spec;
	(void)err;
	return xcalloc(1, 1);
}

static inline struct doc *
churn_print(const void *spec)
{
	(void)spec;
	return doc_new_map();
}

static inline void
churn_details(const void *spec, struct str *lines)
{
	(void)spec;
	(void)lines;
}

static const struct upstream_kind upstream_kind_churn = {
	.key = "churn",
	.title = "Churn",
	.read = churn_read,
	.print = churn_print,
	.free = free,
	.details = churn_details,
	.watch = churn_watch,
	.unwatch = churn_unwatch,
};
#define CONTROL_CHILD_KIND upstream_kind_churn

/* Before control is started. */
static inline void
churn_open(void)
{
	churn = mmap(NULL, sizeof(*churn), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(churn, MAP_FAILED);
	churn->first = CHURN_FIRST;
}

static inline void
churn_close(void)
{
	munmap(churn, sizeof(*churn));
}

/* So many changes; returns when the last has come. */
static inline void
churn_run(uint32_t changes, uint32_t every_ms)
{
	uint64_t end = clock_monotonic_ms() + CHURN_WAIT_MS;

	churn->every_ms = every_ms;
	churn->left = changes;
	while (churn->left > 0) {
		if (clock_monotonic_ms() > end)
			fail_msg("%u changes are left", churn->left);
		poll(NULL, 0, 1);
	}
}

#endif
