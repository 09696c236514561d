/* Sources that are blocked for a while. */
#include "control/blocks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/kernel.h"
#include "control/kernel_limits.h"
#include "control/limits.h"
#include "control/slots.h"
#include "control/supervise.h"

struct source {
	struct addr addr; /* of addr_source(), port 0 */
	uint32_t slot;
	char *owner, *rule;
	uint32_t rate, unit_s;
	uint64_t since_ms; /* of the day */
	uint64_t until_ms; /* monotonic */
	bool in_kernel;
};

struct blocks {
	struct control *control;
	struct source *items;
	size_t count;
	uint64_t blocked; /* ever */
	uint64_t refused; /* limits.blockedSources were there */
	bool full;        /* and it was said */
};

struct blocks *
blocks_new(struct control *c)
{
	struct blocks *b = xcalloc(1, sizeof(*b));

	b->control = c;
	return b;
}

static void
source_fini(struct source *s)
{
	free(s->owner);
	free(s->rule);
}

void
blocks_free(struct blocks *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < b->count; i++)
		source_fini(&b->items[i]);
	free(b->items);
	free(b);
}

static const char *
listener_label(const struct control *c, uint32_t slot)
{
	const struct object *o = slot_gateway(c, slot);

	return o != NULL ? o->label : "";
}

/* ---- a source goes on far beyond */

static const struct source *
source_find(const struct blocks *b, uint32_t slot, const struct addr *addr)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->items[i].slot == slot &&
			memcmp(b->items[i].addr.ip, addr->ip,
				sizeof(addr->ip)) == 0)
			return &b->items[i];
	return NULL;
}

/* Nor has it one in its /64, which would be blocked as well. */
static bool
is_trusted(const struct control *c, const struct addr *addr)
{
	const struct settings *s = c->settings;
	struct addr_prefix source;

	addr_source(addr->ip, &source);
	for (size_t i = 0; i < s->trusted_count; i++)
		if (addr_prefix_overlaps(&s->trusted[i], &source))
			return true;
	return addr_is_loopback(addr);
}

/* The proxy is not to have anybody blocked whom no rule blocks. */
static bool
is_plausible(const struct blocks *b, const struct wire_message *m,
	const struct object **owner, struct limit_rule *rule)
{
	const struct control *c = b->control;
	const struct listener *l =
		listeners_get(c->listeners, m->far_beyond.slot);

	if (l == NULL || l->closing != 0 ||
		is_trusted(c, &m->far_beyond.addr))
		return false;
	*owner = limits_find(c, m->far_beyond.rule, rule);
	return *owner != NULL && rule->promotion.enabled;
}

static bool
has_room(struct blocks *b)
{
	if (b->count < b->control->settings->blocked_sources)
		return true;
	if (b->control->settings->blocked_sources == 0)
		return false;
	b->refused++;
	if (!b->full)
		log_warn("limits: no further source is blocked, there are %zu: "
			 "limits.blockedSources",
			b->count);
	b->full = true;
	return false;
}

static void
source_send(const struct blocks *b, const struct source *s, uint64_t now_ms)
{
	supervisor_send_block(b->control->supervisor, s->slot, &s->addr,
		(uint32_t)(s->until_ms - now_ms));
}

static const char *
source_text(const struct addr *addr, char text[ADDR_TEXT_MAX])
{
	struct addr_prefix source;

	addr_source(addr->ip, &source);
	return addr_source_format(&source, text);
}

static void
source_block(struct blocks *b, const struct wire_message *m,
	const struct addr *addr, const struct object *owner, const struct limit_rule *rule)
{
	struct control *c = b->control;
	uint64_t now_ms = clock_monotonic_ms();
	uint64_t ms = rule->promotion.duration_ms;
	struct error err = ERROR_INIT;
	char text[ADDR_TEXT_MAX];
	struct source *s;

	b->items = xreallocarray(b->items, b->count + 1, sizeof(*b->items));
	s = &b->items[b->count++];
	*s = (struct source){
		.addr = *addr,
		.slot = m->far_beyond.slot,
		.owner = xstrdup(owner->label),
		.rule = xstrdup(rule->name),
		.rate = rule->rate,
		.unit_s = rule->unit_s,
		.since_ms = clock_realtime_ms(),
		.until_ms = now_ms + ms,
	};
	if (kernel_is_active(c)) {
		s->in_kernel = kernel_block(c, s->slot, &s->addr, (uint32_t)ms,
				       &err) == 0;
		if (!s->in_kernel)
			log_warn("kernel: %s: the proxy blocks instead",
				err.text);
	}
	b->blocked++;
	source_send(b, s, now_ms);
	log_warn("limits: %s is blocked for %" PRIu64 " s at %s: it went on "
		 "far beyond %s of %s by=%s",
		source_text(&s->addr, text), ms / 1000,
		listener_label(c, s->slot), s->rule, s->owner,
		s->in_kernel ? "kernel" : "proxy");
}

