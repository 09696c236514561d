/*
 * The endpoints of a static upstream: addresses, and names that are kept
 * resolved. A name of which nothing is known yet keeps what an earlier run of
 * the gateway knew of it.
 */
#include "kinds/static/static.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/table.h"
#include "kinds/names_show.h"
#include "kinds/telling.h"
#include "net/loop.h"
#include "net/watched_name.h"

#define WEIGHT_MAX 65535

/* Sets are made at most so often: of many names many answers come at once. */
#define REPORT_MS 20

struct static_state;

struct endpoint_list {
	struct endpoint *all;
	size_t count;
};

/* One entry of hosts: a literal address, or a name and what it leads to. */
struct static_entry {
	struct static_state *state;
	struct addr literal;
	char *name; /* without the dot at its end; NULL: literal */
	bool srv;
	struct watched_name *watched;
	/* What its endpoints have in common. */
	struct endpoint common;
	/* Of an earlier run, until the name is known. */
	struct endpoint_list earlier;
};

struct static_state {
	struct kind_host *host;
	struct static_entry *entries;
	size_t count;

	struct endpoint_list reported;
	bool anything_reported;
	bool foreign; /* what is used was found for other names */
	struct loop_timer *report; /* runs while a change waits */
	uint64_t report_ms;        /* of the last one; 0: none by an answer */
	size_t dropped; /* addresses that ENDPOINTS_MAX left no room for */
	bool plain;     /* nobody said whether TLS is spoken: it is not */
	struct kind_telling told;
};

/* ---- endpoints */

static void
list_add(struct endpoint_list *to, const struct endpoint *e)
{
	/* Room for twice as many whenever it is full. */
	if ((to->count & (to->count - 1)) == 0)
		to->all = xreallocarray(
			to->all, 2 * to->count + 1, sizeof(*to->all));
	to->all[to->count++] = *e;
}

struct endpoints {
	struct endpoint_list list;
	struct table *seen; /* by address and port */
	size_t dropped;     /* that there was no room for */
};

static void
endpoints_add(struct endpoints *to, const struct endpoint *e)
{
	char text[ADDR_TEXT_MAX];

	addr_format(&e->addr, text);
	if (table_get(to->seen, text) != NULL)
		return;
	if (to->list.count == ENDPOINTS_MAX) {
		to->dropped++;
		return;
	}
	list_add(&to->list, e);
	table_set(to->seen, text, to->seen);
}

static uint16_t
weight_fit(uint64_t weight)
{
	return weight == 0           ? 1
	       : weight > WEIGHT_MAX ? WEIGHT_MAX
				     : (uint16_t)weight;
}

/*
 * How many addresses each of the first count targets shares its weight with: a
 * host of many addresses has no greater share than one of a single address.
 * The caller frees.
 */
static uint64_t *
sharers_count(const struct watched_state *s, size_t count)
{
	struct table *shares = table_new(free);
	uint64_t *sharers = xcalloc(count + 1, sizeof(*sharers));

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < count; i++) {
			const struct watched_target *t = &s->targets[i];
			char *key = xasprintf("%s %u %u", t->host,
				addr_port(&t->addr), t->weight);
			uint64_t *of = table_get(shares, key);

			if (of == NULL) {
				of = xcalloc(1, sizeof(*of));
				table_set(shares, key, of);
			}
			*of += pass == 0;
			sharers[i] = *of;
			free(key);
		}
	table_free(shares);
	return sharers;
}

static uint64_t
common_multiple(uint64_t a, uint64_t b)
{
	uint64_t x = a, y = b;

	while (y != 0) {
		uint64_t rest = x % y;

		x = y;
		y = rest;
	}
	return a / x * b;
}

/* By which all weights are multiplied, so that the parts are whole numbers;
 * heaviest is the greatest weight, at most WEIGHT_MAX. */
static uint64_t
scale_of(const uint64_t *sharers, size_t count, uint64_t heaviest)
{
	uint64_t scale = 1, most = WEIGHT_MAX / heaviest;

	for (size_t i = 0; i < count && scale <= most; i++)
		scale = common_multiple(scale, sharers[i]);
	return scale <= most ? scale : most;
}

