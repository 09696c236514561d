/* Rate limits of requests. */
#include "filter/limit.h"

#include <string.h>

#include "filter/limit_table.h"
#include "model/limit.h"

#define TAKEN_MAX (2 * 2 * LIMIT_RULES_MAX) /* as image_check allows */

struct run { /* over all rules of a request */
	struct limit_table *table;
	const struct filter_limit_request *request;
	struct filter_limit_verdict *out;
	struct {
		const struct image_limit *limit;
		uint64_t key;
	} taken[TAKEN_MAX]; /* that counted it */
	size_t taken_count;
};

/* ---- keys */

static uint64_t
source_key(const struct run *run, const struct image_limit *l)
{
	const struct addr *client = run->request->client;
	struct addr_prefix source;

	memcpy(source.ip, client->ip, sizeof(source.ip));
	source.bits = addr_is_v4(client) ? (uint8_t)(96 + l->plen4) : l->plen6;
	addr_prefix_mask(&source);
	return limit_table_key(
		run->table, l->identity, source.ip, sizeof(source.ip));
}

/* Of all fields of that name, whoever wrote them: a rule for X-Forwarded-For
 * shall limit those behind a balancer that trustedProxies forgot. 0: there is
 * none, the rule does not apply. */
static uint64_t
header_key(const struct run *run, const void *base, const struct image_limit *l)
{
	const struct http_head *h = run->request->head;
	struct slice name = image_text(base, l->header);
	uint64_t key = 0;

	for (unsigned i = 0; i < h->field_count; i++) {
		const struct http_field *f = &h->fields[i];

		if (f->id != l->field_id ||
			(f->id == HTTP_FIELD_OTHER &&
				!slice_equal_nocase(
					http_field_name(h, f), name)))
			continue;
		key = limit_table_key(run->table, key != 0 ? key : l->identity,
			h->bytes + f->value, f->value_length);
	}
	return key;
}

static uint64_t
key_of(const struct run *run, const void *base, const struct image_limit *l)
{
	switch ((enum limit_key)l->key) {
	case LIMIT_KEY_SOURCE:
		return source_key(run, l);
	case LIMIT_KEY_HEADER:
		return header_key(run, base, l);
	case LIMIT_KEY_NONE:
		break;
	}
	return limit_table_key(run->table, l->identity, "", 0);
}

/* ---- one rule */

static uint32_t
seconds(uint64_t ms)
{
	uint64_t s = (ms + 999) / 1000;

	return s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

static void
report(struct run *run, const struct image_limit *l,
	const struct gcra_verdict *v)
{
	struct filter_limit_verdict *out = run->out;

	if (v->passed && out->rule != NULL && out->remaining <= v->remaining)
		return;
	out->rule = l;
	out->remaining = v->remaining;
	out->reset_s = seconds(v->reset_ms);
	out->retry_s = seconds(v->retry_ms);
}

/* A key that stands for more than one source tells nothing about a source. */
static bool
is_one_source(const struct run *run, const struct image_limit *l)
{
	return addr_is_v4(run->request->client) ? l->plen4 == 32
						: l->plen6 >= 64;
}

static void
refused(struct run *run, const void *base, const struct image_limit *l,
	uint64_t key)
{
	const struct filter_limit_request *r = run->request;

	run->out->refused = true;
	run->out->name = image_text(base, l->name);
	limit_table_count(run->table, l->identity, r->worker, LIMIT_REFUSED);
	for (size_t i = 0; i < run->taken_count; i++) {
		const struct image_limit *other = run->taken[i].limit;

		limit_table_give_back(run->table, run->taken[i].key,
			&(struct gcra){
				other->most, other->per_ms, other->cost });
	}
	if (l->far_beyond > 0 && is_one_source(run, l))
		run->out->far_beyond = limit_table_refused(run->table, key,
			l->far_beyond, l->promote_ms, r->now_ms);
}

/* False: it is refused. */
static bool
rule_apply(struct run *run, const void *base, const struct image_limit *l)
{
	const struct filter_limit_request *r = run->request;
	const struct gcra g = { l->most, l->per_ms, l->cost };
	uint64_t key = key_of(run, base, l);
	struct gcra_verdict v;

	if (key == 0)
		return true;
	v = limit_table_take(run->table, key, &g, r->now_ms, l->count_rejected);
	if (l->action == LIMIT_ACTION_SHADOW) {
		if (!v.passed)
			run->out->name = image_text(base, l->name);
		limit_table_count(run->table, l->identity, r->worker,
			v.passed ? LIMIT_PASSED : LIMIT_SHADOWED);
		return true;
	}
	report(run, l, &v);
	if (!v.passed) {
		refused(run, base, l, key);
		return false;
	}
	if (run->taken_count < TAKEN_MAX) {
		run->taken[run->taken_count].limit = l;
		run->taken[run->taken_count++].key = key;
	}
	return true;
}

static bool
rules_apply(struct run *run, const void *base, struct image_array limits)
{
	const struct image_limit *l = image_at(base, limits.offset);

	for (uint32_t i = 0; i < limits.count; i++)
		if (!rule_apply(run, base, &l[i]))
			return false;
	return true;
}

void
filter_limit_apply(struct limit_table *t, const struct filter_limit_request *r,
	struct filter_limit_verdict *out)
{
	const struct router_match *m = r->match;
	struct run run = { .table = t, .request = r, .out = out };

	memset(out, 0, sizeof(*out));
	if (m->listener != NULL &&
		!rules_apply(&run, r->image, m->listener->limits))
		return;
	if (m->vhost != NULL && !rules_apply(&run, m->vhost, m->vhost->limits))
		return;
	for (size_t i = 0; i < run.taken_count; i++)
		limit_table_count(t, run.taken[i].limit->identity, r->worker,
			LIMIT_PASSED);
}
