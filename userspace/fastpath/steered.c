/* The services that XDP steers: asked for, found, published. */
#include "fastpath/steered.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "fastpath/netlink.h"

void
steered_init(struct steered *s, struct sets *sets)
{
	memset(s, 0, sizeof(*s));
	s->sets = sets;
	s->netlink = -1;
	for (size_t slot = 0; slot < GG_SLOTS_MAX; slot++)
		ring_map_init(&s->list[slot].ring);
}

void
steered_fini(struct steered *s)
{
	for (size_t slot = 0; slot < GG_SLOTS_MAX; slot++) {
		struct service *service = &s->list[slot];

		service_conf_free(service->wanted);
		service_conf_free(service->usable);
		service_conf_free(service->conf);
		ring_map_close(&service->ring);
		free(service->candidates);
	}
	free(s->found);
	rows_close(&s->rows);
	sweep_stop(&s->sweep);
	if (s->netlink >= 0)
		close(s->netlink);
}

int
steered_want(struct steered *s, const struct fastpath_service *set,
	size_t count, struct error *err)
{
	bool has[GG_SLOTS_MAX] = { false };

	for (size_t i = 0; i < count; i++) {
		if (set[i].slot < GG_LISTENERS_MAX ||
			set[i].slot >= GG_SLOTS_MAX || has[set[i].slot])
			return error_set(err, ERROR_LIMIT,
				"service slot %u is out of %d..%d or taken",
				set[i].slot, GG_LISTENERS_MAX,
				GG_SLOTS_MAX - 1);
		has[set[i].slot] = true;
	}
	for (uint32_t slot = 0; slot < GG_SLOTS_MAX; slot++) {
		service_conf_free(s->list[slot].wanted);
		s->list[slot].wanted = NULL;
		service_conf_free(s->list[slot].usable);
		s->list[slot].usable = NULL;
	}
	for (size_t i = 0; i < count; i++)
		s->list[set[i].slot].wanted = service_conf_new(&set[i]);
	s->wanted = true;
	return 0;
}

/* ---- what a former daemon left */

static void
service_restore(struct steered *s, uint32_t slot)
{
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < s->sets->count; i++) {
		int rc = ring_map_find(&s->list[slot].ring,
			s->sets->list[i].maps.fd[MAP_RING], slot, &err);

		if (rc == 0)
			break;
		if (rc < 0)
			log_warn("fastpath: the ring of slot %u is not taken"
				 " over: %s",
				slot, err.text);
	}
}

/* The first set that has backends speaks for all: they get the same. */
static void
steered_restore(struct steered *s)
{
	for (size_t i = 0; i < s->rows.count && s->backends.count == 0; i++)
		backends_restore(&s->backends, s->rows.mapped[i]);
	for (uint32_t slot = GG_LISTENERS_MAX; slot < GG_SLOTS_MAX; slot++) {
		service_restore(s, slot);
		if (s->list[slot].ring.fd >= 0)
			steered_count_ring(s, slot);
	}
	s->restored = true;
}

static bool
sets_are_complete(const struct sets *sets)
{
	for (size_t i = 0; i < sets->count; i++) {
		for (int kind = MAP_RING; kind < MAP_COUNT; kind++) {
			if (sets->list[i].maps.fd[kind] < 0)
				return false;
		}
	}
	return true;
}

int
steered_open(struct steered *s, struct error *err)
{
	if (!sets_are_complete(s->sets))
		return error_set(err, ERROR_SYSTEM,
			"the XDP program is of a version that does not steer");
	if (rows_open(&s->rows, s->sets, err) != 0)
		return -1;
	if (s->netlink < 0 && (s->netlink = netlink_open(0, err)) < 0)
		return -1;
	if (!s->restored)
		steered_restore(s);
	return 0;
}

bool
steered_stands(const struct service *service)
{
	return service->filled && service->usable != NULL &&
		service_conf_equal(service->conf, service->usable);
}

/* ---- what gg_vip may name */

size_t
steered_published(const struct steered *s,
	const struct service_conf *list[GG_SLOTS_MAX])
{
	size_t count = 0;

	for (size_t slot = 0; slot < GG_SLOTS_MAX; slot++) {
		if (s->list[slot].published)
			list[count++] = s->list[slot].conf;
	}
	return count;
}

uint32_t
steered_flags(const struct steered *s)
{
	uint32_t flags = 0;

	for (size_t slot = 0; slot < GG_SLOTS_MAX; slot++) {
		if (!s->list[slot].published)
			continue;
		flags |= GG_CFG_STEER;
		if (s->list[slot].conf->asked.mode == GG_MODE_NAT)
			flags |= GG_CFG_NAT;
		if (s->list[slot].conf->asked.mode == GG_MODE_ROUTE)
			flags |= GG_CFG_ROUTE;
	}
	return flags;
}
