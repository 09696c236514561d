/* The upstreams that services make. */
#include "kinds/consul/upstreams.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"
#include "kinds/problems.h"
#include "net/loop.h"

#define RETRY_MS 5000 /* of what the program could not take */

struct consul_upstreams {
	struct kind_program *program;
	struct loop_timer *retry; /* runs while there is some of that */
	const struct consul_settings *settings;
	struct table *made; /* by name: struct made, as the program was told */
	struct kind_problems *problems;
	struct table *clashes; /* keys of problems that are such */
};

struct made {
	struct doc *doc;
	bool failed; /* the program could not take it */
};

/* What would make an upstream: a service, or one tag of it. */
struct candidate {
	char name[UPSTREAM_NAME_MAX];
	const char *service, *tag; /* tag NULL: all of the service */
	bool *in;                  /* by source: it is there */
};

struct candidates {
	struct candidate *items; /* those of one name beside each other */
	size_t count, room;
	const struct consul_source *sources;
	size_t source_count;
};

static void
made_free(void *value)
{
	struct made *m = value;

	doc_free(m->doc);
	free(m);
}

static void on_retry(void *arg);

struct consul_upstreams *
consul_upstreams_new(
	struct kind_program *program, const struct consul_settings *settings)
{
	struct consul_upstreams *u = xcalloc(1, sizeof(*u));

	u->program = program;
	u->settings = settings;
	u->made = table_new(made_free);
	u->problems = kind_problems_new(program, "upstreams", "consul");
	u->clashes = table_new(NULL);
	u->retry = loop_timer_new(program->loop, on_retry, u);
	return u;
}

void
consul_upstreams_free(struct consul_upstreams *u)
{
	if (u == NULL)
		return;
	table_free(u->made);
	kind_problems_free(u->problems);
	table_free(u->clashes);
	loop_timer_free(u->retry);
	free(u);
}

/* ---- who would make which */

static int
text_compare(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return (a != NULL) - (b != NULL);
	return strcmp(a, b);
}

/* Of one name, whole services come first: a tag must not take the name of a
 * service that there is. */
static int
candidate_compare(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	if (order == 0)
		order = (x->tag != NULL) - (y->tag != NULL);
	if (order == 0)
		order = (strcmp(x->service, x->name) != 0) -
			(strcmp(y->service, y->name) != 0);
	if (order == 0)
		order = strcmp(x->service, y->service);
	return order != 0 ? order : text_compare(x->tag, y->tag);
}

static void
candidate_add(struct candidates *c, size_t source, const char *service,
	const char *tag)
{
	struct candidate *one;

	if (c->count == c->room) {
		c->room = c->room == 0 ? 64 : 2 * c->room;
		c->items = xreallocarray(c->items, c->room, sizeof(*c->items));
	}
	one = &c->items[c->count++];
	*one = (struct candidate){ .service = service, .tag = tag };
	consul_upstream_name(service, tag, one->name);
	one->in = xcalloc(c->source_count + 1, sizeof(*one->in));
	one->in[source] = true;
}

/* The same of several data centres becomes one. */
static void
candidates_join(struct candidates *c)
{
	size_t kept = 0;

	if (c->count > 0)
		qsort(c->items, c->count, sizeof(*c->items), candidate_compare);
	for (size_t i = 0; i < c->count; i++) {
		struct candidate *one = &c->items[i];
		struct candidate *last = kept > 0 ? &c->items[kept - 1] : NULL;

		if (last == NULL || candidate_compare(last, one) != 0) {
			c->items[kept++] = *one;
			continue;
		}
		for (size_t s = 0; s < c->source_count; s++)
			last->in[s] |= one->in[s];
		free(one->in);
	}
	c->count = kept;
}

static void
candidates_init(struct candidates *c, const struct consul_settings *settings,
	const struct consul_source *sources, size_t source_count)
{
	*c = (struct candidates){ .sources = sources,
		.source_count = source_count };
	for (size_t s = 0; s < source_count; s++) {
		const struct consul_services *all = sources[s].services;

		for (size_t i = 0; i < all->count; i++) {
			const struct consul_service *one = &all->items[i];

			if (!consul_service_makes(one, settings))
				continue;
			candidate_add(c, s, one->name, NULL);
			for (size_t t = 0; t < one->tag_count; t++)
				if (consul_service_tag_makes(
					    settings, one->tags[t]))
					candidate_add(
						c, s, one->name, one->tags[t]);
		}
	}
	candidates_join(c);
}

