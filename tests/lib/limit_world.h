/*
 * The loaded XDP program and the fastpath over its maps, with policies: what
 * the tests of lists, buckets, sketch and exactness share. Needs cmocka.
 */
#ifndef TESTS_LIMIT_WORLD_H
#define TESTS_LIMIT_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/contract.h"
#include "fastpath/blocks.h"
#include "fastpath/limits.h"
#include "fastpath/prefixes.h"
#include "gateway.skel.h"
#include "tests/lib/packet.h"
#include "tests/lib/packet_model.h"

#define LIMITED_SKIPPED 77

#define HOUR 3600
#define TCP4 1 /* slots of packet_listeners */
#define TCP6 2
#define UDP4 3

#define R(name) GG_REASON_##name
/* An hour's worth at once: nothing comes back while the test runs. */
#define AT_ONCE(n) { (n), HOUR, (n) }
#define PACKETS(n) { .packets = AT_ONCE(n), .plen4 = 32, .plen6 = 64 }

extern struct limited {
	struct gateway_bpf *gateway;
	struct fastpath *fastpath;
} limited;

void limited_cfg(uint32_t admit_shift, uint32_t sample);
/* What the program takes for a second, in ticks. */
void limited_cfg_hz(uint32_t hz);
void limited_listen(void);
/* max_entries and type of gg_rl4; 0: as built. */
void limited_load(uint32_t entries, enum bpf_map_type type);
int limited_setup(void **state);
int limited_teardown(void **state);
/* Verdict. One at a time: for more the kernel waits for a grace period. */
uint32_t limited_run(const void *data, size_t length);
struct gg_counters limited_counters(uint32_t slot);
struct gg_count limited_count(uint32_t slot, enum gg_reason reason);
/* How many of them passed; each that did not was counted under reason. */
uint64_t limited_send(const char *text, uint32_t slot, enum gg_reason reason,
	uint32_t packets);
/* These rules for TCP4, TCP6 and UDP4. */
void limited_slots(const struct fastpath_rule *rules, uint32_t count);
void limited_list(const struct packet_prefix *prefixes);
void limited_block(const struct packet_block *blocks, uint32_t ms);
bool limited_cfg_has(uint32_t flag);
/* The source of a packet "eth ip4". */
void limited_from(struct packet *p, uint32_t host);
size_t limited_entries(int fd);
/* False: the tests are to be skipped, and it was said why. */
bool limited_may_load(void);

#endif