/*
 * RFC 2782: those of the smallest priority; weight 0 is a very small share, as
 * 1 is among greater ones, and no difference among themselves.
 */
static void
services_add(const struct static_entry *e, const struct watched_state *s,
	struct endpoints *to)
{
	size_t count = 0;
	uint64_t heaviest = 1, scale, divisor = 1, *sharers;

	while (count < s->count &&
		s->targets[count].priority == s->targets[0].priority) {
		if (s->targets[count].weight > heaviest)
			heaviest = s->targets[count].weight;
		count++;
	}
	heaviest *= e->common.weight;
	sharers = sharers_count(s, count);
	if (heaviest > WEIGHT_MAX) { /* all of them less, as shares go */
		scale = WEIGHT_MAX;
		divisor = heaviest;
	} else {
		scale = scale_of(sharers, count, heaviest);
	}
	for (size_t i = 0; i < count; i++) {
		const struct watched_target *t = &s->targets[i];
		uint64_t weight = t->weight == 0 ? 1 : t->weight;
		struct endpoint one = e->common;

		one.addr = t->addr;
		one.weight = weight_fit(weight * e->common.weight * scale /
					(divisor * sharers[i]));
		snprintf(one.host, sizeof(one.host), "%s", t->host);
		endpoints_add(to, &one);
	}
	free(sharers);
}

static void
entry_add(const struct static_entry *e, struct endpoints *to)
{
	const struct watched_state *s;
	struct endpoint one = e->common;

	if (e->name == NULL) {
		one.addr = e->literal;
		endpoints_add(to, &one);
		return;
	}
	for (size_t i = 0; i < e->earlier.count; i++)
		endpoints_add(to, &e->earlier.all[i]);
	s = watched_name_state(e->watched);
	if (e->srv) {
		services_add(e, s, to);
		return;
	}
	for (size_t i = 0; i < s->count; i++) {
		one.addr.port_be = e->common.addr.port_be;
		memcpy(one.addr.ip, s->targets[i].addr.ip, sizeof(one.addr.ip));
		endpoints_add(to, &one);
	}
}

/* That there is nobody is said only of names that are all known to be gone: one
 * that nobody could say anything of may be there. But what is used of other names
 * ends when something was said of all. */
static bool
emptiness_is_known(const struct static_state *s)
{
	bool gone = true, answered = true;

	for (size_t i = 0; i < s->count; i++) {
		const struct watched_state *its =
			watched_name_state(s->entries[i].watched);

		gone &= its->gone;
		answered &= its->answered;
	}
	return gone || (s->foreign && answered);
}

static bool
list_equal(const struct endpoint_list *a, const struct endpoint_list *b)
{
	return a->count == b->count &&
	       (a->count == 0 ||
		       memcmp(a->all, b->all, a->count * sizeof(*a->all)) == 0);
}

static void
endpoints_report(struct static_state *s)
{
	struct endpoints now = { .seen = table_new(NULL) };

	for (size_t i = 0; i < s->count; i++)
		entry_add(&s->entries[i], &now);
	table_free(now.seen);
	s->dropped = now.dropped;
	if ((now.list.count == 0 && !emptiness_is_known(s)) ||
		(s->anything_reported && list_equal(&now.list, &s->reported))) {
		free(now.list.all);
		return;
	}
	free(s->reported.all);
	s->reported = now.list;
	s->anything_reported = true;
	s->host->endpoints_replace(s->host, s->reported.all, s->reported.count);
}

/* ---- conditions */

/* Of the first name that does not resolve, and how many more there are. */
static char *
reason_make(const struct static_entry *first, size_t others)
{
	const struct watched_state *s = watched_name_state(first->watched);
	char more[48] = "";

	if (others > 0)
		snprintf(more, sizeof(more), " (and %zu more)", others);
	return xasprintf("cannot resolve \"%s\": %s%s%s", first->name,
		s->problem, s->gone ? ", said twice: it has no endpoints" : "",
		more);
}

