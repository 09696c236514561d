/*
 * Rate limits: as the operator writes them (rateLimits, and Gloo's
 * ratelimitBasic), and as they hold, with every default filled in. Where a list
 * stands is what it limits: a Gateway, a TCP host, a virtual service.
 */
#ifndef MODEL_LIMIT_H
#define MODEL_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define LIMIT_NAME_MAX   64
#define LIMIT_RULES_MAX  8       /* of one list */
#define LIMIT_HTTP_MAX   1000000 /* requests per unit, and burst */
#define LIMIT_GROUPS_MAX 2       /* that the kernel keeps per listener */

/* Of a promotion where nothing else is said. */
#define LIMIT_FACTOR      10
#define LIMIT_AFTER_MS    3000
#define LIMIT_DURATION_MS 30000

enum limit_stage {
	LIMIT_STAGE_DEFAULT, /* as what is counted asks for */
	LIMIT_STAGE_HTTP,
	LIMIT_STAGE_KERNEL,
};

enum limit_key { LIMIT_KEY_SOURCE, LIMIT_KEY_HEADER, LIMIT_KEY_NONE };

enum limit_counts {
	LIMIT_REQUESTS, /* in the proxy */
	LIMIT_PACKETS,  /* these in the kernel */
	LIMIT_BYTES,
	LIMIT_CONNECTIONS, /* new ones */
};

enum limit_action {
	LIMIT_ACTION_DEFAULT,
	LIMIT_ACTION_429,
	LIMIT_ACTION_DROP,   /* http: the connection is reset */
	LIMIT_ACTION_SHADOW, /* only counted */
};

enum limit_place { /* where a list stands */
	LIMIT_AT_GATEWAY,
	LIMIT_AT_TCP_HOST,
	LIMIT_AT_VIRTUAL_SERVICE,
};

/* When a source that goes on beyond an http limit is blocked, and how long. */
struct model_limit_promotion {
	bool enabled;
	uint32_t factor; /* times the rate */
	uint64_t after_ms, duration_ms;
};

struct model_limit { /* of rateLimits; NULL and 0: not given */
	char *name, *header;
	uint32_t rate, unit_s, burst;
	uint8_t key, counts, stage, action;
	uint8_t plen4, plen6;
	bool count_rejected;
	struct model_limit_promotion *promotion;
};

struct model_limit_basic { /* ratelimitBasic */
	uint32_t rate, unit_s; /* anonymousLimits */
};

struct model_limits {
	struct model_limit *items;
	size_t count;
	struct model_limit_basic *basic; /* or NULL */
};

struct limit_rule { /* as it holds */
	char name[LIMIT_NAME_MAX + 1];
	const char *header; /* LIMIT_KEY_HEADER; the model's */
	uint32_t rate, unit_s, burst;
	uint8_t key, counts, stage, action;
	uint8_t plen4, plen6;
	bool count_rejected;
	struct model_limit_promotion promotion; /* enabled: with defaults */
};

/* Its stage; by what it counts, where it does not say. */
bool limit_is_for_kernel(const struct model_limit *l);
/* The i-th rule of rateLimits, then ratelimitBasic; false after the last. */
bool limit_rule_get(
	const struct model_limits *l, size_t i, struct limit_rule *out);
/* What no row of a table can say of the whole list. */
int limits_check(const struct model_limits *l, enum limit_place place,
	struct error *err);

/* By what its buckets and counters are known: the same for as long as owner
 * ("virtualservices/gloo-system/api"), name, key, rate and unit are. Not 0. */
uint64_t limit_rule_identity(const struct limit_rule *r, const char *owner);

/* Time in such units that both are whole numbers: what comes back in a
 * millisecond, what one costs. */
void limit_units(
	uint32_t rate, uint32_t unit_s, uint32_t *per_ms, uint32_t *cost);
/* Refused requests within promotion.after_ms that are far beyond the rate. */
uint32_t limit_far_beyond(const struct limit_rule *r);

struct limit_group_rate {
	uint32_t rate, unit_s, burst; /* rate 0: none */
};

/* Rules for the kernel that share a bucket of each kind. */
struct limit_group {
	uint8_t plen4, plen6;
	bool shadow;
	struct limit_group_rate packets, bytes, connections;
};

/* -1 and err when there are more, or two rules of a kind in one group, which
 * limits_check refuses. */
int limit_groups(const struct model_limits *l,
	struct limit_group out[LIMIT_GROUPS_MAX], size_t *count,
	struct error *err);

/* A rule of stage kernel belongs to that group. */
bool limit_group_fits(const struct limit_group *g, const struct limit_rule *r);

/* Words of the resources. */
const char *limit_unit_name(uint32_t unit_s);
const char *limit_key_name(uint8_t key);
const char *limit_counts_name(uint8_t counts);
const char *limit_stage_name(uint8_t stage);
const char *limit_action_name(uint8_t action);

#endif
