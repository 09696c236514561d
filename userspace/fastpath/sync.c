/* Brings gg_vip to what the listeners want, by difference. */
#include "fastpath/sync.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/mem.h"

/* All keys of the map; the caller frees. */
static struct gg_vip_key *
keys_read(int fd, size_t *count)
{
	struct gg_vip_key *keys = NULL;
	size_t room = 0;

	*count = 0;
	for (;;) {
		if (*count == room) {
			room = room == 0 ? 64 : room * 2;
			keys = xreallocarray(keys, room, sizeof(*keys));
		}
		if (bpf_map_get_next_key(fd,
			    *count == 0 ? NULL : &keys[*count - 1],
			    &keys[*count]) != 0)
			return keys;
		/* Only we write here, but a key that somebody deletes while
		 * we read starts the walk again. */
		if (++*count > 2 * GG_VIPS_MAX)
			return keys;
	}
}

/* ---- what is wanted */

enum { RANK_ANY6, RANK_ANY4, RANK_ADDRESS };

struct plan {
	struct sync_entry *entries;
	size_t count, room;
	const struct gg_limit *limits; /* by slot, or NULL */
};

static void
plan_add(struct plan *plan, const struct fastpath_listener *l,
	const uint8_t ip[16], int rank)
{
	struct sync_entry *entry;

	if (plan->count == plan->room) {
		plan->room = plan->room == 0 ? 16 : plan->room * 2;
		plan->entries = xreallocarray(plan->entries, plan->room,
			sizeof(*plan->entries));
	}
	entry = &plan->entries[plan->count++];
	memset(entry, 0, sizeof(*entry));
	memcpy(entry->key.ip, ip, 16);
	entry->key.port_be = l->addr.port_be;
	entry->key.l4_proto = l->l4_proto;
	entry->value.slot = l->slot;
	if (plan->limits != NULL && plan->limits[l->slot].count > 0)
		entry->value.flags |= GG_VIP_LIMITED;
	entry->rank = rank;
}

static void
plan_add_listener(struct plan *plan, const struct fastpath_listener *l,
	const struct addr *local, size_t local_count)
{
	bool only4 = addr_is_v4(&l->addr);

	if (!addr_is_any(&l->addr)) {
		plan_add(plan, l, l->addr.ip, RANK_ADDRESS);
		return;
	}
	for (size_t i = 0; i < local_count; i++) {
		if (!only4 || addr_is_v4(&local[i]))
			plan_add(plan, l, local[i].ip,
				only4 ? RANK_ANY4 : RANK_ANY6);
	}
}

/* Addresses that a service's wildcard does not stand for are left out. */
static void
plan_add_service(struct plan *plan, const struct service_conf *c,
	const struct addr *local, size_t local_count)
{
	const struct fastpath_listener l = { c->asked.slot, c->asked.addr,
		c->asked.l4_proto };
	struct addr *taken = xcalloc(local_count + 1, sizeof(*taken));
	size_t first = plan->count, count = 0, last;

	for (size_t i = 0; i < local_count; i++) {
		if (service_conf_takes(c, &local[i]))
			taken[count++] = local[i];
	}
	plan_add_listener(plan, &l, taken, count);
	free(taken);
	last = plan->count;
	for (size_t i = first; i < last; i++) {
		const struct fastpath_listener none = { 0 };
		uint8_t ip[16];

		plan->entries[i].value.mode = c->asked.mode;
		if (c->asked.relayed)
			plan->entries[i].value.flags |= GG_VIP_RELAYED;
		if (c->asked.relayed && c->asked.leaving)
			plan->entries[i].value.flags |= GG_VIP_LEAVING;
		memcpy(ip, plan->entries[i].key.ip, 16);
		plan_add(plan, &none, ip, RANK_ADDRESS);
		plan->entries[plan->count - 1].value.flags = GG_VIP_ADDRESS;
	}
}

static bool
value_is_service(const struct gg_vip *value)
{
	return value->mode != GG_MODE_PASS || value->flags & GG_VIP_ADDRESS;
}

/* What a former daemon left, until it is said what is to be. */
static void
plan_keep_services(struct plan *plan, int fd)
{
	const struct fastpath_listener none = { 0 };
	size_t count;
	struct gg_vip_key *keys = keys_read(fd, &count);
	struct gg_vip value;

	for (size_t i = 0; i < count; i++) {
		if (bpf_map_lookup_elem(fd, &keys[i], &value) != 0 ||
			!value_is_service(&value))
			continue;
		plan_add(plan, &none, keys[i].ip, RANK_ADDRESS);
		plan->entries[plan->count - 1].key = keys[i];
		plan->entries[plan->count - 1].value = value;
	}
	free(keys);
}

static int
key_compare(const void *a, const void *b)
{
	return memcmp(&((const struct sync_entry *)a)->key,
		&((const struct sync_entry *)b)->key,
		sizeof(struct gg_vip_key));
}

