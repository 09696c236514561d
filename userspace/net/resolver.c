/* Names to addresses and services. */
#include "net/resolver.h"

#include <ares.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "net/dns_answer.h"
#include "net/dns_servers.h"
#include "net/loop.h"

#define HOSTS_ADDRESSES_MAX 64 /* of one name in /etc/hosts */
#define NAME_MAX_BYTES      253

struct resolver {
	struct loop *loop;
	struct dns_servers *servers;
	struct resolver_query *queries; /* all */
	/* Those whose turn has not come, in order. */
	struct resolver_query *first_waiting, *last_waiting;
	size_t asked;               /* questions that c-ares has */
	struct question *questions; /* the same */
	struct resolver_counts counts;
	bool pumping; /* resolver_pump is below on the stack */
	bool ending;
};

/* What c-ares has of a query; it cannot forget one. */
struct question {
	struct question *next, **previous;
	struct resolver *resolver;
	struct resolver_query *query; /* NULL: nobody wants to know */
	enum dns_type type;
};

struct resolver_query {
	struct resolver_query *next, **previous;
	struct resolver_query *next_waiting;
	struct resolver *resolver;
	char *name; /* without the dot at its end */
	bool whole; /* it had one */
	bool services;
	bool waiting; /* its turn has not come */
	resolver_answer_f *cb;
	void *arg;
	struct loop_timer *timer; /* the deadline; when known: the answer */

	char **candidates; /* what the name may mean, in order */
	size_t candidate_count, candidate;
	struct question *open[2]; /* of this candidate */
	size_t found;             /* of its questions */
	bool no_data, failed;     /* of this one or an earlier one */

	bool known; /* what follows is the answer */
	enum resolver_verdict verdict;
	struct addr *addrs;
	size_t addr_count;
	struct resolver_service *services_found;
	size_t service_count;
	uint32_t ttl_s;
	bool v4_failed, v6_failed;
	char *failure; /* of the first failure, else of the last denial */
};

struct resolver_wait *
resolver_wait_new(struct resolver *r, resolver_wait_f *cb, void *arg)
{
	return dns_servers_wait_new(r->servers, cb, arg);
}

void
resolver_wait_free(struct resolver_wait *w)
{
	dns_servers_wait_free(w);
}

void
resolver_counts(const struct resolver *r, struct resolver_counts *out)
{
	*out = r->counts;
	out->stale = dns_servers_waits(r->servers);
}

struct resolver *
resolver_new(struct loop *loop, const char *servers, const char *conf,
	struct error *err)
{
	struct resolver *r = xcalloc(1, sizeof(*r));
	int rc;

	r->loop = loop;
	rc = ares_library_init(ARES_LIB_INIT_ALL);
	if (rc != ARES_SUCCESS) {
		error_set(err, ERROR_SYSTEM, "c-ares cannot start: %s",
			ares_strerror(rc));
		free(r);
		return NULL;
	}
	r->servers = dns_servers_new(loop, servers, conf, err);
	if (r->servers != NULL)
		return r;
	ares_library_cleanup();
	free(r);
	return NULL;
}

struct loop *
resolver_loop(const struct resolver *r)
{
	return r->loop;
}

/* ---- answering */

static void
services_free(struct resolver_service *services, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free((char *)services[i].host);
	free(services);
}

/* c-ares goes on with what it has; nobody hears of it. */
static void
questions_drop(struct resolver_query *q)
{
	for (size_t i = 0; i < ARRAY_SIZE(q->open); i++) {
		if (q->open[i] != NULL)
			q->open[i]->query = NULL;
		q->open[i] = NULL;
	}
}

static void
waiting_remove(struct resolver_query *q)
{
	struct resolver *r = q->resolver;
	struct resolver_query **at = &r->first_waiting, *last = NULL;

	while (*at != q) {
		last = *at;
		at = &last->next_waiting;
	}
	*at = q->next_waiting;
	if (r->last_waiting == q)
		r->last_waiting = last;
	q->waiting = false;
}

