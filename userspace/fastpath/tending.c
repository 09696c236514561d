/* What time brings to the services that XDP steers. */
#include "fastpath/tending.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define SWEEP_STEP_US 3000 /* of one call */
#define SWEEP_EACH_MS 10000
#define SWEEP_SOON_MS 1000 /* while something waits for its end */

#define WAYS_MAX   512 /* looked at in one call */
#define WAYS_ROUND 5   /* calls in which each is looked at, if they are few */

/* ---- windows */

static void
service_end_windows(struct steered *s, struct service *service,
	uint64_t now_ms)
{
	const struct service_conf *conf = service->conf;
	uint16_t window_s = (uint16_t)((conf->asked.drain_ms + 999) / 1000);
	uint16_t now_s = (uint16_t)(now_ms / 1000), left = window_s;
	uint32_t ended = 0;

	for (uint32_t i = 0; i < GG_RING_SLOTS; i++) {
		struct gg_ring_slot slot = service->ring.slots[i];
		uint16_t age = (uint16_t)(now_s - slot.epoch);

		if (ring_slot_is_due(slot, window_s, now_s)) {
			ring_map_store(&service->ring, i,
				ring_slot_pin(slot, now_s));
			ended++;
		} else if (slot.flags == GG_RING_MOVED &&
			window_s - age < left) {
			left = (uint16_t)(window_s - age);
		}
	}
	service->window_look_ms = now_ms + 1000 * (uint64_t)left;
	if (ended == 0)
		return;
	steered_count_ring(s, conf->asked.slot);
	log_info("fastpath: connections idle since their backends changed are"
		 " given up slot=%u ring_slots=%u",
		conf->asked.slot, ended);
}

static void
windows_end(struct steered *s, uint64_t now_ms)
{
	for (size_t slot = GG_LISTENERS_MAX; slot < GG_SLOTS_MAX; slot++) {
		struct service *service = &s->list[slot];

		if (service->conf != NULL && service->ring.fd >= 0 &&
			service->moved > 0 && now_ms >= service->window_look_ms)
			service_end_windows(s, service, now_ms);
	}
}

/* ---- the walk */

struct walk {
	struct steered *s;
	uint32_t now_s;
};

/* seen_s has 31 bits in some tables; the clocks are coarse, so that it may lie
 * ahead. */
static uint32_t
idle_of(const struct walk *w, uint32_t seen_s)
{
	int32_t idle = (int32_t)((w->now_s - seen_s) << 1) / 2;

	return idle > 0 ? (uint32_t)idle : 0;
}

static const struct backend *
backend_of(const struct walk *w, uint16_t index)
{
	const struct backend *b;

	if (index >= GG_BACKENDS_MAX)
		return NULL;
	b = &w->s->backends.list[index];
	return b->slot != 0 && w->s->list[b->slot].conf != NULL ? b : NULL;
}

/* Without it its packets go where they go with it. In a stable slot nothing is
 * looked up, and what was left there would be believed at the next change. */
static bool
connection_is_needless(const struct service *service,
	const struct gg_connection *c)
{
	if (service_conf_keeps_each(service->conf))
		return false;
	/* Of a slot of the ring it has the low bits: it may be one of two. */
	for (uint32_t i = c->ring_slot_low; i < GG_RING_SLOTS;
		i += UINT16_MAX + 1) {
		struct gg_ring_slot slot = service->ring.slots[i];

		if (slot.flags != 0 && (slot.flags != GG_RING_PINNED ||
					       slot.current != c->backend))
			return false;
	}
	return true;
}

/* The slot is not to settle: it leads elsewhere, or may be left behind. */
static void
candidates_strike(struct service *service, const struct gg_connection *c)
{
	for (uint32_t i = c->ring_slot_low; i < GG_RING_SLOTS;
		i += UINT16_MAX + 1) {
		if (!service_conf_keeps_each(service->conf) ||
			service->ring.slots[i].current != c->backend)
			service->candidates[i] = 0;
	}
}

static bool
connection_is_over(uint8_t l4_proto, const struct gg_connection *c, void *arg)
{
	struct walk *w = arg;
	const struct backend *b = backend_of(w, c->backend);
	struct service *service;
	uint32_t most = c->closing ? TENDING_TCP_HALF_S : TENDING_TCP_IDLE_S;

	if (b == NULL || b->state == FASTPATH_BACKEND_DOWN)
		return true;
	service = &w->s->list[b->slot];
	if (l4_proto != IPPROTO_TCP)
		most = service->conf->asked.idle_s;
	if (idle_of(w, c->seen_s) > most || connection_is_needless(service, c))
		return true;
	w->s->kept_seen[c->backend]++;
	if (service->candidates != NULL)
		candidates_strike(service, c);
	return false;
}

