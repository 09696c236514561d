/* Rate limits of stage http as a part of an image. */
#include "routing/limit_build.h"

#include "http/chars.h"
#include "http/head.h"

static struct image_str
lower_put(struct block *b, const char *text)
{
	struct image_str made;
	struct str lower;

	if (text == NULL)
		return (struct image_str){ 0, 0 };
	str_init(&lower);
	for (; *text != '\0'; text++)
		str_putc(&lower, http_char_lower(*text));
	made = block_string(b, (struct slice){ lower.data, lower.length });
	str_fini(&lower);
	return made;
}

static void
limit_put(struct block *b, struct image_array *list, const struct limit_rule *r,
	const char *owner)
{
	struct image_limit to = {
		.identity = limit_rule_identity(r, owner),
		.burst = r->burst,
		.name = block_text(b, r->name),
		.header = lower_put(b, r->header),
		.far_beyond = limit_far_beyond(r),
		.promote_ms = (uint32_t)r->promotion.after_ms,
		.key = r->key,
		.action = r->action,
		.plen4 = r->plen4,
		.plen6 = r->plen6,
		.count_rejected = r->count_rejected,
	};

	limit_units(r->rate, r->unit_s, &to.per_ms, &to.cost);
	to.most = (uint64_t)r->burst * to.cost;
	if (r->header != NULL)
		to.field_id = (uint8_t)http_field_id_of(slice_of(r->header));
	((struct image_limit *)block_at(b, list->offset))[list->count++] = to;
}

struct image_array
limits_put(struct block *b, const struct model_limits *l, enum model_type type,
	const struct model_meta *meta)
{
	struct image_array list = { 0, 0 };
	char owner[MODEL_OWNER_MAX];
	struct limit_rule r;

	for (size_t i = 0; limit_rule_get(l, i, &r); i++)
		list.count += r.stage == LIMIT_STAGE_HTTP;
	if (list.count == 0)
		return list;
	list.offset = block_room(b, list.count, sizeof(struct image_limit));
	list.count = 0;
	model_owner(type, meta->ns, meta->name, owner);
	for (size_t i = 0; limit_rule_get(l, i, &r); i++)
		if (r.stage == LIMIT_STAGE_HTTP)
			limit_put(b, &list, &r, owner);
	return list;
}
