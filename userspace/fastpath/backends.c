/* The backends of all services by their index in gg_backend. */
#include "fastpath/backends.h"

#include <string.h>

#include "base/table.h"

static uint16_t *
bucket_of(struct backends *b, uint32_t slot, const struct addr *addr)
{
	uint64_t hash = hash_bytes(addr->ip, sizeof(addr->ip),
		(uint64_t)slot << 16 | addr->port_be);
	uint16_t *bucket;

	for (;; hash++) {
		bucket = &b->buckets[hash % BACKENDS_BUCKETS];
		if (*bucket == 0 ||
			(b->list[*bucket].slot == slot &&
				addr_equal(&b->list[*bucket].addr, addr)))
			return bucket;
	}
}

static void
buckets_fill(struct backends *b)
{
	memset(b->buckets, 0, sizeof(b->buckets));
	for (uint16_t i = 1; i < GG_BACKENDS_MAX; i++) {
		if (b->list[i].slot != 0)
			*bucket_of(b, b->list[i].slot, &b->list[i].addr) = i;
	}
}

uint16_t
backends_find(struct backends *b, uint32_t slot, const struct addr *addr)
{
	return *bucket_of(b, slot, addr);
}

uint16_t
backends_take(struct backends *b, uint32_t slot, const struct addr *addr)
{
	uint16_t *bucket = bucket_of(b, slot, addr);
	uint16_t index;

	if (*bucket != 0)
		return *bucket;
	for (index = 1; index < GG_BACKENDS_MAX; index++) {
		if (b->list[index].slot != 0)
			continue;
		b->list[index] = (struct backend){ .slot = slot,
			.addr = *addr };
		b->count++;
		*bucket = index;
		return index;
	}
	return 0;
}

void
backends_release(struct backends *b, uint16_t index)
{
	if (b->list[index].slot == 0)
		return;
	b->list[index] = (struct backend){ 0 };
	b->count--;
	buckets_fill(b); /* what was probed past it must be found without it */
}

static void
way_restore(struct way *way, const struct gg_backend *row)
{
	way->ifindex = row->ifindex;
	way->reachable = row->ifindex != 0;
	way->stale = true;
	way->mtu = row->mtu;
	memcpy(way->source, row->source_ip, 16);
	memcpy(way->to_mac, row->to_mac, 6);
	memcpy(way->from_mac, row->from_mac, 6);
}

void
backends_restore(struct backends *b, const struct gg_backend *rows)
{
	memset(b, 0, sizeof(*b));
	for (uint16_t i = 1; i < GG_BACKENDS_MAX; i++) {
		struct backend *backend = &b->list[i];

		if (rows[i].slot < GG_LISTENERS_MAX ||
			rows[i].slot >= GG_SLOTS_MAX)
			continue;
		backend->slot = rows[i].slot;
		memcpy(backend->addr.ip, rows[i].ip, 16);
		backend->addr.port_be = rows[i].port_be;
		backend->state = FASTPATH_BACKEND_DRAINING;
		backend->removed = true;
		way_restore(&backend->way, &rows[i]);
		b->count++;
	}
	buckets_fill(b);
}

void
backend_row(const struct backend *backend, struct gg_backend *row)
{
	const struct way *way = &backend->way;

	memset(row, 0, sizeof(*row));
	if (backend->slot == 0)
		return;
	memcpy(row->ip, backend->addr.ip, 16);
	row->port_be = backend->addr.port_be;
	row->slot = (uint16_t)backend->slot;
	if (way->ifindex == 0)
		return;
	memcpy(row->source_ip, way->source, 16);
	memcpy(row->from_mac, way->from_mac, 6);
	row->mtu = way->mtu;
	if (!way->reachable)
		return;
	memcpy(row->to_mac, way->to_mac, 6);
	row->ifindex = way->ifindex;
}
