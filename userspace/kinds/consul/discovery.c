/*
 * The endpoints of one upstream of kind consul: of each of its data centres the
 * instances that it wants, with the addresses of those that have a host name.
 * What an earlier run knew is used on until every data centre has said who is
 * there.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kinds/consul/catalog.h"
#include "kinds/consul/feed.h"
#include "kinds/consul/instances.h"
#include "kinds/consul/names.h"
#include "kinds/consul/spec.h"
#include "kinds/consul/subsets.h"
#include "kinds/telling.h"
#include "net/loop.h"

#define REPORT_MS 50 /* between two sets while names and instances change */

struct watch {
	struct kind_host *host;
	struct consul_spec *spec;
	struct consul_subsets *subsets;
	struct consul_names *names;
	struct consul_feed **feeds;
	size_t feed_count;
	struct endpoint *kept; /* of an earlier run; NULL: no more */
	size_t kept_count;
	bool foreign; /* more is used, which was found for another spec */

	struct loop_timer *timer; /* of the report */
	struct loop_timer *late;  /* of a problem that lasts */
	uint64_t last_ms;         /* of the last report */
	struct kind_telling telling;
};

/* What becomes of the instances, while a set is made. */
struct making {
	struct watch *watch;
	struct endpoint *set;
	size_t count, room;
	size_t seen, out, unfit; /* instances */
	size_t unusable;
	char *unusable_why;     /* of the first of them */
	char *name_problem;     /* of the first name that is not resolved */
	bool names_are_missing; /* it is not known where one leads */
	bool names_are_due;     /* one was not answered yet */
};

/* ---- one set */

static struct endpoint *
endpoint_add(struct making *m)
{
	struct endpoint *e;

	if (m->count == m->room) {
		m->room = m->room == 0 ? 16 : 2 * m->room;
		m->set = xreallocarray(m->set, m->room, sizeof(*m->set));
	}
	e = &m->set[m->count++];
	memset(e, 0, sizeof(*e));
	return e;
}

/* host: the name that led to addr, or NULL. */
static void
instance_add(struct making *m, const struct consul_instance *i,
	const struct addr *addr, const char *host)
{
	struct endpoint *e = endpoint_add(m);

	e->addr = *addr;
	e->addr.port_be = htons(i->port);
	e->weight = i->weight;
	e->health = ENDPOINT_UP;
	e->owner = consul_instance_owner(i);
	if (host != NULL)
		snprintf(e->host, sizeof(e->host), "%s", host);
	consul_subsets_list(
		m->watch->subsets, i->tags, i->tag_count, e->subsets);
}

/* Takes why. */
static void
unusable_note(struct making *m, char *why)
{
	m->unusable++;
	if (m->unusable_why == NULL)
		m->unusable_why = why;
	else
		free(why);
}

static void
name_add(struct making *m, const struct consul_instance *i)
{
	const struct watched_state *state =
		consul_names_get(m->watch->names, i->address);

	if (state == NULL) {
		unusable_note(m,
			xasprintf("more than %d host names", CONSUL_NAMES_MAX));
		return;
	}
	if (state->problem != NULL && m->name_problem == NULL)
		m->name_problem = xasprintf("cannot resolve \"%s\": %s",
			i->address, state->problem);
	m->names_are_missing |= state->count == 0 && !state->gone;
	m->names_are_due |= !state->answered;
	for (size_t k = 0; k < state->count; k++)
		instance_add(m, i, &state->targets[k].addr, i->address);
}

static void
instances_add(struct making *m, const struct consul_instances *all)
{
	for (size_t k = 0; k < all->count; k++) {
		const struct consul_instance *i = &all->items[k];
		struct addr literal;

		m->seen++;
		if (!consul_instance_fits(i, m->watch->spec))
			m->unfit++;
		else if (i->out)
			m->out++;
		else if (addr_parse_ip(i->address, i->port, &literal) == 0)
			instance_add(m, i, &literal, NULL);
		else
			name_add(m, i);
	}
	if (all->passed_over == 0)
		return;
	unusable_note(m, xstrdup(all->problem == NULL ? "" : all->problem));
	m->unusable += all->passed_over - 1;
}

