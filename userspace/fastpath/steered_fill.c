/* Fills the maps of services, and empties them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/log.h"
#include "base/mem.h"
#include "fastpath/reverse.h"
#include "fastpath/steered.h"

/* ---- backends */

static void
hits_clear(const struct steered *s, uint16_t index)
{
	int cpus = libbpf_num_possible_cpus();
	struct gg_backend_hits *none;
	uint32_t key = index;

	if (cpus <= 0)
		return;
	none = xcalloc((size_t)cpus, sizeof(*none));
	for (size_t i = 0; i < s->sets->count; i++)
		bpf_map_update_elem(s->sets->list[i].maps.fd[MAP_BACKEND_HITS],
			&key, none, BPF_ANY);
	free(none);
}

static void
backend_store(struct steered *s, uint16_t index)
{
	const struct backend *b = &s->backends.list[index];
	const struct service_conf *conf = s->list[b->slot].conf;
	struct gg_backend row;

	backend_row(b, &row);
	if (b->state == FASTPATH_BACKEND_DOWN)
		row.flags |= GG_BACKEND_DOWN;
	/* The stack merges packets before it runs a program in generic mode:
	 * their length says nothing. Those that are put into another one are
	 * of UDP then, which it leaves alone. */
	if (s->generic &&
		(conf == NULL || !service_mode_encapsulates(conf->asked.mode)))
		row.mtu = 0;
	rows_store(&s->rows, index, &row);
}

/* XDP may send out of the interface of b's way. */
static int
way_open(struct steered *s, const struct backend *b, struct error *err)
{
	if (tx_has(&s->tx, b->way.ifindex))
		return 0;
	if (tx_want(&s->tx, b->way.ifindex, err) != 0)
		return -1;
	return tx_add(&s->tx, s->sets, err);
}

/* before: what was known of the way; err: what is wrong with it now. */
static void
way_use(struct steered *s, uint16_t index, const struct way *before,
	struct error *err, uint64_t now_ms)
{
	struct backend *b = &s->backends.list[index];
	char text[ADDR_TEXT_MAX];

	way_meet(s->netlink, &b->way, now_ms);
	if (b->way.reachable && way_open(s, b, err) != 0)
		b->way.reachable = false;
	backend_store(s, index);
	s->ways_moved |= b->way.ifindex != before->ifindex ||
		memcmp(b->way.source, before->source, 16) != 0;
	if (before->reachable && !b->way.reachable && !b->removed)
		log_info("fastpath: backend %s is not reachable: %s",
			addr_format(&b->addr, text),
			err->text[0] != '\0' ? err->text :
						"its next hop does not answer");
}

void
steered_look_way(struct steered *s, uint16_t index, bool whole,
	uint64_t now_ms)
{
	struct backend *b = &s->backends.list[index];
	const struct service_conf *conf = s->list[b->slot].conf;
	struct error err = ERROR_INIT;
	const struct way before = b->way;

	if (whole && way_find(s->netlink, &b->way, &b->addr, &err) == 0 &&
		conf != NULL &&
		steered_way_check(conf, &b->addr, &b->way, &err) != 0) {
		b->way.ifindex = 0;
		b->way.reachable = false;
	}
	way_use(s, index, &before, &err, now_ms);
}

/* What was found to judge the backend that is filled next, or NULL. */
static const struct way *
found_take(const struct steered *s, struct service *service,
	const struct addr *addr)
{
	if (service->found == service->found_end ||
		!addr_equal(&s->found[service->found].to, addr))
		return NULL;
	return &s->found[service->found++].way;
}

/* Those that are asked for no more drain. */
static void
backends_remove_others(struct steered *s, const struct service_conf *conf)
{
	for (size_t i = 1; i < GG_BACKENDS_MAX; i++) {
		struct backend *b = &s->backends.list[i];

		if (b->slot != conf->asked.slot || b->former ||
			service_conf_backend(conf, &b->addr) != NULL)
			continue;
		b->removed = true;
		if (b->state == FASTPATH_BACKEND_UP)
			b->state = FASTPATH_BACKEND_DRAINING;
	}
}

static void
backend_look_way(struct steered *s, uint16_t index, const struct way *found,
	uint64_t now_ms)
{
	struct backend *b = &s->backends.list[index];
	const struct way before = b->way;
	struct error err = ERROR_INIT;

	if (found == NULL) {
		steered_look_way(s, index, true, now_ms);
		return;
	}
	b->way = *found;
	way_use(s, index, &before, &err, now_ms);
}

static int
backend_fill(struct steered *s, struct service *service,
	const struct fastpath_backend *asked, uint64_t now_ms,
	struct error *err)
{
	uint32_t slot = service->conf->asked.slot;
	const struct way *found = found_take(s, service, &asked->addr);
	uint16_t was = backends_find(&s->backends, slot, &asked->addr);
	uint16_t index = backends_take(&s->backends, slot, &asked->addr,
		asked->owner);
	struct backend *b = &s->backends.list[index];

