/* Where destinations lead. */
#include "control/destination.h"

#include <stdio.h>
#include <string.h>

#include "base/table.h"
#include "control/calls.h"
#include "control/materials.h"
#include "control/object.h"
#include "control/programs.h"
#include "control/subsets.h"

/* NULL and why: nothing can be sent there. */
static const struct object *
upstream_find(const struct control *c, const struct model_ref *ref,
	char *reason, size_t size)
{
	const struct object *o =
		objects_find(c->objects, MODEL_UPSTREAM, ref->ns, ref->name);

	if (o == NULL)
		snprintf(reason, size, "no upstream is named \"%s.%s\"",
			ref->ns, ref->name);
	else if (o->model == NULL)
		snprintf(reason, size, "the upstream \"%s\" is Rejected",
			o->label);
	else if (programs_not_served(c, o->model->upstream->kind) != NULL)
		snprintf(reason, size,
			"the upstream \"%s\" cannot be served: %s", o->label,
			programs_not_served(c, o->model->upstream->kind));
	else
		return o;
	return NULL;
}

uint32_t
destination_find_relayed(const struct control *c, const struct model_ref *ref,
	char *reason, size_t size)
{
	const struct object *o = upstream_find(c, ref, reason, size);

	return o == NULL ? 0 : o->id;
}

uint32_t
destination_find(const struct control *c, const struct model_destination *d,
	struct str *call, char *reason, size_t size)
{
	const struct object *o = upstream_find(c, &d->upstream, reason, size);

	if (o == NULL)
		return 0;
	if (materials_problem(c, o) != NULL) {
		snprintf(reason, size,
			"the upstream \"%s\" cannot be served: %s", o->label,
			materials_problem(c, o));
		return 0;
	}
	if (calls_lack(c, o, reason, size) ||
		!calls_write(o, d, call, reason, size))
		return 0;
	if (reason[0] == '\0')
		subsets_lack(c, d, reason, size);
	return o->id;
}

uint64_t
destination_digest(const struct control *c, const struct model_destination *d,
	uint64_t digest)
{
	char reason[DESTINATION_REASON_MAX];
	struct str call;
	uint32_t id;

	str_init(&call);
	id = destination_find(c, d, &call, reason, sizeof(reason));
	digest = hash_bytes(&id, sizeof(id), digest);
	if (call.length > 0)
		digest = hash_bytes(call.data, call.length, digest);
	if (reason[0] != '\0')
		digest = hash_bytes(reason, strlen(reason), digest);
	str_fini(&call);
	return digest;
}