/* The target of an SRV name whose port means TLS to who writes such answers. */
static const char *
plain_target(const struct static_state *s)
{
	for (size_t i = 0; s->plain && i < s->count; i++) {
		const struct watched_state *its;

		if (!s->entries[i].srv)
			continue;
		its = watched_name_state(s->entries[i].watched);
		for (size_t k = 0; k < its->count; k++)
			if (addr_port(&its->targets[k].addr) == PORT_TLS)
				return its->targets[k].host;
	}
	return NULL;
}

/* The caller frees; NULL: nothing. */
static char *
note_make(const struct static_state *s)
{
	const char *target = plain_target(s);

	if (s->dropped > 0)
		return xasprintf("its names lead to %zu addresses more than "
				 "an upstream can have (%d): they are not used",
			s->dropped, ENDPOINTS_MAX);
	if (target != NULL)
		return xasprintf(
			"\"%s\" is on port 443 and is spoken to without TLS: "
			"set useTls: true, or useTls: false if that is meant",
			target);
	return NULL;
}

static void
condition_report(struct static_state *s)
{
	const struct static_entry *first = NULL;
	size_t problems = 0;
	bool pending = false;

	for (size_t i = 0; i < s->count; i++) {
		const struct static_entry *e = &s->entries[i];
		const struct watched_state *its;

		if (e->name == NULL)
			continue;
		its = watched_name_state(e->watched);
		pending |= !its->answered;
		if (its->problem == NULL)
			continue;
		problems++;
		if (first == NULL)
			first = e;
	}
	if (first == NULL && pending)
		return;
	kind_telling_set(&s->told, s->host,
		first == NULL ? NULL : reason_make(first, problems - 1),
		note_make(s));
}

/* ---- names */

static void
on_report(void *arg)
{
	struct static_state *s = arg;

	s->report_ms = clock_monotonic_ms();
	endpoints_report(s);
	condition_report(s);
}

static void
report_soon(struct static_state *s)
{
	uint64_t ago = clock_monotonic_ms() - s->report_ms;

	if (s->report_ms == 0 || ago >= REPORT_MS)
		on_report(s);
	else if (!loop_timer_pending(s->report))
		loop_timer_start(s->report, REPORT_MS - ago);
}

static void
on_name(const struct watched_state *state, void *arg)
{
	struct static_entry *e = arg;

	if (state->count > 0 || state->gone) {
		free(e->earlier.all);
		e->earlier = (struct endpoint_list){ NULL, 0 };
	}
	report_soon(e->state);
}

static bool
name_is_listed(const struct static_state *s, const char *name)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->entries[i].name != NULL && !s->entries[i].srv &&
			strcasecmp(s->entries[i].name, name) == 0)
			return true;
	return false;
}

static bool
spec_lists(const struct doc *spec, const char *name)
{
	const struct doc *hosts = doc_get(spec, "hosts");

	for (size_t i = 0; i < doc_count(hosts); i++) {
		const char *addr = doc_get_text(doc_at(hosts, i), "addr");
		size_t length = strlen(addr);

		if (length > 0 && addr[length - 1] == '.')
			length--;
		if (strlen(name) == length &&
			strncasecmp(addr, name, length) == 0)
			return true;
	}
	return false;
}

/* What the spec that was used led to, and none of its own names did, may be
 * that SRV name's. */
static bool
service_may_be_of(const struct static_entry *e, const struct endpoint *was)
{
	const struct doc *spec = e->state->host->used_spec;

	return spec == NULL ||
	       (spec_lists(spec, e->name) && !spec_lists(spec, was->host));
}

/* Of an SRV name: whatever no other name has led to. */
static bool
earlier_is_of(const struct static_entry *e, const struct endpoint *was)
{
	if (e->srv)
		return was->host[0] != '\0' &&
		       !name_is_listed(e->state, was->host) &&
		       service_may_be_of(e, was);
	return strcasecmp(was->host, e->name) == 0 &&
	       was->addr.port_be == e->common.addr.port_be;
}

