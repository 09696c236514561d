/* How well the endpoints of one upstream are. */
#include "control/health.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/check_tls.h"
#include "control/outlier.h"
#include "control/probe.h"
#include "control/services.h"
#include "control/supervise.h"
#include "model/counters.h"
#include "model/endpoint_key.h"
#include "model/tables.h"
#include "net/loop.h"

#define WHY_MAX 160

struct member { /* what is known of an endpoint beside the set */
	struct health *health;
	size_t index; /* in the set */
	struct addr addr;
	uint8_t discovered; /* enum endpoint_health */
	bool was_down;      /* by the check, when it was last asked */
	struct checker *checker;
	struct ejection ejection;
	uint64_t since_ms;
	char *tls; /* why TLS with it failed; NULL: it did not */
};

struct health {
	struct control *control;
	uint32_t id;
	char *label;
	health_changed_f *changed;
	void *arg;
	struct endpoint *set;    /* with the health that counts */
	struct member **members; /* in the same order */
	struct endpoint_key *sorted;
	size_t count;
	size_t by_health[ENDPOINT_DOWN + 1];
	struct model_object *model; /* whose healthChecks are asked */
	struct checker_counts checks;
	struct check_tls *tls;
	size_t tls_failing; /* members with which TLS fails */
	bool judges; /* outlierDetection is given */
	struct outlier outlier;
	struct loop_timer *look; /* runs while an ejection is remembered */
};

struct healths {
	struct probes *probes;
	struct check_tls *tls; /* those of all */
	struct health *by_id[UPSTREAMS_MAX];
};

const char *
health_name(enum endpoint_health health)
{
	static const char *const names[] = { "up", "draining", "down" };

	return names[health];
}

/* ---- all upstreams */

struct healths *
healths_new(struct control *c)
{
	struct healths *all = xcalloc(1, sizeof(*all));

	all->probes = probes_new(c->loop);
	return all;
}

void
healths_free(struct healths *all)
{
	if (all == NULL)
		return;
	probes_free(all->probes);
	free(all);
}

/* The one place that tells others of a change. */
static void
change_tell(const struct health *h, const struct endpoint *e)
{
	supervisor_send_health(h->control->supervisor, h->id, e);
	services_touch_upstream(h->control, h->id);
}

/* ---- the health that counts */

static enum endpoint_health
member_health(const struct member *m)
{
	if ((m->checker != NULL && !checker_is_up(m->checker)) ||
		m->ejection.until_ms != 0)
		return ENDPOINT_DOWN;
	return (enum endpoint_health)m->discovered;
}

/* Whoever changed what a member knows calls this. */
static void
member_settle(struct health *h, size_t i)
{
	struct endpoint *e = &h->set[i];
	enum endpoint_health now = member_health(h->members[i]);

	if (e->health == now)
		return;
	h->by_health[e->health]--;
	h->by_health[now]++;
	e->health = (uint8_t)now;
	h->members[i]->since_ms = clock_realtime_ms();
	change_tell(h, e);
}

void
health_view(const struct health *h, size_t i, struct health_view *out)
{
	const struct member *m = h->members[i];
	uint64_t now = clock_monotonic_ms();
	const char *why = "";

	out->since_ms = m->since_ms;
	out->problem = m->tls;
	if (m->checker != NULL && !checker_is_up(m->checker))
		why = checker_why(m->checker);
	else if (m->ejection.until_ms == 0 && m->discovered != ENDPOINT_UP)
		why = "discovery says so";
	snprintf(out->why, sizeof(out->why), "%s", why);
	if (why[0] == '\0' && m->ejection.until_ms != 0)
		snprintf(out->why, sizeof(out->why),
			"ejected, %" PRIu64 " s left",
			m->ejection.until_ms > now
				? (m->ejection.until_ms - now + 999) / 1000
				: 0);
}

/* ---- checks */

/* A checker's answer turned. */
static void
on_turned(void *arg)
{
	struct member *m = arg;
	struct health *h = m->health;
	bool up = checker_is_up(m->checker);
	char text[ENDPOINT_TEXT_MAX];

	endpoint_format(&h->set[m->index], text);
	if (up)
		log_info("upstream %s: endpoint %s is well again", h->label,
			text);
	else
		log_warn("upstream %s: endpoint %s is down: %s", h->label, text,
			checker_why(m->checker));
	m->was_down = !up;
	member_settle(h, m->index);
	h->changed(h->arg);
}

/* Many endpoints are not asked all at once: one per ms, in an interval. */
static uint64_t
spread_ms(const struct health *h, const struct model_health_check *check)
{
	return h->count - 1 < check->interval_ms ? h->count - 1
						 : check->interval_ms;
}

