/* What the limits of the kernel refused. */
#include "control/kernel_counts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"
#include "control/kernel.h"
#include "fastpath/fastpath.h"

#define KINDS (LIMIT_CONNECTIONS + 1)

struct counter {
	uint64_t rules; /* a hash of those it counts for; 0: none */
	uint64_t base;  /* what it stood at when they came */
};

struct kernel_counts {
	struct counter of[SLOTS_MAX][2][KINDS]; /* [1]: in shadow */
};

struct kernel_counts *
kernel_counts_new(void)
{
	return xcalloc(1, sizeof(struct kernel_counts));
}

void
kernel_counts_free(struct kernel_counts *k)
{
	free(k);
}

void
kernel_counts_forget(struct kernel_counts *k)
{
	memset(k, 0, sizeof(*k));
}

static bool
is_shadow(const struct limit_rule *r)
{
	return r->action == LIMIT_ACTION_SHADOW;
}

/* ---- the counter itself */

struct wanted {
	char name[64];
	uint64_t count;
};

static void
on_note(const char *name, uint64_t count, void *arg)
{
	struct wanted *w = arg;

	if (strcmp(name, w->name) == 0)
		w->count += count;
}

static void
on_counter(const char *reason, uint64_t packets, uint64_t bytes, void *arg)
{
	(void)bytes;
	on_note(reason, packets, arg);
}

static uint64_t
counter_read(const struct control *c, uint32_t slot, bool shadow,
	enum limit_counts kind)
{
	struct wanted w = { .count = 0 };

	snprintf(w.name, sizeof(w.name), "%s_%s",
		shadow ? "shadow" : "drop_limit", limit_counts_name(kind));
	if (shadow)
		fastpath_notes(c->fastpath, slot, on_note, &w);
	else
		fastpath_counters(c->fastpath, slot, on_counter, &w);
	return w.count;
}

/* ---- the rules that it is for */

struct counted { /* those of a slot; 0: none */
	uint64_t hash[2][KINDS];
};

static void
slot_rules(const struct object *o, struct counted *rules)
{
	const struct model_limits *l =
		model_gateway_limits(o->model->gateway, NULL);
	char owner[MODEL_OWNER_MAX];
	struct limit_rule r;

	model_owner(o->type, o->ns, o->name, owner);
	for (size_t i = 0; limit_rule_get(l, i, &r); i++) {
		const uint64_t one[] = { limit_rule_identity(&r, owner),
			r.burst, r.plen4, r.plen6 };
		uint64_t *hash = &rules->hash[is_shadow(&r)][r.counts];

		if (r.stage == LIMIT_STAGE_KERNEL)
			*hash = hash_bytes(one, sizeof(one), *hash) | 1;
	}
}

static void
slot_told(
	const struct control *c, uint32_t slot, const struct counted *rules)
{
	for (int shadow = 0; shadow < 2; shadow++) {
		for (int kind = 0; kind < KINDS; kind++) {
			struct counter *n =
				&c->kernel_counts->of[slot][shadow][kind];

			if (n->rules == rules->hash[shadow][kind])
				continue;
			n->rules = rules->hash[shadow][kind];
			n->base = counter_read(c, slot, shadow != 0,
				(enum limit_counts)kind);
		}
	}
}

void
kernel_counts_told(const struct control *c)
{
	struct counted *rules = xcalloc(SLOTS_MAX, sizeof(*rules));

	for (size_t i = 0; i < objects_count(c->objects, MODEL_GATEWAY); i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_GATEWAY, i);

		if (o->model != NULL && o->slot != 0)
			slot_rules(o, &rules[o->slot]);
	}
	for (uint32_t slot = 1; slot < SLOTS_MAX; slot++)
		slot_told(c, slot, &rules[slot]);
	free(rules);
}

/* ---- for people */

uint64_t
kernel_counts_refused(
	const struct control *c, uint32_t slot, const struct limit_rule *r)
{
	const struct counter *n;
	uint64_t count;

	if (slot == 0 || !kernel_is_active(c))
		return 0;
	n = &c->kernel_counts->of[slot][is_shadow(r)][r->counts];
	count = counter_read(c, slot, is_shadow(r), r->counts);
	/* It is told of the rules in a moment. */
	return n->rules == 0 || count < n->base ? 0 : count - n->base;
}

bool
kernel_counts_other(const struct model_limits *l, const struct limit_rule *r,
	struct limit_rule *out)
{
	for (size_t i = 0; limit_rule_get(l, i, out); i++)
		if (out->stage == LIMIT_STAGE_KERNEL &&
			out->counts == r->counts &&
			is_shadow(out) == is_shadow(r) &&
			strcmp(out->name, r->name) != 0)
			return true;
	return false;
}
