/*
 * Names to addresses and services through c-ares, with the TTL that the answer
 * carries and with a verdict that tells "there is none" from "nobody could
 * say". /etc/hosts is honoured ("localhost" and what stands there have the TTL
 * RESOLVER_HOSTS_TTL_S). The servers are those of /etc/resolv.conf, which is
 * looked at again before every question, or those that resolver_new was given
 * ("127.0.0.1:5353,..."). The search list is used as glibc uses it; a name with
 * a dot at its end is whole. A answers and AAAA answers are one answer.
 *
 * A question ends after RESOLVER_DEADLINE_MS, whatever the servers do; so many
 * as RESOLVER_ASKED_MAX are with the servers at once, others wait their turn.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"

#define RESOLVER_CONF "/etc/resolv.conf"

#define RESOLVER_HOSTS_TTL_S   30
#define RESOLVER_ADDRESSES_MAX 4096
#define RESOLVER_SERVICES_MAX  256
#define RESOLVER_ASKED_MAX     256
#define RESOLVER_DEADLINE_MS   10000
/* One family has addresses: so long is waited for the other. */
#define RESOLVER_FAMILY_MS 2000
/* While a name cannot be resolved, so often is resolv.conf looked at. */
#define RESOLVER_CONF_LOOK_MS 2000

struct resolver;
struct resolver_query;
struct resolver_wait;
struct loop;

enum resolver_verdict {
	RESOLVER_FOUND,
	RESOLVER_NO_NAME, /* NXDOMAIN */
	RESOLVER_NO_DATA, /* the name is there, what was asked for is not */
	RESOLVER_FAILED,  /* nobody could say: no evidence of anything */
};

struct resolver_service { /* SRV, RFC 2782 */
	const char *host;
	uint16_t priority, weight, port; /* host order */
};

struct resolver_answer {
	enum resolver_verdict verdict;
	const struct addr *addrs; /* port 0, sorted, each once */
	size_t addr_count;
	/* By priority, then the heaviest first; of resolver_services_new. */
	const struct resolver_service *services;
	size_t service_count;
	uint32_t ttl_s; /* the smallest, aliases included; of FOUND */
	/* The other family was found and this one failed: what was known of it
	 * still holds. */
	bool v4_failed, v6_failed;
	const char *failure; /* one sentence; NULL: FOUND */
};

/* conf NULL: RESOLVER_CONF. */
struct resolver *resolver_new(struct loop *loop, const char *servers,
	const char *conf, struct error *err);
void resolver_free(struct resolver *r);
struct loop *resolver_loop(const struct resolver *r);

/* The answer is valid during the call. */
typedef void resolver_answer_f(const struct resolver_answer *a, void *arg);
/* Calls cb exactly once, never before it returned, unless cancelled. */
struct resolver_query *resolver_query_new(
	struct resolver *r, const char *name, resolver_answer_f *cb, void *arg);
/* The same for the services of a name ("_http._tcp.web.test"). */
struct resolver_query *resolver_services_new(
	struct resolver *r, const char *name, resolver_answer_f *cb, void *arg);
void resolver_query_cancel(struct resolver_query *q); /* NULL is fine */

/* A name that could not be resolved: cb each time that the servers of
 * resolv.conf are others. Must not ask in it, nor free anything of r. */
typedef void resolver_wait_f(void *arg);
struct resolver_wait *resolver_wait_new(
	struct resolver *r, resolver_wait_f *cb, void *arg);
void resolver_wait_free(struct resolver_wait *w); /* NULL is fine */

struct resolver_counts {
	uint64_t asked, answered, failed; /* names; answered: well, or that
					   * there is none */
	uint64_t stale;                   /* that wait now: resolver_wait_new */
};
void resolver_counts(const struct resolver *r, struct resolver_counts *out);

#endif