	if (index == 0)
		return error_set(err, ERROR_LIMIT,
			"no index is free for another backend");
	if (was != 0 && was != index)
		backend_store(s, was); /* the former owner's: it is down */
	b->removed = false;
	b->state = asked->state;
	if (was != index)
		hits_clear(s, index);
	if (was != index || b->way.stale)
		backend_look_way(s, index, found, now_ms);
	else
		backend_store(s, index);
	return 0;
}

static int
service_fill_backends(struct steered *s, struct service *service,
	uint64_t now_ms, struct error *err)
{
	const struct service_conf *conf = service->conf;

	backends_remove_others(s, conf);
	for (size_t i = 0; i < conf->asked.backend_count; i++) {
		if (backend_fill(s, service, &conf->asked.backends[i], now_ms,
			    err) != 0)
			return -1;
	}
	return 0;
}

static int
service_fill_flags(const struct steered *s, const struct service_conf *conf,
	struct error *err)
{
	const struct gg_service value = {
		.flags = conf->asked.flags,
		.idle_s = conf->asked.idle_s,
	};

	for (size_t i = 0; i < s->sets->count; i++) {
		if (bpf_map_update_elem(
			    s->sets->list[i].maps.fd[MAP_SERVICE],
			    &conf->asked.slot, &value, BPF_ANY) != 0)
			return error_errno(err, errno,
				"cannot write " GG_MAP_SERVICE);
	}
	return 0;
}

/* ---- ways of all */

static size_t
reverse_entries(const struct steered *s, struct reverse_entry *entries)
{
	size_t count = 0;

	for (size_t i = 1; i < GG_BACKENDS_MAX; i++) {
		const struct backend *b = &s->backends.list[i];
		const struct service_conf *conf = s->list[b->slot].conf;
		struct reverse_entry *entry = &entries[count];

		if (b->slot == 0 || b->former || conf == NULL ||
			conf->asked.mode != GG_MODE_ROUTE)
			continue;
		memset(entry, 0, sizeof(*entry));
		memcpy(entry->key.ip, b->addr.ip, 16);
		entry->key.port_be = b->addr.port_be;
		entry->key.l4_proto = conf->asked.l4_proto;
		memcpy(entry->value.ip, conf->asked.addr.ip, 16);
		memcpy(entry->value.own_ip, b->way.source, 16);
		entry->value.port_be = conf->asked.addr.port_be;
		entry->value.slot = (uint16_t)b->slot;
		count++;
	}
	return count;
}

int
steered_sync_ways(struct steered *s, struct error *err)
{
	struct reverse_entry *entries =
		xcalloc(GG_BACKENDS_MAX, sizeof(*entries));
	size_t count = reverse_entries(s, entries);
	int rc = -1;

	s->ways_moved = false;
	s->tx = s->attached;
	for (size_t i = 1; i < GG_BACKENDS_MAX; i++) {
		const struct backend *b = &s->backends.list[i];

		if (b->slot != 0 && b->way.ifindex != 0 &&
			tx_want(&s->tx, b->way.ifindex, err) != 0)
			goto out;
	}
	if (tx_add(&s->tx, s->sets, err) != 0)
		goto out;
	tx_remove_others(&s->tx, s->sets);
	for (size_t i = 0; i < s->sets->count; i++) {
		if (reverse_apply(&s->sets->list[i].maps, entries, count,
			    err) != 0)
			goto out;
	}
	rc = 0;
out:
	free(entries);
	return rc;
}

/* ---- all of a service */

static int
service_fill(struct steered *s, struct service *service, uint64_t now_ms,
	struct error *err)
{
	bool fresh = service->ring.fd < 0;
	uint32_t slot;

	service->filled = false;
	service->changes++;
	/* Those who were there before it was known whose they are. */
	s->ways_moved |= fresh || service->conf == NULL;
	if (service->accepted) {
		service_conf_free(service->conf);
		service->conf = service_conf_new(&service->usable->asked);
	}
	slot = service->conf->asked.slot;
	if (fresh && ring_map_make(&service->ring, err) != 0)
		return -1;
	if (service_fill_backends(s, service, now_ms, err) != 0)
		return -1;
	/* What flags no longer look up, the ring does by then. */
	steered_give_ring(s, service, fresh, now_ms);
	if (service_fill_flags(s, service->conf, err) != 0)
		return -1;
	for (size_t i = 0; i < s->sets->count; i++) {
		if (ring_map_name(&service->ring,
			    s->sets->list[i].maps.fd[MAP_RING], slot, err) != 0)
			return -1;
	}
	service->filled = service->accepted;
	return 0;
}