static bool
nat_is_idle(const struct walk *w, uint8_t l4_proto, const struct gg_nat *nat)
{
	const uint8_t both = GG_NAT_CLOSING_CLIENT | GG_NAT_CLOSING_BACKEND;
	const struct service *service = &w->s->list[nat->slot];
	uint32_t most = TENDING_TCP_IDLE_S;

	if (l4_proto != IPPROTO_TCP)
		most = service->conf->asked.idle_s;
	else if ((nat->closing & both) == both)
		most = TENDING_TCP_CLOSED_S;
	else if (nat->closing != 0)
		most = TENDING_TCP_HALF_S;
	return idle_of(w, nat->seen_s) > most;
}

/* Nobody is there to miss it. As long as a backend that is down may come back,
 * the program itself lets go of what begins anew. */
static bool
nat_is_lost(const struct walk *w, const struct gg_nat *nat)
{
	const struct backend *b = backend_of(w, nat->backend);

	return b == NULL || b->slot != nat->slot ||
		(b->state == FASTPATH_BACKEND_DOWN && b->removed);
}

static bool
nat_wants_peer(uint8_t l4_proto, const struct gg_nat *nat, void *arg)
{
	const struct walk *w = arg;

	return nat_is_lost(w, nat) || nat_is_idle(w, l4_proto, nat);
}

static bool
nat_is_over(uint8_t l4_proto, const struct gg_nat *nat,
	const struct gg_nat *peer, void *arg)
{
	struct walk *w = arg;

	if (nat_is_lost(w, nat))
		return true;
	if (nat_is_idle(w, l4_proto, nat) &&
		(peer == NULL || peer->slot != nat->slot ||
			nat_is_idle(w, l4_proto, peer))) {
		w->s->list[nat->slot].nat_expired += peer != NULL;
		return true;
	}
	if (!nat->reverse)
		w->s->nat_seen[nat->backend]++;
	return false;
}

static bool
walk_is_awaited(const struct steered *s)
{
	for (size_t slot = GG_LISTENERS_MAX; slot < GG_SLOTS_MAX; slot++) {
		if (s->list[slot].pinned > 0)
			return true;
	}
	for (size_t i = 1; i < GG_BACKENDS_MAX; i++) {
		if (s->backends.list[i].slot != 0 &&
			s->backends.list[i].removed)
			return true;
	}
	return false;
}

static void
candidates_find(struct service *service)
{
	if (service->candidates == NULL)
		service->candidates = xcalloc(GG_RING_SLOTS, 1);
	for (uint32_t i = 0; i < GG_RING_SLOTS; i++)
		service->candidates[i] =
			service->ring.slots[i].flags == GG_RING_PINNED;
}

static void
walk_begin(struct steered *s, uint64_t now_ms)
{
	for (size_t slot = GG_LISTENERS_MAX; slot < GG_SLOTS_MAX; slot++) {
		if (s->list[slot].pinned > 0)
			candidates_find(&s->list[slot]);
	}
	for (size_t i = 1; i < GG_BACKENDS_MAX; i++) {
		struct backend *b = &s->backends.list[i];

		b->unnamed = b->removed && b->ring_slots == 0 &&
			b->ring_bases == 0;
	}
	memset(s->kept_seen, 0, sizeof(s->kept_seen));
	memset(s->nat_seen, 0, sizeof(s->nat_seen));
	s->sweep_ms = now_ms;
	sweep_begin(&s->sweep);
}

static void
service_settle(struct steered *s, uint32_t slot, uint16_t now_s)
{
	struct service *service = &s->list[slot];
	uint32_t settled = 0;

	for (uint32_t i = 0; i < GG_RING_SLOTS; i++) {
		struct gg_ring_slot at = service->ring.slots[i];

		if (!service->candidates[i] || at.flags != GG_RING_PINNED)
			continue;
		ring_map_store(&service->ring, i, ring_slot_settle(at, now_s));
		settled++;
	}
	if (settled == 0)
		return;
	steered_count_ring(s, slot);
	log_info("fastpath: no connection is kept apart any more slot=%u"
		 " ring_slots=%u",
		slot, settled);
}

