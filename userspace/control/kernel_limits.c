/* What the resources limit in the kernel: rules, prefixes, blocked sources. */
#include "control/kernel_limits.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "control/kernel.h"
#include "control/kernel_counts.h"
#include "fastpath/blocks.h"
#include "fastpath/fastpath.h"
#include "fastpath/limits.h"
#include "fastpath/prefixes.h"

_Static_assert(LIMIT_GROUPS_MAX == GG_RULES_MAX,
	"as many groups as the kernel keeps");

/* ---- rules */

static struct fastpath_rate
rate_of(const struct limit_group_rate *r)
{
	return (struct fastpath_rate){ r->rate, r->unit_s, r->burst };
}

static void
rules_make(const struct model_limits *l, uint32_t slot,
	struct fastpath_limits *out)
{
	struct limit_group groups[LIMIT_GROUPS_MAX];
	size_t count;

	memset(out, 0, sizeof(*out));
	limit_groups(l, groups, &count, NULL);
	out->slot = slot;
	out->count = (uint32_t)count;
	for (uint32_t i = 0; i < out->count; i++) {
		const struct limit_group *g = &groups[i];

		out->rules[i] = (struct fastpath_rule){
			.packets = rate_of(&g->packets),
			.bytes = rate_of(&g->bytes),
			.connections = rate_of(&g->connections),
			.plen4 = g->plen4,
			.plen6 = g->plen6,
			.shadow = g->shadow,
		};
	}
}

int
kernel_limits_check(const struct model_gateway *g, struct error *err)
{
	struct fastpath_limits limits;
	const char *place;

	rules_make(model_gateway_limits(g, &place), 1, &limits);
	if (limits.count == 0 || fastpath_limits_check(&limits, err) == 0)
		return 0;
	return error_prefix(err, "%s", place);
}

static int
rules_tell(const struct control *c, const struct gateway_ahead *ahead,
	struct error *err)
{
	size_t room = objects_count(c->objects, MODEL_GATEWAY), count = 0;
	struct fastpath_limits *set = xcalloc(room + 2, sizeof(*set));
	int rc;

	for (size_t i = 0; i < room; i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_GATEWAY, i);

		if (o->model == NULL || o->slot == 0)
			continue;
		rules_make(model_gateway_limits(o->model->gateway, NULL),
			o->slot, &set[count]);
		count += set[count].count > 0;
	}
	if (ahead != NULL) {
		rules_make(model_gateway_limits(ahead->gateway, NULL),
			ahead->slot, &set[count]);
		count += set[count].count > 0;
	}
	rc = fastpath_limits_set(c->fastpath, set, count, err);
	free(set);
	return rc;
}

bool
kernel_limits_wanted(const struct model_gateway *g)
{
	struct limit_group groups[LIMIT_GROUPS_MAX];
	size_t count;

	limit_groups(model_gateway_limits(g, NULL), groups, &count, NULL);
	return count > 0;
}

bool
kernel_limits_rule(const struct model_gateway *g, uint32_t group,
	enum limit_counts counts, struct limit_rule *out)
{
	const struct model_limits *l = model_gateway_limits(g, NULL);
	struct limit_group groups[LIMIT_GROUPS_MAX];
	size_t count;

	limit_groups(l, groups, &count, NULL);
	if (group >= count)
		return false;
	for (size_t i = 0; limit_rule_get(l, i, out); i++)
		if (out->stage == LIMIT_STAGE_KERNEL && out->counts == counts &&
			limit_group_fits(&groups[group], out))
			return true;
	return false;
}

/* ---- prefixes */

static int
prefixes_tell(const struct control *c, struct error *err)
{
	const struct settings *s = c->settings;
	struct fastpath_prefix *set =
		xcalloc(s->allow_count + s->deny_count + 1, sizeof(*set));
	size_t count = 0;
	int rc;

	for (size_t i = 0; i < s->allow_count; i++)
		set[count++] = (struct fastpath_prefix){ s->allow[i], false };
	for (size_t i = 0; i < s->deny_count; i++)
		set[count++] = (struct fastpath_prefix){ s->deny[i], true };
	rc = fastpath_prefixes_set(c->fastpath, set, count, err);
	free(set);
	return rc;
}

