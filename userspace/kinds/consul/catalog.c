/* The catalogs of the data centres. */
#include "kinds/consul/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/table.h"
#include "kinds/consul/instances.h"
#include "kinds/consul/services.h"
#include "kinds/consul/upstreams.h"

struct datacenter {
	struct datacenter *next;
	struct consul *consul;
	char *name;      /* NULL: the agent's own */
	bool discovered; /* stays, whoever follows */
	struct consul_follow *follows;
	struct consul_query *query;
	struct consul_services services;
	bool answered;
	bool whole;    /* services are all that there are */
	bool settled;  /* they were once, and the program was told */
	bool lost;     /* the last answer hides what was shown before */
	char *failure; /* NULL: it can be asked */
};

struct consul_follow {
	struct consul_follow *next, **link;
	struct datacenter *datacenter;
	char *service;
	enum consul_presence told;
	char *failing; /* NULL: it does not */
	void (*changed)(void *arg);
	void *arg;
};

struct own {
	struct consul_query *query; /* NULL: nobody wants to know */
	bool answered;              /* well or badly */
	char *name;                 /* the last that was heard, or NULL */
	bool told;                  /* that it is not known */
};

struct consul {
	struct kind_program *program;
	struct consul_settings *settings;
	struct consul_agent *agent;
	struct datacenter *datacenters;
	struct datacenter **sources; /* those of discovery, in its order */
	struct consul_source *source_views;
	size_t source_count;
	struct consul_upstreams *upstreams;
	struct own own;
	struct table *failing; /* by reason: how many follows have it */
	char *failing_told;    /* NULL: none */
};

/* ---- presence */

static enum consul_presence
presence_of(const struct datacenter *d, const char *service)
{
	if (consul_services_find(&d->services, service) != NULL)
		return CONSUL_LISTED;
	if (!d->answered || d->failure != NULL || d->lost)
		return CONSUL_UNKNOWN;
	return d->whole ? CONSUL_GONE : CONSUL_UNLISTED;
}

static void
follows_tell(struct datacenter *d)
{
	struct consul_follow *next;

	for (struct consul_follow *f = d->follows; f != NULL; f = next) {
		enum consul_presence now = presence_of(d, f->service);

		next = f->next;
		if (now == f->told)
			continue;
		f->told = now;
		f->changed(f->arg);
	}
}

enum consul_presence
consul_follow_presence(const struct consul_follow *f)
{
	return presence_of(f->datacenter, f->service);
}

const char *
consul_follow_datacenter(const struct consul_follow *f)
{
	return f->datacenter->name;
}

struct consul_agent *
consul_agent_of(const struct consul *c)
{
	return c->agent;
}

/* ---- the agent's own data centre */

const char *
consul_own_datacenter(const struct consul *c)
{
	return c->own.name;
}

bool
consul_own_datacenter_is_due(const struct consul *c)
{
	return c->own.query != NULL && !c->own.answered;
}

/* NULL: it is not known yet, or still what it was. */
static void
own_set(struct consul *c, const char *name)
{
	bool same = c->own.answered &&
		    (name == NULL || (c->own.name != NULL &&
					     strcmp(c->own.name, name) == 0));

	c->own.answered = true;
	if (same)
		return;
	if (name != NULL) {
		free(c->own.name);
		c->own.name = xstrdup(name);
	}
	for (struct datacenter *d = c->datacenters; d != NULL; d = d->next)
		for (struct consul_follow *f = d->follows, *next; f != NULL;
			f = next) {
			next = f->next;
			f->changed(f->arg);
		}
}

/* Where it is needed: without it none of the wan addresses is used. why: it may
 * not be known; used only if so. */
static void
own_tell(struct consul *c, const char *why)
{
	struct kind_program *p = c->program;
	char *reason;

	if (c->own.name != NULL) {
		if (c->own.told)
			p->condition_set(p, "dataCenter", KIND_OK, NULL);
		c->own.told = false;
		return;
	}
	c->own.told = true;
	reason = xasprintf("which data centre is the agent's own is not known, "
			   "so that instances of others are called at the "
			   "address that they have there: %s",
		why);
	p->condition_set(p, "dataCenter", KIND_WARNING, reason);
	free(reason);
}

static int
on_own(const struct consul_answer *answer, void *arg, struct error *err)
{
	struct consul_instances servers;

	if (consul_instances_read(answer->body, NULL, &servers, err) != 0)
		return -1;
	own_set(arg, servers.count > 0 ? servers.items[0].datacenter : NULL);
	own_tell(arg, "Consul shows no instance of its own service "
		      "\"" CONSUL_OWN_SERVICE "\": give the token service:read "
		      "and node:read");
	consul_instances_fini(&servers);
	return 0;
}

/* Followers do not wait for what fails. */
static void
on_own_failed(const char *why, uint64_t since_ms, void *arg)
{
	(void)since_ms;
	if (why == NULL)
		return;
	own_set(arg, NULL);
	own_tell(arg, why);
}