static void
candidates_fini(struct candidates *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->items[i].in);
	free(c->items);
}

/* ---- what was said before */

static const struct doc *
said_spec(const struct consul_upstreams *u, const char *name)
{
	return doc_find(u->program->upstream_said(u->program, name),
		"upstreamSpec", "consul", NULL);
}

static bool
said_is(const struct doc *spec, const struct candidate *one)
{
	const struct doc *tags = doc_get(spec, "serviceTags");

	return strcmp(doc_get_text(spec, "serviceName"), one->service) == 0 &&
	       text_compare(doc_string(doc_at(tags, 0)), one->tag) == 0;
}

/* It was of that data centre; where none is named, of any. */
static bool
said_names(const struct doc *spec, const char *datacenter)
{
	const struct doc *names = doc_get(spec, "dataCenters");

	if (doc_count(names) == 0 || datacenter == NULL)
		return true;
	for (size_t i = 0; i < doc_count(names); i++)
		if (text_compare(doc_string(doc_at(names, i)), datacenter) == 0)
			return true;
	return false;
}

/* Who had the name may be there still: not everybody has answered. */
static bool
said_is_awaited(const struct doc *spec, const struct candidates *c)
{
	for (size_t s = 0; spec != NULL && s < c->source_count; s++)
		if (!c->sources[s].answered &&
			said_names(spec, c->sources[s].datacenter))
			return true;
	return false;
}

/* ---- documents */

static struct doc *
upstream_make(const struct consul_upstreams *u, const struct candidates *c,
	const struct candidate *one, const struct doc *said)
{
	struct doc *d = doc_new_map(), *meta, *consul;
	struct doc *datacenters = doc_new_list();

	for (size_t s = 0; s < c->source_count; s++) {
		const struct consul_source *source = &c->sources[s];

		if (source->datacenter == NULL)
			continue;
		if (one->in[s] || (said != NULL && !source->answered &&
					  said_is(said, one) &&
					  said_names(said, source->datacenter)))
			doc_add(datacenters,
				doc_new_string(source->datacenter));
	}
	doc_set(d, "discoveryMetadata", doc_new_map());
	meta = doc_set(d, "metadata", doc_new_map());
	doc_set_string(doc_set(meta, "labels", doc_new_map()), "discovered_by",
		CONSUL_DISCOVERED_BY);
	doc_set_string(meta, "name", one->name);
	doc_set_string(meta, "namespace", u->program->discovery_namespace);
	consul = doc_set(doc_set(d, "upstreamSpec", doc_new_map()), "consul",
		doc_new_map());
	if (doc_count(datacenters) > 0)
		doc_set(consul, "dataCenters", datacenters);
	else
		doc_free(datacenters);
	doc_set_string(consul, "serviceName", one->service);
	if (one->tag != NULL)
		doc_add(doc_set(consul, "serviceTags", doc_new_list()),
			doc_new_string(one->tag));
	return d;
}

/* Of those of one name, who had it keeps it: a new service or tag must not turn
 * the routes of another to itself. NULL: who had it did not answer yet. */
static const struct candidate *
winner_of(const struct candidates *c, size_t first, size_t end,
	const struct doc *said)
{
	for (size_t i = first; said != NULL && i < end; i++)
		if (said_is(said, &c->items[i]))
			return &c->items[i];
	if (said_is_awaited(said, c))
		return NULL;
	return &c->items[first];
}

static size_t
name_end(const struct candidates *c, size_t first)
{
	size_t end = first + 1;

	while (end < c->count &&
		strcmp(c->items[end].name, c->items[first].name) == 0)
		end++;
	return end;
}

/* ---- telling */

static void
made_tell(struct consul_upstreams *u, const char *name, struct made *m)
{
	struct error err = ERROR_INIT;

	m->failed = u->program->upstream_found(
			    u->program, doc_copy(m->doc), &err) != 0;
	if (m->failed) {
		error_prefix(&err, "upstream %s is not made", name);
		loop_timer_start(u->retry, RETRY_MS);
	}
	kind_problems_set(u->problems, name, err.text);
}

static void
found_tell(struct consul_upstreams *u, const char *name, struct doc *d)
{
	struct made *m = table_get(u->made, name);

	if (m != NULL && !m->failed && doc_equal(m->doc, d)) {
		doc_free(d);
		return;
	}
	m = xcalloc(1, sizeof(*m));
	m->doc = d;
	table_set(u->made, name, m);
	made_tell(u, name, m);
}

