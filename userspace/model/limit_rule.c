/* Rate limits as they hold, and what follows from their numbers. */
#include <stdio.h>
#include <string.h>

#include "base/table.h"
#include "model/limit.h"

/* Less than that is no load, however low the rate that it is beyond. */
#define FAR_BEYOND_PER_S 10

#define PLEN4_DEFAULT 32
#define PLEN6_DEFAULT 64 /* what one customer gets */

bool
limit_is_for_kernel(const struct model_limit *l)
{
	return l->stage == LIMIT_STAGE_KERNEL ||
	       (l->stage == LIMIT_STAGE_DEFAULT && l->counts != LIMIT_REQUESTS);
}

static const struct model_limit_promotion promotion_default = {
	.enabled = true,
	.factor = LIMIT_FACTOR,
	.after_ms = LIMIT_AFTER_MS,
	.duration_ms = LIMIT_DURATION_MS,
};

static void
basic_rule(const struct model_limit_basic *b, struct limit_rule *out)
{
	*out = (struct limit_rule){
		.name = "anonymousLimits",
		.rate = b->rate,
		.unit_s = b->unit_s,
		.burst = b->rate,
		.stage = LIMIT_STAGE_HTTP,
		.action = LIMIT_ACTION_429,
		.plen4 = PLEN4_DEFAULT,
		.plen6 = PLEN6_DEFAULT,
		.promotion = promotion_default,
	};
}

static uint8_t
action_default(bool kernel)
{
	return kernel ? LIMIT_ACTION_DROP : LIMIT_ACTION_429;
}

bool
limit_rule_get(const struct model_limits *l, size_t i, struct limit_rule *out)
{
	const struct model_limit *m;
	bool kernel;

	if (i >= l->count) {
		if (i > l->count || l->basic == NULL)
			return false;
		basic_rule(l->basic, out);
		return true;
	}
	m = &l->items[i];
	kernel = limit_is_for_kernel(m);
	*out = (struct limit_rule){
		.header = m->header,
		.rate = m->rate,
		.unit_s = m->unit_s,
		.burst = m->burst != 0 ? m->burst : m->rate,
		.key = m->key,
		.counts = m->counts,
		.stage = kernel ? LIMIT_STAGE_KERNEL : LIMIT_STAGE_HTTP,
		.action = m->action != LIMIT_ACTION_DEFAULT
				  ? m->action
				  : action_default(kernel),
		.plen4 = m->plen4 != 0 ? m->plen4 : PLEN4_DEFAULT,
		.plen6 = m->plen6 != 0 ? m->plen6 : PLEN6_DEFAULT,
		.count_rejected = m->count_rejected,
		.promotion = m->promotion != NULL ? *m->promotion
						  : promotion_default,
	};
	/* Who is only watched is not blocked, and only a source can be. */
	if (kernel || out->key != LIMIT_KEY_SOURCE ||
		out->action == LIMIT_ACTION_SHADOW)
		out->promotion.enabled = false;
	if (m->name != NULL)
		snprintf(out->name, sizeof(out->name), "%s", m->name);
	else
		snprintf(out->name, sizeof(out->name), "rateLimits[%zu]", i);
	return true;
}

uint64_t
limit_rule_identity(const struct limit_rule *r, const char *owner)
{
	const uint32_t numbers[] = { r->rate, r->unit_s, r->key };
	uint64_t hash = hash_bytes(owner, strlen(owner), 0);

	hash = hash_bytes(r->name, strlen(r->name), hash);
	hash = hash_bytes(numbers, sizeof(numbers), hash);
	if (r->header != NULL)
		hash = hash_bytes(r->header, strlen(r->header), hash);
	return hash != 0 ? hash : 1;
}

void
limit_units(uint32_t rate, uint32_t unit_s, uint32_t *per_ms, uint32_t *cost)
{
	uint32_t unit_ms = unit_s * 1000, a = rate, b = unit_ms;

	while (b != 0) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	*per_ms = rate / a;
	*cost = unit_ms / a;
}

uint32_t
limit_far_beyond(const struct limit_rule *r)
{
	const struct model_limit_promotion *p = &r->promotion;
	uint64_t count, least = FAR_BEYOND_PER_S * p->after_ms / 1000;

	if (!p->enabled)
		return 0;
	/* Of factor times the rate all but the rate itself is refused. */
	count = (uint64_t)(p->factor - 1) * r->rate * p->after_ms /
		((uint64_t)r->unit_s * 1000);
	if (count < least)
		count = least;
	return count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
}

/* ---- groups for the kernel */

bool
limit_group_fits(const struct limit_group *g, const struct limit_rule *r)
{
	return g->plen4 == r->plen4 && g->plen6 == r->plen6 &&
	       g->shadow == (r->action == LIMIT_ACTION_SHADOW);
}

/* False: there is one of that kind. */
static bool
group_put(struct limit_group *g, const struct limit_rule *r)
{
	struct limit_group_rate *to = r->counts == LIMIT_PACKETS ? &g->packets
				      : r->counts == LIMIT_BYTES
					      ? &g->bytes
					      : &g->connections;

	if (to->rate != 0)
		return false;
	*to = (struct limit_group_rate){ r->rate, r->unit_s, r->burst };
	return true;
}

static int
group_find(struct limit_group *out, size_t *count, const struct limit_rule *r,
	struct limit_group **found, struct error *err)
{
	size_t g = 0;

	while (g < *count && !limit_group_fits(&out[g], r))
		g++;
	if (g == LIMIT_GROUPS_MAX)
		return error_set(err, ERROR_CONFIG,
			"the kernel keeps at most %d different pairs of prefix "
			"lengths for a listener, those in shadow counted apart",
			LIMIT_GROUPS_MAX);
	if (g == *count) {
		out[g] = (struct limit_group){
			.plen4 = r->plen4,
			.plen6 = r->plen6,
			.shadow = r->action == LIMIT_ACTION_SHADOW,
		};
		(*count)++;
	}
	*found = &out[g];
	return 0;
}

int
limit_groups(const struct model_limits *l,
	struct limit_group out[LIMIT_GROUPS_MAX], size_t *count,
	struct error *err)
{
	struct limit_group *g = NULL;
	struct limit_rule r;

	*count = 0;
	for (size_t i = 0; limit_rule_get(l, i, &r); i++) {
		if (r.stage != LIMIT_STAGE_KERNEL)
			continue;
		if (group_find(out, count, &r, &g, err) != 0)
			return error_prefix(err, ".rateLimits[%zu]", i);
		if (!group_put(g, &r)) {
			error_set(err, ERROR_CONFIG,
				"an earlier rule limits %s of the same sources "
				"already",
				limit_counts_name(r.counts));
			return error_prefix(err, ".rateLimits[%zu]", i);
		}
	}
	return 0;
}
