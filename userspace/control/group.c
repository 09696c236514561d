/* Upstream groups as control sees them. */
#include "control/group.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/table.h"
#include "control/destination.h"
#include "control/object.h"

#define MISSING_NAMED 5

static struct object *
object_of(const struct control *c, const struct model_ref *ref, char *reason,
	size_t size)
{
	struct object *o = objects_find(
		c->objects, MODEL_UPSTREAM_GROUP, ref->ns, ref->name);

	if (o != NULL && o->model != NULL)
		return o;
	if (o == NULL)
		snprintf(reason, size, "no upstream group is named \"%s.%s\"",
			ref->ns, ref->name);
	else
		snprintf(reason, size, "the upstream group \"%s\" is Rejected",
			o->label);
	return NULL;
}

const struct model_upstream_group *
group_find(const struct control *c, const struct model_ref *ref, char *reason,
	size_t size)
{
	const struct object *o = object_of(c, ref, reason, size);

	return o != NULL ? o->model->upstream_group : NULL;
}

static uint64_t
digest_make(const struct control *c, const struct object *o)
{
	const struct model_upstream_group *g = o->model->upstream_group;
	uint64_t digest = hash_bytes(&o->version, sizeof(o->version), 0);

	for (size_t i = 0; i < g->destination_count; i++)
		digest = destination_digest(
			c, &g->destinations[i], digest);
	return digest != 0 ? digest : 1;
}

/* Many virtual services ask for that of the same group. */
uint64_t
group_digest(const struct control *c, const struct model_ref *ref)
{
	char reason[DESTINATION_REASON_MAX];
	struct object *o = object_of(c, ref, reason, sizeof(reason));

	if (o == NULL)
		return hash_bytes(reason, strlen(reason), 0);
	if (o->block_digest == 0 || o->block_epoch != c->upstream_epoch) {
		o->block_digest = digest_make(c, o);
		o->block_epoch = c->upstream_epoch;
	}
	return o->block_digest;
}

char *
group_missing(const struct control *c, const struct model_upstream_group *g)
{
	char reason[DESTINATION_REASON_MAX];
	size_t missing = 0;
	struct str text, call;

	str_init(&text);
	str_init(&call);
	for (size_t i = 0; i < g->destination_count; i++) {
		const struct model_destination *d = &g->destinations[i];

		str_clear(&call);
		destination_find(c, d, &call, reason, sizeof(reason));
		if (reason[0] == '\0' || missing++ >= MISSING_NAMED)
			continue;
		str_printf(&text, "%sdestinations[%zu]: %s",
			text.length > 0 ? "; " : "", i, reason);
	}
	str_fini(&call);
	if (missing > MISSING_NAMED)
		str_printf(&text, "; and %zu more", missing - MISSING_NAMED);
	if (missing > 0)
		return str_steal(&text);
	str_fini(&text);
	return NULL;
}
