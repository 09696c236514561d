/*
 * A Consul agent and the questions that are asked of it: blocking queries by
 * the rules of https://developer.hashicorp.com/consul/api-docs/features/blocking
 * (an index that goes backwards counts as 0, 0 and errors begin anew), paced by
 * a token bucket each, backed off with full jitter, and no more at once than
 * settings.connections_max: beyond that they take turns with shorter waits,
 * none is left out. Private to kinds/consul/.
 */
#ifndef KINDS_CONSUL_AGENT_H
#define KINDS_CONSUL_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "kinds/consul/settings.h"

struct consul_agent;
struct consul_query;
struct http_client;
struct loop;

enum consul_consistency {
	CONSUL_DEFAULT,
	CONSUL_STALE, /* an answer older than CONSUL_STALE_MAX_MS is asked for
		       * again in default mode */
	CONSUL_CONSISTENT,
};

#define CONSUL_STALE_MAX_MS   10000
#define CONSUL_PACE_BURST     2
#define CONSUL_PACE_MS        600   /* then one question per query and this */
#define CONSUL_BACKOFF_MIN_MS 1000
#define CONSUL_BACKOFF_MAX_MS 60000

/* Everything is copied; folder is of relative paths. */
struct consul_agent *consul_agent_new(struct loop *loop,
	struct http_client *http, const struct consul_settings *settings,
	const char *folder);
void consul_agent_free(struct consul_agent *a); /* queries first */

struct consul_question {
	const char *path;       /* "/v1/health/service/web", escaped already */
	const char *datacenter; /* NULL: the agent's own */
	uint8_t consistency;    /* enum consul_consistency */
	bool use_cache;         /* queryOptions.useCache: cached + max-age */
};

struct consul_answer {
	struct slice body; /* JSON; status 200 */
	uint64_t index;
	bool filtered; /* the agent left something out for lack of rights */
	uint64_t last_contact_ms;
	uint64_t answered_us; /* clock_monotonic_us when it was whole */
};

struct consul_events {
	/* The content is another than last time, or it is the first, or the
	 * first after a failure. 0: taken. -1 and err: it cannot be used (not
	 * JSON, wrong types): counts as a failure. */
	int (*answer)(const struct consul_answer *answer, void *arg,
		struct error *err);
	/* It fails, since then (ms since 1970); NULL: it works again, told after
	 * answer. Told when the reason changes. One sentence that names the
	 * agent and what to do. */
	void (*failed)(const char *why, uint64_t since_ms, void *arg);
};

/* Asks until it is freed; neither callback before this returned. */
struct consul_query *consul_query_new(struct consul_agent *a,
	const struct consul_question *q, const struct consul_events *events,
	void *arg);
void consul_query_free(struct consul_query *q); /* NULL; also in callbacks */

struct consul_agent_counts {
	uint64_t asked, answered, changed, failed, index_resets;
	uint64_t limited;   /* answers 429 */
	uint64_t gave_way;  /* questions given up so that others have a turn */
	uint64_t recovered; /* pauses cut short since what failed works again */
	uint32_t open, waiting; /* queries asking now; queries whose turn it is
				 * not yet */
	uint32_t connections; /* as many as it takes: connections_max, or fewer
			       * after a 429 */
};
void consul_agent_counts(
	const struct consul_agent *a, struct consul_agent_counts *out);

#endif
