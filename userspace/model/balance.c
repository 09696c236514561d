/* The tables of loadBalancerConfig and of a route's lbHash. */
#include <stdbool.h>
#include <stddef.h>

#include "model/model.h"
#include "model/tables.h"

#define SLOW_START_MS_MAX 3600000
#define RING_MIN_DEFAULT  1024

/* ---- loadBalancerConfig */

static const struct schema_field slow_start_fields[] = {
	{ .name = "minWeightPercent",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(model_upstream, balance.slow_min_percent),
		.min = 1,
		.max = 100,
		.fallback = 10 },
	{ .name = "slowStartWindow",
		.type = SCHEMA_DURATION,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(model_upstream, balance.slow_start_ms),
		.min = 1,
		.max = SLOW_START_MS_MAX },
	SCHEMA_NOT_YET("aggression"),
	{ .name = NULL },
};

static const struct schema slow_start_schema = {
	.fields = slow_start_fields,
	.size = sizeof(struct model_upstream),
};

static const struct schema_field least_request_fields[] = {
	{ .name = "choiceCount",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(model_upstream, balance.choices),
		.min = 2,
		.max = POLICY_CHOICES_MAX,
		.fallback = 2 },
	{ .name = "slowStartConfig",
		.type = SCHEMA_STRUCT,
		.sub = &slow_start_schema },
	{ .name = NULL },
};

static const struct schema least_request_schema = {
	.fields = least_request_fields,
	.size = sizeof(struct model_upstream),
};

static const struct schema_field round_robin_fields[] = {
	{ .name = "slowStartConfig",
		.type = SCHEMA_STRUCT,
		.sub = &slow_start_schema },
	{ .name = NULL },
};

static const struct schema round_robin_schema = {
	.fields = round_robin_fields,
	.size = sizeof(struct model_upstream),
};

static const struct schema_field nothing_fields[] = {
	{ .name = NULL },
};

static const struct schema nothing_schema = {
	.fields = nothing_fields,
	.size = sizeof(struct model_upstream),
};

static const struct schema_field ring_size_fields[] = {
	{ .name = "maximumRingSize",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(model_upstream, balance.ring_max),
		.min = 1,
		.max = POLICY_RING_MAX,
		.fallback = POLICY_RING_MAX },
	{ .name = "minimumRingSize",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(model_upstream, balance.ring_min),
		.min = 1,
		.max = POLICY_RING_MAX,
		.fallback = RING_MIN_DEFAULT },
	{ .name = NULL },
};

static const struct schema ring_size_schema = {
	.fields = ring_size_fields,
	.size = sizeof(struct model_upstream),
};

static const struct schema_field ring_hash_fields[] = {
	{ .name = "ringHashConfig",
		.type = SCHEMA_STRUCT,
		.sub = &ring_size_schema },
	{ .name = NULL },
};

static const struct schema ring_hash_schema = {
	.fields = ring_hash_fields,
	.size = sizeof(struct model_upstream),
};

#define BALANCE(key, value, table)                                             \
	{                                                                      \
		.name = (key), .type = SCHEMA_STRUCT,                          \
		SCHEMA_CHOICE_AT(model_upstream, balance.type, value),         \
		.sub = &(table)                                                \
	}

static const struct schema_field balance_fields[] = {
	{ .name = "healthyPanicThreshold",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(model_upstream, balance.panic_percent),
		.max = 100 },
	BALANCE("leastRequest", POLICY_LEAST_REQUEST, least_request_schema),
	BALANCE("maglev", POLICY_MAGLEV, nothing_schema),
	BALANCE("random", POLICY_RANDOM, nothing_schema),
	BALANCE("ringHash", POLICY_RING_HASH, ring_hash_schema),
	BALANCE("roundRobin", POLICY_ROUND_ROBIN, round_robin_schema),
	SCHEMA_NOT_YET("closeConnectionsOnHostSetChange"),
	SCHEMA_NOT_YET("localityWeightedLbConfig"),
	SCHEMA_NOT_YET("updateMergeWindow"),
	SCHEMA_NOT_YET("useHostnameForHashing"),
	{ .name = NULL },
};

static int
balance_check(void *base, struct error *err)
{
	const struct policy_balance *b =
		&((const struct model_upstream *)base)->balance;

	if (b->ring_min > b->ring_max)
		return error_set(err, ERROR_CONFIG,
			".ringHash.ringHashConfig.minimumRingSize: %u is more "
			"than the maximumRingSize, %u",
			b->ring_min, b->ring_max);
	return 0;
}

const struct schema model_balance_schema = {
	.fields = balance_fields,
	.size = sizeof(struct model_upstream),
	.check = balance_check,
};

/* ---- lbHash */

static const struct schema_field cookie_fields[] = {
	{ .name = "name",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(model_hash_policy, name),
		.max = 256,
		.check = model_token_check },
	{ .name = "path",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_hash_policy, path),
		.max = 256,
		.check = model_path_check },
	{ .name = "ttl",
		.type = SCHEMA_DURATION_GIVEN,
		SCHEMA_AT(model_hash_policy, ttl) },
	{ .name = NULL },
};

static const struct schema cookie_schema = {
	.fields = cookie_fields,
	.size = sizeof(struct model_hash_policy),
};

static const struct schema_field hash_fields[] = {
	{ .name = "cookie",
		.type = SCHEMA_STRUCT,
		SCHEMA_CHOICE_AT(model_hash_policy, source, MODEL_HASH_COOKIE),
		.sub = &cookie_schema },
	{ .name = "header",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_hash_policy, name),
		SCHEMA_CHOICE_AT(model_hash_policy, source, MODEL_HASH_HEADER),
		.max = 256,
		.check = model_token_check },
	{ .name = "sourceIp",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(model_hash_policy, source_ip),
		SCHEMA_CHOICE_AT(
			model_hash_policy, source, MODEL_HASH_SOURCE_IP) },
	{ .name = "terminal",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(model_hash_policy, terminal) },
	{ .name = NULL },
};

static int
hash_check(void *base, struct error *err)
{
	const struct model_hash_policy *h = base;

	if (h->source == MODEL_HASH_SOURCE_IP && !h->source_ip)
		return error_set(err, ERROR_CONFIG,
			".sourceIp: must be true, or left out");
	return 0;
}

const struct schema model_hash_schema = {
	.fields = hash_fields,
	.size = sizeof(struct model_hash_policy),
	.choice_needed = true,
	.check = hash_check,
};
