/* Names to addresses through c-ares, on a loop. */
#include "net/resolver.h"

#include <ares.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "base/mem.h"
#include "net/loop.h"

#define TRY_TIMEOUT_MS 1000 /* doubled at each further try */
#define TRIES	       3

/* One socket of c-ares. */
struct watch {
	struct watch *next;
	struct loop_fd *on_loop;
	int fd;
};

struct resolver {
	struct loop *loop;
	ares_channel channel;
	char *servers; /* NULL: resolv.conf's */
	struct stat conf;
	struct watch *watches;
	struct loop_timer *timer;
	struct resolver_query *queries;
	size_t asked; /* queries that c-ares has */
	bool ending;
};

struct resolver_query {
	struct resolver_query *next, **previous;
	struct resolver *resolver;
	char *name;
	resolver_answer_f *cb; /* NULL: cancelled */
	void *arg;
	struct loop_timer *answer; /* runs: what follows is known */
	bool starting;		   /* inside ares_getaddrinfo */
	struct addr *addrs;
	size_t count;
	uint32_t ttl_s;
	char *failure;
};

static void
query_free(struct resolver_query *q)
{
	*q->previous = q->next;
	if (q->next != NULL)
		q->next->previous = q->previous;
	loop_timer_free(q->answer);
	free(q->addrs);
	free(q->failure);
	free(q->name);
	free(q);
}

/* c-ares must be called again by then. */
static void
resolver_set_timer(struct resolver *r)
{
	struct timeval tv;

	if (r->ending)
		return;
	if (ares_timeout(r->channel, NULL, &tv) == NULL)
		loop_timer_stop(r->timer);
	else
		/* Rounded up: earlier would be for nothing. */
		loop_timer_start(r->timer, (uint64_t)tv.tv_sec * 1000 +
				(uint64_t)tv.tv_usec / 1000 + 1);
}

static void
on_timer(void *arg)
{
	struct resolver *r = arg;

	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	resolver_set_timer(r);
}

static void
on_socket(int fd, unsigned what, void *arg)
{
	struct resolver *r = arg;

	ares_process_fd(r->channel, what & LOOP_READ ? fd : ARES_SOCKET_BAD,
		what & LOOP_WRITE ? fd : ARES_SOCKET_BAD);
	resolver_set_timer(r);
}

/* c-ares says what it waits for; nothing: the socket is about to close. */
static void
on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = arg;
	unsigned what = (readable ? LOOP_READ : 0u) |
		(writable ? LOOP_WRITE : 0u);
	struct watch **at, *w;

	for (at = &r->watches; *at != NULL && (*at)->fd != fd;)
		at = &(*at)->next;
	w = *at;
	if (w != NULL && what != 0) {
		loop_fd_change(w->on_loop, what);
	} else if (w != NULL) {
		*at = w->next;
		loop_fd_free(w->on_loop);
		free(w);
	} else if (what != 0) {
		w = xcalloc(1, sizeof(*w));
		w->fd = fd;
		w->on_loop = loop_fd_new(r->loop, fd, what, on_socket, r);
		w->next = r->watches;
		r->watches = w;
	}
}

static void
conf_stat(struct stat *st)
{
	if (stat("/etc/resolv.conf", st) < 0)
		memset(st, 0, sizeof(*st));
}

static int
channel_open(struct resolver *r, struct error *err)
{
	struct ares_options options = {
		.timeout = TRY_TIMEOUT_MS,
		.tries = TRIES,
		.lookups = (char[]){ "fb" }, /* /etc/hosts, then DNS */
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = r,
	};
	int rc;

	conf_stat(&r->conf);
	rc = ares_init_options(&r->channel, &options,
		ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
			ARES_OPT_SOCK_STATE_CB);
	if (rc != ARES_SUCCESS)
		return error_set(err, ERROR_SYSTEM,
			"the resolver cannot start: %s", ares_strerror(rc));
	if (r->servers == NULL)
		return 0;
	rc = ares_set_servers_ports_csv(r->channel, r->servers);
	if (rc == ARES_SUCCESS)
		return 0;
	ares_destroy(r->channel);
	return error_set(err, ERROR_CONFIG,
		"\"%s\" is not a list of name servers", r->servers);
}

struct resolver *
resolver_new(struct loop *loop, const char *servers, struct error *err)
{
	struct resolver *r = xcalloc(1, sizeof(*r));
	int rc;

	r->loop = loop;
	r->servers = servers == NULL ? NULL : xstrdup(servers);
	rc = ares_library_init(ARES_LIB_INIT_ALL);
	if (rc != ARES_SUCCESS) {
		error_set(err, ERROR_SYSTEM, "c-ares cannot start: %s",
			ares_strerror(rc));
		goto fail;
	}
	if (channel_open(r, err) < 0) {
		ares_library_cleanup();
		goto fail;
	}
	r->timer = loop_timer_new(loop, on_timer, r);
	return r;
fail:
	free(r->servers);
	free(r);
	return NULL;
}

void
resolver_free(struct resolver *r)
{
	if (r == NULL)
		return;
	r->ending = true;
	ares_destroy(r->channel);
	while (r->queries != NULL)
		query_free(r->queries);
	loop_timer_free(r->timer);
	ares_library_cleanup();
	free(r->servers);
	free(r);
}

/* c-ares reads resolv.conf only when a channel is made. */
static void
resolver_follow_conf(struct resolver *r)
{
	ares_channel old = r->channel;
	struct stat now;

	if (r->servers != NULL || r->asked > 0)
		return;
	conf_stat(&now);
	if (now.st_ino == r->conf.st_ino &&
		now.st_mtim.tv_sec == r->conf.st_mtim.tv_sec &&
		now.st_mtim.tv_nsec == r->conf.st_mtim.tv_nsec)
		return;
	if (channel_open(r, NULL) < 0)
		r->channel = old;
	else
		ares_destroy(old);
}