static void
check_start(struct health *h, size_t i)
{
	const struct model_upstream *u = h->model->upstream;
	struct member *m = h->members[i];
	const struct checker_options options = {
		.loop = h->control->loop,
		.probes = h->control->healths->probes,
		.check = u->health_checks,
		.addr = &m->addr,
		.host = h->set[i].host,
		.server_name = h->set[i].server_name,
		.tls = check_tls_get,
		.tls_arg = h->tls,
		.up = !m->was_down,
		.spread_ms = spread_ms(h, u->health_checks),
		.counts = &h->checks,
		.changed = on_turned,
		.arg = m,
	};

	m->checker = checker_new(&options);
}

/* Of those that are new, or of all after a change. */
static void
checks_start(struct health *h)
{
	if (h->model->upstream->health_check_count == 0)
		return;
	for (size_t i = 0; i < h->count; i++)
		if (h->members[i]->checker == NULL)
			check_start(h, i);
}

/* Who was down stays so until the new check has asked; where none asks, it is
 * no longer known. */
static void
downs_forget(struct health *h)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->members[i]->checker == NULL)
			h->members[i]->was_down = false;
}

static void
checks_end(struct health *h)
{
	for (size_t i = 0; i < h->count; i++) {
		checker_free(h->members[i]->checker);
		h->members[i]->checker = NULL;
	}
}

static bool
checks_are_same(const struct model_upstream *a, const struct model_upstream *b)
{
	struct doc *x, *y;
	bool same;

	if (a->health_check_count != b->health_check_count)
		return false;
	if (a->health_check_count == 0)
		return true;
	x = schema_print(&model_health_schema, a->health_checks);
	y = schema_print(&model_health_schema, b->health_checks);
	same = doc_equal(x, y);
	doc_free(x);
	doc_free(y);
	return same;
}

/* ---- ejections */

static void
look_plan(struct health *h)
{
	if (h->judges && !loop_timer_pending(h->look))
		loop_timer_start(h->look, h->outlier.policy.interval_ms);
}

static void
on_look(void *arg)
{
	struct health *h = arg;
	uint64_t now = clock_monotonic_ms();
	char text[ENDPOINT_TEXT_MAX];
	bool more = false;

	for (size_t i = 0; i < h->count; i++) {
		struct ejection *e = &h->members[i]->ejection;

		if (outlier_look(&h->outlier, e, now)) {
			log_info("upstream %s: endpoint %s is no longer "
				 "ejected",
				h->label, endpoint_format(&h->set[i], text));
			member_settle(h, i);
		}
		more |= ejection_is_remembered(e);
	}
	if (more)
		look_plan(h);
}

static void
endpoint_report(struct health *h, size_t i, uint32_t worker,
	const uint32_t streaks[OUTLIER_STREAKS])
{
	struct member *m = h->members[i];
	uint64_t now = clock_monotonic_ms();
	char text[ENDPOINT_TEXT_MAX];

	if (!outlier_report(
		    &h->outlier, &m->ejection, h->count, worker, streaks, now))
		return;
	log_warn("upstream %s: endpoint %s is ejected for %" PRIu64
		 " s: %u failures in a row (worker %u), %u of them gateway "
		 "errors",
		h->label, endpoint_format(&h->set[i], text),
		(m->ejection.until_ms - now + 999) / 1000,
		streaks[OUTLIER_ERRORS], worker,
		streaks[OUTLIER_GATEWAY_ERRORS]);
	member_settle(h, i);
	look_plan(h);
}

void
healths_outlier(struct healths *all, const struct wire_message *m)
{
	const uint32_t streaks[OUTLIER_STREAKS] = {
		[OUTLIER_ERRORS] = m->outlier.errors,
		[OUTLIER_GATEWAY_ERRORS] = m->outlier.gateway_errors,
	};
	uint32_t id = m->outlier.upstream;
	struct health *h = id < UPSTREAMS_MAX ? all->by_id[id] : NULL;

	if (h == NULL || !h->judges)
		return;
	for (size_t at = endpoint_keys_find(
		     h->sorted, h->count, &m->outlier.addr);
		at < h->count &&
		addr_equal(h->sorted[at].addr, &m->outlier.addr);
		at++)
		/* What an earlier owner of the address did is not its. */
		if (endpoint_owner_fits(
			    h->sorted[at].owner, m->outlier.owner))
			endpoint_report(h, h->sorted[at].index,
				m->outlier.worker, streaks);
}