/* True: more than the services themselves is another than when they were
 * filled. */
static bool
box_changed(struct steered *s)
{
	bool maps = s->filled_sets != s->sets->count ||
		s->filled_generic != s->generic;
	bool changed = maps || !tx_equal(&s->filled_attached, &s->attached);

	for (size_t slot = 0; slot < GG_SLOTS_MAX && maps; slot++)
		s->list[slot].filled = false;
	s->filled_sets = s->sets->count;
	s->filled_generic = s->generic;
	s->filled_attached = s->attached;
	return changed;
}

void
steered_fill(struct steered *s, uint64_t now_ms, struct error *err)
{
	struct error why = ERROR_INIT;

	s->ways_moved |= box_changed(s);
	for (uint32_t slot = GG_LISTENERS_MAX; slot < GG_SLOTS_MAX; slot++) {
		struct service *service = &s->list[slot];
		bool was = service->published;

		service->published = service->wanted != NULL &&
			(service->accepted || service->conf != NULL);
		if (!service->published ||
			(service->accepted && steered_stands(service)))
			continue;
		why = (struct error)ERROR_INIT;
		if (service_fill(s, service, now_ms, &why) == 0)
			continue;
		service->accepted = false;
		service->published = was;
		snprintf(service->problem, sizeof(service->problem), "%.*s",
			(int)sizeof(service->problem) - 1, why.text);
		error_set(err, why.code, "%s", why.text);
	}
	if (s->ways_moved && steered_sync_ways(s, &why) != 0) {
		s->ways_moved = true; /* again the next time */
		error_set(err, why.code, "%s", why.text);
	}
}

/* ---- emptying */

bool
steered_withdraw(struct steered *s)
{
	bool any = false;

	for (size_t slot = 0; slot < GG_SLOTS_MAX; slot++) {
		struct service *service = &s->list[slot];

		if (service->ring.fd < 0 || !service->accepted ||
			(service->conf != NULL &&
				service_conf_same(service->conf,
					service->wanted)))
			continue;
		service->published = false;
		any = true;
	}
	return any;
}

void
steered_release(struct steered *s, uint16_t index)
{
	const struct gg_backend none = { 0 };

	rows_store(&s->rows, index, &none);
	backends_release(&s->backends, index);
}

static bool
was_used(const struct steered *s, uint16_t index)
{
	struct gg_backend_hits sum = { 0 };

	for (size_t i = 0; i < s->sets->count; i++) {
		if (maps_count_backend(&s->sets->list[i].maps, index, &sum) !=
			0)
			return true;
	}
	return sum.packets > 0;
}

uint32_t
steered_reclaim(struct steered *s)
{
	struct error err = ERROR_INIT;
	uint32_t count = 0;

	/* A packet that saw one in the ring is on its way no more. */
	if (maps_await_programs(&err) != 0) {
		log_debug("fastpath: %s", err.text);
		return 0;
	}
	for (uint16_t i = 1; i < GG_BACKENDS_MAX; i++) {
		const struct backend *b = &s->backends.list[i];

		if (b->slot == 0 || !b->removed || b->ring_slots > 0 ||
			b->ring_bases > 0 || was_used(s, i))
			continue;
		steered_release(s, i);
		s->ways_moved = true;
		count++;
	}
	return count;
}

static void
service_drop(struct steered *s, uint32_t slot)
{
	const struct gg_service none = { 0 };
	struct service *service = &s->list[slot];

	for (size_t i = 0; i < s->sets->count; i++) {
		const struct maps *maps = &s->sets->list[i].maps;

		bpf_map_delete_elem(maps->fd[MAP_RING], &slot);
		bpf_map_update_elem(maps->fd[MAP_SERVICE], &slot, &none,
			BPF_ANY);
	}
	for (size_t i = 1; i < GG_BACKENDS_MAX; i++) {
		struct backend *b = &s->backends.list[i];

		if (b->slot != slot)
			continue;
		b->removed = true;
		b->state = FASTPATH_BACKEND_DOWN;
		b->ring_slots = b->ring_bases = 0;
	}
	ring_map_close(&service->ring);
	service_conf_free(service->conf);
	service->conf = NULL;
	free(service->candidates);
	service->candidates = NULL;
	service->given = 0;
	service->filled = false;
	service->moved = service->pinned = 0;
	service->kept = service->nat = service->nat_expired = 0;
}

void
steered_drop(struct steered *s)
{
	bool any = false;

	for (uint32_t slot = GG_LISTENERS_MAX; slot < GG_SLOTS_MAX; slot++) {
		struct service *service = &s->list[slot];

		if (service->ring.fd < 0 || service->published)
			continue;
		service_drop(s, slot);
		any = true;
	}
	if (any && steered_sync_ways(s, NULL) != 0)
		log_debug("fastpath: what dropped services needed stays");
}