static void
earlier_take(struct static_entry *e)
{
	struct kind_host *host = e->state->host;
	size_t count = 0;
	const struct endpoint *was = host->endpoints_used(host, &count);

	for (size_t i = 0; i < count; i++) {
		struct endpoint one = e->common;

		if (!earlier_is_of(e, &was[i]))
			continue;
		one.addr = was[i].addr;
		if (e->srv) {
			one.weight = was[i].weight;
			memcpy(one.host, was[i].host, sizeof(one.host));
		}
		list_add(&e->earlier, &one);
	}
}

static void
earlier_take_all(struct static_state *s)
{
	size_t used = 0, taken = 0;

	for (size_t i = 0; i < s->count; i++) {
		if (s->entries[i].name != NULL)
			earlier_take(&s->entries[i]);
		taken += s->entries[i].earlier.count;
	}
	(void)s->host->endpoints_used(s->host, &used);
	s->foreign = s->host->used_spec != NULL && used > 0 && taken == 0;
}

static void
common_init(struct static_entry *e, const struct static_host *h,
	const struct subset_spec *subsets)
{
	struct endpoint *c = &e->common;

	c->addr.port_be = htons(h->port);
	c->weight = h->weight;
	c->health = ENDPOINT_UP;
	if (e->name != NULL) {
		snprintf(c->host, sizeof(c->host), "%s", e->name);
		c->host_rewrite = true;
	}
	if (h->sni_addr != NULL)
		snprintf(c->server_name, sizeof(c->server_name), "%s",
			h->sni_addr);
	subset_list(subsets->selectors, subsets->selector_count, h->labels,
		h->label_count, c->subsets);
}

static void
entry_init(struct static_entry *e, const struct static_host *h,
	const struct static_spec *spec, struct static_state *s)
{
	size_t length = strlen(h->addr);

	e->state = s;
	e->srv = static_host_is_srv(h);
	if (addr_parse_ip(h->addr, h->port, &e->literal) != 0)
		e->name = xstrndup(h->addr,
			h->addr[length - 1] == '.' ? length - 1 : length);
	common_init(e, h, &spec->subsets);
	if (e->name == NULL)
		return;
	/* With its dot, which means something to the resolver. */
	e->watched = watched_name_new(s->host->resolver, h->addr,
		e->srv ? WATCHED_SERVICES : WATCHED_ADDRESSES, on_name, e);
	watched_name_pace(e->watched, s->host->dns_refresh_ms);
}

static void
entry_fini(struct static_entry *e)
{
	watched_name_free(e->watched);
	free(e->earlier.all);
	free(e->name);
}

void *
static_watch(const void *data, struct kind_host *host)
{
	const struct static_spec *spec = data;
	struct static_state *s = xcalloc(1, sizeof(*s));

	s->host = host;
	s->plain = !spec->use_tls.given && !static_tls(spec) && !host->tls;
	s->count = spec->host_count;
	s->entries = xcalloc(s->count, sizeof(*s->entries));
	for (size_t i = 0; i < s->count; i++)
		entry_init(&s->entries[i], &spec->hosts[i], spec, s);
	earlier_take_all(s);
	s->report = loop_timer_new(host->loop, on_report, s);
	endpoints_report(s);
	condition_report(s);
	return s;
}

void
static_unwatch(void *state)
{
	struct static_state *s = state;

	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++)
		entry_fini(&s->entries[i]);
	free(s->entries);
	loop_timer_free(s->report);
	free(s->reported.all);
	kind_telling_fini(&s->told, s->host);
	free(s);
}

/* "names": what each leads to, for how long, and when it is asked again. */
void
static_show(const void *state, struct doc *to)
{
	const struct static_state *s = state;
	struct doc *names = doc_new_list();

	for (size_t i = 0; i < s->count; i++) {
		const struct static_entry *e = &s->entries[i];

		if (e->name != NULL)
			names_show_add(
				names, e->name, watched_name_state(e->watched));
	}
	if (doc_count(names) > 0)
		doc_set(to, "names", names);
	else
		doc_free(names);
}
