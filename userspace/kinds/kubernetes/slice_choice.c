/* Which endpoints the slices of a service mean for one of its ports. */
#include "kinds/kubernetes/slices_inner.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/mem.h"

struct candidate {
	struct addr addr;
	const struct slice_record *record;
	const struct slice_member *member;
};

struct candidates {
	struct candidate *items;
	size_t count;
};

static bool
port_find(const struct slice_record *r, const struct slice_part *part,
	const struct kubernetes_slices_query *q, uint16_t *number)
{
	for (size_t i = 0; i < part->port_count; i++) {
		const struct slice_port *p = &part->ports[i];

		if (strcmp(slice_text(r, p->name), q->port_name) != 0 ||
			strcmp(slice_text(r, p->protocol), q->protocol) != 0)
			continue;
		*number = p->all ? q->port : p->number;
		return *number != 0;
	}
	return false;
}

static bool
member_wanted(const struct slice_record *r, const struct slice_member *m,
	const struct kubernetes_slices_query *q)
{
	if (q->pod_wanted == NULL)
		return true;
	return m->pod != 0 && q->pod_wanted(slice_text(r, m->pod), q->arg);
}

static void
part_collect(struct candidates *c, const struct slice_record *r,
	const struct slice_part *part, const struct kubernetes_slices_query *q)
{
	uint16_t number;

	if (!port_find(r, part, q, &number))
		return;
	for (size_t i = 0; i < part->member_count; i++) {
		const struct slice_member *m = &part->members[i];
		struct candidate *one = &c->items[c->count];

		if (!member_wanted(r, m, q) || m->state == 0)
			continue;
		memcpy(one->addr.ip, m->ip, sizeof(m->ip));
		one->addr.port_be = htons(number);
		one->record = r;
		one->member = m;
		c->count++;
	}
}

static size_t
members_count(struct slice_record *const *records, size_t record_count)
{
	size_t total = 0;

	for (size_t i = 0; i < record_count; i++)
		for (size_t j = 0; j < records[i]->part_count; j++)
			total += records[i]->parts[j].member_count;
	return total;
}

typedef bool keep_f(const struct candidate *c, const void *arg);

static size_t
candidates_having(const struct candidates *c, keep_f *has, const void *arg)
{
	size_t count = 0;

	for (size_t i = 0; i < c->count; i++)
		count += has(&c->items[i], arg);
	return count;
}

static void
candidates_keep(struct candidates *c, keep_f *keep, const void *arg)
{
	size_t count = 0;

	for (size_t i = 0; i < c->count; i++)
		if (keep(&c->items[i], arg))
			c->items[count++] = c->items[i];
	c->count = count;
}

static bool
is_ready(const struct candidate *c, const void *arg)
{
	(void)arg;
	return (c->member->state & MEMBER_READY) != 0;
}

static bool
has_zones(const struct candidate *c, const void *arg)
{
	(void)arg;
	return c->member->zones != 0;
}

static bool
has_nodes(const struct candidate *c, const void *arg)
{
	(void)arg;
	return c->member->nodes != 0;
}

static bool
hint_names(const char *names, const char *wanted)
{
	for (; names[0] != '\0'; names += strlen(names) + 1)
		if (strcmp(names, wanted) == 0)
			return true;
	return false;
}

static bool
is_of_zone(const struct candidate *c, const void *zone)
{
	return hint_names(slice_text(c->record, c->member->zones), zone);
}

static bool
is_of_node(const struct candidate *c, const void *node)
{
	return hint_names(slice_text(c->record, c->member->nodes), node);
}

/* Those of one pod in a row; those of no known owner are first. */
static int
owner_compare(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return (x->member->owner > y->member->owner) -
	       (x->member->owner < y->member->owner);
}

static bool
is_of_family(const struct candidate *c, int family)
{
	return addr_is_v4(&c->addr) == (family == AF_INET);
}

/* A pod of two families stands in a slice of each: it is one endpoint. */
static void
family_apply(struct candidates *c, int family)
{
	size_t count = 0, end;

	if (c->count > 1)
		qsort(c->items, c->count, sizeof(*c->items), owner_compare);
	for (size_t i = 0; i < c->count; i = end) {
		uint64_t owner = c->items[i].member->owner;
		bool has = false;

		for (end = i; end < c->count &&
			      c->items[end].member->owner == owner;
			end++)
			has |= is_of_family(&c->items[end], family);
		for (size_t j = i; j < end; j++)
			if (owner == 0 || !has ||
				is_of_family(&c->items[j], family))
				c->items[count++] = c->items[j];
	}
	c->count = count;
}

/* Only if every one has hints, and some are for us (KEP-2433): else a few would
 * get all the load, or nobody any. */
static bool
hints_apply(
	struct candidates *c, const char *ours, keep_f *has, keep_f *is_ours)
{
	if (ours == NULL || c->count == 0 ||
		candidates_having(c, has, NULL) != c->count ||
		candidates_having(c, is_ours, ours) == 0)
		return false;
	candidates_keep(c, is_ours, ours);
	return true;
}

static int
candidate_compare(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int order = memcmp(x->addr.ip, y->addr.ip, sizeof(x->addr.ip));

	if (order == 0)
		order = (int)ntohs(x->addr.port_be) -
			(int)ntohs(y->addr.port_be);
	if (order == 0)
		order = (x->member->owner > y->member->owner) -
			(x->member->owner < y->member->owner);
	return order;
}

static size_t
candidates_write(
	const struct candidates *c, struct endpoint *out, size_t room)
{
	size_t count = 0;

	for (size_t i = 0; i < c->count; i++) {
		const struct candidate *one = &c->items[i];

		if (i > 0 && addr_equal(&one->addr, &one[-1].addr))
			continue;
		if (count < room) {
			memset(&out[count], 0, sizeof(out[count]));
			out[count].addr = one->addr;
			out[count].weight = 1;
			out[count].health = ENDPOINT_UP;
			out[count].owner = one->member->owner;
		}
		count++;
	}
	return count;
}

size_t
kubernetes_slices_choose(struct slice_record *const *records,
	size_t record_count, const struct kubernetes_slices_query *q,
	struct endpoint *out, size_t room)
{
	struct candidates c = { NULL, 0 };
	size_t count;

	c.items = xcalloc(
		members_count(records, record_count) + 1, sizeof(*c.items));
	for (size_t i = 0; i < record_count; i++)
		for (size_t j = 0; j < records[i]->part_count; j++)
			part_collect(&c, records[i], &records[i]->parts[j], q);
	if (candidates_having(&c, is_ready, NULL) > 0)
		candidates_keep(&c, is_ready, NULL);
	family_apply(&c, q->family);
	if (!hints_apply(&c, q->node, has_nodes, is_of_node))
		hints_apply(&c, q->zone, has_zones, is_of_zone);
	if (c.count > 1)
		qsort(c.items, c.count, sizeof(*c.items), candidate_compare);
	count = candidates_write(&c, out, room);
	free(c.items);
	return count;
}
