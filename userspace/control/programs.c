/* What kinds of upstream do once for the whole process. */
#include "control/programs.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/discovered.h"
#include "control/discovery.h"
#include "control/foreign.h"
#include "control/generation.h"
#include "control/services.h"

struct programs {
	struct program **items; /* of every kind that can be opened */
	size_t count;
};

/* ---- what a kind calls */

/* While the gateway stops objects stay as they are: at the next start all is
 * said again. */
static bool
is_stopping(const struct kind_program *seen)
{
	return ((const struct program *)seen)->control->stopping;
}

static int
on_upstream_found(struct kind_program *seen, struct doc *d, struct error *err)
{
	if (!is_stopping(seen))
		return discovered_found(
			((struct program *)seen)->discovered, d, err);
	doc_free(d);
	return 0;
}

static void
on_upstream_gone(struct kind_program *seen, const char *name)
{
	if (!is_stopping(seen))
		discovered_gone(((struct program *)seen)->discovered, name);
}

static const struct doc *
upstream_said(struct kind_program *seen, const char *name)
{
	return discovered_said(((struct program *)seen)->discovered, name);
}

static void
on_upstreams_settled(
	struct kind_program *seen, kind_settled_f *settled, void *arg)
{
	if (!is_stopping(seen))
		discovered_settled(((struct program *)seen)->discovered,
			settled, arg);
}

static void
on_resource_put(struct kind_program *seen, enum model_type type, const char *ns,
	const char *name, struct doc *d, uint64_t generation)
{
	if (!is_stopping(seen))
		foreign_put(((struct program *)seen)->foreign, type, ns, name,
			d, generation);
	else
		doc_free(d);
}

static void
on_resource_remove(struct kind_program *seen, enum model_type type,
	const char *ns, const char *name)
{
	if (!is_stopping(seen))
		foreign_remove(
			((struct program *)seen)->foreign, type, ns, name);
}

static void
on_resources_settled(struct kind_program *seen, enum model_type type)
{
	if (!is_stopping(seen))
		foreign_settled(((struct program *)seen)->foreign, type);
}

/* ---- conditions */

static struct program_condition *
condition_take(struct program *p, const char *part)
{
	struct program_condition *one;

	for (size_t i = 0; i < p->condition_count; i++)
		if (strcmp(p->conditions[i].part, part) == 0)
			return &p->conditions[i];
	p->conditions = xreallocarray(p->conditions, p->condition_count + 1,
		sizeof(*p->conditions));
	one = &p->conditions[p->condition_count++];
	*one = (struct program_condition){ .part = xstrdup(part),
		.reason = xstrdup("") };
	return one;
}

static void
condition_log(const struct program *p, const struct program_condition *one)
{
	const char *title = p->kind->title;

	switch (one->level) {
	case KIND_OK:
		log_info("%s: %s: works again", title, one->part);
		break;
	case KIND_NOTE:
		log_info("%s: %s: %s", title, one->part, one->reason);
		break;
	case KIND_WARNING:
		log_warn("%s: %s: %s", title, one->part, one->reason);
		break;
	case KIND_ERROR:
		log_error("%s: %s: %s", title, one->part, one->reason);
		break;
	}
}

static void
on_condition(struct kind_program *seen, const char *part, enum kind_level level,
	const char *reason)
{
	struct program *p = (struct program *)seen;
	struct program_condition *one = condition_take(p, part);
	char *text = xstrdup(level == KIND_OK ? "" : reason);

	/* Others' words may be in it. */
	text_defuse(text);
	if (one->level == level && strcmp(one->reason, text) == 0) {
		free(text);
		return;
	}
	if (level == KIND_OK)
		one->since = 0;
	else if (one->level == KIND_OK)
		one->since = clock_realtime_ms();
	one->level = level;
	free(one->reason);
	one->reason = text;
	condition_log(p, one);
}

static void
conditions_free(struct program *p)
{
	for (size_t i = 0; i < p->condition_count; i++) {
		free(p->conditions[i].part);
		free(p->conditions[i].reason);
	}
	free(p->conditions);
	p->conditions = NULL;
	p->condition_count = 0;
}