static bool
feeds_are_known(const struct watch *w)
{
	for (size_t i = 0; i < w->feed_count; i++)
		if (!consul_feed_is_known(w->feeds[i]))
			return false;
	return true;
}

static bool
name_is_missing(const struct watch *w, const char *host)
{
	const struct watched_state *state = consul_names_find(w->names, host);

	return state != NULL && state->count == 0 && !state->gone;
}

/* Its data centre has said who is there. */
static bool
kept_is_known(const struct watch *w, const struct endpoint *kept)
{
	const struct consul_spec *spec = w->spec;

	for (size_t i = 0; i < spec->data_center_count; i++)
		if (consul_feed_is_known(w->feeds[i]) &&
			consul_owner_is_of(kept->owner, spec->data_centers[i]))
			return true;
	return false;
}

/* Of what an earlier run knew, what nobody has said anything else of yet. */
static void
kept_add(struct making *m)
{
	struct watch *w = m->watch;
	bool known = feeds_are_known(w);

	for (size_t i = 0; i < w->kept_count; i++)
		if ((!known && !kept_is_known(w, &w->kept[i])) ||
			name_is_missing(w, w->kept[i].host))
			*endpoint_add(m) = w->kept[i];
	if (!known || m->names_are_missing)
		return;
	free(w->kept);
	w->kept = NULL;
	w->kept_count = 0;
}

static int
place_compare(const struct endpoint *x, const struct endpoint *y)
{
	int order = memcmp(x->addr.ip, y->addr.ip, sizeof(x->addr.ip));

	return order != 0 ? order : addr_port(&x->addr) - addr_port(&y->addr);
}

/* Of one address the first that was added. */
static int
endpoint_compare(const void *a, const void *b)
{
	const struct endpoint *x = *(const struct endpoint *const *)a;
	const struct endpoint *y = *(const struct endpoint *const *)b;
	int order = place_compare(x, y);

	return order != 0 ? order : (x > y) - (x < y);
}

/* By address, each once, no more than are used. */
static void
set_sort(struct making *m)
{
	const struct endpoint **order = xcalloc(m->count + 1, sizeof(*order));
	struct endpoint *sorted = xcalloc(m->count + 1, sizeof(*sorted));
	size_t count = 0;

	for (size_t i = 0; i < m->count; i++)
		order[i] = &m->set[i];
	qsort(order, m->count, sizeof(*order), endpoint_compare);
	for (size_t i = 0; i < m->count; i++)
		if (count == 0 ||
			place_compare(&sorted[count - 1], order[i]) != 0)
			sorted[count++] = *order[i];
	free(order);
	free(m->set);
	m->set = sorted;
	m->count = count;
}

static void
making_init(struct making *m, struct watch *w)
{
	*m = (struct making){ .watch = w };
	consul_names_begin(w->names);
	for (size_t i = 0; i < w->feed_count; i++)
		instances_add(m, consul_feed_instances(w->feeds[i]));
	consul_names_end(w->names);
	kept_add(m);
	set_sort(m);
}

static void
making_fini(struct making *m)
{
	free(m->set);
	free(m->unusable_why);
	free(m->name_problem);
}

/* ---- telling the host */

static bool
set_is_used(struct watch *w, const struct endpoint *set, size_t count)
{
	size_t used_count;
	const struct endpoint *used =
		w->host->endpoints_used(w->host, &used_count);

	if (count != used_count)
		return false;
	for (size_t i = 0; i < count; i++) {
		struct endpoint one = used[i];

		one.health = set[i].health;
		if (memcmp(&one, &set[i], sizeof(one)) != 0)
			return false;
	}
	return true;
}

static bool
feeds_have_spoken(const struct watch *w)
{
	for (size_t i = 0; i < w->feed_count; i++)
		if (!consul_feed_has_spoken(w->feeds[i]))
			return false;
	return true;
}

/* As long as nobody has said anything, what is used stays; of another service
 * only until everybody was asked, be it in vain. */