static void
query_free(struct resolver_query *q)
{
	*q->previous = q->next;
	if (q->next != NULL)
		q->next->previous = q->previous;
	if (q->waiting)
		waiting_remove(q);
	questions_drop(q);
	loop_timer_free(q->timer);
	for (size_t i = 0; i < q->candidate_count; i++)
		free(q->candidates[i]);
	free(q->candidates);
	services_free(q->services_found, q->service_count);
	free(q->addrs);
	free(q->failure);
	free(q->name);
	free(q);
}

static char *
explain(int status, const char *name)
{
	switch (status) {
	case ARES_ENOTFOUND:
		return xasprintf("no host is named \"%s\"", name);
	case ARES_ESERVFAIL:
	case ARES_EREFUSED:
	case ARES_ENOTIMP:
	case ARES_ECONNREFUSED:
		/* c-ares goes to the next server after each of these, and
		 * tells only the last when there is none. */
		return xasprintf("no name server could resolve \"%s\" "
				 "(SERVFAIL, REFUSED or no connection)",
			name);
	case ARES_ETIMEOUT:
		return xasprintf(
			"no name server answered in time for \"%s\"", name);
	case ARES_EBADNAME:
		return xasprintf("\"%s\" is not a host name", name);
	default:
		return xasprintf("the name \"%s\" could not be resolved: %s",
			name, ares_strerror(status));
	}
}

static int
addr_compare(const void *a, const void *b)
{
	return memcmp(
		((const struct addr *)a)->ip, ((const struct addr *)b)->ip, 16);
}

static void
addrs_sort(struct resolver_query *q)
{
	size_t kept = 0;

	if (q->addr_count == 0)
		return;
	qsort(q->addrs, q->addr_count, sizeof(*q->addrs), addr_compare);
	for (size_t i = 0; i < q->addr_count; i++) {
		if (kept == 0 || !addr_equal(&q->addrs[kept - 1], &q->addrs[i]))
			q->addrs[kept++] = q->addrs[i];
	}
	q->addr_count =
		kept < RESOLVER_ADDRESSES_MAX ? kept : RESOLVER_ADDRESSES_MAX;
}

/* From the loop: not before resolver_query_new returned, and not with c-ares
 * below on the stack, whose channel the owner may end. */
static void
query_settle(struct resolver_query *q, enum resolver_verdict verdict)
{
	questions_drop(q);
	q->known = true;
	q->verdict = verdict;
	if (verdict == RESOLVER_FAILED)
		q->resolver->counts.failed++;
	else
		q->resolver->counts.answered++;
	addrs_sort(q);
	loop_timer_start(q->timer, 0);
}

static void
query_answer(struct resolver_query *q)
{
	resolver_answer_f *cb = q->cb;
	void *arg = q->arg;
	bool found = q->verdict == RESOLVER_FOUND;
	struct addr *addrs = q->addrs;
	struct resolver_service *services = q->services_found;
	char *failure = q->failure;
	struct resolver_answer a = {
		.verdict = q->verdict,
		.addrs = addrs,
		.addr_count = found ? q->addr_count : 0,
		.services = services,
		.service_count = q->service_count,
		.ttl_s = q->ttl_s,
		.v4_failed = found && q->v4_failed,
		.v6_failed = found && q->v6_failed,
		.failure = found ? NULL : failure,
	};

	/* The callback may end the resolver. */
	q->addrs = NULL;
	q->services_found = NULL;
	q->service_count = 0;
	q->failure = NULL;
	query_free(q);
	cb(&a, arg);
	services_free(services, a.service_count);
	free(addrs);
	free(failure);
}

/* ---- asking */

static void query_ask_next(struct resolver_query *q);
static void resolver_pump(struct resolver *r);

