/*
 * Names to addresses through c-ares, with the TTL that the answer carries.
 * /etc/hosts is honoured ("localhost" and what stands there have the TTL
 * RESOLVER_HOSTS_TTL_S). The servers are those of /etc/resolv.conf, or those
 * that resolver_new was given ("127.0.0.1:5353,...").
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"

#define RESOLVER_HOSTS_TTL_S 30
#define RESOLVER_ADDRESSES_MAX 4096

struct resolver;
struct resolver_query;
struct loop;

struct resolver *resolver_new(struct loop *loop, const char *servers,
	struct error *err);
void resolver_free(struct resolver *r);

/* count addresses (A and AAAA, port 0, sorted) and the smallest TTL in
 * seconds; or failure != NULL: one sentence, and count is 0. */
typedef void resolver_answer_f(const struct addr *addrs, size_t count,
	uint32_t ttl_s, const char *failure, void *arg);
/* Calls cb exactly once, never before it returned, unless cancelled. */
struct resolver_query *resolver_query_new(struct resolver *r, const char *name,
	resolver_answer_f *cb, void *arg);
void resolver_query_cancel(struct resolver_query *q);

#endif
