/*
 * A DNS name that is kept resolved: asked again by TTL, with jitter and before
 * it expires, between a floor and a ceiling. What was known stays when nobody
 * answers or the answer is an error (SERVFAIL, refused, timeout); only a name
 * that is said not to exist, or to have no addresses, twice in a row empties
 * it; of services also that all their hosts are said so of. Used by every kind that has host names.
 */
#ifndef NET_WATCHED_NAME_H
#define NET_WATCHED_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define WATCHED_NAME_TTL_MIN_S   1 /* TTL 0 counts as this */
#define WATCHED_NAME_TTL_MAX_S   300
#define WATCHED_NAME_RETRY_MIN_MS 1000
#define WATCHED_NAME_RETRY_MAX_MS 30000
#define WATCHED_NAME_TARGETS_MAX 4096

struct resolver;
struct watched_name;

enum watched_type {
	WATCHED_ADDRESSES, /* A and AAAA; port 0, weight 0, priority 0 */
	WATCHED_SERVICES,  /* SRV (RFC 2782), each target to its addresses */
};

struct watched_target {
	struct addr addr;          /* with the port of SRV */
	uint16_t priority, weight; /* of SRV; the smallest priority is used
				    * first; weight 0 is legal */
	const char *host; /* of SRV: the target that led there; NULL */
};

struct watched_state {
	const struct watched_target *targets;
	size_t count;
	/* All below: valid during the callback and until the next one. */
	const char *problem;      /* why the last answer was no good, one sentence;
				   * NULL: it was good */
	uint64_t stale_since_ms;  /* ms since 1970; 0: not stale */
	uint32_t ttl_s;           /* of the last good answer */
	uint64_t due_ms;          /* when it is asked again, clock_monotonic_ms */
	bool answered;            /* at least once, well or badly */
	bool gone;                /* it was said twice that there is none: count
				   * is 0, and that is the truth */
};

/* Something of the state is another: targets (compared as sets), problem or
 * gone. May free the name. */
typedef void watched_name_f(const struct watched_state *state, void *arg);

/* loop is the resolver's. cb is never called before this returned. */
struct watched_name *watched_name_new(struct resolver *r, const char *name,
	enum watched_type type, watched_name_f *cb, void *arg);
/* From the next answer on it is asked for so often, whatever its TTL; 0: by TTL.
 */
void watched_name_pace(struct watched_name *n, uint64_t ms);
void watched_name_free(struct watched_name *n); /* NULL is fine */
const struct watched_state *watched_name_state(const struct watched_name *n);

#endif
