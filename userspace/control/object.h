/*
 * The objects that the operator has: what serves of each, and what became of
 * its newest version. Sorted by namespace and name.
 */
#ifndef CONTROL_OBJECT_H
#define CONTROL_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/doc.h"
#include "model/model.h"

struct discovery;
struct upstream_kind;
struct upstream_tls;

struct object {
	enum model_type type;
	char *ns, *name;
	char *key;   /* "namespace/name": unique */
	char *label; /* "namespace.name": as images, metrics and people say */

	struct model_object *model; /* what serves; NULL: nothing yet */
	uint64_t version;           /* resourceVersion of model */
	uint64_t generation;        /* the first image that holds model */
	bool good_due; /* state/good is to be written once that is enforced */
	bool lazily;   /* without waiting for the disk */
	/* The kind that reported it from another store; NULL: it is of ours. */
	const struct upstream_kind *origin;

	/* The newest version came as a file and is wrong; model serves on. */
	bool rejected;
	char *reason;
	int line;
	/* It is wrong only beside other objects: tried again when they change.
	 */
	struct model_object *wanted;

	char *warning; /* of a virtual service: found while it was built */
	void *block;   /* its virtual host, of vhost_build */
	uint32_t block_length;
	uint64_t block_epoch;  /* the epoch of upstreams it was compared with */
	uint64_t block_digest; /* of what its destinations led to; of a group
				* (group_digest) at that epoch, 0: not known */
	uint32_t *uses; /* ids of upstreams that its routes lead to */
	size_t use_count;

	uint32_t id; /* of an upstream */
	struct upstream_tls *tls; /* how TLS is spoken to it; NULL: plain */
	struct discovery *discovery;

	uint32_t slot; /* of a gateway; 0: not listening */
	/* Before it moved: connections that came there are served on, as long
	 * as no other gateway has that slot. */
	uint32_t slot_before;
};

struct objects;

struct objects *objects_new(void);
void objects_free(struct objects *o);
struct object *objects_find(const struct objects *o, enum model_type type,
	const char *ns, const char *name);
/* Found or made. */
struct object *objects_take(struct objects *o, enum model_type type,
	const char *ns, const char *name);
void objects_remove(struct objects *o, struct object *object);
size_t objects_count(const struct objects *o, enum model_type type);
struct object *objects_at(
	const struct objects *o, enum model_type type, size_t i);

void object_reject(struct object *o, const char *reason, int line);
void object_clear(struct object *o); /* no longer rejected */
/* What the store and state/good hold: canonical, with its version; of a secret
 * with its values (config_doc_free). */
struct doc *object_document(const struct object *o);
/* The same for eyes: without the values of secrets. */
struct doc *object_shown(const struct object *o);

#endif