/* Any of Consul's own servers tells where it is. */
static void
own_want(struct consul *c)
{
	static const struct consul_events events = { on_own, on_own_failed };
	static const struct consul_question question = {
		.path = "/v1/health/service/" CONSUL_OWN_SERVICE,
	};

	if (c->own.query == NULL)
		c->own.query =
			consul_query_new(c->agent, &question, &events, c);
}

/* ---- conditions */

static char *
datacenter_problem(const struct datacenter *d)
{
	if (d->failure != NULL)
		return xstrdup(d->failure);
	if (d->lost)
		return xstrdup("the catalog shows less than before, as it does "
			       "to who has no right to read it: what was known "
			       "stays; give the token service:read");
	if (d->answered && d->services.count == 0)
		return xstrdup("the catalog shows no service, not even "
			       "Consul's own: give the token service:read");
	return NULL;
}

static void
condition_tell(struct consul *c)
{
	struct kind_program *p = c->program;
	char *problem = NULL, *reason;
	const struct datacenter *d = c->datacenters;

	for (; d != NULL; d = d->next) {
		problem = datacenter_problem(d);
		if (problem != NULL)
			break;
	}
	if (problem == NULL) {
		p->condition_set(p, "catalog", KIND_OK, NULL);
		return;
	}
	reason = d->name == NULL ? xstrdup(problem)
				 : xasprintf("data centre \"%s\": %s", d->name,
					   problem);
	p->condition_set(p, "catalog", KIND_WARNING, reason);
	free(reason);
	free(problem);
}

static size_t
failing_count(const struct consul *c, const char *why)
{
	return why == NULL ? 0 : (uintptr_t)table_get(c->failing, why);
}

static void
failing_count_set(struct consul *c, const char *why, size_t count)
{
	if (count > 0)
		table_set(c->failing, why, (void *)(uintptr_t)count);
	else
		table_remove(c->failing, why);
}

/* The reason that was told stays as long as any question has it: when an agent
 * ends, hundreds of them fail with one sentence. */
static void
failing_tell(struct consul *c)
{
	struct kind_program *p = c->program;
	const char *key, *first = NULL;
	size_t place = 0;

	if (failing_count(c, c->failing_told) > 0)
		return;
	while (table_next(c->failing, &place, &key, NULL))
		if (first == NULL || strcmp(key, first) < 0)
			first = key;
	if (first == NULL && c->failing_told == NULL)
		return;
	free(c->failing_told);
	c->failing_told = first == NULL ? NULL : xstrdup(first);
	p->condition_set(p, "agent", first == NULL ? KIND_OK : KIND_WARNING,
		c->failing_told);
}

void
consul_follow_failing(struct consul_follow *f, const char *why)
{
	struct consul *c = f->datacenter->consul;
	char *now = why == NULL ? NULL : xstrdup(why);

	if (now != NULL)
		failing_count_set(c, now, failing_count(c, now) + 1);
	if (f->failing != NULL)
		failing_count_set(
			c, f->failing, failing_count(c, f->failing) - 1);
	free(f->failing);
	f->failing = now;
	failing_tell(c);
}

/* ---- upstreams */

static void
sources_view(struct consul *c)
{
	for (size_t i = 0; i < c->source_count; i++) {
		const struct datacenter *d = c->sources[i];

		c->source_views[i].services = &d->services;
		c->source_views[i].answered = d->answered;
		c->source_views[i].settled = d->settled;
	}
}

static void
upstreams_update(struct consul *c)
{
	bool more = false;

	if (!c->settings->discovery.given)
		return;
	for (size_t i = 0; i < c->source_count; i++) {
		struct datacenter *d = c->sources[i];

		if (d->settled || !d->whole)
			continue;
		d->settled = more = true;
	}
	sources_view(c);
	consul_upstreams_make(c->upstreams, c->source_views, c->source_count);
	if (more)
		consul_upstreams_settle(
			c->upstreams, c->source_views, c->source_count);
}

/* ---- answers */

/* Rights that were there are not there any more. */
static bool
is_less(const struct datacenter *d, const struct consul_services *now,
	bool whole)
{
	if (!d->answered)
		return false;
	return d->whole ? !whole : now->count == 0 && d->services.count > 0;
}

static int
on_answer(const struct consul_answer *answer, void *arg, struct error *err)
{
	struct datacenter *d = arg;
	struct consul_services now;
	bool whole;

	if (consul_services_read(answer->body, &now, err) != 0)
		return -1;
	whole = !answer->filtered &&
		consul_services_find(&now, CONSUL_OWN_SERVICE) != NULL;
	d->lost = is_less(d, &now, whole);
	if (d->lost)
		consul_services_keep(&now, &d->services);
	else
		d->whole = whole;
	consul_services_fini(&d->services);
	d->services = now;
	d->answered = true;
	condition_tell(d->consul);
	if (d->discovered)
		upstreams_update(d->consul);
	follows_tell(d);
	return 0;
}

static void
on_failed(const char *why, uint64_t since_ms, void *arg)
{
	struct datacenter *d = arg;

	(void)since_ms;
	free(d->failure);
	d->failure = why == NULL ? NULL : xstrdup(why);
	condition_tell(d->consul);
	follows_tell(d);
}

