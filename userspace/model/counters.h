/*
 * Counters in memory that control makes (a memfd sealed against resizing) and
 * the proxy's workers write, each its own block; they outlive either process.
 * Readers add the blocks up. Control treats every number as untrusted.
 */
#ifndef MODEL_COUNTERS_H
#define MODEL_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define COUNTERS_MAGIC 0x3330726574636767ull
#define COUNTERS_WORKERS_MAX 64
/* Slots: 0 is the box, 1..63 are listeners of HTTP, 64..255 services of TCP
 * and UDP. */
#define LISTENERS_MAX 64
#define SLOTS_MAX     256
#define UPSTREAMS_MAX 4096 /* ids 1..4095 */

/*
 * name, help. Each is a u64 that only grows, but for the gauges (_open,
 * _active) which a worker also decrements.
 * Invariants, tested: connections_accepted = connections_open + _closed;
 * requests = responses_2xx..5xx + responses_aborted + requests_active, where
 * requests counts heads that were parsed or refused with an answer.
 */
#define COUNTERS_LISTENER(X)                                                   \
	X(connections_accepted, "connections accepted")                        \
	X(connections_closed, "connections closed")                            \
	X(connections_open, "connections open now")                            \
	X(limit_connections, "connections reset at once: limits.connections")  \
	X(limit_connections_source,                                            \
		"connections reset at once: limits.connectionsPerSource")      \
	X(blocked_source,                                                      \
		"connections reset at once: their source is blocked")          \
	X(requests, "requests read")                                           \
	X(requests_active, "requests in work now")                             \
	X(responses_2xx, "answers 200-299")                                    \
	X(responses_3xx, "answers 300-399")                                    \
	X(responses_4xx, "answers 400-499")                                    \
	X(responses_5xx, "answers 500-599")                                    \
	X(responses_aborted, "requests whose answer was cut or not given")     \
	X(bytes_received, "bytes received from clients")                       \
	X(bytes_sent, "bytes sent to clients")                                 \
	X(bad_requests, "requests refused as malformed or ambiguous")          \
	X(no_route, "answers 404 for want of a route")                         \
	X(rate_limited, "requests refused by a rate limit")                    \
	X(limit_head, "requests refused: limits.headBytes (431)")              \
	X(limit_fields, "requests refused: limits.fields (431)")               \
	X(limit_target, "requests refused: limits.targetBytes (414)")          \
	X(limit_head_timeout, "requests refused: limits.headTimeout (408)")    \
	X(limit_body, "requests refused: limits.bodyBytes (413)")              \
	X(limit_body_slow,                                                     \
		"requests refused: limits.bodyIdleTimeout or bodyRate (408)")  \
	X(limit_answer_slow, "connections reset: the client did not read")     \
	X(idle_closed, "idle connections closed")                              \
	X(accept_failed, "accept() failures (descriptors)")                    \
	X(access_log_dropped, "access log lines dropped (full disk)")          \
	X(regex_limited, "regexes given up for their limits: answered with 500")

#define COUNTERS_UPSTREAM(X)                                                   \
	X(requests, "requests sent")                                           \
	X(requests_active, "requests in work now")                             \
	X(responses_2xx, "answers 200-299")                                    \
	X(responses_3xx, "answers 300-399")                                    \
	X(responses_4xx, "answers 400-499")                                    \
	X(responses_5xx, "answers 500-599")                                    \
	X(connections_opened, "connections opened")                            \
	X(connections_reused, "requests on a kept connection")                 \
	X(connections_open, "connections open now")                            \
	X(idle_open, "connections open now that wait for a request")           \
	X(idle_closed, "kept connections closed after upstreamIdleTimeout")    \
	X(connect_failed, "connections that could not be made")                \
	X(connect_timeout, "connections not made in time")                     \
	X(tls_failures, "connections given up because TLS failed")             \
	X(request_timeout, "requests ended by the route's timeout")            \
	X(reset, "connections that ended before the answer was complete")      \
	X(bad_response, "answers refused as malformed")                        \
	X(retried_idle, "requests sent again after an idle connection closed") \
	X(retried, "requests tried again as their route says")                 \
	X(retries_active, "requests in work that are tried again")             \
	X(retry_budget_used_up, "retries not made: the budget is used up")     \
	X(retry_overflow, "retries not made: maxRetries are in work")          \
	X(try_timeout, "attempts ended by perTryTimeout")                      \
	X(pending_active, "requests that wait for a connection now")           \
	X(pending_overflow, "requests refused: maxPendingRequests wait")       \
	X(requests_overflow, "requests refused: maxRequests are in work")      \
	X(connections_overflow,                                                \
		"relayed connections refused: maxConnections are open")        \
	X(no_endpoint, "requests without any endpoint")                        \
	X(bytes_sent, "bytes sent")                                            \
	X(bytes_received, "bytes received")                                    \
	X(call_bytes_active, "bytes of calls in memory now")                   \
	X(calls_overflow, "calls refused: limits.callBytes are in memory")     \
	X(calls_too_large,                                                     \
		"calls refused: body, event or answer is larger than may be")  \
	X(calls_refused, "calls that no answer of a function came of")         \
	X(calls_corrected,                                                     \
		"calls made again with the clock or credentials corrected")    \
	X(calls_billed_ms, "milliseconds that calls were billed for")

struct counters_listener {
#define X(name, help) uint64_t name;
	COUNTERS_LISTENER(X)
#undef X
};

struct counters_upstream {
#define X(name, help) uint64_t name;
	COUNTERS_UPSTREAM(X)
#undef X
};

struct counters_worker {
	uint64_t generation; /* the newest that this worker runs */
	uint64_t pad[7];
	struct counters_listener listener[SLOTS_MAX];
	struct counters_upstream upstream[UPSTREAMS_MAX];
};

struct counters {
	uint64_t magic;
	uint32_t workers, pad;
	uint64_t pad2[6];
	struct counters_worker worker[]; /* workers */
};

static inline size_t
counters_size(uint32_t workers)
{
	return sizeof(struct counters) +
		workers * sizeof(struct counters_worker);
}

struct counter_name {
	const char *name, *help;
	size_t offset;
};

/* It ends in _active or _open: a worker also decrements it. */
bool counter_is_gauge(const char *name);

/* The fields above as rows; end with a NULL name. */
extern const struct counter_name counters_listener_names[];
extern const struct counter_name counters_upstream_names[];

/* Sums over the workers into out (one struct counters_listener/_upstream). */
void counters_sum_listener(const struct counters *c, uint32_t slot,
	struct counters_listener *out);
void counters_sum_upstream(const struct counters *c, uint32_t id,
	struct counters_upstream *out);
/* After the proxy died: gauges back to 0, the requests that were in work
 * counted as aborted and the open connections as closed. */
void counters_settle(struct counters *c);

#endif
