/*
 * Questions to name servers: a channel of c-ares on a loop. c-ares has the
 * sockets, the ids, the tries, the next server and TCP for what does not fit;
 * it reads resolv.conf only when a channel is made, so that another one is made
 * when the file has changed.
 */
#ifndef NET_DNS_CHANNEL_H
#define NET_DNS_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"
#include "net/dns_answer.h"

struct dns_channel;
struct loop;

/* servers: "127.0.0.1:5353,...", or NULL: those of the file conf, whose search
 * list holds either way. */
struct dns_channel *dns_channel_new(struct loop *loop, const char *servers,
	const char *conf, struct error *err);
/* What is asked is answered, as failed, before it returns. Not from a
 * dns_message_f. */
void dns_channel_free(struct dns_channel *c);
/* The file is another than when the channel was made. */
bool dns_channel_is_outdated(const struct dns_channel *c);

/* status is of c-ares; with ARES_SUCCESS it is a message with answers. */
typedef void dns_message_f(
	int status, const uint8_t *bytes, size_t length, void *arg);
/* Calls cb exactly once, perhaps before it returned. */
void dns_channel_ask(struct dns_channel *c, const char *name,
	enum dns_type type, dns_message_f *cb, void *arg);
size_t dns_channel_asked(const struct dns_channel *c); /* and not answered */

/* The search list: a name with fewer dots than ndots is tried below each domain
 * first. */
char *const *dns_channel_domains(const struct dns_channel *c, size_t *count);
size_t dns_channel_ndots(const struct dns_channel *c);
/* What /etc/hosts has under that name: returns how many, at most room. */
size_t dns_channel_hosts(struct dns_channel *c, const char *name,
	struct addr *addrs, size_t room);

#endif