/* ---- opening and closing */

static char *
folder_of(const struct settings *s)
{
	const char *slash = s->path == NULL ? NULL : strrchr(s->path, '/');

	return slash == NULL ? xstrdup(".")
			     : xstrndup(s->path,
				       slash == s->path
					       ? 1
					       : (size_t)(slash - s->path));
}

/* The caller's; NULL: it is not to be opened. */
static struct doc *
settings_copy(const struct program *p)
{
	const struct doc *given =
		settings_of_kind(p->control->settings, p->kind);

	if (given != NULL)
		return doc_copy(given);
	return p->kind->settings_optional ? doc_new_map() : NULL;
}

/* Takes settings. */
static void
program_open(struct program *p, struct doc *given)
{
	struct control *c = p->control;

	p->settings = given;
	p->settings_folder = folder_of(c->settings);
	p->discovery_namespace = xstrdup(c->settings->discovery_namespace);
	p->seen = (struct kind_program){
		.loop = c->loop,
		.resolver = c->resolver,
		.http = c->http,
		.settings = p->settings,
		.discovery_namespace = p->discovery_namespace,
		.settings_folder = p->settings_folder,
		.upstream_found = on_upstream_found,
		.upstream_gone = on_upstream_gone,
		.upstream_said = upstream_said,
		.upstreams_settled = on_upstreams_settled,
		.resource_put = on_resource_put,
		.resource_remove = on_resource_remove,
		.resources_settled = on_resources_settled,
		.condition_set = on_condition,
	};
	p->open = true;
	p->secrets_settled = false;
	p->shared = p->kind->open(&p->seen);
}

static void
program_close(struct program *p)
{
	if (!p->open)
		return;
	p->open = false;
	p->kind->close(p->shared);
	p->shared = NULL;
	memset(&p->seen, 0, sizeof(p->seen));
	free(p->settings_folder);
	free(p->discovery_namespace);
	p->settings_folder = p->discovery_namespace = NULL;
	doc_free(p->settings);
	p->settings = NULL;
	conditions_free(p);
}

struct programs *
programs_new(struct control *c)
{
	struct programs *all = xcalloc(1, sizeof(*all));
	size_t count = 0;

	while (c->options->kinds[count] != NULL)
		count++;
	all->items = xcalloc(count + 1, sizeof(*all->items));
	for (size_t i = 0; i < count; i++) {
		const struct upstream_kind *kind = c->options->kinds[i];
		struct program *p;

		if (kind->open == NULL)
			continue;
		p = xcalloc(1, sizeof(*p));
		p->control = c;
		p->kind = kind;
		all->items[all->count++] = p;
	}
	return all;
}

void
programs_free(struct programs *all)
{
	if (all == NULL)
		return;
	for (size_t i = 0; i < all->count; i++) {
		struct program *p = all->items[i];

		program_close(p);
		discovered_free(p->discovered);
		foreign_free(p->foreign);
		free(p);
	}
	free(all->items);
	free(all);
}

void
programs_open(struct control *c)
{
	for (size_t i = 0; i < c->programs->count; i++) {
		struct program *p = c->programs->items[i];
		struct doc *given = settings_copy(p);

		if (given == NULL)
			continue;
		p->discovered = discovered_new(p);
		program_open(p, given);
	}
}

/* Of a kind that is not wanted any more nothing is left but its upstreams,
 * which an operator may have changed. */
static void
program_forget(struct program *p)
{
	if (p->foreign == NULL)
		p->foreign = foreign_new(p);
	foreign_forget(p->foreign);
	foreign_free(p->foreign);
	p->foreign = NULL;
	discovered_free(p->discovered);
	p->discovered = NULL;
}

void
programs_restore(struct control *c)
{
	for (size_t i = 0; i < c->programs->count; i++) {
		struct program *p = c->programs->items[i];

		if (p->open)
			p->foreign = foreign_new(p);
		else
			program_forget(p);
	}
}

/* ---- the settings change */

