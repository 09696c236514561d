/*
 * The name servers that hold now: a channel to them, another one when
 * resolv.conf has changed, and those who wait for that. Questions of a former
 * channel are answered, or not, by those whom they were put to.
 */
#ifndef NET_DNS_SERVERS_H
#define NET_DNS_SERVERS_H

#include <stddef.h>

#include "net/dns_channel.h"
#include "net/resolver.h"

struct dns_servers;

/* As resolver_new. */
struct dns_servers *dns_servers_new(struct loop *loop, const char *servers,
	const char *conf, struct error *err);
/* As dns_channel_free, of all channels. */
void dns_servers_free(struct dns_servers *s);
/* The channel of the file as it is now; stays at least until the loop goes on.
 */
struct dns_channel *dns_servers_channel(struct dns_servers *s);
/* A question was answered: a former channel may be done. */
void dns_servers_answered(struct dns_servers *s);

/* As resolver_wait_new and resolver_wait_free. */
struct resolver_wait *dns_servers_wait_new(
	struct dns_servers *s, resolver_wait_f *cb, void *arg);
void dns_servers_wait_free(struct resolver_wait *w); /* NULL is fine */
size_t dns_servers_waits(const struct dns_servers *s);

#endif