/* What is said of a name that is not there; a failure says more. */
static void
failure_set(struct resolver_query *q, char *failure, bool failed)
{
	if (q->failure != NULL && q->failed && !failed) {
		free(failure);
		return;
	}
	free(q->failure);
	q->failure = failure;
	q->failed |= failed;
}

static void
candidate_settle(struct resolver_query *q)
{
	if (q->found > 0) {
		query_settle(q, RESOLVER_FOUND);
		return;
	}
	/* They were of this candidate alone. */
	q->v4_failed = q->v6_failed = false;
	if (q->candidate + 1 < q->candidate_count) {
		q->candidate++;
		query_ask_next(q);
		return;
	}
	query_settle(q, q->failed    ? RESOLVER_FAILED
			: q->no_data ? RESOLVER_NO_DATA
				     : RESOLVER_NO_NAME);
}

static void
answer_take(struct resolver_query *q, struct dns_answer *a)
{
	if (a->ttl_s < q->ttl_s || q->found == 0)
		q->ttl_s = a->ttl_s;
	q->found++;
	if (a->service_count > 0) {
		services_free(q->services_found, q->service_count);
		q->services_found = a->services;
		q->service_count = a->service_count;
		a->services = NULL;
		a->service_count = 0;
		return;
	}
	q->addrs = xreallocarray(
		q->addrs, q->addr_count + a->addr_count, sizeof(*q->addrs));
	memcpy(q->addrs + q->addr_count, a->addrs,
		a->addr_count * sizeof(*a->addrs));
	q->addr_count += a->addr_count;
}

static void
answer_deny(struct resolver_query *q, const char *problem)
{
	q->no_data = true;
	failure_set(q,
		problem != NULL
			? xasprintf("the name \"%s\" %s", q->name, problem)
			: xasprintf("the name \"%s\" has no %s", q->name,
				  q->services ? "service" : "address"),
		false);
}

static void
question_failed(struct resolver_query *q, enum dns_type type, char *failure)
{
	q->v4_failed |= type == DNS_A;
	q->v6_failed |= type == DNS_AAAA;
	failure_set(q, failure, true);
}

static void
message_take(struct resolver_query *q, enum dns_type type, const uint8_t *bytes,
	size_t length)
{
	struct dns_answer a;

	dns_answer_read(&a, bytes, length, type);
	if (a.verdict == RESOLVER_FOUND)
		answer_take(q, &a);
	else if (a.verdict == RESOLVER_FAILED)
		question_failed(q, type,
			xasprintf("the name \"%s\" %s", q->name, a.problem));
	else
		answer_deny(q, a.problem);
	dns_answer_fini(&a);
}

static void
status_take(struct resolver_query *q, enum dns_type type, int status)
{
	if (status == ARES_ENODATA)
		answer_deny(q, NULL);
	else if (status == ARES_ENOTFOUND && !q->no_data)
		failure_set(q, explain(status, q->name), false);
	else if (status != ARES_ENOTFOUND)
		question_failed(q, type, explain(status, q->name));
}

static void
on_message(int status, const uint8_t *bytes, size_t length, void *arg)
{
	struct question *x = arg;
	struct resolver *r = x->resolver;
	struct resolver_query *q = x->query;
	enum dns_type type = x->type;
	bool more = false;

	for (size_t i = 0; q != NULL && i < ARRAY_SIZE(q->open); i++) {
		if (q->open[i] == x)
			q->open[i] = NULL;
		more |= q->open[i] != NULL;
	}
	*x->previous = x->next;
	if (x->next != NULL)
		x->next->previous = x->previous;
	free(x);
	r->asked--;
	if (r->ending)
		return; /* resolver_free has the list */
	if (q != NULL) {
		if (status == ARES_SUCCESS)
			message_take(q, type, bytes, length);
		else
			status_take(q, type, status);
		if (!more)
			candidate_settle(q);
		else if (q->found > 0)
			loop_timer_start(q->timer, RESOLVER_FAMILY_MS);
	}
	dns_servers_answered(r->servers);
	resolver_pump(r);
}

