/* The addresses of the API server's host. */
#include "kinds/kubernetes/server_name.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/watched_name.h"

struct kubernetes_server_name {
	struct resolver *resolver;
	struct watched_name *watched; /* NULL: nothing to ask */
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

/* Not even that there is none takes one away: it may be called still. */
static void
on_state(const struct watched_state *state, void *arg)
{
	struct addr *addrs;

	if (state->count == 0)
		return;
	addrs = xcalloc(state->count, sizeof(*addrs));
	for (size_t i = 0; i < state->count; i++)
		addrs[i] = state->targets[i].addr;
	addrs_set(arg, addrs, state->count);
	free(addrs);
}

struct kubernetes_server_name *
kubernetes_server_name_new(struct resolver *resolver,
	kubernetes_server_name_f *changed, void *arg)
{
	struct kubernetes_server_name *n = xcalloc(1, sizeof(*n));

	n->resolver = resolver;
	n->changed = changed;
	n->arg = arg;
	return n;
}

void
kubernetes_server_name_free(struct kubernetes_server_name *n)
{
	if (n == NULL)
		return;
	watched_name_free(n->watched);
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
	watched_name_free(n->watched);
	n->watched = NULL;
	free(n->host);
	n->host = xstrdup(host);
	addrs_set(n, NULL, 0);
	if (addr_parse_ip(host, 0, &literal) != 0)
		n->watched = watched_name_new(n->resolver, host,
			WATCHED_ADDRESSES, on_state, n);
}