static void
tls_forget(struct member *m)
{
	m->health->tls_failing -= m->tls != NULL;
	free(m->tls);
	m->tls = NULL;
}

/* Text from the proxy, which may be in other hands. */
static char *
problem_copy(const struct wire_message *m)
{
	size_t length = strnlen(m->text, sizeof(m->text));
	char *text;

	if (length == 0)
		return NULL;
	text = xstrndup(m->text, length);
	text_defuse(text);
	return text;
}

static void
tls_report(struct health *h, size_t i, const struct wire_message *m)
{
	struct member *member = h->members[i];
	char *was = member->tls, *now = problem_copy(m);
	char text[ENDPOINT_TEXT_MAX];

	h->tls_failing -= was != NULL;
	h->tls_failing += now != NULL;
	member->tls = now;
	if (now != NULL && (was == NULL || strcmp(was, now) != 0))
		log_warn("upstream %s: TLS with endpoint %s fails: %s",
			h->label, endpoint_format(&h->set[i], text), now);
	else if (now == NULL && was != NULL)
		log_info("upstream %s: TLS with endpoint %s works again",
			h->label, endpoint_format(&h->set[i], text));
	free(was);
}

void
healths_tls(struct healths *all, const struct wire_message *m)
{
	uint32_t id = m->tls.upstream;
	struct health *h = id < UPSTREAMS_MAX ? all->by_id[id] : NULL;

	if (h == NULL)
		return;
	for (size_t at = endpoint_keys_find(h->sorted, h->count, &m->tls.addr);
		at < h->count && addr_equal(h->sorted[at].addr, &m->tls.addr);
		at++)
		if (endpoint_owner_fits(h->sorted[at].owner, m->tls.owner))
			tls_report(h, h->sorted[at].index, m);
}

static void
workers_forget(struct member *m)
{
	ejection_forget_streaks(&m->ejection);
	tls_forget(m);
}

void
healths_forget_workers(struct healths *all)
{
	for (uint32_t id = 0; id < UPSTREAMS_MAX; id++) {
		struct health *h = all->by_id[id];

		for (size_t i = 0; h != NULL && i < h->count; i++)
			workers_forget(h->members[i]);
	}
}

static void
judge_change(struct health *h, const struct policy_outlier *policy)
{
	h->judges = policy != NULL;
	if (h->judges) {
		h->outlier.policy = *policy;
		return;
	}
	loop_timer_stop(h->look);
	for (size_t i = 0; i < h->count; i++) {
		ejection_fini(&h->members[i]->ejection, &h->outlier);
		member_settle(h, i);
	}
}

/* ---- the set */

static void
member_free(struct member *m)
{
	if (m == NULL)
		return;
	checker_free(m->checker);
	ejection_fini(&m->ejection, &m->health->outlier);
	tls_forget(m);
	free(m);
}

static struct member *
member_new(struct health *h, const struct endpoint *e)
{
	struct member *m = xcalloc(1, sizeof(*m));

	m->health = h;
	m->addr = e->addr;
	m->since_ms = clock_realtime_ms();
	return m;
}

static struct endpoint_key *
sort(const struct endpoint *set, size_t count)
{
	struct endpoint_key *sorted = xcalloc(count + 1, sizeof(*sorted));

	for (size_t i = 0; i < count; i++)
		sorted[i] = (struct endpoint_key){ &set[i].addr, set[i].owner,
			(uint32_t)i };
	endpoint_keys_sort(sorted, count);
	return sorted;
}

/* Moves what the old set shares with the new one; the rest stays behind. A
 * host that changed is another question. Who once was known stays so while
 * discovery does not say. */
static void
members_move(struct health *h, struct endpoint *set, const uint32_t *from,
	size_t count, struct member **to)
{
	for (size_t i = 0; i < count; i++) {
		const struct endpoint *was;
		struct member *m;

		if (from[i] == ENDPOINT_KEY_NONE)
			continue;
		was = &h->set[from[i]];
		m = h->members[from[i]];
		if (strcmp(was->host, set[i].host) != 0 ||
			strcmp(was->server_name, set[i].server_name) != 0) {
			checker_free(m->checker);
			m->checker = NULL;
		}
		if (set[i].owner == 0)
			set[i].owner = was->owner;
		to[i] = m;
		h->members[from[i]] = NULL;
	}
}

static void
set_free(struct health *h)
{
	for (size_t i = 0; i < h->count; i++)
		member_free(h->members[i]);
	free(h->members);
	free(h->sorted);
	free(h->set);
}

