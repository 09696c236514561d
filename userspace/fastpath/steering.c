/* Services that XDP steers by itself, as control calls for them. */
#include "fastpath/steering.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "fastpath/inner.h"
#include "fastpath/sync.h"
#include "fastpath/tending.h"
#include "fastpath/watch.h"

#define ROUTES_PAUSE_MS 500 /* between looks that word of routes leads to */

void
steering_open(struct fastpath *f)
{
	steered_init(&f->steering.steered, &f->sets);
}

void
steering_close(struct fastpath *f)
{
	steered_fini(&f->steering.steered);
	free(f->steering.shown_backends);
}

/* ---- setting */

static void
attached_take(struct fastpath *f)
{
	struct steered *s = &f->steering.steered;

	s->attached.count = s->native.count = 0;
	s->generic = false;
	s->listeners = f->listeners;
	s->listener_count = f->listener_count;
	for (size_t i = 0; i < f->interface_count; i++) {
		const struct interface *interface = &f->interfaces[i];

		if (!interface->shown.attached)
			continue;
		tx_want(&s->attached, interface->ifindex, NULL);
		if (interface->shown.mode == FASTPATH_GENERIC)
			s->generic = true;
		else
			tx_want(&s->native, interface->ifindex, NULL);
	}
}

static void
flags_write(struct fastpath *f, uint32_t flags, bool on)
{
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < f->sets.count; i++) {
		for (uint32_t flag = GG_CFG_STEER; flag <= GG_CFG_ROUTE;
			flag <<= 1) {
			if (flags & flag &&
				maps_flag(&f->sets.list[i].maps, flag, on,
					&err) != 0)
				log_warn("fastpath: %s", err.text);
		}
	}
}

/* gg_vip, to what is published; the flags that it needs on before and off
 * after. */
static int
publish(struct fastpath *f, struct error *err)
{
	uint32_t flags = steered_flags(&f->steering.steered);
	struct error *published = &f->steering.published;

	*published = (struct error)ERROR_INIT;
	flags_write(f, flags, true);
	if (listeners_sync(f, published) != 0)
		return error_set(err, published->code, "%s", published->text);
	flags_write(f, ~flags, false);
	/* One that had to wait until no service is steered. */
	return sets_seed(&f->sets, err);
}

/* Never before the last tick: windows that begin now end with its clock. */
static uint64_t
time_now(const struct fastpath *f)
{
	uint64_t now_ms = clock_monotonic_ms();

	return now_ms > f->steering.now_ms ? now_ms : f->steering.now_ms;
}

int
steering_sync(struct fastpath *f, struct error *err)
{
	struct steered *s = &f->steering.steered;
	struct error first = ERROR_INIT;

	if (!s->wanted || f->sets.count == 0)
		return 0;
	f->steering.commits++;
	attached_take(f);
	if (steered_open(s, &first) != 0) {
		f->steering.published = first;
		return error_set(err, first.code, "%s", first.text);
	}
	steered_judge(s, &first);
	if (steered_withdraw(s)) {
		publish(f, &first);
		steered_drop(s);
	}
	steered_fill(s, time_now(f), &first);
	publish(f, &first);
	steered_drop(s);
	if (first.code == ERROR_NONE)
		return 0;
	return error_set(err, first.code, "%s", first.text);
}

uint64_t
fastpath_steering_commits(const struct fastpath *f)
{
	return f->steering.commits;
}

static void
neighbours_watch(struct fastpath *f)
{
	struct error err = ERROR_INIT;

	if (f->watch_fd < 0 || f->steering.neighbours_watched)
		return;
	f->steering.neighbours_watched = true;
	if (watch_neighbours(f->watch_fd, &err) != 0)
		log_warn("fastpath: %s", err.text);
}

int
fastpath_services_set(struct fastpath *f, const struct fastpath_service *set,
	size_t count, struct error *err)
{
	if (steered_want(&f->steering.steered, set, count, err) != 0)
		return -1;
	if (count > 0)
		neighbours_watch(f);
	return steering_sync(f, err);
}

int
fastpath_service_check(struct fastpath *f,
	const struct fastpath_service *service, struct error *err)
{
	struct steered *s = &f->steering.steered;
	struct service_conf *conf = service_conf_new(service);
	struct service_left left = { 0 };
	int rc;

	attached_take(f);
	if (f->sets.count == 0)
		rc = service_conf_check(conf, err);
	else if (steered_open(s, err) != 0)
		rc = -1;
	else
		rc = steered_judge_one(s, conf, &left, err);
	service_conf_free(conf);
	return rc;
}

uint32_t
fastpath_service_slot(const struct fastpath *f, const struct addr *addr,
	uint8_t l4_proto)
{
	uint32_t slot = 0;
	uint8_t mode;

	for (size_t i = 0; i < f->sets.count && slot == 0; i++)
		slot = sync_slot_of(&f->sets.list[i].maps, addr, l4_proto,
			&mode);
	return slot;
}

/* ---- time and news */

static void
on_neighbour(uint32_t ifindex, const uint8_t ip[16], void *arg)
{
	struct fastpath *f = arg;

	tending_neighbour(&f->steering.steered, ifindex, ip,
		clock_monotonic_ms());
}

