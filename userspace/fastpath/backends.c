/* The backends of all services by their index in gg_backend. */
#include "fastpath/backends.h"

#include <string.h>

#include "base/table.h"
#include "model/endpoint.h"

static uint32_t
bucket_first(uint32_t slot, const struct addr *addr)
{
	return hash_bytes(addr->ip, sizeof(addr->ip),
		       (uint64_t)slot << 16 | addr->port_be) %
		BACKENDS_BUCKETS;
}

static uint32_t
bucket_after(uint32_t at)
{
	return (at + 1) % BACKENDS_BUCKETS;
}

static uint16_t *
bucket_of(struct backends *b, uint32_t slot, const struct addr *addr)
{
	for (uint32_t at = bucket_first(slot, addr);; at = bucket_after(at)) {
		uint16_t *bucket = &b->buckets[at];

		if (*bucket == 0 ||
			(b->list[*bucket].slot == slot &&
				addr_equal(&b->list[*bucket].addr, addr)))
			return bucket;
	}
}

/* Whether a probe that begins at first comes by hole on its way to at. */
static bool
leads_past(uint32_t first, uint32_t hole, uint32_t at)
{
	return (at - first) % BACKENDS_BUCKETS >=
		(at - hole) % BACKENDS_BUCKETS;
}

/* What was probed past it must be found without it. */
static void
bucket_clear(struct backends *b, uint32_t hole)
{
	b->buckets[hole] = 0;
	for (uint32_t at = bucket_after(hole); b->buckets[at] != 0;
		at = bucket_after(at)) {
		const struct backend *moved = &b->list[b->buckets[at]];

		if (!leads_past(bucket_first(moved->slot, &moved->addr), hole,
			    at))
			continue;
		b->buckets[hole] = b->buckets[at];
		b->buckets[at] = 0;
		hole = at;
	}
}

static void
buckets_fill(struct backends *b)
{
	memset(b->buckets, 0, sizeof(b->buckets));
	for (uint16_t i = 1; i < GG_BACKENDS_MAX; i++) {
		if (b->list[i].slot != 0 && !b->list[i].former)
			*bucket_of(b, b->list[i].slot, &b->list[i].addr) = i;
	}
}

uint16_t
backends_find(struct backends *b, uint32_t slot, const struct addr *addr)
{
	return *bucket_of(b, slot, addr);
}

bool
backends_is_owner(const struct backends *b, uint16_t index, uint64_t owner)
{
	return index != 0 && endpoint_owner_fits(b->list[index].owner, owner);
}

/* The lowest; 0: none is. */
static uint16_t
index_free(struct backends *b)
{
	uint16_t index = b->lowest > 0 ? b->lowest : 1;

	while (index < GG_BACKENDS_MAX && b->list[index].slot != 0)
		index++;
	b->lowest = index;
	return index < GG_BACKENDS_MAX ? index : 0;
}

uint16_t
backends_take(struct backends *b, uint32_t slot, const struct addr *addr,
	uint64_t owner)
{
	uint16_t *bucket = bucket_of(b, slot, addr);
	struct backend *had = &b->list[*bucket];
	uint16_t index;

	if (backends_is_owner(b, *bucket, owner)) {
		if (owner != 0)
			had->owner = owner;
		return *bucket;
	}
	index = index_free(b);
	if (index == 0)
		return 0;
	if (*bucket != 0) {
		had->former = had->removed = true;
		had->state = FASTPATH_BACKEND_DOWN;
	}
	b->list[index] = (struct backend){
		.slot = slot,
		.addr = *addr,
		.owner = owner,
	};
	b->count++;
	*bucket = index;
	return index;
}

void
backends_release(struct backends *b, uint16_t index)
{
	struct backend *gone = &b->list[index];

	if (gone->slot == 0)
		return;
	if (!gone->former)
		bucket_clear(b,
			(uint32_t)(bucket_of(b, gone->slot, &gone->addr) -
				b->buckets));
	*gone = (struct backend){ 0 };
	b->count--;
	if (index < b->lowest)
		b->lowest = index;
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
		backend->former = rows[i].flags & GG_BACKEND_FORMER;
		backend->state = backend->former ? FASTPATH_BACKEND_DOWN :
						   FASTPATH_BACKEND_DRAINING;
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
	if (backend->former)
		row->flags = GG_BACKEND_DOWN | GG_BACKEND_FORMER;
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
