/* Subsets that destinations ask for, beside what their upstreams have. */
#include "control/subsets.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/table.h"
#include "control/object.h"
#include "model/kind.h"
#include "model/subset.h"

static void
selector_hash(const struct subset_selector *s, void *arg)
{
	uint64_t *digest = arg;

	*digest = hash_bytes(&s->key_count, sizeof(s->key_count), *digest);
	for (size_t i = 0; i < s->key_count; i++)
		*digest = hash_bytes(
			s->keys[i], strlen(s->keys[i]) + 1, *digest);
}

uint64_t
subsets_digest(const struct model_upstream *u)
{
	uint64_t digest = 0;

	if (u->kind->subsets != NULL)
		u->kind->subsets(u->spec, selector_hash, &digest);
	return digest;
}

struct search {
	const struct model_destination *destination;
	bool any, found;
};

static void
selector_compare(const struct subset_selector *s, void *arg)
{
	struct search *search = arg;
	const struct model_destination *d = search->destination;

	search->any = true;
	search->found |= subset_is_of(s, d->subset, d->subset_count);
}

bool
subsets_lack(const struct control *c, const struct model_destination *d,
	char *reason, size_t size)
{
	const struct object *o = objects_find(
		c->objects, MODEL_UPSTREAM, d->upstream.ns, d->upstream.name);
	struct search search = { .destination = d };
	const struct upstream_kind *kind;
	struct str keys;

	if (d->subset_count == 0 || o == NULL || o->model == NULL)
		return false;
	kind = o->model->upstream->kind;
	if (kind->subsets != NULL)
		kind->subsets(o->model->upstream->spec, selector_compare,
			&search);
	if (search.found)
		return false;
	str_init(&keys);
	for (size_t i = 0; i < d->subset_count; i++)
		str_printf(&keys, "%s%s", i > 0 ? ", " : "", d->subset[i].key);
	if (kind->subsets == NULL)
		snprintf(reason, size,
			"the upstream \"%s\" has no subset of the keys %.200s "
			"and its requests are 503: upstreams of kind %s have "
			"no subsets; remove the destination's subset",
			o->label, keys.data, kind->title);
	else
		snprintf(reason, size,
			"the upstream \"%s\" has no subset of the keys %.200s "
			"and its requests are 503: %s; add one or remove the "
			"destination's subset",
			o->label, keys.data,
			search.any ? "none of its selectors has exactly these"
				   : "it has no selectors");
	str_fini(&keys);
	return true;
}
