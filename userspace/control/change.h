/*
 * The one place where objects change, whoever asks: the admin API, a file, the
 * start. A change is prepared (checked, its virtual host built, its sockets
 * opened) and then applied or dropped; until applied it changes nothing.
 */
#ifndef CONTROL_CHANGE_H
#define CONTROL_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/doc.h"
#include "base/error.h"
#include "control/core.h"
#include "control/vhost_block.h"

struct change {
	struct model_object *model;
	struct vhost_block block; /* of a virtual service */
	uint32_t slot; /* of a gateway; 0: sockets are not opened yet */
	uint32_t id;   /* of an upstream */
	/* Set between the two: what is good is written down without waiting
	 * for the disk, for it can be asked again. */
	bool lazily;
};

/* Reads a document as the named object, whose name it may leave out. */
struct model_object *change_read(const struct control *c, enum model_type type,
	const char *ns, const char *name, struct doc *d, struct error *err);

/* Takes model. -1: it is Rejected, err says why; *beside (may be NULL) is then
 * true if it is wrong only beside other objects or what else the machine runs,
 * so that it may be right later. */
int change_prepare(struct control *c, struct model_object *model,
	struct change *out, bool *beside, struct error *err);
void change_drop(struct control *c, struct change *change);
/* It serves from the next generation on. version 0: the next one. */
struct object *change_apply(
	struct control *c, struct change *change, uint64_t version);
/* The object goes, with what the disk knows of it; the generation without. */
uint64_t change_remove(struct control *c, struct object *o);

/* Objects that were refused beside others, and gateways that do not listen,
 * are tried again. */
void change_retry(struct control *c);
/* After the start: opens the sockets of all gateways. */
void change_listen(struct control *c);
/* The proxy runs that generation: closes and frees what only older ones used,
 * writes down what is good now. */
void change_enforced(struct control *c, uint64_t generation);
/* A timer's: writes down more of that. */
void change_goods(void *control);

#endif
