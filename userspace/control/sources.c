/* Sources that limits know by their address, as people see them. */
#include "control/sources.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "control/blocks.h"
#include "control/kernel.h"
#include "control/kernel_limits.h"
#include "control/slots.h"
#include "fastpath/sources.h"

/* The first so many of all in some order, in room for twice as many: there may
 * be millions. */
struct best {
	struct fastpath_source *items;
	size_t count, limit, total;
	int (*compare)(const void *a, const void *b);
	bool wanted[SLOTS_MAX];
};

static int
compare_place(const void *a, const void *b)
{
	const struct fastpath_source *x = a, *y = b;
	int order;

	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	order = memcmp(x->prefix.ip, y->prefix.ip, sizeof(x->prefix.ip));
	if (order != 0)
		return order;
	return x->rule < y->rule ? -1 : x->rule > y->rule;
}

static int
compare_dropped(const void *a, const void *b)
{
	const struct fastpath_source *x = a, *y = b;

	if (x->dropped != y->dropped)
		return x->dropped > y->dropped ? -1 : 1;
	return compare_place(a, b);
}

static void
best_cut(struct best *best)
{
	if (best->count > 0)
		qsort(best->items, best->count, sizeof(*best->items),
			best->compare);
	if (best->count > best->limit)
		best->count = best->limit;
}

static void
on_source(const struct fastpath_source *source, void *arg)
{
	struct best *best = arg;

	if (source->slot >= SLOTS_MAX || !best->wanted[source->slot])
		return;
	best->total++;
	if (best->limit == 0)
		return;
	if (best->count == 2 * best->limit)
		best_cut(best);
	best->items[best->count++] = *source;
}

/* ---- one of them */

static void
number_set(struct doc *d, const char *key, uint64_t value)
{
	doc_set(d, key,
		doc_new_integer(value > INT64_MAX ? INT64_MAX
						  : (int64_t)value));
}

static void
left_print(struct doc *to, const struct object *gateway,
	const struct fastpath_source *s, enum limit_counts counts,
	const struct fastpath_left *left)
{
	struct limit_rule rule;
	struct doc *d;

	if (!left->limited)
		return;
	d = doc_add(to, doc_new_map());
	doc_set_string(d, "counts", limit_counts_name(counts));
	number_set(d, "left", left->left);
	number_set(d, "burst", left->burst);
	if (gateway == NULL || gateway->model == NULL ||
		!kernel_limits_rule(gateway->model->gateway, s->rule, counts,
			&rule))
		return;
	doc_set_string(d, "rule", rule.name);
	number_set(d, "rate", rule.rate);
	doc_set_string(d, "unit", limit_unit_name(rule.unit_s));
}

static void
source_print(
	const struct control *c, struct doc *to, const struct fastpath_source *s)
{
	const struct object *gateway = slot_gateway(c, s->slot);
	struct doc *d = doc_add(to, doc_new_map()), *limits;
	char text[ADDR_TEXT_MAX];

	doc_set_string(d, "source", addr_source_format(&s->prefix, text));
	slot_print(c, s->slot, d);
	doc_set_string(d, "state", s->shadow ? "shadow" : "limited");
	doc_set_string(d, "by", "kernel");
	limits = doc_set(d, "limits", doc_new_list());
	left_print(limits, gateway, s, LIMIT_PACKETS, &s->packets);
	left_print(limits, gateway, s, LIMIT_BYTES, &s->bytes);
	left_print(limits, gateway, s, LIMIT_CONNECTIONS, &s->connections);
	number_set(d, "dropped", s->dropped);
}

/* ---- all */

static bool
is_wanted(const struct sources_query *query, const char *ns)
{
	return query->ns == NULL || (ns != NULL && strcmp(query->ns, ns) == 0);
}

static size_t
blocked_print(const struct control *c, struct doc *to,
	const struct sources_query *query)
{
	struct doc *d = blocks_print(c->blocks);
	const struct doc *items = doc_get(d, "items");
	size_t total = 0;

	for (size_t i = 0; i < doc_count(items); i++) {
		const struct doc *from = doc_at(items, i);
		struct doc *one;

		if (!is_wanted(query, doc_get_string(from, "namespace")) ||
			total++ >= query->limit)
			continue;
		one = doc_add(to, doc_copy(from));
		doc_set_string(one, "state", "blocked");
	}
	doc_free(d);
	return total;
}

static void
slots_want(const struct control *c, const struct sources_query *query,
	struct best *best)
{
	for (uint32_t slot = 0; slot < SLOTS_MAX; slot++) {
		const struct object *o = slot_gateway(c, slot);

		best->wanted[slot] =
			is_wanted(query, o != NULL ? o->ns : NULL);
	}
}

struct doc *
sources_print(const struct control *c, const struct sources_query *query)
{
	struct doc *d = doc_new_map();
	struct doc *items = doc_set(d, "items", doc_new_list());
	struct best best = { .compare = query->top ? compare_dropped
						   : compare_place };

	slots_want(c, query, &best);
	best.total = blocked_print(c, items, query);
	best.limit = query->limit - doc_count(items);
	best.items = xcalloc(2 * best.limit + 1, sizeof(*best.items));
	if (kernel_is_active(c) &&
		fastpath_sources_each(c->fastpath, on_source, &best) != 0)
		doc_set_string(d, "problem",
			"the kernel's table of sources cannot be read");
	best_cut(&best);
	for (size_t i = 0; i < best.count; i++)
		source_print(c, items, &best.items[i]);
	free(best.items);
	number_set(d, "total", best.total);
	return d;
}