static bool
any_refused(const struct steered *s)
{
	for (size_t slot = 0; slot < GG_SLOTS_MAX; slot++) {
		const struct service *service = &s->list[slot];

		/* Or of one that is accepted a backend is left out. */
		if (service->wanted != NULL &&
			(!service->accepted || service->problem[0] != '\0'))
			return true;
	}
	return false;
}

bool
steering_watch(struct fastpath *f)
{
	struct watch_news news = watch_read(f->watch_fd, on_neighbour, f);
	struct steered *s = &f->steering.steered;
	uint64_t now_ms = clock_monotonic_ms();

	if (news.routes || news.lost) {
		tending_routes(s);
		/* The rest waits for the next tick, so that a flood of news
		 * costs no flood of questions. */
		if (now_ms - f->steering.routes_ms >= ROUTES_PAUSE_MS) {
			f->steering.routes_ms = now_ms;
			tending_ways(s, now_ms);
		}
	}
	return news.addresses || news.lost;
}

void
fastpath_steering_tick(struct fastpath *f, uint64_t now_ms)
{
	struct steered *s = &f->steering.steered;
	struct error err = ERROR_INIT;

	if (f->sets.count == 0)
		return;
	f->steering.now_ms = now_ms;
	/* What was wrong may be right now, and the other way round. */
	if ((s->listeners_changed || (s->routes_changed && any_refused(s))) &&
		steering_sync(f, &err) != 0)
		log_debug("fastpath: %s", err.text);
	s->listeners_changed = false;
	s->routes_changed = false;
	tending_tick(s, now_ms);
}

/* ---- state */

static void
hits_add(const struct fastpath *f, uint16_t index,
	struct fastpath_backend_status *status)
{
	struct gg_backend_hits sum = { 0 };

	for (size_t i = 0; i < f->sets.count; i++)
		maps_count_backend(&f->sets.list[i].maps, index, &sum);
	status->packets = sum.packets;
	status->bytes = sum.bytes;
	status->connections = sum.connections;
}

static void
backends_show(struct fastpath *f, uint32_t slot)
{
	const struct steered *s = &f->steering.steered;
	struct fastpath_service_state *shown = &f->steering.shown;
	struct fastpath_backend_status *list = f->steering.shown_backends;

	if (list == NULL)
		list = xcalloc(GG_BACKENDS_MAX, sizeof(*list));
	f->steering.shown_backends = list;
	shown->backends = list;
	for (uint16_t i = 1; i < GG_BACKENDS_MAX; i++) {
		const struct backend *b = &s->backends.list[i];
		struct fastpath_backend_status *status =
			&list[shown->backend_count];

		if (b->slot != slot)
			continue;
		*status = (struct fastpath_backend_status){
			.addr = b->addr,
			.state = b->state,
			.removed = b->removed,
			.reachable = b->way.reachable,
			.ifindex = b->way.ifindex,
			.ring_slots = b->ring_slots,
			.kept = b->kept,
		};
		hits_add(f, i, status);
		shown->unreachable += !b->removed && !b->way.reachable;
		shown->backend_count++;
	}
}

static const char *
first_unreachable(const struct fastpath_service_state *shown, char *text)
{
	for (size_t i = 0; i < shown->backend_count; i++) {
		const struct fastpath_backend_status *b = &shown->backends[i];

		if (!b->removed && !b->reachable)
			return addr_format_ip(&b->addr, text);
	}
	return "";
}

static void
problem_show(const struct fastpath *f, const struct service *service,
	struct fastpath_service_state *shown)
{
	char text[ADDR_TEXT_MAX];

	if (f->sets.count == 0)
		snprintf(shown->problem, sizeof(shown->problem),
			"no XDP program runs");
	else if (service->problem[0] != '\0')
		snprintf(shown->problem, sizeof(shown->problem), "%s",
			service->problem);
	else if (f->steering.published.code != ERROR_NONE)
		snprintf(shown->problem, sizeof(shown->problem), "%.200s",
			f->steering.published.text);
	else if (shown->unreachable == 1)
		snprintf(shown->problem, sizeof(shown->problem),
			"the next hop to %s is not known",
			first_unreachable(shown, text));
	else if (shown->unreachable > 1)
		snprintf(shown->problem, sizeof(shown->problem),
			"the next hop to %s and %zu other backends is not"
			" known",
			first_unreachable(shown, text),
			shown->unreachable - 1);
}

const struct fastpath_service_state *
fastpath_service_state(struct fastpath *f, uint32_t slot)
{
	struct fastpath_service_state *shown = &f->steering.shown;
	const struct service *service;

	if (slot < GG_LISTENERS_MAX || slot >= GG_SLOTS_MAX)
		return NULL;
	service = &f->steering.steered.list[slot];
	if (service->wanted == NULL)
		return NULL;
	*shown = (struct fastpath_service_state){
		.slot = slot,
		.enforced = service->accepted && service->published &&
			f->steering.published.code == ERROR_NONE,
		.moved_slots = service->moved,
		.pinned_slots = service->pinned,
		.kept = service->kept,
		.nat = service->nat,
		.nat_expired = service->nat_expired,
		.changes = service->changes,
	};
	backends_show(f, slot);
	problem_show(f, service, shown);
	return shown;
}