static struct question *
question_new(struct resolver_query *q, enum dns_type type)
{
	struct question *x = xcalloc(1, sizeof(*x));
	struct resolver *r = q->resolver;

	x->resolver = r;
	x->query = q;
	x->type = type;
	x->next = r->questions;
	x->previous = &r->questions;
	if (x->next != NULL)
		x->next->previous = &x->next;
	r->questions = x;
	r->asked++;
	return x;
}

/* The questions of the candidate. Both stand before the first is asked, which
 * may be answered at once. */
static void
query_ask_next(struct resolver_query *q)
{
	struct dns_channel *c = dns_servers_channel(q->resolver->servers);
	char *name = xstrdup(q->candidates[q->candidate]);
	struct question *first, *second = NULL;

	if (q->services) {
		first = question_new(q, DNS_SRV);
	} else {
		first = question_new(q, DNS_A);
		second = question_new(q, DNS_AAAA);
	}
	q->open[0] = first;
	q->open[1] = second;
	dns_channel_ask(c, name, first->type, on_message, first);
	if (second != NULL)
		dns_channel_ask(c, name, DNS_AAAA, on_message, second);
	free(name);
}

static bool
candidate_is_listed(const struct resolver_query *q, const char *name)
{
	for (size_t i = 0; i < q->candidate_count; i++)
		if (strcasecmp(q->candidates[i], name) == 0)
			return true;
	return false;
}

/* The domain "." is the root: the name as it is, as is no domain. */
static void
candidate_add(struct resolver_query *q, const char *domain)
{
	bool as_it_is = domain == NULL || domain[0] == '\0' ||
			strcmp(domain, ".") == 0;
	char *name = as_it_is ? xstrdup(q->name)
			      : xasprintf("%s.%s", q->name, domain);

	if (candidate_is_listed(q, name) ||
		(!as_it_is && strlen(name) > NAME_MAX_BYTES))
		free(name);
	else
		q->candidates[q->candidate_count++] = name;
}

static size_t
dots_in(const char *text)
{
	size_t dots = 0;

	for (; *text != '\0'; text++)
		dots += *text == '.';
	return dots;
}

/* As glibc does: a name of few dots is tried below the domains first, another
 * one as it is first. */
static void
candidates_list(struct resolver_query *q, const struct dns_channel *c)
{
	size_t count;
	char *const *domains = dns_channel_domains(c, &count);
	bool first = q->whole || q->services ||
		     dots_in(q->name) >= dns_channel_ndots(c);

	q->candidates = xcalloc(count + 1, sizeof(*q->candidates));
	if (first)
		candidate_add(q, NULL);
	for (size_t i = 0; i < count && !q->whole; i++)
		candidate_add(q, domains[i]);
	if (!first)
		candidate_add(q, NULL);
}

static bool
query_is_in_hosts(struct resolver_query *q, struct dns_channel *c)
{
	struct addr addrs[HOSTS_ADDRESSES_MAX];
	size_t count = q->services ? 0
				   : dns_channel_hosts(c, q->name, addrs,
					     ARRAY_SIZE(addrs));

	if (count == 0)
		return false;
	q->addrs = xmemdup(addrs, count * sizeof(*addrs));
	q->addr_count = count;
	q->ttl_s = RESOLVER_HOSTS_TTL_S;
	return true;
}

static void
query_begin(struct resolver_query *q)
{
	struct dns_channel *c = dns_servers_channel(q->resolver->servers);

	q->resolver->counts.asked++;
	if (query_is_in_hosts(q, c)) {
		query_settle(q, RESOLVER_FOUND);
		return;
	}
	candidates_list(q, c);
	loop_timer_start(q->timer, RESOLVER_DEADLINE_MS);
	query_ask_next(q);
}

