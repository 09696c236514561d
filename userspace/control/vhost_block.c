/* Virtual services as blocks of an image. */
#include "control/vhost_block.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/table.h"
#include "control/destination.h"
#include "control/group.h"
#include "control/id_set.h"
#include "control/object.h"
#include "routing/image_build.h"

#define WARNING_MAX 2000 /* bytes; what does not fit is counted */

struct lookup {
	const struct control *control;
	struct str warning;
	struct id_set uses; /* upstreams that it leads to */
	size_t left_out;
	char reason[DESTINATION_REASON_MAX];
};

/* As a list, for most lead to few; the caller's. */
static uint32_t *
ids_list(const struct id_set *set, size_t *count)
{
	uint32_t *list;

	*count = 0;
	for (uint32_t id = 0; id < UPSTREAMS_MAX; id++)
		*count += id_set_has(set, id);
	list = xcalloc(*count, sizeof(*list));
	*count = 0;
	for (uint32_t id = 0; id < UPSTREAMS_MAX; id++)
		if (id_set_has(set, id))
			list[(*count)++] = id;
	return list;
}

static uint32_t
on_upstream(const struct model_destination *d, struct str *call,
	const char **reason, void *arg)
{
	struct lookup *l = arg;
	uint32_t id = destination_find(
		l->control, d, call, l->reason, sizeof(l->reason));

	if (id != 0)
		id_set_add(&l->uses, id);
	if (l->reason[0] != '\0')
		*reason = l->reason;
	return id;
}

static const struct model_upstream_group *
on_group(const struct model_ref *ref, const char **reason, void *arg)
{
	struct lookup *l = arg;
	const struct model_upstream_group *g =
		group_find(l->control, ref, l->reason, sizeof(l->reason));

	if (g == NULL)
		*reason = l->reason;
	return g;
}

static void
on_warning(const char *place, const char *text, void *arg)
{
	struct lookup *l = arg;

	if (l->warning.length > WARNING_MAX) {
		l->left_out++;
		return;
	}
	str_printf(&l->warning, "%s%s: %s", l->warning.length > 0 ? "; " : "",
		place, text);
}

static uint64_t
destinations_digest(
	const struct control *c, const struct model_virtual_service *vs)
{
	uint64_t digest = 0;

	for (size_t i = 0; i < vs->route_count; i++) {
		const struct model_route *r = &vs->routes[i];

		for (size_t k = 0; k < r->destination_count; k++)
			digest = destination_digest(
				c, &r->destinations[k], digest);
		if (r->target == MODEL_TARGET_GROUP) {
			uint64_t its = group_digest(c, &r->group);

			digest = hash_bytes(&its, sizeof(its), digest);
		}
	}
	return digest;
}

int
vhost_block_build(const struct control *c,
	const struct model_virtual_service *vs, struct vhost_block *out,
	struct error *err)
{
	struct lookup l = { .control = c };
	uint64_t begin = clock_monotonic_us();

	memset(out, 0, sizeof(*out));
	str_init(&l.warning);
	out->bytes = vhost_build(
		vs, on_upstream, on_group, on_warning, &l, &out->length, err);
	if (out->bytes != NULL && l.left_out > 0)
		str_printf(&l.warning, "; and %zu more", l.left_out);
	if (out->bytes != NULL && l.warning.length > 0)
		out->warning = str_steal(&l.warning);
	if (out->bytes != NULL)
		out->uses = ids_list(&l.uses, &out->use_count);
	out->digest = destinations_digest(c, vs);
	out->spent_us = clock_monotonic_us() - begin;
	str_fini(&l.warning);
	return out->bytes == NULL ? -1 : 0;
}

void
vhost_block_give(
	const struct control *c, struct vhost_block *b, struct object *o)
{
	free(o->block);
	free(o->uses);
	free(o->warning);
	o->uses = b->uses;
	o->use_count = b->use_count;
	o->block = b->bytes;
	o->block_length = b->length;
	o->block_digest = b->digest;
	o->block_epoch = c->upstream_epoch;
	o->warning = b->warning;
	memset(b, 0, sizeof(*b));
}

void
vhost_block_fini(struct vhost_block *b)
{
	free(b->bytes);
	free(b->uses);
	free(b->warning);
	memset(b, 0, sizeof(*b));
}

bool
vhost_block_is_stale(const struct control *c, struct object *o)
{
	if (o->block == NULL)
		return true;
	if (o->block_epoch != c->upstream_epoch &&
		destinations_digest(c, o->model->virtual_service) !=
			o->block_digest)
		return true;
	o->block_epoch = c->upstream_epoch;
	return false;
}

bool
vhost_block_refresh(const struct control *c, struct object *o)
{
	struct error err = ERROR_INIT;
	struct vhost_block b;

	if (!vhost_block_is_stale(c, o))
		return false;
	if (vhost_block_build(c, o->model->virtual_service, &b, &err) != 0) {
		log_error("generation: %s keeps its routes: %s", o->label,
			err.text);
		vhost_block_fini(&b);
		return false;
	}
	vhost_block_give(c, &b, o);
	return true;
}