const char *
kernel_prefixes_problem(const struct settings *s)
{
	if (s->allow_count + s->deny_count == 0 || s->interface_count > 0)
		return NULL;
	return "xdp.denyPrefixes and xdp.allowPrefixes do nothing: "
	       "xdp.interfaces lists no interface";
}

static const char *
prefix_action(const struct fastpath_prefix *p)
{
	return p->deny ? "deny" : "allow";
}

static void
on_prefix(const struct fastpath_prefix *p, uint64_t packets, void *arg)
{
	struct doc *d = doc_add(arg, doc_new_map());
	char text[ADDR_TEXT_MAX];

	doc_set_string(d, "prefix", addr_source_format(&p->prefix, text));
	doc_set_string(d, "action", prefix_action(p));
	doc_set(d, "packets",
		doc_new_integer(
			packets > INT64_MAX ? INT64_MAX : (int64_t)packets));
}

struct doc *
kernel_prefixes_print(const struct control *c)
{
	struct doc *d = doc_new_map();
	struct doc *items = doc_set(d, "items", doc_new_list());
	const char *problem = kernel_prefixes_problem(c->settings);

	if (problem == NULL && c->fastpath != NULL &&
		fastpath_prefix_hits(c->fastpath, on_prefix, items) != 0)
		problem = "the kernel's counts cannot be read";
	if (problem != NULL)
		doc_set_string(d, "problem", problem);
	return d;
}

static void
on_series(const struct fastpath_prefix *p, uint64_t packets, void *arg)
{
	char text[ADDR_TEXT_MAX];

	str_printf(arg,
		"gloo_gateway_kernel_prefix_packets{prefix=\"%s\","
		"action=\"%s\"} %" PRIu64 "\n",
		addr_source_format(&p->prefix, text), prefix_action(p),
		packets);
}

void
kernel_prefixes_metrics(const struct control *c, struct str *out)
{
	if (!kernel_is_active(c) ||
		c->settings->allow_count + c->settings->deny_count == 0)
		return;
	str_puts(out,
		"# HELP gloo_gateway_kernel_prefix_packets packets that a "
		"prefix of xdp.denyPrefixes or xdp.allowPrefixes decided\n"
		"# TYPE gloo_gateway_kernel_prefix_packets counter\n");
	fastpath_prefix_hits(c->fastpath, on_series, out);
}

int
kernel_limits_tell(const struct control *c, const struct gateway_ahead *ahead,
	struct error *err)
{
	if (prefixes_tell(c, err) != 0 || rules_tell(c, ahead, err) != 0)
		return -1;
	kernel_counts_told(c);
	return 0;
}

/* ---- blocked sources */

int
kernel_block(const struct control *c, uint32_t slot, const struct addr *addr,
	uint32_t ms, struct error *err)
{
	return fastpath_block(c->fastpath, slot, addr, ms, err);
}

void
kernel_unblock(const struct control *c, uint32_t slot, const struct addr *addr)
{
	if (c->fastpath != NULL)
		fastpath_unblock(c->fastpath, slot, addr);
}

struct each {
	kernel_block_f *cb;
	void *arg;
};

static void
on_block(const struct fastpath_block *b, void *arg)
{
	const struct each *e = arg;

	e->cb(b->slot, &b->addr, b->left_ms, b->dropped, e->arg);
}

void
kernel_blocks_each(const struct control *c, kernel_block_f *cb, void *arg)
{
	struct each e = { cb, arg };

	if (kernel_is_active(c))
		fastpath_blocks_each(c->fastpath, on_block, &e);
}

void
kernel_blocks_look(const struct control *c)
{
	if (kernel_is_active(c))
		fastpath_blocks_sweep(c->fastpath);
}
