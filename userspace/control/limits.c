/* The rate limits of requests as control sees them. */
#include "control/limits.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/kernel.h"
#include "control/kernel_counts.h"
#include "control/metrics.h"
#include "filter/limit_table.h"
#include "net/shm.h"

struct limits {
	int fd; /* -1: not made yet */
	void *memory;
	size_t length;
	struct limit_table *table;
};

struct limits *
limits_new(void)
{
	struct limits *l = xcalloc(1, sizeof(*l));

	l->fd = -1;
	return l;
}

static void
memory_drop(struct limits *l)
{
	limit_table_free(l->table);
	shm_unmap(l->memory, l->length);
	if (l->fd >= 0)
		close(l->fd);
	l->table = NULL;
	l->memory = NULL;
	l->fd = -1;
}

void
limits_free(struct limits *l)
{
	if (l == NULL)
		return;
	memory_drop(l);
	free(l);
}

int
limits_fd(struct limits *l, uint32_t entries, struct error *err)
{
	uint64_t seed;

	if (l->fd >= 0)
		return l->fd;
	arc4random_buf(&seed, sizeof(seed));
	l->fd = shm_new_shared("gg-limits", limit_memory_size(entries), err);
	if (l->fd < 0)
		return -1;
	l->memory = shm_map_shared(l->fd, &l->length, err);
	if (l->memory != NULL) {
		limit_memory_format(
			l->memory, entries, seed, clock_monotonic_ms());
		l->table = limit_table_new(l->memory, l->length, err);
	}
	if (l->table == NULL)
		memory_drop(l);
	return l->fd;
}

int
limits_adopt(struct limits *l, int fd, struct error *err)
{
	memory_drop(l);
	l->fd = fd;
	l->memory = shm_map_shared(fd, &l->length, err);
	if (l->memory != NULL)
		l->table = limit_table_new(l->memory, l->length, err);
	if (l->table == NULL)
		memory_drop(l);
	return l->table == NULL ? -1 : 0;
}

/* ---- every rule of every object */

struct seen_rule {
	const struct object *object;
	const struct limit_rule *rule;
	uint64_t identity;
};

/* False: no further one is asked for. */
typedef bool rule_f(const struct seen_rule *seen, void *arg);

static const struct model_limits *
limits_of(const struct object *o)
{
	switch (o->type) {
	case MODEL_GATEWAY:
		return model_gateway_limits(o->model->gateway, NULL);
	case MODEL_VIRTUAL_SERVICE:
		return &o->model->virtual_service->limits;
	default:
		return NULL;
	}
}

static bool
object_rules(const struct object *o, rule_f *cb, void *arg)
{
	const struct model_limits *l =
		o->model != NULL ? limits_of(o) : NULL;
	char owner[MODEL_OWNER_MAX];
	struct limit_rule r;

	if (l == NULL || (l->count == 0 && l->basic == NULL))
		return true;
	model_owner(o->type, o->ns, o->name, owner);
	for (size_t i = 0; limit_rule_get(l, i, &r); i++) {
		const struct seen_rule seen = { o, &r,
			limit_rule_identity(&r, owner) };

		if (!cb(&seen, arg))
			return false;
	}
	return true;
}

static void
every_rule(const struct control *c, rule_f *cb, void *arg)
{
	static const enum model_type types[] = { MODEL_GATEWAY,
		MODEL_VIRTUAL_SERVICE };

	for (size_t t = 0; t < ARRAY_SIZE(types); t++)
		for (size_t i = 0; i < objects_count(c->objects, types[t]); i++)
			if (!object_rules(objects_at(c->objects, types[t], i),
				    cb, arg))
				return;
}

struct wanted_rule {
	uint64_t identity;
	const struct object *object;
	struct limit_rule *rule;
};

static bool
rule_is_wanted(const struct seen_rule *seen, void *arg)
{
	struct wanted_rule *w = arg;

	if (seen->identity != w->identity)
		return true;
	w->object = seen->object;
	*w->rule = *seen->rule;
	return false;
}

const struct object *
limits_find(
	const struct control *c, uint64_t identity, struct limit_rule *rule)
{
	struct wanted_rule w = { identity, NULL, rule };

	every_rule(c, rule_is_wanted, &w);
	return w.object;
}

/* ---- rules that went */

struct living {
	uint64_t *identities;
	size_t count;
};

static bool
living_add(const struct seen_rule *seen, void *arg)
{
	struct living *l = arg;

	l->identities = xreallocarray(
		l->identities, l->count + 1, sizeof(*l->identities));
	l->identities[l->count++] = seen->identity;
	return true;
}

static int
identity_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool
lives(uint64_t identity, void *arg)
{
	const struct living *l = arg;

	return l->count > 0 && bsearch(&identity, l->identities, l->count,
				       sizeof(identity), identity_compare) !=
				       NULL;
}

void
limits_enforced(const struct control *c)
{
	struct living l = { NULL, 0 };

	if (c->limits->table == NULL)
		return;
	every_rule(c, living_add, &l);
	if (l.count > 0)
		qsort(l.identities, l.count, sizeof(*l.identities),
			identity_compare);
	limit_table_forget(c->limits->table, lives, &l);
	free(l.identities);
}

/* ---- as people see them */

static void
number_set(struct doc *d, const char *key, uint64_t value)
{
	/* Counters are untrusted. */
	if (value > INT64_MAX)
		value = INT64_MAX;
	doc_set(d, key, doc_new_integer((int64_t)value));
}

