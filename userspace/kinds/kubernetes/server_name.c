/* The addresses of the API server's host. */
#include "kinds/kubernetes/server_name.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/loop.h"
#include "net/resolver.h"

#define ASK_MIN_S    5
#define ASK_MAX_S    300
#define ASK_FAILED_S 30

struct kubernetes_server_name {
	struct resolver *resolver;
	struct loop_timer *timer;
	struct resolver_query *query; /* NULL: none is on its way */
	char *host;                   /* NULL: not known */
	struct addr *addrs;
	size_t count;
	kubernetes_server_name_f *changed;
	void *arg;
};

static void
addrs_set(struct kubernetes_server_name *n, const struct addr *addrs,
	size_t count)
{
	bool same = count == n->count;

	for (size_t i = 0; same && i < count; i++)
		same = addr_equal(&addrs[i], &n->addrs[i]);
	if (same)
		return;
	free(n->addrs);
	n->addrs = xcalloc(count + 1, sizeof(*n->addrs));
	for (size_t i = 0; i < count; i++)
		n->addrs[i] = addrs[i];
	n->count = count;
	n->changed(n->addrs, count, n->arg);
}

static void
on_answer(const struct addr *addrs, size_t count, uint32_t ttl_s,
	const char *failure, void *arg)
{
	struct kubernetes_server_name *n = arg;

	n->query = NULL;
	if (failure != NULL)
		ttl_s = ASK_FAILED_S;
	else if (ttl_s < ASK_MIN_S)
		ttl_s = ASK_MIN_S;
	else if (ttl_s > ASK_MAX_S)
		ttl_s = ASK_MAX_S;
	loop_timer_start(n->timer, (uint64_t)ttl_s * 1000);
	if (failure == NULL)
		addrs_set(n, addrs, count);
}

static void
on_timer(void *arg)
{
	struct kubernetes_server_name *n = arg;

	n->query = resolver_query_new(n->resolver, n->host, on_answer, n);
}

struct kubernetes_server_name *
kubernetes_server_name_new(struct loop *loop, struct resolver *resolver,
	kubernetes_server_name_f *changed, void *arg)
{
	struct kubernetes_server_name *n = xcalloc(1, sizeof(*n));

	n->resolver = resolver;
	n->timer = loop_timer_new(loop, on_timer, n);
	n->changed = changed;
	n->arg = arg;
	return n;
}

static void
ask_no_more(struct kubernetes_server_name *n)
{
	if (n->query != NULL)
		resolver_query_cancel(n->query);
	n->query = NULL;
	loop_timer_stop(n->timer);
}

void
kubernetes_server_name_free(struct kubernetes_server_name *n)
{
	if (n == NULL)
		return;
	ask_no_more(n);
	loop_timer_free(n->timer);
	free(n->host);
	free(n->addrs);
	free(n);
}

void
kubernetes_server_name_set(struct kubernetes_server_name *n, const char *host)
{
	struct addr literal;

	if (n->host != NULL && strcmp(n->host, host) == 0)
		return;
	ask_no_more(n);
	free(n->host);
	n->host = xstrdup(host);
	addrs_set(n, NULL, 0);
	if (addr_parse_ip(host, 0, &literal) != 0)
		on_timer(n);
}
