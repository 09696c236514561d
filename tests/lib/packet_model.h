/*
 * What the XDP program must make of a frame: bpf/parse.h compiled on the host
 * and a list of listeners in place of the maps; and the table of packets that
 * is the specification, for host and kernel alike.
 */
#ifndef TESTS_PACKET_MODEL_H
#define TESTS_PACKET_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/contract.h"

struct packet_verdict {
	uint32_t slot;
	enum gg_reason reason;
};

struct packet_row {
	const char *what;
	const char *packet; /* tests/lib/packet.h */
	uint32_t slot;
	enum gg_reason reason;
};

struct packet_listener {
	const char *ip; /* as gg_vip has it: IPv4 mapped */
	uint16_t port;
	uint8_t l4_proto;
	uint32_t slot;
};

/* Ends with an ip of NULL; a slot out of range stands among them. */
extern const struct packet_listener packet_listeners[];
/* Ends with a what of NULL. */
extern const struct packet_row packet_rows[];

void packet_listener_key(const struct packet_listener *l,
	struct gg_vip_key *key);
const char *packet_reason_name(enum gg_reason reason);
/* data is 2 bytes off an address divisible by 4, as in the kernel. */
struct packet_verdict packet_model(const void *data, size_t length);
/* What stands in the maps beside the listeners. Rates are so slow that only
 * bursts count. */
struct packet_rule {
	uint64_t bursts[3]; /* packets, bytes, connections; 0: not limited */
	uint8_t plen4, plen6;
};

struct packet_policy {
	const struct packet_prefix {
		const char *prefix;
		int deny;
	} *prefixes; /* ends with NULL */
	const struct packet_block {
		const char *ip;
		uint32_t slot;
	} *blocks; /* ends with NULL */
	struct packet_rule rules[GG_SLOTS_MAX][GG_RULES_MAX];
	/* what sources have spent so far */
	struct packet_spent *spent;
	size_t spent_count;
};

void packet_policy_free(struct packet_policy *policy);
/* The same under a policy. */
struct packet_verdict packet_model_policed(const void *data, size_t length,
	struct packet_policy *policy);
/* A random number from *state; the same ones for the same start. */
uint64_t packet_random(uint64_t *state);
/* Changes data in place: bits, bytes, words, or its length. */
void packet_mutate(uint8_t *data, size_t *length, uint64_t *state);

#endif
