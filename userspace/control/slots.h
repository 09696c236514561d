/*
 * The slots of gateways: a number for as long as a gateway has its address,
 * kept over restarts. Listeners of HTTP have 1..LISTENERS_MAX-1, services the
 * rest; those of TCP have listening sockets too.
 */
#ifndef CONTROL_SLOTS_H
#define CONTROL_SLOTS_H

#include <stdint.h>

#include "base/doc.h"
#include "base/error.h"
#include "control/core.h"

/* Takes the gateway's slot and opens what listens there. */
int slot_open(struct control *c, const struct model_gateway *g, uint32_t *slot,
	struct error *err);
/* No generation from the next on uses the slot. */
void slot_retire(
	struct control *c, const struct model_gateway *g, uint32_t slot);
/* After the start: those of gateways that went while no control ran. */
void slots_settle(struct control *c, uint64_t next);
/* The proxy runs that generation: closes and frees what only older ones used.
 */
void slots_release(struct control *c, uint64_t generation);

/* Of the gateway that has it, or NULL. */
const struct object *slot_gateway(const struct control *c, uint32_t slot);
/* Where it is: "listener", the gateway's label or "", its "namespace" and its
 * "address". */
void slot_print(const struct control *c, uint32_t slot, struct doc *to);

#endif