/* The operator may have taken away what is in the way, or the program have
 * stored it meanwhile without being told again: the problem is over then. */
static void
on_retry(void *arg)
{
	struct consul_upstreams *u = arg;
	size_t place = 0;
	const char *name;
	void *value;

	while (table_next(u->made, &place, &name, &value)) {
		struct made *m = value;

		if (m->failed)
			made_tell(u, name, m);
	}
}

static char *
candidate_text(const struct candidate *one)
{
	if (one->tag == NULL)
		return xasprintf("service \"%.64s\"", one->service);
	return xasprintf(
		"tag \"%.64s\" of service \"%.64s\"", one->tag, one->service);
}

static void
clash_tell(struct consul_upstreams *u, struct table *clashes,
	const struct candidate *loser, const struct candidate *winner)
{
	char *who = candidate_text(loser), *whose = candidate_text(winner);
	char *key = xasprintf("%s: %s", loser->name, who);
	char *text = xasprintf("%s makes no upstream: \"%s\" is that of %s; "
			       "create an upstream of another name for it",
		who, loser->name, whose);

	table_set(clashes, key, u);
	kind_problems_set(u->problems, key, text);
	free(text);
	free(key);
	free(whose);
	free(who);
}

/* Takes now. */
static void
clashes_swap(struct consul_upstreams *u, struct table *now)
{
	size_t place = 0;
	const char *key;

	while (table_next(u->clashes, &place, &key, NULL))
		if (table_get(now, key) == NULL)
			kind_problems_set(u->problems, key, NULL);
	table_free(u->clashes);
	u->clashes = now;
}

static void
gone_tell(struct consul_upstreams *u, const struct table *wanted)
{
	size_t place = 0;
	const char *key;

	while (table_next(u->made, &place, &key, NULL)) {
		char *name;

		if (table_get(wanted, key) != NULL)
			continue;
		name = xstrdup(key);
		table_remove(u->made, name);
		kind_problems_set(u->problems, name, NULL);
		u->program->upstream_gone(u->program, name);
		free(name);
	}
}

void
consul_upstreams_make(struct consul_upstreams *u,
	const struct consul_source *sources, size_t count)
{
	struct table *wanted = table_new(NULL), *clashes = table_new(NULL);
	struct candidates c;

	candidates_init(&c, u->settings, sources, count);
	for (size_t i = 0, end; i < c.count; i = end) {
		const char *name = c.items[i].name;
		const struct doc *said = said_spec(u, name);
		const struct candidate *winner;

		end = name_end(&c, i);
		winner = winner_of(&c, i, end, said);
		if (winner == NULL)
			continue;
		table_set(wanted, name, u);
		for (size_t k = i; k < end; k++)
			if (&c.items[k] != winner)
				clash_tell(u, clashes, &c.items[k], winner);
		found_tell(u, name, upstream_make(u, &c, winner, said));
	}
	gone_tell(u, wanted);
	clashes_swap(u, clashes);
	candidates_fini(&c);
	table_free(wanted);
}

struct settling {
	const struct consul_source *sources;
	size_t count;
};

static bool
on_said(const struct doc *said, void *arg)
{
	const struct settling *s = arg;
	const struct doc *spec = doc_find(said, "upstreamSpec", "consul", NULL);

	for (size_t i = 0; i < s->count; i++)
		if (!s->sources[i].settled &&
			said_names(spec, s->sources[i].datacenter))
			return false;
	return true;
}

void
consul_upstreams_settle(struct consul_upstreams *u,
	const struct consul_source *sources, size_t count)
{
	struct settling s = { sources, count };

	u->program->upstreams_settled(u->program, on_said, &s);
}

void
consul_upstreams_each(struct consul_upstreams *u,
	const struct consul_source *sources, size_t count,
	kind_preview_each_f *each, void *arg)
{
	struct candidates c;

	candidates_init(&c, u->settings, sources, count);
	for (size_t i = 0; i < c.count; i = name_end(&c, i)) {
		const struct doc *said = said_spec(u, c.items[i].name);
		const struct candidate *winner =
			winner_of(&c, i, name_end(&c, i), said);

		if (winner != NULL)
			each(upstream_make(u, &c, winner, said), arg);
	}
	candidates_fini(&c);
}
