/* Brings gg_bind to the further addresses that listeners want. */
#include "fastpath/binds.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/mem.h"

struct plan {
	struct binds_entry *entries;
	size_t count, room;
};

static struct gg_bind_key
bind_key(const struct addr_prefix *prefix, uint16_t port)
{
	struct gg_bind_key key = {
		.plen = GG_BIND_PLEN(prefix->bits),
		.l4_proto = IPPROTO_TCP,
		.port_be = htons(port),
	};

	memcpy(key.ip, prefix->ip, sizeof(key.ip));
	return key;
}

static int
plan_add(struct plan *plan, const struct addr_prefix *prefix, uint16_t port,
	uint32_t slot, struct error *err)
{
	if (plan->count == GG_BINDS_MAX)
		return error_set(err, ERROR_LIMIT,
			"the further addresses of all listeners, each with "
			"each of its ports, are more than %d",
			GG_BINDS_MAX);
	if (plan->count == plan->room) {
		plan->room = plan->room == 0 ? 16 : plan->room * 2;
		plan->entries = xreallocarray(plan->entries, plan->room,
			sizeof(*plan->entries));
	}
	plan->entries[plan->count++] = (struct binds_entry){
		.key = bind_key(prefix, port),
		.slot = slot,
	};
	return 0;
}

static int
plan_add_binds(struct plan *plan, const struct sockets_listener *l,
	struct error *err)
{
	for (size_t i = 0; i < l->bind_count; i++) {
		const struct sockets_bind *b = &l->binds[i];

		for (uint32_t port = b->first_port; port <= b->last_port;
			port++) {
			if (plan_add(plan, &b->prefix, (uint16_t)port, l->slot,
				    err) != 0)
				return -1;
		}
	}
	return 0;
}

static bool
is_within_others(const struct sockets_listener *set, size_t count, size_t self)
{
	const struct addr *addr = &set[self].addr;
	uint16_t port = addr_port(addr);

	for (size_t i = 0; i < count; i++) {
		if (i == self)
			continue;
		for (size_t k = 0; k < set[i].bind_count; k++) {
			const struct sockets_bind *b = &set[i].binds[k];

			if (port >= b->first_port && port <= b->last_port &&
				addr_prefix_contains(&b->prefix, addr->ip))
				return true;
		}
	}
	return false;
}

static int
plan_add_own(struct plan *plan, const struct sockets_listener *set,
	size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		struct addr_prefix own = { .bits = 128 };

		if (addr_is_any(&set[i].addr) ||
			!is_within_others(set, count, i))
			continue;
		memcpy(own.ip, set[i].addr.ip, sizeof(own.ip));
		if (plan_add(plan, &own, addr_port(&set[i].addr), set[i].slot,
			    err) != 0)
			return -1;
	}
	return 0;
}

/* Of keys, and of entries, which begin with theirs. */
static int
key_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct gg_bind_key));
}

static void
plan_finish(struct plan *plan)
{
	size_t kept = 0;

	if (plan->count == 0)
		return;
	qsort(plan->entries, plan->count, sizeof(*plan->entries), key_compare);
	for (size_t i = 1; i < plan->count; i++) {
		if (key_compare(&plan->entries[kept].key,
			    &plan->entries[i].key) != 0)
			plan->entries[++kept] = plan->entries[i];
	}
	plan->count = kept + 1;
}

int
binds_plan(const struct sockets_listener *set, size_t count,
	struct binds_entry **entries, size_t *entry_count, struct error *err)
{
	struct plan plan = { 0 };
	int rc = plan_add_own(&plan, set, count, err);

	for (size_t i = 0; i < count && rc == 0; i++)
		rc = plan_add_binds(&plan, &set[i], err);
	if (rc != 0) {
		free(plan.entries);
		return -1;
	}
	plan_finish(&plan);
	*entries = plan.entries;
	*entry_count = plan.count;
	return 0;
}

/* All keys of the map, sorted; the caller frees. */
static struct gg_bind_key *
keys_read(int map, size_t *count)
{
	struct gg_bind_key *keys = xcalloc(GG_BINDS_MAX + 1, sizeof(*keys));

	*count = 0;
	while (*count < GG_BINDS_MAX &&
		bpf_map_get_next_key(map,
			*count == 0 ? NULL : &keys[*count - 1],
			&keys[*count]) == 0)
		++*count;
	qsort(keys, *count, sizeof(*keys), key_compare);
	return keys;
}

/* A lookup alone would not do: it finds the longest prefix, so that a new key
 * looks as if it were there where a shorter one is. */
static bool
entry_stands(int map, const struct gg_bind_key *keys, size_t key_count,
	const struct binds_entry *entry)
{
	struct gg_bind value;

	return key_count > 0 &&
		bsearch(&entry->key, keys, key_count, sizeof(*keys),
			key_compare) != NULL &&
		bpf_map_lookup_elem(map, &entry->key, &value) == 0 &&
		value.slot == entry->slot;
}

static int
entries_add(int map, const struct binds_entry *plan, size_t count)
{
	size_t key_count;
	struct gg_bind_key *keys = keys_read(map, &key_count);
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++) {
		const struct gg_bind value = { .slot = plan[i].slot };

		if (!entry_stands(map, keys, key_count, &plan[i]) &&
			bpf_map_update_elem(map, &plan[i].key, &value,
				BPF_ANY) != 0)
			rc = -errno;
	}
	free(keys);
	return rc;
}

static void
entries_remove_others(int map, const struct binds_entry *plan, size_t count)
{
	size_t key_count;
	struct gg_bind_key *keys = keys_read(map, &key_count);

	for (size_t i = 0; i < key_count; i++) {
		if (count == 0 || bsearch(&keys[i], plan, count, sizeof(*plan),
					  key_compare) == NULL)
			bpf_map_delete_elem(map, &keys[i]);
	}
	free(keys);
}

int
binds_apply(int map, const struct binds_entry *plan, size_t count,
	struct error *err)
{
	int rc = entries_add(map, plan, count);

	entries_remove_others(map, plan, count);
	if (rc == -ENOSPC) /* old and new together were too many */
		rc = entries_add(map, plan, count);
	if (rc != 0)
		return error_errno(err, -rc, "cannot write " GG_MAP_BIND);
	return 0;
}

void
binds_count(int map, const struct sockets_bind *b, uint64_t *connections,
	uint64_t *no_socket)
{
	for (uint32_t port = b->first_port; port <= b->last_port; port++) {
		struct gg_bind_key key = bind_key(&b->prefix, (uint16_t)port);
		struct gg_bind value;

		if (bpf_map_lookup_elem(map, &key, &value) != 0)
			continue;
		*connections += value.connections;
		*no_socket += value.no_socket;
	}
}