/* ---- data centres */

static bool
name_is_same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static struct datacenter *
datacenter_take(struct consul *c, const char *name)
{
	static const struct consul_events events = { on_answer, on_failed };
	struct consul_question question = {
		.path = "/v1/catalog/services",
		.datacenter = name,
		.consistency = c->settings->discovery.consistency,
	};
	struct datacenter **at = &c->datacenters;
	struct datacenter *d;

	for (; *at != NULL; at = &(*at)->next)
		if (name_is_same((*at)->name, name))
			return *at;
	d = *at = xcalloc(1, sizeof(*d));
	d->consul = c;
	d->name = name == NULL ? NULL : xstrdup(name);
	d->query = consul_query_new(c->agent, &question, &events, d);
	if (name != NULL)
		own_want(c);
	return d;
}

/* Unless it is wanted. */
static void
datacenter_drop(struct datacenter *d)
{
	struct consul *c = d->consul;
	struct datacenter **at = &c->datacenters;

	if (d->follows != NULL || d->discovered)
		return;
	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	consul_query_free(d->query);
	consul_services_fini(&d->services);
	free(d->failure);
	free(d->name);
	free(d);
	condition_tell(c);
}

struct consul_follow *
consul_follow_new(struct consul *c, const char *datacenter, const char *service,
	void (*changed)(void *arg), void *arg)
{
	struct consul_follow *f = xcalloc(1, sizeof(*f));

	if (datacenter == NULL)
		datacenter = c->settings->datacenter;
	f->datacenter = datacenter_take(c, datacenter);
	f->service = xstrdup(service);
	f->told = presence_of(f->datacenter, service);
	f->changed = changed;
	f->arg = arg;
	f->next = f->datacenter->follows;
	f->link = &f->datacenter->follows;
	if (f->next != NULL)
		f->next->link = &f->next;
	f->datacenter->follows = f;
	return f;
}

void
consul_follow_free(struct consul_follow *f)
{
	if (f == NULL)
		return;
	consul_follow_failing(f, NULL);
	*f->link = f->next;
	if (f->next != NULL)
		f->next->link = f->link;
	datacenter_drop(f->datacenter);
	free(f->service);
	free(f);
}

/* ---- its life */

/* Also where nothing is discovered: that of the settings is asked, for what
 * discovery would make. */
static void
sources_new(struct consul *c)
{
	size_t named = c->settings->discovery.datacenter_count;

	c->source_count = named == 0 ? 1 : named;
	c->sources = xcalloc(c->source_count, sizeof(*c->sources));
	c->source_views = xcalloc(c->source_count, sizeof(*c->source_views));
	for (size_t i = 0; i < c->source_count; i++) {
		c->source_views[i].datacenter =
			named == 0 ? NULL
				   : c->settings->discovery.datacenters[i];
		c->sources[i] = datacenter_take(
			c, named == 0 ? c->settings->datacenter
				      : c->settings->discovery.datacenters[i]);
		c->sources[i]->discovered = true;
	}
}

/* The program is not called before this has returned. */
void *
consul_open(struct kind_program *program)
{
	struct consul_settings *settings =
		consul_settings_read(program->settings, NULL);
	struct consul *c;

	if (settings == NULL)
		return NULL; /* settings_check has told */
	c = xcalloc(1, sizeof(*c));
	c->program = program;
	c->settings = settings;
	c->agent = consul_agent_new(program->loop, program->http, settings,
		program->settings_folder);
	c->upstreams = consul_upstreams_new(program, settings);
	c->failing = table_new(NULL);
	sources_new(c);
	return c;
}

void
consul_close(void *shared)
{
	struct consul *c = shared;
	struct datacenter *next;

	if (c == NULL)
		return;
	for (struct datacenter *d = c->datacenters; d != NULL; d = next) {
		next = d->next;
		consul_query_free(d->query);
		consul_services_fini(&d->services);
		free(d->failure);
		free(d->name);
		free(d);
	}
	consul_query_free(c->own.query);
	free(c->own.name);
	consul_agent_free(c->agent);
	consul_upstreams_free(c->upstreams);
	table_free(c->failing);
	free(c->failing_told);
	free(c->sources);
	free(c->source_views);
	consul_settings_free(c->settings);
	free(c);
}

int
consul_preview(
	void *shared, kind_preview_each_f *each, void *arg, struct error *err)
{
	struct consul *c = shared;

	for (size_t i = 0; i < c->source_count; i++) {
		const struct datacenter *d = c->sources[i];

		if (!d->answered)
			return error_set(err, ERROR_SYSTEM,
				"the services of %s%s were not listed yet%s%s",
				d->name == NULL ? "the agent's data centre"
						: "data centre ",
				d->name == NULL ? "" : d->name,
				d->failure == NULL ? "" : ": ",
				d->failure == NULL ? "" : d->failure);
	}
	sources_view(c);
	consul_upstreams_each(
		c->upstreams, c->source_views, c->source_count, each, arg);
	return 0;
}
