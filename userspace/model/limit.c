/* Rate limits: their tables and checks. */
#include "model/limit.h"

#include <string.h>

#include "model/tables.h"

#define PROMOTION_MS_MAX 3600000

static const struct schema_word units[] = {
	{ "SECOND", 1 },
	{ "MINUTE", 60 },
	{ "HOUR", 3600 },
	{ "DAY", 86400 },
	{ NULL, 0 },
};

static const struct schema_word keys[] = {
	{ "sourceAddress", LIMIT_KEY_SOURCE },
	{ "header", LIMIT_KEY_HEADER },
	{ "none", LIMIT_KEY_NONE },
	{ NULL, 0 },
};

static const struct schema_word counted[] = {
	{ "requests", LIMIT_REQUESTS },
	{ "packets", LIMIT_PACKETS },
	{ "bytes", LIMIT_BYTES },
	{ "connections", LIMIT_CONNECTIONS },
	{ NULL, 0 },
};

static const struct schema_word stages[] = {
	{ "http", LIMIT_STAGE_HTTP },
	{ "kernel", LIMIT_STAGE_KERNEL },
	{ NULL, 0 },
};

static const struct schema_word actions[] = {
	{ "429", LIMIT_ACTION_429 },
	{ "drop", LIMIT_ACTION_DROP },
	{ "shadow", LIMIT_ACTION_SHADOW },
	{ NULL, 0 },
};

static const char *
word_name(const struct schema_word *words, uint64_t value)
{
	for (; words->name != NULL; words++)
		if (words->value == value)
			return words->name;
	return "";
}

const char *
limit_unit_name(uint32_t unit_s)
{
	return word_name(units, unit_s);
}

const char *
limit_key_name(uint8_t key)
{
	return word_name(keys, key);
}

const char *
limit_counts_name(uint8_t counts)
{
	return word_name(counted, counts);
}

const char *
limit_stage_name(uint8_t stage)
{
	return word_name(stages, stage);
}

const char *
limit_action_name(uint8_t action)
{
	return word_name(actions, action);
}

/* ---- one rule */

static const struct schema_field promotion_fields[] = {
	{ .name = "after",
		.type = SCHEMA_DURATION,
		SCHEMA_AT(model_limit_promotion, after_ms),
		.min = 1000,
		.max = PROMOTION_MS_MAX,
		.fallback = LIMIT_AFTER_MS },
	{ .name = "duration",
		.type = SCHEMA_DURATION,
		SCHEMA_AT(model_limit_promotion, duration_ms),
		.min = 1000,
		.max = PROMOTION_MS_MAX,
		.fallback = LIMIT_DURATION_MS },
	{ .name = "enabled",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(model_limit_promotion, enabled),
		.fallback = true },
	{ .name = "factor",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(model_limit_promotion, factor),
		.min = 2,
		.max = 1000,
		.fallback = LIMIT_FACTOR },
	{ .name = NULL },
};

static const struct schema promotion_schema = {
	.fields = promotion_fields,
	.size = sizeof(struct model_limit_promotion),
};

static int
key_check(const struct model_limit *l, struct error *err)
{
	if (l->key == LIMIT_KEY_HEADER && l->header == NULL)
		return error_set(err, ERROR_CONFIG,
			".header: the name of the header is missing that the "
			"key is taken from");
	if (l->key != LIMIT_KEY_HEADER && l->header != NULL)
		return error_set(err, ERROR_CONFIG,
			".header: is looked at with \"key: header\" only");
	if (l->key != LIMIT_KEY_SOURCE && (l->plen4 != 0 || l->plen6 != 0))
		return error_set(err, ERROR_CONFIG,
			".prefixLengthV%d: is looked at with \"key: "
			"sourceAddress\" only",
			l->plen4 != 0 ? 4 : 6);
	return 0;
}

/* Not by the table: first it is asked whether the kernel's stage is there. */
static int
kernel_check(const struct model_limit *l, struct error *err)
{
	if (l->counts == LIMIT_REQUESTS)
		return error_set(err, ERROR_CONFIG,
			".counts: the kernel counts packets, bytes or "
			"connections: say which");
	if (l->key != LIMIT_KEY_SOURCE)
		return error_set(err, ERROR_CONFIG,
			".key: the kernel knows sourceAddress only");
	if (l->action == LIMIT_ACTION_429)
		return error_set(err, ERROR_CONFIG,
			".action: the kernel gives no answer: drop or shadow");
	if (l->count_rejected)
		return error_set(err, ERROR_CONFIG,
			".countRejected: what the kernel refuses is never "
			"counted");
	if (l->promotion != NULL)
		return error_set(err, ERROR_CONFIG,
			".promotion: this limit is the kernel's already");
	return 0;
}

static int
http_check(const struct model_limit *l, struct error *err)
{
	if (l->counts != LIMIT_REQUESTS)
		return error_set(err, ERROR_CONFIG,
			".counts: %s are the kernel's to count (stage: kernel)",
			limit_counts_name(l->counts));
	if (l->rate > LIMIT_HTTP_MAX || l->burst > LIMIT_HTTP_MAX)
		return error_set(err, ERROR_CONFIG,
			".%s: expected 1 to %d requests, found %u",
			l->rate > LIMIT_HTTP_MAX ? "rate" : "burst",
			LIMIT_HTTP_MAX,
			l->rate > LIMIT_HTTP_MAX ? l->rate : l->burst);
	return 0;
}