static char *
explain(int status, const char *name)
{
	switch (status) {
	case ARES_ENOTFOUND:
		return xasprintf("no host is named \"%s\"", name);
	case ARES_ENODATA:
		return xasprintf("the name \"%s\" has no address", name);
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
	return memcmp(((const struct addr *)a)->ip,
		((const struct addr *)b)->ip, 16);
}

static void
query_add(struct resolver_query *q, const struct sockaddr *sa)
{
	struct addr *a = &q->addrs[q->count++];

	addr_from_sockaddr(a, sa);
	a->port_be = 0;
}

static void
query_sort(struct resolver_query *q)
{
	size_t kept = 0;

	qsort(q->addrs, q->count, sizeof(*q->addrs), addr_compare);
	for (size_t i = 0; i < q->count; i++) {
		if (kept == 0 || !addr_equal(&q->addrs[kept - 1], &q->addrs[i]))
			q->addrs[kept++] = q->addrs[i];
	}
	q->count = kept;
}

static void
query_take(struct resolver_query *q, const struct ares_addrinfo *info)
{
	const struct ares_addrinfo_node *n;
	const struct ares_addrinfo_cname *c;
	int ttl = INT32_MAX;

	q->addrs = xcalloc(RESOLVER_ADDRESSES_MAX, sizeof(*q->addrs));
	for (n = info->nodes; n != NULL; n = n->ai_next) {
		if (n->ai_family != AF_INET && n->ai_family != AF_INET6)
			continue;
		if (n->ai_ttl < ttl)
			ttl = n->ai_ttl;
		if (q->count < RESOLVER_ADDRESSES_MAX)
			query_add(q, n->ai_addr);
	}
	for (c = info->cnames; c != NULL; c = c->next) {
		if (c->ttl < ttl)
			ttl = c->ttl;
	}
	/* Only what needed no server is known before the call returned. */
	q->ttl_s = q->starting ? RESOLVER_HOSTS_TTL_S
		: ttl < 0	? 0
				: (uint32_t)ttl;
	query_sort(q);
}

static void
on_addrinfo(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct resolver_query *q = arg;

	(void)timeouts;
	q->resolver->asked--;
	if (status == ARES_SUCCESS && info != NULL)
		query_take(q, info);
	if (info != NULL)
		ares_freeaddrinfo(info);
	if (q->resolver->ending)
		return; /* resolver_free has the list */
	if (q->cb == NULL) {
		query_free(q);
		return;
	}
	if (q->count == 0)
		q->failure = explain(
			status == ARES_SUCCESS ? ARES_ENODATA : status,
			q->name);
	/* From the loop: not before resolver_query_new returned, and not with
	 * c-ares below on the stack, whose channel the owner may end. */
	loop_timer_start(q->answer, 0);
}

static void
on_answer(void *arg)
{
	struct resolver_query *q = arg;
	resolver_answer_f *cb = q->cb;
	void *cb_arg = q->arg;
	struct addr *addrs = q->addrs;
	char *failure = q->failure;
	size_t count = q->count;
	uint32_t ttl_s = q->ttl_s;

	q->addrs = NULL;
	q->failure = NULL;
	query_free(q);
	cb(addrs, count, ttl_s, failure, cb_arg);
	free(addrs);
	free(failure);
}

/* RFC 6761 6.3: these never leave the machine, whatever /etc/hosts lacks. */
static bool
is_localhost(const char *name)
{
	static const char last[] = "localhost";
	size_t n = strlen(name), want = sizeof(last) - 1;

	if (n > 0 && name[n - 1] == '.')
		n--;
	return n >= want && strncasecmp(name + n - want, last, want) == 0 &&
	       (n == want || name[n - want - 1] == '.');
}

/* An answer that needs no question. */
static void
query_answer_known(
	struct resolver_query *q, const struct addr *addrs, size_t count)
{
	q->addrs = xmemdup(addrs, count * sizeof(*addrs));
	q->count = count;
	q->ttl_s = RESOLVER_HOSTS_TTL_S;
	loop_timer_start(q->answer, 0);
}

struct resolver_query *
resolver_query_new(struct resolver *r, const char *name, resolver_answer_f *cb,
	void *arg)
{
	static const struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_NOSORT,
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
	};
	struct resolver_query *q = xcalloc(1, sizeof(*q));
	struct addr known[2];

	q->resolver = r;
	q->name = xstrdup(name);
	q->cb = cb;
	q->arg = arg;
	q->answer = loop_timer_new(r->loop, on_answer, q);
	q->next = r->queries;
	q->previous = &r->queries;
	if (q->next != NULL)
		q->next->previous = &q->next;
	r->queries = q;
	if (addr_parse_ip(name, 0, &known[0]) == 0) {
		query_answer_known(q, known, 1);
		return q;
	}
	if (is_localhost(name)) {
		addr_parse_ip("::1", 0, &known[0]);
		addr_parse_ip("127.0.0.1", 0, &known[1]);
		query_answer_known(q, known, 2);
		return q;
	}
	resolver_follow_conf(r);
	r->asked++;
	q->starting = true;
	ares_getaddrinfo(r->channel, name, NULL, &hints, on_addrinfo, q);
	q->starting = false;
	resolver_set_timer(r);
	return q;
}

void
resolver_query_cancel(struct resolver_query *q)
{
	if (q == NULL)
		return;
	if (loop_timer_pending(q->answer))
		query_free(q);
	else
		q->cb = NULL; /* c-ares cannot forget one query */
}
