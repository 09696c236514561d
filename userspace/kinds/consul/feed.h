/*
 * The instances of a service in one data centre. What may come from a lack of
 * rights takes nothing away: an empty answer is believed only when the catalog
 * says that the service is gone, and what a filtered answer does not show is
 * kept. Private to kinds/consul/.
 */
#ifndef KINDS_CONSUL_FEED_H
#define KINDS_CONSUL_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "kinds/consul/catalog.h"
#include "kinds/consul/instances.h"
#include "kinds/consul/spec.h"

/* How long the agent may fail before each upstream that it has served says so:
 * one that restarts is no reason for a warning at all of them. */
#define CONSUL_STALE_TELL_MS 5000
/* How long the catalog may take to agree with an empty answer: both change at
 * once, and are asked for apart. */
#define CONSUL_EMPTY_TELL_MS 2000

struct consul_feed;
struct loop;

/* spec is copied from. used: an earlier run knew endpoints, some of which may
 * be of this data centre. changed: something below; never called before this
 * returned. */
struct consul_feed *consul_feed_new(struct consul *c, struct loop *loop,
	const struct consul_spec *spec, const char *datacenter, bool used,
	void (*changed)(void *arg), void *arg);
void consul_feed_free(struct consul_feed *f); /* NULL is fine */

/* Valid until the next change. */
const struct consul_instances *consul_feed_instances(
	const struct consul_feed *f);
/* Those are all: what an earlier run knew beyond them is gone. */
bool consul_feed_is_known(const struct consul_feed *f);
/* As questions name it, or the agent's own; NULL: that is not known. */
const char *consul_feed_datacenter(const struct consul_feed *f);
/* Something was said, be it that it fails. */
bool consul_feed_has_spoken(const struct consul_feed *f);
/* One sentence, which the caller frees; NULL: all is well. Then, if there will
 * be one unless something changes, *due_ms is when (of the loop), else 0.
 * nobody: no data centre has anybody; else a service may be absent here. */
char *consul_feed_problem(
	const struct consul_feed *f, bool nobody, uint64_t *due_ms);

#endif