static int
limit_check(void *base, struct error *err)
{
	const struct model_limit *l = base;

	if (key_check(l, err) != 0)
		return -1;
	return limit_is_for_kernel(l) ? 0 : http_check(l, err);
}

static int
name_check(const char *text, struct error *err)
{
	if (text[0] == '\0')
		return error_set(err, ERROR_CONFIG, "must not be empty");
	return model_text_check(text, err);
}

static const struct schema_field limit_fields[] = {
	{ .name = "action",
		.type = SCHEMA_WORD,
		SCHEMA_AT(model_limit, action),
		.words = actions },
	{ .name = "burst",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(model_limit, burst),
		.min = 1 },
	{ .name = "countRejected",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(model_limit, count_rejected) },
	{ .name = "counts",
		.type = SCHEMA_WORD,
		SCHEMA_AT(model_limit, counts),
		.words = counted },
	{ .name = "header",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_limit, header),
		.max = 256,
		.check = model_token_check },
	{ .name = "key",
		.type = SCHEMA_WORD,
		SCHEMA_AT(model_limit, key),
		.words = keys },
	{ .name = "name",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_limit, name),
		.max = LIMIT_NAME_MAX,
		.check = name_check },
	{ .name = "prefixLengthV4",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(model_limit, plen4),
		.min = 1,
		.max = 32 },
	{ .name = "prefixLengthV6",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(model_limit, plen6),
		.min = 1,
		.max = 128 },
	{ .name = "promotion",
		.type = SCHEMA_POINTER,
		SCHEMA_AT(model_limit, promotion),
		.sub = &promotion_schema },
	{ .name = "rate",
		.type = SCHEMA_NUMBER,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(model_limit, rate),
		.min = 1 },
	{ .name = "stage",
		.type = SCHEMA_WORD,
		SCHEMA_AT(model_limit, stage),
		.words = stages },
	{ .name = "unit",
		.type = SCHEMA_WORD,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(model_limit, unit_s),
		.words = units },
	{ .name = NULL },
};

const struct schema model_limit_schema = {
	.fields = limit_fields,
	.size = sizeof(struct model_limit),
	.check = limit_check,
};

/* ---- ratelimitBasic */

static const struct schema_field anonymous_fields[] = {
	{ .name = "requestsPerUnit",
		.type = SCHEMA_NUMBER,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(model_limit_basic, rate),
		.min = 1,
		.max = LIMIT_HTTP_MAX },
	{ .name = "unit",
		.type = SCHEMA_WORD,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(model_limit_basic, unit_s),
		.words = units },
	{ .name = NULL },
};

static const struct schema anonymous_schema = {
	.fields = anonymous_fields,
	.size = sizeof(struct model_limit_basic),
};

static const struct schema_field basic_fields[] = {
	{ .name = "anonymousLimits",
		.type = SCHEMA_STRUCT,
		.flags = SCHEMA_REQUIRED,
		.sub = &anonymous_schema },
	SCHEMA_NOT_YET("authorizedLimits"),
	{ .name = NULL },
};

const struct schema model_limit_basic_schema = {
	.fields = basic_fields,
	.size = sizeof(struct model_limit_basic),
};

/* ---- the whole list */

static int
stage_check(const struct limit_rule *r, enum limit_place place,
	struct error *err)
{
	if (place == LIMIT_AT_VIRTUAL_SERVICE && r->stage == LIMIT_STAGE_KERNEL)
		return error_set(err, ERROR_CONFIG,
			".stage: the kernel sees packets, not virtual "
			"services: here requests are limited (stage: http), "
			"packets, bytes and connections on a Gateway");
	if (place == LIMIT_AT_TCP_HOST && r->stage == LIMIT_STAGE_HTTP)
		return error_set(err, ERROR_CONFIG,
			".stage: a TCP host has no requests: packets, bytes or "
			"connections are limited (stage: kernel)");
	return 0;
}

static int
twice_check(const struct model_limits *l, size_t i, const struct limit_rule *r,
	struct error *err)
{
	struct limit_rule other;

	for (size_t k = 0; k < i && limit_rule_get(l, k, &other); k++)
		if (strcmp(other.name, r->name) == 0)
			return error_set(err, ERROR_CONFIG,
				".name: \"%s\" is the name of another rule",
				r->name);
	return 0;
}

int
limits_check(
	const struct model_limits *l, enum limit_place place, struct error *err)
{
	struct limit_group groups[LIMIT_GROUPS_MAX];
	struct limit_rule r;
	size_t count;

	for (size_t i = 0; limit_rule_get(l, i, &r); i++)
		if (stage_check(&r, place, err) != 0 ||
			(r.stage == LIMIT_STAGE_KERNEL &&
				kernel_check(&l->items[i], err) != 0) ||
			twice_check(l, i, &r, err) != 0)
			return error_prefix(err, ".rateLimits[%zu]", i);
	return limit_groups(l, groups, &count, err);
}