static void
sums_of(const struct control *c, const struct seen_rule *seen,
	uint64_t out[LIMIT_TALLY_COUNT])
{
	memset(out, 0, LIMIT_TALLY_COUNT * sizeof(*out));
	if (seen->rule->stage == LIMIT_STAGE_KERNEL)
		out[seen->rule->action == LIMIT_ACTION_SHADOW
				? LIMIT_SHADOWED
				: LIMIT_REFUSED] = kernel_counts_refused(
			c, seen->object->slot, seen->rule);
	else if (c->limits->table != NULL)
		limit_table_sums(c->limits->table, seen->identity, out);
}

static const char *
enforced_by(const struct control *c, const struct limit_rule *r)
{
	if (r->stage == LIMIT_STAGE_HTTP)
		return "proxy";
	return kernel_is_active(c) ? "kernel" : "nobody";
}

static void
promotion_print(const struct control *c, const struct limit_rule *r,
	struct doc *to)
{
	struct doc *d;

	if (!r->promotion.enabled)
		return;
	d = doc_set(to, "promotion", doc_new_map());
	doc_set_string(d, "by", kernel_is_active(c) ? "kernel" : "proxy");
	number_set(d, "factor", r->promotion.factor);
	number_set(d, "afterMs", r->promotion.after_ms);
	number_set(d, "durationMs", r->promotion.duration_ms);
}

struct print {
	const struct control *control;
	struct doc *items;
};

static bool
rule_print(const struct seen_rule *seen, void *arg)
{
	const struct print *p = arg;
	const struct limit_rule *r = seen->rule;
	struct doc *d = doc_add(p->items, doc_new_map());
	uint64_t sums[LIMIT_TALLY_COUNT];
	struct limit_rule other;

	doc_set_string(d, "type", model_type_plural(seen->object->type));
	doc_set_string(d, "namespace", seen->object->ns);
	doc_set_string(d, "name", seen->object->name);
	doc_set_string(d, "rule", r->name);
	doc_set_string(d, "key", limit_key_name(r->key));
	if (r->header != NULL)
		doc_set_string(d, "header", r->header);
	if (r->key == LIMIT_KEY_SOURCE) {
		number_set(d, "prefixLengthV4", r->plen4);
		number_set(d, "prefixLengthV6", r->plen6);
	}
	doc_set_string(d, "counts", limit_counts_name(r->counts));
	number_set(d, "rate", r->rate);
	doc_set_string(d, "unit", limit_unit_name(r->unit_s));
	number_set(d, "burst", r->burst);
	doc_set_string(d, "stage", limit_stage_name(r->stage));
	doc_set_string(d, "action", limit_action_name(r->action));
	doc_set_string(d, "enforcedBy", enforced_by(p->control, r));
	promotion_print(p->control, r, d);
	sums_of(p->control, seen, sums);
	if (r->stage == LIMIT_STAGE_HTTP)
		number_set(d, "passed", sums[LIMIT_PASSED]);
	else if (kernel_counts_other(limits_of(seen->object), r, &other))
		doc_set_string(d, "countedWith", other.name);
	number_set(d, "refused", sums[LIMIT_REFUSED]);
	number_set(d, "shadowed", sums[LIMIT_SHADOWED]);
	number_set(d, "promoted", sums[LIMIT_PROMOTED]);
	return true;
}

struct doc *
limits_print(const struct control *c)
{
	struct doc *d = doc_new_map();
	struct print p = { c, doc_set(d, "items", doc_new_list()) };

	every_rule(c, rule_print, &p);
	if (c->limits->table != NULL) {
		number_set(d, "entries", limit_table_entries(c->limits->table));
		number_set(
			d, "replaced", limit_table_replaced(c->limits->table));
	}
	return d;
}

static const char *const tallies[LIMIT_TALLY_COUNT] = {
	[LIMIT_PASSED] = "passed",
	[LIMIT_REFUSED] = "refused",
	[LIMIT_SHADOWED] = "shadowed",
	[LIMIT_PROMOTED] = "promoted",
};

struct series {
	const struct control *control;
	struct str *out;
};

static bool
rule_metrics(const struct seen_rule *seen, void *arg)
{
	const struct series *s = arg;
	uint64_t sums[LIMIT_TALLY_COUNT];

	sums_of(s->control, seen, sums);
	for (unsigned i = 0; i < LIMIT_TALLY_COUNT; i++) {
		if (i == LIMIT_PASSED &&
			seen->rule->stage == LIMIT_STAGE_KERNEL)
			continue;
		str_printf(s->out, "gloo_gateway_limit_events{type=\"%s\",",
			model_type_plural(seen->object->type));
		metrics_label(s->out, "name", seen->object->label);
		str_putc(s->out, ',');
		metrics_label(s->out, "rule", seen->rule->name);
		str_printf(s->out, ",result=\"%s\"} %" PRIu64 "\n", tallies[i],
			sums[i]);
	}
	return true;
}

void
limits_metrics(const struct control *c, struct str *out)
{
	struct series s = { c, out };

	str_puts(out,
		"# HELP gloo_gateway_limit_events what rate limits let pass, "
		"refused, would have refused (shadowed), and the sources that "
		"were far beyond (promoted)\n"
		"# TYPE gloo_gateway_limit_events counter\n");
	every_rule(c, rule_metrics, &s);
	str_printf(out,
		"# HELP gloo_gateway_limit_replaced keys of rate limits that "
		"were replaced before they had paid: limits.rateLimitEntries\n"
		"# TYPE gloo_gateway_limit_replaced counter\n"
		"gloo_gateway_limit_replaced %" PRIu64 "\n",
		c->limits->table != NULL
			? limit_table_replaced(c->limits->table)
			: 0);
}
