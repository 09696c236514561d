/*
 * The XDP program as shipped, in maps of the size that a full box has, filled
 * with the slots of xdp_gateway_slots.h.
 */
#ifndef TESTS_BENCH_XDP_GATEWAY_H
#define TESTS_BENCH_XDP_GATEWAY_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/contract.h"
#include "tests/bench/xdp_scene.h"

struct gateway;

/* Ends the program with a message when it cannot. small: maps as built.
 * Backends are reached through ifindex: XDP_TX when packets come from there. */
struct gateway *gateway_new(bool small, unsigned ifindex);
void gateway_free(struct gateway *g);

int gateway_program(const struct gateway *g);

/* ---- what cases switch */

void gateway_lists(struct gateway *g, bool on); /* 100 prefixes, none met */
void gateway_admit_all(struct gateway *g, bool on);
void gateway_flood_guard(struct gateway *g, bool on);

/* ---- what was counted */

uint64_t gateway_count(const struct gateway *g, uint32_t slot,
	enum gg_reason reason);
void gateway_counts(const struct gateway *g, uint32_t slot,
	uint64_t counts[GG_REASON_COUNT]);
const char *gateway_reason_name(enum gg_reason reason);
/* In the tables of connections and of sources. */
uint64_t gateway_entries(const struct gateway *g);
/* What source, in host order, has left; false: no entry. */
bool gateway_source(const struct gateway *g, uint32_t slot, uint32_t source,
	struct gg_source *s);
/* Changes whenever the limiter writes: into the sketch, into that source's
 * entry (has_entry: is there one?). */
uint64_t gateway_limit_state(const struct gateway *g, uint32_t slot,
	uint32_t source, bool *has_entry);
/* Up to count flows from backends back to their clients, at random. */
uint32_t gateway_reverse_flows(const struct gateway *g, uint32_t slot,
	struct scene_flow *flows, uint32_t count);
/* What a service's backend sends to a client. */
struct scene_flow gateway_answer(const struct gateway *g, uint32_t slot,
	uint32_t backend, uint32_t client);

#endif
