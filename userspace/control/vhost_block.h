/*
 * Virtual services as blocks of an image (routing/image_build.h), each built
 * when it changes or its destinations lead elsewhere, and kept with its object.
 */
#ifndef CONTROL_VHOST_BLOCK_H
#define CONTROL_VHOST_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "control/core.h"
#include "model/model.h"

struct vhost_block {
	void *bytes;
	uint32_t length;
	char *warning;  /* or NULL */
	uint32_t *uses; /* ids of upstreams that it leads to */
	size_t use_count;
	uint64_t digest;
	uint64_t spent_us; /* building it */
};

int vhost_block_build(const struct control *c,
	const struct model_virtual_service *vs, struct vhost_block *out,
	struct error *err);
void vhost_block_fini(struct vhost_block *b);
/* It becomes that of the object; b is empty. */
void vhost_block_give(
	const struct control *c, struct vhost_block *b, struct object *o);

/* Upstreams, groups or functions came, went or changed: does that lead the
 * virtual service o, which has a model, elsewhere? */
bool vhost_block_is_stale(const struct control *c, struct object *o);
/* Builds it again where it does. False: it stays as it is. */
bool vhost_block_refresh(const struct control *c, struct object *o);

#endif
