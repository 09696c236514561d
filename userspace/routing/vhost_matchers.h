/*
 * The matchers of a virtual host while its block is built: each goes into the
 * block as it is added; the trees that find them are made at the end.
 */
#ifndef ROUTING_VHOST_MATCHERS_H
#define ROUTING_VHOST_MATCHERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/model.h"
#include "routing/block.h"

struct vhost_matchers;

/* block: its image_vhost is at offset 0, its routes are there. */
struct vhost_matchers *vhost_matchers_new(struct block *block, size_t count);
void vhost_matchers_free(struct vhost_matchers *v);

/* In the order of the routes. */
int vhost_matchers_add(struct vhost_matchers *v, const struct model_matcher *m,
	uint32_t route, struct error *err);

/* A route none of whose matchers is ever reached, and an earlier one that
 * takes what one of them wants; in order. */
typedef void vhost_unreachable_f(uint32_t route, uint32_t earlier, void *arg);
void vhost_matchers_finish(
	struct vhost_matchers *v, vhost_unreachable_f *unreachable, void *arg);

#endif