static void
set_report(struct watch *w, const struct making *m)
{
	size_t count = m->count < ENDPOINTS_MAX ? m->count : ENDPOINTS_MAX;
	bool said = m->seen > 0 || (w->foreign && feeds_have_spoken(w));

	for (size_t i = 0; i < w->feed_count; i++)
		said |= consul_feed_is_known(w->feeds[i]);
	if (!said || (!w->foreign && set_is_used(w, m->set, count)))
		return;
	w->foreign = false;
	w->host->endpoints_replace(w->host, m->set, count);
}

/* What does not hold, though the endpoints are right. */
static char *
note_make(const struct watch *w, const struct making *m)
{
	const char *service = w->spec->service_name;
	struct str note;

	str_init(&note);
	if (m->count == 0 && m->seen > 0 && m->unfit == m->seen)
		str_printf(&note,
			"no instance of service \"%s\" has the tags that are "
			"asked for, or is other than a proxy of Connect",
			service);
	else if (m->count == 0 && m->out > 0)
		str_printf(&note,
			"no instance of service \"%s\" passes its checks",
			service);
	if (m->unusable > 0)
		str_printf(&note,
			"%s%zu of the instances of service \"%s\" "
			"cannot be used: %s",
			note.length > 0 ? "; " : "", m->unusable, service,
			m->unusable_why);
	if (m->count > ENDPOINTS_MAX)
		str_printf(&note, "%s%zu endpoints, %d are used",
			note.length > 0 ? "; " : "", m->count, ENDPOINTS_MAX);
	if (note.length > 0)
		return str_steal(&note);
	str_fini(&note);
	return NULL;
}

/* Of the data centres in their order, then of the names. *due_ms: when there
 * will be one unless something changes; 0: never. The caller frees it. */
static char *
problem_make(const struct watch *w, const struct making *m, uint64_t *due_ms)
{
	char *problem = NULL;

	*due_ms = 0;
	for (size_t i = 0; problem == NULL && i < w->feed_count; i++) {
		uint64_t due;

		problem = consul_feed_problem(w->feeds[i], m->count == 0, &due);
		if (due != 0 && (*due_ms == 0 || due < *due_ms))
			*due_ms = due;
	}
	if (problem == NULL && m->name_problem != NULL)
		problem = xstrdup(m->name_problem);
	return problem;
}

static void
late_start(struct watch *w, uint64_t due_ms)
{
	uint64_t now = loop_now_ms(w->host->loop);

	loop_timer_stop(w->late);
	if (due_ms != 0)
		loop_timer_start(w->late, due_ms > now ? due_ms - now : 0);
}

static void
watch_report(struct watch *w)
{
	struct making m;
	char *problem;
	uint64_t due_ms;

	w->last_ms = loop_now_ms(w->host->loop);
	making_init(&m, w);
	set_report(w, &m);
	problem = problem_make(w, &m, &due_ms);
	if (problem != NULL ||
		(due_ms == 0 && feeds_have_spoken(w) && !m.names_are_due))
		kind_telling_set(
			&w->telling, w->host, problem, note_make(w, &m));
	late_start(w, problem == NULL ? due_ms : 0);
	making_fini(&m);
}

static void
on_timer(void *arg)
{
	watch_report(arg);
}

/* In the loop's next round, so that what came in one piece is one report. */
static void
watch_touch(void *arg)
{
	struct watch *w = arg;
	uint64_t now = loop_now_ms(w->host->loop);
	uint64_t due = w->last_ms + REPORT_MS;

	if (!loop_timer_pending(w->timer))
		loop_timer_start(w->timer, now >= due ? 0 : due - now);
}

/* ---- its life */

/* One of the data centres that are named now has it. */
static bool
owner_is_ours(const struct consul_spec *spec, uint64_t owner)
{
	for (size_t i = 0; i < spec->data_center_count; i++)
		if (consul_owner_is_of(owner, spec->data_centers[i]))
			return true;
	return false;
}

/* was: what the endpoint was found for; NULL: not known, so for this. */
static bool
used_may_be_ours(const struct consul_spec *spec, const struct consul_spec *was,
	const struct endpoint *used)
{
	return was == NULL ||
	       (consul_spec_covers(spec, was) &&
		       (consul_spec_covers_data_centers(spec, was) ||
			       owner_is_ours(spec, used->owner)));
}

