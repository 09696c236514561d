/* Gives the slots of a service's ring to its backends. */
#include <stdlib.h>

#include <bpf/bpf.h>

#include "base/mem.h"
#include "base/table.h"
#include "fastpath/steered.h"
#include "routing/ring.h"

_Static_assert(GG_RING_SLOTS == RING_MAGLEV_SLOTS, "one ring for both");

/* The same on every box, so that all of them give a flow to one backend. */
#define RING_SEED UINT64_C(0x676c6f6f72696e67)

struct owners {
	struct ring *ring; /* NULL: nobody takes new connections */
	uint16_t *index;   /* by member */
};

static struct owners
owners_make(struct steered *s, const struct service_conf *conf)
{
	size_t count = conf->asked.backend_count, n = 0;
	struct ring_member *members = xcalloc(count + 1, sizeof(*members));
	struct owners o = { .index = xcalloc(count + 1, sizeof(*o.index)) };

	for (size_t i = 0; i < count; i++) {
		const struct fastpath_backend *b = &conf->asked.backends[i];

		if (!service_backend_is_open(b))
			continue;
		members[n].identity = hash_bytes(b->addr.ip, 16,
			RING_SEED ^ b->addr.port_be);
		members[n].weight = b->weight;
		o.index[n++] = backends_find(&s->backends, conf->asked.slot,
			&b->addr);
	}
	if (n > 0)
		o.ring = ring_new_maglev(members, n, RING_MAGLEV_SLOTS);
	free(members);
	return o;
}

/* Of whom the slots are given to: another owner of an address has another
 * index. */
static uint64_t
ring_hash(struct steered *s, const struct service_conf *conf)
{
	uint64_t hash = RING_SEED + conf->asked.flags;

	for (size_t i = 0; i < conf->asked.backend_count; i++) {
		const struct fastpath_backend *b = &conf->asked.backends[i];
		const uint32_t rest[] = { b->addr.port_be, b->weight,
			b->state,
			backends_find(&s->backends, conf->asked.slot,
				&b->addr) };

		hash = hash_bytes(b->addr.ip, 16, hash);
		hash = hash_bytes(rest, sizeof(rest), hash);
	}
	return hash;
}

void
steered_count_ring(struct steered *s, uint32_t slot)
{
	struct service *service = &s->list[slot];
	struct backend *list = s->backends.list;

	for (size_t i = 1; i < GG_BACKENDS_MAX; i++) {
		if (list[i].slot == slot)
			list[i].ring_slots = list[i].ring_bases = 0;
	}
	service->moved = service->pinned = 0;
	for (uint32_t i = 0; i < GG_RING_SLOTS; i++) {
		struct gg_ring_slot at = service->ring.slots[i];

		service->moved += at.flags == GG_RING_MOVED;
		service->pinned += at.flags == GG_RING_PINNED;
		if (at.current < GG_BACKENDS_MAX &&
			list[at.current].slot == slot)
			list[at.current].ring_slots++;
		if (at.base < GG_BACKENDS_MAX && list[at.base].slot == slot)
			list[at.base].ring_bases++;
	}
}

/* Whose connections are lost: of those that are down, or nobody's. */
static void
lost_find(const struct steered *s, uint32_t slot,
	bool lost[GG_BACKENDS_MAX])
{
	for (size_t i = 0; i < GG_BACKENDS_MAX; i++) {
		const struct backend *b = &s->backends.list[i];

		lost[i] = b->slot != slot ||
			b->state == FASTPATH_BACKEND_DOWN;
	}
}

/* Each connection was kept, and is not any more: what is left of them is looked
 * up until a walk over the tables took it out. */
static bool
service_forgets(const struct steered *s, const struct service_conf *conf)
{
	struct gg_service before = { 0 };

	return bpf_map_lookup_elem(s->sets->list[0].maps.fd[MAP_SERVICE],
		       &conf->asked.slot, &before) == 0 &&
		before.flags & GG_SERVICE_ALWAYS &&
		!service_conf_keeps_each(conf);
}

void
steered_give_ring(struct steered *s, struct service *service, bool fresh,
	uint64_t now_ms)
{
	const struct service_conf *conf = service->conf;
	enum ring_keeping keeping = service_conf_keeping(conf);
	uint16_t now_s = (uint16_t)(now_ms / 1000);
	uint64_t hash = ring_hash(s, conf);
	bool forgets = service_forgets(s, conf);
	bool lost[GG_BACKENDS_MAX];
	struct owners owners;

	if (!fresh && service->given == hash)
		return;
	owners = owners_make(s, conf);
	lost_find(s, conf->asked.slot, lost);
	for (uint32_t i = 0; i < GG_RING_SLOTS; i++) {
		struct gg_ring_slot old = service->ring.slots[i], new;
		uint16_t owner = owners.ring == NULL ?
			0 :
			owners.index[ring_member_at(owners.ring, i)];

		new = fresh ? ring_slot_first(owner, now_s) :
			      ring_slot_give(old, owner,
				      old.base >= GG_BACKENDS_MAX ||
					      lost[old.base],
				      keeping, now_s);
		if (forgets && new.flags == 0)
			new = ring_slot_pin(new, now_s);
		if (ring_slot_equal(old, new))
			continue;
		ring_map_store(&service->ring, i, new);
		if (service->candidates != NULL)
			service->candidates[i] = 0;
	}
	ring_free(owners.ring);
	free(owners.index);
	service->given = hash;
	service->window_look_ms = now_ms;
	steered_count_ring(s, conf->asked.slot);
}