/* Questions may be answered before they are asked to the end, which calls this
 * again: the first call goes on then, so that the stack does not grow with
 * those that wait. */
static void
resolver_pump(struct resolver *r)
{
	if (r->pumping)
		return;
	r->pumping = true;
	while (r->first_waiting != NULL &&
		r->asked + ARRAY_SIZE(r->first_waiting->open) <=
			RESOLVER_ASKED_MAX) {
		struct resolver_query *q = r->first_waiting;

		waiting_remove(q);
		query_begin(q);
	}
	r->pumping = false;
}

/* The answer, or the deadline. */
static void
on_query_timer(void *arg)
{
	struct resolver_query *q = arg;

	if (q->known) {
		query_answer(q);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(q->open); i++) {
		if (q->open[i] != NULL)
			question_failed(q, q->open[i]->type,
				explain(ARES_ETIMEOUT, q->name));
	}
	query_settle(q, q->found > 0 ? RESOLVER_FOUND : RESOLVER_FAILED);
}

/* RFC 6761 6.3: these never leave the machine, whatever /etc/hosts lacks. */
static bool
is_localhost(const char *name)
{
	static const char last[] = "localhost";
	size_t n = strlen(name), want = sizeof(last) - 1;

	return n >= want && strcasecmp(name + n - want, last) == 0 &&
	       (n == want || name[n - want - 1] == '.');
}

/* Whether it needs no question. */
static bool
query_is_known(struct resolver_query *q)
{
	struct addr known[2];
	size_t count = 0;

	if (q->services)
		return false;
	if (addr_parse_ip(q->name, 0, &known[0]) == 0) {
		count = 1;
	} else if (is_localhost(q->name)) {
		addr_parse_ip("::1", 0, &known[0]);
		addr_parse_ip("127.0.0.1", 0, &known[1]);
		count = 2;
	}
	if (count == 0)
		return false;
	q->addrs = xmemdup(known, count * sizeof(*known));
	q->addr_count = count;
	q->ttl_s = RESOLVER_HOSTS_TTL_S;
	return true;
}

static struct resolver_query *
query_new(struct resolver *r, const char *name, bool services,
	resolver_answer_f *cb, void *arg)
{
	struct resolver_query *q = xcalloc(1, sizeof(*q));
	size_t length = strlen(name);

	q->resolver = r;
	q->whole = length > 1 && name[length - 1] == '.';
	q->name = xstrndup(name, q->whole ? length - 1 : length);
	q->services = services;
	q->cb = cb;
	q->arg = arg;
	q->timer = loop_timer_new(r->loop, on_query_timer, q);
	q->next = r->queries;
	q->previous = &r->queries;
	if (q->next != NULL)
		q->next->previous = &q->next;
	r->queries = q;
	if (query_is_known(q)) {
		q->known = true;
		loop_timer_start(q->timer, 0);
		return q;
	}
	q->waiting = true;
	if (r->last_waiting != NULL)
		r->last_waiting->next_waiting = q;
	else
		r->first_waiting = q;
	r->last_waiting = q;
	resolver_pump(r);
	return q;
}

struct resolver_query *
resolver_query_new(
	struct resolver *r, const char *name, resolver_answer_f *cb, void *arg)
{
	return query_new(r, name, false, cb, arg);
}

struct resolver_query *
resolver_services_new(
	struct resolver *r, const char *name, resolver_answer_f *cb, void *arg)
{
	return query_new(r, name, true, cb, arg);
}

void
resolver_query_cancel(struct resolver_query *q)
{
	if (q != NULL)
		query_free(q);
}

void
resolver_free(struct resolver *r)
{
	if (r == NULL)
		return;
	r->ending = true;
	dns_servers_free(r->servers);
	while (r->queries != NULL)
		query_free(r->queries);
	ares_library_cleanup();
	free(r);
}