static void
kept_take(struct watch *w)
{
	const struct doc *spec = w->host->used_spec;
	struct consul_spec *was = spec == NULL ? NULL : consul_spec_of(spec);
	size_t count;
	const struct endpoint *used = w->host->endpoints_used(w->host, &count);
	bool of_another_kind = spec != NULL && was == NULL;

	w->kept = xcalloc(count + 1, sizeof(*w->kept));
	for (size_t i = 0; i < count && !of_another_kind; i++) {
		if (!used_may_be_ours(w->spec, was, &used[i]))
			continue;
		w->kept[w->kept_count] = used[i];
		w->kept[w->kept_count++].health = ENDPOINT_UP;
	}
	w->foreign = w->kept_count < count;
	consul_spec_free(was);
}

static void
feeds_start(struct watch *w)
{
	const struct consul_spec *spec = w->spec;
	size_t named = spec->data_center_count;

	w->feed_count = named == 0 ? 1 : named;
	w->feeds = xcalloc(w->feed_count, sizeof(struct consul_feed *));
	for (size_t i = 0; i < w->feed_count; i++)
		w->feeds[i] = consul_feed_new(w->host->shared, w->host->loop,
			spec, named == 0 ? NULL : spec->data_centers[i],
			w->kept_count > 0, watch_touch, w);
}

void *
consul_watch(const void *spec, struct kind_host *host)
{
	struct watch *w;

	if (host->shared == NULL)
		return NULL; /* no agent is configured: not_served says so */
	w = xcalloc(1, sizeof(*w));
	w->host = host;
	w->spec = consul_spec_copy(spec);
	w->subsets = consul_subsets_new(
		w->spec->subset_tags, w->spec->subset_tag_count);
	w->names = consul_names_new(host->resolver, watch_touch, w);
	w->timer = loop_timer_new(host->loop, on_timer, w);
	w->late = loop_timer_new(host->loop, on_timer, w);
	kept_take(w);
	feeds_start(w);
	return w;
}

void
consul_unwatch(void *state)
{
	struct watch *w = state;

	if (w == NULL)
		return;
	for (size_t i = 0; i < w->feed_count; i++)
		consul_feed_free(w->feeds[i]);
	free(w->feeds);
	consul_names_free(w->names);
	kind_telling_fini(&w->telling, w->host);
	loop_timer_free(w->timer);
	loop_timer_free(w->late);
	consul_subsets_free(w->subsets);
	consul_spec_free(w->spec);
	free(w->kept);
	free(w);
}

/* ---- for people */

static void
feed_show(const struct watch *w, const struct consul_feed *f, bool nobody,
	struct doc *to)
{
	const struct consul_instances *all = consul_feed_instances(f);
	const char *name = consul_feed_datacenter(f);
	int64_t fit = 0, out = 0;
	uint64_t due_ms;
	char *problem = consul_feed_problem(f, nobody, &due_ms);

	for (size_t i = 0; i < all->count; i++)
		if (consul_instance_fits(&all->items[i], w->spec)) {
			fit++;
			out += all->items[i].out;
		}
	if (name != NULL)
		doc_set_string(to, "name", name);
	doc_set(to, "instances", doc_new_integer((int64_t)all->count));
	doc_set(to, "fit", doc_new_integer(fit));
	doc_set(to, "out", doc_new_integer(out));
	if (problem != NULL)
		doc_set_string(to, "problem", problem);
	free(problem);
}

/* "dataCenters": how many instances of the service each has, how many of them
 * the upstream wants, and how many of those do not pass; "names" of instances
 * as those of static hosts. */
void
consul_show(const void *state, struct doc *to)
{
	const struct watch *w = state;
	struct doc *list = doc_new_list(), *names = doc_new_list();
	size_t used;

	w->host->endpoints_used(w->host, &used);
	for (size_t i = 0; i < w->feed_count; i++)
		feed_show(w, w->feeds[i], used == 0,
			doc_add(list, doc_new_map()));
	doc_set(to, "dataCenters", list);
	consul_names_show(w->names, names);
	if (doc_count(names) > 0)
		doc_set(to, "names", names);
	else
		doc_free(names);
}