void
blocks_far_beyond(struct blocks *b, const struct wire_message *m)
{
	const struct object *owner;
	struct addr_prefix source;
	struct addr addr = { 0 };
	struct limit_rule rule;

	addr_source(m->far_beyond.addr.ip, &source);
	memcpy(addr.ip, source.ip, sizeof(addr.ip));
	if (source_find(b, m->far_beyond.slot, &addr) == NULL &&
		is_plausible(b, m, &owner, &rule) && has_room(b))
		source_block(b, m, &addr, owner, &rule);
}

/* ---- it comes back */

void
blocks_look(struct blocks *b)
{
	uint64_t now_ms = clock_monotonic_ms();
	char text[ADDR_TEXT_MAX];
	size_t kept = 0;

	for (size_t i = 0; i < b->count; i++) {
		struct source *s = &b->items[i];

		if (now_ms < s->until_ms) {
			b->items[kept++] = *s;
			continue;
		}
		log_info("limits: %s comes back at %s",
			source_text(&s->addr, text),
			listener_label(b->control, s->slot));
		source_fini(s);
	}
	if (kept < b->count)
		b->full = false;
	b->count = kept;
}

void
blocks_slot_closed(struct blocks *b, uint32_t slot)
{
	size_t kept = 0;

	for (size_t i = 0; i < b->count; i++) {
		struct source *s = &b->items[i];

		if (s->slot != slot) {
			b->items[kept++] = *s;
			continue;
		}
		if (s->in_kernel)
			kernel_unblock(b->control, slot, &s->addr);
		source_fini(s);
	}
	b->count = kept;
}

void
blocks_send(const struct blocks *b)
{
	uint64_t now_ms = clock_monotonic_ms();

	for (size_t i = 0; i < b->count; i++)
		if (now_ms < b->items[i].until_ms)
			source_send(b, &b->items[i], now_ms);
}

/* ---- as people see them */

static void
time_set(struct doc *d, const char *key, uint64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	char text[64];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	doc_set_string(d, key, text);
}

static struct doc *
source_print(struct doc *to, const struct blocks *b, uint32_t slot,
	const struct addr *addr, uint64_t left_ms)
{
	struct doc *d = doc_add(to, doc_new_map());
	char text[ADDR_TEXT_MAX];

	doc_set_string(d, "source", source_text(addr, text));
	slot_print(b->control, slot, d);
	doc_set(d, "secondsLeft",
		doc_new_integer((int64_t)((left_ms + 999) / 1000)));
	time_set(d, "until", clock_realtime_ms() + left_ms);
	return d;
}

static void
why_print(struct doc *d, const struct source *s)
{
	time_set(d, "since", s->since_ms);
	doc_set_string(d, "object", s->owner);
	doc_set_string(d, "rule", s->rule);
	doc_set(d, "rate", doc_new_integer(s->rate));
	doc_set_string(d, "unit", limit_unit_name(s->unit_s));
}

struct kernel_print {
	const struct blocks *blocks;
	struct doc *items;
};

/* With those that an earlier control had blocked. */
static void
on_kernel_block(uint32_t slot, const struct addr *addr, uint64_t left_ms,
	uint64_t dropped, void *arg)
{
	const struct kernel_print *k = arg;
	const struct source *s = source_find(k->blocks, slot, addr);
	struct doc *d =
		source_print(k->items, k->blocks, slot, addr, left_ms);

	doc_set_string(d, "by", "kernel");
	doc_set(d, "dropped",
		doc_new_integer(
			dropped > INT64_MAX ? INT64_MAX : (int64_t)dropped));
	if (s != NULL)
		why_print(d, s);
}

struct doc *
blocks_print(const struct blocks *b)
{
	struct doc *d = doc_new_map();
	struct kernel_print k = { b, doc_set(d, "items", doc_new_list()) };
	uint64_t now_ms = clock_monotonic_ms();

	kernel_blocks_each(b->control, on_kernel_block, &k);
	for (size_t i = 0; i < b->count; i++) {
		const struct source *s = &b->items[i];
		struct doc *one;

		if (s->in_kernel || now_ms >= s->until_ms)
			continue;
		one = source_print(k.items, b, s->slot, &s->addr,
			s->until_ms - now_ms);
		doc_set_string(one, "by", "proxy");
		why_print(one, s);
	}
	doc_set(d, "limit",
		doc_new_integer(b->control->settings->blocked_sources));
	return d;
}

void
blocks_metrics(const struct blocks *b, struct str *out)
{
	str_printf(out,
		"# HELP gloo_gateway_blocked_sources sources blocked now for "
		"going on far beyond a rate limit\n"
		"# TYPE gloo_gateway_blocked_sources gauge\n"
		"gloo_gateway_blocked_sources %zu\n"
		"# HELP gloo_gateway_blocks sources that were blocked\n"
		"# TYPE gloo_gateway_blocks counter\n"
		"gloo_gateway_blocks %" PRIu64 "\n"
		"# HELP gloo_gateway_blocks_refused sources not blocked: "
		"limits.blockedSources\n"
		"# TYPE gloo_gateway_blocks_refused counter\n"
		"gloo_gateway_blocks_refused %" PRIu64 "\n",
		b->count, b->blocked, b->refused);
}