/* set becomes ours. */
static void
set_swap(struct health *h, struct endpoint *set, size_t count)
{
	struct endpoint_key *sorted = sort(set, count);
	struct member **members = xcalloc(count + 1, sizeof(struct member *));
	uint32_t *from = xcalloc(count + 1, sizeof(*from));

	endpoint_keys_match(h->sorted, h->count, sorted, count, from);
	members_move(h, set, from, count, members);
	free(from);
	free(sorted);
	set_free(h);
	h->set = set;
	h->sorted = sort(set, count); /* with the owners that were known */
	h->members = members;
	h->count = count;
	for (size_t i = 0; i < count; i++) {
		if (members[i] == NULL)
			members[i] = member_new(h, &set[i]);
		members[i]->index = i;
		members[i]->discovered = set[i].health <= ENDPOINT_DOWN
						 ? set[i].health
						 : ENDPOINT_DOWN;
	}
}

/* All of them at once, told with the set. */
static void
set_settle(struct health *h)
{
	memset(h->by_health, 0, sizeof(h->by_health));
	for (size_t i = 0; i < h->count; i++) {
		h->set[i].health = (uint8_t)member_health(h->members[i]);
		h->by_health[h->set[i].health]++;
	}
}

static bool
set_is_same(const struct health *h, const struct endpoint *set, size_t count)
{
	if (count != h->count)
		return false;
	for (size_t i = 0; i < count; i++) {
		struct endpoint e = h->set[i];

		e.health = h->members[i]->discovered;
		if (set[i].owner == 0) /* says nothing new */
			e.owner = 0;
		if (memcmp(&e, &set[i], sizeof(e)) != 0)
			return false;
	}
	return true;
}

bool
health_replace(struct health *h, const struct endpoint *set, size_t count)
{
	if (set_is_same(h, set, count))
		return false;
	set_swap(h, count == 0 ? NULL : xmemdup(set, count * sizeof(*set)),
		count);
	checks_start(h);
	set_settle(h);
	return true;
}

void
health_restore(struct health *h, const struct endpoint *set, size_t count)
{
	struct endpoint *known =
		count == 0 ? NULL : xmemdup(set, count * sizeof(*set));

	for (size_t i = 0; i < count; i++)
		known[i].health = ENDPOINT_UP;
	set_swap(h, known, count);
	for (size_t i = 0; i < count; i++)
		h->members[i]->was_down = set[i].health == ENDPOINT_DOWN;
	checks_start(h);
	downs_forget(h);
	set_settle(h);
}

const struct endpoint *
health_endpoints(const struct health *h, size_t *count)
{
	*count = h->count;
	return h->set;
}

/* ---- its life */

struct health *
health_new(struct control *c, const struct object *o, health_changed_f *changed,
	void *arg)
{
	struct health *h = xcalloc(1, sizeof(*h));

	h->control = c;
	h->id = o->id;
	h->label = xstrdup(o->label);
	h->tls = check_tls_new(c, &c->healths->tls, o->ns, o->name);
	h->changed = changed;
	h->arg = arg;
	h->model = model_object_ref(o->model);
	h->outlier.workers = c->workers;
	h->look = loop_timer_new(c->loop, on_look, h);
	judge_change(h, h->model->upstream->outlier);
	if (h->id < UPSTREAMS_MAX)
		c->healths->by_id[h->id] = h;
	return h;
}

void
health_change(struct health *h, struct model_object *model)
{
	bool same = checks_are_same(h->model->upstream, model->upstream);

	judge_change(h, model->upstream->outlier);
	if (same)
		return;
	checks_end(h);
	model_object_unref(h->model);
	h->model = model_object_ref(model);
	checks_start(h);
	downs_forget(h);
	for (size_t i = 0; i < h->count; i++)
		member_settle(h, i);
}

void
health_free(struct health *h)
{
	if (h == NULL)
		return;
	if (h->id < UPSTREAMS_MAX && h->control->healths->by_id[h->id] == h)
		h->control->healths->by_id[h->id] = NULL;
	set_free(h);
	loop_timer_free(h->look);
	check_tls_free(h->tls);
	model_object_unref(h->model);
	free(h->label);
	free(h);
}

void
health_counts(const struct health *h, struct health_counts *out)
{
	*out = (struct health_counts){
		.up = h->by_health[ENDPOINT_UP],
		.draining = h->by_health[ENDPOINT_DRAINING],
		.down = h->by_health[ENDPOINT_DOWN],
		.ejected = h->outlier.ejected,
		.checks = h->checks,
		.ejections = h->outlier.ejections,
		.ejections_withheld = h->outlier.withheld,
		.tls_failing = h->tls_failing,
	};
}
