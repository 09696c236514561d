/* What becomes of one slot of a service's ring. */
#include "fastpath/ring_slot.h"

static struct gg_ring_slot
slot_with(struct gg_ring_slot slot, uint16_t flags, uint16_t now_s)
{
	if (slot.flags != flags)
		slot.epoch = now_s;
	slot.flags = flags;
	return slot;
}

struct gg_ring_slot
ring_slot_first(uint16_t owner, uint16_t now_s)
{
	return (struct gg_ring_slot){ .current = owner,
		.base = owner,
		.epoch = now_s };
}

/* Nobody but those who are kept must be asked for: base is not needed. */
static struct gg_ring_slot
slot_jump(struct gg_ring_slot slot, uint16_t owner, bool kept_elsewhere,
	uint16_t now_s)
{
	if (slot.current != owner)
		slot.epoch = now_s;
	slot.current = owner;
	slot.base = owner;
	return slot_with(slot, kept_elsewhere ? GG_RING_PINNED : 0, now_s);
}

struct gg_ring_slot
ring_slot_give(struct gg_ring_slot slot, uint16_t owner, bool base_lost,
	enum ring_keeping keeping, uint16_t now_s)
{
	if (keeping == RING_KEEPS_NONE)
		return slot_jump(slot, owner, false, now_s);
	/* Some that are kept may be with neither, so a flag stays one. */
	if (base_lost || slot.base == 0)
		return slot_jump(slot, owner, slot.flags != 0, now_s);
	if (owner == slot.base)
		return slot_jump(slot, owner, slot.flags != 0, now_s);
	if (keeping == RING_KEEPS_KNOWN)
		return slot_jump(slot, owner, true, now_s);
	slot.current = owner;
	return slot_with(slot, GG_RING_MOVED, now_s);
}

bool
ring_slot_is_due(struct gg_ring_slot slot, uint16_t window_s, uint16_t now_s)
{
	return slot.flags == GG_RING_MOVED &&
		(uint16_t)(now_s - slot.epoch) >= window_s;
}

struct gg_ring_slot
ring_slot_pin(struct gg_ring_slot slot, uint16_t now_s)
{
	slot.base = slot.current;
	return slot_with(slot, GG_RING_PINNED, now_s);
}

struct gg_ring_slot
ring_slot_settle(struct gg_ring_slot slot, uint16_t now_s)
{
	return slot_with(slot, 0, now_s);
}