static void
walk_take_counts(struct steered *s)
{
	for (size_t slot = 0; slot < GG_SLOTS_MAX; slot++)
		s->list[slot].kept = s->list[slot].nat = 0;
	for (size_t i = 1; i < GG_BACKENDS_MAX; i++) {
		struct backend *b = &s->backends.list[i];

		b->kept = s->kept_seen[i];
		b->nat = s->nat_seen[i];
		s->list[b->slot].kept += b->kept;
		s->list[b->slot].nat += b->nat;
	}
}

static void
indices_release(struct steered *s)
{
	for (uint16_t i = 1; i < GG_BACKENDS_MAX; i++) {
		const struct backend *b = &s->backends.list[i];

		if (b->slot == 0 || !b->removed || !b->unnamed ||
			b->kept + b->nat > 0)
			continue;
		steered_release(s, i);
		s->ways_moved = true;
	}
}

static void
walk_end(struct steered *s, uint64_t now_ms)
{
	for (uint32_t slot = GG_LISTENERS_MAX; slot < GG_SLOTS_MAX; slot++) {
		struct service *service = &s->list[slot];

		if (service->candidates != NULL && !s->sweep.failed)
			service_settle(s, slot, (uint16_t)(now_ms / 1000));
		free(service->candidates);
		service->candidates = NULL;
	}
	if (s->sweep.failed)
		return;
	walk_take_counts(s);
	indices_release(s);
}

static void
walk_step(struct steered *s, uint64_t now_ms)
{
	struct walk walk = { s, (uint32_t)(now_ms / 1000) };
	const struct sweep_judge judge = {
		.connection = connection_is_over,
		.want_peer = nat_wants_peer,
		.nat = nat_is_over,
		.arg = &walk,
	};

	if (!s->sweep.running) {
		if (s->sweep_ms != 0 &&
			now_ms - s->sweep_ms < (walk_is_awaited(s) ?
							 SWEEP_SOON_MS :
							 SWEEP_EACH_MS))
			return;
		walk_begin(s, now_ms);
	}
	if (sweep_step(&s->sweep, s->sets, &judge,
		    clock_monotonic_us() + SWEEP_STEP_US))
		walk_end(s, now_ms);
}

/* ---- ways */

static bool
way_is_pending(const struct backend *b)
{
	return b->way.stale || b->way.ifindex == 0;
}

void
tending_ways(struct steered *s, uint64_t now_ms)
{
	const unsigned round = GG_BACKENDS_MAX / WAYS_ROUND + 1;
	unsigned looks = 0, n;

	for (n = 0; n < GG_BACKENDS_MAX && looks < WAYS_MAX; n++) {
		uint16_t i = (uint16_t)((s->way_next + n) % GG_BACKENDS_MAX);
		const struct backend *b = &s->backends.list[i];
		bool pending = way_is_pending(b);

		if (b->slot == 0 ||
			(!pending && b->way.reachable && n >= round))
			continue;
		steered_look_way(s, i, pending, now_ms);
		looks++;
	}
	s->way_next = (uint16_t)((s->way_next + (n < round ? n : round)) %
		GG_BACKENDS_MAX);
}

void
tending_neighbour(struct steered *s, uint32_t ifindex, const uint8_t ip[16],
	uint64_t now_ms)
{
	for (uint16_t i = 1; i < GG_BACKENDS_MAX; i++) {
		const struct backend *b = &s->backends.list[i];

		if (b->slot != 0 && b->way.ifindex == ifindex &&
			memcmp(b->way.hop, ip, 16) == 0)
			steered_look_way(s, i, false, now_ms);
	}
}

void
tending_routes(struct steered *s)
{
	for (size_t i = 1; i < GG_BACKENDS_MAX; i++)
		s->backends.list[i].way.stale = s->backends.list[i].slot != 0;
	s->routes_changed = true;
}

void
tending_tick(struct steered *s, uint64_t now_ms)
{
	struct error err = ERROR_INIT;

	/* Until it is known what is wanted, what is there stays as it is. */
	if (!s->wanted || s->netlink < 0)
		return;
	tending_ways(s, now_ms);
	/* In this order: no packet that still saw a moved slot may be on its
	 * way when a walk that is to settle it begins. */
	walk_step(s, now_ms);
	windows_end(s, now_ms);
	if (s->ways_moved && steered_sync_ways(s, &err) != 0)
		log_warn("fastpath: %s", err.text);
}