static int
entry_compare(const void *a, const void *b)
{
	const struct sync_entry *ea = a, *eb = b;
	int order = key_compare(a, b);

	if (order != 0)
		return order;
	if (ea->rank != eb->rank)
		return ea->rank > eb->rank ? -1 : 1;
	return ea->value.slot < eb->value.slot ? -1 :
					    ea->value.slot > eb->value.slot;
}

static void
plan_finish(struct plan *plan)
{
	size_t kept = 0;

	if (plan->count == 0)
		return;
	qsort(plan->entries, plan->count, sizeof(*plan->entries),
		entry_compare);
	for (size_t i = 1; i < plan->count; i++) {
		if (key_compare(&plan->entries[kept], &plan->entries[i]) != 0)
			plan->entries[++kept] = plan->entries[i];
	}
	plan->count = kept + 1;
}

int
sync_plan(const struct fastpath_listener *set, size_t count,
	const struct sync_services *services, const struct addr *local,
	size_t local_count, const struct gg_limit *limits,
	struct sync_entry **entries, size_t *entry_count, struct error *err)
{
	struct plan plan = { .limits = limits };

	*entries = NULL;
	*entry_count = 0;
	for (size_t i = 0; i < count; i++) {
		if (set[i].slot == 0 || set[i].slot >= GG_SLOTS_MAX) {
			free(plan.entries);
			return error_set(err, ERROR_LIMIT,
				"listener slot %u is out of 1..%d", set[i].slot,
				GG_SLOTS_MAX - 1);
		}
		plan_add_listener(&plan, &set[i], local, local_count);
	}
	if (services->known) {
		for (size_t i = 0; i < services->count; i++)
			plan_add_service(&plan, services->list[i], local,
				local_count);
	} else {
		plan_keep_services(&plan, services->maps->fd[MAP_VIP]);
	}
	plan_finish(&plan);
	if (plan.count > GG_VIPS_MAX) {
		error_set(err, ERROR_LIMIT,
			"%zu addresses of listeners and services; the kernel"
			" half holds %d",
			plan.count, GG_VIPS_MAX);
		free(plan.entries);
		return -1;
	}
	*entries = plan.entries;
	*entry_count = plan.count;
	return 0;
}

/* ---- bringing the map to it */

static bool
plan_has(const struct sync_entry *plan, size_t count,
	const struct gg_vip_key *key)
{
	struct sync_entry wanted = { .key = *key };

	return count > 0 &&
		bsearch(&wanted, plan, count, sizeof(*plan), key_compare) !=
		NULL;
}

static bool
entry_stands(int fd, const struct sync_entry *entry)
{
	struct gg_vip value;

	return bpf_map_lookup_elem(fd, &entry->key, &value) == 0 &&
		memcmp(&value, &entry->value, sizeof(value)) == 0;
}

static int
entries_add(int fd, const struct sync_entry *plan, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (entry_stands(fd, &plan[i]))
			continue;
		if (bpf_map_update_elem(fd, &plan[i].key, &plan[i].value,
			    BPF_ANY) != 0)
			return -errno;
	}
	return 0;
}

static void
entries_remove_others(int fd, const struct sync_entry *plan, size_t count)
{
	size_t key_count;
	struct gg_vip_key *keys = keys_read(fd, &key_count);

	for (size_t i = 0; i < key_count; i++) {
		if (!plan_has(plan, count, &keys[i]))
			bpf_map_delete_elem(fd, &keys[i]);
	}
	free(keys);
}

int
sync_apply(const struct maps *maps, const struct sync_entry *plan,
	size_t count, struct error *err)
{
	int fd = maps->fd[MAP_VIP];
	size_t key_count;
	int rc = entries_add(fd, plan, count);

	entries_remove_others(fd, plan, count);
	if (rc == -E2BIG) /* old and new together were too many */
		rc = entries_add(fd, plan, count);
	if (rc != 0)
		return error_errno(err, -rc, "cannot write " GG_MAP_VIP);
	free(keys_read(fd, &key_count));
	if (key_count != count)
		return error_set(err, ERROR_SYSTEM,
			GG_MAP_VIP " holds %zu entries instead of %zu",
			key_count, count);
	for (size_t i = 0; i < count; i++) {
		if (!entry_stands(fd, &plan[i]))
			return error_set(err, ERROR_SYSTEM,
				GG_MAP_VIP " does not hold what was written");
	}
	return 0;
}

uint32_t
sync_slot_of(const struct maps *maps, const struct addr *addr,
	uint8_t l4_proto, uint8_t *mode)
{
	int fd = maps->fd[MAP_VIP];
	size_t count;
	struct gg_vip_key *keys = keys_read(fd, &count);
	uint32_t slot = 0;
	struct gg_vip value;

	for (size_t i = 0; i < count && slot == 0; i++) {
		if (keys[i].port_be != addr->port_be ||
			keys[i].l4_proto != l4_proto ||
			(!addr_is_any(addr) &&
				memcmp(keys[i].ip, addr->ip, 16) != 0) ||
			bpf_map_lookup_elem(fd, &keys[i], &value) != 0 ||
			!value_is_service(&value))
			continue;
		slot = value.slot;
		*mode = value.mode;
	}
	free(keys);
	return slot;
}
