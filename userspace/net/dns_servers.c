/* The name servers that hold now. */
#include "net/dns_servers.h"

#include <stdlib.h>

#include "base/mem.h"
#include "net/loop.h"

/* Of a former resolv.conf; somebody still waits for its servers. */
struct old_channel {
	struct old_channel *next;
	struct dns_channel *channel;
};

struct dns_servers {
	struct loop *loop;
	char *servers; /* NULL: resolv.conf's */
	char *conf;
	struct dns_channel *channel;
	struct old_channel *olds;
	struct loop_timer *sweep; /* of those that are done */
	struct resolver_wait *waits;
	size_t wait_count;
	struct loop_timer *look; /* runs while there are waits */
};

struct resolver_wait {
	struct resolver_wait *next, **previous;
	struct dns_servers *servers;
	resolver_wait_f *cb;
	void *arg;
};

static void
waits_tell(struct dns_servers *s)
{
	for (struct resolver_wait *w = s->waits; w != NULL; w = w->next)
		w->cb(w->arg);
}

static void
old_add(struct dns_servers *s, struct dns_channel *channel)
{
	struct old_channel *old = xcalloc(1, sizeof(*old));

	old->channel = channel;
	old->next = s->olds;
	s->olds = old;
	loop_timer_start(s->sweep, 0);
}

/* Those that nobody waits for any more, or all. */
static void
olds_free(struct dns_servers *s, bool all)
{
	for (struct old_channel **at = &s->olds; *at != NULL;) {
		struct old_channel *old = *at;

		if (!all && dns_channel_asked(old->channel) > 0) {
			at = &old->next;
			continue;
		}
		*at = old->next;
		dns_channel_free(old->channel);
		free(old);
	}
}

/* Not with c-ares below on the stack. */
static void
on_sweep(void *arg)
{
	olds_free(arg, false);
}

void
dns_servers_answered(struct dns_servers *s)
{
	if (s->olds != NULL)
		loop_timer_start(s->sweep, 0);
}

struct dns_channel *
dns_servers_channel(struct dns_servers *s)
{
	struct dns_channel *next;

	if (!dns_channel_is_outdated(s->channel))
		return s->channel;
	next = dns_channel_new(s->loop, s->servers, s->conf, NULL);
	if (next == NULL)
		return s->channel;
	old_add(s, s->channel);
	s->channel = next;
	waits_tell(s);
	return next;
}

static void
on_look(void *arg)
{
	struct dns_servers *s = arg;

	dns_servers_channel(s);
	if (s->waits != NULL)
		loop_timer_start(s->look, RESOLVER_CONF_LOOK_MS);
}

struct resolver_wait *
dns_servers_wait_new(struct dns_servers *s, resolver_wait_f *cb, void *arg)
{
	struct resolver_wait *w = xcalloc(1, sizeof(*w));

	if (s->waits == NULL && s->servers == NULL)
		loop_timer_start(s->look, RESOLVER_CONF_LOOK_MS);
	w->servers = s;
	w->cb = cb;
	w->arg = arg;
	w->next = s->waits;
	w->previous = &s->waits;
	if (w->next != NULL)
		w->next->previous = &w->next;
	s->waits = w;
	s->wait_count++;
	return w;
}

void
dns_servers_wait_free(struct resolver_wait *w)
{
	if (w == NULL)
		return;
	*w->previous = w->next;
	if (w->next != NULL)
		w->next->previous = w->previous;
	w->servers->wait_count--;
	if (w->servers->waits == NULL)
		loop_timer_stop(w->servers->look);
	free(w);
}

size_t
dns_servers_waits(const struct dns_servers *s)
{
	return s->wait_count;
}

struct dns_servers *
dns_servers_new(struct loop *loop, const char *servers, const char *conf,
	struct error *err)
{
	struct dns_servers *s = xcalloc(1, sizeof(*s));

	s->loop = loop;
	s->servers = servers == NULL ? NULL : xstrdup(servers);
	s->conf = xstrdup(conf == NULL ? RESOLVER_CONF : conf);
	s->channel = dns_channel_new(loop, servers, s->conf, err);
	if (s->channel == NULL) {
		free(s->servers);
		free(s->conf);
		free(s);
		return NULL;
	}
	s->look = loop_timer_new(loop, on_look, s);
	s->sweep = loop_timer_new(loop, on_sweep, s);
	return s;
}

void
dns_servers_free(struct dns_servers *s)
{
	if (s == NULL)
		return;
	dns_channel_free(s->channel);
	olds_free(s, true);
	loop_timer_free(s->look);
	loop_timer_free(s->sweep);
	free(s->servers);
	free(s->conf);
	free(s);
}
