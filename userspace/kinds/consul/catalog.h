/*
 * What all upstreams of kind consul and discovery share: the agent, and what
 * the catalog of each data centre lists. One, made by open.
 *
 * The catalog is believed where it says that a service is there. That one is
 * gone it can only say when no lack of rights hides some: Consul answers who
 * has no token, or a wrong one, with an empty list. The catalog always lists
 * Consul's own service, so an answer without it does not show all.
 *
 * Private to kinds/consul/.
 */
#ifndef KINDS_CONSUL_CATALOG_H
#define KINDS_CONSUL_CATALOG_H

#include <stdbool.h>

#include "kinds/consul/agent.h"
#include "kinds/consul/settings.h"
#include "model/kind.h"

struct consul;
struct consul_follow;

enum consul_presence {
	CONSUL_UNKNOWN, /* the catalog cannot be asked, or lost its rights */
	CONSUL_LISTED,
	CONSUL_UNLISTED, /* it is not there, or never was to be seen */
	CONSUL_GONE,     /* it is not there */
};

/* Somebody asks for the instances of a service of a data centre (NULL: that of
 * the settings); all is copied. changed: the presence, or the agent's own data
 * centre. Never called before this returned. */
struct consul_follow *consul_follow_new(struct consul *c,
	const char *datacenter, const char *service, void (*changed)(void *arg),
	void *arg);
void consul_follow_free(struct consul_follow *f); /* NULL is fine */
enum consul_presence consul_follow_presence(const struct consul_follow *f);
/* As questions name it. NULL: the agent's own. */
const char *consul_follow_datacenter(const struct consul_follow *f);
/* The question for it fails, for that reason; NULL: it does not. Gathered into
 * the program's condition "agent". */
void consul_follow_failing(struct consul_follow *f, const char *why);

struct consul_agent *consul_agent_of(const struct consul *c);
/* The agent's own data centre; NULL: not known. It is asked for only when a
 * data centre is named: until then, and for good if it cannot be told. */
const char *consul_own_datacenter(const struct consul *c);
/* It may be known soon: better wait with what depends on it. */
bool consul_own_datacenter_is_due(const struct consul *c);

kind_open_f consul_open;
kind_close_f consul_close;
kind_preview_f consul_preview;
kind_numbers_f consul_numbers;
kind_watch_f consul_watch; /* discovery.c */
kind_unwatch_f consul_unwatch;
kind_show_f consul_show;

#endif
