/*
 * What /v1/health/service/<name> says: the instances of a service, each with
 * its address, health and weight; and which of them an upstream wants. Pure:
 * bytes in, instances out. Private to kinds/consul/.
 */
#ifndef KINDS_CONSUL_INSTANCES_H
#define KINDS_CONSUL_INSTANCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

#define CONSUL_INSTANCES_MAX 65536

struct consul_spec;

struct consul_instance {
	char *datacenter, *node, *id; /* identity: all three */
	char *address; /* Service.Address, else Node.Address; literal or name;
			* TaggedAddresses wan when of another datacenter */
	uint16_t port;
	uint16_t weight; /* of passing or warning, as its checks say */
	bool out;        /* critical, in maintenance, or of weight 0 */
	bool connect_proxy;
	char **tags;
	size_t tag_count;
};

struct consul_instances {
	struct consul_instance *items; /* sorted by identity, each once */
	size_t count;
	size_t passed_over; /* that could not be used, each a reason: */
	char *problem;      /* of the first of them, or NULL */
	/* Owners of those of them that are there, but with a value of a wrong
	 * type: what was known of them is better than nothing. */
	uint64_t *garbled;
	size_t garbled_count;
};

/* -1 and err: it is no such answer at all; single rows that are wrong are
 * passed over alone. local: the agent's own data centre. */
int consul_instances_read(struct slice json, const char *local_datacenter,
	struct consul_instances *out, struct error *err);
void consul_instances_fini(struct consul_instances *i);
/* By service_tags (all of them), instance_tags (all), blacklist (none),
 * connect. */
bool consul_instance_fits(
	const struct consul_instance *i, const struct consul_spec *spec);
/* For struct endpoint.owner; never 0. */
uint64_t consul_instance_owner(const struct consul_instance *i);
/* Whoever that is, it is one of that data centre: wrong for one of a million
 * that are of another. */
bool consul_owner_is_of(uint64_t owner, const char *datacenter);

#endif
