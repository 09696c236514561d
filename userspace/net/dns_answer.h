/*
 * What a name server's message says of one question. Read with c-ares; ours is
 * what c-ares 1.18 leaves out: the TTL of the whole chain, aliases that lead in
 * a circle, names of hosts that are none, a service that is said not to be
 * there (RFC 2782: the target ".").
 */
#ifndef NET_DNS_ANSWER_H
#define NET_DNS_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "net/resolver.h"

enum dns_type { /* RFC 1035 3.2.2, 3596, 2782 */
	DNS_A = 1,
	DNS_AAAA = 28,
	DNS_SRV = 33,
};

struct dns_answer {
	enum resolver_verdict verdict;
	struct addr *addrs; /* of DNS_A and DNS_AAAA, in the message's order */
	size_t addr_count;
	/* Of DNS_SRV, sorted, each once; each host is the answer's. */
	struct resolver_service *services;
	size_t service_count;
	uint32_t ttl_s; /* the smallest of what was asked for and of aliases */
	/* What is wrong with it, after "the name \"a.test\" "; NULL: nothing,
	 * or what the verdict says. */
	const char *problem;
};

/* bytes is a message without error whose question is of that type. */
void dns_answer_read(struct dns_answer *a, const uint8_t *bytes, size_t length,
	enum dns_type type);
void dns_answer_fini(struct dns_answer *a);

#endif