static void
watches_change(struct control *c, const struct upstream_kind *kind,
	void (*change)(struct discovery *d))
{
	for (size_t i = 0; i < objects_count(c->objects, MODEL_UPSTREAM); i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_UPSTREAM, i);

		if (o->discovery != NULL && o->model->upstream->kind == kind)
			change(o->discovery);
	}
}

/* Takes settings. */
static void
program_again(struct program *p, struct doc *given)
{
	if (p->discovered == NULL)
		p->discovered = discovered_new(p);
	if (p->foreign == NULL)
		p->foreign = foreign_new(p);
	discovered_again(p->discovered);
	foreign_again(p->foreign);
	program_open(p, given);
}

static void
program_reload(struct program *p)
{
	struct control *c = p->control;
	struct doc *now = settings_copy(p);
	bool was = p->open;

	if ((!was && now == NULL) ||
		(was && now != NULL && doc_equal(p->settings, now))) {
		doc_free(now);
		return;
	}
	log_info("settings: %s changed", p->kind->settings_key);
	watches_change(c, p->kind, discovery_unwatch);
	program_close(p);
	if (now != NULL)
		program_again(p, now);
	else
		program_forget(p);
	watches_change(c, p->kind, discovery_watch);
	if (was != p->open) {
		c->upstream_epoch++;
		services_touch(c);
		generation_touch(c);
	}
}

void
programs_reload(struct control *c)
{
	for (size_t i = 0; i < c->programs->count; i++)
		program_reload(c->programs->items[i]);
}

/* ---- asked by others */

const char *
programs_not_served(const struct control *c, const struct upstream_kind *kind)
{
	if (kind->watch == NULL ||
		(kind->open != NULL && !kind->settings_optional &&
			settings_of_kind(c->settings, kind) == NULL))
		return kind->not_served;
	return NULL;
}

void *
programs_shared(const struct control *c, const struct upstream_kind *kind)
{
	for (size_t i = 0; i < c->programs->count; i++)
		if (c->programs->items[i]->kind == kind)
			return c->programs->items[i]->shared;
	return NULL;
}

bool
programs_secrets_due(const struct control *c, const struct upstream_kind *kind)
{
	for (size_t i = 0; c->programs != NULL && i < c->programs->count; i++)
		if (c->programs->items[i]->kind == kind)
			return c->programs->items[i]->open &&
			       !c->programs->items[i]->secrets_settled;
	return false;
}

const struct program *
programs_at(const struct control *c, size_t i)
{
	for (size_t k = 0; k < c->programs->count; k++)
		if (c->programs->items[k]->open && i-- == 0)
			return c->programs->items[k];
	return NULL;
}

/* ---- what happens to objects */

static void
programs_judge(struct control *c, bool all)
{
	for (size_t i = 0; i < c->programs->count; i++) {
		const struct program *p = c->programs->items[i];

		if (p->open && p->foreign != NULL)
			foreign_judge(p->foreign, all);
	}
}

void
programs_enforced(struct control *c)
{
	programs_judge(c, false);
}

void
programs_look(struct control *c)
{
	for (size_t i = 0; i < c->programs->count; i++) {
		const struct program *p = c->programs->items[i];

		if (p->open)
			discovered_look(p->discovered);
	}
	programs_judge(c, true);
}

const struct upstream_kind *
programs_freed(struct control *c, enum model_type type, const char *ns,
	const char *name)
{
	for (size_t i = 0; i < c->programs->count; i++) {
		const struct program *p = c->programs->items[i];

		if (p->open && type == MODEL_UPSTREAM &&
			discovered_come_back(p->discovered, ns, name))
			return p->kind;
	}
	for (size_t i = 0; i < c->programs->count; i++) {
		const struct program *p = c->programs->items[i];

		if (p->foreign != NULL &&
			foreign_take_place(p->foreign, type, ns, name))
			return p->kind;
	}
	return NULL;
}

void
programs_displaced(struct control *c, struct object *o)
{
	for (size_t i = 0; i < c->programs->count; i++)
		if (c->programs->items[i]->kind == o->origin)
			foreign_displace(c->programs->items[i]->foreign, o);
}
