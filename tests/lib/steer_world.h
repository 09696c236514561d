/*
 * The loaded XDP program with services of every mode, as the daemon would set
 * it up; and what a test does with it.
 *
 * The backend of a service has the service's slot for an index, and it is seen
 * in all its names: slot 68 is at 10.0.0.68 or fd00::68, port 8080, link
 * address 2:0:0:0:1:68. The box is 10.0.0.1 and fd00::1 there, with the link
 * address 2:0:0:0:2:1. Frames come in on interface 1, and so do their
 * backends live there, but for those of slots 80 and 98 (interface 2) and 81
 * (3, which gg_tx does not have). The backends of slots 95 and 96 are of the
 * other family than their service.
 */
#ifndef TESTS_STEER_WORLD_H
#define TESTS_STEER_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/contract.h"
#include "gateway.skel.h"
#include "tests/lib/packet.h"

#define WORLD_SEED 0x5eed5eed
#define WORLD_CONNECTIONS 262144 /* entries of gg_ct4, as a daemon sizes it */

struct world_service {
	uint32_t slot;
	const char *ip; /* "::ffff:198.51.100.10" or "2001:db8::10" */
	uint16_t port;
	uint8_t l4_proto;
	enum gg_mode mode;
	uint16_t mtu;
	uint32_t ifindex; /* of its backend; 0: no next hop */
};

/* Ends with an ip of NULL. */
extern const struct world_service world_services[];

struct world_verdict {
	uint32_t action;
	uint8_t *data; /* until the next run */
	size_t length;
};

/* Loads and fills; NULL with errno when the kernel refuses. */
struct gateway_bpf *world_open(void);
/* The same, with tables of connections, of mode nat and of fragments that take
 * so many entries and then no more. */
struct gateway_bpf *world_open_full(uint32_t entries);
void world_close(void);
/* What only this program does: forgets connections and fragments. */
void world_forget(void);
struct world_verdict world_run(const void *data, size_t length);
/* Sets entry key (of four bytes) of an array. */
void world_put(const struct bpf_map *map, uint32_t key, const void *value);
/* The ring of a service, written as the daemon writes it. */
struct gg_ring_slot *world_ring(uint32_t slot);
void world_backend(uint32_t index, struct gg_backend *b);
/* The way back from this backend of a service of mode route. */
void world_reverse(const struct world_service *s, const struct gg_backend *b);
void world_cfg(uint32_t flags, uint32_t flood_guard);
/* Packets counted so far under a slot and reason; notes of a slot. */
uint64_t world_count(uint32_t slot, enum gg_reason reason);
uint64_t world_notes(uint32_t slot, enum gg_note note);
/* Packets counted so far. */
uint64_t world_packets(void);
size_t world_entries(const struct bpf_map *map, size_t key_size);
/* The first of the ports that mode nat tries for the flow of this packet. */
unsigned world_nat_port(const struct packet *p);
/* An address in text, IPv4 mapped or not, as the maps have it. */
void world_address(const char *text, uint8_t ip[16]);

#endif
