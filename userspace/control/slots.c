/* The slots of gateways. */
#include "control/slots.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "control/blocks.h"
#include "control/generation.h"
#include "control/kernel.h"
#include "control/relation.h"
#include "control/supervise.h"
#include "fastpath/steering.h"

#define SERVICE_BASE (LISTENERS_MAX - 1) /* number 1 is slot 64 */

void
slot_retire(struct control *c, const struct model_gateway *g, uint32_t slot)
{
	struct listener *l = listeners_get(c->listeners, slot);
	char *key = gateway_slot_key(g);
	uint64_t next = generation_number(c) + 1;

	numbers_retire(slot < LISTENERS_MAX ? c->slots : c->service_slots, key,
		next);
	if (l != NULL && l->told)
		l->closing = next;
	else
		listeners_close(c->listeners, slot);
	c->listeners_stale = true;
	free(key);
}

/* What the kernel goes on steering while nobody remembers its slot. */
static void
service_slot_recall(
	struct control *c, const struct model_gateway *g, const char *key)
{
	struct addr addr;
	uint32_t slot;

	if (c->fastpath == NULL || numbers_get(c->service_slots, key) != 0)
		return;
	gateway_addr(g, &addr);
	slot = fastpath_service_slot(
		c->fastpath, &addr,
		gateway_is_udp(g) ? IPPROTO_UDP : IPPROTO_TCP);
	if (slot > SERVICE_BASE)
		numbers_restore(c->service_slots, key, slot - SERVICE_BASE);
}

static uint32_t
service_slot_take(struct control *c, const struct model_gateway *g,
	const char *key, struct error *err)
{
	uint32_t number;

	service_slot_recall(c, g, key);
	number = numbers_take(c->service_slots, key);
	if (number != 0)
		return number + SERVICE_BASE;
	error_set(err, ERROR_LIMIT,
		"there are %d services already, which is the most",
		SLOTS_MAX - LISTENERS_MAX);
	return 0;
}

static uint32_t
listener_slot_take(struct control *c, const char *key, struct error *err)
{
	uint32_t slot = numbers_take(c->slots, key);

	if (slot == 0)
		error_set(err, ERROR_LIMIT,
			"there are %d listeners already, which is the most",
			LISTENERS_MAX - 1);
	return slot;
}

int
slot_open(struct control *c, const struct model_gateway *g, uint32_t *slot,
	struct error *err)
{
	char *key = gateway_slot_key(g);
	struct addr addr;

	*slot = g->tcp != NULL ? service_slot_take(c, g, key, err)
			       : listener_slot_take(c, key, err);
	free(key);
	if (*slot == 0)
		return -1;
	if (gateway_is_udp(g))
		return 0;
	gateway_addr(g, &addr);
	if (listeners_bind(c->listeners, *slot, &addr, err) == 0) {
		if (!listeners_get(c->listeners, *slot)->listening)
			kernel_tell_ahead(c, g, *slot);
		if (listeners_listen(c->listeners, *slot, err) == 0)
			return 0;
	}
	slot_retire(c, g, *slot);
	*slot = 0;
	return -1;
}

/* ---- those that nobody has any more */

static bool
slot_is_used(const struct control *c, uint32_t slot)
{
	for (size_t i = 0; i < objects_count(c->objects, MODEL_GATEWAY); i++)
		if (objects_at(c->objects, MODEL_GATEWAY, i)->slot == slot)
			return true;
	return false;
}

static void
numbers_settle(
	struct control *c, struct numbers *of, uint32_t base, uint64_t next)
{
	uint32_t number = 0;
	const char *name;

	while (numbers_next(of, &number, &name)) {
		struct listener *l =
			listeners_get(c->listeners, base + number);

		if (slot_is_used(c, base + number))
			continue;
		numbers_retire(of, name, next);
		if (l != NULL)
			l->closing = next;
	}
}

void
slots_settle(struct control *c, uint64_t next)
{
	numbers_settle(c, c->slots, 0, next);
	numbers_settle(c, c->service_slots, SERVICE_BASE, next);
}

static void
on_released(uint32_t slot, void *arg)
{
	const struct control *c = arg;

	supervisor_send_close(c->supervisor, slot);
	listeners_close(c->listeners, slot);
	blocks_slot_closed(c->blocks, slot);
}

static void
on_service_released(uint32_t number, void *arg)
{
	on_released(number + SERVICE_BASE, arg);
}

void
slots_release(struct control *c, uint64_t generation)
{
	numbers_release(c->slots, generation, on_released, c);
	numbers_release(c->service_slots, generation, on_service_released, c);
}

/* ---- as people see them */

const struct object *
slot_gateway(const struct control *c, uint32_t slot)
{
	for (size_t i = 0; i < objects_count(c->objects, MODEL_GATEWAY); i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_GATEWAY, i);

		if (slot != 0 && o->slot == slot)
			return o;
	}
	return NULL;
}

void
slot_print(const struct control *c, uint32_t slot, struct doc *to)
{
	const struct object *o = slot_gateway(c, slot);
	char text[ADDR_TEXT_MAX];
	struct addr addr;

	doc_set_string(to, "listener", o != NULL ? o->label : "");
	if (o == NULL || o->model == NULL)
		return;
	gateway_addr(o->model->gateway, &addr);
	doc_set_string(to, "namespace", o->ns);
	doc_set_string(to, "address", addr_format(&addr, text));
}
